/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - an adapter added into the weights: W + s B A in f32, with DoRA's gains, rounded once;
 * what it trained whole replaces the model's. */
#include "merge.h"
#include "model_files.h"
#include "weights.h"
#include "write_model.h"

/* W += s B A, or of the embedding, which is looked up in rows, s A^T B^T. */
static axl_status add_pair(const axl_adapter *a, const axl__lora *l, bool embedding, axl_mat weight)
{
    axl_mat of_a = { a->params + l->at[AXL__PART_A], AXL_F32, l->rank, l->in, l->in };
    axl_mat of_b = { a->params + l->at[AXL__PART_B], AXL_F32, l->out, l->rank, l->rank };
    axl_matmul_args add = {
        .x = embedding ? of_a : of_b,
        .w = axl__dense(embedding ? of_b : of_a),
        .y = weight,
        .trans_x = embedding,
        .trans_w = embedding,
        .alpha = l->scale,
        .beta = 1.0f,
        .compute = AXL_F32,
    };

    return a->model->ops->matmul(a->model->dev, &add);
}

/* Each row times the magnitude over its length; work (2, out) device, gains (out) host. */
static axl_status scale_rows(const axl_adapter *a, const axl__lora *l, axl_mat weight, float *work,
                             float *gains)
{
    const axl_backend_ops *ops = a->model->ops;
    axl_row_norms_args norms = { weight, work, a->params + l->at[AXL__PART_MAGNITUDE],
                                 work + l->out };

    AXL_TRY(ops->row_norms(a->model->dev, &norms));
    AXL_TRY(ops->download(a->model->dev, gains, work + l->out, (size_t)l->out * sizeof *gains));
    for (int64_t r = 0; r < l->out; r++) {
        axl_mat row = { (float *)weight.data + r * weight.stride, AXL_F32, 1, l->in, l->in };
        axl_scale_columns_args scale = { .x = row, .y = row, .scale = gains[r] };
        AXL_TRY(ops->scale_columns(a->model->dev, &scale));
    }
    return AXL_OK;
}

static axl_status merge_magnitudes(const axl_adapter *a, const axl__lora *l, axl_mat weight)
{
    size_t bytes = (size_t)l->out * sizeof(float);
    float *gains = axl__alloc_aligned(a->ctx, bytes);
    void *work = NULL;
    axl_status status =
        gains ? a->model->ops->buffer_new(a->model->dev, &work, 2 * bytes) : axl__fail_nomem();

    if (status == AXL_OK)
        status = scale_rows(a, l, weight, work, gains);
    a->model->ops->buffer_free(a->model->dev, work);
    axl__free_aligned(a->ctx, gains);
    return status;
}

/* The bias that the adapter trained in the layer's place, and that of B. */
axl_status axl__merge_bias(const axl_adapter *a, int64_t module, axl_mat bias)
{
    const axl__module *of = &a->model->modules.list[module];
    const axl__lora *l = &a->loras[module];
    int64_t own = l->at[AXL__PART_BIAS], of_b = l->at[AXL__PART_B_BIAS];

    if (own >= 0)
        AXL_TRY(a->model->ops->copy(a->model->dev, bias.data, a->params + own,
                                    (size_t)l->out * sizeof(float)));
    if (of_b < 0)
        return AXL_OK;
    if (!of->has_bias)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s has no bias to add that of its lora_B to (lora_bias): such an adapter "
                         "cannot be merged",
                         of->name);
    axl_scale_columns_args add = { .x = { a->params + of_b, AXL_F32, 1, l->out, l->out },
                                   .y = bias,
                                   .scale = l->scale,
                                   .add = true };
    return a->model->ops->scale_columns(a->model->dev, &add);
}

bool axl__merge_changes(const axl_adapter *a, int64_t module, bool bias)
{
    const axl__lora *l = &a->loras[module];

    return bias ? l->at[AXL__PART_BIAS] >= 0 || l->at[AXL__PART_B_BIAS] >= 0
                : l->on || l->whole || l->n_rows > 0;
}

