/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.h - what stands around the BPE model: the normalizer, the pre-tokenizers, the ids put
 * around a text, and the decoder's steps.
 */
#ifndef AXL_TEXT_PIPELINE_H
#define AXL_TEXT_PIPELINE_H

#include "aligned.h"
#include "base/arena.h"
#include "base/str.h"
#include "regex.h"
#include "splitter.h"

#include <stdint.h>

enum { AXL__STEPS_MAX = 16 };

typedef struct axl__slice {
    const char *text;
    size_t len;
} axl__slice;

/* normalizer.c has a table of them.  Of a text that only the first three change, axl__normalize
 * makes ids as fast as it can; the others run in normalizer.c. */
typedef enum {
    AXL__PREPEND,
    AXL__REPLACE,
    AXL__NFC,
    AXL__NFD,
    AXL__NFKC,
    AXL__NFKD,
    AXL__LOWERCASE,
    AXL__STRIP,
    AXL__STRIP_ACCENTS,
    AXL__NMT,
    AXL__BERT,
    AXL__PRECOMPILED,
    AXL__NORMALIZE_BYTES,
    AXL__SENTENCEPIECE, /* all that a SentencePiece model does to a text; not of tokenizer.json */
} axl__normalizer_kind;

typedef struct axl__normalizer_step {
    axl__normalizer_kind kind;
    axl__slice from, to;     /* PREPEND has only `to`; `from` is also the map of PRECOMPILED */
    const axl__regex *regex; /* REPLACE: instead of `from`, if there is one */
    bool left, right;        /* STRIP */
    bool clean, space_chinese, strip_accents, lower;           /* BERT */
    bool dummy_prefix, collapse_spaces, escape_spaces, suffix; /* SENTENCEPIECE */
} axl__normalizer_step;

typedef enum { AXL__PREFIX_ALWAYS, AXL__PREFIX_FIRST, AXL__PREFIX_NEVER } axl__prefix_scheme;

typedef struct axl__metaspace {
    bool on, split;
    axl__prefix_scheme scheme;
    axl__slice mark; /* what a space becomes */
} axl__metaspace;

/* What becomes of what cuts a text, which stands between the words. */
typedef enum {
    AXL__ISOLATED,
    AXL__REMOVED,
    AXL__MERGED_WITH_PREVIOUS,
    AXL__MERGED_WITH_NEXT,
    AXL__CONTIGUOUS,
} axl__split_behavior;

typedef enum {
    AXL__CUT_WORDS,      /* by `into`, behind a space if `prefix_space` */
    AXL__CUT_REGEX,      /* at matches */
    AXL__CUT_TEXT,       /* at each `text` */
    AXL__CUT_CHARS,      /* at each character that `is` */
    AXL__CUT_WHITESPACE, /* into runs of word characters, and of others; without white space */
    AXL__CUT_LENGTH,     /* into pieces of `length` characters */
    AXL__CUT_SCRIPTS,
    AXL__CUT_METASPACE,
    AXL__CUT_BYTES, /* cuts nothing: what follows sees the characters of the bytes */
} axl__cut_kind;

/* A pre-tokenizer that cuts a text into words; each word goes through the next one. */
typedef struct axl__cut {
    axl__splitter into;
    bool prefix_space; /* of ByteLevel: a word that does not begin with a space gets one first */
    axl__cut_kind kind;
    axl__split_behavior behavior;
    bool invert; /* what stands between the matches cuts */
    const axl__regex *regex;
    axl__slice text;
    bool (*is)(uint32_t code_point);
    uint32_t length;
    axl__metaspace metaspace;
} axl__cut;

/* Of a post-processor: white space at a token's ends is no part of what it stands for. */
typedef struct axl__trim {
    bool prefix_space; /* but the one space of a first token, which was put there */
    uint32_t behind;   /* how many ids were put before the text by then */
} axl__trim;

