/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.c - making adapters and reaching their tensors; files are adapter_peft.c's, configs
 * adapter_config.c's. */
#include "adapter.h"

#include "base/magic.h"
#include "base/str.h"
#include "base/structs.h"
#include "config/lora_inits.h"

#include <math.h>
#include <string.h>

/* ---- life ---- */

axl_adapter *axl__adapter_ref(axl_adapter *a)
{
    atomic_fetch_add(&a->refs, 1);
    return a;
}

axl_status axl__adapter_enter(const axl_adapter *a)
{
    if (!a || a->magic != AXL__MAGIC_ADAPTER) {
        axl__error_clear();
        return axl__fail(AXL_ERR_INVALID, "not a live axl_adapter");
    }
    return axl__context_enter(a->ctx);
}

/* Reading counts itself in a handle that its caller does not change. */
static atomic_int *users_of(const axl_adapter *a)
{
    return &((axl_adapter *)(uintptr_t)a)->users;
}

axl_status axl__adapter_begin(const axl_adapter *a, bool writes)
{
    int n = atomic_load(users_of(a));

    while (writes ? n == 0 : n >= 0)
        if (atomic_compare_exchange_weak(users_of(a), &n, writes ? -1 : n + 1))
            return AXL_OK;
    return axl__fail(AXL_ERR_BUSY, n < 0 ? "the adapter is being written, or its trainer is at work"
                                         : "the adapter is being read by another call");
}

void axl__adapter_end(const axl_adapter *a, bool writes)
{
    atomic_fetch_add(users_of(a), writes ? 1 : -1);
}

axl_status axl__pass_begin(axl_model *m, const axl_adapter *a)
{
    bool lent = axl__model_is_lent(m);

    if (!lent)
        AXL_TRY(axl__model_take(m, false));
    axl_status status = a ? axl__adapter_begin(a, false) : AXL_OK;
    if (status < 0 && !lent)
        axl__model_give_back(m, false);
    return status;
}

void axl__pass_end(axl_model *m, const axl_adapter *a)
{
    if (a)
        axl__adapter_end(a, false);
    if (!axl__model_is_lent(m))
        axl__model_give_back(m, false);
}

