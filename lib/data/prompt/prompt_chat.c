/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_chat.c - type chat_template: a conversation, rendered by a chat template and encoded as a
 * whole, trained by turns.  chat_record.c reads the record, chat_turns.c finds the turns in the
 * text, chat_labels.c trains their tokens; here is what the config says of all that.
 */
#include "chat_labels.h"
#include "prompt.h"

#include "base/ctx.h"
#include "config/config.h"
#include "text/tokenizer.h"

#include <axl/dataset.h>

#include <string.h>

/* What open reads of the config; lies, with all that it points to, in the chat's arena. */
typedef struct {
    axl__chat chat;
    axl__chat_fields fields;
    axl__chat_training training;
} chat_form;

/* ---- lists of names, in the arena ---- */

/* Names that are collected one by one. */
typedef struct {
    axl__arena *arena;
    const char **names; /* (n) */
    size_t n, cap;
} name_list;

/* The name is borrowed. */
static axl_status put_name(name_list *list, const char *name)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 8;
        const char **names = axl__arena_alloc(list->arena, cap * sizeof *names);
        if (!names)
            return axl__fail_nomem();
        if (list->n > 0)
            memcpy(names, list->names, list->n * sizeof *names);
        list->names = names;
        list->cap = cap;
    }
    list->names[list->n++] = name;
    return AXL_OK;
}

static axl_status read_keys(chat_form *f)
{
    const axl__jinja_key *first;
    name_list keys = { .arena = &f->chat.arena };

    AXL_TRY(axl__jinja_message_keys(f->chat.jinja, keys.arena, &first));
    for (const axl__jinja_key *k = first; k; k = k->next)
        AXL_TRY(put_name(&keys, k->name));
    f->fields.keys = keys.names;
    f->fields.n_keys = keys.n;
    return AXL_OK;
}

/* ---- roles and properties ---- */

/* roles: {user: [human, user]} gives the pairs human → user and user → user. */
static axl_status read_roles(chat_form *f, const axl__yaml *roles)
{
    static const axl__chat_pair usual[] = { { "human", "user" },          { "user", "user" },
                                            { "assistant", "assistant" }, { "gpt", "assistant" },
                                            { "system", "system" },       { "tool", "tool" } };
    size_t n = 0;

    f->fields.roles = usual;
    f->fields.n_roles = sizeof usual / sizeof usual[0];
    if (!roles || roles->count == 0)
        return AXL_OK;
    for (const axl__yaml *to = roles->child; to; to = to->next)
        n += to->count;
    axl__chat_pair *pairs = axl__arena_alloc(&f->chat.arena, (n + 1) * sizeof *pairs);
    if (!pairs)
        return axl__fail_nomem();
    f->fields.roles = pairs;
    f->fields.n_roles = 0;
    for (const axl__yaml *to = roles->child; to; to = to->next) {
        if (to->type != AXL__YAML_LIST)
            return axl__fail(AXL_ERR_INVALID, "roles.%s must be a list of the data's names for it",
                             to->key);
        for (const axl__yaml *from = to->child; from; from = from->next)
            pairs[f->fields.n_roles++] = (axl__chat_pair){ from->text ? from->text : "", to->key };
    }
    return AXL_OK;
}

/* The mapping's pairs, then role and content where it does not name them: message_field_role and
 * _content are Axolotl's older way to. */
