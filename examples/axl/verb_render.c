/* SPDX-License-Identifier: Apache-2.0 */
/* verb_render.c - a chat template and a JSON object to the text. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static int print_rendered(const tool *t, const axl_template *tpl, const char *context, size_t len)
{
    axl_buffer text = AXL_BUFFER_INIT;
    axl_status status = axl_template_render(tpl, context, len, NULL, &text);

    if (status == AXL_OK)
        fwrite(text.data, 1, text.length, stdout);
    axl_buffer_free(&text);
    return tool_status(t, status);
}

/* A word that names no file may name a built-in template. */
static axl_status open_template(const tool *t, const char *name, axl_template **out)
{
    axl_status status = axl_template_open(out, t->ctx, name);

    if (status == AXL_ERR_NOT_FOUND && !strpbrk(name, "./"))
        status = axl_template_open_builtin(out, t->ctx, name);
    return status;
}

int verb_render(tool *t, int argc, char **argv)
{
    const char *model = NULL, *file = NULL, *context = NULL;
    const tool_option options[] = {
        { "model", OPTION_VALUE, NULL, &model, "DIR",
          "a model's folder: its chat template, with its bos_token and the like" },
        { "template", OPTION_VALUE, NULL, &file, "FILE",
          "a template's text, or the name of a built-in one (chatml, llama3, qwen3, ...)" },
        { "context", OPTION_VALUE, NULL, &context, "FILE",
          "a JSON object, the variables; - is standard input" },
        OPTIONS_END,
    };
    axl_template *tpl = NULL;
    size_t len = 0;
    int code = tool_parse(t, argc, argv, 2, options, false);

    if (code != EXIT_DONE || t->help)
        return code;
    code = tool_at_most(t, 0);
    if (code != EXIT_DONE)
        return code;
    if (!model == !file)
        return tool_fail(t, "one of --model DIR and --template FILE is needed");
    if (!context)
        return tool_fail(t, "--context FILE is needed: a JSON object with the variables");
    code = tool_context(t, NULL);
    if (code != EXIT_DONE)
        return code;
    axl_status status =
        model ? axl_template_open(&tpl, t->ctx, model) : open_template(t, file, &tpl);
    if (status < 0)
        return tool_status(t, status);
    char *text = tool_read(t, context, &len);
    code = text ? print_rendered(t, tpl, text, len) : EXIT_INPUT;
    free(text);
    axl_template_free(tpl);
    return code;
}