void axl_adapter_free(axl_adapter *a)
{
    if (!a || a->magic != AXL__MAGIC_ADAPTER || atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    a->magic = 0;
    axl_context *ctx = a->ctx;
    axl_adapter_free(a->frozen);
    if (a->params)
        a->model->ops->buffer_free(a->model->dev, a->params);
    for (size_t i = 0; i < a->n_tensors && a->tensors; i++)
        axl__free(ctx, a->tensors[i].name);
    axl__free(ctx, a->tensors);
    axl__free(ctx, a->entries);
    axl__free(ctx, a->loras);
    axl__arena_free(&a->arena);
    axl_model_free(a->model);
    axl__free(ctx, a);
    axl_context_free(ctx);
}

axl_status axl__adapter_own(axl_adapter *a)
{
    if (atomic_exchange(&a->owned, true))
        return axl__fail(AXL_ERR_BUSY,
                         "the adapter is being trained by another trainer; free that one first");
    return AXL_OK;
}

void axl__adapter_disown(axl_adapter *a)
{
    atomic_store(&a->owned, false);
}

/* ---- layout ---- */

axl__pairing axl__module_pairing(const axl__module *m)
{
    return axl__module_is_linear(m)         ? AXL__PAIRING_LINEAR
           : m->role == AXL__ROLE_EMBEDDING ? AXL__PAIRING_EMBEDDING
                                            : AXL__PAIRING_NONE;
}

const char *axl__part_suffix(axl__part part, axl__pairing pairing)
{
    static const char *const suffixes[AXL__PARTS] = { ".lora_A.weight",
                                                      ".lora_B.weight",
                                                      ".lora_B.bias",
                                                      ".lora_magnitude_vector",
                                                      ".base_layer.bias",
                                                      ".weight",
                                                      ".token_adapter.trainable_tokens_delta" };

    if (pairing == AXL__PAIRING_EMBEDDING && part <= AXL__PART_B)
        return part == AXL__PART_A ? ".lora_embedding_A" : ".lora_embedding_B";
    return part == AXL__PART_BIAS && pairing != AXL__PAIRING_LINEAR ? ".bias" : suffixes[part];
}

static axl_status add_tensor(axl_adapter *a, int64_t module, axl__part part)
{
    const axl__module *of = &a->model->modules.list[module];
    const axl__lora *l = &a->loras[module];
    bool weight = part == AXL__PART_WEIGHT, rows = part == AXL__PART_ROWS;
    bool matrix = part <= AXL__PART_B || weight || rows;
    axl__pairing pairing = l->on ? axl__module_pairing(of) : AXL__PAIRING_NONE;
    char *name =
        axl__format(a->ctx, "base_model.model.%s%s", of->name, axl__part_suffix(part, pairing));

    if (!name)
        return axl__fail_nomem();
    a->entries[a->n_tensors] = (axl__entry){ part, module };
    a->tensors[a->n_tensors++] = (axl__param){
        .name = name,
        .at = l->at[part],
        .rows = part == AXL__PART_A ? l->rank
                : rows              ? l->n_rows
                : matrix            ? l->out
                                    : 1,
        .cols = part == AXL__PART_B ? l->rank
                : matrix            ? l->in
                                    : l->out,
        .vector = !matrix || of->role == AXL__ROLE_NORM,
        .embedding = weight || of->role == AXL__ROLE_HEAD || of->role == AXL__ROLE_EMBEDDING,
        .lookup = weight && of->role == AXL__ROLE_EMBEDDING,
    };
    return AXL_OK;
}

/* Room for a tensor; each starts on a cache line. */
static int64_t place(axl_adapter *a, int64_t size)
{
    int64_t at = a->n_params;

    a->n_params += (size + 15) & ~(int64_t)15;
    return at;
}

/* Whether the options give a layer the part. */
static bool has_part(const axl_adapter *a, int64_t module, axl__part part)
{
    const axl__module *m = &a->model->modules.list[module];
    bool on = a->loras[module].on, whole = a->loras[module].whole;

    switch (part) {
    case AXL__PART_B_BIAS: return on && a->opts.lora_bias;
    case AXL__PART_MAGNITUDE: return on && a->opts.use_dora;
    case AXL__PART_BIAS:
        return axl__module_is_linear(m) && m->has_bias &&
               (whole || strcmp(a->opts.bias, "all") == 0 ||
                (on && strcmp(a->opts.bias, "lora_only") == 0));
    case AXL__PART_WEIGHT: return whole && !a->loras[module].tied;
    case AXL__PART_ROWS: return a->loras[module].n_rows > 0 && !a->loras[module].tied;
    default: return on;
    }
}

/* Every A, then every B, then what else there is: what an optimizer treats alike lies together, and
 * a step of it is one operation. */
static void place_parts(axl_adapter *a)
{
    for (int part = 0; part < AXL__PARTS; part++)
        for (int64_t i = 0; i < a->model->modules.n; i++) {
            axl__lora *l = &a->loras[i];
            l->at[part] =
                has_part(a, i, (axl__part)part) ? place(a, axl__part_size(l, (axl__part)part)) : -1;
        }
}

static axl_status check_rank(const axl_adapter_options *o, const char *name, int64_t rank,
                             double alpha)
{
    if (rank < 1 || rank > AXL__RANK_MAX)
        return axl__fail(AXL_ERR_INVALID, "the rank of %s must be 1 to %d, got %lld", name,
                         AXL__RANK_MAX, (long long)rank);
    if (!isfinite(alpha))
        return axl__fail(AXL_ERR_INVALID, "the alpha of %s must be a number", name);
    if (strcmp(o->init_lora_weights, "orthogonal") == 0 && rank % 2 != 0)
        return axl__fail(AXL_ERR_INVALID,
                         "peft_init_lora_weights: orthogonal wants even ranks; that of %s is %lld",
                         name, (long long)rank);
    return AXL_OK;
}

static void place_copy(axl_adapter *a, axl__lora *l)
{
    l->copied_at = a->n_copied;
    a->n_copied += (l->in * l->out + 31) & ~(int64_t)31;
}

/* A head that PEFT ties has the embedding's weight. */
static axl_status size_whole(axl_adapter *a, int64_t module)
{
    const axl__module *m = &a->model->modules.list[module];
    axl__lora *l = &a->loras[module];

    if (l->on)
        return axl__fail(AXL_ERR_INVALID,
                         "lora_modules_to_save: %s would be trained whole, and it has a pair, too: "
                         "leave it out of one (lora_exclude_modules)",
                         m->name);
    if (m->weight.kind != AXL_WEIGHT_DENSE)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "lora_modules_to_save: %s is in 4 or 8 bits, which are not trained",
                         m->name);
    l->whole = true;
    l->tied = m->tied && a->opts.ensure_weight_tying;
    if (!l->tied && a->model->compute == AXL_BF16)
        place_copy(a, l);
    return AXL_OK;
}

