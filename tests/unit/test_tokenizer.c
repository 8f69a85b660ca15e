/* SPDX-License-Identifier: Apache-2.0 */
/* test_tokenizer.c - broken files, hostile texts, options, saving, memory, threads.  The ids
 * themselves are test_tokenizer_goldens.c's. */
#include "testing.h"

#include "counted_memory.h"

#include "base/arena.h"
#include "base/os.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "hub/hub.h"
#include "text/aligned.h"
#include "text/tokenizer.h"

#include <stdatomic.h>

static axl_context *ctx;

static char *in_temp(const char *name)
{
    return axl__format(ctx, "%s/%s", test_temp_dir(), name);
}

static void put_file(const char *dir, const char *name, const void *data, size_t size)
{
    char *path = axl__format(ctx, "%s/%s", dir, name);

    assert_ok(axl__write_file(ctx, path, data, size));
    axl__free(ctx, path);
}

/* A fresh folder with one file. */
static char *folder_with(const char *name, const void *data, size_t size)
{
    char *dir = in_temp("t");

    assert_ok(axl__remove_tree(dir));
    assert_ok(axl__make_dirs(ctx, dir));
    put_file(dir, name, data, size);
    return dir;
}

static void refuses(const char *name, const void *data, size_t size, axl_status status,
                    const char *text)
{
    char *dir = folder_with(name, data, size);
    axl_tokenizer *tok = (axl_tokenizer *)1;

    assert_fails(axl_tokenizer_open(&tok, ctx, dir, NULL), status, text);
    assert_null(tok);
    assert_null(strchr(axl_last_error(), '\n'));
    axl__free(ctx, dir);
}

static axl_tokenizer *open_json(const char *json)
{
    char *dir = folder_with("tokenizer.json", json, strlen(json));
    axl_tokenizer *tok;

    assert_ok(axl_tokenizer_open(&tok, ctx, dir, NULL));
    axl__free(ctx, dir);
    return tok;
}

static axl_tokenizer *tiny(const axl_tokenizer_options *opts)
{
    axl_tokenizer *tok;

    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), opts));
    return tok;
}

static void check_ids(const axl_tokenizer *tok, const char *text, size_t len, uint32_t flags,
                      const int32_t *want, size_t n)
{
    axl_buffer ids = AXL_BUFFER_INIT;

    assert_ok(axl_tokenizer_encode(tok, text, len, flags, &ids));
    assert_int_equal(ids.length, n * sizeof *want);
    if (n > 0)
        assert_memory_equal(ids.data, want, ids.length);
    axl_buffer_free(&ids);
}

#define assert_ids(tok, text, flags, ...)                                                          \
    check_ids(tok, text, strlen(text), flags, (const int32_t[]){ 0, __VA_ARGS__ } + 1,             \
              sizeof((const int32_t[]){ 0, __VA_ARGS__ }) / 4 - 1)

/* ---- broken files ---- */

#define MODEL(vocab, merges) "{\"model\": {\"vocab\": " vocab ", \"merges\": " merges "}}"
#define PART(part) "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}, " part "}"

