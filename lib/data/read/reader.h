/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - what a file format is: a row of the table in readers.c.  For this folder alone; the
 * rest of the library sees source.h.
 */
#ifndef AXL_DATA_READ_READER_H
#define AXL_DATA_READ_READER_H

#include "data/read/source.h"

#include "base/str.h"

typedef struct axl__reader axl__reader;

/* A way of compressing texts.  What a file holds is read piece by piece, several members or frames
 * as one text. */
typedef struct axl__packing {
    const char *suffix;
    const char *lacks; /* the library that this build was made without, or NULL */
    bool (*knows)(const axl__file *file);
    axl_status (*open)(void **state, const axl__file *file);
    /* Fills up to room bytes, some unless it is AXL_END. */
    axl_status (*read)(void *state, char *data, size_t room, size_t *n);
    size_t (*progress)(const void *state); /* in bytes of the file */
    void (*close)(void *state);
} axl__packing;

extern const axl__packing axl__gzip, axl__zstd;

/* Whether a file begins as a zstd frame, in a build without libzstd too. */
bool axl__zstd_knows(const axl__file *file);

/* An open file.  text is what the reader reads: the mapped file, or of a compressed one what is
 * unpacked and not yet dropped, which more and drop move. */
struct axl__source {
    axl_context *ctx;
    const axl__reader *reader;
    axl__file file;
    const axl__packing *packing; /* NULL: text is the whole file */
    void *packed;                /* packing's own */
    axl__str window;             /* of a compressed file */
    const char *text;
    size_t len;
    void *state; /* the reader's own, from open to close */
};

/* Makes text longer; AXL_END where it is all there is.  Of a compressed file no more than a record
 * may take: AXL_ERR_FORMAT. */
axl_status axl__source_more(axl__source *s);
/* Takes the first n bytes of a compressed file's text away. */
void axl__source_drop(axl__source *s, size_t n);
/* Whether the bytes before at, which were read, are to be dropped: once they are most of the text,
 * so that no byte is moved often. */
bool axl__source_may_drop(const axl__source *s, size_t at);
/* Drops them if so, and moves *at. */
void axl__source_pass(axl__source *s, size_t *at);
/* To the beginning of the text. */
axl_status axl__source_rewind(axl__source *s);

struct axl__reader {
    const char *format; /* values of ds_type that mean it, "json, jsonl" */
    const char *suffix; /* a path that has it in it is of the format */
    const char *place;  /* what a record's number counts: "line" or "row" */
    bool binary;        /* read as a whole, never compressed around */
    /* Whether a text of the format is for this reader; NULL: every one. */
    bool (*knows)(const char *text, size_t len);
    /* A source that was not opened is not closed. */
    axl_status (*open)(axl__source *s);
    /* As axl__source_next(). */
    axl_status (*next)(axl__source *s, axl__arena *arena, const axl__json **record,
                       axl__record_error *error);
    void (*close)(axl__source *s);
    size_t (*progress)(const axl__source *s); /* bytes of the text that are read */
};

extern const axl__reader axl__read_arrow, axl__read_csv, axl__read_feather, axl__read_json_array,
    axl__read_json_lines, axl__read_parquet, axl__read_text;

/* In the order in which a path's suffix is looked for; what no row claims is JSON, the last two. */
extern const axl__reader *const axl__readers[];
extern const size_t axl__n_readers;

/* Whether a file's name says its format. */
bool axl__readers_claim(const char *name);
/* A binary format within a file of that suffix. */
axl_status axl__reader_fail_packed(const axl__reader *r, const char *path, const char *suffix);
/* What a name says of its format; "json, jsonl" where it says nothing. */
const char *axl__readers_format(const char *name);
/* The formats that are read, "json, jsonl". */
void axl__readers_put_formats(axl__str *out);
/* The reader of a text that passed the check. */
const axl__reader *axl__readers_pick(const char *path, const char *format, const char *text,
                                     size_t len);

#endif
