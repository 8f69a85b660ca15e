/* SPDX-License-Identifier: Apache-2.0 */
/* test_tokenizer_components.c - every component of a tokenizer.json against tokenizers' ids,
 * offsets and texts (tests/golden/make_component_goldens.py), and what is wrong in one. */
#include "testing.h"

#include "counted_memory.h"

#include "base/json.h"
#include "base/os.h"
#include "base/rng.h"
#include "text/aligned.h"
#include "text/base64.h"
#include "text/regex.h"
#include "text/tokenizer.h"

static axl_context *ctx;
static axl__arena arena;
static axl__file file;
static axl__json *goldens;
static int failures;

static void open_goldens(void)
{
    const char *path = test_source_path("tests/golden/tokenizer/component_goldens.json");

    ctx = test_context();
    axl__arena_init(&arena, ctx);
    assert_ok(axl__file_open(&file, ctx, path, false));
    assert_ok(axl__json_parse(&goldens, &arena, (const char *)file.data, file.size, path));
}

static void close_goldens(void)
{
    axl__arena_free(&arena);
    axl__file_close(&file);
    axl_context_free(ctx);
}

/* The i-th of a list that is asked from its beginning to its end. */
static const axl__json *item(const axl__json *list, int64_t i)
{
    const axl__json *v = list->child;

    while (i-- > 0)
        v = v->next;
    return v;
}

static void put_member(axl__str *out, const char *key, const axl__json *value)
{
    axl__str_putc(out, out->len == 0 ? '{' : ',');
    axl__str_put_json(out, key, strlen(key));
    axl__str_putc(out, ':');
    axl__json_write(out, value, 0);
}

static void put_specials(axl__str *out)
{
    int64_t id = 0;

    axl__str_puts(out, ",\"added_tokens\":[");
    for (const axl__json *v = axl__json_get(goldens, "specials")->child; v; v = v->next, id++) {
        axl__str_puts(out, id > 0 ? ",{\"content\":" : "{\"content\":");
        axl__str_put_json(out, v->text, v->len);
        axl__str_putf(out, ",\"id\":%d,\"special\":true,\"normalized\":false}", (int)id);
    }
    axl__str_puts(out, "]");
}

static axl_status open_text(axl_tokenizer **out, const char *text, size_t len)
{
    axl_file files[] = { AXL_FILE_INIT };

    files[0].name = "tokenizer.json";
    files[0].data = text;
    files[0].length = len;
    return axl_tokenizer_open_files(out, ctx, files, 1, NULL);
}

/* The file of a case. */
static void put_case(axl__str *text_, const axl__json *c)
{
    const axl__json *parts = axl__json_get(c, "parts");
    axl__str text = *text_; /* as put_member() writes it */

    put_member(&text, "model",
               axl__json_get(axl__json_get(goldens, "models"), axl__json_string(c, "model", "?")));
    for (const axl__json *v = parts->child; v; v = v->next)
        put_member(&text, v->key, v);
    if (!axl__json_get(parts, "added_tokens"))
        put_specials(&text);
    axl__str_putc(&text, '}');
    *text_ = text;
}

static axl_tokenizer *open_case(const axl__json *c)
{
    axl__str text;
    axl_tokenizer *tok;

    axl__str_init(&text, ctx);
    put_case(&text, c);
    assert_ok(open_text(&tok, text.data, text.len));
    axl__str_free(&text);
    return tok;
}

static const axl__json *find_case(const char *name)
{
    const axl__json *c = axl__json_get(goldens, "cases")->child;

    while (c && strcmp(axl__json_string(c, "name", ""), name) != 0)
        c = c->next;
    assert_non_null(c);
    return c;
}

static void report(const axl__json *c, const char *what, const axl__json *text,
                   const axl__json *want, const axl__str *got)
{
    axl__str shown, wanted;

    if (failures++ > 40)
        return;
    axl__str_init(&shown, ctx);
    axl__str_init(&wanted, ctx);
    axl__json_write(&shown, text, 0);
    axl__json_write(&wanted, want, 0);
    print_error("%s: %s of %.200s: got %.300s want %.300s\n", axl__json_string(c, "name", "?"),
                what, axl__str_text(&shown), axl__str_text(got), axl__str_text(&wanted));
    axl__str_free(&shown);
    axl__str_free(&wanted);
}

