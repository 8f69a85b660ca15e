/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_safetensors.c - a file of tensors: mapped, read, and its header alone. */
#include "fuzz.h"

#include "tensor/safetensors.h"

#include <stdlib.h>
#include <string.h>

static void look(const axl__safetensors *st)
{
    char shape[AXL__ST_SHAPE_TEXT];

    for (size_t i = 0; i < st->count; i++) {
        const axl__st_tensor *t = &st->tensors[i];
        fuzz_must(axl__safetensors_find(st, t->name) != NULL, "a tensor is found");
        fuzz_read_all(t->dtype_name, strlen(t->dtype_name));
        axl__st_shape_text(shape, t->dims, t->n_dims);
        if (st->header_only)
            continue;
        char *copy = malloc(t->size ? t->size : 1);
        fuzz_must(copy && axl__safetensors_read(st, t, copy) == AXL_OK, "its bytes are there");
        fuzz_must(t->size == 0 || memcmp(copy, t->data, t->size) == 0, "and the same");
        free(copy);
    }
}

static void look_at(axl_status (*open)(axl__safetensors *, axl_context *, const char *, bool),
                    const char *path, bool read)
{
    axl__safetensors st;

    if (open(&st, fuzz_context(), path, read) == AXL_OK) {
        look(&st);
        axl__safetensors_close(&st);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *path = fuzz_path("f.safetensors");

    fuzz_write("f.safetensors", data, size);
    look_at(axl__safetensors_open, path, false);
    look_at(axl__safetensors_open, path, true);
    look_at(axl__safetensors_open_header, path, true);
    free(path);
    return 0;
}
