/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_device.h - the host's side of a CUDA kernel: the device, and launching on its stream.
 * C++, as all that nvcc compiles; without exceptions, run-time types or the C++ library.  A .cu
 * file includes its header of kernels/cuda first, which takes the headers of C as such.
 */
#ifndef AXL_KERNELS_CUDA_DEVICE_H
#define AXL_KERNELS_CUDA_DEVICE_H

extern "C" {
#include "tensor/backend_plugin.h"
#include "tensor/quantise.h"
}

#include "kernels/whole.h"

#include <cuda_runtime.h>
#include <pthread.h>

struct axl_cublaslt; /* of cublaslt.h */

struct axl_device {
    axl_context *ctx;
    int ordinal;
    pthread_mutex_t lock; /* of an operation's launches, which follow one another on the stream */
    cudaStream_t stream;  /* all work, in order; uploads may come to it from staging's own */
    cudaStream_t
        launching; /* where launches go: that stream, or the one of a graph in the making */
    cudaDeviceProp properties;
    char isa[16];
    struct axl_cublaslt *lt;
    struct axl_staging *staging;     /* of uploads, see staging.cu */
    struct axl_sequences *sequences; /* see sequence.cu */
    struct axl_quant_tables *tables; /* of optimizers' states, see quant_tables.cu */
    double *partial;                 /* (AXL__CUDA_PARTIALS), device memory: sums of blocks */
    void *room;                      /* device memory of operands that are made for one product */
    size_t room_size;
};

enum { AXL__CUDA_PARTIALS = 1024 };

/* Memory of the host, zeroed, to be given back to host->free; and of the device, in the order of
 * its stream, for cudaFreeAsync.  NULL on failure, which names what was asked for. */
axl_status axl__cuda_host_new(axl_context *ctx, void **out, size_t size);
axl_status axl__cuda_buffer_new(axl_device *dev, void **out, size_t size);

/* The same for an operation's own use, and none while a graph is in the making: its launches would
 * have an address that another call gets. */
axl_status axl__cuda_working_memory(axl_device *dev, void **out, size_t size);

/* dev->room of at least that size, 256-byte aligned; what it held is lost.  It is one for all
 * calls, which the stream orders. */
axl_status axl__cuda_room(axl_device *dev, size_t size);

/* Uploads through memory that the device reads by itself. */
axl_status axl__staging_open(axl_device *dev);
void axl__staging_close(axl_device *dev);
axl_status axl__staging_upload(axl_device *dev, void *dst, const void *host, size_t size);
size_t axl__staging_bytes(void);        /* of the host's memory, */
size_t axl__staging_device_bytes(void); /* and of the device's */

/* A map of optim_low_bit.  border[1] is the root of a tree whose node n has the nodes 2 n and
 * 2 n + 1 below: x goes on to the second where x >= border[n]. */
typedef struct axl_quant_table {
    float code[256], border[256];
} axl_quant_table;

/* out is device memory of the device's own, made when a map is first seen. */
axl_status axl__quant_table_of(axl_device *dev, const axl_quant_table **out,
                               const axl_quant_map *map);
axl_status axl__quant_tables_open(axl_device *dev);
void axl__quant_tables_close(axl_device *dev);

/* Bytes of scratch memory, see backend.h. */
size_t axl__cuda_attention_scratch(const axl_attention_backward_args *a);

/* The library's services; set before anything else runs. */
extern const axl_plugin_host *axl__cuda_host;

#define AXL__CUDA_DECLARE(op, args, use) axl_status axl__cuda_##op(axl_device *dev, const args *a);
AXL_BACKEND_OPS(AXL__CUDA_DECLARE)
#undef AXL__CUDA_DECLARE

/* AXL_OK, or an error "what: the runtime's words", of the device. */
axl_status axl__cuda_status(axl_device *dev, cudaError_t e, const char *what);

/* Lets a kernel have more than 48 KiB of shared memory. */
template <class Kernel> axl_status axl__cuda_allow_shared(axl_device *dev, Kernel *kernel, size_t n)
{
    cudaError_t e =
        n <= 48 << 10
            ? cudaSuccess
            : cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)n);

    return axl__cuda_status(dev, e, "shared memory for a kernel");
}

/* Puts a kernel on the device's stream. */
template <class... Formal, class... Given>
axl_status axl__cuda_launch(axl_device *dev, void (*kernel)(Formal...), dim3 grid, dim3 block,
                            size_t shared, Given... given)
{
    cudaLaunchConfig_t c = {};

    AXL_TRY(axl__cuda_allow_shared(dev, kernel, shared));
    c.gridDim = grid;
    c.blockDim = block;
    c.dynamicSmemBytes = shared;
    c.stream = dev->launching;
    return axl__cuda_status(dev, cudaLaunchKernelEx(&c, kernel, Formal(given)...),
                            "launching a kernel");
}

/* A constant as an argument, whose type carries it. */
template <class T, T v> struct constant {
    static constexpr T value = v;
};

/* fn(float()) or fn(bf16()): a kernel's template argument from a dtype. */
struct bf16 {
    uint16_t bits;
};
template <class Fn> axl_status axl__cuda_with_type(axl_dtype t, Fn fn)
{
    return t == AXL_F32 ? fn(float()) : fn(bf16());
}
template <class Fn> axl_status axl__cuda_with_types(axl_dtype t, axl_dtype u, Fn fn)
{
    return axl__cuda_with_type(t, [&](auto first) {
        return axl__cuda_with_type(u, [&](auto second) { return fn(first, second); });
    });
}

#endif
