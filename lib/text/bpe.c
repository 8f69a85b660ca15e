/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe.c - building the model: pieces, merges, and the tables that make encoding fast.
 *
 * The merge rule is that of Hugging Face tokenizers: of all neighbouring pairs the one of least
 * rank, then the leftmost, is joined, until none is left.  Two symbols between which no merge can
 * ever reach need not be in one heap: where no product holds the two characters side by side, the
 * text is cut, and what is left are short words.
 */
#include "bpe.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { POLL_PIECES = 1024 };

void axl__bpe_init(axl__bpe *b, axl_context *ctx)
{
    memset(b, 0, sizeof *b);
    b->ctx = ctx;
    b->unk_id = -1;
    axl__map_init(&b->ids, ctx);
    axl__pairs_init(&b->merges, ctx);
    axl__pairs_init(&b->chars, ctx);
    axl__pairs_init(&b->inner, ctx);
}

void axl__bpe_free(axl__bpe *b)
{
    if (!b->ctx)
        return;
    axl__map_free(&b->ids);
    axl__pairs_free(&b->merges);
    axl__pairs_free(&b->chars);
    axl__pairs_free(&b->inner);
    axl__free(b->ctx, b->pieces);
    axl__free(b->ctx, b->merging);
    axl__free(b->ctx, b->whole);
    axl__free(b->ctx, b->words.slots);
    axl__free(b->ctx, b->starts);
    axl__free(b->ctx, b->lengths);
    memset(b, 0, sizeof *b);
}

int32_t axl__bpe_id(const axl__bpe *b, const char *text, size_t len)
{
    int64_t id;

    return axl__map_get(&b->ids, text, len, &id) ? (int32_t)id : -1;
}

/* Ids need not come in order: what lies between is zeroed, which means that no piece has the id. */
static axl_status reserve_pieces(axl__bpe *b, uint32_t n)
{
    uint32_t cap = b->cap_pieces ? b->cap_pieces : 1024;

    if (n <= b->cap_pieces)
        return AXL_OK;
    while (cap < n)
        cap *= 2;
    axl__piece *pieces = axl__realloc(b->ctx, b->pieces, cap * sizeof *pieces);
    if (!pieces)
        return axl__fail_nomem();
    memset(pieces + b->cap_pieces, 0, (cap - b->cap_pieces) * sizeof *pieces);
    b->pieces = pieces;
    b->cap_pieces = cap;
    return AXL_OK;
}

/* As a dict of texts to ids is read: of one text the last id counts, while two texts of one id are
 * an error that a dict would hide. */
axl_status axl__bpe_add(axl__bpe *b, const char *text, size_t len, int64_t id)
{
    int32_t before = axl__bpe_id(b, text, len);

    if (id < 0 || id > AXL__ID_MAX)
        return axl__fail(AXL_ERR_FORMAT, "token \"%.64s\" has id %lld; ids go from 0 to %d", text,
                         (long long)id, AXL__ID_MAX);
    if (len > UINT32_MAX / 2)
        return axl__fail(AXL_ERR_FORMAT, "token %lld is too long", (long long)id);
    AXL_TRY(reserve_pieces(b, (uint32_t)id + 1));
    if (b->pieces[id].text && before != id)
        return axl__fail(AXL_ERR_FORMAT, "tokens \"%.64s\" and \"%.64s\" have the same id %lld",
                         b->pieces[id].text, text, (long long)id);
    if (before >= 0)
        b->pieces[before].text = NULL;
    b->pieces[id] = (axl__piece){ text, (uint32_t)len };
    if ((uint32_t)id >= b->n_pieces)
        b->n_pieces = (uint32_t)id + 1;
    return axl__map_set(&b->ids, text, len, id);
}

/* ---- merges ---- */

/* Rank and product share one value, the rank above, so that comparing values compares ranks.  A
 * pair that comes twice keeps the later rank, as in a dict. */
static axl_status put_merge(axl__bpe *b, uint32_t left, uint32_t right, uint64_t rank,
                            uint32_t product)
{
    if (rank >= UINT32_MAX)
        return axl__fail(AXL_ERR_FORMAT, "too many merges");
    return axl__pairs_set(&b->merges, axl__pair_key(left, right), rank << 32 | product);
}

/* How much of a text goes into a message. */
static int shown(size_t len)
{
    return len < 64 ? (int)len : 64;
}

