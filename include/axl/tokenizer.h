/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tokenizer.h
 * Text to token ids and back, with the ids of Hugging Face transformers.
 *
 * Text is UTF-8; each maximal ill-formed part of it reads as one U+FFFD.  A tokenizer is immutable:
 * several threads may use one at the same time.
 */
#ifndef AXL_TOKENIZER_H
#define AXL_TOKENIZER_H

#include <axl/config.h>
#include <axl/context.h>
#include <axl/file.h>
#include <axl/template.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_tokenizer axl_tokenizer;

/** What the caller decides over the tokenizer's own files.  Strings and lists are copied.  A text
 *  that is not in the vocabulary becomes a new token, with the next free id, as Axolotl and
 *  transformers number them; a model must have a row of its embedding for it to be trained. */
typedef struct axl_tokenizer_options {
    size_t size;           /**< sizeof(axl_tokenizer_options); set by _INIT */
    const char *type;      /**< class name as in tokenizer_type; NULL: from tokenizer_config.json */
    const char *bos_token; /**< NULL: as the files say */
    const char *eos_token;
    const char *unk_token;
    const char *pad_token;
    int32_t legacy;            /**< 1 or 0; -1: as the files say */
    uint32_t reserved0;        /**< must be 0 */
    const char *const *tokens; /**< (n_tokens) tokens to be found in a text from now on */
    size_t n_tokens;
    const char *const *special_tokens; /**< (n_special_tokens) as those, and left out by
                                            AXL_DECODE_SKIP_SPECIAL */
    size_t n_special_tokens;
    const int32_t *override_ids;       /**< (n_overrides) added tokens of a tokenizer.json */
    const char *const *override_texts; /**< (n_overrides) their new texts */
    size_t n_overrides;
    const char *pattern;     /**< how the words of a bare rank file are cut, which it does not say:
                                  "gpt2", "r50k_base", "p50k_base", "cl100k_base", "o200k_base",
                                  "llama3", "qwen2" or "tekken"; NULL: as Llama-3's */
    uint32_t mistral_common; /**< 1: read tekken.json, whatever else is there, as Axolotl does for
                                  tokenizer_use_mistral_common: a BOS and an EOS around a text */
    uint32_t reserved1;      /**< must be 0 */
} axl_tokenizer_options;

#define AXL_TOKENIZER_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(axl_tokenizer_options), NULL, NULL, NULL, NULL, NULL, -1, 0u, NULL, 0, NULL, 0,     \
            NULL, NULL, 0, NULL, 0u, 0u                                                            \
    }

/** Flags of axl_tokenizer_encode() and axl_tokenizer_decode(). */
enum {
    AXL_TOKENIZE_NO_SPECIAL = 1, /**< encode: add no BOS or EOS; those in the text still count */
    AXL_DECODE_SKIP_SPECIAL = 2  /**< decode: leave special tokens out */
};

