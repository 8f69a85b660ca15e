/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoints.c - see checkpoints.h.  A folder counts as whole when it has its trainer_state.json:
 * checkpoints are renamed into place after their last file. */
#include "checkpoints.h"

#include "base/num.h"
#include "base/os.h"
#include "base/str.h"
#include "train/checkpoint_state.h"

#include <string.h>

static const char folder_prefix[] = "checkpoint-";

char *axl__checkpoint_path(axl_context *ctx, const char *output_dir, uint64_t step)
{
    return axl__format(ctx, "%s/%s%llu", output_dir, folder_prefix, (unsigned long long)step);
}

axl_status axl__checkpoints_spare(axl_context *ctx, const char *output_dir, const char *path)
{
    bool held = false;
    char *p = axl__strdup(ctx, path);

    if (!p)
        return axl__fail_nomem();
    for (char *s = strrchr(p, '/'); s && s != p && !held; s = strrchr(p, '/')) {
        *s = '\0';
        held = strncmp(s + 1, folder_prefix, sizeof folder_prefix - 1) == 0 &&
               axl__same_path(p, output_dir);
    }
    axl__free(ctx, p);
    if (!held)
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID,
                     "%s lies in a checkpoint of %s, which saving would remove: name another "
                     "folder",
                     path, output_dir);
}

typedef struct {
    int64_t step, serial; /* serial 0: not of a run */
    bool own;             /* else Hugging Face's, or a link to somewhere else */
    bool only_model;      /* cannot be resumed */
} found;

/* An earlier run may have left higher steps, so that the serial decides, and the step only among
 * checkpoints that have none. */
static bool checkpoints_is_later(const found *a, const found *b)
{
    return a->serial != b->serial ? a->serial > b->serial : a->step > b->step;
}

/* Of another format, and of another trainer, too: what to do with it is said when it is resumed. */
static axl_status checkpoints_read_serial(axl_context *ctx, const char *dir, found *out)
{
    const int64_t serial_max = INT64_C(1) << 53; /* one more is still a number */
    axl__arena arena;
    axl__json *root;

    axl__arena_init(&arena, ctx);
    axl_status status = axl__checkpoint_state_read(&root, &arena, dir);
    if (status == AXL_OK || status == AXL_ERR_UNSUPPORTED) {
        int64_t serial = axl__json_int(root, "serial", 0);
        out->serial = serial > 0 && serial <= serial_max ? serial : 0;
        out->own = axl__json_get(root, "axl_checkpoint") != NULL;
        out->only_model = axl__json_bool(root, "only_model", false);
        status = AXL_OK;
    }
    axl__arena_free(&arena);
    return status;
}

/* -1: no checkpoint's name. */
static int64_t checkpoints_step_of(const char *name, size_t len)
{
    const size_t p = sizeof folder_prefix - 1;
    int64_t step;

    if (len <= p || strncmp(name, folder_prefix, p) != 0 || name[p] < '0' || name[p] > '9' ||
        !axl__parse_int(name + p, len - p, &step))
        return -1;
    return step;
}

bool axl__checkpoint_is_name(const char *name, size_t len)
{
    return checkpoints_step_of(name, len) >= 0;
}

/* Fails for want of memory alone: what cannot be read is not whole, and damaged where it has a
 * state.
 */
static axl_status checkpoints_look_at(axl_context *ctx, const char *output_dir, const char *name,
                                      found *out, bool *whole, bool *damaged)
{
    *whole = *damaged = false;
    out->step = checkpoints_step_of(name, strlen(name));
    if (out->step < 0)
        return AXL_OK;
    char *dir = axl__format(ctx, "%s/%s", output_dir, name);
    axl_status status = dir ? checkpoints_read_serial(ctx, dir, out) : axl__fail_nomem();
    out->own = dir && out->own && !axl__path_is_link(dir);
    axl__free(ctx, dir);
    *whole = status == AXL_OK;
    *damaged = status == AXL_ERR_FORMAT || status == AXL_ERR_IO;
    return status == AXL_ERR_NOMEM ? status : AXL_OK;
}

typedef struct {
    found newest, resumable; /* step -1: none */
    found oldest;            /* of axl's own, without the kept step */
    size_t n_own;
    int64_t damaged; /* the highest step of those whose state cannot be read, or -1 */
} survey_result;

