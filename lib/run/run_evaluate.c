/* SPDX-License-Identifier: Apache-2.0 */
/* run_evaluate.c - the validation split's token-weighted loss. */
#include "evaluate.h"
#include "run.h"

#include "base/os.h"
#include "base/structs.h"
#include "train/trainer.h"

static axl_status run_trainer_loss(void *trainer, const axl_batch *b, double *sum)
{
    return axl__trainer_loss(trainer, b, NULL, sum);
}

static axl_status run_evaluate_valid(axl_run *r, axl_evaluation *out)
{
    return axl__evaluate(r->cfg, r->valid, run_trainer_loss, r->trainer, out);
}

/* Evaluating at a step that is saved already changes the state that its checkpoint has, which is
 * why the checkpoint is outdated.  One before the first step decides nothing. */
static axl_status run_evaluate_and_log(axl_run *r)
{
    axl_evaluation x;
    double began = axl__now();

    axl_status status = run_evaluate_valid(r, &x);
    if (status == AXL_ERR_NUMERIC)
        return axl__fail_prefix(status, "evaluation after step %llu",
                                (unsigned long long)axl_trainer_steps(r->trainer));
    AXL_TRY(status);
    axl_run_record e = axl__run_record_of(r, AXL_RUN_EVALUATION);
    e.eval_loss = x.loss;
    e.eval_perplexity = x.perplexity;
    e.eval_seconds = axl__now() - began;
    r->state.evaluated_step = e.step;
    axl__run_outdate_save(r);
    if (e.step > 0)
        AXL_TRY(axl__run_note_evaluation(r, x.loss, x.perplexity));
    axl__run_pace_pause(r, began);
    return axl__run_put_record(r, &e);
}

/* No step is evaluated twice, also not across a stop: evaluated_step is in the state. */
axl_status axl__run_evaluate_when_due(axl_run *r, bool ended)
{
    uint64_t step = axl_trainer_steps(r->trainer);
    bool due = step == 0 ? r->when.eval_on_start
                         : axl__rhythm_due(&r->when.eval, step, axl__run_epoch_ended(r));

    if (ended && step > 0)
        due = due || axl__rhythm_is_on(&r->when.eval);
    return due && r->state.evaluated_step != step ? run_evaluate_and_log(r) : AXL_OK;
}

axl_status axl_run_evaluate(axl_run *r, axl_evaluation *out)
{
    axl_evaluation x = AXL_EVALUATION_INIT;

    AXL_TRY(axl__run_enter(r));
    axl_status status = AXL__EXPORT(axl_evaluation, out, &x);
    if (status == AXL_OK)
        status = r->valid ? run_evaluate_valid(r, &x) : AXL_END;
    axl__claim_release(&r->claim);
    return status == AXL_OK ? AXL__EXPORT(axl_evaluation, out, &x) : status;
}
