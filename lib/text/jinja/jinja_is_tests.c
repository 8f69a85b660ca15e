/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_is_tests.c - the tests behind "is". */
#include "jinja_priv.h"

#include <string.h>

#define TEST(name)                                                                                 \
    static axl_status name(jstate *st, jvalue v, const jvalue *arg, const jargs *args, jvalue *out)

/* A test that only looks at the value. */
#define TEST_OF(name, holds)                                                                       \
    TEST(name)                                                                                     \
    {                                                                                              \
        (void)st;                                                                                  \
        (void)arg;                                                                                 \
        (void)args;                                                                                \
        *out = axl__j_bool(holds);                                                                 \
        return AXL_OK;                                                                             \
    }

static bool is_sequence(jvalue v)
{
    return v.kind == J_STRING || v.kind == J_LIST || v.kind == J_TUPLE || v.kind == J_DICT ||
           v.kind == J_RANGE || v.kind == J_UNDEFINED;
}

static bool is_callable(jvalue v)
{
    return v.kind == J_MACRO || v.kind == J_FUNCTION || v.kind == J_METHOD || v.kind == J_JOINER ||
           v.kind == J_LOOP || v.kind == J_UNDEFINED;
}

TEST_OF(is_defined, v.kind != J_UNDEFINED)
TEST_OF(is_undefined, v.kind == J_UNDEFINED)
TEST_OF(is_none, v.kind == J_NONE)
TEST_OF(is_boolean, v.kind == J_BOOL)
TEST_OF(is_false, v.kind == J_BOOL && !v.as.boolean)
TEST_OF(is_true, v.kind == J_BOOL && v.as.boolean)
TEST_OF(is_integer, v.kind == J_INT || v.kind == J_BIG)
TEST_OF(is_float, v.kind == J_FLOAT)
TEST_OF(is_number, axl__j_is_number(v) || v.kind == J_BIG)
TEST_OF(is_string, v.kind == J_STRING)
TEST_OF(is_mapping, v.kind == J_DICT)
TEST_OF(is_iterable, axl__j_iterable(v))
TEST_OF(is_sequence_test, is_sequence(v))
TEST_OF(is_callable_test, is_callable(v))
TEST_OF(is_escaped, v.kind == J_STRING && v.markup)
TEST_OF(is_same, axl__j_same(v, arg[0]))
TEST_OF(is_filter, v.kind == J_STRING && v.len > 0 && axl__j_filter(v.as.text, v.len) != NULL)
TEST_OF(is_test, v.kind == J_STRING && v.len > 0 && axl__j_test(v.as.text, v.len) != NULL)

/* value % by == rest, as Python computes it. */
static axl_status has_rest(jstate *st, jvalue v, jvalue by, int64_t rest, jvalue *out)
{
    bool equal;

    AXL_TRY(axl__j_binary(st, T_MOD, v, by, out));
    AXL_TRY(axl__j_equal(st, *out, axl__j_int(rest), &equal));
    *out = axl__j_bool(equal);
    return AXL_OK;
}

TEST(is_odd)
{
    (void)arg;
    (void)args;
    return has_rest(st, v, axl__j_int(2), 1, out);
}

TEST(is_even)
{
    (void)arg;
    (void)args;
    return has_rest(st, v, axl__j_int(2), 0, out);
}

TEST(is_divisible)
{
    (void)args;
    return has_rest(st, v, arg[0], 0, out);
}

static axl_status calls_method(jstate *st, jvalue v, const char *name, jvalue *out)
{
    jargs none;

    AXL_TRY(axl__j_text_of(st, v, &v));
    AXL_TRY(axl__j_eval_args(st, NULL, NULL, &none));
    return axl__j_call_builtin(st, axl__j_find_method(v, name, strlen(name)), v, &none, out);
}

TEST(is_lower)
{
    (void)arg;
    (void)args;
    return calls_method(st, v, "islower", out);
}

TEST(is_upper)
{
    (void)arg;
    (void)args;
    return calls_method(st, v, "isupper", out);
}

static axl_status compares(jstate *st, jtoken_type op, jvalue v, const jvalue *arg, jvalue *out)
{
    bool holds;

    AXL_TRY(axl__j_compare(st, op, v, arg[0], &holds));
    *out = axl__j_bool(holds);
    return AXL_OK;
}

#define TEST_COMPARES(name, op)                                                                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        (void)args;                                                                                \
        return compares(st, op, v, arg, out);                                                      \
    }

TEST_COMPARES(is_eq, T_EQ)
TEST_COMPARES(is_ne, T_NE)
TEST_COMPARES(is_lt, T_LT)
TEST_COMPARES(is_le, T_LE)
TEST_COMPARES(is_gt, T_GT)
TEST_COMPARES(is_ge, T_GE)
TEST_COMPARES(is_in, T_IN)

const jbuiltin axl__j_tests[] = {
    { "defined", is_defined, "" },
    { "undefined", is_undefined, "" },
    { "none", is_none, "" },
    { "boolean", is_boolean, "" },
    { "false", is_false, "" },
    { "true", is_true, "" },
    { "integer", is_integer, "" },
    { "float", is_float, "" },
    { "number", is_number, "" },
    { "string", is_string, "" },
    { "mapping", is_mapping, "" },
    { "iterable", is_iterable, "" },
    { "sequence", is_sequence_test, "" },
    { "callable", is_callable_test, "" },
    { "escaped", is_escaped, "" },
    { "sameas", is_same, "other" },
    { "filter", is_filter, "" },
    { "test", is_test, "" },
    { "odd", is_odd, "" },
    { "even", is_even, "" },
    { "divisibleby", is_divisible, "num" },
    { "lower", is_lower, "" },
    { "upper", is_upper, "" },
    { "eq", is_eq, "other" },
    { "equalto", is_eq, "other" },
    { "==", is_eq, "other" },
    { "ne", is_ne, "other" },
    { "!=", is_ne, "other" },
    { "lt", is_lt, "other" },
    { "lessthan", is_lt, "other" },
    { "<", is_lt, "other" },
    { "le", is_le, "other" },
    { "<=", is_le, "other" },
    { "gt", is_gt, "other" },
    { "greaterthan", is_gt, "other" },
    { ">", is_gt, "other" },
    { "ge", is_ge, "other" },
    { ">=", is_ge, "other" },
    { "in", is_in, "seq" },
    { NULL, NULL, NULL },
};

const jbuiltin *axl__j_test(const char *name, size_t len)
{
    return axl__j_find_builtin(axl__j_tests, name, len);
}
