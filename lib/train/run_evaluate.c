/* SPDX-License-Identifier: Apache-2.0 */
/* run_evaluate.c - the validation split's token-weighted loss. */
#include "run.h"

#include "base/os.h"

#include <math.h>

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
    axl_run_record e = { sizeof e, axl_trainer_steps(r->trainer), r->total_steps, axl__run_epoch(r),
                         NAN, NAN, NAN, NAN, loss, exp(loss) };
    r->last.eval_loss = loss;
    r->last.eval_perplexity = e.eval_perplexity;
    r->state.evaluated_step = e.step;
    if (e.step == r->saved_step)
        r->saved_step = UINT64_MAX; /* that checkpoint does not know of it */
    if (e.step > 0)
        AXL_TRY(axl__run_note_evaluation(r, loss, e.eval_perplexity));
    r->started += axl__now() - began; /* not training time */
    return axl__run_put_record(r, &e);
}

axl_status axl__run_evaluate_when_due(axl_run *r, bool ended)
{
    uint64_t step = axl_trainer_steps(r->trainer);
    bool due = step == 0 ? r->eval_on_start : axl__rhythm_due(&r->eval, r);

    if (ended && step > 0)
        due = due || r->eval.steps > 0;
    return due && r->state.evaluated_step != step ? evaluate_and_log(r) : AXL_OK;
}

axl_status axl_run_evaluate(axl_run *r, double *loss, uint64_t *rows, uint64_t *tokens)
{
    uint64_t n = 0;
    double mean = 0.0;

    AXL_TRY(axl__run_enter(r));
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
