/* SPDX-License-Identifier: Apache-2.0 */
/* os_file.c - files that are read: mapped, or where a map may fault, in memory; or a host's bytes.
 */
#define _GNU_SOURCE
#include "os_file.h"

#include "ctx.h"
#include "os_error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* f_type values of statfs(2) under which a map may fault when the other side goes away. */
enum {
    NFS_MAGIC = 0x6969,
    SMB_MAGIC = 0x517B,
    CIFS_MAGIC = (int)0xFF534D42,
    FUSE_MAGIC = 0x65735546,
    SMB2_MAGIC = (int)0xFE534D42,
    V9FS_MAGIC = 0x01021997
};

static void id_from_stat(axl__file_id *id, const struct stat *st)
{
    id->size = (uint64_t)st->st_size;
    id->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    id->inode = (uint64_t)st->st_ino;
}

/* A read past what such a file still has is SIGBUS, which would end the host's process. */
static bool map_is_risky(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    int type = (int)fs.f_type;
    return type == NFS_MAGIC || type == SMB_MAGIC || type == CIFS_MAGIC || type == FUSE_MAGIC ||
           type == SMB2_MAGIC || type == V9FS_MAGIC;
}

/* A file larger than a piece is worth a look at the cancel flag. */
axl_status axl__file_read_at(const axl__file *f, uint64_t at, void *data, size_t size)
{
    enum { PIECE = 1 << 20 };
    size_t done = 0;

    while (done < size) {
        size_t want = size - done < PIECE ? size - done : PIECE;
        ssize_t n = pread(f->fd, (char *)data + done, want, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return axl__fail_errno("cannot read", f->path);
        if (n == 0)
            return axl__fail(AXL_ERR_IO, "cannot read %s: it became shorter meanwhile", f->path);
        done += (size_t)n;
        if (done < size)
            AXL_TRY(axl__cancelled(f->ctx));
    }
    return AXL_OK;
}

/* start: the bytes to read when it is not all of them. */
static axl_status file_fill(axl__file *f, bool read_it, size_t start)
{
    if (f->size == 0) {
        f->data = (const unsigned char *)"";
        return AXL_OK;
    }
    f->mappable = !map_is_risky(f->fd);
    if (!read_it && f->mappable) {
        void *p = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, f->fd, 0);
        if (p != MAP_FAILED) {
            f->data = p;
            f->mapped = true;
            return AXL_OK;
        }
    }
    size_t n = start < f->size ? start : f->size;
    unsigned char *data = axl__alloc_aligned(f->ctx, n);
    if (!data)
        return axl__fail_nomem();
    f->data = data;
    return axl__file_read_at(f, 0, data, n);
}

