/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctx.h - what the rest of the library may ask of a context: memory, log, cancel and progress,
 * threads.  (What the environment says of the Hub: hub_env.h.)
 */
#ifndef AXL_BASE_CTX_H
#define AXL_BASE_CTX_H

#include "fail.h"
#include "isa.h"

#include <axl/context.h>

#include <stdbool.h>
#include <stdint.h>

/* A new reference; returns ctx. */
axl_context *axl__context_ref(axl_context *ctx);

/* AXL_ERR_INVALID for NULL or a dead handle, AXL_ERR_FORKED in a child of the maker.  Clears the
 * last error. */
axl_status axl__context_enter(axl_context *ctx);

/* One place where a higher floor keeps what shall live as long as the context: the address of its
 * pointer, NULL at first, locked until axl__context_unlock.  `end` is called with what is there
 * when the context goes. */
void **axl__context_lock(axl_context *ctx, void (*end)(axl_context *ctx, void *kept));
void axl__context_unlock(axl_context *ctx);

/* Memory.  alloc gives uninitialised bytes, calloc zeroes; both return NULL without recording an
 * error, and a size of 0 gives a block.  aligned gives 64-byte alignment, released only with
 * free_aligned. */
void *axl__alloc(axl_context *ctx, size_t size);
void *axl__calloc(axl_context *ctx, size_t count, size_t size);
void *axl__realloc(axl_context *ctx, void *block, size_t size);
void axl__free(axl_context *ctx, void *block);
void *axl__alloc_aligned(axl_context *ctx, size_t size);
void axl__free_aligned(axl_context *ctx, void *block);
char *axl__strdup(axl_context *ctx, const char *text); /* NULL text gives NULL */
char *axl__strndup(axl_context *ctx, const char *text, size_t len);

void axl__log(axl_context *ctx, axl_log_level level, const char *fmt, ...) AXL_PRINTF(3, 4);

/* Whether the cancel flag is up: AXL_ERR_CANCELLED, or AXL_OK.  Cheap: one atomic load. */
axl_status axl__cancelled(axl_context *ctx);

/* axl__cancelled, and the progress callback when a tenth of a second has passed or done == total.
 * Call at least once per layer, shard or 1,000 rows. */
axl_status axl__poll(axl_context *ctx, const char *phase, uint64_t done, uint64_t total);

/* While it is held neither of the two cancels: what a stop asks for, as a checkpoint, must not be
 * stopped itself. */
void axl__cancel_hold(axl_context *ctx, bool hold);

/* Runs fn(arg, i) for each i < count, in any order, on the context's threads; returns when all
 * are done.  Inside a task, or while another thread's loop has the pool, it runs in the caller. */
void axl__parallel_for(axl_context *ctx, uint64_t count, axl_task_fn fn, void *arg);

axl_isa axl__context_isa_level(const axl_context *ctx);
bool axl__context_onednn_allowed(const axl_context *ctx);
const char *axl__context_plugin_dir(const axl_context *ctx); /* NULL: the usual places */
bool axl__context_network(const axl_context *ctx);
bool axl__context_host_loop(const axl_context *ctx); /* threads are the host's, number unknown */

/* Fills out with a copy of the bytes (and a NUL after them). */
axl_status axl__buffer_set(axl_context *ctx, axl_buffer *out, const void *data, size_t length);
axl_status axl__buffer_check(const axl_buffer *out); /* size field set, AXL_ERR_ABI otherwise */

#endif
