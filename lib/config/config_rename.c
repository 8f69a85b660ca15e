/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rename.c - deprecated spellings to today's, each with a warning.
 *
 * The first pass over the keys.  It moves values whole and looks at a value only where its form is
 * the deprecated thing; types, ranges and unknown keys are the next pass's, which finds today's
 * keys alone.
 */
#include "config_priv.h"

#include "base/pattern.h"

#include <string.h>

static void say_renamed(axl__config_pass *p, const axl__yaml *node, const char *key,
                        const char *instead)
{
    axl__config_say(p, AXL__C_RENAMED, AXL_SEVERITY_WARNING, node, AT_KEY, key,
                    "deprecated; use %s", instead);
}

/* With both set Axolotl refuses some pairs, and otherwise lets the new name win. */
static void say_both(axl__config_pass *p, const axl__yaml *node, const char *key,
                     const char *instead)
{
    static const char refused[] = "noisy_embedding_alpha, pretrain_multipack_buffer_size, "
                                  "liger_swiglu";

    if (axl__schema_has_value(refused, key))
        axl__config_say(p, AXL__C_RENAME_CONFLICT, AXL_SEVERITY_ERROR, node, AT_KEY, key,
                        "deprecated, and its successor %s is set too; keep that one", instead);
    else
        axl__config_say(p, AXL__C_RENAMED, AXL_SEVERITY_WARNING, node, AT_KEY, key,
                        "deprecated, and ignored because %s is set", instead);
}

/* A derived member keeps the place of the key it comes from, and draws no warning of its own. */
static axl_status put_derived(axl__config_pass *p, const char *key, axl__yaml *value,
                              const axl__yaml *from)
{
    if (!value)
        return axl__fail_nomem();
    value->derived = true;
    value->line = from->line;
    value->column = from->column;
    value->key_line = from->key_line;
    value->key_column = from->key_column;
    return axl__yaml_set(p->arena, p->root, key, value);
}

static axl__yaml *boolean(axl__config_pass *p, bool value)
{
    return value ? axl__yaml_plain(p->arena, "true", 4) : axl__yaml_plain(p->arena, "false", 5);
}

/* The first of these that is on names the implementation, in Axolotl's order of precedence; the
 * rest go. */
static axl_status rename_attention(axl__config_pass *p)
{
    static const struct {
        const char *old, *now;
    } names[] = {
        { "xformers_attention", "xformers" },
        { "sage_attention", "sage" },
        { "flex_attention", "flex_attention" },
        { "flash_attention", "flash_attention_2" },
        { "sdp_attention", "sdpa" },
        { "eager_attention", "eager" },
    };
    const axl__yaml *own = axl__yaml_get(p->root, "attn_implementation");
    bool chosen = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const axl__yaml *old = axl__yaml_remove(p->root, names[i].old);
        char word[48] = "attn_implementation: ";
        axl__yaml probe;
        if (!old)
            continue;
        probe = *old; /* "true" as a text counts too */
        if (probe.type == AXL__YAML_STRING)
            axl__yaml_resolve(&probe);
        if (!axl__yaml_truthy(&probe))
            continue;
        strcat(word, names[i].now);
        if (own && !own->derived) {
            axl__config_say(p, AXL__C_ATTENTION_CONFLICT, AXL_SEVERITY_ERROR, old, AT_KEY,
                            names[i].old, "attn_implementation is set too; keep that one");
            continue;
        }
        axl__config_say(p, AXL__C_RENAMED, AXL_SEVERITY_WARNING, old, AT_KEY, names[i].old,
                        "deprecated; use %s (no effect here: axl's own attention always keeps "
                        "packed samples apart)",
                        word);
        if (chosen)
            continue;
        chosen = true;
        AXL_TRY(put_derived(p, "attn_implementation",
                            axl__yaml_string(p->arena, names[i].now, strlen(names[i].now)), old));
        own = axl__yaml_get(p->root, "attn_implementation");
    }
    return AXL_OK;
}

/* Keys of the table whose value moves as it is. */
static axl_status rename_moved(axl__config_pass *p)
{
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        if (k->answer != A_MOVED || strchr(k->use_instead, ':'))
            continue;
        axl__yaml *old = axl__yaml_remove(p->root, k->name);
        if (!old)
            continue;
        if (axl__yaml_get(p->root, k->use_instead)) {
            say_both(p, old, k->name, k->use_instead);
            continue;
        }
        say_renamed(p, old, k->name, k->use_instead);
        axl__yaml *moved = axl__yaml_collection(p->arena, old->type);
        if (!moved)
            return axl__fail_nomem();
        *moved = *old;
        AXL_TRY(axl__yaml_set(p->arena, p->root, k->use_instead, moved));
    }
    return AXL_OK;
}

static bool is_text(const axl__yaml *node, const char *text)
{
    return node && node->type == AXL__YAML_STRING && strcmp(node->text, text) == 0;
}

