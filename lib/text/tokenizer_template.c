/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_template.c - the chat template that a tokenizer brings, or was given by a config. */
#include "tokenizer_priv.h"

#include <string.h>

/* A text, or of a list of {name, template} the one that is named "default". */
const axl__json *axl__chat_template_of(const axl__json *tokenizer_config)
{
    const axl__json *found = axl__json_get(tokenizer_config, "chat_template");

    for (const axl__json *v = found && found->type == AXL__JSON_ARRAY ? found->child : NULL; v;
         v = v->next)
        if (strcmp(axl__json_string(v, "name", ""), "default") == 0)
            found = axl__json_get(v, "template");
    return found && found->type == AXL__JSON_STRING ? found : NULL;
}

/* Appends a file whole; AXL_END where there is none. */
static axl_status put_file(const axl_tokenizer *t, const char *name, axl__str *out)
{
    axl__file file;
    axl_status status = axl__tokenizer_open_file(t, name, &file);

    if (status != AXL_OK)
        return status;
    axl__str_put(out, file.data, file.size);
    axl__file_close(&file);
    return axl__str_status(out);
}

static axl_status put_from_config(const axl_tokenizer *t, axl__str *out)
{
    axl__arena arena;
    axl__str text;
    axl__json *root;

    axl__arena_init(&arena, t->ctx);
    axl__str_init(&text, t->ctx);
    axl_status status = put_file(t, "tokenizer_config.json", &text);
    if (status == AXL_OK)
        status =
            axl__json_parse(&root, &arena, axl__str_text(&text), text.len, "tokenizer_config.json");
    if (status == AXL_OK) {
        const axl__json *found = axl__chat_template_of(root);
        if (found)
            axl__str_put(out, found->text, found->len);
        status = found ? axl__str_status(out) : AXL_END;
    }
    axl__str_free(&text);
    axl__arena_free(&arena);
    return status;
}

axl_status axl__tokenizer_chat_template(const axl_tokenizer *t, axl__str *out)
{
    if (t->chat_template.text) {
        axl__str_put(out, t->chat_template.text, t->chat_template.len);
        return axl__str_status(out);
    }
    if (t->bare)
        return AXL_END;
    axl_status status = put_file(t, "chat_template.jinja", out);
    return status == AXL_END ? put_from_config(t, out) : status;
}

axl_status axl__tokenizer_set_chat_template(axl_tokenizer *t, const char *text, size_t len)
{
    const char *kept = axl__arena_strndup(&t->arena, text, len);

    t->chat_template = (axl__slice){ kept, len };
    return kept ? AXL_OK : axl__fail_nomem();
}
