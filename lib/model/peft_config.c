/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peft_config.c - see peft_config.h.  The table has every field that PEFT 0.20's LoraConfig has, so
 * that nothing which a file asks for is passed over: a key that is not in it is refused as soon as
 * it has a value.
 */
#include "peft_config.h"

#include "base/json_write.h"

#include <math.h>
#include <string.h>

typedef enum {
    FIELD_READ,  /* the functions below know what it says */
    FIELD_INERT, /* says how the adapter was made or is found: nothing that it computes follows */
    FIELD_OFF    /* asks, with a value, for what is not computed */
} field_answer;

static const struct {
    const char *name;
    field_answer answer;
    const char *why; /* of FIELD_OFF: what it would be */
} fields[] = {
    { "alora_invocation_tokens", FIELD_OFF, "pairs that count after some tokens alone" },
    { "alpha_pattern", FIELD_READ, NULL },
    { "arrow_config", FIELD_OFF, "routing between adapters" },
    { "auto_mapping", FIELD_INERT, NULL },
    { "base_model_name_or_path", FIELD_INERT, NULL },
    { "bias", FIELD_READ, NULL },
    { "corda_config", FIELD_INERT, NULL }, /* init_lora_weights says whether it was used */
    { "ensure_weight_tying", FIELD_READ, NULL },
    { "eva_config", FIELD_INERT, NULL },
    { "exclude_modules", FIELD_READ, NULL },
    { "fan_in_fan_out", FIELD_INERT, NULL }, /* PEFT puts it right for a linear layer */
    { "inference_mode", FIELD_INERT, NULL },
    { "init_lora_weights", FIELD_READ, NULL },
    { "layer_replication", FIELD_OFF, "layers that stand in the model several times" },
    { "layers_pattern", FIELD_READ, NULL },
    { "layers_to_transform", FIELD_READ, NULL },
    { "loftq_config", FIELD_INERT, NULL },
    { "lora_alpha", FIELD_READ, NULL },
    { "lora_bias", FIELD_READ, NULL },
    { "lora_dropout", FIELD_READ, NULL },
    { "lora_ga_config", FIELD_INERT, NULL },
    { "megatron_config", FIELD_OFF, "layers of Megatron" },
    { "megatron_core", FIELD_INERT, NULL },
    { "modules_to_save", FIELD_READ, NULL },
    { "monteclora_config", FIELD_OFF, "pairs that are sampled" },
    { "peft_type", FIELD_READ, NULL },
    { "peft_version", FIELD_INERT, NULL },
    { "qalora_group_size", FIELD_INERT, NULL }, /* use_qalora says whether it counts */
    { "r", FIELD_READ, NULL },
    { "rank_pattern", FIELD_READ, NULL },
    { "revision", FIELD_INERT, NULL },
    { "runtime_config", FIELD_INERT, NULL },
    { "target_modules", FIELD_READ, NULL },
    { "target_parameters", FIELD_OFF, "pairs of single parameters" },
    { "task_type", FIELD_INERT, NULL },
    { "trainable_token_indices", FIELD_READ, NULL },
    { "use_bdlora", FIELD_OFF, "pairs of diagonal blocks" },
    { "use_dora", FIELD_READ, NULL },
    { "use_qalora", FIELD_OFF, "pairs of pooled inputs" },
    { "use_rslora", FIELD_READ, NULL },
    { "velora_config", FIELD_OFF, "gradients of compressed inputs" },
};

/* How an adapter may have begun.  Some change the weights under it, so that its pairs mean nothing
 * beside the base as its files have it; of these pissa and olora are made again from the base. */
static const char converted[] =
    "it changes the weights that the adapter stands on; save it as plain LoRA "
    "(PEFT: save_pretrained with path_initial_model_for_weight_conversion)";

