/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_override.c - "key=value" texts over the tree, as the tool's --key value.  Values that
 * come this way have no line.
 */
#include "config_priv.h"

#include "base/str.h"

#include <string.h>

/* A list grows by its next index alone; the limit only keeps the digits of an index from
 * overflowing. */
enum { INDEX_MAX = 1000 };

/* Where a path ends: the collection that holds (or shall hold) the last part, and that part. */
typedef struct slot {
    axl__yaml *parent;
    char name[256]; /* of a member, */
    size_t index;   /* or of an item */
    bool item;
} slot;

static void say_override(axl__config_pass *p, const char *key, const char *message)
{
    axl__config_say(p, AXL__C_OVERRIDE, AXL_SEVERITY_ERROR, NULL, AT_KEY, key, "%s", message);
}

/* Reads one part of a path; NULL when it is malformed. */
static const char *next_part(const char *at, slot *s)
{
    s->item = *at == '[';
    if (s->item) {
        size_t digits = 0;
        s->index = 0;
        for (at++; *at >= '0' && *at <= '9' && s->index <= INDEX_MAX; at++, digits++)
            s->index = s->index * 10 + (size_t)(*at - '0');
        if (digits == 0 || *at++ != ']')
            return NULL;
    } else {
        size_t n = strcspn(at, ".[");
        if (n == 0 || n >= sizeof s->name)
            return NULL;
        memcpy(s->name, at, n);
        s->name[n] = '\0';
        at += n;
    }
    if (*at == '.')
        return at[1] ? at + 1 : NULL;
    return *at == '\0' || *at == '[' ? at : NULL;
}

/* NULL: the slot is empty. */
static axl__yaml *in_slot(const slot *s)
{
    return s->item ? axl__yaml_item(s->parent, s->index) : axl__yaml_get(s->parent, s->name);
}

/* Writes value over what is in the slot.  value is copied into an old item's node, so that the
 * caller asks in_slot() for what is there now. */
static axl_status fill_slot(axl__config_pass *p, const slot *s, axl__yaml *value)
{
    if (!value)
        return axl__fail_nomem();
    if (!s->item)
        return axl__yaml_set(p->arena, s->parent, s->name, value);
    axl__yaml *old = axl__yaml_item(s->parent, s->index);
    if (old) {
        value->next = old->next;
        *old = *value;
    } else {
        axl__yaml_append(s->parent, value);
    }
    return AXL_OK;
}

/* a, a.b, a[0].b; not [0], because the root is a mapping.  Looked at as a whole before anything is
 * made, so that a malformed path leaves no half of itself in the tree. */
static bool is_path(const char *key)
{
    slot s;

    for (const char *at = key; at && (at == key || *at);) {
        at = next_part(at, &s);
        if (!at || (s.item && *key == '['))
            return false;
    }
    return true;
}

/* Goes down a path, making what is missing: "a.b[0]=1" works where there is no a.  A null on the
 * way counts as missing.  *ok is false after a diagnostic. */
static axl_status find_slot(axl__config_pass *p, const char *key, slot *s, bool *ok)
{
    const char *at = key;

    *ok = false;
    s->parent = p->root;
    if (!is_path(key)) {
        say_override(p, key, "is no key: write a.b or a[0].b");
        return AXL_OK;
    }
    for (;;) {
        at = next_part(at, s);
        if (s->parent->type != (s->item ? AXL__YAML_LIST : AXL__YAML_MAP)) {
            say_override(p, key,
                         s->item ? "the value before [ is not a list"
                                 : "the value before the last part is not a mapping");
            return AXL_OK;
        }
        if (s->item && s->index > s->parent->count) {
            say_override(p, key, "the list is shorter than that");
            return AXL_OK;
        }
        if (*at == '\0')
            break;
        axl__yaml *next = in_slot(s);
        if (!next || next->type == AXL__YAML_NULL) {
            axl__yaml *made =
                axl__yaml_collection(p->arena, *at == '[' ? AXL__YAML_LIST : AXL__YAML_MAP);
            AXL_TRY(fill_slot(p, s, made));
            next = in_slot(s);
        }
        s->parent = next;
    }
    *ok = true;
    return AXL_OK;
}

