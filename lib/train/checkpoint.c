/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - a checkpoint folder: the adapter as PEFT reads it, or the model as transformers
 * does, in f32 so that nothing is rounded; optimizer.safetensors with the optimizer's state under
 * the tensors' names, and trainer_state.json.  Random numbers need no file: they follow from the
 * seed, the step and the place in the data.  That place is in samples (or bins), beside a print of
 * what makes the order of them: a run may go on in another cut of the same steps, and not over
 * other rows.
 */
#include "checkpoint_state.h"
#include "relora.h"

#include "base/num.h"
#include "base/str.h"
#include "data/loader.h"
#include "model/model_files.h"
#include "model/write_model.h"

#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

uint64_t axl__trainer_save_bytes(const axl_trainer *tr, bool checkpoint)
{
    uint64_t params = tr->adapter ? (uint64_t)tr->trained.n_params * sizeof(float)
                                  : axl__model_write_bytes(tr->model);
    uint64_t state = checkpoint ? axl__optimizer_state_size(tr->optimizer) : 0;

    return state > params ? state : params;
}

/* Other schedules follow from the step and have nothing to keep. */
static void checkpoint_put_plateau(axl__jw *j, const axl__plateau *p)
{
    axl__jw_double(j, "plateau_share", p->share);
    if (p->has_best)
        axl__jw_double(j, "plateau_best", p->best);
    axl__jw_int(j, "plateau_bad", (int64_t)p->n_bad);
    axl__jw_int(j, "plateau_cooldown", (int64_t)p->cooldown);
}

/* Where in the data the run is.  Items are rows, or bins of packed ones: counted in them a run may
 * go on with another micro_batch_size.  The hash is text because JSON's numbers are exact to 2^53
 * only. */
static void checkpoint_put_place(axl__jw *j, const axl__save_options *o, const axl__loader_print *p)
{
    char hash[20];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)p->rows_hash);
    axl__jw_bool(j, "has_loader", o->loader != NULL);
    axl__jw_int(j, "epoch", o->loader ? (int64_t)o->at->epoch : 0);
    axl__jw_int(j, "items",
                o->loader ? (int64_t)axl__loader_items_before(o->loader, o->at->batch) : 0);
    axl__jw_int(j, "data_seed", (int64_t)p->seed);
    axl__jw_int(j, "data_rows", (int64_t)p->n_rows);
    axl__jw_string(j, "data_hash", hash);
    axl__jw_int(j, "step_items", (int64_t)p->step_items);
    axl__jw_int(j, "bin_tokens", (int64_t)p->bin_tokens);
    axl__jw_int(j, "order", (int64_t)p->order);
}

/* What may differ when a run goes on, and is then named. */
typedef struct {
    const char *name;
    double value;
} checkpoint_setting;

enum { N_SETTINGS = 8 };

static void checkpoint_settings(const axl_trainer *tr, checkpoint_setting out[N_SETTINGS])
{
    const checkpoint_setting all[N_SETTINGS] = {
        { "learning_rate", tr->opts.learning_rate },
        { "max_grad_norm", tr->opts.max_grad_norm },
        { "neftune_noise_alpha", tr->opts.neftune_noise_alpha },
        { "label_smoothing", tr->opts.label_smoothing },
        { "loss_average", tr->opts.loss_average },
        { "lora_dropout", tr->adapter ? tr->adapter->opts.dropout : 0.0 },
        { "lr_scheduler", tr->schedule.kind },
        { "total_steps", (double)tr->schedule.total_steps },
    };

    memcpy(out, all, sizeof all);
}

