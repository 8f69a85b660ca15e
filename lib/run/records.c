/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - see records.h.  The log comes first: the report is made from it, and what was logged
 * is the truth that a resumed run goes on from.  A Prometheus file that can no longer be written is
 * a warning, for a monitor must not end what it watches.
 */
#include "records.h"
#include "run.h"

#include "base/os.h"
#include "report/event_file.h"
#include "report/prometheus.h"
#include "report/run_log.h"

#include <math.h>
#include <string.h>

/* The folder must be there: it is the collector's, or a typing error. */
static axl_status init_prometheus(axl_run *r)
{
    const char *file = axl__cfg_str(r->cfg, "axl.prometheus_file", NULL);

    if (!file)
        return AXL_OK;
    r->records.prometheus_path = axl__config_path(r->cfg, file);
    char *dir = axl__strdup(r->ctx, r->records.prometheus_path);
    if (!dir)
        return axl__fail_nomem();
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    axl_status status = axl__check_writable(r->ctx, slash ? dir : ".");
    axl__free(r->ctx, dir);
    if (status < 0)
        return axl__fail_prefix(status, "axl.prometheus_file");
    if (!axl__ends_with(file, ".prom"))
        axl__log(r->ctx, AXL_LOG_WARNING,
                 "axl.prometheus_file: the textfile collector reads only "
                 "names that end in .prom, and %s does not",
                 file);
    return AXL_OK;
}

axl_status axl__records_init(axl_run *r)
{
    r->records.log_path = axl__format(r->ctx, "%s/training_log.jsonl", r->output_dir);
    return r->records.log_path ? init_prometheus(r) : axl__fail_nomem();
}

void axl__records_free(axl_run *r)
{
    axl__free(r->ctx, r->records.log_path);
    axl__free(r->ctx, r->records.event_path);
    axl__free(r->ctx, r->records.prometheus_path);
}

/* ---- TensorBoard ---- */

enum { SCALARS_MAX = 8 };

/* Frees the bytes. */
static axl_status append_events(axl_run *r, axl__str *s)
{
    axl_status status = axl__str_status(s);

    if (status == AXL_OK)
        status = axl__append_file(r->records.event_path, s->data, s->len);
    axl__str_free(s);
    return status;
}

/* Markdown's code block: each line behind four blanks. */
static void put_indented(axl__str *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i == 0 || text[i - 1] == '\n')
            axl__str_puts(s, "    ");
        axl__str_putc(s, text[i]);
    }
}

static axl_status begin_events(axl_run *r, bool resumed)
{
    double now = axl__wall_time();
    uint64_t step = axl_trainer_steps(r->trainer);
    axl__str s, yaml;
    size_t len;
    const char *text = axl__config_text(r->cfg, &len);

    if (!axl__cfg_bool(r->cfg, "use_tensorboard", false))
        return AXL_OK;
    axl__free(r->ctx, r->records.event_path);
    AXL_TRY(
        axl__event_file_path(&r->records.event_path, r->ctx, r->output_dir, resumed, (int64_t)now));
    axl__str_init(&s, r->ctx);
    axl__str_init(&yaml, r->ctx);
    axl__event_put_version(&s, now);
    axl__event_put_start(&s, now, resumed ? step + 1 : 0);
    put_indented(&yaml, text, len);
    axl__event_put_text(&s, now, "config/text_summary", axl__str_text(&yaml), yaml.len);
    s.failed |= yaml.failed;
    axl__str_free(&yaml);
    return append_events(r, &s);
}

/* The tags are those of transformers' TensorBoard callback on Axolotl's logs. */
static size_t step_scalars(const axl_run *r, const axl_run_record *e, axl__event_scalar *out)
{
    double tokens = (double)(e->n_tokens - r->records.step.n_tokens);
    double trained = (double)(e->n_trained - r->records.step.n_trained);
    const axl__event_scalar all[SCALARS_MAX] = {
        { "train/loss", e->loss },
        { "train/grad_norm", e->grad_norm },
        { "train/learning_rate", e->learning_rate },
        { "train/epoch", e->epoch },
        { "train/ppl", exp(e->loss) },
        { "train/tokens/total", (double)e->n_tokens },
        { "train/tokens/trainable", (double)e->n_trained },
        { "train/tokens/train_per_sec_per_gpu", e->tokens_per_second * trained / tokens },
    };

    memcpy(out, all, sizeof all);
    return SCALARS_MAX;
}

