/* SPDX-License-Identifier: Apache-2.0 */
/* json_part.c - see json_part.h. */
#include "json_part.h"

#include "base/utf8.h"

#include <string.h>

bool axl__part_none(const axl__json *v)
{
    return !v || v->type == AXL__JSON_NULL;
}

const char *axl__part_type(const axl__part *p)
{
    return axl__json_string(p->json, "type", "");
}

bool axl__part_is(const axl__part *p, const char *type)
{
    return strcmp(axl__part_type(p), type) == 0;
}

axl_status axl__part_unknown(const axl__part *p)
{
    if (!axl__json_string(p->json, "type", NULL))
        return axl__fail(AXL_ERR_FORMAT, "%s has no type", p->what);
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s \"%.64s\" is not supported", p->what,
                     axl__part_type(p));
}

axl_status axl__part_wrong(const axl__part *p, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "%s \"%.64s\": %s", p->what, axl__part_type(p), why);
}

static axl_status wrong_type(const axl__part *p, const char *key, const char *wanted,
                             const axl__json *got)
{
    return axl__fail(AXL_ERR_FORMAT, "%s \"%.64s\": %s must be %s, not %s", p->what,
                     axl__part_type(p), key, wanted, axl__json_type_name(got));
}

static axl_status take_text(const axl__part *p, const char *key, const axl__json *v,
                            axl__slice *out)
{
    if (!v || v->type != AXL__JSON_STRING)
        return wrong_type(p, key, "a string", v);
    out->text = axl__arena_strndup(p->arena, v->text, v->len);
    out->len = v->len;
    return out->text ? AXL_OK : axl__fail_nomem();
}

axl_status axl__part_text(const axl__part *p, const char *key, axl__slice *out)
{
    return take_text(p, key, axl__json_get(p->json, key), out);
}

axl_status axl__part_char(const axl__part *p, const char *key, axl__slice *out)
{
    size_t at = 0;

    AXL_TRY(axl__part_text(p, key, out));
    if (out->len > 0)
        (void)axl__utf8_next(out->text, out->len, &at);
    if (out->len > 0 && at == out->len)
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "%s \"%.64s\": %s must be one character, not \"%.64s\"",
                     p->what, axl__part_type(p), key, out->text);
}

axl_status axl__part_bool(const axl__part *p, const char *key, bool otherwise, bool *out)
{
    const axl__json *v = axl__json_get(p->json, key);

    *out = v && v->type == AXL__JSON_BOOL ? v->boolean : otherwise;
    if (axl__part_none(v) || v->type == AXL__JSON_BOOL)
        return AXL_OK;
    return wrong_type(p, key, "a boolean", v);
}

axl_status axl__part_list(const axl__part *p, const char *key, const axl__json **first)
{
    const axl__json *list = axl__json_get(p->json, key);

    if (!list || list->type != AXL__JSON_ARRAY)
        return wrong_type(p, key, "an array", list);
    *first = list->child;
    return AXL_OK;
}

axl_status axl__part_pattern(const axl__part *p, axl__slice *out, bool *regex)
{
    const axl__json *pattern = axl__json_get(p->json, "pattern");
    const axl__json *text = axl__json_get(pattern, "String");
    const axl__json *expression = axl__json_get(pattern, "Regex");

    *regex = expression != NULL;
    return take_text(p, "pattern", expression ? expression : text, out);
}
