/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.c - see schedule.h. */
#include "schedule.h"

#include <math.h>

double axl__schedule_share(axl_schedule schedule, uint64_t step, uint64_t warmup, uint64_t total)
{
    if (step < warmup)
        return (double)step / (double)(warmup > 1 ? warmup : 1);
    uint64_t rest = total > warmup ? total - warmup : 1;
    double p = (double)(step - warmup) / (double)rest;

    if (schedule == AXL_SCHEDULE_LINEAR)
        return p < 1.0 ? 1.0 - p : 0.0;
    if (schedule == AXL_SCHEDULE_COSINE)
        return fmax(0.0, 0.5 * (1.0 + cos(3.14159265358979323846 * p)));
    return 1.0;
}
