/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - every key that a config may carry, and what axl does with it. */
#ifndef AXL_CONFIG_SCHEMA_H
#define AXL_CONFIG_SCHEMA_H

#include "yaml_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value may be; alternatives are or-ed.  L is a list, with what its items may be above it
 * (ITEM); M is a mapping of free keys, O one whose keys are in the table.  config_keys.c has a word
 * for each bit in this order, and schema.c one for each combination that the table has. */
enum {
    T_B = 1,
    T_I = 2,
    T_F = 4,
    T_S = 8,
    T_L = 16,
    T_M = 32,
    T_O = 64,
    T_ANY = 128,
    T_ITEM_SHIFT = 8
};
#define T_LIST(item) (T_L | (item) << T_ITEM_SHIFT)

/* What axl does about a key, finer than the public axl_answer: its "deprecated" is the last three
 * here.  They stand last because a key of theirs never stays in the effective config. */
typedef enum {
    A_IMPL,
    A_NONE,    /* no effect here: a warning */
    A_UNSUP,   /* an error */
    A_MOVED,   /* config_rename.c takes the value elsewhere */
    A_REFUSED, /* an error: Axolotl refuses it too */
    A_DROPPED  /* Axolotl ignores it too, real files carry it: a warning */
} axl__answer;

typedef struct axl__schema_key {
    const char *name;
    uint16_t type;
    uint8_t answer;
    bool given; /* no fallback, yet a checked config has it wherever it is read: the rules require
                     it or config_derive.c sets it */
    const char *fallback; /* default of an implemented key, as YAML */
    const char *values;   /* "a, b": the texts it takes */
    const char *range;    /* ">= 1" and the like, see axl__schema_in_range() */
    const char *neutral;  /* the values that ask for nothing, where it is not false or the
                             default: "a, b" */
    const char *reason;
    const char *use_instead;
    const char *description;
    bool by_type; /* of an entry of a list of data sets: read by some types (dataset_types.h);
                     A_IMPL when one of today's reads it, else A_NONE */
    const char *(*refusal)(const char *value); /* why a value that Axolotl has is not done, and what
                                                  to use; NULL: it has none of that name */
} axl__schema_key;

extern const axl__schema_key axl__schema_table[];
extern const size_t axl__schema_size;

/* Indexes in the path ("datasets[0].path") are skipped.  NULL: no such key. */
const axl__schema_key *axl__schema_find(const char *path);
/* Also list items and members of free mappings. */
bool axl__schema_knows(const char *path);

/* Whether a checked config has the key wherever it is read. */
bool axl__schema_gives(const char *path);

/* The type as the public schema writes it. */
const char *axl__schema_type_name(uint16_t type);

/* Whether a number is in ">= A", "> A", "<= A", "in [A, B]", "in [A, B)" or "in (A, B)". */
bool axl__schema_in_range(const char *range, double value);

/* Whether text is one of the "a, b" in values. */
bool axl__schema_has_value(const char *values, const char *text);

/* The known key that a mistyped one may mean, as a whole path without indexes, or the value; NULL
 * when nothing is near. */
const char *axl__nearest_key(const char *path);
bool axl__nearest_value(const char *values, const char *text, char *out, size_t room);

#endif