static const struct {
    const char *json;
    axl_status status;
    const char *text;
} broken_json[] = {
    { "", AXL_ERR_FORMAT, "tokenizer.json:1:1:" },
    { "{", AXL_ERR_FORMAT, "tokenizer.json:1:2:" },
    { "[]", AXL_ERR_FORMAT, "must be an object, not an array" },
    { "{}", AXL_ERR_FORMAT, "tokenizer.json: there is no model" },
    { "{\"model\": []}", AXL_ERR_FORMAT, "there is no model" },
    { "{\"model\": {\"merges\": []}}", AXL_ERR_FORMAT, "model.vocab must be an object" },
    { "\"\xFF\"", AXL_ERR_FORMAT, "is not UTF-8" },
    { MODEL("[]", "[]"), AXL_ERR_FORMAT, "model.vocab must be an object, not an array" },
    { MODEL("{}", "[]"), AXL_ERR_FORMAT, "model.vocab is empty" },
    { MODEL("{\"a\": 1.5}", "[]"), AXL_ERR_FORMAT, "the id of \"a\" must be an integer" },
    { MODEL("{\"a\": -1}", "[]"), AXL_ERR_FORMAT, "token \"a\" has id -1" },
    { MODEL("{\"a\": 4194304}", "[]"), AXL_ERR_FORMAT, "token \"a\" has id 4194304" },
    { MODEL("{\"a\": 99999999999999999999}", "[]"), AXL_ERR_FORMAT, "must be an integer" },
    { MODEL("{\"a\": 0, \"b\": 0}", "[]"), AXL_ERR_FORMAT, "have the same id 0" },
    { MODEL("{\"a\": 0}", "{}"), AXL_ERR_FORMAT, "model.merges must be an array" },
    { MODEL("{\"a\": 0}", "[\"a b\"]"), AXL_ERR_FORMAT, "merge 0 has \"b\", which is not" },
    { MODEL("{\"a\": 0}", "[\"a a\"]"), AXL_ERR_FORMAT, "merge 0 makes \"aa\", which is not" },
    { MODEL("{\"a\": 0}", "[\"a a a\"]"), AXL_ERR_FORMAT, "merge 0 must be two tokens" },
    { MODEL("{\"a\": 0}", "[\"a\"]"), AXL_ERR_FORMAT, "merge 0 must be two tokens" },
    { MODEL("{\"a\": 0}", "[[\"a\"]]"), AXL_ERR_FORMAT, "merge 0 must be two tokens" },
    { MODEL("{\"a\": 0}", "[[\"a\", 1]]"), AXL_ERR_FORMAT, "merge 0 must be two tokens" },
    { MODEL("{\"a\": 0}", "[7]"), AXL_ERR_FORMAT, "merge 0 must be two tokens" },
    { "{\"model\": {\"type\": \"Unigram\"}}", AXL_ERR_FORMAT,
      "tokenizer.json: model \"Unigram\": vocab must be an array" },
    { "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": 1}}",
      AXL_ERR_FORMAT, "unk_id is no piece" },
    { "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\"]]}}", AXL_ERR_FORMAT,
      "piece 0 of the vocab must be a text and a number" },
    { "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}}", AXL_ERR_FORMAT,
      "model \"WordPiece\": unk_token must be a string, not nothing" },
    { "{\"model\": {\"type\": \"Word\", \"vocab\": {\"a\": 0}}}", AXL_ERR_UNSUPPORTED,
      "model \"Word\" is not supported" },
    { "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"unk_token\": \"u\"}}", AXL_ERR_FORMAT,
      "unk_token \"u\" is not in the vocabulary" },
    { "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"dropout\": 0.1}}", AXL_ERR_UNSUPPORTED,
      "dropout is not supported" },
    { "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"fuse_unk\": 1}}", AXL_ERR_FORMAT,
      "fuse_unk must be a boolean, not an integer" },
    { PART("\"pre_tokenizer\": {\"type\": \"White\"}"), AXL_ERR_UNSUPPORTED,
      "tokenizer.json: pre_tokenizer \"White\" is not supported" },
    { PART("\"pre_tokenizer\": {\"type\": \"Metaspace\"}"), AXL_ERR_FORMAT,
      "pre_tokenizer \"Metaspace\": replacement must be a string, not nothing" },
    { PART("\"pre_tokenizer\": {}"), AXL_ERR_FORMAT, "pre_tokenizer has no type" },
    { PART("\"normalizer\": {\"type\": \"NFE\"}"), AXL_ERR_UNSUPPORTED, "normalizer \"NFE\"" },
    { PART("\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}"),
      AXL_ERR_FORMAT, "normalizer \"Precompiled\": precompiled_charsmap is no map" },
    { PART("\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": 1}"), AXL_ERR_FORMAT,
      "lowercase must be a boolean" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a(b\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_FORMAT, "regular expression: a group has no end at byte 3" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a)\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_FORMAT, "a parenthesis closes nothing at byte 1" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_FORMAT, "a class has no end at byte 2" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[b-a]\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_FORMAT, "a range is upside down" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"*\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_FORMAT, "regular expression: quantifier does not follow" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?~a)\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_UNSUPPORTED, "an absent group (?~ at byte 2 is not supported" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Klingon}\"}, "
           "\"behavior\": \"Isolated\"}"),
      AXL_ERR_UNSUPPORTED, "\\p{Klingon} is not supported" },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, "
           "\"behavior\": \"isolated\"}"),
      AXL_ERR_FORMAT, "pre_tokenizer \"Split\": behavior must be Removed, Isolated," },
    { PART("\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Removed\"}"), AXL_ERR_FORMAT,
      "pre_tokenizer \"Split\": pattern must be a string, not nothing" },
    { PART("\"pre_tokenizer\": {\"type\": \"FixedLength\", \"length\": 0}"), AXL_ERR_FORMAT,
      "length must be a number from 1 on" },
    { PART("\"pre_tokenizer\": {\"type\": \"CharDelimiterSplit\", \"delimiter\": \"ab\"}"),
      AXL_ERR_FORMAT, "delimiter must be one character, not \"ab\"" },
    { PART("\"normalizer\": {\"type\": \"Sequence\"}"), AXL_ERR_FORMAT,
      "normalizer \"Sequence\": normalizers must be an array, not nothing" },
    { PART("\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(\"}, "
           "\"content\": \"\"}"),
      AXL_ERR_FORMAT, "regular expression" },
    { PART("\"decoder\": {\"type\": \"WordPiece\"}"), AXL_ERR_FORMAT,
      "decoder \"WordPiece\": prefix must be a string, not nothing" },
    { PART("\"decoder\": {\"type\": \"Strip\", \"content\": \" \", \"start\": -1, "
           "\"stop\": 0}"),
      AXL_ERR_FORMAT, "decoder \"Strip\"" },
    { PART("\"post_processor\": {\"type\": \"RobertaProcessing\"}"), AXL_ERR_FORMAT,
      "post_processor \"RobertaProcessing\": cls and sep must each be a token and its id" },
    { PART("\"post_processor\": {\"type\": \"TemplateProcessing\"}"), AXL_ERR_FORMAT,
      "single must be an array" },
    { PART("\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
           "[{\"SpecialToken\": {\"id\": \"<s>\"}}]}"),
      AXL_ERR_FORMAT, "\"<s>\" has no ids" },
    { PART("\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}"),
      AXL_ERR_FORMAT, "the template has no text" },
    { PART("\"added_tokens\": 1"), AXL_ERR_FORMAT, "added_tokens must be an array" },
    { PART("\"added_tokens\": [{}]"), AXL_ERR_FORMAT, "an added token has no content" },
    { PART("\"added_tokens\": [{\"content\": \"x\"}]"), AXL_ERR_FORMAT, "has no id" },
};

static void test_tokenizer__broken_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken_json / sizeof broken_json[0]; i++)
        refuses("tokenizer.json", broken_json[i].json, strlen(broken_json[i].json),
                broken_json[i].status, broken_json[i].text);
    refuses("other.json", "{}", 2, AXL_ERR_NOT_FOUND, "neither tokenizer.json nor tokenizer.model");
}

