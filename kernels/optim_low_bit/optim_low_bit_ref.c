/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_low_bit_ref.c - what a step with state of few bits means, bit by bit.  Slow on purpose;
 * every backend is tested against this file, so change it only to fix the maths.
 */
#include "optim_low_bit.h"

typedef struct {
    const axl_optim_low_bit_args *a;
    axl__optim_low_bit_numbers k;
    float s[3][256]; /* the states of a block, widened */
} block_step;

static void widen(block_step *b, int64_t block, int32_t n, int state)
{
    const axl_optim_low_bit_args *a = b->a;
    const axl_quant_map *map = a->maps[state];
    const uint8_t *codes = a->codes[state] + block * axl__quant_map_bytes(map);

    for (int32_t i = 0; i < n; i++) {
        int code = map->bits == 8 ? codes[i] : codes[i / 2] >> (i % 2 ? 0 : 4) & 15;
        b->s[state][i] = map->code[code] * a->scales[state][block];
    }
}

static void narrow(block_step *b, int64_t block, int32_t n, int state)
{
    const axl_optim_low_bit_args *a = b->a;
    const axl_quant_map *map = a->maps[state];
    uint8_t *codes = a->codes[state] + block * axl__quant_map_bytes(map);
    float scale = 0.0f;

    for (int32_t i = 0; i < n; i++)
        scale = fmaxf(scale, fabsf(b->s[state][i]));
    scale = fmaxf(scale, map->min_scale);
    a->scales[state][block] = scale;
    for (int32_t i = 0; i < n; i++) {
        float x = map->divides ? b->s[state][i] / scale : b->s[state][i] * (1.0f / scale);
        uint8_t code = scale == 0.0f ? 0 : axl__quant_code(map, x);
        if (map->bits == 8)
            codes[i] = code;
        else
            codes[i / 2] = (uint8_t)(i % 2 ? codes[i / 2] | code : code << 4);
    }
}

static float square_mean(float v, float beta, float rest, float g)
{
    return fmaf(rest * g, g, beta * v);
}

static float mean(float m, float beta, float rest, float g)
{
    return fmaf(rest, g, beta * m);
}

static void adamw(block_step *b, int32_t i, float *p, float g, bool slow)
{
    const axl__optim_low_bit_numbers *k = &b->k;
    float *m = &b->s[0][i], *v = &b->s[1][i], *m2 = &b->s[2][i];

    *m = mean(*m, k->beta1, k->rest1, g);
    *v = square_mean(*v, k->beta2, k->rest2, g);
    if (slow)
        *m2 = mean(*m2, k->beta3, k->rest3, g);
    float root = sqrtf(*v) / k->correction2 + k->eps, kept = *p * k->keep;
    if (slow)
        *p = fmaf((*m / k->correction1 + k->alpha * *m2) / root, k->minus_lr, kept);
    else
        *p = kept + k->minus_step * *m / root;
}

static void lion(block_step *b, int32_t i, float *p, float g)
{
    const axl__optim_low_bit_numbers *k = &b->k;
    float *m = &b->s[0][i], c = k->beta1 * *m + k->rest1 * g;

    *p = *p * k->keep + k->minus_lr * (float)((c > 0.0f) - (c < 0.0f));
    *m = mean(*m, k->beta2, k->rest2, g);
}

static void rmsprop(block_step *b, int32_t i, float *p, float g)
{
    const axl__optim_low_bit_numbers *k = &b->k;
    float *v = &b->s[0][i];

    g = fmaf(k->weight_decay, *p, g);
    *v = square_mean(*v, k->beta1, k->rest1, g);
    *p = *p + k->minus_lr * g / (sqrtf(*v) + k->eps);
}

static void step(block_step *b, int32_t i, float *p, float g)
{
    switch (b->a->rule) {
    case AXL_RULE_ADAMW: adamw(b, i, p, g, false); break;
    case AXL_RULE_ADEMAMIX: adamw(b, i, p, g, true); break;
    case AXL_RULE_LION: lion(b, i, p, g); break;
    case AXL_RULE_RMSPROP: rmsprop(b, i, p, g); break;
    }
}

void axl__ref_optim_low_bit(const axl_optim_low_bit_args *a)
{
    block_step b = { .a = a, .k = axl__optim_low_bit_fold(a) };

    for (int64_t block = 0; block < a->n_blocks; block++) {
        axl_optim_block at = a->blocks[block];
        for (int s = 0; s < 3; s++)
            if (a->codes[s])
                widen(&b, block, at.n, s);
        for (int32_t i = 0; i < at.n; i++)
            step(&b, i, &a->p[at.at + i], a->g[at.at + i] * b.k.grad_scale);
        for (int s = 0; s < 3; s++)
            if (a->codes[s])
                narrow(&b, block, at.n, s);
    }
}
