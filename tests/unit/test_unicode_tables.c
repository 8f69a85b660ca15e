/* SPDX-License-Identifier: Apache-2.0 */
/* test_unicode_tables.c - every code point through the normalizers, pre-tokenizers and classes of
 * characters that a tokenizer.json may ask for (tests/golden/make_unicode_goldens.py). */
#include "testing.h"

#include "base/utf8.h"
#include "sha256.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

typedef struct {
    const char *name, *sha256;
} golden;

static const golden forms[] = {
    { "NFD", "7b9dacf4b115d75aa5d19aada1399483eb079153ad06837369549460e04a63d2" },
    { "NFKD", "f4ff2585db8b1af43457cd2498ac80408fa00f2fa7d0ab58a809d6b159c699fc" },
    { "NFC", "58595d6c65e6aca4ed18dc7aec9571084d271df51800afb38701a98bf702c8e8" },
    { "NFKC", "3f1be630802adad346d6053c2b21f776b764ecb8351cf48b0cf3e563fa8b203a" },
    { "Lowercase", "c89053ed0274fc4b3524074c40c465c9eb4c1dc6e6916be646b531ed0ba4dcdb" },
    { "Nmt", "4eb85e60034bc9b2b95aa4c1d8f61d43a25790292e35622786580fff6787a260" },
    { "StripAccents", "58e36b645c18d07e882871db6ff4c92981eb727707560d27a7dc832032e429c3" },
    { "clean", "0e34fe1e19b8ef701a2623ac3bfd85d1169a1e2019cb01f9ec65f13e209c0016" },
    { "chinese", "6488d2c89cac1c4e9b37e8834ab9abe11b55975fc19e72a9a96e7fdc73615b55" },
    { "accents", "2f0c4166073e695ebb066c8e4604e5365ffe2dcdd002865f713bb71027488fe9" },
};

static const golden cuts[] = {
    { "Punctuation", "bebb1f9304600f49730891f1eede38b4f5e11d0e22ef3c6c28d97b7f98e95422" },
    { "Whitespace", "cf80333762f27124260515641f1d34bc7bb58636e8cdfc785c573d579307422f" },
    { "WhitespaceSplit", "8fdc183df7fb422b7a44062cff0ff83dde6ea66988472b0790408f14677f76ca" },
    { "UnicodeScripts", "0a53c5e5c57104574b44efba7192556408b392bf12102f3cc3f7e01853be87cf" },
};

