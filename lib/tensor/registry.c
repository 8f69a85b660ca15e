/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - see registry.h.  A plugin's table is copied into one of this library's size when it
 * is found, with a function that fails in the place of each operation of a setting that it lacks:
 * no caller must ask whether a member is there.
 */
#include "registry.h"

#include "backend_plugin.h"
#include "base/num.h"
#include "base/os.h"
#include "base/plugin.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>

static const axl_backend_ops *const builtin[] = { &axl__backend_cpu, &axl__backend_reference };

enum { N_BUILTIN = sizeof builtin / sizeof builtin[0], NAME_MAX_LEN = 32 };

typedef struct loaded {
    struct loaded *next;
    axl_backend_ops ops;
    char name[NAME_MAX_LEN + 1]; /* asked for by */
} loaded;

typedef struct open_device {
    struct open_device *next;
    const axl_backend_ops *ops;
    axl_device *dev;
    int32_t ordinal;
    uint32_t users;
} open_device;

/* What a context keeps. */
typedef struct backends {
    pthread_mutex_t lock; /* of both lists; not held while a device closes */
    loaded *loaded;
    open_device *devices; /* each has a reference to the context: none is left when that goes */
} backends;

static axl_status backends_open(void **out, axl_context *ctx)
{
    backends *b = axl__calloc(ctx, 1, sizeof *b);

    *out = b;
    if (!b)
        return axl__fail_nomem();
    pthread_mutex_init(&b->lock, NULL);
    return AXL_OK;
}

static void backends_close(void *kept, axl_context *ctx)
{
    backends *b = kept;

    for (loaded *l = b->loaded, *next; l; l = next) {
        next = l->next;
        axl__free(ctx, l);
    }
    pthread_mutex_destroy(&b->lock);
    axl__free(ctx, b);
}

const axl__context_part axl__backends_context_part = { backends_open, backends_close };

static backends *lock_backends(axl_context *ctx)
{
    backends *b = axl__context_part_of(ctx, &axl__backends_context_part);

    if (!axl__context_forked(ctx))
        pthread_mutex_lock(&b->lock);
    return b;
}

static void unlock_backends(axl_context *ctx, backends *b)
{
    if (!axl__context_forked(ctx))
        pthread_mutex_unlock(&b->lock);
}

/* ---- operations ---- */

typedef void any_fn(void);

static const struct operation {
    const char *name;
    axl_op_use use;
    size_t at; /* of the member */
} operations[AXL_N_OPS] = {
#define OPERATION(op, args, use) { #op, AXL_USE_##use, offsetof(axl_backend_ops, op) },
    AXL_BACKEND_OPS(OPERATION)
};

