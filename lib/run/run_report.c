/* SPDX-License-Identifier: Apache-2.0 */
/* run_report.c - a run's summary, and the two files that are made of it. */
#include "run.h"

#include "base/os.h"
#include "report/model_card.h"
#include "report/report.h"
#include "train/trainer.h"

/* Everything is borrowed: a summary lives for one call. */
static axl_status run_summarize(const axl_run *r, const char *state,
                                const axl__run_history *history, axl__run_summary *out)
{
    uint64_t step = axl_trainer_steps(r->trainer);

    *out = (axl__run_summary){
        .cfg = r->cfg,
        .output_dir = r->output_dir,
        .state = state,
        .step = step,
        .total_steps = r->total_steps,
        .result_step = r->steer.load_best && r->state.has_best ? r->state.best_step : step,
        .epoch = axl__run_epoch(r),
        .seconds = axl__records_seconds(&r->records),
        .peak_rss_bytes = axl__peak_rss(),
        .history = history,
        .train = AXL_DATASET_STATS_INIT,
        .valid = AXL_DATASET_STATS_INIT,
        .model = AXL_MODEL_INFO_INIT,
        .trainer = &r->trainer->opts,
        .warmup_steps = r->trainer->schedule.warmup_steps,
        .trained_params = r->trainer->trained.n_params,
        .plan = r->plan,
        .batches = { .longest = r->survey.longest,
                     .max_tokens = r->survey.max_tokens,
                     .n_batches = r->survey.n_batches,
                     .n_steps = r->survey.n_steps,
                     .n_seqs = r->survey.n_seqs,
                     .n_tokens = r->survey.n_tokens },
        .backend = r->model->ops->name,
        .isa = r->model->device.isa,
        .matmul = r->model->device.matmul,
        .threads = axl_context_threads(r->ctx),
        .now = (int64_t)axl__wall_time(),
    };
    if (r->valid)
        AXL_TRY(axl_dataset_get_stats(r->valid, &out->valid));
    AXL_TRY(axl_dataset_get_stats(r->train, &out->train));
    return axl_model_get_info(r->model, &out->model);
}

/* Calls put with the run's summary and writes what it made. */
static axl_status run_write_summary(axl_run *r, const char *state, const char *name,
                                    void (*put)(axl__str *out, const axl__run_summary *run))
{
    axl__run_history history;
    axl__run_summary summary;
    axl__str text;
    char *path = axl__format(r->ctx, "%s/%s", r->output_dir, name);

    if (!path)
        return axl__fail_nomem();
    axl__str_init(&text, r->ctx);
    axl_status status = axl__records_history(&r->records, &history);
    if (status == AXL_OK)
        status = run_summarize(r, state, &history, &summary);
    if (status == AXL_OK) {
        put(&text, &summary);
        status = axl__str_status(&text);
    }
    if (status == AXL_OK)
        status = axl__write_file(r->ctx, path, text.data, text.len);
    axl__run_history_free(&history);
    axl__str_free(&text);
    axl__free(r->ctx, path);
    return status;
}

axl_status axl__run_write_report(axl_run *r, const char *state)
{
    return axl__run_only_warn(r, run_write_summary(r, state, "report.html", axl__report_put));
}

axl_status axl__run_write_card(axl_run *r)
{
    return axl__run_only_warn(r,
                              run_write_summary(r, "finished", "README.md", axl__model_card_put));
}
