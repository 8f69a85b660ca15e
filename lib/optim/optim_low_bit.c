/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_low_bit.c - optimizers whose state is 8 bits an element and a scale a block of 256 elements
 * of a tensor, or 4 bits and blocks of 128.  Small tensors, kind 1, keep f32 state and take the
 * method's f32 step, as in the libraries that the names come from: bitsandbytes (below 4096
 * elements, and embeddings) and torchao (below 4096, or no multiple of the block).
 */
#include "optim_method.h"

#include "tensor/quant_map.h"

#include <stdio.h>
#include <string.h>

enum { SMALLEST = 4096, MAX_STATES = 3, BLOCK_8BIT = 256, BLOCK_4BIT = 128 };

/* A kind's states; is_signed picks the map. */
typedef struct {
    axl_optim_rule rule;
    size_t n_states;
    const char *names[MAX_STATES];
    bool is_signed[MAX_STATES];
    axl__quant_rounding rounding; /* of 8 bits */
    axl__optim_span_fn *small;    /* the step of kind 1, whose flat regions come first */
    bool four_bits;
} recipe;

typedef struct {
    axl_quant_map maps[2]; /* of signed and unsigned states */
    const recipe *recipe;
    int64_t n_blocks;
    int64_t first_block[]; /* (n_spans) */
} tables;

static int64_t block_of(const recipe *r)
{
    return r->four_bits ? BLOCK_4BIT : BLOCK_8BIT;
}

static int64_t lowbit_blocks_of(const recipe *r, const axl__optim_tensor *t)
{
    return (t->rows * t->cols + block_of(r) - 1) / block_of(r);
}

static uint32_t lowbit_kind_bitsandbytes(const axl__optim_tensor *t)
{
    return t->rows * t->cols < SMALLEST || t->lookup;
}

static uint32_t lowbit_kind_torchao(const axl__optim_tensor *t)
{
    return t->rows * t->cols < SMALLEST || t->rows * t->cols % BLOCK_8BIT != 0;
}

static uint32_t lowbit_kind_4bit(const axl__optim_tensor *t)
{
    return t->rows * t->cols < SMALLEST || t->rows * t->cols % BLOCK_4BIT != 0;
}

/* ---- laying out ---- */

/* Blocks are numbered through all tensors of kind 0 in the order of their places; a tensor's last
 * block may be short, and no block spans two tensors.  The codes of block b lie behind those of the
 * blocks before it in their region, its scale is number b of the other. */
static axl_status lowbit_make_tables(axl__optimizer *o, const recipe *r)
{
    tables *t = axl__calloc(o->target.ctx, 1, sizeof *t + o->n_spans * sizeof *t->first_block);

    o->own = t;
    if (!t)
        return axl__fail_nomem();
    t->recipe = r;
    for (int i = 0; i < 2; i++)
        if (r->four_bits)
            axl__quant_map_4bit(&t->maps[i], i == 0);
        else
            axl__quant_map_dynamic(&t->maps[i], i == 0, r->rounding);
    for (size_t k = 0; k < o->n_spans; k++) {
        const axl__optim_span *s = &o->spans[k];
        t->first_block[k] = t->n_blocks;
        for (size_t i = s->first; i < s->end && s->kind == 0; i++)
            t->n_blocks += lowbit_blocks_of(r, &o->target.tensors[i]);
    }
    return AXL_OK;
}

static axl_status add_codes(axl__optimizer *o, const char *name, const axl__optim_tensor *x,
                            size_t at)
{
    const tables *t = o->own;
    uint64_t dims[2] = { (uint64_t)x->rows, (uint64_t)x->cols };

    if (!t->recipe->four_bits)
        return axl__optim_entry_add(o, name, x->name, "U8", dims, 2, at);
    dims[0] = dims[0] * dims[1] / 2;
    return axl__optim_entry_add(o, name, x->name, "U8", dims, 1, at);
}

/* Codes and scales of one state, the entries named as the tensors.  The bytes behind a short block
 * are in no file, and two codes of 4 bits are one element there. */
