/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_sweep.c - the file of a sweep, and the runs that it means. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    axl_sweep *sweep;

    axl_status status =
        axl_sweep_parse(&sweep, fuzz_context(), (const char *)data, size, "fuzz.yml");
    fuzz_must((status == AXL_OK) == (sweep != NULL), "a sweep or a failure");
    for (size_t i = 0; sweep && i < axl_sweep_count(sweep) && i < 1000; i++) {
        axl_sweep_run run = AXL_SWEEP_RUN_INIT;
        fuzz_must(axl_sweep_get(sweep, i, &run) == AXL_OK && run.name, "a run");
        for (size_t k = 0; k < run.n_overrides; k++)
            fuzz_must(strchr(run.overrides[k], '=') != NULL, "an override");
    }
    axl_sweep_free(sweep);
    return 0;
}
