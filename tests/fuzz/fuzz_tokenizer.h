/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer.h - a tokenizer from files in memory, where a sanitizer sees each byte that is
 * read behind the end, used in every way. */
#ifndef AXL_FUZZ_TOKENIZER_H
#define AXL_FUZZ_TOKENIZER_H

#include "fuzz.h"

/* A good one. */
extern const char fuzz_tokenizer_json[];

#define FUZZ_FILE(name, data, size)                                                                \
    {                                                                                              \
        sizeof(axl_file), name, data, size                                                         \
    }

/* Opens it when it can be, and encodes also these bytes. */
void fuzz_use_tokenizer(const axl_file *files, size_t n, const uint8_t *data, size_t size);

#endif
