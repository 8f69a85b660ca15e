/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file trainer.h
 * The training step: forward and backward over batches that accumulate, then clip, optimizer and
 * schedule.  The host decides when to step.
 */
#ifndef AXL_TRAINER_H
#define AXL_TRAINER_H

#include <axl/adapter.h>
#include <axl/loader.h>
#include <axl/optimizer.h>
#include <axl/schedule.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_trainer axl_trainer;

typedef enum axl_loss_average {
    AXL_LOSS_TOKENS = 0,        /**< over all trained tokens of the step */
    AXL_LOSS_MICRO_BATCHES = 1, /**< the mean of the batches' own means */
    AXL_LOSS_FORCE_INT32 = 0x7fffffff
} axl_loss_average;

/** What a ReLoRA restart makes 0 in the optimizer's moments. */
typedef enum axl_relora_prune {
    AXL_PRUNE_MAGNITUDE = 0, /**< the smallest relora_prune_ratio of each */
    AXL_PRUNE_RANDOM = 1,    /**< a random relora_prune_ratio */
    AXL_PRUNE_FORCE_INT32 = 0x7fffffff
} axl_relora_prune;

typedef struct axl_trainer_options {
    size_t size;                            /**< sizeof(axl_trainer_options); set by _INIT */
    double learning_rate;                   /**< peak rate; must be > 0 */
    const axl_optimizer_options *optimizer; /**< NULL: AdamW.  Copied */
    double max_grad_norm;       /**< global L2 norm that gradients are clipped to; 0: no clipping */
    double neftune_noise_alpha; /**< NEFTune: uniform noise of alpha / sqrt(L C) on the embeddings
                               of a sequence of L tokens, C hidden; 0: none */
    const axl_schedule_options *schedule; /**< of the rate; NULL: constant.  Copied */
    uint64_t relora_steps; /**< ReLoRA (Lialin et al., 2023): after every so many steps the pairs
                               are frozen, still added to the layers, and new ones begin; the
                               adapter that is saved holds all of them.  0: never */
    double relora_prune_ratio;            /**< in [0, 1] */
    uint64_t seed;                        /**< of dropout, noise and new pairs */
    uint32_t relora_prune;                /**< an axl_relora_prune */
    uint32_t loss_average;                /**< an axl_loss_average */
    uint32_t gradient_accumulation_steps; /**< for axl_trainer_ready(), with last_of_step */
    uint32_t checkpointing; /**< 1: keep each layer's input alone and compute the layer again */
    uint32_t max_tokens;    /**< the largest batch; 0: the arena grows when a larger one comes */
    uint32_t lisa_layers;   /**< LISA (Pan et al., 2024): of a model's own weights, so many
                                 decoder layers are trained at a time, besides all that is no
                                 layer; 0: all */
    double label_smoothing; /**< in [0, 1): so much of each label's weight goes to all tokens alike;
                               of the training loss alone, evaluations are without */
    uint64_t lisa_steps;    /**< LISA's layers are picked anew every so many steps, at random */
    /** (n_unfrozen_parameters) of a model's own weights, which are trained: regular expressions, as
        Python's, that a tensor's name in transformers begins with, in which a dot is literal but
        before a +.  "name[2:7]" trains these rows alone: the gradient of the others is 0, and
       weight decay moves them nevertheless.  NULL: all weights.  Borrowed for the call */
    const char *const *unfrozen_parameters;
    size_t n_unfrozen_parameters;
    uint32_t graphs;   /**< 1: a device that can runs a batch's launches as one (CUDA graphs) where
                            an earlier batch had the same shapes, with the same results; 0: it never
                            does */
    uint32_t reserved; /**< 0 */
} axl_trainer_options;

#define AXL_TRAINER_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(axl_trainer_options), 2e-4, NULL, 1.0, 0.0, NULL, 0, 0.9, 42u, AXL_PRUNE_MAGNITUDE, \
            AXL_LOSS_TOKENS, 1u, 0u, 0u, 0u, 0.0, 0, NULL, 0, 1u, 0u                               \
    }

/** What one optimizer step did. */
typedef struct axl_step_stats {
    size_t size;          /**< sizeof(axl_step_stats); set by the caller */
    uint64_t step;        /**< steps done, this one counted */
    double loss;          /**< mean over the step's trained tokens (or of its batches' means) */
    double grad_norm;     /**< before clipping */
    double learning_rate; /**< that this step used */
    uint64_t n_tokens;    /**< tokens of the step's batches */
    uint64_t n_trained;   /**< of them, predictions that counted: trained labels, or the rows of a
                               host's own loss */
} axl_step_stats;

