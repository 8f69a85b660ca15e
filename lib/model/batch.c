/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - see batch.h. */
#include "batch.h"

#include "base/structs.h"

#include <assert.h>
#include <string.h>

enum { POSITION_MAX = 1 << 24 }; /* beyond it f32 does not tell neighbours apart */

/* ---- whether it is sound ---- */

static axl_status check_sequences(const axl_batch *b, bool need_labels)
{
    if (!b->input_ids || (need_labels && !b->labels) || !b->cu_seqlens || b->n_tokens == 0 ||
        b->n_seqs == 0 || b->n_tokens > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "the batch is empty, or one of its arrays is NULL");
    if (b->cu_seqlens[0] != 0 || b->cu_seqlens[b->n_seqs] != (int32_t)b->n_tokens)
        return axl__fail(AXL_ERR_INVALID, "cu_seqlens must begin with 0 and end with n_tokens");
    for (uint32_t s = 0; s < b->n_seqs; s++)
        if ((int64_t)b->cu_seqlens[s + 1] - b->cu_seqlens[s] <= 0)
            return axl__fail(AXL_ERR_INVALID, "sequence %u of the batch is empty", s);
    return AXL_OK;
}

axl_status axl__ids_check(const int32_t *ids, size_t n, const axl__arch *arch)
{
    for (size_t t = 0; t < n; t++)
        if (ids[t] < 0 || ids[t] >= arch->vocab_size)
            return axl__fail(AXL_ERR_INVALID, "token id %d at %zu is outside the model's %lld",
                             ids[t], t, (long long)arch->vocab_size);
    return AXL_OK;
}

static axl_status check_batch(const axl_batch *b, const axl__arch *arch)
{
    AXL_TRY(axl__ids_check(b->input_ids, b->n_tokens, arch));
    for (uint32_t t = 0; t < b->n_tokens; t++) {
        if (b->labels && b->labels[t] != AXL_LABEL_IGNORE &&
            (b->labels[t] < 0 || b->labels[t] >= arch->vocab_size))
            return axl__fail(AXL_ERR_INVALID, "label %d at %u is outside the model's %lld",
                             b->labels[t], t, (long long)arch->vocab_size);
        if (b->positions && (b->positions[t] < 0 || b->positions[t] > POSITION_MAX))
            return axl__fail(AXL_ERR_INVALID, "position %d at %u is out of range", b->positions[t],
                             t);
    }
    return AXL_OK;
}

axl_status axl__batch_take(axl_batch *out, const axl_batch *given, const axl__arch *arch,
                           bool need_labels)
{
    *out = (axl_batch)AXL_BATCH_INIT;
    AXL_TRY(AXL__IMPORT(axl_batch, out, given));
    if (out->roles || out->pairs)
        return axl__fail(AXL_ERR_UNSUPPORTED, "the batch has %s; there is no loss of preferences",
                         out->roles ? "roles" : "pairs");
    AXL_TRY(check_sequences(out, need_labels));
    return check_batch(out, arch);
}

/* ---- what is trained ---- */

uint32_t axl__batch_trained(const axl_batch *b)
{
    uint32_t n = 0;

    for (uint32_t s = 0; s < b->n_seqs && b->labels; s++)
        for (int32_t t = b->cu_seqlens[s] + 1; t < b->cu_seqlens[s + 1]; t++)
            n += b->labels[t] != AXL_LABEL_IGNORE;
    return n;
}

int64_t axl__batch_longest(const axl_batch *b)
{
    int64_t longest = 0;

    for (uint32_t s = 0; s < b->n_seqs; s++) {
        int64_t len = (int64_t)b->cu_seqlens[s + 1] - b->cu_seqlens[s];
        longest = len > longest ? len : longest;
    }
    return longest;
}

/* ---- on the device ---- */

/* Seven numbers a token at most: id, position, row, target, weight, slot, and the end of a
 * sequence; the places of a column; and the seed, of two.
 */
axl_status axl__index_reserve(axl__index *x, axl_context *ctx, const axl_backend_ops *ops,
                              axl_device *dev, int64_t n_tokens, int64_t rank)
{
    int64_t n = n_tokens * (7 + rank) + 6;
    void *device = NULL;

    x->used = 0;
    if (n <= x->cap)
        return AXL_OK;
    int32_t *host = axl__alloc_aligned(ctx, (size_t)n * sizeof *host);
    if (!host)
        return axl__fail_nomem();
    axl_status status = ops->buffer_new(dev, &device, (size_t)n * sizeof(int32_t));
    if (status < 0) {
        axl__free_aligned(ctx, host);
        return status;
    }
    axl__index_free(x, ctx, ops, dev);
    *x = (axl__index){ .host = host, .device = device, .cap = n };
    return AXL_OK;
}

