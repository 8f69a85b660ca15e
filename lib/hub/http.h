/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - requests to the Hub or another server, one after the other on one connection. */
#ifndef AXL_HUB_HTTP_H
#define AXL_HUB_HTTP_H

#include "base/ctx.h"

#include <stdbool.h>
#include <stdint.h>

enum { AXL__ETAG_MAX = 200 };

typedef struct axl__http axl__http;

/* What the last answer of a chain of redirects said.  Filled header by header, and valid for a sink
 * from the first byte on; a new answer begins with all of it zero. */
typedef struct axl__reply {
    long code;                /* 0: no answer */
    char etag[AXL__ETAG_MAX]; /* without quotes; of the file itself, not of a redirect; "" none */
    char error_code[64];      /* X-Error-Code, such as "GatedRepo" */
    uint64_t size;            /* of the whole file */
    uint64_t start;           /* of the bytes sent, in the file */
    uint64_t sent;            /* how many of them the sink has had */
    bool has_size;
    bool linked_etag, linked_size; /* the Hub's own headers, which win */
    bool again;                    /* the connection broke: asking again may help */
} axl__reply;

/* Takes bytes of an answer with code 200 or 206; AXL_END: no more are wanted. */
typedef axl_status (*axl__http_sink)(void *user, const axl__reply *reply, const void *data,
                                     size_t len);

typedef struct axl__http_request {
    const char *url;
    uint64_t from;       /* > 0: the bytes from there on */
    uint64_t until;      /* > 0: and before there; a server may send the whole all the same */
    axl__http_sink sink; /* NULL: only the headers are asked for, redirects away not followed */
    void *user;
    const uint64_t *done; /* of total, for progress; NULL: not told */
    uint64_t total;
} axl__http_request;

/* The version of libcurl; NULL in a build without it. */
const char *axl__http_library(void);

/* For the Hub, with its token (address NULL), or for one address, without any.  Where it is https
 * no redirect leads to http. */
axl_status axl__http_open(axl__http **out, axl_context *ctx, const char *address);
void axl__http_close(axl__http *http);

/* AXL_OK for every answer, whatever its code; or what a sink returned.  AXL_ERR_IO: no or half an
 * answer; the message names the host. */
axl_status axl__http_ask(axl__http *http, const axl__http_request *request, axl__reply *reply);

#endif
