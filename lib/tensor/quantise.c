/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantise.c - see quantise.h.  Every rounding is bitsandbytes'; for the mean it asks PyTorch,
 * whose sum depends on the number of threads and is here what one thread has.
 */
#include "quantise.h"

#include <math.h>

/* By code; the two zeros of FP4 have no sign. */
static const float tables[][16] = {
    [AXL_WEIGHT_NF4] = { -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
                         -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
                         0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
                         0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
                         0.7229568362236023f, 1.0f },
    [AXL_WEIGHT_FP4] = { 0.0f, 0.0052083335f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f,
                         0.25f, 0.0f, -0.0052083335f, -0.6666667f, -1.0f, -0.33333334f, -0.5f,
                         -0.16666667f, -0.25f },
};

/* The codes in the order of their values. */
static const uint8_t orders[][16] = {
    [AXL_WEIGHT_NF4] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    [AXL_WEIGHT_FP4] = { 11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3 },
};

static const float scale_map[256] = {
    -0.99296874f,    -0.9789063f,     -0.96484375f,    -0.9507812f,
    -0.93671876f,    -0.92265624f,    -0.9085938f,     -0.89453125f,
    -0.8804687f,     -0.86640626f,    -0.85234374f,    -0.8382813f,
    -0.82421875f,    -0.8101562f,     -0.79609376f,    -0.78203124f,
    -0.7679688f,     -0.75390625f,    -0.7398437f,     -0.72578126f,
    -0.7117188f,     -0.6976563f,     -0.68359375f,    -0.6695312f,
    -0.65546876f,    -0.6414063f,     -0.6273438f,     -0.61328125f,
    -0.5992187f,     -0.58515626f,    -0.5710938f,     -0.5570313f,
    -0.54296875f,    -0.5289062f,     -0.5148437f,     -0.50078124f,
    -0.4867187f,     -0.47265625f,    -0.45859373f,    -0.44453126f,
    -0.43046874f,    -0.41640624f,    -0.40234375f,    -0.38828123f,
    -0.37421876f,    -0.36015624f,    -0.34609374f,    -0.33203125f,
    -0.31796873f,    -0.30390626f,    -0.28984374f,    -0.27578127f,
    -0.26171875f,    -0.24765624f,    -0.23359375f,    -0.21953125f,
    -0.20546874f,    -0.19140625f,    -0.17734376f,    -0.16328125f,
    -0.14921875f,    -0.13515624f,    -0.12109375f,    -0.107031256f,
    -0.09859375f,    -0.09578126f,    -0.092968754f,   -0.09015625f,
    -0.08734375f,    -0.08453125f,    -0.08171876f,    -0.07890625f,
    -0.07609375f,    -0.07328125f,    -0.070468746f,   -0.067656256f,
    -0.06484375f,    -0.06203125f,    -0.059218753f,   -0.05640625f,
    -0.05359375f,    -0.05078125f,    -0.04796875f,    -0.04515625f,
    -0.042343747f,   -0.03953125f,    -0.036718752f,   -0.03390625f,
    -0.03109375f,    -0.028281251f,   -0.02546875f,    -0.02265625f,
    -0.019843752f,   -0.01703125f,    -0.01421875f,    -0.01140625f,
    -0.00971875f,    -0.009156249f,   -0.00859375f,    -0.00803125f,
    -0.00746875f,    -0.00690625f,    -0.00634375f,    -0.00578125f,
    -0.0052187503f,  -0.0046562497f,  -0.00409375f,    -0.0035312497f,
    -0.00296875f,    -0.00240625f,    -0.00184375f,    -0.0012812499f,
    -0.0009437501f,  -0.00083125f,    -0.00071875006f, -0.0006062501f,
    -0.00049375003f, -0.00038125002f, -0.00026875004f, -0.00015625001f,
    -8.875e-05f,     -6.625e-05f,     -4.375e-05f,     -2.1249998e-05f,
    -7.75e-06f,      -3.2500002e-06f, -5.5000004e-07f, 0.0f,
    5.5000004e-07f,  3.2500002e-06f,  7.75e-06f,       2.1249998e-05f,
    4.375e-05f,      6.625e-05f,      8.875e-05f,      0.00015625001f,
    0.00026875004f,  0.00038125002f,  0.00049375003f,  0.0006062501f,
    0.00071875006f,  0.00083125f,     0.0009437501f,   0.0012812499f,
    0.00184375f,     0.00240625f,     0.00296875f,     0.0035312497f,
    0.00409375f,     0.0046562497f,   0.0052187503f,   0.00578125f,
    0.00634375f,     0.00690625f,     0.00746875f,     0.00803125f,
    0.00859375f,     0.009156249f,    0.00971875f,     0.01140625f,
    0.01421875f,     0.01703125f,     0.019843752f,    0.02265625f,
    0.02546875f,     0.028281251f,    0.03109375f,     0.03390625f,
    0.036718752f,    0.03953125f,     0.042343747f,    0.04515625f,
    0.04796875f,     0.05078125f,     0.05359375f,     0.05640625f,
    0.059218753f,    0.06203125f,     0.06484375f,     0.067656256f,
    0.070468746f,    0.07328125f,     0.07609375f,     0.07890625f,
    0.08171876f,     0.08453125f,     0.08734375f,     0.09015625f,
    0.092968754f,    0.09578126f,     0.09859375f,     0.107031256f,
    0.12109375f,     0.13515624f,     0.14921875f,     0.16328125f,
    0.17734376f,     0.19140625f,     0.20546874f,     0.21953125f,
    0.23359375f,     0.24765624f,     0.26171875f,     0.27578127f,
    0.28984374f,     0.30390626f,     0.31796873f,     0.33203125f,
    0.34609374f,     0.36015624f,     0.37421876f,     0.38828123f,
    0.40234375f,     0.41640624f,     0.43046874f,     0.44453126f,
    0.45859373f,     0.47265625f,     0.4867187f,      0.50078124f,
    0.5148437f,      0.5289062f,      0.54296875f,     0.5570313f,
    0.5710938f,      0.58515626f,     0.5992187f,      0.61328125f,
    0.6273438f,      0.6414063f,      0.65546876f,     0.6695312f,
    0.68359375f,     0.6976563f,      0.7117188f,      0.72578126f,
    0.7398437f,      0.75390625f,     0.7679688f,      0.78203124f,
    0.79609376f,     0.8101562f,      0.82421875f,     0.8382813f,
    0.85234374f,     0.86640626f,     0.8804687f,      0.89453125f,
    0.9085938f,      0.92265624f,     0.93671876f,     0.9507812f,
    0.96484375f,     0.9789063f,      0.99296874f,     1.0f,
};

