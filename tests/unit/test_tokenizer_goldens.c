/* SPDX-License-Identifier: Apache-2.0 */
/* test_tokenizer_goldens.c - ids and texts against transformers' (tests/golden/
 * make_tokenizer_goldens.py says what a file holds; make_byte_level_goldens.py makes another). */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"
#include "sha256.h"
#include "text/aligned.h"
#include "text/tokenizer.h"

static axl_context *ctx;
static axl__arena arena;
static axl__file file; /* numbers of the tree point into it */
static axl__json *goldens;
static const axl__json **pool;
static axl__file offset_file;
static axl__json *offset_goldens;               /* make_offset_goldens.py */
static const axl__json **offset_pool, *offsets; /* those of the goldens at hand */

static axl__json *open_golden(const char *name, axl__file *from, const axl__json ***items)
{
    char path[64];
    axl__json *root;

    snprintf(path, sizeof path, "tests/golden/tokenizer/%s.json", name);
    assert_ok(axl__file_open(from, ctx, test_source_path(path), false));
    assert_ok(axl__json_parse(&root, &arena, (const char *)from->data, from->size, path));
    const axl__json *list = axl__json_get(root, "pool");
    const axl__json **at = *items = calloc(list->count, sizeof **items);
    for (const axl__json *v = list->child; v; v = v->next)
        *at++ = v;
    return root;
}

static void open_goldens(const char *name)
{
    ctx = test_context();
    axl__arena_init(&arena, ctx);
    goldens = open_golden(name, &file, &pool);
    offset_goldens = open_golden("offset_goldens", &offset_file, &offset_pool);
    offsets = axl__json_get(offset_goldens, name);
}

static void close_goldens(void)
{
    free(pool);
    free(offset_pool);
    axl__arena_free(&arena);
    axl__file_close(&file);
    axl__file_close(&offset_file);
    axl_context_free(ctx);
}

/* ---- a folder from its description ---- */

/* Replaces texts in a copied file. */
static void edit(axl__str *text, const axl__json *edits)
{
    for (const axl__json *e = edits ? edits->child : NULL; e; e = e->next) {
        const axl__json *from = e->child, *to = from->next;
        char *at = memmem(text->data, text->len, from->text, from->len);
        axl__str made;
        assert_non_null(at);
        axl__str_init(&made, ctx);
        axl__str_put(&made, text->data, (size_t)(at - text->data));
        axl__str_put(&made, to->text, to->len);
        at += from->len;
        axl__str_put(&made, at, (size_t)(text->data + text->len - at));
        axl__str_free(text);
        *text = made;
    }
}

static void write_file(const char *dir, const char *name, const axl__str *text)
{
    char *path = axl__format(ctx, "%s/%s", dir, name);

    assert_ok(axl__str_status(text));
    assert_ok(axl__write_file(ctx, path, axl__str_text(text), text->len));
    axl__free(ctx, path);
}

static char *make_folder(const axl__json *c)
{
    char *dir = axl__format(ctx, "%s/%s", test_temp_dir(), axl__json_string(c, "name", "?"));

    assert_ok(axl__remove_tree(dir));
    assert_ok(axl__make_dirs(ctx, dir));
    for (const axl__json *v = axl__json_get(c, "copy")->child; v; v = v->next) {
        const char *source = test_shared_path(v->text);
        axl__file f;
        axl__str text;
        if (!source) {
            print_message("skipped: %s is not there\n", v->text);
            skip();
        }
        axl__str_init(&text, ctx);
        assert_ok(axl__file_open(&f, ctx, source, false));
        axl__str_put(&text, f.data, f.size);
        axl__file_close(&f);
        edit(&text, axl__json_get(axl__json_get(c, "edit"), v->key));
        write_file(dir, v->key, &text);
        axl__str_free(&text);
    }
    for (const axl__json *v = axl__json_get(c, "write")->child; v; v = v->next) {
        axl__str text;
        axl__str_init(&text, ctx);
        axl__json_write(&text, v, 0);
        write_file(dir, v->key, &text);
        axl__str_free(&text);
    }
    return dir;
}

/* ---- comparing ---- */

static int failures;

static void report(const char *what, const char *name, const axl__json *text, const axl__str *got)
{
    axl__str shown;

    if (failures++ > 10)
        return;
    axl__str_init(&shown, ctx);
    if (text)
        axl__json_write(&shown, text, 0);
    print_error("%s: %s differs for %.120s: got %.200s\n", name, what, axl__str_text(&shown),
                axl__str_text(got));
    axl__str_free(&shown);
}

