/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_kernel.h - what kernels share on the device: elements as floats, chunks of four, sums over
 * a warp and a block, counter-based random numbers.
 *
 * Rules that the emulation in tests/ holds a kernel to: blocks of whole warps, no thread returns
 * before the last instruction of its warp that exchanges something, shared memory is dynamic and
 * one array, and two threads that touch one place have a barrier between.
 */
#ifndef AXL_KERNELS_CUDA_KERNEL_H
#define AXL_KERNELS_CUDA_KERNEL_H

#include "cuda_device.h"

#include <ptx.h> /* of ptx/, or the emulation's */

enum { WARP_SIZE = 32, CHUNK = 4 };

extern __shared__ __align__(1024) unsigned char axl_shared_bytes[];

template <class T> __device__ __forceinline__ T *shared_memory(void)
{
    return (T *)(void *)axl_shared_bytes;
}

/* ---- elements ---- */

__device__ __forceinline__ float to_f32(float x)
{
    return x;
}
__device__ __forceinline__ float to_f32(bf16 x)
{
    return __uint_as_float((uint32_t)x.bits << 16);
}
template <class T> __device__ __forceinline__ T from_f32(float x);
template <> __device__ __forceinline__ float from_f32<float>(float x)
{
    return x;
}
template <> __device__ __forceinline__ bf16 from_f32<bf16>(float x)
{
    return bf16{ ptx_f32_to_bf16(x) };
}

/* N neighbouring elements as floats, by one access of the machine; p aligned to it where N > 1. */
template <int N> struct chunk {
    float v[N];
};
template <int N> __device__ __forceinline__ chunk<N> load_chunk(const float *p);
template <> __device__ __forceinline__ chunk<1> load_chunk<1>(const float *p)
{
    return { { *p } };
}
template <> __device__ __forceinline__ chunk<CHUNK> load_chunk<CHUNK>(const float *p)
{
    uint4 u = ptx_load16(p);

    return { { __uint_as_float(u.x), __uint_as_float(u.y), __uint_as_float(u.z),
               __uint_as_float(u.w) } };
}
template <int N> __device__ __forceinline__ chunk<N> load_chunk(const bf16 *p);
template <> __device__ __forceinline__ chunk<1> load_chunk<1>(const bf16 *p)
{
    return { { to_f32(*p) } };
}
template <> __device__ __forceinline__ chunk<CHUNK> load_chunk<CHUNK>(const bf16 *p)
{
    uint2 u = ptx_load8(p);

    return { { __uint_as_float(u.x << 16), __uint_as_float(u.x & 0xFFFF0000u),
               __uint_as_float(u.y << 16), __uint_as_float(u.y & 0xFFFF0000u) } };
}
__device__ __forceinline__ void store_chunk(float *p, const chunk<1> &c)
{
    *p = c.v[0];
}
__device__ __forceinline__ void store_chunk(bf16 *p, const chunk<1> &c)
{
    *p = from_f32<bf16>(c.v[0]);
}
__device__ __forceinline__ void store_chunk(float *p, const chunk<CHUNK> &c)
{
    ptx_store16(p, uint4{ __float_as_uint(c.v[0]), __float_as_uint(c.v[1]), __float_as_uint(c.v[2]),
                          __float_as_uint(c.v[3]) });
}
__device__ __forceinline__ void store_chunk(bf16 *p, const chunk<CHUNK> &c)
{
    ptx_store8(p, uint2{ ptx_bf16_pair(c.v[0], c.v[1]), ptx_bf16_pair(c.v[2], c.v[3]) });
}

/* A matrix of a known type. */
template <class T> struct matrix {
    T *data;
    int64_t stride;

    __device__ __forceinline__ T *at(int64_t row, int64_t col) const
    {
        return data + row * stride + col;
    }
    template <int N> __device__ __forceinline__ chunk<N> load(int64_t row, int64_t col) const
    {
        return load_chunk<N>(at(row, col));
    }
    template <int N>
    __device__ __forceinline__ void store(int64_t row, int64_t col, const chunk<N> &c) const
    {
        store_chunk(at(row, col), c);
    }
};

template <class T> matrix<T> matrix_of(const axl_mat &m)
{
    return { (T *)m.data, m.stride };
}

