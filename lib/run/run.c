/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - a config from beginning to end, made of the same public handles that a host composes.  A
 * stop (cancel, callback) falls back to the last whole step, so that what is resumed is what would
 * have been.
 */
#include "checkpoints.h"
#include "output.h"
#include "plan.h"
#include "run.h"

#include "base/magic.h"
#include "base/os.h"
#include "base/str.h"
#include "base/structs.h"
#include "data/dataset.h"
#include "tensor/registry.h"
#include "text/tokenizer.h"

/* ---- making one ---- */

/* First of all, because a folder that cannot be written to should be known before anything is
 * loaded.  How much of the path was there is noted, so that a run that comes to nothing can take
 * back what it made. */
static axl_status run_prepare_output(axl_run *r)
{
    char *dir = axl__config_path(r->cfg, axl__cfg_str(r->cfg, "output_dir"));
    r->output_dir = dir ? axl__path_absolute(r->ctx, dir) : NULL;
    axl__free(r->ctx, dir);
    if (!r->output_dir)
        return axl__fail_nomem();
    r->dir_existed = axl__existing_part(r->output_dir);
    axl_status status = axl__make_dirs(r->ctx, r->output_dir);
    if (status == AXL_OK)
        status = axl__check_writable(r->ctx, r->output_dir);
    if (status == AXL_OK)
        status = axl__output_lock(r->ctx, r->output_dir, &r->lock);
    return status < 0 ? axl__fail_prefix(status, "output_dir") : AXL_OK;
}

static void run_log_data(axl_run *r)
{
    axl_dataset_stats s = AXL_DATASET_STATS_INIT;

    if (axl_dataset_get_stats(r->train, &s) < 0)
        return;
    axl__log(r->ctx, AXL_LOG_INFO, "data: %llu rows, %llu tokens, %llu of them trained",
             (unsigned long long)s.rows, (unsigned long long)s.tokens,
             (unsigned long long)s.trained_tokens);
    uint64_t dropped = s.dropped_too_long + s.dropped_too_short + s.dropped_no_trained;
    if (s.dropped_duplicates > 0)
        axl__log(r->ctx, AXL_LOG_INFO, "%llu rows are dropped: equal to one before",
                 (unsigned long long)s.dropped_duplicates);
    if (dropped > 0)
        axl__log(r->ctx, AXL_LOG_WARNING,
                 "%llu of %llu rows are dropped: %llu longer than sequence_len, %llu too short, "
                 "%llu without a token to train on",
                 (unsigned long long)dropped, (unsigned long long)s.rows_read,
                 (unsigned long long)s.dropped_too_long, (unsigned long long)s.dropped_too_short,
                 (unsigned long long)s.dropped_no_trained);
}

/* The host's own data sets, or those of the config; the tokenizer is needed either way, for the
 * result is saved with it. */
static axl_status run_load_data(axl_run *r, const axl_run_options *o)
{
    if (o->validation && !o->train)
        return axl__fail(AXL_ERR_INVALID, "validation data need train beside them");
    AXL_TRY(axl_tokenizer_from_config(&r->tok, r->cfg));
    AXL_TRY(axl__plan_tokens(r->cfg, r->tok));
    if (o->train) {
        AXL_TRY(axl__dataset_enter(o->train));
        if (o->validation)
            AXL_TRY(axl__dataset_enter(o->validation));
        if (o->validation && axl__dataset_stream(o->validation))
            return axl__fail(AXL_ERR_UNSUPPORTED, "validation data cannot be streamed: an "
                                                  "evaluation goes over all of it");
        r->train = axl__dataset_ref(o->train);
        r->valid = o->validation ? axl__dataset_ref(o->validation) : NULL;
    } else {
        axl__data_use use = { .for_run = true, .day = r->day };
        AXL_TRY(axl__datasets_from_config(&r->train, &r->valid, r->cfg, r->tok, &use));
    }
    run_log_data(r);
    AXL_TRY(axl_loader_from_config(&r->loader, r->cfg, r->train, AXL_SPLIT_TRAIN));
    AXL_TRY(axl_loader_get_total_steps(r->loader, &r->total_steps));
    if (r->total_steps == 0 && axl__dataset_stream(r->train))
        return axl__fail(AXL_ERR_INVALID, "max_steps must be set: the training data is streamed, "
                                          "and nobody knows its end");
    return AXL_OK;
}

static void run_warn_about_lengths(axl_run *r)
{
    axl_model_info info = AXL_MODEL_INFO_INIT;
    int64_t wanted = axl__cfg_int(r->cfg, "sequence_len");

    if (axl_model_get_info(r->model, &info) == AXL_OK && wanted > (int64_t)info.max_seq_len)
        axl__log(
            r->ctx, AXL_LOG_WARNING,
            "sequence_len %lld is above the model's max_position_embeddings %u; positions past "
            "it were not seen in pretraining",
            (long long)wanted, info.max_seq_len);
}

