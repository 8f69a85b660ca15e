/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.c - the handle: life, encoding, decoding, ids.  Immutable once built, so that threads
 * share it; what a call needs beyond it lives in the call.
 *
 * A text on its way to ids: ill-formed UTF-8 is repaired, tokens are looked for in it, what lies
 * between is normalized and searched once more, and what is left goes through the pre-tokenizer to
 * the model.  On the way back the tokens' texts go through the decoder's steps; a stream of tokens
 * does the same with as few of them as say what their text is.
 */
#include "tokenizer_priv.h"

#include "base/magic.h"
#include "base/structs.h"
#include "base/utf8.h"
#include "byte_level.h"
#include "encode_aligned.h"
#include "encode_text.h"

#include <string.h>

/* ---- life ---- */

axl_status axl__tokenizer_enter(const axl_tokenizer *t)
{
    if (!t || t->magic != AXL__MAGIC_TOKENIZER) {
        axl__error_clear();
        return axl__fail(AXL_ERR_INVALID, "not a live axl_tokenizer");
    }
    return axl__context_enter(t->ctx);
}

axl_tokenizer *axl__tokenizer_ref(const axl_tokenizer *tok)
{
    axl_tokenizer *t = (axl_tokenizer *)(uintptr_t)tok; /* only the count changes */

    atomic_fetch_add(&t->refs, 1);
    return t;
}

