/* SPDX-License-Identifier: Apache-2.0 */
/* op_profile.h - where a step's time goes: a backend table that times another's calls. */
#ifndef AXL_BENCH_OP_PROFILE_H
#define AXL_BENCH_OP_PROFILE_H

#include "tensor/backend.h"

#include <stdio.h>

/* The table, of calls that it hands on to `of`; one profile a process. */
const axl_backend_ops *axl__op_profile(const axl_backend_ops *of);
void axl__op_profile_reset(void);
/* Seconds of all calls since then, and their number. */
double axl__op_profile_seconds(uint64_t *calls);
/* A line for each kind of call: milliseconds a step, share of the total, GFLOP/s of products. */
void axl__op_profile_print(FILE *f, int steps);

#endif
