/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe.h - byte-pair encoding by ranked merges, with byte fallback, as the BPE model of Hugging Face
 * tokenizers.  Built once, then only read, by several threads if need be.
 */
#ifndef AXL_TEXT_BPE_H
#define AXL_TEXT_BPE_H

#include "base/map.h"
#include "base/str.h"
#include "pairs.h"
#include "short_words.h"
#include "token_ids.h"

#include <stdatomic.h>
#include <stdint.h>

enum { AXL__ID_MAX = (1 << 22) - 1 }; /* keeps tables small whatever a file says */

/* Of how many bytes of a text an id stands for, and how many of U+2581 are among them. */
typedef struct axl__id_length {
    uint32_t bytes, marks;
} axl__id_length;

typedef struct axl__piece {
    const char *text; /* NULL: no piece has this id */
    uint32_t len;
} axl__piece;

/* Small characters have tables instead of look-ups: those of ASCII, and U+2581 that stands for a
 * space in SentencePiece's pieces. */
enum { AXL__SMALL_MARK = 128, AXL__N_SMALL = 129 };

/* Four stages: pieces, then merges, then axl__bpe_finish() and axl__bpe_index(); the flags are set
 * by who reads the file, before that.  Afterwards only `whole` is written, by any thread, each to
 * the same value.  A piece whose text came again under another id has no text under its first one:
 * the id is then unused. */
typedef struct axl__bpe {
    axl_context *ctx;
    axl__map ids;       /* text to id */
    axl__piece *pieces; /* (n_pieces) by id */
    uint32_t n_pieces;  /* the largest id + 1 */
    uint32_t cap_pieces;
    axl__pairs merges; /* (left, right) to rank << 32 | product */
    uint32_t n_merges;
    const char *unk_text; /* NULL: none */
    bool fuse_unk, byte_fallback, ignore_merges;
    /* What is written before a piece that is not a word's first, and behind its last; NULL for
     * nothing.  With either only axl__bpe_encode_lengths() is to be called. */
    const char *prefix, *suffix;

    /* Made by axl__bpe_finish. */
    axl__pairs chars; /* code point to id */
    axl__pairs inner; /* adjacent code points of merge products */
    uint64_t inner_ascii[128][2];
    int32_t ascii_ids[128], byte_ids[256]; /* -1: none */
    unsigned char *merging;                /* (n_pieces) whether an id takes part in merges */
    atomic_uchar *whole; /* (n_pieces) does a piece encode to itself: 0 not known, 1 no, 2 yes */
    bool can_cut;        /* boundaries may be found character by character */
    int32_t unk_id;      /* -1: none */
    uint32_t max_len;    /* of a piece, in bytes */

    /* Made by axl__bpe_index. */
    bool by_bytes;          /* the pieces are written in byte_level.h's letters, and each byte's
                               letter is one: axl__bpe_encode_bytes() may be called */
    axl__short_words words; /* the short pieces by their texts; by_bytes: by the bytes they write */
    int32_t small_ids[256]; /* by small character, or by byte; -1: no piece */
    uint64_t joins[256][4]; /* whether a merge may ever join across these two of them */
    uint64_t *starts;       /* (AXL__N_SMALL * AXL__N_SMALL) the merges of two small characters */
    axl__id_length *lengths; /* (n_pieces) NULL where an id does not say it */
    bool covers;             /* with lengths: no byte of a text is left without an id */
} axl__bpe;

void axl__bpe_init(axl__bpe *b, axl_context *ctx);
void axl__bpe_free(axl__bpe *b);

/* A piece; text is borrowed and has a NUL behind it.  A repeated text takes the later id. */
axl_status axl__bpe_add(axl__bpe *b, const char *text, size_t len, int64_t id);
/* The next merge in rank; AXL_ERR_FORMAT when a part or the product is no piece. */
axl_status axl__bpe_merge(axl__bpe *b, const char *left, size_t left_len, const char *right,
                          size_t right_len);
/* Every split of every piece into two pieces is a merge.  ranks NULL: they rank by the id of the
 * piece, then by the split, as transformers derives merges for a vocabulary without any; else
 * (n_pieces) by the piece alone, as SentencePiece has it.  joinable: (n_pieces) which pieces take
 * part; NULL for all. */
axl_status axl__bpe_derive_merges(axl__bpe *b, const uint32_t *ranks,
                                  const unsigned char *joinable);
/* After the last piece and merge, with the flags set. */
axl_status axl__bpe_finish(axl__bpe *b);
/* Then: tables for speed, of a model in use.  byte_level: words reach it in the letters of their
 * bytes, or by axl__bpe_encode_bytes(). */
axl_status axl__bpe_index(axl__bpe *b, bool byte_level);

int32_t axl__bpe_id(const axl__bpe *b, const char *text, size_t len); /* -1: none */

/* What encoding needs beside the model; one for each call of the API. */
typedef struct axl__bpe_scratch {
    axl__token_ids symbols; /* of the word at hand */
    axl__str letters;       /* a long word's */
    void *nodes, *heap, *firsts;
    size_t nodes_cap, heap_cap, firsts_cap;
} axl__bpe_scratch;

void axl__bpe_scratch_init(axl__bpe_scratch *s, axl_context *ctx);
void axl__bpe_scratch_free(axl__bpe_scratch *s);

/* Appends the ids of one pre-tokenised text, which is well-formed UTF-8. */
axl_status axl__bpe_encode(const axl__bpe *b, const char *text, size_t len, axl__bpe_scratch *s,
                           axl__token_ids *out);

/* The same of a word's bytes, where by_bytes. */
axl_status axl__bpe_encode_bytes(const axl__bpe *b, const char *bytes, size_t len,
                                 axl__bpe_scratch *s, axl__token_ids *out);

/* As axl__bpe_encode, and for each id how many bytes of the text it counts for.  Slower where
 * the ids do not say that themselves. */
axl_status axl__bpe_encode_lengths(const axl__bpe *b, const char *text, size_t len,
                                   axl__bpe_scratch *s, axl__token_ids *out, axl__token_ids *lens);

#define AXL__NO_MERGE UINT64_MAX

/* Rank << 32 | product, or AXL__NO_MERGE. */
static inline uint64_t axl__bpe_merge_of(const axl__bpe *b, int32_t left, int32_t right)
{
    uint64_t m;

    return axl__pairs_get(&b->merges, axl__pair_key((uint32_t)left, (uint32_t)right), &m)
               ? m
               : AXL__NO_MERGE;
}

/* Whether any merge can ever join across these two characters. */
static inline bool axl__bpe_side_by_side(const axl__bpe *b, uint32_t a, uint32_t c)
{
    uint64_t unused;

    if (a < 128 && c < 128)
        return b->inner_ascii[a][c >> 6] >> (c & 63) & 1;
    return axl__pairs_get(&b->inner, axl__pair_key(a, c), &unused);
}

static inline bool axl__bpe_is_affixed(const axl__bpe *b)
{
    return b->prefix || b->suffix;
}

#endif
