/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub.c - see hub.h: a path that is there, the cache, the Hub, in this order.
 *
 * The Hub is asked only for what the cache does not have: a snapshot with a list that has every
 * wanted file answers without the network, and so a branch stays at the commit that it was when it
 * was loaded.
 */
#include "hub.h"

#include "base/os.h"
#include "base/str.h"
#include "http.h"
#include "hub_cache.h"
#include "hub_env.h"

#include <string.h>

/* A name that ends so means a file, which is not there. */
static bool is_file_name(const char *name)
{
    static const char *const ends[] = { ".json",  ".jsonl",       ".csv",  ".txt", ".parquet",
                                        ".arrow", ".feather",     ".gz",   ".zst", ".yml",
                                        ".yaml",  ".safetensors", ".model" };

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (axl__ends_with(name, ends[i]))
            return true;
    return false;
}

/* Of what huggingface_hub accepts; a name that may reach the file system or a URL has no "..", no
 * second slash and no leading dot. */
bool axl__hub_is_id(const char *name)
{
    const char *slash = strchr(name, '/');
    size_t org = slash ? (size_t)(slash - name) : 0;

    if (is_file_name(name) || (slash && (!axl__hub_is_word(name, org, "-_.") || *name == '.')))
        return false;
    name = slash ? slash + 1 : name;
    return axl__hub_is_word(name, strlen(name), "-_.") && *name != '.';
}

const char *axl__hub_no_network(axl_context *ctx)
{
    const axl__hub_env *env = axl__context_hub(ctx);

    if (!axl__http_library())
        return "this build of axl cannot download: it was made without libcurl";
    if (env->offline)
        return strcmp(env->offline, "HF_HUB_OFFLINE") == 0
                   ? "nothing is downloaded: HF_HUB_OFFLINE is set"
                   : "nothing is downloaded: TRANSFORMERS_OFFLINE is set";
    if (!axl__context_options(ctx)->allow_network)
        return "nothing is downloaded: this context may not use the network";
    return NULL;
}

static axl_status not_found(axl_context *ctx, const axl__hub_wish *w, const char *why)
{
    const char *cache = axl__context_hub(ctx)->cache;

    return axl__fail(AXL_ERR_NOT_FOUND,
                     "%s \"%s\"%s%s is neither a folder nor in the Hugging Face cache (%s); %s",
                     axl__hub_noun(w), w->name, w->revision ? " at revision " : "",
                     w->revision ? w->revision : "", cache ? cache : "HOME and HF_HOME are not set",
                     why);
}

/* The first wanted path that the snapshot lacks, NULL when it is whole. */
static axl_status missing(axl__hub_repo *r, const char **path)
{
    axl__hub_place place;

    *path = NULL;
    AXL_TRY(axl__hub_repo_pick(r));
    for (size_t i = 0; i < r->n_paths && !*path; i++) {
        if (!r->take[i])
            continue;
        AXL_TRY(axl__hub_repo_find(r, r->paths[i], &place));
        if (place == AXL__HUB_NOWHERE)
            *path = r->paths[i];
    }
    return AXL_OK;
}

/* A snapshot without a list is Python's; what it lacks only the Hub knows, and without the Hub it
 * is taken for whole.  So it is when the Hub was asked and did not answer, since it worked in
 * Python; a cancel or a lack of memory is not papered over. */
static axl_status complete(axl__hub_repo *r, const char *why_not)
{
    const char *lacks = NULL;
    bool known = r->commit[0] && r->n_paths > 0;
    char had[AXL__COMMIT_MAX + 1];

    if (known)
        AXL_TRY(missing(r, &lacks));
    if (known && !lacks)
        return AXL_OK;
    if (why_not && lacks)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\" is in the Hugging Face cache without %s; %s",
                         axl__hub_noun(r->wish), r->wish->name, lacks, why_not);
    if (why_not)
        return r->commit[0] ? AXL_OK : not_found(r->ctx, r->wish, why_not);
    memcpy(had, r->commit, sizeof had);
    axl_status status = axl__hub_download(r);
    if (status >= 0 || known || !had[0] || status == AXL_ERR_CANCELLED || status == AXL_ERR_NOMEM)
        return status;
    axl__log(r->ctx, AXL_LOG_WARNING, "%s; going on with what the cache has of it",
             axl_last_error());
    axl__error_clear();
    memcpy(r->commit, had, sizeof had);
    return AXL_OK;
}

/* The folder that has all of the wish: the one of headers as soon as one file is only there, for it
 * links to the others. */
static axl_status pick_folder(axl__hub_repo *r, const char **part)
{
    axl__hub_place place;

    *part = "snapshots";
    for (size_t i = 0; r->take && i < r->n_paths; i++) {
        if (!r->take[i])
            continue;
        AXL_TRY(axl__hub_repo_find(r, r->paths[i], &place));
        if (place == AXL__HUB_HEADERS)
            *part = "headers";
    }
    return AXL_OK;
}

static axl_status resolve_id(axl_context *ctx, const axl__hub_wish *wish, char **out)
{
    const char *part;
    axl__hub_repo repo;

    axl_status status = axl__hub_repo_open(&repo, ctx, wish);
    if (status == AXL_OK)
        status = axl__hub_repo_look(&repo);
    if (status == AXL_OK)
        status = complete(&repo, axl__hub_no_network(ctx));
    if (status == AXL_OK)
        status = pick_folder(&repo, &part);
    if (status == AXL_OK) {
        *out = axl__format(ctx, "%s/%s/%s", repo.dir, part, repo.commit);
        if (!*out)
            status = axl__fail_nomem();
    }
    axl__hub_repo_close(&repo);
    return status;
}

/* The revision becomes part of a path and a URL: hence what it may be made of. */
axl_status axl__hub_resolve(axl_context *ctx, const axl__hub_wish *w, char **out_dir)
{
    const char *revision = w->revision ? w->revision : "main";

    *out_dir = NULL;
    if (axl__path_kind_of(w->name) != AXL__PATH_NONE) {
        *out_dir = axl__strdup(ctx, w->name);
        return *out_dir ? AXL_OK : axl__fail_nomem();
    }
    if (!axl__hub_is_id(w->name))
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\" does not exist", axl__hub_noun(w), w->name);
    if (!axl__hub_is_word(revision, strlen(revision), "-_./") || *revision == '/')
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "%s \"%s\": \"%s\" is no revision: neither a branch, a "
                         "tag nor a commit has such a name",
                         axl__hub_noun(w), w->name, revision);
    if (!axl__context_hub(ctx)->cache)
        return not_found(ctx, w, "there is no place for a download");
    return resolve_id(ctx, w, out_dir);
}
