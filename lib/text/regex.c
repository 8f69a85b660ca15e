/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.c - see regex.h.  A file's pattern may be made to take for ever, so that a match has a
 * limit of steps; it is what Oniguruma, which tokenizers runs, has as its own.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex.h"

#include "base/utf8.h"

#include <pcre2.h>
#include <string.h>

enum { MATCH_LIMIT = 10000000, HEAP_LIMIT_KIB = 64 << 10, PATTERN_MAX = 1 << 16 };
enum { STACK_LEAST = 32 << 10, STACK_MOST = 8 << 20 }; /* of machine code; it grows as needed */

struct axl__regex {
    axl_context *ctx;
    axl__regex *next; /* of its owner's */
    pcre2_general_context *memory;
    pcre2_code *code;
};

/* What matching writes to; of one thread. */
struct axl__regex_memory {
    axl_context *ctx;
    pcre2_general_context *memory;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
};

static void *pcre_alloc(size_t size, void *ctx)
{
    return axl__alloc(ctx, size);
}

static void pcre_free(void *block, void *ctx)
{
    if (block)
        axl__free(ctx, block);
}

/* The options are what Ruby's syntax always has: lines, and "." without "\n". */
static axl_status compile(axl__regex *r, const axl__str *pattern)
{
    pcre2_compile_context *how = pcre2_compile_context_create(r->memory);
    int error = 0;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR message[120];

    if (!how)
        return axl__fail_nomem();
    (void)pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    (void)pcre2_set_parens_nest_limit(how, 100);
    r->code =
        pcre2_compile((PCRE2_SPTR)axl__str_text(pattern), pattern->len,
                      PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, how);
    pcre2_compile_context_free(how);
    if (r->code) {
        (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* else it is interpreted */
        return AXL_OK;
    }
    if (error == PCRE2_ERROR_HEAP_FAILED || error == 121) /* ERR21: out of memory */
        return axl__fail_nomem();
    if (pcre2_get_error_message(error, message, sizeof message) < 0)
        message[0] = '\0';
    return axl__fail(AXL_ERR_FORMAT, "regular expression: %s", (const char *)message);
}

static axl_status fill(axl__regex *r, const char *pattern, size_t len)
{
    axl__str translated;

    if (len > PATTERN_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "regular expression: it is longer than %d bytes",
                         PATTERN_MAX);
    r->memory = pcre2_general_context_create(pcre_alloc, pcre_free, r->ctx);
    if (!r->memory)
        return axl__fail_nomem();
    axl__str_init(&translated, r->ctx);
    axl_status status = axl__regex_translate(&translated, pattern, len);
    if (status == AXL_OK)
        status = axl__str_status(&translated);
    if (status == AXL_OK)
        status = compile(r, &translated);
    axl__str_free(&translated);
    return status;
}

axl_status axl__regex_new(axl__regex **out, axl_context *ctx, const char *pattern, size_t len)
{
    axl__regex *r = axl__calloc(ctx, 1, sizeof *r);

    *out = NULL;
    if (!r)
        return axl__fail_nomem();
    r->ctx = ctx;
    axl_status status = fill(r, pattern, len);
    if (status < 0)
        axl__regex_free(r);
    else
        *out = r;
    return status;
}

void axl__regex_free(axl__regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    pcre2_general_context_free(r->memory);
    axl__free(r->ctx, r);
}

axl_status axl__regexes_add(axl__regexes *owned, const char *pattern, size_t len,
                            const axl__regex **out)
{
    axl__regex *r;

    AXL_TRY(axl__regex_new(&r, owned->ctx, pattern, len));
    r->next = owned->first;
    owned->first = r;
    *out = r;
    return AXL_OK;
}

void axl__regexes_free(axl__regexes *owned)
{
    while (owned->first) {
        axl__regex *r = owned->first;
        owned->first = r->next;
        axl__regex_free(r);
    }
}

void axl__regex_scratch_free(axl__regex_scratch *s)
{
    struct axl__regex_memory *m = s->memory;

    s->memory = NULL;
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    pcre2_jit_stack_free(m->stack);
    pcre2_general_context_free(m->memory);
    axl__free(m->ctx, m);
}

/* Once for all matching of a call.  Without a stack of its own the machine code has 32 KiB. */
static axl_status prepare(axl__regex_scratch *s, axl_context *ctx)
{
    struct axl__regex_memory *m = axl__calloc(ctx, 1, sizeof *m);

    s->memory = m;
    if (!m)
        return axl__fail_nomem();
    m->ctx = ctx;
    m->memory = pcre2_general_context_create(pcre_alloc, pcre_free, ctx);
    if (m->memory) {
        m->data = pcre2_match_data_create(1, m->memory);
        m->limits = pcre2_match_context_create(m->memory);
        m->stack = pcre2_jit_stack_create(STACK_LEAST, STACK_MOST, m->memory);
    }
    if (!m->data || !m->limits) {
        axl__regex_scratch_free(s);
        return axl__fail_nomem();
    }
    (void)pcre2_set_match_limit(m->limits, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(m->limits, HEAP_LIMIT_KIB);
    if (m->stack)
        pcre2_jit_stack_assign(m->limits, NULL, m->stack);
    return AXL_OK;
}

void axl__regex_pad(axl__str *text)
{
    enum { VECTOR = 32 };

    if (axl__str_reserve(text, VECTOR))
        memset(text->data + text->len, 0, VECTOR);
}

/* Where the machine code's stack is not enough the pattern is interpreted. */
static int match(const axl__regex_walk *w)
{
    PCRE2_SPTR text = (PCRE2_SPTR)w->text;
    pcre2_match_data *data = w->scratch->memory->data;
    pcre2_match_context *limits = w->scratch->memory->limits;
    int got = pcre2_match(w->regex->code, text, w->len, w->at, PCRE2_NO_UTF_CHECK, data, limits);

    if (got == PCRE2_ERROR_JIT_STACKLIMIT)
        got = pcre2_match(w->regex->code, text, w->len, w->at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                          data, limits);
    return got;
}

axl_status axl__regex_next(axl__regex_walk *w, size_t *from, size_t *to)
{
    if (!w->scratch->memory)
        AXL_TRY(prepare(w->scratch, w->regex->ctx));
    while (w->at <= w->len) {
        int got = match(w);
        if (got == PCRE2_ERROR_NOMATCH)
            break;
        if (got == PCRE2_ERROR_NOMEMORY)
            return axl__fail_nomem();
        if (got < 0)
            return axl__fail(AXL_ERR_FORMAT, "a regular expression of the tokenizer takes too long "
                                             "on this text");
        const PCRE2_SIZE *place = pcre2_get_ovector_pointer(w->scratch->memory->data);
        bool again = w->matched && place[0] == place[1] && place[1] == w->at;
        if (!again) {
            *from = place[0] < place[1] ? place[0] : place[1]; /* \K may put it behind */
            *to = w->at = place[1];
            w->matched = true;
            return AXL_OK;
        }
        if (w->at == w->len)
            break;
        (void)axl__utf8_next(w->text, w->len, &w->at);
        w->matched = false;
    }
    w->at = w->len + 1;
    return AXL_END;
}
