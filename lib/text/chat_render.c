/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_render.c - see chat_render.h.  The choice is that of Axolotl's utils/chat_templates/base.py,
 * the variables those of transformers' apply_chat_template.
 */
#include "chat_render.h"

#include "base/json_make.h"
#include "base/os_file.h"
#include "chat/chat_templates.h"
#include "config/config.h"
#include "tokenizer.h"

#include <string.h>

/* ---- which template ---- */

/* A text that names a file is what stands in it. */
static axl_status put_jinja(axl__str *out, const axl__chat_choice *choice)
{
    axl__file file;
    axl_status status = AXL_OK;
    char *path = axl__config_path(choice->cfg, choice->jinja);

    if (!path)
        return axl__fail_nomem();
    if (strchr(choice->jinja, '\n') || axl__path_kind_of(path) != AXL__PATH_FILE) {
        axl__str_puts(out, choice->jinja);
    } else {
        status = axl__file_open(&file, out->ctx, path, true);
        if (status == AXL_OK) {
            axl__str_put(out, file.data, file.size);
            axl__file_close(&file);
        }
    }
    axl__free(out->ctx, path);
    return status == AXL_OK ? axl__str_status(out) : status;
}

static axl_status put_builtin(axl__str *out, const char *name)
{
    const char *source;

    AXL_TRY(axl__chat_template_builtin(name, &source));
    axl__str_puts(out, source);
    return axl__str_status(out);
}

static const char fallback[] = "tokenizer_default_fallback_";

axl_status axl__chat_look(const char *name)
{
    const char *source;

    if (axl__starts_with(name, fallback))
        name += strlen(fallback);
    else if (strcmp(name, "jinja") == 0 || strcmp(name, "tokenizer_default") == 0)
        return AXL_OK;
    return axl__chat_template_builtin(name, &source);
}

axl_status axl__chat_source(axl__str *out, const axl__chat_choice *choice, const axl_tokenizer *tok)
{
    const char *name = choice->name ? choice->name : choice->jinja ? "jinja" : "tokenizer_default";
    bool falls = axl__starts_with(name, fallback);

    if (strcmp(name, "jinja") == 0)
        return choice->jinja ? put_jinja(out, choice)
                             : axl__fail(AXL_ERR_INVALID, "chat_template is jinja, and "
                                                          "chat_template_jinja is not set");
    if (!falls && strcmp(name, "tokenizer_default") != 0)
        return put_builtin(out, name);
    axl_status status = axl__tokenizer_chat_template(tok, out);
    if (status != AXL_END)
        return status;
    if (falls)
        return put_builtin(out, name + strlen(fallback));
    return axl__fail(AXL_ERR_INVALID,
                     "the tokenizer has no chat template of its own; set chat_template to the name "
                     "of one, for example %schatml",
                     fallback);
}

/* ---- variables ---- */

static axl_status put_yaml(axl__json_maker *to, const axl__yaml *y)
{
    static const axl__json_type types[] = {
        [AXL__YAML_NULL] = AXL__JSON_NULL,     [AXL__YAML_BOOL] = AXL__JSON_BOOL,
        [AXL__YAML_INT] = AXL__JSON_INT,       [AXL__YAML_FLOAT] = AXL__JSON_FLOAT,
        [AXL__YAML_STRING] = AXL__JSON_STRING, [AXL__YAML_LIST] = AXL__JSON_ARRAY,
        [AXL__YAML_MAP] = AXL__JSON_OBJECT
    };
    axl__json value = { .type = types[y->type],
                        .boolean = y->boolean,
                        .integer = y->integer,
                        .number = y->number,
                        .text = y->text,
                        .len = y->len };
    axl__json *made = axl__json_put(to, y->key, &value);

    if (!made)
        return axl__fail_nomem();
    axl__json_maker inner = { to->arena, made, NULL };
    for (const axl__yaml *v = y->child; v; v = v->next)
        AXL_TRY(put_yaml(&inner, v));
    return AXL_OK;
}

/* What transformers gives every template, unless a conversation has it; chat_template_kwargs win
 * over the special tokens. */
