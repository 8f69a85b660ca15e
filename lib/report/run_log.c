/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_log.c - see run_log.h.
 *
 * The file is the run's memory of its own numbers: the report and the card are made from it, and a
 * run that goes on cuts it to where it goes on from.  So reading ends, without an error, at the
 * first line that is torn or no object.
 */
#include "run_log.h"

#include "base/json.h"
#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

axl_run_record axl__record_blank(axl_run_event event)
{
    axl_run_record r = { .size = sizeof r, .event = event };
    double *const numbers[] = { &r.epoch,
                                &r.loss,
                                &r.grad_norm,
                                &r.learning_rate,
                                &r.tokens_per_second,
                                &r.eval_loss,
                                &r.eval_perplexity,
                                &r.eval_seconds,
                                &r.seconds,
                                &r.eta_seconds };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = NAN;
    return r;
}

/* ---- reading ---- */

/* The log is read by its keys, so that lines of a newer axl, with more of them, are understood. */
static axl_run_record run_log_record_of(const axl__json *v)
{
    axl_run_record r =
        axl__record_blank(axl__json_get(v, "eval_loss") ? AXL_RUN_EVALUATION : AXL_RUN_STEP);

    r.step = (uint64_t)axl__json_int(v, "step", 0);
    r.epoch = axl__json_double(v, "epoch", NAN);
    r.loss = axl__json_double(v, "loss", NAN);
    r.grad_norm = axl__json_double(v, "grad_norm", NAN);
    r.learning_rate = axl__json_double(v, "learning_rate", NAN);
    r.tokens_per_second = axl__json_double(v, "tokens_per_second", NAN);
    r.n_tokens = (uint64_t)axl__json_int(v, "tokens", 0);
    r.n_trained = (uint64_t)axl__json_int(v, "trained_tokens", 0);
    r.n_skipped = (uint64_t)axl__json_int(v, "skipped_steps", 0);
    r.eval_loss = axl__json_double(v, "eval_loss", NAN);
    r.eval_perplexity = axl__json_double(v, "eval_perplexity", NAN);
    return r;
}

/* The line at f->data[*at], leaving *at behind it.  AXL_END at the end and where a line is torn or
 * no object, which ends a log. */
static axl_status run_log_next_line(const axl__file *f, axl__arena *arena, size_t *at,
                                    const axl__json **out)
{
    const char *line = (const char *)f->data + *at;
    const char *end = memchr(line, '\n', f->size - *at);
    axl__json *v;

    axl__arena_reset(arena);
    if (!end)
        return AXL_END;
    axl_status status = axl__json_parse(&v, arena, line, (size_t)(end - line), NULL);
    if (status == AXL_ERR_NOMEM)
        return status;
    if (status != AXL_OK || v->type != AXL__JSON_OBJECT) {
        axl__error_clear();
        return AXL_END;
    }
    *at += (size_t)(end - line) + 1;
    *out = v;
    return AXL_OK;
}

static size_t run_log_count_lines(const axl__file *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->size; i++)
        n += f->data[i] == '\n';
    return n;
}

/* Stops at the first torn line, as a killed process may leave one. */
axl_status axl__run_log_read(axl__run_history *out, axl_context *ctx, const char *path)
{
    axl__file f;
    axl__arena arena;
    const axl__json *v;
    size_t at = 0;

    *out = (axl__run_history){ ctx, NULL, 0 };
    AXL_TRY(axl__file_open(&f, ctx, path, true));
    axl__arena_init(&arena, ctx);
    size_t lines = run_log_count_lines(&f);
    out->records = axl__alloc(ctx, lines * sizeof *out->records);
    axl_status status = out->records ? AXL_OK : axl__fail_nomem();
    while (status == AXL_OK && (status = run_log_next_line(&f, &arena, &at, &v)) == AXL_OK)
        out->records[out->n++] = run_log_record_of(v);
    axl__arena_free(&arena);
    axl__file_close(&f);
    return status < 0 ? status : AXL_OK;
}

