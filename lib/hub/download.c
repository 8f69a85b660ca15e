/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download.c - from the Hub into its cache, in the steps and names of huggingface_hub, so that
 * either finds what the other has loaded: the list of the revision, the ETag and size of each file,
 * the bytes into blobs/<etag>.incomplete under a lock, the rename to blobs/<etag>, a link in the
 * snapshot, and the branch last, so that a broken download is not taken for a model.  Or of the
 * weights the headers alone.
 */
#include "base/json.h"
#include "base/os.h"
#include "base/str.h"
#include "http.h"
#include "hub_cache.h"
#include "hub_env.h"

#include <string.h>

/* The limits are against a server that never ends; real repositories are far below them. */
enum { TRIES = 4, LIST_MAX = 16 << 20, FILES_MAX = 10000 };

typedef struct {
    const char *path;
    char etag[AXL__ETAG_MAX];
    uint64_t size;
    bool header; /* will do */
} item;

typedef struct {
    axl_context *ctx;
    const axl__hub_env *env;
    axl__hub_repo *repo;
    axl__http *http;
    item *items; /* wanted and not in the snapshot */
    size_t n;
    uint64_t done, total; /* bytes of them */
} download;

/* ---- URLs and answers ---- */

/* Percent-encoded but for letters, digits, "-_.~" and `more`. */
static void put_encoded(axl__str *s, const char *text, const char *more)
{
    for (; *text; text++) {
        char c[2] = { *text, '\0' };
        if (axl__hub_is_word(c, 1, "-_.~") || strchr(more, *text))
            axl__str_putc(s, *text);
        else
            axl__str_putf(s, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

/* The URL of the list of the revision (path NULL), or of a file of the commit; for axl__free. */
static char *make_url(const download *d, const char *path)
{
    const axl__hub_wish *w = d->repo->wish;
    bool set = strcmp(w->kind, "datasets") == 0;
    axl__str s;

    axl__str_init(&s, d->ctx);
    if (path) {
        axl__str_putf(&s, "%s/%s%s/resolve/%s/", d->env->endpoint, set ? "datasets/" : "", w->name,
                      d->repo->commit);
        put_encoded(&s, path, "/");
    } else {
        axl__str_putf(&s, "%s/api/%s/%s/revision/", d->env->endpoint, w->kind, w->name);
        put_encoded(&s, d->repo->revision, "");
    }
    if (s.failed)
        axl__str_free(&s);
    return s.data;
}

/* What an answer other than 200 means for a person; file is NULL for the list. */
static axl_status refused(const download *d, const axl__reply *r, const char *file)
{
    const axl__hub_wish *w = d->repo->wish;
    const char *noun = axl__hub_noun(w), *end = d->env->endpoint, *from = d->env->token_from;

    if (strcmp(r->error_code, "GatedRepo") == 0 || r->code == 403)
        return axl__fail(AXL_ERR_IO, "%s \"%s\" is gated: accept its terms on %s/%s%s, and %s%s",
                         noun, w->name, end, strcmp(w->kind, "datasets") == 0 ? "datasets/" : "",
                         w->name,
                         from ? "use a token that may read it; it was refused to that of "
                              : "set HF_TOKEN to a token of that account",
                         from ? from : "");
    if (strcmp(r->error_code, "RevisionNotFound") == 0)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\" has no revision \"%s\" on %s", noun, w->name,
                         d->repo->revision, end);
    if (r->code == 401 && from)
        return axl__fail(AXL_ERR_IO,
                         "%s \"%s\" is not on %s, or the token of %s may not read it "
                         "(401)",
                         noun, w->name, end, from);
    if (r->code == 401)
        return axl__fail(AXL_ERR_IO,
                         "%s \"%s\" is neither a folder nor public on %s (401); for a "
                         "private or gated one set HF_TOKEN",
                         noun, w->name, end);
    if (r->code == 404 && file)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\" has no %s on %s (404)", noun, w->name, file,
                         end);
    if (r->code == 404)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\"%s%s is neither a folder nor on %s (404)",
                         noun, w->name, w->revision ? " at revision " : "",
                         w->revision ? w->revision : "", end);
    return axl__fail(AXL_ERR_IO, "%s \"%s\": %s answered %ld%s", noun, w->name, end, r->code,
                     r->code == 429 ? " (too many requests): try again later" : "");
}

