/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c - see network.h.  The arena is laid out anew for each batch by the same code that
 * measures it; nothing is allocated once the largest batch was seen.
 */
#include "network_priv.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* ---- life ---- */

axl_status axl__network_init(axl__network *n, axl_model *model, const axl_adapter *adapter,
                             bool checkpointing)
{
    size_t layers = (size_t)model->arch.n_layers;

    memset(n, 0, sizeof *n);
    n->model = model;
    n->ops = model->ops;
    n->dev = model->dev;
    n->adapter = adapter;
    n->checkpointing = checkpointing;
    axl__step_arena_init(&n->arena, model->ops, model->dev);
    n->h = axl__calloc(model->ctx, layers + 1, sizeof *n->h);
    n->acts = axl__calloc(model->ctx, layers, sizeof *n->acts);
    if (!n->h || !n->acts) {
        axl__network_free(n);
        return axl__fail_nomem();
    }
    axl_status status = axl__dora_init(&n->dora, adapter);
    if (status == AXL_OK)
        status = axl__whole_init(&n->whole, adapter);
    if (status < 0)
        axl__network_free(n);
    return status;
}

static void ropes_free(axl__network *n, axl__rope_angles *r)
{
    for (int i = 0; i < AXL__ROPES_MAX; i++) {
        if (r[i].query_cos != r[i].cos)
            n->ops->buffer_free(n->dev, r[i].query_cos);
        if (r[i].query_sin != r[i].sin)
            n->ops->buffer_free(n->dev, r[i].query_sin);
        n->ops->buffer_free(n->dev, r[i].cos);
        n->ops->buffer_free(n->dev, r[i].sin);
    }
}

void axl__network_free(axl__network *n)
{
    if (!n->ops)
        return;
    axl_context *ctx = n->model->ctx;
    axl__step_arena_free(&n->arena);
    axl__dora_free(&n->dora, n->adapter);
    axl__whole_free(&n->whole, n->adapter);
    ropes_free(n, n->ropes);
    axl__index_free(&n->index, ctx, n->ops, n->dev);
    axl__free(ctx, n->h);
    axl__free(ctx, n->acts);
    memset(n, 0, sizeof *n);
}

axl__pass axl__network_pass(const axl__network *n, const axl__wish *wish)
{
    return (axl__pass){ n->model, n->ops, n->dev, n->adapter, *wish, NULL, &n->dora, &n->whole };
}

/* ---- rotary tables ---- */

/* Host tables to the device. */
static axl_status rope_put(axl__network *n, float **out, const float *host, size_t bytes)
{
    void *p = NULL;

    AXL_TRY(n->ops->buffer_new(n->dev, &p, bytes));
    *out = p;
    return n->ops->upload(n->dev, p, host, bytes);
}

static axl_status rope_fill(axl__network *n, const axl__rope *rope, int64_t reach,
                            axl__rope_angles *out, int64_t positions)
{
    size_t count = (size_t)(positions * rope->rotary_dim / 2), bytes = count * sizeof(float);
    float *cos_host = axl__alloc_aligned(n->model->ctx, 2 * bytes);

    if (!cos_host)
        return axl__fail_nomem();
    float *sin_host = cos_host + count;
    axl__rope_table(rope, reach, cos_host, sin_host, positions);
    axl_status status = rope_put(n, &out->cos, cos_host, bytes);
    if (status == AXL_OK)
        status = rope_put(n, &out->sin, sin_host, bytes);
    out->query_cos = out->cos;
    out->query_sin = out->sin;
    if (rope->query_beta != 0.0) {
        axl__rope_scale_queries(rope, cos_host, sin_host, positions);
        if (status == AXL_OK)
            status = rope_put(n, &out->query_cos, cos_host, bytes);
        if (status == AXL_OK)
            status = rope_put(n, &out->query_sin, sin_host, bytes);
    }
    axl__free_aligned(n->model->ctx, cos_host);
    return status;
}

/* What passes over batches of that length need is there. */
static bool ropes_serve(const axl__network *n, const int64_t *reach, int64_t positions)
{
    bool serve = positions <= n->n_positions;

    for (int i = 0; i < n->model->arch.n_ropes; i++)
        serve = serve && n->rope_reach[i] == reach[i];
    return serve;
}