static axl_status lowbit_lay_out_state(axl__optimizer *o, const char *name)
{
    const tables *t = o->own;
    char scales[64];

    snprintf(scales, sizeof scales, "%s.absmax", name);
    for (int pass = 0; pass < 2; pass++) {
        size_t unit = pass == 0 ? (size_t)axl__quant_map_bytes(&t->maps[0]) : sizeof(float);
        size_t block = 0;
        AXL_TRY(axl__optim_region(o, (size_t)t->n_blocks * unit));
        for (size_t k = 0; k < o->n_spans; k++)
            for (size_t i = o->spans[k].first; i < o->spans[k].end && o->spans[k].kind == 0; i++) {
                const axl__optim_tensor *x = &o->target.tensors[i];
                uint64_t n = (uint64_t)lowbit_blocks_of(t->recipe, x);
                AXL_TRY(pass == 0
                            ? add_codes(o, name, x, block * unit)
                            : axl__optim_entry_add(o, scales, x->name, "F32", &n, 1, block * unit));
                block += n;
            }
    }
    return AXL_OK;
}

/* Regions: a flat one for each state, then bytes and scales of each. */
static axl_status lowbit_lay_out(axl__optimizer *o, const recipe *r)
{
    AXL_TRY(lowbit_make_tables(o, r));
    for (size_t s = 0; s < r->n_states; s++)
        AXL_TRY(axl__optim_flat(o, r->names[s], 1));
    for (size_t s = 0; s < r->n_states; s++)
        AXL_TRY(lowbit_lay_out_state(o, r->names[s]));
    return AXL_OK;
}

/* Where each block's parameters are, for the operation.  The order is that of the tables above. */
static axl_status lowbit_upload_blocks(axl__optimizer *o, axl_optim_block *host)
{
    const axl__optim_target *t = &o->target;
    int64_t block = block_of(((const tables *)o->own)->recipe);
    size_t n = 0;
    void *device = NULL;

    for (size_t i = 0; i < t->n_tensors; i++) {
        int64_t size = t->tensors[i].rows * t->tensors[i].cols;
        for (int64_t at = 0; at < size && o->method->kind_of(&t->tensors[i]) == 0; at += block) {
            int64_t rest = size - at;
            host[n++] = (axl_optim_block){ t->tensors[i].at + at,
                                           (int32_t)(rest < block ? rest : block), 0 };
        }
    }
    AXL_TRY(t->ops->buffer_new(t->dev, &device, (n + 1) * sizeof *host));
    o->index = device;
    return t->ops->upload(t->dev, device, host, n * sizeof *host);
}

/* One block more than there are, so that a model of small tensors alone asks for some memory
 * too. */
static axl_status lowbit_begin(axl__optimizer *o)
{
    size_t n = (size_t)((const tables *)o->own)->n_blocks;
    axl_optim_block *host = axl__calloc(o->target.ctx, n + 1, sizeof *host);
    axl_status status = host ? lowbit_upload_blocks(o, host) : axl__fail_nomem();

    axl__free(o->target.ctx, host);
    return status;
}

/* ---- the step ---- */

/* RMSprop's smoothing goes where the others have beta1, as in bitsandbytes' kernel. */
static axl_status lowbit_step_bytes(axl__optimizer *o, const axl__optim_step *step,
                                    const axl__optim_span *s, const axl__param_group *g)
{
    const tables *t = o->own;
    const recipe *r = t->recipe;
    size_t span = (size_t)(s - o->spans);
    int64_t first = t->first_block[span];
    int64_t end = span + 1 < o->n_spans ? t->first_block[span + 1] : t->n_blocks;
    axl_optim_low_bit_args a = {
        .rule = r->rule,
        .p = o->target.params,
        .g = step->grads,
        .blocks = (const axl_optim_block *)o->index + first,
        .n_blocks = end - first,
        .lr = step->rate * g->rate,
        .beta1 = step->beta1,
        .beta2 = o->set.beta2,
        .eps = o->set.eps,
        .weight_decay = g->weight_decay,
        .grad_scale = step->grad_scale,
        .step = step->step,
    };

    if (r->rule == AXL_RULE_ADEMAMIX) {
        a.alpha = axl__optim_ademamix_alpha(&o->set, step->step);
        a.beta3 = axl__optim_ademamix_beta3(&o->set, step->step);
    } else if (r->rule == AXL_RULE_RMSPROP) {
        a.beta1 = o->set.alpha;
    }
    for (size_t k = 0; k < r->n_states; k++) {
        a.codes[k] = (uint8_t *)axl__optim_at(o, r->n_states + 2 * k) +
                     first * axl__quant_map_bytes(&t->maps[0]);
        a.scales[k] = (float *)axl__optim_at(o, r->n_states + 2 * k + 1) + first;
        a.maps[k] = &t->maps[r->is_signed[k] ? 0 : 1];
    }
    return o->target.ops->optim_low_bit(o->target.dev, &a);
}