axl_status axl__bpe_merge(axl__bpe *b, const char *left, size_t left_len, const char *right,
                          size_t right_len)
{
    int32_t l = axl__bpe_id(b, left, left_len), r = axl__bpe_id(b, right, right_len), product;
    size_t prefix = b->prefix ? strlen(b->prefix) : 0;
    char small[256], *joined = small;

    if (l < 0 || r < 0)
        return axl__fail(AXL_ERR_FORMAT, "merge %u has \"%.*s\", which is not in the vocabulary",
                         b->n_merges, shown(l < 0 ? left_len : right_len), l < 0 ? left : right);
    right += right_len < prefix ? right_len : prefix; /* within a word it is no more written */
    right_len -= right_len < prefix ? right_len : prefix;
    if (left_len + right_len > sizeof small)
        joined = axl__alloc(b->ctx, left_len + right_len);
    if (!joined)
        return axl__fail_nomem();
    memcpy(joined, left, left_len);
    memcpy(joined + left_len, right, right_len);
    product = axl__bpe_id(b, joined, left_len + right_len);
    if (joined != small)
        axl__free(b->ctx, joined);
    if (product < 0)
        return axl__fail(AXL_ERR_FORMAT,
                         "merge %u makes \"%.*s%.*s\", which is not in the "
                         "vocabulary",
                         b->n_merges, shown(left_len), left, shown(right_len), right);
    return put_merge(b, (uint32_t)l, (uint32_t)r, b->n_merges++, (uint32_t)product);
}

/* A piece among others in an order where what begins alike (or ends alike) stands together. */
typedef struct {
    const char *text;
    uint32_t len, id;
} affix;

/* By id; splits is room for one piece's. */
typedef struct {
    uint32_t *begins, *ends, *splits; /* (n_pieces) */
} affix_table;

static int affix_lengths(const affix *x, const affix *y)
{
    return (x->len > y->len) - (x->len < y->len);
}

static int by_beginning(const void *a, const void *b)
{
    const affix *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    return order ? order : affix_lengths(x, y);
}

/* As by_beginning() on texts read backwards. */
static int by_ending(const void *a, const void *b)
{
    const affix *x = a, *y = b;
    uint32_t n = x->len < y->len ? x->len : y->len;

    for (uint32_t i = 1; i <= n; i++) {
        unsigned char p = (unsigned char)x->text[x->len - i];
        unsigned char q = (unsigned char)y->text[y->len - i];
        if (p != q)
            return p < q ? -1 : 1;
    }
    return affix_lengths(x, y);
}

static bool is_affix(const affix *a, const affix *of, bool ending)
{
    size_t at = ending && a->len < of->len ? of->len - a->len : 0;

    return a->len < of->len && memcmp(a->text, of->text + at, a->len) == 0;
}

/* outer[id]: the longest other piece that the piece begins (ends) with, UINT32_MAX where there is
 * none.  In the order of the list that is the one before, or one that the one before has. */
static axl_status find_affixes(const axl__bpe *b, affix *list, uint32_t n, bool ending,
                               uint32_t *outer)
{
    affix *open = axl__alloc(b->ctx, n * sizeof *open); /* each begins the next */
    uint32_t n_open = 0;
    axl_status status = open ? AXL_OK : axl__fail_nomem();

    qsort(list, n, sizeof *list, ending ? by_ending : by_beginning);
    for (uint32_t i = 0; i < n && status == AXL_OK; i++) {
        while (n_open > 0 && !is_affix(&open[n_open - 1], &list[i], ending))
            n_open--;
        outer[list[i].id] = n_open > 0 ? open[n_open - 1].id : UINT32_MAX;
        open[n_open++] = list[i];
        if (i % POLL_PIECES == 0)
            status = axl__cancelled(b->ctx);
    }
    axl__free(b->ctx, open);
    return status;
}

/* Every split of a piece: beginnings that are pieces, longest first, against the endings.  The two
 * lists are chains through other pieces' entries, each shorter than the last, so that one walk over
 * both finds all pairs whose lengths add up.  A split within a character is none. */
static axl_status derive_of(axl__bpe *b, uint32_t id, const uint32_t *ranks, affix_table t)
{
    uint32_t len = b->pieces[id].len, n = 0, end = t.ends[id];

    for (uint32_t l = t.begins[id]; l != UINT32_MAX; l = t.begins[l])
        t.splits[n++] = l;
    while (n-- > 0) { /* the shortest first, so that endings get shorter */
        uint32_t l = t.splits[n], rest = len - b->pieces[l].len;
        while (end != UINT32_MAX && b->pieces[end].len > rest)
            end = t.ends[end];
        if (end == UINT32_MAX)
            break;
        if (b->pieces[end].len != rest || ((unsigned char)b->pieces[end].text[0] & 0xC0) == 0x80)
            continue;
        AXL_TRY(put_merge(b, l, end, ranks ? ranks[id] : b->n_merges, id));
        b->n_merges++;
    }
    return AXL_OK;
}

/* Pieces that take no part get empty chains, so that derive_of() finds nothing of them. */
static axl_status derive_all(axl__bpe *b, affix *list, affix_table t, const uint32_t *ranks,
                             const unsigned char *joinable)
{
    uint32_t n = 0;

    for (uint32_t id = 0; id < b->n_pieces; id++) {
        axl__piece p = b->pieces[id];
        if (p.text && p.len > 0 && (!joinable || joinable[id]))
            list[n++] = (affix){ p.text, p.len, id };
        else
            t.begins[id] = t.ends[id] = UINT32_MAX;
    }
    AXL_TRY(find_affixes(b, list, n, false, t.begins));
    AXL_TRY(find_affixes(b, list, n, true, t.ends));
    for (uint32_t id = 0; id < b->n_pieces; id++) {
        AXL_TRY(derive_of(b, id, ranks, t));
        if (id % POLL_PIECES == 0)
            AXL_TRY(axl__cancelled(b->ctx));
    }
    return AXL_OK;
}