axl_status axl__network_positions(axl__network *n, int64_t positions, int64_t length)
{
    axl__rope_angles made[AXL__ROPES_MAX];
    int64_t reach[AXL__ROPES_MAX] = { 0 };
    const axl__arch *a = &n->model->arch;
    axl_status status = AXL_OK;

    memset(made, 0, sizeof made);
    for (int i = 0; i < a->n_ropes; i++)
        reach[i] = axl__rope_reach(&a->ropes[i], length);
    if (ropes_serve(n, reach, positions))
        return AXL_OK;
    positions = positions < n->n_positions ? n->n_positions : positions;
    for (int i = 0; i < a->n_ropes && status == AXL_OK; i++)
        status = rope_fill(n, &a->ropes[i], reach[i], &made[i], positions);
    if (status < 0) {
        ropes_free(n, made);
        return status;
    }
    ropes_free(n, n->ropes);
    memcpy(n->ropes, made, sizeof made);
    memcpy(n->rope_reach, reach, sizeof reach);
    n->n_positions = positions;
    return AXL_OK;
}

/* ---- the arena's layout ---- */

/* Takes every matrix of a pass from the arena, in an order that depends on shapes alone.  Without
 * gradients, or below what is trained, a layer's input is not needed once its output is there, so
 * two hidden states take turns; layers whose activations are not kept all use those of the
 * first. */
static void network_lay_out(axl__network *n, axl__network_work *w, const axl__pass *p, int64_t T,
                            int64_t longest)
{
    const axl__arch *a = &n->model->arch;
    axl_dtype t = n->model->compute;
    bool train = p->wish.grads != NULL, keep = train && !n->checkpointing;

    memset(w, 0, sizeof *w);
    n->arena.used = 0;
    for (int64_t l = 0; l <= a->n_layers; l++)
        n->h[l] = l >= 2 && (!train || l < p->wish.first_layer)
                      ? n->h[l - 2] /* two take turns */
                      : axl__step_arena_mat(&n->arena, t, T, a->hidden_size);
    for (int64_t l = 0; l < a->n_layers; l++) {
        if (l == 0 || (keep && l >= p->wish.first_layer))
            axl__layer_acts_take(&n->arena, &n->acts[l], p, T);
        else
            n->acts[l] = n->acts[0];
        n->acts[l].h = n->h[l];
    }
    axl__layer_scratch_take(&n->arena, &w->layer, p, T, longest);
    if (train)
        w->dh = axl__step_arena_mat(&n->arena, t, T, a->hidden_size);
    axl__embedding_work_take(&n->arena, &w->embedding, p, T);
    axl__head_work_take(&n->arena, &w->head, p, T);
}

/* Lays out twice: with base NULL the arena only counts, then it has room and gives addresses. */
axl_status axl__network_room(axl__network *n, axl__network_work *w, const axl__pass *p, int64_t T,
                             int64_t longest)
{
    axl__step_arena real = n->arena;

    n->arena.base = NULL;
    n->arena.peak = 0;
    network_lay_out(n, w, p, T, longest);
    real.peak = n->arena.peak;
    n->arena = real;
    AXL_TRY(axl__step_arena_reserve(&n->arena, real.peak));
    network_lay_out(n, w, p, T, longest);
    return AXL_OK;
}

axl_status axl__network_index(axl__network *n, int64_t n_tokens)
{
    const axl__lora *pair = axl__embedding_pair(n->adapter);

    return axl__index_reserve(&n->index, n->model->ctx, n->ops, n->dev, n_tokens,
                              pair ? pair->rank : 0);
}

axl_status axl__network_reserve(axl__network *n, int64_t n_tokens, int64_t max_len,
                                const axl__wish *wish)
{
    axl__pass p = axl__network_pass(n, wish);
    axl__network_work w;

    AXL_TRY(axl__network_index(n, n_tokens));
    AXL_TRY(axl__network_positions(n, max_len, max_len));
    return axl__network_room(n, &w, &p, n_tokens, max_len);
}

/* ---- forward ---- */

axl_status axl__network_layers(axl__network *n, const axl__pass *p, const axl__layout *at,
                               const axl__lookups *ids, int64_t count, axl__network_work *w)
{
    axl_context *ctx = n->model->ctx;
    uint64_t layers = (uint64_t)count, total = p->wish.grads ? 2 * layers : layers;

    AXL_TRY(axl__embedding_forward(p, at, ids, n->h[0], &w->embedding));
    for (uint64_t l = 0; l < layers; l++) {
        AXL_TRY(p->wish.phase ? axl__poll(ctx, p->wish.phase, l, total) : axl__cancelled(ctx));
        AXL_TRY(axl__layer_forward(p, (int64_t)l, at, &n->acts[l], n->h[l + 1], &w->layer));
    }
    return AXL_OK;
}