static const struct {
    const char *name;
    bool prefix;      /* what follows it is a setting */
    const char *here; /* what it is here; NULL: */
    const char *why;
} inits[] = {
    { "gaussian", false, "gaussian", NULL },
    { "orthogonal", false, "orthogonal", NULL },
    { "eva", false, "true", NULL }, /* a plain pair, whatever it began with */
    { "pissa", false, "pissa", NULL },
    { "pissa_niter_", true, NULL, converted },
    { "corda", true, NULL, converted },
    { "olora", false, "olora", NULL },
    { "lora_ga", false, NULL, converted },
    { "loftq", false, NULL, "it quantises the weights that the adapter stands on" },
    { "mica", false, NULL, "it trains one half of the pairs" },
};

static bool is_set(const axl__json *v)
{
    if (!v || v->type == AXL__JSON_NULL || (v->type == AXL__JSON_BOOL && !v->boolean))
        return false;
    if (v->type == AXL__JSON_ARRAY || v->type == AXL__JSON_OBJECT)
        return v->count > 0;
    return true;
}

static axl_status check_field(const axl__json *v, const char *path)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].name, v->key) != 0)
            continue;
        if (fields[i].answer != FIELD_OFF || !is_set(v))
            return AXL_OK;
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s with a value is not supported yet: %s", path,
                         v->key, fields[i].why);
    }
    if (!is_set(v))
        return AXL_OK;
    return axl__fail(
        AXL_ERR_UNSUPPORTED,
        "%s: \"%s\" is no field of LoRA that axl knows (PEFT 0.20), and it has a value", path,
        v->key);
}

static axl_status read_init(axl_adapter_options *o, const axl__json *v, const char *path)
{
    o->init_lora_weights = v && v->type == AXL__JSON_BOOL && !v->boolean ? "false" : "true";
    if (!v || v->type == AXL__JSON_NULL || v->type == AXL__JSON_BOOL)
        return AXL_OK;
    const char *name = v->type == AXL__JSON_STRING ? v->text : axl__json_type_name(v);
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++) {
        size_t n = strlen(inits[i].name);
        if (strncmp(name, inits[i].name, n) != 0 || (!inits[i].prefix && name[n] != '\0'))
            continue;
        o->init_lora_weights = inits[i].here;
        if (inits[i].here)
            return AXL_OK;
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: init_lora_weights %s is not supported: %s", path,
                         name, inits[i].why);
    }
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s: init_lora_weights %s is not known", path, name);
}

static axl_status check_text(const axl__json *root, const char *key, const char *want,
                             const char *path)
{
    const axl__json *v = axl__json_get(root, key);

    if (!is_set(v))
        return AXL_OK;
    const char *text = v->type == AXL__JSON_STRING ? v->text : axl__json_type_name(v);
    return strcmp(text, want) == 0
               ? AXL_OK
               : axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s %s is not supported yet", path, key, text);
}

/* ---- numbers ---- */

static axl_status read_number(const axl__json *root, const char *key, const char *path, double *out)
{
    const axl__json *v = axl__json_get(root, key);

    if (!v || v->type == AXL__JSON_NULL)
        return AXL_OK; /* PEFT's default stays */
    if ((v->type != AXL__JSON_INT && v->type != AXL__JSON_FLOAT) || !isfinite(v->number))
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be a number", path, key);
    *out = v->number;
    return AXL_OK;
}

static axl_status read_flag(const axl__json *root, const char *key, const char *path, uint32_t *out)
{
    const axl__json *v = axl__json_get(root, key);

    if (v && v->type != AXL__JSON_BOOL && v->type != AXL__JSON_NULL)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be true or false", path, key);
    *out = v && v->type == AXL__JSON_BOOL && v->boolean;
    return AXL_OK;
}

