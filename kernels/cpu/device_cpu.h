/* SPDX-License-Identifier: Apache-2.0 */
/* device_cpu.h - the CPU backend's device as its kernels see it. */
#ifndef AXL_CPU_DEVICE_CPU_H
#define AXL_CPU_DEVICE_CPU_H

#include "kernels.h"
#include "matmul_plugin.h"

#include <stdatomic.h>

/* Bytes of one scratch slot; an operation that needs more cuts its work smaller. */
#define AXL_SCRATCH_SIZE ((size_t)2 << 20)

struct axl_device {
    axl_context *ctx;
    axl_isa isa;
    const axl_cpu_kernels *kernels;
    const axl_matmul_plugin *plugin; /* NULL: own kernels alone */
    axl_matmul_library *library;
    bool library_takes_f32, library_takes_bf16; /* products of these */
    uint32_t n_slots;
    atomic_bool *slot_taken; /* (n_slots) */
    char *slots;             /* (n_slots, AXL_SCRATCH_SIZE) */
};

/* A slot of scratch memory for the task that asks, 64-byte aligned, contents undefined.  Never
 * fails: with more tasks at once than slots it waits.  A task takes one at most. */
void *axl__scratch_acquire(axl_device *dev);
void axl__scratch_release(axl_device *dev, void *slot);

#endif
