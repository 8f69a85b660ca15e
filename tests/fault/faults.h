/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h - an allocator that counts live blocks and fails when told, and the sweep that calls a
 * step with its 1st, 2nd, … allocation failing until none does.
 *
 * AXL_FAULT_FULL=1 tries every allocation; without it the stride grows, so that a step of hundreds
 * is tried at some dozens.
 */
#ifndef AXL_TESTS_FAULTS_H
#define AXL_TESTS_FAULTS_H

#include "tiny_model.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the allocator ---- */

typedef struct {
    uint64_t calls, fail_at; /* the call that fails, from 1; 0: none */
    int from_there_on;       /* and all after it */
    int64_t blocks;          /* alive */
} faults;

static inline int fault_due(faults *f)
{
    f->calls++;
    return f->fail_at && (f->from_there_on ? f->calls >= f->fail_at : f->calls == f->fail_at);
}

static inline void *fault_realloc(void *user, void *block, size_t size)
{
    faults *f = user;

    if (fault_due(f))
        return NULL;
    f->blocks += block == NULL;
    return realloc(block, size);
}

static inline void *fault_alloc(void *user, size_t size)
{
    return fault_realloc(user, NULL, size);
}

static inline void fault_free(void *user, void *block)
{
    ((faults *)user)->blocks -= block != NULL;
    free(block);
}

static inline axl_context_options fault_options(faults *f)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    o.no_onednn = 1; /* without it the own kernels compute: no failure, but other allocations */
    o.alloc = fault_alloc;
    o.realloc = fault_realloc;
    o.free = fault_free;
    o.alloc_user = f;
    o.threads = 1; /* the same allocations each time */
    return o;
}

static inline axl_context *fault_context(faults *f)
{
    axl_context_options o = fault_options(f);
    axl_context *ctx;

    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

/* ---- the sweep ---- */

typedef axl_status (*fault_step)(void *world);

enum {
    FAULT_MAKES = 1,   /* a failed call leaves as many blocks as there were */
    FAULT_ABSORBS = 2, /* may do without what could not be allocated; then the same is asked */
};

static inline int fault_full(void)
{
    return getenv("AXL_FAULT_FULL") != NULL;
}

/* One try; whether the failure was reached. */
static inline int fault_try(const char *name, faults *f, fault_step step, int flags, void *world,
                            uint64_t n, int from_there_on)
{
    int64_t before = f->blocks;

    f->calls = 0;
    f->fail_at = n;
    f->from_there_on = from_there_on;
    axl_status status = step(world);
    f->fail_at = 0;
    if (f->calls < n) {
        if (status < 0)
            fail_msg("%s, no allocation fails: %s", name, axl_last_error());
        return 0;
    }
    int absorbed = status >= 0 && (flags & FAULT_ABSORBS);
    if (!absorbed && (status != AXL_ERR_NOMEM || !axl_last_error()[0]))
        fail_msg("%s, allocation %llu%s fails: %s: \"%s\"", name, (unsigned long long)n,
                 from_there_on ? " and all after it" : "", axl_status_name(status),
                 axl_last_error());
    if ((flags & FAULT_MAKES) && f->blocks != before)
        fail_msg("%s, allocation %llu%s fails: %lld blocks are left", name, (unsigned long long)n,
                 from_there_on ? " and all after it" : "", (long long)(f->blocks - before));
    return 1;
}

/* Ends after the first call in which nothing failed: a step is done once, whatever went before. */
static inline void fault_sweep(const char *name, faults *f, fault_step step, int flags, void *world)
{
    uint64_t n = 1, tries = 0;

    for (; fault_try(name, f, step, flags, world, n, 0); n += fault_full() ? 1 : 1 + n / 6) {
        tries++;
        if (!fault_try(name, f, step, flags, world, n, 1))
            break;
    }
    print_message("%s: %llu of %llu allocations\n", name, (unsigned long long)tries,
                  (unsigned long long)f->calls);
}

/* ---- folders ---- */

static inline int fault_remove_entry(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void fault_remove_tree(const char *path)
{
    nftw(path, fault_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* That a folder and those in it hold nothing under a temporary name. */
static inline void fault_no_remains(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[1024];

    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.' && (e->d_name[1] == '\0' || e->d_name[1] == '.'))
            continue;
        if (strstr(e->d_name, ".tmp") || strstr(e->d_name, ".old") || e->d_name[0] == '.')
            fail_msg("%s is left in %s", e->d_name, dir);
        int n = snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        assert_true(n > 0 && (size_t)n < sizeof path);
        if (e->d_type == DT_DIR)
            fault_no_remains(path);
    }
    if (d)
        closedir(d);
}

#endif
