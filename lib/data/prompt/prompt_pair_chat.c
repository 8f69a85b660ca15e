/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_pair_chat.c - preferences that a chat template puts together: chat_template.default and
 * argilla_chat of Axolotl's prompt_strategies/dpo, chat_template.argilla of orpo, and chat_template
 * of bradley_terry, each with its own way from messages to texts.
 */
#include "data/prompt/preference.h"

#include "base/ctx.h"
#include "base/json_make.h"
#include "base/utf8.h"
#include "config/config.h"

#include <axl/dataset.h>

#include <string.h>

/* One record on its way. */
typedef struct {
    const axl__prompt *p;
    const axl__chat *chat;
    axl__arena arena;
    axl__json list; /* the messages that are rendered next */
    axl__json_maker messages;
} pair_chat;

/* ---- messages ---- */

static void begin_messages(pair_chat *c)
{
    axl__json_make(&c->messages, &c->arena, &c->list, AXL__JSON_ARRAY);
}

/* content of any kind is the template's to take. */
static axl_status add_message(pair_chat *c, const char *role, const axl__json *content)
{
    axl__json_maker m;
    axl__json message, name = axl__json_text(role, strlen(role));

    axl__json_make(&m, &c->arena, &message, AXL__JSON_OBJECT);
    bool good = axl__json_add(&m, "role", &name) && axl__json_add(&m, "content", content) &&
                axl__json_add(&c->messages, NULL, &message);
    return good ? AXL_OK : axl__fail_nomem();
}

static axl_status add_text(pair_chat *c, const char *role, const char *text)
{
    axl__json content = axl__json_text(text, strlen(text));

    return add_message(c, role, &content);
}

static axl_status render(const pair_chat *c, bool generation, axl__str *out)
{
    if (c->p->check_only)
        return AXL_OK;
    axl_status status = axl__chat_render(c->chat, &c->list, NULL, generation, out);
    return status == AXL_ERR_FORMAT ? AXL_ERR_DATA : status; /* it fails on this record */
}

static const axl__json *given(const axl__json *v)
{
    return v && v->type != AXL__JSON_NULL ? v : NULL;
}

static axl_status want_list(const axl__json *v)
{
    return v->type == AXL__JSON_ARRAY
               ? AXL_OK
               : axl__fail(AXL_ERR_DATA, "\"%.60s\" must be a list of messages, not %s", v->key,
                           axl__json_type_name(v));
}

static const axl__json *last_of(const axl__json *list)
{
    const axl__json *last = list->child;

    while (last && last->next)
        last = last->next;
    return last;
}

/* ---- roles and keys as the entry names them ---- */

static const char *property(const axl__prompt *p, const char *name, const char *older)
{
    const axl__yaml *map = axl__yaml_get(p->setup.entry, "message_property_mappings");
    const axl__yaml *key = axl__yaml_get(map, name);

    return key && key->text ? key->text : axl__prompt_setting(p, older, name);
}

/* The template's role for one of the data; NULL: it has none. */
static const char *role_for(const axl__prompt *p, const char *role)
{
    static const char *const usual[] = { "user", "assistant", "system", "tool" };
    const axl__yaml *roles = axl__yaml_get(p->setup.entry, "roles");
    const char *found = NULL;

    for (size_t i = 0; !roles && i < sizeof usual / sizeof usual[0]; i++)
        if (strcmp(usual[i], role) == 0)
            return usual[i];
    for (const axl__yaml *to = roles ? roles->child : NULL; to; to = to->next)
        for (const axl__yaml *from = to->child; from; from = from->next)
            if (from->text && strcmp(from->text, role) == 0)
                found = to->key;
    return found;
}