/* Before the next try: a broken connection, an overworked server.  Half a second, doubled each
 * time, in tenths so that a cancel is seen. */
static axl_status pause_before(const download *d, int next_try)
{
    for (int i = 0; i < 5 << (next_try - 1); i++) {
        AXL_TRY(axl__poll(d->ctx, "download", d->done, d->total));
        axl__sleep(0.1);
    }
    return AXL_OK;
}

static bool may_help(const axl__reply *r)
{
    return r->again || r->code >= 500;
}

/* Asks until an answer comes, a few times; one other than 200 is a failure. */
static axl_status ask(const download *d, const axl__http_request *q, axl__reply *reply,
                      const char *file)
{
    axl_status status = AXL_OK;

    for (int i = 1; i <= TRIES; i++) {
        status = axl__http_ask(d->http, q, reply);
        if (status == AXL_OK || status == AXL_ERR_IO) {
            if (!may_help(reply))
                break;
            if (i < TRIES)
                AXL_TRY(pause_before(d, i));
        } else {
            break;
        }
    }
    if (status == AXL_ERR_IO)
        return axl__fail_prefix(status, "%s \"%s\"%s%s", axl__hub_noun(d->repo->wish),
                                d->repo->wish->name, file ? ": " : "", file ? file : "");
    if (status != AXL_OK)
        return status;
    bool moved = reply->code >= 300 && reply->code < 400 && !q->sink;
    return reply->code == 200 || reply->code == 206 || moved ? AXL_OK : refused(d, reply, file);
}

/* ---- the list ---- */

static axl_status take_text(void *user, const axl__reply *reply, const void *data, size_t len)
{
    axl__str *s = user;

    if (reply->sent == 0)
        s->len = 0; /* the answer begins anew */
    if (len > LIST_MAX - s->len)
        return axl__fail(AXL_ERR_FORMAT, "the Hub's list of files is longer than 16 MiB");
    axl__str_put(s, data, len);
    return axl__str_status(s);
}

/* The commit is what the answer says and not what was asked for: a branch's name is looked up once,
 * and every file comes from the same commit even if the branch moves meanwhile. */
static axl_status read_list(download *d, const char *text, size_t len)
{
    axl__hub_repo *r = d->repo;
    axl__json *root;

    axl_status status = axl__json_parse(&root, &r->arena, text, len, NULL);
    const char *sha = status == AXL_OK ? axl__json_string(root, "sha", NULL) : NULL;
    const axl__json *files = status == AXL_OK ? axl__json_get(root, "siblings") : NULL;
    if (status == AXL_ERR_NOMEM)
        return status;
    if (!sha || strlen(sha) > AXL__COMMIT_MAX || !axl__hub_is_word(sha, strlen(sha), "") ||
        !files || files->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "%s \"%s\": what %s answered is no list of files",
                         axl__hub_noun(r->wish), r->wish->name, d->env->endpoint);
    memset(r->commit, 0, sizeof r->commit);
    memcpy(r->commit, sha, strlen(sha));
    r->n_paths = 0;
    axl__free(r->ctx, r->paths);
    r->paths = NULL;
    for (const axl__json *f = files->child; f; f = f->next) {
        const char *path = axl__json_string(f, "rfilename", "");
        AXL_TRY(axl__hub_repo_add(r, path, strlen(path)));
    }
    return AXL_OK;
}

static axl_status ask_list(download *d)
{
    axl__str text;
    axl__reply reply;
    char *url = make_url(d, NULL);

    if (!url)
        return axl__fail_nomem();
    axl__str_init(&text, d->ctx);
    axl__http_request q = { .url = url, .sink = take_text, .user = &text };
    axl_status status = ask(d, &q, &reply, NULL);
    if (status == AXL_OK)
        status = read_list(d, axl__str_text(&text), text.len);
    axl__str_free(&text);
    axl__free(d->ctx, url);
    return status;
}

/* ---- the files' ETags and sizes ---- */

/* The ETag names the blob, so that nothing but a plain word is let into a path.  A file of which
 * the header will do is not counted in total: nobody sees progress of a few kilobytes. */
