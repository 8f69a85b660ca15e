/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_schedule.c - the keys of the learning-rate schedule together: which settings a schedule
 * takes, which it needs, and what Axolotl's trainer would pass over in silence.
 */
#include "config_priv.h"
#include "optimizer_names.h"

#include <stdio.h>
#include <string.h>

/* The keys of lr_scheduler_kwargs that each schedule takes: the parameters of transformers'
 * get_…_schedule functions and of torch's classes.  A schedule that is not here takes none. */
static const struct {
    const char *schedule, *settings;
} takes[] = {
    { "cosine", "num_cycles" },
    { "cosine_with_restarts", "num_cycles" },
    { "polynomial", "lr_end, power" },
    { "inverse_sqrt", "timescale" },
    { "cosine_with_min_lr", "num_cycles, min_lr, min_lr_rate" },
    { "cosine_warmup_with_min_lr", "num_cycles, min_lr, min_lr_rate, warmup_lr_rate" },
    { "warmup_stable_decay", "num_decay_steps, num_stable_steps, warmup_type, decay_type, "
                             "min_lr_ratio, num_cycles" },
    { "reduce_lr_on_plateau", "mode, factor, patience, threshold, threshold_mode, cooldown, "
                              "min_lr, eps" },
    { "one_cycle", "pct_start, anneal_strategy, cycle_momentum, base_momentum, max_momentum, "
                   "div_factor, final_div_factor, three_phase" },
};

static const axl__yaml *get(const axl__config_pass *p, const char *key)
{
    return axl__yaml_get(p->root, key);
}

/* A member of lr_scheduler_kwargs. */
static const axl__yaml *setting(const axl__config_pass *p, const char *key)
{
    const axl__yaml *map = get(p, "lr_scheduler_kwargs");

    return map && map->type == AXL__YAML_MAP ? axl__yaml_get(map, key) : NULL;
}

static void say(axl__config_pass *p, const char *key, const char *message)
{
    axl__config_say(p, AXL__C_SCHEDULE, AXL_SEVERITY_ERROR, get(p, key), AT_KEY, key, "%s",
                    message);
}

static void no_effect(axl__config_pass *p, const char *key, const char *why)
{
    if (axl__yaml_truthy(get(p, key)))
        axl__config_say(p, AXL__C_NO_EFFECT, AXL_SEVERITY_WARNING, get(p, key), AT_KEY, key,
                        "no effect here: %s", why);
}

/* own_cosine: cosine_min_lr_ratio or lr_quadratic_warmup puts Axolotl's own cosine in the place of
 * transformers', and Axolotl passes it no settings. */
static void check_settings(axl__config_pass *p, const char *schedule, bool own_cosine)
{
    const axl__yaml *map = get(p, "lr_scheduler_kwargs");
    const char *settings = NULL;

    for (size_t i = 0; i < sizeof takes / sizeof takes[0] && !own_cosine; i++)
        if (strcmp(takes[i].schedule, schedule) == 0)
            settings = takes[i].settings;
    for (const axl__yaml *n = map ? map->child : NULL; n; n = n->next) {
        char key[96];
        snprintf(key, sizeof key, "lr_scheduler_kwargs.%.64s", n->key);
        if (settings && axl__schema_has_value(settings, n->key))
            continue;
        axl__config_say(p, AXL__C_SCHEDULE, AXL_SEVERITY_ERROR, n, AT_KEY, key,
                        "lr_scheduler: %s%s takes %s%s", schedule,
                        own_cosine ? " with cosine_min_lr_ratio or lr_quadratic_warmup" : "",
                        settings ? "only " : "no settings", settings ? settings : "");
    }
}

/* A rate that must stay below the peak. */
static void check_below_peak(axl__config_pass *p, const char *key, bool equal_is_fine)
{
    const axl__yaml *n = setting(p, key), *peak = get(p, "learning_rate");
    char path[64];

    if (!n || !peak || peak->number <= 0.0 || n->number < peak->number ||
        (equal_is_fine && n->number == peak->number))
        return;
    snprintf(path, sizeof path, "lr_scheduler_kwargs.%s", key);
    axl__config_say(p, AXL__C_SCHEDULE, AXL_SEVERITY_ERROR, n, AT_VALUE, path,
                    "must be %s learning_rate (%s), found %s", equal_is_fine ? "at most" : "below",
                    peak->text, n->text);
}

