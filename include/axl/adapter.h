/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file adapter.h
 * A LoRA adapter (Hu et al., "LoRA: Low-rank adaptation of large language models", 2021):
 * y = x W^T + scale * dropout(x) A^T B^T, A (r, in), B (out, r), in f32, read and written as PEFT
 * does.  A pair of the embedding has A (r, vocabulary) and B (hidden, r), and adds
 * scale * B A[:, id] to the embedding of a token; nothing is dropped out of it.  Beside its pairs
 * it may train biases, magnitudes, which is DoRA (Liu et al., "DoRA: Weight-decomposed low-rank
 * adaptation", 2024), and whole modules in place of the model's.
 */
#ifndef AXL_ADAPTER_H
#define AXL_ADAPTER_H

#include <axl/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_adapter_options {
    size_t size;                       /**< sizeof(axl_adapter_options); set by _INIT */
    const char *const *target_modules; /**< (n_target_modules) names such as "q_proj", or
                                            "embed_tokens".  Copied */
    size_t n_target_modules;           /**< 0: every linear layer but the output head */
    uint64_t seed;                     /**< of A */
    double alpha;                      /**< scale = alpha / rank */
    double dropout;                    /**< of the input of A while training; 0 <= p < 1 */
    uint32_t rank;                     /**< r, at least 1 */
    uint32_t rslora;                   /**< 1: scale = alpha / sqrt(rank) */
    /** In place of names: one regular expression (Python's re.fullmatch()) on whole paths, or
     *  "all-linear".  NULL: the names. */
    const char *target_regex;
    const char *const *exclude_modules; /**< (n_exclude_modules) names of layers to leave out */
    size_t n_exclude_modules;
    const char *exclude_regex;           /**< a regular expression in their place; or NULL */
    const uint32_t *layers_to_transform; /**< (n_layers_to_transform) decoder layers.  Copied */
    size_t n_layers_to_transform;        /**< 0: every layer.  A target that is a whole path is
                                              adapted in whatever layer */
    const char *const *layers_pattern;   /**< (n_layers_pattern) what the list of layers is called
                                              in a path, before the number */
    size_t n_layers_pattern;             /**< 0: whatever it is called */
    const char *const *rank_pattern;     /**< (n_rank_pattern) regular expressions on the end of a
                                              path; the first that matches counts */
    const uint32_t *rank_pattern_ranks;  /**< (n_rank_pattern) the rank of such layers */
    size_t n_rank_pattern;
    const char *const *alpha_pattern;   /**< (n_alpha_pattern) likewise */
    const double *alpha_pattern_alphas; /**< (n_alpha_pattern) */
    size_t n_alpha_pattern;
    const char *bias;              /**< of the model's layers, which are trained: "none", "all" or
                                        "lora_only" (of layers that have a pair); NULL: "none" */
    const char *init_lora_weights; /**< how values begin; NULL: "true".  See axl_adapter_new() */
    uint32_t lora_bias;            /**< 1: a bias of B, scaled as B is */
    uint32_t use_dora;             /**< 1: DoRA, a magnitude for each output */
    /** (n_modules_to_save) ends of the paths of modules that are trained whole beside the model's
     *  own, such as "embed_tokens", "lm_head" or "norm"; they have no pair.  Copied */
    const char *const *modules_to_save;
    size_t n_modules_to_save;
    uint32_t ensure_weight_tying; /**< 1: where the head is the embedding, both are trained whole as
                                       one as soon as one of them is; 0: each is its own */
    uint32_t reserved0;           /**< must be 0 */
    const uint32_t *trainable_tokens; /**< (n_trainable_tokens) whose rows of the embedding are
                                           trained, and of a head that is the embedding.  Copied */
    size_t n_trainable_tokens;
    const uint32_t *trainable_head_tokens; /**< (n_trainable_head_tokens) likewise of the head;
                                                where it is the embedding, of it alone */
    size_t n_trainable_head_tokens;
} axl_adapter_options;

#define AXL_ADAPTER_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(axl_adapter_options), NULL, 0, 42u, 16.0, 0.0, 16u, 0u, NULL, NULL, 0, NULL, NULL,  \
            0, NULL, 0, NULL, NULL, 0, NULL, NULL, 0, NULL, NULL, 0u, 0u, NULL, 0, 0u, 0u, NULL,   \
            0, NULL, 0                                                                             \
    }