static axl_status make_variables(axl__chat *chat, const axl__yaml *kwargs, const axl_tokenizer *tok)
{
    static const char *const names[][2] = { { "bos", "bos_token" },  { "eos", "eos_token" },
                                            { "unk", "unk_token" },  { "sep", "sep_token" },
                                            { "pad", "pad_token" },  { "cls", "cls_token" },
                                            { "mask", "mask_token" } };
    static const axl__json none = { .type = AXL__JSON_NULL }, no = { .type = AXL__JSON_BOOL };
    axl__json_maker m;

    chat->variables = axl__arena_alloc(&chat->arena, sizeof *chat->variables);
    if (!chat->variables)
        return axl__fail_nomem();
    axl__json_make(&m, &chat->arena, chat->variables, AXL__JSON_OBJECT);
    if (!axl__json_put(&m, "tools", &none) || !axl__json_put(&m, "documents", &none) ||
        !axl__json_put(&m, "add_generation_prompt", &no))
        return axl__fail_nomem();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = axl__tokenizer_special_text(tok, names[i][0]);
        axl__json value = axl__json_text(text, text ? strlen(text) : 0);
        if (text && !axl__json_put(&m, names[i][1], &value))
            return axl__fail_nomem();
    }
    for (const axl__yaml *v = kwargs ? kwargs->child : NULL; v; v = v->next)
        AXL_TRY(put_yaml(&m, v));
    return AXL_OK;
}

static axl_status choose_date(axl__chat *chat, const axl_config *cfg)
{
    const char *text = cfg ? axl__cfg_str_or(cfg, "axl.date", NULL) : NULL;

    chat->now = axl__utc((int64_t)axl__wall_time());
    if (!text || axl__date_read(text, &chat->now))
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID, "axl.date: \"%.100s\" is no date; write 2026-11-28", text);
}

/* ---- life ---- */

static axl_status open_chat(axl__chat *chat, const axl__chat_choice *choice,
                            const axl_tokenizer *tok)
{
    AXL_TRY(axl__chat_source(&chat->source, choice, tok));
    AXL_TRY(choose_date(chat, choice->cfg));
    AXL_TRY(make_variables(chat, choice->kwargs, tok));
    return axl__jinja_parse(&chat->jinja, chat->ctx, "chat template", axl__str_text(&chat->source),
                            chat->source.len);
}

axl_status axl__chat_open(axl__chat *chat, const axl__chat_choice *choice, const axl_tokenizer *tok)
{
    *chat = (axl__chat){ .ctx = axl__tokenizer_context(tok) };
    axl__arena_init(&chat->arena, chat->ctx);
    axl__str_init(&chat->source, chat->ctx);
    axl_status status = open_chat(chat, choice, tok);
    if (status != AXL_OK)
        axl__chat_close(chat);
    return status;
}

void axl__chat_close(axl__chat *chat)
{
    axl__jinja_free(chat->jinja);
    axl__str_free(&chat->source);
    axl__arena_free(&chat->arena);
    chat->jinja = NULL;
}

bool axl__chat_tells_date(const axl__chat *chat)
{
    return strstr(axl__str_text(&chat->source), "strftime_now") != NULL;
}

/* ---- rendering ---- */

axl_status axl__chat_render_object(const axl__chat *chat, const axl__json *object,
                                   const axl__jinja_options *options, axl__str *out)
{
    axl__jinja_options o = *options;

    o.extra = chat->variables;
    return axl__jinja_render(chat->jinja, object, &o, out);
}

axl_status axl__chat_render(const axl__chat *chat, const axl__json *messages,
                            const axl__json *tools, bool add_generation_prompt, axl__str *out)
{
    static const axl__json none = { .type = AXL__JSON_NULL };
    axl__json members[] = { *messages,
                            tools ? *tools : none,
                            { .type = AXL__JSON_BOOL, .boolean = add_generation_prompt } };
    static const char *const names[] = { "messages", "tools", "add_generation_prompt" };
    enum { N = sizeof members / sizeof members[0] };
    axl__json context = { .type = AXL__JSON_OBJECT, .count = N, .child = members };
    axl__jinja_options options = { .now = chat->now };

    for (size_t i = 0; i < N; i++) {
        members[i].key = names[i];
        members[i].key_len = strlen(names[i]);
        members[i].next = i + 1 < N ? &members[i + 1] : NULL;
    }
    return axl__chat_render_object(chat, &context, &options, out);
}