static void test_tokenizer__broken_small_files(void **state)
{
    static const struct {
        const char *file, *json;
        axl_status status;
        const char *text;
    } cases[] = {
        { "tokenizer_config.json", "[1]", AXL_ERR_FORMAT, "tokenizer_config.json must be an" },
        { "tokenizer_config.json", "{", AXL_ERR_FORMAT, "tokenizer_config.json:1:2:" },
        { "tokenizer_config.json", "{\"bos_token\": 1}", AXL_ERR_FORMAT, "\"bos_token\" must be" },
        { "tokenizer_config.json", "{\"bos_token\": {\"content\": \"a\"}}", AXL_ERR_FORMAT,
          "\"bos_token\" must be a string, not an object" },
        { "tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {}}}", AXL_ERR_FORMAT,
          "\"x\" is no id" },
        { "tokenizer_config.json", "{\"added_tokens_decoder\": {\"1\": \"x\"}}", AXL_ERR_FORMAT,
          "\"1\" must be an object" },
        { "tokenizer_config.json", "{\"added_tokens_decoder\": []}", AXL_ERR_FORMAT,
          "added_tokens_decoder must be an object" },
        { "tokenizer_config.json", "{\"additional_special_tokens\": [1]}", AXL_ERR_FORMAT,
          "\"additional_special_tokens\" must be a string" },
        { "tokenizer_config.json", "{\"tokenizer_class\": \"XLNetTokenizerFast\"}",
          AXL_ERR_UNSUPPORTED, "tokenizer class \"XLNetTokenizerFast\" is not supported yet" },
        { "special_tokens_map.json", "[]", AXL_ERR_FORMAT, "special_tokens_map.json must be an" },
        { "added_tokens.json", "{\"x\": \"y\"}", AXL_ERR_FORMAT, "\"x\" has no id" },
        { "config.json", "{\"model_type\": \"xlnet\"}", AXL_ERR_UNSUPPORTED, "\"XLNetTokenizer\"" },
    };
    static const char json[] = MODEL("{\"a\": 0}", "[]");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *dir = folder_with("tokenizer.json", json, strlen(json));
        axl_tokenizer *tok;
        put_file(dir, cases[i].file, cases[i].json, strlen(cases[i].json));
        assert_fails(axl_tokenizer_open(&tok, ctx, dir, NULL), cases[i].status, cases[i].text);
        axl__free(ctx, dir);
    }
}

static void test_tokenizer__broken_sentencepiece(void **state)
{
#define BYTES(text) text, sizeof text - 1
    (void)state;
    refuses("tokenizer.model", BYTES(""), AXL_ERR_FORMAT,
            "tokenizer.model: not a SentencePiece "
            "model: it has no pieces");
    refuses("tokenizer.model", BYTES("\x80"), AXL_ERR_FORMAT, "it ends inside a number");
    refuses("tokenizer.model", BYTES("\x8A\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
            AXL_ERR_FORMAT, "more than 64 bits");
    refuses("tokenizer.model", BYTES("\x8A\x80\x80\x80\x80\x80\x80\x80\x80\x02"), AXL_ERR_FORMAT,
            "more than 64 bits");
    refuses("tokenizer.model",
            BYTES("\x0A\x05\x0A\x01"
                  "a"),
            AXL_ERR_FORMAT, "longer than the file");
    refuses("tokenizer.model",
            BYTES("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
                  "a"),
            AXL_ERR_FORMAT, "longer than the file");
    refuses("tokenizer.model", BYTES("\x0A\x03\x0A\x01\xFF"), AXL_ERR_FORMAT, "not UTF-8");
    refuses("tokenizer.model", BYTES("\x08\x01"), AXL_ERR_FORMAT, "a message is missing");
    refuses("tokenizer.model", BYTES("\x02\x01"), AXL_ERR_FORMAT, "field has number 0");
    refuses("tokenizer.model", BYTES("\x0B"), AXL_ERR_FORMAT, "unknown kind of field");
    refuses("tokenizer.model",
            BYTES("\x0A\x05\x0A\x01"
                  "a\x18\x09"),
            AXL_ERR_FORMAT, "unknown type of piece");
    refuses("tokenizer.model",
            BYTES("\x0A\x03\x0A\x01"
                  "a\x12\x03\xC0\x02\x05"),
            AXL_ERR_FORMAT, "unk_id 5 is no piece");
    refuses("tokenizer.model",
            BYTES("\x0A\x03\x0A\x01"
                  "a\x12\x02\x18\x03"),
            AXL_ERR_UNSUPPORTED, "model type \"word\" is not supported yet");
    refuses("tokenizer.model", BYTES("IQ== 0\nIg== x\n"), AXL_ERR_FORMAT, "line 2: the rank");
#undef BYTES
}

static void test_tokenizer__broken_rank_files(void **state)
{
    static const struct {
        const char *text;
        axl_status status;
        const char *why;
    } cases[] = {
        { "IQ== 0\nIg== 1\n", AXL_ERR_UNSUPPORTED, "of 2 tokens does not say how words are cut" },
        { "IQ== 0\nI=== 1\n", AXL_ERR_FORMAT, "line 2: the token is not base64" },
        { "IQ== 0\nIgA 1\n", AXL_ERR_FORMAT, "line 2: the token is not base64" },
        { "IQ== 0\nIg==\n", AXL_ERR_FORMAT, "line 2: a token in base64, a space and a rank" },
        { "IQ== 0\n\nIg== 1\n", AXL_ERR_FORMAT, "line 2: a token in base64" },
        { "IQ== 0\r\nIg== x\r\n", AXL_ERR_FORMAT, "line 2: the rank is no number" },
        { "IQ== 0\nIg== 99999999\n", AXL_ERR_FORMAT, "line 2: the rank is no number, or too" },
    };
    char *path = axl__format(ctx, "%s/broken.tiktoken", test_temp_dir());
    axl_tokenizer *tok;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(axl__write_file(ctx, path, cases[i].text, strlen(cases[i].text)));
        assert_fails(axl_tokenizer_open(&tok, ctx, path, NULL), cases[i].status, cases[i].why);
    }
    axl__free(ctx, path);
}

