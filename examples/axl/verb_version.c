/* SPDX-License-Identifier: Apache-2.0 */
/* verb_version.c - what is installed. */
#include "tool.h"

int verb_version(tool *t, int argc, char **argv)
{
    bool json = false;
    const tool_option options[] = {
        { "json", OPTION_FLAG, &json, NULL, NULL,
          "version, ABI, backends, instruction set and libraries as one JSON object" },
        OPTIONS_END,
    };
    axl_buffer about = AXL_BUFFER_INIT;
    int code = tool_parse(t, argc, argv, 2, options, false);

    if (code != EXIT_DONE || t->help)
        return code;
    code = tool_at_most(t, 0);
    if (code == EXIT_DONE)
        code = tool_context(t, NULL);
    if (code != EXIT_DONE)
        return code;
    axl_status status = axl_describe(t->ctx, json ? 1 : 0, &about);
    if (status == AXL_OK)
        puts(about.data);
    axl_buffer_free(&about);
    return tool_status(t, status);
}
