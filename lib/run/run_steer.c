/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_steer.c - what evaluations, losses and files do to a run: the best checkpoint, stopping
 * early, skipping steps that are not finite, saving when asked.  What it decides by is in the state
 * that checkpoints keep, so that a resumed run decides the same.
 */
#include "run.h"

#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

static uint64_t steer_count(const axl_run *r, const char *key, uint64_t otherwise)
{
    int64_t n = axl__cfg_int_or(r->cfg, key, 0);

    return n > 0 ? (uint64_t)n : otherwise;
}

/* The name and the interval are Axolotl's defaults of dynamic_checkpoint. */
static axl_status steer_read_trigger(axl_run *r)
{
    if (!axl__cfg_bool_or(r->cfg, "dynamic_checkpoint.enabled", false))
        return AXL_OK;
    r->steer.check_interval = steer_count(r, "dynamic_checkpoint.check_interval", 10);
    const char *name = axl__cfg_str_or(r->cfg, "dynamic_checkpoint.trigger_file_path", "");
    r->steer.trigger =
        axl__format(r->ctx, "%s/%s", r->output_dir, *name ? name : "axolotl_checkpoint.save");
    return r->steer.trigger ? AXL_OK : axl__fail_nomem();
}

/* early_stopping_patience brings load_best_model_at_end with it where that is not set.  Every
 * metric but the loss means perplexity, the only other number that an evaluation gives. */
axl_status axl__run_read_steering(axl_run *r)
{
    axl__steering *s = &r->steer;
    const char *metric = axl__cfg_str_or(r->cfg, "metric_for_best_model", NULL);

    s->best_is_high = axl__cfg_bool_or(r->cfg, "greater_is_better", false);
    s->by_perplexity = metric && strcmp(metric, "loss") != 0 && strcmp(metric, "eval_loss") != 0;
    s->patience = steer_count(r, "early_stopping_patience", 0);
    s->load_best = axl__cfg_bool_or(r->cfg, "load_best_model_at_end", s->patience > 0);
    s->save_best = strcmp(axl__cfg_str(r->cfg, "save_strategy"), "best") == 0;
    s->keep_best = metric || s->load_best || s->save_best;
    s->save_first = axl__cfg_bool(r->cfg, "save_first_step");
    s->only_model = axl__cfg_bool(r->cfg, "save_only_model");
    s->loss_limit = axl__cfg_double_or(r->cfg, "loss_watchdog_threshold", INFINITY);
    s->loss_patience = steer_count(r, "loss_watchdog_patience", 3);
    s->max_skipped = (uint64_t)axl__cfg_int(r->cfg, "axl.max_skipped_steps");
    return steer_read_trigger(r);
}

/* ---- evaluations ---- */

/* The warning comes once, at the evaluation that reaches the patience; who stops asks
 * axl__run_stops_early(). */
axl_status axl__run_note_evaluation(axl_run *r, double loss, double perplexity)
{
    double value = r->steer.by_perplexity ? perplexity : loss;
    bool better = r->steer.best_is_high ? value > r->state.best : value < r->state.best;

    if (!r->state.has_best || better) {
        r->state.has_best = true;
        r->state.best = value;
        r->state.best_step = axl_trainer_steps(r->trainer);
        r->state.n_worse = 0;
    } else if (++r->state.n_worse == r->steer.patience) {
        axl__log(r->ctx, AXL_LOG_WARNING,
                 "no better evaluation than that of step %llu for %llu of them: training stops "
                 "(early_stopping_patience)",
                 (unsigned long long)r->state.best_step, (unsigned long long)r->state.n_worse);
    }
    return axl_trainer_report_metric(r->trainer, value);
}

/* ---- losses ---- */

static void steer_watch_loss(axl_run *r, double loss)
{
    if (loss <= r->steer.loss_limit) {
        r->state.n_high = 0;
        return;
    }
    if (++r->state.n_high == r->steer.loss_patience)
        axl__log(r->ctx, AXL_LOG_WARNING,
                 "the loss was above loss_watchdog_threshold for %llu steps in a row: training "
                 "stops",
                 (unsigned long long)r->state.n_high);
}

void axl__run_note_step(axl_run *r, double loss)
{
    r->state.n_skipped += r->skips.n;
    r->skips.n = 0;
    steer_watch_loss(r, loss);
}

/* Asked from the state alone, so that a run resumed after such a stop stops at once again. */
bool axl__run_stops_early(const axl_run *r)
{
    return (r->steer.patience > 0 && r->state.n_worse >= r->steer.patience) ||
           (isfinite(r->steer.loss_limit) && r->state.n_high >= r->steer.loss_patience);
}

/* The rest of the window's batches is passed over too. */
axl_status axl__run_skip_step(axl_run *r, bool window_ended)
{
    unsigned long long step = (unsigned long long)axl_trainer_steps(r->trainer) + 1;

    if (r->skips.n >= r->steer.max_skipped)
        return r->skips.n == 0
                   ? axl__fail_prefix(AXL_ERR_NUMERIC, "step %llu", step)
                   : axl__fail_prefix(AXL_ERR_NUMERIC, "step %llu, after %llu skipped ones", step,
                                      (unsigned long long)r->skips.n);
    axl__log(r->ctx, AXL_LOG_WARNING, "step %llu is skipped: %s", step, axl_last_error());
    axl_trainer_zero_grad(r->trainer);
    r->skips.n++;
    r->skips.rest = !window_ended;
    return AXL_OK;
}

bool axl__run_skips_batch(axl_run *r, const axl_batch *b)
{
    bool skipped = r->skips.rest;

    if (skipped)
        r->skips.rest = !b->last_of_step;
    return skipped;
}

/* ---- saving ---- */

/* What links lead to outside output_dir is no one's to delete. */
static bool steer_trigger_is_inside(const axl_run *r)
{
    char *dir = axl__strdup(r->ctx, r->steer.trigger);

    if (dir)
        *strrchr(dir, '/') = '\0';
    bool inside = dir && axl__path_is_in(dir, r->output_dir);
    axl__free(r->ctx, dir);
    return inside;
}

/* The file is gone once it was seen, saved or not. */
static bool steer_was_triggered(axl_run *r, uint64_t step)
{
    if (!r->steer.trigger || step % r->steer.check_interval != 0 ||
        axl__path_kind_of(r->steer.trigger) != AXL__PATH_FILE || !steer_trigger_is_inside(r))
        return false;
    if (axl__remove_file(r->steer.trigger) < 0)
        axl__log(r->ctx, AXL_LOG_WARNING, "%s", axl_last_error());
    return true;
}

/* The trigger is asked first and always: its file goes even where another reason saves as well. */
bool axl__run_save_is_due(axl_run *r)
{
    uint64_t step = axl_trainer_steps(r->trainer);
    bool best = r->state.has_best && r->state.best_step == step &&
                (r->steer.save_best || r->steer.load_best);
    bool triggered = step > 0 && steer_was_triggered(r, step);

    return best || triggered || (r->steer.save_first && step == 1) ||
           axl__rhythm_due(&r->when.save, step, axl__run_epoch_ended(r));
}
