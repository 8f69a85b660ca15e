/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_config.c - the tokenizer that a config describes, as Axolotl loads it. */
#include "chat_render.h"
#include "tokenizer_priv.h"

#include "config/config.h"
#include "hub/hub.h"

#include <string.h>

/* A name from the config: a path from base_dir if that is there, else whatever the Hub lookup
 * makes of it. */
static axl_status resolve(const axl_config *cfg, const char *name, char **out)
{
    axl_context *ctx = axl__config_context(cfg);
    axl__hub_wish wish = { .name = name,
                           .revision = axl__cfg_str_or(cfg, "model_revision", NULL),
                           .kind = "models",
                           .pick = axl__hub_pick_tokenizer };
    char *path = axl__config_path(cfg, name);

    *out = NULL;
    if (!path)
        return axl__fail_nomem();
    if (axl__path_kind_of(path) != AXL__PATH_NONE)
        wish.name = path;
    axl_status status = axl__hub_resolve(ctx, &wish, out);
    axl__free(ctx, path);
    return status;
}

/* What chat_template says is the tokenizer's template from then on, and saved with it. */
static axl_status choose_template(axl_tokenizer *t, const axl_config *cfg)
{
    axl__chat_choice choice = { .cfg = cfg,
                                .name = axl__cfg_str_or(cfg, "chat_template", NULL),
                                .jinja = axl__cfg_str_or(cfg, "chat_template_jinja", NULL) };
    axl__str source;

    if (!choice.name && !choice.jinja)
        return AXL_OK;
    axl__str_init(&source, t->ctx);
    axl_status status = axl__chat_source(&source, &choice, t);
    if (status == AXL_OK)
        status = axl__tokenizer_set_chat_template(t, axl__str_text(&source), source.len);
    else
        axl__fail_prefix(status, "chat_template");
    axl__str_free(&source);
    return status;
}

/* What a config adds to a tokenizer, as options take it. */
typedef struct {
    const char **tokens, **special, **texts;
    int32_t *ids;
} config_tokens;

static axl_status read_texts(axl__arena *arena, const axl__yaml *list, const char ***out, size_t *n)
{
    *out = axl__arena_alloc(arena, ((list ? list->count : 0) + 1) * sizeof **out);
    if (!*out)
        return axl__fail_nomem();
    for (const axl__yaml *v = list ? list->child : NULL; v; v = v->next)
        (*out)[(*n)++] = v->text;
    return AXL_OK;
}

/* The mapping's keys are ids. */
static axl_status read_renamed(axl__arena *arena, const axl__yaml *map, config_tokens *to,
                               size_t *n)
{
    AXL_TRY(read_texts(arena, map, &to->texts, n));
    to->ids = axl__arena_alloc(arena, (*n + 1) * sizeof *to->ids);
    if (!to->ids)
        return axl__fail_nomem();
    *n = 0;
    for (const axl__yaml *v = map ? map->child : NULL; v; v = v->next) {
        const axl__yaml *key = axl__yaml_plain(arena, v->key, strlen(v->key));
        if (!key)
            return axl__fail_nomem();
        if (key->type != AXL__YAML_INT || key->huge || key->integer < 0 ||
            key->integer > AXL__ID_MAX || v->type != AXL__YAML_STRING)
            return axl__fail(AXL_ERR_CONFIG,
                             "added_tokens_overrides: \"%.64s\" must be an id with a text", v->key);
        to->ids[(*n)++] = (int32_t)key->integer;
    }
    return AXL_OK;
}

static axl_status read_tokens(const axl_config *cfg, axl__arena *arena, axl_tokenizer_options *o)
{
    config_tokens to = { NULL, NULL, NULL, NULL };

    AXL_TRY(read_texts(arena, axl__cfg_node(cfg, "tokens"), &to.tokens, &o->n_tokens));
    AXL_TRY(read_texts(arena, axl__cfg_node(cfg, "special_tokens.additional_special_tokens"),
                       &to.special, &o->n_special_tokens));
    AXL_TRY(
        read_renamed(arena, axl__cfg_node(cfg, "added_tokens_overrides"), &to, &o->n_overrides));
    o->tokens = to.tokens;
    o->special_tokens = to.special;
    o->override_ids = to.ids;
    o->override_texts = to.texts;
    return AXL_OK;
}

/* tokenizer_config is base_model where the config does not set it (config_derive.c). */
axl_status axl_tokenizer_from_config(axl_tokenizer **out, const axl_config *cfg)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl__arena arena;
    char *dir = NULL;

    if (out)
        *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    const char *name = axl__cfg_str(cfg, "tokenizer_config");
    o.type = axl__cfg_str_or(cfg, "tokenizer_type", NULL);
    o.bos_token = axl__cfg_str_or(cfg, "special_tokens.bos_token", NULL);
    o.eos_token = axl__cfg_str_or(cfg, "special_tokens.eos_token", NULL);
    o.unk_token = axl__cfg_str_or(cfg, "special_tokens.unk_token", NULL);
    o.pad_token = axl__cfg_str_or(cfg, "special_tokens.pad_token", NULL);
    if (axl__cfg_has(cfg, "tokenizer_legacy"))
        o.legacy = axl__cfg_bool_or(cfg, "tokenizer_legacy", false);
    o.mistral_common = axl__cfg_bool_or(cfg, "tokenizer_use_mistral_common", false);
    axl_context *ctx = axl__config_context(cfg);
    axl__arena_init(&arena, ctx);
    axl_status status = read_tokens(cfg, &arena, &o);
    if (status == AXL_OK)
        status = resolve(cfg, name, &dir);
    if (status == AXL_OK)
        status = axl__tokenizer_open(out, ctx, &(axl__tokenizer_origin){ .path = dir }, &o, true);
    axl__free(ctx, dir);
    axl__arena_free(&arena);
    if (status == AXL_OK && (status = choose_template(*out, cfg)) != AXL_OK) {
        axl_tokenizer_free(*out);
        *out = NULL;
    }
    return status;
}
