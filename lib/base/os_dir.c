/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_dir.c - folders, and the names in them.
 *
 * What others may see half done is done beside its place and renamed: a link, a folder that takes
 * another's place.  Temporary names are NAME.tmpPID, so that what a killed process left can be told
 * from what a living one writes.
 */
#define _GNU_SOURCE
#include "os_dir.h"

#include "fail.h"
#include "os_error.h"
#include "os_file.h"
#include "str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

axl_status axl__make_dirs(axl_context *ctx, const char *path)
{
    char *p = axl__strdup(ctx, path);
    axl_status status = AXL_OK;

    if (!p)
        return axl__fail_nomem();
    for (char *s = p + 1; status == AXL_OK && *p; s++) {
        char c = *s;
        if (c != '/' && c != '\0')
            continue;
        *s = '\0';
        if (mkdir(p, 0777) != 0 && errno != EEXIST)
            status = axl__fail_errno("cannot make the folder", p);
        else if (axl__path_kind_of(p) != AXL__PATH_DIR)
            status = axl__fail(AXL_ERR_IO, "cannot make the folder %s: a file has that name", p);
        *s = c;
        if (c == '\0')
            break;
    }
    axl__free(ctx, p);
    return status;
}

/* The length of the path above the last part of the first n bytes, which are cut to it. */
static size_t cut_part(char *path, size_t n)
{
    while (n > 0 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    path[n] = '\0';
    return n;
}

size_t axl__existing_part(const char *path)
{
    char p[PATH_MAX];
    size_t n = strlen(path);

    if (n >= sizeof p) /* no system call takes it */
        return n;
    memcpy(p, path, n + 1);
    while (n > 0 && axl__path_kind_of(p) == AXL__PATH_NONE)
        n = cut_part(p, n);
    return n;
}

void axl__remove_empty_dirs(const char *path, size_t keep)
{
    char p[PATH_MAX];
    size_t n = strlen(path);

    if (n >= sizeof p)
        return;
    memcpy(p, path, n + 1);
    while (n > keep && rmdir(p) == 0)
        n = cut_part(p, n);
}

axl_status axl__remove_file(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return axl__fail_errno("cannot remove", path);
    return AXL_OK;
}

/* nftw passes on what is not 0; its own failure is -1, so that a status travels as its negative. */
static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : -axl__fail_errno("cannot remove", path);
}

axl_status axl__remove_tree(const char *path)
{
    int failed = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* or a negated status */

    if (failed >= 0)
        return (axl_status)-failed;
    return errno == ENOENT ? AXL_OK : axl__fail_errno("cannot remove", path);
}

/* NAME.tmpPID whose process is gone.  A number past any process's is nobody's; one that lives may
 * be another program's by now, and the file then waits for the next time. */
static bool is_leftover(const char *name, bool (*ours)(const char *name, size_t len))
{
    const char *at = strrchr(name, '.');
    long long pid = 0;

    if (!at || strncmp(at, ".tmp", 4) != 0 || at[4] < '1' || at[4] > '9' ||
        !ours(name, (size_t)(at - name)))
        return false;
    for (at += 4; *at >= '0' && *at <= '9'; at++)
        pid = pid > INT_MAX ? pid : 10 * pid + (*at - '0');
    return *at == '\0' && (pid > INT_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH));
}

axl_status axl__remove_leftovers(axl_context *ctx, const char *dir,
                                 bool (*ours)(const char *name, size_t len))
{
    char **names;
    size_t n;

    AXL_TRY(axl__list_dir(ctx, dir, &names, &n));
    axl_status status = AXL_OK;
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        if (!is_leftover(names[i], ours))
            continue;
        char *path = axl__format(ctx, "%s/%s", dir, names[i]);
        status = path ? axl__remove_tree(path) : axl__fail_nomem();
        axl__free(ctx, path);
    }
    axl__free(ctx, names);
    return status;
}

axl_status axl__rename(const char *from, const char *to)
{
    return rename(from, to) == 0 ? AXL_OK : axl__fail_errno("cannot write", to);
}

static axl_status sync_parent(axl_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    char *parent = slash ? axl__strndup(ctx, path, len) : axl__strdup(ctx, ".");

    if (!parent)
        return axl__fail_nomem();
    axl_status status = axl__sync_dir(parent);
    axl__free(ctx, parent);
    return status;
}

