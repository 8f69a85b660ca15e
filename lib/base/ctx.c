/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctx.c - the context: what every handle shares.  See ctx.h.
 *
 * A context is its allocator, which makes it and comes first in it, the host's callbacks, a pool of
 * threads that starts with the first loop, and what modules keep in it ("parts").  It lives as long
 * as the last handle that was made with it.  Three states decide whether a call goes on: the
 * context's cancel handle, the calling thread's job, and the process, which after a fork is not the
 * one that made the threads.
 */
#include "ctx.h"

#include "call.h"
#include "magic.h"
#include "os_machine.h"
#include "os_time.h"
#include "pool.h"
#include "structs.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINE_MAX = 1024, THREADS_MAX = 1024 };

struct axl_cancel {
    atomic_int refs; /* the handle and the context have one each */
    atomic_bool raised;
    axl_context *ctx; /* the handle's reference, dropped by axl_cancel_free */
};

/* Immutable after axl_context_new() but for refs, cancel, last_progress and what the parts and the
 * pool do inside, which is why threads share it. */
struct axl_context {
    axl__context_head head; /* first: mem.c finds it there */
    atomic_int refs;
    axl_context_options opts;
    axl__pool *pool;
    axl_isa isa;
    int64_t process;
    axl_cancel *_Atomic cancel;
    _Atomic double last_progress;
    void **parts; /* (n_parts) what each of axl__context_parts has opened so far */
    size_t n_parts;
};

_Static_assert(offsetof(axl_context, head) == 0, "see mem.h");

/* ---- life ---- */

static axl_status check_options(const axl_context_options *o)
{
    if (!!o->alloc != !!o->realloc || !!o->alloc != !!o->free)
        return axl__fail(AXL_ERR_INVALID, "alloc, realloc and free must be given together");
    if (o->log_level < AXL_LOG_ERROR || o->log_level > AXL_LOG_DEBUG)
        return axl__fail(AXL_ERR_INVALID, "log_level must be 1 (errors) to 4 (debug), got %u",
                         o->log_level);
    if (o->threads > THREADS_MAX)
        return axl__fail(AXL_ERR_INVALID, "threads must be at most %d, got %u", THREADS_MAX,
                         o->threads);
    if (o->isa && axl__isa_parse(o->isa) < 0)
        return axl__fail(AXL_ERR_INVALID,
                         "isa must be baseline, avx2, avx512, avx512_bf16 or amx, got \"%s\"",
                         o->isa);
    return AXL_OK;
}

/* n_parts counts those that are open, so that a failure closes these and no others. */
static axl_status open_parts(axl_context *ctx)
{
    size_t n = 0;

    while (axl__context_parts[n])
        n++;
    ctx->parts = axl__calloc(ctx, n, sizeof *ctx->parts);
    if (!ctx->parts)
        return axl__fail_nomem();
    for (; ctx->n_parts < n; ctx->n_parts++)
        AXL_TRY(axl__context_parts[ctx->n_parts]->open(&ctx->parts[ctx->n_parts], ctx));
    return AXL_OK;
}

static void close_parts(axl_context *ctx)
{
    while (ctx->n_parts > 0) {
        size_t i = --ctx->n_parts;
        axl__context_parts[i]->close(ctx->parts[i], ctx);
    }
    axl__free(ctx, ctx->parts);
}

/* A host with a parallel_for of its own has its own threads; an isa above the machine's is the
 * machine's. */
static axl_status context_setup(axl_context *ctx, const axl_context_options *given)
{
    uint32_t threads = given->threads ? given->threads : axl__cpu_count();

    if (given->parallel_for)
        threads = 1;
    ctx->opts.threads = threads;
    ctx->isa = axl__isa_detect();
    if (given->isa && axl__isa_parse(given->isa) < (int)ctx->isa)
        ctx->isa = (axl_isa)axl__isa_parse(given->isa);
    ctx->opts.isa = NULL;
    if (given->plugin_dir)
        ctx->opts.plugin_dir = axl__path_absolute(ctx, given->plugin_dir);
    if (given->plugin_dir && !ctx->opts.plugin_dir)
        return axl__fail_nomem();
    AXL_TRY(open_parts(ctx));
    ctx->opts.hub_cache = ctx->opts.hub_token =
        NULL; /* the caller's strings are not ours to keep */
    if (threads > 1) {
        ctx->pool = axl__pool_new(threads);
        if (!ctx->pool)
            return axl__fail_nomem();
    }
    return AXL_OK;
}

