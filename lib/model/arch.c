/* SPDX-License-Identifier: Apache-2.0 */
/* arch.c - see arch.h: what families read alike, and the files themselves. */
#include "arch.h"
#include "family/family.h"
#include "family/wrapper.h"

#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

/* ---- what every decoder has ---- */

static axl_status arch_need_int(const axl__arch_source *s, const char *key, int64_t *out)
{
    const axl__json *v = axl__json_get(s->root, key);

    if (!v && *out > 0)
        return AXL_OK; /* the family knows it */
    if (!v)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" is missing", s->path, key);
    if (v->type != AXL__JSON_INT || v->integer <= 0 || v->integer > INT32_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be a positive integer", s->path, key);
    *out = v->integer;
    return AXL_OK;
}

axl_status axl__arch_read_int(const axl__arch_source *s, const char *key, int64_t least,
                              int64_t if_missing, int64_t *out)
{
    const axl__json *v = axl__json_get(s->root, key);

    *out = v ? 0 : if_missing;
    if (!v || v->type == AXL__JSON_NULL)
        return AXL_OK;
    if (v->type != AXL__JSON_INT || v->integer < least || v->integer > INT32_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be an integer from %lld on", s->path, key,
                         (long long)least);
    *out = v->integer;
    return AXL_OK;
}

axl_status axl__arch_check_fixed(const axl__arch_source *s, const axl__arch_fixed *fixed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const axl__json *v = axl__json_get(s->root, fixed[i].key);
        bool number = v && (v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT);
        if (!v || v->type == AXL__JSON_NULL || (number && v->number == fixed[i].value) ||
            (v->type == AXL__JSON_BOOL && (double)v->boolean == fixed[i].value))
            continue;
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: \"%s\" is not supported but as %d: %s", s->path,
                         fixed[i].key, (int)fixed[i].value, fixed[i].why);
    }
    return AXL_OK;
}

/* What the family said, or what most have. */
static int64_t or_else(int64_t said, int64_t otherwise)
{
    return said > 0 ? said : otherwise;
}

static axl_status arch_read_sizes(axl__arch *a, const axl__arch_source *s)
{
    AXL_TRY(arch_need_int(s, "num_hidden_layers", &a->n_layers));
    AXL_TRY(arch_need_int(s, "hidden_size", &a->hidden_size));
    AXL_TRY(arch_need_int(s, "intermediate_size", &a->intermediate_size));
    AXL_TRY(arch_need_int(s, "num_attention_heads", &a->n_heads));
    AXL_TRY(arch_need_int(s, "vocab_size", &a->vocab_size));
    a->n_kv_heads =
        axl__json_int(s->root, "num_key_value_heads", or_else(a->n_kv_heads, a->n_heads));
    a->head_dim =
        axl__json_int(s->root, "head_dim", or_else(a->head_dim, a->hidden_size / a->n_heads));
    a->max_seq_len =
        axl__json_int(s->root, "max_position_embeddings", or_else(a->max_seq_len, 2048));
    a->rms_norm_eps =
        axl__json_double(s->root, "rms_norm_eps", a->rms_norm_eps > 0.0 ? a->rms_norm_eps : 1e-6);
    a->initializer_range = axl__json_double(s->root, "initializer_range", 0.02);
    a->tied_head = axl__json_bool(s->root, "tie_word_embeddings", a->tied_head);
    if (a->n_layers > AXL__LAYERS_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s: num_hidden_layers is %lld; at most %d", s->path,
                         (long long)a->n_layers, AXL__LAYERS_MAX);
    if (!(a->rms_norm_eps >= 0.0) || !isfinite(a->rms_norm_eps))
        return axl__fail(AXL_ERR_FORMAT, "%s: rms_norm_eps must be at least 0 and finite", s->path);
    if (a->n_kv_heads <= 0 || a->n_heads % a->n_kv_heads != 0)
        return axl__fail(AXL_ERR_FORMAT, "%s: %lld heads cannot share %lld key-value heads",
                         s->path, (long long)a->n_heads, (long long)a->n_kv_heads);
    if (a->head_dim <= 0 || a->head_dim % 2 != 0 || a->head_dim > 1024 || a->max_seq_len <= 0 ||
        a->max_seq_len > INT32_MAX)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: head_dim must be even and max_position_embeddings positive", s->path);
    return AXL_OK;
}

