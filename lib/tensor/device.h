/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - what computes: a backend's device, and what it says of itself. */
#ifndef AXL_TENSOR_DEVICE_H
#define AXL_TENSOR_DEVICE_H

#include "base/ctx.h"

typedef struct axl_device axl_device; /* each backend has its own */

typedef struct axl_device_info {
    bool native_bf16;   /* has bf16 dot products: `bf16: auto` means bf16 */
    bool host_memory;   /* device pointers are host pointers */
    bool counts_only;   /* nothing is allocated or computed, see counting.h */
    uint64_t own_bytes; /* of host memory that the device has for itself */
    /* Of memory of the device's own; 0 where that is the host's.  What it has for itself, what is
     * free, and the most that buffers have taken at a time. */
    uint64_t own_device_bytes, free_device_bytes, peak_device_bytes;
    const char *matmul; /* what computes large matmuls: "axl", "oneDNN 2.6.3", … */
    const char *isa;    /* "avx512_bf16", … */
} axl_device_info;

#endif
