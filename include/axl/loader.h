/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file loader.h
 * Batches from a data set: epochs, order, packing, and a cursor that continues where a run stopped.
 */
#ifndef AXL_LOADER_H
#define AXL_LOADER_H

#include <axl/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_loader axl_loader;

/**
 * Sequences one behind another, without padding.  A host may fill one itself.
 * Sequence s is tokens [cu_seqlens[s], cu_seqlens[s+1]); no token sees another sequence.
 */
typedef struct axl_batch {
    size_t size;               /**< sizeof(axl_batch); set by AXL_BATCH_INIT */
    const int32_t *input_ids;  /**< (n_tokens) */
    const int32_t *labels;     /**< (n_tokens) not shifted; AXL_LABEL_IGNORE: not trained.  NULL
                                    where a call says that it needs none */
    const int32_t *positions;  /**< (n_tokens) from 0 in each sequence; NULL: so */
    const int32_t *cu_seqlens; /**< (n_seqs + 1) starts, the first 0, the last n_tokens */
    const float *weights;      /**< (n_tokens) factors of each label's loss; NULL: all 1.  Means are
                                    still taken over the number of trained labels */
    const uint32_t *roles;     /**< (n_seqs) an axl_role each; NULL: all plain */
    const uint32_t *pairs; /**< (n_seqs) which pair a chosen or rejected sequence belongs to, the
                                same number for both; NULL: there are none */
    uint32_t n_tokens;
    uint32_t n_seqs;
    uint32_t n_trained;    /**< predictions that count: labels but the first of each sequence */
    uint32_t last_of_step; /**< 1: an optimizer step is due after this batch
                                (accumulation, epoch's end) */
} axl_batch;

#define AXL_BATCH_INIT                                                                             \
    {                                                                                              \
        sizeof(axl_batch), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0u, 0u, 0u, 0u                \
    }

typedef struct axl_loader_options {
    size_t size;               /**< sizeof(axl_loader_options); set by _INIT */
    uint64_t seed;             /**< of the order of each epoch */
    uint32_t micro_batch_size; /**< sequences a batch; with packing, sequence_len tokens each */
    uint32_t gradient_accumulation_steps; /**< batches a step */
    uint32_t sequence_len;    /**< with packing: micro_batch_size * sequence_len tokens a bin */
    uint32_t sample_packing;  /**< 1: fill bins with whole samples */
    uint32_t shuffle;         /**< 1: another order each epoch; 0: the data set's order */
    uint32_t real_batches;    /**< with packing, 1: micro_batch_size bins of sequence_len */
    uint32_t keep_order;      /**< with packing, 1: samples go into bins in order */
    uint32_t group_by_length; /**< 1: samples of similar length are near each other in the shuffled
                                   order, the longest first; not with packing */
    double num_epochs;        /**< the end comes after so many; may be a fraction; 0: never */
    uint64_t max_steps;       /**< the end comes after so many optimizer steps instead; 0: as
                                   num_epochs says */
} axl_loader_options;

#define AXL_LOADER_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(axl_loader_options), 42u, 1u, 1u, 2048u, 0u, 1u, 0u, 0u, 0u, 1.0, 0u                \
    }

/** Where a loader stands: all that it needs to continue. */
typedef struct axl_loader_cursor {
    size_t size;    /**< sizeof(axl_loader_cursor); set by the caller */
    uint64_t epoch; /**< whole epochs done */
    uint64_t batch; /**< batches of this epoch done */
} axl_loader_cursor;

#define AXL_LOADER_CURSOR_INIT                                                                     \
    {                                                                                              \
        sizeof(axl_loader_cursor), 0, 0                                                            \
    }

/**
 * Create a loader.
 *
 * @param[out] out  The loader; NULL on failure.  Release with axl_loader_free().
 * @param[in]  data The loader takes its own reference.
 * @param[in]  opts NULL for the defaults.  Copied.
 *
 * @retval AXL_ERR_INVALID An option is out of range, or a sample does not fit into a bin.
 * @retval AXL_ERR_ABI
 * @retval AXL_ERR_UNSUPPORTED @p data streams records that come once, and another loader has read
 *                             on.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_loader_new(axl_loader **out, axl_dataset *data,
                                                 const axl_loader_options *opts);

/**
 * A loader as a config says: micro_batch_size, sequence_len, sample_packing, curriculum_sampling,
 * group_by_length, num_epochs, max_steps, seed; for the validation split eval_batch_size,
 * eval_sample_packing, one epoch, in order.
 *
 * @param[out] out   The loader; NULL on failure.  Release with axl_loader_free().
 * @param[in]  cfg   Borrowed for the call.
 * @param[in]  data  The loader takes its own reference.
 * @param[in]  split An axl_split: which part @p data is.
 *
 * @return As axl_loader_new().
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_loader_from_config(axl_loader **out, const axl_config *cfg,
                                                         axl_dataset *data, uint32_t split);

/**
 * Drop the caller's reference.
 *
 * @param[in] loader NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_loader_free(axl_loader *loader);

/**
 * The next batch.
 *
 * @param[in]     loader Borrowed.
 * @param[in,out] batch  Its size is set by the caller; the pointers are borrowed from the loader
 *                       and valid until the next call on it.
 *
 * @retval AXL_END     After the last batch of the last epoch, and of a stream of records that come
 *                     once.
 * @retval AXL_ERR_ABI @p batch has no valid size.
 * @retval AXL_ERR_DATA Of streamed data: records of the next window cannot be used.
 * @retval AXL_ERR_BUSY Of a stream of records: another loader asks for some.
 * @retval AXL_ERR_CANCELLED While the next epoch is packed, or by the host's records; the loader is
 *                     as before the call.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_loader_next(axl_loader *loader, axl_batch *batch);

/**
 * The batches of one epoch (of the current order, when packing makes them differ).
 *
 * @param[in] loader Borrowed.
 * @return The count.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API uint64_t axl_loader_batches_per_epoch(const axl_loader *loader);

/**
 * The optimizer steps until the end, exactly: max_steps, or those of all epochs, each of which is
 * packed to count them.
 *
 * @param[in]  loader Borrowed.
 * @param[out] steps  The count; 0 when the end never comes, or nobody knows it: of streamed data
 *                    without max_steps.
 *
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_loader_get_total_steps(axl_loader *loader, uint64_t *steps);

/**
 * The fill of the bins of the current epoch: tokens / (bins * bin size); 1 without packing.
 *
 * @param[in] loader Borrowed.
 * @return The share, 0 < share <= 1.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API double axl_loader_fill(const axl_loader *loader);

/**
 * Where the loader stands.
 *
 * @param[in]     loader Borrowed.
 * @param[in,out] out    Its size is set by the caller.
 *
 * @retval AXL_ERR_ABI @p out has no valid size.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_loader_get_cursor(const axl_loader *loader,
                                                        axl_loader_cursor *out);

/**
 * Go where a loader of the same data and options stood.
 *
 * @param[in] loader Borrowed.
 * @param[in] cursor Borrowed.
 *
 * @retval AXL_ERR_INVALID The place is past the end of its epoch, or of a stream of records.
 * @retval AXL_ERR_UNSUPPORTED A stream of records that come once is to go back; the loader stays.
 * @retval AXL_ERR_CANCELLED The loader is as before the call.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_loader_set_cursor(axl_loader *loader,
                                                        const axl_loader_cursor *cursor);

#ifdef __cplusplus
}
#endif

#endif
