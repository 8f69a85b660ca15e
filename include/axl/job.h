/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file job.h
 * A job: what is cancelled, and reports its progress, by itself, beside others on the same context
 * and even on the same model.  A thread enters one, and every call it makes until it leaves is the
 * job's: loading, tokenising, training, generating.
 */
#ifndef AXL_JOB_H
#define AXL_JOB_H

#include <axl/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_job_options {
    size_t size;              /**< sizeof(axl_job_options); set by _INIT */
    axl_progress_fn progress; /**< called instead of the context's; NULL: the context's is */
    void *progress_user;
} axl_job_options;

#define AXL_JOB_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(axl_job_options), NULL, NULL                                                        \
    }

/**
 * Create a job.
 *
 * @param[out] out  The job; NULL on failure.  Release with axl_job_free().
 * @param[in]  ctx  The job takes its own reference; its calls may be on other contexts.
 * @param[in]  opts NULL for the defaults.  Copied; the callback must outlive the job.
 *
 * @retval AXL_ERR_INVALID @p out is NULL, or @p ctx no live context.
 * @retval AXL_ERR_ABI     @p opts sets a field this library does not know.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_job_new(axl_job **out, axl_context *ctx,
                                              const axl_job_options *opts);

/**
 * From now on the calls of this thread are the job's.  Several threads may be in one job.
 *
 * @param[in] job The thread keeps a reference until it leaves, which it must before it ends.
 *
 * @retval AXL_ERR_INVALID @p job is NULL.
 * @retval AXL_ERR_BUSY    The thread is in a job already.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_job_enter(axl_job *job);

/**
 * The calls of this thread are no job's again.  Fine where it is in none.
 *
 * Thread: any, but not from a callback of a call that the job was entered for.
 * Since: 0.1
 */
AXL_API void axl_job_leave(void);

/**
 * Stop the job: its calls in progress return AXL_ERR_CANCELLED soon, later ones at once, until
 * axl_job_clear().  A run writes its checkpoint first.  Others are not touched; the flag of
 * axl_cancel_new() stops every job of its context.
 *
 * @param[in] job Borrowed; NULL is fine.
 *
 * Thread: any, and from a signal handler.
 * Since: 0.1
 */
AXL_API void axl_job_cancel(axl_job *job);

/**
 * Let the job's calls run again.
 *
 * @param[in] job Borrowed; NULL is fine.
 *
 * Thread: any, and from a signal handler.
 * Since: 0.1
 */
AXL_API void axl_job_clear(axl_job *job);

/**
 * Drop the caller's reference.
 *
 * @param[in] job NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_job_free(axl_job *job);

#ifdef __cplusplus
}
#endif

#endif
