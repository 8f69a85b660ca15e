/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - see plan.h.  The constructors of model, adapter and trainer run on a counting device, so
 * what they would allocate is what they say; no size is computed a second time here.
 */
#include "plan.h"
#include "run_rhythm.h"

#include "base/num.h"
#include "base/os.h"
#include "base/structs.h"
#include "config/config.h"
#include "data/dataset.h"
#include "model/weights.h"
#include "tensor/counting.h"
#include "text/tokenizer.h"

#include <math.h>
#include <string.h>

#define GIB 1073741824.0

/* ---- the batches ---- */

/* A loader of its own, because surveying is a question and must not move the run's. */
static axl_status plan_survey(axl__survey *out, uint64_t *steps, const axl_config *cfg,
                              axl_dataset *data, uint32_t split)
{
    axl_loader *loader;

    AXL_TRY(axl_loader_from_config(&loader, cfg, data, split));
    axl_status status = axl__loader_survey(loader, out);
    if (status == AXL_OK && steps)
        status = axl_loader_get_total_steps(loader, steps);
    axl_loader_free(loader);
    return status;
}

/* What the run will do besides training, by the same reading of the config as the run's. */
static void plan_rhythms(axl__batches *out, const axl_config *cfg, bool has_valid)
{
    axl__rhythms r;

    axl__rhythms_read(&r, cfg, out->total_steps, has_valid);
    out->checkpoints = axl__rhythm_is_on(&r.save) ||
                       strcmp(axl__cfg_str(cfg, "save_strategy"), "best") == 0 ||
                       axl__cfg_bool(cfg, "save_first_step");
    out->n_evals = r.eval_on_start;
    if (r.eval.steps > 0)
        out->n_evals += (out->total_steps + r.eval.steps - 1) / r.eval.steps;
    else if (r.eval.epochs)
        out->n_evals += (uint64_t)ceil(axl__cfg_double(cfg, "num_epochs"));
}

axl_status axl__plan_survey(axl__batches *out, const axl_config *cfg, axl_dataset *train,
                            axl_dataset *valid)
{
    memset(out, 0, sizeof *out);
    AXL_TRY(plan_survey(&out->train, &out->total_steps, cfg, train, AXL_SPLIT_TRAIN));
    plan_rhythms(out, cfg, valid != NULL);
    out->mapped = axl__dataset_mapped(train, NULL);
    if (!valid)
        return AXL_OK;
    out->mapped += axl__dataset_mapped(valid, train);
    return plan_survey(&out->valid, NULL, cfg, valid, AXL_SPLIT_VALIDATION);
}

axl_status axl__plan_reserve(const axl__batches *b, axl_trainer *tr)
{
    uint64_t longest = b->train.longest > b->valid.longest ? b->train.longest : b->valid.longest;

    return axl__trainer_reserve(tr, (int64_t)b->train.max_tokens, (int64_t)b->valid.max_tokens,
                                (int64_t)longest);
}

/* ---- memory ---- */

