/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_search_methods.c - methods of texts that look for other texts: finding, splitting,
 * replacing, joining. */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <string.h>

#define METHOD(name)                                                                               \
    static axl_status name(jstate *st, jvalue self, const jvalue *arg, const jargs *args,          \
                           jvalue *out)

static const size_t nowhere = SIZE_MAX;

/* The first place of part in v[from, to), a byte's. */
static size_t find_first(jvalue v, size_t from, size_t to, jvalue part)
{
    if (part.len == 0)
        return from <= to ? from : nowhere;
    if (from >= to)
        return nowhere;
    const char *found = axl__j_find(v.as.text + from, to - from, part.as.text, part.len);
    return found ? (size_t)(found - v.as.text) : nowhere;
}

static size_t find_last(jvalue v, size_t from, size_t to, jvalue part)
{
    const char *found = axl__j_find_last(v.as.text + from, to - from, part.as.text, part.len);

    return found ? (size_t)(found - v.as.text) : nowhere;
}

/* ---- places; start and end count characters, from the end where negative ---- */

static axl_status read_bound(jstate *st, jvalue v, jvalue given, int64_t otherwise, size_t *out)
{
    int64_t n = (int64_t)axl__j_count(v.as.text, v.len), i = otherwise < 0 ? n : otherwise;

    if (axl__j_given(given) && given.kind != J_NONE)
        AXL_TRY(axl__j_need_int(st, given, "a place in a text", &i));
    i = i < -n ? 0 : i < 0 ? i + n : i;
    *out = i > n ? nowhere : axl__j_offset(v.as.text, v.len, (size_t)i);
    return AXL_OK;
}

/* The byte range that arg[1] and arg[2] say; from is nowhere behind the end. */
static axl_status read_bounds(jstate *st, jvalue v, const jvalue *arg, size_t *from, size_t *to)
{
    AXL_TRY(read_bound(st, v, arg[1], 0, from));
    AXL_TRY(read_bound(st, v, arg[2], -1, to));
    if (*to == nowhere)
        *to = v.len;
    return AXL_OK;
}

static axl_status find_place(jstate *st, jvalue self, const jvalue *arg, bool last, jvalue *out)
{
    size_t from, to, at = nowhere;

    AXL_TRY(axl__j_need_text(st, arg[0], "what is looked for"));
    AXL_TRY(read_bounds(st, self, arg, &from, &to));
    if (from != nowhere && from <= to)
        at = last ? find_last(self, from, to, arg[0]) : find_first(self, from, to, arg[0]);
    *out = axl__j_int(at == nowhere ? -1 : (int64_t)axl__j_count(self.as.text, at));
    return AXL_OK;
}

METHOD(find)
{
    (void)args;
    return find_place(st, self, arg, false, out);
}

METHOD(rfind)
{
    (void)args;
    return find_place(st, self, arg, true, out);
}

METHOD(index_of)
{
    (void)args;
    AXL_TRY(find_place(st, self, arg, false, out));
    return out->as.integer >= 0 ? AXL_OK : axl__j_fail(st, "index: the text is not there");
}

METHOD(rindex_of)
{
    (void)args;
    AXL_TRY(find_place(st, self, arg, true, out));
    return out->as.integer >= 0 ? AXL_OK : axl__j_fail(st, "rindex: the text is not there");
}

METHOD(count)
{
    size_t from, to, at;
    int64_t n = 0;

    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "what is counted"));
    AXL_TRY(read_bounds(st, self, arg, &from, &to));
    if (from != nowhere && from <= to && arg[0].len == 0)
        n = (int64_t)axl__j_count(self.as.text + from, to - from) + 1;
    while (arg[0].len > 0 && from != nowhere &&
           (at = find_first(self, from, to, arg[0])) != nowhere) {
        n++;
        from = at + arg[0].len;
    }
    *out = axl__j_int(n);
    return AXL_OK;
}

/* At one end of v[from, to), one of several where part is a tuple. */
static axl_status stands_at(jstate *st, jvalue v, const jvalue *arg, jvalue part, bool end,
                            jvalue *out)
{
    size_t from, to;

    if (part.kind == J_TUPLE) {
        *out = axl__j_bool(false);
        for (size_t i = 0; i < part.as.list->n && !out->as.boolean; i++) {
            AXL_TRY(axl__j_need_text(st, part.as.list->items[i], "a prefix or suffix"));
            AXL_TRY(stands_at(st, v, arg, part.as.list->items[i], end, out));
        }
        return AXL_OK;
    }
    AXL_TRY(axl__j_need_text(st, part, "a prefix or suffix"));
    AXL_TRY(read_bounds(st, v, arg, &from, &to));
    bool fits = from != nowhere && from <= to && part.len <= to - from;
    size_t at = end ? to - part.len : from;
    *out =
        axl__j_bool(fits && (part.len == 0 || memcmp(v.as.text + at, part.as.text, part.len) == 0));
    return AXL_OK;
}

