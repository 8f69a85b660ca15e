/* SPDX-License-Identifier: Apache-2.0 */
/* sequence.h - sequences of calls that come again run as CUDA graphs. */
#ifndef AXL_KERNELS_CUDA_SEQUENCE_H
#define AXL_KERNELS_CUDA_SEQUENCE_H

#include "cuda_device.h"

/* What is no operation and may be in a sequence, beside every axl_op. */
enum { AXL__CALL_ZERO = AXL_N_OPS, AXL__CALL_COPY, AXL__N_CALLS };

typedef struct axl_zero_args {
    void *dst;
    size_t size;
} axl_zero_args;

typedef struct axl_copy_args {
    void *dst;
    const void *src;
    size_t size;
} axl_copy_args;

axl_status axl__sequences_open(axl_device *dev);
void axl__sequences_close(axl_device *dev);

/* All are called with the device's lock held. */
axl_status axl__sequence_begin(axl_device *dev);
axl_status axl__sequence_end(axl_device *dev);
/* The call, now or when its sequence ends. */
axl_status axl__sequence_call(axl_device *dev, int kind, const void *args);
/* Before anything that is no call: what has waited runs, and this sequence is not kept. */
axl_status axl__sequence_settle(axl_device *dev);
/* Memory that graphs have the address of is about to go. */
void axl__sequences_forget_graphs(axl_device *dev);

/* What runs a call; in backend_cuda.cu. */
axl_status axl__cuda_run(axl_device *dev, int kind, const void *args);

#endif
