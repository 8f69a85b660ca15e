/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex_syntax.c - patterns in Ruby's syntax, as Oniguruma reads them for tokenizers, in PCRE2's.
 *
 * Where both write the same thing in the same way it is copied.  Classes are written out, because
 * the two know different versions of Unicode: a class of characters is PCRE2's own with what
 * changed since Unicode 14 (that of PCRE2 10.42, unicode_class.h) put in or taken out by hand.  A
 * newer PCRE2 has more of these already, which does no harm; characters that came after Unicode 16
 * it may see otherwise.  What means one thing here and another there, and is not handled, is
 * refused.
 */
#include "base/utf8.h"
#include "regex.h"
#include "unicode_class.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 32, NAMES_MAX = 64, TRANSLATED_MAX = 1 << 20 };

typedef struct {
    const char *text;
    size_t len;
} group_name;

typedef struct {
    const char *text;
    size_t len, at;
    axl__str *out;
    size_t atom;                  /* where what a quantifier stands behind begins in out */
    size_t opened[DEPTH_MAX];     /* where each open group begins in out */
    unsigned isolated[DEPTH_MAX]; /* groups in it that "(?i)" opened to its end */
    unsigned number[DEPTH_MAX];   /* that of an open group which captures; 0 */
    unsigned depth;
    bool named;                  /* names are there: groups without one capture nothing */
    group_name names[NAMES_MAX]; /* that of group i + 1, where groups have names */
    unsigned n_groups, highest;  /* that capture; the largest number that is referred to */
} translation;

static axl_status refuse(const translation *t, const char *what)
{
    return axl__fail(AXL_ERR_UNSUPPORTED, "regular expression: %s at byte %zu is not supported",
                     what, t->at);
}

static axl_status broken(const translation *t, const char *what)
{
    return axl__fail(AXL_ERR_FORMAT, "regular expression: %s at byte %zu", what, t->at);
}

static bool ahead(const translation *t, const char *what)
{
    size_t n = strlen(what);

    return t->len - t->at >= n && memcmp(t->text + t->at, what, n) == 0;
}

static bool skip(translation *t, const char *what)
{
    bool there = ahead(t, what);

    if (there)
        t->at += strlen(what);
    return there;
}

/* ---- classes ---- */

/* A set of characters: what stands in brackets, and alternatives that brackets cannot hold. */
typedef struct {
    axl__str inside, others; /* the latter each behind a "|", and an atom */
    unsigned n_others;
} charset;

static void charset_init(charset *s, axl_context *ctx)
{
    axl__str_init(&s->inside, ctx);
    axl__str_init(&s->others, ctx);
    s->n_others = 0;
}

static void charset_free(charset *s)
{
    axl__str_free(&s->inside);
    axl__str_free(&s->others);
}

/* The whole set as one atom. */
static void put_charset(axl__str *out, const charset *s, bool negated)
{
    const char *inside = axl__str_text(&s->inside);

    if (s->n_others == 1 && s->inside.len == 0 && !negated) {
        axl__str_puts(out, axl__str_text(&s->others) + (s->others.len > 0));
        return;
    }
    if (s->others.len == 0 && s->inside.len > 0) {
        axl__str_puts(out, negated ? "[^" : "[");
        axl__str_put(out, inside, s->inside.len);
        axl__str_puts(out, "]");
        return;
    }
    axl__str_puts(out, negated ? "(?:(?!" : "(?:");
    if (s->inside.len > 0) {
        axl__str_puts(out, "[");
        axl__str_put(out, inside, s->inside.len);
        axl__str_puts(out, "]");
    } else if (s->others.len == 0) {
        axl__str_puts(out, "(?!)");
    }
    axl__str_put(out, axl__str_text(&s->others) + (s->inside.len == 0 && s->others.len > 0),
                 s->others.len - (s->inside.len == 0 && s->others.len > 0));
    axl__str_puts(out, negated ? ")(?s:.))" : ")");
}

/* The white space of Unicode: what \s is there.  U+180E has been none since Unicode 6.3. */
#define SPACE                                                                                      \
    "\\t-\\r "                                                                                     \
    "\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