/* A matrix whose type is seen when it is read: the branch is the same for all threads and costs
 * nothing where bytes are what is waited for. */
struct any_matrix {
    void *data;
    int64_t stride;
    bool wide; /* f32 */

    template <int N> __device__ __forceinline__ chunk<N> load(int64_t row, int64_t col) const
    {
        int64_t i = row * stride + col;

        return wide ? load_chunk<N>((const float *)data + i)
                    : load_chunk<N>((const bf16 *)data + i);
    }
    template <int N>
    __device__ __forceinline__ void store(int64_t row, int64_t col, const chunk<N> &c) const
    {
        int64_t i = row * stride + col;

        if (wide)
            store_chunk((float *)data + i, c);
        else
            store_chunk((bf16 *)data + i, c);
    }
};

static inline any_matrix any_of(const axl_mat &m)
{
    return { m.data, m.stride, m.dtype == AXL_F32 };
}

/* Whether chunks of four may be read anywhere in it that begin at a multiple of four. */
static inline bool whole_chunks(const axl_mat &m)
{
    return (uintptr_t)m.data % (CHUNK * axl__dtype_size(m.dtype)) == 0 && m.stride % CHUNK == 0;
}
static inline bool whole_chunks(const void *p, size_t element)
{
    return (uintptr_t)p % (CHUNK * element) == 0;
}

/* ---- sums ---- */

template <int N> __device__ __forceinline__ double chunk_squares(const chunk<N> &c)
{
    double sum = 0.0;

    for (int i = 0; i < N; i++)
        sum += (double)c.v[i] * c.v[i];
    return sum;
}

template <class T> __device__ __forceinline__ T warp_sum(T x)
{
    for (int step = WARP_SIZE / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xFFFFFFFFu, x, step);
    return x;
}
__device__ __forceinline__ float warp_max(float x)
{
    for (int step = WARP_SIZE / 2; step > 0; step /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
    return x;
}

/* The sum over a block of one dimension, for every thread; room: a T for each warp in shared
 * memory, which is free again after the next barrier.  Of sums that follow one another each has the
 * other of two rooms. */
template <class T> __device__ __forceinline__ T *other_room(T *room)
{
    unsigned n_warps = blockDim.x / WARP_SIZE;

    return room == shared_memory<T>() ? room + n_warps : room - n_warps;
}
template <class T> __device__ __forceinline__ T block_sum(T x, T *room)
{
    unsigned warp = threadIdx.x / WARP_SIZE, n_warps = blockDim.x / WARP_SIZE;
    T sum = 0;

    x = warp_sum(x);
    if (threadIdx.x % WARP_SIZE == 0)
        room[warp] = x;
    __syncthreads();
    for (unsigned i = 0; i < n_warps; i++)
        sum += room[i];
    return sum;
}

/* ---- random numbers ---- */

/* Philox 4x32-10, as base/rng.h has it. */
__device__ __forceinline__ void philox(uint32_t out[4], uint64_t seed, uint64_t stream,
                                       uint64_t index)
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    for (int i = 0; i < 10; i++) {
        uint32_t n0 = __umulhi(0xCD9E8D57u, c2) ^ c1 ^ k0, n2 = __umulhi(0xD2511F53u, c0) ^ c3 ^ k1;
        c1 = 0xCD9E8D57u * c2;
        c3 = 0xD2511F53u * c0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}
/* One of them, without an array that is indexed at run time. */
__device__ __forceinline__ uint32_t word_of(const uint32_t word[4], uint64_t i)
{
    uint32_t low = i & 1 ? word[1] : word[0], high = i & 1 ? word[3] : word[2];

    return i & 2 ? high : low;
}

/* The words of N places from `first` on: place i has word i % 4 of draw i / 4. */
template <int N> struct drawn_words {
    uint32_t word[N];

    __device__ __forceinline__ drawn_words(uint64_t seed, uint64_t stream, uint64_t first)
    {
        uint64_t drawn = ~(uint64_t)0;
        uint32_t of_draw[4];

        for (int i = 0; i < N; i++) {
            uint64_t at = first + (uint64_t)i;
            if (at / 4 != drawn) {
                drawn = at / 4;
                philox(of_draw, seed, stream, drawn);
            }
            word[i] = word_of(of_draw, at % 4);
        }
    }
};

#endif