/* ---- loss and backward ---- */

/* w->dh is the gradient of the last hidden state; each layer turns it into that of its input, down
 * to the lowest that is trained.  The first layer completes it only where weights are trained, the
 * embedding or its own first norm. */
static axl_status network_backward(axl__network *n, const axl__pass *p, const axl__layout *at,
                                   const axl__batch_index *x, axl__network_work *w)
{
    axl_context *ctx = n->model->ctx;
    const char *phase = p->wish.phase;
    uint64_t layers = (uint64_t)n->model->arch.n_layers;
    const axl__modules *t = &n->model->modules;
    bool embedding = axl__embedding_is_trained(p);
    bool below = axl__trains_weights(p) || embedding ||
                 axl__weight_gradient(p, axl__modules_one(t, 0, AXL__SLOT_ATTN_NORM));

    for (int64_t l = (int64_t)layers - 1; l >= p->wish.first_layer; l--) {
        AXL_TRY(phase ? axl__poll(ctx, phase, 2 * layers - 1 - (uint64_t)l, 2 * layers)
                      : axl__cancelled(ctx));
        if (n->checkpointing)
            AXL_TRY(axl__layer_forward(p, l, at, &n->acts[l], (axl_mat){ 0 }, &w->layer));
        AXL_TRY(axl__layer_backward(p, l, at, &n->acts[l], w->dh, below || l > 0, &w->layer));
    }
    if (embedding)
        AXL_TRY(axl__embedding_backward(p, x, w->dh, &w->embedding));
    return phase ? axl__poll(ctx, phase, 2 * layers, 2 * layers) : axl__cancelled(ctx);
}

/* Losses to the objective on the host, its scales back as the weights of the second phase. */
static axl_status weigh(axl__network *n, const axl__pass *p, const axl_batch *b,
                        const axl__batch_index *x, axl__network_work *w, double *value)
{
    size_t bytes = (size_t)x->n_rows * sizeof(float);
    float *losses = axl__alloc_aligned(n->model->ctx, 2 * bytes), *scales;

    if (!losses)
        return axl__fail_nomem();
    scales = losses + x->n_rows;
    axl_status status = n->ops->download(n->dev, losses, w->head.losses, bytes);
    if (status == AXL_OK)
        status =
            p->wish.objective->scales(p->wish.objective->user, b, losses, x->n_rows, scales, value);
    if (status == AXL_OK)
        status = n->ops->upload(n->dev, x->weights, scales, bytes);
    axl__free_aligned(n->model->ctx, losses);
    return status;
}

/* The loss, and with gradients that of the last hidden state into w->dh. */
static axl_status network_head(axl__network *n, const axl__pass *p, const axl_batch *b,
                               const axl__batch_index *x, axl__network_work *w, double *value)
{
    axl_mat h = n->h[n->model->arch.n_layers];

    if (p->wish.own)
        return axl__head_own_gradients(p, &w->head, h, x, b, w->dh, value);
    if (p->wish.objective) {
        AXL_TRY(axl__head_losses(p, &w->head, h, x));
        AXL_TRY(weigh(n, p, b, x, w, value));
        return p->wish.grads ? axl__head_gradients(p, &w->head, h, x, w->dh) : AXL_OK;
    }
    AXL_TRY(p->wish.grads ? axl__head_gradients(p, &w->head, h, x, w->dh)
                          : axl__head_losses(p, &w->head, h, x));
    return axl__head_sum(p, &w->head, x);
}

axl_status axl__network_check_loss(axl__network *n, double loss)
{
    const char *kind = isnan(loss) ? "NaN" : "infinite", *tensor = NULL;

    if (isfinite(loss))
        return AXL_OK;
    if (!n->looked_for_broken)
        tensor = axl__model_broken_tensor(n->model);
    n->looked_for_broken = tensor == NULL;
    if (!tensor)
        return axl__fail(AXL_ERR_NUMERIC, "the loss is not finite (%s)", kind);
    return axl__fail(AXL_ERR_NUMERIC,
                     "the loss is not finite (%s): \"%s\" in %s has values that are not", kind,
                     tensor, n->model->folder.place);
}

