/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_number_filters.c - filters that give numbers, and default. */
#include "jinja_priv.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

#define FILTER(name)                                                                               \
    static axl_status name(jstate *st, jvalue self, const jvalue *arg, const jargs *args,          \
                           jvalue *out)

FILTER(absolute)
{
    (void)arg;
    (void)args;
    if (self.kind == J_FLOAT)
        return *out = axl__j_float(fabs(self.as.number)), AXL_OK;
    if (axl__j_is_integer(self) && axl__j_as_int(self) < 0)
        return axl__j_unary(st, T_SUB, self, out);
    return axl__j_unary(st, T_ADD, self, out);
}

/* A copy without white space around it and '_' between digits. */
static size_t clean_number(jvalue v, char out[128])
{
    size_t from, to, n = 0;

    axl__j_strip(v, NULL, true, true, &from, &to);
    for (; from < to; from++) {
        char c = v.as.text[from];
        bool between = n > 0 && out[n - 1] != '_' && from + 1 < to && v.as.text[from + 1] != '_';
        if (n == 127 || (c == '_' && !between))
            return 0;
        if (c != '_')
            out[n++] = c;
    }
    return n;
}

static bool read_float(jvalue v, double *out)
{
    static const char *const names[] = { "nan", "inf", "infinity" };
    char text[128];
    size_t n = clean_number(v, text), sign = n > 0 && (text[0] == '-' || text[0] == '+');

    text[n] = '\0';
    for (size_t i = 0; n > 0 && i < 3; i++) {
        if (axl__ascii_casecmp(text + sign, names[i]) != 0)
            continue;
        *out = copysign(i == 0 ? NAN : INFINITY, text[0] == '-' ? -1.0 : 1.0);
        return true;
    }
    if (n - sign > 1 && text[n - 1] == '.')
        n--; /* "5." is a float of Python's */
    if (n > sign && text[sign] == '.' && n < 126) {
        memmove(text + sign + 1, text + sign, n++ - sign);
        text[sign] = '0';
    }
    return n > 0 && axl__parse_double(text, n, out);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10 : 99;
}

/* The base that a prefix says, skipped, where it fits base. */
static size_t skip_prefix(const char *s, size_t n, size_t at, int64_t *base)
{
    char letter = n - at > 2 && s[at] == '0' ? (char)(s[at + 1] | 32) : '\0';
    int64_t said = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;

    if (said && (*base == said || *base == 0)) {
        *base = said;
        return at + 2;
    }
    *base = *base == 0 ? 10 : *base;
    return at;
}

