/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web_file.c - see web_file.h.  A file is at axl--files/<hash of the address>/<its name>, where it
 * appears when all of it is there; two processes that load it at once write the same.
 *
 * What a stop leaves is beside it: <name>.incomplete with the first bytes, and <name>.etag with the
 * ETag of the answer that they are from.  The ETag is written while there are no bytes, so that the
 * two always belong together.  Both are of the process that holds <name>.lock; another that comes
 * meanwhile does not wait but loads for itself, into a file that nobody goes on with.
 */
#include "web_file.h"

#include "base/map.h"
#include "base/os.h"
#include "base/str.h"
#include "http.h"
#include "hub_cache.h"
#include "hub_env.h"

#include <string.h>

enum { TRIES = 4, NAME_MAX_LEN = 100 };

typedef struct {
    axl_context *ctx;
    const char *address;
    axl__http *http;
    axl__writer out;
    char *temp, *etag_path;   /* what a later process goes on with; NULL: none will */
    uint64_t have, total;     /* bytes; total 0: not said */
    char etag[AXL__ETAG_MAX]; /* of the answer that the bytes are from; "" none */
} transfer;

bool axl__is_web_address(const char *path)
{
    return axl__starts_with(path, "https://") || axl__starts_with(path, "http://");
}

/* Plain http is for an endpoint that somebody set, a mirror or a test. */
static axl_status check_address(axl_context *ctx, const char *address)
{
    const char *endpoint = axl__context_hub(ctx)->endpoint, *host = strstr(address, "://") + 3;
    size_t n = strlen(endpoint);

    for (const char *p = address; *p; p++)
        if (*p <= ' ' || *p > '~')
            return axl__fail(AXL_ERR_INVALID,
                             "\"%s\" is no address: spaces and letters beyond ASCII are written as "
                             "%%20 and the like",
                             address);
    if (memchr(host, '@', strcspn(host, "/?#")))
        return axl__fail(AXL_ERR_UNSUPPORTED, "an address with a user or a password is not loaded; "
                                              "copy the file to this machine");
    if (axl__starts_with(address, "https://") ||
        (strncmp(address, endpoint, n) == 0 && address[n] == '/'))
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "\"%s\": nothing is read over http, where anyone on the way may change it; "
                     "use https, or copy it to this machine",
                     address);
}

/* The last part of the address's path, of harmless characters: its suffix says the format. */
static void put_name(axl__str *out, const char *address)
{
    const char *at = strstr(address, "://") + 3, *end = at + strcspn(at, "?#");
    const char *name = end;

    while (name > at && name[-1] != '/')
        name--;
    if (name == at || name == end)
        axl__str_puts(out, "data");
    if (end - name > NAME_MAX_LEN)
        name = end - NAME_MAX_LEN; /* the suffix is what counts */
    for (; name > at && name < end; name++)
        axl__str_putc(out, axl__hub_is_word(name, 1, "-_.") ? *name : '_');
}

/* The folder of the address and, below it, the file; both for axl__free. */
static axl_status make_paths(axl_context *ctx, const char *address, char **folder, char **path)
{
    const char *cache = axl__context_hub(ctx)->cache;
    axl__str s;

    *folder = *path = NULL;
    if (!cache)
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "there is no place for \"%s\": HOME and HF_HOME are not set", address);
    axl__str_init(&s, ctx);
    axl__str_putf(&s, "axl:%s", address); /* with another beginning it is another hash */
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK)
        *folder = axl__format(ctx, "%s/axl--files/%016llx%016llx", cache,
                              (unsigned long long)axl__hash_bytes(address, strlen(address)),
                              (unsigned long long)axl__hash_bytes(s.data, s.len));
    axl__str_clear(&s);
    axl__str_putf(&s, "%s/", *folder ? *folder : "");
    put_name(&s, address);
    if (*folder && !s.failed)
        *path = axl__strdup(ctx, s.data);
    axl__str_free(&s);
    return *path ? AXL_OK : axl__fail_nomem();
}

/* ---- loading ---- */

