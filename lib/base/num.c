/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num.c - see num.h.  Parsing takes the exact fast path (a mantissa below 2^53 and a power of ten
 * up to 10^22; Clinger, "How to read floating point numbers accurately", 1990) and otherwise
 * divides big integers, which is slow and plainly right.
 */
#include "num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- big unsigned integers, just enough ---- */

enum { BIG_WORDS = 128, DIGITS_MAX = 800 }; /* 4,096 bits: 10^800 < 2^2658, shifted by 1,100 */

typedef struct {
    uint32_t w[BIG_WORDS];
    int n;
} big;

/* b = b * mul + add.  What would not fit is lost, which the bounds of its callers exclude. */
static void big_muladd(big *b, uint32_t mul, uint32_t add)
{
    uint64_t carry = add;

    for (int i = 0; i < b->n; i++) {
        carry += (uint64_t)b->w[i] * mul;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && b->n < BIG_WORDS)
        b->w[b->n++] = (uint32_t)carry;
}

static void big_pow10(big *b, int e)
{
    for (; e >= 9; e -= 9)
        big_muladd(b, 1000000000u, 0);
    for (; e > 0; e--)
        big_muladd(b, 10, 0);
}

static int big_bits(const big *b)
{
    return b->n == 0 ? 0 : 32 * b->n - __builtin_clz(b->w[b->n - 1]);
}

/* b = b * 2^bits. */
static void big_shift(big *b, int bits)
{
    int words = bits / 32, rest = bits % 32;

    if (b->n == 0 || b->n + words + 1 > BIG_WORDS)
        return;
    for (int i = b->n - 1; i >= 0; i--)
        b->w[i + words] = b->w[i];
    for (int i = 0; i < words; i++)
        b->w[i] = 0;
    b->n += words;
    if (rest)
        big_muladd(b, 1u << rest, 0);
}

