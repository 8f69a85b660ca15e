/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_save.c - writes a tokenizer's files again: copies, but for the keys that the caller's
 * options changed. */
#include "tokenizer_priv.h"

#include <string.h>

/* Sets a member of an object, in the tree's arena; text NULL sets a boolean. */
static axl_status set_member(axl__arena *arena, axl__json *obj, const char *key, const char *text,
                             bool boolean)
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

static bool has_class(const axl_tokenizer *t)
{
    return t->type && !axl__starts_with(t->type, "AutoTokenizer");
}

static axl_status set_all(const axl_tokenizer *t, axl__arena *arena, axl__json *obj, bool config)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (t->override[i])
            AXL_TRY(set_member(arena, obj, axl__special_names[i], t->override[i], false));
    if (config && has_class(t))
        AXL_TRY(set_member(arena, obj, "tokenizer_class", t->type, false));
    if (config && t->legacy >= 0)
        AXL_TRY(set_member(arena, obj, "legacy", NULL, t->legacy != 0));
    if (config && t->chat_template.text && axl__json_get(obj, "chat_template"))
        AXL_TRY(set_member(arena, obj, "chat_template", t->chat_template.text, false));
    return AXL_OK;
}

/* text: the file as it is. */
static axl_status write_changed(const axl_tokenizer *t, const axl__outlet *to, const char *name,
                                const char *text, size_t len, bool config)
{
    axl__arena arena;
    axl__json *root;
    axl__str out;

    axl__arena_init(&arena, t->ctx);
    axl__str_init(&out, t->ctx);
    axl_status status = axl__json_parse(&root, &arena, text, len, NULL);
    if (status == AXL_OK)
        status = set_all(t, &arena, root, config);
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
    bool config = !t->bare && strcmp(name, "tokenizer_config.json") == 0;
    bool map = !t->bare && strcmp(name, "special_tokens_map.json") == 0;
    bool change =
        (config && (has_special(t) || has_class(t) || t->legacy >= 0 || t->chat_template.text)) ||
        (map && has_special(t));
    axl__file f;

    if (t->chat_template.text && strcmp(name, "chat_template.jinja") == 0) {
        *copied = true;
        return axl__outlet_put(to, name, t->chat_template.text, t->chat_template.len);
    }
    axl_status status = axl__tokenizer_open_file(t, t->bare ? "" : name, &f);

    *copied = status == AXL_OK;
    if (status == AXL_END)
        return config && change ? write_changed(t, to, name, "{}", 2, true) : AXL_OK;
    AXL_TRY(status);
    if (change)
        status = write_changed(t, to, name, (const char *)f.data, f.size, config);
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
    "tokenizer.model",         "tokenizer.json",      "added_tokens.json",
    "special_tokens_map.json", "chat_template.jinja", "tokenizer_config.json"
};

axl_status axl__tokenizer_write(const axl_tokenizer *t, const axl__outlet *to)
{
    bool any = false, copied = false;

    for (size_t i = 0; i < (t->bare ? 1 : AXL__TOKENIZER_FILES); i++) {
        AXL_TRY(save_named(t, to, axl__tokenizer_files[i], &copied));
        any = any || (copied && i < 2);
    }
    return any ? AXL_OK : axl__fail(AXL_ERR_IO, "the tokenizer's files at %s are gone", t->source);
}
