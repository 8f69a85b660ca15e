/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tekken.c - tekken.json, bare. */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    axl_file file = FUZZ_FILE("tekken.json", data, size);

    fuzz_use_tokenizer(&file, 1, data, size);
    return 0;
}