#define AXL_STEP_STATS_INIT                                                                        \
    {                                                                                              \
        sizeof(axl_step_stats), 0, 0.0, 0.0, 0.0, 0, 0                                             \
    }

/**
 * Create a trainer of an adapter, or of a model's own weights (full fine-tuning).
 *
 * A trainer without an adapter moves the model's weights into memory of its own, as f32, and owns
 * the model while it lives: calls that compute with it return AXL_ERR_BUSY.  Afterwards the model
 * has the trained weights; axl_model_save() writes them.
 *
 * @param[out] out     The trainer; NULL on failure.  Release with axl_trainer_free().
 * @param[in]  model   The trainer takes its own reference.
 * @param[in]  adapter Made for @p model; the trainer takes its own reference and writes its values.
 *                     NULL: all weights of @p model are trained.
 * @param[in]  opts    NULL for the defaults.  Copied.
 *
 * @retval AXL_ERR_INVALID An option is out of range; axl_last_error() names it.
 * @retval AXL_ERR_BUSY    The model's weights are being trained, or are to be while an adapter is;
 *                         or @p adapter has a trainer already.
 * @retval AXL_ERR_ABI     @p opts sets a field this library does not know.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any; the trainer may then be used from one thread at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_new(axl_trainer **out, axl_model *model,
                                                  axl_adapter *adapter,
                                                  const axl_trainer_options *opts);

/**
 * A trainer with a config's optimizer, schedule and accumulation.
 *
 * @param[out] out         The trainer; NULL on failure.  Release with axl_trainer_free().
 * @param[in]  cfg         Borrowed for the call.
 * @param[in]  model       As axl_trainer_new().
 * @param[in]  adapter     As axl_trainer_new().
 * @param[in]  total_steps Of the whole run, for warm-up and schedule; see
 * axl_loader_get_total_steps(). max_steps of the config wins when it is smaller.
 *
 * @return As axl_trainer_new().
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_from_config(axl_trainer **out, const axl_config *cfg,
                                                          axl_model *model, axl_adapter *adapter,
                                                          uint64_t total_steps);

/**
 * Drop the caller's reference.
 *
 * @param[in] tr NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_trainer_free(axl_trainer *tr);

/**
 * Compute a batch's loss and add its gradients to the step's.
 *
 * @param[in]  tr    Borrowed.
 * @param[in]  batch Borrowed for the call.
 * @param[out] loss  Mean over the batch's trained tokens; 0 when it has none.  NULL: a GPU is not
 *                   waited for, and axl_trainer_step() tells of a loss that is not finite.
 *
 * @retval AXL_ERR_INVALID   An id, label or offset is out of range.
 * @retval AXL_ERR_UNSUPPORTED The batch has roles or pairs: there is no loss of preferences.
 * @retval AXL_ERR_NUMERIC   The loss is not finite; the gradients are as before the call.
 * @retval AXL_ERR_CANCELLED The gradients are as before the call.
 * @retval AXL_ERR_BUSY      Called from a callback of this trainer, or another call reads the
 *                           adapter: nothing was done.
 * @retval AXL_ERR_IO        A mapped weight file was changed.
 * @retval AXL_ERR_NOMEM     The gradients are as before the call.
 *
 * Thread: one at a time.  Progress phase "train", in layers.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_forward_backward(axl_trainer *tr,
                                                               const axl_batch *batch,
                                                               double *loss);

/** Rows of logits on their way through a host's own loss; row r of a batch predicts token r + 1. */
typedef struct axl_logits {
    size_t size;            /**< sizeof(axl_logits) in the library */
    const axl_batch *batch; /**< as it was given */
    const int32_t *rows;    /**< (n_rows) tokens of the batch, ascending */
    float *logits;          /**< (n_rows, vocab_size); the callback leaves the loss's gradient by
                                 each of them in its place */
    double loss;            /**< 0; receives these rows' part of the loss */
    uint64_t first;         /**< rows of the batch that came before */
    uint64_t total;         /**< rows of the batch in all */
    uint32_t n_rows;
    uint32_t vocab_size;
} axl_logits;

/** A host's own loss; everything is borrowed for the call.  Non-zero stops: AXL_ERR_CANCELLED. */
typedef int (*axl_loss_fn)(void *user, axl_logits *rows);

typedef struct axl_loss_options {
    size_t size;      /**< sizeof(axl_loss_options); set by _INIT */
    axl_loss_fn loss; /**< called for some rows at a time, at most 256, in order */
    void *user;       /**< passed to it */
    float *logits;    /**< (rows, vocab_size) the host's memory: loss is called once, for all rows
                           of the batch, there; the logits are then computed twice.  NULL: none */
    uint64_t terms;   /**< the loss is the sum of so many: what the step divides by, over all
                           batches of the step.  0: as many as there are rows */
    uint32_t
        all_rows; /**< 1: the logits of every token; 0: of those that predict a trained label */
    uint32_t reserved0; /**< must be 0 */
} axl_loss_options;

