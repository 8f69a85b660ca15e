/* SPDX-License-Identifier: Apache-2.0 */
/* run_record.c - the record of a step, which holds the mean loss since the last one. */
#include "run.h"

#include "base/os.h"

double axl__run_epoch(const axl_run *r)
{
    double batches = (double)axl_loader_batches_per_epoch(r->loader);

    return (double)r->at_step.epoch + (double)r->at_step.batch / batches;
}

axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s)
{
    double now = axl__now();

    r->state.loss_sum += s->loss * (double)s->n_trained;
    r->state.loss_tokens += s->n_trained;
    r->state.n_tokens += s->n_tokens;
    r->state.n_trained += s->n_trained;
    r->input_tokens += s->n_tokens;
    if (s->step % r->logging_steps != 0 && s->step != r->total_steps && !axl__run_stops_early(r))
        return AXL_OK;
    axl_run_record e = axl__record_of(r, AXL_RUN_STEP);
    e.loss = r->state.loss_sum / (double)r->state.loss_tokens;
    e.grad_norm = s->grad_norm;
    e.learning_rate = s->learning_rate;
    e.tokens_per_second = (double)r->input_tokens / (now - r->started);
    r->state.loss_sum = 0.0;
    r->state.loss_tokens = r->input_tokens = 0;
    r->started = now;
    return axl__records_put(r, &e);
}
