/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - a config from beginning to end, made of the same public handles that a host composes.  A
 * stop (cancel, callback) falls back to the last whole step, so that what is resumed is what would
 * have been.
 */
#include "checkpoints.h"
#include "model_card.h"
#include "run_log.h"

#include "base/os.h"
#include "base/str.h"
#include "config/config.h"

#include <axl/run.h>

#include <math.h>
#include <string.h>

#define RUN_MAGIC 0x41584C52u /* "AXLR" */

/* When something happens: every n steps, at each epoch's end, or never. */
typedef struct {
    uint64_t steps; /* 0: not by steps */
    bool epochs;
} rhythm;

struct axl_run {
    uint32_t magic;
    bool in_call;
    axl_context *ctx;
    axl_config *cfg;
    axl_run_options opts;
    char *resume, *output_dir, *log_path;
    axl_tokenizer *tok;
    axl_dataset *train, *valid; /* valid may be NULL */
    axl_loader *loader;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *trainer;
    uint64_t total_steps, logging_steps, save_limit;
    rhythm save, eval;
    bool eval_on_start;

    axl_loader_cursor at_step; /* the loader's place at the last whole step */
    uint64_t saved_step;       /* of the newest checkpoint; UINT64_MAX: none of this run */
    double loss_sum, seconds, started;
    uint64_t loss_tokens, input_tokens; /* since the last record */
    axl_run_record last;
};

/* ---- making one ---- */

static axl_status prepare_output(axl_run *r)
{
    r->output_dir = axl__config_path(r->cfg, axl__cfg_str(r->cfg, "output_dir", "./model-out"));
    if (!r->output_dir)
        return axl__fail_nomem();
    r->log_path = axl__format(r->ctx, "%s/training_log.jsonl", r->output_dir);
    if (!r->log_path)
        return axl__fail_nomem();
    axl_status status = axl__make_dirs(r->ctx, r->output_dir);
    if (status == AXL_OK)
        status = axl__check_writable(r->ctx, r->output_dir);
    return status < 0 ? axl__fail_prefix(status, "output_dir") : AXL_OK;
}

static axl_status load_data(axl_run *r)
{
    axl_status status;

    AXL_TRY(axl_tokenizer_from_config(&r->tok, r->cfg));
    AXL_TRY(axl_dataset_from_config(&r->train, r->cfg, r->tok, AXL_SPLIT_TRAIN));
    status = axl_dataset_from_config(&r->valid, r->cfg, r->tok, AXL_SPLIT_VALIDATION);
    if (status < 0)
        return status;
    AXL_TRY(axl_loader_from_config(&r->loader, r->cfg, r->train, AXL_SPLIT_TRAIN));
    return axl_loader_total_steps(r->loader, &r->total_steps);
}

static void warn_about_lengths(axl_run *r)
{
    axl_model_info info = AXL_MODEL_INFO_INIT;
    int64_t wanted = axl__cfg_int(r->cfg, "sequence_len", 512);

    if (axl_model_get_info(r->model, &info) == AXL_OK && wanted > (int64_t)info.max_seq_len)
        axl__log(
            r->ctx, AXL_LOG_WARNING,
            "sequence_len %lld is above the model's max_position_embeddings %u; positions past "
            "it were not seen in pretraining",
            (long long)wanted, info.max_seq_len);
}

/* A number of steps, or a share of the run rounded up, as transformers reads 0 < x < 1. */
static uint64_t steps_of(double value, uint64_t total)
{
    return value < 1.0 ? (uint64_t)ceil(value * (double)total) : (uint64_t)value;
}

static rhythm read_rhythm(axl_run *r, const char *strategy, const char *steps,
                          const char *per_epoch)
{
    rhythm when = { 0, false };
    const char *s = axl__cfg_str(r->cfg, strategy, "no");
    double epochs = axl__cfg_double(r->cfg, "num_epochs", 1.0);

    if (strcmp(s, "no") == 0)
        return when;
    if (strcmp(s, "epoch") == 0) {
        when.epochs = true;
    } else if (axl__cfg_has(r->cfg, per_epoch)) {
        double share = 1.0 / ((double)axl__cfg_int(r->cfg, per_epoch, 1) * epochs);
        if (share < 1.0)
            when.steps = steps_of(share, r->total_steps);
        else
            when.epochs = true;
    } else {
        when.steps = steps_of(axl__cfg_double(r->cfg, steps, 500.0), r->total_steps);
    }
    return when;
}

