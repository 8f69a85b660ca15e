/* SPDX-License-Identifier: Apache-2.0 */
/*
 * special_tokens.c - which tokens transformers adds to a tokenizer, in which order, from
 * tokenizer_config.json, special_tokens_map.json, added_tokens.json and tokenizer.json.  The order
 * decides the ids of new ones.
 *
 * D are the tokens that a file gives an id (added_tokens_decoder, or what stands in for it in older
 * folders), X the special tokens without a name, L what is added in the end.  Files only fill these
 * lists; flags and order are settled when L is made of them.
 */
#include "tokenizer_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const axl__special_names[AXL__N_SPECIALS] = { "bos_token", "eos_token", "unk_token",
                                                          "sep_token", "pad_token", "cls_token",
                                                          "mask_token" };

/* A token on its way in.  normalized -1: not said, which means not special. */
typedef struct {
    axl__added_token token;
    int normalized;
    int64_t id; /* its place in added_tokens_decoder, -1: none */
} wanted;

typedef struct {
    wanted *items;
    size_t count, cap;
} wanted_list;

typedef struct {
    axl_tokenizer *t;
    const axl__token_files *files;
    wanted_list decoder;               /* D: by ascending id */
    axl__map decoder_texts;            /* text to index, once D is sorted */
    axl__pairs decoder_ids;            /* id to index, before D is sorted */
    wanted named[AXL__N_SPECIALS];     /* text.text NULL: none */
    bool has_name[AXL__N_SPECIALS];    /* the key is there, be it null */
    wanted_list others;                /* further *_token keys */
    wanted_list extra;                 /* X */
    axl__map other_texts, extra_texts; /* what is in them */
    wanted_list todo;                  /* L */
} loader;

static axl_status list_put(axl_context *ctx, wanted_list *list, wanted item)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        wanted *grown = axl__realloc(ctx, list->items, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        list->items = grown;
        list->cap = cap;
    }
    list->items[list->count++] = item;
    return AXL_OK;
}

/* With its text, so that it is found again. */
static axl_status list_put_text(axl_context *ctx, wanted_list *list, axl__map *texts, wanted item)
{
    AXL_TRY(axl__map_set(texts, item.token.text.text, item.token.text.len, 1));
    return list_put(ctx, list, item);
}

static bool map_has(const axl__map *texts, axl__slice text)
{
    int64_t unused;

    return axl__map_get(texts, text.text, text.len, &unused);
}

static bool same_text(axl__slice a, axl__slice b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static wanted from_text(const char *text, size_t len)
{
    return (wanted){ { .text = { text, len }, .special = true }, 0, -1 };
}

static wanted from_object(const axl__json *v)
{
    wanted w = { .id = -1 };

    w.token = axl__token_from_json(v, &w.normalized);
    return w;
}

/* A string, or an object; plain objects only where transformers takes them. */
static axl_status read_token(const axl__json *v, const char *key, bool plain, wanted *out)
{
    const axl__json *content = axl__json_get(v, "content");

    if (v->type == AXL__JSON_STRING) {
        *out = from_text(v->text, v->len);
        return AXL_OK;
    }
    if (v->type != AXL__JSON_OBJECT || !content || content->type != AXL__JSON_STRING ||
        (!plain && !axl__json_get(v, "__type")))
        return axl__fail(AXL_ERR_FORMAT, "\"%.64s\" must be a string, not %s", key,
                         axl__json_type_name(v));
    *out = from_object(v);
    return AXL_OK;
}

static int special_index(const char *name)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (strcmp(name, axl__special_names[i]) == 0)
            return i;
    return -1;
}

/* ---- what the files say ---- */

/* obj: tokenizer_config.json, or special_tokens_map.json laid over it. */
static axl_status read_named(loader *l, const axl__json *obj, bool plain)
{
    for (const axl__json *v = obj ? obj->child : NULL; v; v = v->next) {
        int i = special_index(v->key);
        wanted w = { .id = -1 };
        if (i >= 0) {
            if (v->type != AXL__JSON_NULL)
                AXL_TRY(read_token(v, v->key, plain, &w));
            if (plain && v->type == AXL__JSON_OBJECT)
                w.token.special = true;
            l->named[i] = w;
            l->has_name[i] = true;
        } else if (!plain && v->type == AXL__JSON_STRING && axl__ends_with(v->key, "_token")) {
            AXL_TRY(
                list_put_text(l->t->ctx, &l->others, &l->other_texts, from_text(v->text, v->len)));
        }
    }
    return AXL_OK;
}

