/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_config.c - the adapter that a config asks for. */
#include "adapter.h"

#include "config/config.h"

#include <string.h>

enum { KINDS_MAX = 32 };

/* ---- lists ---- */

static axl_status read_names(const axl__yaml *list, axl__arena *arena, const char *const **out,
                             size_t *n)
{
    const char **names;

    *n = 0;
    if (!list || list->type != AXL__YAML_LIST)
        return AXL_OK;
    names = axl__arena_alloc(arena, (list->count + KINDS_MAX) * sizeof *names);
    if (!names)
        return axl__fail_nomem();
    for (const axl__yaml *v = list->child; v; v = v->next)
        names[(*n)++] = v->text;
    *out = names;
    return AXL_OK;
}

/* lora_target_modules united with, when lora_target_linear is set, every linear layer but the head.
 * A regular expression reaches no other layers than those. */
static axl_status read_targets(axl_adapter_options *o, axl__arena *arena, const axl_config *cfg,
                               const axl_model *m)
{
    const axl__yaml *said = axl__cfg_node(cfg, "lora_target_modules");
    const char *kinds[KINDS_MAX], **names;
    bool linear = axl__cfg_bool(cfg, "lora_target_linear");

    if (said && said->type == AXL__YAML_STRING && !linear)
        o->target_regex = said->text;
    AXL_TRY(read_names(said, arena, &o->target_modules, &o->n_target_modules));
    if (!linear)
        return AXL_OK;
    size_t n = o->n_target_modules, n_kinds;
    names = axl__arena_alloc(arena, (n + KINDS_MAX) * sizeof *names);
    if (!names)
        return axl__fail_nomem();
    if (n)
        memcpy(names, o->target_modules, n * sizeof *names);
    n_kinds = axl__modules_kinds(&m->modules, false, kinds, KINDS_MAX);
    for (size_t i = 0; i < n_kinds; i++) {
        bool there = false;
        for (size_t j = 0; j < n; j++)
            there = there || strcmp(names[j], kinds[i]) == 0;
        if (!there)
            names[o->n_target_modules++] = kinds[i];
    }
    o->target_modules = names;
    return AXL_OK;
}

static axl_status read_excluded(axl_adapter_options *o, axl__arena *arena, const axl_config *cfg)
{
    const axl__yaml *said = axl__cfg_node(cfg, "lora_exclude_modules");

    if (said && said->type == AXL__YAML_STRING)
        o->exclude_regex = said->text;
    return read_names(said, arena, &o->exclude_modules, &o->n_exclude_modules);
}

static axl_status read_layers(axl_adapter_options *o, axl__arena *arena, const axl_config *cfg)
{
    const axl__yaml *list = axl__cfg_node(cfg, "peft_layers_to_transform");
    uint32_t *layers;

    AXL_TRY(read_names(axl__cfg_node(cfg, "peft_layers_pattern"), arena, &o->layers_pattern,
                       &o->n_layers_pattern));
    if (!list || list->type != AXL__YAML_LIST)
        return AXL_OK;
    layers = axl__arena_alloc(arena, (list->count + 1) * sizeof *layers);
    if (!layers)
        return axl__fail_nomem();
    for (const axl__yaml *v = list->child; v; v = v->next) {
        if (v->integer < 0 || v->integer > UINT32_MAX)
            return axl__fail(AXL_ERR_INVALID,
                             "peft_layers_to_transform holds numbers of layers, got %lld",
                             (long long)v->integer);
        layers[o->n_layers_to_transform++] = (uint32_t)v->integer;
    }
    o->layers_to_transform = layers;
    return AXL_OK;
}

static axl_status read_token_list(const axl__yaml *list, axl__arena *arena, const uint32_t **out,
                                  size_t *n)
{
    uint32_t *tokens = axl__arena_alloc(arena, (list->count + 1) * sizeof *tokens);

    if (!tokens)
        return axl__fail_nomem();
    *out = tokens;
    for (const axl__yaml *v = list->child; v; v = v->next) {
        if (v->type != AXL__YAML_INT || v->integer < 0 || v->integer > INT32_MAX)
            return axl__fail(AXL_ERR_INVALID, "peft_trainable_token_indices holds ids of tokens");
        tokens[(*n)++] = (uint32_t)v->integer;
    }
    return AXL_OK;
}

