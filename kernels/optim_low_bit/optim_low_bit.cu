/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_low_bit.cu - see optim_low_bit.h.  A warp has a block of elements, so that nothing but its
 * largest magnitude is exchanged; its codes are found by bisection in shared memory, which with the
 * exact divisions takes about as long as the memory's 12 bytes of p and g an element and 4 or 2 of
 * AdamW's state.
 */
#include "kernels/cuda/cuda_kernel.h"

extern "C" {
#include "optim_low_bit.h"
}

enum { LOW_BIT_THREADS = 256, LOW_BIT_WARPS = LOW_BIT_THREADS / WARP_SIZE };

struct low_bit_state {
    uint8_t *codes;
    float *scales;
    const axl_quant_table *table;
    bool divides;
    float min_scale;
};

struct low_bit_step {
    axl__optim_low_bit_numbers k;
    float *p;
    const float *g;
    const axl_optim_block *blocks;
    int64_t n_blocks;
    low_bit_state state[3];
};

/* ---- a state of one warp's block: element lane + 32 j is x[j] of the lane ---- */

template <int bits> struct low_bit_block {
    static constexpr int size = bits == 4 ? 128 : 256, bytes = size * bits / 8;
    static constexpr int each = size / WARP_SIZE;
    int64_t index;
    axl_optim_block at;
    int lane;

    __device__ __forceinline__ int element(int j) const
    {
        return lane + WARP_SIZE * j;
    }
    __device__ __forceinline__ void load(float x[each], const float *p) const
    {
        for (int j = 0; j < each; j++)
            x[j] = element(j) < at.n ? p[at.at + element(j)] : 0.0f;
    }
    __device__ __forceinline__ void store(float *p, const float x[each]) const
    {
        for (int j = 0; j < each; j++)
            if (element(j) < at.n)
                p[at.at + element(j)] = x[j];
    }
    __device__ __forceinline__ void widen(float x[each], const low_bit_state &s,
                                          const axl_quant_table &table) const
    {
        const uint8_t *codes = s.codes + index * bytes;
        float scale = s.scales[index];

        for (int j = 0; j < each; j++) {
            int i = element(j);
            unsigned code = i < at.n ? codes[bits == 4 ? i / 2 : i] : 0;
            if (bits == 4)
                code = i % 2 ? code & 15 : code >> 4;
            x[j] = i < at.n ? table.code[code] * scale : 0.0f;
        }
    }
    /* The code of x: 2^bits leaves behind the nodes.  A NaN counts as -1. */
    __device__ __forceinline__ unsigned code_of(float x, const axl_quant_table &table) const
    {
        unsigned node = 1;

        x = x > -1.0f ? x : -1.0f;
        x = x < 1.0f ? x : 1.0f;
        for (int level = 0; level < bits; level++)
            node = 2 * node + (x >= table.border[node] ? 1 : 0);
        return node - (1u << bits);
    }
    __device__ __forceinline__ void put(uint8_t *codes, int i, unsigned code) const
    {
        unsigned next = bits == 4 ? __shfl_down_sync(0xFFFFFFFFu, code, 1) : 0;

        if (bits == 8 && i < at.n)
            codes[i] = (uint8_t)code;
        if (bits == 4 && i % 2 == 0 && i < at.n)
            codes[i / 2] = (uint8_t)(code << 4 | next);
    }
    __device__ __forceinline__ void narrow(const float x[each], const low_bit_state &s,
                                           const axl_quant_table &table) const
    {
        float top = 0.0f;

        for (int j = 0; j < each; j++)
            top = fmaxf(top, fabsf(x[j]));
        top = fmaxf(warp_max(top), s.min_scale);
        float inverse = 1.0f / top;
        for (int j = 0; j < each; j++) {
            float scaled = s.divides ? x[j] / top : x[j] * inverse;
            put(s.codes + index * bytes, element(j), top == 0.0f ? 0 : code_of(scaled, table));
        }
        if (lane == 0)
            s.scales[index] = top;
    }
};

/* ---- rules: of one element, in the roundings of optim_low_bit_ref.c ---- */

static __device__ __forceinline__ float low_bit_mean(float m, float beta, float rest, float g)
{
    return fmaf(rest, g, beta * m);
}
static __device__ __forceinline__ float low_bit_square(float v, float beta, float rest, float g)
{
    return fmaf(rest * g, g, beta * v);
}

/* resident: thread blocks of a multiprocessor, as many as have registers for their states. */
template <axl_optim_rule rule> struct low_bit_rule;

template <> struct low_bit_rule<AXL_RULE_ADAMW> {
    static constexpr int n_states = 2, resident = 3;

    static __device__ __forceinline__ float move(const axl__optim_low_bit_numbers &k, float p,
                                                 float g, float &m, float &v, float &)
    {
        m = low_bit_mean(m, k.beta1, k.rest1, g);
        v = low_bit_square(v, k.beta2, k.rest2, g);
        float root = sqrtf(v) / k.correction2 + k.eps;
        return p * k.keep + k.minus_step * m / root;
    }
};

