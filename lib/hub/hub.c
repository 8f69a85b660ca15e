/* SPDX-License-Identifier: Apache-2.0 */
/* hub.c - looking names up in the cache that huggingface_hub keeps:
 * models--org--name/refs/<branch> holds a commit, snapshots/<commit>/ the files. */
#define _GNU_SOURCE /* memmem */
#include "hub.h"

#include "base/os.h"
#include "base/str.h"

#include <string.h>

enum { COMMIT_MAX = 64 };

static bool is_word(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(more, c))))
            return false;
    }
    return len > 0 && !memmem(text, len, "..", 2);
}

/* "name" or "org/name". */
static bool is_id(const char *name)
{
    const char *slash = strchr(name, '/');
    size_t org = slash ? (size_t)(slash - name) : 0;

    if (slash && (!is_word(name, org, "-_.") || *name == '.'))
        return false;
    name = slash ? slash + 1 : name;
    return is_word(name, strlen(name), "-_.") && *name != '.';
}

static axl_status not_found(axl_context *ctx, const char *name, const char *revision,
                            const char *kind)
{
    const char *cache = axl__context_hub_cache(ctx);
    bool set = strcmp(kind, "datasets") == 0;

    if (!is_id(name))
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\" does not exist", set ? "data set" : "model",
                         name);
    return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\"%s%s is neither a folder nor in the Hugging Face "
                     "cache (%s); downloading is not available yet", set ? "data set" : "model",
                     name, revision ? " at revision " : "", revision ? revision : "",
                     cache ? cache : "HOME and HF_HOME are not set");
}

/* <cache>/models--org--name */
static char *repo_folder(axl_context *ctx, const char *name, const char *kind)
{
    axl__str s;

    axl__str_init(&s, ctx);
    axl__str_putf(&s, "%s/%s--", axl__context_hub_cache(ctx), kind);
    for (; *name; name++)
        axl__str_puts(&s, *name == '/' ? "--" : (char[]){ *name, '\0' });
    if (s.failed)
        axl__str_free(&s);
    return s.data;
}

/* The commit that a branch stands for; the revision itself when there is no such branch. */
static axl_status read_ref(axl_context *ctx, const char *repo, const char *revision,
                           char commit[COMMIT_MAX + 1])
{
    char *path = axl__format(ctx, "%s/refs/%s", repo, revision);
    axl__file f;
    axl_status status = AXL_OK;
    size_t n = 0;

    commit[0] = '\0';
    if (!path)
        return axl__fail_nomem();
    if (axl__path_kind_of(path) == AXL__PATH_FILE) {
        status = axl__file_open(&f, ctx, path, true);
        if (status == AXL_OK) {
            while (n < f.size && n < COMMIT_MAX && f.data[n] > ' ')
                n++;
            memcpy(commit, f.data, n);
            axl__file_close(&f);
        }
    } else if (strlen(revision) <= COMMIT_MAX) {
        n = strlen(revision);
        memcpy(commit, revision, n);
    }
    commit[n] = '\0';
    axl__free(ctx, path);
    return status;
}

static axl_status look_up(axl_context *ctx, const char *name, const char *revision,
                          const char *kind, char **out)
{
    char commit[COMMIT_MAX + 1], *repo = repo_folder(ctx, name, kind), *dir;

    if (!repo)
        return axl__fail_nomem();
    axl_status status = read_ref(ctx, repo, revision, commit);
    if (status == AXL_OK && is_word(commit, strlen(commit), "")) {
        dir = axl__format(ctx, "%s/snapshots/%s", repo, commit);
        if (!dir)
            status = axl__fail_nomem();
        else if (axl__path_kind_of(dir) == AXL__PATH_DIR)
            *out = dir;
        else
            axl__free(ctx, dir);
    }
    axl__free(ctx, repo);
    return status;
}

axl_status axl__hub_resolve(axl_context *ctx, const char *name_or_dir, const char *revision,
                            const char *kind, char **out_dir)
{
    const char *wanted = revision ? revision : "main";

    *out_dir = NULL;
    if (axl__path_kind_of(name_or_dir) != AXL__PATH_NONE) {
        *out_dir = axl__strdup(ctx, name_or_dir);
        return *out_dir ? AXL_OK : axl__fail_nomem();
    }
    if (is_id(name_or_dir) && axl__context_hub_cache(ctx) &&
        is_word(wanted, strlen(wanted), "-_./") && *wanted != '/')
        AXL_TRY(look_up(ctx, name_or_dir, wanted, kind, out_dir));
    return *out_dir ? AXL_OK : not_found(ctx, name_or_dir, revision, kind);
}