enum { N_SCALE_CODES = 256, N_STARTS = 65536, CHUNK = 64, LANES = 8, CHAINS = 4, LEVELS = 4 };

/* A short last block has no smaller absmax. */
static const float least_absmax = 1e-38f;

const float *axl__quant_table(axl_weight_kind kind)
{
    return tables[kind];
}

const float *axl__quant_scale_map(void)
{
    return scale_map;
}

static void load(float *out, const void *x, axl_dtype dtype, int64_t first, int64_t n)
{
    const uint16_t *half = (const uint16_t *)x + first;

    if (dtype == AXL_BF16)
        for (int64_t i = 0; i < n; i++)
            out[i] = axl__bf16_to_f32(half[i]);
    else
        axl__convert(out, AXL_F32, dtype == AXL_F16 ? (const void *)half : (const float *)x + first,
                     dtype, n);
}

/* Their bits are in the order of magnitudes, a NaN behind infinity. */
static float largest_magnitude(float so_far, const float *x, int64_t n)
{
    uint32_t largest = axl__float_bits(so_far);

    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = axl__float_bits(x[i]) & 0x7FFFFFFF;
        largest = bits > largest ? bits : largest;
    }
    return axl__bits_float(largest);
}

/* ---- 4 bits ---- */

/* How many of the 15 rising borders are below x, all of them where x is a NaN: what is exactly
 * between two codes becomes the lower. */
static int borders_below(const float *border, float x)
{
    int n = !(x <= border[7]) * 8;

    n += !(x <= border[n + 3]) * 4;
    n += !(x <= border[n + 1]) * 2;
    return n + !(x <= border[n]);
}

static void nearest_codes(uint8_t *codes, const float *x, axl_weight_kind kind)
{
    const float *table = tables[kind];
    const uint8_t *order = orders[kind];
    float border[15];

    for (int k = 0; k < 15; k++)
        border[k] = (table[order[k]] + table[order[k + 1]]) / 2.0f;
    for (int i = 0; i < CHUNK / 2; i++)
        codes[i] = (uint8_t)(order[borders_below(border, x[2 * i])] << 4 |
                             order[borders_below(border, x[2 * i + 1])]);
}

static int64_t chunk_size(int64_t first, int64_t end)
{
    return end - first < CHUNK ? end - first : CHUNK;
}

