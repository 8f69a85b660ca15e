/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vocabulary_files.c - folders without a tokenizer.json whose class has a vocabulary of another
 * form: BERT's list of words, T5's SentencePiece model, and the two files of a BPE over bytes. They
 * become the tree of the tokenizer.json that they stand for, of which the class takes the model
 * alone.
 */
#include "charsmap.h"
#include "tokenizer_priv.h"
#include "unicode_word.h"

#include "base/json_make.h"
#include "base/map.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { VOCABULARY_MAX = 64 << 20 };

typedef struct {
    axl_tokenizer *t;
    axl__arena *arena; /* of the tree and its texts */
    axl__spm *spm;
    const axl__json *config;
} sources;

/* Copies a file of UTF-8 into the arena. */
static axl_status read_text(const sources *s, const char *name, axl__slice *out)
{
    axl__file file;

    AXL_TRY(axl__folder_open(&s->t->folder, name, false, &file));
    const char *text = (const char *)file.data;
    axl_status status = axl__json_check_size(name, file.size, VOCABULARY_MAX);
    if (status == AXL_OK && !axl__utf8_valid(text, file.size))
        status = axl__fail(AXL_ERR_FORMAT, "it is not UTF-8");
    *out = (axl__slice){ NULL, file.size };
    if (status == AXL_OK && !(out->text = axl__arena_strndup(s->arena, text, file.size)))
        status = axl__fail_nomem();
    axl__file_close(&file);
    return status;
}

/* The next line, without its \n or \r\n; false: there is none. */
static bool take_line(axl__slice *rest, axl__slice *line)
{
    const char *end = memchr(rest->text, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->text) : rest->len;

    if (rest->len == 0)
        return false;
    *line = (axl__slice){ rest->text, n };
    if (end && n > 0 && end[-1] == '\r')
        line->len--;
    rest->text += n + (end != NULL);
    rest->len -= n + (end != NULL);
    return true;
}

/* Without the white space at its end. */
static axl__slice trimmed(axl__slice line)
{
    size_t end = 0;

    for (size_t i = 0; i < line.len;)
        if (!axl__unicode_space(axl__utf8_next(line.text, line.len, &i)))
            end = i;
    return (axl__slice){ line.text, end };
}

/* {"model": {"type": …, "vocab": …, "merges": …}}, the last where there are any. */
static axl_status put_model(const sources *s, const char *type, const axl__json *vocab,
                            const axl__json *merges, axl__json **out)
{
    axl__json *root = axl__arena_alloc(s->arena, sizeof *root), model, text;
    axl__json_maker m, top;

    if (!root)
        return axl__fail_nomem();
    text = axl__json_text(type, strlen(type));
    axl__json_make(&top, s->arena, root, AXL__JSON_OBJECT);
    axl__json_make(&m, s->arena, &model, AXL__JSON_OBJECT);
    if (!axl__json_add(&m, "type", &text) || !axl__json_add(&m, "vocab", vocab) ||
        (merges && !axl__json_add(&m, "merges", merges)) || !axl__json_add(&top, "model", &model))
        return axl__fail_nomem();
    *out = root;
    return AXL_OK;
}

/* ---- vocab.txt: a word a line, whose number is its id ---- */

/* Where a word stands twice the later line counts, as in tokenizers. */
static axl_status put_words(const sources *s, axl__slice text, axl__map *places,
                            axl__json_maker *vocab)
{
    axl__slice line;
    int64_t at;

    for (int64_t id = 0; take_line(&text, &line); id++) {
        axl__json value = { .type = AXL__JSON_INT, .integer = id, .number = (double)id };
        if (id % 1024 == 0)
            AXL_TRY(axl__cancelled(s->t->ctx));
        line = trimmed(line);
        if (axl__map_get(places, line.text, line.len, &at)) {
            axl__json *before = (axl__json *)(uintptr_t)at;
            before->integer = id;
            before->number = (double)id;
            continue;
        }
        const char *word = axl__arena_strndup(s->arena, line.text, line.len);
        axl__json *made = word ? axl__json_add(vocab, word, &value) : NULL;
        if (!made)
            return axl__fail_nomem();
        made->key_len = line.len; /* a NUL in a word is a part of it */
        AXL_TRY(axl__map_set(places, word, line.len, (int64_t)(uintptr_t)made));
    }
    return AXL_OK;
}

static axl_status read_words(const sources *s, const char *const *names, axl__json **out)
{
    axl__json vocab;
    axl__json_maker m;
    axl__map places;
    axl__slice text;

    axl__json_make(&m, s->arena, &vocab, AXL__JSON_OBJECT);
    AXL_TRY(read_text(s, names[0], &text));
    axl__map_init(&places, s->t->ctx);
    axl_status status = put_words(s, text, &places, &m);
    axl__map_free(&places);
    return status == AXL_OK ? put_model(s, "WordPiece", &vocab, NULL, out) : status;
}

/* ---- spiece.model ---- */

static axl_status put_piece(const sources *s, axl__json_maker *vocab, axl__slice text, double score)
{
    axl__json pair, piece = axl__json_text(text.text, text.len);
    axl__json number = { .type = AXL__JSON_FLOAT, .number = score };
    axl__json_maker m;

    axl__json_make(&m, s->arena, &pair, AXL__JSON_ARRAY);
    if (!axl__json_add(&m, NULL, &piece) || !axl__json_add(&m, NULL, &number) ||
        !axl__json_add(vocab, NULL, &pair))
        return axl__fail_nomem();
    return AXL_OK;
}

