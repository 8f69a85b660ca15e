/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_to_json.c - the filter tojson: Python's json.dumps with ensure_ascii, indent, separators
 * and sort_keys, as transformers gives it to templates. */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <math.h>
#include <string.h>

typedef struct {
    jstate *st;
    axl__str *out;
    bool ascii, sorted, lines;
    jvalue indent, comma, colon;
} json_writer;

static void put_code_unit(axl__str *out, unsigned c)
{
    axl__str_putf(out, "\\u%04x", c);
}

static void put_escaped(const json_writer *w, uint32_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;

    if (known) {
        axl__str_putc(w->out, '\\');
        axl__str_putc(w->out, to[known - from]);
    } else if (c < 0x20 || (w->ascii && c >= 0x7F && c < 0x10000)) {
        put_code_unit(w->out, c);
    } else if (w->ascii && c >= 0x10000) {
        put_code_unit(w->out, 0xD800 + ((c - 0x10000) >> 10));
        put_code_unit(w->out, 0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
        axl__str_put_utf8(w->out, c);
    }
}

static void put_string(const json_writer *w, jvalue v)
{
    axl__str_putc(w->out, '"');
    for (size_t at = 0; at < v.len;)
        put_escaped(w, axl__utf8_next(v.as.text, v.len, &at));
    axl__str_putc(w->out, '"');
}

static void put_number(const json_writer *w, double v)
{
    if (isnan(v) || isinf(v))
        axl__str_puts(w->out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
    else
        axl__j_put_number(w->out, v);
}

static void put_line(const json_writer *w, uint32_t depth)
{
    if (!w->lines)
        return;
    axl__str_putc(w->out, '\n');
    for (uint32_t i = 0; i < depth; i++)
        axl__str_put(w->out, w->indent.as.text, w->indent.len);
}

static axl_status put_json(const json_writer *w, jvalue v, uint32_t depth);

static axl_status put_array(const json_writer *w, const jlist *list, uint32_t depth)
{
    axl__str_putc(w->out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            axl__str_put(w->out, w->comma.as.text, w->comma.len);
        put_line(w, depth + 1);
        AXL_TRY(put_json(w, list->items[i], depth + 1));
    }
    if (list->n > 0)
        put_line(w, depth);
    axl__str_putc(w->out, ']');
    return AXL_OK;
}

static axl_status put_key(const json_writer *w, jvalue key)
{
    if (key.kind == J_STRING)
        return put_string(w, key), AXL_OK;
    if (key.kind > J_BIG)
        return axl__j_fail(w->st, "%s cannot be a key in JSON", axl__j_type_name(key));
    axl__str_putc(w->out, '"');
    AXL_TRY(put_json(w, key, 0));
    axl__str_putc(w->out, '"');
    return AXL_OK;
}

/* The pairs in the order of their keys. */
static axl_status sorted_pairs(const json_writer *w, const jdict *d, const jdict **out)
{
    jdict *made;
    jlist *keys;

    AXL_TRY(axl__j_items(w->st, axl__j_dict((jdict *)(uintptr_t)d), &keys));
    AXL_TRY(axl__j_sort(w->st, keys, keys, false));
    AXL_TRY(axl__j_dict_new(w->st, &made));
    for (size_t i = 0; i < keys->n; i++)
        AXL_TRY(axl__j_dict_set(w->st, made, keys->items[i],
                                *axl__j_dict_find(w->st, d, keys->items[i])));
    *out = made;
    return AXL_OK;
}

static axl_status put_object(const json_writer *w, const jdict *d, uint32_t depth)
{
    if (w->sorted)
        AXL_TRY(sorted_pairs(w, d, &d));
    axl__str_putc(w->out, '{');
    for (size_t i = 0; i < d->n; i++) {
        if (i > 0)
            axl__str_put(w->out, w->comma.as.text, w->comma.len);
        put_line(w, depth + 1);
        AXL_TRY(put_key(w, d->pairs[i].key));
        axl__str_put(w->out, w->colon.as.text, w->colon.len);
        AXL_TRY(put_json(w, d->pairs[i].value, depth + 1));
    }
    if (d->n > 0)
        put_line(w, depth);
    axl__str_putc(w->out, '}');
    return AXL_OK;
}

static axl_status put_nested(const json_writer *w, jvalue v, uint32_t depth)
{
    if (w->out->len > w->st->limits.output)
        return axl__j_fail(w->st, "a JSON text of more than %llu bytes",
                           (unsigned long long)w->st->limits.output);
    AXL_TRY(axl__j_enter(w->st));
    AXL_TRY(v.kind == J_DICT ? put_object(w, v.as.dict, depth) : put_array(w, v.as.list, depth));
    axl__j_leave(w->st);
    return AXL_OK;
}

static axl_status put_json(const json_writer *w, jvalue v, uint32_t depth)
{
    switch (v.kind) {
    case J_NONE: axl__str_puts(w->out, "null"); return AXL_OK;
    case J_BOOL: axl__str_puts(w->out, v.as.boolean ? "true" : "false"); return AXL_OK;
    case J_INT: axl__str_putf(w->out, "%lld", (long long)v.as.integer); return AXL_OK;
    case J_BIG: axl__str_put(w->out, v.as.text, v.len); return AXL_OK;
    case J_FLOAT: put_number(w, v.as.number); return AXL_OK;
    case J_STRING: put_string(w, v); return AXL_OK;
    case J_LIST:
    case J_TUPLE:
    case J_DICT: return put_nested(w, v, depth);
    default: return axl__j_fail(w->st, "%s cannot be written as JSON", axl__j_type_name(v));
    }
}

static axl_status read_indent(json_writer *w, jvalue v)
{
    int64_t n = 0;

    w->lines = axl__j_given(v) && v.kind != J_NONE;
    w->indent = axl__j_text("", 0);
    if (!w->lines)
        return AXL_OK;
    if (v.kind == J_STRING)
        return w->indent = v, AXL_OK;
    AXL_TRY(axl__j_need_int(w->st, v, "indent", &n));
    char *spaces = axl__j_alloc(w->st, n > 0 ? (size_t)n + 1 : 1);
    if (!spaces)
        return axl__j_out_of(w->st);
    if (n > 0)
        memset(spaces, ' ', (size_t)n);
    w->indent = axl__j_text(spaces, n > 0 ? (size_t)n : 0);
    return AXL_OK;
}

static axl_status read_separators(json_writer *w, jvalue v)
{
    w->comma = w->lines ? axl__j_text(",", 1) : axl__j_text(", ", 2);
    w->colon = axl__j_text(": ", 2);
    if (!axl__j_given(v) || v.kind == J_NONE)
        return AXL_OK;
    if ((v.kind != J_TUPLE && v.kind != J_LIST) || v.as.list->n != 2)
        return axl__j_fail(w->st, "separators of tojson must be two texts");
    w->comma = v.as.list->items[0];
    w->colon = v.as.list->items[1];
    AXL_TRY(axl__j_need_text(w->st, w->comma, "a separator"));
    return axl__j_need_text(w->st, w->colon, "a separator");
}

static axl_status tojson(jstate *st, jvalue self, const jvalue *arg, const jargs *args, jvalue *out)
{
    json_writer w = { .st = st, .ascii = axl__j_truth(arg[0]), .sorted = axl__j_truth(arg[3]) };

    (void)args;
    AXL_TRY(read_indent(&w, arg[1]));
    AXL_TRY(read_separators(&w, arg[2]));
    AXL_TRY(axl__j_begin(st, &w.out));
    AXL_TRY(put_json(&w, self, 0));
    return axl__j_end(st, out);
}

const jbuiltin axl__j_tojson = { "tojson", tojson, "|ensure_ascii indent separators sort_keys" };
