/* SPDX-License-Identifier: Apache-2.0 */
/* os.c - the Linux side of os.h; no other file of the library makes system calls. */
#define _GNU_SOURCE
#include "os.h"

#include "str.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
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
enum { ARCH_REQ_XCOMP_PERM_ = 0x1023, XFEATURE_XTILEDATA_ = 18 };

static axl_status fail_errno(const char *what, const char *path)
{
    int e = errno;
    char text[128];
    /* GNU strerror_r returns the text, which may be a static string. */
    const char *reason = strerror_r(e, text, sizeof text);

    if (e == ENOENT || e == ENOTDIR)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s %s: %s", what, path, reason);
    return axl__fail(e == ENOMEM ? AXL_ERR_NOMEM : AXL_ERR_IO, "%s %s: %s", what, path, reason);
}

/* ---- reading ---- */

static void id_from_stat(axl__file_id *id, const struct stat *st)
{
    id->size = (uint64_t)st->st_size;
    id->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    id->inode = (uint64_t)st->st_ino;
}

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
            return fail_errno("cannot read", f->path);
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
    out->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (out->fd < 0)
        return fail_errno("cannot open", path);
    out->path = axl__strdup(ctx, path);
    if (!out->path) {
        status = axl__fail_nomem();
    } else if (fstat(out->fd, &st) != 0) {
        status = fail_errno("cannot read", path);
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

void axl__file_close(axl__file *f)
{
    if (!f->ctx)
        return;
    if (f->mapped)
        munmap((void *)(uintptr_t)f->data, f->size);
    else if (f->size > 0)
        axl__free_aligned(f->ctx, (void *)(uintptr_t)f->data);
    if (f->fd >= 0)
        close(f->fd);
    axl__free(f->ctx, f->path);
    memset(f, 0, sizeof *f);
    f->fd = -1;
}

axl_status axl__file_unchanged(const axl__file *f)
{
    struct stat st;
    axl__file_id now;

    if (!f->mapped)
        return AXL_OK;
    if (fstat(f->fd, &st) != 0)
        return fail_errno("cannot read", f->path);
    id_from_stat(&now, &st);
    if (now.size != f->id.size || now.mtime_ns != f->id.mtime_ns)
        return axl__fail(AXL_ERR_IO, "%s was changed while it was in use", f->path);
    return AXL_OK;
}

axl__path_kind axl__path_kind_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return AXL__PATH_NONE;
    return S_ISDIR(st.st_mode) ? AXL__PATH_DIR : AXL__PATH_FILE;
}

bool axl__has_file(const char *dir, const char *name)
{
    struct stat st;
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool yes = fd >= 0 && fstatat(fd, name, &st, 0) == 0 && S_ISREG(st.st_mode);

    if (fd >= 0)
        close(fd);
    return yes;
}

axl_status axl__path_id(const char *path, axl__file_id *out)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return fail_errno("cannot open", path);
    id_from_stat(out, &st);
    return AXL_OK;
}

/* ---- folders ---- */

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
            status = fail_errno("cannot make the folder", p);
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
        return fail_errno("cannot remove", path);
    return AXL_OK;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : -fail_errno("cannot remove", path);
}

axl_status axl__remove_tree(const char *path)
{
    int failed = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* or a negated status */

    if (failed >= 0)
        return (axl_status)-failed;
    return errno == ENOENT ? AXL_OK : fail_errno("cannot remove", path);
}

static bool is_leftover(const char *name)
{
    const char *at = strrchr(name, '.');
    long long pid = 0;

    if (!at || strncmp(at, ".tmp", 4) != 0 || at[4] < '1' || at[4] > '9')
        return false;
    for (at += 4; *at >= '0' && *at <= '9'; at++)
        pid = pid > INT_MAX ? pid : 10 * pid + (*at - '0');
    return *at == '\0' && (pid > INT_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH));
}

axl_status axl__remove_leftovers(axl_context *ctx, const char *dir)
{
    char **names;
    size_t n;

    AXL_TRY(axl__list_dir(ctx, dir, &names, &n));
    axl_status status = AXL_OK;
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        if (!is_leftover(names[i]))
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
    return rename(from, to) == 0 ? AXL_OK : fail_errno("cannot write", to);
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
    size_t len = strlen(to) + 8;
    char *aside = axl__alloc(ctx, len);

    if (!aside)
        return axl__fail_nomem();
    snprintf(aside, len, "%s.old", to);
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
        status = fail_errno("cannot write", to);
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
        return fail_errno("cannot list", path);
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

axl_status axl__sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail_errno("cannot open", path);
    int rc = fsync(fd);
    int e = errno;
    close(fd);
    errno = e;
    return rc == 0 || e == EINVAL ? AXL_OK : fail_errno("cannot sync", path);
}

