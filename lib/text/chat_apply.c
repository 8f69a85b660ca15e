/* SPDX-License-Identifier: Apache-2.0 */
/* chat_apply.c - a tokenizer's own chat template, for hosts. */
#include "chat_render.h"

#include "base/ctx.h"
#include "base/json_make.h"
#include "base/structs.h"
#include "template.h"
#include "tokenizer.h"

#include <string.h>

static axl_status open_own(axl__chat *chat, const axl_tokenizer *tok)
{
    axl_status status =
        axl__chat_open(chat, &(axl__chat_choice){ .name = "tokenizer_default" }, tok);

    return status == AXL_ERR_INVALID ? AXL_ERR_NOT_FOUND : status;
}

/* A list is the messages; an object has them among its members. */
static axl_status parse_conversation(axl__arena *arena, const char *text, size_t length,
                                     axl__json *out)
{
    axl__json *tree;
    axl__json_maker m;

    AXL_TRY(axl__json_parse(&tree, arena, text, length, "conversation"));
    *out = *tree;
    if (tree->type == AXL__JSON_ARRAY) {
        axl__json_make(&m, arena, out, AXL__JSON_OBJECT);
        if (!axl__json_add(&m, "messages", tree))
            return axl__fail_nomem();
    }
    const axl__json *messages = axl__json_get(out, "messages");
    if (!messages || messages->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT,
                         "conversation: it must be a list of messages, or an object "
                         "with such a list as \"messages\"");
    return AXL_OK;
}

static axl_status apply(const axl__chat *chat, const char *conversation, size_t length,
                        const axl__jinja_options *options, axl__str *out)
{
    axl__arena arena;
    axl__json object;

    axl__arena_init(&arena, chat->ctx);
    axl_status status = parse_conversation(&arena, conversation, length, &object);
    if (status == AXL_OK)
        status = axl__chat_render_object(chat, &object, options, out);
    axl__arena_free(&arena);
    return status;
}

axl_status axl_tokenizer_apply_chat_template(const axl_tokenizer *tok, const char *conversation,
                                             size_t length, const axl_template_options *opts,
                                             axl_buffer *text)
{
    axl__jinja_options options;
    axl__chat chat;
    axl__str out;

    AXL_TRY(axl__tokenizer_enter(tok));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, text));
    AXL_TRY(axl__template_options_read(opts, &options));
    if (!conversation)
        return axl__fail(AXL_ERR_INVALID, "conversation must not be NULL");
    AXL_TRY(open_own(&chat, tok));
    axl__str_init(&out, chat.ctx);
    axl_status status = apply(&chat, conversation, length, &options, &out);
    if (status == AXL_OK)
        status = axl__str_to_buffer(&out, text);
    axl__str_free(&out);
    axl__chat_close(&chat);
    return status;
}

/* ---- the end of a turn ---- */

/* What follows an assistant's last text, without white space at its end. */
static size_t length_of_end(const char *end, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", end[length - 1]))
        length--;
    return length;
}

axl_status axl_tokenizer_get_turn_end(const axl_tokenizer *tok, axl_buffer *text)
{
    static const char word[] = "zzdummymessagezz";
    static const char example[] = "[{\"role\": \"user\", \"content\": \"a\"}, {\"role\": "
                                  "\"assistant\", \"content\": \"zzdummymessagezz\"}]";
    axl__jinja_options options;
    axl__chat chat;
    axl__str out;

    AXL_TRY(axl__tokenizer_enter(tok));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, text));
    AXL_TRY(axl__template_options_read(NULL, &options));
    AXL_TRY(open_own(&chat, tok));
    axl__str_init(&out, chat.ctx);
    axl_status status = apply(&chat, example, sizeof example - 1, &options, &out);
    if (status == AXL_OK) {
        const char *at = strstr(axl__str_text(&out), word);
        const char *end = at ? at + sizeof word - 1 : "";
        size_t n = length_of_end(end, strlen(end));
        status = n > 0 ? axl__buffer_set(chat.ctx, text, end, n) : AXL_END;
    }
    axl__str_free(&out);
    axl__chat_close(&chat);
    return status;
}
