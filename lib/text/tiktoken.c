/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiktoken.c - a rank file: each line a token's bytes in base64, a space, and its rank, which is
 * its id.  Words are cut by a pattern that the file does not hold; a file of Llama-3's size has
 * Llama-3's, with its special tokens and BOS (llama-models, models/llama3/tokenizer.py).
 */
#include "base64.h"
#include "byte_level.h"
#include "ranks.h"

#include <stdio.h>
#include <string.h>

enum { LLAMA3_RANKS = 128000, LLAMA3_SPECIALS = 256 };

#define ENDINGS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"

/* How words are cut, by the names of encodings (tiktoken 0.14, tiktoken_ext/openai_public.py;
 * Qwen-7B, tokenization_qwen.py; llama-models), written for Oniguruma: what possessive quantifiers
 * and "$" stand for there is said in other words. */
static const struct {
    const char *name, *pattern;
} encodings[] = {
    { "gpt2",
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+" },
    { "cl100k_base", "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
                     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                     "|\\s+(?![\\s\\S])|\\s*[\\r\\n]|\\s+(?!\\S)|\\s" },
    { "o200k_base", "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" LOWER "]+" ENDINGS "?"
                    "|[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]+[" LOWER "]*" ENDINGS "?"
                    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" },
    { "llama3", ENDINGS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                        "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" },
    { "qwen2", ENDINGS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                       "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" },
    { "tekken", "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" LOWER "]+"
                "|[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]+[" LOWER "]*"
                "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" },
};
static const char encoding_names[] = "gpt2, r50k_base, p50k_base, cl100k_base, o200k_base, llama3, "
                                     "qwen2, tekken";

/* ---- the file ---- */

/* The first line is a token in base64, a space and its rank; a tokenizer.model of LLaMA 3's
 * original release is one. */
bool axl__is_tiktoken(const unsigned char *data, size_t size)
{
    size_t i = 0, digits = 0;

    while (i < size && i < 1024 && data[i] > 0x20 && data[i] < 0x7F && data[i] != '{')
        i++;
    if (i == 0 || i >= size || data[i] != ' ')
        return false;
    for (i++; i < size && data[i] >= '0' && data[i] <= '9'; i++)
        digits++;
    return digits > 0 && i < size && (data[i] == '\n' || data[i] == '\r');
}

void axl__rank_room_init(axl__rank_room *room, axl_context *ctx)
{
    axl__str_init(&room->bytes, ctx);
    axl__str_init(&room->chars, ctx);
}

void axl__rank_room_free(axl__rank_room *room)
{
    axl__str_free(&room->bytes);
    axl__str_free(&room->chars);
}

axl_status axl__rank_add(axl_tokenizer *t, axl__rank_room *room, axl__slice base64, int64_t id)
{
    axl__str_clear(&room->bytes);
    axl__str_clear(&room->chars);
    if (!axl__base64_decode(&room->bytes, base64.text, base64.len) ||
        room->bytes.len > AXL__RANK_TOKEN_MAX)
        return AXL_END;
    axl__byte_level_put(&room->chars, axl__str_text(&room->bytes), room->bytes.len);
    AXL_TRY(axl__str_status(&room->chars));
    const char *text = axl__arena_strndup(&t->arena, room->chars.data, room->chars.len);
    if (!text)
        return axl__fail_nomem();
    return axl__bpe_add(&t->bpe, text, room->chars.len, id);
}

typedef struct {
    axl_tokenizer *t;
    const char *text;
    size_t size, at;
    uint64_t line;
    axl__rank_room room;
} rank_reader;

static axl_status bad_line(const rank_reader *r, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "line %llu: %s", (unsigned long long)r->line, why);
}

/* A line's parts: the token in base64, the rank. */
static axl_status take_line(rank_reader *r, axl__slice *token, int64_t *rank)
{
    const char *line = r->text + r->at, *end = memchr(line, '\n', r->size - r->at);
    size_t len = end ? (size_t)(end - line) : r->size - r->at, digits;

    r->at += len + (end != NULL);
    r->line++;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    const char *space = memchr(line, ' ', len);
    if (!space)
        return bad_line(r, "a token in base64, a space and a rank are wanted");
    *token = (axl__slice){ line, (size_t)(space - line) };
    *rank = 0;
    for (digits = token->len + 1;
         digits < len && line[digits] >= '0' && line[digits] <= '9' && *rank <= AXL__ID_MAX;
         digits++)
        *rank = *rank * 10 + (line[digits] - '0');
    if (digits != len || digits == token->len + 1 || *rank > AXL__ID_MAX)
        return bad_line(r, "the rank is no number, or too large");
    return AXL_OK;
}

static axl_status add_token(rank_reader *r)
{
    axl__slice token = { "", 0 };
    int64_t rank = 0;

    AXL_TRY(take_line(r, &token, &rank));
    axl_status status = axl__rank_add(r->t, &r->room, token, rank);
    return status == AXL_END ? bad_line(r, "the token is not base64, or longer than 4096 bytes")
                             : status;
}

static axl_status read_ranks(axl_tokenizer *t, const unsigned char *data, size_t size)
{
    rank_reader r = { .t = t, .text = (const char *)data, .size = size };
    axl_status status = AXL_OK;

    axl__rank_room_init(&r.room, t->ctx);
    while (r.at < size && status == AXL_OK) {
        status = r.line % 1024 == 0 ? axl__cancelled(t->ctx) : AXL_OK;
        if (status == AXL_OK)
            status = add_token(&r);
    }
    axl__rank_room_free(&r.room);
    return status;
}

/* ---- as BPE ---- */

axl_status axl__rank_merges(axl_tokenizer *t)
{
    uint32_t n = t->bpe.n_pieces;
    uint32_t *ranks = axl__alloc(t->ctx, n * sizeof *ranks);
    unsigned char *joinable = axl__alloc(t->ctx, n);
    axl_status status = ranks && joinable ? AXL_OK : axl__fail_nomem();

    for (uint32_t i = 0; i < n && status == AXL_OK; i++) {
        ranks[i] = i;
        joinable[i] = t->bpe.pieces[i].text != NULL;
    }
    if (status == AXL_OK)
        status = axl__bpe_derive_merges(&t->bpe, ranks, joinable);
    axl__free(t->ctx, ranks);
    axl__free(t->ctx, joinable);
    t->bpe.ignore_merges = true;
    return status;
}

axl_status axl__rank_pipeline(axl_tokenizer *t, const char *pattern, size_t len)
{
    axl__pipeline *p = &t->pipeline;
    axl__cut *cut = &p->cuts[p->n_cuts++];

    p->decoder[p->n_decoder++] = (axl__decoder_step){ .kind = AXL__DECODE_BYTE_LEVEL };
    cut->into = axl__splitter_of(pattern, len);
    p->byte_level = cut->into != AXL__SPLIT_NONE;
    if (p->byte_level)
        return AXL_OK;
    cut->kind = AXL__CUT_REGEX;
    p->cuts[p->n_cuts++] = (axl__cut){ .kind = AXL__CUT_BYTES };
    p->general = true;
    return axl__regexes_add(&t->regexes, pattern, len, &cut->regex);
}

static axl_status add_llama3_specials(axl_tokenizer *t)
{
    static const char *const named[] = {
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>",
        "<|finetune_right_pad_id|>",
        "<|step_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "<|python_tag|>",
    };
    const size_t n = sizeof named / sizeof named[0];
    char text[48];

    for (size_t i = 0; i < LLAMA3_SPECIALS; i++) {
        snprintf(text, sizeof text, "<|reserved_special_token_%zu|>", i < n ? 0 : i - n + 2);
        axl__added_token token = { .text = { i < n ? named[i] : text, 0 }, .special = true };
        token.text.len = strlen(token.text.text);
        AXL_TRY(axl__added_add(&t->added, &token, 1, &t->bpe, &t->pipeline));
    }
    t->specials[AXL__BOS] = (axl__special){ named[0], LLAMA3_RANKS };
    t->specials[AXL__EOS] = (axl__special){ named[1], LLAMA3_RANKS + 1 };
    t->pipeline.before = axl__arena_alloc(&t->arena, sizeof *t->pipeline.before);
    if (!t->pipeline.before)
        return axl__fail_nomem();
    t->pipeline.before[0] = LLAMA3_RANKS;
    t->pipeline.n_before = 1;
    return AXL_OK;
}

static axl_status find_encoding(const char *name, const char **pattern)
{
    bool gpt2 = strcmp(name, "r50k_base") == 0 || strcmp(name, "p50k_base") == 0;

    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++)
        if (strcmp(gpt2 ? "gpt2" : name, encodings[i].name) == 0) {
            *pattern = encodings[i].pattern;
            return AXL_OK;
        }
    return axl__fail(AXL_ERR_INVALID, "pattern: \"%.64s\" is none of %s", name, encoding_names);
}

