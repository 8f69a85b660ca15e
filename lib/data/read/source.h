/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - records of a data file, one at a time, whatever its format; a compressed file (.gz,
 * .zst) reads as what is in it.
 */
#ifndef AXL_DATA_READ_SOURCE_H
#define AXL_DATA_READ_SOURCE_H

#include "base/json.h"
#include "base/os.h"

#include <axl/dataset.h>

typedef struct axl__source axl__source;

/* Where a record stands and, when it cannot be used, why. */
typedef struct axl__record_error {
    uint64_t at;   /* 1-based: what axl__source_place() counts */
    size_t column; /* 1-based, in code points; 0: the record as a whole */
    axl__error why;
} axl__record_error;

/* Whether a file's name or format, as in ds_type, is one that is read: AXL_ERR_UNSUPPORTED says of
 * which it is. */
axl_status axl__source_check(const char *path, const char *format);

/* format as in ds_type; NULL: from the path.  AXL_ERR_UNSUPPORTED names a format that is known but
 * not read. */
axl_status axl__source_open(axl__source **out, axl_context *ctx, const char *path,
                            const char *format);
void axl__source_close(axl__source *source);

/* Records of a host; name is what messages call them. */
typedef struct axl__feed {
    axl_next_record_fn next;
    axl_rewind_records_fn rewind; /* NULL: they come once */
    void *user;
    const char *name;
    bool asked; /* for a record, since the beginning or the last rewind */
} axl__feed;

/* From the first record on; the feed must live as long.  Its functions are called by whoever opens
 * it or asks for the next record, and give what they say. */
axl_status axl__source_open_host(axl__source **out, axl_context *ctx, axl__feed *feed);
/* AXL_ERR_UNSUPPORTED where that would need a rewind that the feed has not. */
axl_status axl__feed_begins(const axl__feed *feed);

/* The bytes of the file as it lies on disk, for a hash. */
const axl__file *axl__source_file(const axl__source *source);
const char *axl__source_path(const axl__source *source);
/* What the number of a record counts: "line", "row" or "record". */
const char *axl__source_place(const axl__source *source);
/* How many of the file's bytes are read, as a share of its text. */
uint64_t axl__source_progress(const axl__source *source);

/*
 * The next record, an object in the arena (its keys may be the source's and end with it); error->at
 * is where it starts.  AXL_END after the last.
 * AXL_ERR_DATA: this record is malformed, *error says where and why, and the next call goes on
 * behind it (with AXL_END where what follows cannot be found).
 */
axl_status axl__source_next(axl__source *source, axl__arena *arena, const axl__json **record,
                            axl__record_error *error);

/* Versions of the libraries that unpack files; NULL in a build without them. */
const char *axl__zstd_version(void);
const char *axl__lz4_version(void);

/* "PATH:3:7: why" of a line, "PATH: row 3: why" of a row; without the path where it is NULL. */
void axl__record_error_put(axl__str *out, const char *path, const char *place,
                           const axl__record_error *error);

#endif
