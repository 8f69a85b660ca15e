/* SPDX-License-Identifier: Apache-2.0 */
/* guarded.h - what the tests ask of the guarded backend. */
#ifndef AXL_TESTS_GUARDED_H
#define AXL_TESTS_GUARDED_H

#include <stdint.h>

#define GUARDED_EXPORT __attribute__((visibility("default")))

typedef struct axl_guarded_counts {
    uint64_t calls;             /* queued since the device was opened */
    uint64_t queued;            /* of them, not run yet */
    uint64_t waits;             /* downloads and synchronizations */
    uint64_t since_wait;        /* calls since the last of them */
    uint64_t without_device_cu; /* attentions without cu_seqlens in device memory */
    uint64_t never_freed;       /* buffers that a closed device still had */
    const void *newest;         /* address of the buffer made last */
} axl_guarded_counts;

/* Of the newest device, which is open, and of the one closed last; either may be NULL. */
typedef void axl_guarded_read_fn(axl_guarded_counts *open, axl_guarded_counts *last_closed);
axl_guarded_read_fn axl_guarded_read;

#endif
