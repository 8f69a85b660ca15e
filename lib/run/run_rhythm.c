/* SPDX-License-Identifier: Apache-2.0 */
/* run_rhythm.c - when a run logs, evaluates and saves. */
#include "run.h"

#include <math.h>
#include <string.h>

/* A number of steps, or a share of the run rounded up, as transformers reads 0 < x < 1. */
static uint64_t steps_of(double value, uint64_t total)
{
    return value < 1.0 ? (uint64_t)ceil(value * (double)total) : (uint64_t)value;
}

static axl__rhythm read_rhythm(axl_run *r, const char *strategy, const char *steps,
                               const char *per_epoch)
{
    axl__rhythm when = { 0, false };
    const char *s = axl__cfg_str(r->cfg, strategy, "no");
    double epochs = axl__cfg_double(r->cfg, "num_epochs", 1.0);

    if (strcmp(s, "no") == 0 || strcmp(s, "best") == 0)
        return when;
    if (strcmp(s, "epoch") == 0) {
        when.epochs = true;
    } else if (axl__cfg_has(r->cfg, per_epoch)) {
        double share = 1.0 / ((double)axl__cfg_int(r->cfg, per_epoch, 1) * epochs);
        if (share < 1.0)
            when.steps = steps_of(share, r->total_steps);
        else
            when.epochs = true;
    } else {
        when.steps = steps_of(axl__cfg_double(r->cfg, steps, 500.0), r->total_steps);
    }
    return when;
}

void axl__run_read_rhythms(axl_run *r)
{
    uint64_t usual = (uint64_t)(0.005 * (double)r->total_steps);

    usual = usual < 1 ? 1 : usual > 10 ? 10 : usual;
    r->logging_steps = (uint64_t)axl__cfg_int(r->cfg, "logging_steps", (int64_t)usual);
    r->save_limit = (uint64_t)axl__cfg_int(r->cfg, "save_total_limit", 4);
    r->save = read_rhythm(r, "save_strategy", "save_steps", "saves_per_epoch");
    if (r->valid)
        r->eval = read_rhythm(r, "eval_strategy", "eval_steps", "evals_per_epoch");
    r->eval_on_start = r->valid && axl__cfg_bool(r->cfg, "axl.eval_on_start", false);
}

bool axl__rhythm_due(const axl__rhythm *when, const axl_run *r)
{
    uint64_t step = axl_trainer_steps(r->trainer);
    bool epoch_ended = r->at_step.batch == 0;

    return step > 0 &&
           ((when->steps > 0 && step % when->steps == 0) || (when->epochs && epoch_ended));
}
