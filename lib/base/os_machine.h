/* SPDX-License-Identifier: Apache-2.0 */
/* os_machine.h - this process and what the machine gives it: processors and memory. */
#ifndef AXL_BASE_OS_MACHINE_H
#define AXL_BASE_OS_MACHINE_H

#include <axl/context.h>

#include <stdbool.h>
#include <stdint.h>

enum { AXL__HOST_MAX = 65 };
void axl__host_name(char out[AXL__HOST_MAX]); /* "localhost" where it is not known */
int64_t axl__process_id(void);
void axl__os_yield(void);
/* The path from the root, which holds wherever the process goes; it need not exist.  For axl__free;
 * NULL only when memory is out: where the current directory is gone, path is as it was. */
char *axl__path_absolute(axl_context *ctx, const char *path);

/* Processors this process may use: affinity mask, then the cgroup quota rounded up; at least 1. */
uint32_t axl__cpu_count(void);
/* Asks the kernel for AMX tile data; false when it refuses. */
bool axl__request_amx(void);
/* Resident bytes of this process: the most that there were, and now. */
uint64_t axl__peak_rss(void);
uint64_t axl__current_rss(void);
/* Bytes that the process may still take: what the system has to give without swapping and the
 * control groups above it allow; UINT64_MAX when neither says. */
uint64_t axl__available_memory(void);

#endif
