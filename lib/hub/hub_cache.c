/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub_cache.c - see hub_cache.h.
 *
 * What is read here was written by huggingface_hub or by axl, or by somebody else: names and
 * commits are looked at before they become parts of paths.  Nothing is locked: files appear under
 * their names only when they are whole.
 */
#define _GNU_SOURCE /* memmem */
#include "hub_cache.h"

#include "base/os.h"
#include "base/str.h"
#include "hub_env.h"

#include <string.h>

bool axl__hub_is_word(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(more, c))))
            return false;
    }
    return len > 0 && !memmem(text, len, "..", 2);
}

const char *axl__hub_noun(const axl__hub_wish *wish)
{
    return strcmp(wish->kind, "datasets") == 0 ? "data set" : "model";
}

axl_status axl__hub_repo_open(axl__hub_repo *r, axl_context *ctx, const axl__hub_wish *wish)
{
    const char *cache = axl__context_hub(ctx)->cache;
    axl__str s;

    memset(r, 0, sizeof *r);
    r->ctx = ctx;
    r->wish = wish;
    r->revision = wish->revision ? wish->revision : "main";
    axl__arena_init(&r->arena, ctx);
    axl__str_init(&s, ctx);
    axl__str_putf(&s, "%s/%s--", cache, wish->kind);
    for (const char *p = wish->name; *p; p++)
        axl__str_puts(&s, *p == '/' ? "--" : (char[]){ *p, '\0' });
    if (!s.failed)
        r->dir = axl__arena_strndup(&r->arena, s.data, s.len);
    axl__str_free(&s);
    return r->dir ? AXL_OK : axl__fail_nomem();
}

void axl__hub_repo_close(axl__hub_repo *r)
{
    axl__free(r->ctx, r->paths);
    axl__free(r->ctx, r->take);
    axl__arena_free(&r->arena);
}

char *axl__hub_repo_path(axl__hub_repo *r, const char *part, const char *name)
{
    size_t len = strlen(r->dir) + strlen(part) + strlen(name) + 3;
    char *path = axl__format(r->ctx, "%s/%s/%s", r->dir, part, name);
    char *kept = path ? axl__arena_strndup(&r->arena, path, len - 1) : NULL;

    axl__free(r->ctx, path);
    return kept;
}

/* ---- paths ---- */

/* A path below a folder and nothing else: relative, without ".", ".." or empty parts, without
 * control characters, of which a line break would tear the list apart. */
static bool is_path(const char *path, size_t len)
{
    if (len == 0 || path[0] == '/' || path[len - 1] == '/' || memmem(path, len, "//", 2))
        return false;
    for (size_t i = 0; i < len; i++) {
        size_t part = i;
        while (i < len && path[i] != '/') {
            if ((unsigned char)path[i] < ' ')
                return false;
            i++;
        }
        if ((i - part == 1 && path[part] == '.') ||
            (i - part == 2 && path[part] == '.' && path[part + 1] == '.'))
            return false;
    }
    return true;
}

axl_status axl__hub_repo_add(axl__hub_repo *r, const char *path, size_t len)
{
    if (!is_path(path, len))
        return axl__fail(AXL_ERR_FORMAT, "%s \"%s\" lists a file that cannot be one of it: %.*s",
                         axl__hub_noun(r->wish), r->wish->name, (int)(len < 80 ? len : 80), path);
    if ((r->n_paths & (r->n_paths + 1)) == 0) { /* 0, 1, 3, 7, …: full */
        const char **more = axl__realloc(r->ctx, r->paths, 2 * (r->n_paths + 1) * sizeof *more);
        if (!more)
            return axl__fail_nomem();
        r->paths = more;
    }
    r->paths[r->n_paths] = axl__arena_strndup(&r->arena, path, len);
    if (!r->paths[r->n_paths])
        return axl__fail_nomem();
    r->n_paths++;
    return AXL_OK;
}

axl_status axl__hub_repo_pick(axl__hub_repo *r)
{
    axl__free(r->ctx, r->take);
    r->take = axl__calloc(r->ctx, r->n_paths, sizeof *r->take);
    if (!r->take)
        return axl__fail_nomem();
    r->wish->pick(r->wish->arg, r->paths, r->n_paths, r->take);
    return AXL_OK;
}

