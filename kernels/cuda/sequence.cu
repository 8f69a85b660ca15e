/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequence.cu - see sequence.h.  The calls of a sequence are written down as they run.  Those of a
 * later one wait as long as they are the same; when it ends as one that was written down, its
 * launches are captured as a graph, and from then on one call puts them on the stream.  Where it
 * goes another way, what has waited runs first and the rest as it comes.
 *
 * So a graph holds the launches of calls with these very arguments: nothing has to be known of what
 * a model computes.
 */
#include "sequence.h"
#include "same_fields.h"

enum { N_KEPT = 4, ALIGN = 16 };

/* In front of a call's arguments and of the further terms of a product. */
typedef struct call {
    int64_t kind;
    size_t size; /* bytes in all, a multiple of ALIGN */
} call;

typedef struct written {
    char *calls;
    size_t used, room; /* bytes */
    cudaGraphExec_t graph;
    bool refused;  /* it cannot be captured */
    uint64_t last; /* met, in sequences */
} written;

typedef enum sequence_state {
    WAITS,  /* all that came are the first calls of *with */
    WRITES, /* it is written down */
    LOST    /* it is not kept */
} sequence_state;

struct axl_sequences {
    bool running; /* a sequence of the thread `owner` */
    pthread_t owner;
    sequence_state state;
    written *with; /* that it is compared with or written to; NULL: nothing came yet */
    size_t at;     /* in its calls */
    uint64_t count;
    cudaStream_t capture;
    written kept[N_KEPT];
};

/* ---- what a call is ---- */

typedef bool same_fn(const void *x, const void *y);

template <class Args> static bool same(const void *x, const void *y)
{
    return same_fields(*(const Args *)x, *(const Args *)y);
}

/* NULL: such a call never comes again.  An optimizer's numbers, its rate among them, are those of a
 * step. */
template <class Args> constexpr auto comparison(const Args *a) -> decltype(a->lr, (same_fn *)NULL)
{
    return NULL;
}
template <class Args> constexpr same_fn *comparison(const void *)
{
    return same<Args>;
}

/* Room for the arguments of any call. */
union any_args {
#define ARGS(op, args, use) args of_##op;
    AXL_BACKEND_OPS(ARGS)
#undef ARGS
    axl_zero_args of_zero;
    axl_copy_args of_copy;
};

static const struct {
    size_t size;
    same_fn *same;
} kinds[AXL__N_CALLS] = {
#define KIND(op, args, use) { sizeof(args), comparison<args>((const args *)NULL) },
    AXL_BACKEND_OPS(KIND)
#undef KIND
        { sizeof(axl_zero_args), same<axl_zero_args> },
    { sizeof(axl_copy_args), same<axl_copy_args> },
};

/* A call in parts, without the addresses of the host's arrays. */
typedef struct flat_call {
    int kind;
    any_args args;
    const axl_matmul_term *terms; /* of a product */
    size_t n_terms;
} flat_call;

static bool take_bounds(axl_attention_args *a)
{
    a->cu_q = a->cu_k = NULL;
    return a->device_cu_q && a->device_cu_k;
}

/* Whether the call can wait: it may come again, and reads nothing of the host's but the terms of a
 * product. */
static bool flatten(flat_call *f, int kind, const void *args)
{
    f->kind = kind;
    f->terms = NULL;
    f->n_terms = 0;
    memcpy(&f->args, args, kinds[kind].size);
    switch (kind) {
    case AXL_OP_matmul:
        f->terms = f->args.of_matmul.more;
        f->n_terms = (size_t)f->args.of_matmul.n_more;
        f->args.of_matmul.more = NULL;
        return true;
    case AXL_OP_attention_forward: return take_bounds(&f->args.of_attention_forward);
    case AXL_OP_attention_backward: return take_bounds(&f->args.of_attention_backward.forward);
    default: return kinds[kind].same != NULL;
    }
}

/* ---- calls that were written down ---- */

static size_t rounded(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t written_size(const flat_call *f)
{
    return sizeof(call) + rounded(kinds[f->kind].size) + rounded(f->n_terms * sizeof *f->terms);
}

static const call *call_at(const written *w, size_t at)
{
    return (const call *)(w->calls + at);
}

static const void *args_of(const call *c)
{
    return c + 1;
}

static const axl_matmul_term *terms_of(const call *c)
{
    return (const axl_matmul_term *)((const char *)(c + 1) + rounded(kinds[c->kind].size));
}

static bool same_terms(const axl_matmul_term *x, const axl_matmul_term *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_fields(x[i], y[i]))
            return false;
    return true;
}

