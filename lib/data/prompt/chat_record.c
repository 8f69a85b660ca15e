/* SPDX-License-Identifier: Apache-2.0 */
/* chat_record.c - see chat_record.h. */
#include "chat_record.h"

#include "base/utf8.h"
#include "text/jinja/jinja.h"

#include <string.h>

/* One record on its way. */
typedef struct {
    axl__arena *arena;
    const axl__chat_fields *fields;
    size_t message; /* the one that is read, for messages of errors */
} record_reader;

static axl_status fail_message(const record_reader *r, const char *what, const axl__json *value)
{
    return axl__fail(AXL_ERR_DATA, "message %zu of \"%s\": %s, not %s", r->message + 1,
                     r->fields->messages, what, value ? axl__json_type_name(value) : "nothing");
}

const char *axl__chat_pair_other(const axl__chat_pair *pairs, size_t n, const char *name)
{
    for (size_t i = n; i > 0; i--) /* of two the last counts, as in a dict */
        if (strcmp(pairs[i - 1].name, name) == 0)
            return pairs[i - 1].other;
    return NULL;
}

static const axl__json *get_value(const axl__json *map, const char *key)
{
    const axl__json *value = key ? axl__json_get(map, key) : NULL;

    return value && value->type != AXL__JSON_NULL ? value : NULL;
}

/* ---- texts ---- */

/* Decoding backwards would need another reader of UTF-8, so the end is found from the front. */
void axl__chat_strip(const char **text, size_t *len, bool right_too)
{
    const char *p = *text;
    size_t at = 0, first = *len, last = *len;
    bool any = false;

    while (at < *len) {
        size_t begin = at;
        if (axl__j_space(axl__utf8_next(p, *len, &at)))
            continue;
        first = any ? first : begin;
        last = at;
        any = true;
        if (!right_too) {
            last = *len;
            break;
        }
    }
    *text = p + first;
    *len = last - first;
}

static const char *find_text(const char *in, size_t len, const char *what)
{
    size_t n = strlen(what);

    for (const char *p = in; n <= len; p++, len--)
        if (memcmp(p, what, n) == 0)
            return p;
    return NULL;
}

/* A text that holds JSON, parsed in its node's place; what is no text stays. */
static axl_status parse_inside(const record_reader *r, axl__json *node, const char *what)
{
    axl__json_error error;
    axl__json *tree;

    if (node->type != AXL__JSON_STRING)
        return AXL_OK;
    axl_status status = axl__json_read(&tree, r->arena, node->text, node->len, &error);
    if (status == AXL_ERR_FORMAT)
        return axl__fail(AXL_ERR_DATA, "%s is no JSON: column %zu: %s", what, error.column,
                         error.text);
    AXL_TRY(status);
    tree->key = node->key;
    tree->key_len = node->key_len;
    tree->next = node->next;
    *node = *tree;
    return AXL_OK;
}

/* A list or mapping whose members may be changed: a copy of its own level. */
static axl_status copy_level(axl__json_maker *m, const record_reader *r, axl__json *node)
{
    axl__json from = *node;

    axl__json_make(m, r->arena, node, from.type);
    node->key = from.key;
    node->key_len = from.key_len;
    node->next = from.next;
    for (const axl__json *v = from.child; v; v = v->next)
        if (!axl__json_add(m, v->key, v))
            return axl__fail_nomem();
    return AXL_OK;
}

/* Removes null members of mappings, at any depth, as datasets' unified columns leave them: a value
 * is copied only where there is one. */
static bool has_null(const axl__json *v)
{
    for (const axl__json *c = v->child; c; c = c->next)
        if ((c->type == AXL__JSON_NULL && v->type == AXL__JSON_OBJECT) || has_null(c))
            return true;
    return false;
}

