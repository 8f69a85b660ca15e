/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - versions and choices, for `axl version` and bug reports. */
#include "base/str.h"
#include "base/structs.h"
#include "hub/http.h"
#include "tensor/backend.h"

#include <cjson/cJSON.h>
#include <yaml.h>
#include <zlib.h>

#include <string.h>

static void describe_json(axl__str *s, axl_context *ctx, const axl_device_info *d)
{
    const char *curl = axl__http_library();

    axl__str_putf(s,
                  "{\"version\": \"%s\", \"abi\": %u, \"backends\": [\"cpu\", \"reference\"], "
                  "\"isa\": \"%s\", \"libraries\": {\"matmul\": ",
                  AXL_VERSION, (unsigned)AXL_ABI_VERSION, axl_context_isa(ctx));
    axl__str_put_json(s, d->matmul, strlen(d->matmul));
    axl__str_putf(s, ", \"libyaml\": \"%s\", \"cjson\": \"%s\", \"zlib\": \"%s\", \"libcurl\": ",
                  yaml_get_version_string(), cJSON_Version(), zlibVersion());
    if (curl)
        axl__str_put_json(s, curl, strlen(curl));
    else
        axl__str_puts(s, "null");
    axl__str_puts(s, "}}");
}

static void describe_text(axl__str *s, axl_context *ctx, const axl_device_info *d)
{
    const char *curl = axl__http_library();

    axl__str_putf(s,
                  "axl %s (ABI %u)\nbackends: cpu, reference\nisa: %s\nmatmul: %s\n"
                  "libyaml %s, cJSON %s, zlib %s, %s%s",
                  AXL_VERSION, (unsigned)AXL_ABI_VERSION, axl_context_isa(ctx), d->matmul,
                  yaml_get_version_string(), cJSON_Version(), zlibVersion(),
                  curl ? "libcurl " : "no libcurl", curl ? curl : "");
}

axl_status axl_describe(axl_context *ctx, uint32_t json, axl_buffer *out)
{
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_device_info info;
    axl__str s;

    AXL_TRY(axl__context_enter(ctx));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    AXL_TRY(axl__backend_find(&ops, "cpu"));
    AXL_TRY(ops->device_open(&dev, ctx, 0));
    ops->device_info(dev, &info);
    axl__str_init(&s, ctx);
    if (json)
        describe_json(&s, ctx, &info);
    else
        describe_text(&s, ctx, &info);
    axl_status status = axl__str_to_buffer(&s, out);
    axl__str_free(&s);
    ops->device_close(dev);
    return status;
}