static axl_status size_wholes(axl_adapter *a)
{
    const axl__modules *t = &a->model->modules;
    bool *whole = axl__calloc(a->ctx, (size_t)t->n, sizeof *whole);
    axl_status status = AXL_OK;

    if (!whole)
        return axl__fail_nomem();
    axl__targets_mark_whole(t, &a->opts, whole);
    for (int64_t i = 0; i < t->n && status == AXL_OK; i++)
        if (whole[i])
            status = size_whole(a, i);
    axl__free(a->ctx, whole);
    return status;
}

static void tie_whole(axl_adapter *a)
{
    const axl__modules *t = &a->model->modules;
    const axl__lora *embed = &a->loras[axl__modules_in(t, -1, AXL__SLOT_EMBED).first];
    axl__lora *head = &a->loras[axl__modules_in(t, -1, AXL__SLOT_HEAD).first];

    if (!head->tied)
        return;
    for (int part = AXL__PART_WEIGHT; part < AXL__PARTS; part++)
        head->at[part] = embed->at[part];
    head->copied_at = embed->copied_at;
    head->rows_at = embed->rows_at;
}

/* ---- rows ---- */

static axl_status take_rows(axl_adapter *a, int64_t module, const uint32_t *tokens, size_t n)
{
    const axl__module *m = &a->model->modules.list[module];
    axl__lora *l = &a->loras[module];
    int32_t *rows = axl__arena_alloc(&a->arena, (n + 1) * sizeof *rows);

    if (!rows)
        return axl__fail_nomem();
    l->rows = rows;
    for (size_t i = 0; i < n; i++) {
        if ((int64_t)tokens[i] >= m->rows)
            return axl__fail(
                AXL_ERR_INVALID,
                "peft_trainable_token_indices: %s has no row for the token %u, but %lld", m->name,
                tokens[i], (long long)m->rows);
        for (size_t k = 0; k < i; k++)
            if (tokens[k] == tokens[i])
                return axl__fail(AXL_ERR_INVALID,
                                 "peft_trainable_token_indices: the token %u is there twice",
                                 tokens[i]);
        rows[l->n_rows++] = (int32_t)tokens[i];
    }
    return AXL_OK;
}

static axl_status check_rows(const axl_adapter *a, int64_t module)
{
    const axl__module *m = &a->model->modules.list[module];
    const axl__lora *l = &a->loras[module];

    if (l->n_rows > 0 && (l->on || l->whole))
        return axl__fail(AXL_ERR_INVALID,
                         "peft_trainable_token_indices: rows of %s are trained, and %s, too: one "
                         "does without the other",
                         m->name, l->whole ? "all of it (lora_modules_to_save)" : "a pair of it");
    if (l->n_rows > 0 && m->weight.kind != AXL_WEIGHT_DENSE)
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "peft_trainable_token_indices: %s is in 4 or 8 bits, which are not trained", m->name);
    return AXL_OK;
}