/* A run that does not fit is refused while nothing large is loaded. */
static axl_status run_check_memory(axl_run *r, axl__batches *batches)
{
    r->plan = (axl_plan)AXL_PLAN_INIT;
    AXL_TRY(axl__plan_survey(batches, r->cfg, r->train, r->valid));
    batches->n_tokens = axl_tokenizer_vocab_size(r->tok);
    r->survey = batches->train;
    AXL_TRY(axl__plan_memory(r->cfg, batches, &r->plan, NULL));
    return axl__plan_fits(&r->plan);
}

/* Neither the result nor a checkpoint may take the base model's place. */
static axl_status run_spare_base(const axl_run *r)
{
    axl_status status = axl__model_spare(r->model, r->output_dir, false);

    if (status == AXL_OK)
        status = axl__tokenizer_spare(r->tok, r->output_dir);
    if (status == AXL_OK)
        status = axl__checkpoints_spare(r->ctx, r->output_dir, r->model->folder.home);
    return status < 0 ? axl__fail_prefix(status, "output_dir") : AXL_OK;
}

/* One that is not there is told before anything else costs time. */
static axl_status run_open_device(axl_run *r)
{
    const char *name = axl__config_device(r->cfg);

    if (strcmp(name, "auto") == 0)
        return AXL_OK;
    return axl__device_get_named(&r->ops, &r->dev, r->ctx, name);
}

/* In the order of what it costs: what can refuse the run comes before what is slow, and the plan
 * before the weights. */
static axl_status run_load_all(axl_run *r, const axl_run_options *o)
{
    axl__batches batches;

    AXL_TRY(run_open_device(r));
    AXL_TRY(run_prepare_output(r));
    AXL_TRY(axl__records_init(&r->records, r->cfg, r->output_dir, o));
    AXL_TRY(axl__run_find_start(r));
    AXL_TRY(run_load_data(r, o));
    AXL_TRY(run_check_memory(r, &batches));
    AXL_TRY(axl_model_from_config(&r->model, r->cfg));
    AXL_TRY(axl__model_resize(r->model, r->cfg, axl_tokenizer_vocab_size(r->tok)));
    AXL_TRY(run_spare_base(r));
    run_warn_about_lengths(r);
    AXL_TRY(axl_adapter_from_config(&r->adapter, r->cfg, r->model));
    AXL_TRY(axl_trainer_from_config(&r->trainer, r->cfg, r->model, r->adapter, r->total_steps));
    AXL_TRY(axl__plan_reserve(&batches, r->trainer));
    axl__rhythms_read(&r->when, r->cfg, r->total_steps, r->valid != NULL);
    AXL_TRY(axl__run_read_steering(r));
    return axl__run_resume(r);
}

axl_status axl_run_new(axl_run **out, const axl_config *cfg, const axl_run_options *opts)
{
    axl_run_options o = AXL_RUN_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_run_options, &o, opts));
    AXL_TRY(axl__config_trains(cfg));
    axl_context *ctx = axl__config_context(cfg);
    axl_run *r = axl__calloc(ctx, 1, sizeof *r);
    if (!r)
        return axl__fail_nomem();
    r->magic = AXL__MAGIC_RUN;
    r->lock = -1;
    r->ctx = axl__context_ref(ctx);
    r->cfg = axl__config_ref(cfg);
    r->resume = axl__strdup(ctx, o.resume);
    axl__run_state_init(&r->state);
    r->at_step = (axl_loader_cursor)AXL_LOADER_CURSOR_INIT;
    axl_status status = o.resume && !r->resume ? axl__fail_nomem() : run_load_all(r, &o);
    if (status < 0) {
        axl_run_free(r);
        return status;
    }
    *out = r;
    return AXL_OK;
}

/* Also of a run that was half made: each part may be NULL.  The folder is released before it is
 * removed, which only succeeds while nothing is in it. */
void axl_run_free(axl_run *r)
{
    if (!r || r->magic != AXL__MAGIC_RUN)
        return;
    r->magic = 0;
    axl_context *ctx = r->ctx;
    axl_trainer_free(r->trainer);
    axl_adapter_free(r->adapter);
    axl_model_free(r->model);
    axl_loader_free(r->loader);
    axl_dataset_free(r->train);
    axl_dataset_free(r->valid);
    axl_tokenizer_free(r->tok);
    axl_config_free(r->cfg);
    axl__device_put(ctx, r->ops, r->dev);
    if (r->output_dir) { /* a run that came to nothing leaves nothing */
        axl__output_release(ctx, r->output_dir, r->lock);
        axl__remove_empty_dirs(r->output_dir, r->dir_existed);
    }
    axl__free(ctx, r->resume);
    axl__free(ctx, r->from);
    axl__free(ctx, r->output_dir);
    axl__free(ctx, r->steer.trigger);
    axl__records_free(&r->records);
    axl__free(ctx, r);
    axl_context_free(ctx);
}