axl_status axl_context_new(axl_context **out, const axl_context_options *given)
{
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    axl_status status;

    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_context_options, &opts, given));
    AXL_TRY(check_options(&opts));
    axl__allocator memory = { opts.alloc, opts.realloc, opts.free, opts.alloc_user };
    ctx = axl__allocator_alloc(&memory, sizeof *ctx);
    if (!ctx)
        return axl__fail_nomem();
    memset(ctx, 0, sizeof *ctx);
    ctx->head = (axl__context_head){ AXL__MAGIC_CONTEXT, memory };
    atomic_init(&ctx->refs, 1);
    ctx->opts = opts;
    ctx->process = axl__process_id();
    status = context_setup(ctx, &opts);
    if (status < 0) {
        axl_context_free(ctx);
        return status;
    }
    *out = ctx;
    return AXL_OK;
}

axl_context *axl__context_ref(axl_context *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

static void cancel_unref(axl_context *memory, axl_cancel *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1)
        axl__free(memory, c);
}

/* The allocator is copied out first, since it lies in the block that it frees.  In a child after a
 * fork the pool's threads do not exist and cannot be joined. */
void axl_context_free(axl_context *ctx)
{
    if (!ctx || ctx->head.magic != AXL__MAGIC_CONTEXT || atomic_fetch_sub(&ctx->refs, 1) != 1)
        return;
    ctx->head.magic = 0;
    if (ctx->process == axl__process_id())
        axl__pool_free(ctx->pool);
    else
        axl__pool_forget(ctx->pool);
    cancel_unref(ctx, atomic_load(&ctx->cancel));
    close_parts(ctx);
    axl__free(ctx, (void *)(uintptr_t)ctx->opts.plugin_dir);
    axl__allocator memory = ctx->head.memory;
    axl__allocator_free(&memory, ctx);
}

static axl_status check_process(const axl_context *ctx)
{
    if (ctx->process != axl__process_id())
        return axl__fail(AXL_ERR_FORKED, "this handle belongs to the parent process; make a new "
                                         "context after fork()");
    return AXL_OK;
}

axl_status axl__context_enter(axl_context *ctx)
{
    axl__error_clear();
    if (!ctx || ctx->head.magic != AXL__MAGIC_CONTEXT)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_context");
    return check_process(ctx);
}

/* ---- what it knows ---- */

uint32_t axl_context_threads(const axl_context *ctx)
{
    return ctx && ctx->head.magic == AXL__MAGIC_CONTEXT ? ctx->opts.threads : 1;
}

const char *axl_context_isa(const axl_context *ctx)
{
    return axl__isa_name(ctx && ctx->head.magic == AXL__MAGIC_CONTEXT ? ctx->isa
                                                                      : AXL_ISA_BASELINE);
}

axl_isa axl__context_isa_level(const axl_context *ctx)
{
    return ctx->isa;
}

bool axl__context_forked(const axl_context *ctx)
{
    return ctx->process != axl__process_id();
}

const axl_context_options *axl__context_options(const axl_context *ctx)
{
    return &ctx->opts;
}

void *axl__context_part_of(const axl_context *ctx, const axl__context_part *part)
{
    size_t i = 0;

    while (axl__context_parts[i] != part)
        i++;
    return ctx->parts[i];
}

/* ---- log, cancel, progress, threads ---- */

void axl__log(axl_context *ctx, axl_log_level level, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    va_list ap;

    if (!ctx->opts.log || (uint32_t)level > ctx->opts.log_level)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    ctx->opts.log(ctx->opts.log_user, level, line);
}

/* The newest handle is the context's; an older one that is still held no longer stops anything. */
axl_status axl_cancel_new(axl_cancel **out, axl_context *ctx)
{
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    axl_cancel *c = axl__calloc(ctx, 1, sizeof *c);
    if (!c)
        return axl__fail_nomem();
    atomic_init(&c->refs, 2); /* the caller's and the context's */
    c->ctx = axl__context_ref(ctx);
    cancel_unref(ctx, atomic_exchange(&ctx->cancel, c));
    *out = c;
    return AXL_OK;
}

/* One atomic store, for signal handlers and other threads. */
void axl_cancel_raise(axl_cancel *c)
{
    if (c)
        atomic_store(&c->raised, true);
}

void axl_cancel_clear(axl_cancel *c)
{
    if (c)
        atomic_store(&c->raised, false);
}

