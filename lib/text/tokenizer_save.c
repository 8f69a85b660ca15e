/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_save.c - writes a tokenizer's files again: copies, but for the keys that the caller's
 * options changed. */
#include "tokenizer_priv.h"

#include <stdlib.h>
#include <string.h>

/* A member of an object, made where there is none, in the tree's arena. */
static axl_status take_member(axl__arena *arena, axl__json *obj, const char *key, axl__json **out)
{
    axl__json **link = &obj->child, *v = (axl__json *)(uintptr_t)axl__json_get(obj, key);

    if (!v) {
        while (*link)
            link = &(*link)->next;
        v = *link = axl__arena_alloc(arena, sizeof *v);
        if (!v)
            return axl__fail_nomem();
        v->key = key;
        v->key_len = strlen(key);
        obj->count++;
    }
    *out = v;
    return AXL_OK;
}

/* text NULL sets a boolean. */
static axl_status set_member(axl__arena *arena, axl__json *obj, const char *key, const char *text,
                             bool boolean)
{
    axl__json *v = NULL;

    AXL_TRY(take_member(arena, obj, key, &v));
    v->type = text ? AXL__JSON_STRING : AXL__JSON_BOOL;
    v->boolean = boolean;
    v->text = text;
    v->len = text ? strlen(text) : 0;
    v->child = NULL;
    return AXL_OK;
}

static bool has_special(const axl_tokenizer *t)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (t->override[i])
            return true;
    return false;
}

/* The class that the caller names, or that config.json named, which does not come along, and that
 * says which files count; NULL: the files say it themselves. */
static const char *class_of(const axl_tokenizer *t)
{
    if (t->type && !axl__starts_with(t->type, "AutoTokenizer"))
        return t->type;
    return t->by_class ? axl__class_specs[t->class].name : NULL;
}

/* ---- new tokens ---- */

static int by_id(const void *a, const void *b)
{
    const axl__added_entry *x = *(const axl__added_entry *const *)a;
    const axl__added_entry *y = *(const axl__added_entry *const *)b;

    return (x->id > y->id) - (x->id < y->id);
}

/* As an item of added_tokens, or a member of added_tokens_decoder.  A token that was special once
 * is left out when decoding, whatever it was added as later. */
static void put_entry(axl__str *out, const axl__added_entry *e, bool special, bool member)
{
    const axl__added_token *t = &e->token;

    if (member)
        axl__str_putf(out, "\"%d\": {", e->id);
    else
        axl__str_putf(out, "{\"id\": %d, ", e->id);
    axl__str_puts(out, "\"content\": ");
    axl__str_put_json(out, t->text.text, t->text.len);
    axl__str_putf(out,
                  ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, \"normalized\": %s, "
                  "\"special\": %s}",
                  t->single_word ? "true" : "false", t->lstrip ? "true" : "false",
                  t->rstrip ? "true" : "false", t->normalized ? "true" : "false",
                  special ? "true" : "false");
}

/* All added tokens by ascending id, which is the order that gives new ones their ids again. */
static axl_status put_added(const axl_tokenizer *t, axl__str *out, bool members)
{
    const axl__added_entry **list = axl__alloc(t->ctx, (t->added.count + 1) * sizeof *list);

    if (!list)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < t->added.count; i++)
        list[i] = &t->added.entries[i];
    qsort(list, t->added.count, sizeof *list, by_id);
    axl__str_putc(out, members ? '{' : '[');
    for (uint32_t i = 0; i < t->added.count; i++) {
        if (i > 0)
            axl__str_puts(out, ", ");
        put_entry(out, list[i], axl__added_is_special(&t->added, list[i]->token.text), members);
    }
    axl__str_putc(out, members ? '}' : ']');
    axl__free(t->ctx, list);
    return axl__str_status(out);
}

static axl_status set_added(const axl_tokenizer *t, axl__arena *arena, axl__json *obj,
                            const char *key, bool members)
{
    axl__json *v = NULL, *made = NULL;
    axl__str text;

    axl__str_init(&text, t->ctx);
    axl_status status = put_added(t, &text, members);
    const char *copy = status == AXL_OK ? axl__arena_strndup(arena, text.data, text.len) : NULL;
    if (status == AXL_OK)
        status = copy ? axl__json_parse(&made, arena, copy, text.len, key) : axl__fail_nomem();
    axl__str_free(&text);
    AXL_TRY(status);
    AXL_TRY(take_member(arena, obj, key, &v));
    v->type = made->type;
    v->child = made->child;
    v->count = made->count;
    return AXL_OK;
}

/* Where there is no tokenizer.json, ids stand in the config, which then has to name the special
 * tokens too: no other file counts beside it. */
static axl_status set_decoder(const axl_tokenizer *t, axl__arena *arena, axl__json *obj)
{
    bool json = axl__folder_kind(&t->folder, "tokenizer.json") != AXL__PATH_NONE;

    if (json && !axl__json_get(obj, "added_tokens_decoder"))
        return AXL_OK;
    for (int i = 0; i < AXL__N_SPECIALS && !json; i++)
        if (t->specials[i].text && t->specials[i].id >= 0)
            AXL_TRY(set_member(arena, obj, axl__special_names[i], t->specials[i].text, false));
    return set_added(t, arena, obj, "added_tokens_decoder", true);
}

/* ---- files ---- */