/* What is a word's character besides letters, marks and numbers: encircled letters, and of Latin-1
 * the raised numbers and fractions, but not those of other blocks. */
#define BESIDES                                                                                    \
    "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{"  \
    "1F169}"                                                                                       \
    "\\x{1F170}-\\x{1F189}"

/* The script Han of Unicode 16. */
#define HAN                                                                                        \
    "\\x{2E80}-\\x{2E99}\\x{2E9B}-\\x{2EF3}\\x{2F00}-\\x{2FD5}\\x{3005}\\x{3007}"                  \
    "\\x{3021}-\\x{3029}\\x{3038}-\\x{303B}\\x{3400}-\\x{4DBF}\\x{4E00}-\\x{9FFF}"                 \
    "\\x{F900}-\\x{FA6D}\\x{FA70}-\\x{FAD9}\\x{16FE2}-\\x{16FE3}\\x{16FF0}-\\x{16FF1}"             \
    "\\x{20000}-\\x{2A6DF}\\x{2A700}-\\x{2B739}\\x{2B740}-\\x{2B81D}\\x{2B820}-\\x{2CEA1}"         \
    "\\x{2CEB0}-\\x{2EBE0}\\x{2EBF0}-\\x{2EE5D}\\x{2F800}-\\x{2FA1D}\\x{30000}-\\x{3134A}"         \
    "\\x{31350}-\\x{323AF}"

/* Names of sets beside the general categories: what PCRE2 calls them, and the categories whose
 * changes they take part in. */
typedef struct {
    const char *name, *inside, *categories;
} named_set;

static const named_set named_sets[] = {
    { "space", SPACE, "" },
    { "whitespace", SPACE, "" },
    { "digit", "\\p{Nd}", "Nd" },
    { "word", "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}" BESIDES, "L M Nd Nl Pc" },
    { "xdigit", "0-9A-Fa-f", "" },
    { "any", "\\x{0}-\\x{10FFFF}", "" },
    { "ascii", "\\x{0}-\\x{7F}", "" },
    { "han", HAN, "" },
    { "letter", "\\p{L}", "L" },
    { "mark", "\\p{M}", "M" },
    { "number", "\\p{N}", "N" },
    { "punctuation", "\\p{P}", "P" },
    { "symbol", "\\p{S}", "S" },
    { "separator", "\\p{Z}", "Z" },
    { "other", "\\p{C}", "C" },
    { "uppercaseletter", "\\p{Lu}", "Lu" },
    { "lowercaseletter", "\\p{Ll}", "Ll" },
    { "titlecaseletter", "\\p{Lt}", "Lt" },
    { "modifierletter", "\\p{Lm}", "Lm" },
    { "otherletter", "\\p{Lo}", "Lo" },
    { "decimalnumber", "\\p{Nd}", "Nd" },
};

/* Scripts that PCRE2 knows by the same name; what came to them after Unicode 14 is missing. */
static const char *const script_names[] = {
    "arabic",    "armenian",  "bengali",  "cyrillic", "devanagari", "ethiopic",
    "georgian",  "greek",     "gujarati", "gurmukhi", "hangul",     "hebrew",
    "hiragana",  "kannada",   "katakana", "khmer",    "lao",        "latin",
    "malayalam", "mongolian", "myanmar",  "sinhala",  "tamil",      "telugu",
    "thai",      "tibetan",   "bopomofo", "common",   "inherited",
};

static bool in_categories(const char *list, unsigned category)
{
    const char *name = axl__unicode_category_names[category];

    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (p[0] == name[0] && (p[1] == '\0' || p[1] == ' ' || p[1] == name[1]))
            return true;
    return false;
}

static void put_range(axl__str *out, uint32_t first, uint32_t last)
{
    axl__str_putf(out, "\\x{%X}", (unsigned)first);
    if (last > first)
        axl__str_putf(out, "-\\x{%X}", (unsigned)last);
}

