/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flatbuffer.h - reading tables of a flatbuffer (flatbuffers.dev/internals): every place is checked
 * before it is read, and what is broken reads as absent, with the table's buffer marked.  Fields go
 * by their index in the schema.
 */
#ifndef AXL_DATA_READ_FLATBUFFER_H
#define AXL_DATA_READ_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct axl__flat {
    const uint8_t *data;
    size_t len;
    bool broken;
} axl__flat;

typedef struct axl__flat_table {
    axl__flat *flat; /* NULL: absent */
    size_t at, fields;
    uint16_t n; /* bytes of the list of fields at fields */
} axl__flat_table;

typedef struct axl__flat_vector {
    const uint8_t *data;
    size_t at, n; /* at: of data in the buffer */
} axl__flat_vector;

axl__flat_table axl__flat_root(axl__flat *flat);
/* The value of a field of `width` bytes, 1 to 8, as a signed number. */
int64_t axl__flat_int(const axl__flat_table *t, unsigned field, unsigned width, int64_t otherwise);
axl__flat_table axl__flat_sub(const axl__flat_table *t, unsigned field);
/* n elements of `width` bytes each. */
axl__flat_vector axl__flat_list(const axl__flat_table *t, unsigned field, size_t width);
/* The i-th table of a vector of tables (width 4). */
axl__flat_table axl__flat_item(const axl__flat_table *owner, const axl__flat_vector *v, size_t i);
/* A signed number of eight bytes or four. */
int64_t axl__flat_i64(const uint8_t *at);
int32_t axl__flat_i32(const uint8_t *at);

#endif
