/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch_override.c - model_config of a config, laid over a model's config.json before a family reads
 * it, and over the one that a result is written with.  The schema knows which keys there may be.
 */
#include "arch.h"
#include "family/wrapper.h"

#include <string.h>

static axl__json *find(axl__json *object, const char *key)
{
    axl__json *found = NULL;

    for (axl__json *v = object->child; v; v = v->next)
        if (strcmp(v->key, key) == 0)
            found = v; /* the last one counts */
    return found;
}

/* The value of a member that there is, or of a new one behind the others. */
static axl_status put(axl__json *object, axl__arena *arena, const axl__json *value, const char *key)
{
    axl__json *to = find(object, key), **end = &object->child;

    if (!to) {
        to = axl__arena_alloc(arena, sizeof *to);
        if (!to)
            return axl__fail_nomem();
        while (*end)
            end = &(*end)->next;
        *end = to;
        object->count++;
        *to = (axl__json){ 0 };
    }
    axl__json *next = to->next;
    *to = *value;
    to->next = next;
    to->key = key;
    to->key_len = strlen(key);
    return AXL_OK;
}

static void take_out(axl__json *object, const char *key)
{
    for (axl__json **v = &object->child; *v;) {
        if (strcmp((*v)->key, key) != 0) {
            v = &(*v)->next;
            continue;
        }
        *v = (*v)->next;
        object->count--;
    }
}

static bool is_rope(const char *key)
{
    return strcmp(key, "rope_scaling") == 0 || strcmp(key, "rope_parameters") == 0;
}

/* The object of rotary parameters that counts, or NULL. */
static axl__json *rope_of(axl__json *root)
{
    axl__json *scaling = find(root, "rope_scaling"), *parameters = find(root, "rope_parameters");

    if (scaling && scaling->type == AXL__JSON_OBJECT && scaling->count > 0)
        return scaling;
    return parameters && parameters->type == AXL__JSON_OBJECT ? parameters : NULL;
}

/* New parameters stand in place of the old ones, whose rope_theta stays where they name none. */
static axl_status override_rope(axl__json *root, axl__arena *arena, const axl__json *value)
{
    const axl__json *old = rope_of(root), *theta = axl__json_get(old, "rope_theta");

    if (theta && !find(root, "rope_theta"))
        AXL_TRY(put(root, arena, theta, "rope_theta"));
    take_out(root, "rope_scaling");
    take_out(root, "rope_parameters");
    return put(root, arena, value, value->key);
}

static axl_status override_member(axl__json *root, axl__arena *arena, const axl__json *value)
{
    axl__json *rope = rope_of(root);

    if (is_rope(value->key))
        return override_rope(root, arena, value);
    if (strcmp(value->key, "rope_theta") == 0 && rope && find(rope, "rope_theta"))
        return put(rope, arena, value, value->key);
    return put(root, arena, value, value->key);
}

axl_status axl__arch_override(axl__json *root, axl__arena *arena, const char *overrides)
{
    const axl__wrapper *wrapper = axl__wrapper_find(axl__json_string(root, "model_type", ""));
    axl__json *text = wrapper ? find(root, "text_config") : NULL, *values;

    if (!overrides || root->type != AXL__JSON_OBJECT)
        return AXL_OK;
    AXL_TRY(axl__json_parse(&values, arena, overrides, strlen(overrides), "model_config"));
    for (const axl__json *v = values->child; v; v = v->next) {
        bool inside =
            text && text->type == AXL__JSON_OBJECT && strcmp(v->key, "tie_word_embeddings") != 0;
        AXL_TRY(override_member(inside ? text : root, arena, v));
    }
    return AXL_OK;
}
