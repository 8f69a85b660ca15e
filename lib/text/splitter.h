/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splitter.h - the words that byte-level models are trained on: three regular expressions of
 * tokenizer.json files, run by hand.  Each matches at every place of a text, so that its matches
 * cover it:
 *
 *   GPT-2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   Llama-3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *            ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *   Qwen2    as Llama-3, but \p{N} for \p{N}{1,3}
 *
 * (the line break before the fourth branch stands for a space).
 */
#ifndef AXL_TEXT_SPLITTER_H
#define AXL_TEXT_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    AXL__SPLIT_NONE, /* the text is one word */
    AXL__SPLIT_GPT2,
    AXL__SPLIT_LLAMA3,
    AXL__SPLIT_QWEN2,
    AXL__SPLIT_DIGITS,     /* each digit by itself: the pre-tokenizer Digits, individual_digits */
    AXL__SPLIT_DIGIT_RUNS, /* runs of them */
} axl__splitter;

/* The splitter of a file's regular expression; AXL__SPLIT_NONE: it is none of the three. */
axl__splitter axl__splitter_of(const char *pattern, size_t len);

/* The end of the word that begins at `from` < len, in well-formed UTF-8. */
size_t axl__split_word(axl__splitter kind, const char *text, size_t len, size_t from);

#endif
