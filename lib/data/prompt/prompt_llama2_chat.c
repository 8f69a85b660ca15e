/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_llama2_chat.c - Llama-2's own form of a conversation, counted as FastChat's training does
 * and Axolotl after it: one text is encoded and filled up to sequence_len, the turns are encoded
 * again alone, and where the two counts disagree nothing of the row is trained.  The ids that it
 * names are Llama-2's.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"
#include "text/tokenizer.h"

#include <axl/dataset.h>

#include <string.h>

static const char turn_end[] = " </s><s>", ask_end[] = "[/INST]";

/* "[" behind another token, and at the start of a text. */
enum { BRACKET_INSIDE = 29961, BRACKET_FIRST = 518 };

/* Meta's words. */
static const char own_system[] =
    "[INST] <<SYS>>\nYou are a helpful, respectful and honest assistant. Always answer as "
    "helpfully as possible, while being safe. Your answers should not include any harmful, "
    "unethical, racist, sexist, toxic, dangerous, or illegal content. Please ensure that your "
    "responses are socially unbiased and positive in nature.\n\n"
    "If a question does not make any sense, or is not factually coherent, explain why instead of "
    "answering something not correct. If you don't know the answer to a question, please don't "
    "share false information.\n<</SYS>>\n\n";

static axl_status llama2_chat_open(axl__prompt *p)
{
    if (!p->setup.tok || axl_tokenizer_pad(p->setup.tok) >= 0)
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID, "llama2_chat fills samples up with the padding token, and "
                                      "the tokenizer has none; set special_tokens.pad_token");
}

/* ---- the text ---- */

typedef struct {
    bool human;
    const char *text;
    size_t len;
} said;

static axl_status read_turn(const axl__json *turn, said *out)
{
    const char *from;
    size_t len;

    AXL_TRY(axl__prompt_text(turn, "from", &from, &len));
    AXL_TRY(axl__prompt_text(turn, "value", &out->text, &out->len));
    out->human = axl__prompt_is(from, len, "human");
    if (out->human || axl__prompt_is(from, len, "gpt"))
        return AXL_OK;
    return axl__prompt_unknown_role("from", from, len, "human, gpt, and system for the first");
}

/* Takes the system turn, which is the first or none. */
static axl_status put_system(const axl__json **turn, axl__str *out)
{
    const char *from, *text;
    size_t len;

    AXL_TRY(axl__prompt_text(*turn, "from", &from, &len));
    if (!axl__prompt_is(from, len, "system")) {
        axl__str_puts(out, own_system);
        return AXL_OK;
    }
    AXL_TRY(axl__prompt_text(*turn, "value", &text, &len));
    axl__str_puts(out, "[INST] <<SYS>>\n");
    axl__str_put(out, text, len);
    axl__str_puts(out, "\n<</SYS>>\n\n");
    *turn = (*turn)->next;
    return AXL_OK;
}

/* The last turn that has text. */
static axl_status check_turns(const axl__json *turn, const axl__json **last)
{
    said s;

    *last = NULL;
    for (bool human = true; turn; turn = turn->next, human = !human) {
        AXL_TRY(read_turn(turn, &s));
        if (s.human != human)
            return axl__fail(AXL_ERR_DATA, "\"conversations\" must alternate between human and "
                                           "gpt, human first");
        if (s.len > 0)
            *last = turn;
    }
    return AXL_OK;
}

/* Turns without text count for the order and not for the text; a last human's is left out.  The
 * first to be put has its mark in the system's text. */
static axl_status put_turns(const axl__json *turn, axl__str *out)
{
    const axl__json *last;
    size_t n_put = 0;
    said s;

    AXL_TRY(check_turns(turn, &last));
    for (; turn && last; turn = turn->next) {
        AXL_TRY(read_turn(turn, &s));
        if (turn == last && s.human)
            break;
        if (s.len == 0)
            continue;
        axl__prompt_strip(&s.text, &s.len);
        if (n_put > 0)
            axl__str_puts(out, s.human ? "[INST] " : "[/INST] ");
        axl__str_put(out, s.text, s.len);
        if (n_put > 0)
            axl__str_puts(out, n_put % 2 ? turn_end : " ");
        n_put++;
    }
    if (n_put == 0)
        axl__str_clear(out);
    return axl__str_status(out);
}

