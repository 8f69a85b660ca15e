/* SPDX-License-Identifier: Apache-2.0 */
/* run_record.c - what a run reports: one record a logged step or evaluation. */
#include "run.h"
#include "run_log.h"

#include "base/os.h"

#include <math.h>

double axl__run_epoch(const axl_run *r)
{
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;

    if (axl_loader_get_cursor(r->loader, &at) < 0)
        return 0.0;
    return (double)at.epoch + (double)at.batch / (double)axl_loader_batches_per_epoch(r->loader);
}

axl_status axl__run_put_record(axl_run *r, const axl_run_record *record)
{
    AXL_TRY(axl__run_log_append(r->ctx, r->log_path, record));
    if (r->opts.record && r->opts.record(r->opts.record_user, record) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the record callback");
    return AXL_OK;
}

axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s)
{
    double now = axl__now();

    r->state.loss_sum += s->loss * (double)s->n_trained;
    r->state.loss_tokens += s->n_trained;
    r->input_tokens += s->n_tokens;
    if (s->step % r->logging_steps != 0 && s->step != r->total_steps && !axl__run_stops_early(r))
        return AXL_OK;
    axl_run_record record = { sizeof record, s->step, r->total_steps, axl__run_epoch(r),
                              r->state.loss_sum / (double)r->state.loss_tokens, s->grad_norm,
                              s->learning_rate, (double)r->input_tokens / (now - r->started),
                              r->last.eval_loss, r->last.eval_perplexity };
    r->last = record;
    r->state.loss_sum = 0.0;
    r->state.loss_tokens = r->input_tokens = 0;
    r->started = now;
    record.eval_loss = record.eval_perplexity = NAN;
    return axl__run_put_record(r, &record);
}
