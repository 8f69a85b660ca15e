/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.h - schedules inside the library: checked options, beta1, and the state of plateau. */
#ifndef AXL_OPTIM_SCHEDULE_H
#define AXL_OPTIM_SCHEDULE_H

#include <axl/schedule.h>

#include <stdbool.h>

/* Copies opts (NULL: constant) into out and checks every field that its kind reads. */
axl_status axl__schedule_import(axl_schedule_options *out, const axl_schedule_options *opts);

/* The warm-up of a config's run, whether or not its schedule has one. */
uint64_t axl__config_warmup(const axl_config *cfg, uint64_t total_steps);

/* Of checked options.  Reduce-on-plateau gives 1. */
double axl__schedule_share(const axl_schedule_options *s, uint64_t step);
/* The optimizer's first beta at a step: usual, unless a cycle moves it. */
double axl__schedule_beta1(const axl_schedule_options *s, uint64_t step, double usual);

/* What torch.optim.lr_scheduler.ReduceLROnPlateau remembers. */
typedef struct axl__plateau {
    double share; /* of the peak rate, now */
    double best;
    bool has_best;
    uint64_t n_bad, cooldown; /* values in a row that were not better; values still to ignore */
} axl__plateau;

void axl__plateau_init(axl__plateau *p);
void axl__plateau_take(axl__plateau *p, const axl_schedule_options *s, double metric);

#endif