/* Whether a tied head has the embedding's rows: as PEFT, where none are said of it, or the same. */
static axl_status ties_rows(const axl_adapter *a, int64_t embed, int64_t head, bool *ties)
{
    const axl__lora *e = &a->loras[embed], *h = &a->loras[head];

    *ties =
        a->model->modules.list[head].tied && e->n_rows > 0 &&
        (h->n_rows == 0 || (h->n_rows == e->n_rows &&
                            memcmp(h->rows, e->rows, (size_t)e->n_rows * sizeof *e->rows) == 0));
    if (a->model->modules.list[head].tied && a->opts.ensure_weight_tying && h->n_rows > 0 && !*ties)
        return axl__fail(AXL_ERR_INVALID,
                         "peft_trainable_token_indices: embed_tokens and lm_head are one here, and "
                         "peft_ensure_weight_tying wants the same tokens of both");
    return AXL_OK;
}

static axl_status size_rows(axl_adapter *a)
{
    const axl__modules *t = &a->model->modules;
    const axl_adapter_options *o = &a->opts;
    int64_t ends[2] = { axl__modules_in(t, -1, AXL__SLOT_EMBED).first,
                        axl__modules_in(t, -1, AXL__SLOT_HEAD).first };
    bool ties;

    AXL_TRY(take_rows(a, ends[0], o->trainable_tokens, o->n_trainable_tokens));
    AXL_TRY(take_rows(a, ends[1], o->trainable_head_tokens, o->n_trainable_head_tokens));
    AXL_TRY(ties_rows(a, ends[0], ends[1], &ties));
    if (ties) {
        a->loras[ends[1]].tied = true;
        a->loras[ends[1]].n_rows = a->loras[ends[0]].n_rows;
        a->loras[ends[1]].rows = a->loras[ends[0]].rows;
    }
    for (int i = 0; i < 2; i++) {
        axl__lora *l = &a->loras[ends[i]];
        AXL_TRY(check_rows(a, ends[i]));
        if (l->n_rows == 0 || l->tied)
            continue;
        place_copy(a, l);
        l->rows_at = a->n_rows;
        a->n_rows += l->n_rows;
    }
    return AXL_OK;
}

/* What the embedding's pair does not go with.  PEFT begins it in one way whatever the layers have,
 * but for these. */
static axl_status check_embedding(const axl_adapter *a, const axl__module *m, int64_t rank)
{
    const axl_adapter_options *o = &a->opts;
    const char *init = o->init_lora_weights;
    const char *what = o->use_dora    ? "peft_use_dora"
                       : o->lora_bias ? "lora_bias"
                       : axl__init_is_residual(init) || strcmp(init, "loftq") == 0
                           ? "peft_init_lora_weights"
                           : NULL;

    if (what)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s is for linear layers alone, and %s would have a pair: leave it out "
                         "(lora_exclude_modules)",
                         what, m->name);
    if (m->file_rows > 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s has rows for tokens that its files have not, and a pair does not hold "
                         "them: train it whole (lora_modules_to_save)",
                         m->name);
    if (m->rows > INT32_MAX / rank)
        return axl__fail(AXL_ERR_INVALID, "the rank of %s is too large for its %lld tokens: %lld",
                         m->name, (long long)m->rows, (long long)rank);
    return AXL_OK;
}

/* PEFT would make one pair of both. */
static axl_status check_tied_pair(const axl_adapter *a, const axl__module *m)
{
    const axl__module *head = axl__modules_one(&a->model->modules, -1, AXL__SLOT_HEAD);

    if (!head->tied || !a->opts.ensure_weight_tying ||
        (m != head && m->role != AXL__ROLE_EMBEDDING))
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "peft_ensure_weight_tying: a pair that %s shares with what it is tied to is "
                     "not supported; without the key the pair is its own",
                     m->name);
}

static axl_status size_pair(axl_adapter *a, int64_t module)
{
    const axl__modules *t = &a->model->modules;
    const axl__module *m = &t->list[module];
    axl__lora *l = &a->loras[module];

    AXL_TRY(axl__targets_rank(t, &a->opts, module, &l->rank, &l->alpha));
    AXL_TRY(check_rank(&a->opts, m->name, l->rank, l->alpha));
    AXL_TRY(check_tied_pair(a, m));
    if (m->role == AXL__ROLE_EMBEDDING) {
        AXL_TRY(check_embedding(a, m, l->rank));
        l->in = m->rows;
        l->out = m->cols;
    }
    l->scale = (float)(l->alpha / (a->opts.rslora ? sqrt((double)l->rank) : (double)l->rank));
    l->gain_at = a->n_gains;
    a->n_gains += a->opts.use_dora ? l->out : 0;
    return AXL_OK;
}

