/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_write.c - files that are written, and locks on them.
 *
 * A writer has its data in a temporary file beside the path until it commits; every way out ends in
 * axl__writer_abort(), which takes a writer in any state and leaves one that it may be called on
 * again.  An appended file (a log) is the exception: it grows in place, and is cut back where a
 * record did not fit.
 */
#define _GNU_SOURCE
#include "os_write.h"

#include "fail.h"
#include "mem.h"
#include "os_dir.h"
#include "os_error.h"
#include "os_file.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* In pieces of a gigabyte, because Linux writes at most 2 GiB - 4 KiB a call. */
static axl_status write_fully(int fd, const unsigned char *data, size_t size, const char *path)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size < (1u << 30) ? size : (1u << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return axl__fail_errno("cannot write", path);
        data += n;
        size -= (size_t)n;
    }
    return AXL_OK;
}

axl_status axl__writer_open(axl__writer *w, axl_context *ctx, const char *path)
{
    size_t len = strlen(path) + 32;

    memset(w, 0, sizeof *w);
    w->ctx = ctx;
    w->fd = -1;
    w->path = axl__strdup(ctx, path);
    w->temp = axl__alloc(ctx, len);
    if (!w->path || !w->temp) {
        axl__writer_abort(w);
        return axl__fail_nomem();
    }
    snprintf(w->temp, len, "%s.tmp%lld", path, (long long)getpid());
    (void)unlink(w->temp); /* of a process that had this number */
    w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        axl_status status = axl__fail_errno("cannot write", path);
        axl__free(ctx, w->temp);
        w->temp = NULL;
        axl__writer_abort(w);
        return status;
    }
    return AXL_OK;
}

/* Without O_EXCL, which would keep it from ever being linked. */
axl_status axl__writer_open_unnamed(axl__writer *w, axl_context *ctx, const char *dir)
{
    memset(w, 0, sizeof *w);
    w->ctx = ctx;
    w->fd = -1;
    w->path = axl__strdup(ctx, dir); /* for messages, until it has one */
    if (!w->path) {
        axl__writer_abort(w);
        return axl__fail_nomem();
    }
    w->fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
    if (w->fd >= 0 && axl__fd_mappable(w->fd))
        return AXL_OK;
    axl__writer_abort(w);
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s takes no file without a name", dir);
}

/* proc(5) is the way to link a descriptor without privileges, open(2) says. */
axl_status axl__writer_name(axl__writer *w, const char *path)
{
    char open_file[40];
    char *name = axl__strdup(w->ctx, path);
    char *temp = axl__format(w->ctx, "%s.tmp%lld", path, (long long)getpid());
    axl_status status = name && temp ? AXL_OK : axl__fail_nomem();

    snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", w->fd);
    if (status == AXL_OK) {
        (void)unlink(temp); /* of a process that had this number */
        if (linkat(AT_FDCWD, open_file, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) != 0)
            status = axl__fail(AXL_ERR_UNSUPPORTED, "%s: the file cannot get this name", path);
    }
    if (status < 0) {
        axl__free(w->ctx, name);
        axl__free(w->ctx, temp);
        return status;
    }
    axl__free(w->ctx, w->path);
    w->path = name;
    w->temp = temp;
    return AXL_OK;
}

axl_status axl__writer_put(axl__writer *w, const void *data, size_t size)
{
    if (w->sum)
        axl__checksum_add(w->sum, data, size);
    return write_fully(w->fd, data, size, w->path);
}

/* Synced before it is renamed: after a crash the path has the old content or the new one.  close()
 * is asked too, where network file systems tell of a full disk. */
axl_status axl__writer_commit(axl__writer *w)
{
    axl_status status = AXL_OK;

    if (fsync(w->fd) != 0)
        status = axl__fail_errno("cannot write", w->path);
    int rc = close(w->fd);
    w->fd = -1;
    if (status == AXL_OK && rc != 0)
        status = axl__fail_errno("cannot write", w->path);
    if (status == AXL_OK)
        status = axl__rename(w->temp, w->path);
    if (status == AXL_OK) {
        axl__free(w->ctx, w->temp);
        w->temp = NULL;
    }
    axl__writer_abort(w);
    return status;
}

