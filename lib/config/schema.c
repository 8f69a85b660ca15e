/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - looking keys up in the table, and its public form.
 *
 * A path is looked up without its indexes, so that one row stands for a key of every item of a
 * list.  The texts of a row ("a, b", ">= 1") are parsed where they are asked for: they are short,
 * and asked for once a key of a config.
 */
#include "schema.h"

#include "base/num.h"
#include "base/str.h"
#include "base/structs.h"

#include <string.h>

enum { KEY_MAX = 256 };

/* "datasets[12].path" as "datasets[].path", the table's spelling; false when it is too long for any
 * key. */
static bool canonical(char out[KEY_MAX], const char *path)
{
    size_t n = 0;
    bool index = false;

    for (; *path; path++) {
        if (index && *path >= '0' && *path <= '9')
            continue;
        index = *path == '[';
        if (n == KEY_MAX - 1)
            return false;
        out[n++] = *path;
    }
    out[n] = '\0';
    return true;
}

/* A linear search: some hundred comparisons a key of a config, and a config has dozens. */
const axl__schema_key *axl__schema_find(const char *path)
{
    char name[KEY_MAX];

    if (!canonical(name, path))
        return NULL;
    for (size_t i = 0; i < axl__schema_size; i++)
        if (strcmp(axl__schema_table[i].name, name) == 0)
            return &axl__schema_table[i];
    return NULL;
}

/* Whether what follows a key in a path ("[]", ".x", "[].x") may be there. */
static bool may_follow(const axl__schema_key *k, const char *rest)
{
    if (*rest == '.')
        return (k->type & (T_M | T_ANY)) != 0;
    if (strncmp(rest, "[]", 2) != 0 || !(k->type & (T_L | T_ANY)))
        return false;
    return rest[2] == '\0' || (k->type & T_ANY) || (k->type >> T_ITEM_SHIFT & (T_M | T_ANY));
}

/* A path that is no row may still go on from one: below a list's item, a free mapping or a value of
 * any shape.  The nearest row to the left decides. */
bool axl__schema_knows(const char *path)
{
    char name[KEY_MAX], rest[KEY_MAX];

    if (axl__schema_find(path))
        return true;
    if (!canonical(name, path))
        return false;
    for (size_t cut = strlen(name); cut-- > 1;) {
        if (name[cut] != '.' && name[cut] != '[')
            continue;
        memcpy(rest, name + cut, strlen(name + cut) + 1);
        name[cut] = '\0';
        const axl__schema_key *k = axl__schema_find(name);
        if (k)
            return may_follow(k, rest);
        name[cut] = rest[0]; /* an item's own name is no key: look further left */
    }
    return false;
}

bool axl__schema_gives(const char *path)
{
    const axl__schema_key *k = axl__schema_find(path);

    return k && k->answer == A_IMPL && (k->fallback || k->given);
}

const char *axl__schema_type_name(uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {
        { T_B, "bool" },
        { T_I, "int" },
        { T_F, "float" },
        { T_S, "str" },
        { T_M, "map" },
        { T_O, "map" },
        { T_ANY, "any" },
        { T_I | T_F, "int|float" },
        { T_I | T_S, "int|str" },
        { T_B | T_S, "bool|str" },
        { T_B | T_O, "bool|map" },
        { T_S | T_O, "str|map" },
        { T_S | T_M, "str|map" },
        { T_LIST(T_S), "list of str" },
        { T_LIST(T_I), "list of int" },
        { T_LIST(T_F), "list of float" },
        { T_LIST(T_O), "list of map" },
        { T_LIST(T_M), "list of map" },
        { T_S | T_LIST(T_S), "str|list of str" },
        { T_I | T_LIST(T_I), "int|list of int" },
        { T_LIST(T_I) | T_M, "list of int|map" },
        { T_LIST(T_ANY), "list of any" },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].type == type)
            return names[i].name;
    return "any"; /* a test looks for it: every combination of the table is above */
}

/* Reads a number that ends at one of the stops, and moves behind it. */
static double bound(const char **at, const char *stops)
{
    size_t len = strcspn(*at, stops);
    double value = 0;

    if (!axl__parse_double(*at, len, &value))
        value = 0;
    *at += len;
    return value;
}

/* The ranges are texts because people read them too ("must be in (0, 1]"): they are the table's,
 * thus well formed, and nothing here looks for slips in them. */
bool axl__schema_in_range(const char *range, double value)
{
    if (axl__starts_with(range, "in ")) {
        const char *at = range + 4;
        bool open_low = range[3] == '(';
        double low = bound(&at, ",");
        at += 2;
        double high = bound(&at, "])");
        return (open_low ? value > low : value >= low) &&
               (*at == ')' ? value < high : value <= high);
    }
    const char *at = strchr(range, ' ') + 1;
    double limit = bound(&at, "");
    if (range[0] == '<')
        return range[1] == '=' ? value <= limit : value < limit;
    return range[1] == '=' ? value >= limit : value > limit;
}

bool axl__schema_has_value(const char *values, const char *text)
{
    size_t len = strlen(text);

    for (const char *at = values; at && *at;) {
        size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, text, n) == 0)
            return true;
        at += n;
        at += *at ? 2 : 0;
    }
    return false;
}

/* ---- the public form ---- */

size_t axl_config_schema_count(void)
{
    return axl__schema_size;
}

static axl_answer public_answer(uint8_t answer)
{
    switch (answer) {
    case A_IMPL: return AXL_ANSWER_IMPLEMENTED;
    case A_NONE: return AXL_ANSWER_NO_EFFECT;
    case A_UNSUP: return AXL_ANSWER_UNSUPPORTED;
    default: return AXL_ANSWER_DEPRECATED;
    }
}

/* A key that some data set types read has no reason of its own in the table; it is made here. */
static axl_status export_key(const axl__schema_key *k, axl_config_key_info *out)
{
    axl_config_key_info info = AXL_CONFIG_KEY_INFO_INIT;

    info.name = k->name;
    info.type = axl__schema_type_name(k->type);
    info.fallback = k->fallback;
    info.values = k->values;
    info.range = k->range;
    info.reason = k->reason             ? k->reason
                  : !k->by_type         ? NULL
                  : k->answer == A_IMPL ? "only data sets of some types read it"
                                        : "no data set type that exists reads it";
    info.use_instead = k->use_instead;
    info.description = k->description;
    info.answer = (uint32_t)public_answer(k->answer);
    return AXL__EXPORT(axl_config_key_info, out, &info);
}

axl_status axl_config_schema_get(size_t index, axl_config_key_info *out)
{
    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out is NULL");
    if (index >= axl__schema_size)
        return AXL_END;
    return export_key(&axl__schema_table[index], out);
}

axl_status axl_config_schema_find(const char *name, axl_config_key_info *out)
{
    axl__error_clear();
    if (!name || !out)
        return axl__fail(AXL_ERR_INVALID, "%s is NULL", name ? "out" : "name");
    const axl__schema_key *k = axl__schema_find(name);
    if (k)
        return export_key(k, out);
    const char *near = axl__nearest_key(name);
    if (near)
        return axl__fail(AXL_ERR_NOT_FOUND, "unknown key \"%s\"; did you mean \"%s\"?", name, near);
    return axl__fail(AXL_ERR_NOT_FOUND, "unknown key \"%s\"", name);
}