static axl_status drop_nulls(const record_reader *r, axl__json *node)
{
    axl__json_maker m;
    axl__json from = *node;

    if (!has_null(node))
        return AXL_OK;
    axl__json_make(&m, r->arena, node, from.type);
    node->key = from.key;
    node->key_len = from.key_len;
    node->next = from.next;
    for (const axl__json *v = from.child; v; v = v->next) {
        if (v->type == AXL__JSON_NULL && from.type == AXL__JSON_OBJECT)
            continue;
        axl__json *made = axl__json_add(&m, v->key, v);
        if (!made)
            return axl__fail_nomem();
        AXL_TRY(drop_nulls(r, made));
    }
    return AXL_OK;
}

/* Of list[i].NAME.KEY, texts become what they hold: tool_calls' arguments, tools' parameters. */
static axl_status parse_functions(const record_reader *r, axl__json *list, const char *key)
{
    axl__json_maker items, item, function;

    AXL_TRY(copy_level(&items, r, list));
    for (axl__json *v = list->child; v; v = v->next) {
        const axl__json *inner = get_value(axl__json_get(v, "function"), key);
        if (!inner || inner->type != AXL__JSON_STRING)
            continue;
        AXL_TRY(copy_level(&item, r, v));
        axl__json *f = (axl__json *)(uintptr_t)axl__json_get(v, "function");
        AXL_TRY(copy_level(&function, r, f));
        AXL_TRY(parse_inside(r, (axl__json *)(uintptr_t)axl__json_get(f, key), key));
    }
    return AXL_OK;
}

/* ---- a message ---- */

/* A role that no list names stays. */
static axl_status map_role(const record_reader *r, axl__json *turn)
{
    axl__json *role = (axl__json *)(uintptr_t)axl__json_get(turn, "role");
    const axl__chat_fields *f = r->fields;

    if (!role)
        return AXL_OK;
    if (role->type != AXL__JSON_STRING)
        return fail_message(r, "its role must be a text", role);
    const char *to = axl__chat_pair_other(f->roles, f->n_roles, role->text);
    if (to) {
        role->text = to;
        role->len = strlen(to);
    }
    return AXL_OK;
}

/* What stands between the first of either mark, nothing where they are the wrong way round; false
 * unless both are there. */
static bool between(const char *text, size_t len, const char *open, const char *close,
                    const char **inner, size_t *inner_len, size_t *behind)
{
    const char *a = find_text(text, len, open);
    const char *b = find_text(text, len, close);

    if (!a || !b)
        return false;
    *inner = a + strlen(open);
    *inner_len = b > *inner ? (size_t)(b - *inner) : 0;
    *behind = (size_t)(b - text) + strlen(close);
    return true;
}

static axl_status put_text_of(axl__json_maker *turn, const char *key, const char *text, size_t len)
{
    axl__json value = axl__json_text(text, len);

    return axl__json_put(turn, key, &value) ? AXL_OK : axl__fail_nomem();
}

/* An assistant's thinking becomes a member of its own; the rest is the content, what begins and
 * ends a solution left out. */
static axl_status split_thinking(const record_reader *r, axl__json_maker *turn)
{
    static const char *const marks[][2] = { { "<think>", "</think>" },
                                            { "<reasoning>", "</reasoning>" },
                                            { "<|begin_of_thought|>", "<|end_of_thought|>" } };
    const axl__json *content = axl__json_get(turn->node, "content");
    const char *thought, *rest, *solution;
    size_t n_thought, n_rest, n_solution, behind;

    if (!content || content->type != AXL__JSON_STRING ||
        strcmp(axl__json_string(turn->node, "role", ""), "assistant") != 0)
        return AXL_OK;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (!between(content->text, content->len, marks[i][0], marks[i][1], &thought, &n_thought,
                     &behind))
            continue;
        rest = content->text + behind;
        n_rest = content->len - behind;
        axl__chat_strip(&thought, &n_thought, true);
        axl__chat_strip(&rest, &n_rest, false);
        if (between(rest, n_rest, "<|begin_of_solution|>", "<|end_of_solution|>", &solution,
                    &n_solution, &behind)) {
            axl__chat_strip(&solution, &n_solution, true);
            rest = solution;
            n_rest = n_solution;
        }
        AXL_TRY(put_text_of(turn, "content", rest, n_rest));
        return put_text_of(turn, r->fields->thinking, thought, n_thought);
    }
    return AXL_OK;
}