/* Every member here is in the table of checkpoint_state.c, which is what a reader may rely on. */
static axl_status checkpoint_write_state(axl_trainer *tr, const axl__save_options *o,
                                         const char *dir, const axl__checksum sums[AXL__N_PARTS])
{
    checkpoint_setting settings[N_SETTINGS];
    axl__loader_print print = { 0 };

    if (o->loader)
        AXL_TRY(axl__loader_print_of(o->loader, &print));
    axl__jw *j = axl__jw_new();

    axl__jw_int(j, "axl_checkpoint", AXL__CHECKPOINT_FORMAT);
    axl__jw_string(j, "axl_version", AXL_VERSION);
    axl__jw_string(j, "isa", tr->model->device.isa);
    axl__jw_string(j, "matmul", tr->model->device.matmul);
    axl__jw_string(j, "backend", tr->model->ops->name);
    axl__jw_string(j, "compute", axl__dtype_name(tr->model->compute));
    axl__jw_string(j, "optimizer", axl__optimizer_method(tr->optimizer));
    axl__jw_int(j, "step", (int64_t)tr->step);
    axl__jw_int(j, "seed", (int64_t)tr->opts.seed);
    axl__jw_int(j, "lora_restarts", (int64_t)axl__relora_restarts(tr));
    axl__jw_bool(j, "only_model", o->only_model);
    checkpoint_put_place(j, o, &print);
    checkpoint_settings(tr, settings);
    for (size_t i = 0; i < N_SETTINGS; i++)
        axl__jw_double(j, settings[i].name, settings[i].value);
    axl__run_state_put(j, &o->run);
    if (tr->schedule.kind == AXL_SCHEDULE_REDUCE_ON_PLATEAU)
        checkpoint_put_plateau(j, &tr->plateau);
    return axl__checkpoint_state_write(j, tr->ctx, dir, sums);
}

/* exact: what the optimizer goes on from; else, of a model, what it computes with.  sum: of the
 * tensors' file, which is one in a checkpoint; may be NULL. */
static axl_status checkpoint_write_trained(axl_trainer *tr, const char *dir, bool exact,
                                           axl__checksum *sum)
{
    if (tr->adapter)
        return axl__adapter_save(tr->adapter, dir, sum);
    AXL_TRY(axl__trainer_use_trained(tr));
    return axl__model_write_trained(tr->model, dir, exact, sum ? UINT64_MAX : AXL__SHARD_BYTES,
                                    sum);
}

axl_status axl_trainer_export(axl_trainer *tr, const char *dir)
{
    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = dir ? checkpoint_write_trained(tr, dir, false, NULL)
                            : axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    axl__trainer_leave(tr);
    return status;
}

/* What a process of the same number left is removed first.  The state comes last, because a folder
 * without it is no checkpoint, and the folder is synced before it gets its name. */
static axl_status checkpoint_write_folder(axl_trainer *tr, const axl__save_options *o,
                                          const char *temp)
{
    axl__checkpoint_part trained = tr->adapter ? AXL__PART_ADAPTER : AXL__PART_MODEL;
    axl__checksum sums[AXL__N_PARTS] = { 0 };
    char *optimizer =
        axl__format(tr->ctx, "%s/%s", temp, axl__checkpoint_parts[AXL__PART_OPTIMIZER]);
    axl_status status = optimizer ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK)
        status = axl__remove_tree(temp);
    if (status == AXL_OK)
        status = checkpoint_write_trained(tr, temp, !o->only_model, &sums[trained]);
    if (status == AXL_OK && !o->only_model)
        status = axl__optimizer_save(tr->optimizer, optimizer, &sums[AXL__PART_OPTIMIZER]);
    if (status == AXL_OK)
        status = checkpoint_write_state(tr, o, temp, sums);
    if (status == AXL_OK)
        status = axl__sync_dir(temp);
    axl__free(tr->ctx, optimizer);
    return status;
}

static bool checkpoint_has_name(const char *name)
{
    bool known = strcmp(name, "trainer_state.json") == 0;

    for (size_t i = 0; i < AXL__N_PARTS; i++)
        known = known || strcmp(name, axl__checkpoint_parts[i]) == 0;
    return known;
}

/* A folder that is no checkpoint stays: without its state it may be what a removal left of one, if
 * a checkpoint's files are all that is in it. */