void axl_cancel_free(axl_cancel *c)
{
    if (!c)
        return;
    axl_context *ctx = c->ctx;
    cancel_unref(ctx, c);
    axl_context_free(ctx);
}

axl_status axl__cancelled(axl_context *ctx)
{
    const axl__call_state *call = axl__call_state_here();
    axl_cancel *c = atomic_load_explicit(&ctx->cancel, memory_order_acquire);

    if (call->held > 0)
        return AXL_OK;
    if ((c && atomic_load_explicit(&c->raised, memory_order_relaxed)) ||
        (call->state && atomic_load_explicit(&call->state->cancelled, memory_order_relaxed)))
        return axl__fail(AXL_ERR_CANCELLED, "cancelled");
    return AXL_OK;
}

void axl__cancel_hold(bool hold)
{
    axl__call_state_here()->held += hold ? 1u : -1u;
}

/* Tells whose callback it is how far the call is, if it is time to; *stop: what it answered.  A
 * job's callback and clock are its own, so that two threads in two jobs do not take each other's
 * turn; without a job the context's serve. */
static void report_progress(axl_context *ctx, const char *phase, uint64_t done, uint64_t total,
                            bool *stop)
{
    const axl__call_state *call = axl__call_state_here();
    axl__job_state *job = call->state;
    bool own = job && job->progress;
    axl_progress_fn tell = own ? job->progress : ctx->opts.progress;
    void *user = own ? job->progress_user : ctx->opts.progress_user;
    _Atomic double *last = job ? &job->last_progress : &ctx->last_progress;

    *stop = false;
    if (!tell)
        return;
    double now = axl__now();
    if (now - atomic_load(last) < 0.1 && done != total)
        return;
    atomic_store(last, now);
    axl_progress p = { sizeof p, phase, done, total, call->job };
    *stop = tell(user, &p) != 0;
}

axl_status axl__poll(axl_context *ctx, const char *phase, uint64_t done, uint64_t total)
{
    bool stop;

    AXL_TRY(axl__cancelled(ctx));
    report_progress(ctx, phase, done, total, &stop);
    AXL_TRY(check_process(ctx)); /* a fork in the callback: the child has no pool */
    if (stop && axl__call_state_here()->held == 0)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the progress callback");
    return AXL_OK;
}

/* A loop's task with the state of the call that began the loop. */
typedef struct {
    axl_task_fn fn;
    void *arg;
    axl__call_state call;
} stateful_task;

static void run_stateful(void *arg, uint64_t index)
{
    const stateful_task *t = arg;
    axl__call_state *here = axl__call_state_here(), mine = *here;

    *here = t->call;
    t->fn(t->arg, index);
    *here = mine;
}

static void run_loop(axl_context *ctx, uint64_t count, bool wake, axl_task_fn fn, void *arg)
{
    stateful_task task = { fn, arg, *axl__call_state_here() };

    if (count > 1 && (task.call.job || task.call.held > 0)) {
        fn = run_stateful;
        arg = &task;
    }
    if (ctx->opts.parallel_for && count > 1)
        ctx->opts.parallel_for(ctx->opts.parallel_user, count, fn, arg);
    else
        axl__pool_run(ctx->pool, count, wake, fn, arg);
}

void axl__parallel_for(axl_context *ctx, uint64_t count, axl_task_fn fn, void *arg)
{
    run_loop(ctx, count, true, fn, arg);
}

void axl__parallel_for_short(axl_context *ctx, uint64_t count, axl_task_fn fn, void *arg)
{
    run_loop(ctx, count, false, fn, arg);
}

/* ---- buffers ---- */

/* What the buffer had is freed only when the copy is there.  reserved is the context that frees
 * it. */
axl_status axl__buffer_set(axl_context *ctx, axl_buffer *out, const void *data, size_t length)
{
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    char *copy = axl__alloc(ctx, length + 1);
    if (!copy)
        return axl__fail_nomem();
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    axl_buffer_free(out);
    out->data = copy;
    out->length = length;
    out->reserved = axl__context_ref(ctx);
    return AXL_OK;
}

void axl_buffer_free(axl_buffer *buffer)
{
    if (!buffer || !buffer->reserved)
        return;
    axl_context *ctx = buffer->reserved;
    axl__free(ctx, buffer->data);
    buffer->data = buffer->reserved = NULL;
    buffer->length = 0;
    axl_context_free(ctx);
}
