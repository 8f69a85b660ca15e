/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - the context's threads. */
#ifndef AXL_BASE_POOL_H
#define AXL_BASE_POOL_H

#include <axl/context.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct axl__pool axl__pool;

/* A pool of n_threads, the caller counted: the first loop starts the others.  NULL: no memory.
 * Workers have all signals blocked and sleep when idle. */
axl__pool *axl__pool_new(uint32_t n_threads);
void axl__pool_free(axl__pool *pool);
/* The same in a child after fork(), which has none of the threads. */
void axl__pool_forget(axl__pool *pool);

/* See axl__parallel_for; without wake, axl__parallel_for_short. */
void axl__pool_run(axl__pool *pool, uint64_t count, bool wake, axl_task_fn fn, void *arg);

#endif
