/* SPDX-License-Identifier: Apache-2.0 */
/* test_new_tokens.c - tokenizers as a config has them against Axolotl's: tokens that it adds, and
 * classes (tests/golden/make_new_token_goldens.py says what the files hold, make_class_goldens.py
 * makes another). */
#include "testing.h"

#include "counted_memory.h"

#include "base/json.h"
#include "base/os.h"
#include "text/base64.h"
#include "text/tokenizer.h"

static axl_context *ctx;
static axl__arena arena;
static axl__json *goldens, *token_goldens, *class_goldens;

static void put_file(const char *dir, const char *name, const void *data, size_t size)
{
    char *path = axl__format(ctx, "%s/%s", dir, name);

    assert_ok(axl__write_file(ctx, path, data, size));
    axl__free(ctx, path);
}

static void copy_tiny(const char *dir, const char *name)
{
    axl__file f;
    char path[128];

    snprintf(path, sizeof path, "examples/tiny-llama/%s", name);
    assert_ok(axl__file_open(&f, ctx, test_source_path(path), false));
    put_file(dir, name, f.data, f.size);
    axl__file_close(&f);
}

static char *make_folder(const axl__json *c)
{
    char *dir = axl__format(ctx, "%s/%s", test_temp_dir(), axl__json_string(c, "name", "?"));
    axl__str text;

    assert_ok(axl__remove_tree(dir));
    assert_ok(axl__make_dirs(ctx, dir));
    for (const axl__json *v = axl__json_get(c, "files")->child; v; v = v->next) {
        if (v->type == AXL__JSON_BOOL) {
            copy_tiny(dir, v->key);
            continue;
        }
        const axl__json *bytes = axl__json_get(v, "base64");
        axl__str_init(&text, ctx);
        if (bytes)
            assert_true(axl__base64_decode(&text, bytes->text, bytes->len));
        else
            axl__json_write(&text, v, 0);
        put_file(dir, v->key, axl__str_text(&text), text.len);
        axl__str_free(&text);
    }
    return dir;
}

static const axl__json *find_case(const char *name)
{
    for (const axl__json *c = axl__json_get(token_goldens, "cases")->child; c; c = c->next)
        if (strcmp(axl__json_string(c, "name", ""), name) == 0)
            return c;
    fail_msg("there is no case %s", name);
    return NULL;
}

/* JSON is YAML. */
static axl_status open_with(axl_tokenizer **out, const char *dir, const axl__json *keys)
{
    axl__str yaml;
    axl_config *cfg;

    axl__str_init(&yaml, ctx);
    axl__str_putf(&yaml,
                  "base_model: %s\ndatasets:\n  - path: rows.jsonl\n    type: alpaca\n"
                  "micro_batch_size: 1\ngradient_accumulation_steps: 1\nlearning_rate: 1e-4\n"
                  "num_epochs: 1\n",
                  dir);
    for (const axl__json *v = keys ? keys->child : NULL; v; v = v->next) {
        axl__str_putf(&yaml, "%s: ", v->key);
        axl__json_write(&yaml, v, 0);
        axl__str_putc(&yaml, '\n');
    }
    assert_ok(axl_config_parse(&cfg, ctx, axl__str_text(&yaml), yaml.len, "run.yml", NULL));
    axl_status status = axl_tokenizer_from_config(out, cfg);
    axl_config_free(cfg);
    axl__str_free(&yaml);
    return status;
}

static void compare_ids(const char *what, const axl_buffer *got, const axl__json *want)
{
    const int32_t *ids = got->data;

    if (got->length / 4 != want->count)
        fail_msg("%s: %zu ids, not %u", what, got->length / 4, want->count);
    for (const axl__json *v = want->child; v; v = v->next)
        if (*ids++ != v->integer)
            fail_msg("%s: %d, not %lld", what, ids[-1], (long long)v->integer);
}

static void compare_texts(const axl_tokenizer *tok, const axl__json *c)
{
    const char *name = axl__json_string(c, "name", "?");
    const axl__json *ids = axl__json_get(c, "ids")->child;
    const axl__json *plain = axl__json_get(c, "plain")->child;
    const axl__json *text = axl__json_get(c, "text")->child;
    const axl__json *skip = axl__json_get(c, "skip")->child;
    axl_buffer got = AXL_BUFFER_INIT, said = AXL_BUFFER_INIT;

    for (const axl__json *t = axl__json_get(goldens, "texts")->child; t; t = t->next) {
        assert_ok(axl_tokenizer_encode(tok, t->text, t->len, AXL_TOKENIZE_NO_SPECIAL, &got));
        compare_ids(name, &got, plain);
        assert_ok(axl_tokenizer_encode(tok, t->text, t->len, 0, &got));
        compare_ids(name, &got, ids);
        assert_ok(axl_tokenizer_decode(tok, got.data, got.length / 4, 0, &said));
        assert_string_equal(said.data, text->text);
        assert_ok(
            axl_tokenizer_decode(tok, got.data, got.length / 4, AXL_DECODE_SKIP_SPECIAL, &said));
        assert_string_equal(said.data, skip->text);
        ids = ids->next;
        plain = plain->next;
        text = text->next;
        skip = skip->next;
    }
    axl_buffer_free(&got);
    axl_buffer_free(&said);
}

