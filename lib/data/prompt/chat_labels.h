/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_labels.h - which tokens of a rendered conversation are trained, as Axolotl 0.19 says it:
 * every token that overlaps what a trained turn put there, and the token that ends the turn.
 */
#ifndef AXL_DATA_PROMPT_CHAT_LABELS_H
#define AXL_DATA_PROMPT_CHAT_LABELS_H

#include "chat_turns.h"

/* Which of the tokens that end a turn are trained. */
typedef enum { AXL__END_NONE, AXL__END_TURN, AXL__END_LAST, AXL__END_ALL } axl__train_end;

/* What is trained; borrowed. */
typedef struct axl__chat_training {
    const axl_tokenizer *tok;
    const char *const *roles; /* (n_roles), as the template knows them */
    size_t n_roles;
    bool all_roles;    /* train_on_inputs */
    bool first_system; /* the text of a system turn that comes first may be trained */
    axl__train_end eos, eot;
    int32_t eos_id;         /* -1: none */
    const int32_t *eot_ids; /* (n_eot) */
    size_t n_eot;
} axl__chat_training;

/* A token's bytes of the text that was encoded, as axl_tokenizer_encode_with_offsets() has them. */
typedef struct axl__token_bytes {
    uint32_t begin, end;
} axl__token_bytes;

/* labels (n) and ids (n) of the text of t; all labels are AXL_LABEL_IGNORE before.  offsets (n) are
 * the ids' places in it.  AXL_ERR_DATA: a detail for a content that is no text. */
axl_status axl__chat_label(int32_t *labels, const int32_t *ids, const axl__token_bytes *offsets,
                           size_t n, axl__chat_text *t, const axl__chat_training *training);

#endif
