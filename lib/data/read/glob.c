/* SPDX-License-Identifier: Apache-2.0 */
/* glob.c - see glob.h.  The pattern is gone through once, with the set of places of the path that
 * it can have come to, so that no pattern takes long. */
#include "data/read/glob.h"

#include <string.h>

enum { PATH_MAX_LEN = 4096 };

typedef struct {
    const char *path;
    size_t len;
    bool at[PATH_MAX_LEN + 1]; /* the pattern so far matches the path up to there */
} glob_places;

bool axl__glob_is(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

/* "**" and a '/' behind it: any number of whole names. */
static void pass_names(glob_places *g)
{
    bool any = false;

    for (size_t i = 0; i <= g->len; i++) {
        if (any && g->path[i - 1] == '/')
            g->at[i] = true;
        any |= g->at[i];
    }
}

static void pass_star(glob_places *g, bool slashes)
{
    for (size_t i = 0; i < g->len; i++)
        if (g->at[i] && (slashes || g->path[i] != '/'))
            g->at[i + 1] = true;
}

/* The length of "[…]", 0 where it does not end; whether c is in it. */
static size_t set_has(const char *set, char c, bool *has)
{
    size_t i = 1;
    bool inverse = set[i] == '!' || set[i] == '^', any = false;

    for (i += inverse; set[i] && (set[i] != ']' || i == 1 + (size_t)inverse); i++) {
        bool range = set[i + 1] == '-' && set[i + 2] && set[i + 2] != ']';
        any |= range ? c >= set[i] && c <= set[i + 2] : c == set[i];
        i += range ? 2 : 0;
    }
    *has = any != inverse && c != '/';
    return set[i] ? i + 1 : 0;
}

/* One character of the pattern, or one set; its length. */
static size_t pass_one(glob_places *g, const char *pattern)
{
    bool has, set = *pattern == '[' && set_has(pattern, '/', &has) > 0;
    size_t used = set ? set_has(pattern, '/', &has) : 1;

    for (size_t i = g->len + 1; i-- > 0;) {
        char c = i > 0 ? g->path[i - 1] : '/';
        if (set)
            (void)set_has(pattern, c, &has);
        else
            has = *pattern == '?' ? c != '/' : c == *pattern;
        g->at[i] = i > 0 && g->at[i - 1] && has;
    }
    return used;
}

bool axl__glob_match(const char *pattern, const char *path)
{
    glob_places g = { .path = path, .len = strlen(path) };

    if (g.len > PATH_MAX_LEN)
        return false;
    g.at[0] = true;
    for (const char *p = pattern; *p;) {
        bool starts = p == pattern || p[-1] == '/';
        if (starts && strncmp(p, "**/", 3) == 0) {
            pass_names(&g);
            p += 3;
        } else if (*p == '*') {
            pass_star(&g, p[1] == '*');
            p += p[1] == '*' ? 2 : 1;
        } else {
            p += pass_one(&g, p);
        }
    }
    return g.at[g.len];
}
