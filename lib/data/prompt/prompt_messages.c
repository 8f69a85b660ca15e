/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_messages.c - messages in the ChatML or the Llama-3 form, whatever else a template does.
 * A message is encoded as its text grows by one content after the other, and what a content adds
 * is trained or not.  Nothing is cut, and no special tokens are added.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"
#include "config/config.h"

#include <axl/dataset.h>

#include <string.h>

typedef struct {
    const char *name; /* what chat_template begins with */
    const char *before_all, *before_role, *behind_role, *behind;
    const char *newline; /* behind `behind`, not trained */
    const char *tool;    /* the role of tools */
} form;

static const form forms[] = {
    { "chatml", "", "<|im_start|>", "\n", "<|im_end|>", "\n", "tool" },
    { "llama3", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>",
      "", "ipython" },
};

/* The names of a message's members in one record. */
typedef struct {
    const char *role, *content;
    const char *weight; /* NULL: the role decides */
} members;

static const struct {
    const char *name, *role;
} roles[] = {
    { "system", "system" },       { "user", "user" },     { "human", "user" },
    { "assistant", "assistant" }, { "gpt", "assistant" }, { "tool", "tool" },
    { "ipython", "ipython" },
};

static axl_status messages_open(axl__prompt *p)
{
    const axl_config *cfg = p->setup.cfg;
    const char *template = cfg ? axl__cfg_str_or(cfg, "chat_template", "chatml") : "chatml";
    const char *transform = axl__prompt_setting(p, "input_transform", "chat");

    template = axl__prompt_setting(p, "chat_template", template);
    if (strcmp(transform, "chat") != 0)
        return axl__fail(AXL_ERR_INVALID, "messages has the input_transform chat, not \"%s\"",
                         transform);
    if (strcmp(template, "chatml") == 0)
        p->form = &forms[0];
    else if (axl__starts_with(template, "llama3"))
        p->form = &forms[1];
    else
        return axl__fail(AXL_ERR_INVALID,
                         "messages has the forms chatml and llama3, not \"%s\"; "
                         "type: chat_template has the others",
                         template);
    return AXL_OK;
}

/* The form may be the whole config's. */
static void messages_put_key(const axl__prompt *p, axl__str *out)
{
    const form *f = p->form;

    axl__str_putf(out, "form %s\n", f->name);
}

/* ---- a message's tokens ---- */

typedef struct {
    const axl__prompt *p;
    axl__draft *out;
    uint32_t from;    /* where the message begins in the draft */
    axl__str text;    /* of the message so far */
    axl_buffer ids;   /* of that text */
    size_t n_pending; /* ids of the last content, which the next one's may still change */
    bool train_pending;
    bool trained; /* the message's own weight */
} writer;

/* n of the ids behind what the draft has of the message. */
static axl_status put_pending(writer *w, size_t n)
{
    const int32_t *ids = w->ids.data;
    size_t all = w->ids.length / sizeof *ids, have = w->out->n - w->from;

    if (have >= all)
        return AXL_OK;
    n = n < all - have ? n : all - have;
    AXL_TRY(axl__draft_reserve(w->out, n));
    for (size_t i = 0; i < n; i++) {
        w->out->ids[w->out->n] = ids[have + i];
        w->out->labels[w->out->n++] = w->train_pending ? ids[have + i] : AXL_LABEL_IGNORE;
    }
    return AXL_OK;
}

/* Axolotl's Messages.tokenized(): the last content's ids are taken from the longer text. */
static axl_status put_content(writer *w, const char *text, size_t len, bool trained)
{
    axl__str_put(&w->text, text, len);
    AXL_TRY(axl__str_status(&w->text));
    if (w->p->check_only)
        return AXL_OK;
    AXL_TRY(axl_tokenizer_encode(w->p->setup.tok, axl__str_text(&w->text), w->text.len,
                                 AXL_TOKENIZE_NO_SPECIAL, &w->ids));
    AXL_TRY(put_pending(w, w->n_pending));
    size_t all = w->ids.length / sizeof(int32_t), have = w->out->n - w->from;
    w->n_pending = all > have ? all - have : 0;
    w->train_pending = trained;
    return AXL_OK;
}

static axl_status put_word(writer *w, const char *text, bool trained)
{
    return *text ? put_content(w, text, strlen(text), trained) : AXL_OK;
}

/* ---- a record ---- */

static axl_status read_number(const axl__json *of, const char *key, double otherwise, double *out)
{
    const axl__json *v = axl__json_get(of, key);

    *out = otherwise;
    if (!v || v->type == AXL__JSON_NULL)
        return AXL_OK;
    if (v->type == AXL__JSON_BOOL)
        *out = v->boolean;
    else if (v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT)
        *out = v->number;
    else
        return axl__fail(AXL_ERR_DATA, "\"%s\" must be a number, not %s", key,
                         axl__json_type_name(v));
    return AXL_OK;
}

