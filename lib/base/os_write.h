/* SPDX-License-Identifier: Apache-2.0 */
/* os_write.h - writing files, of which others see all or nothing, and locks between processes. */
#ifndef AXL_BASE_OS_WRITE_H
#define AXL_BASE_OS_WRITE_H

#include "checksum.h"

#include <axl/context.h>

#include <stddef.h>
#include <stdint.h>

/* Writes a new file beside path, syncs it, renames it over path: all or nothing.  Where path is a
 * link, the link is replaced. */
axl_status axl__write_file(axl_context *ctx, const char *path, const void *data, size_t size);

/* A file being written in pieces under a temporary name beside its path. */
typedef struct axl__writer {
    axl_context *ctx;
    char *path, *temp;
    int fd;
    axl__checksum *sum; /* set after opening: of what is put from then on; NULL: not wanted */
} axl__writer;
axl_status axl__writer_open(axl__writer *out, axl_context *ctx, const char *path);
axl_status axl__writer_put(axl__writer *w, const void *data, size_t size);
axl_status axl__writer_commit(axl__writer *w); /* sync and rename; the writer is gone after it */
void axl__writer_abort(axl__writer *w);        /* nothing stays; fine after commit */
/* A file in dir that has no name and is gone with the writer or the process, unless it gets one
 * before it is committed.  AXL_ERR_UNSUPPORTED: there are none there, or none that can be
 * mapped. */
axl_status axl__writer_open_unnamed(axl__writer *out, axl_context *ctx, const char *dir);
/* AXL_ERR_UNSUPPORTED: the path is on another file system. */
axl_status axl__writer_name(axl__writer *w, const char *path);
/* As axl__writer_open, but under a temporary name that a later process finds again: appends to
 * what is there, *size bytes. */
axl_status axl__writer_resume(axl__writer *out, axl_context *ctx, const char *path,
                              const char *temp, uint64_t *size);
axl_status axl__writer_restart(axl__writer *w); /* from the first byte */
void axl__writer_keep(axl__writer *w);          /* closes; the temporary file stays */

/* Appends to a file, creating it, all or nothing; a link is not followed. */
axl_status axl__append_file(const char *path, const void *data, size_t size);

/* A lock between processes (flock) on a file that is made for it; *fd is -1 while another has it.
 * Where the file system has no locks, nobody is kept out. */
axl_status axl__lock_file(const char *path, int *fd);
void axl__unlock_file(int fd);
/* Writes this process's number into the file of a lock, and reads it for those kept out: 0 where it
 * is not there. */
void axl__lock_sign(int fd);
int64_t axl__lock_owner(const char *path);

#endif
