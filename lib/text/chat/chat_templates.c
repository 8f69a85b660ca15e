/* SPDX-License-Identifier: Apache-2.0 */
/* chat_templates.c - built-in chat templates by name. */
#include "chat_templates.h"

#include "chat_templates_priv.h"
#include "config/schema.h"

#include <stdio.h>
#include <string.h>

/* Names whose files are the same in Axolotl, too. */
static const struct {
    const char *name, *file;
} aliases[] = { { "aya", "cohere" }, { "gemma4_unified", "gemma4" } };
enum { N_ALIASES = sizeof aliases / sizeof aliases[0] };

/* Formats that are never without some kilobytes of their vendor's prose. */
static const char *const unsupported[] = { "command_a", "command_a_rag", "command_a_tool_use" };
enum { N_UNSUPPORTED = sizeof unsupported / sizeof unsupported[0] };

static void list_names(char *out, size_t room)
{
    size_t used = 0;

    for (size_t i = 0; i < axl__n_chat_templates && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "",
                                 axl__chat_templates[i].name);
    for (size_t i = 0; i < N_ALIASES && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, ", %s", aliases[i].name);
}

static axl_status unknown(const char *name)
{
    char names[AXL__ERROR_MAX / 2] = "", near[64];

    list_names(names, sizeof names);
    if (axl__nearest_value(names, name, near, sizeof near))
        return axl__fail(AXL_ERR_INVALID, "no built-in chat template \"%s\"; did you mean \"%s\"?",
                         name, near);
    return axl__fail(AXL_ERR_INVALID, "no built-in chat template \"%s\"; there are %s", name,
                     names);
}

static const char *file_of(const char *name)
{
    for (size_t i = 0; i < N_ALIASES; i++)
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].file;
    return name;
}

axl_status axl__chat_template_builtin(const char *name, const char **source)
{
    const char *file = file_of(name);

    *source = NULL;
    for (size_t i = 0; i < axl__n_chat_templates; i++) {
        if (strcmp(axl__chat_templates[i].name, file) == 0) {
            *source = axl__chat_templates[i].source;
            return AXL_OK;
        }
    }
    for (size_t i = 0; i < N_UNSUPPORTED; i++)
        if (strcmp(unsupported[i], name) == 0)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "the chat template %s is not built in, as most of its text is "
                             "Cohere's own; use the tokenizer's (tokenizer_default), or its text "
                             "as chat_template_jinja",
                             name);
    return unknown(name);
}
