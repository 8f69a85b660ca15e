/* SPDX-License-Identifier: Apache-2.0 */
/* json_model.c - the models of a tokenizer.json: BPE, WordLevel, WordPiece and Unigram. */
#include "json_model.h"

#include <string.h>

static axl_status read_vocab(axl_tokenizer *t, const axl__json *vocab)
{
    if (!vocab || vocab->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "model.vocab must be an object, not %s",
                         axl__json_type_name(vocab));
    for (const axl__json *v = vocab->child; v; v = v->next) {
        const char *text = axl__arena_strndup(&t->arena, v->key, v->key_len);
        if (!text)
            return axl__fail_nomem();
        if (v->type != AXL__JSON_INT)
            return axl__fail(AXL_ERR_FORMAT,
                             "model.vocab: the id of \"%.64s\" must be an integer, "
                             "not %s",
                             v->key, axl__json_type_name(v));
        AXL_TRY(axl__bpe_add(&t->bpe, text, v->key_len, v->integer));
    }
    return t->bpe.n_pieces > 0 ? AXL_OK : axl__fail(AXL_ERR_FORMAT, "model.vocab is empty");
}

/* Two forms: ["a", "b"], and "a b" of older files, where a part with a space is not possible. */
static axl_status read_merge(axl_tokenizer *t, const axl__json *m)
{
    const axl__json *a = m->child, *b = a ? a->next : NULL;

    if (m->type == AXL__JSON_ARRAY && m->count == 2 && a->type == AXL__JSON_STRING &&
        b->type == AXL__JSON_STRING)
        return axl__bpe_merge(&t->bpe, a->text, a->len, b->text, b->len);
    if (m->type == AXL__JSON_STRING) {
        const char *space = memchr(m->text, ' ', m->len);
        size_t left = space ? (size_t)(space - m->text) : 0, right = m->len - left - 1;
        if (space && !memchr(space + 1, ' ', right))
            return axl__bpe_merge(&t->bpe, m->text, left, space + 1, right);
    }
    return axl__fail(AXL_ERR_FORMAT, "merge %u must be two tokens", t->bpe.n_merges);
}

static axl_status read_merges(axl_tokenizer *t, const axl__json *merges)
{
    if (!merges || merges->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "model.merges must be an array, not %s",
                         axl__json_type_name(merges));
    AXL_TRY(axl__pairs_reserve(&t->bpe.merges, merges->count));
    for (const axl__json *m = merges->child; m; m = m->next) {
        if (m->type == AXL__JSON_STRING && axl__starts_with(m->text, "#version"))
            continue;
        AXL_TRY(read_merge(t, m));
    }
    return AXL_OK;
}

/* A text that, where it is empty, asks for nothing. */
static axl_status read_affix(const axl__part *model, const char *key, const char **out)
{
    axl__slice text = { "", 0 };

    if (!axl__part_none(axl__json_get(model->json, key)))
        AXL_TRY(axl__part_text(model, key, &text));
    *out = text.len > 0 ? text.text : NULL;
    return AXL_OK;
}

/* Dropout would make ids random, at every encoding; there is none in a dropout of 0. */
static axl_status read_bpe_flags(axl_tokenizer *t, const axl__part *model)
{
    const axl__json *unk = axl__json_get(model->json, "unk_token");
    const axl__json *dropout = axl__json_get(model->json, "dropout");
    axl__slice text;

    if (!axl__part_none(dropout) &&
        !((dropout->type == AXL__JSON_INT || dropout->type == AXL__JSON_FLOAT) &&
          dropout->number == 0))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "model \"BPE\": dropout is not supported: ids would be "
                         "random");
    AXL_TRY(read_affix(model, "continuing_subword_prefix", &t->bpe.prefix));
    AXL_TRY(read_affix(model, "end_of_word_suffix", &t->bpe.suffix));
    AXL_TRY(axl__part_bool(model, "fuse_unk", false, &t->bpe.fuse_unk));
    AXL_TRY(axl__part_bool(model, "byte_fallback", false, &t->bpe.byte_fallback));
    AXL_TRY(axl__part_bool(model, "ignore_merges", false, &t->bpe.ignore_merges));
    if (!axl__part_none(unk)) {
        AXL_TRY(axl__part_text(model, "unk_token", &text));
        t->bpe.unk_text = text.text;
    }
    return AXL_OK;
}

/* A class that makes its own pipeline takes vocabulary and merges from the file and sets the flags
 * itself. */
static axl_status read_bpe(axl_tokenizer *t, const axl__part *model)
{
    if (t->class == AXL__CLASS_FILE)
        AXL_TRY(read_bpe_flags(t, model));
    AXL_TRY(read_vocab(t, axl__json_get(model->json, "vocab")));
    return read_merges(t, axl__json_get(model->json, "merges"));
}

