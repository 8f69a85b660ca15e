/* SPDX-License-Identifier: Apache-2.0 */
/* os_dir.h - folders, names and links. */
#ifndef AXL_BASE_OS_DIR_H
#define AXL_BASE_OS_DIR_H

#include <axl/context.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

axl_status axl__make_dirs(axl_context *ctx, const char *path); /* and parents; existing is fine */
/* The length of the longest leading part of path, up to a '/', that exists; of all of it when it
 * does. */
size_t axl__existing_part(const char *path);
/* Removes path and the folders above it that are longer than `keep` bytes while they are empty. */
void axl__remove_empty_dirs(const char *path, size_t keep);
axl_status axl__remove_file(const char *path); /* absent is fine */
axl_status axl__remove_tree(const char *path); /* absent is fine; links stay */
/* What processes that are gone were writing in a folder under a temporary name, NAME.tmpPID, of the
 * NAMEs that are ours: others' are not touched. */
axl_status axl__remove_leftovers(axl_context *ctx, const char *dir,
                                 bool (*ours)(const char *name, size_t len));
axl_status axl__rename(const char *from, const char *to);
/* Puts a folder where another one may be, which is then gone; when it fails the other is still
 * there.  Synced. */
axl_status axl__replace_dir(axl_context *ctx, const char *from, const char *to);
/* Names in a folder, without "." and "..", sorted by bytes; NULL-terminated; one block for
 * axl__free. */
axl_status axl__list_dir(axl_context *ctx, const char *path, char ***names, size_t *count);
/* AXL_ERR_IO unless a file can be created in the folder. */
axl_status axl__check_writable(axl_context *ctx, const char *dir);
/* fsync of a folder's entries. */
axl_status axl__sync_dir(const char *path);
/* Makes path a link to target, whatever was there.  AXL_ERR_UNSUPPORTED: no links here. */
axl_status axl__link_to(axl_context *ctx, const char *target, const char *path);
uint64_t axl__free_space(const char *dir); /* in bytes; UINT64_MAX when it is not known */

#endif
