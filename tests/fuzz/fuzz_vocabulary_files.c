/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_vocabulary_files.c - the vocabularies of classes in folders without a tokenizer.json. */
#include "fuzz_tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *config, *name, *other, *other_text;
    } forms[] = {
        { "{\"model_type\": \"bert\"}", "vocab.txt", "tokenizer_config.json", "{}" },
        { "{\"model_type\": \"t5\"}", "spiece.model", "tokenizer_config.json",
          "{\"extra_ids\": 2}" },
        { "{\"model_type\": \"gpt2\"}", "vocab.json", "merges.txt", "#version: 0.2\na b\n" },
        { "{\"model_type\": \"gpt2\"}", "merges.txt", "vocab.json",
          "{\"a\": 0, \"b\": 1, \"ab\": 2}" },
    };
    size_t i = fuzz_pick(&data, &size, sizeof forms / sizeof forms[0]);
    axl_file files[] = { FUZZ_FILE("config.json", forms[i].config, strlen(forms[i].config)),
                         FUZZ_FILE(forms[i].other, forms[i].other_text,
                                   strlen(forms[i].other_text)),
                         FUZZ_FILE(forms[i].name, data, size) };

    fuzz_use_tokenizer(files, 3, data, size);
    return 0;
}