/* A list of numbers as they are written in the goldens. */
static bool same_numbers(const axl__str *got, const axl__json *want)
{
    axl__str text;

    axl__str_init(&text, ctx);
    axl__json_write(&text, want, 0);
    bool same =
        text.len == got->len && memcmp(axl__str_text(&text), axl__str_text(got), text.len) == 0;
    axl__str_free(&text);
    return same;
}

static void put_number(axl__str *out, int64_t n)
{
    axl__str_putf(out, "%s%lld", out->len > 1 ? ", " : "", (long long)n);
}

static void check_offsets(const axl__json *c, const axl__json *text, const axl_buffer *places,
                          const axl__json *want)
{
    const axl__span *span = places->data;
    int64_t last = 0;
    axl__str got;

    axl__str_init(&got, ctx);
    axl__str_putc(&got, '[');
    for (size_t i = 0; i < places->length / sizeof *span; i++) {
        put_number(&got, span[i].begin - last);
        put_number(&got, (int64_t)span[i].end - span[i].begin);
        last = span[i].end;
    }
    axl__str_putc(&got, ']');
    if (!same_numbers(&got, want))
        report(c, "offsets", text, want, &got);
    axl__str_free(&got);
}

static void check_decoded(const axl__json *c, const axl_tokenizer *tok, const axl_buffer *ids,
                          const axl__json *want, uint32_t flags)
{
    axl__decode_stream s;
    const int32_t *id = ids->data;
    axl__str got;

    axl__str_init(&got, ctx);
    assert_ok(axl__tokenizer_decode(tok, id, ids->length / 4, flags, &got));
    if (got.len != want->len || memcmp(axl__str_text(&got), want->text, want->len) != 0)
        report(c, flags ? "text without specials" : "text", want, want, &got);
    axl__str_clear(&got);
    assert_ok(axl__decode_stream_init(&s, tok, flags, NULL, 0));
    for (size_t i = 0; i < ids->length / 4; i++)
        assert_ok(axl__decode_stream_put(&s, id[i], &got));
    assert_ok(axl__decode_stream_end(&s, &got));
    axl__decode_stream_free(&s);
    if (got.len != want->len || memcmp(axl__str_text(&got), want->text, want->len) != 0)
        report(c, "stream", want, want, &got);
    axl__str_free(&got);
}

static void check_text(const axl__json *c, const axl_tokenizer *tok, const axl__json *text,
                       uint32_t flags, const axl__json *want)
{
    axl_buffer ids = AXL_BUFFER_INIT, again = AXL_BUFFER_INIT, places = AXL_BUFFER_INIT;
    axl__str got;

    assert_ok(axl_tokenizer_encode(tok, text->text, text->len, flags, &ids));
    assert_ok(
        axl_tokenizer_encode_with_offsets(tok, text->text, text->len, flags, &again, &places));
    axl__str_init(&got, ctx);
    axl__str_putc(&got, '[');
    for (size_t i = 0; i < ids.length / 4; i++)
        put_number(&got, ((const int32_t *)ids.data)[i]);
    axl__str_putc(&got, ']');
    if (!same_numbers(&got, item(want, 0)))
        report(c, "ids", text, item(want, 0), &got);
    else if (again.length != ids.length ||
             (ids.length > 0 && memcmp(again.data, ids.data, ids.length) != 0))
        report(c, "ids with offsets", text, item(want, 0), &got);
    else
        check_offsets(c, text, &places, item(want, 1));
    axl__str_free(&got);
    if (ids.length == item(want, 0)->count * sizeof(int32_t)) {
        check_decoded(c, tok, &ids, item(want, 2), 0);
        check_decoded(c, tok, &ids, item(want, 3), AXL_DECODE_SKIP_SPECIAL);
    }
    axl_buffer_free(&ids);
    axl_buffer_free(&again);
    axl_buffer_free(&places);
}

