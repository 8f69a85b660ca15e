/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_tree.c - libyaml's events composed into a tree.  An alias is a copy of what it names, so
 * that every value has one place in the tree; the number of values is bounded, which stops
 * aliases of aliases from growing without end.
 */
#include "yaml_tree.h"

#include "base/map.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Far above any config.  Copies of aliased values count too; composing and every later pass recurse
 * as deep as the tree, on a host's stack. */
enum { NODES_MAX = 100000, DEPTH_MAX = 64 };

typedef struct anchor {
    const char *name;
    axl__yaml *node; /* NULL while its collection is open */
    struct anchor *next;
} anchor;

/* All that is made lies in the arena: a composer that fails leaves half a tree there and needs no
 * undoing. */
typedef struct composer {
    yaml_parser_t parser;
    const char *text; /* (len) */
    size_t len;
    axl__arena *arena;
    axl_diagnostics *diags;
    anchor *anchors; /* newest first: a later anchor hides an earlier one */
    size_t nodes;
    axl__str path; /* of the value being read, for warnings */
} composer;

static void cut_path(composer *c, size_t len)
{
    c->path.len = len;
    if (c->path.data)
        c->path.data[len] = '\0';
}

/* libyaml counts lines and columns from 0, diagnostics from 1. */
static axl_status fail_at(composer *c, axl__diag_id id, const yaml_mark_t *mark, const char *text,
                          const char *arg)
{
    axl__diag(c->diags, id, AXL_SEVERITY_ERROR, (uint32_t)mark->line + 1,
              (uint32_t)mark->column + 1, NULL, "%s%s", text, arg);
    return axl__fail(AXL_ERR_CONFIG, "%s%s", text, arg);
}

/* Whether a tab stands at the mark or in the white space before it. */
static bool after_tab(const composer *c, const yaml_mark_t *mark)
{
    const char *line = c->text, *end = c->text + c->len;

    for (size_t i = 0; i < mark->line && line; i++) {
        line = memchr(line, '\n', (size_t)(end - line));
        line = line ? line + 1 : NULL;
    }
    size_t blank = 0;
    bool tab = false;
    for (; line && line + blank < end && (line[blank] == ' ' || line[blank] == '\t'); blank++)
        tab |= line[blank] == '\t';
    return tab && blank >= mark->column;
}

/* libyaml's words, what it was reading and where that began, and the one hint that it lacks. */
static axl_status fail_syntax(composer *c)
{
    const yaml_parser_t *p = &c->parser;
    /* A reader error has an offset in place of a mark. */
    yaml_mark_t mark = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;
    const yaml_mark_t *begin = &p->context_mark;
    char text[240] = "cannot be read";

    if (p->problem && p->error != YAML_READER_ERROR && p->context &&
        (begin->line != mark.line || begin->column != mark.column))
        snprintf(text, sizeof text, "%s, %s that begins at %zu:%zu", p->problem, p->context,
                 begin->line + 1, begin->column + 1);
    else if (p->problem)
        snprintf(text, sizeof text, "%s", p->problem);
    if (after_tab(c, &mark))
        snprintf(text, sizeof text, "a tab cannot indent; use spaces");
    return fail_at(c, AXL__C_SYNTAX, &mark, "YAML: ", text);
}

/* On success the caller deletes the event, on failure there is none.  Who composes an event only
 * reads it. */
static axl_status next_event(composer *c, yaml_event_t *event)
{
    if (yaml_parser_parse(&c->parser, event))
        return AXL_OK;
    if (c->parser.error == YAML_MEMORY_ERROR)
        return axl__fail_nomem();
    return fail_syntax(c);
}

static axl_status new_node(composer *c, axl__yaml_type type, const yaml_mark_t *mark,
                           axl__yaml **out)
{
    if (++c->nodes > NODES_MAX)
        return fail_at(c, AXL__C_TOO_LARGE, mark, "more than 100,000 values", "");
    *out = axl__yaml_collection(c->arena, type);
    if (!*out)
        return axl__fail_nomem();
    (*out)->line = (uint32_t)mark->line + 1;
    (*out)->column = (uint32_t)mark->column + 1;
    return AXL_OK;
}

/* A copy whose values stand where the original's do: a mistake in one is shown where it can be
 * mended.  mark is the alias, for the message when there are too many values. */
