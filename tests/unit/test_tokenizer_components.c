/* SPDX-License-Identifier: Apache-2.0 */
/* test_tokenizer_components.c - every component of a tokenizer.json against tokenizers' ids,
 * offsets and texts (tests/golden/make_component_goldens.py), and what is wrong in one. */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"
#include "text/aligned.h"
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

static axl_tokenizer *open_case(const axl__json *c)
{
    const axl__json *parts = axl__json_get(c, "parts");
    axl__str text;
    axl_tokenizer *tok;

    axl__str_init(&text, ctx);
    put_member(&text, "model",
               axl__json_get(axl__json_get(goldens, "models"), axl__json_string(c, "model", "?")));
    for (const axl__json *v = parts->child; v; v = v->next)
        put_member(&text, v->key, v);
    if (!axl__json_get(parts, "added_tokens"))
        put_specials(&text);
    axl__str_putc(&text, '}');
    print_message("%s\n", axl__json_string(c, "name", "?"));
    assert_ok(open_text(&tok, text.data, text.len));
    axl__str_free(&text);
    return tok;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components__are_those_of_tokenizers),
    };

    open_goldens();
    int failed = test_run(tests);
    close_goldens();
    return failed;
}