typedef enum {
    AXL__DECODE_REPLACE,    /* from, to */
    AXL__DECODE_BYTES,      /* runs of "<0x0A>" become their text */
    AXL__DECODE_FUSE,       /* the tokens become one */
    AXL__DECODE_STRIP,      /* up to start and stop times `from` at the ends of each token */
    AXL__DECODE_METASPACE,  /* from becomes a space; in the first token nothing, if `drop` */
    AXL__DECODE_BYTE_LEVEL, /* the tokens become one, of their bytes: see byte_level.h */
    AXL__DECODE_WORD_PIECE, /* `from` goes on with a word, other tokens get a space first */
    AXL__DECODE_BPE,        /* from, at a word's end, becomes a space but in the last token */
    AXL__DECODE_CTC,        /* of a token that repeats one is left, `from` goes, `to` is a space */
} axl__decoder_kind;

typedef struct axl__decoder_step {
    axl__decoder_kind kind;
    axl__slice from, to;
    uint32_t start, stop;
    bool drop, clean;        /* WORD_PIECE, CTC: no spaces before punctuation and English endings */
    const axl__regex *regex; /* REPLACE: instead of `from`, if there is one */
} axl__decoder_step;

/* Zeroed it does nothing, and joins tokens as they are.  All texts belong to the tokenizer's arena
 * or are literals. */
typedef struct axl__pipeline {
    axl__normalizer_step normalizer[AXL__STEPS_MAX];
    uint32_t n_normalizer;
    axl__metaspace metaspace; /* on, or cuts: not both; general: neither this nor byte_level */
    axl__cut cuts[AXL__STEPS_MAX];
    uint32_t n_cuts;
    bool byte_level; /* words reach the model in the characters of their bytes */
    axl__decoder_step decoder[AXL__STEPS_MAX];
    uint32_t n_decoder;
    bool no_decoder;         /* tokens are joined by spaces */
    int32_t *before, *after; /* ids around a text; in the tokenizer's arena */
    uint32_t n_before, n_after;
    axl__trim trims[AXL__STEPS_MAX];
    uint32_t n_trims;
    bool general; /* some step is not one that the fast way to ids knows: see encode_aligned.h */
} axl__pipeline;

/* Both append to out. */
axl_status axl__normalize(const axl__pipeline *p, const char *text, size_t len, axl__str *out);
axl_status axl__put_metaspace(const axl__metaspace *m, const char *text, size_t len, bool at_start,
                              axl__str *out);

bool axl__slice_begins(const char *text, size_t len, axl__slice what);
/* What a normalizer may make of a text of so many bytes at most. */
size_t axl__grown_limit(size_t len);
axl_status axl__too_long(void); /* fails, for what would be longer */
/* Appends the text with each `from` replaced; from.len > 0. */
axl_status axl__str_put_replaced(axl__str *out, const char *text, size_t len, axl__slice from,
                                 axl__slice to, size_t limit);
/* As that, where a new text has the origin of the last byte of the old one. */
axl_status axl__put_replaced(const axl__aligned *in, axl__slice from, axl__slice to, size_t limit,
                             axl__aligned *out);

/* Token texts on their way to a decoded text: token i is bytes[ends[i - 1]..ends[i]). */
typedef struct axl__token_texts {
    axl__str bytes;
    size_t *ends;
    size_t count, cap;
} axl__token_texts;

void axl__token_texts_init(axl__token_texts *t, axl_context *ctx);
void axl__token_texts_free(axl__token_texts *t);
axl_status axl__token_texts_put(axl__token_texts *t, const char *text, size_t len);

/* Appends the text of the tokens to out.  first: they begin a text. */
axl_status axl__decode_tokens(const axl__pipeline *p, axl__token_texts *tokens, bool first,
                              axl__str *out);
/* The byte that a token such as "<0x0A>" stands for, or -1. */
int axl__byte_token(const char *text, size_t len);
/* Whether a token's text depends on no other, but for runs of bytes and the text's beginning. */
bool axl__decoder_streams(const axl__pipeline *p);
bool axl__decoder_has(const axl__pipeline *p, axl__decoder_kind kind);

#endif