static axl_status copy_node(composer *c, const axl__yaml *from, const yaml_mark_t *mark,
                            axl__yaml **out)
{
    AXL_TRY(new_node(c, from->type, mark, out));
    axl__yaml *to = *out;
    *to = *from;
    to->child = to->next = NULL;
    to->count = 0;
    axl__yaml **tail = &to->child;
    for (const axl__yaml *child = from->child; child; child = child->next) {
        AXL_TRY(copy_node(c, child, mark, tail));
        tail = &(*tail)->next;
        to->count++;
    }
    return AXL_OK;
}

static axl_status open_anchor(composer *c, const yaml_char_t *name, anchor **out)
{
    *out = NULL;
    if (!name)
        return AXL_OK;
    anchor *a = axl__arena_alloc(c->arena, sizeof *a);
    if (!a ||
        !(a->name = axl__arena_strndup(c->arena, (const char *)name, strlen((const char *)name))))
        return axl__fail_nomem();
    a->next = c->anchors;
    c->anchors = a;
    *out = a;
    return AXL_OK;
}

static axl_status compose_alias(composer *c, const yaml_event_t *event, axl__yaml **out)
{
    const char *name = (const char *)event->data.alias.anchor;

    for (const anchor *a = c->anchors; a; a = a->next) {
        if (strcmp(a->name, name) != 0)
            continue;
        if (!a->node)
            return fail_at(c, AXL__C_ALIAS, &event->start_mark, "an alias inside what it names: *",
                           name);
        return copy_node(c, a->node, &event->start_mark, out);
    }
    return fail_at(c, AXL__C_ALIAS, &event->start_mark, "no anchor of the name *", name);
}

/* A core tag's name ("str" of "tag:yaml.org,2002:str"), "" for none, NULL for another tag. */
static const char *core_tag(const yaml_char_t *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";

    if (!tag)
        return "";
    if (strcmp((const char *)tag, "!") == 0)
        return "str";
    return strncmp((const char *)tag, prefix, sizeof prefix - 1) == 0
               ? (const char *)tag + sizeof prefix - 1
               : NULL;
}

/* Whether a plain scalar has the type of its core tag; !!float takes 3 as well. */
static bool tag_fits(const char *tag, const axl__yaml *node)
{
    return (strcmp(tag, "int") == 0 && node->type == AXL__YAML_INT) ||
           (strcmp(tag, "float") == 0 &&
            (node->type == AXL__YAML_FLOAT || node->type == AXL__YAML_INT)) ||
           (strcmp(tag, "bool") == 0 && node->type == AXL__YAML_BOOL) ||
           (strcmp(tag, "null") == 0 && node->type == AXL__YAML_NULL);
}

/* Quoted and block scalars are texts (plain_implicit is false), and !!timestamp stays one: no key
 * is a date.  A U+0000, which "\0" in double quotes makes, is refused here once, so that the rest
 * of the library may take texts as NUL-terminated. */
static axl_status compose_scalar(composer *c, const yaml_event_t *event, axl__yaml **out)
{
    const char *tag = core_tag(event->data.scalar.tag);
    anchor *a;

    AXL_TRY(new_node(c, AXL__YAML_STRING, &event->start_mark, out));
    axl__yaml *node = *out;
    node->len = event->data.scalar.length;
    node->text = axl__arena_strndup(c->arena, (const char *)event->data.scalar.value, node->len);
    if (!node->text)
        return axl__fail_nomem();
    if (memchr(node->text, 0, node->len))
        return fail_at(c, AXL__C_NUL, &event->start_mark, "a text may not hold U+0000", "");
    AXL_TRY(open_anchor(c, event->data.scalar.anchor, &a));
    if (a)
        a->node = node;
    if (!tag)
        return fail_at(c, AXL__C_TAG, &event->start_mark, "unknown tag ",
                       (const char *)event->data.scalar.tag);
    if (*tag ? strcmp(tag, "str") == 0 || strcmp(tag, "timestamp") == 0
             : !event->data.scalar.plain_implicit)
        return AXL_OK;
    axl__yaml_resolve(node);
    if (*tag && !tag_fits(tag, node))
        return fail_at(c, AXL__C_TAG, &event->start_mark, "the value does not fit its tag !!", tag);
    if (*tag == 'f' && node->type == AXL__YAML_INT)
        node->type = AXL__YAML_FLOAT;
    return AXL_OK;
}