/* ---- writing ---- */

static axl_status write_fully(int fd, const unsigned char *data, size_t size, const char *path)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size < (1u << 30) ? size : (1u << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno("cannot write", path);
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
    w->fd = open(w->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        axl_status status = fail_errno("cannot write", path);
        axl__free(ctx, w->temp);
        w->temp = NULL;
        axl__writer_abort(w);
        return status;
    }
    return AXL_OK;
}

axl_status axl__writer_put(axl__writer *w, const void *data, size_t size)
{
    return write_fully(w->fd, data, size, w->path);
}

axl_status axl__writer_commit(axl__writer *w)
{
    axl_status status = AXL_OK;

    if (fsync(w->fd) != 0)
        status = fail_errno("cannot write", w->path);
    int rc = close(w->fd);
    w->fd = -1;
    if (status == AXL_OK && rc != 0)
        status = fail_errno("cannot write", w->path);
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
    w->fd = open(temp, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (w->fd < 0 || fstat(w->fd, &st) != 0) {
        axl_status status = fail_errno("cannot write", temp);
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
    return ftruncate(w->fd, 0) == 0 ? AXL_OK : fail_errno("cannot write", w->path);
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

axl_status axl__check_writable(axl_context *ctx, const char *dir)
{
    size_t len = strlen(dir) + 32;
    char *path = axl__alloc(ctx, len);
    axl_status status = AXL_OK;

    if (!path)
        return axl__fail_nomem();
    snprintf(path, len, "%s/.axl-write-%lld", dir, (long long)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = fail_errno("cannot write into", dir);
    } else {
        close(fd);
        unlink(path);
    }
    axl__free(ctx, path);
    return status;
}

axl_status axl__append_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0)
        return fail_errno("cannot write", path);
    off_t before = lseek(fd, 0, SEEK_END);
    axl_status status = write_fully(fd, data, size, path);
    if (status < 0 && before >= 0)
        (void)!ftruncate(fd, before); /* a part of a record is none */
    if (close(fd) != 0 && status == AXL_OK)
        status = fail_errno("cannot write", path);
    return status;
}

axl_status axl__truncate_file(const char *path, uint64_t size)
{
    return truncate(path, (off_t)size) == 0 ? AXL_OK : fail_errno("cannot write", path);
}

/* ---- between processes ---- */

axl_status axl__lock_file(const char *path, int *out)
{
    struct stat here, there;

    *out = -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (fd < 0)
        return fail_errno("cannot write", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return AXL_OK;
    }
    /* The one who had it may have removed the file: a lock on that keeps nobody out. */
    if (fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino)
        *out = fd;
    else
        close(fd);
    return AXL_OK;
}

void axl__unlock_file(int fd)
{
    if (fd >= 0)
        close(fd);
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
                     : fail_errno("cannot write", path);
    if (status == AXL_OK && rename(temp, path) != 0) {
        status = fail_errno("cannot write", path);
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

/* ---- time and processors ---- */

double axl__now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double axl__wall_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Not gmtime_r, which reads the environment.  Years begin in March here, so that the leap day is
 * the last of one; a cycle is 400 years of 146,097 days. */
axl__date axl__utc(int64_t unix_time)
{
    int64_t days = unix_time / 86400, second = unix_time % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    days += 719468; /* from 1 March of the year 0 */
    int64_t cycle = (days >= 0 ? days : days - 146096) / 146097;
    int64_t d = days - cycle * 146097;
    int64_t year = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    d -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * d + 2) / 153; /* 0 is March */
    axl__date date = { (int)(year + 400 * cycle + (month >= 10)),
                       (int)(month < 10 ? month + 3 : month - 9),
                       (int)(d - (153 * month + 2) / 5 + 1),
                       (int)(second / 3600),
                       (int)(second / 60 % 60),
                       (int)(second % 60) };
    return date;
}

void axl__host_name(char out[AXL__HOST_MAX])
{
    if (gethostname(out, AXL__HOST_MAX - 1) != 0 || out[0] == '\0')
        strcpy(out, "localhost");
    out[AXL__HOST_MAX - 1] = '\0';
}

void axl__sleep(double seconds)
{
    struct timespec t;

    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

int64_t axl__process_id(void)
{
    return (int64_t)getpid();
}

void axl__os_yield(void)
{
    sched_yield();
}

static bool read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

/* The cgroup's quota in processors, rounded up; 0 when there is none. */
static uint32_t cgroup_quota(void)
{
    char text[128], *end;
    long long quota = -1, period = 0;

    if (read_small("/sys/fs/cgroup/cpu.max", text, sizeof text)) {
        quota = strtoll(text, &end, 10);
        period = strtoll(end, NULL, 10);
    } else if (read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, sizeof text)) {
        quota = strtoll(text, NULL, 10);
        if (read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text, sizeof text))
            period = strtoll(text, NULL, 10);
    }
    return quota > 0 && period > 0 ? (uint32_t)((quota + period - 1) / period) : 0;
}

uint32_t axl__cpu_count(void)
{
    cpu_set_t set;
    uint32_t n = 1, quota = cgroup_quota();

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (uint32_t)CPU_COUNT(&set);
    if (quota > 0 && quota < n)
        n = quota;
    return n > 0 ? n : 1;
}

bool axl__request_amx(void)
{
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM_, XFEATURE_XTILEDATA_) == 0;
}

