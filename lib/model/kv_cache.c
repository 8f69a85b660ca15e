/* SPDX-License-Identifier: Apache-2.0 */
/* kv_cache.c - one token after another: the keys and values of those before are kept, and a pass
 * computes the new ones behind them. */
#include "network_priv.h"

#include <string.h>

axl_status axl__kv_cache_init(axl__kv_cache *c, axl__network *n, int64_t cap)
{
    const axl__arch *a = &n->model->arch;
    int64_t kv = a->n_kv_heads * a->head_dim;
    size_t bytes = (size_t)(cap * kv) * axl__dtype_size(n->model->compute);

    memset(c, 0, sizeof *c);
    c->cap = cap;
    c->k = axl__calloc(n->model->ctx, (size_t)a->n_layers * 2, sizeof *c->k);
    if (!c->k)
        return axl__fail_nomem();
    c->v = c->k + a->n_layers;
    c->ids = axl__calloc(n->model->ctx, (size_t)cap, sizeof *c->ids);
    if (!c->ids) {
        axl__kv_cache_free(c, n);
        return axl__fail_nomem();
    }
    for (int64_t i = 0; i < a->n_layers * 2; i++) {
        c->k[i] = (axl_mat){ NULL, n->model->compute, cap, kv, kv };
        axl_status status = n->ops->buffer_new(n->dev, &c->k[i].data, bytes);
        if (status < 0) {
            axl__kv_cache_free(c, n);
            return status;
        }
    }
    return AXL_OK;
}

void axl__kv_cache_free(axl__kv_cache *c, axl__network *n)
{
    for (int64_t i = 0; c->k && i < n->model->arch.n_layers * 2; i++)
        n->ops->buffer_free(n->dev, c->k[i].data);
    if (c->k)
        axl__free(n->model->ctx, c->k);
    if (c->ids)
        axl__free(n->model->ctx, c->ids);
    memset(c, 0, sizeof *c);
}

static axl_mat cache_rows(axl_mat m, int64_t first, int64_t count)
{
    m.data = (char *)m.data + (size_t)(first * m.stride) * axl__dtype_size(m.dtype);
    m.rows = count;
    return m;
}

/* The layers write their keys and values behind those of the cache (columns of a fused output are
 * copied there), and their queries see all. */
static void use_cache(axl__network *n, const axl__kv_cache *c, int64_t count)
{
    for (int64_t l = 0; l < n->model->arch.n_layers; l++) {
        axl__attention_acts *x = &n->acts[l].attn;
        axl_mat k = cache_rows(c->k[l], c->len, count), v = cache_rows(c->v[l], c->len, count);
        if (n->model->arch.fused) {
            x->cached_k = k;
            x->cached_v = v;
        } else {
            x->k = k;
            x->v = v;
        }
        x->all_k = cache_rows(c->k[l], 0, c->len + count);
        x->all_v = cache_rows(c->v[l], 0, c->len + count);
    }
}

typedef struct {
    axl__lookups tokens;
    const int32_t *positions, *last, *cu_q, *cu_k; /* device */
} token_index;

static axl_status load_tokens(axl__network *n, const axl__kv_cache *c, const int32_t *ids,
                              int64_t count, const int32_t *cu_q, const int32_t *cu_k,
                              token_index *out)
{
    const axl__lora *pair = axl__embedding_pair(n->adapter);
    axl__index *x = &n->index;

    AXL_TRY(axl__network_index(n, count));
    axl__index_lookups(x, ids, count, pair ? pair->rank : 0, pair ? pair->in : 0, &out->tokens);
    int32_t *positions = axl__index_take(x, count, &out->positions);
    for (int64_t t = 0; t < count; t++)
        positions[t] = (int32_t)(c->len + t);
    *axl__index_take(x, 1, &out->last) = (int32_t)(count - 1);
    memcpy(axl__index_take(x, 2, &out->cu_q), cu_q, 2 * sizeof *cu_q);
    memcpy(axl__index_take(x, 2, &out->cu_k), cu_k, 2 * sizeof *cu_k);
    return axl__index_upload(x, n->ops, n->dev);
}

/* Whether the keys of the cache were turned by factors for shorter texts. */
static bool outgrown(const axl__network *n, const axl__kv_cache *c, int64_t length)
{
    const axl__arch *a = &n->model->arch;
    bool out = false;

    for (int i = 0; i < a->n_ropes && c->len > 0; i++)
        out =
            out || (a->ropes[i].type == AXL__ROPE_LONGROPE &&
                    axl__rope_reach(&a->ropes[i], c->len) != axl__rope_reach(&a->ropes[i], length));
    return out;
}

static axl_status cache_tokens(axl__network *n, axl__kv_cache *c, const int32_t *ids, int64_t count,
                               float *logits)
{
    const int32_t cu_q[2] = { 0, (int32_t)count }, cu_k[2] = { 0, (int32_t)(c->len + count) };
    axl__wish wish = { .phase = NULL };
    axl__pass p = axl__network_pass(n, &wish);
    axl__network_work w;
    token_index x;

    if (c->len == 0) { /* the adapter stays as it is while a text goes on */
        AXL_TRY(axl__dora_measure(&n->dora, n->adapter));
        AXL_TRY(axl__whole_copy(&n->whole, n->adapter));
    }
    AXL_TRY(load_tokens(n, c, ids, count, cu_q, cu_k, &x));
    AXL_TRY(axl__network_positions(n, c->cap, c->len + count));
    AXL_TRY(axl__network_room(n, &w, &p, count, count));
    use_cache(n, c, count);
    axl__layout at = { count, 1, count, cu_q, cu_k, x.cu_q, x.cu_k, x.positions, n->ropes };
    AXL_TRY(axl__network_layers(n, &p, &at, &x.tokens, n->model->arch.n_layers, &w));
    AXL_TRY(axl__head_logits(&p, &w.head, n->h[n->model->arch.n_layers], x.last, 1));
    AXL_TRY(n->ops->download(n->dev, logits, w.head.logits.data,
                             (size_t)n->model->arch.vocab_size * sizeof *logits));
    c->len += count;
    return AXL_OK;
}

axl_status axl__network_continue(axl__network *n, axl__kv_cache *c, const int32_t *ids,
                                 int64_t count, float *logits)
{
    int64_t before = c->len;

    memcpy(c->ids + before, ids, (size_t)count * sizeof *ids);
    if (!outgrown(n, c, before + count))
        return cache_tokens(n, c, ids, count, logits);
    c->len = 0;
    return cache_tokens(n, c, c->ids, before + count, logits);
}
