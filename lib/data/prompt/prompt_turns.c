/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_turns.c - what the methods whose records are lists of turns share. */
#include "data/prompt/prompt.h"

#include "base/utf8.h"

#include <string.h>

axl_status axl__prompt_list(const axl__json *record, const char *column, const axl__json **items)
{
    const axl__json *list = axl__json_get(record, column);

    *items = NULL;
    if (!list || list->type == AXL__JSON_NULL)
        return AXL_OK;
    if (list->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of objects, not %s", column,
                         axl__json_type_name(list));
    for (const axl__json *item = list->child; item; item = item->next)
        if (item->type != AXL__JSON_OBJECT)
            return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of objects, and has %s", column,
                             axl__json_type_name(item));
    *items = list->child;
    return AXL_OK;
}

/* What Python's str.isspace() says yes to. */
static bool is_space(uint32_t c)
{
    static const uint16_t others[] = { 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 };

    if ((c >= 9 && c <= 13) || (c >= 28 && c <= 32) || (c >= 0x2000 && c <= 0x200A))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (c == others[i])
            return true;
    return false;
}

void axl__prompt_strip(const char **text, size_t *len)
{
    size_t begin = *len, end = 0;

    for (size_t at = 0; at < *len;) {
        size_t start = at;
        if (is_space(axl__utf8_next(*text, *len, &at)))
            continue;
        if (begin > start)
            begin = start;
        end = at;
    }
    if (begin > end)
        begin = end;
    *text += begin;
    *len = end - begin;
}

bool axl__prompt_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

axl_status axl__prompt_unknown_role(const char *key, const char *text, size_t len,
                                    const char *known)
{
    return axl__fail(AXL_ERR_DATA, "\"%s\" must be one of %s, not \"%.*s\"", key, known,
                     len < 40 ? (int)len : 40, text);
}