#define ABSENT(op, args, use)                                                                      \
    static axl_status absent_##op(axl_device *dev, const args *a)                                  \
    {                                                                                              \
        (void)dev;                                                                                 \
        (void)a;                                                                                   \
        return axl__fail(AXL_ERR_UNSUPPORTED,                                                      \
                         "the backend's plugin is older than this axl %s "                         \
                         "and has no operation %s",                                                \
                         AXL_VERSION, #op);                                                        \
    }
AXL_BACKEND_OPS(ABSENT)

static any_fn *const absent[AXL_N_OPS] = {
#define ABSENT_ENTRY(op, args, use) (any_fn *)absent_##op,
    AXL_BACKEND_OPS(ABSENT_ENTRY)
};

static any_fn *member(const axl_backend_ops *ops, axl_op op)
{
    any_fn *fn;

    memcpy(&fn, (const char *)ops + operations[op].at, sizeof fn);
    return fn;
}

bool axl__backend_supports(const axl_backend_ops *ops, axl_op op)
{
    return member(ops, op) != absent[op];
}

/* ---- plugins ---- */

static const axl_plugin_host host = {
    .abi = AXL_BACKEND_ABI,
    .size = sizeof(axl_plugin_host),
    .version = AXL_VERSION,
    .fail = axl__fail,
    .context_ref = axl__context_ref,
    .context_free = axl_context_free,
    .alloc = axl__alloc,
    .realloc = axl__realloc,
    .free = axl__free,
    .log = axl__log,
    .cancelled = axl__cancelled,
    .parallel_for = axl__parallel_for,
};

static axl_status fill_absent(axl_backend_ops *ops, const char *file, uint32_t size)
{
    for (int i = 0; i < AXL_N_OPS; i++) {
        if (member(ops, (axl_op)i))
            continue;
        if (operations[i].use != AXL_USE_SETTING)
            return axl__fail(AXL_ERR_ABI,
                             "%s has no operation %s: it is of axl %s (backend ABI %u, table of %u "
                             "bytes), this is axl %s (%u, %zu bytes)",
                             file, operations[i].name, ops->version, (unsigned)ops->abi,
                             (unsigned)size, AXL_VERSION, AXL_BACKEND_ABI, sizeof *ops);
        memcpy((char *)ops + operations[i].at, &absent[i], sizeof absent[i]);
    }
    return AXL_OK;
}

axl_status axl__backend_adopt(axl_backend_ops *out, const axl_backend_ops *table, const char *file)
{
    size_t known = table->size; /* bytes of the table that the plugin has */

    if (table->abi != AXL_BACKEND_ABI)
        return axl__fail(AXL_ERR_ABI, "%s has backend ABI %u, this is axl %s with %u", file,
                         (unsigned)table->abi, AXL_VERSION, AXL_BACKEND_ABI);
    if (known < offsetof(axl_backend_ops, matmul))
        return axl__fail(AXL_ERR_ABI, "%s has a table of %u bytes", file, (unsigned)table->size);
    memset(out, 0, sizeof *out);
    memcpy(out, table, known < sizeof *out ? known : sizeof *out);
    return fill_absent(out, file, table->size);
}

static axl_status not_found(const char *name, const char *file)
{
    return axl__fail(AXL_ERR_NOT_FOUND,
                     "there is no backend \"%s\": this build has %s and %s, and the folders of "
                     "plugins have no %s",
                     name, builtin[0]->name, builtin[1]->name, file);
}

static axl_status load_plugin(axl_backend_ops *out, axl_context *ctx, const char *name)
{
    char file[NAME_MAX_LEN + 32];
    axl_backend_plugin_fn *entry;
    bool found;

    snprintf(file, sizeof file, "libaxl-%s.so.0", name);
    void *lib = axl__plugin_open(ctx, file, &found);
    if (!lib)
        return found ? axl__fail_prefix(AXL_ERR_DEVICE, "the backend \"%s\" does not load", name)
                     : not_found(name, file);
    void *symbol = axl__dl_symbol(lib, AXL_BACKEND_PLUGIN_SYMBOL);
    if (!symbol)
        return axl__fail(AXL_ERR_ABI, "%s exports no %s", file, AXL_BACKEND_PLUGIN_SYMBOL);
    memcpy(&entry, &symbol, sizeof entry);
    const axl_backend_ops *table = entry(&host);
    if (!table)
        return axl__fail_prefix(AXL_ERR_DEVICE, "the backend \"%s\" does not start", name);
    return axl__backend_adopt(out, table, file);
}

/* ---- backends by name ---- */

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return n > 0 && n <= NAME_MAX_LEN && name[n] == '\0';
}

static axl_status find_loaded(const axl_backend_ops **out, axl_context *ctx, backends *b,
                              const char *name)
{
    for (loaded *l = b->loaded; l; l = l->next) {
        if (strcmp(l->name, name) == 0) {
            *out = &l->ops;
            return AXL_OK;
        }
    }
    loaded *l = axl__alloc(ctx, sizeof *l);
    axl_status status = l ? load_plugin(&l->ops, ctx, name) : axl__fail_nomem();
    if (status < 0) {
        axl__free(ctx, l);
        return status;
    }
    snprintf(l->name, sizeof l->name, "%s", name);
    l->next = b->loaded;
    b->loaded = l;
    *out = &l->ops;
    return AXL_OK;
}

static axl_status find_backend(const axl_backend_ops **out, axl_context *ctx, backends *b,
                               const char *name)
{
    for (size_t i = 0; i < N_BUILTIN; i++) {
        if (strcmp(builtin[i]->name, name) == 0) {
            *out = builtin[i];
            return AXL_OK;
        }
    }
    if (!is_name(name))
        return axl__fail(AXL_ERR_INVALID,
                         "\"%s\" is no name of a backend: small letters, digits "
                         "and _ are, up to %d",
                         name, NAME_MAX_LEN);
    return find_loaded(out, ctx, b, name);
}

axl_status axl__backend_find(const axl_backend_ops **out, axl_context *ctx, const char *name)
{
    backends *b = lock_backends(ctx);
    axl_status status = find_backend(out, ctx, b, name);

    unlock_backends(ctx, b);
    return status;
}

typedef struct visit {
    axl_status (*fn)(void *arg, const char *name);
    void *arg;
    axl__str seen; /* ",name,name," */
} visit;