static axl_status size_pairs(axl_adapter *a, const bool *on)
{
    const axl__modules *t = &a->model->modules;

    for (int64_t i = 0; i < t->n; i++) {
        a->loras[i] = (axl__lora){
            .on = on[i], .in = t->list[i].cols, .out = t->list[i].rows, .copied_at = -1
        };
        if (on[i])
            AXL_TRY(size_pair(a, i));
    }
    return AXL_OK;
}

/* Gives everything its place and lists the tensors in the order of the module table: the order that
 * hosts see. */
static axl_status adapter_lay_out(axl_adapter *a, const bool *on)
{
    const axl__modules *t = &a->model->modules;
    size_t most = (size_t)t->n * AXL__PARTS;

    a->loras = axl__calloc(a->ctx, (size_t)t->n, sizeof *a->loras);
    a->tensors = axl__calloc(a->ctx, most, sizeof *a->tensors);
    a->entries = axl__calloc(a->ctx, most, sizeof *a->entries);
    if (!a->loras || !a->tensors || !a->entries)
        return axl__fail_nomem();
    AXL_TRY(size_pairs(a, on));
    AXL_TRY(size_wholes(a));
    AXL_TRY(size_rows(a));
    place_parts(a);
    for (int64_t i = 0; i < t->n; i++)
        for (int part = 0; part < AXL__PARTS; part++)
            if (a->loras[i].at[part] >= 0)
                AXL_TRY(add_tensor(a, i, (axl__part)part));
    tie_whole(a); /* the head's weight is no tensor of its own */
    return AXL_OK;
}

/* The paths of what is marked, in list, with room for all. */
static size_t list_paths(const axl__modules *t, const bool *marked, const char **list)
{
    size_t n = 0;

    for (int64_t i = 0; i < t->n; i++)
        if (marked[i])
            list[n++] = t->list[i].name;
    return n;
}

/* In a wrapper the names of kinds would mean modules of its other parts, too: paths do not. */
static axl_status name_paths(axl_adapter *a, const bool *on)
{
    const axl__modules *t = &a->model->modules;
    const char **paths = axl__calloc(a->ctx, 2 * (size_t)t->n, sizeof *paths);
    bool *whole = axl__calloc(a->ctx, (size_t)t->n, sizeof *whole);
    axl_status status = paths && whole ? AXL_OK : axl__fail_nomem();
    axl_adapter_options o = a->opts;

    if (status == AXL_OK) {
        axl__targets_mark_whole(t, &a->opts, whole);
        o.target_modules = paths;
        o.modules_to_save = paths + t->n;
        o.target_regex = o.exclude_regex = NULL;
        o.n_exclude_modules = o.n_layers_to_transform = 0;
        o.n_target_modules = list_paths(t, on, paths);
        o.n_modules_to_save = list_paths(t, whole, paths + t->n);
        status = axl__targets_copy(&a->opts, &a->arena, &o);
    }
    axl__free(a->ctx, whole);
    axl__free(a->ctx, paths);
    return status;
}

/* For adapter_config.json: what was asked for, or every kind of layer that is not the head. */
static axl_status name_targets(axl_adapter *a, const bool *on)
{
    enum { KINDS_MAX = 32 };
    const char *kinds[KINDS_MAX];
    axl_adapter_options o = a->opts;

    if (a->model->arch.wrapper)
        return name_paths(a, on);
    if (a->opts.target_regex || a->opts.n_target_modules > 0)
        return AXL_OK;
    o.n_target_modules = axl__modules_kinds(&a->model->modules, false, kinds, KINDS_MAX);
    o.target_modules = kinds;
    return axl__targets_copy(&a->opts, &a->arena, &o);
}

