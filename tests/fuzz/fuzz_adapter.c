/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_adapter.c - adapter_config.json or adapter_model.safetensors; the other one is good.  From
 * memory, where a sanitizer sees each byte that is read behind the end. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static int keep_file(void *user, const axl_file *file)
{
    axl_file *to = user;
    void *copy = malloc(file->length);

    to += strcmp(file->name, to[0].name) != 0;
    to->data = memcpy(copy, file->data, file->length);
    to->length = file->length;
    return 0;
}

static const axl_file *good_files(void)
{
    static axl_file files[2] = { { sizeof files[0], "adapter_config.json", NULL, 0 },
                                 { sizeof files[0], "adapter_model.safetensors", NULL, 0 } };

    if (files[0].data)
        return files;
    axl_adapter *good = fuzz_adapter();
    fuzz_must(axl_adapter_save_files(good, keep_file, files) == AXL_OK, "a good adapter");
    axl_adapter_free(good);
    return files;
}

static void read_tensors(axl_adapter *adapter)
{
    for (size_t i = 0; i < axl_adapter_count(adapter); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        fuzz_must(axl_adapter_get_tensor(adapter, i, &t) == AXL_OK, "a tensor");
        float *values = malloc((size_t)(t.rows * t.cols) * sizeof *values);
        fuzz_must(axl_adapter_read(adapter, i, values) == AXL_OK, "its values");
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const axl_file *good = good_files();
    axl_file files[2] = { good[0], good[1] };
    size_t file = fuzz_pick(&data, &size, 2);
    axl_adapter *adapter;

    files[file].data = data;
    files[file].length = size;
    axl_status status = axl_adapter_open_files(&adapter, fuzz_model(), files, 2);
    fuzz_must((status == AXL_OK) == (adapter != NULL), "an adapter or a failure");
    if (adapter)
        read_tensors(adapter);
    axl_adapter_free(adapter);
    return 0;
}
