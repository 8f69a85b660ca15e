/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.h - the learning rate of each step. */
#ifndef AXL_TRAIN_SCHEDULE_H
#define AXL_TRAIN_SCHEDULE_H

#include <axl/trainer.h>

/* The share of the peak rate that step (from 0) trains with, as transformers' get_scheduler:
 * linear warm-up from 0 over w steps, then over the rest of T steps, p = (step - w) / (T - w):
 * constant 1, linear 1 - p, cosine (1 + cos(pi p)) / 2. */
double axl__schedule_share(axl_schedule schedule, uint64_t step, uint64_t warmup, uint64_t total);

#endif