/* Whether a mapping has the message's key already. */
static bool is_mapped(const axl__chat_fields *f, const char *key)
{
    for (size_t i = 0; i < f->n_properties; i++)
        if (strcmp(f->properties[i].other, key) == 0)
            return true;
    return false;
}

/* Mapped members first, then whatever else the template reads of a message. */
static axl_status take_members(const record_reader *r, axl__json_maker *turn,
                               const axl__json *message)
{
    const axl__chat_fields *f = r->fields;

    for (size_t i = 0; i < f->n_properties; i++) {
        const axl__json *v = get_value(message, f->properties[i].other);
        if (v && !axl__json_put(turn, f->properties[i].name, v))
            return axl__fail_nomem();
    }
    AXL_TRY(map_role(r, turn->node));
    if (f->split_thinking)
        AXL_TRY(split_thinking(r, turn));
    for (size_t i = 0; i < f->n_keys; i++) {
        const axl__json *v = is_mapped(f, f->keys[i]) ? NULL : get_value(message, f->keys[i]);
        if (v && !axl__json_put(turn, f->keys[i], v))
            return axl__fail_nomem();
    }
    return AXL_OK;
}

static axl_status parse_tool_calls(const record_reader *r, axl__json *turn)
{
    axl__json *calls = (axl__json *)(uintptr_t)axl__json_get(turn, "tool_calls");

    if (!calls || !axl__json_truthy(calls, false))
        return AXL_OK;
    if (calls->type != AXL__JSON_ARRAY)
        return fail_message(r, "its tool_calls must be a list", calls);
    axl_status status = parse_functions(r, calls, "arguments");
    return status == AXL_ERR_DATA ? axl__fail_prefix(status, "message %zu", r->message + 1)
                                  : status;
}

/* ---- what is trained of a message ---- */

static axl_status read_detail(const record_reader *r, const axl__json *v, axl__chat_detail *out)
{
    const axl__json *begin = axl__json_get(v, "begin_offset"),
                    *end = axl__json_get(v, "end_offset"), *train = axl__json_get(v, "train");

    if (!begin || begin->type != AXL__JSON_INT || !end || end->type != AXL__JSON_INT || !train)
        return fail_message(r, "a training detail must be {begin_offset, end_offset, train}", v);
    *out = (axl__chat_detail){ begin->integer, end->integer, axl__json_truthy(train, false) };
    return AXL_OK;
}

static axl_status read_details(const record_reader *r, const axl__json *list,
                               axl__chat_details *out)
{
    if (list->type != AXL__JSON_ARRAY)
        return fail_message(r, "its training details must be a list", list);
    out->given = true;
    out->items = axl__arena_alloc(r->arena, (list->count + 1) * sizeof *out->items);
    if (!out->items)
        return axl__fail_nomem();
    for (const axl__json *v = list->child; v; v = v->next)
        AXL_TRY(read_detail(r, v, &out->items[out->n++]));
    return AXL_OK;
}

static const axl__json *part_text(const axl__json *part)
{
    static const char *const keys[] = { "text", "content", "value" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const axl__json *v = axl__json_get(part, keys[i]);
        if (v && axl__json_truthy(v, false))
            return v;
    }
    return NULL;
}

/* 1 or 0 as the part says with train or weight, -1 where it does not. */
static int part_train(const axl__json *part)
{
    const axl__json *train = get_value(part, "train"), *weight = get_value(part, "weight");

    return train ? axl__json_truthy(train, false) : weight ? weight->number != 0 : -1;
}

