/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - see output.h.  The file of the lock holds the number of the process that has it, for
 * the message alone: it may stay behind after a crash, when it keeps nobody out. */
#include "output.h"
#include "checkpoints.h"

#include "base/os.h"
#include "base/str.h"

#include <string.h>

static char *output_lock_path(axl_context *ctx, const char *dir)
{
    return axl__format(ctx, "%s/.axl.lock", dir);
}

/* The lock is the kernel's (flock): it is gone with the process, so that no stale file ever keeps a
 * folder shut. */
axl_status axl__output_lock(axl_context *ctx, const char *dir, int *lock)
{
    char *path = output_lock_path(ctx, dir);
    int64_t pid = 0;

    *lock = -1;
    if (!path)
        return axl__fail_nomem();
    axl_status status = axl__lock_file(path, lock);
    if (status == AXL_OK && *lock < 0)
        pid = axl__lock_owner(path);
    else if (status == AXL_OK)
        axl__lock_sign(*lock);
    axl__free(ctx, path);
    if (status < 0 || *lock >= 0)
        return status;
    if (pid > 0)
        return axl__fail(AXL_ERR_BUSY,
                         "%s is in use by another run, of process %lld: wait for its end or name "
                         "another folder",
                         dir, (long long)pid);
    return axl__fail(AXL_ERR_BUSY,
                     "%s is in use by another run: wait for its end or name another folder", dir);
}

void axl__output_release(axl_context *ctx, const char *dir, int lock)
{
    char *path = lock >= 0 ? output_lock_path(ctx, dir) : NULL;

    if (path && axl__lock_owner(path) == (int64_t)axl__process_id()) /* not a child of a fork */
        (void)axl__remove_file(path);
    axl__free(ctx, path);
    axl__unlock_file(lock);
}

/* "model-00001-of-00003.safetensors" */
static bool output_name_is_shard(const char *name, size_t len)
{
    static const char first[] = "model-", last[] = ".safetensors";
    size_t n = sizeof first - 1, m = sizeof last - 1;

    return len > n + m && memcmp(name, first, n) == 0 && memcmp(name + len - m, last, m) == 0;
}

/* What axl writes into an output_dir under a temporary name first.  Tokenizer files and results are
 * PEFT's and transformers' names. */
static bool output_name_is_ours(const char *name, size_t len)
{
    static const char *const names[] = {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "added_tokens.json",
        "chat_template.jinja",
        "config.json",
        "report.html",
        "model.safetensors",
        "model.safetensors.index.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "training_log.jsonl",
        "tokenizer_config.json",
        "tekken.json",
        "spiece.model",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
    };
    bool ours = axl__checkpoint_is_name(name, len) || output_name_is_shard(name, len);

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !ours; i++)
        ours = strlen(names[i]) == len && memcmp(names[i], name, len) == 0;
    return ours;
}

axl_status axl__output_clean(axl_context *ctx, const char *dir)
{
    return axl__remove_leftovers(ctx, dir, output_name_is_ours);
}