static axl_status read_numbers(axl_adapter_options *o, const axl__json *root, const char *path)
{
    int64_t rank = axl__json_int(root, "r", 0);

    if (rank < 1 || rank > AXL__RANK_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"r\" must be 1 to %d", path, AXL__RANK_MAX);
    o->rank = (uint32_t)rank;
    o->alpha = 8.0;
    o->dropout = 0.0;
    AXL_TRY(read_number(root, "lora_alpha", path, &o->alpha));
    AXL_TRY(read_number(root, "lora_dropout", path, &o->dropout));
    if (!(o->dropout >= 0.0 && o->dropout < 1.0))
        return axl__fail(AXL_ERR_FORMAT, "%s: \"lora_dropout\" must be at least 0 and below 1",
                         path);
    AXL_TRY(read_flag(root, "use_rslora", path, &o->rslora));
    AXL_TRY(read_flag(root, "lora_bias", path, &o->lora_bias));
    AXL_TRY(read_flag(root, "ensure_weight_tying", path, &o->ensure_weight_tying));
    return read_flag(root, "use_dora", path, &o->use_dora);
}

static axl_status read_bias(axl_adapter_options *o, const axl__json *root, const char *path)
{
    const axl__json *v = axl__json_get(root, "bias");

    o->bias = v && v->type == AXL__JSON_STRING ? v->text : "none";
    if (!is_set(v) || strcmp(o->bias, "all") == 0 || strcmp(o->bias, "lora_only") == 0 ||
        (v->type == AXL__JSON_STRING && strcmp(v->text, "none") == 0))
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s: bias must be none, all or lora_only", path);
}

/* ---- targets ---- */

/* A list of strings, or one of them, as an array of texts. */
static axl_status read_strings(const axl__json *v, axl__arena *arena, const char *path,
                               const char *const **out, size_t *n)
{
    const axl__json *first = v->type == AXL__JSON_ARRAY ? v->child : v;
    const char **list = axl__arena_alloc(arena, ((size_t)v->count + 1) * sizeof *list);

    *n = 0;
    if (!list)
        return axl__fail_nomem();
    for (const axl__json *x = first; x; x = v->type == AXL__JSON_ARRAY ? x->next : NULL) {
        if (x->type != AXL__JSON_STRING)
            return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must hold strings", path, v->key);
        list[(*n)++] = x->text;
    }
    *out = list;
    return AXL_OK;
}

static axl_status read_layer(axl_adapter_options *o, uint32_t *layers, const axl__json *v,
                             const char *path)
{
    if (v->type != AXL__JSON_INT)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"layers_to_transform\" must hold numbers of layers",
                         path);
    /* One that is below 0 is never met. */
    layers[o->n_layers_to_transform++] =
        v->integer >= 0 && v->integer < UINT32_MAX ? (uint32_t)v->integer : UINT32_MAX;
    return AXL_OK;
}

/* Both are without a meaning beside one text as target_modules, where PEFT refuses them. */
static axl_status read_layers(axl_adapter_options *o, axl__arena *arena, const axl__json *root,
                              const char *path)
{
    const axl__json *v = axl__json_get(root, "layers_to_transform");
    const axl__json *pattern = axl__json_get(root, "layers_pattern");
    uint32_t *layers;

    if (!is_set(v) || o->target_regex)
        return AXL_OK;
    if (v->type != AXL__JSON_INT && v->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must hold numbers of layers", path, v->key);
    layers = axl__arena_alloc(arena, ((size_t)v->count + 1) * sizeof *layers);
    if (!layers)
        return axl__fail_nomem();
    o->layers_to_transform = layers;
    if (v->type == AXL__JSON_INT)
        AXL_TRY(read_layer(o, layers, v, path));
    for (const axl__json *x = v->type == AXL__JSON_ARRAY ? v->child : NULL; x; x = x->next)
        AXL_TRY(read_layer(o, layers, x, path));
    if (!is_set(pattern) || (pattern->type == AXL__JSON_STRING && pattern->len == 0))
        return AXL_OK;
    return read_strings(pattern, arena, path, &o->layers_pattern, &o->n_layers_pattern);
}

static axl_status read_targets(axl_adapter_options *o, axl__arena *arena, const axl__json *root,
                               const char *path)
{
    const axl__json *v = axl__json_get(root, "target_modules");
    const axl__json *excluded = axl__json_get(root, "exclude_modules");
    const axl__json *whole = axl__json_get(root, "modules_to_save");

    if (!v || (v->type != AXL__JSON_ARRAY && v->type != AXL__JSON_STRING))
        return axl__fail(AXL_ERR_FORMAT, "%s: \"target_modules\" is missing", path);
    if (v->type == AXL__JSON_STRING)
        o->target_regex = v->text;
    else
        AXL_TRY(read_strings(v, arena, path, &o->target_modules, &o->n_target_modules));
    if (v->type == AXL__JSON_ARRAY && v->count == 0)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"target_modules\" names no layer", path);
    if (is_set(excluded) && excluded->type == AXL__JSON_STRING)
        o->exclude_regex = excluded->text;
    else if (is_set(excluded))
        AXL_TRY(read_strings(excluded, arena, path, &o->exclude_modules, &o->n_exclude_modules));
    if (is_set(whole))
        AXL_TRY(read_strings(whole, arena, path, &o->modules_to_save, &o->n_modules_to_save));
    return read_layers(o, arena, root, path);
}