void axl__writer_abort(axl__writer *w)
{
    if (!w->ctx)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temp)
        unlink(w->temp);
    axl__free(w->ctx, w->temp);
    axl__free(w->ctx, w->path);
    memset(w, 0, sizeof *w);
    w->fd = -1;
}

axl_status axl__writer_resume(axl__writer *w, axl_context *ctx, const char *path, const char *temp,
                              uint64_t *size)
{
    struct stat st;

    memset(w, 0, sizeof *w);
    w->fd = open(temp, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
    if (w->fd < 0 || fstat(w->fd, &st) != 0) {
        axl_status status = axl__fail_errno("cannot write", temp);
        if (w->fd >= 0)
            close(w->fd);
        return status;
    }
    *size = (uint64_t)st.st_size;
    w->ctx = ctx;
    w->path = axl__strdup(ctx, path);
    w->temp = axl__strdup(ctx, temp);
    if (w->path && w->temp)
        return AXL_OK;
    axl__writer_keep(w);
    return axl__fail_nomem();
}

axl_status axl__writer_restart(axl__writer *w)
{
    if (ftruncate(w->fd, 0) != 0 || lseek(w->fd, 0, SEEK_SET) != 0)
        return axl__fail_errno("cannot write", w->path);
    return AXL_OK;
}

void axl__writer_keep(axl__writer *w)
{
    if (!w->ctx)
        return;
    axl__free(w->ctx, w->temp);
    w->temp = NULL;
    axl__writer_abort(w);
}

axl_status axl__write_file(axl_context *ctx, const char *path, const void *data, size_t size)
{
    axl__writer w;

    AXL_TRY(axl__writer_open(&w, ctx, path));
    axl_status status = axl__writer_put(&w, data, size);
    if (status < 0) {
        axl__writer_abort(&w);
        return status;
    }
    return axl__writer_commit(&w);
}

axl_status axl__append_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0666);

    if (fd < 0)
        return axl__fail_errno("cannot write", path);
    off_t before = lseek(fd, 0, SEEK_END);
    axl_status status = write_fully(fd, data, size, path);
    if (status < 0 && before >= 0)
        (void)!ftruncate(fd, before); /* a part of a record is none */
    if (close(fd) != 0 && status == AXL_OK)
        status = axl__fail_errno("cannot write", path);
    return status;
}

/* Whether the lock is had; *again: the one who had it removed the file meanwhile, and a lock on
 * that keeps nobody out. */
static axl_status try_lock(const char *path, int *out, bool *again)
{
    struct stat here, there;

    *again = false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0664);
    if (fd < 0)
        return axl__fail_errno("cannot write", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return AXL_OK;
    }
    *again = fstat(fd, &here) != 0 || stat(path, &there) != 0 || here.st_ino != there.st_ino;
    if (*again)
        close(fd);
    else
        *out = fd;
    return AXL_OK;
}

/* Sixteen tries are more than a row of owners that end at the same moment takes. */
axl_status axl__lock_file(const char *path, int *out)
{
    bool again = true;

    *out = -1;
    for (int i = 0; i < 16 && again; i++)
        AXL_TRY(try_lock(path, out, &again));
    return AXL_OK;
}

void axl__lock_sign(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)getpid());

    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)n, 0);
}

/* Read without the lock: the text may be cut, and then names nobody or a wrong number in a
 * message. */
int64_t axl__lock_owner(const char *path)
{
    char text[24];
    int64_t pid = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return 0;
    ssize_t n = pread(fd, text, sizeof text, 0);
    close(fd);
    for (ssize_t i = 0; i < n && i < 18 && text[i] >= '0' && text[i] <= '9'; i++)
        pid = 10 * pid + (text[i] - '0');
    return pid;
}

void axl__unlock_file(int fd)
{
    if (fd >= 0)
        close(fd);
}
