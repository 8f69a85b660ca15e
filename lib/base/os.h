/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os.h - everything that axl asks of the operating system, in one file's reach: files, folders,
 * time, processors.  Paths are bytes as the host gives them.  Failures record one line that names
 * the path.
 */
#ifndef AXL_BASE_OS_H
#define AXL_BASE_OS_H

#include "ctx.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What identifies a file's content cheaply; a change under a map is noticed by comparing two. */
typedef struct axl__file_id {
    uint64_t size;
    int64_t mtime_ns;
    uint64_t inode;
} axl__file_id;

/* A whole file, read-only: mapped, or read into memory (read is forced on network file systems
 * and by `read`). */
typedef struct axl__file {
    axl_context *ctx;
    const unsigned char *data; /* never NULL; "" for an empty file */
    size_t size;
    bool mapped;
    bool mappable; /* not on a file system where a map may fault */
    int fd;
    axl__file_id id;
    char *path;
} axl__file;

/* AXL_ERR_CANCELLED only while a file of many megabytes is read. */
axl_status axl__file_open(axl__file *out, axl_context *ctx, const char *path, bool read);
/* The file's size, but its first `n` bytes alone: read, or all of them when it is shorter. */
axl_status axl__file_open_start(axl__file *out, axl_context *ctx, const char *path, size_t n);
/* Bytes [at, at + size) of an open file, whatever was read of it before. */
axl_status axl__file_read_at(const axl__file *file, uint64_t at, void *data, size_t size);
void axl__file_close(axl__file *file);
/* AXL_ERR_IO naming the file when its size or time changed since it was opened. */
axl_status axl__file_unchanged(const axl__file *file);

typedef enum { AXL__PATH_NONE, AXL__PATH_FILE, AXL__PATH_DIR } axl__path_kind;
axl__path_kind axl__path_kind_of(const char *path); /* links are followed */
bool axl__has_file(const char *dir, const char *name);
axl_status axl__path_id(const char *path, axl__file_id *out);
axl_status axl__make_dirs(axl_context *ctx, const char *path); /* and parents; existing is fine */
/* The length of the longest leading part of path, up to a '/', that exists; of all of it when it
 * does. */
size_t axl__existing_part(const char *path);
/* Removes path and the folders above it that are longer than `keep` bytes while they are empty. */
void axl__remove_empty_dirs(const char *path, size_t keep);
axl_status axl__remove_file(const char *path); /* absent is fine */
axl_status axl__remove_tree(const char *path); /* absent is fine; links stay */
/* What processes that are gone were writing in a folder under a temporary name, NAME.tmpPID. */
axl_status axl__remove_leftovers(axl_context *ctx, const char *dir);
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

/* Writes a new file beside path, syncs it, renames it over path: all or nothing. */
axl_status axl__write_file(axl_context *ctx, const char *path, const void *data, size_t size);

/* A file being written in pieces under a temporary name beside its path. */
typedef struct axl__writer {
    axl_context *ctx;
    char *path, *temp;
    int fd;
} axl__writer;
axl_status axl__writer_open(axl__writer *out, axl_context *ctx, const char *path);
axl_status axl__writer_put(axl__writer *w, const void *data, size_t size);
axl_status axl__writer_commit(axl__writer *w); /* sync and rename; the writer is gone after it */
void axl__writer_abort(axl__writer *w);        /* nothing stays; fine after commit */
/* As axl__writer_open, but under a temporary name that a later process finds again: appends to
 * what is there, *size bytes. */
axl_status axl__writer_resume(axl__writer *out, axl_context *ctx, const char *path,
                              const char *temp, uint64_t *size);
axl_status axl__writer_restart(axl__writer *w); /* from the first byte */
void axl__writer_keep(axl__writer *w);          /* closes; the temporary file stays */

/* Appends to a file, creating it, all or nothing; truncate cuts to `size` bytes. */
axl_status axl__append_file(const char *path, const void *data, size_t size);
axl_status axl__truncate_file(const char *path, uint64_t size);

/* A lock between processes (flock) on a file that is made for it; *fd is -1 while another has it.
 * Where the file system has no locks, nobody is kept out. */
axl_status axl__lock_file(const char *path, int *fd);
void axl__unlock_file(int fd);
/* Makes path a link to target, whatever was there.  AXL_ERR_UNSUPPORTED: no links here. */
axl_status axl__link_to(axl_context *ctx, const char *target, const char *path);
uint64_t axl__free_space(const char *dir); /* in bytes; UINT64_MAX when it is not known */

/* Seconds on a clock that only goes forward. */
double axl__now(void);
double axl__wall_time(void); /* seconds since 1970, with their fraction */

/* A time since 1970 by the calendar, in UTC. */
typedef struct axl__date {
    int year, month, day, hour, minute, second; /* month and day from 1 */
} axl__date;
axl__date axl__utc(int64_t unix_time);

enum { AXL__HOST_MAX = 65 };
void axl__host_name(char out[AXL__HOST_MAX]); /* "localhost" where it is not known */
void axl__sleep(double seconds);
int64_t axl__process_id(void);
void axl__os_yield(void);

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

/* dlopen and friends.  open gives NULL and records the loader's message. */
void *axl__dl_open(const char *path);
void *axl__dl_symbol(void *lib, const char *name);
void axl__dl_close(void *lib);
/* The folder that the running libaxl was loaded from; NULL when it is not known. */
char *axl__own_dir(axl_context *ctx);

#endif
