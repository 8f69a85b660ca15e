/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_model_config.c - config.json or generation_config.json of a model whose weights are good. */
#include "fuzz.h"

#include "model/arch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "model/config.json", "model/generation_config.json" };
    const char *dir = fuzz_model_dir();
    size_t file = fuzz_pick(&data, &size, 2);
    axl__folder folder;
    axl_model *model;
    axl__arch arch;

    fuzz_must(axl__folder_at(&folder, fuzz_context(), dir) == AXL_OK, dir);
    fuzz_write(names[file], data, size);
    /* alone too, as weights that do not fit end what follows */
    axl_status read = axl__arch_read(&arch, &folder, NULL);
    axl_status status = axl_model_open(&model, fuzz_context(), dir, NULL);
    fuzz_must((status == AXL_OK) == (model != NULL), "a model or a failure");
    fuzz_must(read == AXL_OK || status != AXL_OK, "a bad config makes no model");
    if (read == AXL_OK)
        axl__arch_free(&arch, fuzz_context());
    axl_model_free(model);
    axl__folder_free(&folder);
    return 0;
}