static axl_status is_in(axl__hub_repo *r, const char *part, const char *path, bool *has)
{
    char *full = axl__format(r->ctx, "%s/%s/%s/%s", r->dir, part, r->commit, path);

    if (!full)
        return axl__fail_nomem();
    *has = axl__path_kind_of(full) == AXL__PATH_FILE;
    axl__free(r->ctx, full);
    return AXL_OK;
}

bool axl__hub_header_will_do(const axl__hub_wish *w, const char *path)
{
    return w->headers && axl__ends_with(path, ".safetensors");
}

axl_status axl__hub_repo_find(axl__hub_repo *r, const char *path, axl__hub_place *place)
{
    bool has = false;

    *place = AXL__HUB_NOWHERE;
    AXL_TRY(is_in(r, "snapshots", path, &has));
    if (has) {
        *place = AXL__HUB_SNAPSHOT;
    } else if (axl__hub_header_will_do(r->wish, path)) {
        AXL_TRY(is_in(r, "headers", path, &has));
        *place = has ? AXL__HUB_HEADERS : AXL__HUB_NOWHERE;
    }
    return AXL_OK;
}

/* ---- what the cache knows ---- */

/* The commit that a branch stands for; the revision itself when there is no such branch. */
static axl_status read_ref(axl__hub_repo *r)
{
    char *path = axl__hub_repo_path(r, "refs", r->revision);
    const char *text = r->revision;
    size_t n = 0, len = strlen(text);
    axl__file f = { 0 };

    if (!path)
        return axl__fail_nomem();
    bool branch = axl__path_kind_of(path) == AXL__PATH_FILE;
    if (branch) {
        AXL_TRY(axl__file_open(&f, r->ctx, path, true));
        text = (const char *)f.data;
        len = f.size;
    }
    while (n < len && (unsigned char)text[n] > ' ')
        n++;
    if (n <= AXL__COMMIT_MAX && axl__hub_is_word(text, n, ""))
        memcpy(r->commit, text, n); /* the rest is zero */
    if (branch)
        axl__file_close(&f);
    return AXL_OK;
}

static axl_status read_list(axl__hub_repo *r)
{
    char *path = axl__hub_repo_path(r, "files", r->commit);
    axl__file f;
    axl_status status = AXL_OK;

    if (!path)
        return axl__fail_nomem();
    if (axl__path_kind_of(path) != AXL__PATH_FILE)
        return AXL_OK;
    AXL_TRY(axl__file_open(&f, r->ctx, path, true));
    const char *p = (const char *)f.data, *end = p + f.size;
    while (p < end && status == AXL_OK) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((stop ? stop : end) - p);
        status = axl__hub_repo_add(r, p, len);
        p += len + 1;
    }
    axl__file_close(&f);
    return status;
}

/* A branch whose snapshot is gone is as good as none. */
axl_status axl__hub_repo_look(axl__hub_repo *r)
{
    AXL_TRY(read_ref(r));
    if (!r->commit[0])
        return AXL_OK;
    char *dir = axl__hub_repo_path(r, "snapshots", r->commit);
    if (!dir)
        return axl__fail_nomem();
    if (axl__path_kind_of(dir) == AXL__PATH_DIR)
        return read_list(r);
    r->commit[0] = '\0';
    return AXL_OK;
}

axl_status axl__hub_repo_save_list(axl__hub_repo *r)
{
    char *dir = axl__hub_repo_path(r, "files", ""), *path;
    axl__str s;

    path = axl__hub_repo_path(r, "files", r->commit);
    if (!dir || !path)
        return axl__fail_nomem();
    dir[strlen(dir) - 1] = '\0';
    AXL_TRY(axl__make_dirs(r->ctx, dir));
    axl__str_init(&s, r->ctx);
    for (size_t i = 0; i < r->n_paths; i++)
        axl__str_putf(&s, "%s\n", r->paths[i]);
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        status = axl__write_file(r->ctx, path, axl__str_text(&s), s.len);
    axl__str_free(&s);
    return status;
}
