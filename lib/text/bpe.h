/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe.h - byte-pair encoding by ranked merges, with byte fallback, as the BPE model of Hugging Face
 * tokenizers.  Built once, then only read, by several threads if need be.
 */
#ifndef AXL_TEXT_BPE_H
#define AXL_TEXT_BPE_H

#include "base/map.h"
#include "pairs.h"
#include "token_ids.h"

#include <stdatomic.h>
#include <stdint.h>

enum { AXL__ID_MAX = (1 << 22) - 1 }; /* keeps tables small whatever a file says */

typedef struct axl__piece {
    const char *text; /* NULL: no piece has this id */
    uint32_t len;
} axl__piece;

/* Three stages: pieces, then merges, then axl__bpe_finish(); the flags are set by who reads the
 * file, before that.  Afterwards only `whole` is written, by any thread, each to the same value.  A
 * piece whose text came again under another id has no text under its first one: the id is then
 * unused. */
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

int32_t axl__bpe_id(const axl__bpe *b, const char *text, size_t len); /* -1: none */

/* What encoding needs beside the model; one for each call of the API. */
typedef struct axl__bpe_scratch {
    axl__token_ids symbols; /* of the word at hand */
    void *nodes, *heap, *firsts;
    size_t nodes_cap, heap_cap, firsts_cap;
} axl__bpe_scratch;

void axl__bpe_scratch_init(axl__bpe_scratch *s, axl_context *ctx);
void axl__bpe_scratch_free(axl__bpe_scratch *s);

/* Appends the ids of one pre-tokenised text, which is well-formed UTF-8. */
axl_status axl__bpe_encode(const axl__bpe *b, const char *text, size_t len, axl__bpe_scratch *s,
                           axl__token_ids *out);

/* As axl__bpe_encode, and for each id how many bytes of the text it counts for.  Slower. */
axl_status axl__bpe_encode_lengths(const axl__bpe *b, const char *text, size_t len,
                                   axl__bpe_scratch *s, axl__token_ids *out, axl__token_ids *lens);

static inline bool axl__bpe_is_affixed(const axl__bpe *b)
{
    return b->prefix || b->suffix;
}

#endif
