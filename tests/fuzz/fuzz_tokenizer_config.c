/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer_config.c - the small files beside a good tokenizer.json, one at a time. */
#include "fuzz_tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "tok/tokenizer_config.json", "tok/special_tokens_map.json",
                                         "tok/added_tokens.json" };
    size_t file = fuzz_pick(&data, &size, 3);

    fuzz_tokenizer_dir();
    for (size_t i = 0; i < 3; i++)
        if (i != file)
            fuzz_remove(names[i]);
    fuzz_write("tok/tokenizer.json", fuzz_tokenizer_json, strlen(fuzz_tokenizer_json));
    fuzz_write(names[file], data, size);
    fuzz_use_tokenizer(data, size);
    return 0;
}
