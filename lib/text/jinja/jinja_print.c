/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_print.c - values as text, as Python's str() and repr() write them. */
#include "jinja_priv.h"

#include "base/num.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>

const char *axl__j_type_name(jvalue v)
{
    static const char *const names[] = {
        [J_UNDEFINED] = "an undefined value",
        [J_NONE] = "none",
        [J_BOOL] = "a boolean",
        [J_INT] = "an integer",
        [J_FLOAT] = "a float",
        [J_BIG] = "an integer past 64 bits",
        [J_STRING] = "a text",
        [J_LIST] = "a list",
        [J_TUPLE] = "a tuple",
        [J_DICT] = "a mapping",
        [J_VIEW] = "a view of a mapping",
        [J_RANGE] = "a range",
        [J_ITERATOR] = "an iterator",
        [J_NAMESPACE] = "a namespace",
        [J_LOOP] = "a loop",
        [J_MACRO] = "a macro",
        [J_FUNCTION] = "a function",
        [J_METHOD] = "a method",
        [J_CYCLER] = "a cycler",
        [J_JOINER] = "a joiner",
        [J_ABSENT] = "nothing",
    };

    return names[v.kind];
}

axl_status axl__j_fail_undefined(jstate *st, jvalue v)
{
    int n = v.len < 200 ? (int)v.len : 200;

    switch (v.how) {
    case J_NO_NAME: return axl__j_fail(st, "'%.*s' is undefined", n, v.as.text);
    case J_NO_ATTRIBUTE: return axl__j_fail(st, "there is no attribute '%.*s'", n, v.as.text);
    case J_NO_ITEM: return axl__j_fail(st, "there is no item %.*s", n, v.as.text);
    case J_UNSAFE:
        return axl__j_fail(st, "'%.*s' would change a value, or is not for templates", n,
                           v.as.text);
    default: return axl__j_fail(st, "%.*s", n, v.as.text);
    }
}

void axl__j_put_number(axl__str *out, double v)
{
    if (isnan(v))
        axl__str_puts(out, "nan");
    else if (isinf(v))
        axl__str_puts(out, v > 0 ? "inf" : "-inf");
    else
        axl__str_put_double(out, v);
}

static void put_character(axl__str *out, uint32_t c, char quote)
{
    const char *letter = c > 0 && c < 0x80 ? strchr("\nn\rr\tt\\\\", (int)c) : NULL;

    if (c == (uint32_t)quote || c == '\\') {
        axl__str_putc(out, '\\');
        axl__str_putc(out, (char)c);
    } else if (letter && c < 0x20) {
        axl__str_putc(out, '\\');
        axl__str_putc(out, letter[1]);
    } else if (axl__j_printable(c)) {
        axl__str_put_utf8(out, c);
    } else {
        axl__str_putf(out,
                      c < 0x100     ? "\\x%02x"
                      : c < 0x10000 ? "\\u%04x"
                                    : "\\U%08x",
                      (unsigned)c);
    }
}

static void put_quoted(axl__str *out, jvalue v)
{
    bool single = v.len > 0 && memchr(v.as.text, '\'', v.len) != NULL;
    bool twice = v.len > 0 && memchr(v.as.text, '"', v.len) != NULL;
    char quote = single && !twice ? '"' : '\'';

    axl__str_puts(out, v.markup ? "Markup(" : "");
    axl__str_putc(out, quote);
    for (size_t at = 0; at < v.len;)
        put_character(out, axl__utf8_next(v.as.text, v.len, &at), quote);
    axl__str_putc(out, quote);
    axl__str_puts(out, v.markup ? ")" : "");
}

static axl_status put_items(jstate *st, axl__str *out, const jlist *list)
{
    for (size_t i = 0; i < list->n; i++) {
        axl__str_puts(out, i > 0 ? ", " : "");
        AXL_TRY(axl__j_put_repr(st, out, list->items[i]));
    }
    return AXL_OK;
}

static axl_status put_dict(jstate *st, axl__str *out, const jdict *d)
{
    axl__str_putc(out, '{');
    for (size_t i = 0; i < d->n; i++) {
        axl__str_puts(out, i > 0 ? ", " : "");
        AXL_TRY(axl__j_put_repr(st, out, d->pairs[i].key));
        axl__str_puts(out, ": ");
        AXL_TRY(axl__j_put_repr(st, out, d->pairs[i].value));
    }
    axl__str_putc(out, '}');
    return AXL_OK;
}

static axl_status put_view(jstate *st, axl__str *out, jvalue v)
{
    static const char *const names[] = { "dict_items([", "dict_keys([", "dict_values([" };
    jlist *items;

    AXL_TRY(axl__j_items(st, v, &items));
    axl__str_puts(out, names[v.as.view->which]);
    AXL_TRY(put_items(st, out, items));
    axl__str_puts(out, "])");
    return AXL_OK;
}

