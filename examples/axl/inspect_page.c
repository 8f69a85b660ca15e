/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect_page.c - the rows of `axl inspect` as a page that needs nothing but its file.  The tool
 * makes it of the public API, so that the library's surface stays as it is; its colours are those
 * of a run's report.html.
 *
 * Text of the data is escaped, and the page forbids itself scripts and the network, so that what is
 * written in a row stays text.  Rows end where the page would grow past PAGE_BYTES, since browsers
 * become slow; what is left out is told at the top, which is why the rows are made first.
 */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 16 << 20, BARS_MIN = 11, BARS_MAX = 40, BAR_HEIGHT = 1000 };

/* A character of UTF-8 has at most four bytes, so that it is in no more tokens than this. */
enum { PARTS_MAX = 4 };

static const char page_style[] =
    ":root{color-scheme:light dark;--page:#f6f6f3;--card:#fff;--ink:#141413;--soft:#55544f;"
    "--line:#e4e3de;--bar:#2a78d6;--hover:#00000012;--trained:#d5efdd;"
    "--edge:#00000024;--special:#b5430f;--id:#1f5fb0}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#101010;--card:#1b1b1a;--ink:#f4f4f1;"
    "--soft:#b4b3ab;--line:#343432;--bar:#4f97ee;--hover:#ffffff18;"
    "--trained:#1b4a30;--edge:#ffffff2e;--special:#ff9466;--id:#7db4f5}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",\"DejaVu Sans\",sans-serif;-webkit-text-size-adjust:100%}\n"
    "main{max-width:1200px;margin:0 auto;padding:clamp(12px,3vw,40px)}\n"
    "h1{font-size:clamp(22px,3vw,30px);line-height:1.2;margin:0;overflow-wrap:anywhere}\n"
    "p{margin:6px 0 0;color:var(--soft);overflow-wrap:anywhere}\n"
    "small{color:var(--soft);font-size:13px;font-weight:400}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;"
    "margin-top:24px}\n"
    ".tile,figure,article{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px}\n"
    ".tile{padding:12px 16px}\n"
    ".tile b{display:block;font-size:22px;line-height:1.35;font-weight:600}\n"
    "figure{margin:16px 0 0;padding:14px 18px}\n"
    "svg{display:block;width:100%;height:120px;margin-top:12px}\n"
    ".bar{fill:var(--bar)}.hit{fill:transparent}g:hover .hit{fill:var(--hover)}\n"
    ".axis{display:flex;justify-content:space-between;border-top:1px solid var(--line);"
    "font-size:12px;color:var(--soft)}\n"
    ".key{margin-top:24px}input{margin:12px 6px 0 0}\n"
    "article{margin-top:16px;padding:12px 16px;content-visibility:auto;"
    "contain-intrinsic-size:auto 320px}\n"
    "h2{font-size:15px;margin:0;overflow-wrap:anywhere}\n"
    ".label{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:0 8px;"
    "margin-left:8px;font-size:13px;font-weight:400}\n"
    ".tokens{margin-top:10px;padding-top:10px;border-top:1px solid var(--line);"
    "font:13px/1.75 ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere;color:var(--soft)}\n"
    "mark{background:var(--trained);color:var(--ink);-webkit-box-decoration-break:clone;"
    "box-decoration-break:clone;padding:2px 0;border-radius:3px}\n"
    "i{font-style:normal;border-left:1px solid var(--edge)}\n"
    "i:hover{background:var(--bar);color:#fff}\n"
    "i:empty::before{content:\"\\22EF\"}\n"
    ".special{color:var(--special);font-weight:600}\n"
    "b::before,u::before{opacity:.6;font-weight:400}u{text-decoration:none}\n"
    ".tokens b::before{content:\"\\21B5\"}u::before{content:\"\\21E5\"}\n"
    ".space{background:radial-gradient(circle,var(--soft) 1px,transparent 1.5px) 0 0/1ch 100%}\n"
    "#ids:checked~article i{white-space:pre}#ids:checked~article .tokens{overflow-x:auto}\n"
    "#ids:checked~article i::before{content:attr(title);margin:0 3px;font-size:11px;"
    "font-weight:400;color:var(--id)}\n"
    "#ids:checked~article i:empty::before{content:attr(title)\" \\22EF\"}\n"
    "#ids:checked~article .space{background:none}\n"
    "footer{margin-top:40px;color:var(--soft);font-size:13px}\n"
    "@media print{body{background:#fff}.tile,figure{break-inside:avoid}}\n";