/* The ranges that are in the categories now and were not in Unicode 14, or the other way round. */
static void put_changes(axl__str *out, const char *categories, bool gone)
{
    const axl__unicode_change *c;

    for (size_t i = 0; (c = axl__unicode_changed(i)) != NULL; i++) {
        bool now = in_categories(categories, c->now), before = in_categories(categories, c->before);
        if (now != before && before == gone)
            put_range(out, c->first, c->last);
    }
}

/* A set with what changed: in the brackets where that is possible. */
static void add_set(charset *s, const char *inside, const char *categories, bool negated)
{
    axl__str added, gone;

    axl__str_init(&added, s->inside.ctx);
    axl__str_init(&gone, s->inside.ctx);
    put_changes(&added, categories, false);
    put_changes(&gone, categories, true);
    if (gone.len == 0 && !negated) {
        axl__str_puts(&s->inside, inside);
        axl__str_put(&s->inside, axl__str_text(&added), added.len);
    } else {
        s->n_others++;
        axl__str_puts(&s->others, gone.len > 0 ? "|(?:" : "|");
        if (gone.len > 0 && !negated)
            axl__str_putf(&s->others, "(?![%s])", axl__str_text(&gone));
        axl__str_putf(&s->others, "[%s%s%s]", negated ? "^" : "", inside, axl__str_text(&added));
        if (gone.len > 0 && negated)
            axl__str_putf(&s->others, "|[%s]", axl__str_text(&gone));
        axl__str_puts(&s->others, gone.len > 0 ? ")" : "");
    }
    if (added.failed || gone.failed)
        s->inside.failed = true;
    axl__str_free(&added);
    axl__str_free(&gone);
}

/* Letters in small, without what names may be written with. */
static bool plain_name(const char *text, size_t len, char out[32])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == ' ' || c == '_' || c == '-')
            continue;
        if (n == 31 || (unsigned char)c >= 0x80)
            return false;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[n] = '\0';
    return n > 0;
}

/* One or two letters that are a general category, written as Unicode does. */
static bool is_category(const char *name, char out[3])
{
    size_t n = strlen(name);

    if (n < 1 || n > 2)
        return false;
    out[0] = (char)(name[0] - 32);
    out[1] = n == 2 ? name[1] : '\0';
    out[2] = '\0';
    for (unsigned i = 0; i < AXL__UNICODE_CATEGORIES; i++)
        if (in_categories(out, i))
            return true;
    return false;
}

static bool add_named(charset *s, const char *name, bool negated)
{
    char category[3], inside[32];

    for (size_t i = 0; i < sizeof named_sets / sizeof named_sets[0]; i++)
        if (strcmp(named_sets[i].name, name) == 0) {
            add_set(s, named_sets[i].inside, named_sets[i].categories, negated);
            return true;
        }
    if (is_category(name, category)) {
        snprintf(inside, sizeof inside, "\\p{%s}", category);
        add_set(s, inside, category, negated);
        return true;
    }
    for (size_t i = 0; i < sizeof script_names / sizeof script_names[0]; i++)
        if (strcmp(script_names[i], name) == 0) {
            snprintf(inside, sizeof inside, "\\p{sc:%s}", name);
            add_set(s, inside, "", negated);
            return true;
        }
    return false;
}

/* \p{Name}, \P{Name}, \p{^Name}; t->at is behind the letter. */
static axl_status take_property(translation *t, charset *s, bool negated)
{
    const char *open = t->text + t->at;
    char name[32];

    if (!skip(t, "{"))
        return refuse(t, "a property without braces");
    if (skip(t, "^"))
        negated = !negated;
    const char *end = memchr(t->text + t->at, '}', t->len - t->at);
    if (!end)
        return broken(t, "a property has no end");
    size_t n = (size_t)(end - (t->text + t->at));
    if (!plain_name(t->text + t->at, n, name) || !add_named(s, name, negated))
        return axl__fail(AXL_ERR_UNSUPPORTED, "regular expression: \\p%.*s is not supported",
                         (int)(n < 40 ? (size_t)(end - open) + 1 : 40), open);
    t->at += n + 1;
    return AXL_OK;
}

