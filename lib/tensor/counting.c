/* SPDX-License-Identifier: Apache-2.0 */
/* counting.c - see counting.h.  A buffer's address is its number, which no one reads or writes. */
#include "counting.h"

#include "registry.h"

struct axl_device {
    axl_context *ctx;
    const axl_backend_ops *ops; /* of the device whose place it has */
    axl_device *real;
    size_t *sizes; /* (n) of the buffers; 0: freed */
    size_t n, cap;
    uint64_t bytes;
};

static axl_status counting_device_open(axl_device **out, axl_context *ctx, int32_t ordinal)
{
    (void)ctx;
    (void)ordinal;
    *out = NULL;
    return axl__fail(AXL_ERR_INTERNAL, "a counting device is made from another");
}

static void counting_device_close(axl_device *dev)
{
    axl_context *ctx = dev->ctx;

    axl__device_put(ctx, dev->ops, dev->real);
    axl__free(ctx, dev->sizes);
    axl__free(ctx, dev);
    axl_context_free(ctx);
}

static void counting_device_info(axl_device *dev, axl_device_info *out)
{
    dev->ops->device_info(dev->real, out);
    out->counts_only = true;
}

/* ---- memory ---- */

static axl_status counting_buffer_new(axl_device *dev, void **out, size_t size)
{
    *out = NULL;
    if (dev->n == dev->cap) {
        size_t cap = dev->cap ? 2 * dev->cap : 64;
        size_t *more = axl__realloc(dev->ctx, dev->sizes, cap * sizeof *more);
        if (!more)
            return axl__fail_nomem();
        dev->sizes = more;
        dev->cap = cap;
    }
    dev->sizes[dev->n++] = size;
    dev->bytes += size;
    *out = (void *)(uintptr_t)(dev->n * 64);
    return AXL_OK;
}

static void counting_buffer_free(axl_device *dev, void *buffer)
{
    size_t i = (size_t)(uintptr_t)buffer / 64;

    if (!buffer)
        return;
    dev->bytes -= dev->sizes[i - 1];
    dev->sizes[i - 1] = 0;
}

static axl_status counting_weights_map(axl_device *dev, void **out, const void *host, size_t size)
{
    (void)dev;
    (void)size;
    *out = (void *)(uintptr_t)host;
    return AXL_OK;
}

static void counting_weights_unmap(axl_device *dev, void *mapped)
{
    (void)dev;
    (void)mapped;
}

static axl_status counting_copy(axl_device *dev, void *dst, const void *src, size_t size)
{
    (void)dev;
    (void)dst;
    (void)src;
    (void)size;
    return AXL_OK;
}

static axl_status counting_zero(axl_device *dev, void *dst, size_t size)
{
    (void)dev;
    (void)dst;
    (void)size;
    return AXL_OK;
}

static axl_status counting_synchronize(axl_device *dev)
{
    (void)dev;
    return AXL_OK;
}

static size_t counting_scratch(axl_device *dev, axl_op op, const void *args)
{
    return dev->ops->scratch(dev->real, op, args);
}

/* ---- operations: nothing is run on what was not allocated ---- */

#define COUNTING_OP(op, args, use)                                                                 \
    static axl_status counting_##op(axl_device *dev, const args *a)                                \
    {                                                                                              \
        (void)dev;                                                                                 \
        (void)a;                                                                                   \
        return AXL_OK;                                                                             \
    }
AXL_BACKEND_OPS(COUNTING_OP)

#define MEMBER(op, args, use) .op = counting_##op,
static const axl_backend_ops counting_ops = { .abi = AXL_BACKEND_ABI,
                                              .size = sizeof(axl_backend_ops),
                                              .name = "counting",
                                              .version = AXL_VERSION,
                                              .device_open = counting_device_open,
                                              .device_close = counting_device_close,
                                              .device_info = counting_device_info,
                                              .buffer_new = counting_buffer_new,
                                              .buffer_free = counting_buffer_free,
                                              .weights_map = counting_weights_map,
                                              .weights_unmap = counting_weights_unmap,
                                              .upload = counting_copy,
                                              .download = counting_copy,
                                              .copy = counting_copy,
                                              .zero = counting_zero,
                                              .synchronize = counting_synchronize,
                                              .scratch = counting_scratch,
                                              AXL_BACKEND_OPS(MEMBER) };

/* ---- counting ---- */

axl_status axl__counting_open(const axl_backend_ops **ops, axl_device **dev, axl_context *ctx)
{
    axl_device *d = axl__calloc(ctx, 1, sizeof *d);

    if (!d)
        return axl__fail_nomem();
    d->ctx = axl__context_ref(ctx);
    d->ops = *ops;
    d->real = *dev;
    *ops = &counting_ops;
    *dev = d;
    return AXL_OK;
}

uint64_t axl__counting_bytes(const axl_device *dev)
{
    return dev->bytes;
}