/* ---- text ---- */

/* marks: a line break and a tab get an element that the style makes visible. */
static void put_escaped(FILE *f, char c, bool marks)
{
    switch (c) {
    case '&': fputs("&amp;", f); break;
    case '<': fputs("&lt;", f); break;
    case '>': fputs("&gt;", f); break;
    case '"': fputs("&quot;", f); break;
    case '\'': fputs("&#39;", f); break;
    case '\n': fputs(marks ? "<b></b>\n" : "\n", f); break;
    case '\t': fputs(marks ? "<u></u>\t" : "\t", f); break;
    }
}

static void put_text(FILE *f, const char *text, size_t length, bool marks)
{
    static const char escaped[] = "&<>\"'\n\t";

    for (size_t i = 0; i < length; i++) {
        size_t plain = 0;
        while (i + plain < length && !memchr(escaped, text[i + plain], sizeof escaped - 1))
            plain++;
        tool_put_visible(f, text + i, plain);
        i += plain;
        if (i < length)
            put_escaped(f, text[i], marks);
    }
}

static void put_string(FILE *f, const char *text)
{
    put_text(f, text, strlen(text), false);
}

/* Thousands apart from 10,000 on. */
static void put_count(FILE *f, uint64_t n)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);

    for (int i = 0; i < length; i++) {
        if (length > 4 && i > 0 && (length - i) % 3 == 0)
            fputc(',', f);
        fputc(digits[i], f);
    }
}

/* ---- tokens ---- */

/* Where a row is.  What a token reads as depends on what stands before it, so that its text is what
 * decoding gives with it and not without it.  Decoded are the tokens of the last whole text, which
 * are [before, held), and those behind it, which are parts of a character that is not whole yet. */
typedef struct {
    const inspector *x;
    FILE *f;
    const axl_sample *s;
    uint32_t before, held;
} page_row;

/* Whether the text ends in U+FFFD. */
static bool ends_in_a_part(const axl_buffer *text)
{
    return text->length >= 3 &&
           memcmp((const char *)text->data + text->length - 3, "\xEF\xBF\xBD", 3) == 0;
}

/* The text of token i, behind *from bytes of `all`. */
static axl_status read_token(page_row *r, uint32_t i, axl_buffer *all, size_t *from)
{
    axl_buffer known = AXL_BUFFER_INIT;
    const int32_t *ids = r->s->input_ids + r->before;
    axl_status status = axl_tokenizer_decode(r->x->tok, ids, r->held - r->before, 0, &known);

    if (status == AXL_OK)
        status = axl_tokenizer_decode(r->x->tok, ids, i + 1 - r->before, 0, all);
    *from = known.length < all->length ? known.length : all->length;
    axl_buffer_free(&known);
    if (status != AXL_OK)
        return status;
    if (ends_in_a_part(all) && i + 1 < r->s->length && i + 1 - r->held < PARTS_MAX) {
        *from = all->length;
    } else {
        r->before = r->held;
        r->held = i + 1;
    }
    return AXL_OK;
}

static const char *token_class(const axl_tokenizer *tok, int32_t id, const char *text, size_t n)
{
    axl_buffer plain = AXL_BUFFER_INIT;
    bool special = n > 0 &&
                   axl_tokenizer_decode(tok, &id, 1, AXL_DECODE_SKIP_SPECIAL, &plain) == AXL_OK &&
                   plain.length == 0 && axl_tokenizer_decode(tok, &id, 1, 0, &plain) == AXL_OK &&
                   plain.length > 0;

    axl_buffer_free(&plain);
    if (special)
        return " class=\"special\"";
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ')
            return "";
    return n ? " class=\"space\"" : "";
}

