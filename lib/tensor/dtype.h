/* SPDX-License-Identifier: Apache-2.0 */
/* dtype.h - element types, and bf16/f16 by bits. */
#ifndef AXL_TENSOR_DTYPE_H
#define AXL_TENSOR_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum axl_dtype { AXL_F32 = 0, AXL_BF16 = 1, AXL_F16 = 2, AXL_I32 = 3 } axl_dtype;

/* Bytes of an element; 0 of what is no type. */
static inline size_t axl__dtype_size(axl_dtype t)
{
    if (t == AXL_F32 || t == AXL_I32)
        return 4;
    return t == AXL_BF16 || t == AXL_F16 ? 2 : 0;
}

const char *axl__dtype_name(axl_dtype t); /* "f32", … */

static inline float axl__bits_float(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t axl__float_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float axl__bf16_to_f32(uint16_t b)
{
    return axl__bits_float((uint32_t)b << 16);
}

/* Round to nearest, ties to even; a NaN stays a (quiet) NaN.  As PyTorch and vcvtneps2bf16 do, but
 * subnormals are kept where the instruction flushes them. */
static inline uint16_t axl__f32_to_bf16(float f)
{
    uint32_t u = axl__float_bits(f);

    if ((u & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

float axl__f16_to_f32(uint16_t h);
/* Round to nearest, ties to even; what is too large becomes infinite, a NaN stays a quiet NaN. */
uint16_t axl__f32_to_f16(float f);

/* dst[i] = src[i] with rounding; the types may be equal.  No I32. */
void axl__convert(void *dst, axl_dtype dst_type, const void *src, axl_dtype src_type, int64_t n);

#endif
