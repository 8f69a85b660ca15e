/* SPDX-License-Identifier: Apache-2.0 */
/*
 * short_words.h - texts of at most 15 bytes to ids: most words of ordinary text.  A text lies in
 * its slot, so that a look-up compares two numbers and reads one line of the cache, where a map of
 * strings reads the slot, then the string.
 */
#ifndef AXL_TEXT_SHORT_WORDS_H
#define AXL_TEXT_SHORT_WORDS_H

#include "base/ctx.h"

#include <stdint.h>
#include <string.h>

enum { AXL__SHORT_WORD = 15 };

typedef struct axl__short_slot {
    uint64_t low, high; /* of the text's bytes; the length is the last of the sixteen: 0 is free */
    int32_t id;
} axl__short_slot;

/* Between a third and two thirds full, hence at most 72 bytes a text. */
typedef struct axl__short_words {
    axl__short_slot *slots;
    size_t cap;     /* 0, or a power of two */
    unsigned shift; /* 64 less the bits of a place */
} axl__short_words;

/* Room for so many texts; the slots are the caller's to free, with axl__free. */
axl_status axl__short_words_make(axl__short_words *w, axl_context *ctx, size_t count);
/* 0 < len <= AXL__SHORT_WORD; the text is not there yet, and there is room. */
void axl__short_words_put(axl__short_words *w, const char *text, size_t len, int32_t id);

static inline uint64_t axl__read_bytes(const char *text, size_t n)
{
    uint64_t value = 0;

    memcpy(&value, text, n);
    return value;
}

/* Reads that overlap instead of one byte after the other; never outside the text. */
static inline axl__short_slot axl__short_key(const char *text, size_t len)
{
    axl__short_slot key = { 0, (uint64_t)len << 56, -1 };

    if (len >= 8) {
        key.low = axl__read_bytes(text, 8);
        if (len > 8)
            key.high |= axl__read_bytes(text + len - 8, 8) >> 8 * (16 - len);
    } else if (len >= 4) {
        key.low = axl__read_bytes(text, 4) | axl__read_bytes(text + len - 4, 4) << 8 * (len - 4);
    } else {
        key.low = axl__read_bytes(text, 1) | axl__read_bytes(text + len / 2, 1) << 8 * (len / 2) |
                  axl__read_bytes(text + len - 1, 1) << 8 * (len - 1);
    }
    return key;
}

static inline size_t axl__short_home(const axl__short_words *w, const axl__short_slot *key)
{
    uint64_t h = (key->low ^ key->high * 0xD6E8FEB86659FD93u) * 0x9E3779B97F4A7C15u;

    return (size_t)((h ^ h >> 32) * 0x9E3779B97F4A7C15u >> w->shift);
}

/* The id of a text of any length, or -1. */
static inline int32_t axl__short_words_get(const axl__short_words *w, const char *text, size_t len)
{
    if (len == 0 || len > AXL__SHORT_WORD || w->cap == 0)
        return -1;
    axl__short_slot key = axl__short_key(text, len);
    for (size_t i = axl__short_home(w, &key);; i = (i + 1) & (w->cap - 1)) {
        const axl__short_slot *s = &w->slots[i];
        if (s->low == key.low && s->high == key.high)
            return s->id;
        if (s->high == 0)
            return -1;
    }
}

#endif
