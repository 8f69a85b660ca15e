/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch_cpu.h - how the CPU's kernels cut what they add up in scratch memory of the caller, and
 * how much of it that takes.
 */
#ifndef AXL_CPU_SCRATCH_CPU_H
#define AXL_CPU_SCRATCH_CPU_H

#include "kernels/whole.h"
#include "tensor/ops.h"

/* A product's sums over parts of its depth, each as large as y. */
enum {
    AXL_MATMUL_PARTS = 16,       /* the most */
    AXL_MATMUL_PART_DEEP = 2048, /* the least depth of one */
    AXL_MATMUL_SCRATCH = 1 << 20 /* floats of all: more gains nothing */
};

/* The most parts that a depth of k makes. */
static inline int64_t axl__matmul_parts(int64_t k)
{
    return axl_min(AXL_MATMUL_PARTS, k / AXL_MATMUL_PART_DEEP);
}

static inline size_t axl__matmul_scratch(const axl_matmul_args *a)
{
    int64_t parts = axl__matmul_parts(a->trans_x ? a->x.rows : a->x.cols);

    if (a->n_more > 0 || parts < 2)
        return 0;
    return (size_t)axl_min(AXL_MATMUL_SCRATCH, parts * a->y.rows * a->y.cols) * sizeof(float);
}

/* dq is summed in parts, each of a range of keys of a sequence. */
enum { AXL_ATTENTION_PARTS = 4, AXL_ATTENTION_PART_MIN = 128 };

/* The most parts that a sequence of n tokens is cut into. */
static inline int64_t axl__attention_parts(int64_t n)
{
    return axl_min(axl_div_up(n, AXL_ATTENTION_PART_MIN), AXL_ATTENTION_PARTS);
}

/* delta (H, Tq), and the parts of dq (parts, Tq, H, D filled up to a multiple of 16), as many as
 * the longest sequence has. */
static inline size_t axl__attention_scratch(const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    int64_t rows = f->q.rows * f->n_heads, wide = axl_div_up(f->head_dim, 16) * 16;

    return (size_t)(axl_div_up(rows, 16) * 16 + axl__attention_parts(f->longest) * rows * wide) *
           sizeof(float);
}

#endif