void axl_tokenizer_free(axl_tokenizer *t)
{
    if (!t || t->magic != AXL__MAGIC_TOKENIZER || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    axl_context *ctx = t->ctx;
    t->magic = 0;
    axl__bpe_free(&t->bpe);
    axl__word_model_free(&t->words, ctx);
    axl__regexes_free(&t->regexes);
    axl__added_free(&t->added);
    axl__arena_free(&t->arena);
    axl__folder_free(&t->folder);
    axl__free(ctx, t->only);
    axl__free(ctx, t->source);
    axl__free(ctx, t);
    axl_context_free(ctx);
}

static axl_status tokenizer_new(axl_tokenizer **out, axl_context *ctx)
{
    axl_tokenizer *t = axl__calloc(ctx, 1, sizeof *t);

    *out = t;
    if (!t)
        return axl__fail_nomem();
    t->magic = AXL__MAGIC_TOKENIZER;
    atomic_init(&t->refs, 1);
    t->ctx = axl__context_ref(ctx);
    t->legacy = -1;
    axl__arena_init(&t->arena, ctx);
    axl__bpe_init(&t->bpe, ctx);
    axl__word_model_init(&t->words, ctx);
    t->regexes.ctx = ctx;
    axl__added_init(&t->added, ctx, &t->arena);
    for (int i = 0; i < AXL__N_SPECIALS; i++)
        t->specials[i].id = -1;
    return AXL_OK;
}

static axl_status build(axl_tokenizer *t, const axl__tokenizer_origin *from,
                        const axl_tokenizer_options *o, bool of_config)
{
    t->legacy = o->legacy;
    t->mistral_common = o->mistral_common;
    if (o->pattern) {
        t->pattern = axl__arena_strndup(&t->arena, o->pattern, strlen(o->pattern));
        if (!t->pattern)
            return axl__fail_nomem();
    }
    if (o->type) {
        t->type = axl__arena_strndup(&t->arena, o->type, strlen(o->type));
        if (!t->type)
            return axl__fail_nomem();
    }
    AXL_TRY(axl__take_wishes(t, o, of_config));
    AXL_TRY(axl__tokenizer_load(t, from));
    AXL_TRY(axl__add_wishes(t, o));
    return axl__added_finish(&t->added);
}

axl_status axl__tokenizer_open(axl_tokenizer **out, axl_context *ctx,
                               const axl__tokenizer_origin *from, const axl_tokenizer_options *opts,
                               bool of_config)
{
    axl_tokenizer *t = NULL;
    axl_status status = tokenizer_new(&t, ctx);

    if (status == AXL_OK)
        status = build(t, from, opts, of_config);
    if (status < 0)
        axl_tokenizer_free(t);
    else
        *out = t;
    return status;
}

static axl_status open_given(axl_tokenizer **out, axl_context *ctx,
                             const axl__tokenizer_origin *from, const axl_tokenizer_options *given)
{
    axl_tokenizer_options opts = AXL_TOKENIZER_OPTIONS_INIT;

    AXL_TRY(AXL__IMPORT_OPTIONS(axl_tokenizer_options, &opts, given));
    if (opts.legacy < -1 || opts.legacy > 1 || opts.reserved0 != 0)
        return axl__fail(AXL_ERR_INVALID, "legacy must be 1, 0 or -1, got %d", (int)opts.legacy);
    if (opts.mistral_common > 1 || opts.reserved1 != 0)
        return axl__fail(AXL_ERR_INVALID, "mistral_common must be 1 or 0, got %u",
                         (unsigned)opts.mistral_common);
    return axl__tokenizer_open(out, ctx, from, &opts, false);
}

axl_status axl_tokenizer_open(axl_tokenizer **out, axl_context *ctx, const char *path,
                              const axl_tokenizer_options *opts)
{
    if (out)
        *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    if (!out || !path)
        return axl__fail(AXL_ERR_INVALID, "out and path must not be NULL");
    return open_given(out, ctx, &(axl__tokenizer_origin){ .path = path }, opts);
}

axl_status axl_tokenizer_open_files(axl_tokenizer **out, axl_context *ctx, const axl_file *files,
                                    size_t n, const axl_tokenizer_options *opts)
{
    if (out)
        *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    return open_given(out, ctx, &(axl__tokenizer_origin){ NULL, files, n }, opts);
}

/* ---- encoding ---- */

typedef struct {
    const axl_tokenizer *t;
    axl__text_encoder texts;
    axl__str normal; /* the normalized piece */
    axl__token_ids *out;
    axl__hits hits[2]; /* of the two passes of searching */
} encoder;

/* A piece between the tokens of the first pass: normalize, then the second pass.  Tokens that are
 * "normalized" are looked for in what the normalizer made, the others in the text as it came, which
 * is why there are two passes and never one. */
static axl_status encode_piece(encoder *e, const char *text, size_t len, bool at_start)
{
    axl__finder f;
    int32_t id;
    size_t from, to;
    axl_status status;

    if (e->t->pipeline.n_normalizer > 0) {
        axl__str_clear(&e->normal);
        AXL_TRY(axl__normalize(&e->t->pipeline, text, len, &e->normal));
        text = axl__str_text(&e->normal);
        len = e->normal.len;
    }
    axl__finder_init(&f, &e->t->added, true, text, len, &e->hits[1]);
    while ((status = axl__finder_next(&f, &id, &from, &to)) == AXL_OK) {
        if (id >= 0)
            AXL_TRY(axl__token_ids_put(e->out, id));
        else
            AXL_TRY(axl__encode_text(&e->texts, text + from, to - from, at_start && from == 0));
    }
    return status < 0 ? status : AXL_OK;
}

static axl_status encode_all(encoder *e, const char *text, size_t len)
{
    axl__finder f;
    int32_t id;
    size_t from, to;
    axl_status status;

    axl__finder_init(&f, &e->t->added, false, text, len, &e->hits[0]);
    while ((status = axl__finder_next(&f, &id, &from, &to)) == AXL_OK) {
        if (id >= 0)
            AXL_TRY(axl__token_ids_put(e->out, id));
        else
            AXL_TRY(encode_piece(e, text + from, to - from, from == 0));
    }
    return status < 0 ? status : AXL_OK;
}

/* Ill-formed parts become U+FFFD, as Python's decoding with errors="replace" makes them. */
static axl_status repair(axl__str *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;)
        axl__str_put_utf8(out, axl__utf8_next(text, len, &at));
    return axl__str_status(out);
}

static axl_status encode_general(encoder *e, const char *text, size_t len)
{
    axl__aligned_tokens tokens = { .ctx = e->t->ctx };
    axl_status status =
        axl__encode_aligned(e->t, text, len, AXL_TOKENIZE_NO_SPECIAL, false, &tokens);

    for (size_t i = 0; i < tokens.count && status == AXL_OK; i++)
        status = axl__token_ids_put(e->out, tokens.items[i].id);
    axl__free(e->t->ctx, tokens.items);
    return status;
}

/* Whatever fails, all that the call has made is freed at the end; out then has the ids of what was
 * encoded before, which callers drop. */
