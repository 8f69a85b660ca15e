/* SPDX-License-Identifier: Apache-2.0 */
/* words.c - see words.h. */
#include "words.h"

#include <string.h>

void axl__words_init(axl__words *w, axl_context *ctx, bool track)
{
    memset(w, 0, sizeof *w);
    axl__aligned_init(&w->text, ctx, track);
}

void axl__words_free(axl__words *w)
{
    if (w->text.text.ctx)
        axl__free(w->text.text.ctx, w->ends);
    axl__aligned_free(&w->text);
    w->ends = NULL;
    w->count = w->cap = 0;
}

void axl__words_clear(axl__words *w)
{
    axl__aligned_clear(&w->text);
    w->count = 0;
}

axl_status axl__words_end(axl__words *w)
{
    AXL_TRY(axl__aligned_status(&w->text));
    if (w->text.text.len == (w->count > 0 ? w->ends[w->count - 1] : 0))
        return AXL_OK;
    if (w->count == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        size_t *grown = cap > SIZE_MAX / sizeof *grown
                            ? NULL
                            : axl__realloc(w->text.text.ctx, w->ends, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        w->ends = grown;
        w->cap = cap;
    }
    w->ends[w->count++] = w->text.text.len;
    return AXL_OK;
}

axl_status axl__words_put(axl__words *w, const axl__aligned *in, size_t from, size_t to)
{
    axl__aligned_copy(&w->text, in, from, to);
    return axl__words_end(w);
}
