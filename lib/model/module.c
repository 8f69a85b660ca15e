/* SPDX-License-Identifier: Apache-2.0 */
/* module.c - see module.h.  The table grows while a family adds to it; then the layers' index is
 * made once. */
#include "module.h"
#include "family/family.h"
#include "family/wrapper.h"

#include "base/str.h"

#include <assert.h>
#include <string.h>

/* ---- adding ---- */

static axl_status modules_grow(axl__modules *t)
{
    int64_t more = t->cap ? t->cap * 2 : 64;
    axl__module *grown = axl__realloc(t->ctx, t->list, (size_t)more * sizeof *grown);

    if (!grown)
        return axl__fail_nomem();
    t->list = grown;
    t->cap = more;
    return AXL_OK;
}

/* Families say "model.norm"; in a wrapper the body has another path.  NULL when memory is out. */
static char *module_path(const axl__modules *t, const axl__module_spec *s)
{
    static const char plain[] = "model.";
    const char *body = t->wrapper ? t->wrapper->module.body : plain;
    size_t n = sizeof plain - 1;

    if (s->layer >= 0)
        return axl__format(t->ctx, "%slayers.%lld.%s", body, (long long)s->layer, s->name);
    if (strncmp(s->name, plain, n) == 0)
        return axl__format(t->ctx, "%s%s", body, s->name + n);
    return axl__strdup(t->ctx, t->wrapper ? t->wrapper->module.head : s->name);
}

axl_status axl__modules_add(axl__modules *t, const axl__module_spec *s)
{
    bool linear = s->role == AXL__ROLE_LINEAR || s->role == AXL__ROLE_HEAD;
    char *name = module_path(t, s);

    if (!name)
        return axl__fail_nomem();
    if (t->n == t->cap && modules_grow(t) < 0) {
        axl__free(t->ctx, name);
        return AXL_ERR_NOMEM;
    }
    t->list[t->n++] = (axl__module){
        .name = name,
        .role = s->role,
        .slot = s->slot,
        .layer = s->layer,
        .rows = s->rows,
        .cols = s->cols,
        .has_bias = s->bias,
        .tied = s->tied,
        .linear = linear ? t->n_linears : -1,
        .weight_at = -1,
        .bias_at = -1,
    };
    t->n_linears += linear;
    return AXL_OK;
}

/* Whether the architecture's layers have it. */
static bool layer_has(const axl__arch *a, const axl__module_spec *s)
{
    bool of_heads = s->slot == AXL__SLOT_Q_NORM || s->slot == AXL__SLOT_K_NORM;
    bool fused =
        strcmp(s->name, "self_attn.qkv_proj") == 0 || strcmp(s->name, "mlp.gate_up_proj") == 0;
    bool in_parts = s->slot == AXL__SLOT_QKV || s->slot == AXL__SLOT_GATE_UP;

    if (of_heads)
        return a->qk_norm;
    if (s->slot == AXL__SLOT_ATTN_POST_NORM || s->slot == AXL__SLOT_MLP_POST_NORM)
        return a->post_norms;
    return !in_parts || fused == a->fused;
}

static axl_status modules_add_layer(axl__modules *t, const axl__arch *a, int64_t layer)
{
    int64_t C = a->hidden_size, F = a->intermediate_size;
    int64_t q = a->n_heads * a->head_dim, kv = a->n_kv_heads * a->head_dim, D = a->head_dim;
    int64_t qkv = q + 2 * kv;
    const char *mlp_norm = a->post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    const axl__module_spec specs[] = {
        { "input_layernorm", AXL__ROLE_NORM, AXL__SLOT_ATTN_NORM, layer, 1, C, false, false },
        { "self_attn.q_proj", AXL__ROLE_LINEAR, AXL__SLOT_QKV, layer, q, C, a->qkv_bias, false },
        { "self_attn.k_proj", AXL__ROLE_LINEAR, AXL__SLOT_QKV, layer, kv, C, a->qkv_bias, false },
        { "self_attn.v_proj", AXL__ROLE_LINEAR, AXL__SLOT_QKV, layer, kv, C, a->qkv_bias, false },
        { "self_attn.qkv_proj", AXL__ROLE_LINEAR, AXL__SLOT_QKV, layer, qkv, C, a->qkv_bias,
          false },
        { "self_attn.q_norm", AXL__ROLE_NORM, AXL__SLOT_Q_NORM, layer, 1, D, false, false },
        { "self_attn.k_norm", AXL__ROLE_NORM, AXL__SLOT_K_NORM, layer, 1, D, false, false },
        { "self_attn.o_proj", AXL__ROLE_LINEAR, AXL__SLOT_O, layer, C, q, a->o_bias, false },
        { "mlp.gate_proj", AXL__ROLE_LINEAR, AXL__SLOT_GATE_UP, layer, F, C, a->mlp_bias, false },
        { "mlp.up_proj", AXL__ROLE_LINEAR, AXL__SLOT_GATE_UP, layer, F, C, a->mlp_bias, false },
        { "mlp.gate_up_proj", AXL__ROLE_LINEAR, AXL__SLOT_GATE_UP, layer, 2 * F, C, a->mlp_bias,
          false },
        { "mlp.down_proj", AXL__ROLE_LINEAR, AXL__SLOT_DOWN, layer, C, F, a->mlp_bias, false },
        { mlp_norm, AXL__ROLE_NORM, AXL__SLOT_MLP_NORM, layer, 1, C, false, false },
        { "post_attention_layernorm", AXL__ROLE_NORM, AXL__SLOT_ATTN_POST_NORM, layer, 1, C, false,
          false },
        { "post_feedforward_layernorm", AXL__ROLE_NORM, AXL__SLOT_MLP_POST_NORM, layer, 1, C, false,
          false },
    };

    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        if (layer_has(a, &specs[i]))
            AXL_TRY(axl__modules_add(t, &specs[i]));
    return AXL_OK;
}