/* Names that transformers has for one function are rows of one value. */
static const struct {
    const char *name;
    axl_activation act;
} activations[] = {
    { "silu", AXL_SILU },          { "swish", AXL_SILU },
    { "gelu", AXL_GELU },          { "gelu_pytorch_tanh", AXL_GELU_TANH },
    { "gelu_new", AXL_GELU_TANH },
};

axl_status axl__arch_read_activation(axl__arch *a, const axl__arch_source *s, const char *key,
                                     const char *if_missing)
{
    const char *name = axl__json_string(s->root, key, if_missing);

    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        if (strcmp(activations[i].name, name) == 0) {
            a->activation = activations[i].act;
            return AXL_OK;
        }
    }
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s: %s \"%s\" is not supported yet; silu, gelu and gelu_pytorch_tanh are",
                     s->path, key, name);
}

axl_status axl__arch_read_layer_types(axl__arch *a, const axl__arch_source *s, int64_t window,
                                      bool *found)
{
    const axl__json *types = axl__json_get(s->root, "layer_types");

    *found = types && types->type != AXL__JSON_NULL;
    if (!*found)
        return AXL_OK;
    if (types->type != AXL__JSON_ARRAY || (int64_t)types->count != a->n_layers)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"layer_types\" must name each of the %lld layers",
                         s->path, (long long)a->n_layers);
    const axl__json *v = types->child;
    for (int64_t i = 0; i < a->n_layers; i++, v = v->next) {
        bool slides = v->type == AXL__JSON_STRING && strcmp(v->text, "sliding_attention") == 0;
        if (!slides && !(v->type == AXL__JSON_STRING && strcmp(v->text, "full_attention") == 0))
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s: layer_types[%lld] must be \"full_attention\" or "
                             "\"sliding_attention\"",
                             s->path, (long long)i);
        a->layers[i].window = slides ? window : 0;
    }
    return AXL_OK;
}

axl_status axl__arch_read_decoder(axl__arch *a, const axl__arch_source *s)
{
    AXL_TRY(axl__arch_read_activation(a, s, "hidden_act", "silu"));
    AXL_TRY(arch_read_sizes(a, s));
    const axl__rope_of of = { &a->family->rope, a->head_dim, a->max_seq_len, s->path };
    AXL_TRY(axl__rope_read(&a->ropes[0], s->root, &of));
    a->n_ropes = 1;
    a->layers = axl__calloc(s->ctx, (size_t)a->n_layers, sizeof *a->layers);
    return a->layers ? AXL_OK : axl__fail_nomem();
}

axl_status axl__arch_read_window(axl__arch *a, const axl__arch_source *s, int64_t if_missing)
{
    int64_t window;

    AXL_TRY(axl__arch_read_int(s, "sliding_window", 1, if_missing, &window));
    for (int64_t i = 0; i < a->n_layers; i++)
        a->layers[i].window = window;
    return AXL_OK;
}

/* ---- the files ---- */

static void arch_add_eos(axl__arch *a, const axl__json *id)
{
    for (int i = 0; i < a->n_eos_ids; i++)
        if (id->type == AXL__JSON_INT && a->eos_ids[i] == id->integer)
            return;
    if (id->type == AXL__JSON_INT && a->n_eos_ids < AXL__EOS_IDS_MAX)
        a->eos_ids[a->n_eos_ids++] = id->integer;
}

static axl_status arch_read_eos(axl__arch *a, const axl__arch_source *s)
{
    const axl__json *v = axl__json_get(s->root, "eos_token_id");

    if (v && v->type == AXL__JSON_ARRAY)
        for (const axl__json *e = v->child; e; e = e->next)
            arch_add_eos(a, e);
    else if (v)
        arch_add_eos(a, v);
    return AXL_OK;
}

