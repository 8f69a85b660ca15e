/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoints.h - the checkpoint-N folders of an output_dir. */
#ifndef AXL_TRAIN_CHECKPOINTS_H
#define AXL_TRAIN_CHECKPOINTS_H

#include "base/ctx.h"

/* OUTPUT_DIR/checkpoint-STEP, from axl__alloc. */
char *axl__checkpoint_path(axl_context *ctx, const char *output_dir, uint64_t step);
/* The newest one that is whole; *out is NULL when there is none. */
axl_status axl__checkpoints_newest(axl_context *ctx, const char *output_dir, char **out);
/* Removes the oldest until at most `keep` are left. */
axl_status axl__checkpoints_prune(axl_context *ctx, const char *output_dir, size_t keep);

#endif