static float block_magnitude(const void *x, axl_dtype dtype, int64_t first, int64_t end)
{
    float values[CHUNK], largest = 0.0f;

    for (int64_t i = first; i < end; i += CHUNK) {
        load(values, x, dtype, i, chunk_size(i, end));
        largest = largest_magnitude(largest, values, chunk_size(i, end));
    }
    return largest;
}

/* Values [first, end) of a block, times 1 / divisor or, in a short block, divided by it. */
static void quantise_block(uint8_t *codes, axl_weight_kind kind, const void *x, axl_dtype dtype,
                           int64_t first, int64_t end, float divisor, bool whole)
{
    float inverse = 1.0f / divisor;

    for (int64_t at = first; at < end; at += CHUNK) {
        int64_t n = chunk_size(at, end);
        float v[CHUNK] = { 0.0f };
        uint8_t full[CHUNK / 2];

        load(v, x, dtype, at, n);
        for (int i = 0; i < CHUNK; i++) {
            v[i] = whole ? v[i] * inverse : v[i] / divisor;
            v[i] = v[i] < -1.0f ? -1.0f : v[i];
            v[i] = v[i] > 1.0f ? 1.0f : v[i];
        }
        nearest_codes(full, v, kind);
        memcpy(codes + at / 2, full, (size_t)((n + 1) / 2));
    }
}

void axl__quantise_4bit(axl_weight_kind kind, uint8_t *codes, float *absmax, const void *x,
                        axl_dtype dtype, int64_t n, int64_t block)
{
    for (int64_t first = 0; first < n; first += block) {
        bool whole = n - first >= block;
        int64_t end = whole ? first + block : n;
        float largest = block_magnitude(x, dtype, first, end);
        float divisor = largest < least_absmax ? least_absmax : largest;

        absmax[first / block] = whole ? largest : divisor;
        quantise_block(codes, kind, x, dtype, first, end, divisor, whole);
    }
}

/* ---- their scales ---- */

static void add_lanes(float *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += from[i];
}

/* What `groups` groups of `width` chains add up to, each chain summed in four levels. */
static void sum_chains(float *sums, const float *x, int64_t groups, int64_t width)
{
    float level[LEVELS][LANES * CHAINS] = { { 0.0f } };
    int64_t log = 0;

    while (INT64_C(1) << log < groups)
        log++;
    int64_t power = log / LEVELS > 4 ? log / LEVELS : 4;
    for (int64_t i = 0; i < groups; i++) {
        add_lanes(level[0], x + i * width, width);
        for (int j = 1; j < LEVELS && ((i + 1) & ((INT64_C(1) << j * power) - 1)) == 0; j++) {
            add_lanes(level[j], level[j - 1], width);
            memset(level[j - 1], 0, sizeof level[0]);
        }
    }
    for (int j = 1; j < LEVELS; j++)
        add_lanes(level[0], level[j], width);
    memcpy(sums, level[0], sizeof level[0]);
}

/* As PyTorch's sum of f32. */
static float sum_in_order(const float *x, int64_t n)
{
    int64_t lanes = n < LANES ? 1 : LANES, vectors = n / lanes, groups = vectors / CHAINS;
    float sums[LANES * CHAINS], rest = 0.0f;

    sum_chains(sums, x, groups, lanes * CHAINS);
    for (int64_t i = groups * CHAINS; i < vectors; i++)
        add_lanes(sums, x + i * lanes, lanes);
    for (int c = 1; c < CHAINS; c++)
        add_lanes(sums, sums + c * lanes, lanes);
    for (int64_t i = vectors * lanes; i < n; i++)
        rest += x[i];
    for (int64_t i = 0; i < lanes; i++)
        rest += sums[i];
    return rest;
}

/* As axl__quant_code with AXL__ROUND_BITSANDBYTES, without its table of 65,536 bytes. */
static uint8_t scale_code(float x)
{
    float v = x > -1.0f ? x : -1.0f;
    int low = 0, high = N_SCALE_CODES - 1;

    v = v < 1.0f ? v : 1.0f;
    float start = (float)(uint16_t)fmaf((v + 1.0f) * 0.5f, (float)(N_STARTS - 1), 0.5f);
    v = -1.0f + 2.0f * start / (float)(N_STARTS - 1);
    while (low < high) {
        int mid = (low + high) / 2;
        if (0.5f * (scale_map[mid] + scale_map[mid + 1]) < v)
            low = mid + 1;
        else
            high = mid;
    }
    return (uint8_t)low;
}