/* Where two names cannot be exchanged: the old folder steps aside, and back if the new one cannot
 * have its place. */
static axl_status replace_in_steps(axl_context *ctx, const char *from, const char *to)
{
    char *aside = axl__format(ctx, "%s.old.tmp%lld", to, (long long)getpid());

    if (!aside)
        return axl__fail_nomem();
    axl_status status = axl__remove_tree(aside);
    if (status == AXL_OK)
        status = axl__rename(to, aside);
    if (status == AXL_OK) {
        status = axl__rename(from, to);
        if (status < 0)
            (void)!rename(aside, to);
        else
            status = axl__remove_tree(aside);
    }
    axl__free(ctx, aside);
    return status;
}

/* Exchanging the names in one call leaves no moment without a folder there. */
axl_status axl__replace_dir(axl_context *ctx, const char *from, const char *to)
{
    axl_status status;

    if (axl__path_kind_of(to) != AXL__PATH_DIR)
        status = axl__rename(from, to); /* which a file in the way refuses */
    else if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        status = axl__remove_tree(from);
    else if (errno == EINVAL || errno == ENOSYS)
        status = replace_in_steps(ctx, from, to);
    else
        status = axl__fail_errno("cannot write", to);
    return status == AXL_OK ? sync_parent(ctx, to) : status;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two passes over the folder: count, then copy into one block of pointers and bytes. */
axl_status axl__list_dir(axl_context *ctx, const char *path, char ***names, size_t *count)
{
    DIR *d = opendir(path);
    size_t n = 0, bytes = 0, filled = 0, used = 0;
    struct dirent *e;

    *names = NULL;
    *count = 0;
    if (!d)
        return axl__fail_errno("cannot list", path);
    while ((e = readdir(d))) {
        n++;
        bytes += strlen(e->d_name) + 1;
    }
    char **block = axl__alloc(ctx, (n + 1) * sizeof *block + bytes);
    if (!block) {
        closedir(d);
        return axl__fail_nomem();
    }
    char *text = (char *)(block + n + 1);
    rewinddir(d);
    while ((e = readdir(d)) && filled < n) {
        size_t len = strlen(e->d_name) + 1;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || used + len > bytes)
            continue;
        memcpy(text + used, e->d_name, len);
        block[filled++] = text + used;
        used += len;
    }
    closedir(d);
    block[filled] = NULL;
    qsort(block, filled, sizeof *block, name_order);
    *names = block;
    *count = filled;
    return AXL_OK;
}

/* EINVAL is a file system that cannot sync folders. */
axl_status axl__sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return axl__fail_errno("cannot open", path);
    int rc = fsync(fd);
    int e = errno;
    close(fd);
    errno = e;
    return rc == 0 || e == EINVAL ? AXL_OK : axl__fail_errno("cannot sync", path);
}

/* Asks by doing: permissions, read-only mounts and full quotas answer in no other way alike. */
axl_status axl__check_writable(axl_context *ctx, const char *dir)
{
    size_t len = strlen(dir) + 32;
    char *path = axl__alloc(ctx, len);
    axl_status status = AXL_OK;

    if (!path)
        return axl__fail_nomem();
    snprintf(path, len, "%s/.axl-write-%lld", dir, (long long)getpid());
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = axl__fail_errno("cannot write into", dir);
    } else {
        close(fd);
        unlink(path);
    }
    axl__free(ctx, path);
    return status;
}

axl_status axl__link_to(axl_context *ctx, const char *target, const char *path)
{
    char *temp = axl__format(ctx, "%s.tmp%lld", path, (long long)getpid());
    axl_status status = AXL_OK;

    if (!temp)
        return axl__fail_nomem();
    unlink(temp);
    if (symlink(target, temp) != 0)
        status = errno == EPERM || errno == ENOSYS || errno == EOPNOTSUPP
                     ? axl__fail(AXL_ERR_UNSUPPORTED, "%s: no links on this file system", path)
                     : axl__fail_errno("cannot write", path);
    if (status == AXL_OK && rename(temp, path) != 0) {
        status = axl__fail_errno("cannot write", path);
        unlink(temp);
    }
    axl__free(ctx, temp);
    return status;
}

uint64_t axl__free_space(const char *dir)
{
    struct statfs fs;

    if (statfs(dir, &fs) != 0)
        return UINT64_MAX;
    return (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
}
