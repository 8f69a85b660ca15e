/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_runtime.h - what kernels/cuda and the kernels' .cu files use of the CUDA runtime, for
 * machines without a GPU: the same names with the same meaning, as the CUDA 13 runtime and
 * programming guide state them, carried out on the host (../emulation.cc).  It comes before the
 * toolkit's header of that name on the include path.
 *
 * A thread is a fibre.  Those of a block take turns on one thread of the host: each runs until it
 * waits for others.  Blocks run one after another, launches of a stream in their order, when
 * something waits for them.
 */
#ifndef AXL_EMULATED_CUDA_RUNTIME_H
#define AXL_EMULATED_CUDA_RUNTIME_H

#include <functional>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __shared__ /* of an extern array alone */
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))

/* ---- types ---- */

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

/* One access of the machine each, as on the device. */
typedef uint32_t emulated_v2 __attribute__((vector_size(8), may_alias));
typedef uint32_t emulated_v4 __attribute__((vector_size(16), may_alias));
struct __align__(8) uint2
{
    uint32_t x, y;
};
struct __align__(16) uint4
{
    uint32_t x, y, z, w;
};

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotReady = 600,
};
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
};
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4, cudaMemPoolAttrUsedMemHigh = 8 };

typedef struct emulated_stream *cudaStream_t;
typedef struct emulated_event *cudaEvent_t;
typedef struct emulated_pool *cudaMemPool_t;
typedef struct emulated_graph *cudaGraph_t;
typedef struct emulated_graph *cudaGraphExec_t;

struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount;
    size_t totalGlobalMem;
};
struct cudaLaunchAttribute;
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned numAttrs;
};

/* ---- the runtime ---- */

const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int device);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *out, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attr, void *value);
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attr, void *value);
cudaError_t cudaMallocAsync(void **out, size_t size, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *p, cudaStream_t stream);
cudaError_t cudaHostAlloc(void **out, size_t size, unsigned flags);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemset2DAsync(void *dst, size_t pitch, int value, size_t width, size_t height,
                              cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *dst, int value, size_t size, cudaStream_t stream);

/* ---- launches ---- */

cudaError_t emulated_launch(const cudaLaunchConfig_t *config, const char *kernel,
                            std::function<void()> thread);
cudaError_t emulated_allow_shared(const void *kernel, int bytes);

template <class... Formal, class... Given>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Formal...),
                               Given &&...given)
{
    return emulated_launch(config, (const char *)(const void *)kernel,
                           [=]() { kernel(Formal(given)...); });
}

template <class F> cudaError_t cudaFuncSetAttribute(F *kernel, cudaFuncAttribute, int value)
{
    return emulated_allow_shared((const void *)kernel, value);
}

/* ---- inside of a kernel ---- */

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
extern unsigned emulated_lane; /* of the running thread in its warp */

void __syncthreads(void);
void __syncwarp(unsigned mask = 0xFFFFFFFFu);

/* Every lane of the warp gives its bytes and gets those of lane `from`. */
void emulated_exchange(unsigned mask, void *bytes, size_t size, unsigned from);
/* All lanes give `in` (size each) and the last to come runs fn(warp's in, warp's out). */
void emulated_together(const void *in, size_t in_size, void *out, size_t out_size,
                       void (*fn)(const unsigned char *in, unsigned char *out));

template <class T> T __shfl_sync(unsigned mask, T value, int lane)
{
    emulated_exchange(mask, &value, sizeof value, (unsigned)lane & 31);
    return value;
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes)
{
    emulated_exchange(mask, &value, sizeof value, emulated_lane ^ (unsigned)lanes);
    return value;
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by)
{
    unsigned from = emulated_lane + by;
    emulated_exchange(mask, &value, sizeof value, from < 32 ? from : emulated_lane);
    return value;
}

static inline uint32_t __float_as_uint(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline float __uint_as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
static inline uint32_t __umulhi(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b >> 32);
}
/* With the roundings that the names say, and never an fma. */
static inline float __fmul_rn(float a, float b)
{
    return a * b;
}
static inline float __fadd_rn(float a, float b)
{
    return a + b;
}
static inline float normcdff(float x)
{
    return 0.5f * erfcf(-x * 0.70710678118654752f);
}

#endif