static size_t evaluation_scalars(const axl_run *r, const axl_run_record *e, axl__event_scalar *out)
{
    const axl__event_scalar all[] = {
        { "eval/loss", e->eval_loss },
        { "eval/ppl", e->eval_perplexity },
        { "eval/runtime", e->eval_seconds },
        { "eval/samples_per_second", (double)axl_dataset_count(r->valid) / e->eval_seconds },
        { "train/epoch", e->epoch },
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

static axl_status put_events(axl_run *r, const axl_run_record *e)
{
    axl__event_scalar scalars[SCALARS_MAX];
    axl__str s;
    size_t n;

    if (!r->records.event_path)
        return AXL_OK;
    if (e->event == AXL_RUN_STEP)
        n = step_scalars(r, e, scalars);
    else if (e->event == AXL_RUN_EVALUATION)
        n = evaluation_scalars(r, e, scalars);
    else
        return AXL_OK;
    axl__str_init(&s, r->ctx);
    axl__event_put_scalars(&s, axl__wall_time(), e->step, scalars, n);
    return append_events(r, &s);
}

/* ---- Prometheus ---- */

static const double PROMETHEUS_PAUSE = 1.0; /* seconds; collectors look every 15 */

static axl_status put_prometheus(axl_run *r, const axl_run_record *e)
{
    axl__str s;

    if (!r->records.prometheus_path)
        return AXL_OK;
    if (e->event == AXL_RUN_STEP && axl__now() - r->records.prometheus_at < PROMETHEUS_PAUSE)
        return AXL_OK;
    r->records.prometheus_at = axl__now();
    axl__str_init(&s, r->ctx);
    axl__prometheus_put(&s, r->output_dir, e, &r->records.step, &r->records.evaluation,
                        axl__wall_time());
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        status = axl__write_file(r->ctx, r->records.prometheus_path, s.data, s.len);
    axl__str_free(&s);
    if (status == AXL_OK || e->event == AXL_RUN_BEGIN)
        return status < 0 ? axl__fail_prefix(status, "axl.prometheus_file") : AXL_OK;
    if (!r->records.prometheus_failed)
        axl__log(r->ctx, AXL_LOG_WARNING, "axl.prometheus_file: %s; the run goes on",
                 axl_last_error());
    r->records.prometheus_failed = true;
    axl__error_clear();
    return AXL_OK;
}

/* ---- records ---- */

double axl__records_seconds(const axl_run *r)
{
    return r->records.seconds_before + axl__now() - r->records.began;
}

axl_run_record axl__record_of(const axl_run *r, axl_run_event event)
{
    axl_run_record e = axl__record_blank(event);

    e.step = axl_trainer_steps(r->trainer);
    e.total_steps = r->total_steps;
    e.n_tokens = r->state.n_tokens;
    e.n_trained = r->state.n_trained;
    e.n_skipped = r->state.n_skipped + r->n_skipped_now;
    e.peak_rss_bytes = axl__peak_rss();
    e.epoch = axl__run_epoch(r);
    e.seconds = axl__records_seconds(r);
    if (e.step > r->records.first_step)
        e.eta_seconds = (axl__now() - r->records.began) / (double)(e.step - r->records.first_step) *
                        (double)(e.total_steps - e.step);
    if (event == AXL_RUN_END) /* early stopping leaves steps undone */
        e.eta_seconds = 0.0;
    return e;
}

/* What the kept part of the log tells of a run that goes on. */
static axl_status read_past(axl_run *r)
{
    axl__run_history h;
    axl_status status = axl__run_log_read(&h, r->ctx, r->records.log_path);
    const axl_run_record *step = axl__run_last(&h, AXL_RUN_STEP);
    const axl_run_record *evaluation = axl__run_last(&h, AXL_RUN_EVALUATION);

    if (step)
        r->records.step = *step;
    if (evaluation)
        r->records.evaluation = *evaluation;
    axl__run_history_free(&h);
    return status;
}

axl_status axl__records_begin(axl_run *r, bool resumed)
{
    axl__records *k = &r->records;

    k->first_step = axl_trainer_steps(r->trainer);
    k->began = axl__now();
    k->seconds_before = r->state.seconds;
    k->step = axl__record_blank(AXL_RUN_STEP);
    k->evaluation = axl__record_blank(AXL_RUN_EVALUATION);
    AXL_TRY(axl__run_log_begin(r->ctx, k->log_path, resumed, k->first_step));
    if (resumed)
        AXL_TRY(read_past(r));
    AXL_TRY(begin_events(r, resumed));
    axl_run_record begin = axl__record_of(r, AXL_RUN_BEGIN);
    return axl__records_put(r, &begin);
}

axl_status axl__records_put(axl_run *r, const axl_run_record *e)
{
    AXL_TRY(axl__run_log_append(r->ctx, r->records.log_path, e));
    AXL_TRY(put_events(r, e));
    if (e->event == AXL_RUN_STEP)
        r->records.step = *e;
    else if (e->event == AXL_RUN_EVALUATION)
        r->records.evaluation = *e;
    AXL_TRY(put_prometheus(r, e));
    if (r->opts.record && r->opts.record(r->opts.record_user, e) != 0 && e->event != AXL_RUN_END)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the record callback");
    return AXL_OK;
}

axl_status axl__records_put_path(axl_run *r, axl_run_event event, const char *path)
{
    axl_run_record e = axl__record_of(r, event);

    e.path = path;
    return axl__records_put(r, &e);
}
