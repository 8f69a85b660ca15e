/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preference.c - see preference.h.  Two manners of TRL's: dpo, kto and reward trainers encode the
 * prompt and the prompt with its answer, whose text ends in the EOS, and take the answer from where
 * the prompt's ids end; orpo and simpo encode without special tokens, mend the seam and add BOS and
 * EOS as ids.
 */
#include "data/prompt/preference.h"

#include "text/tokenizer.h"

#include <axl/dataset.h>

#include <string.h>

void axl__answers_init(axl__answers *a, axl_context *ctx, uint32_t n)
{
    memset(a, 0, sizeof *a);
    a->n = n;
    axl__str_init(&a->prompt, ctx);
    for (int i = 0; i < 2; i++)
        axl__str_init(&a->answer[i], ctx);
}

void axl__answers_free(axl__answers *a)
{
    axl__str_free(&a->prompt);
    for (int i = 0; i < 2; i++)
        axl__str_free(&a->answer[i]);
}

/* ---- ids of texts ---- */

/* Ids of a text; for axl_buffer_free(). */
typedef struct {
    axl_buffer buffer;
    const int32_t *at;
    size_t n;
} ids_of;

static axl_status encode(const axl__prompt *p, const axl__str *text, uint32_t flags, ids_of *out)
{
    const axl_buffer none = AXL_BUFFER_INIT;

    *out = (ids_of){ .buffer = none };
    AXL_TRY(axl__str_status(text));
    AXL_TRY(
        axl_tokenizer_encode(p->setup.tok, axl__str_text(text), text->len, flags, &out->buffer));
    out->at = out->buffer.data;
    out->n = out->buffer.length / sizeof(int32_t);
    return AXL_OK;
}

static void put_one(axl__draft *out, int32_t id, bool masked)
{
    out->ids[out->n] = id;
    out->labels[out->n++] = masked ? AXL_LABEL_IGNORE : id;
}

static axl_status put_many(axl__draft *out, const int32_t *ids, size_t n, bool masked)
{
    AXL_TRY(axl__draft_reserve(out, n));
    for (size_t i = 0; i < n; i++)
        put_one(out, ids[i], masked);
    return AXL_OK;
}

/* ---- length ---- */

/* Cuts a text to its first tokens, whose text may have more of them than they were. */
static axl_status cut_text(const axl__prompt *p, axl__str *text, const ids_of *ids, size_t keep)
{
    axl_buffer out = AXL_BUFFER_INIT;

    AXL_TRY(axl_tokenizer_decode(p->setup.tok, ids->at, keep, 0, &out));
    axl__str_clear(text);
    axl__str_put(text, out.data, out.length);
    axl_buffer_free(&out);
    return axl__str_status(text);
}

/* Whether prompt and each answer have their place in sequence_len; cut: answers are cut to what the
 * prompt leaves them. */
static axl_status check_lengths(const axl__prompt *p, axl__answers *a, bool cut, size_t *longest)
{
    size_t limit = p->setup.sequence_len;
    ids_of prompt, answer;

    *longest = 0;
    AXL_TRY(encode(p, &a->prompt, AXL_TOKENIZE_NO_SPECIAL, &prompt));
    size_t n_prompt = prompt.n;
    axl_buffer_free(&prompt.buffer);
    for (uint32_t i = 0; i < a->n; i++) {
        AXL_TRY(encode(p, &a->answer[i], AXL_TOKENIZE_NO_SPECIAL, &answer));
        size_t n = n_prompt + answer.n;
        axl_status status = AXL_OK;
        if (cut && n > limit && n_prompt < limit)
            status = cut_text(p, &a->answer[i], &answer, limit - n_prompt);
        axl_buffer_free(&answer.buffer);
        AXL_TRY(status);
        *longest = n > *longest ? n : *longest;
    }
    return AXL_OK;
}

/* *fits false: the record is dropped. */
static axl_status apply_length(const axl__prompt *p, axl__answers *a, bool *fits)
{
    bool cut = p->setup.long_rule == AXL__LONG_TRUNCATE;
    size_t n, limit = p->setup.sequence_len;

    AXL_TRY(check_lengths(p, a, cut, &n));
    if (cut && n > limit)
        AXL_TRY(check_lengths(p, a, false, &n));
    *fits = n <= limit;
    if (!*fits && p->setup.long_rule == AXL__LONG_RAISE)
        return axl__fail(AXL_ERR_DATA,
                         "prompt and answer have %zu tokens, sequence_len is %zu "
                         "(excess_length_strategy: raise)",
                         n, limit);
    return AXL_OK;
}

