/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_completion.c - plain text.  The whole of a text is trained, in consecutive pieces of
 * sequence_len tokens: the first alone begins with BOS, the last alone ends with EOS.  A text is
 * cut at AXOLOTLS_PIECES pieces, as Axolotl does, and has no EOS then.
 */
#include "data/prompt/prompt.h"

enum { AXOLOTLS_PIECES = 64 };

static axl_status completion_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    uint32_t piece = p->setup.sequence_len;
    const char *text;
    size_t len;

    AXL_TRY(axl__prompt_text(record, p->columns[0], &text, &len));
    const axl__piece document = { .n_eos = 1, .max = (size_t)piece * AXOLOTLS_PIECES };
    if (len > 0)
        AXL_TRY(axl__prompt_put(p, out, text, len, &document));
    for (uint32_t at = 0; at < out->n;) {
        at += out->n - at < piece ? out->n - at : piece;
        AXL_TRY(axl__draft_emit(out, at));
    }
    return AXL_OK;
}

const axl__prompt_method axl__prompt_completion = {
    .name = "completion",
    .make = completion_make,
};
