/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_config.c - the tokenizer that a config describes, as Axolotl loads it. */
#include "chat_render.h"
#include "tokenizer_priv.h"

#include "config/config.h"
#include "hub/hub.h"

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

/* tokenizer_config is base_model where the config does not set it (config_derive.c). */
axl_status axl_tokenizer_from_config(axl_tokenizer **out, const axl_config *cfg)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
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
    AXL_TRY(resolve(cfg, name, &dir));
    axl_context *ctx = axl__config_context(cfg);
    axl_status status = axl__tokenizer_open(out, ctx, &(axl__tokenizer_origin){ .path = dir }, &o,
                                            "special_tokens.");
    axl__free(ctx, dir);
    if (status == AXL_OK && (status = choose_template(*out, cfg)) != AXL_OK) {
        axl_tokenizer_free(*out);
        *out = NULL;
    }
    return status;
}
