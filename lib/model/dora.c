/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dora.c - see dora.h.  A weight is gone through by rows, some at a time: what is added to them
 * stays in the cache, and no second weight exists.
 */
#include "dora.h"

enum { PIECE_ROWS = 256 };

axl_status axl__dora_init(axl__dora *d, const axl_adapter *a)
{
    int64_t widest = 0;
    void *norms = NULL, *piece = NULL;

    *d = (axl__dora){ 0 };
    if (!a || a->n_gains == 0)
        return AXL_OK;
    for (int64_t i = 0; i < a->model->modules.n; i++)
        if (a->loras[i].on && a->loras[i].in > widest)
            widest = a->loras[i].in;
    const axl_backend_ops *ops = a->model->ops;
    size_t bytes = (size_t)a->n_gains * sizeof(float);
    d->piece_size = (size_t)(PIECE_ROWS * widest) * sizeof(float);
    axl_status status = ops->buffer_new(a->model->dev, &norms, 2 * bytes);
    if (status == AXL_OK)
        status = ops->buffer_new(a->model->dev, &piece, d->piece_size);
    if (status < 0) {
        ops->buffer_free(a->model->dev, norms);
        return status;
    }
    d->norms = norms;
    d->gains = d->norms + a->n_gains;
    d->piece = piece;
    return AXL_OK;
}

void axl__dora_free(axl__dora *d, const axl_adapter *a)
{
    if (!a || !d->norms)
        return;
    a->model->ops->buffer_free(a->model->dev, d->norms);
    a->model->ops->buffer_free(a->model->dev, d->piece);
    *d = (axl__dora){ 0 };
}

/* y += s B A of the rows from `first` on. */
static axl_status add_pair(const axl_adapter *a, const axl__lora *l, int64_t first, axl_mat y)
{
    float *b = a->params + l->at[AXL__PART_B] + first * l->rank;
    axl_matmul_args args = {
        .x = { b, AXL_F32, y.rows, l->rank, l->rank },
        .w =
            axl__dense((axl_mat){ a->params + l->at[AXL__PART_A], AXL_F32, l->rank, l->in, l->in }),
        .y = y,
        .alpha = l->scale,
        .beta = 1.0f,
        .compute = AXL_F32,
    };

    return a->model->ops->matmul(a->model->dev, &args);
}

/* Rows of the weight as f32. */
static axl_status widen_rows(const axl_adapter *a, const axl__module *m, int64_t first, axl_mat y)
{
    axl_mat rows = m->weight.mat;

    if (m->weight.kind != AXL_WEIGHT_DENSE)
        return a->model->ops->dequantise(a->model->dev,
                                         &(axl_dequantise_args){ m->weight, y, first });
    rows.data = (char *)rows.data + (size_t)(first * rows.stride) * axl__dtype_size(rows.dtype);
    rows.rows = y.rows;
    return a->model->ops->convert(a->model->dev, &(axl_unary_args){ rows, y });
}

static axl_status measure_layer(const axl__dora *d, const axl_adapter *a, int64_t module)
{
    const axl__lora *l = &a->loras[module];
    const axl__lora *f =
        a->frozen && a->frozen->loras[module].on ? &a->frozen->loras[module] : NULL;

    for (int64_t r = 0; r < l->out; r += PIECE_ROWS) {
        int64_t n = l->out - r < PIECE_ROWS ? l->out - r : PIECE_ROWS;
        axl_mat y = { d->piece, AXL_F32, n, l->in, l->in };
        AXL_TRY(widen_rows(a, &a->model->modules.list[module], r, y));
        AXL_TRY(add_pair(a, l, r, y));
        if (f)
            AXL_TRY(add_pair(a->frozen, f, r, y));
        axl_row_norms_args norms = { y, d->norms + l->gain_at + r,
                                     a->params + l->at[AXL__PART_MAGNITUDE] + r,
                                     d->gains + l->gain_at + r };
        AXL_TRY(a->model->ops->row_norms(a->model->dev, &norms));
    }
    return AXL_OK;
}

axl_status axl__dora_measure(axl__dora *d, const axl_adapter *a)
{
    if (!a || a->n_gains == 0)
        return AXL_OK;
    for (int64_t i = 0; i < a->model->modules.n; i++)
        if (a->loras[i].at[AXL__PART_MAGNITUDE] >= 0)
            AXL_TRY(measure_layer(d, a, i));
    return AXL_OK;
}
