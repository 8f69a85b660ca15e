/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet.h - what the files that read parquet know of each other: the footer's schema and row
 * groups (parquet_footer.c), pages and their entries (parquet_column.c), how values lie in a page
 * (parquet_values.c), how pages are compressed (parquet_codec.c), and what a value is as JSON
 * (parquet_value.c).  read_parquet.c puts records together.
 */
#ifndef AXL_DATA_READ_PARQUET_H
#define AXL_DATA_READ_PARQUET_H

#include "base/json.h"
#include "base/os.h"

/* ---- schema and row groups ---- */

typedef enum {
    AXL__PQ_BOOLEAN,
    AXL__PQ_INT32,
    AXL__PQ_INT64,
    AXL__PQ_INT96,
    AXL__PQ_FLOAT,
    AXL__PQ_DOUBLE,
    AXL__PQ_BYTE_ARRAY,
    AXL__PQ_FIXED
} axl__pq_type;

typedef enum { AXL__PQ_REQUIRED, AXL__PQ_OPTIONAL, AXL__PQ_REPEATED } axl__pq_repetition;

/* What a leaf's values mean, or a group's children. */
typedef enum {
    AXL__PQ_AS_TYPE, /* numbers as the type says; bytes are left out */
    AXL__PQ_UNSIGNED,
    AXL__PQ_TEXT,
    AXL__PQ_HALF,
    AXL__PQ_DECIMAL,
    AXL__PQ_DATE,
    AXL__PQ_TIME,
    AXL__PQ_TIMESTAMP,
    AXL__PQ_LIST,
    AXL__PQ_OTHER /* left out */
} axl__pq_meaning;

typedef struct axl__pq_node {
    const char *name;
    size_t name_len;
    struct axl__pq_node *child, *next; /* child NULL: a leaf */
    axl__pq_repetition repetition;
    axl__pq_meaning meaning;
    axl__pq_type type;
    uint32_t width;            /* bytes of a FIXED value */
    int32_t scale;             /* of a decimal; of a time the digits of its second's fraction */
    bool utc;                  /* a timestamp is shown with its zone */
    uint32_t max_def, max_rep; /* levels of an entry in which the node has a value */
    uint32_t n_children;
    uint32_t leaf, n_leaves; /* the leaves that are in it or it */
    bool left_out;           /* nothing of it is read */
    uint32_t guide;          /* the first leaf of it that is read */
} axl__pq_node;

/* A leaf's part of a row group. */
typedef struct axl__pq_chunk {
    uint64_t at, size; /* bytes of the file, which has them */
    uint64_t n_values; /* entries: nulls and empty lists too */
    int32_t codec;
} axl__pq_chunk;

typedef struct axl__pq_group {
    uint64_t n_rows;
    axl__pq_chunk *chunks; /* a leaf each */
} axl__pq_group;

typedef struct axl__pq_footer {
    axl__arena arena;
    axl__pq_node *root;
    const axl__pq_node **leaves;
    uint32_t n_leaves;
    axl__pq_group *groups;
    size_t n_groups;
} axl__pq_footer;

/* AXL_ERR_FORMAT names the file and what is wrong with it. */
axl_status axl__pq_footer_read(axl__pq_footer *out, const axl__file *file);
void axl__pq_footer_free(axl__pq_footer *footer);

/* ---- pages ---- */

/* Whether pages of the codec can be read: AXL_ERR_UNSUPPORTED names it. */
axl_status axl__pq_codec_check(int32_t codec, const char *path);
/* The page into out, where it is to have exactly n bytes: AXL_ERR_FORMAT, which sets no last error,
 * or AXL_ERR_NOMEM.  The codec passed the check. */
axl_status axl__pq_unpack(axl_context *ctx, int32_t codec, const uint8_t *in, size_t len,
                          uint8_t *out, size_t n);

/* Runs of one value and groups of eight packed ones: levels, indices into a dictionary. */
typedef struct axl__pq_runs {
    const uint8_t *at, *end;
    unsigned width; /* bits */
    uint64_t left;  /* of this run */
    uint64_t bit;   /* the next packed value, in bits from at */
    bool packed;
    uint32_t value;
} axl__pq_runs;