static void test_components__are_those_of_tokenizers(void **state)
{
    const axl__json *texts = axl__json_get(goldens, "texts");
    const axl__json *list = axl__json_get(goldens, "pool");
    const axl__json **pool = calloc(list->count, sizeof *pool),
                    **text = calloc(texts->count, sizeof *text);
    size_t n = 0;

    (void)state;
    for (const axl__json *v = list->child; v; v = v->next)
        pool[n++] = v;
    n = 0;
    for (const axl__json *v = texts->child; v; v = v->next)
        text[n++] = v;
    for (const axl__json *c = axl__json_get(goldens, "cases")->child; c; c = c->next) {
        axl_tokenizer *tok = open_case(c);
        const axl__json *which = axl__json_get(c, "texts")->child;
        for (const axl__json *r = axl__json_get(c, "results")->child; r;
             r = r->next, which = which->next)
            if (r->integer >= 0)
                check_text(c, tok, text[which->integer],
                           which->integer % 3 > 0 ? 0 : AXL_TOKENIZE_NO_SPECIAL, pool[r->integer]);
        axl_tokenizer_free(tok);
    }
    free(pool);
    free(text);
    assert_int_equal(failures, 0);
}

static void check_bare(const axl__json *c, const axl_tokenizer *tok, const axl__json *text,
                       const axl__json *want)
{
    axl_buffer ids = AXL_BUFFER_INIT, places = AXL_BUFFER_INIT;
    axl__str got;

    assert_ok(axl_tokenizer_encode_with_offsets(tok, text->text, text->len, AXL_TOKENIZE_NO_SPECIAL,
                                                &ids, &places));
    axl__str_init(&got, ctx);
    axl__str_putc(&got, '[');
    for (size_t i = 0; i < ids.length / 4; i++)
        put_number(&got, ((const int32_t *)ids.data)[i]);
    axl__str_putc(&got, ']');
    if (!same_numbers(&got, item(want, 0)))
        report(c, "ids", text, item(want, 0), &got);
    else if (item(want, 1)->type != AXL__JSON_NULL)
        check_offsets(c, text, &places, item(want, 1));
    axl__str_free(&got);
    axl_buffer_free(&ids);
    axl_buffer_free(&places);
}

static void test_components__bare_models_are_those_of_sentencepiece(void **state)
{
    (void)state;
    failures = 0;
    for (const axl__json *c = axl__json_get(goldens, "spm")->child; c; c = c->next) {
        const axl__json *model = axl__json_get(c, "model");
        const axl__json *text = axl__json_get(goldens, "texts")->child;
        axl_file f = AXL_FILE_INIT;
        axl__str bytes;
        axl_tokenizer *tok;
        axl__str_init(&bytes, ctx);
        assert_true(axl__base64_decode(&bytes, model->text, model->len));
        f.name = "some.model";
        f.data = bytes.data;
        f.length = bytes.len;
        assert_ok(axl_tokenizer_open_files(&tok, ctx, &f, 1, NULL));
        for (const axl__json *r = axl__json_get(c, "results")->child; r; r = r->next) {
            check_bare(c, tok, text, r);
            text = text->next;
        }
        axl_tokenizer_free(tok);
        axl__str_free(&bytes);
    }
    assert_int_equal(failures, 0);
}

/* ---- what may go wrong ---- */

/* Bytes that are no text, marks in a row, long words: the same ids both ways, and offsets within.
 */