/* Nothing of what is there counts any more. */
static axl_status forget_bytes(transfer *t)
{
    t->have = 0;
    t->etag[0] = '\0';
    return axl__writer_restart(&t->out);
}

/* Goes on only within the same file: another ETag is another one, whose first bytes are asked for
 * anew. */
static axl_status begin_answer(transfer *t, const axl__reply *reply)
{
    bool on = t->have > 0 && reply->code == 206 && reply->start == t->have && t->etag[0] &&
              strcmp(reply->etag, t->etag) == 0;

    t->total = reply->has_size ? reply->size : 0;
    if (on)
        return AXL_OK;
    AXL_TRY(forget_bytes(t));
    if (reply->code == 206 && reply->start > 0)
        return AXL_END;
    memcpy(t->etag, reply->etag, sizeof t->etag);
    return t->etag_path ? axl__write_file(t->ctx, t->etag_path, t->etag, strlen(t->etag)) : AXL_OK;
}

/* AXL_END: these are not the bytes that are wanted. */
static axl_status take_bytes(void *user, const axl__reply *reply, const void *data, size_t len)
{
    transfer *t = user;
    axl_status status = reply->sent == 0 ? begin_answer(t, reply) : AXL_OK;

    if (status != AXL_OK)
        return status;
    if (reply->has_size && (t->have > reply->size || len > reply->size - t->have))
        return axl__fail(AXL_ERR_FORMAT, "\"%s\" is longer than the %llu bytes that were announced",
                         t->address, (unsigned long long)reply->size);
    AXL_TRY(axl__writer_put(&t->out, data, len));
    t->have += len;
    return AXL_OK;
}

/* Half a second, doubled each time, in tenths so that a cancel is seen. */
static axl_status pause_before(const transfer *t, int next_try)
{
    for (int i = 0; i < 5 << (next_try - 1); i++) {
        AXL_TRY(axl__poll(t->ctx, "download", t->have, t->total));
        axl__sleep(0.1);
    }
    return AXL_OK;
}

/* *again: the connection broke, or the server is overworked, or has another file now than the one
 * whose first bytes are here (416 where it is shorter). */
static axl_status ask_once(transfer *t, bool *again)
{
    axl__reply reply;
    axl__http_request q = { .url = t->address,
                            .from = t->etag[0] ? t->have : 0,
                            .sink = take_bytes,
                            .user = t,
                            .done = &t->have,
                            .total = t->total };
    axl_status status = axl__http_ask(t->http, &q, &reply);
    bool taken = status == AXL_OK && (reply.code == 200 || reply.code == 206);
    bool other = status == AXL_END || (status == AXL_OK && reply.code == 416 && q.from > 0);

    if (other) {
        *again = true;
        AXL_TRY(forget_bytes(t));
        return axl__fail(AXL_ERR_IO, "\"%s\" changes while it is loaded", t->address);
    }
    *again = (status == AXL_ERR_IO && reply.again) || (status == AXL_OK && reply.code >= 500);
    if (taken && reply.has_size && t->have != reply.size) {
        *again = true;
        return axl__fail(AXL_ERR_IO, "\"%s\" ended after %llu of %llu bytes", t->address,
                         (unsigned long long)t->have, (unsigned long long)reply.size);
    }
    if (status == AXL_ERR_IO)
        return axl__fail_prefix(status, "\"%s\"", t->address);
    if (status != AXL_OK || taken)
        return status;
    return axl__fail(reply.code == 404 ? AXL_ERR_NOT_FOUND : AXL_ERR_IO,
                     "\"%s\": the server answered %ld", t->address, reply.code);
}

static axl_status load_bytes(transfer *t)
{
    axl_status status = AXL_OK;
    bool again = true;

    for (int i = 1; again && i <= TRIES; i++) {
        if (i > 1)
            AXL_TRY(pause_before(t, i - 1));
        status = ask_once(t, &again);
    }
    return status;
}

/* ---- what a stop leaves ---- */