static axl_status set_tokenizer(const axl_tokenizer *t, axl__arena *arena, axl__json *root)
{
    AXL_TRY(axl__rename_tokens(t, &(axl__token_files){ .tokenizer = root }));
    return set_added(t, arena, root, "added_tokens", false);
}

static axl_status set_names(const axl_tokenizer *t, axl__arena *arena, axl__json *obj, bool config)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (t->override[i])
            AXL_TRY(set_member(arena, obj, axl__special_names[i], t->override[i], false));
    if (config && class_of(t))
        AXL_TRY(set_member(arena, obj, "tokenizer_class", class_of(t), false));
    if (config && t->legacy >= 0)
        AXL_TRY(set_member(arena, obj, "legacy", NULL, t->legacy != 0));
    if (config && t->chat_template.text && axl__json_get(obj, "chat_template"))
        AXL_TRY(set_member(arena, obj, "chat_template", t->chat_template.text, false));
    return config && axl__has_wishes(t) && !t->bare ? set_decoder(t, arena, obj) : AXL_OK;
}

static axl_status set_config(const axl_tokenizer *t, axl__arena *arena, axl__json *obj)
{
    return set_names(t, arena, obj, true);
}

static axl_status set_map(const axl_tokenizer *t, axl__arena *arena, axl__json *obj)
{
    return set_names(t, arena, obj, false);
}

typedef axl_status (*change_fn)(const axl_tokenizer *t, axl__arena *arena, axl__json *root);

/* What changes a file; NULL: it is copied. */
static change_fn change_of(const axl_tokenizer *t, const char *name)
{
    if (t->bare)
        return NULL;
    if (strcmp(name, "tokenizer.json") == 0)
        return axl__has_wishes(t) ? set_tokenizer : NULL;
    if (strcmp(name, "special_tokens_map.json") == 0)
        return has_special(t) ? set_map : NULL;
    if (strcmp(name, "tokenizer_config.json") != 0)
        return NULL;
    return axl__has_wishes(t) || has_special(t) || class_of(t) || t->legacy >= 0 ||
                   t->chat_template.text
               ? set_config
               : NULL;
}

/* text: the file as it is. */
static axl_status write_changed(const axl_tokenizer *t, const axl__outlet *to, const char *name,
                                const char *text, size_t len, change_fn change)
{
    axl__arena arena;
    axl__json *root;
    axl__str out;

    axl__arena_init(&arena, t->ctx);
    axl__str_init(&out, t->ctx);
    axl_status status = axl__json_parse(&root, &arena, text, len, NULL);
    if (status == AXL_OK)
        status = change(t, &arena, root);
    if (status == AXL_OK) {
        axl__json_write(&out, root, 2);
        axl__str_putc(&out, '\n');
        status = axl__str_status(&out);
    }
    if (status == AXL_OK)
        status = axl__outlet_put(to, name, axl__str_text(&out), out.len);
    axl__str_free(&out);
    axl__arena_free(&arena);
    return status;
}

/* *copied says whether there was such a file. */
static axl_status save_named(const axl_tokenizer *t, const axl__outlet *to, const char *name,
                             bool *copied)
{
    change_fn change = change_of(t, name);
    axl__file f;

    if (t->chat_template.text && strcmp(name, "chat_template.jinja") == 0) {
        *copied = true;
        return axl__outlet_put(to, name, t->chat_template.text, t->chat_template.len);
    }
    axl_status status = axl__tokenizer_open_file(t, t->bare ? "" : name, &f);

    *copied = status == AXL_OK;
    if (status == AXL_END)
        return change == set_config ? write_changed(t, to, name, "{}", 2, change) : AXL_OK;
    AXL_TRY(status);
    if (change)
        status = write_changed(t, to, name, (const char *)f.data, f.size, change);
    else
        status = axl__outlet_put(to, name, f.data, f.size);
    axl__file_close(&f);
    return status;
}

axl_status axl__tokenizer_spare(const axl_tokenizer *t, const char *dir)
{
    if (t->folder.memory ||
        (!axl__same_path(t->source, dir) && !(t->bare && axl__path_is_in(t->source, dir))))
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID,
                     "%s is where the tokenizer lies, which is not written over: name another "
                     "folder",
                     dir);
}

const char *const axl__tokenizer_files[AXL__TOKENIZER_FILES] = {
    "tokenizer.model",     "tokenizer.json",       "spiece.model",      "vocab.txt",
    "vocab.json",          "merges.txt",           "added_tokens.json", "special_tokens_map.json",
    "chat_template.jinja", "tokenizer_config.json"
};

axl_status axl__tokenizer_write(const axl_tokenizer *t, const axl__outlet *to)
{
    bool any = false, copied = false;

    for (size_t i = 0; i < (t->bare ? 1 : AXL__TOKENIZER_FILES); i++) {
        const char *name = axl__tokenizer_is_tekken(t) ? "tekken.json" : axl__tokenizer_files[i];
        if (axl__has_wishes(t) && strcmp(name, "added_tokens.json") == 0)
            continue; /* the others say all of it */
        AXL_TRY(save_named(t, to, name, &copied));
        any = any || (copied && i < AXL__VOCABULARIES);
    }
    return any ? AXL_OK : axl__fail(AXL_ERR_IO, "the tokenizer's files at %s are gone", t->source);
}
