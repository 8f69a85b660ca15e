/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_low_bit_cpu.c - steps with state of 8 or 4 bits, a block at a time in the first-level
 * cache: 12 bytes of p and g an element and 4 or 2 of AdamW's state.  Looking codes up bounds it,
 * not memory.
 */
#include "kernels/optim_low_bit/optim_low_bit.h"

#include "kernels/cpu/span_cpu.h"

enum { BLOCK = 256, TASK_BLOCKS = 16 };

typedef axl__optim_low_bit_numbers numbers;

struct step {
    const axl_optim_low_bit_args *a;
    numbers k;
};

/* The states of a block, 0 behind its end. */
struct block {
    float s[3][BLOCK];
};

static void widen(float *out, const axl_quant_map *map, const uint8_t *codes, float scale,
                  int32_t n)
{
    int32_t i = 0;

    for (; map->bits == 8 && i < n; i++)
        out[i] = map->code[codes[i]] * scale;
    for (; i < n; i += 2) {
        out[i] = map->code[codes[i / 2] >> 4] * scale;
        out[i + 1] = map->code[codes[i / 2] & 15] * scale;
    }
    for (; i < BLOCK; i++)
        out[i] = 0.0f;
}

static float largest(const float *x)
{
    vf top = vf_zero();

    for (int32_t i = 0; i < BLOCK; i += VF_N) {
        vf v = vf_load(x + i);
        top = vf_max(top, vf_max(v, vf_sub(vf_zero(), v)));
    }
    return vf_hmax(top);
}

/* As axl__quant_code, the place to start from for many at once. */
static void narrow(uint8_t *codes, float *scale, const axl_quant_map *map, float *x, int32_t n)
{
    float place[BLOCK], top = largest(x);

    *scale = top = top > map->min_scale ? top : map->min_scale;
    if (top == 0.0f) {
        memset(codes, 0, (size_t)(n * map->bits / 8));
        return;
    }
    vf factor = vf_set1(map->divides ? top : 1.0f / top);
    for (int32_t i = 0; i < BLOCK; i += VF_N) {
        vf v = vf_load(x + i);
        v = map->divides ? vf_div(v, factor) : vf_mul(v, factor);
        v = vf_min(vf_max(v, vf_set1(-1.0f)), vf_set1(1.0f));
        vf_store(x + i, v);
        vf half = vf_mul(vf_add(v, vf_set1(1.0f)), vf_set1(0.5f));
        vf_store(place + i, vf_fused(half, vf_set1(65535.0f), vf_set1(0.5f)));
    }
    for (int32_t i = 0; i < n; i++) {
        uint8_t c = map->start[(uint16_t)place[i]];
        while (x[i] >= map->above[c])
            c++;
        if (map->bits == 8)
            codes[i] = c;
        else
            codes[i / 2] = (uint8_t)(i % 2 ? codes[i / 2] | c : c << 4);
    }
}

AXL_INLINE vf mean_lanes(float *at, float beta, float rest, vf g)
{
    vf m = vf_fused(vf_set1(rest), g, vf_mul(vf_set1(beta), vf_load(at)));

    vf_store(at, m);
    return m;
}

AXL_INLINE vf square_lanes(float *at, float beta, float rest, vf g)
{
    vf v = vf_fused(vf_mul(vf_set1(rest), g), g, vf_mul(vf_set1(beta), vf_load(at)));

    vf_store(at, v);
    return v;
}

AXL_INLINE vf adamw_lanes(const numbers *k, struct block *b, int32_t i, vf p, vf g, bool slow)
{
    vf m = mean_lanes(&b->s[0][i], k->beta1, k->rest1, g);
    vf v = square_lanes(&b->s[1][i], k->beta2, k->rest2, g);
    vf root = vf_add(vf_div(vf_sqrt(v), vf_set1(k->correction2)), vf_set1(k->eps));

    p = vf_mul(p, vf_set1(k->keep));
    if (!slow)
        return vf_add(p, vf_div(vf_mul(vf_set1(k->minus_step), m), root));
    vf m2 = mean_lanes(&b->s[2][i], k->beta3, k->rest3, g);
    m = vf_add(vf_div(m, vf_set1(k->correction1)), vf_mul(vf_set1(k->alpha), m2));
    return vf_fused(vf_div(m, root), vf_set1(k->minus_lr), p);
}