/* A letter behind a backslash that is a set; false: it is none. */
static bool take_set_letter(translation *t, charset *s, axl_status *status)
{
    char c = t->text[t->at];
    const char *name = c == 's' || c == 'S'   ? "space"
                       : c == 'd' || c == 'D' ? "digit"
                       : c == 'w' || c == 'W' ? "word"
                       : c == 'h' || c == 'H' ? "xdigit"
                                              : NULL;

    *status = AXL_OK;
    if (c != 'p' && c != 'P' && !name)
        return false;
    t->at++;
    if (name)
        (void)add_named(s, name, c < 'a');
    else
        *status = take_property(t, s, c == 'P');
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* \x41, \x{1F600}, \u00E9: t->at is at the letter. */
static axl_status take_hex(translation *t, uint32_t *c)
{
    bool braces = t->text[t->at] == 'x' && t->at + 1 < t->len && t->text[t->at + 1] == '{';
    size_t most = braces ? 8 : t->text[t->at] == 'x' ? 2 : 4, n = 0;

    t->at += braces ? 2 : 1;
    for (*c = 0; n < most && t->at < t->len && is_hex(t->text[t->at]); n++) {
        char d = t->text[t->at++];
        *c = *c * 16 + (uint32_t)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
    }
    if (n == 0 || (braces && !skip(t, "}")) || *c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000))
        return broken(t, "a character's number is wrong");
    if (!braces && most == 2 && *c >= 0x80)
        return refuse(t, "a byte that is no character");
    return AXL_OK;
}

/* The character that an escape stands for; t->at is behind the backslash. */
static axl_status take_escaped(translation *t, uint32_t *c)
{
    static const char letters[] = "tnrfvae", points[] = "\t\n\r\f\v\a\x1B";
    const char *known;

    if (t->at == t->len)
        return broken(t, "a backslash is the end");
    char first = t->text[t->at];
    if (first == 'x' || first == 'u')
        return take_hex(t, c);
    if (first == '0' || first == 'c' || first == 'C' || first == 'M')
        return refuse(t, "an escape of an octal number or a control key");
    known = first ? strchr(letters, first) : NULL;
    if (known) {
        t->at++;
        *c = (uint32_t)points[known - letters];
    } else {
        *c = axl__utf8_next(t->text, t->len, &t->at);
    }
    return AXL_OK;
}

static axl_status take_class(translation *t, axl__str *out, unsigned depth);

/* [:digit:] and the like, of which few mean the same everywhere; false: it is something else. */
static bool take_posix(translation *t, charset *s, axl_status *status)
{
    static const char *const known[][2] = {
        { "space", "space" }, { "digit", "digit" }, { "word", "word" }, { "xdigit", "xdigit" }
    };
    *status = AXL_OK;
    if (!skip(t, "[:"))
        return false;
    bool negated = skip(t, "^");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (ahead(t, known[i][0])) {
            t->at += strlen(known[i][0]);
            if (!skip(t, ":]"))
                break;
            (void)add_named(s, known[i][1], negated);
            return true;
        }
    *status = refuse(t, "this POSIX class");
    return true;
}

/* A character or a range in brackets. */
static axl_status take_range(translation *t, charset *s)
{
    uint32_t first, last;

    if (skip(t, "\\"))
        AXL_TRY(take_escaped(t, &first));
    else
        first = axl__utf8_next(t->text, t->len, &t->at);
    last = first;
    if (t->at + 1 < t->len && t->text[t->at] == '-' && t->text[t->at + 1] != ']' &&
        t->text[t->at + 1] != '[') {
        t->at++;
        if (t->text[t->at] == '\\' && t->at + 1 < t->len && t->text[t->at + 1] &&
            strchr("sSdDwWhHpP", t->text[t->at + 1]))
            return refuse(t, "a range to a class");
        if (skip(t, "\\"))
            AXL_TRY(take_escaped(t, &last));
        else
            last = axl__utf8_next(t->text, t->len, &t->at);
    }
    if (last < first)
        return broken(t, "a range is upside down");
    put_range(&s->inside, first, last);
    return AXL_OK;
}

