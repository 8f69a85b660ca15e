/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate.c - see evaluate.h; and what a config trained, without a trainer's memory.
 *
 * The two ways to a loss, a trainer's and a model's, give the same number for the same weights:
 * both go through axl__evaluate(), with the same batches in the same order.
 */
#include "evaluate.h"

#include "base/os.h"
#include "base/str.h"
#include "base/structs.h"
#include "config/config.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "model/network.h"

#include <math.h>

/* ---- a loader's batches ---- */

/* The mean over all trained tokens: a batch weighs as many as it has. */
static axl_status evaluate_all(axl_context *ctx, axl_loader *loader, axl__loss_fn loss, void *user,
                               axl_evaluation *out)
{
    axl_batch b = AXL_BATCH_INIT;
    uint64_t n = axl_loader_batches_per_epoch(loader), done = 0;
    double total = 0.0, sum;
    axl_status status;

    while ((status = axl_loader_next(loader, &b)) == AXL_OK) {
        AXL_TRY(loss(user, &b, &sum));
        total += sum;
        out->tokens += b.n_trained;
        AXL_TRY(axl__poll(ctx, "evaluate", ++done, n));
    }
    AXL_TRY(status);
    if (out->tokens == 0)
        return axl__fail(AXL_ERR_DATA, "the validation data has no trained token");
    out->loss = total / (double)out->tokens;
    out->perplexity = exp(out->loss);
    return AXL_OK;
}

axl_status axl__evaluate(const axl_config *cfg, axl_dataset *data, axl__loss_fn loss, void *user,
                         axl_evaluation *out)
{
    axl_evaluation e = AXL_EVALUATION_INIT;
    axl_loader *loader;

    e.rows = axl_dataset_count(data);
    AXL_TRY(axl_loader_from_config(&loader, cfg, data, AXL_SPLIT_VALIDATION));
    axl_status status = evaluate_all(axl__config_context(cfg), loader, loss, user, &e);
    axl_loader_free(loader);
    if (status == AXL_OK)
        *out = e;
    return status;
}

/* ---- what a config trained ---- */

typedef struct {
    axl_tokenizer *tok;
    axl_dataset *data;
    axl_model *model;
    axl_adapter *adapter; /* NULL: the base model alone */
    axl__network net;
} evaluation;

static void evaluate_close(evaluation *x)
{
    axl__network_free(&x->net);
    axl_adapter_free(x->adapter);
    axl_model_free(x->model);
    axl_dataset_free(x->data);
    axl_tokenizer_free(x->tok);
}

static axl_status open_in(evaluation *x, axl_context *ctx, const char *dir)
{
    axl__log(ctx, AXL_LOG_INFO, "evaluating the adapter in %s", dir);
    return axl_adapter_open(&x->adapter, x->model, dir);
}

/* The trained one, else the one that training would begin with, else none.  Each is told, because a
 * loss alone does not say whose it is. */
static axl_status open_adapter(evaluation *x, const axl_config *cfg, const char *out)
{
    axl_context *ctx = axl__config_context(cfg);
    const char *from = axl__cfg_str_or(cfg, "lora_model_dir", NULL);
    char *begin = from ? axl__config_path(cfg, from) : NULL;
    axl_status status = AXL_OK;

    if (from && !begin)
        status = axl__fail_nomem();
    else if (axl__has_file(out, "adapter_config.json"))
        status = open_in(x, ctx, out);
    else if (begin)
        status = open_in(x, ctx, begin);
    else
        axl__log(ctx, AXL_LOG_WARNING, "%s holds no adapter: the base model alone is evaluated",
                 out);
    axl__free(ctx, begin);
    return status;
}

static axl_status open_trained(evaluation *x, const axl_config *cfg)
{
    axl_context *ctx = axl__config_context(cfg);
    char *out = axl__config_path(cfg, axl__cfg_str(cfg, "output_dir"));
    bool adapter = axl__cfg_has(cfg, "adapter");
    axl_status status;

    if (!out)
        return axl__fail_nomem();
    if (!adapter && axl__has_file(out, "config.json")) {
        axl__log(ctx, AXL_LOG_INFO, "evaluating the model in %s", out);
        status = axl__model_from_config_in(&x->model, cfg, out);
    } else {
        if (!adapter)
            axl__log(ctx, AXL_LOG_WARNING, "%s holds no model: the base model is evaluated", out);
        status = axl_model_from_config(&x->model, cfg);
    }
    if (status == AXL_OK)
        status = axl__model_resize(x->model, cfg, axl_tokenizer_vocab_size(x->tok));
    if (status == AXL_OK && adapter)
        status = open_adapter(x, cfg, out);
    axl__free(ctx, out);
    return status;
}

/* Room for the largest batch at once. */
static axl_status evaluate_reserve(evaluation *x, const axl_config *cfg)
{
    axl__wish evaluation = { .phase = NULL };
    axl__survey s = { 0 };
    axl_loader *loader;

    AXL_TRY(axl_loader_from_config(&loader, cfg, x->data, AXL_SPLIT_VALIDATION));
    axl_status status = axl__loader_survey(loader, &s);
    axl_loader_free(loader);
    AXL_TRY(status);
    return axl__network_reserve(&x->net, (int64_t)s.max_tokens, (int64_t)s.longest, &evaluation);
}

static axl_status evaluate_open(evaluation *x, const axl_config *cfg)
{
    AXL_TRY(axl_tokenizer_from_config(&x->tok, cfg));
    AXL_TRY(axl__datasets_from_config(NULL, &x->data, cfg, x->tok, NULL));
    if (!x->data)
        return AXL_END;
    AXL_TRY(open_trained(x, cfg));
    AXL_TRY(axl__network_init(&x->net, x->model, x->adapter, false));
    return evaluate_reserve(x, cfg);
}

static axl_status batch_loss(void *user, const axl_batch *b, double *sum)
{
    evaluation *x = user;

    return axl__network_evaluate(&x->net, b, NULL, sum);
}

axl_status axl_evaluate(const axl_config *cfg, axl_evaluation *out)
{
    axl_evaluation e = AXL_EVALUATION_INIT;
    evaluation x = { 0 };

    AXL_TRY(axl__config_enter(cfg));
    AXL_TRY(AXL__EXPORT(axl_evaluation, out, &e));
    AXL_TRY(axl__config_trains(cfg));
    axl_status status = evaluate_open(&x, cfg);
    if (status == AXL_OK)
        status = axl__evaluate(cfg, x.data, batch_loss, &x, &e);
    evaluate_close(&x);
    return status == AXL_OK ? AXL__EXPORT(axl_evaluation, out, &e) : status;
}
