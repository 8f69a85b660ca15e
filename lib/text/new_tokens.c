/* SPDX-License-Identifier: Apache-2.0 */
/*
 * new_tokens.c - what a caller changes of a tokenizer's tokens, as Axolotl 0.19 loads one: added
 * tokens of the files get other texts first (added_tokens_overrides), as if the files said so; then
 * come the names of special tokens, tokens, and further special ones.  Each call numbers new ones
 * from where the vocabulary ends.
 */
#include "base/str.h"
#include "base/utf8.h"
#include "tokenizer_priv.h"

#include <string.h>

/* ---- the options ---- */

static axl_status copy_texts(axl_tokenizer *t, const char *key, const char *const *texts, size_t n,
                             const char ***out)
{
    if (n > 0 && !texts)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL where there are %zu", key, n);
    *out = axl__arena_alloc(&t->arena, (n + 1) * sizeof **out);
    if (!*out)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++) {
        size_t len = texts[i] ? strlen(texts[i]) : 0;
        if (len == 0 || !axl__utf8_valid(texts[i], len))
            return axl__fail(AXL_ERR_INVALID, "%s[%zu] must be a text in UTF-8, and not empty", key,
                             i);
        (*out)[i] = axl__arena_strndup(&t->arena, texts[i], len);
        if (!(*out)[i])
            return axl__fail_nomem();
    }
    return AXL_OK;
}

axl_status axl__take_wishes(axl_tokenizer *t, const axl_tokenizer_options *o, bool of_config)
{
    axl__token_wishes *w = &t->wishes;

    w->of_config = of_config;
    w->n_tokens = o->n_tokens;
    w->n_special = o->n_special_tokens;
    w->n_renamed = o->n_overrides;
    w->changes = w->n_tokens + w->n_special + w->n_renamed > 0;
    AXL_TRY(copy_texts(t, "tokens", o->tokens, o->n_tokens, &w->tokens));
    AXL_TRY(copy_texts(t, of_config ? "additional_special_tokens" : "special_tokens",
                       o->special_tokens, o->n_special_tokens, &w->special));
    AXL_TRY(copy_texts(t, of_config ? "added_tokens_overrides" : "override_texts",
                       o->override_texts, o->n_overrides, &w->renamed));
    if (o->n_overrides > 0 && !o->override_ids)
        return axl__fail(AXL_ERR_INVALID, "override_ids must not be NULL");
    w->renamed_ids = axl__arena_alloc(&t->arena, (o->n_overrides + 1) * sizeof *w->renamed_ids);
    w->made = axl__arena_alloc(&t->arena,
                               (AXL__N_SPECIALS + w->n_tokens + w->n_special) * sizeof *w->made);
    if (!w->renamed_ids || !w->made)
        return axl__fail_nomem();
    for (size_t i = 0; i < o->n_overrides; i++)
        w->renamed_ids[i] = o->override_ids[i];
    return AXL_OK;
}

bool axl__has_wishes(const axl_tokenizer *t)
{
    return t->wishes.changes;
}

/* Each text with its length, so that no two lists look the same. */
void axl__tokenizer_put_wishes(const axl_tokenizer *t, axl__str *out)
{
    const axl__token_wishes *w = &t->wishes;

    for (size_t i = 0; i < w->n_made; i++)
        axl__str_putf(out, "%d %zu:%s %d\n", w->made[i].id, strlen(w->made[i].text),
                      w->made[i].text, axl__added_is_special(&t->added, w->made[i].slice));
    for (size_t i = 0; i < w->n_renamed; i++)
        axl__str_putf(out, "%d = %zu:%s\n", w->renamed_ids[i], strlen(w->renamed[i]),
                      w->renamed[i]);
}

/* ---- other texts for added tokens ---- */

typedef struct {
    const axl_tokenizer *t;
    axl__pairs index; /* id to place in the list of overrides */
    bool *found;      /* (n_renamed) */
} renamer;

/* The new text of an id, NULL for none. */
static const char *new_text(const renamer *r, int64_t id, bool marks)
{
    uint64_t i;

    if (id < 0 || !axl__pairs_get(&r->index, (uint64_t)id, &i))
        return NULL;
    if (marks)
        r->found[i] = true;
    return r->t->wishes.renamed[i];
}

static void set_text(const axl__json *v, const char *text)
{
    axl__json *changed = (axl__json *)(uintptr_t)v; /* the tree is the loader's own */

    if (!changed || !text)
        return;
    changed->text = text;
    changed->len = strlen(text);
}