bool axl__merge_parts_head(const axl_adapter *a)
{
    const axl__modules *t = &a->model->modules;
    int64_t head = axl__modules_in(t, -1, AXL__SLOT_HEAD).first;
    const axl__lora *of_head = &a->loras[head];
    const axl__lora *of_embed = &a->loras[axl__modules_in(t, -1, AXL__SLOT_EMBED).first];

    return t->list[head].tied && !of_head->tied &&
           (of_head->whole || of_embed->whole || of_head->n_rows > 0 || of_embed->n_rows > 0 ||
            of_embed->on);
}

/* Replaces what the adapter trained whole, or rows of. */
static axl_status merge_whole(const axl_adapter *a, const axl__lora *l, axl_mat weight)
{
    axl_unary_args copy = { { a->params + l->at[AXL__PART_WEIGHT], AXL_F32, l->out, l->in, l->in },
                            weight };

    for (int64_t r = 0; r < l->n_rows; r++)
        AXL_TRY(a->model->ops->copy(a->model->dev, (float *)weight.data + l->rows[r] * l->in,
                                    a->params + l->at[AXL__PART_ROWS] + r * l->in,
                                    (size_t)l->in * sizeof(float)));
    return l->whole ? a->model->ops->convert(a->model->dev, &copy) : AXL_OK;
}

/* A tied head's pair cannot change it without the embedding. */
axl_status axl__merge_weight(const axl_adapter *a, int64_t module, axl_mat weight)
{
    const axl__module *of = &a->model->modules.list[module];
    const axl__lora *l = &a->loras[module];
    const axl__lora *f =
        a->frozen && a->frozen->loras[module].on ? &a->frozen->loras[module] : NULL;

    AXL_TRY(merge_whole(a, l, weight));
    if (!l->on)
        return AXL_OK;
    if (of->tied)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "the adapter changes %s, which is the "
                         "embedding here: it cannot be merged",
                         of->name);
    AXL_TRY(add_pair(a, l, of->role == AXL__ROLE_EMBEDDING, weight));
    if (f)
        AXL_TRY(add_pair(a->frozen, f, false, weight));
    return l->at[AXL__PART_MAGNITUDE] >= 0 ? merge_magnitudes(a, l, weight) : AXL_OK;
}

static axl_status merge_layers(const axl_adapter *a, axl__weights *w)
{
    axl_model *m = a->model;
    uint64_t n = (uint64_t)m->modules.n_linears;

    for (int64_t i = 0; i < m->modules.n; i++) {
        const axl__module *of = &m->modules.list[i];
        if (axl__module_is_linear(of))
            AXL_TRY(axl__poll(m->ctx, "merge", (uint64_t)of->linear, n));
        if (axl__merge_changes(a, i, true))
            AXL_TRY(axl__merge_bias(a, i, axl__weights_bias(w, of)));
        if (axl__merge_changes(a, i, false))
            AXL_TRY(axl__merge_weight(a, i, axl__weights_value(w, of)));
    }
    return axl__poll(m->ctx, "merge", n, n);
}

static axl_status merge(const axl_adapter *a)
{
    axl__weights *w;

    AXL_TRY(axl__weights_make(&w, a->model, axl__merge_parts_head(a)));
    axl_status status = merge_layers(a, w);
    if (status < 0) {
        axl__weights_drop(a->model, w);
        return status;
    }
    return axl__weights_commit(a->model, w);
}

axl_status axl_adapter_save_merged(const axl_adapter *a, const char *dir)
{
    AXL_TRY(axl__adapter_enter(a));
    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    AXL_TRY(axl__pass_begin(a->model, a));
    axl_status status = axl__model_write(a->model, a, dir, AXL__SHARD_BYTES);
    axl__pass_end(a->model, a);
    return status;
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