static axl_status encode_valid(const axl_tokenizer *tok, const char *text, size_t len,
                               axl__token_ids *out)
{
    encoder e = { .t = tok, .out = out };
    axl__str repaired;
    axl_status status = AXL_OK;

    axl__text_encoder_init(&e.texts, tok, out);
    axl__str_init(&e.normal, tok->ctx);
    axl__str_init(&repaired, tok->ctx);
    if (!axl__utf8_valid(text, len)) {
        status = repair(&repaired, text, len);
        text = axl__str_text(&repaired);
        len = repaired.len;
    }
    if (status == AXL_OK)
        status = tok->pipeline.general ? encode_general(&e, text, len) : encode_all(&e, text, len);
    axl__free(tok->ctx, e.hits[0].items);
    axl__free(tok->ctx, e.hits[1].items);
    axl__str_free(&repaired);
    axl__str_free(&e.normal);
    axl__text_encoder_free(&e.texts);
    return status;
}

axl_status axl__tokenizer_encode(const axl_tokenizer *tok, const char *text, size_t len,
                                 uint32_t flags, axl__token_ids *out)
{
    const axl__pipeline *p = &tok->pipeline;
    bool around = !(flags & AXL_TOKENIZE_NO_SPECIAL);

    AXL_TRY(axl__cancelled(tok->ctx));
    if (around)
        AXL_TRY(axl__token_ids_append(out, p->before, p->n_before));
    AXL_TRY(encode_valid(tok, text, len, out));
    return around ? axl__token_ids_append(out, p->after, p->n_after) : AXL_OK;
}

axl_status axl_tokenizer_encode(const axl_tokenizer *tok, const char *text, size_t length,
                                uint32_t flags, axl_buffer *ids)
{
    axl__token_ids list;

    AXL_TRY(axl__tokenizer_enter(tok));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, ids));
    if (!text && length > 0)
        return axl__fail(AXL_ERR_INVALID, "text must not be NULL");
    if (flags & ~(uint32_t)AXL_TOKENIZE_NO_SPECIAL)
        return axl__fail(AXL_ERR_INVALID, "unknown flags %#x", (unsigned)flags);
    axl__token_ids_init(&list, tok->ctx);
    axl_status status = axl__tokenizer_encode(tok, text ? text : "", length, flags, &list);
    if (status == AXL_OK)
        status = axl__buffer_set(tok->ctx, ids, list.data, list.count * sizeof *list.data);
    axl__token_ids_free(&list);
    return status;
}

/* ---- encoding with offsets ---- */

/* repair(), and for each byte of what it made where its character begins in the text, the end too;
 * NULL where the text is well-formed. */
static axl_status repair_tracked(axl__str *out, const char *text, size_t len, uint32_t **origin)
{
    *origin = NULL;
    if (axl__utf8_valid(text, len))
        return AXL_OK;
    AXL_TRY(repair(out, text, len));
    uint32_t *from = axl__alloc(out->ctx, (out->len + 1) * sizeof *from);
    if (!from)
        return axl__fail_nomem();
    for (size_t at = 0, made = 0, end = 0; made < out->len; at = end) {
        size_t next = made;
        (void)axl__utf8_next(text, len, &end);
        (void)axl__utf8_next(out->data, out->len, &next);
        while (made < next)
            from[made++] = (uint32_t)at;
    }
    from[out->len] = (uint32_t)len;
    *origin = from;
    return AXL_OK;
}

/* Offsets are between characters, also those of a token of no bytes. */
static uint32_t to_original(const uint32_t *origin, const char *text, size_t len, uint32_t at)
{
    if (at >= len)
        at = (uint32_t)len;
    while (at > 0 && at < len && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    return origin ? origin[at] : at;
}

static axl_status give_tokens(const axl_tokenizer *tok, const axl__aligned_tokens *tokens,
                              axl_buffer *ids, axl_buffer *offsets)
{
    size_t n = tokens->count;
    int32_t *id = axl__alloc(tok->ctx, n * sizeof *id);
    axl__span *offset = axl__alloc(tok->ctx, n * sizeof *offset);
    axl_status status = id && offset ? AXL_OK : axl__fail_nomem();

    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        id[i] = tokens->items[i].id;
        offset[i] = (axl__span){ tokens->items[i].begin, tokens->items[i].end };
    }
    if (status == AXL_OK)
        status = axl__buffer_set(tok->ctx, ids, id, n * sizeof *id);
    if (status == AXL_OK)
        status = axl__buffer_set(tok->ctx, offsets, offset, n * sizeof *offset);
    axl__free(tok->ctx, id);
    axl__free(tok->ctx, offset);
    return status;
}

