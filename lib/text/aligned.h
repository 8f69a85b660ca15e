/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aligned.h - a text that may know of each of its bytes which stretch of another one, the original,
 * it stands for: the NormalizedString of Hugging Face tokenizers.
 *
 * A character knows the whole of what it came from, so that the bytes of one character all have the
 * same stretch.  Steps write a text anew, from the one before, and may count on that.
 */
#ifndef AXL_TEXT_ALIGNED_H
#define AXL_TEXT_ALIGNED_H

#include "base/str.h"

typedef struct axl__span {
    uint32_t begin, end; /* bytes of the original */
} axl__span;

typedef struct axl__aligned {
    axl__str text;
    axl__span *from; /* (text.len) where track, else unused */
    size_t cap;
    uint32_t base; /* where the stretch of the original begins that all of the text is from */
    bool track;
} axl__aligned;

void axl__aligned_init(axl__aligned *a, axl_context *ctx, bool track);
void axl__aligned_free(axl__aligned *a);
void axl__aligned_clear(axl__aligned *a);
/* AXL_ERR_NOMEM if an append failed, as axl__str_status. */
axl_status axl__aligned_status(const axl__aligned *a);

/* Appends a text whose characters stand for themselves; its first byte is byte `at` of the
 * original. */
void axl__aligned_put_original(axl__aligned *a, const char *text, size_t len, size_t at);
/* Appends bytes that all stand for one stretch. */
void axl__aligned_put(axl__aligned *a, const char *text, size_t len, axl__span from);
/* Appends the bytes [from, to) of another text. */
void axl__aligned_copy(axl__aligned *a, const axl__aligned *in, size_t from, size_t to);
/* What the bytes [from, to) stand for, from < to; nothing where it is not tracked. */
axl__span axl__aligned_span(const axl__aligned *a, size_t from, size_t to);

/*
 * Writing a stretch of a text anew, character by character, in tokenizers' terms (transform_range):
 * a character with change 0 takes the place of the next old one, with change -n of that and n more
 * behind it, and with change 1 of none: it stands for what the old byte before stands for.
 */
typedef struct axl__rewrite {
    const axl__aligned *in;
    axl__aligned *out;
    size_t at, end;    /* the old text that is left */
    axl__span nothing; /* what stands for a new character before any old one */
} axl__rewrite;

void axl__rewrite_put(axl__rewrite *w, uint32_t c, int32_t change);

#endif