/**
 * Open the tokenizer of a model folder, or one bare file.
 *
 * @param[out] out  The tokenizer; NULL on failure.  Release with axl_tokenizer_free().
 * @param[in]  ctx  The tokenizer takes its own reference.
 * @param[in]  path A folder with tokenizer.json or tokenizer.model (and tokenizer_config.json), or
 *                  a SentencePiece .model file (BPE or unigram), which gets a BOS and no more; or
 *                  a tiktoken rank file: Llama-3's gets its special tokens and BOS, another needs
 *                  a pattern and gets neither; or a tekken.json, which gets a BOS.
 * @param[in]  opts NULL for the files' own settings.  Copied.
 *
 * @retval AXL_ERR_NOT_FOUND   There is no tokenizer there; axl_last_error() names what was sought.
 * @retval AXL_ERR_FORMAT      A file is broken.
 * @retval AXL_ERR_UNSUPPORTED The file asks for a part that axl does not have; it is named.
 * @retval AXL_ERR_INVALID     An option is out of range, or asks for what these files do not have.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_open(axl_tokenizer **out, axl_context *ctx,
                                                     const char *path,
                                                     const axl_tokenizer_options *opts);

/**
 * Open a tokenizer from memory: the files of a folder, or one file whose name ends in ".model" or
 * is tekken.json, as axl_tokenizer_open() takes it bare.
 *
 * @param[out] out   The tokenizer; NULL on failure.  Release with axl_tokenizer_free().
 * @param[in]  ctx   The tokenizer takes its own reference.
 * @param[in]  files (n) tokenizer.json or tokenizer.model, and where there are such
 *                   tokenizer_config.json, special_tokens_map.json, added_tokens.json, config.json,
 *                   chat_template.jinja; more do no harm.  Borrowed for the call: what saving
 *                   writes is copied.
 * @param[in]  n     At least 1.
 * @param[in]  opts  NULL for the files' own settings.  Copied.
 *
 * @retval AXL_ERR_INVALID A file has no name, or one of another.
 * @return Else as axl_tokenizer_open(); messages name a file as it is named in @p files.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_open_files(axl_tokenizer **out, axl_context *ctx,
                                                           const axl_file *files, size_t n,
                                                           const axl_tokenizer_options *opts);

/**
 * Open the tokenizer that a config describes: tokenizer_config or base_model, tokenizer_type,
 * tokenizer_legacy, special_tokens, tokens, added_tokens_overrides, tokenizer_use_mistral_common.
 *
 * @param[out] out The tokenizer; NULL on failure.  Release with axl_tokenizer_free().
 * @param[in]  cfg Borrowed for the call.
 *
 * @retval AXL_ERR_INVALID added_tokens_overrides names an id that is no added token's.
 * @return Otherwise as axl_tokenizer_open().
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_from_config(axl_tokenizer **out,
                                                            const axl_config *cfg);

/**
 * Drop the caller's reference.
 *
 * @param[in] tok NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_tokenizer_free(axl_tokenizer *tok);

/**
 * Encode a text.
 *
 * @param[in]     tok    Borrowed.
 * @param[in]     text   Borrowed; may hold NUL bytes.  NULL where @p length is 0.
 * @param[in]     length Bytes in @p text.
 * @param[in]     flags  0 or AXL_TOKENIZE_NO_SPECIAL.
 * @param[in,out] ids    int32_t ids, length / 4 of them; what it held is released.  Release with
 *                       axl_buffer_free().
 *
 * @retval AXL_ERR_INVALID   A NULL argument or an unknown flag.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_encode(const axl_tokenizer *tok, const char *text,
                                                       size_t length, uint32_t flags,
                                                       axl_buffer *ids);

/**
 * Encode a text, with the bytes [begin, end) of it that each token stands for, as transformers'
 * offset_mapping.  A token that is part of a character has all of it, white space at a token's ends
 * is left out where the tokenizer's files ask for that, and tokens put around the text have 0, 0.
 *
 * @param[in]     tok     Borrowed.
 * @param[in]     text    Borrowed; may hold NUL bytes.  NULL where @p length is 0.
 * @param[in]     length  Bytes in @p text, less than 2^31.
 * @param[in]     flags   0 or AXL_TOKENIZE_NO_SPECIAL.
 * @param[in,out] ids     int32_t ids, those of axl_tokenizer_encode(); what it held is released.
 *                        Release with axl_buffer_free().
 * @param[in,out] offsets Two uint32_t for each id, begin and end; else as @p ids.
 *
 * @retval AXL_ERR_INVALID   A NULL argument, an unknown flag or a text that is too long.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_encode_with_offsets(const axl_tokenizer *tok,
                                                                    const char *text, size_t length,
                                                                    uint32_t flags, axl_buffer *ids,
                                                                    axl_buffer *offsets);

/**
 * Encode many texts, on all threads of the tokenizer's context.
 *
 * @param[in]     tok     Borrowed.
 * @param[in]     texts   (n) Each as in axl_tokenizer_encode(); NULL is an empty one.
 * @param[in]     lengths (n) Bytes; NULL: each text ends with a NUL.
 * @param[in]     n       Number of texts.
 * @param[in]     flags   0 or AXL_TOKENIZE_NO_SPECIAL.
 * @param[in,out] ids     int32_t ids of all texts, one behind the other; what it held is released.
 *                        Release with axl_buffer_free().
 * @param[in,out] ends    (n) uint64_t: where each text's ids end in @p ids; else as @p ids.
 *
 * @return As axl_tokenizer_encode(): of several failures that of the first text.
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_encode_batch(const axl_tokenizer *tok,
                                                             const char *const *texts,
                                                             const size_t *lengths, size_t n,
                                                             uint32_t flags, axl_buffer *ids,
                                                             axl_buffer *ends);

/**
 * Decode ids into text, as transformers' decode without cleaning up spaces.
 *
 * @param[in]     tok   Borrowed.
 * @param[in]     ids   (n) Borrowed; an id outside the vocabulary gives no text.  NULL where @p n
 * is 0.
 * @param[in]     n     Number of ids.
 * @param[in]     flags 0 or AXL_DECODE_SKIP_SPECIAL.
 * @param[in,out] text  UTF-8 with a NUL behind it; what it held is released.  Release with
 *                      axl_buffer_free().
 *
 * @retval AXL_ERR_INVALID A NULL argument or an unknown flag.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_decode(const axl_tokenizer *tok, const int32_t *ids,
                                                       size_t n, uint32_t flags, axl_buffer *text);

/**
 * Render a conversation with the tokenizer's chat template: the one of its files, or what a
 * config's chat_template chose.  Its text is encoded with AXL_TOKENIZE_NO_SPECIAL: the template
 * writes the special tokens itself.
 *
 * @param[in]     tok          Borrowed.
 * @param[in]     conversation JSON: a list of messages ({"role": …, "content": …}), or an object
 *                             with such a list as "messages" and other variables of the template
 *                             beside it, such as "tools" and "add_generation_prompt" (false where
 *                             it is missing).  Borrowed for the call.
 * @param[in]     length       Bytes in @p conversation.
 * @param[in]     opts         NULL for the defaults.
 * @param[in,out] text         UTF-8 with a NUL behind it; what it held is released.  Release with
 *                             axl_buffer_free().
 *
 * @retval AXL_ERR_NOT_FOUND The tokenizer has no chat template.
 * @retval AXL_ERR_FORMAT    The template fails on this conversation, or @p conversation is no such
 *                           JSON; axl_last_error() names the line and the cause.
 * @retval AXL_ERR_INVALID   A NULL argument, or an option out of range.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status
axl_tokenizer_apply_chat_template(const axl_tokenizer *tok, const char *conversation, size_t length,
                                  const axl_template_options *opts, axl_buffer *text);

/**
 * What the tokenizer's chat template writes behind an assistant's message, without white space at
 * its end: often one special token.  A continuation that writes it is at its end.
 *
 * @param[in]     tok  Borrowed.
 * @param[in,out] text As axl_tokenizer_apply_chat_template().
 *
 * @retval AXL_END           It writes nothing, or no assistant's message; @p text is as before.
 * @retval AXL_ERR_NOT_FOUND The tokenizer has no chat template.
 * @retval AXL_ERR_FORMAT    The template takes no conversation of a user and an assistant.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_get_turn_end(const axl_tokenizer *tok,
                                                             axl_buffer *text);

/**
 * The number of ids, added tokens included: one more than the largest id.
 *
 * @param[in] tok Borrowed.
 * @return The count.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API uint32_t axl_tokenizer_vocab_size(const axl_tokenizer *tok);

/**
 * The id of a token by its exact text, for example "</s>".
 *
 * @param[in] tok   Borrowed.
 * @param[in] token Borrowed.
 * @return The id, or -1 when there is none.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API int32_t axl_tokenizer_id(const axl_tokenizer *tok, const char *token);

/**
 * A token's own text, as transformers' convert_ids_to_tokens gives it: what axl_tokenizer_id()
 * takes, with the marks of its model ("\xE2\x96\x81the", "<0x0A>"); axl_tokenizer_decode() makes
 * text of it.
 *
 * @param[in]     tok Borrowed.
 * @param[in]     id  Any number.
 * @param[in,out] out UTF-8 with a NUL behind it; what it held is released.  Release with
 *                    axl_buffer_free().
 *
 * @retval AXL_END     There is no token of this id; @p out is as before.
 * @retval AXL_ERR_ABI @p out has no valid size.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_get_token(const axl_tokenizer *tok, int32_t id,
                                                          axl_buffer *out);

/**
 * The begin-of-sequence id.
 *
 * @param[in] tok Borrowed.
 * @return The id, or -1 when the tokenizer has none.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API int32_t axl_tokenizer_bos(const axl_tokenizer *tok);

/**
 * The end-of-sequence id.
 *
 * @param[in] tok Borrowed.
 * @return The id, or -1 when the tokenizer has none.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API int32_t axl_tokenizer_eos(const axl_tokenizer *tok);

/**
 * The padding id: pad_token, else "</s>" for the Llama family, else EOS.
 *
 * @param[in] tok Borrowed.
 * @return The id, or -1 when the tokenizer has none.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API int32_t axl_tokenizer_pad(const axl_tokenizer *tok);

/**
 * Write the tokenizer's files (tokenizer.json, tokenizer.model, tokenizer_config.json,
 * special_tokens_map.json, chat_template.jinja: those it was opened from) into a folder, with the
 * special tokens of the options put in.
 *
 * @param[in] tok Borrowed.
 * @param[in] dir An existing folder.  Borrowed for the call.
 *
 * @retval AXL_ERR_INVALID @p dir is where its files lie.
 * @retval AXL_ERR_IO
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_save(const axl_tokenizer *tok, const char *dir);

/**
 * Hand out the files that axl_tokenizer_save() writes, the same byte for byte.
 *
 * @param[in] tok  Borrowed.
 * @param[in] fn   Called on the calling thread.
 * @param[in] user Handed to @p fn.
 *
 * @retval AXL_ERR_CANCELLED @p fn stopped.
 * @retval AXL_ERR_IO
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_tokenizer_save_files(const axl_tokenizer *tok, axl_file_fn fn,
                                                           void *user);

#ifdef __cplusplus
}
#endif

#endif