static axl_status put_list(jstate *st, axl__str *out, jvalue v)
{
    bool tuple = v.kind == J_TUPLE;

    axl__str_putc(out, tuple ? '(' : '[');
    AXL_TRY(put_items(st, out, v.as.list));
    axl__str_puts(out, !tuple ? "]" : v.as.list->n == 1 ? ",)" : ")");
    return AXL_OK;
}

static axl_status put_loop(jstate *st, axl__str *out, jvalue v)
{
    jvalue length;

    AXL_TRY(axl__j_loop_attribute(st, v.as.loop, axl__j_text("length", 6), &length));
    axl__str_putf(out, "<LoopContext %zu/%lld>", v.as.loop->index0 + 1,
                  (long long)length.as.integer);
    return AXL_OK;
}

static void put_range(axl__str *out, const jrange *r)
{
    axl__str_putf(out, "range(%lld, %lld", (long long)r->start, (long long)r->stop);
    if (r->step != 1)
        axl__str_putf(out, ", %lld", (long long)r->step);
    axl__str_putc(out, ')');
}

static axl_status put_other(jstate *st, axl__str *out, jvalue v)
{
    switch (v.kind) {
    case J_RANGE: put_range(out, v.as.range); return AXL_OK;
    case J_VIEW: return put_view(st, out, v);
    case J_LOOP: return put_loop(st, out, v);
    case J_MACRO: axl__str_putf(out, "<Macro '%s'>", v.as.macro->name); return AXL_OK;
    case J_NAMESPACE:
        axl__str_puts(out, "<Namespace ");
        AXL_TRY(put_dict(st, out, v.as.dict));
        axl__str_putc(out, '>');
        return AXL_OK;
    case J_ITERATOR:
        return axl__j_fail(st, "an iterator has no text of its own; use |list or |join");
    default: return axl__j_fail(st, "%s has no text of its own", axl__j_type_name(v));
    }
}

static axl_status put_repr(jstate *st, axl__str *out, jvalue v)
{
    switch (v.kind) {
    case J_UNDEFINED: axl__str_puts(out, "Undefined"); return AXL_OK;
    case J_NONE: axl__str_puts(out, "None"); return AXL_OK;
    case J_BOOL: axl__str_puts(out, v.as.boolean ? "True" : "False"); return AXL_OK;
    case J_INT: axl__str_putf(out, "%lld", (long long)v.as.integer); return AXL_OK;
    case J_FLOAT: axl__j_put_number(out, v.as.number); return AXL_OK;
    case J_BIG: axl__str_put(out, v.as.text, v.len); return AXL_OK;
    case J_STRING: put_quoted(out, v); return AXL_OK;
    case J_LIST:
    case J_TUPLE: return put_list(st, out, v);
    case J_DICT: return put_dict(st, out, v.as.dict);
    default: return put_other(st, out, v);
    }
}

/* Lists that hold others many times over are small values with a huge text. */
axl_status axl__j_put_repr(jstate *st, axl__str *out, jvalue v)
{
    if (out->len > st->limits.output)
        return axl__j_fail(st, "a text of more than %llu bytes",
                           (unsigned long long)st->limits.output);
    AXL_TRY(axl__j_enter(st));
    AXL_TRY(put_repr(st, out, v));
    axl__j_leave(st);
    return AXL_OK;
}

axl_status axl__j_put(jstate *st, axl__str *out, jvalue v)
{
    if (v.kind == J_STRING)
        axl__str_put(out, v.as.text, v.len);
    else if (v.kind != J_UNDEFINED)
        AXL_TRY(axl__j_put_repr(st, out, v));
    return AXL_OK;
}

axl_status axl__j_begin(jstate *st, axl__str **out)
{
    if (st->n_buffers == J_BUFFERS)
        return axl__j_fail(st, "more than %d macros, blocks and texts in one another", J_BUFFERS);
    *out = &st->buffers[st->n_buffers++];
    axl__str_clear(*out);
    return AXL_OK;
}

axl_status axl__j_end(jstate *st, jvalue *out)
{
    axl__str *text = &st->buffers[--st->n_buffers];

    AXL_TRY(axl__str_status(text));
    return axl__j_copy_text(st, axl__str_text(text), text->len, out);
}

axl_status axl__j_text_of(jstate *st, jvalue v, jvalue *out)
{
    axl__str *text = NULL;

    if (v.kind == J_STRING) {
        *out = v;
        return AXL_OK;
    }
    AXL_TRY(axl__j_begin(st, &text));
    AXL_TRY(axl__j_put(st, text, v));
    return axl__j_end(st, out);
}