/* What transformers' functions raise an error for when the schedule is made. */
static void check_needs(axl__config_pass *p, const char *schedule)
{
    bool least = strcmp(schedule, "cosine_with_min_lr") == 0 ||
                 strcmp(schedule, "cosine_warmup_with_min_lr") == 0;

    if (least && !setting(p, "min_lr") == !setting(p, "min_lr_rate"))
        say(p, "lr_scheduler_kwargs",
            "one of min_lr and min_lr_rate must be set with this lr_scheduler");
    if (strcmp(schedule, "warmup_stable_decay") == 0 && !setting(p, "num_decay_steps"))
        say(p, "lr_scheduler_kwargs",
            "num_decay_steps must be set with lr_scheduler: warmup_stable_decay");
    check_below_peak(p, "lr_end", false);
    check_below_peak(p, "min_lr", true);
}

/* The one schedule that follows a metric: without evaluations its rate would never fall. */
static void check_plateau(axl__config_pass *p)
{
    const axl__yaml *when = get(p, "eval_strategy");
    bool never = when && when->type == AXL__YAML_STRING && strcmp(when->text, "no") == 0;

    if (never || !axl__config_has_validation(p))
        say(p, "lr_scheduler",
            "reduce_lr_on_plateau follows evaluations: set val_set_size or test_datasets, and no "
            "eval_strategy: no");
    if (axl__yaml_truthy(get(p, "jagged_restart_steps")))
        say(p, "jagged_restart_steps", "reduce_lr_on_plateau cannot restart");
}

/* Axolotl's conditions, and one of axl's: restarts prune AdamW's two moments (train/relora.c). */
static void check_relora(axl__config_pass *p, const char *schedule, bool restarts)
{
    if (!axl__yaml_truthy(get(p, "relora"))) {
        no_effect(p, "relora_prune_ratio", "relora is not set");
        no_effect(p, "relora_prune_method", "relora is not set");
        return;
    }
    const axl__yaml *n = get(p, "optimizer");
    const axl__optimizer_name *o =
        n && n->type == AXL__YAML_STRING ? axl__optimizer_find(n->text) : NULL;
    if (o && !axl__optimizer_name_has_moments(o))
        axl__config_say(
            p, AXL__C_SCHEDULE, AXL_SEVERITY_ERROR, n, AT_VALUE, "optimizer",
            "relora prunes the moments of AdamW, which %s does not have in f32 or 8 bits", n->text);
    if (!restarts)
        say(p, "relora", "jagged_restart_steps must be set with it");
    if (strcmp(schedule, "one_cycle") == 0)
        say(p, "relora", "it does not go with lr_scheduler: one_cycle");
}

/* Axolotl's trainer looks at lr_quadratic_warmup before cosine_min_lr_ratio, and at
 * cosine_constant_lr_ratio only beside the latter (core/trainers/mixins/scheduler.py).  With
 * restarts cosine_min_lr_ratio is also how low a restart falls, under any schedule. */
void axl__config_check_schedule(axl__config_pass *p)
{
    const axl__yaml *n = get(p, "lr_scheduler");
    const char *schedule = n && n->type == AXL__YAML_STRING ? n->text : "cosine";
    bool cosine = strcmp(schedule, "cosine") == 0, rex = strcmp(schedule, "rex") == 0;
    bool plateau = strcmp(schedule, "reduce_lr_on_plateau") == 0;
    bool restarts = axl__yaml_truthy(get(p, "jagged_restart_steps"));
    bool least = axl__yaml_truthy(get(p, "cosine_min_lr_ratio"));
    bool squared = cosine && axl__yaml_truthy(get(p, "lr_quadratic_warmup"));

    check_settings(p, schedule, cosine && (least || squared));
    check_needs(p, schedule);
    check_relora(p, schedule, restarts);
    if (plateau)
        check_plateau(p);
    if (!restarts && (squared || (!cosine && !rex)))
        no_effect(p, "cosine_min_lr_ratio",
                  squared ? "with lr_quadratic_warmup cosine ends at 0"
                          : "only cosine and rex read it");
    if (!cosine || !least || squared)
        no_effect(p, "cosine_constant_lr_ratio", "only cosine with cosine_min_lr_ratio reads it");
    if (!cosine)
        no_effect(p, "lr_quadratic_warmup", "only cosine reads it");
    if (!restarts) {
        no_effect(p, "jagged_restart_warmup_steps", "jagged_restart_steps is not set");
        no_effect(p, "jagged_restart_anneal_steps", "jagged_restart_steps is not set");
    }
    if (plateau || strcmp(schedule, "constant") == 0) {
        no_effect(p, "warmup_steps", "this lr_scheduler has no warm-up");
        no_effect(p, "warmup_ratio", "this lr_scheduler has no warm-up");
    }
}
