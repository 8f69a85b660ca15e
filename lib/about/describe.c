/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - versions and choices, for `axl version` and bug reports. */
#include "base/str.h"
#include "base/structs.h"
#include "data/read/source.h"
#include "hub/http.h"
#include "tensor/registry.h"

#define PCRE2_CODE_UNIT_WIDTH 8

#include <cjson/cJSON.h>
#include <pcre2.h>
#include <yaml.h>
#include <zlib.h>

#include <string.h>

typedef struct list {
    axl__str *s;
    const char *quote, *between; /* before the next name */
} list;

static axl_status describe_name(void *arg, const char *name)
{
    list *l = arg;

    axl__str_putf(l->s, "%s%s%s%s", l->between, l->quote, name, l->quote);
    l->between = ", ";
    return AXL_OK;
}

static axl_status describe_backends(axl__str *s, axl_context *ctx, const char *quote)
{
    list l = { s, quote, "" };

    return axl__backend_each(ctx, describe_name, &l);
}

/* Without the date that is behind it. */
static void pcre2_version(char out[32])
{
    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) > 32 ||
        pcre2_config(PCRE2_CONFIG_VERSION, out) < 0)
        out[0] = '\0';
    out[strcspn(out, " ")] = '\0';
}

/* An optional library and its version, or null. */
static void put_library(axl__str *s, const char *name, const char *version)
{
    axl__str_putf(s, ", \"%s\": ", name);
    if (version)
        axl__str_put_json(s, version, strlen(version));
    else
        axl__str_puts(s, "null");
}

static axl_status describe_json(axl__str *s, axl_context *ctx, const axl_device_info *d)
{
    char pcre2[32];

    axl__str_putf(s, "{\"version\": \"%s\", \"abi\": %u, \"backends\": [", AXL_VERSION,
                  (unsigned)AXL_ABI_VERSION);
    AXL_TRY(describe_backends(s, ctx, "\""));
    axl__str_putf(s, "], \"isa\": \"%s\", \"libraries\": {\"matmul\": ", axl_context_isa(ctx));
    axl__str_put_json(s, d->matmul, strlen(d->matmul));
    pcre2_version(pcre2);
    axl__str_putf(s,
                  ", \"libyaml\": \"%s\", \"cjson\": \"%s\", \"pcre2\": \"%s\", \"zlib\": \"%s\"",
                  yaml_get_version_string(), cJSON_Version(), pcre2, zlibVersion());
    put_library(s, "libcurl", axl__http_library());
    put_library(s, "libzstd", axl__zstd_version());
    put_library(s, "liblz4", axl__lz4_version());
    axl__str_puts(s, "}}");
    return AXL_OK;
}

static axl_status describe_text(axl__str *s, axl_context *ctx, const axl_device_info *d)
{
    const char *curl = axl__http_library(), *zstd = axl__zstd_version(), *lz4 = axl__lz4_version();
    char pcre2[32];

    pcre2_version(pcre2);
    axl__str_putf(s, "axl %s (ABI %u)\nbackends: ", AXL_VERSION, (unsigned)AXL_ABI_VERSION);
    AXL_TRY(describe_backends(s, ctx, ""));
    axl__str_putf(
        s, "\nisa: %s\nmatmul: %s\nlibyaml %s, cJSON %s, PCRE2 %s, zlib %s, %s%s, %s%s, %s%s",
        axl_context_isa(ctx), d->matmul, yaml_get_version_string(), cJSON_Version(), pcre2,
        zlibVersion(), curl ? "libcurl " : "no libcurl", curl ? curl : "",
        zstd ? "libzstd " : "no libzstd", zstd ? zstd : "", lz4 ? "liblz4 " : "no liblz4",
        lz4 ? lz4 : "");
    return AXL_OK;
}

axl_status axl_describe(axl_context *ctx, uint32_t json, axl_buffer *out)
{
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_device_info info;
    axl__str s;

    AXL_TRY(axl__context_enter(ctx));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    AXL_TRY(axl__device_get(&ops, &dev, ctx, "cpu", 0));
    ops->device_info(dev, &info);
    axl__str_init(&s, ctx);
    axl_status status = json ? describe_json(&s, ctx, &info) : describe_text(&s, ctx, &info);
    if (status == AXL_OK)
        status = axl__str_to_buffer(&s, out);
    axl__str_free(&s);
    axl__device_put(ctx, ops, dev);
    return status;
}
