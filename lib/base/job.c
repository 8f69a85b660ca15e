/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - jobs, and entering one.  See axl/job.h. */
#include "call.h"
#include "ctx.h"
#include "structs.h"

#include <axl/job.h>

struct axl_job {
    atomic_int refs; /* the caller's, and one of each thread that is in it */
    axl__job_state state;
    axl_context *ctx;
};

axl_status axl_job_new(axl_job **out, axl_context *ctx, const axl_job_options *given)
{
    axl_job_options opts = AXL_JOB_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_job_options, &opts, given));
    axl_job *job = axl__calloc(ctx, 1, sizeof *job);
    if (!job)
        return axl__fail_nomem();
    atomic_init(&job->refs, 1);
    job->ctx = axl__context_ref(ctx);
    job->state.progress = opts.progress;
    job->state.progress_user = opts.progress_user;
    *out = job;
    return AXL_OK;
}

axl_status axl_job_enter(axl_job *job)
{
    axl__call_state *here = axl__call_state_here();

    axl__error_clear();
    if (!job)
        return axl__fail(AXL_ERR_INVALID, "job must not be NULL");
    if (here->job)
        return axl__fail(AXL_ERR_BUSY, "this thread is in a job already");
    atomic_fetch_add(&job->refs, 1);
    here->job = job;
    here->state = &job->state;
    return AXL_OK;
}

/* The thread's reference keeps a job alive that was freed from within it. */
void axl_job_leave(void)
{
    axl__call_state *here = axl__call_state_here();
    axl_job *job = here->job;

    here->job = NULL;
    here->state = NULL;
    axl_job_free(job);
}

void axl_job_cancel(axl_job *job)
{
    if (job)
        atomic_store(&job->state.cancelled, true);
}

void axl_job_clear(axl_job *job)
{
    if (job)
        atomic_store(&job->state.cancelled, false);
}

void axl_job_free(axl_job *job)
{
    if (!job || atomic_fetch_sub(&job->refs, 1) != 1)
        return;
    axl_context *ctx = job->ctx;
    axl__free(ctx, job);
    axl_context_free(ctx);
}