axl_status axl__run_enter(axl_run *r)
{
    axl__error_clear();
    if (!r || r->magic != AXL__MAGIC_RUN)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_run");
    AXL_TRY(axl__context_enter(r->ctx));
    return axl__claim_take(&r->claim, "axl_run");
}

const char *axl_run_output_dir(const axl_run *r)
{
    return r && r->magic == AXL__MAGIC_RUN ? r->output_dir : NULL;
}

axl_model *axl_run_model(const axl_run *r)
{
    return r && r->magic == AXL__MAGIC_RUN ? r->model : NULL;
}

axl_adapter *axl_run_adapter(const axl_run *r)
{
    return r && r->magic == AXL__MAGIC_RUN ? r->adapter : NULL;
}

axl_trainer *axl_run_trainer(const axl_run *r)
{
    return r && r->magic == AXL__MAGIC_RUN ? r->trainer : NULL;
}

axl_tokenizer *axl_run_tokenizer(const axl_run *r)
{
    return r && r->magic == AXL__MAGIC_RUN ? r->tok : NULL;
}

/* ---- the loop ---- */

/* at_step moves before anything that may stop the run, so that a stop falls back to this step and
 * not to the one before it. */
static axl_status run_after_step(axl_run *r, const axl_step_stats *s)
{
    AXL_TRY(axl_loader_get_cursor(r->loader, &r->at_step));
    axl__run_note_step(r, s->loss);
    AXL_TRY(axl__run_log_step(r, s));
    AXL_TRY(axl__run_evaluate_when_due(r, false));
    return axl__run_save_is_due(r) ? axl__run_save_checkpoint(r, false) : AXL_OK;
}

/* One batch, and the step when it is due. */
static axl_status run_advance(axl_run *r, const axl_batch *b)
{
    axl_step_stats s = AXL_STEP_STATS_INIT;

    if (axl__run_skips_batch(r, b))
        return AXL_OK;
    axl_status status = axl_trainer_forward_backward(r->trainer, b, NULL);
    if (status == AXL_ERR_NUMERIC)
        return axl__run_skip_step(r, b->last_of_step != 0);
    AXL_TRY(status);
    if (!axl_trainer_ready(r->trainer))
        return AXL_OK;
    status = axl_trainer_step(r->trainer, &s);
    if (status == AXL_ERR_NUMERIC)
        return axl__run_skip_step(r, true);
    AXL_TRY(status);
    return run_after_step(r, &s);
}

/* Rhythms end with the run, wherever that is; so does what a stop kept from being done. */
static axl_status run_finish(axl_run *r)
{
    uint64_t step = axl_trainer_steps(r->trainer);

    if (r->skips.n > 0)
        return axl__fail(AXL_ERR_NUMERIC,
                         "the loss or gradient of the last %llu steps was not finite",
                         (unsigned long long)r->skips.n);
    AXL_TRY(axl__run_evaluate_when_due(r, true));
    bool last = axl__rhythm_is_on(&r->when.save) && step > 0;
    if (step != r->saves.newest && (last || axl__run_save_is_due(r)))
        AXL_TRY(axl__run_save_checkpoint(r, false));
    AXL_TRY(axl__run_load_best(r));
    return axl__run_save_result(r);
}

static axl_status run_train_loop(axl_run *r)
{
    axl_batch b = AXL_BATCH_INIT;
    axl_status status = AXL_OK;

    axl__run_pace_begin(r);
    AXL_TRY(axl__run_evaluate_when_due(r, false)); /* a stop may have come before it */
    while (axl_trainer_steps(r->trainer) < r->total_steps && !axl__run_stops_early(r)) {
        status = axl_loader_next(r->loader, &b);
        if (status != AXL_OK)
            break;
        AXL_TRY(run_advance(r, &b));
    }
    AXL_TRY(status);
    return run_finish(r);
}

/* Only now: a run that could not begin has left nothing.  A stop in between ends the loop. */
static axl_status run_keep_data(axl_run *r)
{
    axl_status status = axl__dataset_keep(r->train, false);

    if (status == AXL_OK)
        status = axl__dataset_keep(r->valid, false);
    return status == AXL_ERR_CANCELLED ? AXL_OK : status;
}

/* A cancelled run is told as cancelled only after its checkpoint is written; other failures leave
 * what was saved before. */
static axl_status run_train(axl_run *r)
{
    AXL_TRY(run_keep_data(r));
    AXL_TRY(axl__run_begin(r));
    axl_status status = run_train_loop(r);
    return status == AXL_ERR_CANCELLED ? axl__run_save_stopped(r, status) : status;
}

axl_status axl_run_train(axl_run *r)
{
    AXL_TRY(axl__run_enter(r));
    axl_status status = run_train(r);
    axl__claim_release(&r->claim);
    return status;
}