static axl_status read_properties(const axl__prompt *p, chat_form *f)
{
    const axl__yaml *map = axl__yaml_get(p->setup.entry, "message_property_mappings");
    axl__chat_pair usual[] = {
        { "role", axl__prompt_setting(p, "message_field_role", "role") },
        { "content", axl__prompt_setting(p, "message_field_content", "content") },
        { axl__prompt_setting(p, "template_thinking_key", "reasoning_content"),
          axl__prompt_setting(p, "field_thinking", NULL) }
    };
    size_t n = 0;
    axl__chat_pair *pairs =
        axl__arena_alloc(&f->chat.arena, ((map ? map->count : 0) + 3) * sizeof *pairs);

    if (!pairs)
        return axl__fail_nomem();
    for (const axl__yaml *v = map ? map->child : NULL; v; v = v->next) {
        if (v->type != AXL__YAML_STRING)
            return axl__fail(AXL_ERR_INVALID, "message_property_mappings.%s must be a name",
                             v->key);
        pairs[n++] = (axl__chat_pair){ v->key, v->text };
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (usual[i].other && !axl__chat_pair_other(pairs, n, usual[i].name))
            pairs[n++] = usual[i];
    f->fields.properties = pairs;
    f->fields.n_properties = n;
    return AXL_OK;
}

static bool flag(const axl__prompt *p, const char *key)
{
    const axl__yaml *v = axl__yaml_get(p->setup.entry, key);

    return v && v->type == AXL__YAML_BOOL && v->boolean;
}

static axl_status read_fields(const axl__prompt *p, chat_form *f)
{
    f->fields.messages = p->columns[0];
    f->fields.tools = axl__prompt_setting(p, "field_tools", "tools");
    f->fields.training = axl__prompt_setting(p, "message_field_training", NULL);
    f->fields.training_detail = axl__prompt_setting(p, "message_field_training_detail", NULL);
    f->fields.thinking = axl__prompt_setting(p, "template_thinking_key", "reasoning_content");
    f->fields.split_thinking = flag(p, "split_thinking");
    f->fields.drop_system_message = flag(p, "drop_system_message");
    AXL_TRY(read_roles(f, axl__yaml_get(p->setup.entry, "roles")));
    AXL_TRY(read_properties(p, f));
    return read_keys(f);
}

/* ---- what is trained ---- */

static axl_status read_trained_roles(const axl__prompt *p, chat_form *f)
{
    const axl__yaml *list = axl__yaml_get(p->setup.entry, "roles_to_train");
    name_list names = { .arena = &f->chat.arena };

    if (!list || list->type != AXL__YAML_LIST)
        AXL_TRY(put_name(&names, "assistant"));
    for (const axl__yaml *v = list ? list->child : NULL; v; v = v->next) {
        const char *role = v->text ? v->text : "";
        const char *to = axl__chat_pair_other(f->fields.roles, f->fields.n_roles, role);
        AXL_TRY(put_name(&names, to ? to : role));
    }
    f->training.roles = names.names;
    f->training.n_roles = names.n;
    return AXL_OK;
}

static axl__train_end end_rule(const char *name)
{
    return strcmp(name, "all") == 0    ? AXL__END_ALL
           : strcmp(name, "last") == 0 ? AXL__END_LAST
           : strcmp(name, "none") == 0 ? AXL__END_NONE
                                       : AXL__END_TURN;
}

static bool names_token(const chat_form *f, const char *token)
{
    return strstr(axl__str_text(&f->chat.source), token) != NULL;
}

/* One token that ends a turn, which must be one token indeed. */
static axl_status add_end(const axl__prompt *p, chat_form *f, const char *token, int32_t *ids)
{
    axl_buffer out = AXL_BUFFER_INIT;

    AXL_TRY(
        axl_tokenizer_encode(p->setup.tok, token, strlen(token), AXL_TOKENIZE_NO_SPECIAL, &out));
    size_t n = out.length / sizeof(int32_t);
    if (n == 1)
        ids[f->training.n_eot++] = *(const int32_t *)out.data;
    axl_buffer_free(&out);
    if (n != 1)
        return axl__fail(AXL_ERR_INVALID,
                         "eot_tokens: \"%s\" is %zu tokens; a token that ends a turn must be one: "
                         "put it under tokens, or over an unused one by added_tokens_overrides",
                         token, n);
    return AXL_OK;
}

/* Axolotl takes those that stand in the template. */
static axl_status read_named_ends(const axl__prompt *p, chat_form *f, const axl__yaml *list,
                                  const char *eos, int32_t *ids)
{
    bool has_eos = false;

    for (const axl__yaml *v = list->child; v; v = v->next) {
        const char *token = v->text ? v->text : "";
        if (!names_token(f, token)) {
            axl__prompt_warn(p, "eot_tokens: \"%s\" is not in the chat template and ends no turn",
                             token);
            continue;
        }
        has_eos = has_eos || (eos && strcmp(eos, token) == 0);
        AXL_TRY(add_end(p, f, token, ids));
    }
    if (has_eos && f->training.eos != f->training.eot)
        return axl__fail(AXL_ERR_INVALID,
                         "train_on_eot and train_on_eos differ, and \"%s\" of "
                         "eot_tokens is the end of sequence too",
                         eos);
    return AXL_OK;
}

/* Without eot_tokens the end of sequence ends turns. */
static axl_status read_ends(const axl__prompt *p, chat_form *f)
{
    const axl__yaml *list = axl__cfg_node(p->setup.cfg, "eot_tokens");
    const char *eos = axl__tokenizer_special_text(p->setup.tok, "eos");
    size_t room = list ? list->count + 1u : 1u;
    int32_t *ids = axl__arena_alloc(&f->chat.arena, room * sizeof *ids);
    bool only_eos = !list || (list->count == 1 && eos && list->child->text &&
                              strcmp(list->child->text, eos) == 0);

    if (!ids)
        return axl__fail_nomem();
    f->training.eot_ids = ids;
    f->training.eos_id = p->eos;
    if (!only_eos)
        return read_named_ends(p, f, list, eos, ids);
    ids[f->training.n_eot++] = p->eos;
    if (eos && !names_token(f, eos) && !names_token(f, "eos_token"))
        axl__prompt_warn(p,
                         "the chat template does not write \"%s\", so that no turn's end is "
                         "trained: set eot_tokens to the token that ends its turns",
                         eos);
    return AXL_OK;
}

/* Axolotl does not look for a first system turn where the tokenizer's name says mistral. */
static bool is_mistral(const axl__prompt *p)
{
    const char *name = axl__cfg_str(p->setup.cfg, "tokenizer_config");

    for (; *name; name++) {
        char head[8] = { 0 };
        strncpy(head, name, strlen("mistral"));
        if (axl__ascii_casecmp(head, "mistral") == 0)
            return true;
    }
    return false;
}

static axl_status read_training(const axl__prompt *p, chat_form *f)
{
    const char *eos = axl__prompt_setting(p, "train_on_eos", "turn");

    f->training.tok = p->setup.tok;
    f->training.all_roles = p->setup.train_on_inputs;
    f->training.first_system = !is_mistral(p);
    f->training.eos = end_rule(eos);
    f->training.eot = end_rule(axl__prompt_setting(p, "train_on_eot", eos));
    AXL_TRY(read_trained_roles(p, f));
    return read_ends(p, f);
}

/* ---- life ---- */

/* What the entry says of a template comes before what the config says of all. */
axl_status axl__prompt_open_template(const axl__prompt *p, axl__chat *chat, const axl__yaml *kwargs)
{
    const axl_config *cfg = p->setup.cfg;
    bool own = axl__dataset_type_reads(p->type, "chat_template");
    axl__chat_choice choice = { .cfg = cfg, .kwargs = kwargs };

    if (axl__tokenizer_is_tekken(p->setup.tok))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "type chat_template: with tekken.json mistral-common renders "
                         "conversations itself, which does not exist here; give a tokenizer.json "
                         "with a chat template as tokenizer_config, without "
                         "tokenizer_use_mistral_common");
    if (own) {
        choice.name = axl__prompt_setting(p, "chat_template", NULL);
        choice.jinja = axl__prompt_setting(p, "chat_template_jinja", NULL);
    }
    if (!choice.name && !choice.jinja) {
        choice.name = axl__cfg_str_or(cfg, "chat_template", NULL);
        choice.jinja = axl__cfg_str_or(cfg, "chat_template_jinja", NULL);
    }
    AXL_TRY(axl__chat_open(chat, &choice, p->setup.tok));
    if (!axl__cfg_has(cfg, "axl.date"))
        chat->now = p->setup.day.year > 0 ? p->setup.day : axl__today();
    return AXL_OK;
}

