/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_reference.c - the backend "reference": the table of every operation's meaning, serial
 * and slow, on host memory.  Tests compare other backends with it; a user may choose it to tell a
 * bug of a kernel from one of the model.
 */
#include "kernels/matmul/matmul.h"
#include "kernels/reference.h"

#include <string.h>

struct axl_device {
    axl_context *ctx;
};

/* ---- device and memory ---- */

static axl_status reference_device_open(axl_device **out, axl_context *ctx, int32_t ordinal)
{
    *out = NULL;
    if (ordinal != 0)
        return axl__fail(AXL_ERR_DEVICE, "the reference backend has device 0 only, not %d",
                         (int)ordinal);
    axl_device *dev = axl__alloc(ctx, sizeof *dev);
    if (!dev)
        return axl__fail_nomem();
    dev->ctx = axl__context_ref(ctx);
    *out = dev;
    return AXL_OK;
}

static void reference_device_close(axl_device *dev)
{
    if (!dev)
        return;
    axl_context *ctx = dev->ctx;

    axl__free(ctx, dev);
    axl_context_free(ctx);
}

static void reference_device_info(axl_device *dev, axl_device_info *out)
{
    (void)dev;
    *out = (axl_device_info){ .host_memory = true, .matmul = "reference", .isa = "reference" };
}

static axl_status reference_buffer_new(axl_device *dev, void **out, size_t size)
{
    *out = axl__alloc_aligned(dev->ctx, size);
    return *out ? AXL_OK : axl__fail_nomem();
}

static void reference_buffer_free(axl_device *dev, void *buffer)
{
    axl__free_aligned(dev->ctx, buffer);
}

static axl_status reference_weights_map(axl_device *dev, void **out, const void *host, size_t size)
{
    (void)dev;
    (void)size;
    *out = (void *)(uintptr_t)host; /* never written through */
    return AXL_OK;
}

static void reference_weights_unmap(axl_device *dev, void *mapped)
{
    (void)dev;
    (void)mapped;
}

static axl_status reference_copy(axl_device *dev, void *dst, const void *src, size_t size)
{
    (void)dev;
    if (size)
        memcpy(dst, src, size);
    return AXL_OK;
}

static axl_status reference_zero(axl_device *dev, void *dst, size_t size)
{
    (void)dev;
    if (size)
        memset(dst, 0, size);
    return AXL_OK;
}

static axl_status reference_synchronize(axl_device *dev)
{
    (void)dev;
    return AXL_OK;
}

/* delta (H, Tq) of attention; nothing else is kept. */
static size_t reference_scratch(axl_device *dev, axl_op op, const void *args)
{
    const axl_attention_backward_args *a = args;

    (void)dev;
    if (op != AXL_OP_attention_backward)
        return 0;
    return (size_t)(a->forward.q.rows * a->forward.n_heads) * sizeof(float);
}

/* ---- operations ---- */

/* reference_<op>: axl__ref_<op> as a table's entry. */
#define REFERENCE_OP(op, args, use)                                                                \
    static axl_status reference_##op(axl_device *dev, const args *a)                               \
    {                                                                                              \
        (void)dev;                                                                                 \
        axl__ref_##op(a);                                                                          \
        return AXL_OK;                                                                             \
    }
AXL_BACKEND_OTHER_OPS(REFERENCE_OP)

static axl_status reference_matmul(axl_device *dev, const axl_matmul_args *a)
{
    (void)dev;
    AXL_TRY(axl__matmul_check(a));
    axl__ref_matmul(a);
    return AXL_OK;
}

#define MEMBER(op, args, use) .op = reference_##op,
const axl_backend_ops axl__backend_reference = { .abi = AXL_BACKEND_ABI,
                                                 .size = sizeof(axl_backend_ops),
                                                 .name = "reference",
                                                 .version = AXL_VERSION,
                                                 .device_open = reference_device_open,
                                                 .device_close = reference_device_close,
                                                 .device_info = reference_device_info,
                                                 .buffer_new = reference_buffer_new,
                                                 .buffer_free = reference_buffer_free,
                                                 .weights_map = reference_weights_map,
                                                 .weights_unmap = reference_weights_unmap,
                                                 .upload = reference_copy,
                                                 .download = reference_copy,
                                                 .copy = reference_copy,
                                                 .zero = reference_zero,
                                                 .synchronize = reference_synchronize,
                                                 .scratch = reference_scratch,
                                                 AXL_BACKEND_OPS(MEMBER) };