static axl_status ask_about(download *d, item *it)
{
    axl__reply reply;
    char *url = make_url(d, it->path);

    if (!url)
        return axl__fail_nomem();
    axl__http_request q = { .url = url };
    axl_status status = ask(d, &q, &reply, it->path);
    axl__free(d->ctx, url);
    AXL_TRY(status);
    if (!axl__hub_is_word(reply.etag, strlen(reply.etag), "-_.") || !reply.has_size)
        return axl__fail(AXL_ERR_FORMAT, "%s \"%s\": %s does not say the ETag and size of %s",
                         axl__hub_noun(d->repo->wish), d->repo->wish->name, d->env->endpoint,
                         it->path);
    memcpy(it->etag, reply.etag, sizeof it->etag);
    it->size = reply.size;
    it->header = axl__hub_header_will_do(d->repo->wish, it->path);
    if (it->size > INT64_MAX - d->total)
        return axl__fail(AXL_ERR_FORMAT, "%s \"%s\": the sizes that %s says are impossible",
                         axl__hub_noun(d->repo->wish), d->repo->wish->name, d->env->endpoint);
    d->total += it->header ? 0 : it->size;
    return AXL_OK;
}

static axl_status list_items(download *d)
{
    axl__hub_repo *r = d->repo;
    size_t wanted = 0;
    axl__hub_place place;

    AXL_TRY(axl__hub_repo_pick(r));
    d->items = axl__calloc(d->ctx, r->n_paths, sizeof *d->items);
    if (!d->items)
        return axl__fail_nomem();
    for (size_t i = 0; i < r->n_paths; i++) {
        if (!r->take[i])
            continue;
        wanted++;
        AXL_TRY(axl__hub_repo_find(r, r->paths[i], &place));
        if (place == AXL__HUB_NOWHERE)
            d->items[d->n++].path = r->paths[i];
    }
    if (wanted == 0)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s \"%s\" has no file on %s that axl reads here",
                         axl__hub_noun(r->wish), r->wish->name, d->env->endpoint);
    if (d->n > FILES_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s \"%s\" has %zu files to load, of which %d may be",
                         axl__hub_noun(r->wish), r->wish->name, d->n, FILES_MAX);
    for (size_t i = 0; i < d->n; i++)
        AXL_TRY(ask_about(d, &d->items[i]));
    return AXL_OK;
}

/* ---- one file ---- */

typedef struct {
    download *d;
    const item *it;
    axl__writer out;
    uint64_t have; /* bytes in the file */
} transfer;

/* sent is 0 at an answer's first bytes: there it shows whether the server goes on where it was
 * asked to. */
static axl_status take_bytes(void *user, const axl__reply *reply, const void *data, size_t len)
{
    transfer *t = user;

    if (reply->sent == 0 && t->have > 0 && (reply->code != 206 || reply->start != t->have)) {
        AXL_TRY(axl__writer_restart(&t->out)); /* the server sends the whole */
        t->d->done -= t->have;
        t->have = 0;
    }
    if (len > t->it->size - t->have)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s \"%s\": %s is longer than the %llu bytes that %s "
                         "announced",
                         axl__hub_noun(t->d->repo->wish), t->d->repo->wish->name, t->it->path,
                         (unsigned long long)t->it->size, t->d->env->endpoint);
    AXL_TRY(axl__writer_put(&t->out, data, len));
    t->have += len;
    t->d->done += len;
    return AXL_OK;
}

static axl_status cut_short(const transfer *t)
{
    return axl__fail(AXL_ERR_IO,
                     "%s \"%s\": %s ended after %llu of %llu bytes; the next run goes "
                     "on from there",
                     axl__hub_noun(t->d->repo->wish), t->d->repo->wish->name, t->it->path,
                     (unsigned long long)t->have, (unsigned long long)t->it->size);
}

/* Each try goes on from what is there.  One that brought any bytes begins the count of failures
 * anew, so that a poor line gets through as long as it moves. */
static axl_status transfer_bytes(transfer *t, const char *url)
{
    download *d = t->d;
    axl__reply reply;
    int failures = 0;

    while (t->have < t->it->size) {
        uint64_t before = t->have;
        axl__http_request q = { .url = url,
                                .from = t->have,
                                .sink = take_bytes,
                                .user = t,
                                .done = &d->done,
                                .total = d->total };
        axl_status status = axl__http_ask(d->http, &q, &reply);
        if (status == AXL_ERR_IO && !reply.again)
            return axl__fail_prefix(status, "%s \"%s\": %s", axl__hub_noun(d->repo->wish),
                                    d->repo->wish->name, t->it->path);
        if (status != AXL_OK && status != AXL_ERR_IO)
            return status;
        if (status == AXL_OK && reply.code != 200 && reply.code != 206 && !may_help(&reply))
            return refused(d, &reply, t->it->path);
        if (t->have >= t->it->size)
            break;
        failures = t->have > before ? 1 : failures + 1;
        if (failures >= TRIES)
            return cut_short(t);
        AXL_TRY(pause_before(d, failures));
    }
    return axl__poll(d->ctx, "download", d->done, d->total);
}

