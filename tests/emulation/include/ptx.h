/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptx.h - the functions of kernels/cuda/ptx/ptx.h in C++: what each lane of a warp has, by the
 * layouts of the PTX ISA's manual.
 */
#ifndef AXL_EMULATED_PTX_H
#define AXL_EMULATED_PTX_H

#include <cuda_runtime.h>

extern "C" {
#include "tensor/dtype.h"
}

#define UNROLL

/* What is seen of accesses that no load or store of the code makes. */
void emulated_copy(void *shared, const void *global, size_t size, bool there, const void *at);
void emulated_copies_commit(void);
void emulated_copies_wait(int left);
void emulated_mma(float d[4], const uint32_t a[4], const uint32_t b[2]);
void emulated_load_matrices(uint32_t out[4], const void *row, bool transposed, const void *at);

/* ---- memory ---- */

static inline uint4 ptx_load16(const void *p)
{
    emulated_v4 v = *(const emulated_v4 *)p;

    return uint4{ v[0], v[1], v[2], v[3] };
}
static inline uint2 ptx_load8(const void *p)
{
    emulated_v2 v = *(const emulated_v2 *)p;

    return uint2{ v[0], v[1] };
}
static inline void ptx_store16(void *p, uint4 v)
{
    *(emulated_v4 *)p = emulated_v4{ v.x, v.y, v.z, v.w };
}
static inline void ptx_store8(void *p, uint2 v)
{
    *(emulated_v2 *)p = emulated_v2{ v.x, v.y };
}

/* ---- bf16 ---- */

static inline uint16_t ptx_f32_to_bf16(float x)
{
    uint32_t u = __float_as_uint(x);

    if ((u & 0x7FFFFFFF) > 0x7F800000)
        return 0x7FFF;
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}
static inline uint32_t ptx_bf16_pair(float lo, float hi)
{
    return (uint32_t)ptx_f32_to_bf16(hi) << 16 | ptx_f32_to_bf16(lo);
}

static inline float ptx_rounded_to_f16(float x)
{
    return axl__f16_to_f32(axl__f32_to_f16(x));
}

/* ---- tensor cores ---- */

static inline void ptx_mma_16816(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    emulated_mma(d, a, b);
}
__attribute__((noinline, unused)) static void ptx_load_matrices(uint32_t out[4], const void *row)
{
    emulated_load_matrices(out, row, false, __builtin_return_address(0));
}
__attribute__((noinline, unused)) static void ptx_load_matrices_transposed(uint32_t out[4],
                                                                           const void *row)
{
    emulated_load_matrices(out, row, true, __builtin_return_address(0));
}

/* ---- copies ---- */

__attribute__((noinline, unused)) static void ptx_copy16(void *shared, const void *global,
                                                         bool there)
{
    emulated_copy(shared, global, 16, there, __builtin_return_address(0));
}
__attribute__((noinline, unused)) static void ptx_copy4(void *shared, const void *global,
                                                        bool there)
{
    emulated_copy(shared, global, 4, there, __builtin_return_address(0));
}
static inline void ptx_copies_commit(void)
{
    emulated_copies_commit();
}
template <int left> void ptx_copies_wait(void)
{
    emulated_copies_wait(left);
}

/* ---- numbers ---- */

static inline float ptx_exp2(float x)
{
    float y = exp2f(x);

    return fabsf(y) < 0x1p-126f ? 0.0f : y;
}
static inline float ptx_reciprocal(float x)
{
    return 1.0f / x;
}

#endif
