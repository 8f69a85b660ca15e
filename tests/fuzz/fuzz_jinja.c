/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_jinja.c - a template's text, a NUL byte, and the JSON object that it is rendered with. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    axl_template_options o = AXL_TEMPLATE_OPTIONS_INIT;
    const uint8_t *cut = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = cut ? (size_t)(cut - data) : size;
    const char *context = cut && len + 1 < size ? (const char *)cut + 1 : "{}";
    size_t context_len = cut && len + 1 < size ? size - len - 1 : 2;
    axl_buffer out = AXL_BUFFER_INIT;
    axl_template *tpl;

    o.time = 1707462303;
    o.max_steps = 20000;
    o.max_output = 1 << 20;
    o.max_memory = 8 << 20;
    axl_status status = axl_template_new(&tpl, fuzz_context(), (const char *)data, len, "fuzz");
    fuzz_must((status == AXL_OK) == (tpl != NULL), "a template or a failure");
    if (tpl && axl_template_render(tpl, context, context_len, &o, &out) == AXL_OK)
        fuzz_read_all(out.data, out.length);
    axl_buffer_free(&out);
    axl_template_free(tpl);
    return 0;
}
