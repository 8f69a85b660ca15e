/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_scalar.c - what a plain scalar means: YAML 1.1 as PyYAML's resolver and safe constructor
 * read it, golden values in tests/golden/yaml_scalars.json.  Where PyYAML would raise ("0b_", an
 * empty binary number), the scalar stays text.
 */
#include "yaml_tree.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

enum { NUMBER_MAX = 400 }; /* longer texts are no numbers that a config means */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

/* PyYAML's words, which are fewer than YAML 1.1's: "y" and "n" are texts. */
static bool resolve_bool(axl__yaml *node)
{
    static const char *const yes[] = {
        "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"
    };
    static const char *const no[] = { "no",    "No",  "NO",  "false", "False",
                                      "FALSE", "off", "Off", "OFF" };

    if (one_of(node->text, yes, sizeof yes / sizeof yes[0]))
        node->boolean = true;
    else if (one_of(node->text, no, sizeof no / sizeof no[0]))
        node->boolean = false;
    else
        return false;
    node->type = AXL__YAML_BOOL;
    return true;
}

/* Length of a run of digits below base and underscores. */
static size_t run(const char *s, int base)
{
    size_t n = 0;

    for (;; n++) {
        char c = s[n];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (c != '_' && digit >= base)
            return n;
    }
}

/* Python's integers have no end; beyond int64 the value is kept as a double that is near it, marked
 * huge, so that a range can still be checked and the message can name it.  false: underscores
 * alone. */
static bool set_int(axl__yaml *node, const char *digits, size_t len, int base, bool negative)
{
    uint64_t value = 0, limit = negative ? (uint64_t)1 << 63 : (uint64_t)INT64_MAX;
    double near = 0;
    bool any = false, huge = false;

    for (size_t i = 0; i < len; i++) {
        char c = digits[i];
        if (c == '_')
            continue;
        uint64_t d = (uint64_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
        near = near * base + (double)d;
        huge = huge || value > (limit - d) / (uint64_t)base;
        if (!huge)
            value = value * (uint64_t)base + d;
        any = true;
    }
    if (!any)
        return false;
    node->type = AXL__YAML_INT;
    node->huge = huge;
    node->integer = huge ? 0 : negative ? (int64_t)(0 - value) : (int64_t)value;
    node->number = huge ? (negative ? -near : near) : (double)node->integer;
    return true;
}

/* 1:30:00 and 1:30.5 to the base 60: digits, then (":" [0-5]?[0-9])+, then "." and a fraction for a
 * float.  PyYAML's integer may not begin with 0 and its float may, so "0:30" is a text and "0:30.0"
 * is 30. */
static bool resolve_sexagesimal(axl__yaml *node, const char *s, bool negative)
{
    size_t n = run(s, 10);
    bool leading_zero = s[0] == '0';
    double sum = 0;
    int64_t exact = 0;
    bool huge = false;

    if (n == 0 || s[0] == '_' || s[n] != ':')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '_')
            continue;
        sum = sum * 10 + (s[i] - '0');
        huge = huge || exact > (INT64_MAX - 9) / 10;
        exact = huge ? 0 : exact * 10 + (s[i] - '0');
    }
    while (s[n] == ':') {
        int part = 0, digits = 0;
        for (n++; is_digit(s[n]) && digits < 2; n++, digits++)
            part = part * 10 + (s[n] - '0');
        if (digits == 0 || part > 59 || is_digit(s[n]))
            return false;
        sum = sum * 60 + part;
        huge = huge || exact > (INT64_MAX - 59) / 60;
        exact = huge ? 0 : exact * 60 + part;
    }
    if (s[n] == '\0' && !leading_zero) {
        node->type = AXL__YAML_INT;
        node->huge = huge;
        node->integer = negative ? -exact : exact;
        node->number = negative ? -sum : sum;
        return true;
    }
    if (s[n] != '.' || s[n + 1 + run(s + n + 1, 10)] != '\0')
        return false;

    char fraction[NUMBER_MAX + 2] = "0.";
    size_t len = 2;
    double value;
    for (const char *f = s + n + 1; *f; f++)
        if (*f != '_')
            fraction[len++] = *f;
    if (len == 2)
        fraction[len++] = '0';
    if (!axl__parse_double(fraction, len, &value))
        return false;
    node->type = AXL__YAML_FLOAT;
    node->number = negative ? -(sum + value) : sum + value;
    return true;
}

