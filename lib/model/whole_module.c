/* SPDX-License-Identifier: Apache-2.0 */
/* whole_module.c - see whole_module.h. */
#include "whole_module.h"

#include "pass.h"

#include <string.h>

/* The copy of a module's weight. */
static axl_mat copy_of(const axl__whole *w, const axl_adapter *a, const axl__lora *l)
{
    size_t at = (size_t)l->copied_at * axl__dtype_size(a->model->compute);

    return (axl_mat){ (char *)w->copies + at, a->model->compute, l->out, l->in, l->in };
}

/* Where rows are trained, the others stay as the model has them. */
static axl_status fill(axl__whole *w, const axl_adapter *a, int64_t module)
{
    const axl_backend_ops *ops = a->model->ops;
    const axl__lora *l = &a->loras[module];
    axl_unary_args others = { a->model->modules.list[module].weight.mat, copy_of(w, a, l) };

    AXL_TRY(ops->upload(a->model->dev, w->rows + l->rows_at, l->rows,
                        (size_t)l->n_rows * sizeof *l->rows));
    return a->model->device.counts_only ? AXL_OK : ops->convert(a->model->dev, &others);
}

static axl_status make(axl__whole *w, const axl_adapter *a)
{
    size_t size = (size_t)a->n_copied * axl__dtype_size(a->model->compute);
    void *rows = NULL;

    AXL_TRY(a->model->ops->buffer_new(a->model->dev, &w->copies, size));
    if (a->n_rows == 0)
        return AXL_OK;
    AXL_TRY(a->model->ops->buffer_new(a->model->dev, &rows, (size_t)a->n_rows * sizeof *w->rows));
    w->rows = rows;
    for (int64_t i = 0; i < a->model->modules.n; i++)
        if (a->loras[i].n_rows > 0 && !a->loras[i].tied)
            AXL_TRY(fill(w, a, i));
    return AXL_OK;
}

axl_status axl__whole_init(axl__whole *w, const axl_adapter *a)
{
    memset(w, 0, sizeof *w);
    if (!a || a->n_copied == 0)
        return AXL_OK;
    axl_status status = make(w, a);
    if (status < 0)
        axl__whole_free(w, a);
    return status;
}

void axl__whole_free(axl__whole *w, const axl_adapter *a)
{
    if (a) {
        a->model->ops->buffer_free(a->model->dev, w->copies);
        a->model->ops->buffer_free(a->model->dev, w->rows);
    }
    memset(w, 0, sizeof *w);
}

axl_status axl__whole_copy(axl__whole *w, const axl_adapter *a)
{
    const axl_backend_ops *ops = w->copies ? a->model->ops : NULL;

    for (int64_t i = 0; w->copies && i < a->model->modules.n; i++) {
        const axl__lora *l = &a->loras[i];
        if (l->copied_at < 0 || l->tied)
            continue;
        axl_mat to = copy_of(w, a, l);
        axl_mat whole = { a->params + l->at[AXL__PART_WEIGHT], AXL_F32, l->out, l->in, l->in };
        axl_mat rows = { a->params + l->at[AXL__PART_ROWS], AXL_F32, l->n_rows, l->in, l->in };
        if (l->whole)
            AXL_TRY(ops->convert(a->model->dev, &(axl_unary_args){ whole, to }));
        else
            AXL_TRY(ops->scatter_rows(
                a->model->dev, &(axl_rows_args){ rows, to, w->rows + l->rows_at, l->n_rows }));
    }
    return AXL_OK;
}

/* ---- in a pass ---- */

static const axl__lora *own_of(const axl__pass *p, const axl__module *m)
{
    return p->adapter ? &p->adapter->loras[m - p->model->modules.list] : NULL;
}

axl_weight axl__used_weight(const axl__pass *p, const axl__module *m)
{
    const axl__lora *l = own_of(p, m);

    if (!l || (!l->whole && l->n_rows == 0))
        return m->weight;
    if (l->copied_at >= 0)
        return axl__dense(copy_of(p->whole, p->adapter, l));
    return axl__dense((axl_mat){ p->adapter->params + l->at[AXL__PART_WEIGHT], AXL_F32, m->rows,
                                 m->cols, m->cols });
}

float *axl__weight_gradient(const axl__pass *p, const axl__module *m)
{
    const axl__lora *l = own_of(p, m);

    if (l && l->whole)
        return p->wish.grads ? p->wish.grads + l->at[AXL__PART_WEIGHT] : NULL;
    return axl__trains_layer(p, m->layer) && m->weight_at >= 0 ? p->wish.grads + m->weight_at
                                                               : NULL;
}

const axl__lora *axl__trained_rows(const axl__pass *p, const axl__module *m)
{
    const axl__lora *l = own_of(p, m);

    return l && l->n_rows > 0 && p->wish.grads ? l : NULL;
}