/* Every cut of a real model is an error or a smaller model, never a crash. */
static void test_tokenizer__cut_and_flipped_models(void **state)
{
    axl__file f;
    axl_tokenizer *tok;

    (void)state;
    const char *path = test_source_path("examples/tiny-llama/tokenizer.model");
    assert_ok(axl__file_open(&f, ctx, path, true));
    unsigned char *copy = malloc(f.size);
    for (uint64_t i = 0; i < 300; i++) {
        size_t size = (size_t)(axl__random_u64(3, 0, i) % f.size);
        memcpy(copy, f.data, f.size);
        if (i % 2) {
            copy[size] = (unsigned char)axl__random_u64(3, 1, i);
            size = f.size;
        }
        char *dir = folder_with("tokenizer.model", copy, size);
        if (axl_tokenizer_open(&tok, ctx, dir, NULL) == AXL_OK)
            axl_tokenizer_free(tok);
        else
            assert_true(axl_last_error()[0] != '\0');
        axl__free(ctx, dir);
    }
    free(copy);
    axl__file_close(&f);
}

/* ---- texts ---- */

static void test_tokenizer__merges_go_by_rank_then_place(void **state)
{
    axl_tokenizer *tok =
        open_json(MODEL("{\"a\": 0, \"b\": 1, \"aa\": 2, \"ab\": 3, \"aab\": 4, \"ba\": 5}",
                        "[\"a a\", [\"a\", \"b\"], \"aa b\"]"));

    (void)state;
    check_ids(tok, "", 0, 0, NULL, 0);
    assert_ids(tok, "aab", 0, 4);
    assert_ids(tok, "aaab", 0, 2, 3);
    assert_ids(tok, "aaaaa", 0, 2, 2, 0);
    assert_ids(tok, "ba", 0, 1, 0);
    assert_ids(tok, "axb", 0, 3); /* what no piece stands for vanishes before the merges */
    axl_tokenizer_free(tok);
}

/* Words of all lengths against the rule itself: the least rank, then the leftmost. */
static void test_tokenizer__merging_follows_the_rule(void **state)
{
    static const char json[] =
        MODEL("{\"a\": 0, \"b\": 1, \"bab\": 2, \"ab\": 3, \"bb\": 4, \"aba\": 5, \"abab\": 6, "
              "\"bba\": 7, \"babab\": 8, \"aa\": 9}",
              "[\"b ab\", \"a b\", \"b b\", \"ab a\", \"ab ab\", \"bb a\", \"bab ab\", \"a a\"]");
    static const int32_t parts[][3] = { { 1, 3, 2 }, { 0, 1, 3 }, { 1, 1, 4 }, { 3, 0, 5 },
                                        { 3, 3, 6 }, { 4, 0, 7 }, { 2, 3, 8 }, { 0, 0, 9 } };
    axl_tokenizer *tok = open_json(json);
    axl_buffer ids = AXL_BUFFER_INIT;

    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        char text[400];
        int32_t sym[400];
        size_t n = 1 + (size_t)(axl__random_u64(8, 0, round) % sizeof text);
        for (size_t i = 0; i < n; i++) {
            sym[i] = (int32_t)(axl__random_u64(9, round, i) & 1);
            text[i] = sym[i] ? 'b' : 'a';
        }
        assert_ok(axl_tokenizer_encode(tok, text, n, 0, &ids));
        for (;;) {
            size_t best = 8, at = 0;
            for (size_t i = 0; i + 1 < n; i++)
                for (size_t r = 0; r < best; r++)
                    if (sym[i] == parts[r][0] && sym[i + 1] == parts[r][1])
                        best = r, at = i;
            if (best == 8)
                break;
            sym[at] = parts[best][2];
            memmove(sym + at + 1, sym + at + 2, (n - at - 2) * sizeof *sym);
            n--;
        }
        assert_int_equal(ids.length, n * sizeof *sym);
        assert_memory_equal(ids.data, sym, ids.length);
    }
    axl_buffer_free(&ids);
    axl_tokenizer_free(tok);
}

static void test_tokenizer__stripping_takes_later_matches_in(void **state)
{
    axl_tokenizer *tok = open_json(
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}, \"added_tokens\": [{\"id\": 1, "
        "\"content\": \" \", \"lstrip\": true, \"rstrip\": true, \"normalized\": false}]}");

    (void)state;
    assert_ids(tok, "a\n   a", 0, 0, 1, 0);
    axl_tokenizer_free(tok);
}

static void test_tokenizer__a_megabyte_of_one_letter(void **state)
{
    size_t n = 1 << 20;
    char *text = malloc(n);
    axl_tokenizer *tok =
        open_json(MODEL("{\"a\": 0, \"aa\": 1, \"aaaa\": 2}", "[\"a a\", \"aa aa\"]"));
    axl_buffer ids = AXL_BUFFER_INIT;

    (void)state;
    memset(text, 'a', n);
    double start = axl__now();
    assert_ok(axl_tokenizer_encode(tok, text, n, 0, &ids));
    assert_true(axl__now() - start < (test_is_slow() ? 200.0 : 2.0));
    assert_int_equal(ids.length / 4, n / 4);
    axl_buffer_free(&ids);
    axl_tokenizer_free(tok);
    free(text);
}

static void test_tokenizer__ill_formed_utf8_is_replaced(void **state)
{
    static const struct {
        const char *raw, *same;
    } cases[] = {
        { "\xFF", "\xEF\xBF\xBD" },
        { "a\x80z", "a\xEF\xBF\xBDz" },
        { "\xF0\x9F\x98"
          "A",
          "\xEF\xBF\xBD"
          "A" },
        { "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "</s>\xE2\x96", "</s>\xEF\xBF\xBD" },
    };
    axl_tokenizer *tok = tiny(NULL);
    axl_buffer a = AXL_BUFFER_INIT, b = AXL_BUFFER_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(axl_tokenizer_encode(tok, cases[i].raw, strlen(cases[i].raw), 0, &a));
        assert_ok(axl_tokenizer_encode(tok, cases[i].same, strlen(cases[i].same), 0, &b));
        assert_int_equal(a.length, b.length);
        assert_memory_equal(a.data, b.data, a.length);
    }
    axl_buffer_free(&a);
    axl_buffer_free(&b);
    axl_tokenizer_free(tok);
}

