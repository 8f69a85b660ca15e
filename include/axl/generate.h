/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file generate.h
 * Continuing a text with a model.
 */
#ifndef AXL_GENERATE_H
#define AXL_GENERATE_H

#include <axl/adapter.h>
#include <axl/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Receives each new piece of text (UTF-8, never half a character); non-zero stops. */
typedef int (*axl_text_fn)(void *user, const char *text, size_t length);

/** Why a continuation ended.  Treat an unknown value as AXL_FINISH_LENGTH. */
typedef enum axl_finish {
    AXL_FINISH_EOS = 1,    /**< the model said so: the tokenizer's EOS, one of config.json's, or one
                                of stop_ids */
    AXL_FINISH_STOP = 2,   /**< a stop string came */
    AXL_FINISH_LENGTH = 3, /**< max_new_tokens, or the model's max_seq_len */
    AXL_FINISH_FORCE_INT32 = 0x7fffffff
} axl_finish;

/** How a continuation went. */
typedef struct axl_generation {
    size_t size;        /**< sizeof(axl_generation); set by the caller */
    uint64_t n_prompt;  /**< tokens of the prompt, BOS included */
    uint64_t n_new;     /**< tokens that came, without EOS */
    uint32_t finish;    /**< an axl_finish */
    uint32_t reserved0; /**< 0 */
} axl_generation;

#define AXL_GENERATION_INIT                                                                        \
    {                                                                                              \
        sizeof(axl_generation), 0, 0, 0u, 0u                                                       \
    }

typedef struct axl_generate_options {
    size_t size;      /**< sizeof(axl_generate_options); set by _INIT */
    axl_text_fn text; /**< NULL: none */
    void *text_user;
    const char *const *stop; /**< (n_stop) UTF-8; the text ends before the first that comes.  What
                                  may become one is held back from the callback */
    size_t n_stop;
    const int32_t *stop_ids; /**< (n_stop_ids) ids that end it as EOS does: of turns, for example */
    size_t n_stop_ids;
    axl_generation *result; /**< receives how it went; its size is set by the caller.  NULL: none */
    uint64_t seed;
    double temperature;        /**< > 0 */
    double top_p;              /**< nucleus; 1: off */
    double min_p;              /**< share of the likeliest token's probability; 0: off */
    double repetition_penalty; /**< of ids that have come (Keskar et al., CTRL, 2019); 1: off */
    uint32_t top_k;            /**< 0: off */
    uint32_t max_new_tokens;
    uint32_t greedy;    /**< 1: always the likeliest; only the penalty counts besides */
    uint32_t reserved0; /**< must be 0 */
} axl_generate_options;

#define AXL_GENERATE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(axl_generate_options), NULL, NULL, NULL, 0, NULL, 0, NULL, 42u, 0.9, 0.95, 0.0,     \
            1.1, 40u, 1024u, 0u, 0u                                                                \
    }

/**
 * Continue a prompt until EOS, a stop string, max_new_tokens or the model's max_seq_len.
 *
 * @param[in]     model   Borrowed.
 * @param[in]     adapter Borrowed; NULL for the base model alone.
 * @param[in]     tok     Borrowed.
 * @param[in]     prompt  Used as it is, with the tokenizer's BOS.  Borrowed for the call.
 * @param[in]     length  Bytes in @p prompt.
 * @param[in]     opts    NULL for the defaults.  Borrowed for the call.
 * @param[in,out] out     The continuation; what it held is released.  May be NULL.
 *
 * @retval AXL_ERR_INVALID   The prompt leaves no room, or an option is out of range.
 * @retval AXL_ERR_BUSY      The model's weights are being trained or changed, or the adapter's
 *                           trainer is in a call.
 * @retval AXL_ERR_CANCELLED Also when the text callback returned non-zero.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phase "generate".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_generate(const axl_model *model, const axl_adapter *adapter,
                                               const axl_tokenizer *tok, const char *prompt,
                                               size_t length, const axl_generate_options *opts,
                                               axl_buffer *out);

/**
 * As axl_generate(), from ids to ids.
 *
 * @param[in]     model   Borrowed.
 * @param[in]     adapter Borrowed; NULL for the base model alone.
 * @param[in]     tok     Borrowed; for its EOS, stop strings and the text callback.  NULL: none.
 * @param[in]     ids     (n) the prompt as it is, nothing is added.  Borrowed for the call.
 * @param[in]     n       At least 1, or 0 for the tokenizer's BOS alone.
 * @param[in]     opts    NULL for the defaults.  Borrowed for the call.
 * @param[in,out] out     int32_t ids, without EOS, length / 4 of them; those that complete a stop
 *                        string are the last.  What it held is released.  May be NULL.
 *
 * @retval AXL_ERR_INVALID   An id is out of range, the prompt leaves no room, or an option is
 * wrong.
 * @retval AXL_ERR_CANCELLED Also when the text callback returned non-zero.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any; an adapter in training is to be left alone meanwhile.  Progress phase "generate".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_generate_ids(const axl_model *model,
                                                   const axl_adapter *adapter,
                                                   const axl_tokenizer *tok, const int32_t *ids,
                                                   size_t n, const axl_generate_options *opts,
                                                   axl_buffer *out);

#ifdef __cplusplus
}
#endif

#endif