METHOD(startswith)
{
    (void)args;
    return stands_at(st, self, arg, arg[0], false, out);
}

METHOD(endswith)
{
    (void)args;
    return stands_at(st, self, arg, arg[0], true, out);
}

/* ---- splitting ---- */

static axl_status add_part(jstate *st, jlist *list, jvalue v, size_t from, size_t to)
{
    jvalue part = axl__j_text(v.as.text + from, to - from);

    part.markup = v.markup;
    return axl__j_list_add(st, list, part);
}

static size_t space_at(jvalue v, size_t at)
{
    size_t next = at;

    return at < v.len && axl__j_space(axl__utf8_next(v.as.text, v.len, &next)) ? next : 0;
}

/* At runs of white space; what is left behind the last split keeps its own end. */
static axl_status split_spaces(jstate *st, jvalue v, int64_t max, jlist *list)
{
    size_t at = 0, next, from;

    for (;;) {
        while ((next = space_at(v, at)) > 0)
            at = next;
        if (at >= v.len)
            return AXL_OK;
        if (max >= 0 && (int64_t)list->n == max)
            return add_part(st, list, v, at, v.len);
        from = at;
        while (at < v.len && space_at(v, at) == 0)
            axl__utf8_next(v.as.text, v.len, &at);
        AXL_TRY(add_part(st, list, v, from, at));
    }
}

static axl_status split_at(jstate *st, jvalue v, jvalue by, int64_t max, jlist *list)
{
    size_t from = 0, at;

    while ((max < 0 || (int64_t)list->n < max) &&
           (at = find_first(v, from, v.len, by)) != nowhere) {
        AXL_TRY(add_part(st, list, v, from, at));
        from = at + by.len;
    }
    return add_part(st, list, v, from, v.len);
}

static void reverse_list(jlist *list)
{
    for (size_t i = 0; i < list->n / 2; i++) {
        jvalue swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
}

static axl_status rsplit_at(jstate *st, jvalue v, jvalue by, int64_t max, jlist *list)
{
    size_t to = v.len, at;

    while ((max < 0 || (int64_t)list->n < max) && (at = find_last(v, 0, to, by)) != nowhere) {
        AXL_TRY(add_part(st, list, v, at + by.len, to));
        to = at;
    }
    AXL_TRY(add_part(st, list, v, 0, to));
    reverse_list(list);
    return AXL_OK;
}

/* From the end: all words, of which the first ones are put together again. */
static axl_status rsplit_spaces(jstate *st, jvalue v, int64_t max, jlist *list)
{
    AXL_TRY(split_spaces(st, v, -1, list));
    if (max < 0 || (int64_t)list->n <= max + 1)
        return AXL_OK;
    size_t rest = list->n - (size_t)max;
    jvalue last = list->items[rest - 1];
    jvalue head = axl__j_text(v.as.text, (size_t)(last.as.text - v.as.text) + last.len);
    memmove(list->items + 1, list->items + rest, (size_t)max * sizeof *list->items);
    list->items[0] = head;
    list->n = (size_t)max + 1;
    return AXL_OK;
}

static axl_status split_any(jstate *st, jvalue self, const jvalue *arg, bool right, jvalue *out)
{
    bool spaces = !axl__j_given(arg[0]) || arg[0].kind == J_NONE;
    int64_t max = -1;
    jlist *list;

    if (axl__j_given(arg[1]))
        AXL_TRY(axl__j_need_int(st, arg[1], "maxsplit", &max));
    AXL_TRY(axl__j_list_new(st, 0, &list));
    *out = axl__j_list(list);
    if (spaces)
        return right ? rsplit_spaces(st, self, max, list) : split_spaces(st, self, max, list);
    AXL_TRY(axl__j_need_text(st, arg[0], "a separator"));
    if (arg[0].len == 0)
        return axl__j_fail(st, "an empty separator");
    return right ? rsplit_at(st, self, arg[0], max, list) : split_at(st, self, arg[0], max, list);
}

METHOD(split)
{
    (void)args;
    return split_any(st, self, arg, false, out);
}

METHOD(rsplit)
{
    (void)args;
    return split_any(st, self, arg, true, out);
}

static axl_status make_triple(jstate *st, jvalue v, size_t at, size_t len, jvalue *out)
{
    jlist *list;

    AXL_TRY(axl__j_list_new(st, 3, &list));
    AXL_TRY(add_part(st, list, v, 0, at));
    AXL_TRY(add_part(st, list, v, at, at + len));
    AXL_TRY(add_part(st, list, v, at + len, v.len));
    *out = axl__j_tuple(list);
    return AXL_OK;
}

METHOD(partition)
{
    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "a separator"));
    if (arg[0].len == 0)
        return axl__j_fail(st, "an empty separator");
    size_t at = find_first(self, 0, self.len, arg[0]);
    return make_triple(st, self, at == nowhere ? self.len : at, at == nowhere ? 0 : arg[0].len,
                       out);
}

