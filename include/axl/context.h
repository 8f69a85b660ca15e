/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file context.h
 * The context: allocator, log, threads, cancelling and progress.  Every other handle is made
 * from one and keeps a reference to it.
 *
 * Threads, once for all of axl: different handles, any threads; one handle, one thread at a
 * time; datasets and configs are immutable once built and may be shared, models too while no
 * trainer writes their weights, and adapters be read by several threads.  A function that differs
 * says so on its "Thread:" line.  A second thread that calls into a busy trainer, run or loader is
 * answered with AXL_ERR_BUSY.  An adapter and its trainer count as one handle: who reads the
 * adapter (its values, saving, generation) while the trainer is in a call is answered so, and a
 * call of the trainer while the adapter is read, which has then done nothing and may be repeated.
 * Callbacks run on the calling thread and may not use the handle they were called from.
 *
 * Relative paths are of the current directory of the call that opens or parses; a host may change
 * its directory afterwards.
 */
#ifndef AXL_CONTEXT_H
#define AXL_CONTEXT_H

#include <axl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_context axl_context;
typedef struct axl_cancel axl_cancel;
typedef struct axl_job axl_job;

/** Log levels; a sink gets the messages at or below its context's log_level. */
typedef enum axl_log_level {
    AXL_LOG_ERROR = 1,
    AXL_LOG_WARNING = 2,
    AXL_LOG_INFO = 3,
    AXL_LOG_DEBUG = 4,
    AXL_LOG_FORCE_INT32 = 0x7fffffff
} axl_log_level;

/** Receives one line without a newline. */
typedef void (*axl_log_fn)(void *user, uint32_t level, const char *message);

/** How far a long call is. */
typedef struct axl_progress {
    size_t size;        /**< sizeof(axl_progress) in the library */
    const char *phase;  /**< "download" (in bytes), "load", "tokenize", "train", "evaluate",
                             "generate", "merge", "save", "plan" */
    uint64_t done;      /**< units done */
    uint64_t total;     /**< units in all; 0 when not known */
    const axl_job *job; /**< whose call it is, see job.h; NULL: no job's.  Borrowed */
} axl_progress;

/** Called at most ten times a second; a non-zero return stops the call: AXL_ERR_CANCELLED. */
typedef int (*axl_progress_fn)(void *user, const axl_progress *progress);

/** One unit of work of a parallel loop. */
typedef void (*axl_task_fn)(void *arg, uint64_t index);

/**
 * A host's own parallel loop: call fn(arg, i) once for each i < count, from any threads in any
 * order, and return when all are done.
 */
typedef void (*axl_parallel_for_fn)(void *user, uint64_t count, axl_task_fn fn, void *arg);

typedef struct axl_context_options {
    size_t size;                             /**< sizeof(axl_context_options); set by _INIT */
    void *(*alloc)(void *user, size_t size); /**< NULL: malloc; all three or none */
    void *(*realloc)(void *user, void *block, size_t size); /**< block may be NULL */
    void (*free)(void *user, void *block);                  /**< block may be NULL */
    void *alloc_user;                                       /**< passed to the three */
    axl_log_fn log;                                         /**< NULL: no log */
    void *log_user;
    axl_progress_fn progress; /**< NULL: no progress */
    void *progress_user;
    axl_parallel_for_fn parallel_for; /**< NULL: a pool of the context's own */
    void *parallel_user;
    const char *plugin_dir; /**< sought first; NULL: the usual places.  Copied */
    const char *hub_cache; /**< folder of the Hub's cache (the one with models--…), made when it is
                                needed; NULL: as the environment says.  Copied */
    const char *hub_token; /**< sent to the Hub's own host alone; "": none; NULL: as the environment
                                says.  Copied */
    const char *isa;       /**< cap: "baseline", "avx2", "avx512", "avx512_bf16", "amx";
                                NULL: the best that the machine has.  Copied */
    uint32_t threads;      /**< 0: from the affinity mask and the cgroup quota.  They start with
                                the first work that is worth sharing */
    uint32_t log_level;    /**< an axl_log_level */
    uint32_t allow_network; /**< 1 lets Hub ids be downloaded, but for HF_HUB_OFFLINE */
    uint32_t no_onednn;     /**< 1 keeps to axl's own matmul kernels */
} axl_context_options;

#define AXL_CONTEXT_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(axl_context_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,   \
            NULL, NULL, NULL, NULL, 0u, AXL_LOG_WARNING, 0u, 0u                                    \
    }

/**
 * Create a context.  Where the options do not say, the environment does (HOME, HF_HOME,
 * HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the rest that huggingface_hub knows of
 * where files are): it is read here, once.
 *
 * @param[out] out  The context; NULL on failure.  Release with axl_context_free().
 * @param[in]  opts NULL for the defaults.  Copied; the callbacks must outlive the context.
 *
 * @retval AXL_ERR_INVALID An option is out of range.
 * @retval AXL_ERR_ABI     @p opts sets a field this library does not know.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_context_new(axl_context **out,
                                                  const axl_context_options *opts);

/**
 * Drop the caller's reference.  Handles made from the context keep theirs, so the order of
 * freeing does not matter; the pool's threads end with the last one.
 *
 * @param[in] ctx NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_context_free(axl_context *ctx);

/**
 * The number of threads that work on this context's calls, the caller's included.
 *
 * @param[in] ctx Borrowed.
 * @return At least 1; 1 with a host's own parallel_for.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API uint32_t axl_context_threads(const axl_context *ctx);

/**
 * The instruction set that the CPU kernels use: the machine's best, under the option's cap.
 *
 * @param[in] ctx Borrowed.
 * @return A static string: "baseline", "avx2", "avx512", "avx512_bf16" or "amx".
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API const char *axl_context_isa(const axl_context *ctx);

/**
 * Create a flag that stops long calls, whichever jobs they are of (job.h stops one alone).
 *
 * @param[out] out The flag; NULL on failure.  Release with axl_cancel_free().
 * @param[in]  ctx Borrowed for the call.  Every long call of every handle on this context looks
 *                 at the flag from now on; a later flag takes the earlier one's place.
 *
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, but not while a call on this context runs.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_cancel_new(axl_cancel **out, axl_context *ctx);

/**
 * Raise the flag: calls in progress return AXL_ERR_CANCELLED soon, later ones at once, until
 * axl_cancel_clear().
 *
 * @param[in] cancel Borrowed; NULL is fine.
 *
 * Thread: any, and from a signal handler.
 * Since: 0.1
 */
AXL_API void axl_cancel_raise(axl_cancel *cancel);

/**
 * Lower the flag.
 *
 * @param[in] cancel Borrowed; NULL is fine.
 *
 * Thread: any, and from a signal handler.
 * Since: 0.1
 */
AXL_API void axl_cancel_clear(axl_cancel *cancel);

/**
 * Drop the caller's reference; the context keeps its own.
 *
 * @param[in] cancel NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_cancel_free(axl_cancel *cancel);

/**
 * What is installed and what this context would use: version, ABI, backends, instruction set, what
 * multiplies large matrices, versions of libraries.
 *
 * @param[in]     ctx  Borrowed.
 * @param[in]     json 1: one JSON object {version, abi, backends, isa, libraries}; 0: lines of
 * text.
 * @param[in,out] out  What it held is released.  Release with axl_buffer_free().
 *
 * @retval AXL_ERR_ABI   @p out has no valid size.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_describe(axl_context *ctx, uint32_t json, axl_buffer *out);

#ifdef __cplusplus
}
#endif

#endif