static axl_status adapter_fill(axl_adapter *a, const bool *on, const axl_adapter_options *o)
{
    const axl_backend_ops *ops = a->model->ops;
    void *params = NULL;

    AXL_TRY(axl__targets_copy(&a->opts, &a->arena, o));
    AXL_TRY(name_targets(a, on));
    AXL_TRY(adapter_lay_out(a, on));
    size_t bytes = (size_t)a->n_params * sizeof(float);
    AXL_TRY(ops->buffer_new(a->model->dev, &params, bytes));
    a->params = params; /* the gaps between tensors are read by whole-buffer operations */
    return ops->zero(a->model->dev, params, bytes);
}

axl_status axl__adapter_make(axl_adapter **out, axl_model *model, const bool *on,
                             const axl_adapter_options *o)
{
    axl_adapter *a = axl__calloc(model->ctx, 1, sizeof *a);

    *out = NULL;
    if (!a)
        return axl__fail_nomem();
    a->magic = AXL__MAGIC_ADAPTER;
    atomic_init(&a->refs, 1);
    a->ctx = axl__context_ref(model->ctx);
    a->model = axl__model_ref(model);
    axl__arena_init(&a->arena, a->ctx);
    axl_status status = adapter_fill(a, on, o);
    if (status < 0) {
        axl_adapter_free(a);
        return status;
    }
    *out = a;
    return AXL_OK;
}

/* ---- a new one ---- */

static axl_status check_init(const char *init)
{
    const char *why;

    switch (axl__lora_init_find(init, &why)) {
    case AXL__LORA_INIT_KNOWN: return AXL_OK;
    case AXL__LORA_INIT_REFUSED:
        return axl__fail(AXL_ERR_UNSUPPORTED, "peft_init_lora_weights: %s is %s", init, why);
    default:
        return axl__fail(AXL_ERR_INVALID, "peft_init_lora_weights %s, got \"%s\"",
                         axl__lora_init_choices, init);
    }
}

static axl_status check_targets(const axl_adapter_options *o)
{
    if (o->target_regex && o->n_layers_to_transform > 0)
        return axl__fail(AXL_ERR_INVALID,
                         "peft_layers_to_transform goes with names as lora_target_modules, not "
                         "with \"%s\"",
                         o->target_regex);
    if (o->n_layers_pattern > 0 && o->n_layers_to_transform == 0)
        return axl__fail(AXL_ERR_INVALID,
                         "peft_layers_pattern says where the numbers in peft_layers_to_transform "
                         "stand, and there are none");
    return AXL_OK;
}

axl_status axl__adapter_check_options(const axl_adapter_options *o)
{
    const char *init = o->init_lora_weights ? o->init_lora_weights : "true";
    bool plain = strcmp(init, "true") == 0 || strcmp(init, "false") == 0;

    if (o->rank < 1 || o->rank > AXL__RANK_MAX)
        return axl__fail(AXL_ERR_INVALID, "lora_r must be 1 to %d, got %u", AXL__RANK_MAX, o->rank);
    if (!(o->dropout >= 0.0 && o->dropout < 1.0))
        return axl__fail(AXL_ERR_INVALID, "lora_dropout must be at least 0 and below 1");
    if (!isfinite(o->alpha))
        return axl__fail(AXL_ERR_INVALID, "lora_alpha must be a number");
    if (o->bias && strcmp(o->bias, "none") != 0 && strcmp(o->bias, "all") != 0 &&
        strcmp(o->bias, "lora_only") != 0)
        return axl__fail(AXL_ERR_INVALID, "bias must be none, all or lora_only, got \"%s\"",
                         o->bias);
    AXL_TRY(check_init(init));
    if (o->lora_bias && !plain)
        return axl__fail(AXL_ERR_INVALID,
                         "lora_bias goes with init_lora_weights true or false, not with %s", init);
    if (o->reserved0)
        return axl__fail(AXL_ERR_INVALID, "reserved0 must be 0");
    if (o->lora_bias && o->use_dora)
        return axl__fail(AXL_ERR_INVALID, "lora_bias does not go with use_dora");
    return check_targets(o);
}

static axl_status adapter_new(axl_adapter **out, axl_model *model, const axl_adapter_options *o)
{
    bool *on = axl__calloc(model->ctx, (size_t)model->modules.n, sizeof *on);

    if (!on)
        return axl__fail_nomem();
    axl_status status = axl__targets_mark(&model->modules, o, on);
    if (status == AXL_OK)
        status = axl__targets_check(&model->modules, o, on);
    if (status == AXL_OK)
        status = axl__targets_check_whole(&model->modules, o);
    if (status == AXL_OK)
        status = axl__adapter_make(out, model, on, o);
    axl__free(model->ctx, on);
    return status == AXL_OK ? axl__adapter_init(*out, o->seed) : status;
}

