/* SPDX-License-Identifier: Apache-2.0 */
/* run_log.c - see run_log.h.  Each record is one write, so a stop leaves whole lines. */
#include "run_log.h"

#include "base/json.h"
#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

static void read_record(const axl__json *v, axl_run_record *last)
{
    double eval_loss = axl__json_double(v, "eval_loss", NAN);

    if (!isnan(eval_loss)) {
        last->eval_loss = eval_loss;
        last->eval_perplexity = axl__json_double(v, "eval_perplexity", NAN);
        return;
    }
    last->step = (uint64_t)axl__json_int(v, "step", 0);
    last->epoch = axl__json_double(v, "epoch", 0.0);
    last->loss = axl__json_double(v, "loss", NAN);
    last->grad_norm = axl__json_double(v, "grad_norm", NAN);
    last->learning_rate = axl__json_double(v, "learning_rate", NAN);
    last->tokens_per_second = axl__json_double(v, "tokens_per_second", NAN);
}

/* The length of the leading lines whose step is at most `step`; a torn line ends them. */
static size_t read_past(axl_context *ctx, const axl__file *f, uint64_t step,
                        axl_run_record *last)
{
    axl__arena arena;
    size_t at = 0;

    axl__arena_init(&arena, ctx);
    while (at < f->size) {
        const char *line = (const char *)f->data + at;
        const char *end = memchr(line, '\n', f->size - at);
        axl__json *v;
        if (!end || axl__json_parse(&v, &arena, line, (size_t)(end - line), NULL) != AXL_OK ||
            axl__json_int(v, "step", INT64_MAX) > (int64_t)step)
            break;
        read_record(v, last);
        at += (size_t)(end - line) + 1;
        axl__arena_reset(&arena);
    }
    axl__arena_free(&arena);
    axl__error_clear();
    return at;
}

axl_status axl__run_log_begin(axl_context *ctx, const char *path, bool resume, uint64_t step,
                              axl_run_record *last)
{
    axl__file f;

    *last = (axl_run_record){ sizeof *last, 0, 0, 0.0, NAN, NAN, NAN, NAN, NAN, NAN };
    if (!resume || axl__path_kind_of(path) == AXL__PATH_NONE)
        return axl__write_file(ctx, path, "", 0);
    AXL_TRY(axl__file_open(&f, ctx, path, true));
    size_t keep = read_past(ctx, &f, step, last);
    axl__file_close(&f);
    return axl__truncate_file(path, keep);
}

static void put_number(axl__str *s, const char *key, double v)
{
    axl__str_putf(s, ", \"%s\": ", key);
    axl__str_put_double(s, v);
}

axl_status axl__run_log_append(axl_context *ctx, const char *path, const axl_run_record *r)
{
    axl__str s;

    axl__str_init(&s, ctx);
    axl__str_putf(&s, "{\"step\": %llu", (unsigned long long)r->step);
    put_number(&s, "epoch", r->epoch);
    if (isnan(r->eval_loss)) {
        put_number(&s, "loss", r->loss);
        put_number(&s, "grad_norm", r->grad_norm);
        put_number(&s, "learning_rate", r->learning_rate);
        put_number(&s, "tokens_per_second", r->tokens_per_second);
    } else {
        put_number(&s, "eval_loss", r->eval_loss);
        put_number(&s, "eval_perplexity", r->eval_perplexity);
    }
    axl__str_puts(&s, "}\n");
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        status = axl__append_file(path, s.data, s.len);
    axl__str_free(&s);
    return status;
}