static void test_components__random_bytes(void **state)
{
    static const char *const words[] = {
        "the", "e\u0301", " ", "\u4e2d", "\u0323", "\r\n", "[SEP]"
    };
    axl_buffer ids = AXL_BUFFER_INIT, again = AXL_BUFFER_INIT, places = AXL_BUFFER_INIT;

    (void)state;
    for (const axl__json *c = axl__json_get(goldens, "cases")->child; c; c = c->next) {
        axl_tokenizer *tok = open_case(c);
        for (uint64_t round = 0; round < 20; round++) {
            char raw[400];
            size_t n = 0;
            for (uint64_t i = 0; n < 300; i++) {
                uint64_t r = axl__random_u64(7, round, i);
                const char *word = r & 1 ? (char[]){ (char)(r >> 8), '\0' } : words[(r >> 8) % 7];
                size_t len = r & 1 ? 1 : strlen(word);
                memcpy(raw + n, word, len);
                n += len;
            }
            assert_ok(axl_tokenizer_encode(tok, raw, n, 0, &ids));
            assert_ok(axl_tokenizer_encode_with_offsets(tok, raw, n, 0, &again, &places));
            assert_int_equal(ids.length, again.length);
            assert_memory_equal(ids.data, again.data, ids.length);
            const axl__span *span = places.data;
            for (size_t i = 0; i < places.length / sizeof *span; i++)
                assert_true(span[i].begin <= span[i].end && span[i].end <= n);
        }
        axl_tokenizer_free(tok);
    }
    axl_buffer_free(&ids);
    axl_buffer_free(&again);
    axl_buffer_free(&places);
}

static axl_tokenizer *with_pattern(const char *pattern)
{
    static const char file_text[] =
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}, \"pre_tokenizer\": {\"type\": "
        "\"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"%s\"}}}";
    axl_tokenizer *tok;
    char *text = axl__format(ctx, file_text, pattern);

    assert_ok(open_text(&tok, text, strlen(text)));
    axl__free(ctx, text);
    return tok;
}

static void test_components__a_pattern_that_takes_for_ever(void **state)
{
    axl_tokenizer *tok = with_pattern("(a+)+[bc]");
    axl_buffer ids = AXL_BUFFER_INIT;
    char text[100];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_fails(axl_tokenizer_encode(tok, text, sizeof text, 0, &ids), AXL_ERR_FORMAT,
                 "a regular expression of the tokenizer takes too long on this text");
    axl_tokenizer_free(tok);
}

/* What Oniguruma runs and PCRE2 does otherwise, or what neither does. */
static void test_components__patterns_that_are_refused(void **state)
{
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        { "(?P<a>x)", "a group (?P, which is Python's, at byte 2 is not supported" },
        { "(?~ab)", "an absent group (?~ at byte 2" },
        { "(a)(?(1)b)", "a conditional group (?( at byte 5" },
        { "(?x) a", "the option x at byte 2" },
        { "(?<a>x)|(?<a>y)\\k<a>", "a second group of one name" },
        { "(?<a>x)\\1", "a reference by number beside groups that have names" },
        { "\\k<a>(?<a>b)", "a reference to no group before it" },
        { "(a\\1)", "a reference to the group that it is in" },
        { "(a)\\2", "a reference to a group that is not there" },
        { "(a)\\10", "an escape of an octal number" },
        { "(a)\\k<-2>", "a reference to no group before it" },
        { "(?<a>b)\\g<a>", "a call of a group, \\g, at byte 8" },
        { "(?<1>b)", "the name of a group begins with a digit" },
        { "(?<a", "the name of a group has no end" },
        { "(?#a", "a comment has no end" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *p = cases[i].pattern, *why = cases[i].why;
        axl__regex *regex;
        axl_status status = axl__regex_new(&regex, ctx, p, strlen(p));
        assert_true(status == AXL_ERR_UNSUPPORTED || status == AXL_ERR_FORMAT);
        assert_null(regex);
        if (!strstr(axl_last_error(), why))
            fail_msg("%s: %s", p, axl_last_error());
    }
}

/* Where a match needs more than the machine code's stack. */
static void test_components__a_megabyte_of_one_match(void **state)
{
    axl_tokenizer *tok = with_pattern("(?:a|b(?=c))+");
    axl_buffer ids = AXL_BUFFER_INIT;
    size_t n = (size_t)1 << 18;
    char *text = malloc(n);

    (void)state;
    memset(text, 'a', n);
    assert_ok(axl_tokenizer_encode(tok, text, n, 0, &ids));
    assert_int_equal(ids.length, n * sizeof(int32_t));
    axl_buffer_free(&ids);
    axl_tokenizer_free(tok);
    free(text);
}