/* An ill-formed part is as long as it is in the text, not as U+FFFD. */
static void test_tokenizer__offsets_count_what_was_given(void **state)
{
    static const char text[] = "\xF0\x9F\x98</s>\x80\xFF!";
    static const axl__span want[] = { { 3, 7 }, { 7, 8 }, { 8, 9 }, { 9, 10 } };
    axl_tokenizer *tok = tiny(NULL);
    axl_buffer ids = AXL_BUFFER_INIT, offsets = AXL_BUFFER_INIT;

    (void)state;
    assert_ok(axl_tokenizer_encode_with_offsets(tok, text, sizeof text - 1, 0, &ids, &offsets));
    size_t n = ids.length / sizeof(int32_t), seen = 0;
    const axl__span *got = offsets.data;
    assert_int_equal(offsets.length, n * sizeof *got);
    assert_int_equal(got[0].end, 0);
    for (size_t i = 1; i < n; i++) {
        if (got[i].end <= 3)
            assert_true(got[i].begin == 0 && got[i].end == 3);
        else if (seen > 0 && got[i].begin == want[seen - 1].begin)
            assert_int_equal(got[i].end, want[seen - 1].end);
        else
            assert_memory_equal(&got[i], &want[seen++], sizeof want[0]);
    }
    assert_int_equal(seen, 4);
    axl_buffer_free(&ids);
    axl_buffer_free(&offsets);
    axl_tokenizer_free(tok);
}

static void fuzz(const axl_tokenizer *tok, uint64_t rounds)
{
    static const char *const words[] = {
        "</s>", "<s>", " ", "\xE2\x96\x81", "<0x0A>", "the", "\n"
    };
    axl_buffer ids = AXL_BUFFER_INIT, text = AXL_BUFFER_INIT, offsets = AXL_BUFFER_INIT;

    for (uint64_t round = 0; round < rounds; round++) {
        char raw[600];
        int32_t random[64];
        size_t n = 0, want = (size_t)(axl__random_u64(1, round, 0) % 500);
        for (uint64_t i = 1; n < want; i++) {
            uint64_t r = axl__random_u64(1, round, i);
            const char *word = r & 3 ? (char[]){ (char)(r >> 8), '\0' } : words[(r >> 8) % 7];
            size_t len = r & 3 ? 1 : strlen(word);
            memcpy(raw + n, word, len);
            n += len;
        }
        assert_ok(axl_tokenizer_encode(tok, raw, n, (uint32_t)(round & 1), &ids));
        assert_ok(
            axl_tokenizer_encode_with_offsets(tok, raw, n, (uint32_t)(round & 1), &text, &offsets));
        assert_int_equal(text.length, ids.length);
        if (ids.length > 0)
            assert_memory_equal(text.data, ids.data, ids.length);
        for (size_t i = 0; i < ids.length / 4; i++) {
            axl__span place = ((const axl__span *)offsets.data)[i];
            assert_true(place.begin <= place.end && place.end <= n);
        }
        assert_ok(axl_tokenizer_decode(tok, ids.data, ids.length / 4, 0, &text));
        for (uint64_t i = 0; i < 64; i++)
            random[i] = (int32_t)(axl__random_u64(2, round, i) % (i % 8 ? 600 : UINT32_MAX));
        assert_ok(axl_tokenizer_decode(tok, random, 64, (uint32_t)(round & 2), &text));
        assert_true(axl__utf8_valid(text.data, text.length));
    }
    axl_buffer_free(&ids);
    axl_buffer_free(&text);
    axl_buffer_free(&offsets);
}

static void test_tokenizer__random_bytes(void **state)
{
    axl_tokenizer *tok = tiny(NULL), *bare;

    (void)state;
    fuzz(tok, 2000);
    assert_ok(axl_tokenizer_open(&bare, ctx,
                                 test_source_path("examples/tiny-llama/tokenizer.model"), NULL));
    fuzz(bare, 2000);
    axl_tokenizer_free(tok);
    axl_tokenizer_free(bare);
}

static void test_tokenizer__can_be_cancelled(void **state)
{
    axl_tokenizer *tok = tiny(NULL);
    axl_buffer ids = AXL_BUFFER_INIT;
    axl_cancel *cancel;

    (void)state;
    assert_ok(axl_cancel_new(&cancel, ctx));
    axl_cancel_raise(cancel);
    assert_fails(axl_tokenizer_encode(tok, "a", 1, 0, &ids), AXL_ERR_CANCELLED, "cancelled");
    axl_cancel_clear(cancel);
    assert_ok(axl_tokenizer_encode(tok, "a", 1, 0, &ids));
    axl_cancel_free(cancel);
    axl_buffer_free(&ids);
    axl_tokenizer_free(tok);
}

/* ---- options, arguments ---- */

