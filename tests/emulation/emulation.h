/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emulation.h - what the emulated device says of what ran on it, for tests.  The functions are
 * exported by the plugin libaxl-emulated.so.0 and reached with dlsym.
 */
#ifndef AXL_TESTS_EMULATION_H
#define AXL_TESTS_EMULATION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one kernel, or all launches together, did since the last reset. */
typedef struct axl_emulated_counts {
    uint64_t launches; /* of kernels, products by cuBLASLt and graphs, not of what is in one */
    uint64_t graphs;
    uint64_t products;     /* those by cuBLASLt */
    uint64_t copies;       /* between host and device, and fills */
    uint64_t waits;        /* times the host waited for the device */
    uint64_t read_sectors; /* of 32 bytes, by the accesses of warps to global memory */
    uint64_t written_sectors;
    uint64_t shared_accesses; /* of warps to shared memory, in wavefronts of 128 bytes */
    uint64_t bank_conflicts;  /* of them, those that a free choice of banks would save */
    uint64_t tensor_products; /* instructions of the tensor cores */
    uint64_t most_bytes;      /* that buffers have taken at a time since the last reset */
} axl_emulated_counts;

/* Whether accesses are counted and races looked for: 0 not at all, as it begins. */
typedef void axl_emulated_watch_fn(int on);
axl_emulated_watch_fn axl_emulated_watch;

typedef void axl_emulated_reset_fn(void);
axl_emulated_reset_fn axl_emulated_reset;

/* Of the kernels whose name begins with `kernel`; of all for "". */
typedef void axl_emulated_read_fn(axl_emulated_counts *out, const char *kernel);
axl_emulated_read_fn axl_emulated_read;

/* Bytes that buffers may take in all from now on; 0: as many as there are. */
typedef void axl_emulated_limit_fn(size_t bytes);
axl_emulated_limit_fn axl_emulated_limit;

#ifdef __cplusplus
}
#endif

#endif
