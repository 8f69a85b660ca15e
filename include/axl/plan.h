/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * What a run will need, told before anything large is loaded: the headers of the weights' files are
 * read, never the weights.  Of a model on the Hub that is not on this machine they alone are
 * downloaded.
 */
#ifndef AXL_PLAN_H
#define AXL_PLAN_H

#include <axl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a run will take, of two memories: the host's and that of a device with memory of its own.
 */
typedef struct axl_plan {
    size_t size;               /**< sizeof(axl_plan); set by the caller */
    uint64_t weights_bytes;    /**< base weights: the parts of files that are used, and copies */
    uint64_t activation_bytes; /**< the arena of the largest batch, rotary tables and indices */
    uint64_t optimizer_bytes;  /**< trained parameters, their gradients, the optimizer's state */
    uint64_t peak_rss_bytes;   /**< resident memory of the whole process at its peak: the three
                                    above, what the process holds already, kernels' scratch */
    uint64_t host_limit_bytes; /**< what peak_rss_bytes may be, see axl_run_plan(); UINT64_MAX when
                                    nothing says so */
    uint64_t device_bytes;     /**< memory of the device's own at its peak; 0 for a device that uses
                                    the host's, as the processor does */
    uint64_t device_limit_bytes; /**< what device_bytes may be; UINT64_MAX when nothing says so, 0
                                      where device_bytes is */
    uint64_t steps;              /**< optimizer steps of the run; 0 from axl_model_estimate() */
    uint64_t tokens_per_step; /**< input tokens of a step, the mean; 0 from axl_model_estimate() */
    double seconds;           /**< of training and evaluating; 0 from axl_model_estimate() */
} axl_plan;

#define AXL_PLAN_INIT                                                                              \
    {                                                                                              \
        sizeof(axl_plan), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0                                           \
    }

/**
 * The memory that axl_model_open(), axl_adapter_new() and axl_trainer_new() with these options, and
 * then training, will take: the same code is run on a device that counts instead of allocating.
 *
 * @param[in]     ctx     Borrowed for the call.
 * @param[in]     path    As axl_model_open().
 * @param[in]     model   NULL for the defaults.
 * @param[in]     adapter NULL for the defaults; rank 0: none, the model's own weights are trained.
 * @param[in]     trainer NULL for the defaults; max_tokens is the size of the largest batch.
 * @param[in,out] out     Its size is set by the caller.
 *
 * @retval AXL_ERR_INVALID trainer's max_tokens is 0, or as axl_adapter_new(), axl_trainer_new().
 * @retval AXL_ERR_ABI     @p out has no valid size.
 * @return Otherwise as axl_model_open().
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_model_estimate(axl_context *ctx, const char *path,
                                                     const axl_model_options *model,
                                                     const axl_adapter_options *adapter,
                                                     const axl_trainer_options *trainer,
                                                     axl_plan *out);

/**
 * Look whether what a config names is there, and by its name can be what it should be: models,
 * tokenizers, data, adapters, checkpoints, and places for what a run writes.  Folders are listed
 * and no file is opened; a name that can be one on the Hub is not sought there.  Each fault is an
 * error at its key, in the words that opening would say.
 *
 * @param[in]     cfg  Borrowed for the call.
 * @param[in,out] list NULL in it: receives a new list.  Else one that axl_config_open() gave: the
 *                     errors are added to it, in their places.  Release with
 *                     axl_diagnostics_free().
 *
 * @retval AXL_ERR_CONFIG    There are errors in the list; axl_last_error() is the first of them.
 * @retval AXL_ERR_CANCELLED A cancel was raised while a folder was listed.
 * @retval AXL_ERR_INVALID   @p list is NULL.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_run_check(const axl_config *cfg, axl_diagnostics **list);

/**
 * What axl_run_new() and axl_run_train() of a config will take.  The data is tokenised (or taken
 * from where it is prepared) to know the batches; as in axl_dataset_from_config() nothing is
 * written unless dataset_prepared_path is set.  The time comes from training two layers of the
 * model's shape on this machine for about a second; whatever else runs then or later changes it.
 *
 * The limit is what the process has, and what more the system can give without swapping or the
 * limits of the control groups leave, whichever is less; axl.memory_limit replaces it.
 * axl_run_new() refuses a run whose peak is above it; this call only tells.
 *
 * @param[in]     cfg Borrowed for the call.
 * @param[in,out] out Its size is set by the caller.
 *
 * @retval AXL_ERR_ABI @p out has no valid size.
 * @return Otherwise as axl_run_new().
 *
 * Thread: any.  Progress phases "tokenize" and "plan".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_run_plan(const axl_config *cfg, axl_plan *out);

#ifdef __cplusplus
}
#endif

#endif