static void test_tokenizer__arguments(void **state)
{
    axl_tokenizer *tok = tiny(NULL);
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_buffer b = AXL_BUFFER_INIT, other = AXL_BUFFER_INIT, bad = { 1, NULL, 0, NULL };

    (void)state;
    assert_fails(axl_tokenizer_encode(NULL, "", 0, 0, &b), AXL_ERR_INVALID, "not a live");
    assert_fails(axl_tokenizer_encode(tok, NULL, 1, 0, &b), AXL_ERR_INVALID, "text");
    assert_fails(axl_tokenizer_encode(tok, "", 0, 2, &b), AXL_ERR_INVALID, "unknown flags 0x2");
    assert_fails(axl_tokenizer_encode(tok, "", 0, 0, &bad), AXL_ERR_ABI, "AXL_BUFFER_INIT");
    assert_fails(axl_tokenizer_encode_with_offsets(tok, NULL, 1, 0, &b, &other), AXL_ERR_INVALID,
                 "text");
    assert_fails(axl_tokenizer_encode_with_offsets(tok, "", 0, 2, &b, &other), AXL_ERR_INVALID,
                 "unknown flags 0x2");
    assert_fails(axl_tokenizer_encode_with_offsets(tok, "", 0, 0, &b, &bad), AXL_ERR_ABI,
                 "AXL_BUFFER_INIT");
    assert_fails(axl_tokenizer_encode_with_offsets(tok, "", (size_t)1 << 31, 0, &b, &other),
                 AXL_ERR_INVALID, "2 GiB");
    assert_fails(axl_tokenizer_decode(tok, NULL, 1, 0, &b), AXL_ERR_INVALID, "ids");
    assert_fails(axl_tokenizer_decode(tok, NULL, 0, 1, &b), AXL_ERR_INVALID, "unknown flags 0x1");
    assert_ok(axl_tokenizer_decode(tok, NULL, 0, 0, &b));
    assert_int_equal(b.length, 0);
    axl_buffer_free(&b);
    axl_tokenizer_free(tok);
    o.legacy = 2;
    assert_fails(axl_tokenizer_open(&tok, ctx, "x", &o), AXL_ERR_INVALID, "legacy must be");
    o.size = 3;
    assert_fails(axl_tokenizer_open(&tok, ctx, "x", &o), AXL_ERR_ABI, "size 3");
    assert_fails(axl_tokenizer_open(&tok, ctx, NULL, NULL), AXL_ERR_INVALID, "path");
    assert_fails(axl_tokenizer_open(&tok, ctx, "/no/where", NULL), AXL_ERR_NOT_FOUND, "/no/where");
    assert_int_equal(axl_tokenizer_vocab_size(NULL), 0);
    assert_int_equal(axl_tokenizer_bos(NULL), -1);
    axl_tokenizer_free(NULL);
}

static void test_tokenizer__special_tokens(void **state)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_tokenizer *tok = tiny(NULL);
    axl_buffer text = AXL_BUFFER_INIT, token = AXL_BUFFER_INIT;

    (void)state;
    assert_int_equal(axl_tokenizer_bos(tok), 1);
    assert_int_equal(axl_tokenizer_eos(tok), 2);
    assert_int_equal(axl_tokenizer_pad(tok), 2); /* the Llama family's own rule */
    assert_int_equal(axl_tokenizer_id(tok, "</s>"), 2);
    assert_int_equal(axl_tokenizer_id(tok, "no such"), -1);
    for (int32_t id = 0; id < (int32_t)axl_tokenizer_vocab_size(tok); id++) {
        assert_int_equal(axl_tokenizer_get_token(tok, id, &token), AXL_OK);
        assert_int_equal(axl_tokenizer_id(tok, token.data), id);
    }
    assert_int_equal(axl_tokenizer_get_token(tok, -1, &token), AXL_END);
    assert_int_equal(axl_tokenizer_get_token(tok, 1 << 24, &token), AXL_END);
    axl_buffer_free(&token);
    assert_string_equal(axl__tokenizer_special_text(tok, "eos"), "</s>");
    assert_null(axl__tokenizer_special_text(tok, "mask"));
    axl_tokenizer_free(tok);

    o.pad_token = "<unk>";
    o.eos_token = "<0x41>";
    tok = tiny(&o);
    int32_t a = axl_tokenizer_id(tok, "<0x41>"), ids[] = { 1, a };
    assert_int_equal(axl_tokenizer_pad(tok), 0);
    assert_int_equal(axl_tokenizer_eos(tok), a);
    assert_ids(tok, "<0x41>", AXL_TOKENIZE_NO_SPECIAL, a);
    assert_ok(axl_tokenizer_decode(tok, ids, 2, AXL_DECODE_SKIP_SPECIAL, &text));
    assert_int_equal(text.length, 0);
    axl_buffer_free(&text);
    axl_tokenizer_free(tok);

    o.pad_token = "<pad>";
    tok = tiny(&o);
    assert_int_equal(axl_tokenizer_pad(tok), 768);
    axl_tokenizer_free(tok);
    o.type = "XLNetTokenizer";
    assert_fails(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), &o),
                 AXL_ERR_UNSUPPORTED, "tokenizer class \"XLNetTokenizer\"");
}

static void test_tokenizer__legacy_and_type(void **state)
{
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_tokenizer *tok;
    axl_buffer a = AXL_BUFFER_INIT, b = AXL_BUFFER_INIT, c = AXL_BUFFER_INIT;

    (void)state;
    o.legacy = 1;
    tok = tiny(&o);
    assert_ok(axl_tokenizer_encode(tok, "</s>the", 7, 0, &a));
    axl_tokenizer_free(tok);
    o.legacy = 0;
    tok = tiny(&o);
    assert_ok(axl_tokenizer_encode(tok, "</s>the", 7, 0, &b));
    axl_tokenizer_free(tok);
    assert_false(a.length == b.length && memcmp(a.data, b.data, a.length) == 0);
    o.legacy = -1;
    o.type = "PreTrainedTokenizerFast";
    tok = tiny(&o);
    assert_ok(axl_tokenizer_encode(tok, " the", 4, 0, &c));
    axl_tokenizer_free(tok);
    axl_buffer_free(&a);
    axl_buffer_free(&b);
    axl_buffer_free(&c);
}

/* ---- config, Hub ---- */

static axl_status from_yaml(axl_tokenizer **out, const char *more)
{
    char *yaml = axl__format(ctx,
                             "base_model: %s\n"
                             "datasets:\n  - path: rows.jsonl\n    type: alpaca\n"
                             "micro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                             "learning_rate: 1e-4\nnum_epochs: 1\nadapter: lora\nlora_r: 8\n"
                             "lora_alpha: 16\nlora_target_linear: true\n%s",
                             test_source_path("examples/tiny-llama"), more);
    axl_config *cfg;

    assert_ok(axl_config_parse(&cfg, ctx, yaml, strlen(yaml), "run.yml", NULL));
    axl_status status = axl_tokenizer_from_config(out, cfg);
    axl_config_free(cfg);
    axl__free(ctx, yaml);
    return status;
}