static axl_status add_from(pair_chat *c, const axl__json *message)
{
    const char *key = property(c->p, "role", "message_field_role");
    const axl__json *content =
        axl__json_get(message, property(c->p, "content", "message_field_content"));
    const axl__json none = { .type = AXL__JSON_NULL };
    const char *name = axl__json_string(message, key, NULL);

    if (!name)
        return axl__fail(AXL_ERR_DATA, "a message has no text as its \"%.60s\"", key);
    const char *role = role_for(c->p, name);
    if (!role)
        return axl__fail(AXL_ERR_DATA,
                         "the role \"%.60s\" is not known: map it by roles, as in roles: {user: "
                         "[human], assistant: [gpt]}",
                         name);
    return add_message(c, role, content ? content : &none);
}

/* ---- chat_template.default and argilla_chat of dpo ---- */

/* What stands from the answer's content on in a conversation whose question is a dummy.  Where the
 * content cannot be found, Python's find gives -1, which is the last character. */
static void put_from(axl__str *out, const axl__str *text, const axl__json *content)
{
    const char *all = axl__str_text(text), *from = all, *end, *kept = all;
    size_t len = text->len, kept_len = text->len;

    while (content->len <= len && memcmp(from, content->text, content->len) != 0) {
        from++;
        len--;
    }
    if (content->len > len) {
        from = all + text->len - (text->len > 0);
        while (from > all && ((unsigned char)*from & 0xC0) == 0x80)
            from--;
    }
    axl__prompt_strip(&kept, &kept_len);
    end = kept_len > 0 ? kept + kept_len : all;
    if (end > from)
        axl__str_put(out, from, (size_t)(end - from));
}

/* raw: a text, a message or a list of which the last is meant. */
static axl_status put_response(pair_chat *c, const axl__json *raw, axl__answers *a, uint32_t i)
{
    const char *key = property(c->p, "content", "message_field_content");
    const axl__json *message = raw && raw->type == AXL__JSON_ARRAY ? last_of(raw) : raw;
    bool text = message && message->type == AXL__JSON_STRING;
    const axl__json *content = text ? message : given(axl__json_get(message, key));
    axl__str whole;

    a->lacking[i] = !content;
    if (!content)
        return AXL_OK;
    if (content->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_DATA, "the content of an answer must be a string, not %s",
                         axl__json_type_name(content));
    begin_messages(c);
    AXL_TRY(add_text(c, "user", "[[dummy_message]]"));
    AXL_TRY(text ? add_message(c, "assistant", content) : add_from(c, message));
    axl__str_init(&whole, c->p->setup.ctx);
    axl_status status = render(c, false, &whole);
    if (status == AXL_OK)
        put_from(&a->answer[i], &whole, content);
    axl__str_free(&whole);
    return status;
}

/* A question without messages leaves the prompt empty. */
static axl_status put_question(pair_chat *c, const axl__json *messages, const axl__json *but,
                               axl__answers *a)
{
    begin_messages(c);
    if (!messages)
        return AXL_OK;
    if (messages->type == AXL__JSON_STRING) {
        AXL_TRY(add_message(c, "user", messages));
        return render(c, true, &a->prompt);
    }
    AXL_TRY(want_list(messages));
    for (const axl__json *m = messages->child; m && m != but; m = m->next)
        AXL_TRY(add_from(c, m));
    return render(c, true, &a->prompt);
}

static axl_status read_default(pair_chat *c, const axl__json *record, axl__answers *a)
{
    const char *const *columns = c->p->columns;

    AXL_TRY(put_question(c, given(axl__json_get(record, columns[0])), NULL, a));
    AXL_TRY(put_response(c, given(axl__json_get(record, columns[1])), a, 0));
    return put_response(c, given(axl__json_get(record, columns[2])), a, 1);
}

static axl_status read_argilla_chat(pair_chat *c, const axl__json *record, axl__answers *a)
{
    const axl__json *chosen = given(axl__json_get(record, c->p->columns[0]));
    const axl__json *rejected = given(axl__json_get(record, c->p->columns[1]));

    if (chosen)
        AXL_TRY(want_list(chosen));
    if (rejected)
        AXL_TRY(want_list(rejected));
    AXL_TRY(put_question(c, chosen, chosen ? last_of(chosen) : NULL, a));
    AXL_TRY(put_response(c, chosen, a, 0));
    return put_response(c, rejected, a, 1);
}

