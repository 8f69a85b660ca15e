/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiktoken.c - a rank file: each line a token's bytes in base64, a space, and its rank, which is
 * its id.  Words are cut by a pattern that the file does not hold; a file of Llama-3's size has
 * Llama-3's, with its special tokens and BOS (llama-models, models/llama3/tokenizer.py).
 */
#include "base64.h"
#include "byte_level.h"
#include "tokenizer_priv.h"

#include <stdio.h>
#include <string.h>

enum { LLAMA3_RANKS = 128000, LLAMA3_SPECIALS = 256, TOKEN_MAX = 1 << 12 };

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

typedef struct {
    axl_tokenizer *t;
    const char *text;
    size_t size, at;
    uint64_t line;
    axl__str bytes, chars;
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
    axl__str_clear(&r->bytes);
    axl__str_clear(&r->chars);
    if (!axl__base64_decode(&r->bytes, token.text, token.len) || r->bytes.len > TOKEN_MAX)
        return bad_line(r, "the token is not base64, or longer than 4096 bytes");
    axl__byte_level_put(&r->chars, axl__str_text(&r->bytes), r->bytes.len);
    AXL_TRY(axl__str_status(&r->chars));
    const char *text = axl__arena_strndup(&r->t->arena, r->chars.data, r->chars.len);
    if (!text)
        return axl__fail_nomem();
    return axl__bpe_add(&r->t->bpe, text, r->chars.len, rank);
}

static axl_status read_ranks(axl_tokenizer *t, const unsigned char *data, size_t size)
{
    rank_reader r = { .t = t, .text = (const char *)data, .size = size };
    axl_status status = AXL_OK;

    axl__str_init(&r.bytes, t->ctx);
    axl__str_init(&r.chars, t->ctx);
    while (r.at < size && status == AXL_OK) {
        status = r.line % 1024 == 0 ? axl__cancelled(t->ctx) : AXL_OK;
        if (status == AXL_OK)
            status = add_token(&r);
    }
    axl__str_free(&r.bytes);
    axl__str_free(&r.chars);
    return status;
}

/* ---- as BPE ---- */

/* Two neighbours become one where that is a token, the lowest rank first. */
static axl_status derive_merges(axl_tokenizer *t)
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
    return status;
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

axl_status axl__tiktoken_to_bare(axl_tokenizer *t, const unsigned char *data, size_t size)
{
    axl__pipeline *p = &t->pipeline;

    AXL_TRY(read_ranks(t, data, size));
    if (t->bpe.n_pieces != LLAMA3_RANKS)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "a rank file of %u tokens does not say how words are cut; one of %d is "
                         "Llama-3's, others are not supported yet",
                         t->bpe.n_pieces, LLAMA3_RANKS);
    AXL_TRY(derive_merges(t));
    t->bpe.ignore_merges = true;
    p->byte_level = true;
    p->cuts[p->n_cuts++] = (axl__cut){ .into = AXL__SPLIT_LLAMA3 };
    p->decoder[p->n_decoder++] = (axl__decoder_step){ .kind = AXL__DECODE_BYTE_LEVEL };
    return add_llama3_specials(t);
}