static void read_rhythms(axl_run *r)
{
    uint64_t max_steps = (uint64_t)axl__cfg_int(r->cfg, "max_steps", 0);

    if (max_steps > 0)
        r->total_steps = max_steps;
    uint64_t usual = (uint64_t)(0.005 * (double)r->total_steps);
    usual = usual < 1 ? 1 : usual > 10 ? 10 : usual;
    r->logging_steps = (uint64_t)axl__cfg_int(r->cfg, "logging_steps", (int64_t)usual);
    r->save_limit = (uint64_t)axl__cfg_int(r->cfg, "save_total_limit", 4);
    r->save = read_rhythm(r, "save_strategy", "save_steps", "saves_per_epoch");
    if (r->valid)
        r->eval = read_rhythm(r, "eval_strategy", "eval_steps", "evals_per_epoch");
    r->eval_on_start = r->eval.steps > 0;
}

static axl_status load_all(axl_run *r)
{
    AXL_TRY(prepare_output(r));
    AXL_TRY(load_data(r));
    AXL_TRY(axl_model_from_config(&r->model, r->cfg));
    warn_about_lengths(r);
    AXL_TRY(axl_adapter_from_config(&r->adapter, r->cfg, r->model));
    AXL_TRY(axl_trainer_from_config(&r->trainer, r->cfg, r->model, r->adapter, r->total_steps));
    read_rhythms(r);
    return AXL_OK;
}

axl_status axl_run_new(axl_run **out, const axl_config *cfg, const axl_run_options *opts)
{
    axl_run_options o = AXL_RUN_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    AXL_TRY(axl__options_import(&o, sizeof o, opts, sizeof o));
    axl_context *ctx = axl__config_context(cfg);
    axl_run *r = axl__calloc(ctx, 1, sizeof *r);
    if (!r)
        return axl__fail_nomem();
    r->magic = RUN_MAGIC;
    r->ctx = axl__context_ref(ctx);
    r->cfg = axl__config_ref(cfg);
    r->opts = o;
    r->resume = axl__strdup(ctx, o.resume);
    r->saved_step = UINT64_MAX;
    r->at_step = (axl_loader_cursor)AXL_LOADER_CURSOR_INIT;
    axl_status status = o.resume && !r->resume ? axl__fail_nomem() : load_all(r);
    if (status < 0) {
        axl_run_free(r);
        return status;
    }
    *out = r;
    return AXL_OK;
}

void axl_run_free(axl_run *r)
{
    if (!r || r->magic != RUN_MAGIC)
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
    axl__free(ctx, r->resume);
    axl__free(ctx, r->output_dir);
    axl__free(ctx, r->log_path);
    axl__free(ctx, r);
    axl_context_free(ctx);
}

static axl_status run_enter(axl_run *r)
{
    axl__error_clear();
    if (!r || r->magic != RUN_MAGIC)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_run");
    AXL_TRY(axl__context_enter(r->ctx));
    if (r->in_call)
        return axl__fail(AXL_ERR_BUSY, "axl_run used from inside its own callback");
    r->in_call = true;
    return AXL_OK;
}

const char *axl_run_output_dir(const axl_run *r)
{
    return r && r->magic == RUN_MAGIC ? r->output_dir : NULL;
}

/* ---- records ---- */

static double epoch_now(const axl_run *r)
{
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;

    if (axl_loader_get_cursor(r->loader, &at) < 0)
        return 0.0;
    return (double)at.epoch + (double)at.batch / (double)axl_loader_batches_per_epoch(r->loader);
}