static axl_status checkpoint_may_replace(const axl_trainer *tr, const char *dir)
{
    char **names;
    size_t n;
    bool only = true;

    if (axl__path_kind_of(dir) != AXL__PATH_DIR || axl__has_file(dir, "trainer_state.json"))
        return AXL_OK;
    AXL_TRY(axl__list_dir(tr->ctx, dir, &names, &n));
    for (size_t i = 0; i < n; i++)
        only = only && checkpoint_has_name(names[i]);
    axl__free(tr->ctx, names);
    return only ? AXL_OK
                : axl__fail(AXL_ERR_INVALID,
                            "%s is a folder that is no checkpoint, which is not "
                            "replaced: name another",
                            dir);
}

/* Between steps alone: gradients are in no file.  Until the rename dir is as it was; a failure
 * takes the half-written folder away and keeps its own message. */
static axl_status checkpoint_save(axl_trainer *tr, const axl__save_options *o, const char *dir)
{
    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    if (tr->batches > 0 || tr->terms > 0.0)
        return axl__fail(AXL_ERR_INVALID, "gradients are accumulated; step or zero them first");
    AXL_TRY(axl__model_spare(tr->model, dir, true));
    AXL_TRY(checkpoint_may_replace(tr, dir));
    char *temp = axl__format(tr->ctx, "%s.tmp%lld", dir, (long long)axl__process_id());
    if (!temp)
        return axl__fail_nomem();
    axl_status status = checkpoint_write_folder(tr, o, temp);
    if (status == AXL_OK)
        status = axl__replace_dir(tr->ctx, temp, dir);
    if (status < 0) {
        axl__error why;
        axl__error_hold(&why);
        (void)axl__remove_tree(temp);
        axl__error_restore(&why);
    }
    axl__free(tr->ctx, temp);
    return status;
}

axl_status axl__trainer_save_run(axl_trainer *tr, const axl__save_options *opts, const char *dir)
{
    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = checkpoint_save(tr, opts, dir);
    axl__trainer_leave(tr);
    return status;
}

axl_status axl_trainer_save(axl_trainer *tr, const axl_loader *loader, const char *dir)
{
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;
    axl__save_options o = { .loader = loader, .at = &at };

    if (loader)
        AXL_TRY(axl_loader_get_cursor(loader, &at));
    axl__run_state_init(&o.run);
    return axl__trainer_save_run(tr, &o, dir);
}

/* ---- reading ---- */

typedef struct {
    axl_trainer *tr;
    const char *dir;
    axl__arena arena;
    axl__safetensors params, optimizer;
    axl_adapter *joined; /* the adapter of the file, where there were restarts; or NULL */
    axl_model *model;    /* of the file, where a model's own weights are trained; or NULL */
    axl__json *state;
    axl__lisa lisa;     /* at the checkpoint's step */
    float *params_host; /* (n_params) */
    void *state_host;   /* the optimizer's */
} checkpoint;

static axl_status checkpoint_check_resumable(const checkpoint *c)
{
    if (!axl__json_bool(c->state, "only_model", false))
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s was saved with save_only_model and cannot be resumed: set %s to start "
                     "from its %s",
                     c->dir, c->tr->adapter ? "lora_model_dir" : "base_model",
                     c->tr->adapter ? "adapter" : "weights");
}

/* ---- the data of a run ---- */

static axl_status checkpoint_fail_count(const checkpoint *c, const char *what, uint64_t then,
                                        uint64_t now)
{
    return axl__fail(AXL_ERR_INVALID, "%s is of a run with %llu %s, this one has %llu", c->dir,
                     (unsigned long long)then, what, (unsigned long long)now);
}

static uint64_t checkpoint_count(const checkpoint *c, const char *key)
{
    return (uint64_t)axl__json_int(c->state, key, 0);
}

