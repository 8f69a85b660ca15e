/* SPDX-License-Identifier: Apache-2.0 */
/* run_rhythm.c - see run_rhythm.h. */
#include "run_rhythm.h"

#include <math.h>
#include <string.h>

enum { SAVE_STEPS = 500 }; /* transformers' default */

/* A number of steps, or a share of the run rounded up, as transformers reads 0 < x < 1. */
static uint64_t rhythm_steps(double value, uint64_t total)
{
    return value < 1.0 ? (uint64_t)ceil(value * (double)total) : (uint64_t)value;
}

/* The three keys of one rhythm; usual is its steps where the strategy is all that is said.  Per
 * epoch means a share of all steps, as Axolotl turns it into save_steps, so that the events of a
 * short run need not fall on its epochs' ends. */
static axl__rhythm rhythm_read(const axl_config *cfg, uint64_t total_steps, uint64_t usual,
                               const char *strategy, const char *steps, const char *per_epoch)
{
    axl__rhythm when = { 0, false };
    const char *s = axl__cfg_str(cfg, strategy);
    double epochs = axl__cfg_double(cfg, "num_epochs");

    if (strcmp(s, "no") == 0 || strcmp(s, "best") == 0)
        return when;
    if (strcmp(s, "epoch") == 0) {
        when.epochs = true;
    } else if (axl__cfg_has(cfg, per_epoch)) {
        double share = 1.0 / ((double)axl__cfg_int_or(cfg, per_epoch, 1) * epochs);
        if (share < 1.0)
            when.steps = rhythm_steps(share, total_steps);
        else
            when.epochs = true;
    } else {
        when.steps = rhythm_steps(axl__cfg_double_or(cfg, steps, (double)usual), total_steps);
    }
    return when;
}

/* Where the config does not say when to log, it is every half per cent of the run, from 1 to 10
 * steps, as in Axolotl. */
void axl__rhythms_read(axl__rhythms *out, const axl_config *cfg, uint64_t total_steps,
                       bool has_valid)
{
    uint64_t usual = (uint64_t)(0.005 * (double)total_steps);

    usual = usual < 1 ? 1 : usual > 10 ? 10 : usual;
    *out = (axl__rhythms){
        .log_steps = (uint64_t)axl__cfg_int_or(cfg, "logging_steps", (int64_t)usual),
        .save = rhythm_read(cfg, total_steps, SAVE_STEPS, "save_strategy", "save_steps",
                            "saves_per_epoch"),
    };
    if (!has_valid)
        return;
    out->eval = rhythm_read(cfg, total_steps, out->log_steps, "eval_strategy", "eval_steps",
                            "evals_per_epoch");
    out->eval_on_start = axl__cfg_bool(cfg, "axl.eval_on_start");
}

bool axl__rhythm_is_on(const axl__rhythm *when)
{
    return when->steps > 0 || when->epochs;
}

bool axl__rhythm_due(const axl__rhythm *when, uint64_t step, bool epoch_ended)
{
    return step > 0 &&
           ((when->steps > 0 && step % when->steps == 0) || (when->epochs && epoch_ended));
}