/* ---- patterns ---- */

typedef struct {
    const char *const *keys;
    double *values;
    size_t n;
} pattern_map;

static axl_status read_map(pattern_map *out, axl__arena *arena, const axl__json *root,
                           const char *key, const char *path)
{
    const axl__json *map = axl__json_get(root, key);
    const char **keys;

    *out = (pattern_map){ 0 };
    if (!is_set(map))
        return AXL_OK;
    if (map->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be an object", path, key);
    keys = axl__arena_alloc(arena, (size_t)map->count * sizeof *keys);
    out->values = axl__arena_alloc(arena, (size_t)map->count * sizeof *out->values);
    if (!keys || !out->values)
        return axl__fail_nomem();
    for (const axl__json *v = map->child; v; v = v->next) {
        if ((v->type != AXL__JSON_INT && v->type != AXL__JSON_FLOAT) || !isfinite(v->number))
            return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must hold numbers", path, key);
        keys[out->n] = v->key;
        out->values[out->n++] = v->number;
    }
    out->keys = keys;
    return AXL_OK;
}

static axl_status read_patterns(axl_adapter_options *o, axl__arena *arena, const axl__json *root,
                                const char *path)
{
    pattern_map ranks, alphas;

    AXL_TRY(read_map(&ranks, arena, root, "rank_pattern", path));
    AXL_TRY(read_map(&alphas, arena, root, "alpha_pattern", path));
    uint32_t *r = axl__arena_alloc(arena, (ranks.n + 1) * sizeof *r);
    if (!r)
        return axl__fail_nomem();
    for (size_t i = 0; i < ranks.n; i++) {
        if (!(ranks.values[i] >= 1.0 && ranks.values[i] <= AXL__RANK_MAX) ||
            ranks.values[i] != floor(ranks.values[i]))
            return axl__fail(AXL_ERR_FORMAT, "%s: \"rank_pattern\" must hold ranks of 1 to %d",
                             path, AXL__RANK_MAX);
        r[i] = (uint32_t)ranks.values[i];
    }
    o->rank_pattern = ranks.keys;
    o->rank_pattern_ranks = r;
    o->n_rank_pattern = ranks.n;
    o->alpha_pattern = alphas.keys;
    o->alpha_pattern_alphas = alphas.values;
    o->n_alpha_pattern = alphas.n;
    return AXL_OK;
}

/* ---- rows ---- */

static axl_status read_token_list(const axl__json *list, axl__arena *arena, const char *path,
                                  const uint32_t **out, size_t *n)
{
    uint32_t *tokens = axl__arena_alloc(arena, ((size_t)list->count + 1) * sizeof *tokens);

    if (!tokens)
        return axl__fail_nomem();
    *out = tokens;
    for (const axl__json *v = list->type == AXL__JSON_ARRAY ? list->child : NULL; v; v = v->next) {
        if (v->type != AXL__JSON_INT || v->integer < 0 || v->integer > INT32_MAX)
            return axl__fail(AXL_ERR_FORMAT, "%s: \"trainable_token_indices\" must hold tokens",
                             path);
        tokens[(*n)++] = (uint32_t)v->integer;
    }
    return AXL_OK;
}

/* A list is of the embedding, a mapping of the modules that it names. */
static axl_status read_tokens(axl_adapter_options *o, axl__arena *arena, const axl__json *root,
                              const char *path)
{
    const axl__json *v = axl__json_get(root, "trainable_token_indices");

    if (!is_set(v))
        return AXL_OK;
    if (v->type == AXL__JSON_ARRAY)
        return read_token_list(v, arena, path, &o->trainable_tokens, &o->n_trainable_tokens);
    for (const axl__json *m = v->type == AXL__JSON_OBJECT ? v->child : NULL; m; m = m->next) {
        bool embed = axl__ends_with(m->key, "embed_tokens"),
             head = axl__ends_with(m->key, "lm_head");
        if (!embed && !head)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s: \"trainable_token_indices\" names %s; embed_tokens and lm_head "
                             "have rows of tokens",
                             path, m->key);
        AXL_TRY(embed
                    ? read_token_list(m, arena, path, &o->trainable_tokens, &o->n_trainable_tokens)
                    : read_token_list(m, arena, path, &o->trainable_head_tokens,
                                      &o->n_trainable_head_tokens));
    }
    return AXL_OK;
}