/* Into blobs/<etag>, unless another process was faster.  What a stop leaves is gone on with. */
static axl_status transfer_file(download *d, const item *it, const char *blob)
{
    transfer t = { .d = d, .it = it };
    char *temp = axl__format(d->ctx, "%s.incomplete", blob), *url = make_url(d, it->path);
    axl_status status = temp && url ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK)
        status = axl__writer_resume(&t.out, d->ctx, blob, temp, &t.have);
    if (status == AXL_OK && t.have > it->size) {
        status = axl__writer_restart(&t.out);
        t.have = 0;
    }
    if (status == AXL_OK) {
        d->done += t.have;
        status = transfer_bytes(&t, url);
        if (status == AXL_OK)
            status = axl__writer_commit(&t.out);
        else if (status == AXL_ERR_FORMAT)
            axl__writer_abort(&t.out); /* another file's bytes */
        else
            axl__writer_keep(&t.out);
    }
    axl__free(d->ctx, temp);
    axl__free(d->ctx, url);
    return status;
}

/* ---- into the cache ---- */

/* The folder that a path lies in, made. */
static axl_status make_parent(axl_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = axl__strndup(ctx, path, (size_t)(slash - path));

    if (!dir)
        return axl__fail_nomem();
    axl_status status = axl__make_dirs(ctx, dir);
    axl__free(ctx, dir);
    return status;
}

/* From a file's folder in snapshots/<commit>, or headers/<commit>, to the repository's own. */
static void put_way_up(axl__str *s, const char *path)
{
    axl__str_puts(s, "../../");
    for (; (path = strchr(path, '/')); path++)
        axl__str_puts(s, "../");
}

/* snapshots/<commit>/<path> -> ../../blobs/<etag>; the file itself where there are no links. */
static axl_status show(download *d, const item *it, const char *blob)
{
    axl__hub_repo *r = d->repo;
    char *snapshot = axl__hub_repo_path(r, "snapshots", r->commit);
    char *path = snapshot ? axl__format(d->ctx, "%s/%s", snapshot, it->path) : NULL;
    axl__str target;

    if (!path)
        return axl__fail_nomem();
    axl__str_init(&target, d->ctx);
    put_way_up(&target, it->path);
    axl__str_putf(&target, "blobs/%s", it->etag);
    axl_status status = axl__str_status(&target);
    if (status == AXL_OK)
        status = make_parent(d->ctx, path);
    if (status == AXL_OK)
        status = axl__link_to(d->ctx, target.data, path);
    if (status == AXL_ERR_UNSUPPORTED)
        status = axl__rename(blob, path);
    axl__str_free(&target);
    axl__free(d->ctx, path);
    return status;
}

/* Waits for the lock that huggingface_hub takes for the file too. */
static axl_status take_lock(download *d, const item *it, int *fd)
{
    axl__hub_repo *r = d->repo;
    const char *name = strrchr(r->dir, '/');
    char *path = axl__format(d->ctx, "%s/.locks%s/%s.lock", d->env->cache, name, it->etag);
    bool told = false;

    *fd = -1;
    if (!path)
        return axl__fail_nomem();
    axl_status status = make_parent(d->ctx, path);
    while (status == AXL_OK && *fd < 0) {
        status = axl__lock_file(path, fd);
        if (status != AXL_OK || *fd >= 0)
            break;
        if (!told)
            axl__log(d->ctx, AXL_LOG_INFO, "waiting for another process to load %s", it->path);
        told = true;
        status = axl__poll(d->ctx, "download", d->done, d->total);
        axl__sleep(0.1);
    }
    axl__free(d->ctx, path);
    return status;
}

/* Another process may have brought the blob while this one waited for the lock. */
static axl_status fetch_locked(download *d, const item *it, const char *blob)
{
    if (axl__path_kind_of(blob) == AXL__PATH_FILE)
        d->done += it->size;
    else
        AXL_TRY(transfer_file(d, it, blob));
    return show(d, it, blob);
}

