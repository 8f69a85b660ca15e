/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_cuda.cu - the backend "cuda", a plugin: one device, its memory and its table.  All work
 * of a device goes on one stream, so that calls are ordered and nothing waits but a download; what
 * uploads have on another is staging.cu's affair.
 */
#include "cublaslt.h"
#include "sequence.h"

#include <stdio.h>

enum { MIB = 1 << 20, LEAST_MAJOR = 8 }; /* sm_80: bf16 on tensor cores, cp.async */

const axl_plugin_host *axl__cuda_host;

axl_status axl__cuda_status(axl_device *dev, cudaError_t e, const char *what)
{
    if (e == cudaSuccess)
        return AXL_OK;
    return axl__cuda_host->fail(AXL_ERR_DEVICE, "cuda:%d: %s: %s", dev->ordinal, what,
                                cudaGetErrorString(e));
}

axl_status axl__cuda_host_new(axl_context *ctx, void **out, size_t size)
{
    *out = axl__cuda_host->alloc(ctx, size);
    if (!*out)
        return axl__cuda_host->fail(AXL_ERR_NOMEM, "out of memory");
    memset(*out, 0, size);
    return AXL_OK;
}

static axl_status out_of_memory(axl_device *dev, size_t size)
{
    size_t free_bytes = 0, total = 0;

    cudaGetLastError(); /* not that of the next call */
    cudaMemGetInfo(&free_bytes, &total);
    return axl__cuda_host->fail(AXL_ERR_NOMEM,
                                "cuda:%d: out of device memory: %zu MiB asked for, %zu MiB of %zu "
                                "MiB are free",
                                dev->ordinal, (size + MIB - 1) / MIB, free_bytes / MIB,
                                total / MIB);
}

/* The device of a thread is the runtime's business: every call says which. */
static axl_status enter(axl_device *dev)
{
    return axl__cuda_status(dev, cudaSetDevice(dev->ordinal), "using the device");
}

/* ---- device ---- */

static axl_status check_device(axl_device *dev)
{
    int n = 0;
    cudaError_t e = cudaGetDeviceCount(&n);

    if (e != cudaSuccess)
        return axl__cuda_host->fail(AXL_ERR_DEVICE, "there is no CUDA device: %s",
                                    cudaGetErrorString(e));
    if (dev->ordinal < 0 || dev->ordinal >= n)
        return axl__cuda_host->fail(AXL_ERR_DEVICE, "there is no cuda:%d: this machine has %d",
                                    dev->ordinal, n);
    AXL_TRY(axl__cuda_status(dev, cudaGetDeviceProperties(&dev->properties, dev->ordinal),
                             "asking the device"));
    if (dev->properties.major < LEAST_MAJOR)
        return axl__cuda_host->fail(
            AXL_ERR_DEVICE, "cuda:%d, %s, has compute capability %d.%d: 8.0 is the least",
            dev->ordinal, dev->properties.name, dev->properties.major, dev->properties.minor);
    snprintf(dev->isa, sizeof dev->isa, "sm_%d%d", dev->properties.major, dev->properties.minor);
    return AXL_OK;
}

/* Memory that was freed stays the device's own: the next buffer costs no call of the driver. */
static axl_status keep_memory(axl_device *dev)
{
    cudaMemPool_t pool;
    uint64_t all = UINT64_MAX;

    AXL_TRY(axl__cuda_status(dev, cudaDeviceGetDefaultMemPool(&pool, dev->ordinal), "its memory"));
    return axl__cuda_status(
        dev, cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "its memory");
}

static axl_status open_parts(axl_device *dev)
{
    AXL_TRY(check_device(dev));
    AXL_TRY(enter(dev));
    AXL_TRY(axl__cuda_status(dev, cudaStreamCreateWithFlags(&dev->stream, cudaStreamNonBlocking),
                             "a stream"));
    dev->launching = dev->stream;
    AXL_TRY(keep_memory(dev));
    AXL_TRY(axl__staging_open(dev));
    AXL_TRY(axl__sequences_open(dev));
    AXL_TRY(axl__quant_tables_open(dev));
    AXL_TRY(axl__cuda_buffer_new(dev, (void **)&dev->partial,
                                 AXL__CUDA_PARTIALS * sizeof *dev->partial));
    return axl__cublaslt_open(dev);
}