/* One member of a set. */
static axl_status take_member(translation *t, charset *s, unsigned depth)
{
    axl_status status;

    if (t->text[t->at] == '[') {
        if (take_posix(t, s, &status))
            return status;
        axl__str_puts(&s->others, "|");
        s->n_others++;
        t->at++;
        return take_class(t, &s->others, depth + 1);
    }
    if (t->text[t->at] == '\\' && t->at + 1 < t->len) {
        t->at++;
        if (take_set_letter(t, s, &status))
            return status;
        if (t->text[t->at] == 'b') {
            t->at++;
            axl__str_puts(&s->inside, "\\x{8}");
            return AXL_OK;
        }
        t->at--;
    }
    return take_range(t, s);
}

/* Members up to the bracket's end or "&&". */
static axl_status take_members(translation *t, charset *s, unsigned depth)
{
    bool first = true;

    for (; t->at < t->len && !ahead(t, "&&"); first = false) {
        if (t->text[t->at] == ']' && !first)
            return AXL_OK;
        AXL_TRY(take_member(t, s, depth));
    }
    return t->at < t->len ? AXL_OK : broken(t, "a class has no end");
}

/* What stands in brackets, behind the first, as one atom.  Sets with "&&" between them are looked
 * at one after the other. */
static axl_status take_class(translation *t, axl__str *out, unsigned depth)
{
    bool negated = skip(t, "^"), several = false;
    axl_status status = AXL_OK;
    axl__str made;

    if (depth > DEPTH_MAX)
        return refuse(t, "so deep a class");
    axl__str_init(&made, out->ctx);
    do {
        charset s;
        charset_init(&s, out->ctx);
        status = take_members(t, &s, depth);
        bool more = status == AXL_OK && ahead(t, "&&");
        several = several || more;
        if (several && more)
            axl__str_puts(&made, "(?=");
        put_charset(&made, &s, negated && !several);
        if (several && more)
            axl__str_puts(&made, ")");
        if (s.inside.failed || s.others.failed)
            made.failed = true;
        charset_free(&s);
    } while (status == AXL_OK && skip(t, "&&"));
    if (status == AXL_OK && !skip(t, "]"))
        status = broken(t, "a class has no end");
    const char *open = !several ? "" : negated ? "(?:(?!" : "(?:";
    axl__str_puts(out, open);
    axl__str_put(out, axl__str_text(&made), made.len);
    axl__str_puts(out, !several ? "" : negated ? ")(?s:.))" : ")");
    if (made.failed)
        out->failed = true;
    axl__str_free(&made);
    return status;
}

/* ---- quantifiers ---- */

/* {n}, {n,}, {n,m}, {,m}; false: it is none, and the brace stands for itself. */
static bool take_interval(translation *t, char out[32])
{
    size_t at = t->at + 1;
    unsigned long bound[2] = { 0, 0 };
    bool given[2] = { false, false }, comma = false;

    for (int i = 0; i < 2; i++) {
        for (; at < t->len && t->text[at] >= '0' && t->text[at] <= '9' && bound[i] < 100000; at++) {
            bound[i] = bound[i] * 10 + (unsigned long)(t->text[at] - '0');
            given[i] = true;
        }
        if (i == 0 && at < t->len && t->text[at] == ',') {
            comma = true;
            at++;
        } else if (i == 0) {
            break;
        }
    }
    if (at >= t->len || t->text[at] != '}' || (!given[0] && !given[1]))
        return false;
    t->at = at + 1;
    if (!comma)
        snprintf(out, 32, "{%lu}", bound[0]);
    else if (!given[1])
        snprintf(out, 32, "{%lu,}", bound[0]);
    else
        snprintf(out, 32, "{%lu,%lu}", bound[0], bound[1]);
    return true;
}

/* Puts text into out at a place. */
static void insert(axl__str *out, size_t at, const char *text)
{
    size_t n = strlen(text), tail = out->len - at;

    axl__str_puts(out, text);
    if (out->failed)
        return;
    memmove(out->data + at + n, out->data + at, tail);
    memcpy(out->data + at, text, n);
}

/* An interval with another quantifier behind it repeats the interval, but for "?" behind one that
 * is open, which makes it lazy; in PCRE2 a "+" would make it possessive. */