static axl_status read_extra_list(loader *l, const axl__json *list, const char *key, bool plain)
{
    for (const axl__json *v = list ? list->child : NULL; v; v = v->next) {
        wanted w;
        AXL_TRY(read_token(v, key, plain, &w));
        if (!plain || !map_has(&l->extra_texts, w.token.text))
            AXL_TRY(list_put_text(l->t->ctx, &l->extra, &l->extra_texts, w));
    }
    return AXL_OK;
}

/* Control pieces are special, user-defined ones not. */
static axl_status read_extra_pieces(loader *l)
{
    const axl__spm *spm = l->files->spm;

    for (uint32_t i = 0; i < spm->n_pieces; i++) {
        wanted w = { { .text = spm->pieces[i].text }, 0, -1 };
        w.token.special = spm->pieces[i].type == AXL__SPM_CONTROL;
        if (w.token.special || spm->pieces[i].type == AXL__SPM_USER_DEFINED)
            AXL_TRY(list_put_text(l->t->ctx, &l->extra, &l->extra_texts, w));
    }
    return AXL_OK;
}

/* transformers reads the list under its newer name, else under the older one, else what the
 * SentencePiece model marks.  special_tokens_map.json counts only where tokenizer_config.json has
 * no added_tokens_decoder, which is how files were written before that key existed. */
static axl_status read_extra_key(loader *l)
{
    const axl__json *config = l->files->config, *map = l->files->special_map;
    const char *key = axl__json_get(config, "extra_special_tokens") ? "extra_special_tokens"
                                                                    : "additional_special_tokens";
    const axl__json *v = axl__json_get(config, key);
    bool map_counts = map && !axl__json_get(config, "added_tokens_decoder");

    if (v && v->type == AXL__JSON_OBJECT) {
        for (const axl__json *m = v->child; m; m = m->next)
            if (m->type == AXL__JSON_STRING)
                AXL_TRY(list_put_text(l->t->ctx, &l->others, &l->other_texts,
                                      from_text(m->text, m->len)));
    } else if (v && v->type == AXL__JSON_ARRAY) {
        AXL_TRY(read_extra_list(l, v, key, false));
    }
    if (map_counts)
        AXL_TRY(read_extra_list(l, axl__json_get(map, "extra_special_tokens"), key, true));
    if (v || (map_counts && axl__json_get(map, "extra_special_tokens")))
        return AXL_OK;
    if (l->files->spm)
        return read_extra_pieces(l);
    return map_counts
               ? read_extra_list(l, axl__json_get(map, "additional_special_tokens"), key, true)
               : AXL_OK;
}

/* T5's own tokens, unless the list has such. */
static axl_status add_sentinels(loader *l)
{
    int64_t n = axl__json_int(l->files->config, "extra_ids", 100);
    char text[40];

    for (size_t i = 0; i < l->extra.count; i++) {
        axl__slice s = l->extra.items[i].token.text;
        if (s.len >= 10 && memcmp(s.text, "<extra_id_", 10) == 0)
            return AXL_OK;
    }
    if (n < 0 || n > AXL__T5_TOKENS_MAX)
        return axl__fail(AXL_ERR_FORMAT, "extra_ids must be a number from 0 to %d",
                         AXL__T5_TOKENS_MAX);
    for (int64_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "<extra_id_%lld>", (long long)i);
        const char *copy = axl__arena_strndup(&l->t->arena, text, strlen(text));
        if (!copy)
            return axl__fail_nomem();
        AXL_TRY(
            list_put_text(l->t->ctx, &l->extra, &l->extra_texts, from_text(copy, strlen(copy))));
    }
    return AXL_OK;
}

static axl_status read_extra(loader *l)
{
    AXL_TRY(read_extra_key(l));
    return l->t->class == AXL__CLASS_T5 ? add_sentinels(l) : AXL_OK;
}

/* ---- D: tokens with ids ---- */

/* Later entries take the place of earlier ones of the same id. */
static axl_status put_decoder(loader *l, int64_t id, wanted w)
{
    uint64_t at;

    w.id = id;
    if (axl__pairs_get(&l->decoder_ids, (uint64_t)id, &at)) {
        l->decoder.items[at] = w;
        return AXL_OK;
    }
    AXL_TRY(axl__pairs_set(&l->decoder_ids, (uint64_t)id, l->decoder.count));
    return list_put(l->t->ctx, &l->decoder, w);
}

/* Keys are ids as texts; JSON has no others. */
static axl_status read_decoder_key(loader *l, const axl__json *obj)
{
    for (const axl__json *v = obj->child; v; v = v->next) {
        int64_t id = 0;
        for (size_t i = 0; i < v->key_len && id >= 0; i++)
            id = v->key[i] >= '0' && v->key[i] <= '9' && id <= AXL__ID_MAX
                     ? id * 10 + v->key[i] - '0'
                     : -1;
        if (v->key_len == 0 || id < 0 || id > AXL__ID_MAX)
            return axl__fail(AXL_ERR_FORMAT, "added_tokens_decoder: \"%.64s\" is no id", v->key);
        if (!axl__json_string(v, "content", NULL))
            return axl__fail(AXL_ERR_FORMAT,
                             "added_tokens_decoder: \"%.64s\" must be an object "
                             "with content",
                             v->key);
        AXL_TRY(put_decoder(l, id, from_object(v)));
    }
    return AXL_OK;
}

