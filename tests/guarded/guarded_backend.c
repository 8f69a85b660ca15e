/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guarded_backend.c - the backend "guarded", a plugin for tests: it stands for a GPU where there is
 * none.  Operations are the references, with these differences:
 *
 * - Device memory has no access rights (PROT_NONE) but while operations run, with a page before and
 *   behind each buffer that never has any; a buffer ends where its last page does.
 * - Nothing runs when it is called.  Calls are queued with copies of their arguments and of the
 *   host arrays in them, and run when something waits or the queue is long.  Uploads have copied
 *   their bytes, weights_map reads them late, buffers are freed late.
 * - Fresh memory is full of NaNs.
 *
 * What the library does against the contract of backend.h kills the process or changes a result.
 */
#define _DEFAULT_SOURCE
#include "guarded.h"

#include "kernels/reference.h"
#include "tensor/backend_plugin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { QUEUE_MAX = 300, HOST_BLOCKS = 4 };

static const axl_plugin_host *host;

typedef struct buffer {
    struct buffer *next;
    char *map; /* a page, the pages of the data, a page */
    size_t map_size;
    char *data; /* (size filled up to 64), up to the last page */
} buffer;

typedef union any_args {
#define ARGS_MEMBER(op, args, use) args op;
    AXL_BACKEND_OPS(ARGS_MEMBER)
} any_args;

typedef struct call call;
typedef void run_fn(axl_device *dev, call *c);

/* A call that has not run. */
struct call {
    struct call *next;
    run_fn *run;
    any_args args;
    void *blocks[HOST_BLOCKS]; /* host arrays of the arguments, freed with the call */
    void *dst;                 /* of a copy, of zeros; the buffer to free */
    const void *src;
    size_t size;
};

struct axl_device {
    axl_context *ctx;
    pthread_mutex_t lock;
    buffer *buffers;
    call *first, **last;
    axl_guarded_counts counts;
};

/* ---- memory ---- */

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void protect(const buffer *b, int rights)
{
    mprotect(b->map + page_size(), b->map_size - 2 * page_size(), rights);
}

static void protect_all(axl_device *dev, int rights)
{
    for (const buffer *b = dev->buffers; b; b = b->next)
        protect(b, rights);
}

static axl_status new_buffer(axl_device *dev, void **out, size_t size)
{
    size_t page = page_size(), room = (size + 63) / 64 * 64, pages = (room + page) / page * page;
    buffer *b = malloc(sizeof *b);

    *out = NULL;
    if (!b)
        return host->fail(AXL_ERR_NOMEM, "out of memory");
    b->map_size = pages + 2 * page;
    b->map = mmap(NULL, b->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->map == MAP_FAILED) {
        free(b);
        return host->fail(AXL_ERR_NOMEM, "out of memory");
    }
    b->data = b->map + page + pages - room;
    protect(b, PROT_READ | PROT_WRITE);
    memset(b->map + page, 0xFF, pages);
    protect(b, PROT_NONE);
    b->next = dev->buffers;
    dev->buffers = b;
    dev->counts.newest = *out = b->data;
    return AXL_OK;
}

static void drop_buffer(axl_device *dev, void *data)
{
    for (buffer **at = &dev->buffers; *at; at = &(*at)->next) {
        buffer *b = *at;
        if (b->data != data)
            continue;
        *at = b->next;
        munmap(b->map, b->map_size);
        free(b);
        return;
    }
    abort(); /* no buffer of this device, or one that was freed */
}

/* ---- the queue ---- */

static void free_call(call *c)
{
    for (int i = 0; i < HOST_BLOCKS; i++)
        free(c->blocks[i]);
    free(c);
}

static void flush(axl_device *dev)
{
    if (!dev->first)
        return;
    protect_all(dev, PROT_READ | PROT_WRITE);
    for (call *c = dev->first, *next; c; c = next) {
        next = c->next;
        c->run(dev, c);
        free_call(c);
    }
    protect_all(dev, PROT_NONE);
    dev->first = NULL;
    dev->last = &dev->first;
    dev->counts.queued = 0;
}

/* Called locked.  NULL when there is no memory: recorded. */
static call *new_call(run_fn *run)
{
    call *c = calloc(1, sizeof *c);

    if (c)
        c->run = run;
    else
        host->fail(AXL_ERR_NOMEM, "out of memory");
    return c;
}

static void enqueue(axl_device *dev, call *c)
{
    *dev->last = c;
    dev->last = &c->next;
    dev->counts.calls++;
    dev->counts.since_wait++;
    if (++dev->counts.queued >= QUEUE_MAX)
        flush(dev);
}

/* ---- copies ---- */

static void run_copy(axl_device *dev, call *c)
{
    (void)dev;
    if (c->size)
        memcpy(c->dst, c->src, c->size);
}

static void run_zero(axl_device *dev, call *c)
{
    (void)dev;
    if (c->size)
        memset(c->dst, 0, c->size);
}