static void check_ids(const axl_tokenizer *tok, const char *name, const axl__json *text,
                      uint32_t flags, const axl__json *want)
{
    axl_buffer ids = AXL_BUFFER_INIT;
    axl__str got;
    size_t i = 0;
    bool same = true;

    assert_ok(axl_tokenizer_encode(tok, text->text, text->len, flags, &ids));
    const int32_t *data = ids.data;
    for (const axl__json *v = want->child; v; v = v->next, i++)
        same = same && i < ids.length / 4 && data[i] == v->integer;
    if (!same || i != ids.length / 4) {
        axl__str_init(&got, ctx);
        for (i = 0; i < ids.length / 4; i++)
            axl__str_putf(&got, "%d ", (int)data[i]);
        axl__str_puts(&got, " want ");
        axl__json_write(&got, want, 0);
        report(flags ? "plain" : "with", name, text, &got);
        axl__str_free(&got);
    }
    axl_buffer_free(&ids);
}

/* Decoded at once, and token by token behind a prompt of each of a few lengths. */
static void check_text(const axl_tokenizer *tok, const char *name, const axl__json *list,
                       uint32_t flags, const axl__json *want)
{
    int32_t *ids = calloc(list->count + 1, sizeof *ids);
    size_t n = 0;
    axl__str out, part;
    axl__decode_stream s;

    for (const axl__json *v = list->child; v; v = v->next)
        ids[n++] = v->integer > INT32_MAX ? INT32_MAX : (int32_t)v->integer;
    axl__str_init(&out, ctx);
    assert_ok(axl__tokenizer_decode(tok, ids, n, flags, &out));
    if (out.len != want->len || memcmp(axl__str_text(&out), want->text, want->len) != 0)
        report(flags ? "text_skip" : "text", name, list, &out);
    for (size_t prompt = 0; prompt <= n && prompt < 6; prompt++) {
        axl__str_init(&part, ctx);
        assert_ok(axl__tokenizer_decode(tok, ids, prompt, flags, &part));
        size_t common = 0;
        while (common < part.len && common < out.len && part.data[common] == out.data[common])
            common++;
        while (common > 0 && common < out.len && ((unsigned char)out.data[common] & 0xC0) == 0x80)
            common--;
        axl__str_clear(&part);
        assert_ok(axl__decode_stream_init(&s, tok, flags, ids, prompt));
        for (size_t i = prompt; i < n; i++)
            assert_ok(axl__decode_stream_put(&s, ids[i], &part));
        assert_ok(axl__decode_stream_end(&s, &part));
        axl__decode_stream_free(&s);
        if (part.len != out.len - common ||
            memcmp(axl__str_text(&part), axl__str_text(&out) + common, part.len) != 0)
            report("stream", name, list, &part);
        axl__str_free(&part);
    }
    axl__str_free(&out);
    free(ids);
}

static const axl__json *result(const axl__json **at)
{
    const axl__json *v = *at;

    *at = v->next;
    return pool[v->integer];
}

static void check_texts(const axl_tokenizer *tok, const char *name, const axl__json *texts,
                        const axl__json *r)
{
    const axl__json *with = axl__json_get(r, "with")->child;
    const axl__json *plain = axl__json_get(r, "plain")->child;
    const axl__json *text = axl__json_get(r, "text"), *skip = axl__json_get(r, "text_skip");

    text = text ? text->child : NULL;
    skip = skip ? skip->child : NULL;
    for (const axl__json *v = texts->child; v; v = v->next) {
        const axl__json *ids = result(&with);
        check_ids(tok, name, v, 0, ids);
        check_ids(tok, name, v, AXL_TOKENIZE_NO_SPECIAL, result(&plain));
        if (text)
            check_text(tok, name, ids, 0, result(&text));
        if (skip)
            check_text(tok, name, ids, AXL_DECODE_SKIP_SPECIAL, result(&skip));
    }
}

/* ---- offsets ---- */