static size_t count_characters(const char *text, size_t len)
{
    size_t at = 0, n = 0;

    for (; at < len; n++)
        axl__utf8_next(text, len, &at);
    return n;
}

/* Appends one part's text and its detail. */
static axl_status add_part(const record_reader *r, const axl__json *part, axl__str *text,
                           axl__chat_details *details, int64_t *at)
{
    const axl__json *v = part_text(part);
    const char *type = axl__json_string(part, "type", "text");
    int train = part_train(part);

    if (!v && strcmp(type, "text") != 0)
        return axl__fail(AXL_ERR_DATA, "message %zu of \"%s\": a part of type \"%s\" has no text",
                         r->message + 1, r->fields->messages, type);
    if (v && v->type != AXL__JSON_STRING)
        return fail_message(r, "a part's text must be a text", v);
    details->given = details->given || train >= 0;
    if (!v)
        return AXL_OK;
    int64_t n = (int64_t)count_characters(v->text, v->len);
    details->items[details->n++] = (axl__chat_detail){ *at, *at + n - 1, train != 0 };
    *at += n;
    axl__str_put(text, v->text, v->len);
    return AXL_OK;
}

static axl_status join_parts(const record_reader *r, const axl__json *parts, axl__str *text,
                             axl__chat_details *details)
{
    int64_t at = 0;

    details->items = axl__arena_alloc(r->arena, (parts->count + 1) * sizeof *details->items);
    if (!details->items)
        return axl__fail_nomem();
    for (const axl__json *part = parts->child; part; part = part->next)
        if (part->type == AXL__JSON_OBJECT)
            AXL_TRY(add_part(r, part, text, details, &at));
    return axl__str_status(text);
}

/* A content of parts becomes one text; where a part says whether it is trained, all have details.
 */
static axl_status flatten_parts(const record_reader *r, axl__json_maker *turn, const char *key,
                                axl__chat_details *out)
{
    const axl__json *parts = axl__json_get(turn->node, key);
    axl__chat_details details = { 0 };
    axl__str text;

    if (!parts || parts->type != AXL__JSON_ARRAY)
        return AXL_OK;
    axl__str_init(&text, r->arena->ctx);
    axl_status status = join_parts(r, parts, &text, &details);
    char *kept = axl__arena_strndup(r->arena, axl__str_text(&text), text.len);
    if (status == AXL_OK)
        status = kept ? put_text_of(turn, key, kept, text.len) : axl__fail_nomem();
    axl__str_free(&text);
    if (details.given)
        *out = details;
    return status;
}

static axl_status read_training(const record_reader *r, axl__chat_turn *turn,
                                const axl__json *message)
{
    const axl__chat_fields *f = r->fields;
    const axl__json *train = get_value(message, f->training),
                    *details = get_value(message, f->training_detail);

    turn->train = train ? axl__json_truthy(train, false) : -1;
    return details ? read_details(r, details, &turn->content) : AXL_OK;
}

static axl_status read_turn(const record_reader *r, axl__chat_turn *turn, const axl__json *message)
{
    axl__json_maker m;
    axl__json plain = *message;

    if (message->type != AXL__JSON_OBJECT)
        return fail_message(r, "it must be an object", message);
    axl__json_make(&m, r->arena, &turn->node, AXL__JSON_OBJECT);
    AXL_TRY(drop_nulls(r, &plain));
    AXL_TRY(take_members(r, &m, &plain));
    AXL_TRY(parse_tool_calls(r, &turn->node));
    AXL_TRY(read_training(r, turn, &plain));
    AXL_TRY(flatten_parts(r, &m, "content", &turn->content));
    AXL_TRY(flatten_parts(r, &m, r->fields->thinking, &turn->thinking));
    turn->role = axl__json_string(&turn->node, "role", NULL);
    if (!turn->role)
        return axl__fail(AXL_ERR_DATA,
                         "message %zu of \"%s\" has no role; if it has another name, "
                         "message_property_mappings says which",
                         r->message + 1, r->fields->messages);
    return AXL_OK;
}

