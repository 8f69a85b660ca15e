/* SPDX-License-Identifier: Apache-2.0 */
/* http_none.c - http.h in a build without libcurl. */
#include "http.h"

const char *axl__http_library(void)
{
    return NULL;
}

axl_status axl__http_open(axl__http **out, axl_context *ctx, const char *address)
{
    (void)ctx;
    (void)address;
    *out = NULL;
    return axl__fail(AXL_ERR_UNSUPPORTED, "this build of axl cannot download: it was made without "
                                          "libcurl");
}

void axl__http_close(axl__http *http)
{
    (void)http;
}

axl_status axl__http_ask(axl__http *http, const axl__http_request *request, axl__reply *reply)
{
    (void)http;
    (void)request;
    (void)reply;
    return AXL_ERR_INTERNAL; /* nothing was opened */
}