/* ---- the others ---- */

static axl_status read_word_level(axl_tokenizer *t, const axl__part *model)
{
    t->words.kind = AXL__MODEL_WORD_LEVEL;
    AXL_TRY(axl__part_text(model, "unk_token", &t->words.unk));
    return read_vocab(t, axl__json_get(model->json, "vocab"));
}

static axl_status read_word_piece(axl_tokenizer *t, const axl__part *model)
{
    int64_t most = axl__json_int(model->json, "max_input_chars_per_word", 100);

    t->words.kind = AXL__MODEL_WORD_PIECE;
    t->words.prefix = (axl__slice){ "##", 2 };
    if (t->class != AXL__CLASS_FILE) { /* which has set what stands for the unknown */
        t->words.max_chars = 100;
        return read_vocab(t, axl__json_get(model->json, "vocab"));
    }
    AXL_TRY(axl__part_text(model, "unk_token", &t->words.unk));
    if (!axl__part_none(axl__json_get(model->json, "continuing_subword_prefix")))
        AXL_TRY(axl__part_text(model, "continuing_subword_prefix", &t->words.prefix));
    if (most < 0)
        return axl__part_wrong(model, "max_input_chars_per_word must be a number from 0 on");
    t->words.max_chars = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    return read_vocab(t, axl__json_get(model->json, "vocab"));
}

/* ["piece", score] */
static axl_status read_scored(axl_tokenizer *t, const axl__part *model, const axl__json *v,
                              int64_t id)
{
    const axl__json *text = v->type == AXL__JSON_ARRAY ? v->child : NULL;
    const axl__json *score = text ? text->next : NULL;

    if (!score || v->count != 2 || text->type != AXL__JSON_STRING ||
        (score->type != AXL__JSON_INT && score->type != AXL__JSON_FLOAT))
        return axl__fail(AXL_ERR_FORMAT,
                         "model \"%s\": piece %lld of the vocab must be a text and a "
                         "number",
                         axl__part_type(model), (long long)id);
    const char *copy = axl__arena_strndup(&t->arena, text->text, text->len);
    if (!copy)
        return axl__fail_nomem();
    t->words.scores[id] = score->number;
    return axl__bpe_add(&t->bpe, copy, text->len, id);
}

static axl_status read_unigram(axl_tokenizer *t, const axl__part *model)
{
    const axl__json *vocab = axl__json_get(model->json, "vocab");
    int64_t unk = axl__json_int(model->json, "unk_id", -1), id = 0;

    t->words.kind = AXL__MODEL_UNIGRAM;
    if (t->class != AXL__CLASS_FILE)
        unk = 2; /* where T5 has it */
    else
        AXL_TRY(axl__part_bool(model, "byte_fallback", false, &t->bpe.byte_fallback));
    if (!vocab || vocab->type != AXL__JSON_ARRAY || vocab->count == 0)
        return axl__part_wrong(model, "vocab must be an array of pieces with their scores");
    if (unk >= (int64_t)vocab->count)
        return axl__part_wrong(model, "unk_id is no piece of the vocab");
    t->words.unk_id = unk < 0 ? -1 : (int32_t)unk;
    t->words.scores = axl__calloc(t->ctx, vocab->count, sizeof *t->words.scores);
    if (!t->words.scores)
        return axl__fail_nomem();
    for (const axl__json *v = vocab->child; v; v = v->next)
        AXL_TRY(read_scored(t, model, v, id++));
    return AXL_OK;
}

/* Old files have no type: what they have tells. */
static const char *guess_type(const axl__json *model)
{
    const axl__json *vocab = axl__json_get(model, "vocab");

    if (axl__json_get(model, "merges") || !vocab)
        return "BPE";
    if (vocab->type == AXL__JSON_ARRAY)
        return "Unigram";
    return axl__json_get(model, "max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

axl_status axl__read_model(axl_tokenizer *t, const axl__part *model)
{
    static const struct {
        const char *name;
        axl_status (*read)(axl_tokenizer *t, const axl__part *model);
    } kinds[] = {
        { "BPE", read_bpe },
        { "Unigram", read_unigram },
        { "WordLevel", read_word_level },
        { "WordPiece", read_word_piece },
    };

    if (!model->json || model->json->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "there is no model");
    const char *type = axl__part_none(axl__json_get(model->json, "type")) ? guess_type(model->json)
                                                                          : axl__part_type(model);
    const char *own = axl__class_specs[t->class].model ? axl__class_specs[t->class].model : "BPE";
    if (t->class != AXL__CLASS_FILE && strcmp(type, own) != 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "model \"%.64s\" is not what the tokenizer's class has: it is %s", type,
                         own);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(type, kinds[i].name) == 0)
            return kinds[i].read(t, model);
    return axl__part_unknown(model);
}