static axl_status file_open(axl__file *out, axl_context *ctx, const char *path, bool read_it,
                            size_t start)
{
    struct stat st;
    axl_status status;

    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    /* Opening a FIFO must not wait for a writer; a file's reads know no difference. */
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (out->fd < 0)
        return axl__fail_errno("cannot open", path);
    out->path = axl__strdup(ctx, path);
    if (!out->path) {
        status = axl__fail_nomem();
    } else if (fstat(out->fd, &st) != 0) {
        status = axl__fail_errno("cannot read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = axl__fail(AXL_ERR_IO, "cannot read %s: it is not a file", path);
    } else {
        id_from_stat(&out->id, &st);
        out->size = (size_t)st.st_size;
        status = file_fill(out, read_it, start);
    }
    if (status < 0)
        axl__file_close(out);
    return status;
}

axl_status axl__file_open(axl__file *out, axl_context *ctx, const char *path, bool read_it)
{
    return file_open(out, ctx, path, read_it, SIZE_MAX);
}

axl_status axl__file_open_start(axl__file *out, axl_context *ctx, const char *path, size_t n)
{
    return file_open(out, ctx, path, true, n);
}

bool axl__fd_mappable(int fd)
{
    return !map_is_risky(fd);
}

axl_status axl__file_map(axl__file *out, axl_context *ctx, int fd, const char *name)
{
    struct stat st;
    axl_status status;

    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    out->path = axl__strdup(ctx, name);
    out->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (!out->path) {
        status = axl__fail_nomem();
    } else if (out->fd < 0 || fstat(out->fd, &st) != 0) {
        status = axl__fail_errno("cannot read", name);
    } else {
        id_from_stat(&out->id, &st);
        out->size = (size_t)st.st_size;
        status = file_fill(out, false, SIZE_MAX);
    }
    if (status < 0)
        axl__file_close(out);
    return status;
}

axl_status axl__file_of(axl__file *out, axl_context *ctx, const char *name, const void *data,
                        size_t size, bool read)
{
    void *copy = read && size > 0 ? axl__alloc_aligned(ctx, size) : NULL;

    memset(out, 0, sizeof *out);
    out->fd = -1;
    out->path = axl__strdup(ctx, name);
    if (!out->path || (read && size > 0 && !copy)) {
        axl__free(ctx, out->path);
        axl__free_aligned(ctx, copy);
        memset(out, 0, sizeof *out);
        return axl__fail_nomem();
    }
    out->ctx = ctx;
    out->data = copy ? memcpy(copy, data, size) : data;
    out->size = size;
    out->mappable = out->borrowed = !copy;
    return AXL_OK;
}

void axl__file_close(axl__file *f)
{
    if (!f->ctx)
        return;
    if (f->mapped)
        munmap((void *)(uintptr_t)f->data, f->size);
    else if (f->size > 0 && !f->borrowed)
        axl__free_aligned(f->ctx, (void *)(uintptr_t)f->data);
    if (f->fd >= 0)
        close(f->fd);
    axl__free(f->ctx, f->path);
    memset(f, 0, sizeof *f);
    f->fd = -1;
}

/* A file that was read is what it was; only a map shows what others write. */
axl_status axl__file_unchanged(const axl__file *f)
{
    struct stat st;
    axl__file_id now;

    if (!f->mapped)
        return AXL_OK;
    if (fstat(f->fd, &st) != 0)
        return axl__fail_errno("cannot read", f->path);
    id_from_stat(&now, &st);
    if (now.size != f->id.size || now.mtime_ns != f->id.mtime_ns)
        return axl__fail(AXL_ERR_IO, "%s was changed while it was in use", f->path);
    return AXL_OK;
}

/* What follows is asked of a name, and may be another a moment later: who opens afterwards gets an
 * error of its own. */
axl__path_kind axl__path_kind_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return AXL__PATH_NONE;
    return S_ISDIR(st.st_mode) ? AXL__PATH_DIR : AXL__PATH_FILE;
}

static bool stat_in(const char *dir, const char *name, struct stat *st)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool there = fd >= 0 && fstatat(fd, name, st, 0) == 0;

    if (fd >= 0)
        close(fd);
    return there;
}

axl__path_kind axl__path_kind_in(const char *dir, const char *name)
{
    struct stat st;

    if (!stat_in(dir, name, &st))
        return AXL__PATH_NONE;
    return S_ISDIR(st.st_mode) ? AXL__PATH_DIR : AXL__PATH_FILE;
}

bool axl__has_file(const char *dir, const char *name)
{
    struct stat st;

    return stat_in(dir, name, &st) && S_ISREG(st.st_mode);
}

bool axl__path_key_of(const char *path, axl__path_key *out)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *out = (axl__path_key){ (uint64_t)st.st_dev, (uint64_t)st.st_ino };
    return true;
}

bool axl__same_path(const char *a, const char *b)
{
    axl__path_key x, y;

    return axl__path_key_of(a, &x) && axl__path_key_of(b, &y) && x.device == y.device &&
           x.inode == y.inode;
}

/* Asks at each folder above path whether it is dir, by inode: names may differ and links lead
 * there. */
bool axl__path_is_in(const char *path, const char *dir)
{
    char p[PATH_MAX];
    bool found = false;

    if (!realpath(path, p))
        return false;
    for (size_t n = strlen(p); n > 0 && !found; n--) {
        if (n > 1 && p[n] != '\0' && p[n] != '/')
            continue;
        p[n] = '\0';
        found = axl__same_path(p, dir);
    }
    return found;
}

bool axl__path_is_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

char *axl__path_resolved(axl_context *ctx, const char *path)
{
    char p[PATH_MAX];

    return axl__strdup(ctx, realpath(path, p) ? p : path);
}

axl_status axl__path_id(const char *path, axl__file_id *out)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return axl__fail_errno("cannot open", path);
    id_from_stat(out, &st);
    return AXL_OK;
}