static void set_key(const axl__json *v, const char *text)
{
    axl__json *changed = (axl__json *)(uintptr_t)v;

    if (!text)
        return;
    changed->key = text;
    changed->key_len = strlen(text);
}

static int64_t id_of_key(const axl__json *v)
{
    int64_t id = v->key_len > 0 ? 0 : -1;

    for (size_t i = 0; i < v->key_len && id >= 0; i++)
        id = v->key[i] >= '0' && v->key[i] <= '9' && id <= AXL__ID_MAX ? id * 10 + v->key[i] - '0'
                                                                       : -1;
    return id;
}

/* The vocabulary is an object of ids by text, or a list of pieces with their scores. */
static void rename_in_model(const renamer *r, const axl__json *vocab)
{
    int64_t id = 0;

    for (const axl__json *v = vocab ? vocab->child : NULL; v; v = v->next, id++) {
        if (vocab->type == AXL__JSON_OBJECT && v->type == AXL__JSON_INT)
            set_key(v, new_text(r, v->integer, false));
        else if (vocab->type == AXL__JSON_ARRAY && v->type == AXL__JSON_ARRAY && v->child &&
                 v->child->type == AXL__JSON_STRING)
            set_text(v->child, new_text(r, id, false));
    }
}

static void rename_in_list(const renamer *r, const axl__json *list)
{
    for (const axl__json *v = list ? list->child : NULL; v; v = v->next)
        if (axl__json_string(v, "content", NULL))
            set_text(axl__json_get(v, "content"), new_text(r, axl__json_int(v, "id", -1), true));
}

static void rename_in_config(const renamer *r, const axl__json *decoder)
{
    for (const axl__json *v = decoder ? decoder->child : NULL; v; v = v->next)
        if (axl__json_string(v, "content", NULL))
            set_text(axl__json_get(v, "content"), new_text(r, id_of_key(v), true));
}

static void rename_in_added(const renamer *r, const axl__json *added)
{
    for (const axl__json *v = added ? added->child : NULL; v; v = v->next)
        if (v->type == AXL__JSON_INT)
            set_key(v, new_text(r, v->integer, true));
}

static axl_status rename_all(const renamer *r, const axl__token_files *files)
{
    const axl__token_wishes *w = &r->t->wishes;

    rename_in_model(r, axl__json_get(axl__json_get(files->tokenizer, "model"), "vocab"));
    rename_in_list(r, axl__json_get(files->tokenizer, "added_tokens"));
    rename_in_config(r, axl__json_get(files->config, "added_tokens_decoder"));
    rename_in_added(r, files->added);
    for (size_t i = 0; i < w->n_renamed; i++)
        if (!r->found[i])
            return axl__fail(
                AXL_ERR_INVALID,
                "%s: %d is no added token of the tokenizer, and others keep their text",
                w->of_config ? "added_tokens_overrides" : "override_ids", w->renamed_ids[i]);
    return AXL_OK;
}

axl_status axl__rename_tokens(const axl_tokenizer *t, const axl__token_files *files)
{
    const axl__token_wishes *w = &t->wishes;
    renamer r = { .t = t };
    axl_status status = AXL_OK;

    if (w->n_renamed == 0)
        return AXL_OK;
    if (!files->tokenizer || t->by_class)
        return axl__fail(AXL_ERR_UNSUPPORTED, "added tokens get other texts in a tokenizer.json "
                                              "alone, and there is none");
    axl__pairs_init(&r.index, t->ctx);
    r.found = axl__calloc(t->ctx, w->n_renamed, sizeof *r.found);
    if (!r.found)
        status = axl__fail_nomem();
    for (size_t i = 0; i < w->n_renamed && status == AXL_OK; i++)
        status = w->renamed_ids[i] < 0
                     ? axl__fail(AXL_ERR_INVALID, "%d is no id of a token", w->renamed_ids[i])
                     : axl__pairs_set(&r.index, (uint64_t)w->renamed_ids[i], i);
    if (status == AXL_OK)
        status = rename_all(&r, files);
    axl__free(t->ctx, r.found);
    axl__pairs_free(&r.index);
    return status;
}

/* ---- more tokens ---- */

static axl_status note_made(axl_tokenizer *t, const char *key, const char *text)
{
    axl__slice slice = { text, strlen(text) };

    if (t->bare && !axl__added_has(&t->added, slice) && axl__bpe_id(&t->bpe, text, slice.len) < 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: \"%.64s\" is not in the vocabulary, and a bare file has no place for "
                         "new tokens: give a folder",
                         key, text);
    t->wishes.made[t->wishes.n_made++] = (axl__made_token){ key, text, slice, -1 };
    return AXL_OK;
}