/* The ETag that the bytes there belong to; without one they are nothing. */
static axl_status read_etag(transfer *t)
{
    axl__file f;

    if (axl__path_kind_of(t->etag_path) == AXL__PATH_FILE) {
        AXL_TRY(axl__file_open_start(&f, t->ctx, t->etag_path, sizeof t->etag - 1));
        memcpy(t->etag, f.data, f.size);
        t->etag[f.size] = '\0';
        axl__file_close(&f);
    }
    return t->etag[0] ? AXL_OK : forget_bytes(t);
}

static axl_status open_kept(transfer *t, const char *path)
{
    t->temp = axl__format(t->ctx, "%s.incomplete", path);
    t->etag_path = axl__format(t->ctx, "%s.etag", path);
    if (!t->temp || !t->etag_path)
        return axl__fail_nomem();
    AXL_TRY(axl__writer_resume(&t->out, t->ctx, path, t->temp, &t->have));
    return read_etag(t);
}

/* Whether a later process could go on, and it is worth it: the line broke, or somebody stopped. */
static bool may_go_on(const transfer *t, axl_status status)
{
    return t->temp && t->out.ctx && t->have > 0 && t->etag[0] &&
           (status == AXL_ERR_IO || status == AXL_ERR_CANCELLED);
}

static void end_transfer(transfer *t, axl_status status)
{
    bool kept = may_go_on(t, status);

    if (kept)
        axl__writer_keep(&t->out);
    else
        axl__writer_abort(&t->out); /* nothing after a commit */
    if (t->etag_path && !kept)
        axl__remove_file(t->etag_path);
    axl__free(t->ctx, t->temp);
    axl__free(t->ctx, t->etag_path);
}

/* lock: had, or -1. */
static axl_status load_into(axl_context *ctx, const char *address, const char *path, int lock)
{
    transfer t = { .ctx = ctx, .address = address };
    axl_status status = axl__http_open(&t.http, ctx, address);

    if (status == AXL_OK)
        status = lock >= 0 ? open_kept(&t, path) : axl__writer_open(&t.out, ctx, path);
    if (status == AXL_OK) {
        axl__log(ctx, AXL_LOG_INFO, "%s %s", t.have > 0 ? "going on with" : "loading", address);
        status = load_bytes(&t);
    }
    if (status == AXL_OK)
        status = axl__writer_commit(&t.out);
    end_transfer(&t, status);
    axl__http_close(t.http);
    return status;
}

/* The lock's file goes while it is held, so that none is left. */
static axl_status load_file(axl_context *ctx, const char *address, const char *folder,
                            const char *path)
{
    int lock = -1;

    AXL_TRY(axl__make_dirs(ctx, folder));
    char *lock_path = axl__format(ctx, "%s.lock", path);
    axl_status status = lock_path ? axl__lock_file(lock_path, &lock) : axl__fail_nomem();
    if (status == AXL_OK && (lock < 0 || axl__path_kind_of(path) != AXL__PATH_FILE))
        status = load_into(ctx, address, path, lock);
    if (lock >= 0)
        axl__remove_file(lock_path);
    axl__unlock_file(lock);
    axl__free(ctx, lock_path);
    return status;
}

static axl_status find_or_load(axl_context *ctx, const char *address, bool load, const char *folder,
                               const char *path)
{
    const char *why_not = axl__hub_no_network(ctx);

    if (axl__path_kind_of(path) == AXL__PATH_FILE)
        return AXL_OK;
    if (!load)
        return AXL_END;
    if (why_not)
        return axl__fail(AXL_ERR_NOT_FOUND, "\"%s\" is not in the cache (%s); %s", address,
                         axl__context_hub(ctx)->cache, why_not);
    return load_file(ctx, address, folder, path);
}

axl_status axl__web_file(axl_context *ctx, const char *address, bool load, char **path)
{
    char *folder;

    *path = NULL;
    AXL_TRY(check_address(ctx, address));
    axl_status status = make_paths(ctx, address, &folder, path);
    if (status == AXL_OK)
        status = find_or_load(ctx, address, load, folder, *path);
    axl__free(ctx, folder);
    if (status < 0) {
        axl__free(ctx, *path);
        *path = NULL;
    }
    return status;
}
