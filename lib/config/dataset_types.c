/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_types.c - see dataset_types.h. */
#include "dataset_types.h"

#include "schema.h"

#include <string.h>

const axl__dataset_type axl__dataset_types[] = {
    { .name = "alpaca",
      .styles = "instruct, chat, chatml, phi",
      .columns = { { .name = "instruction" },
                   { .name = "input", .optional = true },
                   { .name = "output" } } },
    { .name = "completion", .keys = "field", .columns = { { .name = "text", .key = "field" } } },
};
const size_t axl__n_dataset_types = sizeof axl__dataset_types / sizeof axl__dataset_types[0];

const axl__dataset_type *axl__dataset_type_find(const char *name)
{
    size_t len = strcspn(name, ":");

    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (strlen(t->name) != len || memcmp(t->name, name, len) != 0)
            continue;
        return name[len] && !axl__schema_has_value(t->styles, name + len + 1) ? NULL : t;
    }
    return NULL;
}

const axl__dataset_type *axl__dataset_type_of(const axl__yaml *entry)
{
    const axl__yaml *type = axl__yaml_get(entry, "type");

    return type && type->type == AXL__YAML_STRING ? axl__dataset_type_find(type->text) : NULL;
}

bool axl__dataset_type_reads(const axl__dataset_type *type, const char *key)
{
    return axl__schema_has_value(type->keys, key);
}
