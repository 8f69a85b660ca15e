/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_derive.c - what the config means beyond what it says: derived values, defaults, and one
 * spelling of every scalar.  Deriving twice changes nothing, so that a dump parses to an equal
 * config.
 */
#include "config_priv.h"

#include "dataset_types.h"

#include "base/num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static axl__yaml *get(const axl__config_pass *p, const char *key)
{
    return axl__yaml_get(p->root, key);
}

/* Sets a key that is not set. */
static axl_status fill(axl__config_pass *p, axl__yaml *map, const char *key, const char *text)
{
    if (axl__yaml_get(map, key))
        return AXL_OK;
    return axl__yaml_set(p->arena, map, key, axl__yaml_plain(p->arena, text, strlen(text)));
}

static axl_status fill_text(axl__config_pass *p, const char *key, const char *text)
{
    if (get(p, key))
        return AXL_OK;
    return axl__yaml_set(p->arena, p->root, key, axl__yaml_string(p->arena, text, strlen(text)));
}

/* Sets a key that is not set to the value of another.  The copy has no place, as all that is
 * derived. */
static axl_status fill_copy(axl__config_pass *p, const char *key, const char *from)
{
    const axl__yaml *n = get(p, from);

    if (!n || get(p, key))
        return AXL_OK;
    axl__yaml *copy = axl__yaml_string(p->arena, n->text, n->len);
    if (copy && n->type != AXL__YAML_STRING)
        axl__yaml_resolve(copy);
    return axl__yaml_set(p->arena, p->root, key, copy);
}

/* batch_size is another way to write gradient_accumulation_steps and goes, so that a dump has one
 * of them; config_rules.c saw that it divides. */
static axl_status derive_batch(axl__config_pass *p)
{
    char text[24];
    axl__yaml *whole = axl__yaml_remove(p->root, "batch_size");

    if (whole) {
        const axl__yaml *micro = get(p, "micro_batch_size");
        snprintf(text, sizeof text, "%lld",
                 (long long)(whole->integer / (micro ? micro->integer : 1)));
        AXL_TRY(fill(p, p->root, "gradient_accumulation_steps", text));
    }
    AXL_TRY(fill(p, p->root, "micro_batch_size", "1"));
    return fill_copy(p, "eval_batch_size", "micro_batch_size");
}

/* Axolotl's validators set the same two where they are not set. */
static axl_status derive_packing(axl__config_pass *p)
{
    if (!axl__yaml_truthy(get(p, "sample_packing")))
        return AXL_OK;
    AXL_TRY(fill(p, p->root, "pad_to_sequence_len", "true"));
    return fill(p, p->root, "eval_sample_packing", "true");
}

/* Sets a key of axl's own that is not set. */
static axl_status fill_axl(axl__config_pass *p, const char *key, const char *text)
{
    if (!get(p, "axl"))
        AXL_TRY(
            axl__yaml_set(p->arena, p->root, "axl", axl__yaml_collection(p->arena, AXL__YAML_MAP)));
    return fill(p, get(p, "axl"), key, text);
}

static bool is_no(const axl__yaml *n)
{
    return n && n->type == AXL__YAML_STRING && strcmp(n->text, "no") == 0;
}

/* Nothing said about when: at the end of each epoch.  Axolotl evaluates before the first step too
 * where a key says when (core/builders/base.py); since eval_strategy is filled in here, what the
 * file said must be asked first, and a dump carries the answer as axl.eval_on_start. */
static axl_status derive_strategies(axl__config_pass *p)
{
    bool data = axl__config_has_validation(p);
    bool steps = get(p, "eval_steps") || get(p, "evals_per_epoch");
    bool said = data && (steps || get(p, "eval_strategy")) && !is_no(get(p, "eval_strategy"));

    AXL_TRY(fill_axl(p, "eval_on_start", said ? "true" : "false"));
    AXL_TRY(fill_text(p, "eval_strategy", !data ? "no" : steps ? "steps" : "epoch"));
    steps = get(p, "save_steps") || get(p, "saves_per_epoch");
    return fill_text(p, "save_strategy", steps ? "steps" : "epoch");
}

