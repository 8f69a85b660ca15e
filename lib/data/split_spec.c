/* SPDX-License-Identifier: Apache-2.0 */
/* split_spec.c - see split_spec.h. */
#include "data/split_spec.h"

#include <math.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Words with dots between them. */
static bool take_name(const char **at, axl__split_part *part)
{
    const char *p = part->name = *at;

    while (is_word(*p) || (*p == '.' && p > part->name && is_word(p[-1]) && is_word(p[1])))
        p++;
    part->name_len = (size_t)(p - part->name);
    *at = p;
    return part->name_len > 0;
}

/* An integer as Python writes one, "-1_000", and whether it is a percentage.  False where it is
 * none. */
static bool take_boundary(const char **at, int64_t *value, bool *has, bool *percent)
{
    const char *p = *at;
    bool negative = *p == '-';

    *value = 0;
    *has = negative || is_digit(*p);
    if (!*has)
        return true;
    p += negative;
    if (!is_digit(*p))
        return false;
    for (; is_digit(*p) || (*p == '_' && is_digit(p[1])); p++) {
        if (*p == '_')
            continue;
        if (*value > (INT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (*p - '0');
    }
    *value = negative ? -*value : *value;
    if (*p == '%') {
        *percent = true;
        p++;
    }
    *at = p;
    return true;
}

static bool take_literal(const char **at, const char *text)
{
    size_t len = strlen(text);
    bool there = strncmp(*at, text, len) == 0;

    *at += there ? len : 0;
    return there;
}

/* "[from:to]" and how percents are rounded. */
static bool take_slice(const char **at, axl__split_part *part)
{
    if (take_literal(at, "[")) {
        if (!take_boundary(at, &part->from, &part->has_from, &part->percent) ||
            !take_literal(at, ":") ||
            !take_boundary(at, &part->to, &part->has_to, &part->percent) || !take_literal(at, "]"))
            return false;
    }
    if (**at != '(')
        return true;
    part->whole_ones = take_literal(at, "(pct1_dropremainder)");
    return part->percent && (part->whole_ones || take_literal(at, "(closest)"));
}

static bool in_percents(int64_t value)
{
    return value >= -100 && value <= 100;
}

axl_status axl__split_parse(const char *spec, axl__split_part *parts, size_t *n)
{
    const char *at = spec;

    for (*n = 0; *n < AXL__SPLIT_PARTS_MAX;) {
        axl__split_part *part = &parts[(*n)++];
        memset(part, 0, sizeof *part);
        if (!take_name(&at, part) || !take_slice(&at, part))
            break;
        if (part->percent && !(in_percents(part->from) && in_percents(part->to)))
            return axl__fail(AXL_ERR_INVALID, "\"%s\": a percent is from -100 to 100", spec);
        if (!*at)
            return AXL_OK;
        while (is_blank(*at))
            at++;
        if (!take_literal(&at, "+"))
            break;
        while (is_blank(*at))
            at++;
    }
    if (*n == AXL__SPLIT_PARTS_MAX)
        return axl__fail(AXL_ERR_INVALID, "\"%.60s…\": a sum of more than %d parts", spec,
                         (int)AXL__SPLIT_PARTS_MAX - 1);
    return axl__fail(
        AXL_ERR_INVALID,
        "\"%s\" is no split: write train, train[:500], train[10%%:20%%], train[-5:] or "
        "a sum of them, train+test[:9]",
        spec);
}

bool axl__split_counts(const axl__split_part *part)
{
    return part->percent || part->from < 0 || part->to < 0;
}

/* Python's round(), of halves to the even one, is nearbyint() in the default mode. */
static int64_t rows_of(const axl__split_part *part, int64_t boundary, uint64_t n)
{
    if (!part->percent)
        return boundary;
    if (part->whole_ones)
        return boundary * (int64_t)(n / 100);
    return (int64_t)nearbyint((double)boundary * (double)n / 100.0);
}

static uint64_t within(int64_t row, uint64_t n)
{
    if (row < 0)
        return (uint64_t)-row < n ? n - (uint64_t)-row : 0;
    return (uint64_t)row < n ? (uint64_t)row : n;
}

axl_status axl__split_range(const axl__split_part *part, uint64_t n, uint64_t *from, uint64_t *to)
{
    if (part->whole_ones && n < 100)
        return axl__fail(AXL_ERR_INVALID, "pct1_dropremainder needs 100 rows, and there are %llu",
                         (unsigned long long)n);
    *from = part->has_from ? within(rows_of(part, part->from, n), n) : 0;
    *to = part->has_to ? within(rows_of(part, part->to, n), n) : n;
    return AXL_OK;
}