static uint64_t add_up_to_max(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A device that multiplies elements of one type alone makes those of one weight at a time. */
static uint64_t plan_widened_bytes(const axl_model *m)
{
    int64_t largest = 0;

    for (int64_t i = 0; i < m->modules.n; i++) {
        const axl__module *one = &m->modules.list[i];
        bool as_it_is = one->weight.kind == AXL_WEIGHT_DENSE && one->weight.mat.dtype == m->compute;
        if (one->linear >= 0 && !as_it_is && one->rows * one->cols > largest)
            largest = one->rows * one->cols;
    }
    return (uint64_t)largest * axl__dtype_size(m->compute);
}

static void plan_read_device(const axl_model *m, uint64_t buffers, axl_plan *out)
{
    uint64_t own = m->device.own_device_bytes;

    out->device_bytes = buffers + own + plan_widened_bytes(m);
    out->device_limit_bytes =
        m->device.free_device_bytes ? m->device.free_device_bytes + own : UINT64_MAX;
}

/* What the counting device has by now; weights and optimizer are what it had when the model and the
 * trainer were made, `more` what is not made on a device. */
static void plan_read_counts(const axl_model *m, uint64_t weights, uint64_t optimizer,
                             uint64_t more, axl_plan *out)
{
    uint64_t all = axl__counting_bytes(m->dev), now = axl__current_rss(), peak = axl__peak_rss();
    uint64_t on_host = m->device.host_memory ? all : 0;
    uint64_t then = now + m->file_bytes + on_host + m->device.own_bytes + more;

    weights += axl__weights_bytes(m); /* made with the trainer */
    out->weights_bytes = m->file_bytes + weights;
    out->optimizer_bytes = optimizer - weights;
    out->activation_bytes = all - optimizer;
    out->peak_rss_bytes = then > peak ? then : peak;
    out->host_limit_bytes = add_up_to_max(now, axl__available_memory());
    if (!m->device.host_memory)
        plan_read_device(m, all, out);
}

/* Pairs that restarts will have frozen, and on top what joining them for a file takes: two of the
 * whole adapter, one of each part.  The last restart is before the last step, hence the - 1. */
static uint64_t plan_relora_bytes(const axl_trainer *tr, uint64_t total_steps)
{
    uint64_t every = tr->opts.relora_steps, pair = (uint64_t)tr->trained.n_params * sizeof(float);
    uint64_t restarts = every > 0 && total_steps > 0 ? (total_steps - 1) / every : 0;

    return restarts > 0 ? pair * (restarts + 2 * (restarts + 1) + restarts + 1) : 0;
}

/* Counts are read between the constructors, which is how the parts are told apart: model, then
 * trainer, then reservation. */
static axl_status plan_count_config(const axl_config *cfg, const axl__batches *b, axl_model *m,
                                    axl_plan *out, axl_trainer **counted)
{
    axl_adapter *adapter;

    if (b->n_tokens)
        AXL_TRY(axl__model_resize(m, cfg, b->n_tokens));
    uint64_t weights = axl__counting_bytes(m->dev);
    AXL_TRY(axl_adapter_from_config(&adapter, cfg, m));
    axl_status status = axl_trainer_from_config(counted, cfg, m, adapter, b->total_steps);
    axl_adapter_free(adapter);
    AXL_TRY(status);
    uint64_t optimizer = axl__counting_bytes(m->dev);
    AXL_TRY(axl__plan_reserve(b, *counted));
    plan_read_counts(m, weights, optimizer,
                     b->mapped + axl__trainer_save_bytes(*counted, b->checkpoints) +
                         plan_relora_bytes(*counted, b->total_steps),
                     out);
    double limit = axl__cfg_double_or(cfg, "axl.memory_limit", -1.0);
    if (limit >= 0.0)
        out->host_limit_bytes = limit > 0.0 ? (uint64_t)(limit * GIB) : UINT64_MAX;
    if (limit == 0.0 && out->device_bytes)
        out->device_limit_bytes = UINT64_MAX;
    return AXL_OK;
}

axl_status axl__plan_memory(const axl_config *cfg, const axl__batches *batches, axl_plan *out,
                            axl_trainer **counted)
{
    axl_trainer *tr = NULL;
    axl_model *m;

    AXL_TRY(axl__model_from_config_counting(&m, cfg));
    axl_status status = plan_count_config(cfg, batches, m, out, &tr);
    axl_model_free(m); /* the trainer has its own reference */
    if (status == AXL_OK && counted)
        *counted = tr;
    else
        axl_trainer_free(tr);
    return status;
}

/* GiB with three digits. */
static void plan_put_gib(char out[AXL__NUM_MAX], uint64_t bytes)
{
    double gib = (double)bytes / GIB;
    double unit = pow(10.0, 2.0 - floor(log10(gib > 1e-9 ? gib : 1e-9)));

    axl__format_double(out, round(gib * unit) / unit);
}

/* The device's own memory. */
static axl_status plan_fits_device(const axl_plan *p)
{
    char needed[AXL__NUM_MAX], free_bytes[AXL__NUM_MAX];

    if (p->device_bytes <= p->device_limit_bytes)
        return AXL_OK;
    plan_put_gib(needed, p->device_bytes);
    plan_put_gib(free_bytes, p->device_limit_bytes);
    return axl__fail(AXL_ERR_NOMEM,
                     "the run needs %s GiB of the device's memory, where %s GiB are free; "
                     "load_in_4bit, gradient_checkpointing, a smaller micro_batch_size or "
                     "sequence_len need less, axl: {memory_limit: 0} tries nevertheless",
                     needed, free_bytes);
}

axl_status axl__plan_fits(const axl_plan *p)
{
    char text[5][AXL__NUM_MAX];
    const uint64_t bytes[5] = { p->peak_rss_bytes, p->weights_bytes, p->activation_bytes,
                                p->optimizer_bytes, p->host_limit_bytes };

    if (p->peak_rss_bytes <= p->host_limit_bytes)
        return plan_fits_device(p);
    for (int i = 0; i < 5; i++)
        plan_put_gib(text[i], bytes[i]);
    return axl__fail(AXL_ERR_NOMEM,
                     "the run needs %s GiB (weights %s, activations %s, optimizer %s, the rest is "
                     "the process's own) and has %s; gradient_checkpointing, a smaller "
                     "micro_batch_size or sequence_len need less, axl: {memory_limit: 0} tries "
                     "nevertheless",
                     text[0], text[1], text[2], text[3], text[4]);
}

/* ---- a model alone ---- */

/* max_tokens is taken out of the options before the trainer is made, so that its reservation is
 * counted apart from what the optimizer takes. */
static axl_status plan_model(axl_model *m, const axl_adapter_options *ao,
                             const axl_trainer_options *to, axl_plan *out)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_adapter_options a = AXL_ADAPTER_OPTIONS_INIT;
    uint64_t weights = axl__counting_bytes(m->dev);
    axl_adapter *adapter = NULL;
    axl_trainer *tr;

    AXL_TRY(AXL__IMPORT_OPTIONS(axl_trainer_options, &o, to));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_adapter_options, &a, ao));
    int64_t tokens = o.max_tokens, longest = m->arch.max_seq_len;
    if (tokens == 0)
        return axl__fail(AXL_ERR_INVALID, "max_tokens must be the size of the largest batch");
    o.max_tokens = 0;
    if (a.rank > 0)
        AXL_TRY(axl_adapter_new(&adapter, m, &a));
    axl_status status = axl_trainer_new(&tr, m, adapter, &o);
    axl_adapter_free(adapter);
    AXL_TRY(status);
    uint64_t optimizer = axl__counting_bytes(m->dev);
    status = axl__trainer_reserve(tr, tokens, 0, tokens < longest ? tokens : longest);
    if (status == AXL_OK)
        plan_read_counts(m, weights, optimizer, 0, out);
    axl_trainer_free(tr);
    return status;
}

