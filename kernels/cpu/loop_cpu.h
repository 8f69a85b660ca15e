/* SPDX-License-Identifier: Apache-2.0 */
/* loop_cpu.h - loops whose work is known: what is too little for two threads runs on the caller's.
 */
#ifndef AXL_CPU_LOOP_CPU_H
#define AXL_CPU_LOOP_CPU_H

#include "device_cpu.h"

/* Multiplications that one thread does in some microseconds, as long as it takes to share a loop
 * with threads that are awake; and in a tenth of a millisecond, when waking one pays. */
#define AXL_LEAST_SHARED_WORK ((int64_t)1 << 18)
#define AXL_LEAST_WAKING_WORK ((int64_t)1 << 23)

/* work: multiplications of all tasks together, or what takes as long.  It decides where tasks run,
 * never what they compute. */
static inline void axl_loop(axl_device *dev, int64_t count, int64_t work, axl_task_fn fn, void *arg)
{
    if (work >= AXL_LEAST_WAKING_WORK)
        axl__parallel_for(dev->ctx, (uint64_t)count, fn, arg);
    else if (work >= AXL_LEAST_SHARED_WORK)
        axl__parallel_for_short(dev->ctx, (uint64_t)count, fn, arg);
    else
        for (int64_t i = 0; i < count; i++)
            fn(arg, (uint64_t)i);
}

#endif