/* ---- a record ---- */

/* A column that is a list, or a text that holds one; NULL where it is missing. */
static axl_status list_column(const record_reader *r, const axl__json *record, const char *name,
                              axl__json *out, bool *there)
{
    const axl__json *v = get_value(record, name);

    *there = v != NULL;
    if (!v)
        return AXL_OK;
    *out = *v;
    AXL_TRY(parse_inside(r, out, name));
    if (out->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list, not %s", name,
                         axl__json_type_name(out));
    return AXL_OK;
}

static axl_status read_tools(const record_reader *r, axl__conversation *out,
                             const axl__json *record)
{
    axl__json *list = axl__arena_alloc(r->arena, sizeof *list);
    bool there;

    if (!list)
        return axl__fail_nomem();
    AXL_TRY(list_column(r, record, r->fields->tools, list, &there));
    if (!there || list->count == 0)
        return AXL_OK;
    for (const axl__json *v = list->child; v; v = v->next)
        if (v->type != AXL__JSON_OBJECT)
            return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of objects, not of %s",
                             r->fields->tools, axl__json_type_name(v));
    AXL_TRY(drop_nulls(r, list));
    out->tools = list;
    return parse_functions(r, list, "parameters");
}

/* A record's own column "system" where its messages do not begin with one. */
static axl_status add_system(const record_reader *r, axl__conversation *out,
                             const axl__json *record)
{
    const axl__json *system = get_value(record, "system");
    axl__chat_turn *turn = &out->turns[0];
    axl__json_maker m;

    if (!system || strcmp(out->turns[1].role, "system") == 0)
        return AXL_OK;
    axl__json_make(&m, r->arena, &turn->node, AXL__JSON_OBJECT);
    AXL_TRY(put_text_of(&m, "role", "system", strlen("system")));
    turn->role = "system";
    turn->train = -1;
    return axl__json_put(&m, "content", system) ? AXL_OK : axl__fail_nomem();
}

static void link_turns(axl__conversation *c)
{
    c->messages = (axl__json){ .type = AXL__JSON_ARRAY, .count = (uint32_t)c->n };
    c->messages.child = c->n > 0 ? &c->turns[0].node : NULL;
    for (size_t i = 0; i + 1 < c->n; i++)
        c->turns[i].node.next = &c->turns[i + 1].node;
}

/* Room is left for a system turn in front; the others begin behind it. */
static axl_status read_turns(record_reader *r, axl__conversation *out, const axl__json *record,
                             const axl__json *messages)
{
    size_t n = messages->count;

    out->turns = axl__arena_alloc(r->arena, (n + 1) * sizeof *out->turns);
    if (!out->turns)
        return axl__fail_nomem();
    for (const axl__json *v = messages->child; v; v = v->next, r->message++)
        AXL_TRY(read_turn(r, &out->turns[r->message + 1], v));
    AXL_TRY(add_system(r, out, record));
    bool system = out->turns[0].role != NULL;
    out->turns += !system;
    out->n = n + system;
    if (r->fields->drop_system_message && strcmp(out->turns[0].role, "system") == 0) {
        out->turns++;
        out->n--;
    }
    link_turns(out);
    return AXL_OK;
}

axl_status axl__conversation_read(axl__conversation *out, axl__arena *arena,
                                  const axl__chat_fields *fields, const axl__json *record)
{
    record_reader r = { .arena = arena, .fields = fields };
    axl__json messages;
    bool there;

    *out = (axl__conversation){ 0 };
    AXL_TRY(list_column(&r, record, fields->messages, &messages, &there));
    if (!there || messages.count == 0)
        return AXL_OK;
    AXL_TRY(read_turns(&r, out, record, &messages));
    return read_tools(&r, out, record);
}
