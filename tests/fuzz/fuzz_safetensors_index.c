/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_safetensors_index.c - the index of a model's shards: here all of it is in one, a.safetensors
 * of the same folder. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool moved;
    const char *dir = fuzz_model_dir();
    axl_model *model;

    if (!moved) {
        char *from = fuzz_path("model/model.safetensors"), *to = fuzz_path("model/a.safetensors");
        fuzz_must(rename(from, to) == 0, "a shard");
        free(from);
        free(to);
        moved = true;
    }
    fuzz_write("model/model.safetensors.index.json", data, size);
    axl_status status = axl_model_open(&model, fuzz_context(), dir, NULL);
    fuzz_must((status == AXL_OK) == (model != NULL), "a model or a failure");
    axl_model_free(model);
    return 0;
}