/* The title is the id and the vocabulary's text of it, and the label where it is another. */
static void put_title(const page_row *r, uint32_t i)
{
    axl_buffer name = AXL_BUFFER_INIT;
    int32_t id = r->s->input_ids[i], label = r->s->labels[i];

    fprintf(r->f, " title=\"%" PRId32, id);
    if (axl_tokenizer_get_token(r->x->tok, id, &name) == AXL_OK) {
        fputc(' ', r->f);
        put_text(r->f, name.data, name.length, false);
    }
    if (label != AXL_LABEL_IGNORE && label != id)
        fprintf(r->f, " (label %" PRId32 ")", label);
    fputc('"', r->f);
    axl_buffer_free(&name);
}

static axl_status put_token(page_row *r, uint32_t i)
{
    axl_buffer all = AXL_BUFFER_INIT;
    size_t from = 0;
    axl_status status = read_token(r, i, &all, &from);

    if (status == AXL_OK) {
        const char *text = (const char *)all.data + from;
        size_t n = all.length - from;
        fprintf(r->f, "<i%s", token_class(r->x->tok, r->s->input_ids[i], text, n));
        put_title(r, i);
        fputc('>', r->f);
        put_text(r->f, text, n, true);
        fputs("</i>", r->f);
    }
    axl_buffer_free(&all);
    return status;
}

/* *cut: how many tokens the page has no room for. */
static axl_status put_tokens(page_row *r, uint32_t *cut)
{
    axl_status status = AXL_OK;
    bool marked = false;
    uint32_t i = 0;

    fputs("<div class=\"tokens\">", r->f);
    for (; i < r->s->length && status == AXL_OK && ftell(r->f) < PAGE_BYTES; i++) {
        bool trained = r->s->labels[i] != AXL_LABEL_IGNORE;
        if (trained != marked)
            fputs(trained ? "<mark>" : "</mark>", r->f);
        marked = trained;
        status = put_token(r, i);
    }
    fputs(marked ? "</mark></div>\n" : "</div>\n", r->f);
    *cut = r->s->length - i;
    return status;
}

/* ---- rows ---- */

static void put_row_head(FILE *f, const axl_sample *s)
{
    const char *role = inspect_role(s->role);

    fprintf(f, "<article>\n<h2>row %" PRIu64, s->row);
    if (s->part && !role)
        fprintf(f, " <span class=\"label\">part %" PRIu32 "</span>", s->part);
    if (role)
        fprintf(f, " <span class=\"label\">%s</span>", role);
    fputs("</h2>\n<p>", f);
    put_count(f, s->length);
    fputs(" tokens, ", f);
    put_count(f, s->n_trained);
    fputs(" trained; ", f);
    put_string(f, s->source ? s->source : "");
    fputs("</p>\n", f);
}

static axl_status put_row(const inspector *x, FILE *f, const axl_sample *s, uint32_t *cut)
{
    page_row r = { x, f, s, 0, 0 };

    put_row_head(f, s);
    axl_status status = put_tokens(&r, cut);
    if (*cut) {
        fputs("<p>", f);
        put_count(f, *cut);
        fputs(" more tokens are left out.</p>\n", f);
    }
    fputs("</article>\n", f);
    return status;
}

/* *shown: how many rows there are then; *full: what was asked for did not have room. */
static axl_status put_rows(const inspector *x, FILE *f, uint64_t *shown, bool *full)
{
    uint64_t count = axl_dataset_count(x->data), at = 0, i = 0;
    axl_status status = AXL_OK;
    uint32_t cut = 0;

    for (; at < count && (x->n == 0 || i < x->n) && status == AXL_OK && ftell(f) < PAGE_BYTES;
         i++) {
        axl_sample s[2];
        int n;
        status = inspect_next(x->data, &at, s, &n);
        for (int k = 0; k < n && status == AXL_OK; k++)
            status = put_row(x, f, &s[k], &cut);
    }
    *shown = i;
    *full = (at < count && (x->n == 0 || i < x->n)) || cut > 0;
    return status;
}

/* ---- the summary ---- */

/* Of rows: a pair's two samples are one, whose length is the longer one's. */
typedef struct {
    uint64_t rows, tokens, trained;
    uint32_t shortest, longest;
    bool pairs;
    uint64_t bars[BARS_MAX];
    uint32_t first, width, n_bars; /* bar k counts lengths from (first + k) * width */
} page_survey;

