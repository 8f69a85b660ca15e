/* SPDX-License-Identifier: Apache-2.0 */
/* test_ranks.c - rank files and tekken.json against tiktoken, mistral-common and transformers
 * (tests/golden/make_rank_goldens.py says what the file holds). */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"
#include "text/tokenizer.h"

static axl_context *ctx;
static axl__arena arena;
static axl__file file;
static axl__json *goldens;

/* ---- files from the goldens ---- */

static axl__str rank_file(void)
{
    axl__str out;
    int rank = 0;

    axl__str_init(&out, ctx);
    for (const axl__json *v = axl__json_get(goldens, "tokens")->child; v; v = v->next)
        axl__str_putf(&out, "%s %d\n", v->text, rank++);
    return out;
}

/* The case's file with the vocabulary behind its first brace, and tokens that none other has. */
static axl__str tekken_file(const axl__json *c)
{
    static const char *const more[] = { "//5B", "//5C", "//5D", "//5E", "//5F" };
    axl__str out, rest;
    int64_t rank = 0, n_more = axl__json_int(c, "vocab_more", 0);

    axl__str_init(&out, ctx);
    axl__str_init(&rest, ctx);
    axl__json_write(&rest, axl__json_get(c, "file"), 0);
    axl__str_puts(&out, "{\"vocab\": [");
    for (const axl__json *v = axl__json_get(goldens, "tokens")->child; v; v = v->next, rank++)
        axl__str_putf(&out, "%s{\"rank\": %d, \"token_bytes\": \"%s\", \"token_str\": null}",
                      rank ? ", " : "", (int)rank, v->text);
    for (int64_t i = 0; i < n_more; i++, rank++)
        axl__str_putf(&out, ", {\"rank\": %d, \"token_bytes\": \"%s\"}", (int)rank, more[i]);
    axl__str_puts(&out, "], ");
    axl__str_puts(&out, rest.data + 1);
    axl__str_free(&rest);
    assert_ok(axl__str_status(&out));
    return out;
}

static axl_status open_one(axl_tokenizer **out, const char *name, const axl__str *text,
                           const char *pattern)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_file f = { sizeof f, name, text->data, text->len };

    o.pattern = pattern;
    return axl_tokenizer_open_files(out, ctx, &f, 1, &o);
}

static axl_status open_folder(axl_tokenizer **out, const char *name, const axl__str *text,
                              const char *model_config, const char *config, bool mistral_common)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_file f[] = { { sizeof f[0], name, text->data, text->len },
                     { sizeof f[0], "config.json", model_config, strlen(model_config) },
                     { sizeof f[0], "tokenizer_config.json", config, strlen(config) } };

    o.mistral_common = mistral_common;
    return axl_tokenizer_open_files(out, ctx, f, 3, &o);
}

/* ---- comparing ---- */

static void compare_ids(const axl_tokenizer *tok, const char *what, const axl__json *list,
                        uint32_t flags)
{
    axl_buffer got = AXL_BUFFER_INIT;

    for (const axl__json *t = axl__json_get(goldens, "texts")->child; t; t = t->next) {
        assert_ok(axl_tokenizer_encode(tok, t->text, t->len, flags, &got));
        const int32_t *id = got.data;
        bool same = got.length / 4 == list->count;
        for (const axl__json *v = list->child; v && same; v = v->next)
            same = *id++ == v->integer;
        if (!same)
            fail_msg("%s: other ids for \"%s\"", what, t->text);
        list = list->next;
    }
    axl_buffer_free(&got);
}

static void compare_texts(const axl_tokenizer *tok, const axl__json *ids, const axl__json *text,
                          uint32_t flags)
{
    axl_buffer said = AXL_BUFFER_INIT;
    int32_t list[512];

    for (; ids; ids = ids->next, text = text->next) {
        size_t n = 0;
        for (const axl__json *v = ids->child; v; v = v->next)
            list[n++] = (int32_t)v->integer;
        assert_ok(axl_tokenizer_decode(tok, list, n, flags, &said));
        assert_int_equal(said.length, text->len);
        assert_memory_equal(said.data, text->text, text->len);
    }
    axl_buffer_free(&said);
}

static const axl__json *first(const axl__json *c, const char *key)
{
    return axl__json_get(c, key)->child;
}

static void test_ranks__as_tiktoken(void **state)
{
    axl__str text = rank_file();
    axl_tokenizer *tok;

    (void)state;
    for (const axl__json *v = axl__json_get(goldens, "ranks")->child; v; v = v->next) {
        assert_ok(open_one(&tok, "x.model", &text, v->key));
        compare_ids(tok, v->key, v->child, 0);
        assert_int_equal(axl_tokenizer_bos(tok), -1);
        axl_tokenizer_free(tok);
    }
    axl__str_free(&text);
}

