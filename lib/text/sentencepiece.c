/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sentencepiece.c - reads a SentencePiece .model: Protocol Buffers' wire format, of which the few
 * fields below matter, and makes models from it.
 *
 * There are two ways, because transformers does not encode as SentencePiece does: in a folder the
 * file stands in for a tokenizer.json, must be BPE, and merges rank by id; opened by itself
 * ("bare") it is BPE or unigram, and encoded as its own library would.
 */
#include "tokenizer_priv.h"

#include "base/utf8.h"
#include "charsmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPM_UNIGRAM = 1, SPM_BPE = 2 }; /* model_type */

/* Wire types 3 and 4 are groups, which sentencepiece_model.proto does not have. */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* One field: a number, or a span of bytes. */
typedef struct {
    uint64_t number; /* of the field */
    int wire;
    uint64_t value; /* varints and fixed widths */
    const unsigned char *data;
    size_t size;
} field;

typedef struct {
    const unsigned char *data;
    size_t size, at;
} wire;

static axl_status fail_wire(const char *what)
{
    return axl__fail(AXL_ERR_FORMAT, "not a SentencePiece model: %s", what);
}

/* Ten bytes of seven bits are 70: of the tenth only the lowest bit counts. */
static axl_status take_varint(wire *w, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (w->at == w->size)
            return fail_wire("it ends inside a number");
        unsigned byte = w->data[w->at++];
        if (shift == 63 && byte > 1)
            return fail_wire("a number has more than 64 bits");
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return AXL_OK;
    }
    return fail_wire("a number has more than 64 bits");
}

static axl_status take_fixed(wire *w, size_t bytes, uint64_t *out)
{
    if (w->size - w->at < bytes)
        return fail_wire("it ends inside a number");
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out |= (uint64_t)w->data[w->at++] << (8 * i);
    return AXL_OK;
}

static axl_status take_field(wire *w, field *f)
{
    uint64_t tag, size;

    memset(f, 0, sizeof *f);
    AXL_TRY(take_varint(w, &tag));
    f->number = tag >> 3;
    f->wire = (int)(tag & 7);
    if (f->number == 0)
        return fail_wire("a field has number 0");
    switch (f->wire) {
    case WIRE_VARINT: return take_varint(w, &f->value);
    case WIRE_FIXED64: return take_fixed(w, 8, &f->value);
    case WIRE_FIXED32: return take_fixed(w, 4, &f->value);
    case WIRE_BYTES:
        AXL_TRY(take_varint(w, &size));
        if (size > w->size - w->at)
            return fail_wire("a field is longer than the file");
        f->data = w->data + w->at;
        f->size = (size_t)size;
        w->at += f->size;
        return AXL_OK;
    }
    return fail_wire("unknown kind of field");
}

static axl_status take_text(axl__arena *arena, const field *f, axl__slice *out)
{
    const char *text = (const char *)f->data;

    if (f->wire != WIRE_BYTES)
        return fail_wire("a text is a number");
    if (f->size > 0 && !axl__utf8_valid(text, f->size))
        return fail_wire("a piece is not UTF-8");
    out->text = axl__arena_strndup(arena, f->size > 0 ? text : "", f->size);
    out->len = f->size;
    return out->text ? AXL_OK : axl__fail_nomem();
}