static axl_status compose(composer *c, const yaml_event_t *event, int depth, axl__yaml **out);

/* Hangs the items in as they come; on failure the list ends with the last whole one. */
static axl_status compose_list(composer *c, int depth, axl__yaml *list)
{
    axl__yaml **tail = &list->child;
    axl_status status = AXL_OK;
    size_t mark = c->path.len;

    for (bool more = true; more && status == AXL_OK;) {
        yaml_event_t event;
        AXL_TRY(next_event(c, &event));
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            more = false;
        } else {
            axl__str_putf(&c->path, "[%u]", list->count);
            status = compose(c, &event, depth + 1, tail);
            cut_path(c, mark);
            if (status == AXL_OK)
                tail = &(*tail)->next;
            list->count++;
        }
        yaml_event_delete(&event);
    }
    return status;
}

/* The members of a mapping under construction, by name.  The index keeps a mapping of many thousand
 * members from costing the square of them; once it is made, it is only asked for names that axl
 * knows, and searched from the front. */
typedef struct members {
    axl__map index; /* name to axl__yaml * */
    axl__yaml *first, *last;
    uint32_t count;
} members;

static void chain(members *m, axl__yaml *value)
{
    value->next = NULL;
    if (m->last)
        m->last->next = value;
    else
        m->first = value;
    m->last = value;
    m->count++;
}

/* Adds value, or puts it into the place of the earlier member of its name, as a dict does: the
 * order is that of first mention, the value the last one.  *replaced is the node that was
 * overwritten, or NULL. */
static axl_status put_member(members *m, axl__yaml *value, axl__yaml **replaced)
{
    int64_t found;

    *replaced = NULL;
    if (axl__map_get(&m->index, value->key, strlen(value->key), &found)) {
        axl__yaml *old = (axl__yaml *)(intptr_t)found, *next = old->next;
        *replaced = old;
        *old = *value;
        old->next = next;
        return AXL_OK;
    }
    AXL_TRY(axl__map_set(&m->index, value->key, strlen(value->key), (int64_t)(intptr_t)value));
    chain(m, value);
    return AXL_OK;
}

/* The members of one "<<" mapping.  They are copied, because a member is in one list of
 * siblings. */
static axl_status merge_map(composer *c, members *merged, const axl__yaml *from,
                            const yaml_mark_t *mark)
{
    axl__yaml *copy, *replaced;

    if (from->type != AXL__YAML_MAP)
        return fail_at(c, AXL__C_MERGE, mark, "\"<<\" takes a mapping or a list of mappings", "");
    AXL_TRY(copy_node(c, from, mark, &copy));
    for (axl__yaml *child = copy->child, *next; child; child = next) {
        next = child->next;
        AXL_TRY(put_member(merged, child, &replaced));
    }
    return AXL_OK;
}

/* A list's earlier mappings win over its later ones. */
static axl_status merge_value(composer *c, members *merged, const axl__yaml *value,
                              const yaml_mark_t *mark)
{
    if (value->type != AXL__YAML_LIST)
        return merge_map(c, merged, value, mark);
    for (uint32_t i = value->count; i > 0; i--)
        AXL_TRY(merge_map(c, merged, axl__yaml_item(value, i - 1), mark));
    return AXL_OK;
}

/* Reads the value of a member whose key event is given.  own is what the mapping says itself,
 * merged what its "<<" bring: they stay apart until its end, because own members win wherever the
 * "<<" stands. */