static void test_ranks__folder_as_transformers(void **state)
{
    const axl__json *c = axl__json_get(goldens, "folder");
    axl__str text = rank_file(), config;
    axl_tokenizer *tok;

    (void)state;
    axl__str_init(&config, ctx);
    axl__json_write(&config, axl__json_get(c, "config"), 0);
    assert_ok(open_folder(&tok, "tokenizer.model", &text, "{\"model_type\": \"llama\"}",
                          axl__str_text(&config), false));
    compare_ids(tok, "folder", first(c, "ids"), 0);
    compare_ids(tok, "folder", first(c, "plain"), AXL_TOKENIZE_NO_SPECIAL);
    compare_texts(tok, first(c, "ids"), first(c, "text"), 0);
    compare_texts(tok, first(c, "ids"), first(c, "skip"), AXL_DECODE_SKIP_SPECIAL);
    for (const axl__json *v = first(c, "tokens"); v; v = v->next)
        assert_int_equal(axl_tokenizer_id(tok, v->key), v->integer);
    axl_tokenizer_free(tok);
    assert_fails(open_folder(&tok, "tokenizer.model", &text, "{}",
                             "{\"tokenizer_class\": \"LlamaTokenizer\"}", false),
                 AXL_ERR_UNSUPPORTED, "is a tiktoken rank file, which the class LlamaTokenizer");
    axl__str_free(&text);
    axl__str_free(&config);
}

static void test_ranks__wrong_files(void **state)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        { "IQ== 0\nIg==\n", "x.model: line 2: a token in base64, a space and a rank" },
        { "IQ== 0\nI=g= 1\n", "x.model: line 2: the token is not base64" },
        { "IQ== 0\nIg== 1x\n", "x.model: line 2: the rank is no number" },
        { "IQ== 0\nIg== 99999999999\n", "x.model: line 2: the rank is no number, or too large" },
    };
    axl__str text = rank_file(), other;
    axl_tokenizer *tok;

    (void)state;
    assert_fails(open_one(&tok, "x.model", &text, "cl50k"), AXL_ERR_INVALID,
                 "pattern: \"cl50k\" is none of gpt2, r50k_base,");
    assert_fails(open_one(&tok, "x.model", &text, NULL), AXL_ERR_UNSUPPORTED,
                 "a rank file of 420 tokens does not say how words are cut");
    axl__str_free(&text);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        axl__str_init(&other, ctx);
        axl__str_puts(&other, wrong[i].text);
        assert_fails(open_one(&tok, "x.model", &other, "gpt2"), AXL_ERR_FORMAT, wrong[i].said);
        axl__str_free(&other);
    }
}

/* ---- tekken.json ---- */

static void compare_tekken(const axl_tokenizer *tok, const axl__json *c)
{
    const axl__json *special = axl__json_get(c, "special");

    compare_ids(tok, "plain", first(c, "plain"), AXL_TOKENIZE_NO_SPECIAL);
    compare_texts(tok, first(c, "with"), first(c, "text"), 0);
    compare_texts(tok, first(c, "with"), first(c, "skip"), AXL_DECODE_SKIP_SPECIAL);
    assert_int_equal(axl_tokenizer_bos(tok), axl__json_int(special, "bos_token", -1));
    assert_int_equal(axl_tokenizer_eos(tok), axl__json_int(special, "eos_token", -1));
    assert_int_equal(axl_tokenizer_pad(tok), axl__json_int(special, "pad_token", -1));
    assert_int_equal(axl_tokenizer_vocab_size(tok), axl__json_int(c, "size", -1));
    assert_true(axl__tokenizer_is_tekken(tok));
}

static void test_tekken__as_mistral_common(void **state)
{
    axl_tokenizer *tok;

    (void)state;
    for (const axl__json *c = axl__json_get(goldens, "tekken")->child; c; c = c->next) {
        axl__str text = tekken_file(c);
        assert_ok(
            open_folder(&tok, "tekken.json", &text, "{\"model_type\": \"llama\"}", "{}", true));
        compare_ids(tok, "with", first(c, "with"), 0);
        compare_tekken(tok, c);
        axl_tokenizer_free(tok);
        assert_ok(
            open_folder(&tok, "tekken.json", &text, "{\"model_type\": \"mistral\"}", "{}", false));
        compare_ids(tok, "auto", first(c, "auto"), 0);
        compare_tekken(tok, c);
        axl_tokenizer_free(tok);
        assert_ok(open_one(&tok, "a/tekken_240911.json", &text, NULL));
        compare_ids(tok, "bare", first(c, "auto"), 0);
        axl_tokenizer_free(tok);
        axl__str_free(&text);
    }
}

