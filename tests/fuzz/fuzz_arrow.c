/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_arrow.c - an Arrow file or stream: its messages and its first records. */
#include "fuzz.h"
#include "fuzz_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_rows("f.arrow", data, size);
    return 0;
}