static void run_free(axl_device *dev, call *c)
{
    drop_buffer(dev, c->dst);
}

static axl_status later(axl_device *dev, run_fn *run, void *dst, const void *src, size_t size,
                        bool keep_source)
{
    pthread_mutex_lock(&dev->lock);
    call *c = new_call(run);
    if (c && keep_source && !(c->blocks[0] = malloc(size + 1))) {
        free_call(c);
        c = NULL;
    }
    if (c) {
        c->dst = dst;
        c->src = keep_source ? memcpy(c->blocks[0], src, size) : src;
        c->size = size;
        enqueue(dev, c);
    }
    pthread_mutex_unlock(&dev->lock);
    return c ? AXL_OK : AXL_ERR_NOMEM;
}

static axl_status guarded_upload(axl_device *dev, void *dst, const void *from, size_t size)
{
    return later(dev, run_copy, dst, from, size, true);
}

static axl_status guarded_copy(axl_device *dev, void *dst, const void *src, size_t size)
{
    return later(dev, run_copy, dst, src, size, false);
}

static axl_status guarded_zero(axl_device *dev, void *dst, size_t size)
{
    return later(dev, run_zero, dst, NULL, size, false);
}

static axl_status guarded_buffer_new(axl_device *dev, void **out, size_t size)
{
    pthread_mutex_lock(&dev->lock);
    axl_status status = new_buffer(dev, out, size);
    pthread_mutex_unlock(&dev->lock);
    return status;
}

static void guarded_buffer_free(axl_device *dev, void *data)
{
    if (data)
        later(dev, run_free, data, NULL, 0, false);
}

static axl_status guarded_weights_map(axl_device *dev, void **out, const void *from, size_t size)
{
    AXL_TRY(guarded_buffer_new(dev, out, size));
    return later(dev, run_copy, *out, from, size, false); /* valid until unmapped */
}

/* What was to be read of the host's bytes has been read from here on. */
static void guarded_weights_unmap(axl_device *dev, void *mapped)
{
    guarded_buffer_free(dev, mapped);
    pthread_mutex_lock(&dev->lock);
    flush(dev);
    pthread_mutex_unlock(&dev->lock);
}

/* ---- waiting ---- */

/* Called locked. */
static void wait_for_all(axl_device *dev)
{
    flush(dev);
    dev->counts.waits++;
    dev->counts.since_wait = 0;
}

static axl_status guarded_synchronize(axl_device *dev)
{
    pthread_mutex_lock(&dev->lock);
    wait_for_all(dev);
    pthread_mutex_unlock(&dev->lock);
    return AXL_OK;
}

static axl_status guarded_download(axl_device *dev, void *to, const void *src, size_t size)
{
    pthread_mutex_lock(&dev->lock);
    wait_for_all(dev);
    protect_all(dev, PROT_READ);
    if (size)
        memcpy(to, src, size);
    protect_all(dev, PROT_NONE);
    pthread_mutex_unlock(&dev->lock);
    return AXL_OK;
}

/* ---- host arrays of arguments ---- */

/* The call's own copy in the place of an array; false without memory. */
static bool own(call *c, int block, const void **array, size_t size)
{
    if (!*array)
        return true;
    c->blocks[block] = malloc(size ? size : 1);
    if (!c->blocks[block])
        return false;
    memcpy(c->blocks[block], *array, size);
    *array = c->blocks[block];
    return true;
}

static bool own_attention(call *c, axl_attention_args *a)
{
    size_t size = (size_t)(a->n_seqs + 1) * sizeof *a->cu_q;

    return own(c, 0, (const void **)&a->cu_q, size) && own(c, 1, (const void **)&a->cu_k, size);
}

static bool own_arrays(call *c, axl_op op)
{
    any_args *a = &c->args;

    if (op == AXL_OP_matmul)
        return own(c, 0, (const void **)&a->matmul.more,
                   (size_t)a->matmul.n_more * sizeof *a->matmul.more);
    if (op == AXL_OP_attention_forward)
        return own_attention(c, &a->attention_forward);
    if (op == AXL_OP_attention_backward)
        return own_attention(c, &a->attention_backward.forward);
    for (int i = 0; op == AXL_OP_optim_low_bit && i < 3; i++)
        if (!own(c, i, (const void **)&a->optim_low_bit.maps[i], sizeof *a->optim_low_bit.maps[i]))
            return false;
    return true;
}

/* Attention's sequences in device memory are those of the host. */
static void compare_cu(const int32_t *device, const int32_t *of_host, int64_t n_seqs)
{
    if (device && memcmp(device, of_host, (size_t)(n_seqs + 1) * sizeof *device) != 0)
        abort();
}

static void check_sequences(const axl_attention_args *a)
{
    compare_cu(a->device_cu_q, a->cu_q, a->n_seqs);
    compare_cu(a->device_cu_k, a->cu_k, a->n_seqs);
}