/* A list is of the embedding, a mapping of the modules that it names. */
static axl_status read_tokens(axl_adapter_options *o, axl__arena *arena, const axl_config *cfg)
{
    const axl__yaml *said = axl__cfg_node(cfg, "peft_trainable_token_indices");

    if (said && said->type == AXL__YAML_LIST)
        return read_token_list(said, arena, &o->trainable_tokens, &o->n_trainable_tokens);
    for (const axl__yaml *v = said && said->type == AXL__YAML_MAP ? said->child : NULL; v;
         v = v->next) {
        bool embed = strcmp(v->key, "embed_tokens") == 0, head = strcmp(v->key, "lm_head") == 0;
        if ((!embed && !head) || v->type != AXL__YAML_LIST)
            return axl__fail(AXL_ERR_INVALID,
                             "peft_trainable_token_indices: %s: only embed_tokens and lm_head have "
                             "rows of tokens, each a list of ids",
                             v->key);
        AXL_TRY(embed ? read_token_list(v, arena, &o->trainable_tokens, &o->n_trainable_tokens)
                      : read_token_list(v, arena, &o->trainable_head_tokens,
                                        &o->n_trainable_head_tokens));
    }
    return AXL_OK;
}

/* A mapping of regular expressions to positive integers, in the file's order. */
static axl_status read_pattern(const axl_config *cfg, const char *key, axl__arena *arena,
                               const char *const **out, int64_t **values, size_t *n)
{
    const axl__yaml *map = axl__cfg_node(cfg, key);
    const char **patterns;

    *n = 0;
    *values = NULL;
    if (!map || map->type != AXL__YAML_MAP)
        return AXL_OK;
    patterns = axl__arena_alloc(arena, (map->count + 1) * sizeof *patterns);
    *values = axl__arena_alloc(arena, (map->count + 1) * sizeof **values);
    if (!patterns || !*values)
        return axl__fail_nomem();
    for (const axl__yaml *v = map->child; v; v = v->next) {
        if (v->type != AXL__YAML_INT || v->integer < 1 || v->integer > INT32_MAX)
            return axl__fail(AXL_ERR_INVALID, "%s: \"%s\" must be an integer of at least 1", key,
                             v->key);
        patterns[*n] = v->key;
        (*values)[(*n)++] = v->integer;
    }
    *out = patterns;
    return AXL_OK;
}

static axl_status read_patterns(axl_adapter_options *o, axl__arena *arena, const axl_config *cfg)
{
    int64_t *values;

    AXL_TRY(read_pattern(cfg, "lora_rank_pattern", arena, &o->rank_pattern, &values,
                         &o->n_rank_pattern));
    uint32_t *ranks = axl__arena_alloc(arena, (o->n_rank_pattern + 1) * sizeof *ranks);
    if (!ranks)
        return axl__fail_nomem();
    for (size_t i = 0; i < o->n_rank_pattern; i++)
        ranks[i] = (uint32_t)values[i];
    AXL_TRY(read_pattern(cfg, "lora_alpha_pattern", arena, &o->alpha_pattern, &values,
                         &o->n_alpha_pattern));
    double *alphas = axl__arena_alloc(arena, (o->n_alpha_pattern + 1) * sizeof *alphas);
    if (!alphas)
        return axl__fail_nomem();
    for (size_t i = 0; i < o->n_alpha_pattern; i++)
        alphas[i] = (double)values[i];
    o->rank_pattern_ranks = ranks;
    o->alpha_pattern_alphas = alphas;
    return AXL_OK;
}

/* false is true in Axolotl, which hands on nothing that is false. */
static void read_init(axl_adapter_options *o, const axl_config *cfg, axl_context *ctx)
{
    o->init_lora_weights = axl__cfg_has(cfg, "peft.loftq_config")
                               ? "loftq"
                               : axl__cfg_str_or(cfg, "peft_init_lora_weights", "true");
    if (!axl__cfg_bool_or(cfg, "peft_init_lora_weights", true) &&
        strcmp(o->init_lora_weights, "true") == 0)
        axl__log(ctx, AXL_LOG_WARNING,
                 "peft_init_lora_weights: false is as true: Axolotl does not hand it on to PEFT");
}

static axl_status read_options(axl_adapter_options *o, axl__arena *arena, const axl_config *cfg,
                               const axl_model *m)
{
    AXL_TRY(read_targets(o, arena, cfg, m));
    AXL_TRY(read_excluded(o, arena, cfg));
    AXL_TRY(read_names(axl__cfg_node(cfg, "lora_modules_to_save"), arena, &o->modules_to_save,
                       &o->n_modules_to_save));
    AXL_TRY(read_layers(o, arena, cfg));
    AXL_TRY(read_tokens(o, arena, cfg));
    AXL_TRY(read_patterns(o, arena, cfg));
    read_init(o, cfg, m->ctx);
    o->rank = (uint32_t)axl__cfg_int_or(cfg, "lora_r", 0);
    o->alpha = axl__cfg_double_or(cfg, "lora_alpha", 0.0);
    o->dropout = axl__cfg_double(cfg, "lora_dropout");
    o->rslora = axl__cfg_bool(cfg, "peft_use_rslora");
    o->use_dora = axl__cfg_bool(cfg, "peft_use_dora");
    o->ensure_weight_tying = axl__cfg_bool(cfg, "peft_ensure_weight_tying");
    o->seed = (uint64_t)axl__cfg_int(cfg, "seed");
    return AXL_OK;
}

