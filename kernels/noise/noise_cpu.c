/* SPDX-License-Identifier: Apache-2.0 */
/* noise_cpu.c - noise, bound by Philox as dropout is. */
#include "kernels/noise/noise.h"

#include "kernels/cpu/philox_cpu.h"
#include "kernels/cpu/span_cpu.h"

enum { N_WORDS = AXL_PHILOX_WORDS };

struct job {
    axl_mat x;
    uint64_t seed, stream, offset;
    float scale;
};

/* u[j] in [-1, 1], for the elements [4 index, 4 index + N_WORDS). */
static void fill_uniform(float u[N_WORDS], const struct job *job, uint64_t index)
{
    uint32_t word[N_WORDS];

    axl_philox_words(word, job->seed, job->stream, index);
    for (int j = 0; j < N_WORDS; j++)
        u[j] = (float)(int32_t)(word[j] ^ 0x80000000u) * 0x1p-31f;
}

AXL_INLINE void add_lanes(void *x, axl_dtype type, int64_t at, const float *u, vf scale, int64_t n)
{
    vf noisy = vf_fma(axl_load(u, AXL_F32, 0, n), scale, axl_load(x, type, at, n));

    axl_store(x, type, at, noisy, n);
}

/* n elements from the counter's element i on. */
static void add_span(void *x, const struct job *job, uint64_t i, int64_t n)
{
    axl_dtype type = job->x.dtype;
    vf scale = vf_set1(job->scale);
    float u[N_WORDS];

    for (int64_t begin = 0; begin < n;) {
        int64_t skip = (int64_t)(i % 4), size = axl_min(N_WORDS - skip, n - begin), j = 0;

        fill_uniform(u, job, i / 4);
        for (; j + VF_N <= size; j += VF_N)
            add_lanes(x, type, begin + j, u + skip + j, scale, VF_N);
        if (j < size)
            add_lanes(x, type, begin + j, u + skip + j, scale, size - j);
        begin += size;
        i += (uint64_t)size;
    }
}

static void add_tile(const void *args, axl_tile t)
{
    const struct job *job = args;

    for (int64_t r = t.row; r < t.row_end; r++)
        add_span(axl_at_mut(job->x.data, job->x.dtype, r * job->x.stride + t.col), job,
                 job->offset + (uint64_t)(r * job->x.cols + t.col), t.col_end - t.col);
}

axl_status AXL_ISA_NAME(noise)(axl_device *dev, const axl_noise_args *a)
{
    struct job job = { a->x, *a->seed, a->stream, a->offset, a->scale };

    if (axl_is_flat(&job.x))
        axl_flatten(&job.x);
    axl_tiles_run(dev, job.x.rows, job.x.cols, false, add_tile, &job);
    return AXL_OK;
}
