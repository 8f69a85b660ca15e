/* SPDX-License-Identifier: Apache-2.0 */
/* test_text_forms.c - what is done to a text before a model of bytes sees it, over all of Unicode:
 * form C (tests/golden/make_nfc_goldens.py), words, and the alphabet of bytes. */
#include "testing.h"

#include "base/utf8.h"
#include "sha256.h"
#include "text/byte_level.h"
#include "text/nfc.h"
#include "text/splitter.h"

static void put_form(sha256 *hash, axl__str *text, axl__str *form)
{
    axl__str_clear(form);
    assert_ok(axl__nfc(form, axl__str_text(text), text->len));
    sha256_put(hash, axl__str_text(form), form->len + 1); /* its NUL, too */
    axl__str_clear(text);
}

static void test_text_forms__form_c_of_every_code_point(void **state)
{
    axl_context *ctx = test_context();
    axl__str text, form;
    char hex[65];
    sha256 hash;

    (void)state;
    axl__str_init(&text, ctx);
    axl__str_init(&form, ctx);
    sha256_init(&hash);
    for (uint32_t c = 1; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000)
            continue;
        axl__str_put_utf8(&text, c);
        put_form(&hash, &text, &form);
        axl__str_puts(&text, "a\u0345");
        axl__str_put_utf8(&text, c);
        put_form(&hash, &text, &form);
        axl__str_puts(&text, "a");
        axl__str_put_utf8(&text, c);
        axl__str_puts(&text, "\u0334");
        put_form(&hash, &text, &form);
        axl__str_puts(&text, "\U00011935");
        axl__str_put_utf8(&text, c);
        axl__str_puts(&text, "\u0301");
        put_form(&hash, &text, &form);
    }
    sha256_hex(&hash, hex);
    assert_string_equal(hex, "9c48fa85afc43df4aea1f7dde1658112c79fd6aa32426fe69950e7f83b5825f1");
    axl__str_free(&text);
    axl__str_free(&form);
    axl_context_free(ctx);
}

/* Every byte has a character of its own, and comes back from it. */
static void test_text_forms__bytes_there_and_back(void **state)
{
    axl_context *ctx = test_context();
    axl__str chars, bytes;
    char all[256];

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    axl__str_init(&chars, ctx);
    axl__str_init(&bytes, ctx);
    axl__byte_level_put(&chars, all, sizeof all);
    assert_true(axl__utf8_valid(axl__str_text(&chars), chars.len));
    axl__byte_level_decode(&bytes, chars.data, chars.len);
    assert_int_equal(bytes.len, sizeof all);
    assert_memory_equal(bytes.data, all, sizeof all);
    axl__str_clear(&bytes);
    axl__byte_level_decode(&bytes, "a \u4e2d", 5); /* a space is no character of the alphabet */
    assert_int_equal(bytes.len, 5);
    axl__str_free(&chars);
    axl__str_free(&bytes);
    axl_context_free(ctx);
}

static void check_words(axl__splitter kind, const char *text, const char *words)
{
    char got[256] = "";
    size_t len = strlen(text), to;

    for (size_t from = 0; from < len; from = to) {
        to = axl__split_word(kind, text, len, from);
        assert_true(to > from && to <= len);
        strncat(got, text + from, to - from);
        strcat(got, "|");
    }
    assert_string_equal(got, words);
}

static void test_text_forms__words(void **state)
{
    static const char gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
                               "|\\s+(?!\\S)|\\s+";

    (void)state;
    assert_int_equal(axl__splitter_of(gpt2, sizeof gpt2 - 1), AXL__SPLIT_GPT2);
    assert_int_equal(axl__splitter_of(gpt2, sizeof gpt2 - 2), AXL__SPLIT_NONE);
    check_words(AXL__SPLIT_GPT2, "It's  12345 x,y", "It|'s| | 12345| x|,|y|");
    check_words(AXL__SPLIT_LLAMA3, "IT'S 12345  x\n\n  y", "IT|'S| |123|45| | x|\n\n| | y|");
    check_words(AXL__SPLIT_QWEN2, "a12 (b)!\n\nc  ", "a|1|2| (|b|)!\n\n|c|  |");
    check_words(AXL__SPLIT_DIGITS, "a12b", "a|1|2|b|");
    check_words(AXL__SPLIT_DIGIT_RUNS, "a12b", "a|12|b|");
    check_words(AXL__SPLIT_NONE, "a b", "a b|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_forms__form_c_of_every_code_point),
        cmocka_unit_test(test_text_forms__bytes_there_and_back),
        cmocka_unit_test(test_text_forms__words),
    };

    return test_run(tests);
}
