/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rows.c - see fuzz_rows.h. */
#include "fuzz_rows.h"

#include "fuzz.h"

#include "data/read/source.h"

#include <stdlib.h>

/* Runs of levels, or columns of nulls, let a few bytes be a million records. */
enum { RECORDS_MAX = 2000 };

static void read_records(axl__source *source)
{
    const axl__json *record;
    axl__arena arena;
    axl__record_error error;
    axl_status status = AXL_OK;
    axl__str text;

    axl__arena_init(&arena, fuzz_context());
    axl__str_init(&text, fuzz_context());
    for (int i = 0; i < RECORDS_MAX && (status == AXL_OK || status == AXL_ERR_DATA); i++) {
        axl__arena_reset(&arena);
        axl__str_clear(&text);
        status = axl__source_next(source, &arena, &record, &error);
        fuzz_must(axl__source_progress(source) <= axl__source_file(source)->size, "progress");
        if (status != AXL_OK)
            continue;
        fuzz_must(record->type == AXL__JSON_OBJECT, "a record is an object");
        axl__json_write(&text, record, 0);
        fuzz_must(error.at == (uint64_t)i + 1, "rows are counted");
    }
    axl__str_free(&text);
    axl__arena_free(&arena);
}

void fuzz_rows(const char *name, const uint8_t *data, size_t size)
{
    char *path = fuzz_path(name);
    axl__source *source;

    fuzz_write(name, data, size);
    if (axl__source_open(&source, fuzz_context(), path, NULL) == AXL_OK)
        read_records(source);
    axl__source_close(source);
    free(path);
}
