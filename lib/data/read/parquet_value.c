/* SPDX-License-Identifier: Apache-2.0 */
/* parquet_value.c - a value of a parquet column as JSON: numbers as they are, dates, times and
 * decimals as the texts that str() makes of what Python has for them. */
#include "data/read/parquet.h"

#include "data/read/record_tree.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 128 };

static int64_t integer_of(const axl__pq_node *leaf, axl__pq_bytes value)
{
    int32_t narrow;
    int64_t wide;

    if (leaf->type == AXL__PQ_INT32) {
        memcpy(&narrow, value.data, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, value.data, sizeof wide);
    return wide;
}

/* ---- dates and times ---- */

/* The day of the proleptic Gregorian calendar, counted from 1970-01-01 (Howard Hinnant's
 * days_from_civil, the other way).  False beyond the years 1 to 9999, which Python's dates have. */
static bool put_date(char out[TEXT_MAX], int64_t days)
{
    if (days < -719162 || days > 2932896)
        return false;
    int64_t z = days + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    snprintf(out, TEXT_MAX, "%04d-%02d-%02d", (int)(yoe + era * 400 + (month <= 2)), (int)month,
             (int)(doy - (153 * mp + 2) / 5 + 1));
    return true;
}

/* A second of the day, and its fraction in nanoseconds, of which Python shows what there is. */
static void put_time(char *out, int64_t second, int64_t nanos)
{
    int n = snprintf(out, 16, "%02d:%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60),
                     (int)(second % 60));

    if (nanos % 1000 != 0)
        snprintf(out + n, 16, ".%09d", (int)nanos);
    else if (nanos != 0)
        snprintf(out + n, 16, ".%06d", (int)(nanos / 1000));
}

static int64_t units_of(int32_t digits)
{
    return digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool put_timestamp(char out[TEXT_MAX], int64_t value, int32_t digits, bool utc)
{
    int64_t units = units_of(digits), seconds = floor_div(value, units);
    int64_t days = floor_div(seconds, 86400);

    if (!put_date(out, days))
        return false;
    strcat(out, " ");
    put_time(out + strlen(out), seconds - days * 86400,
             (value - seconds * units) * (1000000000 / units));
    if (utc)
        strcat(out, "+00:00");
    return true;
}

/* Nanoseconds of a day, and the day in Julian count: what Spark and Impala wrote. */
static bool put_int96(char out[TEXT_MAX], axl__pq_bytes value)
{
    int64_t nanos;
    int32_t julian;

    memcpy(&nanos, value.data, sizeof nanos);
    memcpy(&julian, value.data + 8, sizeof julian);
    if (nanos < 0 || nanos >= 86400 * (int64_t)1000000000 ||
        !put_date(out, (int64_t)julian - 2440588))
        return false;
    strcat(out, " ");
    put_time(out + strlen(out), nanos / 1000000000, nanos % 1000000000);
    return true;
}

static bool put_time_of_day(char out[TEXT_MAX], int64_t value, int32_t digits)
{
    int64_t units = units_of(digits);

    if (value < 0 || value / units >= 86400)
        return false;
    put_time(out, value / units, value % units * (1000000000 / units));
    return true;
}

/* ---- decimals ---- */

/* The digits of an unsigned number of n bytes, large end first, which is used up. */
static size_t put_digits(char *out, unsigned char *bytes, size_t n)
{
    size_t len = 0;
    bool any;

    do {
        unsigned rest = 0;
        any = false;
        for (size_t i = 0; i < n; i++) {
            unsigned v = rest << 8 | bytes[i];
            bytes[i] = (unsigned char)(v / 10);
            rest = v % 10;
            any |= bytes[i] != 0;
        }
        out[len++] = (char)('0' + rest);
    } while (any);
    for (size_t i = 0; i < len / 2; i++) {
        char c = out[i];
        out[i] = out[len - 1 - i];
        out[len - 1 - i] = c;
    }
    return len;
}

/* As str() of a Decimal: with an exponent where it is above 0 or the number below 1e-6. */
static void put_scaled(char *out, const char *digits, size_t n, int32_t scale)
{
    int adjusted = (int)n - 1 - scale;

    if (scale < 0 || adjusted < -6)
        snprintf(out, TEXT_MAX - 1, "%c%s%.*sE%+d", digits[0], n > 1 ? "." : "", (int)n - 1,
                 digits + 1, adjusted);
    else if (scale == 0)
        snprintf(out, TEXT_MAX - 1, "%.*s", (int)n, digits);
    else if ((size_t)scale < n)
        snprintf(out, TEXT_MAX - 1, "%.*s.%.*s", (int)n - scale, digits, scale,
                 digits + n - (size_t)scale);
    else
        snprintf(out, TEXT_MAX - 1, "0.%.*s%.*s", scale - (int)n, "000000", (int)n, digits);
}

static bool put_decimal(char out[TEXT_MAX], const axl__pq_node *leaf, axl__pq_bytes value)
{
    enum { BYTES_MAX = 32, DIGITS_MAX = 80 };
    unsigned char bytes[BYTES_MAX];
    char digits[DIGITS_MAX];
    bool little = leaf->type == AXL__PQ_INT32 || leaf->type == AXL__PQ_INT64;
    unsigned carry = 1;

    if (value.len == 0 || value.len > BYTES_MAX || leaf->scale > DIGITS_MAX || leaf->scale < -1000)
        return false;
    for (size_t i = 0; i < value.len; i++)
        bytes[i] = value.data[little ? value.len - 1 - i : i];
    bool negative = bytes[0] & 0x80;
    for (size_t i = value.len; negative && i-- > 0;) {
        unsigned v = (unsigned)(unsigned char)~bytes[i] + carry;
        bytes[i] = (unsigned char)v;
        carry = v >> 8;
    }
    size_t n = put_digits(digits, bytes, value.len);
    out[0] = '-';
    put_scaled(out + negative, digits, n, leaf->scale);
    return true;
}

/* ---- numbers ---- */

static double half_of(axl__pq_bytes value)
{
    unsigned h = value.data[0] | (unsigned)value.data[1] << 8;
    unsigned exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
               : exponent == 0 ? ldexp(fraction, -24)
                               : ldexp(fraction + 1024, (int)exponent - 25);

    return h & 0x8000 ? -v : v;
}

static bool set_unsigned(axl__json *v, axl__arena *arena, const axl__pq_node *leaf,
                         axl__pq_bytes value)
{
    int64_t integer = integer_of(leaf, value);
    char text[24];

    if (leaf->type == AXL__PQ_INT32)
        integer = (uint32_t)integer;
    if (integer >= 0)
        return axl__json_set_int(v, arena, integer);
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)integer);
    return axl__json_set_digits(v, arena, text, (size_t)n);
}