static void put_interval(translation *t, const char *interval)
{
    bool open = strchr(interval, ',') != NULL;

    axl__str_puts(t->out, interval);
    if (ahead(t, "+") || ahead(t, "*") || (ahead(t, "?") && !open)) {
        insert(t->out, t->atom, "(?:");
        axl__str_puts(t->out, ")");
    } else if (skip(t, "?")) {
        axl__str_puts(t->out, "?");
    }
}

/* ---- groups and escapes ---- */

/* Options behind "(?": in Ruby's syntax m is what PCRE2 calls s.  false: there are none. */
static bool take_options(translation *t, axl__str *made)
{
    size_t at = t->at;

    for (; at < t->len && t->text[at] && strchr("im-", t->text[at]); at++)
        axl__str_putc(made, t->text[at] == 'm' ? 's' : t->text[at]);
    if (at == t->at || at == t->len || (t->text[at] != ')' && t->text[at] != ':'))
        return false;
    t->at = at;
    return true;
}

static axl_status open_group(translation *t, const char *how, bool captures)
{
    if (++t->depth == DEPTH_MAX)
        return refuse(t, "so deep a group");
    t->opened[t->depth] = t->out->len;
    t->isolated[t->depth] = 0;
    t->number[t->depth] = captures ? ++t->n_groups : 0;
    axl__str_puts(t->out, how);
    return AXL_OK;
}

/* Up to the character that ends it, which is passed; digits may begin one of a reference alone. */
static axl_status take_name(translation *t, char end, group_name *name)
{
    const char *from = t->text + t->at, *to = memchr(from, end, t->len - t->at);

    if (!to || to == from || memchr(from, ')', (size_t)(to - from)))
        return broken(t, "the name of a group has no end");
    *name = (group_name){ from, (size_t)(to - from) };
    t->at += name->len + 1;
    return AXL_OK;
}

/* The number of the group of a name; 0: there is none by now. */
static unsigned named_group(const translation *t, const group_name *name)
{
    for (unsigned i = 0; i < t->n_groups && i < NAMES_MAX; i++)
        if (t->names[i].len == name->len && memcmp(t->names[i].text, name->text, name->len) == 0)
            return i + 1;
    return 0;
}

/* t->at is behind "(?<" or "(?'".  AXL_END: names were not thought of. */
static axl_status open_named(translation *t, char end)
{
    group_name name;

    if (!t->named)
        return AXL_END;
    AXL_TRY(take_name(t, end, &name));
    if (name.text[0] >= '0' && name.text[0] <= '9')
        return broken(t, "the name of a group begins with a digit");
    if (named_group(t, &name) > 0)
        return refuse(t, "a second group of one name");
    if (t->n_groups >= NAMES_MAX)
        return refuse(t, "so many named groups");
    t->names[t->n_groups] = name;
    return open_group(t, "(", true);
}

/* What a group matched once more.  One that is still open means the round before in PCRE2 and
 * something else in Oniguruma. */
static axl_status put_reference(translation *t, unsigned number)
{
    for (unsigned i = 1; i <= t->depth; i++)
        if (t->number[i] == number)
            return refuse(t, "a reference to the group that it is in");
    if (number > t->highest)
        t->highest = number;
    axl__str_putf(t->out, "\\g{%u}", number);
    return AXL_OK;
}

/* \1 to \9 may be of groups to come, more digits are an octal number unless that many are there. */
static axl_status take_number(translation *t)
{
    unsigned number = 0;

    for (; t->at < t->len && t->text[t->at] >= '0' && t->text[t->at] <= '9' && number < 1000;
         t->at++)
        number = number * 10 + (unsigned)(t->text[t->at] - '0');
    if (t->named)
        return broken(t, "a reference by number beside groups that have names");
    if (number > 9 && number > t->n_groups)
        return refuse(t, "an escape of an octal number");
    return put_reference(t, number);
}

/* \k<name>, \k'name', and where no group has a name \k<1> and, counted back, \k<-1>; t->at is at
 * the k. */
