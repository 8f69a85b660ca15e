/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_config.c - the schedule of a config, chosen as Axolotl's trainer does: its own cosine
 * with cosine_min_lr_ratio or lr_quadratic_warmup, else transformers' by name, jagged restarts over
 * either.
 */
#include "schedule.h"

#include "base/fail.h"
#include "base/structs.h"
#include "config/config.h"

#include <string.h>

/* The names of the key lr_scheduler.  warms_up: whether the config's warm-up is this schedule's. */
static const struct {
    const char *name;
    axl_schedule kind;
    bool warms_up;
} kinds[] = {
    { "cosine", AXL_SCHEDULE_COSINE, true },
    { "linear", AXL_SCHEDULE_LINEAR, true },
    { "constant", AXL_SCHEDULE_CONSTANT, false },
    { "constant_with_warmup", AXL_SCHEDULE_CONSTANT, true },
    { "polynomial", AXL_SCHEDULE_POLYNOMIAL, true },
    { "cosine_with_restarts", AXL_SCHEDULE_COSINE_WITH_RESTARTS, true },
    { "inverse_sqrt", AXL_SCHEDULE_INVERSE_SQRT, true },
    { "cosine_with_min_lr", AXL_SCHEDULE_COSINE, true },
    { "cosine_warmup_with_min_lr", AXL_SCHEDULE_COSINE_AFTER_WARMUP, true },
    { "warmup_stable_decay", AXL_SCHEDULE_WARMUP_STABLE_DECAY, true },
    { "rex", AXL_SCHEDULE_REX, true },
    { "one_cycle", AXL_SCHEDULE_ONE_CYCLE, true },
    { "reduce_lr_on_plateau", AXL_SCHEDULE_REDUCE_ON_PLATEAU, false },
};

/* A setting of lr_scheduler_kwargs; the schema knows each. */
#define SETTING(key) "lr_scheduler_kwargs." key

static double schedule_setting(const axl_config *cfg, const char *key, double otherwise)
{
    return axl__cfg_double_or(cfg, key, otherwise);
}

static uint64_t schedule_count(const axl_config *cfg, const char *key, uint64_t otherwise)
{
    int64_t n = axl__cfg_int_or(cfg, key, -1);

    return n < 0 ? otherwise : (uint64_t)n;
}

static uint32_t schedule_shape(const axl_config *cfg, const char *key)
{
    const char *name = axl__cfg_str_or(cfg, key, "");

    if (strcmp(name, "linear") == 0)
        return AXL_SHAPE_LINEAR;
    if (strcmp(name, "cosine") == 0 || strcmp(name, "cos") == 0)
        return AXL_SHAPE_COSINE;
    return strcmp(name, "1-sqrt") == 0 ? AXL_SHAPE_ONE_MINUS_SQRT : AXL_SHAPE_DEFAULT;
}

/* max_steps wins where it is smaller; total is 0 where it is not known. */
static uint64_t schedule_steps_within(const axl_config *cfg, uint64_t total)
{
    uint64_t max_steps = schedule_count(cfg, "max_steps", 0);

    return max_steps > 0 && (max_steps < total || total == 0) ? max_steps : total;
}

/* warmup_steps, else warmup_ratio of the total, else 3 % and at most 100; 1 becomes 2 (Axolotl). */
uint64_t axl__config_warmup(const axl_config *cfg, uint64_t total)
{
    uint64_t warmup;

    total = schedule_steps_within(cfg, total);
    if (axl__cfg_has(cfg, "warmup_steps"))
        warmup = (uint64_t)axl__cfg_int_or(cfg, "warmup_steps", 0);
    else if (axl__cfg_has(cfg, "warmup_ratio"))
        warmup = (uint64_t)(axl__cfg_double_or(cfg, "warmup_ratio", 0.0) * (double)total);
    else
        warmup = (uint64_t)(0.03 * (double)total) < 100 ? (uint64_t)(0.03 * (double)total) : 100;
    return warmup == 1 ? 2 : warmup;
}

/* A rate of the config as a share of the peak: transformers' and torch's settings are rates, axl's
 * are shares. */
static double schedule_ratio(const axl_config *cfg, const char *key, double otherwise)
{
    double peak = axl__cfg_double(cfg, "learning_rate");

    return axl__cfg_has(cfg, key) ? schedule_setting(cfg, key, 0.0) / peak : otherwise;
}

/* cosine_min_lr_ratio and its kin, which Axolotl's own cosine and REX read. */
static void schedule_read_cosine_keys(axl_schedule_options *o, const axl_config *cfg)
{
    double least = axl__cfg_double_or(cfg, "cosine_min_lr_ratio", 0.0);

    if (o->kind == AXL_SCHEDULE_COSINE && axl__cfg_bool(cfg, "lr_quadratic_warmup")) {
        o->warmup_shape = AXL_SHAPE_QUADRATIC;
        return;
    }
    o->min_ratio = least;
    if (least > 0.0 && o->kind == AXL_SCHEDULE_COSINE)
        o->constant_ratio = axl__cfg_double_or(cfg, "cosine_constant_lr_ratio", 0.0);
}

/* -1: what is left of the run, transformers' default of num_stable_steps. */
static void schedule_read_stable_decay(axl_schedule_options *o, const axl_config *cfg)
{
    o->decay_steps = schedule_count(cfg, SETTING("num_decay_steps"), 0);
    o->stable_steps = axl__cfg_int_or(cfg, SETTING("num_stable_steps"), -1);
    o->warmup_shape = schedule_shape(cfg, SETTING("warmup_type"));
    o->decay_shape = schedule_shape(cfg, SETTING("decay_type"));
    o->min_ratio = schedule_setting(cfg, SETTING("min_lr_ratio"), 0.0);
}