static void check_device_arrays(const call *c, axl_op op)
{
    if (op == AXL_OP_attention_forward)
        check_sequences(&c->args.attention_forward);
    if (op == AXL_OP_attention_backward)
        check_sequences(&c->args.attention_backward.forward);
}

/* Attention where the sequences are the host's alone: a GPU would have to copy them first. */
static void count_host_sequences(axl_device *dev, const call *c, axl_op op)
{
    const axl_attention_args *a = op == AXL_OP_attention_backward
                                      ? &c->args.attention_backward.forward
                                      : &c->args.attention_forward;

    if (op == AXL_OP_attention_forward || op == AXL_OP_attention_backward)
        dev->counts.without_device_cu += !a->device_cu_q || !a->device_cu_k;
}

static axl_status operate(axl_device *dev, axl_op op, run_fn *run, const void *args, size_t size)
{
    pthread_mutex_lock(&dev->lock);
    call *c = new_call(run);
    if (c) {
        memcpy(&c->args, args, size);
        count_host_sequences(dev, c, op);
        if (!own_arrays(c, op)) {
            free_call(c);
            c = NULL;
            host->fail(AXL_ERR_NOMEM, "out of memory");
        }
    }
    if (c)
        enqueue(dev, c);
    pthread_mutex_unlock(&dev->lock);
    return c ? AXL_OK : AXL_ERR_NOMEM;
}

#define GUARDED_OP(op, args_type, use)                                                             \
    static void run_##op(axl_device *dev, call *c)                                                 \
    {                                                                                              \
        (void)dev;                                                                                 \
        check_device_arrays(c, AXL_OP_##op);                                                       \
        axl__ref_##op(&c->args.op);                                                                \
    }                                                                                              \
    static axl_status guarded_##op(axl_device *dev, const args_type *a)                            \
    {                                                                                              \
        return operate(dev, AXL_OP_##op, run_##op, a, sizeof *a);                                  \
    }
AXL_BACKEND_OPS(GUARDED_OP)

/* The reference's. */
static size_t guarded_scratch(axl_device *dev, axl_op op, const void *args)
{
    const axl_attention_backward_args *a = args;

    (void)dev;
    if (op != AXL_OP_attention_backward)
        return 0;
    return (size_t)(a->forward.q.rows * a->forward.n_heads) * sizeof(float);
}

/* ---- device ---- */

static axl_device *newest;
static axl_guarded_counts closed; /* of the device that was closed last */

static axl_status guarded_device_open(axl_device **out, axl_context *ctx, int32_t ordinal)
{
    *out = NULL;
    if (ordinal != 0)
        return host->fail(AXL_ERR_DEVICE, "there is device 0 only, not %d", (int)ordinal);
    axl_device *dev = calloc(1, sizeof *dev);
    if (!dev)
        return host->fail(AXL_ERR_NOMEM, "out of memory");
    dev->ctx = host->context_ref(ctx);
    dev->last = &dev->first;
    pthread_mutex_init(&dev->lock, NULL);
    newest = dev;
    *out = dev;
    return AXL_OK;
}

static void guarded_device_close(axl_device *dev)
{
    axl_context *ctx = dev->ctx;

    flush(dev);
    for (const buffer *b = dev->buffers; b; b = b->next)
        dev->counts.never_freed++;
    closed = dev->counts;
    while (dev->buffers)
        drop_buffer(dev, dev->buffers->data);
    pthread_mutex_destroy(&dev->lock);
    free(dev);
    host->context_free(ctx);
}

static void guarded_device_info(axl_device *dev, axl_device_info *out)
{
    (void)dev;
    *out = (axl_device_info){ .host_memory = false, .matmul = "guarded", .isa = "guarded" };
}

/* ---- tables ---- */

#define MEMBER(op, args, use) .op = guarded_##op,
static const axl_backend_ops table = { .abi = AXL_BACKEND_ABI,
                                       .size = sizeof(axl_backend_ops),
                                       .name = "guarded",
                                       .version = AXL_VERSION,
                                       .device_open = guarded_device_open,
                                       .device_close = guarded_device_close,
                                       .device_info = guarded_device_info,
                                       .buffer_new = guarded_buffer_new,
                                       .buffer_free = guarded_buffer_free,
                                       .weights_map = guarded_weights_map,
                                       .weights_unmap = guarded_weights_unmap,
                                       .upload = guarded_upload,
                                       .download = guarded_download,
                                       .copy = guarded_copy,
                                       .zero = guarded_zero,
                                       .synchronize = guarded_synchronize,
                                       .scratch = guarded_scratch,
                                       AXL_BACKEND_OPS(MEMBER) };

GUARDED_EXPORT const axl_backend_ops *axl_backend_plugin(const axl_plugin_host *h)
{
    host = h;
    return &table;
}

GUARDED_EXPORT void axl_guarded_read(axl_guarded_counts *open, axl_guarded_counts *last_closed)
{
    if (open)
        *open = newest->counts;
    if (last_closed)
        *last_closed = closed;
}