static axl_status new_piece(axl__spm *spm, axl_context *ctx, axl__spm_piece **out)
{
    if (spm->n_pieces > AXL__ID_MAX)
        return fail_wire("too many pieces");
    if (spm->n_pieces == spm->cap_pieces) {
        uint32_t cap = spm->cap_pieces ? spm->cap_pieces * 2 : 1024;
        axl__spm_piece *grown = axl__realloc(ctx, spm->pieces, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        spm->pieces = grown;
        spm->cap_pieces = cap;
    }
    *out = &spm->pieces[spm->n_pieces++];
    **out = (axl__spm_piece){ { "", 0 }, 0.0f, AXL__SPM_NORMAL };
    return AXL_OK;
}

static axl_status read_piece(axl__spm *spm, axl__arena *arena, const field *message)
{
    wire w = { message->data, message->size, 0 };
    axl__spm_piece *p = NULL;
    field f;

    AXL_TRY(new_piece(spm, arena->ctx, &p));
    while (w.at < w.size) {
        AXL_TRY(take_field(&w, &f));
        if (f.number == 1) {
            AXL_TRY(take_text(arena, &f, &p->text));
        } else if (f.number == 2 && f.wire == WIRE_FIXED32) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&p->score, &bits, sizeof bits);
        } else if (f.number == 3 && f.wire == WIRE_VARINT) {
            if (f.value < AXL__SPM_NORMAL || f.value > AXL__SPM_BYTE)
                return fail_wire("unknown type of piece");
            p->type = (axl__spm_type)f.value;
        }
    }
    return AXL_OK;
}

/* Numbers of TrainerSpec in sentencepiece_model.proto; what is not here changes nothing in
 * encoding.  An id is an int32, whose -1 comes as 64 bits of sign. */
static axl_status read_trainer(axl__spm *spm, axl__arena *arena, const field *message)
{
    wire w = { message->data, message->size, 0 };
    field f;

    while (w.at < w.size) {
        AXL_TRY(take_field(&w, &f));
        switch (f.number) {
        case 3: spm->model_type = (int64_t)f.value; break;
        case 24: spm->whitespace_as_suffix = f.value != 0; break;
        case 35: spm->byte_fallback = f.value != 0; break;
        case 40: spm->unk_id = (int32_t)(uint32_t)f.value; break;
        case 41: spm->bos_id = (int32_t)(uint32_t)f.value; break;
        case 42: spm->eos_id = (int32_t)(uint32_t)f.value; break;
        case 45: AXL_TRY(take_text(arena, &f, &spm->unk_piece)); break;
        case 46: AXL_TRY(take_text(arena, &f, &spm->bos_piece)); break;
        case 47: AXL_TRY(take_text(arena, &f, &spm->eos_piece)); break;
        }
    }
    return AXL_OK;
}

/* Numbers of NormalizerSpec there. */
static axl_status read_normalizer(axl__spm *spm, axl__arena *arena, const field *message)
{
    wire w = { message->data, message->size, 0 };
    field f;

    while (w.at < w.size) {
        AXL_TRY(take_field(&w, &f));
        switch (f.number) {
        case 2:
            spm->charsmap.text = axl__arena_strndup(arena, (const char *)f.data, f.size);
            spm->charsmap.len = f.size;
            if (!spm->charsmap.text)
                return axl__fail_nomem();
            break;
        case 3: spm->add_dummy_prefix = f.value != 0; break;
        case 4: spm->remove_extra_whitespaces = f.value != 0; break;
        case 5: spm->escape_whitespaces = f.value != 0; break;
        }
    }
    return AXL_OK;
}

/* ModelProto: pieces (1), trainer_spec (2), normalizer_spec (3).  As Protocol Buffers want it,
 * unknown fields are passed over, and a field that comes again counts with its last value. */
static axl_status read_model(axl__spm *out, axl__arena *arena, wire w)
{
    field f;

    while (w.at < w.size) {
        AXL_TRY(take_field(&w, &f));
        if (f.number <= 3 && f.wire != WIRE_BYTES)
            return fail_wire("a message is missing");
        if (f.number == 1)
            AXL_TRY(read_piece(out, arena, &f));
        else if (f.number == 2)
            AXL_TRY(read_trainer(out, arena, &f));
        else if (f.number == 3)
            AXL_TRY(read_normalizer(out, arena, &f));
    }
    return out->n_pieces > 0 ? AXL_OK : fail_wire("it has no pieces");
}

