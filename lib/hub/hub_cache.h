/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub_cache.h - one repository in the cache that huggingface_hub keeps:
 * models--org--name/refs/<branch> holds a commit, snapshots/<commit>/<path> links to blobs/<etag>.
 * Beside them axl keeps files/<commit>, the paths that the Hub listed, one a line: without it
 * nobody can tell a whole snapshot from one that Python took a single file of; and
 * headers/<commit>, where weights that were only planned with have their header alone and the other
 * files are links into the snapshot.  It stays when the weights have come: another process may be
 * reading it.
 */
#ifndef AXL_HUB_HUB_CACHE_H
#define AXL_HUB_HUB_CACHE_H

#include "base/arena.h"
#include "hub.h"

enum { AXL__COMMIT_MAX = 64 };

/* Of one resolve.  commit and paths come from the cache (axl__hub_repo_look) or the Hub
 * (axl__hub_download), take from the wish's pick; paths without commit are never there. */
typedef struct axl__hub_repo {
    axl_context *ctx;
    const axl__hub_wish *wish;
    const char *revision;             /* never NULL */
    axl__arena arena;                 /* of what follows */
    char *dir;                        /* <cache>/models--org--name */
    char commit[AXL__COMMIT_MAX + 1]; /* "": not known */
    const char **paths;               /* of the commit */
    bool *take;
    size_t n_paths;
} axl__hub_repo;

/* wish must outlive it. */
axl_status axl__hub_repo_open(axl__hub_repo *repo, axl_context *ctx, const axl__hub_wish *wish);
void axl__hub_repo_close(axl__hub_repo *repo);

/* A path below the repository's folder, in the arena; NULL when memory is out. */
char *axl__hub_repo_path(axl__hub_repo *repo, const char *part, const char *name);

/* The commit that the cache has for the revision, "" when none; and its paths, when listed. */
axl_status axl__hub_repo_look(axl__hub_repo *repo);
axl_status axl__hub_repo_save_list(axl__hub_repo *repo);

/* Room for one more path, which is copied; refused when it would lead out of the snapshot. */
axl_status axl__hub_repo_add(axl__hub_repo *repo, const char *path, size_t len);
/* Asks the wish which of the paths are wanted. */
axl_status axl__hub_repo_pick(axl__hub_repo *repo);

/* Where a path of the commit is. */
typedef enum axl__hub_place {
    AXL__HUB_NOWHERE,
    AXL__HUB_SNAPSHOT,
    AXL__HUB_HEADERS /* its header; only for a wish that is content with it */
} axl__hub_place;
axl_status axl__hub_repo_find(axl__hub_repo *repo, const char *path, axl__hub_place *place);

/* Whether the header of such a file will do. */
bool axl__hub_header_will_do(const axl__hub_wish *wish, const char *path);

/* "model" or "data set". */
const char *axl__hub_noun(const axl__hub_wish *wish);
/* Letters, digits and `more`, and no "..". */
bool axl__hub_is_word(const char *text, size_t len, const char *more);

/* Downloads what is missing of the wish; AXL_OK: the snapshot of repo->commit is whole. */
axl_status axl__hub_download(axl__hub_repo *repo);

#endif
