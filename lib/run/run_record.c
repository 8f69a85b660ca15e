/* SPDX-License-Identifier: Apache-2.0 */
/* run_record.c - the records of a run: that of a step holds the mean loss since the last one. */
#include "run.h"

#include "base/os.h"
#include "data/dataset.h"
#include "report/run_log.h"

/* Of streamed data the whole run is one epoch, as the Hugging Face trainer counts. */
static bool is_streamed(const axl_run *r)
{
    return axl__dataset_stream(r->train) != NULL;
}

bool axl__run_epoch_ended(const axl_run *r)
{
    return !is_streamed(r) && r->at_step.batch == 0;
}

double axl__run_epoch(const axl_run *r)
{
    if (is_streamed(r))
        return (double)axl_trainer_steps(r->trainer) / (double)r->total_steps;
    double batches = (double)axl_loader_batches_per_epoch(r->loader);

    return (double)r->at_step.epoch + (double)r->at_step.batch / batches;
}

axl_run_record axl__run_record_of(const axl_run *r, axl_run_event event)
{
    axl_run_record e = axl__record_blank(event);

    e.step = axl_trainer_steps(r->trainer);
    e.total_steps = r->total_steps;
    e.n_tokens = r->state.n_tokens;
    e.n_trained = r->state.n_trained;
    e.n_skipped = r->state.n_skipped + r->skips.n;
    e.peak_rss_bytes = axl__peak_rss();
    e.epoch = axl__run_epoch(r);
    e.seconds = axl__records_seconds(&r->records);
    e.eta_seconds = axl__records_eta(&r->records, e.step, e.total_steps);
    if (event == AXL_RUN_END) /* early stopping leaves steps undone */
        e.eta_seconds = 0.0;
    return e;
}

/* A model whose own weights are trained is the host's to compute with while it is told. */
axl_status axl__run_put_record(axl_run *r, const axl_run_record *record)
{
    bool lend = r->records.tell && !r->adapter;

    if (lend)
        AXL_TRY(axl__trainer_use_trained(r->trainer));
    const axl_model *before = axl__model_lend(lend ? r->model : NULL);
    axl_status status = axl__records_put(&r->records, record);
    axl__model_lend(before);
    return status;
}

axl_status axl__run_begin_records(axl_run *r, bool goes_on)
{
    axl__records_start start = { .resumed = goes_on,
                                 .step = axl_trainer_steps(r->trainer),
                                 .evaluated = r->state.evaluated_step,
                                 .seconds = r->state.seconds,
                                 .valid_rows = r->valid ? axl_dataset_count(r->valid) : 0 };

    AXL_TRY(axl__records_begin(&r->records, &start));
    axl_run_record begin = axl__run_record_of(r, AXL_RUN_BEGIN);
    return axl__run_put_record(r, &begin);
}

axl_status axl__run_put_path(axl_run *r, axl_run_event event, const char *path)
{
    axl_run_record e = axl__run_record_of(r, event);

    e.path = path;
    return axl__run_put_record(r, &e);
}

/* ---- steps ---- */

void axl__run_pace_begin(axl_run *r)
{
    r->pace = (axl__pace){ axl__now(), 0 };
}

void axl__run_pace_pause(axl_run *r, double began)
{
    r->pace.since += axl__now() - began;
}

/* Sums go into the state at every step, records are made at some: a stop between two leaves the
 * sums in the checkpoint, and the record after a resume is that of the whole run.  A step without a
 * trained token leaves the mean as it is. */
axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s)
{
    double now = axl__now();

    r->state.loss_sum += s->loss * (double)s->n_trained;
    r->state.loss_tokens += s->n_trained;
    r->state.n_tokens += s->n_tokens;
    r->state.n_trained += s->n_trained;
    r->pace.n_tokens += s->n_tokens;
    if (s->step % r->when.log_steps != 0 && s->step != r->total_steps && !axl__run_stops_early(r))
        return AXL_OK;
    axl_run_record e = axl__run_record_of(r, AXL_RUN_STEP);
    e.loss = r->state.loss_sum / (double)r->state.loss_tokens;
    e.grad_norm = s->grad_norm;
    e.learning_rate = s->learning_rate;
    e.tokens_per_second = (double)r->pace.n_tokens / (now - r->pace.since);
    r->state.loss_sum = 0.0;
    r->state.loss_tokens = 0;
    r->pace = (axl__pace){ now, 0 };
    return axl__run_put_record(r, &e);
}
