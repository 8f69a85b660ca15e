/* SPDX-License-Identifier: Apache-2.0 */
/* web_file.h - files by an https address, loaded once into the folder axl--files of the cache. */
#ifndef AXL_HUB_WEB_FILE_H
#define AXL_HUB_WEB_FILE_H

#include "base/ctx.h"

#include <stdbool.h>

/* Whether a path is an address, https://… or http://…. */
bool axl__is_web_address(const char *path);

/*
 * The path of the file on this machine, which ends in the address's own file name, for axl__free.
 * What is there is taken as it is; else it is loaded when `load` is set and the context allows the
 * network, without any token.  AXL_END: it is not there, and load is not set.  AXL_ERR_UNSUPPORTED:
 * an address that is not https, unless it is on HF_ENDPOINT; AXL_ERR_NOT_FOUND says why it was not
 * loaded, AXL_ERR_IO that loading failed.
 */
axl_status axl__web_file(axl_context *ctx, const char *address, bool load, char **path);

#endif
