/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arrow.h - what the files that read Arrow's IPC formats know of each other: the schema's fields
 * (arrow_schema.c), the arrays of a batch (arrow_batch.c), and records out of them (read_arrow.c).
 * The layout is arrow.apache.org/docs/format/Columnar.html's, its metadata format/Message.fbs and
 * Schema.fbs of the Arrow repository.
 */
#ifndef AXL_DATA_READ_ARROW_H
#define AXL_DATA_READ_ARROW_H

#include "data/read/flatbuffer.h"
#include "data/read/parquet.h"

/* How a field's values lie. */
typedef enum {
    AXL__ARROW_NULL,
    AXL__ARROW_BITS,  /* booleans */
    AXL__ARROW_FIXED, /* width bytes each */
    AXL__ARROW_BYTES, /* offsets of width bytes, and bytes */
    AXL__ARROW_VIEWS, /* 16 bytes each, and any number of buffers of bytes */
    AXL__ARROW_LIST,  /* offsets of width bytes, and a child */
    AXL__ARROW_FIXED_LIST,
    AXL__ARROW_STRUCT,
    AXL__ARROW_LIST_VIEW, /* offsets and sizes, and a child; left out, as the rest */
    AXL__ARROW_UNION,     /* types, and a child each */
    AXL__ARROW_DENSE,     /* types and offsets */
    AXL__ARROW_RUNS       /* two children and no buffer */
} axl__arrow_layout;

typedef struct axl__arrow_field {
    const char *name;
    size_t name_len;
    struct axl__arrow_field *child, *next;
    uint32_t n_children;
    axl__arrow_layout layout;
    uint32_t width;    /* bytes of a value or an offset; items of a FIXED_LIST */
    int64_t units;     /* what a value is multiplied by, or, below 0, divided by */
    axl__pq_node leaf; /* what a value means */
    bool left_out;
    bool encoded; /* values are indices into a dictionary */
    int64_t dictionary;
    uint32_t index_width;
    bool index_signed;
} axl__arrow_field;

/* Values of a field in a batch or dictionary.  Buffers lie in the file, or in the arena that they
 * were unpacked into. */
typedef struct axl__arrow_array {
    const axl__arrow_field *field;
    uint64_t n;
    bool encoded;        /* values are indices into the field's dictionary */
    axl__pq_bytes valid; /* a bit each; len 0: all are */
    axl__pq_bytes offsets, values;
    axl__pq_bytes *views; /* (n_views) */
    size_t n_views;
    struct axl__arrow_array *child, *next;
} axl__arrow_array;

/* A dictionary's values, in one piece or several. */
typedef struct axl__arrow_dictionary {
    int64_t id;
    axl__arrow_array *values;
    struct axl__arrow_dictionary *more; /* what was added to it */
    struct axl__arrow_dictionary *next;
} axl__arrow_dictionary;

/* The fields of a Schema table into a struct's field: AXL_ERR_FORMAT, AXL_ERR_UNSUPPORTED. */
axl_status axl__arrow_schema_read(axl__arrow_field *out, axl__arena *arena,
                                  const axl__flat_table *schema, const char *path);
/* The field of a dictionary's values; NULL: no field has one of that id. */
const axl__arrow_field *axl__arrow_dictionary_field(const axl__arrow_field *root, int64_t id);

/* The arrays of a RecordBatch table whose body is given.  as_values: of a dictionary with the
 * field's values; else of the root's children.  *held grows by what is unpacked. */
axl_status axl__arrow_batch_read(axl__arrow_array **out, uint64_t *n, axl__arena *arena,
                                 const axl__arrow_field *field, bool as_values,
                                 const axl__flat_table *batch, axl__pq_bytes body, size_t *held,
                                 const char *path);

#endif