static axl_status put_record(axl_run *r, const axl_run_record *record)
{
    AXL_TRY(axl__run_log_append(r->ctx, r->log_path, record));
    if (r->opts.record && r->opts.record(r->opts.record_user, record) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the record callback");
    return AXL_OK;
}

static axl_status log_step(axl_run *r, const axl_step_stats *s)
{
    double now = axl__now();

    r->loss_sum += s->loss * (double)s->n_trained;
    r->loss_tokens += s->n_trained;
    r->input_tokens += s->n_tokens;
    if (s->step % r->logging_steps != 0 && s->step != r->total_steps)
        return AXL_OK;
    r->last = (axl_run_record){ sizeof r->last, s->step, r->total_steps, epoch_now(r),
                                r->loss_sum / (double)r->loss_tokens, s->grad_norm,
                                s->learning_rate, (double)r->input_tokens / (now - r->started),
                                NAN, NAN };
    r->loss_sum = 0.0;
    r->loss_tokens = r->input_tokens = 0;
    r->started = now;
    return put_record(r, &r->last);
}

/* ---- evaluating ---- */

static axl_status evaluate_all(axl_run *r, axl_loader *loader, double *loss, uint64_t *tokens)
{
    axl_batch b = AXL_BATCH_INIT;
    uint64_t n = axl_loader_batches_per_epoch(loader), done = 0;
    double total = 0.0;
    axl_status status;

    *tokens = 0;
    while ((status = axl_loader_next(loader, &b)) == AXL_OK) {
        double sum;
        AXL_TRY(axl_trainer_evaluate(r->trainer, &b, &sum));
        total += sum;
        *tokens += b.n_trained;
        AXL_TRY(axl__poll(r->ctx, "evaluate", ++done, n));
    }
    AXL_TRY(status);
    if (*tokens == 0)
        return axl__fail(AXL_ERR_DATA, "the validation data has no trained token");
    *loss = total / (double)*tokens;
    return AXL_OK;
}

static axl_status evaluate(axl_run *r, double *loss, uint64_t *tokens)
{
    axl_loader *loader;

    AXL_TRY(axl_loader_from_config(&loader, r->cfg, r->valid, AXL_SPLIT_VALIDATION));
    axl_status status = evaluate_all(r, loader, loss, tokens);
    axl_loader_free(loader);
    return status;
}

static axl_status evaluate_and_log(axl_run *r)
{
    double loss, began = axl__now();
    uint64_t tokens;

    AXL_TRY(evaluate(r, &loss, &tokens));
    axl_run_record e = { sizeof e, axl_trainer_steps(r->trainer), r->total_steps, epoch_now(r),
                         NAN, NAN, NAN, NAN, loss, exp(loss) };
    r->last.eval_loss = loss;
    r->started += axl__now() - began; /* not training time */
    return put_record(r, &e);
}

axl_status axl_run_evaluate(axl_run *r, double *loss, uint64_t *rows, uint64_t *tokens)
{
    uint64_t n = 0;
    double mean = 0.0;

    AXL_TRY(run_enter(r));
    axl_status status = r->valid ? evaluate(r, &mean, &n) : AXL_END;
    r->in_call = false;
    if (status != AXL_OK)
        return status;
    if (loss)
        *loss = mean;
    if (rows)
        *rows = axl_dataset_count(r->valid);
    if (tokens)
        *tokens = n;
    return AXL_OK;
}

/* ---- saving and resuming ---- */

static axl_status save_checkpoint(axl_run *r)
{
    uint64_t step = axl_trainer_steps(r->trainer);
    double began = axl__now();
    char *dir = axl__checkpoint_path(r->ctx, r->output_dir, step);

    if (!dir)
        return axl__fail_nomem();
    axl_status status = axl_trainer_save(r->trainer, r->loader, dir);
    if (status == AXL_OK) {
        r->saved_step = step;
        axl__log(r->ctx, AXL_LOG_INFO, "saved %s", dir);
        status = axl__checkpoints_prune(r->ctx, r->output_dir, r->save_limit);
    }
    axl__free(r->ctx, dir);
    r->started += axl__now() - began;
    return status;
}

/* What was asked for: a folder, "auto", or the config's keys. */
static axl_status find_checkpoint(axl_run *r, char **out)
{
    const char *asked = r->resume;

    *out = NULL;
    if (!asked)
        asked = axl__cfg_str(r->cfg, "resume_from_checkpoint", NULL);
    if (!asked && axl__cfg_bool(r->cfg, "auto_resume_from_checkpoints", false))
        asked = "auto";
    if (!asked)
        return AXL_OK;
    if (strcmp(asked, "auto") == 0) {
        AXL_TRY(axl__checkpoints_newest(r->ctx, r->output_dir, out));
        if (!*out)
            axl__log(r->ctx, AXL_LOG_WARNING, "%s holds no checkpoint; starting from the beginning",
                     r->output_dir);
        return AXL_OK;
    }
    *out = axl__config_path(r->cfg, asked);
    return *out ? AXL_OK : axl__fail_nomem();
}

static axl_status resume(axl_run *r)
{
    char *dir;

    AXL_TRY(find_checkpoint(r, &dir));
    axl_status status = AXL_OK;
    if (dir) {
        status = axl_trainer_load(r->trainer, r->loader, dir);
        if (status == AXL_OK) {
            r->saved_step = axl_trainer_steps(r->trainer);
            axl__log(r->ctx, AXL_LOG_INFO, "resumed from %s", dir);
        }
    }
    bool resumed = dir != NULL;
    axl__free(r->ctx, dir);
    AXL_TRY(status);
    AXL_TRY(axl_loader_get_cursor(r->loader, &r->at_step));
    return axl__run_log_begin(r->ctx, r->log_path, resumed, axl_trainer_steps(r->trainer));
}

static axl_status save_result(axl_run *r)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    char *card = axl__format(r->ctx, "%s/README.md", r->output_dir);

    if (!card)
        return axl__fail_nomem();
    axl_status status = axl_adapter_save(r->adapter, r->output_dir);
    if (status == AXL_OK)
        status = axl_tokenizer_save(r->tok, r->output_dir);
    if (status == AXL_OK)
        status = axl_dataset_get_stats(r->train, &stats);
    if (status == AXL_OK)
        status = axl__model_card_write(r->ctx, r->cfg, card, &r->last, &stats);
    axl__free(r->ctx, card);
    return status;
}

