/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h - what the rest of the library may ask of a tokenizer beyond axl/tokenizer.h. */
#ifndef AXL_TEXT_TOKENIZER_H
#define AXL_TEXT_TOKENIZER_H

#include "base/json.h"
#include "base/os_file.h"
#include "base/str.h"
#include "token_ids.h"

#include <axl/tokenizer.h>

#include <stdbool.h>

/* A new reference; returns tok. */
axl_tokenizer *axl__tokenizer_ref(const axl_tokenizer *tok);

/* A special token by its name ("bos", "eos", "unk", "sep", "pad", "cls", "mask") as the files and
 * options say, for chat templates: its text, or NULL.  Valid while the tokenizer lives. */
const char *axl__tokenizer_special_text(const axl_tokenizer *tok, const char *name);
/* The template that a tokenizer_config.json has; NULL: none. */
const axl__json *axl__chat_template_of(const axl__json *tokenizer_config);
/* Appends the tokenizer's chat template; AXL_END where it has none. */
axl_status axl__tokenizer_chat_template(const axl_tokenizer *tok, axl__str *out);
/* At the entry of a public call. */
axl_status axl__tokenizer_enter(const axl_tokenizer *tok);
axl_context *axl__tokenizer_context(const axl_tokenizer *tok); /* borrowed */
/* One of the files it was opened from, "" for a bare one's only; AXL_END where there is none. */
axl_status axl__tokenizer_open_file(const axl_tokenizer *tok, const char *name, axl__file *out);
/* The ids of its model, which transformers calls vocab_size: added tokens do not count. */
uint32_t axl__tokenizer_model_size(const axl_tokenizer *tok);
/* Whether transformers pads before the text instead of behind it. */
bool axl__tokenizer_pads_left(const axl_tokenizer *tok);
/* Whether there is one in a folder, or a file can be one, by their names: AXL_ERR_NOT_FOUND,
 * AXL_ERR_UNSUPPORTED. */
axl_status axl__tokenizer_look(const char *path);
/* Whether it is a tekken.json's, whose special tokens no text makes. */
bool axl__tokenizer_is_tekken(const axl_tokenizer *tok);
/* AXL_ERR_INVALID where a token that the options or a config add, other than for padding, has an id
 * past the rows of a model's embedding, for an adapter that trains no rows. */
axl_status axl__tokenizer_fits(const axl_tokenizer *tok, uint32_t rows);
/* One more than the largest id of those tokens; 0: there are none. */
uint32_t axl__tokenizer_new_end(const axl_tokenizer *tok);
/* What they add and rename, as a text that is equal for what is equal. */
void axl__tokenizer_put_wishes(const axl_tokenizer *tok, axl__str *out);
/* AXL_ERR_INVALID where its files lie in dir, which saving would write over. */
axl_status axl__tokenizer_spare(const axl_tokenizer *tok, const char *dir);

/* As axl_tokenizer_encode and _decode, for loops over many rows: both append to what the caller has
 * and neither checks its arguments. */
axl_status axl__tokenizer_encode(const axl_tokenizer *tok, const char *text, size_t len,
                                 uint32_t flags, axl__token_ids *out);
axl_status axl__tokenizer_decode(const axl_tokenizer *tok, const int32_t *ids, size_t n,
                                 uint32_t flags, axl__str *out);

/*
 * A text that grows token by token: what is put out, all together, is decode(prompt + new) without
 * decode(prompt), and never part of a character.  Tokens that stand for bytes wait until another
 * one or the end shows what they are.
 */
typedef struct axl__decode_stream {
    const axl_tokenizer *tok; /* borrowed */
    uint32_t flags;
    bool first;          /* nothing of the text is out yet */
    axl__token_ids open; /* ids whose text is not out yet */
    axl__str seam;       /* what the prompt alone makes of the open ids */
} axl__decode_stream;

axl_status axl__decode_stream_init(axl__decode_stream *s, const axl_tokenizer *tok, uint32_t flags,
                                   const int32_t *prompt, size_t n);
void axl__decode_stream_free(axl__decode_stream *s);
/* Both append what can be said to out. */
axl_status axl__decode_stream_put(axl__decode_stream *s, int32_t id, axl__str *out);
axl_status axl__decode_stream_end(axl__decode_stream *s, axl__str *out);

#endif