static void test_tokenizer__from_config(void **state)
{
    axl_tokenizer *tok;

    (void)state;
    assert_ok(from_yaml(&tok, ""));
    assert_int_equal(axl_tokenizer_pad(tok), 2);
    axl_tokenizer_free(tok);
    assert_ok(from_yaml(&tok, "tokenizer_type: LlamaTokenizer\ntokenizer_legacy: true\n"
                              "special_tokens:\n  pad_token: <unk>\n"));
    assert_int_equal(axl_tokenizer_pad(tok), 0);
    axl_tokenizer_free(tok);
    assert_ok(from_yaml(&tok, "special_tokens:\n  pad_token: <pad>\n"));
    assert_int_equal(axl_tokenizer_pad(tok), 768);
    axl_tokenizer_free(tok);
    assert_fails(from_yaml(&tok, "tokenizer_config: no/where\n"), AXL_ERR_NOT_FOUND,
                 "model \"no/where\" is neither a folder nor in the Hugging Face cache (");
    assert_fails(axl_tokenizer_from_config(&tok, NULL), AXL_ERR_INVALID, "");
}

static axl_status resolve(axl_context *own, const char *name, const char *revision,
                          const char *kind, char **path)
{
    axl__hub_wish wish = {
        .name = name, .revision = revision, .kind = kind, .pick = axl__hub_pick_tokenizer
    };

    return axl__hub_resolve(own, &wish, path);
}

static void test_hub__finds_names_in_the_cache(void **state)
{
    static const char commit[] = "0123456789abcdef0123456789abcdef01234567";
    char *cache = in_temp("hub"), *dir, *path;
    axl_context *own;

    (void)state;
    dir = axl__format(ctx, "%s/models--org--name/snapshots/%s", cache, commit);
    assert_ok(axl__make_dirs(ctx, dir));
    path = axl__format(ctx, "%s/models--org--name/refs", cache);
    assert_ok(axl__make_dirs(ctx, path));
    put_file(path, "main", commit, strlen(commit));
    axl__free(ctx, path);
    setenv("HF_HUB_CACHE", cache, 1);
    assert_ok(axl_context_new(&own, NULL));
    unsetenv("HF_HUB_CACHE");

    assert_ok(resolve(own, "org/name", NULL, "models", &path));
    assert_string_equal(path, dir);
    axl__free(own, path);
    assert_ok(resolve(own, "org/name", commit, "models", &path));
    assert_string_equal(path, dir);
    axl__free(own, path);
    assert_ok(resolve(own, cache, NULL, "models", &path));
    assert_string_equal(path, cache);
    axl__free(own, path);
    assert_fails(resolve(own, "org/name", "v2", "models", &path), AXL_ERR_NOT_FOUND,
                 "model \"org/name\" at revision v2 is neither a folder nor in");
    assert_fails(resolve(own, "org/name", NULL, "datasets", &path), AXL_ERR_NOT_FOUND,
                 "data set \"org/name\" is neither");
    assert_fails(resolve(own, "org/name", "../main", "models", &path), AXL_ERR_NOT_FOUND,
                 "\"../main\" is no revision");
    assert_fails(resolve(own, "./rows.jsonl", NULL, "datasets", &path), AXL_ERR_NOT_FOUND,
                 "data set \"./rows.jsonl\" does not exist");
    assert_fails(resolve(own, "", NULL, "models", &path), AXL_ERR_NOT_FOUND, "does not");
    axl_context_free(own);
    axl__free(ctx, dir);
    axl__free(ctx, cache);
}

/* ---- saving ---- */

static void same_file(const char *dir, const char *name, const char *as_dir, bool same)
{
    char *a = axl__format(ctx, "%s/%s", dir, name), *b = axl__format(ctx, "%s/%s", as_dir, name);
    axl__file x, y;

    assert_ok(axl__file_open(&x, ctx, a, true));
    assert_ok(axl__file_open(&y, ctx, b, true));
    assert_int_equal(x.size == y.size && memcmp(x.data, y.data, x.size) == 0, same);
    axl__file_close(&x);
    axl__file_close(&y);
    axl__free(ctx, a);
    axl__free(ctx, b);
}

static void test_tokenizer__saves_its_files(void **state)
{
    const char *source = test_source_path("examples/tiny-llama");
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_tokenizer *tok = tiny(NULL);
    char *dir = in_temp("saved");

    (void)state;
    assert_fails(axl_tokenizer_save(tok, dir), AXL_ERR_IO, "is not a folder");
    assert_ok(axl__make_dirs(ctx, dir));
    assert_ok(axl_tokenizer_save(tok, dir));
    axl_tokenizer_free(tok);
    same_file(dir, "tokenizer.json", source, true);
    same_file(dir, "tokenizer.model", source, true);
    same_file(dir, "tokenizer_config.json", source, true);

    o.pad_token = "<unk>";
    o.legacy = 0;
    tok = tiny(&o);
    assert_ok(axl_tokenizer_save(tok, dir));
    axl_tokenizer_free(tok);
    same_file(dir, "tokenizer.json", source, true);
    same_file(dir, "tokenizer_config.json", source, false);
    assert_ok(axl_tokenizer_open(&tok, ctx, dir, NULL));
    assert_int_equal(axl_tokenizer_pad(tok), 0);
    assert_int_equal(axl_tokenizer_bos(tok), 1);
    axl_tokenizer_free(tok);
    assert_ok(axl__remove_tree(dir));

    assert_ok(axl__make_dirs(ctx, dir));
    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama/tokenizer.model"),
                                 NULL));
    assert_ok(axl_tokenizer_save(tok, dir));
    axl_tokenizer_free(tok);
    same_file(dir, "tokenizer.model", source, true);
    axl__free(ctx, dir);
}

