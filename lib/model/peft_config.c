/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peft_config.c - see peft_config.h.  The table has every field that PEFT 0.20's LoraConfig has, so
 * that nothing which a file asks for is passed over: a key that is not in it is refused as soon as
 * it has a value.
 */
#include "peft_config.h"

#include "adapter.h"

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
    { "alpha_pattern", FIELD_OFF, "layers with an alpha of their own" },
    { "arrow_config", FIELD_OFF, "routing between adapters" },
    { "auto_mapping", FIELD_INERT, NULL },
    { "base_model_name_or_path", FIELD_INERT, NULL },
    { "bias", FIELD_READ, NULL },
    { "corda_config", FIELD_INERT, NULL }, /* init_lora_weights says whether it was used */
    { "ensure_weight_tying", FIELD_OFF, "pairs that tied layers share" },
    { "eva_config", FIELD_INERT, NULL },
    { "exclude_modules", FIELD_READ, NULL },
    { "fan_in_fan_out", FIELD_OFF, "weights that lie the other way round" },
    { "inference_mode", FIELD_INERT, NULL },
    { "init_lora_weights", FIELD_READ, NULL },
    { "layer_replication", FIELD_OFF, "layers that stand in the model several times" },
    { "layers_pattern", FIELD_READ, NULL },
    { "layers_to_transform", FIELD_READ, NULL },
    { "loftq_config", FIELD_INERT, NULL },
    { "lora_alpha", FIELD_READ, NULL },
    { "lora_bias", FIELD_OFF, "pairs with a bias" },
    { "lora_dropout", FIELD_READ, NULL },
    { "lora_ga_config", FIELD_INERT, NULL },
    { "megatron_config", FIELD_OFF, "layers of Megatron" },
    { "megatron_core", FIELD_INERT, NULL },
    { "modules_to_save", FIELD_OFF, "whole modules beside the pairs" },
    { "monteclora_config", FIELD_OFF, "pairs that are sampled" },
    { "peft_type", FIELD_READ, NULL },
    { "peft_version", FIELD_INERT, NULL },
    { "qalora_group_size", FIELD_INERT, NULL }, /* use_qalora says whether it counts */
    { "r", FIELD_READ, NULL },
    { "rank_pattern", FIELD_OFF, "layers with a rank of their own" },
    { "revision", FIELD_INERT, NULL },
    { "runtime_config", FIELD_INERT, NULL },
    { "target_modules", FIELD_READ, NULL },
    { "target_parameters", FIELD_OFF, "pairs of single parameters" },
    { "task_type", FIELD_INERT, NULL },
    { "trainable_token_indices", FIELD_OFF, "rows of the embedding beside the pairs" },
    { "use_bdlora", FIELD_OFF, "pairs of diagonal blocks" },
    { "use_dora", FIELD_OFF, "magnitudes beside the pairs" },
    { "use_qalora", FIELD_OFF, "pairs of pooled inputs" },
    { "use_rslora", FIELD_READ, NULL },
    { "velora_config", FIELD_OFF, "gradients of compressed inputs" },
};

/* How an adapter may have begun.  Some change the weights under it, so that its pairs mean nothing
 * beside the base as its files have it. */
static const char converted[] =
    "it changes the weights that the adapter stands on; save it as plain LoRA "
    "(PEFT: save_pretrained with path_initial_model_for_weight_conversion)";

