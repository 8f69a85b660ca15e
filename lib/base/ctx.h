/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctx.h - what the rest of the library may ask of a context: memory (mem.h), log, cancel and
 * progress, threads, its options, and what a module keeps in it.
 */
#ifndef AXL_BASE_CTX_H
#define AXL_BASE_CTX_H

#include "fail.h"
#include "isa.h"
#include "mem.h"

#include <axl/context.h>

#include <stdbool.h>
#include <stdint.h>

/* A new reference; returns ctx. */
axl_context *axl__context_ref(axl_context *ctx);

/* Whether this process is a child of the maker's: it has one thread, and a lock may be held by one
 * that it has not. */
bool axl__context_forked(const axl_context *ctx);

/* AXL_ERR_INVALID for NULL or a dead handle, AXL_ERR_FORKED in a child of the maker.  Clears the
 * last error. */
axl_status axl__context_enter(axl_context *ctx);

void axl__log(axl_context *ctx, axl_log_level level, const char *fmt, ...) AXL_PRINTF(3, 4);

/* Whether the context's flag or the calling thread's job's is up: AXL_ERR_CANCELLED, or AXL_OK.
 * Cheap: two atomic loads. */
axl_status axl__cancelled(axl_context *ctx);

/* axl__cancelled, and the progress callback when a tenth of a second has passed or done == total.
 * Call at least once per layer, shard or 1,000 rows. */
axl_status axl__poll(axl_context *ctx, const char *phase, uint64_t done, uint64_t total);

/* While the calling thread holds it neither of the two cancels what it does: what a stop asks for,
 * as a checkpoint, must not be stopped itself. */
void axl__cancel_hold(bool hold);

/* Runs fn(arg, i) for each i < count, in any order, on the context's threads; returns when all
 * are done.  Inside a task, or while another thread's loop has the pool, it runs in the caller. */
void axl__parallel_for(axl_context *ctx, uint64_t count, axl_task_fn fn, void *arg);
/* The same for a loop that is shorter than waking a thread: it is shared with those that are awake,
 * or runs in the caller. */
void axl__parallel_for_short(axl_context *ctx, uint64_t count, axl_task_fn fn, void *arg);

axl_isa axl__context_isa_level(const axl_context *ctx);

/* As the context was made: plugin_dir is its own copy, threads the number that there is, isa NULL
 * (see axl__context_isa_level); hub_cache and hub_token are there while parts are opened alone. */
const axl_context_options *axl__context_options(const axl_context *ctx);

/* What a module above keeps in each context, as what it reads of the environment: opened with the
 * context, closed with it.  An open that fails leaves nothing, and the context is not made. */
typedef struct axl__context_part {
    axl_status (*open)(void **out, axl_context *ctx);
    void (*close)(void *part, axl_context *ctx);
} axl__context_part;

/* All parts, ending with NULL; opened in this order.  Defined where all modules are known. */
extern const axl__context_part *const axl__context_parts[];

/* What a part's open gave; it is one of the table. */
void *axl__context_part_of(const axl_context *ctx, const axl__context_part *part);

/* Fills out with a copy of the bytes (and a NUL after them). */
axl_status axl__buffer_set(axl_context *ctx, axl_buffer *out, const void *data, size_t length);

#endif
