/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - files by their names, wherever they are: in a folder on disk, or in memory that a host
 * has.  Who reads a model, a tokenizer or an adapter asks here, and knows no difference.
 */
#ifndef AXL_BASE_FOLDER_H
#define AXL_BASE_FOLDER_H

#include "json.h"
#include "os_file.h"

#include <axl/file.h>

/* A file that is in memory: the host's bytes, or a copy. */
typedef struct axl__folder_file {
    char *name;
    const void *data;
    size_t size;
    bool own;
} axl__folder_file;

/* Zeroed where there is none. */
typedef struct axl__folder {
    axl_context *ctx;
    char *place; /* the path, or what messages call the files in memory */
    char *home;  /* on disk, once it is kept: place from the root, without links */
    bool memory;
    axl__folder_file *files; /* (n_files), where memory */
    size_t n_files;
} axl__folder;

/* A folder on disk for questions of what is there alone; not to be freed. */
static inline axl__folder axl__folder_view(const char *path)
{
    return (axl__folder){ .place = (char *)(uintptr_t)path };
}

/* A folder on disk, whether it is there or not. */
axl_status axl__folder_at(axl__folder *out, axl_context *ctx, const char *path);
/* A host's files: their bytes are borrowed, the rest is copied.  place is what messages call them;
 * NULL: "the list of files".  AXL_ERR_INVALID for a list that no
 * folder could hold, AXL_ERR_ABI for structs of no valid size.  After a failure, too, the folder
 * must be freed. */
axl_status axl__folder_of(axl__folder *out, axl_context *ctx, const axl_file *files, size_t n,
                          const char *place);
void axl__folder_free(axl__folder *f);

/* For what is read later, when the host's bytes may be gone or its directory be another: of files
 * in memory copies those that are named (n names) and forgets all others; a folder on disk is read
 * by its home from then on. */
axl_status axl__folder_keep(axl__folder *f, const char *const *names, size_t n);

axl__path_kind axl__folder_kind(const axl__folder *f, const char *name);
bool axl__folder_has(const axl__folder *f, const char *name); /* a regular file */
/* What messages call a file, which on disk is its path; for axl__free. */
char *axl__folder_path(const axl__folder *f, const char *name);
/* AXL_ERR_NOT_FOUND, in the words of opening a file that is not there. */
axl_status axl__folder_lacks(const axl__folder *f, const char *name);
/* As axl__file_open(); of a file in memory the bytes themselves, or with `read` a copy. */
axl_status axl__folder_open(const axl__folder *f, const char *name, bool read, axl__file *out);
/* As axl__json_read_file(). */
axl_status axl__folder_json(const axl__folder *f, const char *name, axl__arena *arena,
                            axl__json **out);

/* Where results go: into a folder on disk, or to a function of the host's that takes each whole. */
typedef struct axl__outlet {
    axl_context *ctx;
    const char *dir; /* NULL: fn */
    axl_file_fn fn;
    void *user;
} axl__outlet;

axl_status axl__outlet_put(const axl__outlet *o, const char *name, const void *data, size_t size);

#endif
