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

typedef struct axl__gunzip axl__gunzip;

/* An open file.  text is what the reader reads: the mapped file, or of a gzipped one what is
 * inflated and not yet dropped, which more and drop move. */
struct axl__source {
    axl_context *ctx;
    const axl__reader *reader;
    axl__file file;
    axl__gunzip *gunzip; /* NULL: text is the whole file */
    axl__str window;     /* of a gzipped file */
    const char *text;
    size_t len;
    void *state; /* the reader's own, from open to close */
};

/* Makes text longer; AXL_END where it is all there is.  Of a gzipped file no more than a record may
 * take: AXL_ERR_FORMAT. */
axl_status axl__source_more(axl__source *s);
/* Takes the first n bytes of a gzipped file's text away. */
void axl__source_drop(axl__source *s, size_t n);

struct axl__reader {
    const char *format; /* values of ds_type that mean it, "json, jsonl" */
    const char *suffix; /* a path that has it in it is of the format */
    const char *place;  /* what a record's number counts: "line" or "row" */
    /* Whether a text of the format is for this reader; NULL: every one. */
    bool (*knows)(const char *text, size_t len);
    /* NULL: the format has a name and is not read.  A source that was not opened is not closed. */
    axl_status (*open)(axl__source *s);
    /* As axl__source_next(). */
    axl_status (*next)(axl__source *s, axl__arena *arena, const axl__json **record,
                       axl__record_error *error);
    void (*close)(axl__source *s);
    size_t (*progress)(const axl__source *s); /* bytes of the text that are read */
};

extern const axl__reader axl__read_json_array, axl__read_json_lines;

/* In the order in which a path's suffix is looked for; what no row claims is JSON, the last two. */
extern const axl__reader *const axl__readers[];
extern const size_t axl__n_readers;

/* Whether a file's name says that its format is read (true) or known and not read (false). */
bool axl__readers_claim(const char *name, bool read);
/* The formats that are read, "json, jsonl". */
void axl__readers_put_formats(axl__str *out);
/* The reader of a text that passed the check. */
const axl__reader *axl__readers_pick(const char *path, const char *format, const char *text,
                                     size_t len);

/* What a gzipped file holds, several members as one text.  read fills up to room bytes, some unless
 * it is AXL_END; progress is in bytes of the file. */
bool axl__is_gzip(const axl__file *file);
axl_status axl__gunzip_open(axl__gunzip **out, const axl__file *file);
axl_status axl__gunzip_read(axl__gunzip *g, char *data, size_t room, size_t *n);
size_t axl__gunzip_progress(const axl__gunzip *g);
void axl__gunzip_close(axl__gunzip *g);

#endif