static int big_compare(const big *a, const big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

static void big_subtract(big *a, const big *b) /* a >= b */
{
    int64_t borrow = 0;

    for (int i = 0; i < a->n; i++) {
        int64_t d = (int64_t)a->w[i] - (i < b->n ? b->w[i] : 0) + borrow;
        a->w[i] = (uint32_t)d;
        borrow = d < 0 ? -1 : 0;
    }
    while (a->n > 0 && a->w[a->n - 1] == 0)
        a->n--;
}

/* num / den as a double, rounded to nearest even.  The two are brought to about the same size,
 * which gives the exponent, and then divided bit by bit; what is left of num says whether a tie is
 * one. */
static double big_ratio(big *num, big *den)
{
    int shift = big_bits(num) - big_bits(den);
    uint64_t q = 0;
    int exponent, bits = 55; /* 53, one to round by, one spare */

    if (shift < 0)
        big_shift(num, -shift);
    else
        big_shift(den, shift);
    exponent = shift; /* num / den is in (1/2, 2) * 2^shift now */
    if (big_compare(num, den) < 0) {
        big_muladd(num, 2, 0);
        exponent--;
    }
    if (exponent < -1022) /* subnormal: fewer bits are kept */
        bits -= -1022 - exponent;
    if (bits < 1)
        return 0.0;
    for (int i = 0; i < bits; i++) {
        q <<= 1;
        if (big_compare(num, den) >= 0) {
            big_subtract(num, den);
            q |= 1;
        }
        big_muladd(num, 2, 0);
    }
    uint64_t rest = q & 3, kept = q >> 2;
    if (rest > 2 || (rest == 2 && (num->n > 0 || (kept & 1))))
        kept++;
    return ldexp((double)kept, exponent - (bits - 3));
}

/* ---- text to double ---- */

typedef struct {
    char digits[DIGITS_MAX + 1]; /* without leading zeros; the last is 1 when digits were cut off */
    int n_digits;
    int64_t exponent; /* value = digits * 10^exponent */
    bool negative;
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Keeps DIGITS_MAX digits, which is more than any tie between two doubles has (767); of the rest
 * only whether one was not 0 can matter. */
static void push_digit(decimal *d, char c, bool fraction)
{
    if (d->n_digits == 0 && c == '0') {
        d->exponent -= fraction;
        return;
    }
    if (d->n_digits < DIGITS_MAX) {
        d->digits[d->n_digits++] = c;
        d->exponent -= fraction;
    } else {
        d->exponent += !fraction;
        if (c != '0')
            d->digits[DIGITS_MAX - 1] = '1'; /* below half an ulp by hundreds of digits: sticky */
    }
}

static bool scan_exponent(const char *s, const char *end, int64_t *out)
{
    bool negative = false;
    int64_t e = 0;

    if (s < end && (*s == '+' || *s == '-'))
        negative = *s++ == '-';
    if (s == end)
        return false;
    for (; s < end; s++) {
        if (!is_digit(*s))
            return false;
        if (e < 100000000)
            e = e * 10 + (*s - '0');
    }
    *out = negative ? -e : e;
    return true;
}

static bool scan_decimal(const char *s, size_t len, decimal *d)
{
    const char *end = s + len;
    bool any = false, fraction = false;
    int64_t e = 0;

    memset(d, 0, sizeof *d);
    if (s < end && (*s == '+' || *s == '-'))
        d->negative = *s++ == '-';
    for (; s < end; s++) {
        if (*s == '.' && !fraction) {
            fraction = true;
        } else if (is_digit(*s)) {
            push_digit(d, *s, fraction);
            any = true;
        } else {
            break;
        }
    }
    if (!any)
        return false;
    if (s < end && (*s == 'e' || *s == 'E')) {
        if (!scan_exponent(s + 1, end, &e))
            return false;
        s = end;
    }
    d->exponent += e;
    return s == end;
}

/* Powers of ten to 10^22 are exact doubles, and so is a mantissa of 15 digits: one operation on the
 * two is rounded once, as the result must be. */
static double decimal_value(const decimal *d)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    big num = { { 0 }, 0 }, den = { { 1 }, 1 };
    int64_t magnitude = d->n_digits + d->exponent; /* value < 10^magnitude */

    if (d->n_digits == 0 || magnitude < -330)
        return 0.0;
    if (magnitude > 310)
        return INFINITY;
    if (d->n_digits <= 15 && d->exponent >= -22 && d->exponent <= 22) {
        double m = 0.0;
        for (int i = 0; i < d->n_digits; i++)
            m = m * 10.0 + (d->digits[i] - '0');
        return d->exponent < 0 ? m / powers[-d->exponent] : m * powers[d->exponent];
    }
    for (int i = 0; i < d->n_digits; i++)
        big_muladd(&num, 10, (uint32_t)(d->digits[i] - '0'));
    if (d->exponent >= 0)
        big_pow10(&num, (int)d->exponent);
    else
        big_pow10(&den, (int)-d->exponent);
    return big_ratio(&num, &den);
}

bool axl__parse_double(const char *text, size_t len, double *out)
{
    decimal d;

    if (!scan_decimal(text, len, &d))
        return false;
    double v = decimal_value(&d);
    *out = d.negative ? -v : v;
    return true;
}

bool axl__parse_int(const char *s, size_t len, int64_t *out)
{
    const char *end = s + len;
    bool negative = false;
    uint64_t v = 0, limit;

    if (s < end && (*s == '+' || *s == '-'))
        negative = *s++ == '-';
    if (s == end)
        return false;
    limit = (uint64_t)INT64_MAX + negative;
    for (; s < end; s++) {
        if (!is_digit(*s) || v > (limit - (uint64_t)(*s - '0')) / 10)
            return false;
        v = v * 10 + (uint64_t)(*s - '0');
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* ---- double to text ---- */

/* d.ddddde±x with `digits` digits; the sign of the decimal point is the locale's and skipped. */
static void print_digits(double v, int digits, char *out, int *exponent)
{
    char text[64];
    const char *s = text;
    int n = 0;
    int64_t e = 0;

    snprintf(text, sizeof text, "%.*e", digits - 1, v);
    for (; *s && *s != 'e'; s++)
        if (is_digit(*s))
            out[n++] = *s;
    out[n] = '\0';
    if (*s == 'e')
        scan_exponent(s + 1, s + strlen(s), &e);
    *exponent = (int)e;
}

/* As Python's repr: an exponent from 1e16 on and below 1e-4, else a decimal point and a digit
 * behind it. */
static void lay_out(char *out, const char *digits, int e)
{
    int n = (int)strlen(digits);

    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (e < -4 || e >= 16) {
        *out++ = digits[0];
        if (n > 1) {
            *out++ = '.';
            memcpy(out, digits + 1, (size_t)n - 1);
            out += n - 1;
        }
        snprintf(out, 16, "e%+03d", e); /* as printf's %e: at least two digits */
        return;
    }
    if (e < 0) {
        *out++ = '0';
        *out++ = '.';
        for (int i = -1; i > e; i--)
            *out++ = '0';
    }
    for (int i = 0; i < n || i <= e; i++) {
        *out++ = i < n ? digits[i] : '0';
        if (i == e)
            *out++ = '.';
    }
    if (e >= 0 && n <= e + 1)
        *out++ = '0';
    *out = '\0';
}

/* Takes the sign; true when the words for what is no number are all there is. */
static bool begin_number(char **out, double *value)
{
    if (isnan(*value) || isinf(*value)) {
        strcpy(*out, isnan(*value) ? "NaN" : *value < 0 ? "-Infinity" : "Infinity");
        return true;
    }
    if (signbit(*value)) {
        *(*out)++ = '-';
        *value = -*value;
    }
    return false;
}

/* 17 digits are always enough; of 15 to 17 the fewest that read back are taken. */
void axl__format_double(char out[AXL__NUM_MAX], double value)
{
    char digits[32];
    int exponent = 0;

    if (begin_number(&out, &value))
        return;
    for (int n = 15; n <= 17; n++) { /* trailing zeros go below */
        double back;
        char text[48];
        print_digits(value, n, digits, &exponent);
        int len = snprintf(text, sizeof text, "%se%d", digits, exponent - (n - 1));
        if (axl__parse_double(text, (size_t)len, &back) && back == value)
            break;
    }
    lay_out(out, digits, exponent);
}

void axl__format_digits(char out[AXL__NUM_MAX], double value, int n)
{
    char digits[32], *end;
    int exponent = 0;

    if (begin_number(&out, &value))
        return;
    print_digits(value, n, digits, &exponent);
    lay_out(out, digits, exponent);
    end = out + strlen(out);
    if (end - out > 2 && end[-1] == '0' && end[-2] == '.')
        end[-2] = '\0';
}