/** One trained tensor; a vector (a bias, magnitudes) is one row. */
typedef struct axl_tensor_info {
    size_t size;      /**< sizeof(axl_tensor_info); set by the caller */
    const char *name; /**< as PEFT writes it.  Borrowed from the adapter */
    uint64_t rows;
    uint64_t cols;
} axl_tensor_info;

#define AXL_TENSOR_INFO_INIT                                                                       \
    {                                                                                              \
        sizeof(axl_tensor_info), NULL, 0, 0                                                        \
    }

/** What an adapter is, as its adapter_config.json says it. */
typedef struct axl_adapter_info {
    size_t size;                       /**< sizeof(axl_adapter_info); set by the caller */
    const char *base_model_name;       /**< of its model; NULL: it has none.  Borrowed */
    const char *const *target_modules; /**< (n_target_modules) names.  Borrowed from the adapter */
    size_t n_target_modules;
    double alpha;
    double dropout;
    uint32_t rank;                 /**< of layers that rank_pattern does not name */
    uint32_t rslora;               /**< 1: scale = alpha / sqrt(rank), else alpha / rank */
    const char *target_regex;      /**< in place of target_modules; NULL: none.  Borrowed */
    const char *bias;              /**< "none", "all" or "lora_only".  Borrowed */
    const char *init_lora_weights; /**< how its values began.  Borrowed */
    uint32_t lora_bias;
    uint32_t use_dora;
    const char *const *modules_to_save; /**< (n_modules_to_save) trained whole.  Borrowed */
    size_t n_modules_to_save;
    uint32_t ensure_weight_tying;
    uint32_t reserved0;               /**< 0 */
    const uint32_t *trainable_tokens; /**< (n_trainable_tokens).  Borrowed */
    size_t n_trainable_tokens;
    const uint32_t *trainable_head_tokens; /**< (n_trainable_head_tokens).  Borrowed */
    size_t n_trainable_head_tokens;
} axl_adapter_info;

#define AXL_ADAPTER_INFO_INIT                                                                      \
    {                                                                                              \
        sizeof(axl_adapter_info), NULL, NULL, 0, 0.0, 0.0, 0u, 0u, NULL, NULL, NULL, 0u, 0u, NULL, \
            0, 0u, 0u, NULL, 0, NULL, 0                                                            \
    }

