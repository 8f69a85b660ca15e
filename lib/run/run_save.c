/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_save.c - checkpoints of a run, where it resumes, and its result.
 *
 * A checkpoint holds the last whole step: the trainer's state, the loader's place there and the
 * run's own numbers.  saves.newest says whether such a one is on disk, so that a stop or the end
 * does not write it twice.
 */
#include "run.h"
#include "checkpoints.h"
#include "output.h"

#include "base/os.h"
#include "base/str.h"
#include "train/checkpoint_state.h"

#include <string.h>

axl_status axl__run_only_warn(const axl_run *r, axl_status status)
{
    if (status >= 0 || status == AXL_ERR_NOMEM || status == AXL_ERR_CANCELLED)
        return status;
    axl__log(r->ctx, AXL_LOG_WARNING, "%s; the run goes on", axl_last_error());
    axl__error_clear();
    return AXL_OK;
}

/* An older checkpoint that cannot go stays. */
static axl_status save_prune(const axl_run *r)
{
    int64_t best = r->steer.keep_best && r->state.has_best ? (int64_t)r->state.best_step : -1;

    return axl__run_only_warn(r,
                              axl__checkpoints_prune(r->ctx, r->output_dir, r->saves.limit, best));
}

/* Saved, then pruned, then told: the new one is whole before an old one goes.  save_only_model does
 * not hold for a stop, which must be resumable. */
axl_status axl__run_save_checkpoint(axl_run *r, bool stopped)
{
    uint64_t step = axl_trainer_steps(r->trainer);
    double began = axl__now();
    char *dir = axl__checkpoint_path(r->ctx, r->output_dir, step);

    if (!dir)
        return axl__fail_nomem();
    r->state.seconds = axl__records_seconds(&r->records);
    r->state.day = r->day;
    axl_status status = axl__checkpoints_next_serial(r->ctx, r->output_dir, &r->state.serial);
    axl__save_options o = { r->loader, &r->at_step, r->state, r->steer.only_model && !stopped };

    if (status == AXL_OK)
        status = axl__trainer_save_run(r->trainer, &o, dir);
    if (status == AXL_OK) {
        r->saves.newest = step;
        axl__log(r->ctx, AXL_LOG_INFO, "saved %s", dir);
        status = save_prune(r);
    }
    if (status == AXL_OK)
        status = axl__run_write_report(r, "running");
    if (status == AXL_OK)
        status = axl__run_put_path(r, AXL_RUN_SAVE, dir);
    axl__free(r->ctx, dir);
    axl__run_pace_pause(r, began);
    return status;
}

void axl__run_outdate_save(axl_run *r)
{
    if (r->saves.newest == axl_trainer_steps(r->trainer))
        r->saves.newest = UINT64_MAX;
}

/* What was asked for: a folder, "auto", or the config's keys. */
static axl_status save_find_checkpoint(axl_run *r, char **out)
{
    const char *asked = r->resume;

    *out = NULL;
    if (!asked)
        asked = axl__cfg_str_or(r->cfg, "resume_from_checkpoint", NULL);
    if (!asked && axl__cfg_bool(r->cfg, "auto_resume_from_checkpoints"))
        asked = "auto";
    if (!asked)
        return AXL_OK;
    if (strcmp(asked, "auto") == 0) {
        AXL_TRY(axl__checkpoints_newest(r->ctx, r->output_dir, out));
        if (!*out)
            axl__log(r->ctx, AXL_LOG_WARNING, "%s holds no checkpoint; starting from the beginning",
                     r->output_dir);
        return AXL_OK;
    }
    *out = axl__config_path(r->cfg, asked);
    return *out ? AXL_OK : axl__fail_nomem();
}

static bool save_has_best(const axl_run *r, const char *dir)
{
    return axl__has_file(dir, r->adapter ? "adapter_model.safetensors" : "model.safetensors");
}

/* Where the best checkpoint was not copied along, the run is not told so at its end alone. */
static axl_status save_look_for_best(const axl_run *r)
{
    if (!r->steer.load_best || !r->state.has_best ||
        r->state.best_step == axl_trainer_steps(r->trainer))
        return AXL_OK;
    char *dir = axl__checkpoint_path(r->ctx, r->output_dir, r->state.best_step);
    if (!dir)
        return axl__fail_nomem();
    if (!save_has_best(r, dir))
        axl__log(r->ctx, AXL_LOG_WARNING,
                 "%s, the best evaluation so far, is gone: unless a better one comes, "
                 "load_best_model_at_end gives the last step's result",
                 dir);
    axl__free(r->ctx, dir);
    return AXL_OK;
}

/* A state that cannot be read is spoken of when it is loaded. */
static axl__date save_day_of(const axl_run *r)
{
    axl__date day = { 0 };
    axl__arena arena;
    axl__json *state;

    axl__arena_init(&arena, r->ctx);
    if (axl__checkpoint_state_read(&state, &arena, r->from) == AXL_OK)
        day = axl__run_state_day(state);
    else
        axl__error_clear();
    axl__arena_free(&arena);
    return day;
}