static const struct {
    const char *name;
    bool prefix;     /* what follows it is a setting */
    const char *why; /* NULL: a plain pair, whatever it began with */
} inits[] = {
    { "gaussian", false, NULL },
    { "orthogonal", false, NULL },
    { "eva", false, NULL },
    { "pissa", true, converted },
    { "corda", true, converted },
    { "olora", false, converted },
    { "lora_ga", false, converted },
    { "loftq", false, "it quantises the weights that the adapter stands on" },
    { "mica", false, "it trains one half of the pairs" },
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

static axl_status check_init(const axl__json *v, const char *path)
{
    if (!v || v->type == AXL__JSON_NULL || v->type == AXL__JSON_BOOL)
        return AXL_OK;
    const char *name = v->type == AXL__JSON_STRING ? v->text : axl__json_type_name(v);
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++) {
        size_t n = strlen(inits[i].name);
        if (strncmp(name, inits[i].name, n) != 0 || (!inits[i].prefix && name[n] != '\0'))
            continue;
        if (!inits[i].why)
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

static axl_status read_numbers(axl_adapter_options *o, const axl__json *root, const char *path)
{
    const axl__json *rslora = axl__json_get(root, "use_rslora");
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
    if (rslora && rslora->type != AXL__JSON_BOOL && rslora->type != AXL__JSON_NULL)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"use_rslora\" must be true or false", path);
    o->rslora = rslora && rslora->boolean;
    return AXL_OK;
}

/* ---- targets ---- */

static axl_status check_items(const axl__json *list, axl__json_type type, const char *what,
                              const char *path)
{
    for (const axl__json *x = list->child; x; x = x->next)
        if (x->type != type)
            return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must hold %s", path, list->key, what);
    return AXL_OK;
}

/* A list of names, or one regular expression. */
static axl_status read_names(const axl__json *v, const char *path, const axl__json **names,
                             bool *regex)
{
    if (v->type == AXL__JSON_STRING) {
        *regex = true;
        return AXL_OK;
    }
    if (v->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must hold strings", path, v->key);
    *names = v;
    return check_items(v, AXL__JSON_STRING, "strings", path);
}

/* layers_pattern is the name of the list of layers: of the models here always "layers". */
static axl_status read_layers(axl__peft_targets *t, const axl__json *root, const char *path)
{
    const axl__json *v = axl__json_get(root, "layers_to_transform");
    const axl__json *pattern = axl__json_get(root, "layers_pattern");

    if (!is_set(v) || t->regex || t->all_linear)
        return AXL_OK;
    if (v->type != AXL__JSON_INT && v->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must hold numbers of layers", path, v->key);
    if (v->type == AXL__JSON_ARRAY)
        AXL_TRY(check_items(v, AXL__JSON_INT, "numbers of layers", path));
    t->layers = v;
    if (!is_set(pattern) || (pattern->type == AXL__JSON_STRING && pattern->len == 0))
        return AXL_OK;
    const axl__json *p = pattern->type == AXL__JSON_ARRAY ? pattern->child : pattern;
    for (; p; p = pattern->type == AXL__JSON_ARRAY ? p->next : NULL)
        if (p->type != AXL__JSON_STRING || strcmp(p->text, "layers") != 0)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s: layers_pattern is not supported yet but as \"layers\"", path);
    return AXL_OK;
}

static axl_status read_targets(axl__peft_targets *t, const axl__json *root, const char *path)
{
    const axl__json *v = axl__json_get(root, "target_modules");
    const axl__json *excluded = axl__json_get(root, "exclude_modules");

    if (!v || (v->type != AXL__JSON_ARRAY && v->type != AXL__JSON_STRING))
        return axl__fail(AXL_ERR_FORMAT, "%s: \"target_modules\" is missing", path);
    if (v->type == AXL__JSON_STRING && axl__ascii_casecmp(v->text, "all-linear") == 0)
        t->all_linear = true;
    else
        AXL_TRY(read_names(v, path, &t->names, &t->regex));
    if (is_set(excluded))
        AXL_TRY(read_names(excluded, path, &t->excluded, &t->regex));
    return read_layers(t, root, path);
}

static bool any_matches(const axl__json *names, const char *module)
{
    for (const axl__json *n = names ? names->child : NULL; n; n = n->next)
        if (axl__target_matches(module, n->text))
            return true;
    return false;
}

/* A module that is named whole is meant in whatever layer. */
static bool layer_is_meant(const axl__peft_targets *t, const axl__module *m)
{
    if (!t->layers)
        return true;
    for (const axl__json *n = t->names->child; n; n = n->next)
        if (strcmp(n->text, m->name) == 0)
            return true;
    if (t->layers->type == AXL__JSON_INT)
        return t->layers->integer == m->layer;
    for (const axl__json *l = t->layers->child; l; l = l->next)
        if (l->integer == m->layer)
            return m->layer >= 0;
    return false;
}

bool axl__peft_names(const axl__peft_targets *t, const axl__module *m)
{
    if (any_matches(t->excluded, m->name))
        return false;
    if (t->all_linear)
        return m->role == AXL__ROLE_LINEAR;
    return any_matches(t->names, m->name) && layer_is_meant(t, m);
}

bool axl__peft_names_are_all(const axl__peft_targets *t)
{
    return !t->regex && !t->excluded && !t->layers;
}

static axl_status copy_names(axl_adapter_options *o, axl__arena *arena, const axl__json *names)
{
    const char **list = axl__arena_alloc(arena, ((size_t)names->count + 1) * sizeof *list);

    if (!list)
        return axl__fail_nomem();
    for (const axl__json *n = names->child; n; n = n->next)
        list[o->n_target_modules++] = n->text;
    o->target_modules = list;
    return AXL_OK;
}

axl_status axl__peft_config_read(axl__peft_config *out, axl__arena *arena, const axl__json *root,
                                 const char *path)
{
    *out = (axl__peft_config){ .opts = AXL_ADAPTER_OPTIONS_INIT };
    AXL_TRY(check_text(root, "peft_type", "LORA", path));
    AXL_TRY(check_text(root, "bias", "none", path));
    for (const axl__json *v = root->child; v; v = v->next)
        AXL_TRY(check_field(v, path));
    AXL_TRY(check_init(axl__json_get(root, "init_lora_weights"), path));
    AXL_TRY(read_numbers(&out->opts, root, path));
    AXL_TRY(read_targets(&out->targets, root, path));
    return out->targets.names ? copy_names(&out->opts, arena, out->targets.names) : AXL_OK;
}