static axl_status take_named_reference(translation *t)
{
    group_name name = { 0 };
    unsigned number = 0;

    t->at++;
    char end = skip(t, "<") ? '>' : skip(t, "'") ? '\'' : '\0';
    if (!end)
        return broken(t, "\\k without a name");
    AXL_TRY(take_name(t, end, &name));
    bool back = name.text[0] == '-';
    size_t i = back;
    for (; i < name.len && name.text[i] >= '0' && name.text[i] <= '9' && number < 1000; i++)
        number = number * 10 + (unsigned)(name.text[i] - '0');
    if (i > back && i == name.len) {
        if (t->named)
            return broken(t, "a reference by number beside groups that have names");
        if (back)
            number = number <= t->n_groups ? t->n_groups + 1 - number : 0;
    } else {
        number = named_group(t, &name);
    }
    return number > 0 ? put_reference(t, number) : refuse(t, "a reference to no group before it");
}

/* Of the groups that begin with "(?" those that are not handled, for messages. */
static const char *group_kind(const translation *t)
{
    static const struct {
        const char *begins, *name;
    } kinds[] = { { "~", "an absent group (?~" }, { "(", "a conditional group (?(" },
                  { "x", "the option x" },        { "P", "a group (?P, which is Python's," },
                  { "W", "the option W" },        { "D", "the option D" },
                  { "S", "the option S" },        { "y", "the option y" } };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (ahead(t, kinds[i].begins))
            return kinds[i].name;
    return "this kind of group";
}

/* "(?i)" holds to the end of the group it is in, alternatives included; t->at is behind "(?". */
static axl_status take_option_group(translation *t)
{
    axl__str options;
    axl_status status = AXL_OK;

    axl__str_init(&options, t->out->ctx);
    axl__str_puts(&options, "(?");
    if (!take_options(t, &options)) {
        status = refuse(t, group_kind(t));
    } else {
        bool isolated = t->text[t->at++] == ')';
        axl__str_puts(&options, ":");
        if (isolated)
            t->isolated[t->depth]++;
        if (isolated)
            axl__str_puts(t->out, axl__str_text(&options));
        else
            status = open_group(t, axl__str_text(&options), false);
    }
    if (options.failed)
        t->out->failed = true;
    axl__str_free(&options);
    return status;
}

/* "(?#…)", in which a backslash keeps a parenthesis from ending it. */
static axl_status skip_comment(translation *t)
{
    for (; t->at < t->len && t->text[t->at] != ')'; t->at++)
        if (t->text[t->at] == '\\' && t->at + 1 < t->len)
            t->at++;
    return skip(t, ")") ? AXL_OK : broken(t, "a comment has no end");
}