/* A leading 0 means octal, as in YAML 1.1: "010" is 8, and "08" no number but a text. */
static bool resolve_int(axl__yaml *node, const char *s, bool negative)
{
    size_t len = strlen(s);

    if (s[0] == '0' && s[1] == 'b')
        return len > 2 && run(s + 2, 2) == len - 2 && set_int(node, s + 2, len - 2, 2, negative);
    if (s[0] == '0' && s[1] == 'x')
        return len > 2 && run(s + 2, 16) == len - 2 && set_int(node, s + 2, len - 2, 16, negative);
    if (s[0] == '0' && len > 1)
        return run(s, 8) == len && set_int(node, s, len, 8, negative);
    return is_digit(s[0]) && run(s, 10) == len && set_int(node, s, len, 10, negative);
}

/*
 * 1. 1.5 .5 1_0.5e+3 as PyYAML; text_in_yaml11 for the rest of what people mean as a number: an
 * exponent without a sign or without a point, a sign before the point.
 */
static bool resolve_float(axl__yaml *node, const char *s, bool has_sign)
{
    char plain[NUMBER_MAX + 1];
    size_t whole = run(s, 10), at = whole, len = 0;
    bool point = s[at] == '.', exponent = false, exponent_sign = false;

    if (s[0] == '_' || (whole == 0 && !is_digit(point ? s[1] : '_')))
        return false;
    if (point)
        at += 1 + run(s + at + 1, 10);
    if ((s[at] | 0x20) == 'e') {
        exponent = true;
        at++;
        exponent_sign = s[at] == '+' || s[at] == '-';
        at += exponent_sign;
        size_t digits = 0;
        while (is_digit(s[at + digits]))
            digits++;
        if (digits == 0)
            return false;
        at += digits;
    }
    if (s[at] != '\0' || (!point && !exponent))
        return false;
    for (const char *c = node->text; *c; c++)
        if (*c != '_' && *c != '+')
            plain[len++] = *c;
    if (!axl__parse_double(plain, len, &node->number))
        return false;
    node->type = AXL__YAML_FLOAT;
    node->text_in_yaml11 = !point || (exponent && !exponent_sign) || (whole == 0 && has_sign);
    return true;
}

/* Infinity may have a sign and NaN may not, as in PyYAML's pattern. */
static bool resolve_special_float(axl__yaml *node, const char *s, bool negative, bool has_sign)
{
    static const char *const inf[] = { ".inf", ".Inf", ".INF" };
    static const char *const nan[] = { ".nan", ".NaN", ".NAN" };

    if (one_of(s, inf, 3))
        node->number = negative ? -INFINITY : INFINITY;
    else if (!has_sign && one_of(s, nan, 3))
        node->number = NAN;
    else
        return false;
    node->type = AXL__YAML_FLOAT;
    return true;
}

/* The forms exclude each other, so that the order is only one of likelihood. */
static bool resolve_number(axl__yaml *node)
{
    const char *s = node->text;
    bool negative = *s == '-', has_sign = negative || *s == '+';

    if (node->len > NUMBER_MAX)
        return false;
    s += has_sign;
    return resolve_special_float(node, s, negative, has_sign) || resolve_float(node, s, has_sign) ||
           resolve_int(node, s, negative) || resolve_sexagesimal(node, s, negative);
}

void axl__yaml_resolve(axl__yaml *node)
{
    static const char *const null[] = { "", "~", "null", "Null", "NULL" };

    node->text_in_yaml11 = node->huge = false;
    if (one_of(node->text, null, sizeof null / sizeof null[0]))
        node->type = AXL__YAML_NULL;
    else if (!resolve_bool(node) && !resolve_number(node))
        node->type = AXL__YAML_STRING;
}
