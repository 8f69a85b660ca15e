/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.h - from a record to token ids and labels.  A type (alpaca, …) says which columns it reads
 * and puts their text together; what it has in common with the others, the basic tokenise step, is
 * here.
 */
#ifndef AXL_DATA_PROMPT_H
#define AXL_DATA_PROMPT_H

#include "base/json.h"

#include <axl/tokenizer.h>

typedef struct axl__prompt axl__prompt;

/* The sample that a record becomes; empty when the record has nothing to train on. */
typedef struct axl__draft {
    axl_context *ctx;
    int32_t *ids;    /* (n) */
    int32_t *labels; /* (n) */
    uint32_t n, cap;
} axl__draft;

/* A prompt type: static, one a file. */
typedef struct axl__prompt_type {
    const char *name;           /* "alpaca", the part of datasets[].type before ':' */
    const char *const *columns; /* NULL-terminated; a data set must have each in some record */
    const char *styles;         /* what may follow ':', for messages; NULL: nothing */
    /* The style of that name (NULL: the default), or NULL. */
    const void *(*style)(const char *name);
    /* AXL_ERR_DATA without the record's place: a value of a wrong type. */
    axl_status (*make)(const axl__prompt *p, const axl__json *record, axl__draft *out);
} axl__prompt_type;

/* A type as one data set entry uses it. */
struct axl__prompt {
    const axl__prompt_type *type;
    const void *style;
    axl_context *ctx;
    const axl_tokenizer *tok; /* borrowed */
    uint32_t sequence_len;
    bool train_on_inputs;
    bool check_only; /* the columns' types are checked and nothing is encoded */
    int32_t bos, eos;
};

/* Of a name such as "alpaca:chat".  AXL_ERR_UNSUPPORTED names the types or styles that exist;
 * AXL_ERR_INVALID when the tokenizer has no EOS. */
axl_status axl__prompt_init(axl__prompt *p, axl_context *ctx, const char *name,
                            const axl_tokenizer *tok, uint32_t sequence_len, bool train_on_inputs);

void axl__draft_free(axl__draft *draft);

/* ---- for the types ---- */

/* A column's text; missing and null read as "".  AXL_ERR_DATA for another type. */
axl_status axl__prompt_text(const axl__json *record, const char *column, const char **text,
                            size_t *len);

/* The two halves of an instruction sample.  Each is encoded by itself with the tokenizer's special
 * tokens and cut to sequence_len.  The prompt is masked unless train_on_inputs.  The response loses
 * its BOS and gets an EOS unless it ends in one or was cut.  An empty text gives no token. */
axl_status axl__prompt_put_prompt(const axl__prompt *p, axl__draft *out, const char *text,
                                  size_t len);
axl_status axl__prompt_put_response(const axl__prompt *p, axl__draft *out, const char *text,
                                    size_t len);

extern const axl__prompt_type axl__prompt_alpaca;

#endif
