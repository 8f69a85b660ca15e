/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum_squares_cpu.c - the sum of squares, bound by memory.  Chunks are cut by n alone and their
 * sums added in index order.  The compiler makes vectors of the N_SUMS sums.
 */
#include "kernels/sum_squares/sum_squares.h"

#include "kernels/cpu/span_cpu.h"

enum { MAX_CHUNKS = 1024, MIN_CHUNK = 1 << 15, N_SUMS = 32 };

struct chunks {
    const float *x;
    int64_t n, chunk;
    double sums[MAX_CHUNKS];
};

static void sum_chunk(void *arg, uint64_t index)
{
    struct chunks *c = arg;
    int64_t i = (int64_t)index * c->chunk, end = axl_min(i + c->chunk, c->n);
    double sum[N_SUMS] = { 0 }, total = 0.0;

    for (; i + N_SUMS <= end; i += N_SUMS)
        for (int k = 0; k < N_SUMS; k++)
            sum[k] += (double)c->x[i + k] * c->x[i + k];
    for (int k = 0; i < end; i++, k++)
        sum[k] += (double)c->x[i] * c->x[i];
    for (int k = 0; k < N_SUMS; k++)
        total += sum[k];
    c->sums[index] = total;
}

axl_status AXL_ISA_NAME(sum_squares)(axl_device *dev, const axl_sum_squares_args *a)
{
    struct chunks c;
    double total = 0.0;

    c.x = a->x;
    c.n = a->n;
    c.chunk = axl_div_up(a->n, MAX_CHUNKS);
    if (c.chunk < MIN_CHUNK)
        c.chunk = MIN_CHUNK;
    int64_t n_chunks = axl_div_up(a->n, c.chunk);
    axl_loop(dev, n_chunks, 4 * a->n, sum_chunk, &c);
    for (int64_t i = 0; i < n_chunks; i++)
        total += c.sums[i];
    *a->out += total;
    return AXL_OK;
}