static const golden classes[] = {
    { "\\p{L}", "78ae558106ca21067632cc329470fae717df06527c1c2df449a76bb683c19c99" },
    { "\\p{M}", "e78963d9a6f9a1237a2f8d0aa7d8fa641ad82f744aaffac70b28e6db8f287e9c" },
    { "\\p{N}", "2bd3786d4b828432b645d4b94ecdf661276a9abbdd835ca480b766091ca79d58" },
    { "\\p{P}", "4689f4eafc6a3949a4dd127f47642b74d445e1afeb8f39bff1bcf32a6cda71e8" },
    { "\\p{S}", "bc6769002feeb7a224d31cfb03a267f3de7025dd28601a438aef733b428957cc" },
    { "\\p{Z}", "cca93801d5d3eae666d786c7e91fa5645fb8ffed6cdeb8f436e6f7551cd0a631" },
    { "\\p{Han}", "4d88d555fa81ea31035361dab2fa6c61d20de0fb7f044f7f2decec7b306c5f8c" },
    { "\\p{Lu}", "cff9c8155fc25c628ef0ed7b9510fbb02d8e7a248063df202c95085aa2dad29b" },
    { "\\p{Ll}", "dd4a8e6ab05489fcc030507cacb5ad774d8cfec68be06ac44b3fed2fdaecadc9" },
    { "\\p{Lt}", "0923c1fecbbbc4e3fbcbe8ef2ba46f5cc6c688ee61aed23712172b074ac0e6a4" },
    { "\\p{Lm}", "cfbbddbe5b38ac771d7221fbc3e22b801177f20015d24a16075c56ee7a151e99" },
    { "\\p{Lo}", "00356be1e76b5efcea3407ab8f5672be7e965fbdc6f90ad83a6a5093b4ae365e" },
    { "\\p{Mn}", "df052b79f46148f9ad17f790cc4814d700e7b21065f79ca04aab39e558844be0" },
    { "\\p{Mc}", "9c12643e07b1d332f0e193f20de48d59f6e442570446eed2d6e9a6181860bf6c" },
    { "\\p{Me}", "71120553c1c6d8ea48be8cfafc5b5f5f80e6fac5930b8639222dcebf7e39bd7f" },
    { "\\p{Nd}", "f3cee6abb9cf0533c888172c239c22f27fe627d82e27bd00a08f7b7818d1ca9b" },
    { "\\p{Nl}", "2e4d5b6342ffa30d3a32e88df2aa0bfe1529b7dbc0d255b7dc8d11a298e17fc2" },
    { "\\p{No}", "ae39e89746117a8d22215676182e89dee4dbcdf2362d0aa47fce184e45edc6ad" },
    { "\\p{Pc}", "9017defc9fed6c24fa1dab6c01133bc22f6403dffb4ffe2dae83313d9da07d66" },
    { "\\p{Pd}", "43779be7bed5e608d01b4ec71de4580bbfb02fd644ddd9bf21488bd9f48bde42" },
    { "\\p{Ps}", "66edff559b9f7884cf425c5b1ddc0fd759a3ce144c341bfaca83d2e9c15d698c" },
    { "\\p{Pe}", "2d6fc3c385661b2854d7d6b03bd28a02171ceb43664e147f1ccf686414d9e84e" },
    { "\\p{Pi}", "e78988d0d66f24f34d65adb8840ccd203f8fc53a6f0705e47d16ff656576629d" },
    { "\\p{Pf}", "34fe9304de682c2205ec1d0a982e2eaf0ff965097db79b37a0b118b067c9f6bb" },
    { "\\p{Po}", "e63420ce1bf7db4a1d79b410c96b11857b8ccabfe8d6fce4e29440bb083bfaa2" },
    { "\\p{Sm}", "65cca885a42221ac73aec3b46147e6ace4758a1dfa23f731bab90ace49292139" },
    { "\\p{Sc}", "debdde7fd5639976681f371d1991c0c32c7fc2df443b067f5c9666a3c2c904b6" },
    { "\\p{Sk}", "d4d41377bc21909ea514ec5bade4ec7768b747ed047eb256ae5972eb0956be0f" },
    { "\\p{So}", "616738311729e6e284bf44cbb0b20027e8589d5e33a892381cc7045065b1a667" },
    { "\\p{Zs}", "b4611faccfad24e50333137d2b5c95cbdb3eacf01a7ecd4fc45bf61a117092db" },
    { "\\p{Zl}", "aeea362e99e73056b8917c2f92621098a7d5e07d630969e71a653b5401813c0e" },
    { "\\p{Zp}", "eb3ac9abd886a37d2e8a3573babd62249bb924104b7c1fc9e8460bf4b4a77d68" },
    { "\\p{Cc}", "28b618a0e2e803d932ac38219eb4624c2220eede76796b10b60eb2354fd60e22" },
    { "\\p{Cf}", "1262f3b4c2e65d7459b52aba7ea079651d3e21f3a522fc3418c7afce76de8823" },
    { "\\p{Co}", "17e836e73e36c4221942770f8e266761453d2062953040bad5a695c57b74d4d2" },
    { "\\p{Cn}", "dce06e2f98f7c6b864419b98007e02362ebdfed1408d1767db78797cfdb0ab00" },
    { "\\s", "923484759253ae505ab2d0503253d9dfd4f279ad5ce709bbe1ca5f1fdcd45b4b" },
    { "\\d", "f3cee6abb9cf0533c888172c239c22f27fe627d82e27bd00a08f7b7818d1ca9b" },
    { "\\w", "7eeb757ce5445b7f5579f41abca25a2f7a18a86ed7944db3edf32bfb3733b010" },
    { "[^\\s\\p{L}\\p{N}]", "28265a50172163b1987a52eadfdd7e67176edb87dac2db3ca2a1ba065a5c09d0" },
    { "[\\p{L}\\p{M}]", "48666da0de706e02c5f753fe1d37b7b796b7d9fb18f7f83146e2ea97d2858193" },
    { "\\P{Mn}", "a2c4bf1ee7e485b6372809765d1407e316d2e3a4321f9194aab42696b731c304" },
    { "[\\p{L}&&[^\\p{Han}]]", "8f34b6f26675917653d1a9ed0600ef74845dc0da6d461001dd006faf2fda38f2" },
};

static axl_context *ctx;

/* The next code point; where nothing is, or private use, every 257th. */
static uint32_t next_point(uint32_t c)
{
    c = c == 0xD7FF ? 0xE000 : c + 1;
    while (c >= 0x32400 && (c < 0xE0000 || c >= 0xE1000) && c % 257 != 0)
        c++;
    return c;
}

static void check(sha256 *hash, const golden *want)
{
    char hex[65];

    sha256_hex(hash, hex);
    if (strcmp(hex, want->sha256) != 0)
        fail_msg("%s: %s", want->name, hex);
}

/* A part as a file has it; the four parts of BertNormalizer are asked for one by one. */
static axl__part parsed(axl__arena *arena, const char *what, const char *name)
{
    bool bert = name[0] >= 'a';
    axl__json *root;
    char text[256];

    snprintf(text, sizeof text,
             "{\"type\": \"%s\", \"clean_text\": %s, \"handle_chinese_chars\": %s, "
             "\"strip_accents\": %s, \"lowercase\": false}",
             bert ? "BertNormalizer" : name, strcmp(name, "clean") == 0 ? "true" : "false",
             strcmp(name, "chinese") == 0 ? "true" : "false",
             strcmp(name, "accents") == 0 ? "true" : "false");
    assert_ok(axl__json_parse(&root, arena, text, strlen(text), "part"));
    return (axl__part){ what, root, arena };
}

