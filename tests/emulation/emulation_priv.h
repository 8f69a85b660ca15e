/* SPDX-License-Identifier: Apache-2.0 */
/* emulation_priv.h - what the emulation's files know of one another. */
#ifndef AXL_EMULATION_PRIV_H
#define AXL_EMULATION_PRIV_H

#include "emulation.h"

#include <cuda_runtime.h>

#include <map>
#include <string>

enum { WARP = 32, MAX_THREADS = 1024, SHARED_MAX = 227 * 1024 };

/* A fault of a kernel: what and where, and the process ends. */
[[noreturn]] void emulated_fault(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Device memory: a page without rights, the bytes up to a page's end, another page. */
struct emulated_buffer {
    char *map;
    size_t map_size;
    char *data;
    size_t size;
    struct access *shadow; /* (size), made when it is watched */
};
/* By address of data. */
extern std::map<char *, emulated_buffer> &emulated_buffers;

/* ---- the running block, for the watcher ---- */

struct emulated_position {
    const char *kernel; /* its name */
    uint32_t launch;    /* counted from 1 */
    uint64_t block;
    uint32_t thread, n_threads;
    uint32_t block_epoch, warp_epoch; /* barriers passed */
    size_t shared_size;
};
extern emulated_position emulated_at;
extern bool emulated_inside;                   /* a kernel's thread is running */
extern bool emulated_in_graph;                 /* a graph's launches are running */
extern axl_emulated_counts *emulated_counting; /* of the running kernel */
extern unsigned char axl_shared_bytes[];

void emulated_queue(cudaStream_t stream, std::function<void()> call);
axl_emulated_counts *emulated_counts_of(const std::string &kernel);

/* ---- the watcher (watch.cc) ---- */

/* An access of a lane; at is the place in the code. */
void emulated_touch(const void *address, size_t size, bool writes, const void *at);
/* Drops the copies of a block that no one waited for (warp.cc). */
void emulated_copies_forget(void);

/* After the last thread of a block; after a barrier of all. */
void emulated_block_ended(void);
void emulated_barrier_passed(void);

#endif