/* Several folders may have one plugin. */
static axl_status visit_once(void *arg, const char *name)
{
    visit *v = arg;
    char mark[NAME_MAX_LEN + 3];

    if (!is_name(name))
        return AXL_OK;
    snprintf(mark, sizeof mark, ",%s,", name);
    if (strstr(axl__str_text(&v->seen), mark))
        return AXL_OK;
    axl__str_puts(&v->seen, mark);
    AXL_TRY(axl__str_status(&v->seen));
    return v->fn(v->arg, name);
}

axl_status axl__backend_each(axl_context *ctx, axl_status (*fn)(void *arg, const char *name),
                             void *arg)
{
    visit v = { .fn = fn, .arg = arg };
    axl_status status = AXL_OK;

    axl__str_init(&v.seen, ctx);
    for (size_t i = 0; i < N_BUILTIN && status == AXL_OK; i++)
        status = visit_once(&v, builtin[i]->name);
    if (status == AXL_OK)
        status = axl__plugin_each(ctx, "libaxl-", ".so.0", visit_once, &v);
    axl__str_free(&v.seen);
    return status;
}

/* ---- devices ---- */

static axl_status open_shared(axl_device **out, axl_context *ctx, backends *b,
                              const axl_backend_ops *ops, int32_t ordinal)
{
    for (open_device *d = b->devices; d; d = d->next) {
        if (d->ops == ops && d->ordinal == ordinal) {
            d->users++;
            *out = d->dev;
            return AXL_OK;
        }
    }
    open_device *d = axl__alloc(ctx, sizeof *d);
    axl_status status = d ? ops->device_open(out, ctx, ordinal) : axl__fail_nomem();
    if (status < 0) {
        axl__free(ctx, d);
        return status;
    }
    *d = (open_device){ b->devices, ops, *out, ordinal, 1 };
    b->devices = d;
    return AXL_OK;
}

axl_status axl__device_get(const axl_backend_ops **ops, axl_device **out, axl_context *ctx,
                           const char *backend, int32_t ordinal)
{
    backends *b = lock_backends(ctx);

    *out = NULL;
    axl_status status = find_backend(ops, ctx, b, backend);
    if (status == AXL_OK)
        status = open_shared(out, ctx, b, *ops, ordinal);
    unlock_backends(ctx, b);
    return status;
}

static axl_status get_any(const axl_backend_ops **ops, axl_device **out, axl_context *ctx)
{
    axl_status status = axl__device_get(ops, out, ctx, "cuda", 0);

    if (status != AXL_ERR_NOT_FOUND && status != AXL_ERR_DEVICE)
        return status;
    axl__log(ctx, AXL_LOG_INFO, "the CPU computes: %s", axl_last_error());
    axl__error_clear();
    return axl__device_get(ops, out, ctx, "cpu", 0);
}

axl_status axl__device_get_named(const axl_backend_ops **ops, axl_device **out, axl_context *ctx,
                                 const char *name)
{
    const char *colon = strchr(name, ':');
    char backend[NAME_MAX_LEN + 1];
    size_t length = colon ? (size_t)(colon - name) : strlen(name);
    int64_t ordinal = 0;

    *out = NULL;
    if (strcmp(name, "auto") == 0)
        return get_any(ops, out, ctx);
    if (length > NAME_MAX_LEN ||
        (colon && !axl__parse_int(colon + 1, strlen(colon + 1), &ordinal)) || ordinal < 0 ||
        ordinal > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID,
                         "\"%s\" is no device: one is auto, cpu, cuda, or cuda:1 for the second",
                         name);
    snprintf(backend, sizeof backend, "%.*s", (int)length, name);
    return axl__device_get(ops, out, ctx, backend, (int32_t)ordinal);
}

/* Whether the device has other users. */
static bool leave_device(axl_context *ctx, backends *b, const axl_device *dev)
{
    for (open_device **at = &b->devices; *at; at = &(*at)->next) {
        open_device *d = *at;
        if (d->dev != dev)
            continue;
        if (--d->users > 0)
            return true;
        *at = d->next;
        axl__free(ctx, d);
        return false;
    }
    return false;
}

void axl__device_put(axl_context *ctx, const axl_backend_ops *ops, axl_device *dev)
{
    if (!dev)
        return;
    backends *b = lock_backends(ctx);
    bool used = leave_device(ctx, b, dev);
    unlock_backends(ctx, b);
    if (!used)
        ops->device_close(dev);
}