/* ---- chat_template.argilla of orpo ---- */

static axl_status add_content(pair_chat *c, const char *role, const axl__json *content)
{
    if (!content || content->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_DATA, "the content of a message must be a string, not %s",
                         content ? axl__json_type_name(content) : "nothing");
    return add_message(c, role, content);
}

/* All but the last turn; who speaks is told by the place, and each question by the column prompt
 * where there is one. */
static axl_status add_history(pair_chat *c, const axl__json *record, const axl__json *chosen)
{
    const axl__json *system = given(axl__json_get(record, "system"));
    const axl__json *prompt = given(axl__json_get(record, "prompt"));
    bool asks = true;

    begin_messages(c);
    if (system && !(system->type == AXL__JSON_STRING && system->len == 0))
        AXL_TRY(add_content(c, "system", system));
    for (const axl__json *m = chosen->child; m && m->next; m = m->next, asks = !asks)
        AXL_TRY(add_content(c, asks ? "user" : "assistant",
                            asks && prompt ? prompt : axl__json_get(m, "content")));
    return AXL_OK;
}

/* As many characters are left out as the prompt has. */
static void put_behind(axl__str *out, const axl__str *text, const axl__str *prompt)
{
    size_t at = 0, skip = 0;

    while (at < prompt->len && skip < text->len) {
        axl__utf8_next(prompt->data, prompt->len, &at);
        axl__utf8_next(text->data, text->len, &skip);
    }
    axl__str_put(out, axl__str_text(text) + skip, text->len - skip);
}

static axl_status put_continuation(pair_chat *c, const axl__json *record, const axl__json *chosen,
                                   const axl__json *answer, axl__answers *a, uint32_t i)
{
    axl__str whole;

    AXL_TRY(add_history(c, record, chosen));
    AXL_TRY(add_content(c, "assistant", axl__json_get(answer, "content")));
    axl__str_init(&whole, c->p->setup.ctx);
    axl_status status = render(c, false, &whole);
    if (status == AXL_OK)
        status = axl__str_status(&whole);
    if (status == AXL_OK)
        put_behind(&a->answer[i], &whole, &a->prompt);
    axl__str_free(&whole);
    return status;
}

static axl_status read_argilla(pair_chat *c, const axl__json *record, axl__answers *a)
{
    const axl__json *chosen = given(axl__json_get(record, "chosen"));
    const axl__json *rejected = given(axl__json_get(record, "rejected"));

    a->lacking[0] = !chosen || !rejected;
    if (a->lacking[0])
        return AXL_OK;
    AXL_TRY(want_list(chosen));
    AXL_TRY(want_list(rejected));
    if (chosen->count == 0 || chosen->count % 2 != 0 || rejected->count == 0)
        return axl__fail(AXL_ERR_DATA,
                         "\"chosen\" must have a question and an answer in turn, and "
                         "\"rejected\" an answer; they have %u and %u messages",
                         chosen->count, rejected->count);
    AXL_TRY(add_history(c, record, chosen));
    AXL_TRY(render(c, true, &a->prompt));
    AXL_TRY(axl__str_status(&a->prompt));
    AXL_TRY(put_continuation(c, record, chosen, last_of(chosen), a, 0));
    return put_continuation(c, record, chosen, last_of(rejected), a, 1);
}

/* ---- bradley_terry.chat_template ---- */