/* After a stop: back to the last whole step, and a checkpoint of it unless there is one. */
static axl_status save_stopped(axl_run *r, axl_status stopped)
{
    char why[256];

    strncpy(why, axl_last_error(), sizeof why - 1);
    why[sizeof why - 1] = '\0';
    axl_trainer_zero_grad(r->trainer);
    uint64_t step = axl_trainer_steps(r->trainer);
    if (step > 0 && step != r->saved_step) {
        AXL_TRY(axl_loader_set_cursor(r->loader, &r->at_step));
        AXL_TRY(save_checkpoint(r));
    }
    return axl__fail(stopped, "%s after step %llu", why, (unsigned long long)step);
}

/* ---- the loop ---- */

static bool is_due(const rhythm *when, uint64_t step, bool epoch_ended)
{
    return (when->steps > 0 && step % when->steps == 0) || (when->epochs && epoch_ended);
}

static axl_status after_step(axl_run *r, const axl_step_stats *s)
{
    AXL_TRY(axl_loader_get_cursor(r->loader, &r->at_step));
    bool epoch_ended = r->at_step.batch == 0;

    AXL_TRY(log_step(r, s));
    if (is_due(&r->eval, s->step, epoch_ended))
        AXL_TRY(evaluate_and_log(r));
    if (is_due(&r->save, s->step, epoch_ended))
        AXL_TRY(save_checkpoint(r));
    return AXL_OK;
}

static axl_status train_loop(axl_run *r)
{
    axl_batch b = AXL_BATCH_INIT;
    axl_status status;

    if (r->eval_on_start && axl_trainer_steps(r->trainer) == 0)
        AXL_TRY(evaluate_and_log(r));
    r->started = axl__now();
    while (axl_trainer_steps(r->trainer) < r->total_steps) {
        status = axl_loader_next(r->loader, &b);
        if (status != AXL_OK)
            return status < 0 ? status : AXL_OK;
        AXL_TRY(axl_trainer_forward_backward(r->trainer, &b, NULL));
        if (!axl_trainer_ready(r->trainer))
            continue;
        axl_step_stats s = AXL_STEP_STATS_INIT;
        AXL_TRY(axl_trainer_step(r->trainer, &s));
        AXL_TRY(after_step(r, &s));
    }
    return AXL_OK;
}

static axl_status train(axl_run *r)
{
    AXL_TRY(resume(r));
    r->last = (axl_run_record){ sizeof r->last, axl_trainer_steps(r->trainer), r->total_steps, 0.0,
                                NAN, NAN, NAN, NAN, NAN, NAN };
    axl_status status = train_loop(r);
    if (status == AXL_ERR_CANCELLED)
        return save_stopped(r, status);
    AXL_TRY(status);
    return save_result(r);
}

axl_status axl_run_train(axl_run *r)
{
    AXL_TRY(run_enter(r));
    axl_status status = train(r);
    r->in_call = false;
    return status;
}
