/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_parquet.c - a parquet file: its footer, its pages, and its first records. */
#include "fuzz.h"
#include "fuzz_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_rows("f.parquet", data, size);
    return 0;
}
