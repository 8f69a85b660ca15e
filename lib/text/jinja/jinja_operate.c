/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_operate.c - Python's arithmetic and joining.  Integers are of 64 bits here; past them is an
 * error, for a wrong number would be worse. */
#include "jinja_priv.h"

#include <math.h>
#include <string.h>

static axl_status no_operator(jstate *st, const char *op, jvalue a, jvalue b)
{
    if (a.kind == J_UNDEFINED || b.kind == J_UNDEFINED)
        return axl__j_fail_undefined(st, a.kind == J_UNDEFINED ? a : b);
    return axl__j_fail(st, "%s %s %s cannot be computed", axl__j_type_name(a), op,
                       axl__j_type_name(b));
}

static axl_status past_64_bits(jstate *st)
{
    return axl__j_fail(st, "an integer past 64 bits");
}

/* ---- texts and lists ---- */

/* Room for len more bytes behind a text that was the last to be joined, else a copy of it with
 * room to grow: a text that grows piece by piece is copied a few times, not each time. */
static char *extend(jstate *st, jvalue a, size_t more)
{
    bool last = st->tail && a.len > 0 && a.as.text == st->tail && a.len == st->tail_len;

    if (last && more <= st->tail_cap - st->tail_len)
        return st->tail;
    size_t cap = a.len + more + (last ? a.len + more : 0);
    char *text = axl__j_alloc(st, cap + 1);
    if (text && a.len > 0)
        memcpy(text, a.as.text, a.len);
    st->tail = text;
    st->tail_cap = cap;
    return text;
}

axl_status axl__j_join(jstate *st, jvalue a, jvalue b, jvalue *out)
{
    if ((size_t)a.len + b.len > st->limits.memory || (size_t)a.len + b.len > UINT32_MAX / 2)
        return axl__j_fail(st, "a text of %zu bytes", (size_t)a.len + b.len);
    char *text = extend(st, a, b.len);
    if (!text)
        return axl__j_out_of(st);
    if (b.len > 0)
        memmove(text + a.len, b.as.text, b.len);
    st->tail_len = (size_t)a.len + b.len;
    *out = axl__j_text(text, st->tail_len);
    return AXL_OK;
}

axl_status axl__j_escape(jstate *st, jvalue v, jvalue *out)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = { "&amp;", "&lt;", "&gt;", "&#39;", "&#34;" };
    axl__str *text;

    if (v.kind == J_STRING && v.markup)
        return *out = v, AXL_OK;
    AXL_TRY(axl__j_text_of(st, v, &v));
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < v.len; i++) {
        const char *found = v.as.text[i] ? strchr(from, v.as.text[i]) : NULL;
        if (found)
            axl__str_puts(text, to[found - from]);
        else
            axl__str_putc(text, v.as.text[i]);
    }
    AXL_TRY(axl__j_end(st, out));
    out->markup = true;
    return AXL_OK;
}

static axl_status add_texts(jstate *st, jvalue a, jvalue b, jvalue *out)
{
    bool markup = a.markup || b.markup;

    if (markup) {
        AXL_TRY(axl__j_escape(st, a, &a));
        AXL_TRY(axl__j_escape(st, b, &b));
    }
    AXL_TRY(axl__j_join(st, a, b, out));
    out->markup = markup;
    return AXL_OK;
}

static axl_status add_lists(jstate *st, jvalue a, jvalue b, jvalue *out)
{
    size_t n = a.as.list->n, m = b.as.list->n;
    jlist *list;

    AXL_TRY(axl__j_list_new(st, n + m, &list));
    if (n > 0)
        memcpy(list->items, a.as.list->items, n * sizeof *list->items);
    if (m > 0)
        memcpy(list->items + n, b.as.list->items, m * sizeof *list->items);
    list->n = n + m;
    *out = (jvalue){ .kind = a.kind, .as.list = list };
    return AXL_OK;
}

static axl_status repeat(jstate *st, jvalue v, int64_t times, jvalue *out)
{
    bool text = v.kind == J_STRING;
    size_t one = text ? v.len : v.as.list->n * sizeof(jvalue), n = times > 0 ? (size_t)times : 0;
    char *to;

    if (one == 0)
        n = 0;
    if (n > 0 && one > st->limits.memory / n)
        return axl__j_fail(st, "a value repeated %lld times is too large", (long long)times);
    to = axl__j_alloc(st, one * n + 1);
    if (!to)
        return axl__j_out_of(st);
    const void *from = text ? (const void *)v.as.text : (const void *)v.as.list->items;
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * one, from, one);
    if (text) {
        *out = axl__j_text(to, one * n);
        out->markup = v.markup;
        return AXL_OK;
    }
    *out = v;
    AXL_TRY(axl__j_list_new(st, 0, &out->as.list));
    out->as.list->items = (jvalue *)(void *)to;
    out->as.list->n = out->as.list->cap = v.as.list->n * n;
    return AXL_OK;
}

/* ---- numbers ---- */

static axl_status divide_by(jstate *st, jvalue b)
{
    return axl__j_as_double(b) != 0.0 ? AXL_OK : axl__j_fail(st, "division by zero");
}

static double floor_mod(double a, double b)
{
    double m = fmod(a, b);

    if (m != 0.0 && (m < 0) != (b < 0))
        m += b;
    return m == 0.0 ? copysign(0.0, b) : m;
}