/* Negative values mean "derive it" (pct_start: the warm-up's share, Axolotl's choice) or "leave
 * beta1 alone" (the momenta). */
static void schedule_read_one_cycle(axl_schedule_options *o, const axl_config *cfg)
{
    o->pct_start = schedule_setting(cfg, SETTING("pct_start"), -1.0);
    o->decay_shape = schedule_shape(cfg, SETTING("anneal_strategy"));
    o->div_factor = schedule_setting(cfg, SETTING("div_factor"), o->div_factor);
    o->final_div_factor = schedule_setting(cfg, SETTING("final_div_factor"), o->final_div_factor);
    o->three_phases = axl__cfg_bool_or(cfg, SETTING("three_phase"), false);
    o->base_momentum = schedule_setting(cfg, SETTING("base_momentum"), o->base_momentum);
    o->max_momentum = schedule_setting(cfg, SETTING("max_momentum"), o->max_momentum);
    if (!axl__cfg_bool_or(cfg, SETTING("cycle_momentum"), true))
        o->base_momentum = o->max_momentum = -1.0;
}

/* torch's defaults, but for what the options have already; eps, 1e-8, is a difference of rates
 * there. */
static void schedule_read_plateau(axl_schedule_options *o, const axl_config *cfg)
{
    o->factor = schedule_setting(cfg, SETTING("factor"), o->factor);
    o->patience = schedule_count(cfg, SETTING("patience"), o->patience);
    o->threshold = schedule_setting(cfg, SETTING("threshold"), o->threshold);
    o->threshold_absolute =
        strcmp(axl__cfg_str_or(cfg, SETTING("threshold_mode"), "rel"), "abs") == 0;
    o->greater_is_better = strcmp(axl__cfg_str_or(cfg, SETTING("mode"), "min"), "max") == 0;
    o->cooldown = schedule_count(cfg, SETTING("cooldown"), 0);
    o->min_ratio = schedule_ratio(cfg, SETTING("min_lr"), 0.0);
    o->min_change = 1e-8 / axl__cfg_double(cfg, "learning_rate");
    o->min_change = schedule_ratio(cfg, SETTING("eps"), o->min_change);
}

/* Which cosine is which: the name "cosine" reads Axolotl's keys, the others of its kind the
 * settings of lr_scheduler_kwargs.  1e-7 is transformers' lr_end. */
static void schedule_read_settings(axl_schedule_options *o, const axl_config *cfg, const char *name)
{
    o->n_cycles = schedule_setting(cfg, SETTING("num_cycles"), 0.0);
    switch (o->kind) {
    case AXL_SCHEDULE_POLYNOMIAL:
        o->power = schedule_setting(cfg, SETTING("power"), 1.0);
        o->min_ratio = 1e-7 / axl__cfg_double(cfg, "learning_rate");
        o->min_ratio = schedule_ratio(cfg, SETTING("lr_end"), o->min_ratio);
        break;
    case AXL_SCHEDULE_INVERSE_SQRT:
        o->timescale = schedule_count(cfg, SETTING("timescale"), 0);
        break;
    case AXL_SCHEDULE_WARMUP_STABLE_DECAY: schedule_read_stable_decay(o, cfg); break;
    case AXL_SCHEDULE_ONE_CYCLE: schedule_read_one_cycle(o, cfg); break;
    case AXL_SCHEDULE_REDUCE_ON_PLATEAU: schedule_read_plateau(o, cfg); break;
    default: break;
    }
    if (strcmp(name, "cosine") == 0 || o->kind == AXL_SCHEDULE_REX)
        schedule_read_cosine_keys(o, cfg);
    else if (o->kind == AXL_SCHEDULE_COSINE || o->kind == AXL_SCHEDULE_COSINE_AFTER_WARMUP)
        o->min_ratio = schedule_ratio(cfg, SETTING("min_lr"),
                                      schedule_setting(cfg, SETTING("min_lr_rate"), 0.0));
    o->warmup_start = schedule_setting(cfg, SETTING("warmup_lr_rate"), 0.0);
}

static void schedule_read_restarts(axl_schedule_options *o, const axl_config *cfg)
{
    double least = axl__cfg_double_or(cfg, "cosine_min_lr_ratio", 0.0);

    o->restart_steps = schedule_count(cfg, "jagged_restart_steps", 0);
    o->restart_warmup_steps = schedule_count(cfg, "jagged_restart_warmup_steps", 10);
    o->restart_anneal_steps = schedule_count(cfg, "jagged_restart_anneal_steps", 1);
    if (least > 0.0)
        o->restart_ratio = least;
}

axl_status axl_schedule_from_config(axl_schedule_options *out, const axl_config *cfg,
                                    uint64_t total_steps)
{
    axl_schedule_options o = AXL_SCHEDULE_OPTIONS_INIT;

    AXL_TRY(axl__config_enter(cfg));
    const char *name = axl__cfg_str(cfg, "lr_scheduler");
    o.total_steps = total_steps = schedule_steps_within(cfg, total_steps);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            o.kind = kinds[i].kind;
            o.warmup_steps = kinds[i].warms_up ? axl__config_warmup(cfg, total_steps) : 0;
        }
    schedule_read_settings(&o, cfg, name);
    schedule_read_restarts(&o, cfg);
    axl_schedule_options checked;
    AXL_TRY(axl__schedule_import(&checked, &o));
    return AXL__EXPORT(axl_schedule_options, out, &checked);
}