axl_status axl__network_begin(axl__network *n, const axl__pass *p, const axl_batch *b,
                              const axl__rows_wish *rows, axl__network_batch *out)
{
    const axl__lora *trained = axl__trained_rows(p, axl__embedding_of(p));
    const axl__lora *pair = axl__embedding_pair(n->adapter);
    int64_t longest = axl__batch_longest(b);
    axl__rows_wish wish = *rows;

    wish.known = trained ? trained->rows : NULL;
    wish.n_known = trained ? trained->n_rows : 0;
    wish.rank = pair ? pair->rank : 0;
    wish.vocab = pair ? pair->in : 0;
    wish.seed = p->wish.seed;
    AXL_TRY(axl__dora_measure(&n->dora, n->adapter));
    AXL_TRY(axl__whole_copy(&n->whole, n->adapter));
    AXL_TRY(axl__network_index(n, b->n_tokens));
    AXL_TRY(axl__batch_load(&out->x, &n->index, b, &wish, n->ops, n->dev));
    AXL_TRY(axl__network_positions(n, out->x.max_position + 1, out->x.max_position + 1));
    out->at = (axl__layout){ b->n_tokens, b->n_seqs, longest,          b->cu_seqlens, b->cu_seqlens,
                             out->x.cu,   out->x.cu, out->x.positions, n->ropes };
    return axl__network_room(n, &out->work, p, b->n_tokens, longest);
}

/* Launches of a batch, up to its loss on the device. */
static axl_status compute(axl__network *n, const axl__pass *p, const axl_batch *b,
                          axl__network_batch *on, double *value)
{
    int64_t layers = n->model->arch.n_layers;

    AXL_TRY(axl__network_layers(n, p, &on->at, &on->x.tokens, layers, &on->work));
    AXL_TRY(network_head(n, p, b, &on->x, &on->work, value));
    return p->wish.grads ? network_backward(n, p, &on->at, &on->x, &on->work) : AXL_OK;
}

/* Batches of one shape are the same calls, and a device may know them again. */
static axl_status compute_as_sequence(axl__network *n, const axl__pass *p, const axl_batch *b,
                                      axl__network_batch *on, double *value)
{
    AXL_TRY(n->ops->sequence_begin(n->dev));
    axl_status status = compute(n, p, b, on, value);
    axl_status ended = n->ops->sequence_end(n->dev);
    return status < 0 ? status : ended;
}

/* The device is waited for once, at the end, when the loss is read, if it is; a host's own loss is
 * told of logits before. */
axl_status axl__network_loss(axl__network *n, const axl_batch *b, const axl__wish *wish,
                             double *loss_sum)
{
    axl__pass p = axl__network_pass(n, wish);
    axl__rows_wish rows = { .all = wish->own && wish->own->all_rows,
                            .weights = wish->objective != NULL };
    bool from_host = wish->objective || wish->own;
    axl__network_batch on;
    double value = 0.0;

    *loss_sum = 0.0;
    AXL_TRY(axl__network_begin(n, &p, b, &rows, &on));
    p.seed = on.x.seed;
    if (on.x.n_rows == 0)
        return wish->keep_sum ? n->ops->zero(n->dev, wish->keep_sum, sizeof value) : AXL_OK;
    if (wish->graphs && !from_host && n->ops->sequence_begin)
        AXL_TRY(compute_as_sequence(n, &p, b, &on, &value));
    else
        AXL_TRY(compute(n, &p, b, &on, &value));
    if (wish->keep_sum)
        return n->ops->copy(n->dev, wish->keep_sum, on.work.head.sum, sizeof value);
    if (!from_host)
        AXL_TRY(n->ops->download(n->dev, &value, on.work.head.sum, sizeof value));
    AXL_TRY(axl__network_check_loss(n, value));
    *loss_sum = value;
    return AXL_OK;
}

axl_status axl__network_evaluate(axl__network *n, const axl_batch *given, const char *phase,
                                 double *loss_sum)
{
    axl__wish wish = { .phase = phase };
    axl_batch b;

    AXL_TRY(axl__batch_take(&b, given, &n->model->arch, true));
    AXL_TRY(axl__model_unchanged(n->model));
    return axl__network_loss(n, &b, &wish, loss_sum);
}
