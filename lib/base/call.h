/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - what decides over the calling thread's calls beside their context: the job that it is in
 * (job.c), and whether they may be cancelled at all.  A loop's tasks have their caller's, on
 * whichever thread they run.
 */
#ifndef AXL_BASE_CALL_H
#define AXL_BASE_CALL_H

#include <axl/context.h>

#include <stdatomic.h>
#include <stdbool.h>

/* The part of a job that a call looks at. */
typedef struct axl__job_state {
    atomic_bool cancelled;
    _Atomic double last_progress; /* axl__now()'s seconds */
    axl_progress_fn progress;     /* NULL: the context's */
    void *progress_user;
} axl__job_state;

typedef struct axl__call_state {
    axl_job *job;          /* NULL: none, and no job_state either */
    axl__job_state *state; /* the job's */
    unsigned int held;     /* > 0: nothing cancels, see axl__cancel_hold */
} axl__call_state;

/* The calling thread's. */
axl__call_state *axl__call_state_here(void);

/* A handle that one call at a time may use: whose call that is, a thread's state; NULL: nobody's.
 */
typedef struct axl__claim {
    const axl__call_state *_Atomic by;
} axl__claim;

/* AXL_ERR_BUSY, saying whether another thread has it or the handle's own callback wants it. */
axl_status axl__claim_take(axl__claim *claim, const char *handle);
void axl__claim_release(axl__claim *claim);

#endif