/* ---- memory, threads ---- */

static axl_status use_all(axl_context *own, const char *path, const char *saved)
{
    axl_buffer ids = AXL_BUFFER_INIT, text = AXL_BUFFER_INIT, offsets = AXL_BUFFER_INIT;
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    axl_tokenizer *tok;
    char words[200];

    o.pad_token = "<unk>";
    memset(words, 'e', sizeof words);
    memcpy(words + 20, " </s>\xFF\n", 7);
    axl_status status = axl_tokenizer_open(&tok, own, path, &o);
    if (status == AXL_OK)
        status = axl_tokenizer_encode(tok, words, sizeof words, 0, &ids);
    if (status == AXL_OK)
        status = axl_tokenizer_encode_with_offsets(tok, words, sizeof words, 0, &ids, &offsets);
    if (status == AXL_OK)
        status = axl_tokenizer_decode(tok, ids.data, ids.length / 4, 0, &text);
    if (status == AXL_OK)
        status = axl_tokenizer_save(tok, saved);
    axl_buffer_free(&ids);
    axl_buffer_free(&text);
    axl_buffer_free(&offsets);
    axl_tokenizer_free(tok);
    return status;
}

static void out_of_memory_at(const char *path)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    char *saved = in_temp("fault");
    axl_context *own;
    axl_status status = AXL_ERR_NOMEM;

    assert_ok(axl__make_dirs(ctx, saved));
    o.alloc = counted_alloc;
    o.realloc = counted_realloc;
    o.free = counted_free;
    o.threads = 1;
    left = 1000000;
    assert_ok(axl_context_new(&own, &o));
    for (long n = 0; status == AXL_ERR_NOMEM; n++) {
        long before = blocks;
        left = n;
        status = use_all(own, path, saved);
        assert_int_equal(blocks, before);
    }
    assert_ok(status);
    left = 1000000;
    axl_context_free(own);
    assert_int_equal(blocks, 0);
    axl__free(ctx, saved);
}

static void test_tokenizer__runs_out_of_memory(void **state)
{
    (void)state;
    out_of_memory_at(test_source_path("examples/tiny-llama"));
    out_of_memory_at(test_source_path("examples/tiny-llama/tokenizer.model"));
}

typedef struct {
    axl_tokenizer *tok;
    axl_buffer want;
    const char *text;
    size_t len;
    atomic_int wrong;
} shared;

static void encode_again(void *arg, uint64_t index)
{
    shared *s = arg;
    axl_buffer ids = AXL_BUFFER_INIT;

    (void)index;
    if (axl_tokenizer_encode(s->tok, s->text, s->len, 0, &ids) != AXL_OK ||
        ids.length != s->want.length || memcmp(ids.data, s->want.data, ids.length) != 0)
        atomic_fetch_add(&s->wrong, 1);
    axl_buffer_free(&ids);
}

static void test_tokenizer__threads_share_one(void **state)
{
    static const char text[] = "Once upon a time, there was a little girl named Lily. </s> x\n";
    shared s = { .tok = tiny(NULL), .want = AXL_BUFFER_INIT, .text = text, .len = strlen(text) };
    axl_tokenizer *fresh = tiny(NULL);

    (void)state;
    assert_ok(axl_tokenizer_encode(fresh, text, s.len, 0, &s.want));
    axl__parallel_for(ctx, 2000, encode_again, &s);
    assert_int_equal(atomic_load(&s.wrong), 0);
    axl_buffer_free(&s.want);
    axl_tokenizer_free(s.tok);
    axl_tokenizer_free(fresh);
}

/* The handle keeps what it needs: the context may go first. */
static void test_tokenizer__outlives_its_context(void **state)
{
    axl_context *own = test_context();
    axl_tokenizer *tok;

    (void)state;
    assert_ok(axl_tokenizer_open(&tok, own, test_source_path("examples/tiny-llama"), NULL));
    axl_context_free(own);
    assert_int_equal(axl_tokenizer_bos(axl__tokenizer_ref(tok)), 1);
    axl_tokenizer_free(tok);
    assert_int_equal(axl_tokenizer_bos(tok), 1);
    axl_tokenizer_free(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer__broken_json),
        cmocka_unit_test(test_tokenizer__broken_small_files),
        cmocka_unit_test(test_tokenizer__broken_sentencepiece),
        cmocka_unit_test(test_tokenizer__broken_rank_files),
        cmocka_unit_test(test_tokenizer__cut_and_flipped_models),
        cmocka_unit_test(test_tokenizer__merges_go_by_rank_then_place),
        cmocka_unit_test(test_tokenizer__merging_follows_the_rule),
        cmocka_unit_test(test_tokenizer__stripping_takes_later_matches_in),
        cmocka_unit_test(test_tokenizer__a_megabyte_of_one_letter),
        cmocka_unit_test(test_tokenizer__ill_formed_utf8_is_replaced),
        cmocka_unit_test(test_tokenizer__offsets_count_what_was_given),
        cmocka_unit_test(test_tokenizer__random_bytes),
        cmocka_unit_test(test_tokenizer__can_be_cancelled),
        cmocka_unit_test(test_tokenizer__arguments),
        cmocka_unit_test(test_tokenizer__special_tokens),
        cmocka_unit_test(test_tokenizer__legacy_and_type),
        cmocka_unit_test(test_tokenizer__from_config),
        cmocka_unit_test(test_hub__finds_names_in_the_cache),
        cmocka_unit_test(test_tokenizer__saves_its_files),
        cmocka_unit_test(test_tokenizer__runs_out_of_memory),
        cmocka_unit_test(test_tokenizer__threads_share_one),
        cmocka_unit_test(test_tokenizer__outlives_its_context),
    };

    ctx = test_context();
    int failed = test_run(tests);
    axl__remove_tree(test_temp_dir());
    axl_context_free(ctx);
    return failed;
}
