/* SPDX-License-Identifier: Apache-2.0 */
/* network_read.c - what a model makes of a batch, for hosts that look or compute themselves. */
#include "network_priv.h"

#include <string.h>

static axl__wish reading_wish(void)
{
    return (axl__wish){ .phase = "evaluate" };
}

axl_status axl__network_logits(axl__network *n, const axl_batch *b, const int32_t *rows,
                               int64_t n_rows, float *logits)
{
    axl__wish wish = reading_wish();
    axl__pass p = axl__network_pass(n, &wish);
    axl__rows_wish choice = { .all = !rows, .given = rows, .n_given = n_rows };
    int64_t V = n->model->arch.vocab_size, layers = n->model->arch.n_layers;
    axl__network_batch on;

    AXL_TRY(axl__network_begin(n, &p, b, &choice, &on));
    AXL_TRY(axl__network_layers(n, &p, &on.at, &on.x.tokens, layers, &on.work));
    for (int64_t i = 0; i < on.x.n_rows; i += AXL__HEAD_ROWS) {
        int64_t k = on.x.n_rows - i < AXL__HEAD_ROWS ? on.x.n_rows - i : AXL__HEAD_ROWS;
        AXL_TRY(axl__cancelled(n->model->ctx));
        AXL_TRY(axl__head_logits(&p, &on.work.head, n->h[layers], on.x.rows + i, k));
        AXL_TRY(n->ops->download(n->dev, logits + i * V, on.work.head.logits.data,
                                 (size_t)(k * V) * sizeof *logits));
    }
    return AXL_OK;
}

/* The losses come one behind another, from the front of the memory that they are spread over: from
 * the last on, none is written over before it was moved. */
static void spread_losses(float *losses, const axl__batch_index *x, int64_t n_tokens)
{
    int64_t end = n_tokens;

    for (int64_t i = x->n_rows - 1; i >= 0; i--) {
        int64_t at = x->host_rows[i] + 1;
        float loss = losses[i];
        for (int64_t t = at; t < end; t++)
            losses[t] = 0.0f;
        losses[at] = loss;
        end = at;
    }
    for (int64_t t = 0; t < end; t++)
        losses[t] = 0.0f;
}

axl_status axl__network_token_losses(axl__network *n, const axl_batch *b, float *losses)
{
    axl__wish wish = reading_wish();
    axl__pass p = axl__network_pass(n, &wish);
    axl__rows_wish choice = { .all = false };
    int64_t layers = n->model->arch.n_layers;
    axl__network_batch on;

    AXL_TRY(axl__network_begin(n, &p, b, &choice, &on));
    if (on.x.n_rows > 0) {
        AXL_TRY(axl__network_layers(n, &p, &on.at, &on.x.tokens, layers, &on.work));
        AXL_TRY(axl__head_losses(&p, &on.work.head, n->h[layers], &on.x));
        AXL_TRY(n->ops->download(n->dev, losses, on.work.head.losses,
                                 (size_t)on.x.n_rows * sizeof *losses));
    }
    spread_losses(losses, &on.x, b->n_tokens);
    return AXL_OK;
}

/* bf16 lies in the second half of the f32 memory before it is widened there. */
axl_status axl__network_hidden(axl__network *n, const axl_batch *b, int64_t layer, float *hidden)
{
    axl__wish wish = reading_wish();
    axl__pass p = axl__network_pass(n, &wish);
    axl__rows_wish choice = { .all = true };
    int64_t count = b->n_tokens * n->model->arch.hidden_size;
    size_t size = axl__dtype_size(n->model->compute);
    char *end = (char *)hidden + (size_t)count * (sizeof *hidden - size);
    axl__network_batch on;

    AXL_TRY(axl__network_begin(n, &p, b, &choice, &on));
    AXL_TRY(axl__network_layers(n, &p, &on.at, &on.x.tokens, layer, &on.work));
    AXL_TRY(n->ops->download(n->dev, end, n->h[layer].data, (size_t)count * size));
    if (size < sizeof *hidden)
        for (int64_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, end + (size_t)i * size, sizeof bits);
            hidden[i] = axl__bf16_to_f32(bits);
        }
    return AXL_OK;
}
