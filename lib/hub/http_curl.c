/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_curl.c - http.h with libcurl.  The token goes to the Hub alone: libcurl drops an
 * Authorization header when a redirect leaves the host, which is where large files come from.
 */
#include "http.h"

#include "base/str.h"
#include "hub_env.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

/* There is no limit to how long a transfer takes, only to how long it may stand still. */
enum { CONNECT_SECONDS = 30, STALL_SECONDS = 60, REDIRECTS = 10, IDLE_BYTES = 1 << 20 };

struct axl__http {
    axl_context *ctx;
    CURL *curl;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    const axl__http_request *request; /* during a call */
    axl__reply *reply;
    axl_status status; /* of a sink or the poll */
};

const char *axl__http_library(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

/* ---- an answer's headers ---- */

static void copy(char *out, size_t room, const char *text, size_t len)
{
    if (len >= room)
        len = 0; /* cut, it would be another */
    memcpy(out, text, len);
    out[len] = '\0';
}

static void take_etag(axl__reply *r, const char *v, size_t len)
{
    if (len >= 2 && v[0] == 'W' && v[1] == '/') {
        v += 2;
        len -= 2;
    }
    if (len >= 2 && v[0] == '"' && v[len - 1] == '"') {
        v++;
        len -= 2;
    }
    copy(r->etag, sizeof r->etag, v, len);
}

static bool take_number(uint64_t *out, const char *v, size_t len)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (v[i] < '0' || v[i] > '9' || n > (UINT64_MAX >> 1) / 10)
            return false;
        n = n * 10 + (uint64_t)(v[i] - '0');
    }
    *out = n;
    return len > 0;
}

/* "bytes 100-199/200" */
static void take_range(axl__reply *r, const char *v, size_t len)
{
    const char *dash = memchr(v, '-', len), *slash = memchr(v, '/', len);

    if (len < 7 || memcmp(v, "bytes ", 6) != 0 || !dash || !slash)
        return;
    take_number(&r->start, v + 6, (size_t)(dash - v) - 6);
    if (!r->linked_size)
        r->has_size = take_number(&r->size, slash + 1, len - (size_t)(slash - v) - 1);
}

/* name is in lower case.  x-linked-* are the Hub's own of a file that lies elsewhere, and win over
 * those of a redirect's answer, which are of the answer itself; a 206's length is of a part. */
static void take_header(axl__reply *r, const char *name, const char *v, size_t len)
{
    if (strcmp(name, "x-linked-etag") == 0) {
        take_etag(r, v, len);
        r->linked_etag = true;
    } else if (strcmp(name, "etag") == 0 && !r->linked_etag) {
        take_etag(r, v, len);
    } else if (strcmp(name, "x-linked-size") == 0) {
        r->linked_size = true; /* one that is no number leaves none */
        r->has_size = take_number(&r->size, v, len);
    } else if (strcmp(name, "content-length") == 0 && !r->linked_size && r->code != 206) {
        r->has_size = take_number(&r->size, v, len);
    } else if (strcmp(name, "content-range") == 0) {
        take_range(r, v, len);
    } else if (strcmp(name, "x-error-code") == 0) {
        copy(r->error_code, sizeof r->error_code, v, len);
    }
}

/* Called once a line, of each answer of a chain: a status line begins the next. */
static size_t on_header(char *line, size_t unit, size_t len, void *user)
{
    axl__http *h = user;
    char name[32];
    const char *colon = memchr(line, ':', len);
    size_t all = len * unit, n = colon ? (size_t)(colon - line) : 0;

    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
        memset(h->reply, 0, sizeof *h->reply);
        curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->reply->code);
        return all;
    }
    if (n == 0 || n >= sizeof name)
        return all;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] + ('a' - 'A') : line[i]);
    name[n] = '\0';
    const char *v = colon + 1;
    size_t left = len - n - 1;
    while (left > 0 && (unsigned char)v[left - 1] <= ' ')
        left--;
    while (left > 0 && (unsigned char)*v <= ' ') {
        v++;
        left--;
    }
    take_header(h->reply, name, v, left);
    return all;
}

/* ---- its body ---- */

/* A return other than the length ends the transfer; why is in h->status. */
static size_t on_body(char *data, size_t unit, size_t len, void *user)
{
    axl__http *h = user;
    long code = 0;

    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &code);
    h->reply->code = code;
    if (h->request->sink && (code == 200 || code == 206))
        h->status = h->request->sink(h->request->user, h->reply, data, len * unit);
    h->reply->sent += len * unit;
    return h->status == AXL_OK ? len * unit : 0;
}

/* libcurl calls it about once a second even when nothing moves, and so a cancel is seen. */
static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    axl__http *h = user;
    const axl__http_request *q = h->request;

    long code = 0;

    (void)total, (void)up_total, (void)up_now;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &code);
    if (now > IDLE_BYTES && code >= 300 && h->status == AXL_OK) /* nobody reads what goes with it */
        h->status = axl__fail(AXL_ERR_IO, "the answer with the code %ld has no end", code);
    if (h->status == AXL_OK)
        h->status =
            q->done ? axl__poll(h->ctx, "download", *q->done, q->total) : axl__cancelled(h->ctx);
    return h->status != AXL_OK;
}

/* ---- life ---- */