/* ---- memory ---- */

/* The number behind `name` in a text of "name number" lines, or 0. */
static uint64_t number_after(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0)
            return strtoull(line + n, NULL, 10);
    }
    return 0;
}

/* getrusage would count what was there before an exec, too. */
uint64_t axl__peak_rss(void)
{
    char text[4096];
    struct rusage u;

    if (read_small("/proc/self/status", text, sizeof text) && number_after(text, "VmHWM:") > 0)
        return number_after(text, "VmHWM:") * 1024;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024 : 0;
}

uint64_t axl__current_rss(void)
{
    char text[4096];

    return read_small("/proc/self/status", text, sizeof text) ? number_after(text, "VmRSS:") * 1024
                                                              : 0;
}

/* What a group may still take: its limit without that part of its use that cannot be reclaimed. */
static uint64_t group_room(const char *dir, bool v2)
{
    char path[PATH_MAX + 32], text[8192];
    uint64_t limit, used, files;

    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (!read_small(path, text, sizeof text) || *text < '0' || *text > '9')
        return UINT64_MAX; /* no such group, or "max" */
    limit = strtoull(text, NULL, 10);
    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.current" : "memory.usage_in_bytes");
    if (!read_small(path, text, sizeof text))
        return UINT64_MAX;
    used = strtoull(text, NULL, 10);
    snprintf(path, sizeof path, "%s/memory.stat", dir);
    files = 0;
    if (read_small(path, text, sizeof text))
        files = v2 ? number_after(text, "inactive_file ") + number_after(text, "active_file ")
                   : number_after(text, "total_inactive_file ") +
                         number_after(text, "total_active_file ");
    used -= files < used ? files : used;
    return limit > used ? limit - used : 0;
}

/* The least room of the process's group and those above it; its path follows `mark` in the text of
 * /proc/self/cgroup. */
static uint64_t groups_room(const char *groups, const char *mark, const char *root, bool v2)
{
    const char *line = strstr(groups, mark);
    char dir[PATH_MAX];
    uint64_t room = UINT64_MAX;

    if (!line || snprintf(dir, sizeof dir, "%s%s", root, line + strlen(mark)) >= (int)sizeof dir)
        return room;
    dir[strcspn(dir, "\n")] = '\0';
    for (;;) {
        uint64_t here = group_room(dir, v2);
        room = here < room ? here : room;
        char *slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < strlen(root))
            return room;
        *slash = '\0';
    }
}

uint64_t axl__available_memory(void)
{
    char text[8192];
    uint64_t room = UINT64_MAX, groups;

    if (read_small("/proc/meminfo", text, sizeof text) && number_after(text, "MemAvailable:") > 0)
        room = number_after(text, "MemAvailable:") * 1024;
    if (!read_small("/proc/self/cgroup", text, sizeof text))
        return room;
    groups = groups_room(text, "0::", "/sys/fs/cgroup", true);
    room = groups < room ? groups : room;
    groups = groups_room(text, ":memory:", "/sys/fs/cgroup/memory", false);
    return groups < room ? groups : room;
}

/* ---- plugins ---- */

void *axl__dl_open(const char *path)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!lib)
        axl__fail(AXL_ERR_NOT_FOUND, "%s", dlerror());
    return lib;
}

void *axl__dl_symbol(void *lib, const char *name)
{
    return dlsym(lib, name);
}

void axl__dl_close(void *lib)
{
    dlclose(lib);
}

char *axl__own_dir(axl_context *ctx)
{
    Dl_info info;
    char real[PATH_MAX];

    if (!dladdr((void *)(uintptr_t)axl__own_dir, &info) || !info.dli_fname)
        return NULL;
    if (!realpath(info.dli_fname, real))
        return NULL;
    char *slash = strrchr(real, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return axl__strdup(ctx, real);
}
