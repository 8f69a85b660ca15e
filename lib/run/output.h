/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - what a run's output_dir is to other runs, and which names in it are axl's own. */
#ifndef AXL_RUN_OUTPUT_H
#define AXL_RUN_OUTPUT_H

#include "base/ctx.h"

/* Keeps other runs out of an existing folder, of this process too, until release or the end of the
 * process, however it ends; the lock is on output_dir/.axl.lock.  AXL_ERR_BUSY names the folder
 * and, where it is known, the process that has it.  release takes -1. */
axl_status axl__output_lock(axl_context *ctx, const char *dir, int *lock);
void axl__output_release(axl_context *ctx, const char *dir, int lock);

/* Removes what runs that were killed left half written. */
axl_status axl__output_clean(axl_context *ctx, const char *dir);

#endif
