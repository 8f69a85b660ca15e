/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rows.h - what the targets of files with rows share. */
#ifndef AXL_TESTS_FUZZ_ROWS_H
#define AXL_TESTS_FUZZ_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Opens the bytes under that name and reads the first rows. */
void fuzz_rows(const char *name, const uint8_t *data, size_t size);

#endif