axl_status axl__spm_read(axl__spm *out, axl__arena *arena, const unsigned char *data, size_t size)
{
    /* The defaults of the format. */
    *out = (axl__spm){ .unk_piece = { "<unk>", 5 },
                       .bos_piece = { "<s>", 3 },
                       .eos_piece = { "</s>", 4 },
                       .bos_id = 1,
                       .eos_id = 2,
                       .model_type = 1,
                       .add_dummy_prefix = true,
                       .remove_extra_whitespaces = true,
                       .escape_whitespaces = true };
    axl_status status = read_model(out, arena, (wire){ data, size, 0 });
    if (status < 0)
        axl__spm_free(arena->ctx, out);
    return status;
}

void axl__spm_free(axl_context *ctx, axl__spm *spm)
{
    axl__free(ctx, spm->pieces);
    spm->pieces = NULL;
    spm->n_pieces = spm->cap_pieces = 0;
}

/* ---- as BPE ---- */

/* A piece's id is its place in the file. */
static axl_status add_pieces(axl_tokenizer *t, const axl__spm *spm)
{
    for (uint32_t i = 0; i < spm->n_pieces; i++) {
        axl__slice s = spm->pieces[i].text;
        const char *text = axl__arena_strndup(&t->arena, s.text, s.len);
        if (!text)
            return axl__fail_nomem();
        AXL_TRY(axl__bpe_add(&t->bpe, text, s.len, i));
    }
    return AXL_OK;
}

static axl_status need_bpe(const axl__spm *spm)
{
    static const char *const names[] = { "", "unigram", "BPE", "word", "char" };

    if (spm->model_type == SPM_BPE)
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED, "SentencePiece model type \"%s\" is not supported yet",
                     spm->model_type >= 1 && spm->model_type <= 4 ? names[spm->model_type] : "?");
}

axl_status axl__spm_to_bpe(axl_tokenizer *t, const axl__spm *spm)
{
    AXL_TRY(need_bpe(spm));
    if (t->class != AXL__CLASS_LLAMA && spm->charsmap.len > 0)
        return axl__fail(AXL_ERR_UNSUPPORTED, "SentencePiece normalizer with a character map is "
                                              "not supported yet");
    AXL_TRY(add_pieces(t, spm));
    return axl__bpe_derive_merges(&t->bpe, NULL, NULL);
}

/* All pieces are looked for in a text, and the map of characters comes first. */
axl_status axl__spm_to_unigram(axl_tokenizer *t, const axl__spm *spm)
{
    axl__word_model *m = &t->words;
    axl__pipeline *p = &t->pipeline;

    if (spm->unk_id < 0 || spm->unk_id >= (int64_t)spm->n_pieces)
        return axl__fail(AXL_ERR_FORMAT, "SentencePiece: unk_id %lld is no piece",
                         (long long)spm->unk_id);
    m->kind = AXL__MODEL_UNIGRAM;
    m->unk_id = (int32_t)spm->unk_id;
    t->bpe.unk_text = NULL;
    m->scores = axl__alloc(t->ctx, spm->n_pieces * sizeof *m->scores);
    if (!m->scores)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < spm->n_pieces; i++)
        m->scores[i] = (double)spm->pieces[i].score;
    if (spm->charsmap.len > 0 && !axl__charsmap_valid(spm->charsmap))
        return axl__fail(AXL_ERR_FORMAT, "SentencePiece: the normalizer's map of characters is "
                                         "broken");
    if (spm->charsmap.len > 0) {
        const char *map = axl__arena_strndup(&t->arena, spm->charsmap.text, spm->charsmap.len);
        if (!map)
            return axl__fail_nomem();
        memmove(p->normalizer + 1, p->normalizer, p->n_normalizer++ * sizeof *p->normalizer);
        p->normalizer[0] =
            (axl__normalizer_step){ .kind = AXL__PRECOMPILED, .from = { map, spm->charsmap.len } };
    }
    p->general = true;
    return add_pieces(t, spm);
}

typedef struct {
    float score;
    uint32_t id;
} scored;

static int by_score(const void *a, const void *b)
{
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;

    return (x < y) - (x > y);
}

/* Rank by score, equal scores alike: the leftmost goes first among them.  A score that is not a
 * number sorts as 0, so that the order is one. */