static axl_status power_integers(jstate *st, int64_t a, int64_t b, jvalue *out)
{
    int64_t result = 1;

    for (; b > 0; b >>= 1) {
        if ((b & 1) && __builtin_mul_overflow(result, a, &result))
            return past_64_bits(st);
        if (b > 1 && __builtin_mul_overflow(a, a, &a))
            return past_64_bits(st);
    }
    *out = axl__j_int(result);
    return AXL_OK;
}

static axl_status power_floats(jstate *st, double a, double b, jvalue *out)
{
    double result = pow(a, b);

    if (a == 0.0 && b < 0)
        return axl__j_fail(st, "zero to a negative power");
    if ((isnan(result) && !isnan(a) && !isnan(b)) || (isinf(result) && isfinite(a) && isfinite(b)))
        return axl__j_fail(st, "a power that is no number");
    *out = axl__j_float(result);
    return AXL_OK;
}

static axl_status floor_integers(jstate *st, jtoken_type op, int64_t a, int64_t b, jvalue *out)
{
    if (b == -1 && a == INT64_MIN)
        return op == T_MOD ? (*out = axl__j_int(0), AXL_OK) : past_64_bits(st);
    int64_t q = a / b, r = a % b;
    if (r != 0 && (r < 0) != (b < 0)) {
        q--;
        r += b;
    }
    *out = axl__j_int(op == T_MOD ? r : q);
    return AXL_OK;
}

static axl_status integers(jstate *st, jtoken_type op, int64_t a, int64_t b, jvalue *out)
{
    int64_t r = 0;
    bool over = false;

    switch (op) {
    case T_ADD: over = __builtin_add_overflow(a, b, &r); break;
    case T_SUB: over = __builtin_sub_overflow(a, b, &r); break;
    case T_MUL: over = __builtin_mul_overflow(a, b, &r); break;
    case T_DIV: *out = axl__j_float((double)a / (double)b); return AXL_OK;
    case T_POW:
        return b < 0 ? power_floats(st, (double)a, (double)b, out) : power_integers(st, a, b, out);
    default: return floor_integers(st, op, a, b, out);
    }
    *out = axl__j_int(r);
    return over ? past_64_bits(st) : AXL_OK;
}

static axl_status floats(jstate *st, jtoken_type op, double a, double b, jvalue *out)
{
    switch (op) {
    case T_ADD: *out = axl__j_float(a + b); return AXL_OK;
    case T_SUB: *out = axl__j_float(a - b); return AXL_OK;
    case T_MUL: *out = axl__j_float(a * b); return AXL_OK;
    case T_DIV: *out = axl__j_float(a / b); return AXL_OK;
    case T_MOD: *out = axl__j_float(floor_mod(a, b)); return AXL_OK;
    case T_FLOORDIV: *out = axl__j_float(floor((a - floor_mod(a, b)) / b + 0.5)); return AXL_OK;
    default: return power_floats(st, a, b, out);
    }
}

static axl_status numbers(jstate *st, jtoken_type op, jvalue a, jvalue b, jvalue *out)
{
    if (op == T_DIV || op == T_FLOORDIV || op == T_MOD)
        AXL_TRY(divide_by(st, b));
    if (axl__j_is_integer(a) && axl__j_is_integer(b))
        return integers(st, op, axl__j_as_int(a), axl__j_as_int(b), out);
    return floats(st, op, axl__j_as_double(a), axl__j_as_double(b), out);
}

static bool is_sequence(jvalue v)
{
    return v.kind == J_STRING || v.kind == J_LIST || v.kind == J_TUPLE;
}

axl_status axl__j_binary(jstate *st, jtoken_type op, jvalue a, jvalue b, jvalue *out)
{
    if (axl__j_is_number(a) && axl__j_is_number(b))
        return numbers(st, op, a, b, out);
    if (op == T_ADD && a.kind == b.kind && a.kind == J_STRING)
        return add_texts(st, a, b, out);
    if (op == T_ADD && a.kind == b.kind && is_sequence(a))
        return add_lists(st, a, b, out);
    if (op == T_MUL && is_sequence(a) && axl__j_is_integer(b))
        return repeat(st, a, axl__j_as_int(b), out);
    if (op == T_MUL && is_sequence(b) && axl__j_is_integer(a))
        return repeat(st, b, axl__j_as_int(a), out);
    if (op == T_MOD && a.kind == J_STRING)
        return axl__j_percent(st, a, b, out);
    return no_operator(st, axl__j_token_name(op), a, b);
}

axl_status axl__j_unary(jstate *st, jtoken_type op, jvalue a, jvalue *out)
{
    if (!axl__j_is_number(a))
        return a.kind == J_UNDEFINED ? axl__j_fail_undefined(st, a)
                                     : axl__j_fail(st, "%s has no sign", axl__j_type_name(a));
    if (a.kind == J_FLOAT)
        *out = axl__j_float(op == T_SUB ? -a.as.number : a.as.number);
    else if (op == T_SUB && axl__j_as_int(a) == INT64_MIN)
        return past_64_bits(st);
    else
        *out = axl__j_int(op == T_SUB ? -axl__j_as_int(a) : axl__j_as_int(a));
    return AXL_OK;
}