axl_status axl_adapter_new(axl_adapter **out, axl_model *model, const axl_adapter_options *opts)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_adapter_options, &o, opts));
    AXL_TRY(axl__adapter_check_options(&o));
    axl_status status = adapter_new(out, model, &o);
    if (status < 0) {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- tensors ---- */

size_t axl_adapter_count(const axl_adapter *a)
{
    return a && a->magic == AXL__MAGIC_ADAPTER ? a->n_tensors : 0;
}

static axl_status check_index(const axl_adapter *a, size_t index)
{
    AXL_TRY(axl__adapter_enter(a));
    if (index >= a->n_tensors)
        return axl__fail(AXL_ERR_INVALID, "tensor %zu of %zu", index, a->n_tensors);
    return AXL_OK;
}

axl_status axl_adapter_get_tensor(const axl_adapter *a, size_t index, axl_tensor_info *out)
{
    AXL_TRY(axl__adapter_enter(a));
    if (index >= a->n_tensors)
        return AXL_END;
    const axl__param *t = &a->tensors[index];
    axl_tensor_info info = { sizeof info, t->name, (uint64_t)t->rows, (uint64_t)t->cols };
    return AXL__EXPORT(axl_tensor_info, out, &info);
}

static size_t tensor_bytes(const axl__param *t)
{
    return (size_t)(t->rows * t->cols) * sizeof(float);
}

axl_status axl_adapter_get_info(const axl_adapter *a, axl_adapter_info *out)
{
    AXL_TRY(axl__adapter_enter(a));
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
    info.base_model_name = a->model->name;
    info.target_modules = a->opts.target_modules;
    info.n_target_modules = a->opts.n_target_modules;
    info.alpha = a->opts.alpha;
    info.dropout = a->opts.dropout;
    info.rank = a->opts.rank;
    info.rslora = a->opts.rslora;
    info.target_regex = a->opts.target_regex;
    info.bias = a->opts.bias;
    info.init_lora_weights = a->opts.init_lora_weights;
    info.lora_bias = a->opts.lora_bias;
    info.use_dora = a->opts.use_dora;
    info.modules_to_save = a->opts.modules_to_save;
    info.n_modules_to_save = a->opts.n_modules_to_save;
    info.ensure_weight_tying = a->opts.ensure_weight_tying;
    info.trainable_tokens = a->opts.trainable_tokens;
    info.n_trainable_tokens = a->opts.n_trainable_tokens;
    info.trainable_head_tokens = a->opts.trainable_head_tokens;
    info.n_trainable_head_tokens = a->opts.n_trainable_head_tokens;
    return AXL__EXPORT(axl_adapter_info, out, &info);
}

axl_status axl_adapter_read(const axl_adapter *a, size_t index, float *values)
{
    AXL_TRY(check_index(a, index));
    if (!values)
        return axl__fail(AXL_ERR_INVALID, "values must not be NULL");
    const axl__param *t = &a->tensors[index];
    AXL_TRY(axl__adapter_begin(a, false));
    axl_status status =
        a->model->ops->download(a->model->dev, values, a->params + t->at, tensor_bytes(t));
    axl__adapter_end(a, false);
    return status;
}

axl_status axl__adapter_put(axl_adapter *a, size_t index, const float *values)
{
    const axl__param *t = &a->tensors[index];

    return a->model->ops->upload(a->model->dev, a->params + t->at, values, tensor_bytes(t));
}

axl_status axl_adapter_write(axl_adapter *a, size_t index, const float *values)
{
    AXL_TRY(check_index(a, index));
    if (!values)
        return axl__fail(AXL_ERR_INVALID, "values must not be NULL");
    AXL_TRY(axl__adapter_begin(a, true));
    axl_status status = axl__adapter_put(a, index, values);
    axl__adapter_end(a, true);
    return status;
}
