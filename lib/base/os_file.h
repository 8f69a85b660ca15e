/* SPDX-License-Identifier: Apache-2.0 */
/* os_file.h - reading files, and what a path is. */
#ifndef AXL_BASE_OS_FILE_H
#define AXL_BASE_OS_FILE_H

#include <axl/context.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What identifies a file's content cheaply; a change under a map is noticed by comparing two. */
typedef struct axl__file_id {
    uint64_t size;
    int64_t mtime_ns;
    uint64_t inode;
} axl__file_id;

/* A whole file, read-only: mapped, read into memory (read is forced on network file systems and by
 * `read`), or the bytes of a host, which were never on disk. */
typedef struct axl__file {
    axl_context *ctx;
    const unsigned char *data; /* never NULL; "" for an empty file */
    size_t size;
    bool mapped;
    bool mappable; /* not on a file system where a map may fault */
    bool borrowed; /* data is a host's */
    int fd;        /* -1 of what is not on disk */
    axl__file_id id;
    char *path;
} axl__file;

/* AXL_ERR_CANCELLED only while a file of many megabytes is read. */
axl_status axl__file_open(axl__file *out, axl_context *ctx, const char *path, bool read);
/* The file's size, but its first `n` bytes alone: read, or all of them when it is shorter. */
axl_status axl__file_open_start(axl__file *out, axl_context *ctx, const char *path, size_t n);
/* A file that is not on disk: the bytes themselves, or with `read` a copy.  data is not NULL. */
axl_status axl__file_of(axl__file *out, axl_context *ctx, const char *name, const void *data,
                        size_t size, bool read);
/* Whether reading a map of the open file cannot fault when another machine goes away. */
bool axl__fd_mappable(int fd);
/* What is in an open file by now, mapped; fd stays the caller's, name is for messages. */
axl_status axl__file_map(axl__file *out, axl_context *ctx, int fd, const char *name);
/* Bytes [at, at + size) of an open file, whatever was read of it before. */
axl_status axl__file_read_at(const axl__file *file, uint64_t at, void *data, size_t size);
void axl__file_close(axl__file *file);
/* AXL_ERR_IO naming the file when its size or time changed since it was opened. */
axl_status axl__file_unchanged(const axl__file *file);

typedef enum { AXL__PATH_NONE, AXL__PATH_FILE, AXL__PATH_DIR } axl__path_kind;
axl__path_kind axl__path_kind_of(const char *path); /* links are followed */
axl__path_kind axl__path_kind_in(const char *dir, const char *name);
bool axl__has_file(const char *dir, const char *name);
axl_status axl__path_id(const char *path, axl__file_id *out);
/* What two paths to one folder or file have in common; false where there is none. */
typedef struct axl__path_key {
    uint64_t device, inode;
} axl__path_key;
bool axl__path_key_of(const char *path, axl__path_key *out);
/* Whether two paths name one file or folder; false where one is missing. */
bool axl__same_path(const char *a, const char *b);
/* Whether path, its links followed, is the folder dir or lies in it; false where one is missing. */
bool axl__path_is_in(const char *path, const char *dir);
bool axl__path_is_link(const char *path);
/* The path from the root, its links followed, which holds wherever the process goes; for axl__free.
 * NULL only when memory is out: what cannot be resolved stays as it is. */
char *axl__path_resolved(axl_context *ctx, const char *path);

#endif