/* As wide as 1, 2 or 5 times a power of ten, with which BARS_MAX bars are enough; rows of about one
 * length stand in the middle of others that are empty. */
static void choose_bars(page_survey *v)
{
    static const uint32_t steps[] = { 1, 2, 5 };
    uint32_t power = 1;

    for (size_t i = 0;; i++) {
        v->width = steps[i % 3] * power;
        v->first = v->shortest / v->width;
        v->n_bars = v->longest / v->width - v->first + 1;
        if (v->n_bars <= BARS_MAX)
            break;
        power *= i % 3 == 2 ? 10 : 1;
    }
    for (; v->n_bars < BARS_MIN; v->n_bars++)
        v->first -= v->first > 0 && v->n_bars % 2;
}

static axl_status survey(const axl_dataset *data, page_survey *v)
{
    uint64_t count = axl_dataset_count(data);
    axl_status status = AXL_OK;
    axl_sample s[2];
    int n;

    *v = (page_survey){ .shortest = UINT32_MAX };
    for (uint64_t at = 0; at < count && status == AXL_OK; v->rows++) {
        status = inspect_next(data, &at, s, &n);
        uint32_t length = inspect_length(s, n);
        v->pairs = n > 1;
        v->tokens += s[0].length + (uint64_t)s[1].length;
        v->trained += s[0].n_trained + (uint64_t)s[1].n_trained;
        v->shortest = length < v->shortest ? length : v->shortest;
        v->longest = length > v->longest ? length : v->longest;
    }
    if (v->rows == 0 || status != AXL_OK)
        return status;
    choose_bars(v);
    for (uint64_t at = 0; at < count && status == AXL_OK;) {
        status = inspect_next(data, &at, s, &n);
        if (status == AXL_OK)
            v->bars[inspect_length(s, n) / v->width - v->first]++;
    }
    return status;
}

static void put_tile(FILE *f, const char *name, uint64_t n, const char *note)
{
    fprintf(f, "<div class=\"tile\"><small>%s</small><b>", name);
    put_count(f, n);
    fprintf(f, "</b><small>%s</small></div>\n", note);
}

static void put_tiles(FILE *f, const page_survey *v)
{
    char mean[64], span[64], share[64];
    double rows = v->rows ? (double)v->rows : 1.0, tokens = v->tokens ? (double)v->tokens : 1.0;

    snprintf(mean, sizeof mean, "%.1f a row", (double)v->tokens / rows);
    snprintf(share, sizeof share, "%.1f %% of the tokens", 100.0 * (double)v->trained / tokens);
    snprintf(span, sizeof span, "the shortest row has %" PRIu32, v->rows ? v->shortest : 0);
    fputs("<div class=\"tiles\">\n", f);
    put_tile(f, "Rows", v->rows, v->pairs ? "pairs in this split" : "in this split");
    put_tile(f, "Tokens", v->tokens, mean);
    put_tile(f, "Trained tokens", v->trained, share);
    put_tile(f, "Longest row", v->longest, span);
    fputs("</div>\n", f);
}

static void put_bar(FILE *f, const page_survey *v, uint32_t k, uint64_t highest)
{
    uint64_t n = v->bars[k], from = (uint64_t)(v->first + k) * v->width;
    uint64_t height = (n * BAR_HEIGHT + highest - 1) / highest; /* one row is still seen */

    fprintf(f, "<g><title>rows of %" PRIu64, from);
    if (v->width > 1)
        fprintf(f, " to %" PRIu64, from + v->width - 1);
    fprintf(f, " tokens: %" PRIu64 "</title>", n);
    fprintf(f, "<rect class=\"hit\" x=\"%" PRIu32 "\" width=\"10\" height=\"%d\"/>", 10 * k,
            BAR_HEIGHT);
    fprintf(f,
            "<rect class=\"bar\" x=\"%" PRIu32 "\" y=\"%" PRIu64 "\" width=\"9\" height=\"%" PRIu64
            "\"/></g>\n",
            10 * k, BAR_HEIGHT - height, height);
}