/* Differences, packed in blocks. */
typedef struct axl__pq_deltas {
    const uint8_t *at, *end;
    uint64_t left;    /* values */
    uint64_t in_mini; /* values of a miniblock */
    uint64_t n_minis; /* of a block */
    const uint8_t *widths;
    uint64_t mini; /* the next one of this block */
    uint64_t mini_left, bit;
    const uint8_t *data; /* the miniblock's */
    unsigned width;
    uint64_t last, least;
    bool first; /* last is still to be given */
} axl__pq_deltas;

typedef struct axl__pq_bytes {
    const uint8_t *data;
    size_t len;
} axl__pq_bytes;

/* Entries of a dictionary page; for fixed widths offsets are not kept. */
typedef struct axl__pq_dictionary {
    const uint8_t *data;
    size_t n;
    axl__str offsets; /* a uint32_t each: where in data its length stands */
} axl__pq_dictionary;

/* The values of a page, one after another, in the bytes in which PLAIN has them. */
typedef struct axl__pq_values {
    const axl__pq_node *leaf;
    const axl__pq_dictionary *dictionary;
    int32_t encoding;
    const uint8_t *at, *end;
    uint64_t index, n; /* BYTE_STREAM_SPLIT: the next value, and how many lie there */
    axl__pq_runs runs;
    axl__pq_deltas prefixes, lengths; /* lengths: DELTA_BINARY_PACKED's values too */
    axl__str value;                   /* one that had to be put together */
} axl__pq_values;

/* Bytes of a value in PLAIN; 0 where each says its length, and of booleans. */
size_t axl__pq_width(const axl__pq_node *leaf);
axl__pq_runs axl__pq_runs_of(const uint8_t *at, const uint8_t *end, unsigned width);
/* False where the bytes end or are malformed. */
bool axl__pq_runs_next(axl__pq_runs *r, uint32_t *value);
/* NULL, or what is wrong with the page. */
const char *axl__pq_dictionary_read(axl__pq_dictionary *d, const axl__pq_node *leaf,
                                    const uint8_t *data, size_t len, uint64_t n);
const char *axl__pq_values_begin(axl__pq_values *v, int32_t encoding, const uint8_t *at,
                                 const uint8_t *end, uint64_t n);
/* False as above, or where memory is out (v->value.failed). */
bool axl__pq_values_next(axl__pq_values *v, axl__pq_bytes *value);

/* Unpacked pages that all columns of a file may hold at a time. */
enum { AXL__PQ_HELD_MAX = 1 << 30 };

/* A leaf's entries in a row group, one at hand. */
typedef struct axl__pq_column {
    const axl__pq_node *leaf;
    const axl__file *file;
    axl__pq_chunk chunk; /* what is left of it */
    uint64_t page_at;    /* in the file, for messages */
    uint64_t page_left;  /* entries */
    axl__str page, dictionary_page;
    axl__pq_dictionary dictionary;
    bool has_dictionary;
    axl__pq_runs reps, defs;
    axl__pq_values values;
    size_t *held; /* bytes of unpacked pages, of all columns */
    bool ready;   /* an entry is at hand */
    bool ended;   /* none is left in the row group; rep and def are 0 */
    uint32_t rep, def;
    axl__pq_bytes value; /* where def is the leaf's max_def */
} axl__pq_column;

void axl__pq_column_init(axl__pq_column *c, const axl__file *file, const axl__pq_node *leaf,
                         size_t *held);
void axl__pq_column_free(axl__pq_column *c);
axl_status axl__pq_column_begin(axl__pq_column *c, const axl__pq_chunk *chunk);
/* Makes an entry ready. */
axl_status axl__pq_column_peek(axl__pq_column *c);
/* "PATH: column "NAME", page at byte N: why". */
axl_status axl__pq_column_fail(const axl__pq_column *c, const char *why);

/* ---- values ---- */

/* Dates, times and decimals become the texts that Python has for them.  NULL, or what is wrong; ""
 * is memory. */
const char *axl__pq_value_set(axl__json *v, axl__arena *arena, const axl__pq_node *leaf,
                              axl__pq_bytes value);

#endif