static axl_status lowbit_step(axl__optimizer *o, const axl__optim_step *t)
{
    AXL_TRY(axl__optim_each_span(o, t, 0, lowbit_step_bytes));
    return axl__optim_each_span(o, t, 1, ((const tables *)o->own)->recipe->small);
}

/* ---- AdamW's moments of 8 bits ---- */

/* The first of the tensor's blocks. */
static int64_t block_at(const axl__optimizer *o, const axl__optim_place *p)
{
    const tables *t = o->own;
    int64_t block = t->first_block[p->span - o->spans];

    for (size_t i = p->span->first; i < p->tensor; i++)
        block += lowbit_blocks_of(t->recipe, &o->target.tensors[i]);
    return block;
}

/* Of state k, device: an element's code is at its place in the tensor, since short blocks have
 * nothing behind them. */
static uint8_t *codes_of(const axl__optimizer *o, const axl__optim_place *p, size_t k)
{
    const tables *t = o->own;
    size_t region = t->recipe->n_states + 2 * k;

    return (uint8_t *)axl__optim_at(o, region) + block_at(o, p) * axl__quant_map_bytes(&t->maps[0]);
}

static const axl_quant_map *map_of(const tables *t, size_t k)
{
    return &t->maps[t->recipe->is_signed[k] ? 0 : 1];
}

/* x (n) receives state k; codes (n) and scales (blocks of n) are room. */
static axl_status decode(axl__optimizer *o, const axl__optim_place *p, size_t k, float *x,
                         uint8_t *codes, float *scales)
{
    const axl__optim_target *t = &o->target;
    const tables *own = o->own;
    int64_t n = p->n, block = block_of(own->recipe);
    const float *from = (const float *)axl__optim_at(o, own->recipe->n_states + 2 * k + 1);
    size_t n_blocks = (size_t)lowbit_blocks_of(own->recipe, &t->tensors[p->tensor]);

    AXL_TRY(t->ops->download(t->dev, codes, codes_of(o, p, k), (size_t)n));
    AXL_TRY(t->ops->download(t->dev, scales, from + block_at(o, p), n_blocks * sizeof *scales));
    for (int64_t i = 0; i < n; i++)
        x[i] = map_of(own, k)->code[codes[i]] * scales[i / block];
    return AXL_OK;
}

static axl_status read_moments(axl__optimizer *o, const axl__optim_place *p, float *m, float *v)
{
    size_t n = (size_t)p->n;
    float *scales;

    if (p->span->kind == 1)
        return axl__optim_f32_moments.read(o, p, m, v);
    scales = axl__alloc(o->target.ctx, (n / BLOCK_8BIT + 1) * sizeof *scales + n);
    if (!scales)
        return axl__fail_nomem();
    uint8_t *codes = (uint8_t *)(scales + n / BLOCK_8BIT + 1);
    axl_status status = decode(o, p, 0, m, codes, scales);
    if (status == AXL_OK)
        status = decode(o, p, 1, v, codes, scales);
    axl__free(o->target.ctx, scales);
    return status;
}

/* Both of AdamW's maps have a code that is 0; what the rounding makes of 0 may be another. */
static uint8_t zero_of(const axl_quant_map *map)
{
    uint8_t code = 0;

    while (map->code[code] < 0.0f)
        code++;
    return code;
}

static axl_status prune_codes(axl__optimizer *o, const axl__optim_place *p, size_t k,
                              const float *x, uint8_t *codes)
{
    const axl__optim_target *t = &o->target;
    int64_t n = p->n;
    uint8_t zero = zero_of(map_of(o->own, k));

    AXL_TRY(t->ops->download(t->dev, codes, codes_of(o, p, k), (size_t)n));
    for (int64_t i = 0; i < n; i++)
        codes[i] = x[i] == 0.0f ? zero : codes[i];
    return t->ops->upload(t->dev, codes_of(o, p, k), codes, (size_t)n);
}

static axl_status prune_moments(axl__optimizer *o, const axl__optim_place *p, const float *m,
                                const float *v, void *work)
{
    if (p->span->kind == 1)
        return axl__optim_f32_moments.prune(o, p, m, v, work);
    AXL_TRY(prune_codes(o, p, 0, m, work));
    return prune_codes(o, p, 1, v, work);
}

static const axl__optim_moments moments_of_8_bits = { read_moments, prune_moments };

/* ---- the methods ---- */

