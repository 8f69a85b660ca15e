/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe_index.c - tables that spare encoding most of its look-ups; without them ids are the same.
 * They take up to 72 bytes for each piece, 8 for each id, and 140 KiB.
 */
#include "bpe.h"

#include "base/utf8.h"
#include "byte_level.h"

enum { MARK = 0x2581 };

/* The character of a code, in the pieces. */
static uint32_t small_char(const axl__bpe *b, unsigned code)
{
    char byte = (char)code, letter[4];
    size_t at = 0;

    if (!b->by_bytes)
        return code == AXL__SMALL_MARK ? MARK : code;
    return axl__utf8_next(letter, axl__byte_letter(byte, letter), &at);
}

static int32_t char_id(const axl__bpe *b, uint32_t c)
{
    uint64_t id;

    return axl__pairs_get(&b->chars, c, &id) ? (int32_t)id : -1;
}

static void index_small(axl__bpe *b)
{
    unsigned n = b->by_bytes ? 256 : AXL__N_SMALL;
    uint32_t chars[256];
    bool merging[256];

    memset(b->small_ids, 0xFF, sizeof b->small_ids);
    for (unsigned i = 0; i < n; i++) {
        chars[i] = small_char(b, i);
        b->small_ids[i] = char_id(b, chars[i]);
        merging[i] = b->small_ids[i] >= 0 && b->merging[b->small_ids[i]];
    }
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n && merging[i]; k++)
            if (merging[k] && axl__bpe_side_by_side(b, chars[i], chars[k]))
                b->joins[i][k >> 6] |= (uint64_t)1 << (k & 63);
}

static axl_status index_starts(axl__bpe *b)
{
    const size_t n = AXL__N_SMALL;

    b->starts = axl__alloc(b->ctx, n * n * sizeof *b->starts);
    if (!b->starts)
        return axl__fail_nomem();
    for (size_t i = 0; i < n * n; i++) {
        int32_t l = b->small_ids[i / n], r = b->small_ids[i % n];
        b->starts[i] = l < 0 || r < 0 ? AXL__NO_MERGE : axl__bpe_merge_of(b, l, r);
    }
    return AXL_OK;
}

/* What a piece stands for in a text; false where that is no bytes, or too many. */
static bool short_text(const axl__bpe *b, axl__piece p, axl__str *bytes)
{
    if (!p.text || p.len == 0 || p.len > 2 * AXL__SHORT_WORD)
        return false;
    axl__str_clear(bytes);
    if (!b->by_bytes)
        axl__str_put(bytes, p.text, p.len);
    else if (!axl__byte_level_exact(bytes, p.text, p.len))
        return false;
    return bytes->len > 0 && bytes->len <= AXL__SHORT_WORD;
}

static axl_status index_words(axl__bpe *b)
{
    axl__str bytes;
    axl_status status = axl__short_words_make(&b->words, b->ctx, b->ids.count);

    axl__str_init(&bytes, b->ctx);
    for (uint32_t id = 0; id < b->n_pieces && status == AXL_OK; id++) {
        if (short_text(b, b->pieces[id], &bytes))
            axl__short_words_put(&b->words, bytes.data, bytes.len, (int32_t)id);
        status = axl__str_status(&bytes);
    }
    axl__str_free(&bytes);
    return status;
}

static bool all_bytes(const int32_t *ids)
{
    int i = 0;

    while (i < 256 && ids[i] >= 0)
        i++;
    return i == 256;
}

/* Whether a token such as "<0x0A>" stands for that byte alone, and never for its own text, which
 * merges would have to make. */
static bool bytes_are_bytes(const axl__bpe *b)
{
    if (!b->can_cut || b->ignore_merges)
        return false;
    for (size_t i = 0; i < b->merges.cap; i++) {
        const axl__pair_slot *m = &b->merges.slots[i];
        if (m->key == UINT64_MAX)
            continue;
        axl__piece product = b->pieces[(uint32_t)m->value];
        if (product.text && product.len == 6 && memcmp(product.text, "<0x", 3) == 0)
            return false;
    }
    return true;
}

/* An unknown stands for as much as there is; bytes of every kind leave nothing unknown. */
static bool ids_have_lengths(const axl__bpe *b)
{
    if (b->by_bytes)
        return true;
    if (b->byte_fallback && !bytes_are_bytes(b))
        return false;
    return b->unk_id < 0 || b->covers;
}

/* A byte is written as one character. */
static axl__id_length length_of(const axl__bpe *b, axl__piece p)
{
    axl__id_length length = { 0, 0 };

    for (size_t at = 0, from = 0; p.text && at < p.len; from = at) {
        bool mark = axl__utf8_next(p.text, p.len, &at) == MARK;
        length.marks += mark && !b->by_bytes;
        length.bytes += b->by_bytes ? 1 : (uint32_t)(at - from);
    }
    return length;
}

static axl_status index_lengths(axl__bpe *b)
{
    b->covers = b->by_bytes || (b->byte_fallback && all_bytes(b->byte_ids));
    if (!ids_have_lengths(b))
        return AXL_OK;
    b->lengths = axl__alloc(b->ctx, b->n_pieces * sizeof *b->lengths);
    if (!b->lengths)
        return axl__fail_nomem();
    for (uint32_t id = 0; id < b->n_pieces; id++)
        b->lengths[id] = length_of(b, b->pieces[id]);
    for (int i = 0; i < 256 && b->byte_fallback && !b->by_bytes; i++)
        if (b->byte_ids[i] >= 0)
            b->lengths[b->byte_ids[i]].bytes = 1;
    return AXL_OK;
}

/* Every byte of a byte-level model is looked up by its letter, so that all letters must be there.
 */
static bool has_letters(const axl__bpe *b)
{
    char letter[4];

    for (int i = 0; i < 256; i++)
        if (axl__bpe_id(b, letter, axl__byte_letter((char)i, letter)) < 0)
            return false;
    return true;
}

axl_status axl__bpe_index(axl__bpe *b, bool byte_level)
{
    if (axl__bpe_is_affixed(b) || (byte_level && !has_letters(b)))
        return AXL_OK;
    b->by_bytes = byte_level;
    index_small(b);
    AXL_TRY(index_starts(b));
    AXL_TRY(index_words(b));
    return index_lengths(b);
}