/* Axolotl puts a system's turn in front even where its text is empty. */
static axl_status put_reward(pair_chat *c, const axl__json *record, const char *column,
                             uint32_t role, axl__draft *out)
{
    const axl__json *system = given(axl__json_get(record, "system")), *answer, *asked;
    const axl__yaml *drop = axl__yaml_get(c->p->setup.entry, "drop_system_message");
    const axl__json empty = axl__json_text("", 0);
    axl_buffer ids = AXL_BUFFER_INIT;
    axl__str text;

    answer = given(axl__json_get(record, column));
    asked = given(axl__json_get(record, "input"));
    begin_messages(c);
    if (!(drop && drop->boolean))
        AXL_TRY(add_content(c, "system", system ? system : &empty));
    AXL_TRY(add_content(c, "user", asked ? asked : &empty));
    AXL_TRY(add_content(c, "assistant", answer));
    if (c->p->check_only)
        return AXL_OK;
    axl__str_init(&text, c->p->setup.ctx);
    axl_status status = render(c, false, &text);
    if (status == AXL_OK)
        status = axl_tokenizer_encode(c->p->setup.tok, axl__str_text(&text), text.len,
                                      AXL_TOKENIZE_NO_SPECIAL, &ids);
    axl__str_free(&text);
    size_t n = ids.length / sizeof(int32_t), limit = c->p->setup.sequence_len;
    if (status == AXL_OK)
        status = axl__reward_put(out, ids.data, n < limit ? n : limit, role);
    axl_buffer_free(&ids);
    return status;
}

static axl_status make_rewards(pair_chat *c, const axl__json *record, axl__draft *out)
{
    if (!given(axl__json_get(record, "chosen")) || !given(axl__json_get(record, "rejected"))) {
        AXL_TRY(axl__reward_put(out, NULL, 0, AXL_ROLE_CHOSEN));
        return axl__reward_put(out, NULL, 0, AXL_ROLE_REJECTED);
    }
    AXL_TRY(put_reward(c, record, "chosen", AXL_ROLE_CHOSEN, out));
    return put_reward(c, record, "rejected", AXL_ROLE_REJECTED, out);
}

/* ---- all ---- */

static axl_status make_answers(pair_chat *c, const axl__json *record, axl__draft *out)
{
    const char *name = c->p->type->name;
    axl__answers a;

    axl__answers_init(&a, c->p->setup.ctx, 2);
    axl_status status = axl__ends_with(name, ".default")        ? read_default(c, record, &a)
                        : axl__ends_with(name, ".argilla_chat") ? read_argilla_chat(c, record, &a)
                                                                : read_argilla(c, record, &a);
    if (status == AXL_OK)
        status = axl__answers_put(c->p, out, &a, AXL_ROLE_CHOSEN);
    axl__answers_free(&a);
    return status;
}

static axl_status pair_chat_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    pair_chat c = { .p = p, .chat = p->form };

    axl__arena_init(&c.arena, p->setup.ctx);
    axl_status status =
        p->task == AXL__TASK_REWARD ? make_rewards(&c, record, out) : make_answers(&c, record, out);
    axl__arena_free(&c.arena);
    return status;
}

static axl_status pair_chat_open(axl__prompt *p)
{
    if (!p->setup.tok)
        return AXL_OK;
    axl__chat *chat = axl__calloc(p->setup.ctx, 1, sizeof *chat);
    if (!chat)
        return axl__fail_nomem();
    axl_status status = axl__prompt_open_template(p, chat, NULL);
    if (status != AXL_OK)
        axl__free(p->setup.ctx, chat);
    else
        p->form = chat;
    return status;
}

static void pair_chat_close(axl__prompt *p)
{
    axl__chat *chat = (axl__chat *)(uintptr_t)p->form;

    if (!chat)
        return;
    axl__chat_close(chat);
    axl__free(p->setup.ctx, chat);
}

static void pair_chat_put_key(const axl__prompt *p, axl__str *out)
{
    axl__prompt_put_template_key(p->form, out);
}

const axl__prompt_method axl__prompt_pair_chat = {
    .name = "pair_chat",
    .open = pair_chat_open,
    .close = pair_chat_close,
    .put_key = pair_chat_put_key,
    .make = pair_chat_make,
};