axl_status axl__tiktoken_to_folder(axl_tokenizer *t, const unsigned char *data, size_t size)
{
    const char *pattern;

    AXL_TRY(find_encoding("llama3", &pattern));
    AXL_TRY(read_ranks(t, data, size));
    AXL_TRY(axl__bpe_derive_merges(&t->bpe, NULL, NULL));
    t->bpe.ignore_merges = true;
    return axl__rank_pipeline(t, pattern, strlen(pattern));
}

axl_status axl__tiktoken_to_bare(axl_tokenizer *t, const unsigned char *data, size_t size,
                                 const char *encoding)
{
    const char *pattern;
    bool llama3 = !encoding;

    AXL_TRY(find_encoding(encoding ? encoding : "llama3", &pattern));
    AXL_TRY(read_ranks(t, data, size));
    if (llama3 && t->bpe.n_pieces != LLAMA3_RANKS)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "a rank file of %u tokens does not say how words are cut; one of %d is "
                         "Llama-3's, others need a pattern by name: %s",
                         t->bpe.n_pieces, LLAMA3_RANKS, encoding_names);
    AXL_TRY(axl__rank_merges(t));
    AXL_TRY(axl__rank_pipeline(t, pattern, strlen(pattern)));
    return llama3 ? add_llama3_specials(t) : AXL_OK;
}
