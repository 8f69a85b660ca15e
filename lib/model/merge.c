/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - an adapter's pairs added into the weights: W + s B A in f32, rounded once. */
#include "adapter.h"
#include "weights.h"

/* The pairs of one adapter; a tied head cannot change without the embedding. */
static axl_status add_pairs(axl__weights *w, const axl_adapter *a)
{
    axl_model *m = a->model;
    uint64_t n = (uint64_t)m->modules.n_linears;

    for (int64_t i = 0; i < m->modules.n; i++) {
        const axl__module *of = &m->modules.list[i];
        const axl__lora *l = &a->loras[i];
        if (axl__module_is_linear(of))
            AXL_TRY(axl__poll(m->ctx, "merge", (uint64_t)of->linear, n));
        if (!l->on)
            continue;
        if (of->tied)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "the adapter changes %s, which is the "
                             "embedding here: it cannot be merged",
                             of->name);
        axl_matmul_args add = {
            .x = { a->params + l->b_at, AXL_F32, l->out, l->rank, l->rank },
            .w = axl__dense((axl_mat){ a->params + l->a_at, AXL_F32, l->rank, l->in, l->in }),
            .y = axl__weights_value(w, of),
            .alpha = a->scale,
            .beta = 1.0f,
            .compute = AXL_F32,
        };
        AXL_TRY(m->ops->matmul(m->dev, &add));
    }
    return axl__poll(m->ctx, "merge", n, n);
}

static axl_status merge(const axl_adapter *a)
{
    axl__weights *w;

    AXL_TRY(axl__weights_make(&w, a->model));
    axl_status status = add_pairs(w, a);
    if (status == AXL_OK && a->frozen)
        status = add_pairs(w, a->frozen);
    if (status < 0) {
        axl__weights_drop(a->model, w);
        return status;
    }
    return axl__weights_commit(a->model, w);
}

axl_status axl_adapter_merge(axl_adapter *a)
{
    AXL_TRY(axl__adapter_enter(a));
    AXL_TRY(axl__model_take(a->model, true));
    axl_status status = axl__adapter_begin(a, false);
    if (status == AXL_OK) {
        status = merge(a);
        axl__adapter_end(a, false);
    }
    axl__model_give_back(a->model, true);
    return status;
}