/* ---- an adapter that is trained on ---- */

/* Whether options mean other layers than an adapter has, and other modules that it trains whole. */
static axl_status find_others(const axl_adapter *a, const axl_adapter_options *o, bool *other,
                              bool *whole)
{
    int64_t n = a->model->modules.n;
    bool *on = axl__calloc(a->ctx, (size_t)n, sizeof *on);

    if (!on)
        return axl__fail_nomem();
    axl_status status = axl__targets_mark(&a->model->modules, o, on);
    for (int64_t i = 0; i < n; i++)
        *other |= on[i] != a->loras[i].on;
    axl__targets_mark_whole(&a->model->modules, o, on);
    for (int64_t i = 0; i < n; i++)
        *whole |= on[i] != a->loras[i].whole;
    axl__free(a->ctx, on);
    return status;
}

/* An adapter that is trained on has its own rank, scale and layers: keys that ask for others would
 * do nothing in silence. */
static axl_status warn_ignored(const axl_adapter *a, const char *dir, const axl_config *cfg,
                               const axl_adapter_options *o)
{
    bool other = false, other_whole = false;

    AXL_TRY(find_others(a, o, &other, &other_whole));
    if (axl__cfg_has(cfg, "lora_r") && o->rank != a->opts.rank)
        axl__log(a->ctx, AXL_LOG_WARNING, "lora_r %u has no effect: the adapter in %s has rank %u",
                 o->rank, dir, a->opts.rank);
    if ((axl__cfg_has(cfg, "lora_alpha") && o->alpha != a->opts.alpha) ||
        (axl__cfg_has(cfg, "peft_use_rslora") && o->rslora != a->opts.rslora))
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "lora_alpha and peft_use_rslora have no effect: the "
                 "adapter in %s has others",
                 dir);
    if (axl__cfg_has(cfg, "peft_use_dora") && o->use_dora != a->opts.use_dora)
        axl__log(a->ctx, AXL_LOG_WARNING, "peft_use_dora has no effect: the adapter in %s is %s",
                 dir, a->opts.use_dora ? "one of DoRA" : "none of DoRA");
    if (other_whole && o->n_modules_to_save > 0)
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "the modules that are trained whole are those of the adapter in %s, not what "
                 "lora_modules_to_save says",
                 dir);
    if ((o->n_trainable_tokens || o->n_trainable_head_tokens) &&
        (o->n_trainable_tokens != a->opts.n_trainable_tokens ||
         o->n_trainable_head_tokens != a->opts.n_trainable_head_tokens))
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "the tokens whose rows are trained are those of the adapter in %s, not what "
                 "peft_trainable_token_indices says",
                 dir);
    if (other && (o->n_target_modules > 0 || o->target_regex))
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "the layers that are trained are those of the adapter in "
                 "%s, not what lora_target_modules and lora_target_linear say",
                 dir);
    return AXL_OK;
}

static axl_status open_to_train(axl_adapter **out, const axl_config *cfg, axl_model *model,
                                const char *from, const axl_adapter_options *o)
{
    char *dir = axl__config_path(cfg, from);

    if (!dir)
        return axl__fail_nomem();
    axl_status status = axl_adapter_open(out, model, dir);
    if (status < 0)
        axl__fail_prefix(status, "lora_model_dir");
    else
        status = warn_ignored(*out, dir, cfg, o);
    axl__free(model->ctx, dir);
    if (status == AXL_OK) {
        (*out)->opts.dropout =
            o->dropout; /* alone of its options: it is not part of the function */
    } else {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

static axl_status from_config(axl_adapter **out, axl__arena *arena, const axl_config *cfg,
                              axl_model *model)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    const char *from = axl__cfg_str_or(cfg, "lora_model_dir", NULL);

    AXL_TRY(read_options(&o, arena, cfg, model));
    if (from)
        return open_to_train(out, cfg, model, from, &o);
    if (o.n_target_modules == 0 && !o.target_regex)
        return axl__fail(AXL_ERR_INVALID, "nothing to train: set lora_target_modules, or "
                                          "lora_target_linear: true");
    return axl_adapter_new(out, model, &o);
}

axl_status axl_adapter_from_config(axl_adapter **out, const axl_config *cfg, axl_model *model)
{
    axl__arena arena;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    if (!axl__cfg_has(cfg, "adapter"))
        return AXL_OK;
    axl__arena_init(&arena, model->ctx);
    axl_status status = from_config(out, &arena, cfg, model);
    axl__arena_free(&arena);
    return status;
}
