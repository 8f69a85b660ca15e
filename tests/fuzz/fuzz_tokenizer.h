/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer.h - a tokenizer from the files in the folder "tok", used in every way. */
#ifndef AXL_FUZZ_TOKENIZER_H
#define AXL_FUZZ_TOKENIZER_H

#include "fuzz.h"

/* A good one. */
extern const char fuzz_tokenizer_json[];

void fuzz_tokenizer_dir(void);
/* Opens it when it can be, and encodes also these bytes. */
void fuzz_use_tokenizer(const uint8_t *data, size_t size);

#endif