/* The lock is of the ETag, not of the repository: two processes may load different files of one. */
static axl_status fetch(download *d, const item *it)
{
    char *blob = axl__hub_repo_path(d->repo, "blobs", it->etag);
    int lock;

    if (!blob)
        return axl__fail_nomem();
    AXL_TRY(make_parent(d->ctx, blob));
    axl_status status = take_lock(d, it, &lock);
    if (status == AXL_OK)
        status = fetch_locked(d, it, blob);
    axl__unlock_file(lock);
    return status;
}

/* Before the first byte, of all files together less what is there in whole or in part.  Other
 * writers may still fill the disk; writing says so then. */
static axl_status check_space(download *d)
{
    const char *cache = d->env->cache;
    uint64_t room, have = 0;

    AXL_TRY(axl__make_dirs(d->ctx, cache));
    room = axl__free_space(cache);
    for (size_t i = 0; i < d->n; i++) {
        axl__file_id id;
        if (d->items[i].header)
            continue;
        char *path = axl__hub_repo_path(d->repo, "blobs", d->items[i].etag);
        char *part = path ? axl__format(d->ctx, "%s.incomplete", path) : NULL;
        if (!part)
            return axl__fail_nomem();
        if ((axl__path_kind_of(path) == AXL__PATH_FILE && axl__path_id(path, &id) == AXL_OK) ||
            (axl__path_kind_of(part) == AXL__PATH_FILE && axl__path_id(part, &id) == AXL_OK))
            have += id.size < d->items[i].size ? id.size : d->items[i].size;
        axl__free(d->ctx, part);
    }
    if (d->total - have <= room)
        return AXL_OK;
    return axl__fail(AXL_ERR_IO,
                     "%s \"%s\" takes %llu MB more and %s has room for %llu MB; "
                     "HF_HUB_CACHE names another place",
                     axl__hub_noun(d->repo->wish), d->repo->wish->name,
                     (unsigned long long)((d->total - have + 999999) / 1000000), cache,
                     (unsigned long long)(room / 1000000));
}

/* A commit that was asked for by its hash has no branch to note. */
static axl_status write_ref(download *d)
{
    axl__hub_repo *r = d->repo;

    if (strcmp(r->revision, r->commit) == 0)
        return AXL_OK;
    char *path = axl__hub_repo_path(r, "refs", r->revision);
    if (!path)
        return axl__fail_nomem();
    AXL_TRY(make_parent(d->ctx, path));
    return axl__write_file(d->ctx, path, r->commit, strlen(r->commit));
}

/* ---- headers alone ---- */

/* A first request that has most headers whole, and about what safetensors itself allows a header to
 * be (100 MB). */
enum { HEAD_FIRST = 256 << 10, HEAD_MAX = 100 << 20 };

typedef struct {
    const item *it;
    axl__str bytes; /* the first ones of the file */
    uint64_t until; /* how many of them are asked for */
} head;

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many bytes the header takes; of what is no safetensors file enough to see it. */
static uint64_t head_size(const head *h)
{
    uint64_t size = h->it->size, n;

    if (size < 8 || h->bytes.len < 8)
        return least(size, 8);
    memcpy(&n, h->bytes.data, 8);
    return n <= HEAD_MAX && n <= size - 8 ? n + 8 : least(size, HEAD_FIRST);
}

/* A server that ignores the range sends from the beginning: what is there is then overwritten by
 * the same bytes, and the transfer is ended when there are enough. */
static axl_status take_head(void *user, const axl__reply *reply, const void *data, size_t len)
{
    head *h = user;

    if (reply->sent == 0 && (reply->code != 206 || reply->start < h->bytes.len))
        h->bytes.len = reply->code == 206 ? (size_t)reply->start : 0;
    axl__str_put(&h->bytes, data, len);
    AXL_TRY(axl__str_status(&h->bytes));
    if (h->bytes.len > h->until) /* whatever the server goes on to send */
        return AXL_END;
    return reply->code == 200 && h->bytes.len >= head_size(h) ? AXL_END : AXL_OK;
}