static bool set_number(axl__json *v, axl__arena *arena, const axl__pq_node *leaf,
                       axl__pq_bytes value)
{
    double wide;
    float narrow;

    switch (leaf->type) {
    case AXL__PQ_BOOLEAN: axl__json_set_bool(v, value.data[0] != 0); return true;
    case AXL__PQ_FLOAT:
        memcpy(&narrow, value.data, sizeof narrow);
        return axl__json_set_double(v, arena, (double)narrow);
    case AXL__PQ_DOUBLE:
        memcpy(&wide, value.data, sizeof wide);
        return axl__json_set_double(v, arena, wide);
    default: return axl__json_set_int(v, arena, integer_of(leaf, value));
    }
}

const char *axl__pq_value_set(axl__json *v, axl__arena *arena, const axl__pq_node *leaf,
                              axl__pq_bytes value)
{
    char text[TEXT_MAX] = "";
    bool fits = true;

    switch (leaf->meaning) {
    case AXL__PQ_TEXT:
        if (!axl__utf8_valid((const char *)value.data, value.len))
            return "not UTF-8";
        return axl__json_set_string(v, arena, (const char *)value.data, value.len) ? NULL : "";
    case AXL__PQ_UNSIGNED: return set_unsigned(v, arena, leaf, value) ? NULL : "";
    case AXL__PQ_HALF: return axl__json_set_double(v, arena, half_of(value)) ? NULL : "";
    case AXL__PQ_DECIMAL: fits = put_decimal(text, leaf, value); break;
    case AXL__PQ_DATE: fits = put_date(text, integer_of(leaf, value)); break;
    case AXL__PQ_TIME: fits = put_time_of_day(text, integer_of(leaf, value), leaf->scale); break;
    case AXL__PQ_TIMESTAMP:
        fits = leaf->type == AXL__PQ_INT96
                   ? put_int96(text, value)
                   : put_timestamp(text, integer_of(leaf, value), leaf->scale, leaf->utc);
        break;
    default: return set_number(v, arena, leaf, value) ? NULL : "";
    }
    if (!fits)
        return "a date, time or decimal that is out of range";
    return axl__json_set_string(v, arena, text, strlen(text)) ? NULL : "";
}
