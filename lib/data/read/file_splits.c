/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_splits.c - see file_splits.h.  datasets tries four sets of patterns, and the first that any
 * file fits decides for all: the others' files are then no data.  Within a split files come keyword
 * by keyword and pattern by pattern.
 */
#include "data/read/file_splits.h"

#include "data/read/reader.h"

#include <string.h>

enum { N_NAMED = 3, KEYWORDS_MAX = 4, PLACES = 4 };

static const char *const named[N_NAMED] = { "train", "validation", "test" };
static const char *const keywords[N_NAMED][KEYWORDS_MAX] = {
    { "train", "training" },
    { "validation", "valid", "dev", "val" },
    { "test", "testing", "eval", "evaluation" },
};

bool axl__is_data_file(const char *path)
{
    static const char *const about[] = { "config.json", "dataset_info.json", "dataset_infos.json",
                                         "dataset_dict.json", "state.json" };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < sizeof about / sizeof about[0]; i++)
        if (strcmp(name, about[i]) == 0)
            return false;
    return path[0] != '.' && !strstr(path, "/.") && strncmp(path, "__", 2) != 0 &&
           !strstr(path, "/__") && axl__readers_claim(name);
}

static bool separates(char c)
{
    return c != '\0' && strchr("-._ 0123456789", c);
}

/* Where a keyword stands in the name [at, at + len), as a bit of each place: 0 the whole, 1 at the
 * beginning, 2 at the end, 3 within; separators on the sides that are no ends. */
static unsigned places_of(const char *at, size_t len, const char *keyword)
{
    size_t k = strlen(keyword);
    unsigned places = 0;

    for (size_t i = 0; i + k <= len; i++) {
        bool first = i == 0, last = i + k == len;
        if (memcmp(at + i, keyword, k) != 0 || (!first && !separates(at[i - 1])) ||
            (!last && !separates(at[i + k])))
            continue;
        places |= 1u << (first ? last ? 0 : 1 : last ? 2 : 3);
    }
    return places;
}

/* Of the folders above a file, or of its name, whose keyword never ends it. */
static unsigned places_in(const char *path, axl__split_style style, const char *keyword)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    unsigned places = 0;

    if (style == AXL__SPLITS_FILES)
        return places_of(name, strlen(name), keyword) & (1u << 1 | 1u << 3);
    for (const char *at = path; at < name; at = strchr(at, '/') + 1)
        places |= places_of(at, strcspn(at, "/"), keyword);
    return places;
}

/* The length of NAME in data/NAME-00000-of-00001.parquet; 0: it is none. */
static size_t sharded_name(const char *path)
{
    static const char digits[] = "0123456789";
    const char *name = path + 5, *last = NULL;

    if (strncmp(path, "data/", 5) != 0 || strchr(name, '/'))
        return 0;
    for (const char *p = name; (p = strchr(p, '-')); p++)
        if (strspn(p + 1, digits) == 5 && strncmp(p + 6, "-of-", 4) == 0 &&
            strspn(p + 10, digits) >= 5 && strchr(p + 15, '.'))
            last = p;
    return last ? (size_t)(last - name) : 0;
}

static bool is_name(const char *name, const char *split, size_t len)
{
    return strlen(name) == len && memcmp(name, split, len) == 0;
}

static bool says_word(const char *path, axl__split_style style, size_t s)
{
    for (size_t k = 0; k < KEYWORDS_MAX && keywords[s][k]; k++)
        if (places_in(path, style, keywords[s][k]))
            return true;
    return false;
}

bool axl__split_has(const char *path, axl__split_style style, const char *split, size_t len)
{
    if (style == AXL__SPLITS_NONE)
        return is_name("train", split, len);
    if (style == AXL__SPLITS_SHARDED)
        return len > 0 && sharded_name(path) == len && memcmp(path + 5, split, len) == 0;
    for (size_t s = 0; s < N_NAMED; s++)
        if (is_name(named[s], split, len))
            return says_word(path, style, s);
    return false;
}

static bool fits(const char *path, axl__split_style style)
{
    return axl__is_data_file(path) &&
           (style == AXL__SPLITS_SHARDED ? sharded_name(path) > 0
                                         : says_word(path, style, 0) || says_word(path, style, 1) ||
                                               says_word(path, style, 2));
}

axl__split_style axl__split_style_of(const char *const *paths, size_t n)
{
    for (int style = AXL__SPLITS_SHARDED; style < AXL__SPLITS_NONE; style++)
        for (size_t i = 0; i < n; i++)
            if (fits(paths[i], (axl__split_style)style))
                return (axl__split_style)style;
    return AXL__SPLITS_NONE;
}

/* Each file once, where its first pattern puts it. */
static size_t keyword_files(const char *const *paths, size_t n, axl__split_style style,
                            const char *const *words, size_t *order)
{
    size_t count = 0;

    for (size_t k = 0; k < KEYWORDS_MAX && words[k]; k++)
        for (unsigned place = 0; place < PLACES; place++)
            for (size_t i = 0; i < n; i++) {
                bool taken = !axl__is_data_file(paths[i]) ||
                             !(places_in(paths[i], style, words[k]) & 1u << place);
                for (size_t t = 0; t < count && !taken; t++)
                    taken = order[t] == i;
                if (!taken)
                    order[count++] = i;
            }
    return count;
}

size_t axl__split_files(const char *const *paths, size_t n, const char *split, size_t len,
                        size_t *order)
{
    axl__split_style style = axl__split_style_of(paths, n);
    size_t count = 0;

    for (size_t s = 0; s < N_NAMED; s++)
        if ((style == AXL__SPLITS_FOLDERS || style == AXL__SPLITS_FILES) &&
            is_name(named[s], split, len))
            return keyword_files(paths, n, style, keywords[s], order);
    for (size_t i = 0; i < n; i++)
        if (axl__is_data_file(paths[i]) && axl__split_has(paths[i], style, split, len))
            order[count++] = i;
    return count;
}

static void put_name(axl__str *out, const char *name, size_t len)
{
    axl__str_putf(out, "%s%.*s", out->len > 0 ? "+" : "", (int)len, name);
}

static bool is_named(const char *name, size_t len)
{
    return is_name(named[0], name, len) || is_name(named[1], name, len) ||
           is_name(named[2], name, len);
}

/* Those beyond the named ones, as the sorted paths have them one beside the other. */
static void put_others(axl__str *out, const char *const *paths, size_t n)
{
    const char *last = NULL;
    size_t last_len = 0;

    for (size_t i = 0; i < n; i++) {
        size_t len = axl__is_data_file(paths[i]) ? sharded_name(paths[i]) : 0;
        if (len == 0 || is_named(paths[i] + 5, len) ||
            (len == last_len && memcmp(last, paths[i] + 5, len) == 0))
            continue;
        put_name(out, last = paths[i] + 5, last_len = len);
    }
}

void axl__split_names_put(axl__str *out, const char *const *paths, size_t n)
{
    axl__split_style style = axl__split_style_of(paths, n);

    for (size_t s = 0; s < N_NAMED; s++) {
        bool any = false;
        for (size_t i = 0; i < n && !any; i++)
            any = axl__is_data_file(paths[i]) &&
                  axl__split_has(paths[i], style, named[s], strlen(named[s]));
        if (any)
            put_name(out, named[s], strlen(named[s]));
    }
    if (style == AXL__SPLITS_SHARDED)
        put_others(out, paths, n);
}
