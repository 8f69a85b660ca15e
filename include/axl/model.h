/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model.h
 * A language model's weights, from a folder in Hugging Face form.
 */
#ifndef AXL_MODEL_H
#define AXL_MODEL_H

#include <axl/config.h>
#include <axl/context.h>
#include <axl/file.h>
#include <axl/loader.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_model axl_model;
typedef struct axl_adapter axl_adapter;

/** The type that activations and products are computed in. */
typedef enum axl_compute {
    AXL_COMPUTE_AUTO = 0,   /**< bf16 where the machine has bf16 dot products, else f32 */
    AXL_COMPUTE_F32 = 1,    /**< f32 throughout */
    AXL_COMPUTE_BF16 = 2,   /**< bf16 weights and activations, sums in f32 */
    AXL_COMPUTE_STORED = 3, /**< bf16 where the file's embedding is, else f32 */
    AXL_COMPUTE_FORCE_INT32 = 0x7fffffff
} axl_compute;

/** How the weights of the linear layers lie in memory: as bitsandbytes quantises them (Dettmers et
 *  al., "LLM.int8()", 2022, and "QLoRA", 2023).  Embeddings, norms and biases stay as they are. */
typedef enum axl_weights {
    AXL_WEIGHTS_STORED = 0, /**< as the files have them: full precision, or quantised already */
    AXL_WEIGHTS_NF4 = 1,    /**< 4 bits, a scale for each 64 */
    AXL_WEIGHTS_FP4 = 2,    /**< 4 bits with other values, likewise */
    AXL_WEIGHTS_INT8 = 3,   /**< 8 bits, a scale for each row */
    AXL_WEIGHTS_FORCE_INT32 = 0x7fffffff
} axl_weights;

typedef struct axl_model_options {
    size_t size;         /**< sizeof(axl_model_options); set by _INIT */
    const char *backend; /**< "cpu", "reference", or the NAME of a plugin libaxl-NAME.so.0 such as
                              "cuda", with ":1" for its second device; "auto": the first CUDA
                              device where there is one, else the CPU; NULL: "cpu".  Copied */
    uint32_t compute;    /**< an axl_compute */
    uint32_t read;       /**< 1: read the weights into memory instead of mapping the file, or copy
                              what is in memory, which is then borrowed for the call alone */
    const char *name;    /**< base_model_name_or_path of its adapters; NULL: the path, or none of a
                              model that has none.  Copied */
    uint32_t weights;    /**< an axl_weights that is made while loading; files that are quantised
                              stay what they are */
    uint32_t plain_scales;           /**< 1: the scales of 4 bits stay f32, else they are quantised
                                          themselves */
    const char *const *keep_modules; /**< (n_keep_modules) linear layers that stay as they are, by
                                          the beginnings or ends of their names; NULL: the output
                                          head.  Copied */
    size_t n_keep_modules;
    uint64_t seed;   /**< of reinit */
    uint32_t reinit; /**< 1: no weights are read; they are drawn as transformers begins a model of
                          this config.json, for training them all */
    uint32_t reserved0; /**< must be 0 */
} axl_model_options;

#define AXL_MODEL_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(axl_model_options), NULL, AXL_COMPUTE_AUTO, 0u, NULL, AXL_WEIGHTS_STORED, 0u, NULL, \
            0, 42u, 0u, 0u                                                                         \
    }

/** What a model is.  Sizes are elements. */
typedef struct axl_model_info {
    size_t size;            /**< sizeof(axl_model_info); set by the caller */
    uint64_t n_params;      /**< of the base weights; a tied head counts once */
    uint64_t weights_bytes; /**< as they lie in memory */
    uint32_t n_layers;
    uint32_t hidden_size;
    uint32_t intermediate_size;
    uint32_t n_heads;
    uint32_t n_kv_heads;
    uint32_t head_dim;
    uint32_t vocab_size;
    uint32_t max_seq_len; /**< max_position_embeddings: what the model was made for.  Generating
                               keeps to it; a longer sequence is trained and looked at, with
                               positions that the model has not seen */
    uint32_t compute;     /**< AXL_COMPUTE_F32 or AXL_COMPUTE_BF16 */
    uint32_t tied_head;   /**< 1: the output head is the embedding */
    uint32_t weights;     /**< an axl_weights: how linear layers are quantised, by the files or by
                               option; AXL_WEIGHTS_STORED: not */
    uint32_t reserved0;   /**< 0 */
} axl_model_info;