METHOD(rpartition)
{
    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "a separator"));
    if (arg[0].len == 0)
        return axl__j_fail(st, "an empty separator");
    size_t at = find_last(self, 0, self.len, arg[0]);
    return make_triple(st, self, at == nowhere ? 0 : at, at == nowhere ? 0 : arg[0].len, out);
}

static bool ends_line(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

METHOD(splitlines)
{
    bool keep = axl__j_truth(arg[0]);
    size_t from = 0, at = 0;
    jlist *list;

    (void)args;
    AXL_TRY(axl__j_list_new(st, 0, &list));
    while (at < self.len) {
        size_t end = at;
        uint32_t c = axl__utf8_next(self.as.text, self.len, &at);
        if (!ends_line(c))
            continue;
        if (c == '\r' && at < self.len && self.as.text[at] == '\n')
            at++;
        AXL_TRY(add_part(st, list, self, from, keep ? at : end));
        from = at;
    }
    if (from < self.len)
        AXL_TRY(add_part(st, list, self, from, self.len));
    *out = axl__j_list(list);
    return AXL_OK;
}

/* ---- replacing and joining ---- */

/* An empty text is found before every character and at the end. */
static void replace_empty(axl__str *text, jvalue v, jvalue with, int64_t max)
{
    for (size_t at = 0; at < v.len;) {
        size_t from = at;
        if (max != 0) {
            axl__str_put(text, with.as.text, with.len);
            max--;
        }
        axl__utf8_next(v.as.text, v.len, &at);
        axl__str_put(text, v.as.text + from, at - from);
    }
    if (max != 0)
        axl__str_put(text, with.as.text, with.len);
}

static axl_status check_growth(jstate *st, const axl__str *text)
{
    if (text->len > st->limits.memory)
        return axl__j_fail(st, "a text of more than %llu bytes",
                           (unsigned long long)st->limits.memory);
    return AXL_OK;
}

METHOD(replace)
{
    int64_t max = -1;
    size_t from = 0, at;
    axl__str *text;

    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "what is replaced"));
    AXL_TRY(axl__j_need_text(st, arg[1], "what replaces it"));
    if (axl__j_given(arg[2]) && arg[2].kind != J_NONE)
        AXL_TRY(axl__j_need_int(st, arg[2], "count", &max));
    AXL_TRY(axl__j_begin(st, &text));
    if (arg[0].len == 0) {
        replace_empty(text, self, arg[1], max);
        from = self.len;
    }
    while (arg[0].len > 0 && max != 0 &&
           (at = find_first(self, from, self.len, arg[0])) != nowhere) {
        axl__str_put(text, self.as.text + from, at - from);
        axl__str_put(text, arg[1].as.text, arg[1].len);
        AXL_TRY(check_growth(st, text));
        from = at + arg[0].len;
        max--;
    }
    axl__str_put(text, self.as.text + from, self.len - from);
    AXL_TRY(axl__j_end(st, out));
    out->markup = self.markup;
    return AXL_OK;
}

METHOD(join)
{
    jlist *items;
    axl__str *text;

    (void)args;
    AXL_TRY(axl__j_items(st, arg[0], &items));
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(axl__j_need_text(st, items->items[i], "what is joined"));
        if (i > 0)
            axl__str_put(text, self.as.text, self.len);
        axl__str_put(text, items->items[i].as.text, items->items[i].len);
        AXL_TRY(check_growth(st, text));
    }
    return axl__j_end(st, out);
}

METHOD(format)
{
    (void)arg;
    return axl__j_format(st, self, args, out);
}

const jbuiltin axl__j_search_methods[] = {
    { "split", split, "|sep maxsplit" },
    { "rsplit", rsplit, "|sep maxsplit" },
    { "splitlines", splitlines, "|keepends" },
    { "partition", partition, "/sep" },
    { "rpartition", rpartition, "/sep" },
    { "startswith", startswith, "/prefix|start end" },
    { "endswith", endswith, "/suffix|start end" },
    { "find", find, "/sub|start end" },
    { "rfind", rfind, "/sub|start end" },
    { "index", index_of, "/sub|start end" },
    { "rindex", rindex_of, "/sub|start end" },
    { "count", count, "/sub|start end" },
    { "replace", replace, "/old new|count" },
    { "join", join, "/iterable" },
    { "format", format, NULL },
    { NULL, NULL, NULL },
};