/* [a, b] and {a: b}, read as the value of a small document of its own.  What is wrong with it goes
 * to a list that nobody sees, whose lines and columns would be of that document; one diagnostic at
 * the key stands for it. */
static axl_status flow_value(axl__config_pass *p, const char *key, const char *text,
                             axl__yaml **out)
{
    axl_diagnostics *none;
    axl__str s;

    AXL_TRY(axl__diagnostics_new(&none, p->arena->ctx, ""));
    axl__str_init(&s, p->arena->ctx);
    axl__str_puts(&s, "value: ");
    axl__str_puts(&s, text);
    axl_status status = axl__str_status(&s);
    axl__yaml *root = NULL;
    if (status == AXL_OK)
        status = axl__yaml_parse(&root, p->arena, s.data, s.len, none);
    axl__str_free(&s);
    axl_diagnostics_free(none);
    *out = root ? axl__yaml_get(root, "value") : NULL;
    if (status == AXL_ERR_CONFIG || (status == AXL_OK && !*out)) {
        *out = NULL;
        say_override(p, key, "the value is no YAML list or mapping");
        status = AXL_OK;
    }
    return status;
}

/* A place in a text that is not the file's means nothing. */
static void forget_places(axl__yaml *node)
{
    node->line = node->column = node->key_line = node->key_column = 0;
    for (axl__yaml *child = node->child; child; child = child->next)
        forget_places(child);
}

/* The schema decides where a text could be read in two ways: for a key of texts alone "1e-3" or
 * "[a]" is that text, as a shell user who cannot nest quotes expects.  "none" is Python's null; an
 * empty value is the empty text and not null, which YAML would make of it. */
static axl_status read_value(axl__config_pass *p, const char *key, const char *text,
                             axl__yaml **out)
{
    const axl__schema_key *k = axl__schema_find(key);
    bool wants_text = k && (k->type & T_S) && !(k->type & (T_B | T_I | T_F | T_L | T_ANY));
    bool takes_collection = !k || (k->type & (T_L | T_M | T_O | T_ANY));

    if (axl__ascii_casecmp(text, "none") == 0)
        text = "null";
    if ((*text == '[' || *text == '{') && takes_collection) {
        AXL_TRY(flow_value(p, key, text, out));
        if (*out)
            forget_places(*out);
        return AXL_OK;
    }
    *out = axl__yaml_plain(p->arena, text, strlen(text));
    if (*out && wants_text && (*out)->type != AXL__YAML_NULL)
        (*out)->type = AXL__YAML_STRING;
    if (*out && *text == '\0')
        (*out)->type = AXL__YAML_STRING;
    return *out ? AXL_OK : axl__fail_nomem();
}

/* The tool's flags may be written with '-'. */
static void use_underscores(char *key)
{
    if (!axl__schema_knows(key))
        for (; *key; key++)
            if (*key == '-')
                *key = '_';
}

axl_status axl__config_override(axl__config_pass *p, const char *text)
{
    const char *equals = text ? strchr(text, '=') : NULL;
    axl__yaml *value;
    slot s;
    bool ok;

    if (!equals || equals == text)
        return axl__fail(AXL_ERR_INVALID, "override \"%s\" is not \"key=value\"", text ? text : "");
    char *key = axl__arena_strndup(p->arena, text, (size_t)(equals - text));
    if (!key)
        return axl__fail_nomem();
    use_underscores(key);
    AXL_TRY(find_slot(p, key, &s, &ok));
    if (!ok)
        return AXL_OK;
    AXL_TRY(read_value(p, key, equals + 1, &value));
    return value ? fill_slot(p, &s, value) : AXL_OK;
}
