/* SPDX-License-Identifier: Apache-2.0 */
/* short_words.c - see short_words.h. */
#include "short_words.h"

axl_status axl__short_words_make(axl__short_words *w, axl_context *ctx, size_t count)
{
    unsigned bits = 4;

    while (((size_t)1 << bits) < count + count / 2 + 1)
        bits++;
    w->slots = axl__calloc(ctx, (size_t)1 << bits, sizeof *w->slots);
    if (!w->slots)
        return axl__fail_nomem();
    w->cap = (size_t)1 << bits;
    w->shift = 64 - bits;
    return AXL_OK;
}

void axl__short_words_put(axl__short_words *w, const char *text, size_t len, int32_t id)
{
    axl__short_slot key = axl__short_key(text, len);
    size_t i = axl__short_home(w, &key);

    while (w->slots[i].high != 0)
        i = (i + 1) & (w->cap - 1);
    key.id = id;
    w->slots[i] = key;
}
