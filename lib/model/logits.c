/* SPDX-License-Identifier: Apache-2.0 */
/* logits.c - a model's plain answers, for hosts that compare, sample or compute themselves. */
#include "network.h"

/* What to compute with, and the batch. */
typedef struct {
    axl_model *model; /* the host's, which counts its users in it */
    const axl_adapter *adapter;
    axl_batch batch;
    axl__network net; /* between begin_answer and end_answer */
} question;

static question ask(const axl_model *model, const axl_adapter *adapter)
{
    return (question){ .model = (axl_model *)(uintptr_t)model, .adapter = adapter };
}

static axl_status take_question(question *q, const axl_batch *batch, const void *out,
                                bool need_labels)
{
    AXL_TRY(axl__model_enter(q->model));
    if (q->adapter) {
        AXL_TRY(axl__adapter_enter(q->adapter));
        if (q->adapter->model != q->model)
            return axl__fail(AXL_ERR_INVALID, "the adapter was made for another model");
    }
    AXL_TRY(axl__batch_take(&q->batch, batch, &q->model->arch, need_labels));
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "there must be memory for the answer");
    return axl__model_unchanged(q->model);
}

static axl_status check_rows(const int32_t *rows, size_t n, const axl_batch *b)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i] < 0 || (uint32_t)rows[i] >= b->n_tokens || (i > 0 && rows[i] <= rows[i - 1]))
            return axl__fail(AXL_ERR_INVALID,
                             "row %d at %zu: rows ascend, and are below the batch's %u tokens",
                             rows[i], i, b->n_tokens);
    return AXL_OK;
}

/* A pass without a trainer begins, and has its network. */
static axl_status begin_answer(question *q)
{
    AXL_TRY(axl__pass_begin(q->model, q->adapter));
    axl_status status = axl__network_init(&q->net, q->model, q->adapter, false);
    if (status < 0)
        axl__pass_end(q->model, q->adapter);
    return status;
}

static void end_answer(question *q)
{
    axl__network_free(&q->net);
    axl__pass_end(q->model, q->adapter);
}

static axl_status answer_logits(question *q, const int32_t *rows, size_t n_rows, float *logits)
{
    AXL_TRY(begin_answer(q));
    axl_status status = axl__network_logits(&q->net, &q->batch, rows, (int64_t)n_rows, logits);
    end_answer(q);
    return status;
}

axl_status axl_model_logits(const axl_model *model, const axl_adapter *adapter, const int32_t *ids,
                            size_t n, float *logits)
{
    question q = ask(model, adapter);
    int32_t cu[2] = { 0, n <= INT32_MAX ? (int32_t)n : -1 };
    axl_batch b = AXL_BATCH_INIT;

    b.input_ids = ids;
    b.cu_seqlens = cu;
    b.n_tokens = cu[1] < 0 ? UINT32_MAX : (uint32_t)n;
    b.n_seqs = 1;
    AXL_TRY(take_question(&q, &b, logits, false));
    return answer_logits(&q, NULL, 0, logits);
}

axl_status axl_model_batch_logits(const axl_model *model, const axl_adapter *adapter,
                                  const axl_batch *batch, const int32_t *rows, size_t n_rows,
                                  float *logits)
{
    question q = ask(model, adapter);

    AXL_TRY(take_question(&q, batch, logits, false));
    if (rows)
        AXL_TRY(check_rows(rows, n_rows, &q.batch));
    return rows && n_rows == 0 ? AXL_OK : answer_logits(&q, rows, n_rows, logits);
}

axl_status axl_model_batch_losses(const axl_model *model, const axl_adapter *adapter,
                                  const axl_batch *batch, float *losses)
{
    question q = ask(model, adapter);

    AXL_TRY(take_question(&q, batch, losses, true));
    AXL_TRY(begin_answer(&q));
    axl_status status = axl__network_token_losses(&q.net, &q.batch, losses);
    end_answer(&q);
    return status;
}

axl_status axl_model_batch_hidden(const axl_model *model, const axl_adapter *adapter,
                                  const axl_batch *batch, uint32_t layer, float *hidden)
{
    question q = ask(model, adapter);

    AXL_TRY(take_question(&q, batch, hidden, false));
    if (layer > model->arch.n_layers)
        return axl__fail(AXL_ERR_INVALID, "layer %u of a model that has %lld", layer,
                         (long long)model->arch.n_layers);
    AXL_TRY(begin_answer(&q));
    axl_status status = axl__network_hidden(&q.net, &q.batch, layer, hidden);
    end_answer(&q);
    return status;
}
