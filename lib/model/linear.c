/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - see linear.h.  The same dropout mask is drawn again in the backward instead of kept.
 */
#include "linear.h"

#include "base/rng.h"

const axl__lora *axl__pass_lora(const axl__pass *p, int64_t index)
{
    if (!p->adapter || !p->adapter->loras[index].on)
        return NULL;
    return &p->adapter->loras[index];
}

static axl_mat f32_mat(float *data, int64_t rows, int64_t cols)
{
    return (axl_mat){ data, AXL_F32, rows, cols, cols };
}

static axl_status multiply(const axl__pass *p, axl_mat x, bool trans_x, axl_mat w, bool trans_w,
                           axl_mat y, float alpha, float beta)
{
    axl_matmul_args a = { x, w, y, trans_x, trans_w, alpha, beta, p->model->compute };

    return p->ops->matmul(p->dev, &a);
}

static axl_mat first_rows(axl_mat m, int64_t rows, int64_t cols)
{
    m.rows = rows;
    m.cols = m.stride = cols;
    return m;
}

static axl_status drop(const axl__pass *p, int64_t index, axl_mat x, axl_mat y)
{
    axl_dropout_args a = { x, y, p->dropout, p->dropout_seed,
                           (uint64_t)AXL__STREAM_DROPOUT | (uint64_t)index << 8, 0 };

    return p->ops->dropout(p->dev, &a);
}

axl_status axl__linear_xa(const axl__pass *p, int64_t index, axl_mat x, axl_mat xa,
                          const axl__linear_scratch *s)
{
    const axl__lora *l = axl__pass_lora(p, index);

    if (!l)
        return AXL_OK;
    if (p->dropout > 0.0f) {
        axl_mat d = first_rows(s->drop, x.rows, x.cols);
        AXL_TRY(drop(p, index, x, d));
        x = d;
    }
    axl_mat a = f32_mat(p->adapter->params + l->a_at, l->rank, l->in);
    return multiply(p, x, false, a, true, xa, 1.0f, 0.0f);
}

axl_status axl__linear_forward(const axl__pass *p, int64_t index, axl_mat x, axl_mat y, axl_mat xa,
                               const axl__linear_scratch *s)
{
    const axl__lora *l = axl__pass_lora(p, index);

    AXL_TRY(multiply(p, x, false, *axl__model_linear(p->model, index), true, y, 1.0f, 0.0f));
    if (!l)
        return AXL_OK;
    AXL_TRY(axl__linear_xa(p, index, x, xa, s));
    axl_mat b = f32_mat(p->adapter->params + l->b_at, l->out, l->rank);
    return multiply(p, xa, false, b, true, y, p->adapter->scale, 1.0f);
}

static axl_status pair_backward(const axl__pass *p, const axl__lora *l, int64_t index, axl_mat x,
                                axl_mat dy, axl_mat xa, axl_mat dx, const axl__linear_scratch *s)
{
    float scale = p->adapter->scale, *params = p->adapter->params;
    axl_mat a = f32_mat(params + l->a_at, l->rank, l->in);
    axl_mat b = f32_mat(params + l->b_at, l->out, l->rank);
    axl_mat da = f32_mat(p->grads + l->a_at, l->rank, l->in);
    axl_mat db = f32_mat(p->grads + l->b_at, l->out, l->rank);
    axl_mat dxa = first_rows(s->dxa, dy.rows, l->rank);
    axl_mat d = first_rows(s->drop, x.rows, l->in);

    AXL_TRY(multiply(p, dy, false, b, false, dxa, scale, 0.0f));
    AXL_TRY(multiply(p, dy, true, xa, false, db, scale, 1.0f));
    if (p->dropout <= 0.0f) {
        AXL_TRY(multiply(p, dxa, true, x, false, da, 1.0f, 1.0f));
        return dx.data ? multiply(p, dxa, false, a, false, dx, 1.0f, 1.0f) : AXL_OK;
    }
    AXL_TRY(drop(p, index, x, d));
    AXL_TRY(multiply(p, dxa, true, d, false, da, 1.0f, 1.0f));
    if (!dx.data)
        return AXL_OK;
    AXL_TRY(multiply(p, dxa, false, a, false, d, 1.0f, 0.0f));
    AXL_TRY(drop(p, index, d, d));
    axl_unary_args add = { d, dx };
    return p->ops->add(p->dev, &add);
}

axl_status axl__linear_backward(const axl__pass *p, int64_t index, axl_mat x, axl_mat dy,
                                axl_mat xa, axl_mat dx, float beta, const axl__linear_scratch *s)
{
    const axl__lora *l = axl__pass_lora(p, index);

    if (dx.data)
        AXL_TRY(multiply(p, dy, false, *axl__model_linear(p->model, index), false, dx, 1.0f, beta));
    return l ? pair_backward(p, l, index, x, dy, xa, dx, s) : AXL_OK;
}
