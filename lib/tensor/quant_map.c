/* SPDX-License-Identifier: Apache-2.0 */
/* quant_map.c - see quant_map.h.  Everything is computed in f32, as PyTorch does it, since two
 * libraries' bytes mean the same only with the same bits here. */
#include "quant_map.h"

#include "dtype.h"

#include <math.h>
#include <stdlib.h>

enum { N_STARTS = 65536 };

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The i-th of n numbers from 0.1 to 1, from whichever end is nearer, as torch.linspace. */
static float point(int i, int n)
{
    float step = (1.0f - 0.1f) / (float)(n - 1);

    return i < n / 2 ? fmaf(step, (float)i, 0.1f) : fmaf(-step, (float)(n - 1 - i), 1.0f);
}

static void make_codes(axl_quant_map *m, bool is_signed)
{
    int n = 0, n_exponents = m->bits - 1;
    float *code = m->code;

    for (int e = 0; e < n_exponents; e++) {
        int items = is_signed ? 1 << e : 2 << e;
        float unit = (float)pow(10.0, e - (n_exponents - 1));
        for (int i = 0; i < items; i++) {
            float x = unit * ((point(i, items + 1) + point(i + 1, items + 1)) / 2.0f);
            code[n++] = x;
            if (is_signed)
                code[n++] = -x;
        }
    }
    code[n++] = 0.0f;
    code[n++] = 1.0f;
    qsort(code, (size_t)n, sizeof *code, by_value);
}

/* The value in the middle of those that k stands for. */
static float value_of(int k)
{
    return -1.0f + 2.0f * (float)k / (float)(N_STARTS - 1);
}

static void round_by_start(axl_quant_map *m)
{
    int c = 0, n = 1 << m->bits;

    for (int k = 0; k < N_STARTS; k++) {
        while (c < n - 1 && 0.5f * (m->code[c] + m->code[c + 1]) < value_of(k))
            c++;
        m->start[k] = (uint8_t)c;
    }
    for (c = 0; c < n; c++)
        m->above[c] = INFINITY;
}

/* Floats in the order of their values. */
static int32_t rank_of(float x)
{
    int32_t i = (int32_t)axl__float_bits(x);

    return i < 0 ? INT32_MIN - i : i;
}

static float of_rank(int32_t i)
{
    return axl__bits_float((uint32_t)(i < 0 ? INT32_MIN - i : i));
}

/* The smallest x that is at least as near to the code above. */
static float border(float low, float high)
{
    int32_t a = rank_of(low), b = rank_of(high);

    while (a < b) {
        int32_t mid = a + (int32_t)(((int64_t)b - a) / 2);
        if (of_rank(mid) - low >= (high - low) * 0.5f)
            b = mid;
        else
            a = mid + 1;
    }
    return of_rank(a);
}

static void round_to_nearest(axl_quant_map *m)
{
    int c = 0, n = 1 << m->bits;

    for (int i = 0; i < n - 1; i++)
        m->above[i] = border(m->code[i], m->code[i + 1]);
    m->above[n - 1] = INFINITY;
    for (int k = 0; k < N_STARTS; k++) { /* no x of k is below the value of k - 1 */
        while (value_of(k - 1) >= m->above[c])
            c++;
        m->start[k] = (uint8_t)c;
    }
}

void axl__quant_map_dynamic(axl_quant_map *m, bool is_signed, axl__quant_rounding rounding)
{
    bool nearest = rounding == AXL__ROUND_TORCHAO;

    m->bits = 8;
    make_codes(m, is_signed);
    m->divides = nearest;
    m->min_scale = nearest ? 1e-12f : 0.0f;
    if (nearest)
        round_to_nearest(m);
    else
        round_by_start(m);
}

void axl__quant_map_4bit(axl_quant_map *m, bool is_signed)
{
    m->bits = 4;
    for (int i = 0; i < 16; i++) /* there is no zero */
        m->code[i] = (float)(i + 1) / 16.0f;
    if (is_signed)
        make_codes(m, true);
    m->divides = true;
    m->min_scale = 1e-12f;
    round_to_nearest(m);
}

uint8_t axl__quant_code(const axl_quant_map *m, float x)
{
    float v = x > -1.0f ? x : -1.0f; /* a NaN too */

    v = v < 1.0f ? v : 1.0f;
    uint8_t c = m->start[(uint16_t)fmaf((v + 1.0f) * 0.5f, (float)(N_STARTS - 1), 0.5f)];
    while (v >= m->above[c])
        c++;
    return c;
}
