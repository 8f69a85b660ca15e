/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - see records.h.  The log comes first: the report is made from it, and what was logged
 * is the truth that a resumed run goes on from.  What cannot be written is a warning: the training
 * does not hang on what tells of it.
 */
#include "records.h"

#include "base/os.h"
#include "report/event_file.h"
#include "report/prometheus.h"

#include <math.h>
#include <string.h>

/* The folder must be there, for it is the collector's or a typing error, and in output_dir whatever
 * links say; an absolute path can only be an override, which may lie anywhere. */
static axl_status records_check_prometheus(axl__records *k, const char *file)
{
    char *dir = axl__strdup(k->ctx, k->prometheus_path);

    if (!dir)
        return axl__fail_nomem();
    char *slash = strrchr(dir, '/');
    slash[slash == dir] = '\0';
    axl_status status = AXL_OK;
    if (axl__path_kind_of(dir) != AXL__PATH_DIR)
        status = axl__fail(AXL_ERR_NOT_FOUND, "there is no folder %s", dir);
    if (status == AXL_OK && file[0] != '/' && !axl__path_is_in(dir, k->output_dir))
        status = axl__fail(AXL_ERR_INVALID, "%s leads out of output_dir", file);
    axl__free(k->ctx, dir);
    return status;
}

static axl_status records_init_prometheus(axl__records *k)
{
    const char *file = axl__cfg_str_or(k->cfg, "axl.prometheus_file", NULL);

    if (!file)
        return AXL_OK;
    k->prometheus_path = file[0] == '/' ? axl__strdup(k->ctx, file)
                                        : axl__format(k->ctx, "%s/%s", k->output_dir, file);
    axl_status status = k->prometheus_path ? records_check_prometheus(k, file) : axl__fail_nomem();
    if (status < 0)
        return axl__fail_prefix(status, "axl.prometheus_file");
    if (!axl__ends_with(file, ".prom"))
        axl__log(k->ctx, AXL_LOG_WARNING,
                 "axl.prometheus_file: the textfile collector reads only "
                 "names that end in .prom, and %s does not",
                 file);
    return AXL_OK;
}

axl_status axl__records_init(axl__records *k, const axl_config *cfg, const char *output_dir,
                             const axl_run_options *opts)
{
    *k = (axl__records){ .ctx = axl__config_context(cfg),
                         .cfg = cfg,
                         .output_dir = output_dir,
                         .tell = opts->record,
                         .user = opts->record_user };
    k->log_path = axl__format(k->ctx, "%s/training_log.jsonl", k->output_dir);
    return k->log_path ? records_init_prometheus(k) : axl__fail_nomem();
}

void axl__records_free(axl__records *k)
{
    axl__free(k->ctx, k->log_path);
    axl__free(k->ctx, k->event_path);
    axl__free(k->ctx, k->prometheus_path);
}

/* What only tells of the run may fail: the first time is said, and nothing follows in that file.
 * Out of memory and a stop are the run's own and pass. */
static axl_status records_give_up(const axl__records *k, axl_status status, bool *failed,
                                  const char *key)
{
    if (status >= 0 || status == AXL_ERR_NOMEM || status == AXL_ERR_CANCELLED)
        return status;
    if (!*failed)
        axl__log(k->ctx, AXL_LOG_WARNING, "%s: %s; the run goes on", key, axl_last_error());
    *failed = true;
    axl__error_clear();
    return AXL_OK;
}

/* ---- TensorBoard ---- */

enum { SCALARS_MAX = 8 };

/* Frees the bytes. */
static axl_status records_append(axl__records *k, axl__str *s)
{
    axl_status status = axl__str_status(s);

    if (status == AXL_OK)
        status = axl__append_file(k->event_path, s->data, s->len);
    axl__str_free(s);
    return status;
}

/* Markdown's code block: each line behind four blanks. */
static void records_put_indented(axl__str *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i == 0 || text[i - 1] == '\n')
            axl__str_puts(s, "    ");
        axl__str_putc(s, text[i]);
    }
}

