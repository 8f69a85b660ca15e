/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tekken.c - Mistral's tekken.json, read and checked as mistral-common 1.11 does
 * (tokens/tokenizers/tekken.py): special tokens have the first ids, the vocabulary's bytes follow
 * by rank, words are cut by the file's own pattern.  A special token in a text is text: only a
 * conversation's rendering, which axl leaves to chat templates, puts them in.
 */
#include "ranks.h"

#include <stdio.h>
#include <string.h>

/* What files before version v11 need not list; DEPRECATED_SPECIAL_TOKENS there. */
static const char *const usual[] = {
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
};
enum {
    N_USUAL = sizeof usual / sizeof usual[0],
    SPECIAL_MAX = 1 << 16, /* files have 1,000, most of them fillers that only a number says */
};

typedef struct {
    axl_tokenizer *t;
    const axl__json *config, *vocab, *special;
    int64_t n_special, n_ranks;
} tekken;

static axl_status read_count(const tekken *f, const char *key, int64_t most, int64_t *out)
{
    const axl__json *v = axl__json_get(f->config, key);

    if (!v || v->type != AXL__JSON_INT || v->integer < 0 || v->integer > most)
        return axl__fail(AXL_ERR_FORMAT, "config.%s must be a number from 0 to %lld", key,
                         (long long)most);
    *out = v->integer;
    return AXL_OK;
}

/* Files before v11 may leave their special tokens out. */
static axl_status check_version(const tekken *f)
{
    static const char *const versions[] = { "v1", "v2", "v3", "v7", "v11", "v13", "v15" };
    const char *version = axl__json_string(f->config, "version", "");
    size_t i = 0, n = sizeof versions / sizeof versions[0];

    while (i < n && strcmp(version, versions[i]) != 0)
        i++;
    if (i == n)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "config.version must be v1, v2, v3, v7, v11, v13 or v15, not \"%.16s\"",
                         version);
    if (!f->special && i >= 4)
        return axl__fail(AXL_ERR_FORMAT, "special_tokens is missing, which version %s must have",
                         version);
    return AXL_OK;
}

static axl_status read_head(tekken *f, const axl__json *root)
{
    int64_t size = 0;

    f->config = axl__json_get(root, "config");
    f->vocab = axl__json_get(root, "vocab");
    f->special = axl__json_get(root, "special_tokens");
    if (f->special && f->special->type == AXL__JSON_NULL)
        f->special = NULL;
    if (!f->config || f->config->type != AXL__JSON_OBJECT || !f->vocab ||
        f->vocab->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT,
                         "a tekken.json has an object \"config\" and a list \"vocab\"");
    if (f->special && f->special->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "special_tokens must be a list, not %s",
                         axl__json_type_name(f->special));
    AXL_TRY(check_version(f));
    AXL_TRY(read_count(f, "default_vocab_size", AXL__ID_MAX, &size));
    AXL_TRY(read_count(f, "default_num_special_tokens", SPECIAL_MAX, &f->n_special));
    f->n_ranks = size - f->n_special;
    if (f->n_ranks < 0 || f->n_ranks > (int64_t)f->vocab->count)
        return axl__fail(AXL_ERR_FORMAT,
                         "config.default_vocab_size is %lld, with %lld special tokens, and vocab "
                         "has %u",
                         (long long)size, (long long)f->n_special, f->vocab->count);
    return AXL_OK;
}

/* ---- special tokens ---- */

static axl_status add_special(tekken *f, int64_t id, const char *text, size_t len)
{
    axl__added_token token = { .text = { text, len }, .special = true };

    if (axl__added_has(&f->t->added, token.text))
        return axl__fail(AXL_ERR_FORMAT, "special_tokens[%lld]: \"%.64s\" is there twice",
                         (long long)id, text);
    return axl__added_put(&f->t->added, token, (int32_t)id);
}

static axl_status add_listed(tekken *f, int64_t *n)
{
    for (const axl__json *v = f->special->child; v; v = v->next, ++*n) {
        const axl__json *text = axl__json_get(v, "token_str");
        if (axl__json_int(v, "rank", -1) != *n)
            return axl__fail(AXL_ERR_FORMAT,
                             "special_tokens[%lld] must have the rank %lld: they count from 0",
                             (long long)*n, (long long)*n);
        if (!text || text->type != AXL__JSON_STRING || text->len == 0)
            return axl__fail(AXL_ERR_FORMAT, "special_tokens[%lld].token_str must be a text",
                             (long long)*n);
        AXL_TRY(add_special(f, *n, text->text, text->len));
    }
    return AXL_OK;
}

