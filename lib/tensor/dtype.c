/* SPDX-License-Identifier: Apache-2.0 */
/* dtype.c - conversions that are not worth inlining. */
#include "dtype.h"

#include <assert.h>
#include <math.h>

const char *axl__dtype_name(axl_dtype t)
{
    static const char *const names[] = { "f32", "bf16", "f16", "i32" };

    return names[t];
}

float axl__f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 0x1F, m = h & 0x3FF;

    if (e == 31)
        return axl__bits_float(sign | 0x7F800000 | m << 13);
    if (e == 0) {
        float v = ldexpf((float)m, -24);
        return sign ? -v : v;
    }
    return axl__bits_float(sign | (e + 112) << 23 | m << 13);
}

uint16_t axl__f32_to_f16(float f)
{
    uint32_t u = axl__float_bits(f), a = u & 0x7FFFFFFF;
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);

    if (a > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (a >> 13 & 0x3FF));
    if (a >= 0x477FF000) /* 65520, half way to what would come after the largest */
        return sign | 0x7C00;
    if (a < 0x38800000) /* subnormal: beside 0.5 the last bit of an f32 is 2^-24 */
        return (uint16_t)(sign | (axl__float_bits(axl__bits_float(a) + 0.5F) - 0x3F000000));
    return (uint16_t)(sign | (a - 0x38000000 + 0xFFF + (a >> 13 & 1)) >> 13);
}

static float load(const void *src, axl_dtype t, int64_t i)
{
    if (t == AXL_F32)
        return ((const float *)src)[i];
    uint16_t h = ((const uint16_t *)src)[i];
    return t == AXL_BF16 ? axl__bf16_to_f32(h) : axl__f16_to_f32(h);
}

void axl__convert(void *dst, axl_dtype dt, const void *src, axl_dtype st, int64_t n)
{
    assert(dt != AXL_I32 && st != AXL_I32);
    if (dt == st) {
        memcpy(dst, src, (size_t)n * axl__dtype_size(dt));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float f = load(src, st, i);
        if (dt == AXL_F32)
            ((float *)dst)[i] = f;
        else
            ((uint16_t *)dst)[i] = dt == AXL_BF16 ? axl__f32_to_bf16(f) : axl__f32_to_f16(f);
    }
}