static bool same_call(const call *c, const flat_call *f)
{
    return c->kind == f->kind && c->size == written_size(f) &&
           kinds[f->kind].same(args_of(c), &f->args) &&
           same_terms(terms_of(c), f->terms, f->n_terms);
}

/* Whether both begin with the same calls, up to `end`. */
static bool same_beginning(const written *x, const written *y, size_t end)
{
    flat_call f;

    for (size_t at = 0; at < end; at += call_at(y, at)->size) {
        const call *c = call_at(y, at);
        if (at >= x->used)
            return false;
        flatten(&f, (int)c->kind, args_of(c));
        f.terms = terms_of(c);
        if (!same_call(call_at(x, at), &f))
            return false;
    }
    return true;
}

static bool make_room(axl_device *dev, written *w, size_t size)
{
    size_t room = 2 * size;
    char *calls;

    if (size <= w->room)
        return true;
    calls = (char *)axl__cuda_host->realloc(dev->ctx, w->calls, room);
    if (!calls)
        return false;
    w->calls = calls;
    w->room = room;
    return true;
}

static bool write_down(axl_device *dev, written *w, const flat_call *f)
{
    size_t size = written_size(f);

    if (!make_room(dev, w, w->used + size))
        return false;
    call *c = (call *)(w->calls + w->used);
    *c = { f->kind, size };
    memcpy(c + 1, &f->args, kinds[f->kind].size);
    if (f->n_terms > 0)
        memcpy((void *)terms_of(c), f->terms, f->n_terms * sizeof *f->terms);
    w->used += size;
    return true;
}

/* Those up to `end`. */
static axl_status run_written(axl_device *dev, const written *w, size_t end)
{
    for (size_t at = 0; at < end; at += call_at(w, at)->size) {
        const call *c = call_at(w, at);
        any_args args;
        memcpy(&args, args_of(c), kinds[c->kind].size);
        if (c->kind == AXL_OP_matmul)
            args.of_matmul.more = terms_of(c);
        AXL_TRY(axl__cuda_run(dev, (int)c->kind, &args));
    }
    return AXL_OK;
}

static void forget_graph(written *w)
{
    if (w->graph)
        cudaGraphExecDestroy(w->graph); /* once it has run, where it is running */
    w->graph = NULL;
}

static void forget(written *w)
{
    forget_graph(w);
    w->used = 0;
    w->refused = false;
}

/* ---- graphs ---- */

/* A graph of the launches, or w->refused.  Whatever they need beside the caller's memory is there,
 * since they have run before. */
static void capture(axl_device *dev, written *w)
{
    struct axl_sequences *s = dev->sequences;
    cudaGraph_t graph = NULL;
    axl_status status = axl__cuda_status(
        dev, cudaStreamBeginCapture(s->capture, cudaStreamCaptureModeThreadLocal), "capturing");

    if (status == AXL_OK) {
        dev->launching = s->capture;
        status = run_written(dev, w, w->used);
        dev->launching = dev->stream;
        cudaError_t e = cudaStreamEndCapture(s->capture, &graph);
        if (status == AXL_OK)
            status = axl__cuda_status(dev, e, "capturing");
    }
    if (status == AXL_OK)
        status = axl__cuda_status(dev, cudaGraphInstantiate(&w->graph, graph, 0), "making a graph");
    if (graph)
        cudaGraphDestroy(graph);
    w->refused = status < 0;
    if (!w->refused)
        return;
    cudaGetLastError(); /* not that of the next call */
    w->graph = NULL;
    axl__cuda_host->log(dev->ctx, AXL_LOG_DEBUG, "cuda:%d: a batch's launches are no CUDA graph",
                        dev->ordinal);
}

static axl_status run_whole(axl_device *dev, written *w)
{
    if (!w->graph && !w->refused)
        capture(dev, w);
    if (!w->graph)
        return run_written(dev, w, w->used);
    return axl__cuda_status(dev, cudaGraphLaunch(w->graph, dev->stream), "launching a graph");
}

