/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout_cpu.c - dropout, bound by the ten rounds of Philox: 2 multiplications in each for 4
 * elements.
 */
#include "kernels/dropout/dropout.h"

#include "kernels/cpu/philox_cpu.h"
#include "kernels/cpu/span_cpu.h"

enum { N_WORDS = AXL_PHILOX_WORDS };

struct mask {
    uint64_t seed, stream;
    uint32_t last_dropped; /* words up to this one are dropped … */
    uint32_t always;       /* … unless this is ~0: no word is */
    float scale;
};

/* factor[j] = 0 or 1 / (1 - p) for the elements [4 index, 4 index + N_WORDS). */
static void fill_factors(float factor[N_WORDS], const struct mask *m, uint64_t index)
{
    uint32_t word[N_WORDS], limit = m->last_dropped, always = m->always;
    uint32_t scale = axl__float_bits(m->scale);

    axl_philox_words(word, m->seed, m->stream, index);
    for (int j = 0; j < N_WORDS; j++) /* no branches: the compiler makes vectors of it */
        factor[j] = axl__bits_float(((word[j] > limit ? ~(uint32_t)0 : 0) | always) & scale);
}

struct job {
    axl_mat x, y;
    uint64_t offset;
    bool add;
    struct mask mask;
};

/* Not x * 0, so that a dropped infinity is 0. */
AXL_INLINE void drop_lanes(void *y, const void *x, const struct job *job, int64_t at,
                           const float *factor, int64_t n)
{
    axl_dtype type = job->x.dtype;
    vf f = axl_load(factor, AXL_F32, 0, n);
    vf kept = vf_blend_lt(vf_zero(), f, vf_mul(axl_load(x, type, at, n), f), vf_zero());

    axl_store(y, type, at, job->add ? vf_add(axl_load(y, type, at, n), kept) : kept, n);
}

/* n elements from the counter's element i on. */
static void drop_span(void *y, const void *x, const struct job *job, uint64_t i, int64_t n)
{
    float factor[N_WORDS];

    for (int64_t begin = 0; begin < n;) {
        int64_t skip = (int64_t)(i % 4), size = axl_min(N_WORDS - skip, n - begin), j = 0;

        fill_factors(factor, &job->mask, i / 4);
        for (; j + VF_N <= size; j += VF_N)
            drop_lanes(y, x, job, begin + j, factor + skip + j, VF_N);
        if (j < size)
            drop_lanes(y, x, job, begin + j, factor + skip + j, size - j);
        begin += size;
        i += (uint64_t)size;
    }
}

static void drop_tile(const void *args, axl_tile t)
{
    const struct job *job = args;
    axl_dtype type = job->x.dtype;

    for (int64_t r = t.row; r < t.row_end; r++)
        drop_span(axl_at_mut(job->y.data, type, r * job->y.stride + t.col),
                  axl_at(job->x.data, type, r * job->x.stride + t.col), job,
                  job->offset + (uint64_t)(r * job->x.cols + t.col), t.col_end - t.col);
}

axl_status AXL_ISA_NAME(dropout)(axl_device *dev, const axl_dropout_args *a)
{
    uint64_t threshold = axl__dropout_threshold(a->p);
    struct job job = { .x = a->x, .y = a->y, .offset = a->offset, .add = a->add };

    job.mask = (struct mask){
        .seed = *a->seed,
        .stream = a->stream,
        .last_dropped = (uint32_t)(threshold - 1),
        .always = threshold == 0 ? ~(uint32_t)0 : 0,
        .scale = (float)(1.0 / (1.0 - a->p)),
    };
    if (axl_is_flat(&job.x) && axl_is_flat(&job.y)) {
        axl_flatten(&job.x);
        axl_flatten(&job.y);
    }
    axl_tiles_run(dev, job.x.rows, job.x.cols, false, drop_tile, &job);
    return AXL_OK;
}