static axl_status score_ranks(axl_context *ctx, const axl__spm *spm, uint32_t *ranks,
                              unsigned char *joinable)
{
    scored *order = axl__alloc(ctx, spm->n_pieces * sizeof *order);
    uint32_t rank = 0;

    if (!order)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < spm->n_pieces; i++) {
        axl__spm_type type = spm->pieces[i].type;
        float score = spm->pieces[i].score;
        order[i] = (scored){ score == score ? score : 0.0f, i };
        joinable[i] = type == AXL__SPM_NORMAL || type == AXL__SPM_USER_DEFINED;
    }
    qsort(order, spm->n_pieces, sizeof *order, by_score);
    for (uint32_t i = 0; i < spm->n_pieces; i++) {
        rank += i > 0 && order[i].score != order[i - 1].score;
        ranks[order[i].id] = rank;
    }
    axl__free(ctx, order);
    return AXL_OK;
}

/* Whether a text needs more than marks for its spaces. */
static bool is_normalized(const axl__spm *spm)
{
    return spm->charsmap.len > 0 || spm->remove_extra_whitespaces || !spm->escape_whitespaces ||
           spm->whitespace_as_suffix;
}

/* What a normalizer must leave as it is would have to be found before it. */
static axl_status check_parts(const axl__spm *spm)
{
    const char *part = NULL;

    if (spm->charsmap.len > 0 && !axl__charsmap_valid(spm->charsmap))
        return fail_wire("its character map is none");
    for (uint32_t i = 0; i < spm->n_pieces && !part; i++) {
        axl__spm_type type = spm->pieces[i].type;
        if (type == AXL__SPM_USER_DEFINED && (is_normalized(spm) || spm->model_type != SPM_BPE))
            part = "user-defined pieces of a unigram model or behind a normalizer";
        else if (type == AXL__SPM_UNUSED && spm->model_type == SPM_BPE)
            part = "unused pieces of a BPE model";
    }
    if (part)
        return axl__fail(AXL_ERR_UNSUPPORTED, "SentencePiece: %s: not supported yet", part);
    return AXL_OK;
}

/* User-defined pieces are found in the normalized text and take no part in merges. */
static axl_status bare_tokens(axl_tokenizer *t, const axl__spm *spm)
{
    static const axl__pipeline plain;

    for (uint32_t i = 0; i < spm->n_pieces; i++) {
        axl__added_token token = { .text = spm->pieces[i].text, .normalized = true };
        axl__spm_type type = spm->pieces[i].type;
        if (type == AXL__SPM_USER_DEFINED)
            AXL_TRY(axl__added_add(&t->added, &token, 1, &t->bpe, &plain));
        else if (type == AXL__SPM_CONTROL || type == AXL__SPM_UNKNOWN)
            AXL_TRY(axl__added_mark_special(&t->added, token.text));
    }
    return AXL_OK;
}

static axl_status set_normalizer(axl_tokenizer *t, const axl__spm *spm)
{
    axl__normalizer_step step = { .kind = AXL__SENTENCEPIECE,
                                  .from = spm->charsmap,
                                  .to = { spm->escape_whitespaces ? AXL__SPACE_MARK : " ",
                                          spm->escape_whitespaces ? 3 : 1 },
                                  .dummy_prefix = spm->add_dummy_prefix,
                                  .collapse_spaces = spm->remove_extra_whitespaces,
                                  .suffix = spm->whitespace_as_suffix };

    if (step.from.len > 0)
        step.from.text = axl__arena_strndup(&t->arena, step.from.text, step.from.len);
    if (step.from.len > 0 && !step.from.text)
        return axl__fail_nomem();
    t->pipeline.normalizer[t->pipeline.n_normalizer++] = step;
    t->pipeline.general = true;
    return AXL_OK;
}

/* SentencePiece marks spaces in the normalized text and does not split at them; the decoder is the
 * LLaMA class's. */
