/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_records.c - a data file of each format that is text, plain or compressed. */
#include "fuzz.h"

#include "data/read/source.h"

#include <stdlib.h>

static void read_records(axl__source *source)
{
    const axl__json *record;
    axl__arena arena;
    axl_status status;
    axl__record_error error;

    axl__arena_init(&arena, fuzz_context());
    do {
        axl__arena_reset(&arena);
        status = axl__source_next(source, &arena, &record, &error);
        fuzz_must(status != AXL_OK || record->type == AXL__JSON_OBJECT, "a record is an object");
        fuzz_must(axl__source_progress(source) <= axl__source_file(source)->size, "progress");
    } while (status == AXL_OK || status == AXL_ERR_DATA);
    axl__arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "f.jsonl", "f.json",      "f.jsonl.gz", "f.csv",
                                         "f.txt",   "f.jsonl.zst", "f.csv.gz" };
    const char *name = names[fuzz_pick(&data, &size, sizeof names / sizeof names[0])];
    char *path = fuzz_path(name);
    axl__source *source;

    fuzz_write(name, data, size);
    if (axl__source_open(&source, fuzz_context(), path, NULL) == AXL_OK)
        read_records(source);
    axl__source_close(source);
    free(path);
    return 0;
}