AXL_INLINE vf lion_lanes(const numbers *k, struct block *b, int32_t i, vf p, vf g)
{
    vf m = vf_load(&b->s[0][i]);
    vf c = vf_add(vf_mul(vf_set1(k->beta1), m), vf_mul(vf_set1(k->rest1), g));

    mean_lanes(&b->s[0][i], k->beta2, k->rest2, g);
    return vf_add(vf_mul(p, vf_set1(k->keep)), vf_mul(vf_set1(k->minus_lr), vf_sign(c)));
}

AXL_INLINE vf rmsprop_lanes(const numbers *k, struct block *b, int32_t i, vf p, vf g)
{
    g = vf_fused(vf_set1(k->weight_decay), p, g);
    vf v = square_lanes(&b->s[0][i], k->beta1, k->rest1, g);

    return vf_add(p, vf_div(vf_mul(vf_set1(k->minus_lr), g), vf_add(vf_sqrt(v), vf_set1(k->eps))));
}

/* n lanes at element i of the block that begins at p and g. */
AXL_INLINE void step_lanes(const struct step *s, struct block *b, float *p, const float *g,
                           int32_t i, int64_t n)
{
    vf x = axl_load(p, AXL_F32, i, n);
    vf d = vf_mul(axl_load(g, AXL_F32, i, n), vf_set1(s->k.grad_scale));

    switch (s->a->rule) {
    case AXL_RULE_ADAMW: x = adamw_lanes(&s->k, b, i, x, d, false); break;
    case AXL_RULE_ADEMAMIX: x = adamw_lanes(&s->k, b, i, x, d, true); break;
    case AXL_RULE_LION: x = lion_lanes(&s->k, b, i, x, d); break;
    case AXL_RULE_RMSPROP: x = rmsprop_lanes(&s->k, b, i, x, d); break;
    }
    axl_store(p, AXL_F32, i, x, n);
}

static uint8_t *codes_at(const axl_optim_low_bit_args *a, int state, int64_t block)
{
    return a->codes[state] + block * axl__quant_map_bytes(a->maps[state]);
}

static void step_block(const struct step *s, int64_t index)
{
    const axl_optim_low_bit_args *a = s->a;
    axl_optim_block at = a->blocks[index];
    struct block b;
    int32_t i = 0;

    for (int k = 0; k < 3; k++)
        if (a->codes[k])
            widen(b.s[k], a->maps[k], codes_at(a, k, index), a->scales[k][index], at.n);
    for (; i + VF_N <= at.n; i += VF_N)
        step_lanes(s, &b, a->p + at.at, a->g + at.at, i, VF_N);
    if (i < at.n)
        step_lanes(s, &b, a->p + at.at, a->g + at.at, i, at.n - i);
    for (int k = 0; k < 3; k++)
        if (a->codes[k])
            narrow(codes_at(a, k, index), &a->scales[k][index], a->maps[k], b.s[k], at.n);
}

static void step_task(void *arg, uint64_t index)
{
    const struct step *s = arg;
    int64_t first = (int64_t)index * TASK_BLOCKS;

    for (int64_t b = first; b < axl_min(first + TASK_BLOCKS, s->a->n_blocks); b++)
        step_block(s, b);
}

axl_status AXL_ISA_NAME(optim_low_bit)(axl_device *dev, const axl_optim_low_bit_args *a)
{
    struct step s = { a, axl__optim_low_bit_fold(a) };

    axl_loop(dev, axl_div_up(a->n_blocks, TASK_BLOCKS), 16 * 256 * a->n_blocks, step_task, &s);
    return AXL_OK;
}