#define AXL_MODEL_INFO_INIT                                                                        \
    {                                                                                              \
        sizeof(axl_model_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                           \
    }

/**
 * Load a model: config.json, and model.safetensors or the shards of its index.  A mapped file must
 * not be cut short in place while the model lives: reading past its new end kills the process.
 *
 * @param[out] out  The model; NULL on failure.  Release with axl_model_free().
 * @param[in]  ctx  The model takes its own reference.
 * @param[in]  path A folder, or a Hub id: from the Hugging Face cache, into which what is missing
 *                  is downloaded when the context allows the network.
 * @param[in]  opts NULL for the defaults.  Copied.
 *
 * @retval AXL_ERR_NOT_FOUND   No such folder, file or id.
 * @retval AXL_ERR_IO          A file cannot be read or downloaded.
 * @retval AXL_ERR_FORMAT      A file is broken, or a tensor is missing or has another shape.
 * @retval AXL_ERR_UNSUPPORTED Another architecture, or weights in another form; it is named.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phases "download" and "load".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_open(axl_model **out, axl_context *ctx,
                                                 const char *path, const axl_model_options *opts);

/**
 * Load a model from memory: the files that axl_model_open() would find in a folder.  Weights are
 * computed with where they lie when the device shares the host's memory and neither type nor
 * alignment (to the type's size) is in the way, so the bytes of safetensors files are borrowed
 * until the model is freed, or its weights are trained or merged (of a checkpoint that has more
 * than a language model, or where some weights are trained and others frozen, until it is freed,
 * for those bytes are written again); all other files for the call alone.
 *
 * @param[out] out   The model; NULL on failure.  Release with axl_model_free().
 * @param[in]  ctx   The model takes its own reference.
 * @param[in]  files (n) config.json, and model.safetensors or its index and shards; more do no
 * harm.
 * @param[in]  n     At least 1.
 * @param[in]  opts  NULL for the defaults.  Copied.
 *
 * @retval AXL_ERR_INVALID A file has no name, or one of another; an option is out of range.
 * @return Else as axl_model_open(); messages name a file as it is named in @p files.
 *
 * Thread: any.  Progress phase "load".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_open_files(axl_model **out, axl_context *ctx,
                                                       const axl_file *files, size_t n,
                                                       const axl_model_options *opts);

/** The type of a tensor's numbers, little-endian. */
typedef enum axl_tensor_type {
    AXL_TENSOR_F32 = 1,
    AXL_TENSOR_BF16 = 2,
    AXL_TENSOR_F16 = 3,
    AXL_TENSOR_TYPE_FORCE_INT32 = 0x7fffffff
} axl_tensor_type;

/** A tensor's values, rows one behind another. */
typedef struct axl_tensor_data {
    size_t size;           /**< sizeof(axl_tensor_data); set by who makes the struct */
    const void *data;      /**< (length) bytes of any alignment */
    size_t length;         /**< what type and shape make */
    const uint64_t *shape; /**< (n_dims), borrowed until the function is called again */
    uint32_t n_dims;
    uint32_t type; /**< an axl_tensor_type */
} axl_tensor_data;

#define AXL_TENSOR_DATA_INIT                                                                       \
    {                                                                                              \
        sizeof(axl_tensor_data), NULL, 0, NULL, 0u, 0u                                             \
    }

/** Gives the tensor of a name, which is as in safetensors files and borrowed for the call: AXL_OK
 * with *out filled in, AXL_END where there is none; anything else stops: AXL_ERR_CANCELLED. */
typedef axl_status (*axl_tensor_fn)(void *user, const char *name, axl_tensor_data *out);

/**
 * Load a model from a host's tensors, by name.  Each tensor that the architecture has is asked for
 * once, in the course of this call: the embedding, norms, linear layers, the head (of a tied one,
 * too: AXL_END where it is the embedding), biases.  Values are borrowed like those of
 * axl_model_open_files(); with axl_model_options.read each until the function is called again.
 *
 * @param[out] out    The model; NULL on failure.  Release with axl_model_free().
 * @param[in]  ctx    The model takes its own reference.
 * @param[in]  config The text of config.json; of the ids that end a text, its eos_token_id alone
 * counts. Borrowed for the call.
 * @param[in]  length Bytes in @p config.
 * @param[in]  tensor Called on the calling thread; it must not use the model that is being made.
 * @param[in]  user   Handed to @p tensor.
 * @param[in]  opts   NULL for the defaults.  Copied.
 *
 * @retval AXL_ERR_INVALID   A tensor's bytes are not what its type and shape make.
 * @retval AXL_ERR_CANCELLED Also where @p tensor stopped.
 * @return Else as axl_model_open().
 *
 * Thread: any.  Progress phase "load".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_open_tensors(axl_model **out, axl_context *ctx,
                                                         const char *config, size_t length,
                                                         axl_tensor_fn tensor, void *user,
                                                         const axl_model_options *opts);

/**
 * Load the model that a config names: base_model, bf16, axl.backend, axl.load.
 *
 * @param[out] out The model; NULL on failure.  Release with axl_model_free().
 * @param[in]  cfg Borrowed for the call.
 *
 * @return As axl_model_open().
 *
 * Thread: any.  Progress phase "load".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_from_config(axl_model **out, const axl_config *cfg);

/**
 * Drop the caller's reference.
 *
 * @param[in] model NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_model_free(axl_model *model);

/**
 * What the model is.
 *
 * @param[in]     model Borrowed.
 * @param[in,out] out   Its size is set by the caller.
 *
 * @retval AXL_ERR_ABI @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_get_info(const axl_model *model, axl_model_info *out);

/**
 * Give the embedding, and the head, a row for each token of a tokenizer, as Axolotl does between
 * loading a model and training it: where there are fewer, or more with shrink_embeddings; to a
 * multiple of 32 with resize_token_embeddings_to_32x.  Old rows stay; new ones are normal with
 * config.json's initializer_range, or with mean_resizing_embeddings drawn closely around the mean
 * of the old ones, by the config's seed (PyTorch draws other numbers of the same distributions).
 * What is saved later has the new vocab_size.  axl_run does it on its own.
 *
 * @param[in] model    Nothing else has a reference to it yet: no adapter, no trainer.
 * @param[in] cfg      Borrowed for the call; NULL: exactly @p n_tokens where there are fewer,
 * around the mean.
 * @param[in] n_tokens axl_tokenizer_vocab_size().
 *
 * @retval AXL_ERR_BUSY        There is another reference, or a call computes with it.
 * @retval AXL_ERR_INVALID     Its weights were trained or merged.
 * @retval AXL_ERR_UNSUPPORTED The head is quantised.
 * @retval AXL_ERR_CANCELLED   The model is as before.
 * @retval AXL_ERR_NOMEM       Likewise.
 *
 * Thread: one at a time on the model.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_resize_embeddings(axl_model *model,
                                                              const axl_config *cfg,
                                                              uint32_t n_tokens);

/**
 * Write a model whose weights were trained, merged or quantised as a folder in Hugging Face form:
 * model.safetensors with each tensor in the type that the base's files have it in, config.json, and
 * generation_config.json where the base had one.  What neither changed is written bit for bit, the
 * other parts of a checkpoint whose language model was trained among it (not of a model that a
 * host's function gave the tensors of, which is asked for the language model alone).  Weights in 4
 * or 8 bits are written as transformers and bitsandbytes write and read them.
 *
 * @param[in] model Borrowed; no trainer of its weights may be alive.
 * @param[in] dir   Made if need be; files of these names are replaced, each whole or not at all.
 *
 * @retval AXL_ERR_BUSY      A trainer of its weights is alive, or another call saves it.
 * @retval AXL_ERR_INVALID   None of it was: the weights are what the folder holds.  Or @p dir, by
 * any path or link, is the folder that the model was opened from, or holds its files: nothing is
 * written over a base model.
 * @retval AXL_ERR_IO        A file cannot be written.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_save(axl_model *model, const char *dir);

/** Receives a tensor, borrowed for the call; a non-zero return stops with AXL_ERR_CANCELLED. */
typedef int (*axl_tensor_out_fn)(void *user, const char *name, const axl_tensor_data *tensor);

/**
 * Hand out what axl_model_save() writes: config.json (and generation_config.json) as files, then
 * each tensor by itself, so that a large model needs no second copy of itself.  What was handed out
 * is what axl_model_open_tensors() takes.
 *
 * @param[in] model  Borrowed; no trainer of its weights may be alive.
 * @param[in] file   Called on the calling thread.
 * @param[in] tensor Likewise; neither may use the model.
 * @param[in] user   Handed to both.
 *
 * @retval AXL_ERR_BUSY      A trainer of its weights is alive, or another call saves it.
 * @retval AXL_ERR_INVALID   Its weights were neither trained nor merged.
 * @retval AXL_ERR_CANCELLED Also where the host stopped.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_save_tensors(axl_model *model, axl_file_fn file,
                                                         axl_tensor_out_fn tensor, void *user);

/**
 * The logits of every token of one sequence.
 *
 * @param[in]  model   Borrowed.
 * @param[in]  adapter Borrowed; NULL for the base model alone.
 * @param[in]  ids     (n) ids below vocab_size.  Borrowed.
 * @param[in]  n       Tokens; at least 1.
 * @param[out] logits  (n, vocab_size) f32, the caller's memory.
 *
 * @retval AXL_ERR_INVALID An id or @p n is out of range, or the adapter is of another model.
 * @retval AXL_ERR_BUSY    The weights are being trained or changed, or the adapter's trainer is in
 *                         a call.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_logits(const axl_model *model,
                                                   const axl_adapter *adapter, const int32_t *ids,
                                                   size_t n, float *logits);

/**
 * Logits of a packed batch, as axl_model_logits() gives them for each of its sequences alone.
 *
 * @param[in]  model   Borrowed.
 * @param[in]  adapter Borrowed; NULL for the base model alone.
 * @param[in]  batch   Borrowed; its labels may be NULL.
 * @param[in]  rows    (n_rows) the tokens that are asked for, ascending.  NULL: all of them.
 * @param[in]  n_rows  Ignored where @p rows is NULL.
 * @param[out] logits  (n_rows or n_tokens, vocab_size) f32, the caller's memory.
 *
 * @retval AXL_ERR_INVALID An id, a row or an offset is out of range, or the adapter is of another
 *                         model.
 * @retval AXL_ERR_BUSY    The model's weights are being trained.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phase "evaluate".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_batch_logits(const axl_model *model,
                                                         const axl_adapter *adapter,
                                                         const axl_batch *batch,
                                                         const int32_t *rows, size_t n_rows,
                                                         float *logits);

/**
 * The loss of each label of a batch: -log p(label | what is before it).
 *
 * @param[in]  model   Borrowed.
 * @param[in]  adapter Borrowed; NULL for the base model alone.
 * @param[in]  batch   Borrowed; weights of labels play no part.
 * @param[out] losses  (n_tokens) f32, the caller's memory: each at its label's place; 0 where the
 *                     label is AXL_LABEL_IGNORE or the first of a sequence.
 *
 * @return As axl_model_batch_logits().
 *
 * Thread: any.  Progress phase "evaluate".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_batch_losses(const axl_model *model,
                                                         const axl_adapter *adapter,
                                                         const axl_batch *batch, float *losses);

/**
 * Hidden states of a batch, as transformers' output_hidden_states numbers them, but for the last,
 * which is here as the last layer leaves it, before the final norm.
 *
 * @param[in]  model   Borrowed.
 * @param[in]  adapter Borrowed; NULL for the base model alone.
 * @param[in]  batch   Borrowed; its labels may be NULL.
 * @param[in]  layer   0: the embeddings; l: what comes out of layer l, at most n_layers.
 * @param[out] hidden  (n_tokens, hidden_size) f32, the caller's memory.
 *
 * @return As axl_model_batch_logits().
 *
 * Thread: any.  Progress phase "evaluate".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_batch_hidden(const axl_model *model,
                                                         const axl_adapter *adapter,
                                                         const axl_batch *batch, uint32_t layer,
                                                         float *hidden);

#ifdef __cplusplus
}
#endif

#endif