static void hash_form(sha256 *hash, const axl__pipeline *p, axl__aligned *in, axl__aligned *out)
{
    axl__regex_scratch unused = { NULL };

    axl__aligned_clear(out);
    assert_ok(axl__normalize_step(&p->normalizer[0], in, out, SIZE_MAX, &unused));
    sha256_put(hash, axl__str_text(&out->text), out->text.len + 1); /* its NUL, too */
    axl__aligned_clear(in);
}

static void put_point(axl__aligned *a, uint32_t c)
{
    char bytes[4];

    axl__aligned_put(a, bytes, axl__utf8_encode(bytes, c), (axl__span){ 0, 0 });
}

static void test_unicode__normalizers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        axl__regexes owned = { ctx, NULL };
        axl__pipeline p = { .n_normalizer = 0 };
        axl__aligned in, out;
        axl__arena arena;
        sha256 hash;
        axl__arena_init(&arena, ctx);
        axl__aligned_init(&in, ctx, false);
        axl__aligned_init(&out, ctx, false);
        sha256_init(&hash);
        axl__part part = parsed(&arena, "normalizer", forms[i].name);
        assert_ok(axl__read_normalizer(&p, &part, &owned));
        for (uint32_t c = 1; c < 0x110000; c = next_point(c)) {
            put_point(&in, c);
            hash_form(&hash, &p, &in, &out);
            if (i >= 4) /* behind the forms D, KD, C, KC */
                continue;
            put_point(&in, 'a');
            put_point(&in, c);
            put_point(&in, 0x334);
            hash_form(&hash, &p, &in, &out);
        }
        check(&hash, &forms[i]);
        axl__aligned_free(&in);
        axl__aligned_free(&out);
        axl__arena_free(&arena);
    }
}

static void test_unicode__pre_tokenizers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        axl__regexes owned = { ctx, NULL };
        axl__pipeline p = { .n_cuts = 0 };
        axl__cutter cutter;
        axl__aligned in;
        axl__words words;
        axl__arena arena;
        sha256 hash;
        axl__arena_init(&arena, ctx);
        axl__cutter_init(&cutter, ctx, false);
        axl__aligned_init(&in, ctx, false);
        axl__words_init(&words, ctx, false);
        sha256_init(&hash);
        axl__part part = parsed(&arena, "pre_tokenizer", cuts[i].name);
        assert_ok(axl__read_pre_tokenizer(&p, &part, &owned));
        for (uint32_t c = 1; c < 0x110000; c = next_point(c)) {
            axl__aligned_clear(&in);
            axl__words_clear(&words);
            put_point(&in, 0xBD);
            put_point(&in, c);
            put_point(&in, 'A');
            assert_ok(axl__cut_word(&cutter, &p.cuts[0], &in, 0, in.text.len, &words));
            sha256_put(&hash, &(unsigned char){ (unsigned char)words.count }, 1);
        }
        check(&hash, &cuts[i]);
        axl__cutter_free(&cutter);
        axl__aligned_free(&in);
        axl__words_free(&words);
        axl__arena_free(&arena);
    }
}

static void hash_class(sha256 *hash, const axl__regex *regex, const axl__str *all)
{
    axl__regex_scratch scratch = { NULL };
    axl__regex_walk walk = { regex, &scratch, all->data, all->len, 0, false };
    size_t from, to;
    axl_status status;

    while ((status = axl__regex_next(&walk, &from, &to)) == AXL_OK)
        while (from < to) {
            uint32_t c = axl__utf8_next(all->data, all->len, &from);
            sha256_put(hash,
                       (unsigned char[]){ (unsigned char)c, (unsigned char)(c >> 8),
                                          (unsigned char)(c >> 16), 0 },
                       4);
        }
    assert_int_equal(status, AXL_END);
    axl__regex_scratch_free(&scratch);
}

/* In texts of 4096 code points, as a match may be as long as its text. */
static void test_unicode__classes(void **state)
{
    axl__str part;

    (void)state;
    axl__str_init(&part, ctx);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        char pattern[64];
        axl__regex *regex;
        sha256 hash;
        snprintf(pattern, sizeof pattern, "%s+", classes[i].name);
        assert_ok(axl__regex_new(&regex, ctx, pattern, strlen(pattern)));
        sha256_init(&hash);
        for (uint32_t c = 1; c < 0x110000;) {
            axl__str_clear(&part);
            for (int n = 0; n < 4096 && c < 0x110000; n++, c = next_point(c))
                axl__str_put_utf8(&part, c);
            axl__regex_pad(&part);
            hash_class(&hash, regex, &part);
        }
        check(&hash, &classes[i]);
        axl__regex_free(regex);
    }
    axl__str_free(&part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unicode__normalizers),
        cmocka_unit_test(test_unicode__pre_tokenizers),
        cmocka_unit_test(test_unicode__classes),
    };

    ctx = test_context();
    int failed = test_run(tests);
    axl_context_free(ctx);
    return failed;
}
