/* SPDX-License-Identifier: Apache-2.0 */
/* data_configs.h - the configurations of a data set, which the head of its README.md lists with the
 * files of each (`configs:`, as on the Hub). */
#ifndef AXL_DATA_DATA_CONFIGS_H
#define AXL_DATA_DATA_CONFIGS_H

#include "config/yaml_tree.h"
#include "data/read/source_files.h"

/* One of them; both NULL where README.md lists none. */
typedef struct axl__data_config {
    axl__arena arena;
    const axl__yaml *files; /* data_files */
    const char *folder;     /* data_dir */
} axl__data_config;

/* The one of that name; name NULL: the default one, or the only one.  AXL_ERR_NOT_FOUND names those
 * that there are. */
axl_status axl__data_config_open(axl__data_config *out, axl_context *ctx, const char *folder,
                                 const char *name);
void axl__data_config_close(axl__data_config *config);
/* The splits as a sum, "train+test". */
void axl__data_config_splits_put(axl__str *out, const axl__data_config *config);
/* The n-th pattern of a split's files; NULL behind the last. */
const char *axl__data_config_pattern(const axl__data_config *config, const char *split, size_t len,
                                     size_t n);

#endif