static axl_status take_group(translation *t)
{
    static const char *const plain[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>" };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (skip(t, plain[i]))
            return open_group(t, plain[i], false);
    if (skip(t, "(?#"))
        return skip_comment(t);
    if (skip(t, "(?<"))
        return open_named(t, '>');
    if (skip(t, "(?'"))
        return open_named(t, '\'');
    if (skip(t, "(?"))
        return take_option_group(t);
    t->at++;
    if (ahead(t, "*") || ahead(t, "+")) /* "(*" is a verb to PCRE2 */
        return broken(t, "a group begins with a quantifier");
    return open_group(t, t->named ? "(?:" : "(", !t->named);
}

static axl_status close_group(translation *t)
{
    if (t->depth == 0)
        return broken(t, "a parenthesis closes nothing");
    for (unsigned i = 0; i <= t->isolated[t->depth]; i++)
        axl__str_puts(t->out, ")");
    t->isolated[t->depth] = 0;
    t->atom = t->opened[t->depth--];
    t->at++;
    return AXL_OK;
}

/* Borders of words, by what is a word here. */
static void put_border(translation *t, bool negated)
{
    charset s;
    axl__str word;

    charset_init(&s, t->out->ctx);
    axl__str_init(&word, t->out->ctx);
    (void)add_named(&s, "word", false);
    put_charset(&word, &s, false);
    const char *w = axl__str_text(&word);
    axl__str_puts(t->out, "(?:(?<=");
    axl__str_puts(t->out, w);
    axl__str_puts(t->out, negated ? ")(?=" : ")(?!");
    axl__str_puts(t->out, w);
    axl__str_puts(t->out, ")|(?<!");
    axl__str_puts(t->out, w);
    axl__str_puts(t->out, negated ? ")(?!" : ")(?=");
    axl__str_puts(t->out, w);
    axl__str_puts(t->out, "))");
    if (word.failed || s.inside.failed || s.others.failed)
        t->out->failed = true;
    axl__str_free(&word);
    charset_free(&s);
}

static void put_char(axl__str *out, uint32_t c)
{
    if (c >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
        axl__str_put_utf8(out, c);
    else
        axl__str_putf(out, "\\x{%X}", (unsigned)c);
}

static axl_status take_escape(translation *t)
{
    axl_status status;
    charset s;
    uint32_t c;

    t->at++;
    if (t->at == t->len)
        return broken(t, "a backslash is the end");
    char letter = t->text[t->at];
    if (letter && strchr("AzZGRXK", letter)) {
        axl__str_putf(t->out, "\\%c", letter);
        t->at++;
        return AXL_OK;
    }
    if (letter == 'b' || letter == 'B') {
        put_border(t, letter == 'B');
        t->at++;
        return AXL_OK;
    }
    if (letter >= '1' && letter <= '9')
        return take_number(t);
    if (letter == 'k')
        return take_named_reference(t);
    if (letter == 'g')
        return refuse(t, "a call of a group, \\g,");
    if (letter && strchr("QENOyY", letter))
        return refuse(t, "this escape");
    charset_init(&s, t->out->ctx);
    if (take_set_letter(t, &s, &status)) {
        put_charset(t->out, &s, false);
        if (s.inside.failed || s.others.failed)
            t->out->failed = true;
    } else {
        status = take_escaped(t, &c);
        if (status == AXL_OK)
            put_char(t->out, c);
    }
    charset_free(&s);
    return status;
}

static axl_status take_literal(translation *t)
{
    size_t from = t->at;

    (void)axl__utf8_next(t->text, t->len, &t->at);
    axl__str_put(t->out, t->text + from, t->at - from);
    return AXL_OK;
}

/* One part of a pattern; everything that may be repeated notes where it begins. */
static axl_status take_part(translation *t)
{
    char c = t->text[t->at], interval[32];

    if (c == ')')
        return close_group(t);
    if (c == '*' || c == '+' || c == '?') {
        axl__str_putc(t->out, c);
        t->at++;
        return AXL_OK;
    }
    if (c == '{' && take_interval(t, interval)) {
        put_interval(t, interval);
        return AXL_OK;
    }
    t->atom = t->out->len;
    if (c == '{') {
        axl__str_puts(t->out, "\\{");
        t->at++;
        return AXL_OK;
    }
    if (c == '(')
        return take_group(t);
    if (c == '[') {
        t->at++;
        return take_class(t, t->out, 1);
    }
    return c == '\\' ? take_escape(t) : take_literal(t);
}

/* AXL_END: there are groups with names, which t->named has to say. */
static axl_status translate(translation *t)
{
    while (t->at < t->len) {
        axl_status status = take_part(t);
        if (status != AXL_OK)
            return status;
        if (t->out->len > TRANSLATED_MAX)
            return refuse(t, "so many classes");
    }
    if (t->depth > 0)
        return broken(t, "a group has no end");
    if (t->highest > t->n_groups)
        return broken(t, "a reference to a group that is not there");
    for (unsigned i = 0; i < t->isolated[0]; i++)
        axl__str_puts(t->out, ")");
    return axl__str_status(t->out);
}

/* A name anywhere keeps the groups without one from capturing, those before it too: the pattern is
 * then read once more. */
axl_status axl__regex_translate(axl__str *out, const char *pattern, size_t len)
{
    size_t from = out->len;
    translation t = { .text = pattern, .len = len, .out = out };
    axl_status status = translate(&t);

    if (status != AXL_END)
        return status;
    AXL_TRY(axl__str_status(out));
    out->len = from;
    t = (translation){ .text = pattern, .len = len, .out = out, .named = true };
    return translate(&t);
}
