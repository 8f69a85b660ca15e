/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored_values.c - a tensor's values as files have them, whatever their type: FP8 with a scale for
 * each block of rows and columns (DeepSeek-V3's report, 2024, section 3.3) is widened in f32 and
 * rounded once, as transformers does with dequantize: true.
 */
#include "load_priv.h"

#include "base/str.h"

#include <math.h>
#include <string.h>

const char axl__fp8_name[] = "F8_E4M3";

/* A sign, four bits of exponent around 7, three of fraction; all ones is no number. */
static float e4m3_value(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 0x80) << 24, exponent = b >> 3 & 15, fraction = b & 7;

    if ((b & 0x7F) == 0x7F)
        return axl__bits_float(sign | 0x7FC00000);
    if (exponent == 0)
        return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-9f;
    return axl__bits_float(sign | (exponent + 120) << 23 | fraction << 20);
}

static bool is_fp8(const axl__stored *s)
{
    return s->t->dtype < 0 && strcmp(s->t->dtype_name, axl__fp8_name) == 0;
}

static axl_status read_scales(axl__stored *s, const axl_model *m, axl__stored scales)
{
    const axl__st_tensor *t = s->t, *g = scales.t;
    uint64_t n = g->n_dims == 2 ? g->dims[0] * g->dims[1] : 0;

    if (t->n_dims != 2 || n == 0 || g->dtype < 0 || t->dims[0] % g->dims[0] != 0 ||
        t->dims[1] % g->dims[1] != 0)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" has no scale for each block of \"%s\"",
                         scales.in->file.path, g->name, t->name);
    s->cols = (int64_t)t->dims[1];
    s->block_rows = (int64_t)(t->dims[0] / g->dims[0]);
    s->block_cols = (int64_t)(t->dims[1] / g->dims[1]);
    void *raw = axl__alloc_aligned(m->ctx, g->size);
    s->scales = axl__alloc_aligned(m->ctx, (size_t)n * sizeof *s->scales);
    axl_status status =
        raw && s->scales ? axl__safetensors_read(scales.in, g, raw) : axl__fail_nomem();
    if (status == AXL_OK)
        axl__convert(s->scales, AXL_F32, raw, (axl_dtype)g->dtype, (int64_t)n);
    axl__free_aligned(m->ctx, raw);
    return status;
}

axl_status axl__stored_open(axl__stored *s, const axl_model *m)
{
    axl__stored scales;

    if (!is_fp8(s) || m->device.counts_only)
        return AXL_OK;
    char *name = axl__format(m->ctx, "%s_scale_inv", s->t->name);
    if (!name)
        return axl__fail_nomem();
    axl_status status = axl__load_find(m, name, &scales)
                            ? read_scales(s, m, scales)
                            : axl__fail(AXL_ERR_FORMAT,
                                        "%s: \"%s\", the scales of a tensor of "
                                        "FP8, is missing",
                                        s->in->file.path, name);
    axl__free(m->ctx, name);
    return status;
}

void axl__stored_close(axl__stored *s, axl_context *ctx)
{
    axl__free_aligned(ctx, s->scales);
    s->scales = NULL;
}

size_t axl__stored_size(const axl__stored *s)
{
    return is_fp8(s) ? 1 : axl__dtype_size((axl_dtype)s->t->dtype);
}

/* Elements of one row within a block. */
static void convert_run(const axl__stored *s, void *out, axl_dtype dtype, const uint8_t *raw,
                        int64_t first, int64_t n)
{
    int64_t row = first / s->cols, col = first % s->cols;
    float scale = s->scales[row / s->block_rows * (s->cols / s->block_cols) + col / s->block_cols];

    for (int64_t i = 0; i < n; i++) {
        float v = e4m3_value(raw[i]) * scale;
        axl__convert((char *)out + (size_t)i * axl__dtype_size(dtype), dtype, &v, AXL_F32, 1);
    }
}

void axl__stored_convert(const axl__stored *s, void *out, axl_dtype dtype, const void *raw,
                         int64_t first, int64_t n)
{
    if (!is_fp8(s)) {
        axl__convert(out, dtype, raw, (axl_dtype)s->t->dtype, n);
        return;
    }
    for (int64_t i = 0, step; i < n; i += step) {
        int64_t left = s->block_cols - (first + i) % s->cols % s->block_cols;
        step = n - i < left ? n - i : left;
        convert_run(s, (char *)out + (size_t)i * axl__dtype_size(dtype), dtype,
                    (const uint8_t *)raw + i, first + i, step);
    }
}