static void compare(const axl_tokenizer *tok, const axl__json *c)
{
    const axl__json *special = axl__json_get(c, "special");

    compare_texts(tok, c);
    for (const axl__json *v = axl__json_get(c, "tokens")->child; v; v = v->next)
        assert_int_equal(axl_tokenizer_id(tok, v->key), v->integer);
    assert_int_equal(axl_tokenizer_bos(tok), axl__json_int(special, "bos_token", -1));
    assert_int_equal(axl_tokenizer_eos(tok), axl__json_int(special, "eos_token", -1));
    assert_int_equal(axl_tokenizer_pad(tok), axl__json_int(special, "pad_token", -1));
    assert_int_equal(axl_tokenizer_vocab_size(tok), axl__json_int(c, "size", -1));
}

/* Opened, and once more as it was saved. */
static void compare_all(void)
{
    char *saved = axl__format(ctx, "%s/saved", test_temp_dir());
    axl_tokenizer *tok;

    for (const axl__json *c = axl__json_get(goldens, "cases")->child; c; c = c->next) {
        char *dir = make_folder(c);
        assert_ok(open_with(&tok, dir, axl__json_get(c, "keys")));
        compare(tok, c);
        assert_ok(axl__remove_tree(saved));
        assert_ok(axl__make_dirs(ctx, saved));
        assert_ok(axl_tokenizer_save(tok, saved));
        axl_tokenizer_free(tok);
        put_file(saved, "config.json", "{\"model_type\": \"llama\"}", 23);
        assert_ok(open_with(&tok, saved, NULL));
        compare(tok, c);
        axl_tokenizer_free(tok);
        axl__free(ctx, dir);
    }
    axl__free(ctx, saved);
}

static void test_new_tokens__as_axolotl(void **state)
{
    (void)state;
    goldens = token_goldens;
    compare_all();
}

static void test_classes__as_axolotl(void **state)
{
    (void)state;
    goldens = class_goldens;
    compare_all();
}

static void test_new_tokens__must_fit_the_model(void **state)
{
    const axl__json *c = find_case("llama_chat"), *other = find_case("byte_override");
    char *dir = make_folder(c), *second = make_folder(other);
    axl_tokenizer *tok;

    (void)state;
    assert_ok(open_with(&tok, dir, axl__json_get(c, "keys")));
    assert_int_equal(axl__tokenizer_new_end(tok), 773);
    assert_ok(axl__tokenizer_fits(tok, 773));
    assert_fails(axl__tokenizer_fits(tok, 770), AXL_ERR_INVALID,
                 "tokens: \"<|im_start|>\" is a new token with the id 770, and the model's "
                 "embedding has 770 rows");
    assert_fails(axl__tokenizer_fits(tok, 768), AXL_ERR_INVALID,
                 "special_tokens.eos_token: \"<|im_end|>\" is a new token");
    axl_tokenizer_free(tok);
    assert_ok(open_with(&tok, second, axl__json_get(other, "keys")));
    assert_int_equal(axl__tokenizer_new_end(tok), 0);
    assert_ok(axl__tokenizer_fits(tok, 262));
    axl_tokenizer_free(tok);
    axl__free(ctx, dir);
    axl__free(ctx, second);
}

static axl_status open_options(const axl_tokenizer_options *o, const char *path)
{
    axl_tokenizer *tok;
    axl_status status = axl_tokenizer_open(&tok, ctx, test_source_path(path), o);

    axl_tokenizer_free(tok);
    return status;
}

static void test_new_tokens__wrong_options(void **state)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    const char *texts[] = { "<a>", "\xFF" }, *empty[] = { "" };
    int32_t ids[] = { 300, -1 };

    (void)state;
    o.n_tokens = 1;
    assert_fails(open_options(&o, "examples/tiny-llama"), AXL_ERR_INVALID, "tokens must not be");
    o.tokens = empty;
    assert_fails(open_options(&o, "examples/tiny-llama"), AXL_ERR_INVALID, "tokens[0] must be");
    o.tokens = texts;
    assert_fails(open_options(&o, "examples/tiny-llama/tokenizer.model"), AXL_ERR_UNSUPPORTED,
                 "tokens: \"<a>\" is not in the vocabulary, and a bare file has no place");
    o.n_tokens = 2;
    assert_fails(open_options(&o, "examples/tiny-llama"), AXL_ERR_INVALID, "tokens[1] must be");
    o.n_tokens = 0;
    o.n_overrides = 1;
    o.override_texts = texts;
    assert_fails(open_options(&o, "examples/tiny-llama"), AXL_ERR_INVALID, "override_ids must not");
    o.override_ids = ids;
    assert_fails(open_options(&o, "examples/tiny-llama"), AXL_ERR_INVALID,
                 "override_ids: 300 is no added token of the tokenizer");
    assert_fails(open_options(&o, "examples/tiny-llama/tokenizer.model"), AXL_ERR_UNSUPPORTED,
                 "in a tokenizer.json alone");
    o.override_ids = ids + 1;
    assert_fails(open_options(&o, "examples/tiny-llama"), AXL_ERR_INVALID, "-1 is no id");
}