/* Those without a text of their own are fillers. */
static axl_status add_specials(tekken *f)
{
    char text[40];
    int64_t n = 0, listed = f->special ? (int64_t)f->special->count : N_USUAL;

    if (listed > f->n_special)
        return axl__fail(AXL_ERR_FORMAT,
                         "there are %lld special tokens, and config.default_num_special_tokens is "
                         "%lld",
                         (long long)listed, (long long)f->n_special);
    if (f->special)
        AXL_TRY(add_listed(f, &n));
    for (; n < listed; n++)
        AXL_TRY(add_special(f, n, usual[n], strlen(usual[n])));
    for (; n < f->n_special; n++) {
        if (n % 1024 == 0)
            AXL_TRY(axl__cancelled(f->t->ctx));
        snprintf(text, sizeof text, "<SPECIAL_%lld>", (long long)n);
        AXL_TRY(add_special(f, n, text, strlen(text)));
    }
    return AXL_OK;
}

static void name_special(axl_tokenizer *t, int which, const char *text)
{
    int32_t id = axl__token_id(t, (axl__slice){ text, strlen(text) });

    if (id >= 0)
        t->specials[which] = (axl__special){ text, id };
}

/* ---- vocabulary ---- */

static axl_status add_ranks(tekken *f)
{
    axl__rank_room room;
    int64_t rank = 0;
    axl_status status = AXL_OK;

    axl__rank_room_init(&room, f->t->ctx);
    for (const axl__json *v = f->vocab->child; rank < f->n_ranks && status == AXL_OK;
         v = v->next, rank++) {
        const axl__json *text = axl__json_get(v, "token_bytes");
        axl__slice base64 = { "", 0 };
        if (text && text->type == AXL__JSON_STRING)
            base64 = (axl__slice){ text->text, text->len };
        if (rank % 1024 == 0)
            status = axl__cancelled(f->t->ctx);
        if (status == AXL_OK && axl__json_int(v, "rank", -1) != rank)
            status =
                axl__fail(AXL_ERR_FORMAT, "vocab[%lld] must have the rank %lld: they count from 0",
                          (long long)rank, (long long)rank);
        if (status == AXL_OK)
            status = axl__rank_add(f->t, &room, base64, rank + f->n_special);
        if (status == AXL_OK && rank < 256 &&
            (room.bytes.len != 1 || (unsigned char)room.bytes.data[0] != rank))
            status = axl__fail(AXL_ERR_FORMAT, "vocab[%lld] must be the byte %lld", (long long)rank,
                               (long long)rank);
        if (status == AXL_END)
            status = axl__fail(AXL_ERR_FORMAT,
                               "vocab[%lld].token_bytes is not base64, or longer than %d bytes",
                               (long long)rank, AXL__RANK_TOKEN_MAX);
    }
    axl__rank_room_free(&room);
    if (status == AXL_OK && (int64_t)f->t->bpe.ids.count != f->n_ranks)
        status = axl__fail(AXL_ERR_FORMAT, "two tokens of vocab have the same bytes");
    return status;
}

bool axl__tokenizer_is_tekken(const axl_tokenizer *t)
{
    return t->bare && axl__ends_with(t->only, ".json");
}

axl_status axl__tekken_read(axl_tokenizer *t, const axl__json *root)
{
    tekken f = { .t = t };

    AXL_TRY(read_head(&f, root));
    const axl__json *pattern = axl__json_get(f.config, "pattern");
    if (!pattern || pattern->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_FORMAT, "config.pattern must be a text");
    AXL_TRY(add_specials(&f));
    AXL_TRY(add_ranks(&f));
    AXL_TRY(axl__rank_merges(t));
    AXL_TRY(axl__rank_pipeline(t, pattern->text, pattern->len));
    name_special(t, AXL__BOS, "<s>");
    name_special(t, AXL__EOS, "</s>");
    name_special(t, AXL__UNK, "<unk>");
    name_special(t, AXL__PAD, "<pad>");
    t->added.split_special = true;
    t->pads_left = true;
    if (t->specials[AXL__BOS].id < 0 || t->specials[AXL__EOS].id < 0)
        return axl__fail(AXL_ERR_FORMAT, "there is no special token <s> or </s>");
    return AXL_OK;
}