static void test_tekken__is_saved(void **state)
{
    axl__str text = tekken_file(axl__json_get(goldens, "tekken")->child);
    char *dir = axl__format(ctx, "%s/saved", test_temp_dir());
    char *path = axl__format(ctx, "%s/tekken.json", dir);
    axl_tokenizer *tok;
    axl__file f;

    (void)state;
    assert_ok(axl__make_dirs(ctx, dir));
    assert_ok(open_folder(&tok, "tekken.json", &text, "{}", "{}", true));
    assert_ok(axl_tokenizer_save(tok, dir));
    axl_tokenizer_free(tok);
    assert_ok(axl__file_open(&f, ctx, path, false));
    assert_int_equal(f.size, text.len);
    assert_memory_equal(f.data, text.data, f.size);
    axl__file_close(&f);
    assert_ok(axl_tokenizer_open(&tok, ctx, path, NULL));
    axl_tokenizer_free(tok);
    axl__str_free(&text);
    axl__free(ctx, path);
    axl__free(ctx, dir);
}

/* What replaces a piece of the file, and what is said. */
static const struct {
    const char *from, *to, *said;
} wrong_tekken[] = {
    { "\"vocab\": [", "\"vocab\": [3, ", "vocab[0] must have the rank 0" },
    { "\"vocab\": [", "\"vocab\": 3, \"x\": [", "has an object \"config\" and a list \"vocab\"" },
    { "\"rank\": 7,", "\"rank\": 8,", "vocab[7] must have the rank 7" },
    { "\"token_bytes\": \"AQ==\"", "\"token_bytes\": \"A\"", "vocab[1].token_bytes is not base64" },
    { "\"token_bytes\": \"AQ==\"", "\"token_bytes\": \"Ag==\"", "vocab[1] must be the byte 1" },
    { "\"pattern\": ", "\"pat\": ", "config.pattern must be a text" },
    { "\"pattern\": \"", "\"pattern\": \"(", "a group has no end" },
    { "\"v11\"", "\"v99\"", "config.version must be v1, v2, v3, v7, v11, v13 or v15, not \"v99\"" },
    { "\"special_tokens\":", "\"special\":", "special_tokens is missing, which version v11" },
    { "\"default_vocab_size\":", "\"default_vocab_size\": -1, \"y\":",
      "config.default_vocab_size must be a number" },
    { "\"default_num_special_tokens\":", "\"default_num_special_tokens\": 3, \"y\":", "config" },
    { "\"default_num_special_tokens\":", "\"default_num_special_tokens\": 500, \"y\":",
      "with 500 special tokens" },
    { "\"[INST]\"", "\"<s>\"", "special_tokens[3]: \"<s>\" is there twice" },
    { "\"<s>\"", "\"<t>\"", "no special token <s>" },
};

static void test_tekken__wrong_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_tekken / sizeof wrong_tekken[0]; i++) {
        axl__str text = tekken_file(axl__json_get(goldens, "tekken")->child), made;
        const char *from = wrong_tekken[i].from, *at = strstr(text.data, from);
        axl_tokenizer *tok;
        assert_non_null(at);
        axl__str_init(&made, ctx);
        axl__str_put(&made, text.data, (size_t)(at - text.data));
        axl__str_puts(&made, wrong_tekken[i].to);
        axl__str_puts(&made, at + strlen(from));
        assert_true(open_one(&tok, "tekken.json", &made, NULL) < 0);
        if (!strstr(axl_last_error(), wrong_tekken[i].said))
            fail_msg("\"%s\" and not \"%s\"", axl_last_error(), wrong_tekken[i].said);
        assert_non_null(strstr(axl_last_error(), "tekken.json: "));
        axl__str_free(&made);
        axl__str_free(&text);
    }
}

int main(void)
{
    const char *path = "tests/golden/tokenizer/rank_goldens.json";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks__as_tiktoken),
        cmocka_unit_test(test_ranks__folder_as_transformers),
        cmocka_unit_test(test_ranks__wrong_files),
        cmocka_unit_test(test_tekken__as_mistral_common),
        cmocka_unit_test(test_tekken__is_saved),
        cmocka_unit_test(test_tekken__wrong_files),
    };

    ctx = test_context();
    axl__arena_init(&arena, ctx);
    assert_ok(axl__file_open(&file, ctx, test_source_path(path), false));
    assert_ok(axl__json_parse(&goldens, &arena, (const char *)file.data, file.size, path));
    int result = test_run(tests);
    axl__arena_free(&arena);
    axl__file_close(&file);
    axl_context_free(ctx);
    return result;
}