/* ---- one text ---- */

static axl_status put_eos_text(const axl__prompt *p, axl__str *text)
{
    const char *eos = axl__tokenizer_special_text(p->setup.tok, "eos");

    size_t n = eos ? strlen(eos) : 0;

    if (n > 0 && !(text->len >= n && memcmp(text->data + text->len - n, eos, n) == 0))
        axl__str_puts(text, eos);
    return axl__str_status(text);
}

/* The sample ends where sequence_len does. */
static axl_status put_after(const axl__prompt *p, axl__draft *out, const ids_of *prompt,
                            const ids_of *whole)
{
    size_t limit = p->setup.sequence_len;
    size_t n_prompt = prompt->n < limit ? prompt->n : limit;
    size_t n = whole->n > prompt->n ? whole->n - prompt->n : 0;

    if (n > limit - n_prompt)
        n = limit - n_prompt;
    AXL_TRY(put_many(out, prompt->at, n_prompt, true));
    return n > 0 ? put_many(out, whole->at + prompt->n, n, false) : AXL_OK;
}

static axl_status put_text_answer(const axl__prompt *p, axl__draft *out, const axl__answers *a,
                                  uint32_t i, const ids_of *prompt)
{
    axl__str text;
    ids_of whole;

    axl__str_init(&text, p->setup.ctx);
    axl__str_put(&text, axl__str_text(&a->prompt), a->prompt.len);
    axl__str_put(&text, axl__str_text(&a->answer[i]), a->answer[i].len);
    axl_status status = encode(p, &text, 0, &whole);
    axl__str_free(&text);
    AXL_TRY(status);
    status = put_after(p, out, prompt, &whole);
    axl_buffer_free(&whole.buffer);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

/* DPOTrainer and KTOTrainer, _prepare_dataset. */
static axl_status put_texts(const axl__prompt *p, axl__draft *out, axl__answers *a, uint32_t role)
{
    ids_of prompt;

    AXL_TRY(encode(p, &a->prompt, 0, &prompt));
    axl_status status = AXL_OK;
    for (uint32_t i = 0; i < a->n && status == AXL_OK; i++) {
        out->role = i == 0 ? role : AXL_ROLE_REJECTED;
        status = put_eos_text(p, &a->answer[i]);
        if (status == AXL_OK)
            status = put_text_answer(p, out, a, i, &prompt);
    }
    axl_buffer_free(&prompt.buffer);
    return status;
}

/* ---- the seam ---- */

/* Prompt and answer as one text, and where in its ids the answer begins. */
typedef struct {
    ids_of ids;
    size_t start;
    bool bos, eos; /* to be added */
} seamed;

/* The prompt's last token may be another one with an answer behind it: it is the answer's then. */
static axl_status find_seam(const axl__prompt *p, const axl__answers *a, uint32_t i,
                            const ids_of *prompt, seamed *s)
{
    axl__str text;

    axl__str_init(&text, p->setup.ctx);
    axl__str_put(&text, axl__str_text(&a->prompt), a->prompt.len);
    axl__str_put(&text, axl__str_text(&a->answer[i]), a->answer[i].len);
    axl_status status = encode(p, &text, AXL_TOKENIZE_NO_SPECIAL, &s->ids);
    axl__str_free(&text);
    AXL_TRY(status);
    s->start = prompt->n < s->ids.n ? prompt->n : s->ids.n;
    bool same = s->start == prompt->n &&
                (prompt->n == 0 || memcmp(prompt->at, s->ids.at, prompt->n * sizeof(int32_t)) == 0);
    if (!same && s->start > 0)
        s->start--;
    s->bos = p->bos >= 0 && (s->start == 0 || s->ids.at[0] != p->bos);
    s->eos = s->start == s->ids.n || s->ids.at[s->ids.n - 1] != p->eos;
    return AXL_OK;
}

static size_t answer_length(const seamed *s)
{
    return s->ids.n - s->start + s->eos;
}

/* What is left of an answer: TRL cuts it to what the longer answer of the two leaves of
 * sequence_len, not to what the prompt leaves; a negative count is Python's, from the end. */
static size_t kept_length(const axl__prompt *p, const seamed *s, size_t longer)
{
    size_t n = answer_length(s), limit = p->setup.sequence_len;

    if (s->start + s->bos + longer <= limit)
        return n;
    if (longer > limit)
        return n > longer - limit ? n - (longer - limit) : 0;
    return n < limit - longer ? n : limit - longer;
}

static axl_status put_seamed(const axl__prompt *p, axl__draft *out, const seamed *s, size_t longer)
{
    size_t keep = kept_length(p, s, longer), n = s->ids.n - s->start;

    AXL_TRY(axl__draft_reserve(out, s->ids.n + 2));
    if (s->bos)
        put_one(out, p->bos, true);
    AXL_TRY(put_many(out, s->ids.at, s->start, true));
    AXL_TRY(put_many(out, s->ids.at + s->start, n < keep ? n : keep, false));
    if (n < keep)
        put_one(out, p->eos, false);
    return axl__draft_emit(out, out->n);
}

/* ORPOTrainer and CPOTrainer, tokenize_row. */
static axl_status put_seams(const axl__prompt *p, axl__draft *out, const axl__answers *a)
{
    seamed s[2] = { 0 };
    ids_of prompt;

    AXL_TRY(encode(p, &a->prompt, AXL_TOKENIZE_NO_SPECIAL, &prompt));
    axl_status status = find_seam(p, a, 0, &prompt, &s[0]);
    if (status == AXL_OK)
        status = find_seam(p, a, 1, &prompt, &s[1]);
    size_t chosen = answer_length(&s[0]), rejected = answer_length(&s[1]);
    size_t longer = chosen > rejected ? chosen : rejected;
    for (uint32_t i = 0; i < 2 && status == AXL_OK; i++) {
        out->role = i == 0 ? AXL_ROLE_CHOSEN : AXL_ROLE_REJECTED;
        status = put_seamed(p, out, &s[i], longer);
    }
    axl_buffer_free(&prompt.buffer);
    for (int i = 0; i < 2; i++)
        if (s[i].ids.at)
            axl_buffer_free(&s[i].ids.buffer);
    return status;
}

/* ---- rewards ---- */

axl_status axl__reward_put(axl__draft *out, const int32_t *ids, size_t n, uint32_t role)
{
    out->role = role;
    if (n > 0) {
        AXL_TRY(put_many(out, ids, n, true));
        out->labels[out->n - 1] = ids[n - 1];
    }
    return axl__draft_emit(out, out->n);
}

/* RewardTrainer, _prepare_dataset: a text that is too long is dropped, never cut. */
static axl_status put_rewards(const axl__prompt *p, axl__draft *out, axl__answers *a)
{
    for (uint32_t i = 0; i < 2; i++) {
        axl__str text;
        ids_of ids = { 0 };
        axl__str_init(&text, p->setup.ctx);
        axl__str_put(&text, axl__str_text(&a->prompt), a->prompt.len);
        axl__str_put(&text, axl__str_text(&a->answer[i]), a->answer[i].len);
        axl_status status = put_eos_text(p, &text);
        if (status == AXL_OK)
            status = encode(p, &text, 0, &ids);
        axl__str_free(&text);
        AXL_TRY(status);
        out->too_long = out->too_long || ids.n > p->setup.sequence_len;
        status = axl__reward_put(out, ids.at, ids.n, i ? AXL_ROLE_REJECTED : AXL_ROLE_CHOSEN);
        axl_buffer_free(&ids.buffer);
        AXL_TRY(status);
    }
    return AXL_OK;
}

/* ---- all ---- */

static axl_status put_empty(axl__draft *out, const axl__answers *a, uint32_t role)
{
    for (uint32_t i = 0; i < a->n; i++) {
        out->role = i == 0 ? role : AXL_ROLE_REJECTED;
        AXL_TRY(axl__draft_emit(out, out->n));
    }
    return AXL_OK;
}

axl_status axl__answers_put(const axl__prompt *p, axl__draft *out, axl__answers *a, uint32_t role)
{
    bool fits, whole = a->prompt.len > 0;

    for (uint32_t i = 0; i < a->n; i++)
        whole = whole && !a->lacking[i] && a->answer[i].len > 0;
    if (!whole || p->check_only)
        return put_empty(out, a, role);
    if (p->task == AXL__TASK_REWARD)
        return put_rewards(p, out, a);
    AXL_TRY(apply_length(p, a, &fits));
    out->too_long = !fits;
    if (!fits)
        return put_empty(out, a, role);
    if (p->task == AXL__TASK_ORPO || p->task == AXL__TASK_SIMPO)
        return put_seams(p, out, a);
    return put_texts(p, out, a, role);
}
