/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - see report.h.  Everything that changes over the run comes from its log, so that the
 * report of a resumed run is that of the whole run.
 */
#include "report.h"
#include "chart.h"
#include "report_priv.h"

#include "base/os.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 200 }; /* of a table; a longer log is thinned */

/* ---- text ---- */

static void report_put_text(axl__str *out, const char *text)
{
    axl__html_put(out, text, strlen(text));
}

static void report_put_count(axl__str *out, uint64_t n)
{
    axl__html_put_number(out, (double)n, 15);
}

/* "950,000", "12.35M", "1.2B" */
static void report_put_compact(axl__str *out, uint64_t n)
{
    bool billions = n >= 1000000000u;

    if (n < 10000000u) {
        report_put_count(out, n);
        return;
    }
    axl__html_put_number(out, (double)n / (billions ? 1e9 : 1e6), 4);
    axl__str_putc(out, billions ? 'B' : 'M');
}

static void report_put_bytes(axl__str *out, uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)bytes;
    size_t unit = 0;

    while (v >= 1023.5 && unit < 4) {
        v /= 1024.0;
        unit++;
    }
    axl__html_put_number(out, v, 3);
    axl__str_putf(out, " %s", units[unit]);
}

static void report_put_duration(axl__str *out, double seconds)
{
    if (!(seconds >= 0.0 && seconds < 1e15)) { /* no run's: a log may say anything */
        axl__str_puts(out, "&ndash;");
        return;
    }
    uint64_t s = (uint64_t)(seconds + 0.5);
    if (s < 60)
        axl__str_putf(out, "%llu s", (unsigned long long)s);
    else if (s < 3600)
        axl__str_putf(out, "%llu min %02llu s", (unsigned long long)s / 60,
                      (unsigned long long)s % 60);
    else
        axl__str_putf(out, "%llu h %02llu min", (unsigned long long)s / 3600,
                      (unsigned long long)s / 60 % 60);
}

static void report_put_time(axl__str *out, int64_t unix_time)
{
    axl__date d = axl__utc(unix_time);

    axl__str_putf(out, "%04d-%02d-%02d %02d:%02d UTC", d.year, d.month, d.day, d.hour, d.minute);
}

const char *axl__last_name(const char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    return path + len;
}

/* ---- the log ---- */

/* By loss, also where the config judges by perplexity: the order is the same. */
static const axl_run_record *report_best_of(const axl__run_history *h)
{
    const axl_run_record *best = NULL;

    for (size_t i = 0; i < h->n; i++)
        if (h->records[i].event == AXL_RUN_EVALUATION &&
            (!best || h->records[i].eval_loss < best->eval_loss))
            best = &h->records[i];
    return best;
}

/* One field of the records of a kind, over the steps; x and y have room for h->n.  field is the
 * offset of a double in a record. */
static size_t report_take_series(const axl__run_history *h, axl_run_event event, size_t field,
                                 double *x, double *y)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++) {
        const axl_run_record *r = &h->records[i];
        if (r->event != (uint32_t)event)
            continue;
        x[n] = (double)r->step;
        memcpy(&y[n], (const char *)r + field, sizeof *y);
        n++;
    }
    return n;
}

static int report_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Reorders values.  The median, because the first steps and those beside a checkpoint are slow and
 * no measure. */
static double report_median(double *values, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            values[kept++] = values[i];
    if (kept == 0)
        return NAN;
    qsort(values, kept, sizeof *values, report_order);
    return kept % 2 ? values[kept / 2] : 0.5 * (values[kept / 2 - 1] + values[kept / 2]);
}

/* ---- the head ---- */

