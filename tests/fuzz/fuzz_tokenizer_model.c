/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer_model.c - a SentencePiece model. */
#include "fuzz_tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"tokenizer_class\": \"LlamaTokenizer\"}";

    fuzz_tokenizer_dir();
    fuzz_write("tok/tokenizer_config.json", config, sizeof config - 1);
    fuzz_write("tok/tokenizer.model", data, size);
    fuzz_use_tokenizer(data, size);
    return 0;
}