static void cuda_device_close(axl_device *dev)
{
    axl_context *ctx = dev->ctx;

    if (dev->stream) {
        cudaSetDevice(dev->ordinal);
        axl__sequences_close(dev);
        axl__cublaslt_close(dev);
        axl__quant_tables_close(dev);
        if (dev->partial)
            cudaFreeAsync(dev->partial, dev->stream);
        if (dev->room)
            cudaFreeAsync(dev->room, dev->stream);
        cudaStreamSynchronize(dev->stream);
        axl__staging_close(dev);
        cudaStreamDestroy(dev->stream);
    }
    pthread_mutex_destroy(&dev->lock);
    axl__cuda_host->free(ctx, dev);
    axl__cuda_host->context_free(ctx);
}

static axl_status cuda_device_open(axl_device **out, axl_context *ctx, int32_t ordinal)
{
    axl_device *dev;

    *out = NULL;
    AXL_TRY(axl__cuda_host_new(ctx, (void **)&dev, sizeof *dev));
    dev->ctx = axl__cuda_host->context_ref(ctx);
    pthread_mutex_init(&dev->lock, NULL);
    dev->ordinal = ordinal;
    axl_status status = open_parts(dev);
    if (status < 0) {
        cuda_device_close(dev);
        return status;
    }
    *out = dev;
    return AXL_OK;
}

static void read_memory(axl_device *dev, axl_device_info *out)
{
    size_t free_bytes = 0, total = 0;
    uint64_t peak = 0;
    cudaMemPool_t pool;

    if (cudaSetDevice(dev->ordinal) != cudaSuccess)
        return;
    if (cudaMemGetInfo(&free_bytes, &total) == cudaSuccess)
        out->free_device_bytes = free_bytes;
    if (cudaDeviceGetDefaultMemPool(&pool, dev->ordinal) == cudaSuccess &&
        cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemHigh, &peak) == cudaSuccess)
        out->peak_device_bytes = peak;
}

static void cuda_device_info(axl_device *dev, axl_device_info *out)
{
    *out = axl_device_info();
    out->native_bf16 = true;
    out->own_bytes = axl__staging_bytes();
    out->own_device_bytes = axl__cublaslt_bytes() + axl__staging_device_bytes() +
                            AXL__CUDA_PARTIALS * sizeof *dev->partial + dev->room_size;
    out->matmul = "cuBLASLt";
    out->isa = dev->isa;
    read_memory(dev, out);
}

/* ---- memory ---- */

static axl_status locked(axl_device *dev, axl_status (*fn)(axl_device *dev))
{
    AXL_TRY(enter(dev));
    pthread_mutex_lock(&dev->lock);
    axl_status status = fn(dev);
    pthread_mutex_unlock(&dev->lock);
    return status;
}

/* What is no call of a sequence comes after those that wait. */
static axl_status enter_apart(axl_device *dev)
{
    return locked(dev, axl__sequence_settle);
}

axl_status axl__cuda_buffer_new(axl_device *dev, void **out, size_t size)
{
    *out = NULL;
    cudaError_t e = cudaMallocAsync(out, size ? size : 1, dev->stream);
    if (e == cudaErrorMemoryAllocation)
        return out_of_memory(dev, size);
    return axl__cuda_status(dev, e, "a buffer");
}

axl_status axl__cuda_working_memory(axl_device *dev, void **out, size_t size)
{
    *out = NULL;
    if (dev->launching != dev->stream)
        return axl__cuda_host->fail(AXL_ERR_UNSUPPORTED, "a graph's launches take no memory");
    return axl__cuda_buffer_new(dev, out, size);
}

axl_status axl__cuda_room(axl_device *dev, size_t size)
{
    if (size <= dev->room_size)
        return AXL_OK;
    axl__sequences_forget_graphs(dev);
    if (dev->room)
        cudaFreeAsync(dev->room, dev->stream);
    dev->room_size = 0;
    AXL_TRY(axl__cuda_working_memory(dev, &dev->room, size));
    dev->room_size = size;
    return AXL_OK;
}

static axl_status cuda_buffer_new(axl_device *dev, void **out, size_t size)
{
    *out = NULL;
    AXL_TRY(enter_apart(dev));
    return axl__cuda_buffer_new(dev, out, size);
}

static void cuda_buffer_free(axl_device *dev, void *buffer)
{
    if (buffer && enter_apart(dev) == AXL_OK)
        cudaFreeAsync(buffer, dev->stream);
}

static axl_status cuda_upload(axl_device *dev, void *dst, const void *host, size_t size)
{
    AXL_TRY(enter_apart(dev));
    return axl__staging_upload(dev, dst, host, size);
}