void axl__prompt_put_template_key(const axl__chat *chat, axl__str *out)
{
    axl__str_puts(out, "template ");
    axl__str_put_json(out, axl__str_text(&chat->source), chat->source.len);
    if (axl__chat_tells_date(chat))
        axl__str_putf(out, " of %04d-%02d-%02d", chat->now.year, chat->now.month, chat->now.day);
    axl__str_putc(out, '\n');
}

static axl_status chat_open(axl__prompt *p)
{
    if (!p->setup.tok)
        return AXL_OK;
    chat_form *f = axl__calloc(p->setup.ctx, 1, sizeof *f);
    if (!f)
        return axl__fail_nomem();
    axl_status status =
        axl__prompt_open_template(p, &f->chat, axl__cfg_node(p->setup.cfg, "chat_template_kwargs"));
    if (status == AXL_OK) {
        status = read_fields(p, f);
        if (status == AXL_OK)
            status = read_training(p, f);
        if (status != AXL_OK)
            axl__chat_close(&f->chat);
    }
    if (status != AXL_OK)
        axl__free(p->setup.ctx, f);
    else
        p->form = f;
    return status;
}

static void chat_close(axl__prompt *p)
{
    chat_form *f = (chat_form *)(uintptr_t)p->form;

    if (!f)
        return;
    axl__chat_close(&f->chat);
    axl__free(p->setup.ctx, f);
}