/* A content that is an object: a text, or the text of a tool's call or answer between its marks. */
static axl_status put_part(writer *w, const axl__json *part)
{
    const char *type, *value;
    size_t type_len, len;
    double weight, newline;

    AXL_TRY(axl__prompt_text(part, "type", &type, &type_len));
    AXL_TRY(axl__prompt_text(part, "value", &value, &len));
    AXL_TRY(read_number(part, "weight", 1, &weight));
    AXL_TRY(read_number(part, "has_newline", 0, &newline));
    bool call = axl__prompt_is(type, type_len, "tool_call");
    bool answer = axl__prompt_is(type, type_len, "tool_response");
    bool trained = w->trained && weight != 0;
    if (!call && !answer && !axl__prompt_is(type, type_len, "text"))
        return axl__prompt_unknown_role("type", type, type_len, "text, tool_call, tool_response");
    if (call || answer)
        AXL_TRY(put_word(w, call ? "<tool_call>\n" : "<tool_response>\n", w->trained));
    bool ended = len > 0 && value[len - 1] == '\n';
    size_t n_newlines = (call || answer || newline != 0) && !ended ? 1 : 0;
    axl__str_put(&w->text, value, len);
    AXL_TRY(put_content(w, "\n", n_newlines, trained));
    if (call || answer)
        AXL_TRY(put_word(w, call ? "</tool_call>\n" : "</tool_response>\n", w->trained));
    return AXL_OK;
}

static axl_status put_contents(writer *w, const axl__json *message, const members *m)
{
    const axl__json *content = axl__json_get(message, m->content);
    const char *text;
    size_t len;

    if (content && content->type == AXL__JSON_ARRAY) {
        AXL_TRY(axl__prompt_list(message, m->content, &content));
        for (; content; content = content->next)
            AXL_TRY(put_part(w, content));
        return AXL_OK;
    }
    AXL_TRY(axl__prompt_text(message, m->content, &text, &len));
    return put_content(w, text, len, w->trained);
}

static axl_status find_role(const axl__json *message, const char *key, const char **out)
{
    const char *role;
    size_t len;

    AXL_TRY(axl__prompt_text(message, key, &role, &len));
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        *out = roles[i].role;
        if (axl__prompt_is(role, len, roles[i].name))
            return AXL_OK;
    }
    return axl__prompt_unknown_role(key, role, len,
                                    "system, user, human, assistant, gpt, tool, ipython");
}

static axl_status put_message(writer *w, const axl__json *message, const members *m, bool first)
{
    const form *f = w->p->form;
    const char *role;
    double weight;

    AXL_TRY(find_role(message, m->role, &role));
    bool counts = w->p->setup.train_on_inputs || strcmp(role, "assistant") == 0;
    weight = counts;
    if (m->weight)
        AXL_TRY(read_number(message, m->weight, counts, &weight));
    w->trained = weight >= 1 || weight <= -1; /* Python's int() of it */
    w->from = w->out->n;
    w->n_pending = 0;
    axl__str_clear(&w->text);
    if (first)
        AXL_TRY(put_word(w, f->before_all, false));
    axl__str_puts(&w->text, f->before_role);
    axl__str_puts(&w->text, strcmp(role, "tool") == 0 ? f->tool : role);
    AXL_TRY(put_word(w, f->behind_role, false));
    AXL_TRY(put_contents(w, message, m));
    AXL_TRY(put_word(w, f->behind, w->trained));
    AXL_TRY(put_word(w, f->newline, false));
    return put_pending(w, w->n_pending);
}

/* The first of the names that the message has; NULL: none. */
static const char *find_member(const axl__json *message, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (axl__json_get(message, names[i]))
            return names[i];
    return NULL;
}

/* The first message says how the members of all are called, unless the entry does.  Axolotl looks
 * for the letters of message_field_training, so that no weight is found where that is set. */
static axl_status find_members(const axl__prompt *p, const axl__json *message, members *m)
{
    static const char *const role[] = { "role", "from" };
    static const char *const content[] = { "value", "text", "content" };
    static const char *const weight[] = { "train", "weight" };
    const axl__yaml *map = axl__yaml_get(p->setup.entry, "message_property_mappings");
    const axl__yaml *own_role = axl__yaml_get(map, "role");
    const axl__yaml *own_content = axl__yaml_get(map, "content");

    m->role = own_role && own_role->text ? own_role->text : find_member(message, role, 2);
    m->content =
        own_content && own_content->text ? own_content->text : find_member(message, content, 3);
    m->weight = *axl__prompt_setting(p, "message_field_training", "")
                    ? NULL
                    : find_member(message, weight, 2);
    if (m->role && m->content)
        return AXL_OK;
    return axl__fail(AXL_ERR_DATA, "\"%s\": the first message has none of %s", p->columns[0],
                     m->role ? "\"value\", \"text\", \"content\"" : "\"role\", \"from\"");
}

static axl_status messages_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    writer w = { .p = p, .out = out, .ids = AXL_BUFFER_INIT };
    const axl__json *message;
    members m;

    AXL_TRY(axl__prompt_list(record, p->columns[0], &message));
    if (!message)
        return axl__draft_emit(out, out->n);
    AXL_TRY(find_members(p, message, &m));
    axl__str_init(&w.text, p->setup.ctx);
    axl_status status = AXL_OK;
    for (bool first = true; message && status == AXL_OK; message = message->next, first = false)
        status = put_message(&w, message, &m, first);
    axl__str_free(&w.text);
    axl_buffer_free(&w.ids);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

const axl__prompt_method axl__prompt_messages = {
    .name = "messages",
    .open = messages_open,
    .put_key = messages_put_key,
    .make = messages_make,
};
