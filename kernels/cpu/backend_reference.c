/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_reference.c - the backend "reference": the table of every operation's meaning, serial
 * and slow, on host memory.  Tests compare other backends with it; a user may choose it to tell a
 * bug of a kernel from one of the model.
 */
#include "tensor/backend.h"

#include "kernels/adagrad/adagrad.h"
#include "kernels/adamw/adamw.h"
#include "kernels/ademamix/ademamix.h"
#include "kernels/adopt/adopt.h"
#include "kernels/attention/attention.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/factored/factored.h"
#include "kernels/lion/lion.h"
#include "kernels/matmul/matmul.h"
#include "kernels/muon/muon.h"
#include "kernels/noise/noise.h"
#include "kernels/optim_8bit/optim_8bit.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rmsprop/rmsprop.h"
#include "kernels/rope/rope.h"
#include "kernels/rows/rows.h"
#include "kernels/schedule_free/schedule_free.h"
#include "kernels/sgd/sgd.h"
#include "kernels/sum_squares/sum_squares.h"
#include "kernels/swiglu/swiglu.h"

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

/* ---- operations ---- */

/* reference_<op>: axl__ref_<op> as a table's entry. */
#define REFERENCE_OP(op, args)                                                                     \
    static axl_status reference_##op(axl_device *dev, const args *a)                               \
    {                                                                                              \
        (void)dev;                                                                                 \
        axl__ref_##op(a);                                                                          \
        return AXL_OK;                                                                             \
    }

REFERENCE_OP(matmul, axl_matmul_args)
REFERENCE_OP(rms_norm_forward, axl_rms_norm_args)
REFERENCE_OP(rms_norm_backward, axl_rms_norm_backward_args)
REFERENCE_OP(rope, axl_rope_args)
REFERENCE_OP(attention_forward, axl_attention_args)
REFERENCE_OP(attention_backward, axl_attention_backward_args)
REFERENCE_OP(swiglu_forward, axl_swiglu_args)
REFERENCE_OP(swiglu_backward, axl_swiglu_backward_args)
REFERENCE_OP(gather_rows, axl_rows_args)
REFERENCE_OP(scatter_rows, axl_rows_args)
REFERENCE_OP(cross_entropy, axl_cross_entropy_args)
REFERENCE_OP(dropout, axl_dropout_args)
REFERENCE_OP(convert, axl_unary_args)
REFERENCE_OP(add, axl_unary_args)
REFERENCE_OP(sum_squares, axl_sum_squares_args)
REFERENCE_OP(adamw, axl_adamw_args)
REFERENCE_OP(noise, axl_noise_args)
REFERENCE_OP(sgd, axl_sgd_args)
REFERENCE_OP(lion, axl_lion_args)
REFERENCE_OP(optim_8bit, axl_optim_8bit_args)
REFERENCE_OP(adagrad, axl_adagrad_args)
REFERENCE_OP(rmsprop, axl_rmsprop_args)
REFERENCE_OP(adopt, axl_adopt_args)
REFERENCE_OP(ademamix, axl_ademamix_args)
REFERENCE_OP(schedule_free, axl_schedule_free_args)
REFERENCE_OP(factored, axl_factored_args)
REFERENCE_OP(muon_momentum, axl_muon_momentum_args)
REFERENCE_OP(muon_normalize, axl_muon_normalize_args)
REFERENCE_OP(muon_scale, axl_muon_scale_args)
REFERENCE_OP(rms_norm_weight_backward, axl_rms_norm_weight_backward_args)
REFERENCE_OP(add_rows, axl_rows_args)

const axl_backend_ops axl__backend_reference = {
    .abi = AXL_BACKEND_ABI,
    .size = sizeof(axl_backend_ops),
    .name = "reference",
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
    .matmul = reference_matmul,
    .rms_norm_forward = reference_rms_norm_forward,
    .rms_norm_backward = reference_rms_norm_backward,
    .rope = reference_rope,
    .attention_forward = reference_attention_forward,
    .attention_backward = reference_attention_backward,
    .swiglu_forward = reference_swiglu_forward,
    .swiglu_backward = reference_swiglu_backward,
    .gather_rows = reference_gather_rows,
    .scatter_rows = reference_scatter_rows,
    .cross_entropy = reference_cross_entropy,
    .dropout = reference_dropout,
    .convert = reference_convert,
    .add = reference_add,
    .sum_squares = reference_sum_squares,
    .adamw = reference_adamw,
    .noise = reference_noise,
    .sgd = reference_sgd,
    .lion = reference_lion,
    .optim_8bit = reference_optim_8bit,
    .adagrad = reference_adagrad,
    .rmsprop = reference_rmsprop,
    .adopt = reference_adopt,
    .ademamix = reference_ademamix,
    .schedule_free = reference_schedule_free,
    .factored = reference_factored,
    .muon_momentum = reference_muon_momentum,
    .muon_normalize = reference_muon_normalize,
    .muon_scale = reference_muon_scale,
    .rms_norm_weight_backward = reference_rms_norm_weight_backward,
    .add_rows = reference_add_rows,
};
