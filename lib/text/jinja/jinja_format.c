/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_format.c - "…" % values and "…".format(…): texts, integers and floats with a fixed number
 * of digits.  Floats are written and rounded from their exact value.
 */
#include "jinja_priv.h"

#include "base/num.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>

/* ---- exact decimals ---- */

/* 2^1024 · 10^100 has 1,357 bits. */
enum { WORDS = 48, FIXED_MAX = 100 };

typedef struct {
    uint32_t w[WORDS];
} wide;

static void multiply(wide *x, uint32_t by)
{
    uint64_t carry = 0;

    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)x->w[i] * by;
        x->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static uint32_t divide(wide *x, uint32_t by)
{
    uint64_t rest = 0;

    for (int i = WORDS - 1; i >= 0; i--) {
        rest = rest << 32 | x->w[i];
        x->w[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    return (uint32_t)rest;
}

static bool bit_at(const wide *x, int bit)
{
    return bit < 32 * WORDS && (x->w[bit / 32] >> (bit % 32) & 1);
}

/* x / 2^bits, rounded half to even. */
static void shift_down(wide *x, int bits)
{
    bool half = bit_at(x, bits - 1), rest = false;
    wide y = { { 0 } };

    for (int i = 0; i < bits - 1 && i < 32 * WORDS; i++)
        rest = rest || bit_at(x, i);
    for (int i = 0; i + bits < 32 * WORDS; i++)
        if (bit_at(x, i + bits))
            y.w[i / 32] |= 1u << (i % 32);
    if (half && (rest || (y.w[0] & 1)))
        for (int i = 0; i < WORDS && ++y.w[i] == 0; i++)
            continue;
    *x = y;
}

static bool is_zero(const wide *x)
{
    for (int i = 0; i < WORDS; i++)
        if (x->w[i])
            return false;
    return true;
}

/* The digits of |value| · 10^digits, rounded; how many. */
static size_t exact_digits(double value, int digits, char *out, size_t size)
{
    int exponent;
    double fraction = frexp(fabs(value), &exponent);
    uint64_t bits = (uint64_t)ldexp(fraction, 53);
    wide x = { { (uint32_t)bits, (uint32_t)(bits >> 32) } };
    size_t n = 0;

    exponent -= 53;
    for (int i = 0; i < digits; i++)
        multiply(&x, 10);
    for (; exponent > 0; exponent--)
        multiply(&x, 2);
    if (exponent < 0)
        shift_down(&x, -exponent);
    while (!is_zero(&x) && n < size)
        out[n++] = (char)('0' + divide(&x, 10));
    return n;
}

void axl__j_put_fixed(axl__str *out, double value, int digits)
{
    char text[480]; /* backwards */
    size_t n, point = (size_t)digits;

    if (!isfinite(value)) {
        axl__j_put_number(out, value);
        return;
    }
    n = exact_digits(value, digits, text, sizeof text);
    while (n <= point)
        text[n++] = '0';
    axl__str_puts(out, signbit(value) ? "-" : "");
    while (n > 0) {
        if (n == point)
            axl__str_putc(out, '.');
        axl__str_putc(out, text[--n]);
    }
}

double axl__j_round(double value, int64_t digits)
{
    char text[480], forward[AXL__NUM_MAX + 500];
    double result = value;
    size_t n, at = 0;

    if (!isfinite(value) || digits > 22 || (fabs(value) >= 9007199254740992.0 && digits >= 0))
        return value;
    if (digits < 0) {
        double unit = digits < -300 ? INFINITY : pow(10.0, (double)-digits);
        return isinf(unit) ? copysign(0.0, value) : rint(value / unit) * unit;
    }
    n = exact_digits(value, (int)digits, text, sizeof text);
    forward[at++] = '0';
    while (n > 0)
        forward[at++] = text[--n];
    memcpy(forward + at, "e-", 2);
    forward[at + 2] = (char)('0' + digits / 10);
    forward[at + 3] = (char)('0' + digits % 10);
    axl__parse_double(forward, at + 4, &result);
    return copysign(result, value);
}

/* ---- one value in a field ---- */

typedef struct {
    char fill[4];
    size_t fill_len;
    char align; /* '<' '>' '^' '=', or 0 */
    bool plus, space, alternate, grouped;
    int64_t width, precision; /* precision -1: none */
    char type;
} field;

static void put_padded(axl__str *out, const field *f, jvalue v, char align)
{
    int64_t missing = f->width - (int64_t)axl__j_count(v.as.text, v.len), left = 0;
    size_t sign = v.len > 0 && strchr("+- ", v.as.text[0]) && v.as.text[0] ? 1 : 0;

    if (missing < 0)
        missing = 0;
    if (align == '>')
        left = missing;
    else if (align == '^')
        left = missing / 2;
    if (align == '=')
        axl__str_put(out, v.as.text, sign);
    for (int64_t i = 0; i < (align == '=' ? missing : left); i++)
        axl__str_put(out, f->fill, f->fill_len);
    axl__str_put(out, v.as.text + (align == '=' ? sign : 0), v.len - (align == '=' ? sign : 0));
    for (int64_t i = left; i < missing && align != '='; i++)
        axl__str_put(out, f->fill, f->fill_len);
}

static void put_base(axl__str *out, uint64_t v, unsigned base, bool upper)
{
    char digits[64];
    int n = 0;

    do {
        digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        v /= base;
    } while (v > 0);
    while (n > 0)
        axl__str_putc(out, digits[--n]);
}

static void put_sign(axl__str *out, const field *f, bool negative)
{
    axl__str_puts(out, negative ? "-" : f->plus ? "+" : f->space ? " " : "");
}

static void put_integer(axl__str *out, const field *f, int64_t v)
{
    unsigned base = f->type == 'x' || f->type == 'X' ? 16
                    : f->type == 'o'                 ? 8
                    : f->type == 'b'                 ? 2
                                                     : 10;
    uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    put_sign(out, f, v < 0);
    if (f->alternate && base != 10) {
        axl__str_putc(out, '0');
        axl__str_putc(out, f->type);
    }
    put_base(out, size, base, f->type == 'X');
}

/* A ',' before every third digit of the whole part. */
static axl_status group(jstate *st, jvalue v, jvalue *out)
{
    size_t from = v.len > 0 && (v.as.text[0] < '0' || v.as.text[0] > '9'), end = from;
    axl__str *text;

    while (end < v.len && v.as.text[end] >= '0' && v.as.text[end] <= '9')
        end++;
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < v.len; i++) {
        if (i > from && i < end && (end - i) % 3 == 0)
            axl__str_putc(text, ',');
        axl__str_putc(text, v.as.text[i]);
    }
    return axl__j_end(st, out);
}

static axl_status put_float(jstate *st, axl__str *text, const field *f, double v)
{
    if (f->precision > FIXED_MAX)
        return axl__j_fail(st, "more than %d digits behind the point", FIXED_MAX);
    put_sign(text, f, false);
    if (f->type == '%') {
        axl__j_put_fixed(text, v * 100, f->precision < 0 ? 6 : (int)f->precision);
        axl__str_putc(text, '%');
    } else {
        axl__j_put_fixed(text, v, f->precision < 0 ? 6 : (int)f->precision);
    }
    return AXL_OK;
}

static axl_status format_number(jstate *st, axl__str *out, const field *f, jvalue v)
{
    axl__str *text;
    jvalue number;

    if (!axl__j_is_number(v))
        return v.kind == J_UNDEFINED
                   ? axl__j_fail_undefined(st, v)
                   : axl__j_fail(st, "a number must be formatted, not %s", axl__j_type_name(v));
    AXL_TRY(axl__j_begin(st, &text));
    if (strchr("fF%", f->type))
        AXL_TRY(put_float(st, text, f, axl__j_as_double(v)));
    else
        put_integer(text, f, axl__j_as_int(v));
    AXL_TRY(axl__j_end(st, &number));
    if (f->grouped)
        AXL_TRY(group(st, number, &number));
    put_padded(out, f, number, f->align ? f->align : '>');
    return AXL_OK;
}

static axl_status format_text(jstate *st, axl__str *out, const field *f, jvalue v, char align)
{
    if (f->type == 'r') {
        axl__str *text;
        AXL_TRY(axl__j_begin(st, &text));
        AXL_TRY(axl__j_put_repr(st, text, v));
        AXL_TRY(axl__j_end(st, &v));
    }
    AXL_TRY(axl__j_text_of(st, v, &v));
    if (f->precision >= 0)
        v.len = (uint32_t)axl__j_offset(v.as.text, v.len, (size_t)f->precision);
    put_padded(out, f, v, f->align ? f->align : align);
    return AXL_OK;
}

static axl_status check_field(jstate *st, const field *f)
{
    if (f->width > 100000 || f->precision > 100000)
        return axl__j_fail(st, "a width or precision of more than 100000");
    return AXL_OK;
}

static size_t read_count(const char *s, size_t len, size_t at, int64_t *out)
{
    *out = 0;
    while (at < len && s[at] >= '0' && s[at] <= '9') {
        if (*out < 1000000)
            *out = *out * 10 + (s[at] - '0');
        at++;
    }
    return at;
}

/* ---- % ---- */

typedef struct {
    jstate *st;
    jvalue values;
    size_t next; /* of a tuple, or of one value */
} percent_values;

static axl_status next_value(percent_values *p, jvalue *out)
{
    size_t n = p->values.kind == J_TUPLE ? p->values.as.list->n : 1;

    if (p->next >= n)
        return axl__j_fail(p->st, "too few values for a format");
    *out = p->values.kind == J_TUPLE ? p->values.as.list->items[p->next] : p->values;
    p->next++;
    return AXL_OK;
}

static axl_status named_value(percent_values *p, jvalue name, jvalue *out)
{
    if (p->values.kind != J_DICT)
        return axl__j_fail(p->st, "a format with names needs a mapping");
    const jvalue *found = axl__j_dict_find(p->st, p->values.as.dict, name);
    if (!found)
        return axl__j_fail(p->st, "a format's '%.*s' has no value", (int)name.len, name.as.text);
    *out = *found;
    return AXL_OK;
}

static size_t read_flags(const char *s, size_t len, size_t at, field *f)
{
    for (; at < len; at++) {
        if (s[at] == '-')
            f->align = '<';
        else if (s[at] == '0' && f->align != '<')
            f->align = '=', f->fill[0] = '0';
        else if (s[at] == '+')
            f->plus = true;
        else if (s[at] == ' ')
            f->space = true;
        else if (s[at] == '#')
            f->alternate = true;
        else if (s[at] != '0')
            break;
    }
    if (f->align == '<')
        f->fill[0] = ' ';
    return at;
}

static axl_status put_percent(percent_values *p, axl__str *out, field *f, jvalue v)
{
    if (strchr("srac", f->type)) {
        f->fill[0] = ' ';
        f->align = f->align == '<' ? '<' : '>';
        return format_text(p->st, out, f, v, '>');
    }
    if (strchr("diu", f->type) && v.kind == J_FLOAT)
        v = axl__j_int(fabs(v.as.number) < 9e18 ? (int64_t)v.as.number : 0);
    if (strchr("xXo", f->type) && !axl__j_is_integer(v))
        return axl__j_fail(p->st, "%%%c needs an integer", f->type);
    if (!strchr("diuxXofF", f->type))
        return axl__j_fail(p->st, "%%%c is not done in a format", f->type);
    return format_number(p->st, out, f, v);
}

/* What follows a '%' at s[at - 1]; the end in *end. */
static axl_status percent_field(percent_values *p, axl__str *out, jvalue format, size_t at,
                                size_t *end)
{
    field f = { .fill = " ", .fill_len = 1, .precision = -1 };
    const char *s = format.as.text;
    jvalue v = { .kind = J_ABSENT };

    if (at < format.len && s[at] == '(') {
        const char *close = memchr(s + at, ')', format.len - at);
        if (!close)
            return axl__j_fail(p->st, "a format's '(' has no end");
        AXL_TRY(named_value(p, axl__j_text(s + at + 1, (size_t)(close - s) - at - 1), &v));
        at = (size_t)(close - s) + 1;
    }
    at = read_flags(s, format.len, at, &f);
    at = read_count(s, format.len, at, &f.width);
    if (at < format.len && s[at] == '.')
        at = read_count(s, format.len, at + 1, &f.precision);
    if (at >= format.len)
        return axl__j_fail(p->st, "a format ends behind '%%'");
    f.type = s[at];
    *end = at + 1;
    if (f.type == '%')
        return axl__str_putc(out, '%'), AXL_OK;
    AXL_TRY(check_field(p->st, &f));
    if (!axl__j_given(v))
        AXL_TRY(next_value(p, &v));
    return put_percent(p, out, &f, v);
}

axl_status axl__j_percent(jstate *st, jvalue format, jvalue values, jvalue *out)
{
    percent_values p = { st, values, 0 };
    axl__str *text;

    AXL_TRY(axl__j_begin(st, &text));
    for (size_t at = 0; at < format.len;) {
        if (format.as.text[at] != '%')
            axl__str_putc(text, format.as.text[at++]);
        else
            AXL_TRY(percent_field(&p, text, format, at + 1, &at));
    }
    bool all = values.kind == J_TUPLE ? p.next == values.as.list->n
                                      : p.next == 1 || values.kind == J_DICT ||
                                            values.kind == J_LIST || values.kind == J_RANGE;
    if (!all)
        return axl__j_fail(st, "a format does not use all its values");
    return axl__j_end(st, out);
}

/* ---- .format ---- */

typedef struct {
    jstate *st;
    const jargs *args;
    size_t next;
} format_values;

static size_t read_spec(const char *s, size_t len, field *f)
{
    size_t at = 0, behind = 0;

    if (len > 0)
        axl__utf8_next(s, len, &behind);
    if (behind > 0 && behind < len && strchr("<>^=", s[behind]) && s[behind]) {
        memcpy(f->fill, s, behind);
        f->fill_len = behind;
        f->align = s[behind];
        at = behind + 1;
    } else if (len > 0 && s[0] && strchr("<>^=", s[0])) {
        f->align = s[at++];
    }
    if (at < len && (s[at] == '+' || s[at] == '-' || s[at] == ' ')) {
        f->plus = s[at] == '+';
        f->space = s[at++] == ' ';
    }
    if (at < len && s[at] == '#')
        f->alternate = true, at++;
    if (at < len && s[at] == '0' && !f->align)
        f->align = '=', f->fill[0] = '0', at++;
    at = read_count(s, len, at, &f->width);
    if (at < len && s[at] == ',')
        f->grouped = true, at++;
    if (at < len && s[at] == '.')
        at = read_count(s, len, at + 1, &f->precision);
    if (at < len)
        f->type = s[at++];
    return at;
}

static axl_status put_field(jstate *st, axl__str *out, jvalue spec, jvalue v, char conversion)
{
    field f = { .fill = " ", .fill_len = 1, .precision = -1 };

    if (read_spec(spec.as.text, spec.len, &f) != spec.len)
        return axl__j_fail(st, "a format's ':%.*s' is not known", (int)spec.len, spec.as.text);
    AXL_TRY(check_field(st, &f));
    if (conversion == 'r')
        f.type = 'r';
    if (v.kind == J_STRING || conversion || spec.len == 0)
        return f.type && !strchr("sr", f.type)
                   ? axl__j_fail(st, "a text cannot be formatted as '%c'", f.type)
                   : format_text(st, out, &f, v, '<');
    if (v.kind == J_FLOAT && !f.type && f.precision < 0)
        return format_text(st, out, &f, v, '>');
    if (axl__j_is_number(v) && !(v.kind == J_FLOAT && !strchr("fF%", f.type ? f.type : 'g')) &&
        (!f.type || strchr("dxXobfF%", f.type)) &&
        !(v.kind != J_FLOAT && !f.type && f.precision >= 0)) {
        f.type = f.type ? f.type : 'd';
        return format_number(st, out, &f, v);
    }
    return axl__j_fail(st, "a format of %s as ':%.*s'", axl__j_type_name(v), (int)spec.len,
                       spec.as.text);
}

/* "name", "0" or "" and then ".attribute" and "[item]". */
static axl_status find_field(format_values *p, jvalue name, jvalue *out)
{
    size_t n = strcspn(name.as.text, ".[");
    int64_t number = 0;
    const jvalue *found = NULL;

    if (n > name.len)
        n = name.len;
    if (n == 0)
        number = (int64_t)p->next++;
    else if (read_count(name.as.text, n, 0, &number) != n)
        number = -1;
    if (number < 0)
        found = axl__j_dict_find(p->st, p->args->named, axl__j_text(name.as.text, n));
    else if ((size_t)number < p->args->positional->n)
        found = &p->args->positional->items[number];
    if (!found)
        return axl__j_fail(p->st, "a format's '{%.*s}' has no value", (int)n, name.as.text);
    *out = *found;
    if (n < name.len)
        return axl__j_fail(p->st, "a format with '.' or '[' in a field is not done");
    return AXL_OK;
}

static axl_status brace_field(format_values *p, axl__str *out, jvalue inside)
{
    char conversion = '\0';
    const char *colon = inside.len > 0 ? memchr(inside.as.text, ':', inside.len) : NULL;
    size_t name_len = colon ? (size_t)(colon - inside.as.text) : inside.len;
    jvalue spec = colon ? axl__j_text(colon + 1, inside.len - name_len - 1) : axl__j_text("", 0), v;
    jvalue name;

    if (name_len >= 2 && inside.as.text[name_len - 2] == '!') {
        conversion = inside.as.text[name_len - 1];
        name_len -= 2;
    }
    AXL_TRY(axl__j_copy_text(p->st, inside.as.text, name_len, &name));
    AXL_TRY(find_field(p, name, &v));
    return put_field(p->st, out, spec, v, conversion);
}

static axl_status put_braces(format_values *p, axl__str *out, jvalue format, size_t *at)
{
    const char *s = format.as.text;
    bool twice = *at + 1 < format.len && s[*at + 1] == s[*at];

    if (twice) {
        axl__str_putc(out, s[*at]);
        *at += 2;
        return AXL_OK;
    }
    const char *close = s[*at] == '{' ? memchr(s + *at, '}', format.len - *at) : NULL;
    if (!close)
        return axl__j_fail(p->st, "a format has '%c' alone", s[*at]);
    size_t end = (size_t)(close - s);
    jvalue inside = axl__j_text(s + *at + 1, end - *at - 1);
    if (inside.len > 0 && memchr(inside.as.text, '{', inside.len))
        return axl__j_fail(p->st, "a format with fields in one another is not done");
    *at = end + 1;
    return brace_field(p, out, inside);
}

axl_status axl__j_format(jstate *st, jvalue format, const jargs *args, jvalue *out)
{
    format_values p = { st, args, 0 };
    axl__str *text;

    AXL_TRY(axl__j_begin(st, &text));
    for (size_t at = 0; at < format.len;) {
        if (format.as.text[at] != '{' && format.as.text[at] != '}')
            axl__str_putc(text, format.as.text[at++]);
        else
            AXL_TRY(put_braces(&p, text, format, &at));
    }
    return axl__j_end(st, out);
}