/* What restarts prune: Axolotl's defaults, and 0.999 of its full reset (_FULL_RESET_RATIO in
 * monkeypatch/relora.py). */
static axl_status derive_relora(axl__config_pass *p)
{
    if (!axl__yaml_truthy(get(p, "relora")))
        return AXL_OK;
    AXL_TRY(fill_text(p, "relora_prune_method", "magnitude"));
    bool reset = strcmp(get(p, "relora_prune_method")->text, "reset") == 0;
    return fill(p, p->root, "relora_prune_ratio", reset ? "0.999" : "0.9");
}

/* In each entry of a list of data sets, where its type reads the key.  items points to the "[]."
 * within the key's name; "[].type." leads into a type that is a mapping. */
static axl_status fill_entries(axl__config_pass *p, const axl__schema_key *k, const char *items)
{
    char list_key[64];

    snprintf(list_key, sizeof list_key, "%.*s", (int)(items - k->name), k->name);
    const axl__yaml *list = get(p, list_key);
    bool nested = strncmp(items, "[].type.", 8) == 0;
    for (axl__yaml *entry = list ? list->child : NULL; entry; entry = entry->next) {
        const axl__dataset_type *type = axl__dataset_type_of(entry, axl__data_task_of(p->root));
        bool read = !k->by_type || (type && axl__dataset_type_reads(type, items + 3));
        if (!nested && read)
            AXL_TRY(fill(p, entry, items + 3, k->fallback));
        else if (nested && read && type->mapping)
            AXL_TRY(fill(p, axl__yaml_get(entry, "type"), items + 8, k->fallback));
    }
    return AXL_OK;
}

/* Defaults of the table's implemented keys, below the mappings that exist. */
static axl_status fill_defaults(axl__config_pass *p)
{
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        const char *items = strstr(k->name, "[].");
        if (k->answer != A_IMPL || !k->fallback)
            continue;
        if (items) {
            AXL_TRY(fill_entries(p, k, items));
        } else if (strncmp(k->name, "axl.", 4) == 0) {
            AXL_TRY(fill_axl(p, k->name + 4, k->fallback));
        } else {
            AXL_TRY(fill(p, p->root, k->name, k->fallback));
        }
    }
    return AXL_OK;
}

/* One spelling of every value ("1e-3" and "0.001", "yes" and "true"): texts are compared by the
 * data cache's key and shown in dumps.  A number has the fewest digits that read back as the same
 * double; a huge integer keeps its own, having no other exact form. */
static axl_status canonical_texts(axl__config_pass *p, axl__yaml *node)
{
    char text[AXL__NUM_MAX];

    for (axl__yaml *child = node->child; child; child = child->next)
        AXL_TRY(canonical_texts(p, child));
    if (node->type == AXL__YAML_BOOL)
        snprintf(text, sizeof text, "%s", node->boolean ? "true" : "false");
    else if (node->type == AXL__YAML_NULL)
        snprintf(text, sizeof text, "null");
    else if (node->type == AXL__YAML_INT && !node->huge)
        snprintf(text, sizeof text, "%lld", (long long)node->integer);
    else if (node->type == AXL__YAML_FLOAT && isfinite(node->number))
        axl__format_double(text, node->number);
    else if (node->type == AXL__YAML_FLOAT)
        snprintf(text, sizeof text, "%s",
                 isnan(node->number) ? ".nan"
                 : node->number < 0  ? "-.inf"
                                     : ".inf");
    else
        return AXL_OK;
    node->len = strlen(text);
    node->text = axl__arena_strndup(p->arena, text, node->len);
    return node->text ? AXL_OK : axl__fail_nomem();
}

/* Derived values come before the table's defaults, which would stand in their way. */
axl_status axl__config_derive(axl__config_pass *p)
{
    AXL_TRY(derive_batch(p));
    AXL_TRY(derive_packing(p));
    AXL_TRY(derive_strategies(p));
    AXL_TRY(derive_relora(p));
    AXL_TRY(fill_copy(p, "tokenizer_config", "base_model_config"));
    AXL_TRY(fill_copy(p, "tokenizer_config", "base_model"));
    AXL_TRY(fill_defaults(p));
    return canonical_texts(p, p->root);
}