axl_status axl__peft_config_read(axl_adapter_options *out, axl__arena *arena, const axl__json *root,
                                 const char *path)
{
    *out = (axl_adapter_options)AXL_ADAPTER_OPTIONS_INIT;
    AXL_TRY(check_text(root, "peft_type", "LORA", path));
    for (const axl__json *v = root->child; v; v = v->next)
        AXL_TRY(check_field(v, path));
    AXL_TRY(read_init(out, axl__json_get(root, "init_lora_weights"), path));
    AXL_TRY(read_numbers(out, root, path));
    AXL_TRY(read_bias(out, root, path));
    AXL_TRY(read_targets(out, arena, root, path));
    AXL_TRY(read_patterns(out, arena, root, path));
    AXL_TRY(read_tokens(out, arena, root, path));
    axl_status status = axl__adapter_check_options(out);
    return status == AXL_ERR_INVALID ? axl__fail_prefix(AXL_ERR_FORMAT, "%s", path) : status;
}

/* ---- writing ---- */

/* A list, one text in its place, or null. */
static void put_names(axl__jw *j, const char *key, const char *text, const char *const *list,
                      size_t n)
{
    if (text)
        axl__jw_string(j, key, text);
    else if (n > 0)
        axl__jw_strings(j, key, list, n);
    else
        axl__jw_null(j, key);
}

static axl_status put_layers(axl__jw *j, axl__arena *arena, const axl_adapter_options *o)
{
    size_t n = o->n_layers_to_transform;
    double *layers = axl__arena_alloc(arena, (n + 1) * sizeof *layers);

    if (!layers)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++)
        layers[i] = (double)o->layers_to_transform[i];
    if (n > 0)
        axl__jw_numbers(j, "layers_to_transform", layers, n);
    else
        axl__jw_null(j, "layers_to_transform");
    return AXL_OK;
}

static axl_status put_ranks(axl__jw *j, axl__arena *arena, const axl_adapter_options *o)
{
    double *ranks = axl__arena_alloc(arena, (o->n_rank_pattern + 1) * sizeof *ranks);

    if (!ranks)
        return axl__fail_nomem();
    for (size_t i = 0; i < o->n_rank_pattern; i++)
        ranks[i] = (double)o->rank_pattern_ranks[i];
    axl__jw_object(j, "rank_pattern", o->rank_pattern, ranks, o->n_rank_pattern);
    return AXL_OK;
}

