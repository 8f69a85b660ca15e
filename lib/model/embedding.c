/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.c - see embedding.h.  Columns of A are taken and added to as rows of one element: A
 * lies as PEFT's files have it, and each token brings the places of its column along.
 */
#include "embedding.h"

#include "base/rng.h"

#include <math.h>

const axl__lora *axl__embedding_pair(const axl_adapter *a)
{
    const axl__modules *t = a ? &a->model->modules : NULL;
    const axl__lora *l = t ? &a->loras[axl__modules_in(t, -1, AXL__SLOT_EMBED).first] : NULL;

    return l && l->on ? l : NULL;
}

void axl__embedding_work_take(axl__step_arena *a, axl__embedding_work *out, const axl__pass *p,
                              int64_t T)
{
    const axl__lora *rows = axl__trained_rows(p, axl__embedding_of(p));
    const axl__lora *pair = axl__embedding_pair(p->adapter);

    *out = (axl__embedding_work){ 0 };
    if (rows)
        out->rows = axl__step_arena_mat(a, AXL_F32, rows->n_rows + 1, rows->in);
    if (pair)
        out->pair = axl__step_arena_mat(a, AXL_F32, T, pair->rank);
}

bool axl__embedding_is_trained(const axl__pass *p)
{
    const axl__module *m = axl__embedding_of(p);

    return axl__weight_gradient(p, m) || axl__trained_rows(p, m) ||
           (p->wish.grads && axl__embedding_pair(p->adapter));
}

/* ---- forward ---- */

static axl_mat some_rows(axl_mat m, int64_t first, int64_t count)
{
    m.data = (char *)m.data + (size_t)(first * m.stride) * axl__dtype_size(m.dtype);
    m.rows = count;
    return m;
}

/* What embeddings are multiplied by, in the type that is computed in, as transformers has it. */
static float embed_factor(const axl__pass *p)
{
    float factor = (float)p->model->arch.embed_scale;

    return p->model->compute == AXL_BF16 ? axl__bf16_to_f32(axl__f32_to_bf16(factor)) : factor;
}

static axl_status scale_embeddings(const axl__pass *p, axl_mat x)
{
    axl_scale_args a = { x, x, embed_factor(p) };

    return p->model->arch.embed_scale == 0.0 ? AXL_OK : p->ops->scale(p->dev, &a);
}

/* A matrix without gaps as so many rows of one element. */
static axl_mat one_column(void *data, int64_t n)
{
    return (axl_mat){ data, AXL_F32, n, 1, 1 };
}

static axl_mat mat_b(const axl__lora *l, float *base)
{
    return (axl_mat){ base + l->at[AXL__PART_B], AXL_F32, l->out, l->rank, l->rank };
}

/* w->pair (T, r) = columns of A. */
static axl_status take_columns(const axl__pass *p, const axl__lora *l, const axl__lookups *ids,
                               const axl__embedding_work *w)
{
    int64_t n = w->pair.rows * l->rank;
    axl_rows_args take = { one_column(p->adapter->params + l->at[AXL__PART_A], l->rank * l->in),
                           one_column(w->pair.data, n), ids->places, n };

    return p->ops->gather_rows(p->dev, &take);
}

/* h += s A^T[ids] B^T */
static axl_status add_pair(const axl__pass *p, const axl__lookups *ids, axl_mat h,
                           const axl__embedding_work *w)
{
    const axl__lora *l = axl__embedding_pair(p->adapter);

    if (!l)
        return AXL_OK;
    axl_matmul_args add = { .x = w->pair,
                            .w = axl__dense(mat_b(l, p->adapter->params)),
                            .y = h,
                            .trans_w = true,
                            .alpha = l->scale,
                            .beta = 1.0f,
                            .compute = p->model->compute };
    AXL_TRY(take_columns(p, l, ids, w));
    return p->ops->matmul(p->dev, &add);
}