static void test_components__no_token_for_what_is_unknown(void **state)
{
    static const char level[] = "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}, "
                                "\"unk_token\": \"u\"}}";
    static const char unigram[] = "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]]}}";
    axl_buffer ids = AXL_BUFFER_INIT;
    axl_tokenizer *tok;

    (void)state;
    assert_ok(open_text(&tok, level, sizeof level - 1));
    assert_ok(axl_tokenizer_encode(tok, "a", 1, 0, &ids));
    assert_fails(axl_tokenizer_encode(tok, "b", 1, 0, &ids), AXL_ERR_FORMAT,
                 "has no token for what");
    axl_tokenizer_free(tok);
    assert_ok(open_text(&tok, unigram, sizeof unigram - 1));
    assert_ok(axl_tokenizer_encode(tok, "aa", 2, 0, &ids));
    assert_fails(axl_tokenizer_encode(tok, "ab", 2, 0, &ids), AXL_ERR_FORMAT,
                 "has no token for what");
    axl_tokenizer_free(tok);
    axl_buffer_free(&ids);
}

/* Opening and encoding, in a context of its own. */
static axl_status use_case(axl_context *own, const axl__str *text)
{
    static const char words[] = "The \uff21\u4e2d e\u0301\xFF isn't [SEP] 12";
    axl_buffer ids = AXL_BUFFER_INIT, places = AXL_BUFFER_INIT, back = AXL_BUFFER_INIT;
    axl_file f = AXL_FILE_INIT;
    axl_tokenizer *tok;

    f.name = "tokenizer.json";
    f.data = text->data;
    f.length = text->len;
    axl_status status = axl_tokenizer_open_files(&tok, own, &f, 1, NULL);
    if (status == AXL_OK)
        status = axl_tokenizer_encode(tok, words, sizeof words - 1, 0, &ids);
    if (status == AXL_OK)
        status = axl_tokenizer_encode_with_offsets(tok, words, sizeof words - 1, 0, &ids, &places);
    if (status == AXL_OK)
        status = axl_tokenizer_decode(tok, ids.data, ids.length / 4, 0, &back);
    axl_buffer_free(&ids);
    axl_buffer_free(&places);
    axl_buffer_free(&back);
    axl_tokenizer_free(tok);
    return status;
}

/* Every one of the last 200 allocations fails once; of those before, which are alike, some do. */
static void out_of_memory_in(const char *name)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *own;
    axl_status status = AXL_ERR_NOMEM;
    axl__str text;

    axl__str_init(&text, ctx);
    put_case(&text, find_case(name));
    o.alloc = counted_alloc;
    o.realloc = counted_realloc;
    o.free = counted_free;
    o.threads = 1;
    left = 1000000;
    assert_ok(axl_context_new(&own, &o));
    left = 1000000;
    assert_ok(use_case(own, &text));
    long all = 1000000 - left, step = all > 400 ? all / 200 : 1;
    for (long n = 0; status == AXL_ERR_NOMEM; n += n < all - 200 ? step : 1) {
        long before = blocks;
        left = n;
        status = use_case(own, &text);
        assert_int_equal(blocks, before);
    }
    assert_ok(status);
    left = 1000000;
    axl_context_free(own);
    assert_int_equal(blocks, 0);
    axl__str_free(&text);
}

static void test_components__run_out_of_memory(void **state)
{
    static const char *const names[] = { "t5", "bert", "r-3", "n-replace", "m-affixed", "added" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        out_of_memory_in(names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components__are_those_of_tokenizers),
        cmocka_unit_test(test_components__bare_models_are_those_of_sentencepiece),
        cmocka_unit_test(test_components__random_bytes),
        cmocka_unit_test(test_components__a_pattern_that_takes_for_ever),
        cmocka_unit_test(test_components__patterns_that_are_refused),
        cmocka_unit_test(test_components__a_megabyte_of_one_match),
        cmocka_unit_test(test_components__no_token_for_what_is_unknown),
        cmocka_unit_test(test_components__run_out_of_memory),
    };

    open_goldens();
    int failed = test_run(tests);
    close_goldens();
    return failed;
}