axl_status axl_model_estimate(axl_context *ctx, const char *path, const axl_model_options *model,
                              const axl_adapter_options *adapter,
                              const axl_trainer_options *trainer, axl_plan *out)
{
    axl_plan plan = AXL_PLAN_INIT;
    axl_model *m;

    AXL_TRY(axl__context_enter(ctx));
    AXL_TRY(AXL__CHECK_STRUCT(axl_plan, out));
    AXL_TRY(axl__model_open_counting(&m, ctx, path, model));
    axl_status status = plan_model(m, adapter, trainer, &plan);
    axl_model_free(m);
    AXL_TRY(status);
    return AXL__EXPORT(axl_plan, out, &plan);
}

/* ---- a whole run ---- */

static bool has_name(const axl__yaml *list, const char *name)
{
    bool any = false;

    for (const axl__yaml *v = list ? list->child : NULL; v; v = v->next)
        any = any || (v->text && strcmp(v->text, name) == 0);
    return any;
}

/* Whether an adapter trains the embedding and the head whole, by Axolotl's rule, or rows of them.
 */
static bool trains_rows(const axl_config *cfg)
{
    const axl__yaml *whole = axl__cfg_node(cfg, "lora_modules_to_save");

    return axl__cfg_node(cfg, "peft_trainable_token_indices") ||
           (has_name(whole, "embed_tokens") && has_name(whole, "lm_head"));
}

axl_status axl__plan_tokens(const axl_config *cfg, const axl_tokenizer *tok)
{
    axl_model *m;

    if (axl__tokenizer_new_end(tok) == 0 || !axl__cfg_has(cfg, "adapter") || trains_rows(cfg))
        return AXL_OK;
    AXL_TRY(axl__model_from_config_counting(&m, cfg));
    axl_status status = axl__tokenizer_fits(tok, (uint32_t)m->arch.vocab_size);
    axl_model_free(m);
    return status;
}

static axl_status plan_data(const axl_config *cfg, const axl_tokenizer *tok, axl_dataset *train,
                            axl_dataset *valid, axl_plan *out)
{
    axl_trainer *counted;
    axl__batches b;

    AXL_TRY(axl__plan_survey(&b, cfg, train, valid));
    b.n_tokens = axl_tokenizer_vocab_size(tok);
    AXL_TRY(axl__plan_memory(cfg, &b, out, &counted));
    out->steps = b.total_steps;
    if (b.train.n_steps > 0)
        out->tokens_per_step = (b.train.n_tokens + b.train.n_steps / 2) / b.train.n_steps;
    axl_status status = axl__plan_seconds(counted, axl__config_device(cfg), &b, &out->seconds);
    axl_trainer_free(counted);
    return status;
}

axl_status axl_run_plan(const axl_config *cfg, axl_plan *out)
{
    axl_dataset *train = NULL, *valid = NULL;
    axl_plan plan = AXL_PLAN_INIT;
    axl_tokenizer *tok;

    AXL_TRY(axl__config_enter(cfg));
    AXL_TRY(AXL__CHECK_STRUCT(axl_plan, out));
    AXL_TRY(axl__config_trains(cfg));
    AXL_TRY(axl_tokenizer_from_config(&tok, cfg));
    axl_status status = axl__plan_tokens(cfg, tok);
    if (status == AXL_OK)
        status = axl__datasets_from_config(&train, &valid, cfg, tok, NULL);
    if (status == AXL_OK)
        status = plan_data(cfg, tok, train, valid, &plan);
    axl_dataset_free(train);
    axl_dataset_free(valid);
    axl_tokenizer_free(tok);
    AXL_TRY(status);
    return AXL__EXPORT(axl_plan, out, &plan);
}
