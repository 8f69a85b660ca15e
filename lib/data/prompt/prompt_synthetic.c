/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_synthetic.c - made-up samples of random ids, all of them trained, for measuring.  There
 * are no records; make gives all samples at once, in the order in which NumPy's
 * default_rng(seed).integers() draws them.
 */
#include "data/prompt/prompt.h"

#include "base/num.h"
#include "base/pcg64.h"
#include "text/tokenizer.h"

#include <string.h>

enum { TOKENS_MAX = 1 << 30 }; /* of all samples: they are one draft */

typedef struct {
    int64_t length, sequence_length, min_input_id, max_input_id, seed;
} synthetic;

/* key may be unset; the schema has seen to it that it is a whole number. */
static int64_t read_setting(const axl__prompt *p, const char *key, int64_t otherwise)
{
    const char *text = axl__prompt_setting(p, key, NULL);
    int64_t value;

    return text && axl__parse_int(text, strlen(text), &value) ? value : otherwise;
}

static axl_status check_settings(const synthetic *s)
{
    if (s->length < 1 || s->sequence_length < 1)
        return axl__fail(AXL_ERR_INVALID, "length and sequence_length must be at least 1");
    if (s->length > TOKENS_MAX / s->sequence_length)
        return axl__fail(AXL_ERR_INVALID, "length times sequence_length must be at most %d",
                         TOKENS_MAX);
    if (s->min_input_id < 0 || s->max_input_id > INT32_MAX || s->min_input_id >= s->max_input_id)
        return axl__fail(AXL_ERR_INVALID,
                         "min_input_id must be from 0 to below max_input_id, which is %lld",
                         (long long)s->max_input_id);
    if (s->seed < 0)
        return axl__fail(AXL_ERR_INVALID, "seed must be at least 0");
    return AXL_OK;
}

/* Without a tokenizer nothing will be made. */
static axl_status synthetic_open(axl__prompt *p)
{
    synthetic s = { .length = read_setting(p, "length", 1000),
                    .sequence_length = read_setting(p, "sequence_length", p->setup.sequence_len),
                    .min_input_id = read_setting(p, "min_input_id", 100),
                    .seed = read_setting(p, "seed", 0) };

    if (!p->setup.tok)
        return AXL_OK;
    s.max_input_id =
        read_setting(p, "max_input_id", (int64_t)axl__tokenizer_model_size(p->setup.tok));
    AXL_TRY(check_settings(&s));
    synthetic *made = axl__alloc(p->setup.ctx, sizeof *made);
    if (!made)
        return axl__fail_nomem();
    *made = s;
    p->form = made;
    return AXL_OK;
}

static void synthetic_close(axl__prompt *p)
{
    axl__free(p->setup.ctx, (void *)(uintptr_t)p->form);
}

/* In [0, n), by Lemire's multiplication ("Fast Random Integer Generation in an Interval", 2019),
 * which NumPy's integers() uses. */
static uint32_t draw_below(axl__pcg64 *r, uint32_t n)
{
    uint64_t product = (uint64_t)axl__pcg64_draw(r) * n;

    if ((uint32_t)product < n)
        for (uint32_t least = -n % n; (uint32_t)product < least;)
            product = (uint64_t)axl__pcg64_draw(r) * n;
    return (uint32_t)(product >> 32);
}

static axl_status synthetic_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const synthetic *s = p->form;
    uint32_t n = (uint32_t)(s->max_input_id - s->min_input_id);
    axl__pcg64 rng;

    (void)record;
    axl__pcg64_seed(&rng, (uint64_t)s->seed);
    AXL_TRY(axl__draft_reserve(out, (size_t)(s->length * s->sequence_length)));
    for (int64_t i = 0; i < s->length; i++) {
        for (int64_t t = 0; t < s->sequence_length; t++, out->n++) {
            uint32_t drawn = n > 1 ? draw_below(&rng, n) : 0;
            out->ids[out->n] = out->labels[out->n] = (int32_t)(s->min_input_id + drawn);
        }
        AXL_TRY(axl__draft_emit(out, out->n));
    }
    return AXL_OK;
}

const axl__prompt_method axl__prompt_synthetic = {
    .name = "synthetic",
    .open = synthetic_open,
    .close = synthetic_close,
    .make = synthetic_make,
};
