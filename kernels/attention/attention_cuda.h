/* SPDX-License-Identifier: Apache-2.0 */
/* attention_cuda.h - what the CUDA kernels of attention share: the batch, and who sees whom. */
#ifndef AXL_KERNELS_ATTENTION_CUDA_H
#define AXL_KERNELS_ATTENTION_CUDA_H

#include "kernels/cuda/cuda_kernel.h"

#include "attention.h"

__device__ __forceinline__ int smaller(int a, int b)
{
    return a < b ? a : b;
}
__device__ __forceinline__ int larger(int a, int b)
{
    return a > b ? a : b;
}

struct attention_batch {
    const int32_t *cu_q, *cu_k; /* device */
    int64_t n_queries;          /* of all sequences: a row of lse and delta */
    int group;                  /* query heads of a kv head */
    int head_dim;
    int window;
    int tiles; /* that the longest sequence is cut into; blocks of x are tiles of sequences */
    float scale, soft_cap;
    const float *sinks; /* of heads, or NULL */
};

/* What the softmax of a head's rows begins with: its sink, if it has one, has the weight 1. */
struct softmax_start {
    float most, total;

    __device__ __forceinline__ softmax_start(const attention_batch &b, int64_t head)
        : most(b.sinks ? b.sinks[head] : -INFINITY), total(b.sinks ? 1.0f : 0.0f)
    {
    }
};

enum { NO_WINDOW = 1 << 30 }; /* so that a place less a window is still an int */

/* A sequence; its queries and keys are counted from its first. */
struct attention_sequence {
    int64_t q, k; /* rows of the first ones */
    int n_q, n_k;

    /* The last key that query i sees. */
    __device__ __forceinline__ int last_key(int i) const
    {
        return i + n_k - n_q;
    }
    __device__ __forceinline__ int first_key(int i, int window) const
    {
        return larger(last_key(i) - window + 1, 0);
    }
    __device__ __forceinline__ bool sees(int i, int j, int window) const
    {
        return j <= last_key(i) && j > last_key(i) - window;
    }
    /* The first query that sees key j, and the first after them that does not. */
    __device__ __forceinline__ int first_query(int j) const
    {
        return larger(j + n_q - n_k, 0);
    }
    __device__ __forceinline__ int end_of_queries(int j, int window) const
    {
        return smaller(j + n_q - n_k + window, n_q);
    }
};

__device__ __forceinline__ attention_sequence sequence_of_block(const attention_batch &b)
{
    int s = (int)blockIdx.x / b.tiles;

    return { b.cu_q[s], b.cu_k[s], b.cu_q[s + 1] - b.cu_q[s], b.cu_k[s + 1] - b.cu_k[s] };
}
/* Its tile.  Those that see the most keys begin first, since blocks begin in their order. */
__device__ __forceinline__ int query_tile_of_block(const attention_batch &b)
{
    return b.tiles - 1 - (int)blockIdx.x % b.tiles;
}
__device__ __forceinline__ int key_tile_of_block(const attention_batch &b)
{
    return (int)blockIdx.x % b.tiles;
}

template <class T> struct attention_gradient {
    matrix<T> q, k, v, dout, dq, dk, dv;
    const float *lse, *delta;
};
template <class T> attention_gradient<T> gradient_of(const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;

    return { matrix_of<T>(f->q),       matrix_of<T>(f->k),
             matrix_of<T>(f->v),       matrix_of<T>(a->dout),
             matrix_of<T>(a->dq),      matrix_of<T>(a->dk),
             matrix_of<T>(a->dv),      f->lse,
             (const float *)a->scratch };
}

/* The batch of an operation for tiles of `rows`. */
axl_status axl__cuda_attention_batch(axl_device *dev, const axl_attention_args *f, int rows,
                                     attention_batch *out);
static inline dim3 attention_grid(const attention_batch &b, int64_t n_seqs, int64_t n_heads)
{
    return dim3((unsigned)(b.tiles * n_seqs), (unsigned)n_heads);
}

/* For bf16 in rows that are aligned to 16 bytes, heads of up to 256 in multiples of 8; delta is
 * filled already. */
axl_status axl__cuda_attention_forward_mma(axl_device *dev, const axl_attention_args *a);
axl_status axl__cuda_attention_backward_mma(axl_device *dev, const axl_attention_backward_args *a);

#endif