static axl_status add_header(axl__http *h, const char *name, const char *value)
{
    char *line = axl__format(h->ctx, "%s: %s", name, value);
    struct curl_slist *more = line ? curl_slist_append(h->headers, line) : NULL;

    axl__free(h->ctx, line);
    if (!more)
        return axl__fail_nomem();
    h->headers = more;
    return AXL_OK;
}

/* A line break in it would begin a header of its own. */
static axl_status add_token(axl__http *h, const axl__hub_env *env)
{
    if (!env->token)
        return AXL_OK;
    for (const char *p = env->token; *p; p++)
        if (*p <= ' ' || *p > '~')
            return axl__fail(AXL_ERR_INVALID,
                             "the Hugging Face token of %s has a character that "
                             "no token has",
                             env->token_from);
    char *value = axl__format(h->ctx, "Bearer %s", env->token);
    if (!value)
        return axl__fail_nomem();
    axl_status status = add_header(h, "Authorization", value);
    axl__free(h->ctx, value);
    return status;
}

/* Libraries before 7.85 know protocols as numbers alone. */
#if CURL_AT_LEAST_VERSION(7, 85, 0)
static void allow_protocols(CURL *c, bool secure)
{
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
}
#else
static void allow_protocols(CURL *c, bool secure)
{
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS,
                     (long)(secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
}
#endif

/* An https address is never left for http, where the answer could be anyone's. */
static void set_options(axl__http *h, const char *address)
{
    CURL *c = h->curl;

    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L); /* handlers are the host's */
    allow_protocols(c, axl__starts_with(address, "https:"));
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "axl");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

axl_status axl__http_open(axl__http **out, axl_context *ctx, const char *address)
{
    const axl__hub_env *env = axl__context_hub(ctx);
    axl__http *h = axl__calloc(ctx, 1, sizeof *h);

    *out = NULL;
    if (!h)
        return axl__fail_nomem();
    h->ctx = ctx;
    h->curl = curl_easy_init();
    axl_status status = h->curl ? AXL_OK : axl__fail_nomem();
    if (status == AXL_OK && !address)
        status = add_token(h, env);
    if (status != AXL_OK) {
        axl__http_close(h);
        return status;
    }
    set_options(h, address ? address : env->endpoint);
    *out = h;
    return AXL_OK;
}

void axl__http_close(axl__http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->headers);
    axl__free(h->ctx, h);
}

/* ---- asking ---- */

/* What libcurl could not reach or trust at all will not be there a second later; what broke on the
 * way may. */
static axl_status failed(const axl__http *h, CURLcode code)
{
    const char *why = h->error[0] ? h->error : curl_easy_strerror(code);
    const char *host = strstr(h->request->url, "://");

    host = host ? host + 3 : h->request->url;
    h->reply->again = code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_CONNECT &&
                      code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CACERT_BADFILE &&
                      code != CURLE_UNSUPPORTED_PROTOCOL && code != CURLE_URL_MALFORMAT;
    if (code == CURLE_OUT_OF_MEMORY)
        return axl__fail_nomem();
    return axl__fail(AXL_ERR_IO, "cannot load from %.*s: %s", (int)strcspn(host, "/"), host, why);
}

static axl_status ask_once(axl__http *h, const char *url)
{
    char range[48];
    CURL *c = h->curl;
    const axl__http_request *q = h->request;

    memset(h->reply, 0, sizeof *h->reply);
    h->error[0] = '\0';
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOBODY, q->sink ? 0L : 1L);
    if (q->sink)
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, q->sink ? 1L : 0L);
    /* Not RESUME_FROM, which fails where the server sends the whole. */
    int n = snprintf(range, sizeof range, "%llu-", (unsigned long long)q->from);
    if (q->until > 0)
        snprintf(range + n, sizeof range - (size_t)n, "%llu", (unsigned long long)q->until - 1);
    curl_easy_setopt(c, CURLOPT_RANGE, q->from > 0 || q->until > 0 ? range : NULL);
    CURLcode code = curl_easy_perform(c);
    if (h->status != AXL_OK)
        return h->status;
    if (code != CURLE_OK)
        return failed(h, code);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &h->reply->code);
    return AXL_OK;
}

/* Where a redirect that stays on the server leads; NULL when it leaves, or there is none. */
static const char *stays(axl__http *h, const char *url)
{
    char *to = NULL;
    const char *path = strstr(url, "://");
    size_t host = path ? (size_t)(path - url) + 3 : 0;

    host += strcspn(url + host, "/");
    curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &to);
    return to && strncmp(to, url, host) == 0 && to[host] == '/' ? to : NULL;
}

/* Headers alone: redirects are followed here and only within the server (a renamed repository),
 * because the answer that leads to the storage is the one that has the Hub's own headers. */
axl_status axl__http_ask(axl__http *h, const axl__http_request *request, axl__reply *reply)
{
    const char *next = request->url;
    axl_status status = AXL_OK;
    char *url = NULL;

    h->request = request;
    h->reply = reply;
    h->status = AXL_OK;
    for (int i = 0; next && status == AXL_OK && i <= REDIRECTS; i++) {
        char *to = axl__strdup(h->ctx, next);
        axl__free(h->ctx, url);
        url = to;
        status = url ? ask_once(h, url) : axl__fail_nomem();
        next = status == AXL_OK && !request->sink ? stays(h, url) : NULL;
    }
    axl__free(h->ctx, url);
    return status;
}