/* One look at the folder answers all questions below; it reads the small state file of each
 * checkpoint, never its tensors. */
static axl_status checkpoints_survey(axl_context *ctx, const char *output_dir, int64_t kept_step,
                                     survey_result *out)
{
    const found none = { -1, 0, false, false };
    char **names;
    size_t n;

    *out = (survey_result){ none, none, none, 0, -1 };
    if (axl__path_kind_of(output_dir) != AXL__PATH_DIR)
        return AXL_OK;
    axl_status status = axl__list_dir(ctx, output_dir, &names, &n);
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        found f;
        bool whole, damaged;
        status = checkpoints_look_at(ctx, output_dir, names[i], &f, &whole, &damaged);
        if (damaged && f.step > out->damaged)
            out->damaged = f.step;
        if (!whole)
            continue;
        if (checkpoints_is_later(&f, &out->newest))
            out->newest = f;
        if (!f.only_model && checkpoints_is_later(&f, &out->resumable))
            out->resumable = f;
        if (!f.own)
            continue;
        out->n_own++;
        if (f.step != kept_step && (out->oldest.step < 0 || checkpoints_is_later(&out->oldest, &f)))
            out->oldest = f;
    }
    axl__free(ctx, names);
    if (status == AXL_OK)
        axl__error_clear(); /* of those that are not whole */
    return status;
}

axl_status axl__checkpoints_next_serial(axl_context *ctx, const char *output_dir, uint64_t *serial)
{
    survey_result r;

    AXL_TRY(checkpoints_survey(ctx, output_dir, -1, &r));
    *serial = (uint64_t)r.newest.serial + 1;
    return AXL_OK;
}

/* Why the state of that one cannot be read. */
static axl_status checkpoints_fail_damaged(axl_context *ctx, const char *output_dir, int64_t step)
{
    char *dir = axl__checkpoint_path(ctx, output_dir, (uint64_t)step);
    axl__arena arena;
    axl__json *root;

    if (!dir)
        return axl__fail_nomem();
    axl__arena_init(&arena, ctx);
    axl_status status = axl__checkpoint_state_read(&root, &arena, dir);
    axl__arena_free(&arena);
    axl__free(ctx, dir);
    return status < 0 ? axl__fail_prefix(status, "the newest checkpoint cannot be read; remove its "
                                                 "folder to go on from an earlier one")
                      : AXL_OK;
}

axl_status axl__checkpoints_newest(axl_context *ctx, const char *output_dir, char **out)
{
    survey_result r;

    *out = NULL;
    AXL_TRY(checkpoints_survey(ctx, output_dir, -1, &r));
    if (r.damaged > r.resumable.step)
        AXL_TRY(checkpoints_fail_damaged(ctx, output_dir, r.damaged));
    if (r.resumable.step < 0)
        return AXL_OK;
    *out = axl__checkpoint_path(ctx, output_dir, (uint64_t)r.resumable.step);
    return *out ? AXL_OK : axl__fail_nomem();
}

/* The state first: what is left by a stop halfway is no checkpoint. */
static axl_status checkpoints_remove(axl_context *ctx, const char *output_dir, int64_t step)
{
    char *dir = axl__checkpoint_path(ctx, output_dir, (uint64_t)step);
    char *state = dir ? axl__format(ctx, "%s/trainer_state.json", dir) : NULL;
    axl_status status = state ? axl__remove_file(state) : axl__fail_nomem();

    if (status == AXL_OK)
        status = axl__remove_tree(dir);
    axl__free(ctx, state);
    axl__free(ctx, dir);
    return status;
}

/* Looks again after each removal: it is rarely more than one, and another process may have been at
 * it. */
axl_status axl__checkpoints_prune(axl_context *ctx, const char *output_dir, size_t keep,
                                  int64_t best)
{
    survey_result r;

    for (;;) {
        AXL_TRY(checkpoints_survey(ctx, output_dir, best, &r));
        if (r.n_own <= keep || r.oldest.step < 0 || r.oldest.step == r.newest.step)
            return AXL_OK;
        AXL_TRY(checkpoints_remove(ctx, output_dir, r.oldest.step));
    }
}