static void put_histogram(FILE *f, const page_survey *v)
{
    uint64_t highest = 0;

    for (uint32_t k = 0; k < v->n_bars; k++)
        highest = v->bars[k] > highest ? v->bars[k] : highest;
    if (highest == 0)
        return;
    fprintf(f,
            "<figure>\n<figcaption>Lengths <small>rows by %s number of tokens; the highest bar: ",
            v->pairs ? "their longer text's" : "their");
    put_count(f, highest);
    fprintf(
        f,
        "</small></figcaption>\n<svg viewBox=\"0 0 %" PRIu32
        " %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Histogram of lengths\">\n",
        10 * v->n_bars, BAR_HEIGHT);
    for (uint32_t k = 0; k < v->n_bars; k++)
        put_bar(f, v, k, highest);
    fputs("</svg>\n<div class=\"axis\"><span>", f);
    put_count(f, (uint64_t)v->first * v->width);
    fputs("</span><span>", f);
    put_count(f, (uint64_t)(v->first + v->n_bars) * v->width - 1);
    fputs(" tokens</span></div>\n</figure>\n", f);
}

/* ---- the page ---- */

static void put_head(const inspector *x, FILE *f)
{
    const char *config = x->t->positionals[0];

    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
          f);
    put_string(f, config);
    fputs(" &ndash; axl inspect</title>\n<style>\n", f);
    fputs(page_style, f);
    fputs("</style>\n</head>\n<body>\n<main>\n<h1>", f);
    put_string(f, config);
    fprintf(f, "</h1>\n<p>The %s split as training sees it, before packing.</p>\n", x->split);
}

/* What is shown of how much, and what the marks mean. */
static void put_key(FILE *f, const page_survey *v, uint64_t shown, bool full)
{
    fputs("<p class=\"key\">Rows shown: ", f);
    put_count(f, shown);
    fputs(" of ", f);
    put_count(f, v->rows);
    if (full)
        fprintf(f, "; a page ends at %d MiB, in the midst of a row where need be",
                PAGE_BYTES >> 20);
    else if (shown < v->rows)
        fputs("; -n N shows N of them, -n 0 all", f);
    fputs(".</p>\n<p><mark>Trained tokens</mark> have a ground of their own, "
          "<span class=\"special\">special tokens</span> a colour; the rest is masked.  A token "
          "under the pointer tells its id and its text in the vocabulary.  &#8943; is a part of a "
          "character that a later token completes.</p>\n"
          "<input type=\"checkbox\" id=\"ids\"><label for=\"ids\">Show ids and the vocabulary's "
          "text</label>\n",
          f);
}

static int save_page(const inspector *x, const char *path, const char *head, const char *rows)
{
    FILE *f = fopen(path, "wb");
    bool opened = f != NULL;
    bool good = opened && fputs(head, f) >= 0 && fputs(rows, f) >= 0 &&
                fprintf(f, "<footer>Written by axl %s.</footer>\n</main>\n</body>\n</html>\n",
                        axl_version()) > 0;

    good = opened && fclose(f) == 0 && good;
    if (good) {
        puts(path);
        return EXIT_DONE;
    }
    fprintf(stderr, "axl %s: cannot write %s: %s\n", x->t->verb, path, strerror(errno));
    return opened ? EXIT_OTHER : EXIT_INPUT;
}

int inspect_write_page(const inspector *x, const char *path)
{
    char *head = NULL, *rows = NULL;
    size_t head_size = 0, rows_size = 0;
    FILE *head_file = open_memstream(&head, &head_size);
    FILE *rows_file = open_memstream(&rows, &rows_size);
    page_survey v;
    uint64_t shown = 0;
    bool full = false;
    axl_status status = survey(x->data, &v);
    int code;

    if (status == AXL_OK && rows_file)
        status = put_rows(x, rows_file, &shown, &full);
    if (status == AXL_OK && head_file) {
        put_head(x, head_file);
        put_tiles(head_file, &v);
        put_histogram(head_file, &v);
        put_key(head_file, &v, shown, full);
    }
    bool whole = head_file && fclose(head_file) == 0;
    whole = rows_file && fclose(rows_file) == 0 && whole;
    if (status != AXL_OK)
        code = tool_status(x->t, status);
    else if (whole)
        code = save_page(x, path, head, rows);
    else
        code = (tool_fail(x->t, "no memory for the page"), EXIT_OTHER);
    free(head);
    free(rows);
    return code;
}
