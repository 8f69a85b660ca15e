/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.h - the regular expressions of a tokenizer.json, run on PCRE2.  Built once, then only read,
 * by several threads if need be.
 */
#ifndef AXL_TEXT_REGEX_H
#define AXL_TEXT_REGEX_H

#include "base/str.h"

typedef struct axl__regex axl__regex;

/* AXL_ERR_FORMAT or AXL_ERR_UNSUPPORTED, with what is wrong and where in the pattern. */
axl_status axl__regex_new(axl__regex **out, axl_context *ctx, const char *pattern, size_t len);
void axl__regex_free(axl__regex *r);

/* Those that a tokenizer owns. */
typedef struct axl__regexes {
    axl_context *ctx;
    axl__regex *first;
} axl__regexes;

axl_status axl__regexes_add(axl__regexes *owned, const char *pattern, size_t len,
                            const axl__regex **out);
void axl__regexes_free(axl__regexes *owned);

/* Memory for matching, of one call; starts as zeros. */
typedef struct axl__regex_scratch {
    struct axl__regex_memory *memory;
} axl__regex_scratch;

void axl__regex_scratch_free(axl__regex_scratch *s);

/* Before matching in a text that grows: PCRE2's machine code reads vectors and ignores what of them
 * lies behind the text, which is zeros then, and not memory that nobody wrote. */
void axl__regex_pad(axl__str *text);

/* The matches in a well-formed text, one behind the other. */
typedef struct axl__regex_walk {
    const axl__regex *regex;
    axl__regex_scratch *scratch;
    const char *text;
    size_t len, at;
    bool matched; /* the last match ended at `at` */
} axl__regex_walk;

/* AXL_END after the last one.  An empty match right behind another one is none.  AXL_ERR_FORMAT
 * when a match takes too long. */
axl_status axl__regex_next(axl__regex_walk *w, size_t *from, size_t *to);

/* regex_syntax.c: a pattern as Oniguruma reads it, in PCRE2's syntax; appends to out. */
axl_status axl__regex_translate(axl__str *out, const char *pattern, size_t len);

#endif
