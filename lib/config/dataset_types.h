/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset_types.h - the data set types that axl has: how each is written in a config, which columns
 * of a record and which keys of its entry it reads.  lib/data/prompt has a method for each.
 */
#ifndef AXL_CONFIG_DATASET_TYPES_H
#define AXL_CONFIG_DATASET_TYPES_H

#include "yaml_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A column is required unless it is optional or one of several that stand for each other. */
typedef struct axl__dataset_column {
    const char *name;
    const char *key; /* of the entry, whose value takes the name's place; NULL: there is none */
    bool optional;
    uint8_t one_of; /* above 0: a record needs one of the type's columns with this number */
} axl__dataset_column;

enum { AXL__DATASET_COLUMNS_MAX = 8 };

typedef struct axl__dataset_type {
    const char *name;   /* as in datasets[].type, without a style */
    const char *styles; /* "instruct, chat": what may stand behind "name:"; the first is meant where
                           there is none; NULL: nothing may */
    const char *keys;   /* "field": what it reads of its entry beyond what all types do; NULL */
    axl__dataset_column columns[AXL__DATASET_COLUMNS_MAX]; /* up to the first without a name */
} axl__dataset_type;

extern const axl__dataset_type axl__dataset_types[];
extern const size_t axl__n_dataset_types;

/* Every way to write one of them, for the schema; a test compares it with the list. */
#define AXL__DATASET_TYPE_NAMES                                                                    \
    "alpaca, alpaca:instruct, alpaca:chat, alpaca:chatml, alpaca:phi, completion"

/* Of "alpaca" or "alpaca:chat"; NULL: there is no such type, or it has no such style. */
const axl__dataset_type *axl__dataset_type_find(const char *name);
/* Of an entry of datasets[]; NULL too when it says none. */
const axl__dataset_type *axl__dataset_type_of(const axl__yaml *entry);
/* Whether the type reads a key of its entry that not all types read. */
bool axl__dataset_type_reads(const axl__dataset_type *type, const char *key);

#endif