/* Nothing where it is no conversation: fewer than two turns. */
static axl_status put_conversation(const axl__json *turn, axl__str *out)
{
    said first;

    if (!turn)
        return AXL_OK;
    AXL_TRY(put_system(&turn, out));
    if (!turn || !turn->next) {
        axl__str_clear(out);
        return AXL_OK;
    }
    AXL_TRY(read_turn(turn, &first));
    return put_turns(first.human ? turn : turn->next, out);
}

/* ---- the labels ---- */

static axl_status count_ids(const axl__prompt *p, const char *text, size_t len, uint32_t *n)
{
    axl_buffer ids = AXL_BUFFER_INIT;

    AXL_TRY(axl_tokenizer_encode(p->setup.tok, text, len, 0, &ids));
    *n = (uint32_t)(ids.length / sizeof(int32_t));
    axl_buffer_free(&ids);
    return AXL_OK;
}

/* Up to the first turn that is no question with an answer; *at: tokens that were counted. */
static axl_status mask_asked(const axl__prompt *p, const char *text, axl__draft *out, uint32_t *at)
{
    *at = 1;
    axl__draft_mask(out, 0, 1);
    while (*text) {
        const char *end = strstr(text, turn_end), *asked = strstr(text, ask_end);
        size_t len = end ? (size_t)(end - text) : strlen(text);
        uint32_t n_turn, n_asked;
        if (len == 0 || !asked || (size_t)(asked - text) + strlen(ask_end) > len)
            break;
        size_t asked_len = (size_t)(asked - text) + strlen(ask_end);
        const char *again = strstr(text + asked_len, ask_end);
        if (again && (size_t)(again - text) + strlen(ask_end) <= len)
            break;
        AXL_TRY(count_ids(p, text, len, &n_turn));
        AXL_TRY(count_ids(p, text, asked_len, &n_asked));
        axl__draft_mask(out, *at - 1, n_asked);
        *at += n_turn + 2; /* the turn's end and the BOS behind it */
        text = end ? end + strlen(turn_end) : text + len;
    }
    return AXL_OK;
}

/* Fills up to sequence_len, on the side where transformers' tokenizer does. */
static axl_status pad(const axl__prompt *p, axl__draft *out)
{
    uint32_t n = out->n, all = p->setup.sequence_len;
    uint32_t n_pad = all - n;
    int32_t id = axl_tokenizer_pad(p->setup.tok);
    bool left = axl__tokenizer_pads_left(p->setup.tok);

    if (n_pad == 0)
        return AXL_OK;
    AXL_TRY(axl__draft_reserve(out, n_pad));
    if (left)
        memmove(out->ids + n_pad, out->ids, n * sizeof *out->ids);
    for (uint32_t i = 0; i < n_pad; i++)
        out->ids[left ? i : n + i] = id;
    out->n = all;
    memcpy(out->labels, out->ids, all * sizeof *out->ids);
    return AXL_OK;
}

static axl_status put_labels(const axl__prompt *p, const char *text, axl__draft *out)
{
    int32_t id = axl_tokenizer_pad(p->setup.tok);
    uint32_t n_text = 0, at;

    for (uint32_t i = 0; i < out->n; i++)
        n_text += out->ids[i] != id;
    AXL_TRY(mask_asked(p, text, out, &at));
    axl__draft_mask(out, at, out->n);
    if (at < p->setup.sequence_len && at != n_text)
        axl__draft_mask(out, 0, out->n);
    for (uint32_t i = 2; i + 2 < n_text; i++) {
        out->ids[i] = out->ids[i] == BRACKET_INSIDE ? BRACKET_FIRST : out->ids[i];
        out->labels[i] = out->labels[i] == BRACKET_INSIDE ? BRACKET_FIRST : out->labels[i];
    }
    return AXL_OK;
}

static axl_status llama2_chat_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const axl__piece piece = { .max = p->setup.sequence_len };
    const axl__json *turn;
    axl__str text;

    AXL_TRY(axl__prompt_list(record, p->columns[0], &turn));
    axl__str_init(&text, p->setup.ctx);
    axl_status status = put_conversation(turn, &text);
    bool some = status == AXL_OK && text.len > 0 && !p->check_only;
    if (some)
        status = axl__prompt_put(p, out, text.data, text.len, &piece);
    if (some && status == AXL_OK)
        status = pad(p, out);
    if (some && status == AXL_OK)
        status = put_labels(p, text.data, out);
    axl__str_free(&text);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

const axl__prompt_method axl__prompt_llama2_chat = {
    .name = "llama2_chat",
    .open = llama2_chat_open,
    .make = llama2_chat_make,
};
