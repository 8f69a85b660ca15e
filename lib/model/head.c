/* SPDX-License-Identifier: Apache-2.0 */
/* head.c - see head.h. */
#include "head.h"
#include "block_norm.h"

void axl__head_work_take(axl__step_arena *a, axl__head_work *w, const axl__pass *p, int64_t T)
{
    int64_t rows = T < AXL__HEAD_ROWS ? T : AXL__HEAD_ROWS;
    int64_t C = p->model->arch.hidden_size, V = p->model->arch.vocab_size;
    axl_dtype t = p->model->compute;
    int64_t r = axl__linears_rank(p, axl__modules_in(&p->model->modules, -1, AXL__SLOT_HEAD));

    w->losses = axl__step_arena_take(a, (size_t)T * sizeof(float));
    w->sum = axl__step_arena_take(a, sizeof *w->sum);
    w->rows = axl__step_arena_mat(a, t, rows, C);
    w->norm = axl__step_arena_mat(a, t, rows, C);
    w->rstd = axl__step_arena_take(a, (size_t)rows * sizeof(float));
    w->logits = axl__step_arena_mat(a, AXL_F32, rows, V);
    w->xa = axl__step_arena_mat(a, t, rows, r);
    axl__linear_scratch_take(a, &w->linear, p, rows, C, r);
    if (!p->wish.grads)
        return;
    w->dnorm = axl__step_arena_mat(a, t, rows, C);
    axl_matmul_args back = { .x = { NULL, t, rows, V, V },
                             .w = axl__dense((axl_mat){ NULL, t, V, C, C }),
                             .y = w->dnorm,
                             .compute = t };
    w->linear.parts_size = p->ops->scratch(p->dev, AXL_OP_matmul, &back);
    w->linear.parts = axl__step_arena_take(a, w->linear.parts_size);
    w->drows = axl__step_arena_mat(a, t, rows, C);
    if (p->wish.own && p->model->arch.logit_soft_cap > 0.0)
        w->capped = axl__step_arena_mat(a, AXL_F32, rows, V);
}

static axl__linears head_of(const axl__pass *p)
{
    return axl__modules_in(&p->model->modules, -1, AXL__SLOT_HEAD);
}

static const axl__module *final_norm_of(const axl__pass *p)
{
    return axl__modules_one(&p->model->modules, -1, AXL__SLOT_FINAL_NORM);
}

static axl_status zero_mat(const axl__pass *p, axl_mat m)
{
    return p->ops->zero(p->dev, m.data, (size_t)(m.rows * m.cols) * axl__dtype_size(m.dtype));
}

axl_status axl__head_logits(const axl__pass *p, axl__head_work *w, axl_mat h, const int32_t *rows,
                            int64_t count)
{
    axl_rows_args g = { h, w->rows, rows, count };

    w->rows.rows = w->norm.rows = w->logits.rows = w->xa.rows = g.y.rows = count;
    AXL_TRY(p->ops->gather_rows(p->dev, &g));
    AXL_TRY(axl__norm_forward(p, final_norm_of(p), w->rows, w->norm, w->rstd));
    AXL_TRY(axl__linears_forward(p, head_of(p), w->norm, (axl_mat){ 0 }, &w->logits, w->xa,
                                 &w->linear));
    axl_soft_cap_args c = { w->logits, w->logits, (float)p->model->arch.logit_soft_cap };
    return c.cap > 0.0f ? p->ops->soft_cap_forward(p->dev, &c) : AXL_OK;
}

/* The gradient of the logits lies over them: in bf16 with twice the stride. */
axl_mat axl__head_over_logits(const axl__pass *p, const axl__head_work *w)
{
    axl_mat d = w->logits;

    if (p->model->compute == AXL_BF16) {
        d.dtype = AXL_BF16;
        d.stride *= 2;
    }
    return d;
}

/* From dlogits (count, V) to the rows of dh. */
axl_status axl__head_rows_backward(const axl__pass *p, axl__head_work *w, const int32_t *rows,
                                   axl_mat dlogits, axl_mat dh)
{
    axl_rows_args s = { w->drows, dh, rows, dlogits.rows };

    w->dnorm.rows = w->drows.rows = s.x.rows = dlogits.rows;
    AXL_TRY(axl__linears_backward(p, head_of(p), w->norm, &dlogits, w->xa, w->dnorm, &w->linear));
    AXL_TRY(zero_mat(p, w->drows));
    AXL_TRY(axl__norm_backward(p, final_norm_of(p), w->rows, w->rstd, w->dnorm, w->drows));
    return p->ops->scatter_rows(p->dev, &s);
}

/* dh without data leaves the gradients out. */
static axl_status head_run(const axl__pass *p, axl__head_work *w, axl_mat h,
                           const axl__batch_index *x, axl_mat dh)
{
    for (int64_t i = 0; i < x->n_rows; i += AXL__HEAD_ROWS) {
        int64_t count = x->n_rows - i < AXL__HEAD_ROWS ? x->n_rows - i : AXL__HEAD_ROWS;
        axl_cross_entropy_args c = {
            .targets = x->targets + i,
            .losses = w->losses + i,
            .scale = (float)p->wish.scale,
            .smoothing = p->wish.grads ? (float)p->wish.smoothing : 0.0f,
            .scales = x->weights ? x->weights + i : NULL,
            .soft_cap = (float)p->model->arch.logit_soft_cap,
        };
        AXL_TRY(axl__cancelled(p->model->ctx));
        AXL_TRY(axl__head_logits(p, w, h, x->rows + i, count));
        c.logits = w->logits;
        if (dh.data)
            c.dlogits = axl__head_over_logits(p, w);
        AXL_TRY(p->ops->cross_entropy(p->dev, &c));
        if (dh.data)
            AXL_TRY(axl__head_rows_backward(p, w, x->rows + i, c.dlogits, dh));
    }
    return AXL_OK;
}

axl_status axl__head_losses(const axl__pass *p, axl__head_work *w, axl_mat h,
                            const axl__batch_index *x)
{
    return head_run(p, w, h, x, (axl_mat){ 0 });
}

axl_status axl__head_gradients(const axl__pass *p, axl__head_work *w, axl_mat h,
                               const axl__batch_index *x, axl_mat dh)
{
    AXL_TRY(zero_mat(p, dh));
    return head_run(p, w, h, x, dh);
}

axl_status axl__head_sum(const axl__pass *p, axl__head_work *w, const axl__batch_index *x)
{
    axl_sum_args a = { w->losses, x->weights, x->n_rows, w->sum };

    AXL_TRY(p->ops->zero(p->dev, w->sum, sizeof *w->sum));
    return p->ops->sum(p->dev, &a);
}