#define AXL_LOSS_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(axl_loss_options), NULL, NULL, NULL, 0, 0u, 0u                                      \
    }

/**
 * As axl_trainer_forward_backward() with a loss of the host's own.  Gradients of such batches and
 * of others add up.  Label smoothing and the weights of labels are axl's loss's and play no part.
 *
 * @param[in]  tr    Borrowed.
 * @param[in]  batch Borrowed for the call; with all_rows its labels may be NULL.
 * @param[in]  opts  Borrowed for the call.
 * @param[out] loss  Sum of what the callback said, divided by the terms; 0 where there are no rows.
 *                   May be NULL.
 *
 * @retval AXL_ERR_INVALID   There is no callback.
 * @retval AXL_ERR_CANCELLED Also when the callback returned non-zero; the gradients are as before.
 * @return Else as axl_trainer_forward_backward().
 *
 * Thread: one at a time.  The callback runs on the calling thread.  Progress phase "train".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_forward_backward_with(axl_trainer *tr,
                                                                    const axl_batch *batch,
                                                                    const axl_loss_options *opts,
                                                                    double *loss);

/**
 * Whether a step is due: gradient_accumulation_steps batches have come since the last, or the last
 * one had last_of_step set.
 *
 * @param[in] tr Borrowed.
 * @return 1 or 0.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API int axl_trainer_ready(const axl_trainer *tr);

/**
 * Clip the gradients, move the adapter by the optimizer, advance the schedule, zero the gradients.
 * Where no batch had a trained token nothing moves, but the step counts: the loss is 0.
 *
 * @param[in]     tr    Borrowed.
 * @param[in,out] stats What was done; its size is set by the caller.  May be NULL.
 *
 * @retval AXL_ERR_INVALID No batch, and no gradient, has come since the last step.
 * @retval AXL_ERR_NUMERIC The gradient norm is not finite, or a loss that no one asked for: nothing
 *                         was moved, the gradients are zero.
 * @retval AXL_ERR_BUSY    As axl_trainer_forward_backward().
 * @retval AXL_ERR_CANCELLED Nothing was moved.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_step(axl_trainer *tr, axl_step_stats *stats);

/**
 * Throw away what has accumulated since the last step.
 *
 * @param[in] tr Borrowed.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API void axl_trainer_zero_grad(axl_trainer *tr);

/**
 * Set the rate of the next steps, instead of the schedule's.
 *
 * @param[in] tr            Borrowed.
 * @param[in] learning_rate >= 0; a negative value gives the schedule back.
 *
 * @retval AXL_ERR_INVALID Not a number.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_set_learning_rate(axl_trainer *tr,
                                                                double learning_rate);

/**
 * The rate that the next step will train with.
 *
 * @param[in] tr Borrowed.
 * @return The rate of axl_trainer_set_learning_rate(), else the schedule's.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API double axl_trainer_learning_rate(const axl_trainer *tr);

/**
 * Tell the schedule an evaluation's result.  Only AXL_SCHEDULE_REDUCE_ON_PLATEAU listens; what it
 * remembers is part of a checkpoint.
 *
 * @param[in] tr     Borrowed.
 * @param[in] metric Usually the loss; what is not finite is worse than all.
 *
 * @retval AXL_ERR_BUSY Called from a callback of this trainer.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_report_metric(axl_trainer *tr, double metric);

/**
 * Optimizer steps done.
 *
 * @param[in] tr Borrowed.
 * @return The count.
 *
 * Thread: any, also while a call of the trainer is at work.
 * Since: 0.1
 */
AXL_API uint64_t axl_trainer_steps(const axl_trainer *tr);