static void test_new_tokens__wrong_config(void **state)
{
    static const char text[] = "{\"added_tokens_overrides\": {\"first\": \"<a>\"}}";
    axl_tokenizer *tok;
    axl__json *keys;

    (void)state;
    assert_ok(axl__json_parse(&keys, &arena, text, sizeof text - 1, NULL));
    assert_fails(open_with(&tok, test_source_path("examples/tiny-llama"), keys), AXL_ERR_CONFIG,
                 "added_tokens_overrides: \"first\" must be an id with a text");
}

/* What a folder of a class's own vocabulary files is opened in, every allocation of which fails
 * once. */
static void out_of_memory_in(const char *dir)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_status status = AXL_ERR_NOMEM;
    axl_tokenizer *tok;
    axl_context *own;

    o.alloc = counted_alloc;
    o.realloc = counted_realloc;
    o.free = counted_free;
    o.threads = 1;
    left = 1000000;
    assert_ok(axl_context_new(&own, &o));
    for (long n = 0; status == AXL_ERR_NOMEM; n += n < 600 ? 1 : 37) {
        long before = blocks;
        left = n;
        status = axl_tokenizer_open(&tok, own, dir, NULL);
        if (status == AXL_OK)
            axl_tokenizer_free(tok);
        assert_int_equal(blocks, before);
    }
    assert_ok(status);
    left = 1000000;
    axl_context_free(own);
}

static void test_vocabulary_files__run_out_of_memory(void **state)
{
    static const char *const names[] = { "t5_spiece_more", "bert_vocab", "gpt2_files" };

    (void)state;
    goldens = class_goldens;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (const axl__json *c = axl__json_get(goldens, "cases")->child; c; c = c->next)
            if (strcmp(axl__json_string(c, "name", ""), names[i]) == 0) {
                char *dir = make_folder(c);
                out_of_memory_in(dir);
                axl__free(ctx, dir);
            }
}

static void test_vocabulary_files__wrong_ones(void **state)
{
    static const struct {
        const char *config, *name, *text, *message;
    } cases[] = {
        { "{\"model_type\": \"bert\"}", "vocab.json", "{}",
          "has neither tokenizer.json nor vocab.txt, which the class BertTokenizer reads" },
        { "{\"model_type\": \"gpt2\"}", "vocab.json", "{}",
          "has neither tokenizer.json nor vocab.json and merges.txt, which the class "
          "GPT2Tokenizer reads" },
        { "{\"model_type\": \"llama\"}", "vocab.txt", "a\n",
          "the vocabulary that is there is of a class that is not named" },
        { "{}", "qwen.tiktoken", "YQ== 0\n", "has qwen.tiktoken alone" },
        { "{\"model_type\": \"bert\"}", "vocab.txt", "\xFF\n", "vocab.txt: it is not UTF-8" },
        { "{\"model_type\": \"bert\"}", "vocab.txt", "", "vocab.txt: model.vocab is empty" },
        { "{\"model_type\": \"t5\"}", "spiece.model", "\x0A", "spiece.model: " },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *dir = axl__format(ctx, "%s/wrong-%zu", test_temp_dir(), i);
        axl_tokenizer *tok;
        assert_ok(axl__make_dirs(ctx, dir));
        put_file(dir, "config.json", cases[i].config, strlen(cases[i].config));
        put_file(dir, cases[i].name, cases[i].text, strlen(cases[i].text));
        assert_true(axl_tokenizer_open(&tok, ctx, dir, NULL) < 0);
        assert_non_null(strstr(axl_last_error(), cases[i].message));
        axl__free(ctx, dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_tokens__as_axolotl),
        cmocka_unit_test(test_classes__as_axolotl),
        cmocka_unit_test(test_new_tokens__must_fit_the_model),
        cmocka_unit_test(test_new_tokens__wrong_options),
        cmocka_unit_test(test_new_tokens__wrong_config),
        cmocka_unit_test(test_vocabulary_files__run_out_of_memory),
        cmocka_unit_test(test_vocabulary_files__wrong_ones),
    };

    ctx = test_context();
    axl__arena_init(&arena, ctx);
    assert_ok(axl__json_read_file(
        &token_goldens, &arena, test_source_path("tests/golden/tokenizer/new_token_goldens.json")));
    assert_ok(axl__json_read_file(&class_goldens, &arena,
                                  test_source_path("tests/golden/tokenizer/class_goldens.json")));
    int result = test_run(tests);
    axl__arena_free(&arena);
    axl_context_free(ctx);
    return result;
}
