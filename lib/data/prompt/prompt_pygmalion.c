/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_pygmalion.c - turns of a system, a human and a bot, each encoded and cut by itself.  What
 * the bot says is trained, without its mark before it; train_on_inputs plays no part.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <string.h>

typedef struct {
    const char *role, *before;
    axl__piece piece;
} turn_kind;

static const turn_kind kinds[] = {
    { "system", "<|system|>Persona: ", { .masked = true } },
    { "human", "<|user|> ", { .masked = true, .inside = true } },
    { "bot", "<|model|> ", { .inside = true, .n_eos = 1 } },
};
static const turn_kind *const bot = &kinds[2];

/* How many tokens of a bot's turn are its mark. */
typedef struct {
    uint32_t n_mark;
} pygmalion;

static axl_status count_mark(const axl__prompt *p, uint32_t *n)
{
    static const char mark[] = "<|model|>";
    const axl__piece piece = { .inside = true, .max = p->setup.sequence_len };
    axl__draft draft = { .ctx = p->setup.ctx };
    axl_status status = AXL_OK;

    if (p->setup.tok)
        status = axl__prompt_put(p, &draft, mark, sizeof mark - 1, &piece);
    *n = draft.n;
    axl__draft_free(&draft);
    return status;
}

static axl_status pygmalion_open(axl__prompt *p)
{
    uint32_t n;

    AXL_TRY(count_mark(p, &n));
    pygmalion *made = axl__alloc(p->setup.ctx, sizeof *made);
    if (!made)
        return axl__fail_nomem();
    made->n_mark = n;
    p->form = made;
    return AXL_OK;
}

static void pygmalion_close(axl__prompt *p)
{
    axl__free(p->setup.ctx, (void *)(uintptr_t)p->form);
}

static axl_status find_kind(const axl__json *turn, const turn_kind **out)
{
    const char *role;
    size_t len;

    AXL_TRY(axl__prompt_text(turn, "role", &role, &len));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        *out = &kinds[i];
        if (axl__prompt_is(role, len, kinds[i].role))
            return AXL_OK;
    }
    return axl__prompt_unknown_role("role", role, len, "system, human, bot");
}

static axl_status put_turn(const axl__prompt *p, const axl__json *turn, axl__str *text,
                           axl__draft *out)
{
    static const char start[] = "\n<START>";
    const pygmalion *form = p->form;
    const turn_kind *kind;
    const char *value;
    size_t len, n_start = sizeof start - 1;
    uint32_t from = out->n;

    AXL_TRY(find_kind(turn, &kind));
    AXL_TRY(axl__prompt_text(turn, "value", &value, &len));
    if (kind == kinds && len >= n_start && memcmp(value + len - n_start, start, n_start) == 0)
        len -= n_start;
    axl__prompt_strip(&value, &len);
    axl__str_clear(text);
    axl__str_puts(text, kind->before);
    axl__str_put(text, value, len);
    AXL_TRY(axl__str_status(text));
    axl__piece piece = kind->piece;
    piece.max = p->setup.sequence_len;
    AXL_TRY(axl__prompt_put(p, out, text->data, text->len, &piece));
    if (kind == bot)
        axl__draft_mask(out, from, form->n_mark);
    return AXL_OK;
}

static axl_status pygmalion_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const axl__json *turn;
    axl__str text;

    AXL_TRY(axl__prompt_list(record, p->columns[0], &turn));
    axl__str_init(&text, p->setup.ctx);
    axl_status status = AXL_OK;
    for (; turn && status == AXL_OK; turn = turn->next)
        status = put_turn(p, turn, &text, out);
    axl__str_free(&text);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

const axl__prompt_method axl__prompt_pygmalion = {
    .name = "pygmalion",
    .open = pygmalion_open,
    .close = pygmalion_close,
    .make = pygmalion_make,
};
