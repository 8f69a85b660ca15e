/* SPDX-License-Identifier: Apache-2.0 */
/* chat_turns.c - see chat_turns.h. */
#include "chat_turns.h"

#include <stdio.h>
#include <string.h>

/* ---- one turn, by two renderings ---- */

static const char *const words[] = { "[[dummy_message]]", "zzdummymessagezz" };
enum { N_WORDS = sizeof words / sizeof words[0] };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_inner(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* What of text differs from other, from the front and then from the back, in whole characters.  The
 * back is not compared past where the front ended, so that the two cannot overlap in a template
 * that repeats itself. */
static axl__text_span differing(const axl__str *text, const axl__str *other)
{
    const char *a = axl__str_text(text), *b = axl__str_text(other);
    size_t limit = smaller(text->len, other->len), begin = 0, tail = 0;

    while (begin < limit && a[begin] == b[begin])
        begin++;
    while (begin > 0 && begin < text->len && is_inner(a[begin]))
        begin--;
    while (tail < limit - begin && a[text->len - 1 - tail] == b[other->len - 1 - tail])
        tail++;
    while (tail > 0 && is_inner(a[text->len - tail]))
        tail--;
    return (axl__text_span){ begin, text->len - tail };
}

/* The turn with a word in the place of what is sought. */
static axl_status make_dummy(const axl__chat_text *t, const axl__chat_turn *turn,
                             axl__turn_part part, const char *word, axl__json *out)
{
    axl__json word_node = axl__json_text(word, strlen(word));
    axl__json role = axl__json_text(turn->role, strlen(turn->role)), empty = axl__json_text("", 0);
    const axl__json *content = axl__json_get(&turn->node, "content");
    const axl__json *thinking = axl__json_get(&turn->node, t->thinking);
    bool thoughts = part == AXL__TURN_THINKING;
    axl__json_maker m;

    axl__json_make(&m, t->arena, out, AXL__JSON_OBJECT);
    out->next = turn->node.next;
    bool made = axl__json_add(&m, "role", &role) && axl__json_add(&m, "content",
                                                                  !thoughts ? &word_node
                                                                  : content ? content
                                                                            : &empty);
    if (made && thinking && part != AXL__TURN_WHOLE)
        made = axl__json_put(&m, t->thinking, thoughts ? &word_node : thinking) != NULL;
    return made ? AXL_OK : axl__fail_nomem();
}

static axl_status render_other(axl__chat_text *t)
{
    const axl__conversation *c = t->conversation;

    axl__str_clear(&t->other);
    return axl__chat_render(t->chat, &c->messages, c->tools, false, &t->other);
}

static axl_status render_dummy(axl__chat_text *t, axl__chat_turn *turn, axl__turn_part part,
                               const char *word)
{
    axl__json kept = turn->node, dummy;

    AXL_TRY(make_dummy(t, turn, part, word, &dummy));
    turn->node = dummy;
    axl_status status = render_other(t);
    turn->node = kept;
    return status;
}

static axl_status find_by_words(axl__chat_text *t, axl__chat_turn *turn, axl__turn_part part,
                                axl__text_span *out)
{
    axl__text_span wide = { t->text.len, 0 };

    for (size_t i = 0; i < N_WORDS; i++) {
        AXL_TRY(render_dummy(t, turn, part, words[i]));
        if (t->other.len == 0) {
            *out = (axl__text_span){ 0, 0 };
            return AXL_OK;
        }
        axl__text_span span = differing(&t->text, &t->other);
        wide.begin = smaller(wide.begin, span.begin);
        wide.end = span.end > wide.end ? span.end : wide.end;
    }
    *out = wide.end > wide.begin ? wide : (axl__text_span){ 0, 0 };
    return AXL_OK;
}

axl_status axl__chat_find_turn(axl__chat_text *t, size_t turn, axl__turn_part part,
                               axl__text_span *out)
{
    axl__chat_turn *at = &t->conversation->turns[turn];

    if (t->found && t->found[turn] && part == AXL__TURN_WHOLE) {
        *out = t->plain[turn];
        return AXL_OK;
    }
    return find_by_words(t, at, part, out);
}

/* ---- all plain turns, by one rendering ---- */

/*
 * Every plain turn's text gets a word of its own, "[[dummy_message_17]]".  The rendering with the
 * words must then be the real one but for the texts: the pieces between the words are walked along
 * the real text.  White space around a text may be the template's to strip, so that in a gap it is
 * kept or not on either side; where both answers fit, the turns at that gap are left to the two
 * renderings.
 */
#define WORD_BEGIN "[[dummy_message_"
#define WORD_END "]]"

/* A turn's text, and what stands around its core. */
typedef struct {
    const char *core;
    size_t len, before, after; /* bytes of the core, and of white space around it */
} plain_text;

/* Of such a text the two renderings may differ in more than the text. */
static bool is_like_word(const char *text, size_t len)
{
    for (size_t i = 0; i < N_WORDS; i++)
        if (memcmp(text, words[i], smaller(len, strlen(words[i]))) == 0)
            return true;
    return false;
}

/* False where the turn is not plain. */
static bool plain_of(const axl__chat_turn *turn, plain_text *out)
{
    const axl__json *content = axl__json_get(&turn->node, "content");

    if (turn->node.count != 2 || !content || content->type != AXL__JSON_STRING)
        return false;
    out->core = content->text;
    out->len = content->len;
    axl__chat_strip(&out->core, &out->len, true);
    out->before = (size_t)(out->core - content->text);
    out->after = content->len - out->before - out->len;
    return out->len > 0 && !is_like_word(out->core, out->len);
}

static axl_status put_words(axl__chat_text *t)
{
    axl__conversation *c = t->conversation;
    plain_text unused;

    for (size_t i = 0; i < c->n; i++) {
        char word[sizeof WORD_BEGIN + sizeof WORD_END + 24];
        if (!plain_of(&c->turns[i], &unused))
            continue;
        int len = snprintf(word, sizeof word, "%s%zu%s", WORD_BEGIN, i, WORD_END);
        char *kept = axl__arena_strndup(t->arena, word, (size_t)len);
        axl__json value = axl__json_text(kept, (size_t)len);
        axl__json_maker m;
        axl__json *node = &c->turns[i].node, *next = node->next;
        axl__json role = axl__json_text(c->turns[i].role, strlen(c->turns[i].role));
        axl__json_make(&m, t->arena, node, AXL__JSON_OBJECT);
        node->next = next;
        if (!kept || !axl__json_add(&m, "role", &role) || !axl__json_add(&m, "content", &value))
            return axl__fail_nomem();
    }
    return AXL_OK;
}

/* With the words in place of the texts, which are put back. */
static axl_status render_words(axl__chat_text *t)
{
    axl__conversation *c = t->conversation;
    axl__json *kept = axl__arena_alloc(t->arena, c->n * sizeof *kept);

    if (!kept)
        return axl__fail_nomem();
    for (size_t i = 0; i < c->n; i++)
        kept[i] = c->turns[i].node;
    axl_status status = put_words(t);
    if (status == AXL_OK)
        status = render_other(t);
    for (size_t i = 0; i < c->n; i++)
        c->turns[i].node = kept[i];
    return status;
}

/* The way along the real text. */
typedef struct {
    const char *real;
    size_t n_real, at;
    const char *words; /* the rendering with the words */
    size_t n_words, words_at;
    size_t last;     /* the turn whose core was passed last; SIZE_MAX: none */
    plain_text text; /* of that turn */
} text_walk;

/* The next word at or behind words_at: its place, its turn, and where the word ends.  False: there
 * is none; *broken where the letters of one are no number. */
static bool next_word(const text_walk *w, size_t *place, size_t *turn, size_t *behind, bool *broken)
{
    const size_t n = strlen(WORD_BEGIN);

    *broken = false;
    for (size_t i = w->words_at; i + n <= w->n_words; i++) {
        if (w->words[i] != '[' || memcmp(w->words + i, WORD_BEGIN, n) != 0)
            continue;
        size_t p = i + n, value = 0;
        while (p < w->n_words && w->words[p] >= '0' && w->words[p] <= '9' && value < 1u << 30)
            value = value * 10 + (size_t)(w->words[p++] - '0');
        *broken = p == i + n || p + 2 > w->n_words || memcmp(w->words + p, WORD_END, 2) != 0;
        *place = i;
        *turn = value;
        *behind = p + 2;
        return true;
    }
    return false;
}

static bool takes(const text_walk *w, size_t *at, const char *text, size_t len)
{
    if (w->n_real - *at < len || memcmp(w->real + *at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

/* What may follow the core that was passed last: white space kept or stripped, the piece between
 * the words, white space of the next text kept or stripped, and its core (none at the end). */
typedef struct {
    size_t kept_after, kept_before, at; /* at: behind the next core */
} gap;

static size_t match_gap(const text_walk *w, const char *piece, size_t n_piece,
                        const plain_text *next, gap out[4])
{
    size_t n = 0, after = w->last == SIZE_MAX ? 0 : w->text.after, before = next ? next->before : 0;

    for (int keep_after = after > 0; keep_after >= 0; keep_after--)
        for (int keep_before = before > 0; keep_before >= 0; keep_before--) {
            size_t at = w->at;
            bool fits = (!keep_after || takes(w, &at, w->text.core + w->text.len, after)) &&
                        takes(w, &at, piece, n_piece) &&
                        (!keep_before || takes(w, &at, next->core - before, before)) &&
                        (next ? takes(w, &at, next->core, next->len) : at == w->n_real);
            if (fits)
                out[n++] = (gap){ keep_after ? after : 0, keep_before ? before : 0, at };
        }
    return n;
}

/* Passes a piece and the core behind it (turn SIZE_MAX: the end).  False: the texts do not go
 * along.  Where several answers fit, all must end at one place, and the turns at the gap are not
 * found. */
static bool pass_gap(axl__chat_text *t, text_walk *w, size_t place, size_t turn)
{
    plain_text next;
    gap gaps[4];
    bool last = turn == SIZE_MAX;

    if (!last && !plain_of(&t->conversation->turns[turn], &next))
        return false;
    size_t n = match_gap(w, w->words + w->words_at, place - w->words_at, last ? NULL : &next, gaps);
    for (size_t i = 1; i < n; i++)
        if (gaps[i].at != gaps[0].at)
            return false;
    if (n == 0)
        return false;
    if (w->last != SIZE_MAX) {
        t->plain[w->last].end += gaps[0].kept_after;
        t->found[w->last] = t->found[w->last] && n == 1;
    }
    if (!last) {
        size_t end = gaps[0].at;
        t->plain[turn] = (axl__text_span){ end - next.len - gaps[0].kept_before, end };
        t->found[turn] = n == 1;
        w->text = next;
    }
    w->at = gaps[0].at;
    w->last = turn;
    return true;
}

/* A turn whose word is not there has no text in the conversation; words out of order, or twice, end
 * the walk. */
static bool walk_words(axl__chat_text *t, text_walk *w)
{
    size_t place, turn, behind, next = 0;
    bool broken;

    while (next_word(w, &place, &turn, &behind, &broken)) {
        if (broken || turn < next || turn >= t->conversation->n || !pass_gap(t, w, place, turn))
            return false;
        for (; next < turn; next++)
            t->found[next] = plain_of(&t->conversation->turns[next], &(plain_text){ 0 });
        next = turn + 1;
        w->words_at = behind;
    }
    for (; next < t->conversation->n; next++)
        t->found[next] = plain_of(&t->conversation->turns[next], &(plain_text){ 0 });
    return pass_gap(t, w, w->n_words, SIZE_MAX);
}

axl_status axl__chat_find_plain(axl__chat_text *t)
{
    size_t n = t->conversation->n;

    t->plain = axl__arena_alloc(t->arena, n * sizeof *t->plain);
    t->found = axl__arena_alloc(t->arena, n * sizeof *t->found);
    if (!t->plain || !t->found)
        return axl__fail_nomem();
    axl_status status = render_words(t);
    if (status == AXL_ERR_FORMAT) { /* the template looks into the texts */
        t->found = NULL;
        return AXL_OK;
    }
    AXL_TRY(status);
    text_walk w = { .real = axl__str_text(&t->text),
                    .n_real = t->text.len,
                    .words = axl__str_text(&t->other),
                    .n_words = t->other.len,
                    .last = SIZE_MAX };
    if (!walk_words(t, &w))
        t->found = NULL;
    return AXL_OK;
}

/* ---- life ---- */

axl_status axl__chat_text_init(axl__chat_text *t, const axl__chat *chat, axl__arena *arena,
                               axl__conversation *conversation, const char *thinking)
{
    *t = (axl__chat_text){
        .chat = chat, .conversation = conversation, .thinking = thinking, .arena = arena
    };
    axl__str_init(&t->text, chat->ctx);
    axl__str_init(&t->other, chat->ctx);
    return axl__chat_render(chat, &conversation->messages, conversation->tools, false, &t->text);
}

void axl__chat_text_free(axl__chat_text *t)
{
    axl__str_free(&t->text);
    axl__str_free(&t->other);
}