/* The rows that are left, in the order in which they would have come. */
static axl_status checkpoint_check_data(const checkpoint *c, const axl_loader *loader)
{
    axl__loader_print now;
    char hash[20];

    if (!loader || !axl__json_bool(c->state, "has_loader", false))
        return AXL_OK;
    AXL_TRY(axl__loader_print_of(loader, &now));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)now.rows_hash);
    if (checkpoint_count(c, "data_seed") != now.seed)
        return checkpoint_fail_count(c, "as the seed of the rows' order",
                                     checkpoint_count(c, "data_seed"), now.seed);
    if (checkpoint_count(c, "bin_tokens") != now.bin_tokens)
        return checkpoint_fail_count(c, "tokens in a packed row (0: no sample_packing)",
                                     checkpoint_count(c, "bin_tokens"), now.bin_tokens);
    if (checkpoint_count(c, "order") != now.order)
        return axl__fail(AXL_ERR_INVALID, "%s is of a run with another order of rows", c->dir);
    if (checkpoint_count(c, "step_items") != now.step_items)
        return checkpoint_fail_count(
            c, "rows in a step (micro_batch_size x gradient_accumulation_steps)",
            checkpoint_count(c, "step_items"), now.step_items);
    if (checkpoint_count(c, "data_rows") != now.n_rows)
        return checkpoint_fail_count(c, "rows of data", checkpoint_count(c, "data_rows"),
                                     now.n_rows);
    if (strcmp(axl__json_string(c->state, "data_hash", ""), hash) != 0)
        return axl__fail(AXL_ERR_INVALID,
                         "%s is of a run over other data: its rows, or what is trained of them "
                         "(datasets, their order, sequence_len, train_on_inputs, the tokenizer), "
                         "were others",
                         c->dir);
    return AXL_OK;
}

/* A change of these is the user's right; the run goes on by today's. */
static void checkpoint_name_settings(const checkpoint *c)
{
    checkpoint_setting now[N_SETTINGS];

    checkpoint_settings(c->tr, now);
    for (size_t i = 0; i < N_SETTINGS; i++) {
        char was[AXL__NUM_MAX], is[AXL__NUM_MAX];
        double then = axl__json_double(c->state, now[i].name, now[i].value);
        if (then == now[i].value)
            continue;
        axl__format_double(was, then);
        axl__format_double(is, now[i].value);
        axl__log(c->tr->ctx, AXL_LOG_WARNING,
                 "%s was written with %s %s, this is %s: the run goes on with that", c->dir,
                 now[i].name, was, is);
    }
}

/* ---- its files ---- */

typedef axl_status open_fn(axl__safetensors *out, axl_context *ctx, const char *path, bool read);

static axl_status checkpoint_open_file(checkpoint *c, const char *name, open_fn *open,
                                       axl__safetensors *out)
{
    char *path = axl__format(c->tr->ctx, "%s/%s", c->dir, name);

    if (!path)
        return axl__fail_nomem();
    axl_status status = open(out, c->tr->ctx, path, true);
    axl__free(c->tr->ctx, path);
    return status;
}

/* A second model beside the trained one, in f32 as it was saved, on the same backend: its weights
 * are copied over once all else was read. */
static axl_status checkpoint_read_model(checkpoint *c)
{
    const axl_model *m = c->tr->model;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    o.backend = m->ops->name;
    o.compute = AXL_COMPUTE_F32;
    return axl_model_open(&c->model, c->tr->ctx, c->dir, &o);
}

/* The trained weights into memory.  With restarts, then or now, it is the whole adapter, whose rank
 * in the file is that of all pairs together: a multiple of one pair's. */
static axl_status checkpoint_read_params(checkpoint *c, bool restarted)
{
    axl_adapter *a = c->tr->adapter;

    if (!a)
        return checkpoint_read_model(c);
    AXL_TRY(axl__adapter_check_folder(a, c->dir, restarted || a->frozen));
    if (!restarted && !a->frozen) {
        c->params_host = axl__alloc_aligned(c->tr->ctx, (size_t)a->n_params * sizeof(float));
        if (!c->params_host)
            return axl__fail_nomem();
        AXL_TRY(checkpoint_open_file(c, "adapter_model.safetensors", axl__safetensors_open,
                                     &c->params));
        axl_status status = axl__adapter_read_tensors(a, &c->params, c->params_host);
        axl__safetensors_close(&c->params);
        return status;
    }
    AXL_TRY(axl_adapter_open(&c->joined, a->model, c->dir));
    if (c->joined->opts.rank % a->opts.rank != 0)
        return axl__fail(AXL_ERR_FORMAT, "%s is of another rank than %lld", c->dir,
                         (long long)a->opts.rank);
    return AXL_OK;
}

