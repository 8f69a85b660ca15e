/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoints.c - see checkpoints.h.  A folder counts as whole when it has its trainer_state.json:
 * checkpoints are renamed into place after their last file. */
#include "checkpoints.h"

#include "base/num.h"
#include "base/os.h"
#include "base/str.h"

#include <string.h>

static const char folder_prefix[] = "checkpoint-";

char *axl__checkpoint_path(axl_context *ctx, const char *output_dir, uint64_t step)
{
    return axl__format(ctx, "%s/%s%llu", output_dir, folder_prefix, (unsigned long long)step);
}

static bool is_whole(axl_context *ctx, const char *output_dir, const char *name, int64_t *step)
{
    size_t p = sizeof folder_prefix - 1;

    if (strncmp(name, folder_prefix, p) != 0 ||
        !axl__parse_int(name + p, strlen(name + p), step) || *step < 0 || name[p] == '+')
        return false;
    char *state = axl__format(ctx, "%s/%s/trainer_state.json", output_dir, name);
    bool whole = state && axl__path_kind_of(state) == AXL__PATH_FILE;
    axl__free(ctx, state);
    return whole;
}

/* The step of the newest or oldest one and their number; -1 when there is none. */
static axl_status survey(axl_context *ctx, const char *output_dir, int64_t *newest, int64_t *oldest,
                         size_t *count)
{
    char **names;
    size_t n;

    *newest = *oldest = -1;
    *count = 0;
    if (axl__path_kind_of(output_dir) != AXL__PATH_DIR)
        return AXL_OK;
    AXL_TRY(axl__list_dir(ctx, output_dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        int64_t step;
        if (!is_whole(ctx, output_dir, names[i], &step))
            continue;
        ++*count;
        if (step > *newest)
            *newest = step;
        if (*oldest < 0 || step < *oldest)
            *oldest = step;
    }
    axl__free(ctx, names);
    return AXL_OK;
}

axl_status axl__checkpoints_newest(axl_context *ctx, const char *output_dir, char **out)
{
    int64_t newest, oldest;
    size_t count;

    *out = NULL;
    AXL_TRY(survey(ctx, output_dir, &newest, &oldest, &count));
    if (newest < 0)
        return AXL_OK;
    *out = axl__checkpoint_path(ctx, output_dir, (uint64_t)newest);
    return *out ? AXL_OK : axl__fail_nomem();
}

axl_status axl__checkpoints_prune(axl_context *ctx, const char *output_dir, size_t keep)
{
    int64_t newest, oldest;
    size_t count;

    for (;;) {
        AXL_TRY(survey(ctx, output_dir, &newest, &oldest, &count));
        if (count <= keep)
            return AXL_OK;
        char *path = axl__checkpoint_path(ctx, output_dir, (uint64_t)oldest);
        if (!path)
            return axl__fail_nomem();
        axl_status status = axl__remove_tree(ctx, path);
        axl__free(ctx, path);
        AXL_TRY(status);
    }
}