static axl_status read_head(download *d, head *h)
{
    char *url = make_url(d, h->it->path);
    axl_status status = url ? AXL_OK : axl__fail_nomem();
    axl__reply reply;

    while (status == AXL_OK && h->bytes.len < head_size(h)) {
        uint64_t had = h->bytes.len, size = head_size(h);
        h->until = size > HEAD_FIRST ? size : HEAD_FIRST;
        axl__http_request q = {
            .url = url, .from = had, .sink = take_head, .user = h, .until = h->until
        };
        status = ask(d, &q, &reply, h->it->path);
        if (status == AXL_END)
            status = AXL_OK;
        if (status == AXL_OK && h->bytes.len <= had)
            status = axl__fail(AXL_ERR_IO, "%s \"%s\": %s ended within its header",
                               axl__hub_noun(d->repo->wish), d->repo->wish->name, h->it->path);
    }
    axl__free(d->ctx, url);
    return status;
}

static axl_status write_head(download *d, const head *h)
{
    char *top = axl__hub_repo_path(d->repo, "headers", d->repo->commit);
    char *path = top ? axl__format(d->ctx, "%s/%s", top, h->it->path) : NULL;
    axl_status status = path ? make_parent(d->ctx, path) : axl__fail_nomem();

    if (status == AXL_OK)
        status = axl__write_file(d->ctx, path, axl__str_text(&h->bytes), (size_t)head_size(h));
    axl__free(d->ctx, path);
    return status;
}

static axl_status fetch_head(download *d, const item *it)
{
    head h = { .it = it };

    axl__str_init(&h.bytes, d->ctx);
    axl_status status = read_head(d, &h);
    if (status == AXL_OK)
        status = write_head(d, &h);
    axl__str_free(&h.bytes);
    return status;
}

/* What the snapshot has, beside the headers. */
static axl_status link_beside(download *d, const char *path)
{
    axl__hub_repo *r = d->repo;
    axl__hub_place place;
    axl__str target;

    AXL_TRY(axl__hub_repo_find(r, path, &place));
    if (place != AXL__HUB_SNAPSHOT)
        return AXL_OK;
    char *top = axl__hub_repo_path(r, "headers", r->commit);
    char *link = top ? axl__format(d->ctx, "%s/%s", top, path) : NULL;
    if (!link)
        return axl__fail_nomem();
    axl__str_init(&target, d->ctx);
    put_way_up(&target, path);
    axl__str_putf(&target, "snapshots/%s/%s", r->commit, path);
    axl_status status = axl__str_status(&target);
    if (status == AXL_OK)
        status = make_parent(d->ctx, link);
    if (status == AXL_OK)
        status = axl__link_to(d->ctx, target.data, link);
    axl__str_free(&target);
    axl__free(d->ctx, link);
    return status;
}

static axl_status fetch_heads(download *d)
{
    axl__hub_repo *r = d->repo;
    bool any = false;

    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i].header)
            AXL_TRY(fetch_head(d, &d->items[i]));
        any |= d->items[i].header;
    }
    for (size_t i = 0; any && i < r->n_paths; i++)
        if (r->take[i])
            AXL_TRY(link_beside(d, r->paths[i]));
    return AXL_OK;
}

/* ---- all of it ---- */

/* The list and the branch are written when all files are there: until then the cache looks as
 * before, with more in it. */
static axl_status run(download *d)
{
    AXL_TRY(ask_list(d));
    AXL_TRY(list_items(d));
    AXL_TRY(check_space(d));
    if (d->total > 0)
        axl__log(d->ctx, AXL_LOG_INFO, "loading %s \"%s\" from %s: %zu files, %llu MB",
                 axl__hub_noun(d->repo->wish), d->repo->wish->name, d->env->endpoint, d->n,
                 (unsigned long long)((d->total + 999999) / 1000000));
    for (size_t i = 0; i < d->n; i++)
        if (!d->items[i].header)
            AXL_TRY(fetch(d, &d->items[i]));
    if (d->repo->wish->headers)
        AXL_TRY(fetch_heads(d));
    AXL_TRY(axl__hub_repo_save_list(d->repo));
    return write_ref(d);
}

axl_status axl__hub_download(axl__hub_repo *repo)
{
    download d = { .ctx = repo->ctx, .env = axl__context_hub(repo->ctx), .repo = repo };

    AXL_TRY(axl__http_open(&d.http, d.ctx, NULL));
    axl_status status = run(&d);
    axl__http_close(d.http);
    axl__free(d.ctx, d.items);
    return status;
}