/* Adds what was noted from `first` on in one call. */
static axl_status add_noted(axl_tokenizer *t, size_t first, bool special)
{
    axl__token_wishes *w = &t->wishes;
    size_t n = w->n_made - first;
    axl__added_token *tokens = axl__alloc(t->ctx, (n + 1) * sizeof *tokens);

    if (!tokens)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++)
        tokens[i] = (axl__added_token){ .text = w->made[first + i].slice, .special = special };
    axl_status status = axl__added_add(&t->added, tokens, n, &t->bpe, &t->pipeline);
    axl__free(t->ctx, tokens);
    for (size_t i = first; i < w->n_made && status == AXL_OK; i++)
        w->made[i].id = axl__token_id(t, w->made[i].slice);
    return status;
}

static axl_status add_list(axl_tokenizer *t, const char *key, const char **texts, size_t n,
                           bool special)
{
    size_t first = t->wishes.n_made;

    for (size_t i = 0; i < n; i++)
        AXL_TRY(note_made(t, key, texts[i]));
    return add_noted(t, first, special);
}

static axl_status name_special(axl_tokenizer *t, int which, const char *text)
{
    static const char *const config_keys[AXL__N_SPECIALS] = { "special_tokens.bos_token",
                                                              "special_tokens.eos_token",
                                                              "special_tokens.unk_token",
                                                              NULL,
                                                              "special_tokens.pad_token",
                                                              NULL,
                                                              NULL };
    const char *key = t->wishes.of_config ? config_keys[which] : axl__special_names[which];
    char *copy;

    if (!text || !*text)
        return AXL_OK;
    copy = axl__arena_strndup(&t->arena, text, strlen(text));
    if (!copy)
        return axl__fail_nomem();
    t->wishes.changes =
        t->wishes.changes || axl__token_id(t, (axl__slice){ copy, strlen(copy) }) < 0;
    AXL_TRY(add_list(t, key, &(const char *){ copy }, 1, true));
    t->override[which] = t->specials[which].text = copy;
    t->specials[which].id = t->wishes.made[t->wishes.n_made - 1].id;
    return AXL_OK;
}

/* Axolotl pads with "</s>" where a LLaMA tokenizer has no padding of its own; that comes before the
 * caller's own names, which win. */
static void pad_with_end(axl_tokenizer *t)
{
    axl__slice end = { "</s>", 4 };

    if (t->specials[AXL__PAD].id < 0 && (t->class == AXL__CLASS_LLAMA || t->bare))
        t->specials[AXL__PAD] = (axl__special){ NULL, axl__token_id(t, end) };
    if (t->specials[AXL__PAD].id >= 0 && !t->specials[AXL__PAD].text)
        t->specials[AXL__PAD].text = end.text;
}

axl_status axl__add_wishes(axl_tokenizer *t, const axl_tokenizer_options *o)
{
    const axl__token_wishes *w = &t->wishes;

    pad_with_end(t);
    AXL_TRY(name_special(t, AXL__BOS, o->bos_token));
    AXL_TRY(name_special(t, AXL__EOS, o->eos_token));
    AXL_TRY(name_special(t, AXL__PAD, o->pad_token));
    AXL_TRY(name_special(t, AXL__UNK, o->unk_token));
    AXL_TRY(add_list(t, "tokens", w->tokens, w->n_tokens, false));
    return add_list(t, w->of_config ? "special_tokens.additional_special_tokens" : "special_tokens",
                    w->special, w->n_special, true);
}

uint32_t axl__tokenizer_new_end(const axl_tokenizer *t)
{
    uint32_t end = 0;

    for (size_t i = 0; i < t->wishes.n_made; i++)
        if (t->wishes.made[i].id >= 0 && (uint32_t)t->wishes.made[i].id >= end)
            end = (uint32_t)t->wishes.made[i].id + 1;
    return end;
}

axl_status axl__tokenizer_fits(const axl_tokenizer *t, uint32_t rows)
{
    for (size_t i = 0; i < t->wishes.n_made; i++) {
        const axl__made_token *m = &t->wishes.made[i];
        if (m->id >= 0 && (uint32_t)m->id >= rows && !axl__ends_with(m->key, "pad_token"))
            return axl__fail(
                AXL_ERR_INVALID,
                "%s: \"%.64s\" is a new token with the id %d, and the model's "
                "embedding has %u rows: with an adapter lora_modules_to_save must name "
                "embed_tokens and lm_head, or new rows are never trained; or give an "
                "unused token this text with added_tokens_overrides",
                m->key, m->text, m->id, rows);
    }
    return AXL_OK;
}