/* The tags are those of transformers' TensorBoard callback on Axolotl's logs. */
static size_t records_step_scalars(const axl_run_record *before, const axl_run_record *e,
                                   axl__event_scalar *out)
{
    double tokens = (double)(e->n_tokens - before->n_tokens);
    double trained = (double)(e->n_trained - before->n_trained);
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

static size_t records_evaluation_scalars(const axl__records *k, const axl_run_record *e,
                                         axl__event_scalar *out)
{
    const axl__event_scalar all[] = {
        { "eval/loss", e->eval_loss },
        { "eval/ppl", e->eval_perplexity },
        { "eval/runtime", e->eval_seconds },
        { "eval/samples_per_second", (double)k->valid_rows / e->eval_seconds },
        { "train/epoch", e->epoch },
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

/* A start drops what older files have of its step and later ones.  Where that step is done and not
 * evaluated, an evaluation that a kill followed may be there: the step goes too, and what the log
 * has of it is put again. */
static void records_put_start(const axl__records *k, const axl__records_start *start,
                              const axl_run_record *before, double now, axl__str *out)
{
    bool evaluates = start->resumed && start->evaluated != start->step;
    axl__event_scalar scalars[SCALARS_MAX];

    axl__event_put_start(out, now, start->resumed ? start->step + !evaluates : 0);
    if (!evaluates || k->step.step != start->step)
        return;
    size_t n = records_step_scalars(before, &k->step, scalars);
    axl__event_put_scalars(out, now, start->step, scalars, n);
}

/* Every start makes a new file: event files are only ever appended to by who made them.  before:
 * the record of a step before the newest. */
static axl_status records_begin_events(axl__records *k, const axl__records_start *start,
                                       const axl_run_record *before)
{
    double now = axl__wall_time();
    axl__str s, yaml;
    size_t len;
    const char *text = axl__config_text(k->cfg, &len);

    if (!axl__cfg_bool(k->cfg, "use_tensorboard"))
        return AXL_OK;
    axl__free(k->ctx, k->event_path);
    AXL_TRY(
        axl__event_file_path(&k->event_path, k->ctx, k->output_dir, start->resumed, (int64_t)now));
    axl__str_init(&s, k->ctx);
    axl__str_init(&yaml, k->ctx);
    axl__event_put_version(&s, now);
    records_put_start(k, start, before, now, &s);
    records_put_indented(&yaml, text, len);
    axl__event_put_text(&s, now, "config/text_summary", axl__str_text(&yaml), yaml.len);
    s.failed |= yaml.failed;
    axl__str_free(&yaml);
    return records_append(k, &s);
}

static axl_status records_put_events(axl__records *k, const axl_run_record *e)
{
    axl__event_scalar scalars[SCALARS_MAX];
    axl__str s;
    size_t n;

    if (!k->event_path || k->events_failed)
        return AXL_OK;
    if (e->event == AXL_RUN_STEP)
        n = records_step_scalars(&k->step, e, scalars);
    else if (e->event == AXL_RUN_EVALUATION)
        n = records_evaluation_scalars(k, e, scalars);
    else
        return AXL_OK;
    axl__str_init(&s, k->ctx);
    axl__event_put_scalars(&s, axl__wall_time(), e->step, scalars, n);
    return records_give_up(k, records_append(k, &s), &k->events_failed, "use_tensorboard");
}

/* ---- Prometheus ---- */

static const double PROMETHEUS_PAUSE = 1.0; /* seconds; collectors look every 15 */

static axl_status records_put_prometheus(axl__records *k, const axl_run_record *e)
{
    axl__str s;

    if (!k->prometheus_path)
        return AXL_OK;
    if (e->event == AXL_RUN_STEP && axl__now() - k->prometheus_at < PROMETHEUS_PAUSE)
        return AXL_OK;
    k->prometheus_at = axl__now();
    axl__str_init(&s, k->ctx);
    axl__prometheus_put(&s, k->output_dir, e, &k->step, &k->evaluation, axl__wall_time());
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        status = axl__write_file(k->ctx, k->prometheus_path, s.data, s.len);
    axl__str_free(&s);
    return records_give_up(k, status, &k->prometheus_failed, "axl.prometheus_file");
}

/* ---- records ---- */

double axl__records_seconds(const axl__records *k)
{
    return k->seconds_before + axl__now() - k->began;
}

/* Evaluations and saves are in the pace, since they will be in what is left. */
double axl__records_eta(const axl__records *k, uint64_t step, uint64_t total_steps)
{
    if (step <= k->first_step)
        return NAN;
    return (axl__now() - k->began) / (double)(step - k->first_step) * (double)(total_steps - step);
}

axl_status axl__records_history(const axl__records *k, axl__run_history *out)
{
    if (!k->log_stale)
        return axl__run_log_read(out, k->ctx, k->log_path);
    *out = (axl__run_history){ k->ctx, NULL, 0 };
    return AXL_OK;
}

/* What the kept part of the log tells of a run that goes on. */
static axl_status records_read_past(axl__records *k, axl_run_record *before)
{
    axl__run_history h;
    axl_status status = axl__records_history(k, &h);
    const axl_run_record *evaluation = axl__run_last(&h, AXL_RUN_EVALUATION);

    for (size_t i = 0; i < h.n; i++) {
        if (h.records[i].event != AXL_RUN_STEP)
            continue;
        *before = k->step;
        k->step = h.records[i];
    }
    if (evaluation)
        k->evaluation = *evaluation;
    axl__run_history_free(&h);
    return status;
}

/* log_stale is up until the file is known to be this run's: a report made meanwhile must not show
 * another run's numbers. */
static axl_status records_begin_log(axl__records *k, const axl__records_start *start,
                                    axl_run_record *before)
{
    axl__log_end end = { start->step, start->evaluated };

    k->log_stale = true;
    AXL_TRY(axl__run_log_begin(k->ctx, k->log_path, start->resumed ? &end : NULL));
    k->log_stale = false;
    return start->resumed ? records_read_past(k, before) : AXL_OK;
}

axl_status axl__records_begin(axl__records *k, const axl__records_start *start)
{
    axl_run_record before = axl__record_blank(AXL_RUN_STEP);

    k->first_step = start->step;
    k->began = axl__now();
    k->seconds_before = start->seconds;
    k->valid_rows = start->valid_rows;
    k->step = axl__record_blank(AXL_RUN_STEP);
    k->evaluation = axl__record_blank(AXL_RUN_EVALUATION);
    k->log_failed = k->events_failed = k->prometheus_failed = false;
    AXL_TRY(records_give_up(k, records_begin_log(k, start, &before), &k->log_failed,
                            "training_log.jsonl"));
    return records_give_up(k, records_begin_events(k, start, &before), &k->events_failed,
                           "use_tensorboard");
}

static axl_status records_put_log(axl__records *k, const axl_run_record *e)
{
    if (k->log_failed)
        return AXL_OK;
    return records_give_up(k, axl__run_log_append(k->ctx, k->log_path, e), &k->log_failed,
                           "training_log.jsonl");
}

/* The host comes last: whatever it reads from the files while it is told has the record.  At the
 * end there is nothing to stop any more. */
axl_status axl__records_put(axl__records *k, const axl_run_record *e)
{
    AXL_TRY(records_put_log(k, e));
    AXL_TRY(records_put_events(k, e));
    if (e->event == AXL_RUN_STEP)
        k->step = *e;
    else if (e->event == AXL_RUN_EVALUATION)
        k->evaluation = *e;
    AXL_TRY(records_put_prometheus(k, e));
    if (k->tell && k->tell(k->user, e) != 0 && e->event != AXL_RUN_END)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the record callback");
    return AXL_OK;
}