static axl_status encode_with_offsets(const axl_tokenizer *tok, const char *text, size_t len,
                                      uint32_t flags, axl_buffer *ids, axl_buffer *offsets)
{
    axl__aligned_tokens tokens = { .ctx = tok->ctx };
    axl__str repaired;
    uint32_t *origin;

    axl__str_init(&repaired, tok->ctx);
    axl_status status = repair_tracked(&repaired, text, len, &origin);
    if (origin) {
        text = repaired.data;
        len = repaired.len;
    }
    if (status == AXL_OK && len > INT32_MAX)
        status = axl__fail(AXL_ERR_INVALID, "a text of 2 GiB or more has no offsets");
    if (status == AXL_OK)
        status = axl__encode_aligned(tok, text, len, flags, true, &tokens);
    for (size_t i = 0; i < tokens.count; i++) {
        axl__aligned_token *t = &tokens.items[i];
        t->begin = to_original(origin, text, len, t->begin);
        t->end = to_original(origin, text, len, t->end);
    }
    if (status == AXL_OK)
        status = give_tokens(tok, &tokens, ids, offsets);
    axl__free(tok->ctx, tokens.items);
    axl__free(tok->ctx, origin);
    axl__str_free(&repaired);
    return status;
}

axl_status axl_tokenizer_encode_with_offsets(const axl_tokenizer *tok, const char *text,
                                             size_t length, uint32_t flags, axl_buffer *ids,
                                             axl_buffer *offsets)
{
    AXL_TRY(axl__tokenizer_enter(tok));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, ids));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, offsets));
    if (!text && length > 0)
        return axl__fail(AXL_ERR_INVALID, "text must not be NULL");
    if (flags & ~(uint32_t)AXL_TOKENIZE_NO_SPECIAL)
        return axl__fail(AXL_ERR_INVALID, "unknown flags %#x", (unsigned)flags);
    if (length > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "a text of 2 GiB or more has no offsets");
    return encode_with_offsets(tok, text ? text : "", length, flags, ids, offsets);
}

/* ---- decoding ---- */

/* A token as it is looked for in a text, or as it was written down; false when there is none. */
static bool own_text(const axl_tokenizer *t, int32_t id, bool changed, axl__slice *out)
{
    const axl__added_entry *e = axl__added_of(&t->added, id);

    if (e)
        *out = changed && e->changed.text ? e->changed : e->token.text;
    else if (id >= 0 && (uint32_t)id < t->bpe.n_pieces && t->bpe.pieces[id].text)
        *out = (axl__slice){ t->bpe.pieces[id].text, t->bpe.pieces[id].len };
    else
        return false;
    return true;
}

/* The text that stands for an id when decoding; false when there is none, or it is left out. */
static bool token_text(const axl_tokenizer *t, int32_t id, uint32_t flags, axl__slice *out)
{
    return own_text(t, id, true, out) &&
           (!(flags & AXL_DECODE_SKIP_SPECIAL) || !axl__added_is_special(&t->added, *out));
}

static axl_status decode(const axl_tokenizer *t, const int32_t *ids, size_t n, uint32_t flags,
                         bool first, axl__str *out)
{
    axl__token_texts tokens;
    axl_status status = AXL_OK;
    axl__slice text;

    axl__token_texts_init(&tokens, t->ctx);
    for (size_t i = 0; i < n && status == AXL_OK; i++)
        if (token_text(t, ids[i], flags, &text))
            status = axl__token_texts_put(&tokens, text.text, text.len);
    if (status == AXL_OK)
        status = axl__decode_tokens(&t->pipeline, &tokens, first, out);
    axl__token_texts_free(&tokens);
    return status;
}

axl_status axl__tokenizer_decode(const axl_tokenizer *tok, const int32_t *ids, size_t n,
                                 uint32_t flags, axl__str *out)
{
    return decode(tok, ids, n, flags, true, out);
}