static axl_status put_token_list(axl__jw *j, axl__arena *arena, const char *key,
                                 const uint32_t *tokens, size_t n)
{
    double *numbers = axl__arena_alloc(arena, (n + 1) * sizeof *numbers);

    if (!numbers)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++)
        numbers[i] = (double)tokens[i];
    axl__jw_numbers(j, key, numbers, n);
    return AXL_OK;
}

static axl_status put_tokens(axl__jw *j, axl__arena *arena, const axl_adapter_options *o)
{
    static const char key[] = "trainable_token_indices";
    size_t n = o->n_trainable_tokens, of_head = o->n_trainable_head_tokens;

    if (of_head == 0 && n > 0)
        return put_token_list(j, arena, key, o->trainable_tokens, n);
    if (of_head == 0) {
        axl__jw_null(j, key);
        return AXL_OK;
    }
    axl__jw *both = axl__jw_child(j, key);
    if (n > 0)
        AXL_TRY(put_token_list(both, arena, "embed_tokens", o->trainable_tokens, n));
    return put_token_list(both, arena, "lm_head", o->trainable_head_tokens, of_head);
}

/* LoftQ's is a plain pair beside a base that is quantised as any other: PEFT's name of it would
 * promise that the base was replaced. */
static void put_init(axl__jw *j, const char *init)
{
    if (strcmp(init, "true") == 0 || strcmp(init, "false") == 0 || strcmp(init, "loftq") == 0)
        axl__jw_bool(j, "init_lora_weights", init[0] != 'f');
    else
        axl__jw_string(j, "init_lora_weights", init);
}

/* The keys in PEFT's order, which is the alphabet's. */
static axl_status put_fields(axl__jw *j, axl__arena *arena, const axl_adapter_options *o,
                             const char *model)
{
    axl__jw_null(j, "alora_invocation_tokens");
    axl__jw_object(j, "alpha_pattern", o->alpha_pattern, o->alpha_pattern_alphas,
                   o->n_alpha_pattern);
    axl__jw_null(j, "auto_mapping");
    axl__jw_string(j, "base_model_name_or_path", model);
    axl__jw_string(j, "bias", o->bias);
    axl__jw_bool(j, "ensure_weight_tying", o->ensure_weight_tying);
    put_names(j, "exclude_modules", o->exclude_regex, o->exclude_modules, o->n_exclude_modules);
    axl__jw_bool(j, "fan_in_fan_out", false);
    axl__jw_bool(j, "inference_mode", true);
    put_init(j, o->init_lora_weights);
    put_names(j, "layers_pattern", NULL, o->layers_pattern, o->n_layers_pattern);
    AXL_TRY(put_layers(j, arena, o));
    axl__jw_double(j, "lora_alpha", o->alpha);
    axl__jw_bool(j, "lora_bias", o->lora_bias);
    axl__jw_double(j, "lora_dropout", o->dropout);
    put_names(j, "modules_to_save", NULL, o->modules_to_save, o->n_modules_to_save);
    axl__jw_string(j, "peft_type", "LORA");
    axl__jw_int(j, "r", (int64_t)o->rank);
    AXL_TRY(put_ranks(j, arena, o));
    axl__jw_null(j, "revision");
    put_names(j, "target_modules", o->target_regex, o->target_modules, o->n_target_modules);
    axl__jw_string(j, "task_type", "CAUSAL_LM");
    AXL_TRY(put_tokens(j, arena, o));
    axl__jw_bool(j, "use_dora", o->use_dora);
    axl__jw_bool(j, "use_rslora", o->rslora);
    return AXL_OK;
}

axl_status axl__peft_config_write(axl__str *out, const axl_adapter_options *o, const char *model)
{
    axl__jw *j = axl__jw_new();
    axl__arena arena;

    axl__arena_init(&arena, out->ctx);
    axl_status status = put_fields(j, &arena, o, model);
    axl_status text = axl__jw_text(j, out); /* frees it */
    axl__arena_free(&arena);
    return status < 0 ? status : text;
}