/* A split's parts are pieces that the piece begins and ends with, which sorting finds, whatever its
 * length: asking for each split would take the square of that. */
axl_status axl__bpe_derive_merges(axl__bpe *b, const uint32_t *ranks, const unsigned char *joinable)
{
    uint32_t n = b->n_pieces;
    affix *list = axl__alloc(b->ctx, n * sizeof *list);
    affix_table t = { axl__alloc(b->ctx, n * sizeof *t.begins),
                      axl__alloc(b->ctx, n * sizeof *t.ends),
                      axl__alloc(b->ctx, n * sizeof *t.splits) };
    axl_status status = list && t.begins && t.ends && t.splits
                            ? derive_all(b, list, t, ranks, joinable)
                            : axl__fail_nomem();

    axl__free(b->ctx, list);
    axl__free(b->ctx, t.begins);
    axl__free(b->ctx, t.ends);
    axl__free(b->ctx, t.splits);
    return status;
}

/* ---- tables for encoding ---- */

/* A piece of exactly one character is where encoding starts from. */
static axl_status add_char(axl__bpe *b, uint32_t id)
{
    axl__piece p = b->pieces[id];
    size_t at = 0;

    if (p.len == 0 || p.len > 4)
        return AXL_OK;
    uint32_t c = axl__utf8_next(p.text, p.len, &at);
    if (at != p.len)
        return AXL_OK;
    if (c < 128)
        b->ascii_ids[c] = (int32_t)id;
    return axl__pairs_set(&b->chars, c, id);
}

/* The pieces "<0x00>" to "<0xFF>" of byte fallback; -1 where the vocabulary lacks one. */
static void find_bytes(axl__bpe *b)
{
    static const char digits[] = "0123456789ABCDEF";
    char name[] = "<0x00>";

    for (int i = 0; i < 256; i++) {
        name[3] = digits[i >> 4];
        name[4] = digits[i & 15];
        b->byte_ids[i] = axl__bpe_id(b, name, 6);
    }
}

/* Notes which characters stand side by side in a product. */
static axl_status add_inner(axl__bpe *b, uint32_t product)
{
    axl__piece p = b->pieces[product];
    uint32_t last = 0;

    for (size_t at = 0; at < p.len;) {
        bool first = at == 0;
        uint32_t c = axl__utf8_next(p.text, p.len, &at);
        if (!first && last < 128 && c < 128)
            b->inner_ascii[last][c >> 6] |= (uint64_t)1 << (c & 63);
        else if (!first)
            AXL_TRY(axl__pairs_set(&b->inner, axl__pair_key(last, c), 1));
        last = c;
    }
    return AXL_OK;
}

/* Once through the table of merges: who takes part, and which characters meet inside a product.
 * Products are only noted on the way, since one may have many merges. */
static axl_status scan_merges(axl__bpe *b)
{
    enum { PART = 1, PRODUCT = 2 };

    for (size_t i = 0; i < b->merges.cap; i++) {
        axl__pair_slot m = b->merges.slots[i];
        if (m.key == UINT64_MAX)
            continue;
        b->merging[m.key >> 32] |= PART;
        b->merging[(uint32_t)m.key] |= PART;
        b->merging[(uint32_t)m.value] |= PRODUCT;
    }
    for (uint32_t id = 0; id < b->n_pieces; id++) {
        if ((b->merging[id] & PRODUCT) && b->pieces[id].text)
            AXL_TRY(add_inner(b, id));
        b->merging[id] &= PART;
    }
    return AXL_OK;
}

axl_status axl__bpe_finish(axl__bpe *b)
{
    memset(b->ascii_ids, 0xFF, sizeof b->ascii_ids);
    b->merging = axl__calloc(b->ctx, b->n_pieces, 1);
    b->whole = axl__calloc(b->ctx, b->n_pieces, sizeof *b->whole);
    if (!b->merging || !b->whole)
        return axl__fail_nomem();
    for (uint32_t id = 0; id < b->n_pieces; id++) {
        if (b->pieces[id].text)
            AXL_TRY(add_char(b, id));
        if (b->pieces[id].text && b->pieces[id].len > b->max_len)
            b->max_len = b->pieces[id].len;
    }
    find_bytes(b);
    if (b->unk_text) {
        b->unk_id = axl__bpe_id(b, b->unk_text, strlen(b->unk_text));
        if (b->unk_id < 0)
            return axl__fail(AXL_ERR_FORMAT, "unk_token \"%.64s\" is not in the vocabulary",
                             b->unk_text);
    }
    AXL_TRY(scan_merges(b));
    /* Cutting looks at characters: a byte or unk that merges could join across what it sees. */
    b->can_cut = b->unk_id < 0 || !b->merging[b->unk_id];
    for (int i = 0; i < 256; i++)
        if (b->byte_fallback && b->byte_ids[i] >= 0 && b->merging[b->byte_ids[i]])
            b->can_cut = false;
    return AXL_OK;
}