static axl_status bare_pipeline(axl_tokenizer *t, const axl__spm *spm)
{
    axl__pipeline *p = &t->pipeline;
    axl__slice mark = { AXL__SPACE_MARK, 3 };

    axl__llama_pipeline(p, true, spm->add_dummy_prefix);
    memset(&p->metaspace, 0, sizeof p->metaspace);
    if (is_normalized(spm)) {
        AXL_TRY(set_normalizer(t, spm));
    } else {
        if (spm->add_dummy_prefix)
            p->normalizer[p->n_normalizer++] =
                (axl__normalizer_step){ .kind = AXL__PREPEND, .to = mark };
        p->normalizer[p->n_normalizer++] =
            (axl__normalizer_step){ .kind = AXL__REPLACE, .from = { " ", 1 }, .to = mark };
    }
    if (spm->bos_id >= 0 && spm->bos_id < (int64_t)spm->n_pieces) {
        p->before = axl__arena_alloc(&t->arena, sizeof *p->before);
        if (!p->before)
            return axl__fail_nomem();
        p->before[0] = (int32_t)spm->bos_id;
        p->n_before = 1;
    }
    return AXL_OK;
}

static axl_status name_special(axl_tokenizer *t, int which, axl__slice text)
{
    t->specials[which].id = axl__token_id(t, text);
    t->specials[which].text = axl__arena_strndup(&t->arena, text.text, text.len);
    return t->specials[which].text ? AXL_OK : axl__fail_nomem();
}

/* Unlike transformers, which derives merges that rank by id, SentencePiece joins the pair whose
 * product scores highest, and only pieces of normal and user-defined type. */
static axl_status set_bpe(axl_tokenizer *t, const axl__spm *spm)
{
    uint32_t *ranks = axl__alloc(t->ctx, spm->n_pieces * sizeof *ranks);
    unsigned char *joinable = axl__alloc(t->ctx, spm->n_pieces);
    axl_status status = ranks && joinable ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK)
        status = score_ranks(t->ctx, spm, ranks, joinable);
    if (status == AXL_OK)
        status = axl__bpe_derive_merges(&t->bpe, ranks, joinable);
    axl__free(t->ctx, ranks);
    axl__free(t->ctx, joinable);
    AXL_TRY(status);
    t->bpe.fuse_unk = true;
    t->bpe.unk_text = axl__arena_strndup(&t->arena, spm->unk_piece.text, spm->unk_piece.len);
    return t->bpe.unk_text ? AXL_OK : axl__fail_nomem();
}

/* Only normal pieces are looked for in a text. */
static axl_status set_unigram(axl_tokenizer *t, const axl__spm *spm)
{
    axl__word_model *m = &t->words;

    m->kind = AXL__MODEL_UNIGRAM;
    m->single = true;
    m->unk_id = -1;
    m->scores = axl__alloc(t->ctx, spm->n_pieces * sizeof *m->scores);
    if (!m->scores)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < spm->n_pieces; i++) {
        bool normal = spm->pieces[i].type == AXL__SPM_NORMAL;
        m->scores[i] = normal ? (double)spm->pieces[i].score : -INFINITY;
        if (spm->pieces[i].type == AXL__SPM_UNKNOWN)
            m->unk_id = (int32_t)i;
    }
    t->pipeline.general = true;
    return AXL_OK;
}

axl_status axl__spm_to_bare(axl_tokenizer *t, const axl__spm *spm)
{
    if (spm->model_type != SPM_UNIGRAM)
        AXL_TRY(need_bpe(spm));
    AXL_TRY(check_parts(spm));
    AXL_TRY(add_pieces(t, spm));
    t->bpe.byte_fallback = spm->byte_fallback;
    AXL_TRY(spm->model_type == SPM_BPE ? set_bpe(t, spm) : set_unigram(t, spm));
    AXL_TRY(bare_pipeline(t, spm));
    AXL_TRY(bare_tokens(t, spm));
    AXL_TRY(name_special(t, AXL__BOS, spm->bos_piece));
    AXL_TRY(name_special(t, AXL__EOS, spm->eos_piece));
    return name_special(t, AXL__UNK, spm->unk_piece);
}