static axl_status add_noise(const axl__pass *p, const axl__layout *at, axl_mat h)
{
    for (int64_t s = 0; s < at->n_seqs; s++) {
        int64_t first = at->cu_q[s], len = at->cu_q[s + 1] - first;
        double scale = p->wish.noise_alpha / sqrt((double)(len * h.cols));
        axl_noise_args a = { some_rows(h, first, len), (float)scale, p->seed, AXL__STREAM_NOISE,
                             (uint64_t)(first * h.cols) };
        AXL_TRY(p->ops->noise(p->dev, &a));
    }
    return AXL_OK;
}

axl_status axl__embedding_forward(const axl__pass *p, const axl__layout *at,
                                  const axl__lookups *ids, axl_mat h, axl__embedding_work *w)
{
    axl_rows_args g = { axl__used_weight(p, axl__embedding_of(p)).mat, h, ids->ids, at->n_tokens };

    AXL_TRY(p->ops->gather_rows(p->dev, &g));
    AXL_TRY(add_pair(p, ids, h, w));
    AXL_TRY(scale_embeddings(p, h));
    return p->wish.grads && p->wish.noise_alpha > 0.0 ? add_noise(p, at, h) : AXL_OK;
}

/* ---- backward ---- */

/* Gradients of the rows that are trained; what is of other tokens goes into one that nobody reads.
 */
static axl_status row_gradients(const axl__pass *p, const axl__batch_index *x, axl_mat dh,
                                const axl__embedding_work *w)
{
    const axl__lora *l = axl__trained_rows(p, axl__embedding_of(p));
    axl_mat sums = w->rows,
            grads = { p->wish.grads + l->at[AXL__PART_ROWS], AXL_F32, l->n_rows, l->in, l->in };

    AXL_TRY(p->ops->zero(p->dev, sums.data, (size_t)(sums.rows * sums.cols) * sizeof(float)));
    AXL_TRY(p->ops->add_rows(p->dev, &(axl_rows_args){ dh, sums, x->slots, dh.rows }));
    sums.rows = l->n_rows;
    return p->ops->add(p->dev, &(axl_unary_args){ sums, grads });
}

/* dB += s dh^T A^T[ids]; of A's columns s dh B, added where they were taken. */
static axl_status pair_gradients(const axl__pass *p, const axl__batch_index *x, axl_mat dh,
                                 const axl__embedding_work *w)
{
    const axl__lora *l = axl__embedding_pair(p->adapter);
    int64_t n = dh.rows * l->rank;
    axl_matmul_args of_b = { .x = dh,
                             .w = axl__dense(w->pair),
                             .y = mat_b(l, p->wish.grads),
                             .trans_x = true,
                             .alpha = l->scale,
                             .beta = 1.0f,
                             .compute = p->model->compute };
    axl_matmul_args of_columns = { .x = dh,
                                   .w = axl__dense(mat_b(l, p->adapter->params)),
                                   .y = w->pair,
                                   .alpha = l->scale,
                                   .compute = p->model->compute };
    axl_rows_args put = { one_column(w->pair.data, n),
                          one_column(p->wish.grads + l->at[AXL__PART_A], l->rank * l->in),
                          x->tokens.places, n };

    AXL_TRY(take_columns(p, l, &x->tokens, w));
    AXL_TRY(p->ops->matmul(p->dev, &of_b));
    AXL_TRY(p->ops->matmul(p->dev, &of_columns));
    return p->ops->add_rows(p->dev, &put);
}

axl_status axl__embedding_backward(const axl__pass *p, const axl__batch_index *x, axl_mat dh,
                                   axl__embedding_work *w)
{
    const axl__module *m = axl__embedding_of(p);
    axl_mat d = { axl__weight_gradient(p, m), AXL_F32, m->rows, m->cols, m->cols };

    AXL_TRY(scale_embeddings(p, dh));
    if (d.data)
        return p->ops->add_rows(p->dev, &(axl_rows_args){ dh, d, x->tokens.ids, dh.rows });
    return axl__embedding_pair(p->adapter) ? pair_gradients(p, x, dh, w)
                                           : row_gradients(p, x, dh, w);
}