void axl__sequences_forget_graphs(axl_device *dev)
{
    for (int i = 0; i < N_KEPT; i++)
        forget_graph(&dev->sequences->kept[i]);
}

/* ---- sequences ---- */

axl_status axl__sequences_open(axl_device *dev)
{
    struct axl_sequences *s;

    AXL_TRY(axl__cuda_host_new(dev->ctx, (void **)&s, sizeof *s));
    dev->sequences = s;
    return axl__cuda_status(dev, cudaStreamCreateWithFlags(&s->capture, cudaStreamNonBlocking),
                            "a stream");
}

void axl__sequences_close(axl_device *dev)
{
    struct axl_sequences *s = dev->sequences;

    if (!s)
        return;
    for (int i = 0; i < N_KEPT; i++) {
        forget_graph(&s->kept[i]);
        axl__cuda_host->free(dev->ctx, s->kept[i].calls);
    }
    if (s->capture)
        cudaStreamDestroy(s->capture);
    axl__cuda_host->free(dev->ctx, s);
    dev->sequences = NULL;
}

/* Of the calling thread. */
static bool is_running(const struct axl_sequences *s)
{
    return s->running && pthread_equal(s->owner, pthread_self());
}

/* A second thread's calls run as they come. */
axl_status axl__sequence_begin(axl_device *dev)
{
    struct axl_sequences *s = dev->sequences;

    if (s->running)
        return AXL_OK;
    s->running = true;
    s->owner = pthread_self();
    s->state = WAITS;
    s->with = NULL;
    s->at = 0;
    return AXL_OK;
}

axl_status axl__sequence_settle(axl_device *dev)
{
    struct axl_sequences *s = dev->sequences;
    int state = s->state;

    if (!is_running(s) || state == LOST)
        return AXL_OK;
    s->state = LOST;
    if (!s->with)
        return AXL_OK;
    if (state == WAITS)
        return run_written(dev, s->with, s->at);
    forget(s->with);
    return AXL_OK;
}

/* The call waits, too: one of those that were written down begins with all that came. */
static bool follow(struct axl_sequences *s, const flat_call *f)
{
    for (int i = 0; i < N_KEPT; i++) {
        written *w = &s->kept[i];
        if (s->at >= w->used || !same_call(call_at(w, s->at), f) ||
            (s->with && w != s->with && !same_beginning(w, s->with, s->at)))
            continue;
        s->with = w;
        s->at += written_size(f);
        return true;
    }
    return false;
}

/* From here on the sequence is written down, in the place of the one that was met longest ago. */
static axl_status leave(axl_device *dev)
{
    struct axl_sequences *s = dev->sequences;
    written *from = s->with, *to = NULL;

    for (int i = 0; i < N_KEPT; i++)
        if (&s->kept[i] != from && (!to || s->kept[i].last < to->last))
            to = &s->kept[i];
    forget(to);
    s->with = to;
    s->state = make_room(dev, to, s->at) ? WRITES : LOST;
    if (!from)
        return AXL_OK;
    if (s->state == WRITES) {
        memcpy(to->calls, from->calls, s->at);
        to->used = s->at;
    }
    return run_written(dev, from, s->at);
}

axl_status axl__sequence_call(axl_device *dev, int kind, const void *args)
{
    struct axl_sequences *s = dev->sequences;
    flat_call f;

    if (!is_running(s) || s->state == LOST)
        return axl__cuda_run(dev, kind, args);
    if (!flatten(&f, kind, args)) {
        AXL_TRY(axl__sequence_settle(dev));
        return axl__cuda_run(dev, kind, args);
    }
    if (s->state == WAITS) {
        if (follow(s, &f))
            return AXL_OK;
        AXL_TRY(leave(dev));
    }
    if (s->state == WRITES && !write_down(dev, s->with, &f))
        AXL_TRY(axl__sequence_settle(dev));
    return axl__cuda_run(dev, kind, args);
}

axl_status axl__sequence_end(axl_device *dev)
{
    struct axl_sequences *s = dev->sequences;
    written *w = s->with;

    if (!is_running(s))
        return AXL_OK;
    s->running = false;
    if (!w || s->state == LOST)
        return AXL_OK;
    w->last = ++s->count;
    if (s->state == WRITES)
        return AXL_OK;
    return s->at < w->used ? run_written(dev, w, s->at) : run_whole(dev, w);
}
