/* SPDX-License-Identifier: Apache-2.0 */
/* whole_module.c - see whole_module.h. */
#include "whole_module.h"

#include "pass.h"

#include <string.h>

axl_status axl__whole_init(axl__whole *w, const axl_adapter *a)
{
    void *rounded = NULL;

    memset(w, 0, sizeof *w);
    if (!a || a->n_rounded == 0 || a->model->compute != AXL_BF16)
        return AXL_OK;
    AXL_TRY(a->model->ops->buffer_new(a->model->dev, &rounded,
                                      (size_t)a->n_rounded * sizeof *w->rounded));
    w->rounded = rounded;
    return AXL_OK;
}

void axl__whole_free(axl__whole *w, const axl_adapter *a)
{
    if (a)
        a->model->ops->buffer_free(a->model->dev, w->rounded);
    memset(w, 0, sizeof *w);
}

axl_status axl__whole_round(axl__whole *w, const axl_adapter *a)
{
    for (int64_t i = 0; w->rounded && i < a->model->modules.n; i++) {
        const axl__lora *l = &a->loras[i];
        int64_t n = l->in * l->out;
        if (!l->whole || l->tied)
            continue;
        axl_unary_args round = { { a->params + l->at[AXL__PART_WEIGHT], AXL_F32, 1, n, n },
                                 { w->rounded + l->rounded_at, AXL_BF16, 1, n, n } };
        AXL_TRY(a->model->ops->convert(a->model->dev, &round));
    }
    return AXL_OK;
}

static const axl__lora *whole_of(const axl__pass *p, const axl__module *m)
{
    const axl__lora *l = p->adapter ? &p->adapter->loras[m - p->model->modules.list] : NULL;

    return l && l->whole ? l : NULL;
}

axl_weight axl__used_weight(const axl__pass *p, const axl__module *m)
{
    const axl__lora *l = whole_of(p, m);

    if (!l)
        return m->weight;
    if (p->whole->rounded)
        return axl__dense(
            (axl_mat){ p->whole->rounded + l->rounded_at, AXL_BF16, m->rows, m->cols, m->cols });
    return axl__dense((axl_mat){ p->adapter->params + l->at[AXL__PART_WEIGHT], AXL_F32, m->rows,
                                 m->cols, m->cols });
}

float *axl__weight_gradient(const axl__pass *p, const axl__module *m)
{
    const axl__lora *l = whole_of(p, m);

    if (l)
        return p->wish.grads ? p->wish.grads + l->at[AXL__PART_WEIGHT] : NULL;
    return axl__trains_layer(p, m->layer) && m->weight_at >= 0 ? p->wish.grads + m->weight_at
                                                               : NULL;
}
