/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer_model.c - a SentencePiece model. */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"tokenizer_class\": \"LlamaTokenizer\"}";
    axl_file files[] = { FUZZ_FILE("tokenizer_config.json", config, sizeof config - 1),
                         FUZZ_FILE("tokenizer.model", data, size) };

    fuzz_use_tokenizer(files, 2, data, size);
    return 0;
}