/* gradient_checkpointing: offload means true, and activations to the host, where they are. */
static axl_status rename_checkpointing(axl__config_pass *p)
{
    axl__yaml *node = axl__yaml_get(p->root, "gradient_checkpointing");

    if (!is_text(node, "offload") && !is_text(node, "offload_disk"))
        return AXL_OK;
    axl__config_say(p, AXL__C_CHECKPOINTING, AXL_SEVERITY_WARNING, node, AT_VALUE,
                    "gradient_checkpointing",
                    "\"%s\" means true here: activations are in host memory", node->text);
    return put_derived(p, "gradient_checkpointing", boolean(p, true), node);
}

/* Whether the text is a regular expression; what is wrong with it is said. */
static axl_status check_regex(axl__config_pass *p, const axl__yaml *node)
{
    axl__pattern *pattern;
    axl__error error;
    axl_status status = axl__pattern_new(&pattern, p->arena->ctx, node->text);

    axl__pattern_free(pattern);
    axl__error_hold(&error);
    if (status == AXL_ERR_INVALID)
        axl__config_say(p, AXL__C_TARGET_REGEX, AXL_SEVERITY_ERROR, node, AT_VALUE,
                        "lora_target_modules", "%s", error.text);
    return status == AXL_ERR_INVALID ? AXL_OK : status;
}

/* One text is a regular expression on whole module paths in PEFT.  A plain name is taken as a list
 * of one, which is what its writer means. */
static axl_status rename_targets(axl__config_pass *p)
{
    axl__yaml *node = axl__yaml_get(p->root, "lora_target_modules");

    if (!node || node->type != AXL__YAML_STRING)
        return AXL_OK;
    if (is_text(node, "all-linear")) {
        AXL_TRY(put_derived(p, "lora_target_linear", boolean(p, true), node));
        axl__yaml_remove(p->root, "lora_target_modules");
        return AXL_OK;
    }
    if (node->text[strspn(node->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_")] != '\0')
        return check_regex(p, node);
    axl__yaml *list = axl__yaml_collection(p->arena, AXL__YAML_LIST);
    axl__yaml *item = axl__yaml_string(p->arena, node->text, node->len);
    if (!list || !item)
        return axl__fail_nomem();
    item->line = node->line;
    item->column = node->column;
    axl__yaml_append(list, item);
    return put_derived(p, "lora_target_modules", list, node);
}

/* One spelling for what means the same, so that it is read in one way and cached under one key:
 * ds_type jsonl is json, data_files is a list. */
static axl_status rename_dataset(axl__config_pass *p, axl__yaml *set)
{
    axl__yaml *files = axl__yaml_get(set, "data_files");
    axl__yaml *kind = axl__yaml_get(set, "ds_type");

    if (is_text(kind, "jsonl")) {
        kind->text = "json";
        kind->len = 4;
    }
    if (!files || files->type != AXL__YAML_STRING)
        return AXL_OK;
    axl__yaml *item = axl__yaml_string(p->arena, files->text, files->len);
    if (!item)
        return axl__fail_nomem();
    item->line = files->line;
    item->column = files->column;
    files->type = AXL__YAML_LIST;
    files->text = NULL;
    files->len = 0;
    files->child = NULL;
    files->count = 0;
    axl__yaml_append(files, item);
    return AXL_OK;
}

/* An entry of pretraining_dataset that says nothing is of type pretrain. */
static axl_status name_type(axl__config_pass *p, axl__yaml *set)
{
    static const char type[] = "pretrain";
    const axl__yaml *said = axl__yaml_get(set, "type");

    if (set->type != AXL__YAML_MAP || (said && said->type != AXL__YAML_NULL))
        return AXL_OK;
    axl__yaml *node = axl__yaml_string(p->arena, type, sizeof type - 1);
    if (node)
        node->derived = true;
    return axl__yaml_set(p->arena, set, "type", node);
}

/* Attention's old switches are in the table of moved keys too, but with a value of their own to
 * move to ("attn_implementation: sdpa"), so that they go first and by hand.  The types of values
 * are not known to be right yet: whatever is no text or list of the expected kind is left for the
 * check of the keys. */
axl_status axl__config_rename(axl__config_pass *p)
{
    static const char *const lists[] = { "datasets", "test_datasets", "pretraining_dataset" };

    AXL_TRY(rename_attention(p));
    AXL_TRY(rename_moved(p));
    AXL_TRY(rename_checkpointing(p));
    AXL_TRY(rename_targets(p));
    for (size_t i = 0; i < 3; i++) {
        const axl__yaml *list = axl__yaml_get(p->root, lists[i]);
        for (axl__yaml *set = list && list->type == AXL__YAML_LIST ? list->child : NULL; set;
             set = set->next) {
            AXL_TRY(rename_dataset(p, set));
            if (i == 2)
                AXL_TRY(name_type(p, set));
        }
    }
    return AXL_OK;
}