static void chat_put_key(const axl__prompt *p, axl__str *out)
{
    axl__prompt_put_template_key(&((const chat_form *)p->form)->chat, out);
}

/* ---- records ---- */

static axl_status label_tokens(const axl__prompt *p, axl__chat_text *text, const axl_buffer *ids,
                               const axl_buffer *offsets, axl__draft *out)
{
    const chat_form *f = p->form;
    size_t n = ids->length / sizeof(int32_t);
    int32_t *labels = axl__arena_alloc(text->arena, (n + 1) * sizeof *labels);

    if (!labels)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++)
        labels[i] = AXL_LABEL_IGNORE;
    AXL_TRY(axl__chat_find_plain(text));
    AXL_TRY(axl__chat_label(labels, ids->data, offsets->data, n, text, &f->training));
    return axl__draft_put(out, ids->data, labels, n);
}

static axl_status put_conversation(const axl__prompt *p, axl__arena *arena, axl__conversation *c,
                                   axl__draft *out)
{
    const chat_form *f = p->form;
    axl_buffer ids = AXL_BUFFER_INIT, offsets = AXL_BUFFER_INIT;
    axl__chat_text text;

    axl_status status = axl__chat_text_init(&text, &f->chat, arena, c, f->fields.thinking);
    if (status == AXL_OK)
        status = axl_tokenizer_encode_with_offsets(p->setup.tok, axl__str_text(&text.text),
                                                   text.text.len, AXL_TOKENIZE_NO_SPECIAL, &ids,
                                                   &offsets);
    if (status == AXL_OK)
        status = label_tokens(p, &text, &ids, &offsets, out);
    axl_buffer_free(&ids);
    axl_buffer_free(&offsets);
    axl__chat_text_free(&text);
    return status;
}

/* A template that fails does so on this record. */
static axl_status chat_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const chat_form *f = p->form;
    axl__conversation c;
    axl__arena arena;

    axl__arena_init(&arena, p->setup.ctx);
    axl_status status = axl__conversation_read(&c, &arena, &f->fields, record);
    if (status == AXL_OK && c.n > 0 && !p->check_only)
        status = put_conversation(p, &arena, &c, out);
    axl__arena_free(&arena);
    if (status == AXL_ERR_FORMAT)
        status = AXL_ERR_DATA;
    return status == AXL_OK && c.n > 0 ? axl__draft_emit(out, out->n) : status;
}

const axl__prompt_method axl__prompt_chat = {
    .name = "chat",
    .open = chat_open,
    .close = chat_close,
    .put_key = chat_put_key,
    .make = chat_make,
};