axl_status axl_tokenizer_decode(const axl_tokenizer *tok, const int32_t *ids, size_t n,
                                uint32_t flags, axl_buffer *text)
{
    axl__str out;

    AXL_TRY(axl__tokenizer_enter(tok));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, text));
    if (!ids && n > 0)
        return axl__fail(AXL_ERR_INVALID, "ids must not be NULL");
    if (flags & ~(uint32_t)AXL_DECODE_SKIP_SPECIAL)
        return axl__fail(AXL_ERR_INVALID, "unknown flags %#x", (unsigned)flags);
    axl__str_init(&out, tok->ctx);
    axl_status status = axl__tokenizer_decode(tok, ids, n, flags, &out);
    if (status == AXL_OK)
        status = axl__str_to_buffer(&out, text);
    axl__str_free(&out);
    return status;
}

/* ---- decoding as tokens come ---- */

/* The prompt goes through the stream like what follows it, its text thrown away; what it leaves
 * open is decoded once as it stands, because a new token may complete it. */
axl_status axl__decode_stream_init(axl__decode_stream *s, const axl_tokenizer *tok, uint32_t flags,
                                   const int32_t *prompt, size_t n)
{
    axl__str unused;
    axl_status status = AXL_OK;

    memset(s, 0, sizeof *s);
    s->tok = tok;
    s->flags = flags;
    s->first = true;
    axl__token_ids_init(&s->open, tok->ctx);
    axl__str_init(&s->seam, tok->ctx);
    axl__str_init(&unused, tok->ctx);
    for (size_t i = 0; i < n && status == AXL_OK; i++)
        status = axl__decode_stream_put(s, prompt[i], &unused);
    if (status == AXL_OK)
        status = decode(tok, s->open.data, s->open.count, flags, s->first, &s->seam);
    axl__str_free(&unused);
    if (status < 0)
        axl__decode_stream_free(s);
    return status;
}

void axl__decode_stream_free(axl__decode_stream *s)
{
    axl__token_ids_free(&s->open);
    axl__str_free(&s->seam);
}

/* Puts out the text of the open ids, but for what it has in common with the prompt's.  Where they
 * part within a character, all of the character is put out. */
static axl_status flush(axl__decode_stream *s, axl__str *out)
{
    axl__str text;
    size_t same = 0;

    axl__str_init(&text, s->tok->ctx);
    axl_status status = decode(s->tok, s->open.data, s->open.count, s->flags, s->first, &text);
    while (same < text.len && same < s->seam.len && text.data[same] == s->seam.data[same])
        same++;
    while (same < text.len && same > 0 && ((unsigned char)text.data[same] & 0xC0) == 0x80)
        same--;
    if (status == AXL_OK && (text.len > 0 || !s->first)) { /* else it is still the beginning */
        axl__str_put(out, axl__str_text(&text) + same, text.len - same);
        status = axl__str_status(out);
        s->first = false;
        s->open.count = 0;
        axl__str_clear(&s->seam);
    }
    axl__str_free(&text);
    return status;
}