/* want: NULL where only the ids are known. */
static void check_offsets(const axl_tokenizer *tok, const char *name, const axl__json *text,
                          uint32_t flags, const axl__json *want)
{
    axl_buffer ids = AXL_BUFFER_INIT, places = AXL_BUFFER_INIT, alone = AXL_BUFFER_INIT;
    const axl__json *v = want ? want->child : NULL;
    int64_t last = 0;
    bool same;

    assert_ok(axl_tokenizer_encode_with_offsets(tok, text->text, text->len, flags, &ids, &places));
    assert_ok(axl_tokenizer_encode(tok, text->text, text->len, flags, &alone));
    const axl__span *got = places.data;
    size_t n = ids.length / 4;
    assert_int_equal(places.length, n * sizeof *got);
    same = ids.length == alone.length && (n == 0 || memcmp(ids.data, alone.data, ids.length) == 0);
    same = same && (!want || (size_t)want->count == 2 * n);
    for (size_t i = 0; i < n && same && want; i++, v = v->next->next) {
        same = got[i].begin == last + v->integer;
        same = same && got[i].end == got[i].begin + v->next->integer;
        last = got[i].end;
    }
    if (!same) {
        axl__str shown;
        axl__str_init(&shown, ctx);
        last = 0;
        for (size_t i = 0; i < n; last = got[i++].end)
            axl__str_putf(&shown, "%d,%d,", (int)(got[i].begin - last),
                          (int)(got[i].end - got[i].begin));
        axl__str_puts(&shown, " want ");
        if (want)
            axl__json_write(&shown, want, 0);
        report(flags ? "plain offsets" : "offsets", name, text, &shown);
        axl__str_free(&shown);
    }
    axl_buffer_free(&ids);
    axl_buffer_free(&places);
    axl_buffer_free(&alone);
}

/* chosen: the indices of the texts that are asked about; NULL for all. */
static void check_all_offsets(const axl_tokenizer *tok, const char *name, const axl__json *texts,
                              const axl__json *chosen, const axl__json *list, uint32_t flags)
{
    const axl__json *which = chosen ? chosen->child : NULL, *v = texts->child;
    int64_t at = 0;

    assert_non_null(list);
    for (const axl__json *o = list->child; o; o = o->next) {
        for (; which && at < which->integer; at++)
            v = v->next;
        if (o->integer >= 0)
            check_offsets(tok, name, v, flags, offset_pool[o->integer]);
        which = which ? which->next : NULL;
        v = v->next;
        at++;
    }
}

static void check_case_offsets(const axl_tokenizer *tok, const char *name, const char *kind,
                               const char *texts)
{
    const axl__json *r = axl__json_get(axl__json_get(offsets, kind), name);
    const axl__json *chosen =
        strcmp(kind, "variants") == 0 ? NULL : axl__json_get(offsets, "texts");
    const axl__json *list = axl__json_get(goldens, texts);

    if (strcmp(kind, "bare") != 0)
        check_all_offsets(tok, name, list, chosen, axl__json_get(r, "with"), 0);
    check_all_offsets(tok, name, list, chosen,
                      strcmp(kind, "bare") == 0 ? r : axl__json_get(r, "plain"),
                      AXL_TOKENIZE_NO_SPECIAL);
}

static void hash_strings(const axl_tokenizer *tok, const axl__json *v, uint32_t flags, sha256 *hash,
                         int64_t *total)
{
    if (v->type == AXL__JSON_STRING) {
        axl_buffer ids = AXL_BUFFER_INIT;
        assert_ok(axl_tokenizer_encode(tok, v->text, v->len, flags, &ids));
        int32_t n = (int32_t)(ids.length / 4);
        sha256_put(hash, &n, 4);
        sha256_put(hash, ids.data, ids.length);
        *total += n;
        axl_buffer_free(&ids);
    }
    for (const axl__json *m = v->child; m; m = m->next)
        hash_strings(tok, m, flags, hash, total);
}

static void check_hash(const axl_tokenizer *tok, const char *name, const axl__json *records,
                       uint32_t flags, const axl__json *want, const char *file)
{
    sha256 hash;
    char hex[65];
    int64_t total = 0;

    sha256_init(&hash);
    hash_strings(tok, records, flags, &hash, &total);
    sha256_hex(&hash, hex);
    if (strcmp(hex, axl__json_string(want, "sha256", "")) != 0) {
        print_error("%s: %s differs: %lld ids, want %lld\n", name, file, (long long)total,
                    (long long)axl__json_int(want, "ids", 0));
        failures++;
    }
}