/* One of three, as checkpoint_read_params() found it: a model, a joined adapter, or the adapter's
 * tensors. */
static axl_status checkpoint_apply_params(const checkpoint *c)
{
    axl_adapter *a = c->tr->adapter;

    if (c->model) {
        c->tr->used = NULL;
        return axl__weights_copy(c->tr->model, c->model);
    }
    if (c->joined)
        return axl__adapter_take(a, c->joined);
    return a->model->ops->upload(a->model->dev, a->params, c->params_host,
                                 (size_t)a->n_params * sizeof(float));
}

static axl_status checkpoint_read_optimizer(checkpoint *c)
{
    const axl__optimizer *o = c->tr->optimizer;
    const char *then = axl__json_string(c->state, "optimizer", "adamw");

    if (strcmp(then, axl__optimizer_method(o)) != 0)
        return axl__fail(AXL_ERR_FORMAT, "%s was written with the optimizer %s, this is %s", c->dir,
                         then, axl__optimizer_method(o));
    c->state_host = axl__alloc_aligned(c->tr->ctx, axl__optimizer_state_size(o));
    if (!c->state_host)
        return axl__fail_nomem();
    /* tensor by tensor, so that reading takes no more memory than writing did */
    AXL_TRY(checkpoint_open_file(c, "optimizer.safetensors", axl__safetensors_open_header,
                                 &c->optimizer));
    return axl__optimizer_read(o, &c->optimizer, c->state_host);
}

static void checkpoint_warn_if(const checkpoint *c, const char *what, const char *then,
                               const char *now)
{
    if (strcmp(then, now) != 0)
        axl__log(
            c->tr->ctx, AXL_LOG_WARNING,
            "%s was written with %s %s, this is %s: the run goes on, but not with the same bits",
            c->dir, what, then, now);
}

static void checkpoint_warn_if_other(const checkpoint *c, const char *key, const char *now,
                                     const char *what)
{
    checkpoint_warn_if(c, what, axl__json_string(c->state, key, ""), now);
}

static void checkpoint_apply_plateau(axl__plateau *p, const axl__json *state)
{
    p->share = axl__json_double(state, "plateau_share", 1.0);
    p->has_best = axl__json_get(state, "plateau_best") != NULL;
    p->best = axl__json_double(state, "plateau_best", 0.0);
    p->n_bad = (uint64_t)axl__json_int(state, "plateau_bad", 0);
    p->cooldown = (uint64_t)axl__json_int(state, "plateau_cooldown", 0);
}

/* Everything was read and checked by now.  The cursor is first because a loader may still refuse
 * it; behind it only the device can fail.  Differences that do not matter to going on, but to its
 * bits, are told. */
static axl_status checkpoint_apply(checkpoint *c, axl_loader *loader)
{
    axl_trainer *tr = c->tr;
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;
    char then[24], now[24];

    at.epoch = (uint64_t)axl__json_int(c->state, "epoch", 0);
    if (loader)
        at.batch = axl__loader_batch_after(loader, checkpoint_count(c, "items"));
    axl_status status = loader ? axl_loader_set_cursor(loader, &at) : AXL_OK;
    if (status == AXL_ERR_INVALID)
        return axl__fail_prefix(status, "%s is of a run over other data or batches", c->dir);
    AXL_TRY(status);
    AXL_TRY(axl__optimizer_load(tr->optimizer, c->state_host, axl__json_int(c->state, "step", 0)));
    axl__free_aligned(tr->ctx, c->state_host); /* before a model's file comes into memory */
    c->state_host = NULL;
    AXL_TRY(checkpoint_apply_params(c));
    tr->step = (uint64_t)axl__json_int(c->state, "step", 0);
    axl__lisa_free(&tr->lisa);
    tr->lisa = c->lisa;
    c->lisa = (axl__lisa){ 0 };
    if (tr->schedule.kind == AXL_SCHEDULE_REDUCE_ON_PLATEAU)
        checkpoint_apply_plateau(&tr->plateau, c->state);
    snprintf(then, sizeof then, "%lld", (long long)axl__json_int(c->state, "seed", 0));
    snprintf(now, sizeof now, "%lld", (long long)tr->opts.seed);
    checkpoint_warn_if(c, "the seed", then, now);
    checkpoint_name_settings(c);
    checkpoint_warn_if_other(c, "axl_version", AXL_VERSION, "axl");
    checkpoint_warn_if_other(c, "backend", tr->model->ops->name, "the backend");
    checkpoint_warn_if_other(c, "compute", axl__dtype_name(tr->model->compute), "the compute type");
    checkpoint_warn_if_other(c, "isa", tr->model->device.isa, "the instruction set");
    checkpoint_warn_if_other(c, "matmul", tr->model->device.matmul, "matmuls by");
    return AXL_OK;
}

