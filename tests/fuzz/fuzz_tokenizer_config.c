/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer_config.c - the small files beside a good tokenizer.json, one at a time. */
#include "fuzz_tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "tokenizer_config.json", "special_tokens_map.json",
                                         "added_tokens.json" };
    size_t file = fuzz_pick(&data, &size, 3);
    axl_file files[] = { FUZZ_FILE("tokenizer.json", fuzz_tokenizer_json,
                                   strlen(fuzz_tokenizer_json)),
                         FUZZ_FILE(names[file], data, size) };

    fuzz_use_tokenizer(files, 2, data, size);
    return 0;
}