static bool read_integer(jvalue v, int64_t base, int64_t *out)
{
    char text[128];
    size_t n = clean_number(v, text), at = n > 0 && (text[0] == '-' || text[0] == '+');
    int64_t value = 0;

    at = skip_prefix(text, n, at, &base);
    if (at >= n)
        return false;
    for (; at < n; at++) {
        int digit = digit_of(text[at]);
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = text[0] == '-' ? -value : value;
    return true;
}

static axl_status truncate_float(jstate *st, double d, jvalue otherwise, jvalue *out)
{
    *out = otherwise;
    if (isnan(d))
        return AXL_OK;
    if (fabs(d) >= 9.2e18)
        return axl__j_fail(st, "an integer past 64 bits");
    *out = axl__j_int((int64_t)d);
    return AXL_OK;
}

FILTER(to_int)
{
    jvalue otherwise = axl__j_given(arg[0]) ? arg[0] : axl__j_int(0);
    int64_t base = 10, value;
    double d;

    (void)args;
    if (self.kind == J_UNDEFINED)
        return axl__j_fail_undefined(st, self);
    if (axl__j_given(arg[1]))
        AXL_TRY(axl__j_need_int(st, arg[1], "a base", &base));
    *out = otherwise;
    if (axl__j_is_integer(self))
        *out = axl__j_int(axl__j_as_int(self));
    else if (self.kind == J_BIG)
        *out = self;
    else if (self.kind == J_FLOAT)
        return truncate_float(st, self.as.number, otherwise, out);
    else if (self.kind == J_STRING && read_integer(self, base, &value))
        *out = axl__j_int(value);
    else if (self.kind == J_STRING && read_float(self, &d) && !isinf(d))
        return truncate_float(st, d, otherwise, out);
    return AXL_OK;
}

FILTER(to_float)
{
    double d;

    (void)args;
    if (self.kind == J_UNDEFINED)
        return axl__j_fail_undefined(st, self);
    *out = axl__j_given(arg[0]) ? arg[0] : axl__j_float(0.0);
    if (axl__j_is_number(self))
        *out = axl__j_float(axl__j_as_double(self));
    else if (self.kind == J_STRING && read_float(self, &d))
        *out = axl__j_float(d);
    return AXL_OK;
}

/* Half to even, for a number of digits below 0. */
static axl_status round_integer(jstate *st, int64_t v, int64_t digits, jvalue *out)
{
    int64_t unit = 1;

    for (; digits < 0 && unit < INT64_MAX / 100; digits++)
        unit *= 10;
    *out = axl__j_int(v);
    if (digits < 0)
        *out = axl__j_int(0);
    if (unit == 1 || digits < 0)
        return AXL_OK;
    int64_t rest = ((v % unit) + unit) % unit, down;
    if (__builtin_sub_overflow(v, rest, &down) || down > INT64_MAX - unit)
        return axl__j_fail(st, "an integer past 64 bits");
    bool up = rest * 2 > unit || (rest * 2 == unit && (down / unit) % 2 != 0);
    *out = axl__j_int(up ? down + unit : down);
    return AXL_OK;
}

static axl_status round_to(jstate *st, jvalue v, int64_t digits, bool up, jvalue *out)
{
    double unit = pow(10.0, (double)digits);
    double scaled = axl__j_as_double(v) * unit;

    if (!isfinite(scaled))
        return axl__j_fail(st, "a number that cannot be rounded");
    *out = axl__j_float((up ? ceil(scaled) : floor(scaled)) / unit);
    return AXL_OK;
}

FILTER(round_number)
{
    jvalue method = axl__j_given(arg[1]) ? arg[1] : axl__j_text("common", 6);
    int64_t digits = 0;

    (void)args;
    if (axl__j_given(arg[0]))
        AXL_TRY(axl__j_need_int(st, arg[0], "a precision", &digits));
    if (!axl__j_is_number(self))
        return axl__j_unary(st, T_ADD, self, out);
    if (axl__j_is_text(method, "ceil", 4) || axl__j_is_text(method, "floor", 5))
        return round_to(st, self, digits, method.as.text[0] == 'c', out);
    if (!axl__j_is_text(method, "common", 6))
        return axl__j_fail(st, "the method of round must be common, ceil or floor");
    if (axl__j_is_integer(self))
        return round_integer(st, axl__j_as_int(self), digits, out);
    *out = axl__j_float(axl__j_round(self.as.number, digits));
    return AXL_OK;
}

FILTER(sum)
{
    jlist *items;
    jvalue v;

    (void)args;
    AXL_TRY(axl__j_items(st, self, &items));
    *out = axl__j_given(arg[1]) ? arg[1] : axl__j_int(0);
    if (out->kind == J_STRING)
        return axl__j_fail(st, "sum does not join texts");
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(axl__j_get_path(st, items->items[i], arg[0], &v));
        AXL_TRY(axl__j_binary(st, T_ADD, *out, v, out));
    }
    return AXL_OK;
}

FILTER(length)
{
    int64_t n;

    (void)arg;
    (void)args;
    AXL_TRY(axl__j_length(st, self, &n));
    *out = axl__j_int(n);
    return AXL_OK;
}

FILTER(otherwise)
{
    bool use = self.kind == J_UNDEFINED || (axl__j_truth(arg[1]) && !axl__j_truth(self));

    (void)st;
    (void)args;
    *out = !use ? self : axl__j_given(arg[0]) ? arg[0] : axl__j_text("", 0);
    return AXL_OK;
}

const jbuiltin axl__j_number_filters[] = {
    { "abs", absolute, "" },
    { "int", to_int, "|default base" },
    { "float", to_float, "|default" },
    { "round", round_number, "|precision method" },
    { "sum", sum, "|attribute start" },
    { "length", length, "" },
    { "count", length, "" },
    { "default", otherwise, "|default_value boolean" },
    { "d", otherwise, "|default_value boolean" },
    { NULL, NULL, NULL },
};
