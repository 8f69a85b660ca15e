/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_hub.c - the answers of a Hub, as text: a status line, headers, an empty line, a body; a line
 * "%%" ends one.  They are given out in order by the few functions of libcurl that axl calls, which
 * this file defines anew.  The first byte says whether the headers of weights will do.
 */
#include "fuzz.h"

#include "base/os.h"
#include "hub/hub.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 100, URL_MAX = 512 };

typedef size_t take_fn(char *data, size_t unit, size_t len, void *user);

/* The one "connection": what was set, what is left to answer, what the last answer said. */
static struct {
    const char *at, *end;
    take_fn *on_header, *on_body;
    curl_xferinfo_callback on_progress;
    void *header_user, *body_user, *progress_user;
    long no_body, follow, code;
    char redirect[URL_MAX];
} hub;

/* ---- libcurl's part ---- */

CURL *(curl_easy_init)(void)
{
    return (CURL *)&hub;
}

void(curl_easy_cleanup)(CURL *c)
{
    (void)c;
}

CURLcode(curl_easy_setopt)(CURL *c, CURLoption option, ...)
{
    va_list args;

    (void)c;
    va_start(args, option);
    switch ((int)option) {
    case CURLOPT_HEADERFUNCTION: hub.on_header = va_arg(args, take_fn *); break;
    case CURLOPT_HEADERDATA: hub.header_user = va_arg(args, void *); break;
    case CURLOPT_WRITEFUNCTION: hub.on_body = va_arg(args, take_fn *); break;
    case CURLOPT_WRITEDATA: hub.body_user = va_arg(args, void *); break;
    case CURLOPT_XFERINFOFUNCTION: hub.on_progress = va_arg(args, curl_xferinfo_callback); break;
    case CURLOPT_XFERINFODATA: hub.progress_user = va_arg(args, void *); break;
    case CURLOPT_NOBODY: hub.no_body = va_arg(args, long); break;
    case CURLOPT_FOLLOWLOCATION: hub.follow = va_arg(args, long); break;
    }
    va_end(args);
    return CURLE_OK;
}

CURLcode(curl_easy_getinfo)(CURL *c, CURLINFO what, ...)
{
    va_list args;

    (void)c;
    va_start(args, what);
    if (what == CURLINFO_RESPONSE_CODE)
        *va_arg(args, long *) = hub.code;
    else if (what == CURLINFO_REDIRECT_URL)
        *va_arg(args, char **) = hub.redirect[0] ? hub.redirect : NULL;
    va_end(args);
    return CURLE_OK;
}

/* The next line, its end counted, or what is left. */
static size_t line_length(void)
{
    size_t left = (size_t)(hub.end - hub.at);
    const char *newline = memchr(hub.at, '\n', left);

    return newline ? (size_t)(newline - hub.at) + 1 : left;
}

static void note_redirect(const char *line, size_t len)
{
    static const char name[] = "Location: ";

    if (len > sizeof name && memcmp(line, name, sizeof name - 1) == 0)
        snprintf(hub.redirect, sizeof hub.redirect, "%.*s", (int)(len - sizeof name),
                 line + sizeof name - 1);
}

/* What stands before the empty line; false when the answer has none. */
static bool give_headers(void)
{
    hub.code = 0;
    hub.redirect[0] = '\0';
    while (hub.at < hub.end) {
        size_t n = line_length();
        char *line = malloc(n); /* just so long, and libcurl's callback may write */
        fuzz_must(line != NULL, "memory");
        memcpy(line, hub.at, n);
        hub.at += n;
        if (n > 12 && memcmp(line, "HTTP/1.1 ", 9) == 0) {
            hub.code = 0;
            for (int i = 9; i < 12 && line[i] >= '0' && line[i] <= '9'; i++)
                hub.code = hub.code * 10 + (line[i] - '0');
        }
        note_redirect(line, n);
        hub.on_header(line, 1, n, hub.header_user);
        bool last = n <= 2 && (line[0] == '\n' || line[0] == '\r');
        free(line);
        if (last)
            return hub.code > 0;
    }
    return false;
}

/* Up to the line "%%". */
static bool give_body(bool skip)
{
    while (hub.at < hub.end) {
        size_t n = line_length();
        const char *line = hub.at;
        hub.at += n;
        if (n >= 2 && line[0] == '%' && line[1] == '%')
            return true;
        for (size_t i = 0; i < n && !skip; i += PIECE) {
            char piece[PIECE];
            size_t len = n - i < PIECE ? n - i : PIECE;
            memcpy(piece, line + i, len);
            if (hub.on_body(piece, 1, len, hub.body_user) != len)
                return false;
        }
    }
    return true;
}

CURLcode(curl_easy_perform)(CURL *c)
{
    (void)c;
    if (hub.on_progress(hub.progress_user, 0, 0, 0, 0) != 0)
        return CURLE_ABORTED_BY_CALLBACK;
    do {
        if (hub.at >= hub.end)
            return CURLE_COULDNT_CONNECT;
        if (!give_headers())
            return CURLE_RECV_ERROR;
        bool moved = hub.follow && hub.redirect[0] && hub.code >= 300 && hub.code < 400;
        if (!give_body(hub.no_body || moved))
            return CURLE_WRITE_ERROR;
        if (!moved)
            return CURLE_OK;
    } while (true);
}

/* ---- axl's part ---- */

/* Linked in the place of axl__sleep: a pause before another try takes no time. */
void __wrap_axl__sleep(double seconds);
void __wrap_axl__sleep(double seconds)
{
    (void)seconds;
}

/* With a cache of its own, and the network allowed. */
static axl_context *hub_context(void)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    char *cache = fuzz_path("hub");
    axl_context *ctx;

    setenv("HF_HUB_CACHE", cache, 1);
    setenv("HF_ENDPOINT", "http://hub", 1);
    setenv("HF_TOKEN", "hf_secret", 1);
    unsetenv("HF_HUB_OFFLINE");
    unsetenv("TRANSFORMERS_OFFLINE");
    o.threads = 1;
    o.allow_network = 1;
    fuzz_must(axl_context_new(&ctx, &o) == AXL_OK, "a context");
    free(cache);
    return ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static axl_context *ctx;
    axl__hub_wish wish = { .name = "org/name", .kind = "models", .pick = axl__hub_pick_model };
    char *dir;

    if (!ctx)
        ctx = hub_context();
    fuzz_remove("hub");
    wish.headers = fuzz_pick(&data, &size, 2) == 1;
    hub.at = (const char *)data;
    hub.end = hub.at + size;
    axl_status status = axl__hub_resolve(ctx, &wish, &dir);
    fuzz_must((status == AXL_OK) == (dir != NULL), "a folder or a failure");
    free(dir);
    return 0;
}
