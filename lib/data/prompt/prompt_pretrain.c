/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_pretrain.c - documents to pretrain on, all of them trained.  With packing a document is
 * cut into windows that overlap, each with the tokenizer's special tokens around it and an EOS
 * behind (prompt_strategies/pretrain.py of Axolotl, on tokenizers' truncation with a stride; its
 * version 0.23 loses what is behind the word that fills the first window, which is not followed);
 * without, it is cut off two tokens before sequence_len and has no EOS (utils/data/streaming.py).
 */
#include "data/prompt/prompt.h"

#include "config/config.h"

#include <string.h>

enum { OVERLAP_MAX = 256 };

/* A document's ids, as they are and with special tokens around them. */
typedef struct {
    const int32_t *plain, *full;
    size_t n_plain, n_full, before; /* before: special tokens in front of the plain ones */
} document;

static void find_plain(document *d)
{
    size_t added = d->n_full - d->n_plain;

    d->before = 0;
    while (d->before < added &&
           memcmp(d->full + d->before, d->plain, d->n_plain * sizeof *d->plain) != 0)
        d->before++;
}

/* Tokens [from, to) of the document as a sample. */
static axl_status put_window(const axl__prompt *p, axl__draft *out, const document *d, size_t from,
                             size_t to)
{
    const int32_t *behind = d->full + d->before + d->n_plain;
    size_t n_behind = d->n_full - d->before - d->n_plain;

    AXL_TRY(axl__draft_put(out, d->full, d->full, d->before));
    AXL_TRY(axl__draft_put(out, d->plain + from, d->plain + from, to - from));
    AXL_TRY(axl__draft_put(out, behind, behind, n_behind));
    AXL_TRY(axl__draft_put(out, &p->eos, &p->eos, 1));
    return axl__draft_emit(out, out->n);
}

static axl_status put_windows(const axl__prompt *p, axl__draft *out, document *d)
{
    size_t len = p->setup.sequence_len, added = d->n_full - d->n_plain;
    size_t overlap = (len - 1) / 2 < OVERLAP_MAX ? (len - 1) / 2 : OVERLAP_MAX;

    if (len < 1 + added + overlap + 1)
        return axl__fail(AXL_ERR_DATA, "sequence_len %zu is too short for windows", len);
    size_t room = len - 1 - added;
    find_plain(d);
    for (size_t from = 0, to = 0; to < d->n_plain; from += room - overlap) {
        to = d->n_plain - from < room ? d->n_plain : from + room;
        AXL_TRY(put_window(p, out, d, from, to));
    }
    return AXL_OK;
}

static axl_status make_windows(const axl__prompt *p, const char *text, size_t len, axl__draft *out)
{
    axl_buffer plain = AXL_BUFFER_INIT, full = AXL_BUFFER_INIT;
    axl_status status =
        axl_tokenizer_encode(p->setup.tok, text, len, AXL_TOKENIZE_NO_SPECIAL, &plain);

    if (status == AXL_OK)
        status = axl_tokenizer_encode(p->setup.tok, text, len, 0, &full);
    document d = { .plain = plain.data,
                   .full = full.data,
                   .n_plain = plain.length / sizeof(int32_t),
                   .n_full = full.length / sizeof(int32_t) };
    if (status == AXL_OK)
        status = put_windows(p, out, &d);
    axl_buffer_free(&plain);
    axl_buffer_free(&full);
    return status;
}

static axl_status pretrain_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const axl__piece cut_off = { .max = p->setup.sequence_len > 2 ? p->setup.sequence_len - 2 : 1 };
    const char *text;
    size_t len;

    AXL_TRY(axl__prompt_text(record, p->columns[0], &text, &len));
    if (len == 0 || p->check_only)
        return AXL_OK;
    if (axl__cfg_bool(p->setup.cfg, "sample_packing"))
        return make_windows(p, text, len, out);
    AXL_TRY(axl__prompt_put(p, out, text, len, &cut_off));
    return axl__draft_emit(out, out->n);
}

const axl__prompt_method axl__prompt_pretrain = {
    .name = "pretrain",
    .make = pretrain_make,
};