/* The family of the decoder that s describes; if_missing where it names no model_type. */
static axl_status arch_read_family(axl__arch *a, const axl__arch_source *s, const char *if_missing)
{
    const char *type = axl__json_string(s->root, "model_type", if_missing);
    char known[256];

    if (!*type)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"model_type\" is missing", s->path);
    axl__family_names(known, sizeof known);
    a->family = axl__family_find(type);
    if (!a->family)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: model_type \"%s\" is not supported yet; axl knows %s", s->path, type,
                         known);
    AXL_TRY(a->family->read(a, s));
    if (a->attn_scale == 0.0)
        a->attn_scale = 1.0 / sqrt((double)a->head_dim);
    return arch_read_eos(a, s);
}

/* The language model among others; whether the head is the embedding stands outside of it. */
static axl_status arch_read_wrapped(axl__arch *a, const axl__arch_source *s,
                                    const axl__wrapper *wrapper)
{
    static const char key[] = "text_config";
    axl__arch_source text = { s->ctx, axl__json_get(s->root, key), s->path };

    if (!text.root || text.root->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: \"%s\", which describes the language model, must be "
                         "an object",
                         s->path, key);
    AXL_TRY(arch_read_family(a, &text, wrapper->text_type));
    a->wrapper = wrapper;
    bool text_says = !wrapper->tied && a->tied_head;
    a->tied_head = axl__json_bool(s->root, "tie_word_embeddings", wrapper->tied) || text_says;
    return AXL_OK;
}

static axl_status arch_read_config(axl__arch *a, const axl__arch_source *s)
{
    const axl__wrapper *wrapper = axl__wrapper_find(axl__json_string(s->root, "model_type", ""));

    if (!wrapper)
        return arch_read_family(a, s, "");
    AXL_TRY(arch_read_wrapped(a, s, wrapper));
    return arch_read_eos(a, s);
}

static axl_status arch_read_file(axl__arch *out, const axl__folder *folder, const char *name,
                                 const char *overrides,
                                 axl_status (*read)(axl__arch *a, const axl__arch_source *s))
{
    char *path = axl__folder_path(folder, name);
    axl__arena arena;
    axl__json *root;

    if (!path)
        return axl__fail_nomem();
    axl__arena_init(&arena, folder->ctx);
    axl_status status = axl__folder_json(folder, name, &arena, &root);
    if (status == AXL_OK)
        status = axl__arch_override(root, &arena, overrides);
    if (status == AXL_OK)
        status = read(out, &(axl__arch_source){ folder->ctx, root, path });
    axl__arena_free(&arena);
    axl__free(folder->ctx, path);
    return status;
}

axl_status axl__arch_read(axl__arch *out, const axl__folder *folder, const char *overrides)
{
    static const char more[] = "generation_config.json";

    memset(out, 0, sizeof *out);
    axl_status status = arch_read_file(out, folder, "config.json", overrides, arch_read_config);
    if (status == AXL_OK && axl__folder_kind(folder, more) != AXL__PATH_NONE)
        status = arch_read_file(out, folder, more, NULL, arch_read_eos);
    if (status < 0)
        axl__arch_free(out, folder->ctx);
    return status;
}

void axl__arch_free(axl__arch *a, axl_context *ctx)
{
    axl__free(ctx, a->layers);
    a->layers = NULL;
}

axl_status axl__arch_cut(axl__arch *out, axl_context *ctx, const axl__arch *from, int64_t n)
{
    *out = *from;
    out->n_layers = n;
    out->layers = axl__calloc(ctx, (size_t)n, sizeof *out->layers);
    if (!out->layers)
        return axl__fail_nomem();
    memcpy(out->layers, from->layers, (size_t)n * sizeof *out->layers);
    return AXL_OK;
}