/**
 * The number of trained tensors: the adapter's, in its order, or the model's.
 *
 * @param[in] tr Borrowed.
 * @return The count.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_trainer_count(const axl_trainer *tr);

/**
 * A trained tensor's name and shape; a vector has one row.
 *
 * @param[in]     tr    Borrowed.
 * @param[in]     index Below axl_trainer_count().
 * @param[in,out] out   Its size is set by the caller; the name is borrowed from the trainer.
 *
 * @retval AXL_END         @p index is past the end.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_get_tensor(const axl_trainer *tr, size_t index,
                                                         axl_tensor_info *out);

/**
 * Copy a trained tensor's values out.
 *
 * @param[in]  tr     Borrowed.
 * @param[in]  index  Below axl_trainer_count().
 * @param[out] values (rows, cols) f32, the caller's memory.
 *
 * @retval AXL_ERR_INVALID
 * @retval AXL_ERR_BUSY A call of the trainer is at work, or another reads the adapter.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_read(const axl_trainer *tr, size_t index,
                                                   float *values);

/**
 * Set a trained tensor's values, for a host's own initialisation or optimizer.  The optimizer's
 * state does not change: schedule-free ones go on from their own.
 *
 * @param[in] tr     Borrowed.
 * @param[in] index  Below axl_trainer_count().
 * @param[in] values (rows, cols) f32.  Copied.
 *
 * @retval AXL_ERR_INVALID
 * @retval AXL_ERR_BUSY A call of the trainer is at work, or another reads the adapter.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_write(axl_trainer *tr, size_t index,
                                                    const float *values);

/**
 * Copy a gradient out, as the next step would use it before clipping: of the mean loss over what
 * has accumulated.
 *
 * @param[in]  tr     Borrowed.
 * @param[in]  index  Below axl_trainer_count().
 * @param[out] values (rows, cols) f32, the caller's memory.
 *
 * @retval AXL_ERR_INVALID
 * @retval AXL_ERR_BUSY A call of the trainer is at work, or another reads the adapter.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_read_gradient(const axl_trainer *tr, size_t index,
                                                            float *values);

/**
 * Set a gradient, as axl_trainer_read_gradient() gives it, for a host's own clipping, noise or sum
 * over machines before the step.  Where no batch has come the step moves by what was written alone.
 *
 * @param[in] tr     Borrowed.
 * @param[in] index  Below axl_trainer_count().
 * @param[in] values (rows, cols) f32.  Copied.
 *
 * @retval AXL_ERR_INVALID
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_write_gradient(axl_trainer *tr, size_t index,
                                                             const float *values);

/**
 * A batch's loss without gradients or dropout.
 *
 * @param[in]  tr       Borrowed.
 * @param[in]  batch    Borrowed for the call.
 * @param[out] loss_sum Sum over the batch's trained tokens.
 *
 * @return As axl_trainer_forward_backward().
 *
 * Thread: one at a time.  Progress phase "evaluate", in layers.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_evaluate(axl_trainer *tr, const axl_batch *batch,
                                                       double *loss_sum);

/**
 * Write the result: the adapter as axl_adapter_save() does, or the trained model as
 * axl_model_save() does.
 *
 * @param[in] tr  Borrowed.
 * @param[in] dir Made if need be.
 *
 * @retval AXL_ERR_INVALID   @p dir is the folder of the base model, or holds its files.
 * @retval AXL_ERR_IO        A file cannot be written.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_export(axl_trainer *tr, const char *dir);

/**
 * Write a checkpoint: the adapter or the weights, the optimizer's state, the step, and the loader's
 * place.  It is written beside @p dir, synced and renamed: whole or not at all.
 *
 * @param[in] tr     Borrowed; no gradients may be accumulated.
 * @param[in] loader Borrowed; NULL for a host's own batches.
 * @param[in] dir    Must not exist, or be an older checkpoint, which is replaced.  Borrowed.
 *
 * @retval AXL_ERR_INVALID   Gradients are accumulated; or the base model lies in @p dir, or it is a
 *                           folder that is no checkpoint.
 * @retval AXL_ERR_CANCELLED What @p dir was before is still there.
 * @retval AXL_ERR_IO        Likewise.
 * @retval AXL_ERR_NOMEM     Likewise.
 *
 * Thread: one at a time.  Progress phase "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_save(axl_trainer *tr, const axl_loader *loader,
                                                   const char *dir);

/**
 * Continue from a checkpoint: with the same data and options, bit for bit.  What differs in the
 * library's version, the instruction set or oneDNN is logged as a warning.  Every file is checked
 * against its checksum first; a failure names the file and leaves the trainer as it was.
 *
 * @param[in] tr     Borrowed.
 * @param[in] loader Borrowed; moved to the checkpoint's place.  NULL for a host's own batches.
 * @param[in] dir    Borrowed.
 *
 * @retval AXL_ERR_NOT_FOUND   A file is missing.
 * @retval AXL_ERR_FORMAT      A file is not the one that was written, or of another adapter.
 * @retval AXL_ERR_UNSUPPORTED A checkpoint of another format than this library's, or of Hugging
 *                             Face's trainer; use lora_model_dir.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_trainer_load(axl_trainer *tr, axl_loader *loader,
                                                   const char *dir);

#ifdef __cplusplus
}
#endif

#endif
