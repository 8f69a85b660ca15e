/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.c - see pattern.h.  Names are short and few: patterns are interpreted, and a match that
 * would go on for ever ends at a limit of steps.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include "mem.h"

#include <pcre2.h>
#include <string.h>

enum { STEPS_MAX = 1000000, HEAP_MAX_KIB = 16 << 10 };

struct axl__pattern {
    axl_context *ctx;
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *code;
    pcre2_match_data *data;
};

static void *pattern_alloc(size_t size, void *ctx)
{
    return axl__alloc(ctx, size);
}

static void pattern_release(void *block, void *ctx)
{
    if (block)
        axl__free(ctx, block);
}

static axl_status pattern_compile(axl__pattern *p, const char *text)
{
    pcre2_compile_context *how = pcre2_compile_context_create(p->memory);
    PCRE2_UCHAR message[120];
    PCRE2_SIZE at = 0;
    int error = 0;

    if (!how)
        return axl__fail_nomem();
    (void)pcre2_set_parens_nest_limit(how, 100);
    p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &at, how);
    pcre2_compile_context_free(how);
    if (p->code)
        return AXL_OK;
    if (error == PCRE2_ERROR_HEAP_FAILED || error == 121) /* ERR21: out of memory */
        return axl__fail_nomem();
    if (pcre2_get_error_message(error, message, sizeof message) < 0)
        message[0] = '\0';
    return axl__fail(AXL_ERR_INVALID, "\"%s\" is no regular expression: %s at %zu", text,
                     (const char *)message, (size_t)at);
}

static axl_status pattern_fill(axl__pattern *p, const char *text)
{
    p->memory = pcre2_general_context_create(pattern_alloc, pattern_release, p->ctx);
    if (!p->memory)
        return axl__fail_nomem();
    p->limits = pcre2_match_context_create(p->memory);
    if (!p->limits)
        return axl__fail_nomem();
    (void)pcre2_set_match_limit(p->limits, STEPS_MAX);
    (void)pcre2_set_heap_limit(p->limits, HEAP_MAX_KIB);
    AXL_TRY(pattern_compile(p, text));
    p->data = pcre2_match_data_create_from_pattern(p->code, p->memory);
    return p->data ? AXL_OK : axl__fail_nomem();
}

axl_status axl__pattern_new(axl__pattern **out, axl_context *ctx, const char *text)
{
    axl__pattern *p = axl__calloc(ctx, 1, sizeof *p);

    *out = NULL;
    if (!p)
        return axl__fail_nomem();
    p->ctx = ctx;
    axl_status status = pattern_fill(p, text);
    if (status < 0)
        axl__pattern_free(p);
    else
        *out = p;
    return status;
}

void axl__pattern_free(axl__pattern *p)
{
    if (!p)
        return;
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    pcre2_general_context_free(p->memory);
    axl__free(p->ctx, p);
}

axl_status axl__pattern_match(const axl__pattern *p, const char *name, bool whole, bool *matches,
                              axl__pattern_group *first)
{
    uint32_t how = PCRE2_ANCHORED | (whole ? PCRE2_ENDANCHORED : 0);
    int found = pcre2_match(p->code, (PCRE2_SPTR)name, strlen(name), 0, how, p->data, p->limits);

    *matches = found >= 0;
    if (first)
        *first = (axl__pattern_group){ 0, 0 };
    if (found > 1 && first) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->data);
        if (at[2] != PCRE2_UNSET)
            *first = (axl__pattern_group){ at[2], at[3] };
    }
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
        return AXL_OK;
    if (found == PCRE2_ERROR_NOMEMORY)
        return axl__fail_nomem();
    return axl__fail(AXL_ERR_INVALID, "a regular expression takes too long on \"%s\"", name);
}