static void check_data(const axl_tokenizer *tok, const char *name, const axl__json *data)
{
    for (const axl__json *d = data->child; d; d = d->next) {
        char *relative = axl__format(ctx, "data/%s", d->key);
        const char *path = test_shared_path(relative);
        axl__json *records = calloc(1, sizeof *records), **link = &records->child;
        axl__file f;
        axl__arena rows;
        axl__json_error error;
        if (!path) {
            print_message("%s is not there\n", relative);
            goto next;
        }
        axl__arena_init(&rows, ctx);
        assert_ok(axl__file_open(&f, ctx, path, false));
        for (size_t at = 0; at < f.size;) {
            assert_ok(axl__json_read_at(link, &rows, (const char *)f.data, f.size, &at, &error));
            link = &(*link)->next;
            while (at < f.size && strchr(" \r\n\t", f.data[at]))
                at++;
        }
        check_hash(tok, name, records, 0, axl__json_get(d, "with"), d->key);
        check_hash(tok, name, records, AXL_TOKENIZE_NO_SPECIAL, axl__json_get(d, "plain"), d->key);
        axl__file_close(&f);
        axl__arena_free(&rows);
    next:
        free(records);
        axl__free(ctx, relative);
    }
}

/* ---- cases ---- */

static void test_tokenizer_goldens__folders(void **state)
{
    (void)state;
    failures = 0;
    for (const axl__json *c = axl__json_get(goldens, "cases")->child; c; c = c->next) {
        const char *name = axl__json_string(c, "name", "?");
        char *dir = make_folder(c);
        axl_tokenizer *tok;
        assert_ok(axl_tokenizer_open(&tok, ctx, dir, NULL));
        check_texts(tok, name, axl__json_get(goldens, "hard"), axl__json_get(c, "hard"));
        check_case_offsets(tok, name, "cases", "hard");
        const axl__json *d = axl__json_get(c, "decode");
        const axl__json *text = axl__json_get(d, "text")->child;
        const axl__json *skip = axl__json_get(d, "text_skip")->child;
        for (const axl__json *v = axl__json_get(goldens, "decode")->child; v; v = v->next) {
            check_text(tok, name, v, 0, result(&text));
            check_text(tok, name, v, AXL_DECODE_SKIP_SPECIAL, result(&skip));
        }
        check_data(tok, name, axl__json_get(c, "data"));
        axl_tokenizer_free(tok);
        axl__free(ctx, dir);
    }
    assert_int_equal(failures, 0);
}

static void test_tokenizer_goldens__variants(void **state)
{
    (void)state;
    failures = 0;
    for (const axl__json *c = axl__json_get(goldens, "variants")->child; c; c = c->next) {
        const char *name = axl__json_string(c, "name", "?");
        char *dir = make_folder(c);
        axl_tokenizer *tok;
        assert_ok(axl_tokenizer_open(&tok, ctx, dir, NULL));
        check_texts(tok, name, axl__json_get(goldens, "variant_texts"), c);
        check_case_offsets(tok, name, "variants", "variant_texts");
        axl_tokenizer_free(tok);
        axl__free(ctx, dir);
    }
    assert_int_equal(failures, 0);
}

static void test_tokenizer_goldens__bare_files(void **state)
{
    (void)state;
    failures = 0;
    for (const axl__json *c = axl__json_get(goldens, "bare")->child; c; c = c->next) {
        const char *name = axl__json_string(c, "file", "?"), *path = test_shared_path(name);
        axl_tokenizer *tok;
        if (!path) {
            print_message("skipped: %s is not there\n", name);
            skip();
        }
        assert_ok(axl_tokenizer_open(&tok, ctx, path, NULL));
        check_texts(tok, name, axl__json_get(goldens, "hard"), axl__json_get(c, "hard"));
        check_case_offsets(tok, name, "bare", "hard");
        check_data(tok, name, axl__json_get(c, "data"));
        axl_tokenizer_free(tok);
    }
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_goldens__folders),
        cmocka_unit_test(test_tokenizer_goldens__variants),
        cmocka_unit_test(test_tokenizer_goldens__bare_files),
    };
    const struct CMUnitTest byte_level[] = {
        cmocka_unit_test(test_tokenizer_goldens__folders),
        cmocka_unit_test(test_tokenizer_goldens__variants),
        cmocka_unit_test(test_tokenizer_goldens__bare_files),
    };

    open_goldens("tokenizer_goldens");
    int failed = test_run(tests);
    close_goldens();
    open_goldens("byte_level_goldens");
    failed += test_run(byte_level);
    close_goldens();
    axl__remove_tree(test_temp_dir());
    return failed;
}
