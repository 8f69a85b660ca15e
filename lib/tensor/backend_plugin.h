/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_plugin.h - a backend in a library of its own.  libaxl-NAME.so.0 exports one function,
 * axl_backend_plugin, and links nothing of libaxl: what it wants of the library it is given in a
 * table.  It keeps to the contract of backend.h.
 *
 * Both tables grow at their ends.  A plugin that is older than the library works as long as it has
 * the operations of every pass and of training; one that is newer works, and must not call what an
 * older library's table is too short for.
 */
#ifndef AXL_TENSOR_BACKEND_PLUGIN_H
#define AXL_TENSOR_BACKEND_PLUGIN_H

#include "backend.h"

#define AXL_BACKEND_PLUGIN_SYMBOL "axl_backend_plugin"

/* The library's own services, as in base/fail.h and base/ctx.h. */
typedef struct axl_plugin_host {
    uint32_t abi;        /* AXL_BACKEND_ABI */
    uint32_t size;       /* sizeof(axl_plugin_host) */
    const char *version; /* the library's */
    axl_status (*fail)(axl_status status, const char *fmt, ...) AXL_PRINTF(2, 3);
    axl_context *(*context_ref)(axl_context *ctx);
    void (*context_free)(axl_context *ctx);
    void *(*alloc)(axl_context *ctx, size_t size);
    void *(*realloc)(axl_context *ctx, void *block, size_t size);
    void (*free)(axl_context *ctx, void *block);
    void (*log)(axl_context *ctx, axl_log_level level, const char *fmt, ...) AXL_PRINTF(3, 4);
    axl_status (*cancelled)(axl_context *ctx);
    void (*parallel_for)(axl_context *ctx, uint64_t count, axl_task_fn fn, void *arg);
    /* Append above this line. */
} axl_plugin_host;

/* The plugin's table, in static storage; NULL after host->fail.  host lives as long as the process.
 * May be called several times. */
typedef const axl_backend_ops *axl_backend_plugin_fn(const axl_plugin_host *host);

#endif