static axl_status cuda_weights_map(axl_device *dev, void **out, const void *host, size_t size)
{
    AXL_TRY(cuda_buffer_new(dev, out, size));
    axl_status status = axl__staging_upload(dev, *out, host, size);
    if (status < 0) {
        cuda_buffer_free(dev, *out);
        *out = NULL;
    }
    return status;
}

static axl_status cuda_synchronize(axl_device *dev)
{
    AXL_TRY(enter_apart(dev));
    return axl__cuda_status(dev, cudaStreamSynchronize(dev->stream), "waiting");
}

static axl_status cuda_download(axl_device *dev, void *host, const void *src, size_t size)
{
    AXL_TRY(enter_apart(dev));
    if (size)
        AXL_TRY(axl__cuda_status(
            dev, cudaMemcpyAsync(host, src, size, cudaMemcpyDeviceToHost, dev->stream),
            "a download"));
    return axl__cuda_status(dev, cudaStreamSynchronize(dev->stream), "waiting");
}

static size_t cuda_scratch(axl_device *dev, axl_op op, const void *args)
{
    (void)dev;
    if (op == AXL_OP_attention_backward)
        return axl__cuda_attention_scratch((const axl_attention_backward_args *)args);
    return 0;
}

/* ---- calls ---- */

static axl_status run_zero(axl_device *dev, const axl_zero_args *a)
{
    return axl__cuda_status(dev, cudaMemsetAsync(a->dst, 0, a->size, dev->launching), "zeros");
}

static axl_status run_copy(axl_device *dev, const axl_copy_args *a)
{
    return axl__cuda_status(
        dev, cudaMemcpyAsync(a->dst, a->src, a->size, cudaMemcpyDeviceToDevice, dev->launching),
        "a copy");
}

axl_status axl__cuda_run(axl_device *dev, int kind, const void *args)
{
    switch (kind) {
#define RUN(op, args_type, use)                                                                    \
    case AXL_OP_##op: return axl__cuda_##op(dev, (const args_type *)args);
        AXL_BACKEND_OPS(RUN)
#undef RUN
    case AXL__CALL_ZERO: return run_zero(dev, (const axl_zero_args *)args);
    default: return run_copy(dev, (const axl_copy_args *)args);
    }
}

static axl_status call(axl_device *dev, int kind, const void *args)
{
    AXL_TRY(enter(dev));
    pthread_mutex_lock(&dev->lock);
    axl_status status = axl__sequence_call(dev, kind, args);
    pthread_mutex_unlock(&dev->lock);
    return status;
}

static axl_status cuda_copy(axl_device *dev, void *dst, const void *src, size_t size)
{
    axl_copy_args a = { dst, src, size };

    return size ? call(dev, AXL__CALL_COPY, &a) : AXL_OK;
}

static axl_status cuda_zero(axl_device *dev, void *dst, size_t size)
{
    axl_zero_args a = { dst, size };

    return size ? call(dev, AXL__CALL_ZERO, &a) : AXL_OK;
}

static axl_status cuda_sequence_begin(axl_device *dev)
{
    return locked(dev, axl__sequence_begin);
}

static axl_status cuda_sequence_end(axl_device *dev)
{
    return locked(dev, axl__sequence_end);
}

/* ---- table ---- */

#define CUDA_OP(op, args, use)                                                                     \
    static axl_status cuda_##op(axl_device *dev, const args *a)                                    \
    {                                                                                              \
        return call(dev, AXL_OP_##op, a);                                                          \
    }
AXL_BACKEND_OPS(CUDA_OP)

/* In the order of axl_backend_ops. */
#define MEMBER(op, args, use) cuda_##op,
static const axl_backend_ops table = { AXL_BACKEND_ABI,
                                       sizeof(axl_backend_ops),
                                       "cuda",
                                       AXL_VERSION,
                                       cuda_device_open,
                                       cuda_device_close,
                                       cuda_device_info,
                                       cuda_buffer_new,
                                       cuda_buffer_free,
                                       cuda_weights_map,
                                       cuda_buffer_free,
                                       cuda_upload,
                                       cuda_download,
                                       cuda_copy,
                                       cuda_zero,
                                       cuda_synchronize,
                                       cuda_scratch,
                                       cuda_sequence_begin,
                                       cuda_sequence_end,
                                       AXL_BACKEND_OPS(MEMBER) };

extern "C" __attribute__((visibility("default"))) const axl_backend_ops *axl_backend_plugin(
    const axl_plugin_host *host)
{
    axl__cuda_host = host;
    return &table;
}
