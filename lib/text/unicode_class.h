/* SPDX-License-Identifier: Apache-2.0 */
/* unicode_class.h - what the components of tokenizers call punctuation, marks and small letters;
 * each of them has tables of its own version of Unicode. */
#ifndef AXL_TEXT_UNICODE_CLASS_H
#define AXL_TEXT_UNICODE_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool axl__unicode_punctuation(uint32_t code_point); /* of BertPreTokenizer and Punctuation */
bool axl__unicode_nonspacing(uint32_t code_point);  /* what BertNormalizer's strip_accents drops */
bool axl__unicode_combining(uint32_t code_point);   /* what StripAccents drops */
bool axl__unicode_no_text(uint32_t code_point);     /* what BertNormalizer's clean_text drops */
/* The small letters of a character, one or two; how many. */
int axl__unicode_lower(uint32_t code_point, uint32_t out[2]);

/* General categories, by number. */
enum { AXL__UNICODE_CATEGORIES = 29 };
extern const char *const axl__unicode_category_names[AXL__UNICODE_CATEGORIES];

/* What the regular expressions of tokenizers, of Unicode 16, put in another category than Unicode
 * 14 does. */
typedef struct axl__unicode_change {
    uint32_t first, last;
    unsigned before, now;
} axl__unicode_change;

/* The i-th, from 0 on; NULL behind the last. */
const axl__unicode_change *axl__unicode_changed(size_t i);

#endif