axl_status axl__modules_add_decoder(axl__modules *t, const axl__arch *a)
{
    const axl__module_spec embed = {
        "model.embed_tokens", AXL__ROLE_EMBEDDING, AXL__SLOT_EMBED, -1,
        a->vocab_size,        a->hidden_size,      false,           false
    };
    const axl__module_spec norm = {
        "model.norm", AXL__ROLE_NORM, AXL__SLOT_FINAL_NORM, -1, 1, a->hidden_size, false, false
    };
    const axl__module_spec head = { "lm_head",     AXL__ROLE_HEAD, AXL__SLOT_HEAD, -1,
                                    a->vocab_size, a->hidden_size, false,          a->tied_head };

    AXL_TRY(axl__modules_add(t, &embed));
    for (int64_t i = 0; i < a->n_layers; i++)
        AXL_TRY(modules_add_layer(t, a, i));
    AXL_TRY(axl__modules_add(t, &norm));
    return axl__modules_add(t, &head);
}

/* ---- the whole table ---- */

/* Lets the network find the module by its slot. */
static void modules_index(axl__modules *t, int64_t index)
{
    const axl__module *m = &t->list[index];
    axl__linears *g = &t->slots[m->layer + 1][m->slot];

    assert(g->n == 0 || g->first + g->n == index);
    if (g->n++ == 0)
        g->first = index;
}

axl_status axl__modules_make(axl__modules *t, axl_context *ctx, const axl__arch *a)
{
    *t = (axl__modules){ .ctx = ctx, .wrapper = a->wrapper, .n_layers = a->n_layers };
    t->slots = axl__calloc(ctx, (size_t)a->n_layers + 1, sizeof *t->slots);
    axl_status status = t->slots ? a->family->modules(t, a) : axl__fail_nomem();
    if (status < 0) {
        axl__modules_free(t);
        return status;
    }
    for (int64_t i = 0; i < t->n; i++)
        modules_index(t, i);
    return AXL_OK;
}

void axl__modules_free(axl__modules *t)
{
    if (!t->ctx)
        return;
    for (int64_t i = 0; i < t->n; i++) {
        axl__free(t->ctx, t->list[i].name);
        axl__free(t->ctx, t->list[i].file_name);
    }
    axl__free(t->ctx, t->list);
    axl__free(t->ctx, t->slots);
    *t = (axl__modules){ 0 };
}

void axl__modules_tie(axl__modules *t)
{
    axl__module *head = &t->list[axl__modules_in(t, -1, AXL__SLOT_HEAD).first];

    if (head->tied)
        head->weight = axl__modules_one(t, -1, AXL__SLOT_EMBED)->weight;
}

void axl__modules_untie(axl__modules *t)
{
    axl__module *head = &t->list[axl__modules_in(t, -1, AXL__SLOT_HEAD).first];

    head->tied = false;
}

void axl__modules_resize(axl__modules *t, int64_t rows)
{
    for (int64_t i = 0; i < t->n; i++) {
        axl__module *m = &t->list[i];
        if (m->role != AXL__ROLE_EMBEDDING && m->role != AXL__ROLE_HEAD)
            continue;
        m->file_rows = m->file_rows ? m->file_rows : m->rows;
        m->rows = rows;
    }
}

/* ---- looking up ---- */

const char *axl__module_kind(const axl__module *m)
{
    const char *dot = strrchr(m->name, '.');

    return dot ? dot + 1 : m->name;
}

int64_t axl__modules_find(const axl__modules *t, const char *name, size_t len)
{
    for (int64_t i = 0; i < t->n; i++)
        if (strncmp(t->list[i].name, name, len) == 0 && t->list[i].name[len] == '\0')
            return i;
    return -1;
}

size_t axl__modules_kinds(const axl__modules *t, bool head, const char **out, size_t cap)
{
    size_t n = 0;

    for (int64_t i = 0; i < t->n && n < cap; i++) {
        const axl__module *m = &t->list[i];
        bool seen = m->role != AXL__ROLE_LINEAR && !(head && m->role == AXL__ROLE_HEAD);
        for (size_t j = 0; j < n && !seen; j++)
            seen = strcmp(out[j], axl__module_kind(m)) == 0;
        if (!seen)
            out[n++] = axl__module_kind(m);
    }
    return n;
}

int64_t axl__modules_peer(const axl__modules *t, const axl__modules *of, int64_t index,
                          int64_t layer)
{
    const axl__module *m = &of->list[index];

    for (int64_t i = 0; i < t->n; i++) {
        const axl__module *p = &t->list[i];
        if (p->slot == m->slot && (p->layer == layer || (p->layer < 0 && m->layer < 0)) &&
            strcmp(axl__module_kind(p), axl__module_kind(m)) == 0)
            return i;
    }
    return -1;
}