/* Also of a load that stopped anywhere: what was not read is NULL, or zeroed and closes as
 * nothing. */
static void checkpoint_close(checkpoint *c)
{
    axl__lisa_free(&c->lisa);
    axl_adapter_free(c->joined);
    axl_model_free(c->model);
    axl__safetensors_close(&c->params);
    axl__safetensors_close(&c->optimizer);
    axl__free_aligned(c->tr->ctx, c->params_host);
    axl__free_aligned(c->tr->ctx, c->state_host);
    axl__arena_free(&c->arena);
}

/* From the cheapest look to the dearest: the state itself, the checksums of all files, the data,
 * and only then the tensors.  state is written on success alone. */
static axl_status checkpoint_load(axl_trainer *tr, axl_loader *loader, axl__run_state *state,
                                  const char *dir)
{
    checkpoint c = { 0 };

    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    if (tr->batches > 0 || tr->terms > 0.0)
        return axl__fail(AXL_ERR_INVALID, "gradients are accumulated; step or zero them first");
    c.tr = tr;
    c.dir = dir;
    axl__arena_init(&c.arena, tr->ctx);
    axl_status status = axl__checkpoint_state_read(&c.state, &c.arena, dir);
    if (status == AXL_OK)
        status = checkpoint_check_resumable(&c);
    if (status == AXL_OK)
        status = axl__checkpoint_check_parts(c.state, tr->ctx, dir, true);
    if (status == AXL_OK)
        status = checkpoint_check_data(&c, loader);
    if (status == AXL_OK)
        status = checkpoint_read_params(&c, checkpoint_count(&c, "lora_restarts") > 0);
    if (status == AXL_OK)
        status = checkpoint_read_optimizer(&c);
    if (status == AXL_OK)
        status = axl__lisa_at(&c.lisa, &tr->lisa, (uint64_t)axl__json_int(c.state, "step", 0));
    if (status == AXL_OK)
        status = checkpoint_apply(&c, loader);
    if (status == AXL_OK)
        axl__run_state_read(state, c.state);
    checkpoint_close(&c);
    return status;
}

axl_status axl__trainer_load_run(axl_trainer *tr, axl_loader *loader, axl__run_state *state,
                                 const char *dir)
{
    AXL_TRY(axl__trainer_enter(tr));
    axl_status status = checkpoint_load(tr, loader, state, dir);
    axl__trainer_leave(tr);
    return status;
}

axl_status axl_trainer_load(axl_trainer *tr, axl_loader *loader, const char *dir)
{
    axl__run_state state;

    return axl__trainer_load_run(tr, loader, &state, dir);
}

axl_status axl__trainer_load_weights(axl_trainer *tr, const char *dir)
{
    checkpoint c = { .tr = tr, .dir = dir };

    AXL_TRY(axl__trainer_enter(tr));
    axl__arena_init(&c.arena, tr->ctx);
    axl_status status = axl__checkpoint_state_read(&c.state, &c.arena, dir);
    if (status == AXL_OK)
        status = axl__checkpoint_check_parts(c.state, tr->ctx, dir, false);
    if (status == AXL_OK)
        status = checkpoint_read_params(&c, checkpoint_count(&c, "lora_restarts") > 0);
    if (status == AXL_OK)
        status = checkpoint_apply_params(&c);
    checkpoint_close(&c);
    axl__trainer_leave(tr);
    return status;
}
