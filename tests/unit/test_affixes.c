/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_affixes.c - what is searched for many texts in many: the splits of pieces into pieces, and
 * tokens in a text.  Against the plain way on small random texts of few letters, and on hostile
 * ones whose product of lengths is past what a test could wait for.
 */
#include "testing.h"

#include "text/bpe.h"
#include "text/token_search.h"

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- splits ---- */

enum { N_PIECES = 60, PIECE_ROOM = 12 };

/* Pieces of a, b and U+00E9, whose second byte begins no character. */
static size_t random_piece(char *out, uint32_t *state)
{
    size_t n = 0, chars = 1 + next_random(state) % 5;

    for (size_t i = 0; i < chars; i++) {
        uint32_t c = next_random(state) % 3;
        if (c == 2)
            out[n++] = '\xC3';
        out[n++] = c == 0 ? 'a' : c == 1 ? 'b' : '\xA9';
    }
    out[n] = '\0';
    return n;
}

static void compare_splits(const axl__bpe *b, const unsigned char *joinable)
{
    uint32_t n = 0;

    for (uint32_t id = 0; id < b->n_pieces; id++) {
        axl__piece p = b->pieces[id];
        for (uint32_t k = 1; p.text && joinable[id] && k < p.len; k++) {
            int32_t l = axl__bpe_id(b, p.text, k), r = axl__bpe_id(b, p.text + k, p.len - k);
            uint64_t found;
            if (((unsigned char)p.text[k] & 0xC0) == 0x80 || l < 0 || r < 0 || !joinable[l] ||
                !joinable[r])
                continue;
            assert_true(
                axl__pairs_get(&b->merges, axl__pair_key((uint32_t)l, (uint32_t)r), &found));
            assert_int_equal(found, (uint64_t)n++ << 32 | id);
        }
    }
    assert_int_equal(n, b->n_merges);
}

static void test_affixes__splits_are_those_of_asking_for_each(void **state)
{
    axl_context *ctx = test_context();
    uint32_t random = 7, total = 0;

    (void)state;
    for (int round = 0; round < 50; round++) {
        char texts[N_PIECES][PIECE_ROOM];
        unsigned char joinable[N_PIECES];
        axl__bpe b;
        axl__bpe_init(&b, ctx);
        for (uint32_t i = 0; i < N_PIECES; i++) {
            size_t len = random_piece(texts[i], &random);
            assert_ok(axl__bpe_add(&b, texts[i], len, i));
            joinable[i] = next_random(&random) % 8 != 0;
        }
        assert_ok(axl__bpe_derive_merges(&b, NULL, joinable));
        compare_splits(&b, joinable);
        total += b.n_merges;
        axl__bpe_free(&b);
    }
    assert_true(total > 1000);
    axl_context_free(ctx);
}

static void test_affixes__a_long_piece(void **state)
{
    enum { LONG = 4 << 20 };
    axl_context *ctx = test_context();
    char *text = malloc(LONG + 2);
    axl__bpe b;

    (void)state;
    memset(text, 'a', LONG);
    text[LONG] = 'b';
    text[LONG + 1] = '\0';
    axl__bpe_init(&b, ctx);
    assert_ok(axl__bpe_add(&b, "a", 1, 0));
    assert_ok(axl__bpe_add(&b, text, LONG + 1, 1));
    assert_ok(axl__bpe_add(&b, text + 1, LONG, 2));
    assert_ok(axl__bpe_add(&b, text + LONG - 1, 2, 3));
    assert_ok(axl__bpe_derive_merges(&b, NULL, NULL));
    assert_int_equal(b.n_merges, 1); /* a and the second longest */
    axl__bpe_free(&b);
    free(text);
    axl_context_free(ctx);
}

/* ---- tokens in a text ---- */

typedef struct {
    char text[8];
    size_t len;
} pattern;

/* The longest pattern that the text begins with, -1 for none. */
static int plain_match(const pattern *p, size_t n, const char *text, size_t len)
{
    int found = -1;

    for (size_t i = 0; i < n; i++)
        if (p[i].len <= len && memcmp(p[i].text, text, p[i].len) == 0 &&
            (found < 0 || p[i].len > p[found].len))
            found = (int)i;
    return found;
}

static size_t add_patterns(axl__search *s, axl_context *ctx, pattern *p, uint32_t *random)
{
    size_t n = 0, wanted = 1 + next_random(random) % 6;

    for (size_t i = 0; i < wanted; i++) {
        pattern x = { .len = 1 + next_random(random) % 7 };
        for (size_t k = 0; k < x.len; k++)
            x.text[k] = (char)('a' + next_random(random) % 2);
        int same = plain_match(p, n, x.text, x.len);
        if (same >= 0 && p[same].len == x.len)
            continue;
        assert_ok(axl__search_add(s, ctx, (axl__slice){ x.text, x.len }, (uint32_t)n));
        p[n++] = x;
    }
    assert_ok(axl__search_finish(s, ctx));
    return n;
}

static void test_affixes__every_place_has_its_longest_token(void **state)
{
    enum { TEXT = 9000 }; /* several stretches */
    static char text[TEXT];
    axl_context *ctx = test_context();
    uint32_t random = 3;

    (void)state;
    for (int round = 0; round < 40; round++) {
        axl__search s = { 0 };
        axl__hits hits = { 0 };
        axl__hit hit;
        pattern p[8];
        size_t n = add_patterns(&s, ctx, p, &random);
        for (size_t i = 0; i < TEXT; i++)
            text[i] = (char)('a' + next_random(&random) % 3 % 2);
        axl__search_walk w = { &s, &hits, ctx, text, TEXT, 0 };
        for (size_t i = 0; i < TEXT; i++) {
            int wanted = plain_match(p, n, text + i, TEXT - i);
            if (wanted < 0)
                continue;
            assert_ok(axl__search_next(&w, &hit));
            assert_int_equal(hit.at, i);
            assert_int_equal(hit.entry, wanted);
        }
        assert_int_equal(axl__search_next(&w, &hit), AXL_END);
        axl__free(ctx, hits.items);
        axl__search_free(&s, ctx);
    }
    axl_context_free(ctx);
}

static void test_affixes__a_long_token_in_a_text_that_is_nearly_it(void **state)
{
    enum { TOKEN = 200000, TEXT = 2000000 };
    axl_context *ctx = test_context();
    char *text = malloc(TEXT);
    axl__search s = { 0 };
    axl__hits hits = { 0 };
    axl__hit hit;
    size_t n = 0;

    (void)state;
    memset(text, 'a', TEXT);
    text[TOKEN - 1] = 'b';
    assert_ok(axl__search_add(&s, ctx, (axl__slice){ text, TOKEN }, 0));
    assert_ok(axl__search_add(&s, ctx, (axl__slice){ "a", 1 }, 1));
    assert_ok(axl__search_finish(&s, ctx));
    text[TOKEN - 1] = 'a';
    axl__search_walk w = { &s, &hits, ctx, text, TEXT, 0 };
    while (axl__search_next(&w, &hit) == AXL_OK)
        n += hit.entry == 1;
    assert_int_equal(n, TEXT);
    axl__free(ctx, hits.items);
    axl__search_free(&s, ctx);
    free(text);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_affixes__splits_are_those_of_asking_for_each),
        cmocka_unit_test(test_affixes__a_long_piece),
        cmocka_unit_test(test_affixes__every_place_has_its_longest_token),
        cmocka_unit_test(test_affixes__a_long_token_in_a_text_that_is_nearly_it),
    };

    return test_run(tests);
}