static axl_status compose_member(composer *c, const yaml_event_t *key_event, int depth,
                                 members *own, members *merged)
{
    axl__yaml *key, *value, *replaced;
    yaml_event_t event;
    size_t mark = c->path.len;

    AXL_TRY(compose(c, key_event, depth + 1, &key));
    if (key->type == AXL__YAML_LIST || key->type == AXL__YAML_MAP)
        return fail_at(c, AXL__C_KEY_NOT_SCALAR, &key_event->start_mark,
                       "a key must be a single value", "");
    AXL_TRY(next_event(c, &event));
    yaml_mark_t place = event.start_mark;
    axl__str_puts(&c->path, mark ? "." : "");
    axl__str_puts(&c->path, key->text);
    axl_status status = compose(c, &event, depth + 1, &value);
    yaml_event_delete(&event);
    AXL_TRY(status);

    bool plain = key_event->type == YAML_SCALAR_EVENT && key_event->data.scalar.plain_implicit;
    if (plain && strcmp(key->text, "<<") == 0) {
        status = merge_value(c, merged, value, &place);
    } else {
        value->key = key->text;
        value->key_line = key->line;
        value->key_column = key->column;
        status = put_member(own, value, &replaced);
        if (status == AXL_OK && replaced)
            axl__diag(c->diags, AXL__C_DUPLICATE_KEY, AXL_SEVERITY_WARNING, key->line, key->column,
                      axl__str_text(&c->path), "given twice; the last value counts");
    }
    cut_path(c, mark);
    return status;
}

/* Merged members first, own ones over them: PyYAML's flatten_mapping. */
static axl_status join_members(axl__yaml *map, members *merged, members *own)
{
    axl__yaml *replaced;

    for (axl__yaml *child = own->first, *next; child; child = next) {
        next = child->next;
        AXL_TRY(put_member(merged, child, &replaced));
    }
    map->child = merged->first;
    map->count = merged->count;
    return AXL_OK;
}

static axl_status compose_map(composer *c, int depth, axl__yaml *map)
{
    members own = { .first = NULL }, merged = { .first = NULL };
    axl_status status = AXL_OK;

    axl__map_init(&own.index, c->arena->ctx);
    axl__map_init(&merged.index, c->arena->ctx);
    for (bool more = true; more && status == AXL_OK;) {
        yaml_event_t event;
        status = next_event(c, &event);
        if (status < 0)
            break;
        if (event.type == YAML_MAPPING_END_EVENT)
            more = false;
        else
            status = compose_member(c, &event, depth, &own, &merged);
        yaml_event_delete(&event);
    }
    if (status == AXL_OK)
        status = join_members(map, &merged, &own);
    axl__map_free(&own.index);
    axl__map_free(&merged.index);
    return status;
}

/* The anchor is opened before the members are read, so that one among them that refers to it is
 * seen as a circle, and gets its node behind them. */
static axl_status compose_collection(composer *c, const yaml_event_t *event, int depth,
                                     axl__yaml **out)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    const char *core = core_tag(tag);
    anchor *a;

    if (depth > DEPTH_MAX)
        return fail_at(c, AXL__C_TOO_LARGE, &event->start_mark, "nested too deeply", "");
    if (!core || (*core && strcmp(core, list ? "seq" : "map") != 0))
        return fail_at(c, AXL__C_TAG, &event->start_mark, "unknown tag ", (const char *)tag);
    AXL_TRY(new_node(c, list ? AXL__YAML_LIST : AXL__YAML_MAP, &event->start_mark, out));
    AXL_TRY(open_anchor(
        c, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor, &a));
    AXL_TRY(list ? compose_list(c, depth, *out) : compose_map(c, depth, *out));
    if (a)
        a->node = *out;
    return AXL_OK;
}

static axl_status compose(composer *c, const yaml_event_t *event, int depth, axl__yaml **out)
{
    if (event->type == YAML_ALIAS_EVENT)
        return compose_alias(c, event, out);
    if (event->type == YAML_SCALAR_EVENT)
        return compose_scalar(c, event, out);
    return compose_collection(c, event, depth, out);
}

/* Stream start, document start or stream end, root, document end, stream end. */
static axl_status compose_stream(composer *c, axl__yaml **out)
{
    axl_status status = AXL_OK;
    bool seen = false;

    for (bool more = true; more && status == AXL_OK;) {
        yaml_event_t event;
        AXL_TRY(next_event(c, &event));
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT: break;
        case YAML_STREAM_END_EVENT: more = false; break;
        case YAML_DOCUMENT_START_EVENT:
            if (seen)
                status = fail_at(c, AXL__C_SEVERAL_DOCUMENTS, &event.start_mark,
                                 "a config is one YAML document, and here a second one starts", "");
            seen = true;
            break;
        default:
            status = compose(c, &event, 0, out);
            if (status == AXL_OK && (*out)->type != AXL__YAML_MAP && (*out)->type != AXL__YAML_NULL)
                status = fail_at(c, AXL__C_NOT_A_MAPPING, &event.start_mark,
                                 "a config is a mapping of keys to values", "");
        }
        yaml_event_delete(&event);
    }
    return status;
}