void axl__index_free(axl__index *x, axl_context *ctx, const axl_backend_ops *ops, axl_device *dev)
{
    axl__free_aligned(ctx, x->host);
    ops->buffer_free(dev, x->device);
    *x = (axl__index){ 0 };
}

int32_t *axl__index_take(axl__index *x, int64_t n, const int32_t **device)
{
    int64_t at = x->used;

    assert(at + n <= x->cap);
    x->used += n;
    *device = x->device + at;
    return x->host + at;
}

void axl__index_lookups(axl__index *x, const int32_t *ids, int64_t n, int64_t rank, int64_t vocab,
                        axl__lookups *out)
{
    *out = (axl__lookups){ 0 };
    memcpy(axl__index_take(x, n, &out->ids), ids, (size_t)n * sizeof *ids);
    if (rank == 0)
        return;
    int32_t *places = axl__index_take(x, n * rank, &out->places);
    for (int64_t t = 0; t < n; t++)
        for (int64_t k = 0; k < rank; k++)
            places[t * rank + k] = (int32_t)(k * vocab + ids[t]);
}

axl_status axl__index_upload(axl__index *x, const axl_backend_ops *ops, axl_device *dev)
{
    return ops->upload(dev, x->device, x->host, (size_t)x->used * sizeof *x->host);
}

typedef struct {
    int32_t *rows, *targets;
    float *weights; /* or NULL */
    int64_t n;
} picked_rows;

/* Labels are not shifted: the token before a label predicts it, so the first label of a sequence
 * is predicted by nothing and the last token predicts nothing. */
static void pick_trained(const axl_batch *b, picked_rows *r)
{
    for (uint32_t s = 0; s < b->n_seqs; s++)
        for (int32_t t = b->cu_seqlens[s] + 1; t < b->cu_seqlens[s + 1]; t++) {
            if (b->labels[t] == AXL_LABEL_IGNORE)
                continue;
            r->rows[r->n] = t - 1;
            r->targets[r->n] = b->labels[t];
            if (r->weights)
                r->weights[r->n] = b->weights ? b->weights[t] : 1.0f;
            r->n++;
        }
}

static void pick_rows(const axl_batch *b, const axl__rows_wish *wish, int64_t n, picked_rows *r)
{
    if (!wish->all && !wish->given) {
        pick_trained(b, r);
        return;
    }
    for (r->n = 0; r->n < n; r->n++)
        r->rows[r->n] = wish->given ? wish->given[r->n] : (int32_t)r->n;
}

/* The largest one comes back. */
static int64_t put_positions(const axl_batch *b, int32_t *positions)
{
    int64_t max = 0;

    for (uint32_t s = 0; s < b->n_seqs; s++)
        for (int32_t t = b->cu_seqlens[s]; t < b->cu_seqlens[s + 1]; t++) {
            positions[t] = b->positions ? b->positions[t] : t - b->cu_seqlens[s];
            max = positions[t] > max ? positions[t] : max;
        }
    return max;
}

static void put_slots(const axl_batch *b, const axl__rows_wish *wish, int32_t *slots)
{
    for (uint32_t t = 0; t < b->n_tokens; t++)
        for (slots[t] = 0; slots[t] < wish->n_known; slots[t]++)
            if (wish->known[slots[t]] == b->input_ids[t])
                break;
}

/* The first of all, since it alone wants to lie at a multiple of 8 bytes. */
static const uint64_t *put_seed(axl__index *x, uint64_t seed)
{
    const int32_t *device;

    assert(x->used == 0);
    memcpy(axl__index_take(x, 2, &device), &seed, sizeof seed);
    return (const uint64_t *)(const void *)device;
}

axl_status axl__batch_load(axl__batch_index *out, axl__index *x, const axl_batch *b,
                           const axl__rows_wish *wish, const axl_backend_ops *ops, axl_device *dev)
{
    int64_t T = b->n_tokens;
    int64_t n = wish->given ? wish->n_given : wish->all ? T : axl__batch_trained(b);
    const int32_t *weights = NULL;
    picked_rows r = { 0 };

    *out = (axl__batch_index){ .n_rows = n };
    out->seed = put_seed(x, wish->seed);
    axl__index_lookups(x, b->input_ids, T, wish->rank, wish->vocab, &out->tokens);
    out->max_position = put_positions(b, axl__index_take(x, T, &out->positions));
    out->host_rows = r.rows = axl__index_take(x, n, &out->rows);
    r.targets = axl__index_take(x, n, &out->targets);
    if (wish->weights || b->weights)
        r.weights = (float *)axl__index_take(x, n, &weights);
    memcpy(axl__index_take(x, b->n_seqs + 1, &out->cu), b->cu_seqlens,
           (b->n_seqs + 1) * sizeof(int32_t));
    if (wish->known)
        put_slots(b, wish, axl__index_take(x, T, &out->slots));
    pick_rows(b, wish, n, &r);
    out->weights = (float *)(uintptr_t)weights;
    return axl__index_upload(x, ops, dev);
}