/* Whether the bytes of the open tokens of a byte-level model end inside a character. */
static axl_status ends_half_way(const axl__decode_stream *s, bool *half)
{
    axl__slice text;
    axl__str bytes;
    bool ill = false;

    axl__str_init(&bytes, s->tok->ctx);
    for (size_t i = 0; i < s->open.count; i++)
        if (token_text(s->tok, s->open.data[i], s->flags, &text))
            axl__byte_level_decode(&bytes, text.text, text.len);
    axl_status status = axl__str_status(&bytes);
    size_t lead = bytes.len;
    while (lead > 0 && bytes.len - lead < 3 && ((unsigned char)bytes.data[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead > 0)
        (void)axl__utf8_next_checked(bytes.data, bytes.len, &(size_t){ lead - 1 }, &ill);
    *half = ill && (unsigned char)bytes.data[lead - 1] >= 0xC2;
    axl__str_free(&bytes);
    return status;
}

axl_status axl__decode_stream_put(axl__decode_stream *s, int32_t id, axl__str *out)
{
    const axl__pipeline *p = &s->tok->pipeline;
    axl__slice text;
    bool half = false;

    if (!token_text(s->tok, id, s->flags, &text))
        return AXL_OK;
    AXL_TRY(axl__token_ids_put(&s->open, id));
    if (!axl__decoder_streams(p) ||
        (axl__decoder_has(p, AXL__DECODE_BYTES) && axl__byte_token(text.text, text.len) >= 0))
        return AXL_OK;
    if (axl__decoder_has(p, AXL__DECODE_BYTE_LEVEL))
        AXL_TRY(ends_half_way(s, &half));
    return half ? AXL_OK : flush(s, out);
}

axl_status axl__decode_stream_end(axl__decode_stream *s, axl__str *out)
{
    return flush(s, out);
}

/* ---- what it knows ---- */

static bool alive(const axl_tokenizer *t)
{
    return t && t->magic == AXL__MAGIC_TOKENIZER;
}

/* Ids that no piece has count too: it is the size that a table by id needs. */
uint32_t axl_tokenizer_vocab_size(const axl_tokenizer *tok)
{
    if (!alive(tok))
        return 0;
    uint32_t added = (uint32_t)(tok->added.max_id + 1);
    return tok->bpe.n_pieces > added ? tok->bpe.n_pieces : added;
}

int32_t axl_tokenizer_id(const axl_tokenizer *tok, const char *token)
{
    return alive(tok) && token ? axl__token_id(tok, (axl__slice){ token, strlen(token) }) : -1;
}

axl_status axl_tokenizer_get_token(const axl_tokenizer *tok, int32_t id, axl_buffer *out)
{
    axl__slice text;

    AXL_TRY(axl__tokenizer_enter(tok));
    if (!own_text(tok, id, false, &text))
        return AXL_END;
    return axl__buffer_set(tok->ctx, out, text.text, text.len);
}

int32_t axl_tokenizer_bos(const axl_tokenizer *tok)
{
    return alive(tok) ? tok->specials[AXL__BOS].id : -1;
}

int32_t axl_tokenizer_eos(const axl_tokenizer *tok)
{
    return alive(tok) ? tok->specials[AXL__EOS].id : -1;
}

int32_t axl_tokenizer_pad(const axl_tokenizer *tok)
{
    if (!alive(tok))
        return -1;
    int32_t pad = tok->specials[AXL__PAD].id;
    return pad >= 0 ? pad : tok->specials[AXL__EOS].id;
}

uint32_t axl__tokenizer_model_size(const axl_tokenizer *tok)
{
    return tok->bpe.n_pieces;
}

bool axl__tokenizer_pads_left(const axl_tokenizer *tok)
{
    return tok->pads_left;
}

axl_status axl_tokenizer_save(const axl_tokenizer *tok, const char *dir)
{
    AXL_TRY(axl__tokenizer_enter(tok));
    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    if (axl__path_kind_of(dir) != AXL__PATH_DIR)
        return axl__fail(AXL_ERR_IO, "cannot write %s: it is not a folder", dir);
    AXL_TRY(axl__tokenizer_spare(tok, dir));
    return axl__tokenizer_write(tok, &(axl__outlet){ .ctx = tok->ctx, .dir = dir });
}

axl_status axl_tokenizer_save_files(const axl_tokenizer *tok, axl_file_fn fn, void *user)
{
    AXL_TRY(axl__tokenizer_enter(tok));
    if (!fn)
        return axl__fail(AXL_ERR_INVALID, "fn must not be NULL");
    return axl__tokenizer_write(tok, &(axl__outlet){ .ctx = tok->ctx, .fn = fn, .user = user });
}

/* Beside a tokenizer.json the files of a class play no part. */
static bool is_read(const axl_tokenizer *tok, const char *name)
{
    for (int i = AXL__OWN_FILES; i < AXL__VOCABULARIES; i++)
        if (strcmp(name, axl__tokenizer_files[i]) == 0)
            return tok->by_class;
    return true;
}

axl_status axl__tokenizer_open_file(const axl_tokenizer *tok, const char *name, axl__file *out)
{
    const char *file = tok->bare ? tok->only : name;

    if (!is_read(tok, name) || tok->bare != (*name == '\0') ||
        axl__folder_kind(&tok->folder, file) != AXL__PATH_FILE)
        return AXL_END;
    return axl__folder_open(&tok->folder, file, false, out);
}

axl_context *axl__tokenizer_context(const axl_tokenizer *tok)
{
    return tok->ctx;
}

const char *axl__tokenizer_special_text(const axl_tokenizer *tok, const char *name)
{
    for (int i = 0; i < AXL__N_SPECIALS; i++) {
        size_t n = strlen(axl__special_names[i]) - strlen("_token");
        if (strlen(name) == n && memcmp(name, axl__special_names[i], n) == 0)
            return tok->specials[i].text;
    }
    return NULL;
}
