/* SPDX-License-Identifier: Apache-2.0 */
/* saved_set.h - folders that datasets' save_to_disk() made: of one data set, or of one a split. */
#ifndef AXL_DATA_READ_SAVED_SET_H
#define AXL_DATA_READ_SAVED_SET_H

#include "data/read/source_files.h"

typedef enum { AXL__SAVED_NONE, AXL__SAVED_SET, AXL__SAVED_DICT } axl__saved_kind;

axl__saved_kind axl__saved_kind_of(const char *folder);
/* The Arrow files of a set, in its order. */
axl_status axl__saved_files(axl__files *files, axl_context *ctx, const char *folder);
/* The splits of a dict as a sum, "train+test". */
axl_status axl__saved_splits_put(axl__str *out, axl_context *ctx, const char *folder);

#endif
