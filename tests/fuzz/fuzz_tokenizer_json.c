/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer_json.c - tokenizer.json, of any class and of Llama's, which reads less of it. */
#include "fuzz_tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const configs[] = { "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}",
                                           "{\"tokenizer_class\": \"LlamaTokenizer\"}" };
    size_t class = fuzz_pick(&data, &size, 2);
    axl_file files[] = { FUZZ_FILE("tokenizer_config.json", configs[class], strlen(configs[class])),
                         FUZZ_FILE("tokenizer.json", data, size) };

    fuzz_use_tokenizer(files, 2, data, size);
    return 0;
}