/**
 * A new adapter.  How it begins says init_lora_weights, in PEFT's words:
 *
 * - "true": A uniform in +-1/sqrt(in) (Kaiming, a = sqrt(5)), B zero;
 * - "false": both so, and nothing is zero;
 * - "gaussian": A normal of deviation 1/r, B zero;
 * - "orthogonal": random, with B A = 0; ranks are even;
 * - "pissa": the weight's r largest singular values (Meng et al., 2024), found until they stand or
 * for 96 iterations; "pissa_niter_N": roughly, by N iterations of a random subspace;
 * - "olora": the first r columns and rows of its QR (Büyükakyüz, 2024).
 *
 * Whichever it is, the embedding's pair, where the embedding is named, begins with A zero and B
 * normal, or with "false" with both normal.
 *
 * PEFT takes what the last three begin with out of the weight.  Here the weight stays as it is, and
 * a second pair that is not trained takes it away: what is saved is plain LoRA of twice the rank on
 * the weights as their files have them, as PEFT's save_pretrained() makes of it with
 * path_initial_model_for_weight_conversion.
 *
 * @param[out] out   The adapter; NULL on failure.  Release with axl_adapter_free().
 * @param[in]  model The adapter takes its own reference.
 * @param[in]  opts  NULL for the defaults.  Copied.
 *
 * @retval AXL_ERR_INVALID     An option is out of range, or a target names no layer.
 * @retval AXL_ERR_UNSUPPORTED A way to begin that is PEFT's alone, or one that wants weights that
 *                             are not quantised; what the embedding's pair does not go with: DoRA,
 *                             lora_bias, PiSSA, OLoRA and LoftQ, new tokens, a head that is to
 * share it.  It is named.
 * @retval AXL_ERR_ABI
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_new(axl_adapter **out, axl_model *model,
                                                  const axl_adapter_options *opts);

/**
 * An adapter from a PEFT folder: adapter_config.json and adapter_model.safetensors.  One that began
 * by "pissa" or "olora" stands on weights without that part, which is found again as PEFT does.
 *
 * @param[out] out   The adapter; NULL on failure.  Release with axl_adapter_free().
 * @param[in]  model The adapter takes its own reference.
 * @param[in]  dir   Borrowed for the call.
 *
 * @retval AXL_ERR_NOT_FOUND   A file is missing.
 * @retval AXL_ERR_FORMAT      A file is broken, or does not fit the model.
 * @retval AXL_ERR_UNSUPPORTED An adapter of another kind, or one that brings another embedding than
 *                             the model's; it is named.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_open(axl_adapter **out, axl_model *model,
                                                   const char *dir);

/**
 * An adapter from memory: the files of a PEFT folder.
 *
 * @param[out] out   The adapter; NULL on failure.  Release with axl_adapter_free().
 * @param[in]  model The adapter takes its own reference.
 * @param[in]  files (n) adapter_config.json and adapter_model.safetensors; more do no harm.
 *                   Borrowed for the call.
 * @param[in]  n     At least 1.
 *
 * @retval AXL_ERR_INVALID A file has no name, or one of another.
 * @return Else as axl_adapter_open(); messages name a file as it is named in @p files.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_open_files(axl_adapter **out, axl_model *model,
                                                         const axl_file *files, size_t n);

/**
 * The adapter of a config, or NULL where it has none and the model's own weights are trained:
 * lora_model_dir when it is set, whose own rank, alpha and targets win, else a new one from the
 * keys lora_* and peft_*.
 *
 * @param[out] out   The adapter; NULL on failure.  Release with axl_adapter_free().
 * @param[in]  cfg   Borrowed for the call.
 * @param[in]  model The adapter takes its own reference.
 *
 * @return As axl_adapter_new() and axl_adapter_open().
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_from_config(axl_adapter **out, const axl_config *cfg,
                                                          axl_model *model);

/**
 * One adapter of several, as PEFT's add_weighted_adapter() makes it, for the model that all are of:
 *
 * - "cat": their pairs side by side, which is the weighted sum of what each adds, exactly; the rank
 *   is that of all together;
 * - "linear": the sums of their A and of their B, each times the root of weight and scale, a sign
 *   with A; of the rank that all have.  The sum has the products of one's B and another's A, too.
 *
 * One adapter alone is always "linear", and then only weighted.  The new one's scale is 1 (alpha is
 * the rank, and PEFT's use_rslora of the first one is not taken over, which would scale the sum
 * again).  It adapts every layer that one of them does, and for the rest is as the first one says.
 *
 * @param[out] out      The adapter, which keeps nothing of the others; NULL on failure.  Release
 *                      with axl_adapter_free().
 * @param[in]  adapters (n) of the same model; one may come twice.  Borrowed for the call.
 * @param[in]  weights  (n) of any sign.  Borrowed for the call.
 * @param[in]  n        At least 1.
 * @param[in]  type     "cat" or "linear"; NULL: "cat".
 *
 * @retval AXL_ERR_INVALID     The adapters are of several models, a weight is not finite, ranks
 *                             differ ("linear") or their sum is above 4096 ("cat").
 * @retval AXL_ERR_UNSUPPORTED Another of PEFT's types, or an adapter that trains more than pairs;
 *                             it is named.
 * @retval AXL_ERR_BUSY        A trainer of one is in a call, or its values are being written.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_combine(axl_adapter **out,
                                                      const axl_adapter *const *adapters,
                                                      const double *weights, size_t n,
                                                      const char *type);

/**
 * Drop the caller's reference.
 *
 * @param[in] adapter NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_adapter_free(axl_adapter *adapter);

/**
 * Write adapter_config.json and adapter_model.safetensors as PEFT does.
 *
 * @param[in] adapter Borrowed.
 * @param[in] dir     Made when it does not exist.  Borrowed for the call.
 *
 * @retval AXL_ERR_INVALID   @p dir is the folder of the model.
 * @retval AXL_ERR_BUSY      Its trainer is in a call, or its values are being written.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_IO
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, each into a folder of its own.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_save(const axl_adapter *adapter, const char *dir);

/**
 * Hand out the files that axl_adapter_save() writes, the same byte for byte: first
 * adapter_model.safetensors, then adapter_config.json.
 *
 * @param[in] adapter Borrowed.
 * @param[in] fn      Called on the calling thread; may read the adapter.
 * @param[in] user    Handed to @p fn.
 *
 * @retval AXL_ERR_BUSY      Its trainer is in a call, or its values are being written.
 * @retval AXL_ERR_CANCELLED Also where @p fn stopped.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_save_files(const axl_adapter *adapter, axl_file_fn fn,
                                                         void *user);

/**
 * What the adapter is.
 *
 * @param[in]     adapter Borrowed.
 * @param[in,out] out     Its size is set by the caller.
 *
 * @retval AXL_ERR_ABI @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_get_info(const axl_adapter *adapter,
                                                       axl_adapter_info *out);

/**
 * Add an adapter into the weights of its model as its files have them, in f32; axl_model_save()
 * then writes a model that needs no adapter, rounded once to the type of each tensor there.  A head
 * that is the embedding gets a weight of its own where the adapter changes one of the two.  The
 * adapter is not changed, and adding it again would count it twice.
 *
 * @param[in] adapter Borrowed.
 *
 * @retval AXL_ERR_BUSY        A trainer of the model, or of one of its adapters, is alive, or a
 *                             call computes with the model or writes the adapter's values.
 * @retval AXL_ERR_UNSUPPORTED It has a pair of the output head, which is the embedding here, or
 *                             has a bias of B (lora_bias) for a layer without one.
 * @retval AXL_ERR_CANCELLED   The model is as before.
 * @retval AXL_ERR_NOMEM       Likewise.
 *
 * Thread: one at a time on the model.  Progress phases "load" and "merge".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_merge(axl_adapter *adapter);

/**
 * Write the model that axl_adapter_merge() and axl_model_save() make, without changing the model: a
 * tensor at a time, in memory for the largest one that changes, twice in f32.  Weights in 4 or 8
 * bits are widened to what training saw.  Above 50 GB the weights are in shards with an index.
 *
 * @param[in] adapter Borrowed.
 * @param[in] dir     As axl_model_save().
 *
 * @retval AXL_ERR_BUSY        The model's weights are being trained or changed, or the adapter's
 *                             values written.
 * @retval AXL_ERR_INVALID     @p dir is the folder that the model was opened from, or holds its
 *                             files.
 * @retval AXL_ERR_UNSUPPORTED As axl_adapter_merge().
 * @retval AXL_ERR_IO          A file cannot be written.
 * @retval AXL_ERR_CANCELLED   Files that were begun are gone.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: as reading the adapter.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_save_merged(const axl_adapter *adapter,
                                                          const char *dir);

/**
 * The number of trained tensors: two a layer that is targeted, its biases and magnitudes, and the
 * weights and biases of modules that are trained whole.
 *
 * @param[in] adapter Borrowed.
 * @return The count.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_adapter_count(const axl_adapter *adapter);

/**
 * A tensor's name and shape.
 *
 * @param[in]     adapter Borrowed.
 * @param[in]     index   Below axl_adapter_count().
 * @param[in,out] out     Its size is set by the caller.
 *
 * @retval AXL_END         @p index is past the end.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_get_tensor(const axl_adapter *adapter, size_t index,
                                                         axl_tensor_info *out);

/**
 * Copy a tensor's values out.
 *
 * @param[in]  adapter Borrowed.
 * @param[in]  index   Below axl_adapter_count().
 * @param[out] values  (rows, cols) f32, the caller's memory.
 *
 * @retval AXL_ERR_INVALID
 * @retval AXL_ERR_BUSY    Its trainer is in a call, or its values are being written.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_read(const axl_adapter *adapter, size_t index,
                                                   float *values);

/**
 * Set a tensor's values, for a host's own initialisation or optimizer.
 *
 * @param[in] adapter Borrowed.
 * @param[in] index   Below axl_adapter_count().
 * @param[in] values  (rows, cols) f32.  Copied.
 *
 * @retval AXL_ERR_INVALID
 * @retval AXL_ERR_BUSY    Its trainer is in a call, or another call reads or writes its values.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_adapter_write(axl_adapter *adapter, size_t index,
                                                    const float *values);

#ifdef __cplusplus
}
#endif

#endif