axl_status axl__yaml_parse(axl__yaml **out, axl__arena *arena, const char *text, size_t len,
                           axl_diagnostics *diags)
{
    composer c = { .arena = arena, .diags = diags, .text = text, .len = len };
    axl__yaml *root = NULL;

    *out = NULL;
    if (!yaml_parser_initialize(&c.parser))
        return axl__fail_nomem();
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)text, len);
    axl__str_init(&c.path, arena->ctx);
    axl_status status = compose_stream(&c, &root);
    if (status == AXL_OK)
        status = axl__str_status(&c.path);
    axl__str_free(&c.path);
    yaml_parser_delete(&c.parser);
    AXL_TRY(status);
    if (!root || root->type == AXL__YAML_NULL)
        root = axl__yaml_collection(arena, AXL__YAML_MAP);
    if (!root)
        return axl__fail_nomem();
    *out = root;
    return AXL_OK;
}

/* ---- using a tree ---- */

/* The arena's memory is zeroed: a new node has no place, no children and no siblings. */
axl__yaml *axl__yaml_collection(axl__arena *arena, axl__yaml_type type)
{
    axl__yaml *node = axl__arena_alloc(arena, sizeof *node);

    if (node)
        node->type = type;
    return node;
}

axl__yaml *axl__yaml_string(axl__arena *arena, const char *text, size_t len)
{
    axl__yaml *node = axl__yaml_collection(arena, AXL__YAML_STRING);

    if (node && !(node->text = axl__arena_strndup(arena, text, len)))
        return NULL;
    if (node)
        node->len = len;
    return node;
}

axl__yaml *axl__yaml_plain(axl__arena *arena, const char *text, size_t len)
{
    axl__yaml *node = axl__yaml_string(arena, text, len);

    if (node)
        axl__yaml_resolve(node);
    return node;
}

/* NULL and what is no mapping have no members, so that calls may be chained. */
axl__yaml *axl__yaml_get(const axl__yaml *map, const char *key)
{
    if (!map || map->type != AXL__YAML_MAP)
        return NULL;
    for (axl__yaml *child = map->child; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

axl__yaml *axl__yaml_item(const axl__yaml *list, size_t index)
{
    axl__yaml *child = list && list->type == AXL__YAML_LIST ? list->child : NULL;

    while (child && index-- > 0)
        child = child->next;
    return child;
}

void axl__yaml_append(axl__yaml *parent, axl__yaml *value)
{
    axl__yaml **at = &parent->child;

    while (*at)
        at = &(*at)->next;
    value->next = NULL;
    *at = value;
    parent->count++;
}

axl_status axl__yaml_set(axl__arena *arena, axl__yaml *map, const char *key, axl__yaml *value)
{
    axl__yaml *old = axl__yaml_get(map, key);

    if (!value)
        return axl__fail_nomem();
    if (!old) {
        value->key = axl__arena_strndup(arena, key, strlen(key));
        if (!value->key)
            return axl__fail_nomem();
        axl__yaml_append(map, value);
        return AXL_OK;
    }
    value->key = old->key;
    value->next = old->next;
    *old = *value;
    return AXL_OK;
}

axl__yaml *axl__yaml_remove(axl__yaml *map, const char *key)
{
    for (axl__yaml **at = &map->child; *at; at = &(*at)->next) {
        axl__yaml *child = *at;
        if (strcmp(child->key, key) == 0) {
            *at = child->next;
            map->count--;
            return child;
        }
    }
    return NULL;
}

/* A null in a list stays: taking it out would move the items behind it.  It is of no item's type,
 * which is said where types are checked. */
void axl__yaml_drop_nulls(axl__yaml *node)
{
    for (axl__yaml **at = &node->child; *at;) {
        axl__yaml *child = *at;
        if (node->type == AXL__YAML_MAP && child->type == AXL__YAML_NULL) {
            *at = child->next;
            node->count--;
            continue;
        }
        axl__yaml_drop_nulls(child);
        at = &child->next;
    }
}