void axl__run_history_free(axl__run_history *h)
{
    if (h->ctx)
        axl__free(h->ctx, h->records);
    *h = (axl__run_history){ NULL, NULL, 0 };
}

const axl_run_record *axl__run_last(const axl__run_history *h, axl_run_event event)
{
    for (size_t i = h->n; i-- > 0;)
        if (h->records[i].event == (uint32_t)event)
            return &h->records[i];
    return NULL;
}

size_t axl__run_count(const axl__run_history *h, axl_run_event event)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++)
        n += h->records[i].event == (uint32_t)event;
    return n;
}

/* ---- writing ---- */

/* Evaluations and steps end at different places: a step may be done and its evaluation not. */
static bool run_log_is_kept(const axl__json *line, const axl__log_end *end)
{
    bool evaluation = axl__json_get(line, "eval_loss") != NULL;
    int64_t last = (int64_t)(evaluation ? end->evaluated : end->step); /* -1: none */

    return axl__json_int(line, "step", INT64_MAX) <= last;
}

/* The length of the leading lines up to there. */
static axl_status run_log_kept_length(axl_context *ctx, const axl__file *f, const axl__log_end *end,
                                      size_t *keep)
{
    axl__arena arena;
    const axl__json *v;
    size_t at = 0;
    axl_status status;

    *keep = 0;
    axl__arena_init(&arena, ctx);
    while ((status = run_log_next_line(f, &arena, &at, &v)) == AXL_OK && run_log_is_kept(v, end))
        *keep = at;
    axl__arena_free(&arena);
    return status < 0 ? status : AXL_OK;
}

/* Written anew and renamed, also to cut: a reader sees the old log or the new one. */
axl_status axl__run_log_begin(axl_context *ctx, const char *path, const axl__log_end *kept)
{
    axl__file f;
    size_t keep;

    if (!kept || axl__path_kind_of(path) == AXL__PATH_NONE)
        return axl__write_file(ctx, path, "", 0);
    AXL_TRY(axl__file_open(&f, ctx, path, true));
    axl_status status = run_log_kept_length(ctx, &f, kept, &keep);
    if (status == AXL_OK)
        status = axl__write_file(ctx, path, f.data, keep);
    axl__file_close(&f);
    return status;
}

/* JSON has no word for what is not finite. */
static void run_log_put_number(axl__str *s, const char *key, double v)
{
    axl__str_putf(s, ", \"%s\": ", key);
    if (isfinite(v))
        axl__str_put_double(s, v);
    else
        axl__str_puts(s, "null");
}

static void run_log_put_count(axl__str *s, const char *key, uint64_t v)
{
    axl__str_putf(s, ", \"%s\": %llu", key, (unsigned long long)v);
}

/* One write, so that a stop leaves whole lines. */
axl_status axl__run_log_append(axl_context *ctx, const char *path, const axl_run_record *r)
{
    axl__str s;

    if (r->event != AXL_RUN_STEP && r->event != AXL_RUN_EVALUATION)
        return AXL_OK;
    axl__str_init(&s, ctx);
    axl__str_putf(&s, "{\"step\": %llu", (unsigned long long)r->step);
    run_log_put_number(&s, "epoch", r->epoch);
    if (r->event == AXL_RUN_STEP) {
        run_log_put_number(&s, "loss", r->loss);
        run_log_put_number(&s, "grad_norm", r->grad_norm);
        run_log_put_number(&s, "learning_rate", r->learning_rate);
        run_log_put_count(&s, "tokens", r->n_tokens);
        run_log_put_count(&s, "trained_tokens", r->n_trained);
        if (r->n_skipped > 0)
            run_log_put_count(&s, "skipped_steps", r->n_skipped);
        run_log_put_number(&s, "tokens_per_second", r->tokens_per_second);
    } else {
        run_log_put_number(&s, "eval_loss", r->eval_loss);
        run_log_put_number(&s, "eval_perplexity", r->eval_perplexity);
    }
    axl__str_puts(&s, "}\n");
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        status = axl__append_file(path, s.data, s.len);
    axl__str_free(&s);
    return status;
}