template <> struct low_bit_rule<AXL_RULE_ADEMAMIX> {
    static constexpr int n_states = 3, resident = 2;

    static __device__ __forceinline__ float move(const axl__optim_low_bit_numbers &k, float p,
                                                 float g, float &m, float &v, float &slow)
    {
        m = low_bit_mean(m, k.beta1, k.rest1, g);
        v = low_bit_square(v, k.beta2, k.rest2, g);
        slow = low_bit_mean(slow, k.beta3, k.rest3, g);
        float root = sqrtf(v) / k.correction2 + k.eps;
        return fmaf((m / k.correction1 + k.alpha * slow) / root, k.minus_lr, p * k.keep);
    }
};

template <> struct low_bit_rule<AXL_RULE_LION> {
    static constexpr int n_states = 1, resident = 4;

    static __device__ __forceinline__ float move(const axl__optim_low_bit_numbers &k, float p,
                                                 float g, float &m, float &, float &)
    {
        float c = k.beta1 * m + k.rest1 * g;

        m = low_bit_mean(m, k.beta2, k.rest2, g);
        return p * k.keep + k.minus_lr * (float)((c > 0.0f) - (c < 0.0f));
    }
};

template <> struct low_bit_rule<AXL_RULE_RMSPROP> {
    static constexpr int n_states = 1, resident = 4;

    static __device__ __forceinline__ float move(const axl__optim_low_bit_numbers &k, float p,
                                                 float g, float &v, float &, float &)
    {
        g = fmaf(k.weight_decay, p, g);
        v = low_bit_square(v, k.beta1, k.rest1, g);
        return p + k.minus_lr * g / (sqrtf(v) + k.eps);
    }
};

/* ---- the kernel ---- */

template <axl_optim_rule rule, int bits>
__global__ void __launch_bounds__(LOW_BIT_THREADS, low_bit_rule<rule>::resident)
    low_bit_steps(const low_bit_step s)
{
    typedef low_bit_rule<rule> one;
    typedef low_bit_block<bits> block_of;
    constexpr int n_states = one::n_states, table_floats = sizeof(axl_quant_table) / sizeof(float);
    axl_quant_table *tables = shared_memory<axl_quant_table>(); /* (n_states) */
    block_of b = { 0, {}, (int)threadIdx.x % WARP_SIZE };

    for (int i = (int)threadIdx.x; i < n_states * table_floats; i += LOW_BIT_THREADS)
        ((float *)tables)[i] = ((const float *)s.state[i / table_floats].table)[i % table_floats];
    __syncthreads();
    b.index = (int64_t)blockIdx.x * LOW_BIT_WARPS + threadIdx.x / WARP_SIZE;
    for (; b.index < s.n_blocks; b.index += (int64_t)gridDim.x * LOW_BIT_WARPS) {
        float p[block_of::each], g[block_of::each], x[3][block_of::each] = {};
        b.at = s.blocks[b.index];
        b.load(p, s.p);
        b.load(g, s.g);
        for (int k = 0; k < n_states; k++)
            b.widen(x[k], s.state[k], tables[k]);
        __syncwarp(); /* other lanes have read the bytes and scales that a lane writes */
        for (int j = 0; j < block_of::each; j++)
            p[j] = one::move(s.k, p[j], g[j] * s.k.grad_scale, x[0][j], x[1][j], x[2][j]);
        b.store(s.p, p);
        for (int k = 0; k < n_states; k++)
            b.narrow(x[k], s.state[k], tables[k]);
    }
}

template <axl_optim_rule rule>
static axl_status run_rule(axl_device *dev, const axl_optim_low_bit_args *a)
{
    constexpr int n_states = low_bit_rule<rule>::n_states;
    int64_t most = (int64_t)dev->properties.multiProcessorCount * low_bit_rule<rule>::resident;
    int64_t n = axl_min(axl_div_up(a->n_blocks, LOW_BIT_WARPS), most);
    low_bit_step s = { axl__optim_low_bit_fold(a), a->p, a->g, a->blocks, a->n_blocks };

    for (int k = 0; k < n_states; k++) {
        s.state[k] = { a->codes[k], a->scales[k], NULL, a->maps[k]->divides,
                       a->maps[k]->min_scale };
        AXL_TRY(axl__quant_table_of(dev, &s.state[k].table, a->maps[k]));
    }
    return axl__cuda_launch(
        dev, a->maps[0]->bits == 4 ? low_bit_steps<rule, 4> : low_bit_steps<rule, 8>,
        dim3((unsigned)n), dim3(LOW_BIT_THREADS), n_states * sizeof(axl_quant_table), s);
}

axl_status axl__cuda_optim_low_bit(axl_device *dev, const axl_optim_low_bit_args *a)
{
    if (a->n_blocks == 0)
        return AXL_OK;
    switch (a->rule) {
    case AXL_RULE_ADAMW: return run_rule<AXL_RULE_ADAMW>(dev, a);
    case AXL_RULE_ADEMAMIX: return run_rule<AXL_RULE_ADEMAMIX>(dev, a);
    case AXL_RULE_LION: return run_rule<AXL_RULE_LION>(dev, a);
    case AXL_RULE_RMSPROP: return run_rule<AXL_RULE_RMSPROP>(dev, a);
    }
    return axl__cuda_host->fail(AXL_ERR_UNSUPPORTED, "optim_low_bit: rule %d", (int)a->rule);
}
