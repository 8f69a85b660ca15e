/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_adapter.c - adapter_config.json or adapter_model.safetensors; the other one is good. */
#include "fuzz.h"

#include <stdlib.h>

static void save_good(const char *dir)
{
    axl_adapter *good = fuzz_adapter();

    fuzz_must(axl_adapter_save(good, dir) == AXL_OK, "a good adapter");
    axl_adapter_free(good);
}

static void read_tensors(axl_adapter *adapter)
{
    for (size_t i = 0; i < axl_adapter_count(adapter); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        fuzz_must(axl_adapter_tensor(adapter, i, &t) == AXL_OK, "a tensor");
        float *values = malloc((size_t)(t.rows * t.cols) * sizeof *values);
        fuzz_must(axl_adapter_read(adapter, i, values) == AXL_OK, "its values");
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "adapter/adapter_config.json",
                                         "adapter/adapter_model.safetensors" };
    static size_t spoilt = 2; /* the file that is not good now */
    size_t file = fuzz_pick(&data, &size, 2);
    char *dir = fuzz_path("adapter");
    axl_adapter *adapter;

    if (spoilt != file)
        save_good(dir);
    spoilt = file;
    fuzz_write(names[file], data, size);
    axl_status status = axl_adapter_open(&adapter, fuzz_model(), dir);
    fuzz_must((status == AXL_OK) == (adapter != NULL), "an adapter or a failure");
    if (adapter)
        read_tensors(adapter);
    axl_adapter_free(adapter);
    free(dir);
    return 0;
}