static void report_put_head(axl__str *out, const axl__run_summary *run)
{
    const char *model = axl__cfg_str(run->cfg, "base_model");

    axl__str_puts(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<title>");
    report_put_text(out, axl__last_name(run->output_dir));
    axl__str_puts(out, " &ndash; axl</title>\n<style>\n");
    axl__str_puts(out, axl__report_style);
    axl__str_puts(out, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>");
    report_put_text(out, axl__last_name(model));
    axl__str_puts(out, "</h1>\n<p>");
    if (axl__cfg_has(run->cfg, "adapter"))
        axl__str_putf(out, "LoRA of rank %lld", (long long)axl__cfg_int_or(run->cfg, "lora_r", 0));
    else
        axl__str_puts(out, "Full fine-tuning");
    axl__str_puts(out, ", written to ");
    report_put_text(out, run->output_dir);
    axl__str_putf(out, "</p>\n<span class=\"state %s\">%s at step ", run->state, run->state);
    report_put_count(out, run->step);
    axl__str_puts(out, " of ");
    report_put_count(out, run->total_steps);
    axl__str_puts(out, "</span><small class=\"when\">");
    report_put_time(out, run->now);
    axl__str_puts(out, "</small>\n</header>\n");
}

static void report_tile_begin(axl__str *out, const char *name)
{
    axl__str_puts(out, "<div class=\"tile\"><small>");
    axl__str_puts(out, name);
    axl__str_puts(out, "</small><b>");
}

static void report_tile_end(axl__str *out, const char *note)
{
    axl__str_puts(out, "</b><small>");
    axl__str_puts(out, note);
    axl__str_puts(out, "</small></div>\n");
}

static void report_number_tile(axl__str *out, const char *name, double value, int digits,
                               const char *note)
{
    report_tile_begin(out, name);
    axl__html_put_number(out, value, digits);
    report_tile_end(out, note);
}

static void report_put_evaluation_tile(axl__str *out, const axl_run_record *last,
                                       const axl_run_record *best)
{
    report_tile_begin(out, "Validation loss");
    axl__html_put_number(out, last->eval_loss, 4);
    axl__str_puts(out, "</b><small>");
    if (best == last) {
        axl__str_puts(out, "the best so far");
    } else {
        axl__str_puts(out, "best ");
        axl__html_put_number(out, best->eval_loss, 4);
        axl__str_puts(out, " at step ");
        report_put_count(out, best->step);
    }
    axl__str_puts(out, "</small></div>\n");
}

/* Until a step is logged there are few tiles, and no empty ones. */
static void report_put_tiles(axl__str *out, const axl__run_summary *run, double *room)
{
    const axl__run_history *h = run->history;
    const axl_run_record *step = axl__run_last(h, AXL_RUN_STEP);
    const axl_run_record *evaluation = axl__run_last(h, AXL_RUN_EVALUATION);

    axl__str_puts(out, "<div class=\"tiles\">\n");
    if (step)
        report_number_tile(out, "Training loss", step->loss, 4, "last logged step");
    if (evaluation)
        report_put_evaluation_tile(out, evaluation, report_best_of(h));
    report_number_tile(out, "Epochs", run->epoch, 3, "passes over the data");
    if (step) {
        report_tile_begin(out, "Tokens");
        report_put_compact(out, step->n_tokens);
        report_tile_end(out, "without padding");
        size_t n = report_take_series(h, AXL_RUN_STEP, offsetof(axl_run_record, tokens_per_second),
                                      room, room + h->n);
        report_number_tile(out, "Tokens per second", report_median(room + h->n, n), 4, "median");
        report_tile_begin(out, "Time");
        report_put_duration(out, run->seconds);
        report_tile_end(out, "evaluations included");
    }
    axl__str_puts(out, "</div>\n");
}

/* ---- charts ---- */

/* room is used by one chart after the other: a chart is text when this returns. */
static void report_put_chart(axl__str *out, const axl__run_summary *run, axl__chart *c,
                             size_t field, double *room)
{
    const axl__run_history *h = run->history;
    double *x = room, *y = room + h->n;

    c->n_series = 1;
    c->series[0] = (axl__chart_series){ "last", x, y, 0, c->series[0].smooth, false };
    c->series[0].n = report_take_series(h, AXL_RUN_STEP, field, x, y);
    axl__chart_put(out, c);
}

static void report_put_loss_chart(axl__str *out, const axl__run_summary *run, double *room)
{
    const axl__run_history *h = run->history;
    axl__chart c = {
        .title = "Loss", .n_series = 2, .x_max = (double)run->step, .may_be_log = true
    };
    double *x = room, *y = room + h->n, *eval_x = room + 2 * h->n, *eval_y = room + 3 * h->n;

    c.series[0] = (axl__chart_series){ "training", x, y, 0, true, false };
    c.series[0].n = report_take_series(h, AXL_RUN_STEP, offsetof(axl_run_record, loss), x, y);
    c.series[1] = (axl__chart_series){ "validation", eval_x, eval_y, 0, false, true };
    c.series[1].n = report_take_series(h, AXL_RUN_EVALUATION, offsetof(axl_run_record, eval_loss),
                                       eval_x, eval_y);
    axl__chart_put(out, &c);
}

static void report_put_charts(axl__str *out, const axl__run_summary *run, double *room)
{
    double end = (double)run->step;
    axl__chart rate = { .title = "Learning rate", .x_max = end, .from_zero = true };
    axl__chart norm = { .title = "Gradient norm",
                        .unit = "before clipping",
                        .x_max = end,
                        .from_zero = true,
                        .may_be_log = true };
    axl__chart speed = {
        .title = "Throughput", .unit = "tokens per second", .x_max = end, .from_zero = true
    };

    norm.series[0].smooth = speed.series[0].smooth = true;
    axl__str_puts(out, "<section class=\"charts\">\n");
    report_put_loss_chart(out, run, room);
    report_put_chart(out, run, &rate, offsetof(axl_run_record, learning_rate), room);
    report_put_chart(out, run, &norm, offsetof(axl_run_record, grad_norm), room);
    report_put_chart(out, run, &speed, offsetof(axl_run_record, tokens_per_second), room);
    axl__str_puts(out, "</section>\n");
}

/* ---- tables ---- */

static void report_row_begin(axl__str *out, const char *name)
{
    axl__str_puts(out, "<tr><th scope=\"row\">");
    report_put_text(out, name);
    axl__str_puts(out, "</th>");
}

/* A row of counts for training and, where there are two columns, validation; none where both are
 * 0. */
static void report_count_row(axl__str *out, const char *name, uint64_t train, uint64_t valid,
                             bool two)
{
    if (train == 0 && valid == 0)
        return;
    report_row_begin(out, name);
    axl__str_puts(out, "<td>");
    report_put_count(out, train);
    if (two) {
        axl__str_puts(out, "</td><td>");
        report_put_count(out, valid);
    }
    axl__str_puts(out, "</td></tr>\n");
}

static uint64_t report_mean(uint64_t sum, uint64_t n)
{
    return n ? (sum + n / 2) / n : 0;
}

static void report_put_dataset(axl__str *out, const axl__run_summary *run)
{
    const axl_dataset_stats *t = &run->train, *v = &run->valid;
    bool two = v->rows > 0;

    axl__str_puts(out, "<div><h2>Data</h2>\n<div class=\"card\"><table>\n");
    if (two)
        axl__str_puts(out, "<thead><tr><th></th><th>training</th><th>validation</th></tr></thead>"
                           "\n");
    axl__str_puts(out, "<tbody>\n");
    report_count_row(out, "Rows read", t->rows_read, v->rows_read, two);
    report_count_row(out, "Dropped: too long", t->dropped_too_long, v->dropped_too_long, two);
    report_count_row(out, "Dropped: too short", t->dropped_too_short, v->dropped_too_short, two);
    report_count_row(out, "Dropped: nothing to train", t->dropped_no_trained, v->dropped_no_trained,
                     two);
    if (t->dropped_duplicates + v->dropped_duplicates > 0)
        report_count_row(out, "Dropped: equal to another", t->dropped_duplicates,
                         v->dropped_duplicates, two);
    report_count_row(out, "Samples kept", t->rows, v->rows, two);
    report_count_row(out, "Tokens", t->tokens, v->tokens, two);
    report_count_row(out, "Trained tokens", t->trained_tokens, v->trained_tokens, two);
    report_count_row(out, "Tokens a sample", report_mean(t->tokens, t->rows),
                     report_mean(v->tokens, v->rows), two);
    axl__str_puts(out, "</tbody></table></div></div>\n");
}

static void report_put_batches(axl__str *out, const axl__run_summary *run)
{
    axl__str_puts(out, "<div><h2>Batches</h2>\n<div class=\"card\"><table><tbody>\n");
    report_count_row(out, "Longest sample, tokens", run->batches.longest, 0, false);
    report_count_row(out, "Largest batch, tokens", run->batches.max_tokens, 0, false);
    report_count_row(out, "Tokens a batch",
                     report_mean(run->batches.n_tokens, run->batches.n_batches), 0, false);
    report_count_row(out, "Tokens a step", report_mean(run->batches.n_tokens, run->batches.n_steps),
                     0, false);
    report_count_row(out, "Samples a step", report_mean(run->batches.n_seqs, run->batches.n_steps),
                     0, false);
    axl__str_puts(out, "</tbody></table></div></div>\n");
}

static void report_bytes_row(axl__str *out, const char *name, uint64_t bytes)
{
    if (bytes == 0)
        return;
    report_row_begin(out, name);
    axl__str_puts(out, "<td>");
    report_put_bytes(out, bytes);
    axl__str_puts(out, "</td></tr>\n");
}

/* What was planned beside what came: where the two part, the plan is wrong. */
static void report_put_memory(axl__str *out, const axl__run_summary *run)
{
    axl__str_puts(out, "<div><h2>Memory</h2>\n<div class=\"card\"><table><tbody>\n");
    report_bytes_row(out, "Model weights", run->plan.weights_bytes);
    report_bytes_row(out, "Adapter, gradients, optimizer", run->plan.optimizer_bytes);
    report_bytes_row(out, "Activations of the largest batch", run->plan.activation_bytes);
    report_bytes_row(out, "Planned peak of the process", run->plan.peak_rss_bytes);
    report_bytes_row(out, "Peak so far", run->peak_rss_bytes);
    axl__str_puts(out, "</tbody></table></div></div>\n");
}

static void report_text_row(axl__str *out, const char *name, const char *text)
{
    report_row_begin(out, name);
    axl__str_puts(out, "<td>");
    report_put_text(out, text);
    axl__str_puts(out, "</td></tr>\n");
}

static void report_put_machine(axl__str *out, const axl__run_summary *run)
{
    axl__str_puts(out, "<div><h2>Model and machine</h2>\n<div class=\"card\"><table><tbody>\n");
    report_count_row(out, "Parameters", run->model.n_params, 0, false);
    report_count_row(out, "Trained parameters", run->trained_params, 0, false);
    report_text_row(out, "Computed in", run->model.compute == AXL_COMPUTE_BF16 ? "bf16" : "f32");
    report_text_row(out, "Backend", run->backend);
    report_text_row(out, "Instruction set", run->isa);
    report_text_row(out, "Large products by", run->matmul);
    report_count_row(out, "Threads", run->threads, 0, false);
    axl__str_puts(out, "</tbody></table></div></div>\n");
}

static void report_put_cells(axl__str *out, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        axl__str_puts(out, "<td>");
        if (isfinite(values[i]))
            axl__html_put_number(out, values[i], 5);
        else
            axl__str_puts(out, "&ndash;");
        axl__str_puts(out, "</td>");
    }
    axl__str_puts(out, "</tr>\n");
}

static void report_put_record_row(axl__str *out, const axl_run_record *r)
{
    const double step[] = { r->epoch, r->loss, r->grad_norm, r->learning_rate,
                            r->tokens_per_second };
    const double evaluation[] = { r->epoch, r->eval_loss, r->eval_perplexity };

    axl__str_puts(out, "<tr><th scope=\"row\">");
    report_put_count(out, r->step);
    axl__str_puts(out, "</th>");
    if (r->event == AXL_RUN_STEP)
        report_put_cells(out, step, sizeof step / sizeof step[0]);
    else
        report_put_cells(out, evaluation, sizeof evaluation / sizeof evaluation[0]);
}

/* At most ROWS_MAX rows of a kind, spread evenly, the last among them. */
static void report_put_records(axl__str *out, const axl__run_history *h, axl_run_event event,
                               const char *title, const char *heads)
{
    size_t n = axl__run_count(h, event), every = (n + ROWS_MAX - 1) / ROWS_MAX, seen = 0;

    if (n == 0)
        return;
    axl__str_putf(out, "<details><summary>%s", title);
    if (every > 1)
        axl__str_putf(out, " (one of %zu)", every);
    axl__str_putf(out, "</summary><div class=\"card\"><table><thead><tr>%s</tr></thead><tbody>\n",
                  heads);
    for (size_t i = 0; i < h->n; i++) {
        if (h->records[i].event != (uint32_t)event)
            continue;
        seen++;
        if ((n - seen) % every == 0)
            report_put_record_row(out, &h->records[i]);
    }
    axl__str_puts(out, "</tbody></table></div></details>\n");
}

static void report_put_config(axl__str *out, const axl__run_summary *run)
{
    size_t len;
    const char *yaml = axl__config_text(run->cfg, &len);
    const char *overrides = axl__config_overrides(run->cfg);

    axl__str_puts(out, "<h2>Config</h2>\n<div class=\"card\"><pre>");
    axl__html_put(out, yaml, len);
    axl__str_puts(out, "</pre></div>\n");
    if (*overrides) {
        axl__str_puts(out, "<h2>Overrides</h2>\n<div class=\"card\"><pre>");
        report_put_text(out, overrides);
        axl__str_puts(out, "</pre></div>\n");
    }
}

/* Order is what a reader asks in: what came out, how it went, what of, on what, with which
 * config. */
void axl__report_put(axl__str *out, const axl__run_summary *run)
{
    size_t n = run->history->n;
    double *room = axl__alloc(out->ctx, 4 * n * sizeof *room); /* x, y of two series */

    if (!room) {
        out->failed = true;
        return;
    }
    report_put_head(out, run);
    report_put_tiles(out, run, room);
    report_put_charts(out, run, room);
    report_put_records(out, run->history, AXL_RUN_EVALUATION, "Evaluations",
                       "<th>Step</th><th>Epoch</th><th>Loss</th><th>Perplexity</th>");
    report_put_records(out, run->history, AXL_RUN_STEP, "Logged steps",
                       "<th>Step</th><th>Epoch</th><th>Loss</th><th>Gradient norm</th>"
                       "<th>Learning rate</th><th>Tokens/s</th>");
    axl__str_puts(out, "<section class=\"pair\">\n");
    report_put_dataset(out, run);
    report_put_batches(out, run);
    report_put_memory(out, run);
    report_put_machine(out, run);
    axl__str_puts(out, "</section>\n");
    report_put_config(out, run);
    axl__str_puts(out, "<footer>Made by axl " AXL_VERSION " from training_log.jsonl.</footer>\n"
                       "</main>\n</body>\n</html>\n");
    axl__free(out->ctx, room);
}