/* Asked while D is read from added_tokens.json, which does not say itself what is special. */
static bool is_special_text(const loader *l, axl__slice text)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (l->named[i].token.text.text && same_text(l->named[i].token.text, text))
            return true;
    return map_has(&l->extra_texts, text);
}

/* What stands in for added_tokens_decoder: added_tokens.json, then the list of tokenizer.json,
 * whose entries win. */
static axl_status read_decoder_files(loader *l)
{
    const axl__json *added = l->files->added;
    const axl__json *list = axl__json_get(l->files->tokenizer, "added_tokens");

    for (const axl__json *v = added ? added->child : NULL; v; v = v->next) {
        wanted w = from_text(v->key, v->key_len);
        if (v->type != AXL__JSON_INT || v->integer < 0 || v->integer > AXL__ID_MAX)
            return axl__fail(AXL_ERR_FORMAT, "added_tokens.json: \"%.64s\" has no id", v->key);
        w.token.special = is_special_text(l, w.token.text);
        w.normalized = !w.token.special;
        AXL_TRY(put_decoder(l, v->integer, w));
    }
    for (const axl__json *v = list ? list->child : NULL; v; v = v->next) {
        int64_t id = axl__json_int(v, "id", -1);
        if (id < 0 || id > AXL__ID_MAX || !axl__json_string(v, "content", NULL))
            return axl__fail(AXL_ERR_FORMAT, "an added token has no id or no content");
        AXL_TRY(put_decoder(l, id, from_object(v)));
    }
    return AXL_OK;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const wanted *)a)->id, y = ((const wanted *)b)->id;

    return (x > y) - (x < y);
}

/* ---- L: what is added ---- */

static const wanted *in_decoder(const loader *l, axl__slice text)
{
    int64_t i;

    return axl__map_get(&l->decoder_texts, text.text, text.len, &i) ? &l->decoder.items[i] : NULL;
}

static void default_name(loader *l, int which, axl__slice text)
{
    if (!l->has_name[which])
        l->named[which] = from_text(text.text, text.len);
}

/* A name that is also in D takes that entry's flags.  A class that makes its own pipeline has
 * defaults in its constructor, others have the SentencePiece model's; a key that says null leaves
 * none. */
static void default_names(loader *l)
{
    const axl__spm *spm = l->files->spm;

    for (int i = 0; i < AXL__N_SPECIALS; i++) {
        axl__slice text = l->named[i].token.text;
        const wanted *d = text.text ? in_decoder(l, text) : NULL;
        if (d)
            l->named[i] = *d;
    }
    for (int i = 0; i < AXL__N_SPECIALS; i++) {
        const char *text = axl__class_specs[l->t->class].specials[i];
        if (text)
            default_name(l, i, (axl__slice){ text, strlen(text) });
    }
    if (spm && l->t->class == AXL__CLASS_FILE) {
        if (spm->unk_id >= 0)
            default_name(l, AXL__UNK, spm->unk_piece);
        if (spm->bos_id >= 0)
            default_name(l, AXL__BOS, spm->bos_piece);
        if (spm->eos_id >= 0)
            default_name(l, AXL__EOS, spm->eos_piece);
    }
}

/* Those of the class come first, named as the files have it; a key that says null leaves one out.
 */
static axl_status default_others(loader *l)
{
    const char *const *own = axl__class_specs[l->t->class].others;
    wanted_list files = l->others;
    axl_status status = AXL_OK;

    if (!own)
        return AXL_OK;
    l->others = (wanted_list){ NULL, 0, 0 };
    for (; *own && status == AXL_OK; own += 2) {
        const axl__json *v = axl__json_get(l->files->config, own[0]);
        wanted w = from_text(own[1], strlen(own[1]));
        if (v && v->type != AXL__JSON_NULL)
            status = read_token(v, own[0], false, &w);
        if (status == AXL_OK && (!v || v->type != AXL__JSON_NULL))
            status = list_put_text(l->t->ctx, &l->others, &l->other_texts, w);
    }
    for (size_t i = 0; i < files.count && status == AXL_OK; i++)
        status = list_put(l->t->ctx, &l->others, files.items[i]);
    axl__free(l->t->ctx, files.items);
    return status;
}