static axl_status lowbit_lay_out_adamw(axl__optimizer *o)
{
    static const recipe r = { .rule = AXL_RULE_ADAMW,
                              .n_states = 2,
                              .names = { "exp_avg", "exp_avg_sq" },
                              .is_signed = { true, false },
                              .rounding = AXL__ROUND_BITSANDBYTES,
                              .small = axl__optim_adamw_span };

    return lowbit_lay_out(o, &r);
}

static axl_status lowbit_lay_out_adamw_torch(axl__optimizer *o)
{
    static const recipe r = { .rule = AXL_RULE_ADAMW,
                              .n_states = 2,
                              .names = { "exp_avg", "exp_avg_sq" },
                              .is_signed = { true, false },
                              .rounding = AXL__ROUND_TORCHAO,
                              .small = axl__optim_adamw_span };

    return lowbit_lay_out(o, &r);
}

static axl_status lowbit_lay_out_adamw_4bit(axl__optimizer *o)
{
    static const recipe r = { .rule = AXL_RULE_ADAMW,
                              .n_states = 2,
                              .names = { "exp_avg", "exp_avg_sq" },
                              .is_signed = { true, false },
                              .rounding = AXL__ROUND_TORCHAO,
                              .small = axl__optim_adamw_span,
                              .four_bits = true };

    return lowbit_lay_out(o, &r);
}

static axl_status lowbit_lay_out_lion(axl__optimizer *o)
{
    static const recipe r = { .rule = AXL_RULE_LION,
                              .n_states = 1,
                              .names = { "exp_avg" },
                              .is_signed = { true },
                              .rounding = AXL__ROUND_BITSANDBYTES,
                              .small = axl__optim_lion_span };

    return lowbit_lay_out(o, &r);
}

static axl_status lowbit_lay_out_ademamix(axl__optimizer *o)
{
    static const recipe r = { .rule = AXL_RULE_ADEMAMIX,
                              .n_states = 3,
                              .names = { "exp_avg", "exp_avg_sq", "exp_avg_slow" },
                              .is_signed = { true, false, true },
                              .rounding = AXL__ROUND_BITSANDBYTES,
                              .small = axl__optim_ademamix_span };

    return lowbit_lay_out(o, &r);
}

/* bitsandbytes keeps the mean square with a sign, too. */
static axl_status lowbit_lay_out_rmsprop(axl__optimizer *o)
{
    static const recipe r = { .rule = AXL_RULE_RMSPROP,
                              .n_states = 1,
                              .names = { "square_avg" },
                              .is_signed = { true },
                              .rounding = AXL__ROUND_BITSANDBYTES,
                              .small = axl__optim_rmsprop_span };

    return lowbit_lay_out(o, &r);
}

const axl__optim_method axl__optim_adamw_8bit = {
    .name = "adamw_8bit",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    .kind_of = lowbit_kind_bitsandbytes,
    .lay_out = lowbit_lay_out_adamw,
    .begin = lowbit_begin,
    .step = lowbit_step,
    .moments = &moments_of_8_bits,
};

const axl__optim_method axl__optim_adamw_torch_8bit = {
    .name = "adamw_torch_8bit",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    .kind_of = lowbit_kind_torchao,
    .lay_out = lowbit_lay_out_adamw_torch,
    .begin = lowbit_begin,
    .step = lowbit_step,
    .moments = &moments_of_8_bits,
};

const axl__optim_method axl__optim_adamw_torch_4bit = {
    .name = "adamw_torch_4bit",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    .kind_of = lowbit_kind_4bit,
    .lay_out = lowbit_lay_out_adamw_4bit,
    .begin = lowbit_begin,
    .step = lowbit_step,
};

const axl__optim_method axl__optim_ademamix_8bit = {
    .name = "ademamix_8bit",
    .defaults = AXL__ADEMAMIX_DEFAULTS,
    .kind_of = lowbit_kind_bitsandbytes,
    .lay_out = lowbit_lay_out_ademamix,
    .begin = lowbit_begin,
    .step = lowbit_step,
};

const axl__optim_method axl__optim_rmsprop_8bit = {
    .name = "rmsprop_8bit",
    .defaults = { .eps = 1e-8, .alpha = 0.99 },
    .kind_of = lowbit_kind_bitsandbytes,
    .lay_out = lowbit_lay_out_rmsprop,
    .begin = lowbit_begin,
    .step = lowbit_step,
};

const axl__optim_method axl__optim_lion_8bit = {
    .name = "lion_8bit",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999 },
    .kind_of = lowbit_kind_bitsandbytes,
    .lay_out = lowbit_lay_out_lion,
    .begin = lowbit_begin,
    .step = lowbit_step,
};
