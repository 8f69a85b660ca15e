/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoints.h - the checkpoint-N folders of an output_dir. */
#ifndef AXL_RUN_CHECKPOINTS_H
#define AXL_RUN_CHECKPOINTS_H

#include "base/ctx.h"

/* OUTPUT_DIR/checkpoint-STEP, from axl__alloc. */
char *axl__checkpoint_path(axl_context *ctx, const char *output_dir, uint64_t step);
/* Whether a name is one of theirs. */
bool axl__checkpoint_is_name(const char *name, size_t len);
/* AXL_ERR_INVALID where a path from the root lies in one of them. */
axl_status axl__checkpoints_spare(axl_context *ctx, const char *output_dir, const char *path);
/* For the next one to be saved there: more than any that is there.  No clock is asked. */
axl_status axl__checkpoints_next_serial(axl_context *ctx, const char *output_dir, uint64_t *serial);
/* The one that was saved last, of those that can be resumed; *out is NULL when there is none.  A
 * failure where one of a higher step cannot be read: what it held is not passed over in silence. */
axl_status axl__checkpoints_newest(axl_context *ctx, const char *output_dir, char **out);
/* Removes those that were saved first until at most `keep` are left, but never the newest and that
 * of the step `best` (-1: none). */
axl_status axl__checkpoints_prune(axl_context *ctx, const char *output_dir, size_t keep,
                                  int64_t best);

#endif