static axl_status put_new(loader *l, const wanted *w)
{
    if (in_decoder(l, w->token.text) || axl__added_has(&l->t->added, w->token.text))
        return AXL_OK;
    return list_put(l->t->ctx, &l->todo, *w);
}

/* The order in which transformers adds them: D by id, the seven names, further *_token keys, X.
 * What is an added token already is passed over. */
static axl_status collect(loader *l)
{
    for (size_t i = 0; i < l->decoder.count; i++)
        AXL_TRY(list_put(l->t->ctx, &l->todo, l->decoder.items[i]));
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (l->named[i].token.text.len > 0)
            AXL_TRY(put_new(l, &l->named[i]));
    for (size_t i = 0; i < l->others.count; i++)
        AXL_TRY(put_new(l, &l->others.items[i]));
    for (size_t i = 0; i < l->extra.count; i++)
        AXL_TRY(put_new(l, &l->extra.items[i]));
    return AXL_OK;
}

static bool is_named(const loader *l, axl__slice text)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        if (l->named[i].token.text.len > 0 && same_text(l->named[i].token.text, text))
            return true;
    return map_has(&l->other_texts, text);
}

/* One call for all, because a call numbers its new tokens from where the vocabulary ends. */
static axl_status add_collected(loader *l)
{
    axl_context *ctx = l->t->ctx;
    axl__added_token *tokens = axl__alloc(ctx, l->todo.count * sizeof *tokens);

    if (!tokens)
        return axl__fail_nomem();
    for (size_t i = 0; i < l->todo.count; i++) {
        wanted *w = &l->todo.items[i];
        if (is_named(l, w->token.text))
            w->token.special = true;
        w->token.normalized = w->normalized >= 0 ? w->normalized : !w->token.special;
        tokens[i] = w->token;
    }
    axl_status status =
        axl__added_add(&l->t->added, tokens, l->todo.count, &l->t->bpe, &l->t->pipeline);
    axl__free(ctx, tokens);
    return status;
}

/* Behind the adding, when every name has its id. */
static axl_status keep_names(loader *l)
{
    axl_tokenizer *t = l->t;

    for (int i = 0; i < AXL__N_SPECIALS; i++) {
        axl__slice s = l->named[i].token.text;
        if (s.len == 0)
            continue;
        t->specials[i].text = axl__arena_strndup(&t->arena, s.text, s.len);
        if (!t->specials[i].text)
            return axl__fail_nomem();
        t->specials[i].id = axl__token_id(t, s);
    }
    return AXL_OK;
}

/* A later file lays its names over an earlier one's, and D must be whole before names are looked up
 * in it. */
static axl_status load(loader *l)
{
    const axl__json *decoder = axl__json_get(l->files->config, "added_tokens_decoder");

    AXL_TRY(read_named(l, l->files->config, false));
    AXL_TRY(read_extra(l));
    if (decoder && decoder->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "added_tokens_decoder must be an object, not %s",
                         axl__json_type_name(decoder));
    if (decoder) {
        AXL_TRY(read_decoder_key(l, decoder));
    } else {
        AXL_TRY(read_named(l, l->files->special_map, true));
        AXL_TRY(read_decoder_files(l));
    }
    if (l->decoder.count > 0)
        qsort(l->decoder.items, l->decoder.count, sizeof *l->decoder.items, by_id);
    for (size_t i = 0; i < l->decoder.count; i++) {
        axl__slice text = l->decoder.items[i].token.text;
        AXL_TRY(axl__map_set(&l->decoder_texts, text.text, text.len, (int64_t)i));
    }
    default_names(l);
    AXL_TRY(default_others(l));
    AXL_TRY(collect(l));
    AXL_TRY(add_collected(l));
    return keep_names(l);
}

axl_status axl__load_special_tokens(axl_tokenizer *t, const axl__token_files *files)
{
    loader l = { .t = t, .files = files };

    axl__pairs_init(&l.decoder_ids, t->ctx);
    axl__map_init(&l.decoder_texts, t->ctx);
    axl__map_init(&l.other_texts, t->ctx);
    axl__map_init(&l.extra_texts, t->ctx);
    axl_status status = load(&l);
    axl__pairs_free(&l.decoder_ids);
    axl__map_free(&l.decoder_texts);
    axl__map_free(&l.other_texts);
    axl__map_free(&l.extra_texts);
    axl__free(t->ctx, l.decoder.items);
    axl__free(t->ctx, l.others.items);
    axl__free(t->ctx, l.extra.items);
    axl__free(t->ctx, l.todo.items);
    return status;
}

int32_t axl__token_id(const axl_tokenizer *t, axl__slice text)
{
    int64_t id;

    if (axl__map_get(&t->added.ids, text.text, text.len, &id))
        return (int32_t)id;
    return axl__bpe_id(&t->bpe, text.text, text.len);
}