/* Its map of characters, the first step of the pipeline. */
static axl_status take_charsmap(const sources *s)
{
    axl__pipeline *p = &s->t->pipeline;
    axl__normalizer_step step = { .kind = AXL__PRECOMPILED, .from = s->spm->charsmap };

    if (step.from.len == 0)
        return AXL_OK;
    if (!axl__charsmap_valid(step.from))
        return axl__fail(AXL_ERR_FORMAT, "its character map is none");
    step.from.text = axl__arena_strndup(&s->t->arena, step.from.text, step.from.len);
    if (!step.from.text)
        return axl__fail_nomem();
    p->normalizer[p->n_normalizer++] = step;
    p->general = true;
    return AXL_OK;
}

static axl_status read_model(const sources *s, const char *name)
{
    axl__file file;

    AXL_TRY(axl__folder_open(&s->t->folder, name, false, &file));
    axl_status status = axl__spm_read(s->spm, s->arena, file.data, file.size);
    axl__file_close(&file);
    return status == AXL_OK ? take_charsmap(s) : status;
}

/* The tokens that T5 fills gaps with stand behind the pieces, the last first. */
static axl_status read_pieces(const sources *s, const char *const *names, axl__json **out)
{
    int64_t n = axl__json_int(s->config, "extra_ids", 100);
    axl__json vocab;
    axl__json_maker m;

    if (n < 0 || n > AXL__T5_TOKENS_MAX)
        return axl__fail(AXL_ERR_FORMAT, "extra_ids must be a number from 0 to %d",
                         AXL__T5_TOKENS_MAX);
    AXL_TRY(read_model(s, names[0]));
    axl__json_make(&m, s->arena, &vocab, AXL__JSON_ARRAY);
    for (uint32_t i = 0; i < s->spm->n_pieces; i++)
        AXL_TRY(put_piece(s, &m, s->spm->pieces[i].text, (double)s->spm->pieces[i].score));
    while (n-- > 0) {
        char text[40];
        snprintf(text, sizeof text, "<extra_id_%lld>", (long long)n);
        const char *copy = axl__arena_strndup(s->arena, text, strlen(text));
        if (!copy)
            return axl__fail_nomem();
        AXL_TRY(put_piece(s, &m, (axl__slice){ copy, strlen(copy) }, 0.0));
    }
    return put_model(s, "Unigram", &vocab, NULL, out);
}

/* ---- vocab.json and merges.txt ---- */

static axl_status read_byte_level(const sources *s, const char *const *names, axl__json **out)
{
    axl__json *vocab, merges;
    axl__slice text, line;
    axl__json_maker m;

    axl__json_make(&m, s->arena, &merges, AXL__JSON_ARRAY);
    AXL_TRY(read_text(s, names[0], &text));
    AXL_TRY(axl__json_parse(&vocab, s->arena, text.text, text.len, NULL));
    AXL_TRY(read_text(s, names[1], &text));
    while (take_line(&text, &line)) {
        const char *copy = axl__arena_strndup(s->arena, line.text, line.len);
        axl__json merge = axl__json_text(copy, line.len);
        if (!copy || !axl__json_add(&m, NULL, &merge))
            return axl__fail_nomem();
    }
    return put_model(s, "BPE", vocab, &merges, out);
}

/* ---- by class ---- */

typedef struct {
    const char *said;     /* both, for messages */
    const char *names[2]; /* the second may be NULL */
    axl_status (*read)(const sources *s, const char *const *names, axl__json **out);
} vocabulary_form;

static const vocabulary_form forms[] = {
    { "vocab.txt", { "vocab.txt", NULL }, read_words },
    { "spiece.model", { "spiece.model", NULL }, read_pieces },
    { "vocab.json and merges.txt", { "vocab.json", "merges.txt" }, read_byte_level },
};

static const vocabulary_form *form_of(axl__tokenizer_kind class)
{
    switch (class) {
    case AXL__CLASS_BERT: return &forms[0];
    case AXL__CLASS_T5: return &forms[1];
    case AXL__CLASS_GPT2:
    case AXL__CLASS_QWEN2:
    case AXL__CLASS_QWEN3_5:
    case AXL__CLASS_GPT_NEOX:
    case AXL__CLASS_CODEGEN:
    case AXL__CLASS_COHERE: return &forms[2];
    default: return NULL;
    }
}

const char *axl__vocabulary_files_of(const axl_tokenizer *t, const char **needs)
{
    const vocabulary_form *form = form_of(t->class);
    bool all = form != NULL;

    *needs = form ? form->said : NULL;
    for (int i = 0; i < 2 && all && form->names[i]; i++)
        all = axl__folder_has(&t->folder, form->names[i]);
    return all ? form->said : NULL;
}

axl_status axl__vocabulary_files_read(axl_tokenizer *t, axl__arena *arena, axl__spm *spm,
                                      const axl__json *config, const axl__json **out)
{
    const vocabulary_form *form = form_of(t->class);
    sources s = { t, arena, spm, config };
    axl__json *root = NULL;

    AXL_TRY(form->read(&s, form->names, &root));
    *out = root;
    return AXL_OK;
}