void axl__quantise_scales(uint8_t *codes, float *scales, float *offset, const float *absmax,
                          int64_t n, int64_t scale_block)
{
    float mean = sum_in_order(absmax, n) / (float)n;

    *offset = mean;
    for (int64_t first = 0; first < n; first += scale_block) {
        int64_t end = n - first < scale_block ? n : first + scale_block;
        float largest = 0.0f;

        for (int64_t i = first; i < end; i++)
            largest = fmaxf(largest, fabsf(absmax[i] - mean));
        scales[first / scale_block] = largest;
        for (int64_t i = first; i < end; i++)
            codes[i] = largest == 0.0f ? 0 : scale_code((absmax[i] - mean) * (1.0f / largest));
    }
}

/* ---- 8 bits ---- */

/* Int8Params casts a weight to f16 first.  Where f16 has neither subnormal nor infinite values that
 * takes off bits alone. */
static float as_f16(float x)
{
    uint32_t u = axl__float_bits(x), a = u & 0x7FFFFFFF;

    if (a >= 0x38800000 && a < 0x477FE000)
        return axl__bits_float((u + 0xFFF + (u >> 13 & 1)) & 0xFFFFE000);
    return axl__f16_to_f32(axl__f32_to_f16(x));
}

static void load_f16(float *out, const void *x, axl_dtype dtype, int64_t first, int64_t n)
{
    load(out, x, dtype, first, n);
    for (int64_t i = 0; i < n; i++)
        out[i] = as_f16(out[i]);
}

/* To nearest even, of |x| < 128.  A row of zeros, of an infinity or a NaN has codes 0. */
static int8_t rounded(float x)
{
    const float magic = 12582912.0f;

    return x != x ? 0 : (int8_t)((x + magic) - magic);
}

static void quantise_row(int8_t *codes, float *scale, const void *x, axl_dtype dtype, int64_t first,
                         int64_t n)
{
    float values[CHUNK], largest = 0.0f;

    for (int64_t i = 0; i < n; i += CHUNK) {
        load_f16(values, x, dtype, first + i, chunk_size(i, n));
        largest = largest_magnitude(largest, values, chunk_size(i, n));
    }
    *scale = largest;
    float factor = 1.0f / largest * 127.0f;
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t size = chunk_size(i, n);
        load_f16(values, x, dtype, first + i, size);
        for (int64_t l = 0; l < size; l++)
            codes[i + l] = rounded(values[l] * factor);
    }
}

void axl__quantise_int8(int8_t *codes, float *scales, const void *x, axl_dtype dtype, int64_t rows,
                        int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        quantise_row(codes + r * cols, scales + r, x, dtype, r * cols, cols);
}

/* ---- back ---- */

static float absmax_of(const axl_quantised *q, int64_t b)
{
    if (!q->scale_codes)
        return q->scales[b];
    return q->scale_map[q->scale_codes[b]] * q->scales[b / q->scale_block] + q->offset;
}

static float round_to(float v, axl_dtype dtype)
{
    if (dtype == AXL_F32)
        return v;
    return dtype == AXL_BF16 ? axl__bf16_to_f32(axl__f32_to_bf16(v))
                             : axl__f16_to_f32(axl__f32_to_f16(v));
}

/* Elements [first, end) of one block. */
static void dequantise_block(float *out, const axl_weight *w, int64_t first, int64_t end)
{
    const uint8_t *codes = w->quant.codes;
    const float *table = tables[w->kind];
    float absmax = absmax_of(&w->quant, first / w->quant.block);

    for (int64_t e = first; e < end; e++) {
        unsigned code = (unsigned)codes[e / 2] >> (e % 2 ? 0 : 4) & 15;
        out[e - first] = round_to(table[code] * absmax, w->mat.dtype);
    }
}

static void dequantise_row(float *out, const axl_weight *w, int64_t first, int64_t end)
{
    const int8_t *codes = w->quant.codes;
    float factor = w->quant.scales[first / w->mat.cols] * (1.0f / 127.0f);

    for (int64_t e = first; e < end; e++)
        out[e - first] = round_to((float)codes[e] * factor, w->mat.dtype);
}

void axl__dequantise(float *out, const axl_weight *w, int64_t first, int64_t n)
{
    bool rows = w->kind == AXL_WEIGHT_INT8;
    int64_t step = rows ? w->mat.cols : w->quant.block, end = first + n;

    for (int64_t e = first, stop; e < end; e = stop) {
        stop = (e / step + 1) * step < end ? (e / step + 1) * step : end;
        (rows ? dequantise_row : dequantise_block)(out + (e - first), w, e, stop);
    }
}
