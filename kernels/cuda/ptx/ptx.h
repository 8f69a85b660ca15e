/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptx.h - instructions that CUDA C++ has no portable word for (NVIDIA, "Parallel Thread Execution
 * ISA").  tests/emulation/include has the same functions in C++.
 */
#ifndef AXL_KERNELS_CUDA_PTX_H
#define AXL_KERNELS_CUDA_PTX_H

#include <cuda_runtime.h>

/* Before a loop of constant length whose arrays are registers. */
#define UNROLL _Pragma("unroll")

/* ---- memory ---- */

__device__ __forceinline__ uint4 ptx_load16(const void *p)
{
    return *(const uint4 *)p;
}
__device__ __forceinline__ uint2 ptx_load8(const void *p)
{
    return *(const uint2 *)p;
}
__device__ __forceinline__ void ptx_store16(void *p, uint4 v)
{
    *(uint4 *)p = v;
}
__device__ __forceinline__ void ptx_store8(void *p, uint2 v)
{
    *(uint2 *)p = v;
}

/* ---- bf16 ---- */

/* To the nearest, ties to even. */
__device__ __forceinline__ uint16_t ptx_f32_to_bf16(float x)
{
    uint16_t b;

    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(b) : "f"(x));
    return b;
}
/* lo in the lower half. */
__device__ __forceinline__ uint32_t ptx_bf16_pair(float lo, float hi)
{
    uint32_t pair;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(hi), "f"(lo));
    return pair;
}

/* x rounded to f16: to the nearest, ties to even. */
__device__ __forceinline__ float ptx_rounded_to_f16(float x)
{
    uint16_t h;
    float y;

    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(h));
    return y;
}

/* ---- tensor cores ---- */

/* d += a b, of the warp's 16 x 16 by 16 x 8 matrices of bf16, sums in f32.  Where lane l has
 * g = l / 4 and i = l % 4, pairs of columns are the halves of a register:
 *   a[0] (g, 2i), a[1] (g+8, 2i), a[2] (g, 2i+8), a[3] (g+8, 2i+8)
 *   b[0] (2i.., g), b[1] (2i+8.., g)
 *   d[0], d[1] (g, 2i..), d[2], d[3] (g+8, 2i..) */
__device__ __forceinline__ void ptx_mma_16816(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Four 8 x 8 matrices of 16-bit elements from shared memory: lane l gives the address of row l % 8
 * of matrix l / 8 (16 bytes, aligned), and gets of matrix m the pair at row l / 4, columns
 * 2 (l % 4).. in out[m]. */
__device__ __forceinline__ void ptx_load_matrices(uint32_t out[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}
/* The same with each matrix transposed. */
__device__ __forceinline__ void ptx_load_matrices_transposed(uint32_t out[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}

/* ---- copies that go on beside ---- */

/* 16 bytes from global to shared memory, or zeros; seen after ptx_copies_wait and a barrier. */
__device__ __forceinline__ void ptx_copy16(void *shared, const void *global, bool there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"((uint32_t)__cvta_generic_to_shared(shared)), "l"(global), "r"(there ? 16 : 0)
                 : "memory");
}
/* The same of 4 bytes. */
__device__ __forceinline__ void ptx_copy4(void *shared, const void *global, bool there)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
                 :
                 : "r"((uint32_t)__cvta_generic_to_shared(shared)), "l"(global), "r"(there ? 4 : 0)
                 : "memory");
}
/* Ends a group of copies. */
__device__ __forceinline__ void ptx_copies_commit(void)
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits until at most `left` of this thread's groups are under way. */
template <int left> __device__ __forceinline__ void ptx_copies_wait(void)
{
    asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
}

/* ---- numbers ---- */

/* 2^x within 2 units in the last place; of what is too small 0. */
__device__ __forceinline__ float ptx_exp2(float x)
{
    float y;

    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
/* 1 / x within a unit in the last place. */
__device__ __forceinline__ float ptx_reciprocal(float x)
{
    float y;

    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

#endif