axl_status axl__run_find_start(axl_run *r)
{
    const char *date = axl__cfg_str_or(r->cfg, "axl.date", NULL);

    AXL_TRY(save_find_checkpoint(r, &r->from));
    if (date && axl__date_read(date, &r->day))
        return AXL_OK;
    if (r->from)
        r->day = save_day_of(r);
    if (r->day.year == 0)
        r->day = axl__today();
    return AXL_OK;
}

/* Nothing of the run's folder is touched here: what is to be cut or cleaned is so in
 * axl__run_begin, once training really begins. */
axl_status axl__run_resume(axl_run *r)
{
    const char *dir = r->from;

    r->saves = (axl__saves){ .limit = (uint64_t)axl__cfg_int(r->cfg, "save_total_limit"),
                             .newest = UINT64_MAX };
    axl_status status = AXL_OK;
    if (dir) {
        status = axl__trainer_load_run(r->trainer, r->loader, &r->state, dir);
        if (status == AXL_OK) {
            r->saves.newest = axl_trainer_steps(r->trainer);
            axl__log(r->ctx, AXL_LOG_INFO, "resumed from %s", dir);
            if (r->saves.newest >= r->total_steps)
                axl__log(r->ctx, AXL_LOG_WARNING,
                         "%s is at step %llu of %llu: nothing is left to train", dir,
                         (unsigned long long)r->saves.newest, (unsigned long long)r->total_steps);
        }
    }
    r->saves.goes_on = dir != NULL;
    AXL_TRY(status);
    if (r->saves.goes_on)
        AXL_TRY(save_look_for_best(r));
    return axl_loader_get_cursor(r->loader, &r->at_step);
}

/* Train may be called again after a stop or a failure: the window and the loader go back to the
 * last whole step. */
axl_status axl__run_begin(axl_run *r)
{
    bool goes_on = r->saves.goes_on;

    AXL_TRY(axl__output_clean(r->ctx, r->output_dir));
    axl_trainer_zero_grad(r->trainer);
    AXL_TRY(axl_loader_set_cursor(r->loader, &r->at_step));
    r->skips = (axl__skips){ 0, false };
    r->saves.goes_on = true; /* train called again goes on where it stopped */
    return axl__run_begin_records(r, goes_on);
}

/* Nothing of it was taken. */
static axl_status save_pass_over_best(const axl_run *r, const char *dir)
{
    axl__log(r->ctx, AXL_LOG_WARNING,
             "%s, the best evaluation, cannot be read: the result is the last step's (%s)", dir,
             axl_last_error());
    axl__error_clear();
    return AXL_OK;
}

/* The trainer's weights are the best one's afterwards, while its step and optimizer stay those of
 * the end: only the result is written after it. */
axl_status axl__run_load_best(axl_run *r)
{
    uint64_t step = axl_trainer_steps(r->trainer);

    if (!r->steer.load_best || !r->state.has_best || r->state.best_step == step)
        return AXL_OK;
    char *dir = axl__checkpoint_path(r->ctx, r->output_dir, r->state.best_step);
    if (!dir)
        return axl__fail_nomem();
    bool there = save_has_best(r, dir);
    axl_status status = there ? axl__trainer_load_weights(r->trainer, dir) : AXL_OK;
    if (!there)
        axl__log(r->ctx, AXL_LOG_WARNING,
                 "%s, the best evaluation, is gone: the result is the last step's", dir);
    else if (status == AXL_ERR_FORMAT || status == AXL_ERR_NOT_FOUND || status == AXL_ERR_IO)
        status = save_pass_over_best(r, dir);
    else if (status < 0)
        axl__fail_prefix(status, "load_best_model_at_end");
    else
        axl__log(r->ctx, AXL_LOG_INFO, "the result is %s, the best evaluation", dir);
    axl__free(r->ctx, dir);
    return status;
}

axl_status axl__run_save_result(axl_run *r)
{
    AXL_TRY(axl_trainer_export(r->trainer, r->output_dir));
    AXL_TRY(axl_tokenizer_save(r->tok, r->output_dir));
    AXL_TRY(axl__run_write_report(r, "finished"));
    AXL_TRY(axl__run_write_card(r));
    return axl__run_put_path(r, AXL_RUN_END, r->output_dir);
}

/* The checkpoint that a stop asks for is itself not to be cancelled; holding lasts no longer than
 * that.  Returns `stopped` with its own message, unless the checkpoint could not be written. */
axl_status axl__run_save_stopped(axl_run *r, axl_status stopped)
{
    axl__error why;

    axl__error_hold(&why);
    axl_trainer_zero_grad(r->trainer);
    uint64_t step = axl_trainer_steps(r->trainer);
    axl__cancel_hold(true);
    axl_status status = AXL_OK;
    if (step > 0 && step != r->saves.newest)
        status = axl__run_save_checkpoint(r, true);
    axl__cancel_hold(false);
    if (status < 0 && status != AXL_ERR_CANCELLED) /* the record callback asks again */
        return status;
    AXL_TRY(axl__run_write_report(r, "stopped"));
    return axl__fail(stopped, "%s after step %llu", why.text, (unsigned long long)step);
}
