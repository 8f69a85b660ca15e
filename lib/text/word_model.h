/* SPDX-License-Identifier: Apache-2.0 */
/*
 * word_model.h - the models of a tokenizer.json beside BPE: WordLevel, WordPiece and Unigram. Their
 * pieces are in the tokenizer's axl__bpe, which keeps texts and ids for all models.
 */
#ifndef AXL_TEXT_WORD_MODEL_H
#define AXL_TEXT_WORD_MODEL_H

#include "bpe.h"
#include "pipeline.h"

typedef enum {
    AXL__MODEL_BPE,
    AXL__MODEL_WORD_LEVEL,
    AXL__MODEL_WORD_PIECE,
    AXL__MODEL_UNIGRAM
} axl__model_kind;

typedef struct axl__word_model {
    axl__model_kind kind;
    axl__slice unk; /* the text of the token for the unknown; Unigram has an id instead */
    int32_t unk_id;
    axl__slice prefix;  /* of a piece that goes on with a word; WordPiece */
    uint32_t max_chars; /* longer words are unknown; WordPiece */
    /* Unigram.  single: as SentencePiece itself, with float for double, and no piece but those of a
     * finite score is looked for. */
    bool single;
    double *scores; /* (n_pieces) */
    double unk_score;
    axl__pairs edges;  /* (node, byte) to node, of the tree of all pieces; the root is 0 */
    int32_t *node_ids; /* by node: the piece that it is the end of, or -1 */
    uint32_t n_nodes, cap_nodes;
} axl__word_model;

void axl__word_model_init(axl__word_model *m, axl_context *ctx);
void axl__word_model_free(axl__word_model *m, axl_context *ctx);
/* After axl__bpe_finish(), with what the file says set. */
axl_status axl__word_model_finish(axl__word_model *m, axl__bpe *pieces);

/* What encoding needs; one for each call of the API. */
typedef struct axl__word_scratch {
    void *paths;
    size_t cap;
    axl__str key;
} axl__word_scratch;

void axl__word_scratch_init(axl__word_scratch *s, axl_context *ctx);
void axl__word_scratch_free(axl__word_scratch *s, axl_context *ctx);

/* Appends the ids of one word, len > 0, and of each two numbers: where in the word it begins and
 * ends.  AXL_ERR_FORMAT where a word is unknown and the model has no token for that. */
axl_status axl__word_encode(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                            size_t len, axl__word_scratch *s, axl__token_ids *out,
                            axl__token_ids *places);

#endif
