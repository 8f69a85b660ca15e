/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thrift.h - reading Thrift's compact protocol, in which parquet writes its footer and the heads of
 * its pages.  Malformed bytes end everything: bad is set, structs and lists are over, numbers are
 * 0.
 */
#ifndef AXL_DATA_READ_THRIFT_H
#define AXL_DATA_READ_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    AXL__THRIFT_STOP = 0,
    AXL__THRIFT_TRUE = 1,
    AXL__THRIFT_FALSE = 2,
    AXL__THRIFT_BYTE = 3,
    AXL__THRIFT_I16 = 4,
    AXL__THRIFT_I32 = 5,
    AXL__THRIFT_I64 = 6,
    AXL__THRIFT_DOUBLE = 7,
    AXL__THRIFT_BINARY = 8,
    AXL__THRIFT_LIST = 9,
    AXL__THRIFT_SET = 10,
    AXL__THRIFT_MAP = 11,
    AXL__THRIFT_STRUCT = 12
} axl__thrift_type;

typedef struct axl__thrift {
    const uint8_t *at, *end;
    bool bad;
} axl__thrift;

/* A field of a struct; zero before the first. */
typedef struct axl__thrift_field {
    int16_t id;
    uint8_t type; /* axl__thrift_type */
} axl__thrift_field;

/* The next field, whose value is to be read or skipped; false at the struct's end. */
bool axl__thrift_next(axl__thrift *t, axl__thrift_field *field);
/* A value of a field; one of another type is skipped, and reads as 0. */
int64_t axl__thrift_int(axl__thrift *t, axl__thrift_field field);
bool axl__thrift_bool(axl__thrift_field field);
const char *axl__thrift_binary(axl__thrift *t, axl__thrift_field field, size_t *len);
/* Whether the field is a struct, whose fields follow; any other is skipped. */
bool axl__thrift_struct(axl__thrift *t, axl__thrift_field field);
/* How many items of the type follow; a field that is no such list is skipped, and has none.  Each
 * takes a byte at least, so that no count is larger than what is left. */
size_t axl__thrift_list(axl__thrift *t, axl__thrift_field field, axl__thrift_type type);
void axl__thrift_skip(axl__thrift *t, axl__thrift_field field);

#endif
