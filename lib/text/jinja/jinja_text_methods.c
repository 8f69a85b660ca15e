/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_text_methods.c - methods of texts that look at characters: cases, kinds, stripping,
 * filling. */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <string.h>

#define METHOD(name)                                                                               \
    static axl_status name(jstate *st, jvalue self, const jvalue *arg, const jargs *args,          \
                           jvalue *out)

/* ---- cases ---- */

static bool has_case(uint32_t c)
{
    return axl__j_upper(c) != c || axl__j_lower(c) != c || c == 0xDF;
}

static void put_upper(axl__str *text, uint32_t c)
{
    if (c == 0xDF)
        axl__str_puts(text, "SS"); /* the one that becomes two */
    else
        axl__str_put_utf8(text, axl__j_upper(c));
}

typedef enum { LOWER, UPPER, CAPITAL, TITLE, SWAPPED } letter_case;

static void put_cased(axl__str *text, uint32_t c, letter_case to, bool first, bool behind_letter)
{
    bool up = to == UPPER || (to == CAPITAL && first) || (to == TITLE && !behind_letter) ||
              (to == SWAPPED && axl__j_lower(c) == c);

    if (up)
        put_upper(text, c);
    else
        axl__str_put_utf8(text, axl__j_lower(c));
}

static axl_status change_case(jstate *st, jvalue v, letter_case to, jvalue *out)
{
    axl__str *text;
    bool behind_letter = false;

    AXL_TRY(axl__j_begin(st, &text));
    for (size_t at = 0; at < v.len;) {
        bool first = at == 0;
        uint32_t c = axl__utf8_next(v.as.text, v.len, &at);
        put_cased(text, c, to, first, behind_letter);
        behind_letter = has_case(c);
    }
    AXL_TRY(axl__j_end(st, out));
    out->markup = v.markup;
    return AXL_OK;
}

#define METHOD_CASE(name, to)                                                                      \
    METHOD(name)                                                                                   \
    {                                                                                              \
        (void)arg;                                                                                 \
        (void)args;                                                                                \
        return change_case(st, self, to, out);                                                     \
    }

METHOD_CASE(lower, LOWER)
METHOD_CASE(upper, UPPER)
METHOD_CASE(capitalize, CAPITAL)
METHOD_CASE(title, TITLE)
METHOD_CASE(swapcase, SWAPPED)

/* ---- kinds ---- */

static bool is_decimal(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 0x660 && c <= 0x669) || (c >= 0x6F0 && c <= 0x6F9) ||
           (c >= 0x966 && c <= 0x96F) || (c >= 0xFF10 && c <= 0xFF19);
}

static bool is_digit(uint32_t c)
{
    return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9;
}

static bool is_alnum(uint32_t c)
{
    return axl__j_letter(c) || is_digit(c);
}

static bool is_ascii(uint32_t c)
{
    return c < 0x80;
}

static bool is_name_part(uint32_t c)
{
    return c == '_' || is_alnum(c);
}

/* Whether the text is of such characters; empty_is: what an empty one gives. */
static axl_status all_are(jvalue v, bool (*is)(uint32_t), bool empty_is, jvalue *out)
{
    bool all = v.len > 0 || empty_is;

    for (size_t at = 0; at < v.len && all;)
        all = is(axl__utf8_next(v.as.text, v.len, &at));
    *out = axl__j_bool(all);
    return AXL_OK;
}

#define METHOD_KIND(name, is, empty_is)                                                            \
    METHOD(name)                                                                                   \
    {                                                                                              \
        (void)st;                                                                                  \
        (void)arg;                                                                                 \
        (void)args;                                                                                \
        return all_are(self, is, empty_is, out);                                                   \
    }

METHOD_KIND(isspace_, axl__j_space, false)
METHOD_KIND(isalpha_, axl__j_letter, false)
METHOD_KIND(isalnum_, is_alnum, false)
METHOD_KIND(isdigit_, is_digit, false)
METHOD_KIND(isdecimal_, is_decimal, false)
METHOD_KIND(isascii_, is_ascii, true)
METHOD_KIND(isprintable_, axl__j_printable, true)

METHOD(isidentifier_)
{
    bool digit = self.len > 0 && self.as.text[0] >= '0' && self.as.text[0] <= '9';

    (void)st;
    (void)arg;
    (void)args;
    AXL_TRY(all_are(self, is_name_part, false, out));
    *out = axl__j_bool(out->as.boolean && !digit);
    return AXL_OK;
}

/* A letter with a case there must be, and none of the other case. */
static axl_status all_cased(jvalue v, bool upper, jvalue *out)
{
    bool any = false, all = true;

    for (size_t at = 0; at < v.len && all;) {
        uint32_t c = axl__utf8_next(v.as.text, v.len, &at);
        any = any || has_case(c);
        all = (upper ? axl__j_upper(c) : axl__j_lower(c)) == c;
    }
    *out = axl__j_bool(any && all);
    return AXL_OK;
}

METHOD(islower_)
{
    (void)st;
    (void)arg;
    (void)args;
    return all_cased(self, false, out);
}

METHOD(isupper_)
{
    (void)st;
    (void)arg;
    (void)args;
    return all_cased(self, true, out);
}

METHOD(istitle_)
{
    jvalue titled;

    (void)arg;
    (void)args;
    AXL_TRY(change_case(st, self, TITLE, &titled));
    AXL_TRY(change_case(st, self, LOWER, out));
    *out = axl__j_bool(axl__j_same(titled, self) && !axl__j_same(*out, self));
    return AXL_OK;
}

/* ---- stripping ---- */

/* Each character of a text is looked for among them. */
enum { STRIPPED_MAX = 1000 };

static axl_status strip_sides(jstate *st, jvalue self, jvalue chars, bool left, bool right,
                              jvalue *out)
{
    size_t from, to;
    bool given = axl__j_given(chars) && chars.kind != J_NONE;

    if (given)
        AXL_TRY(axl__j_need_text(st, chars, "what is stripped"));
    if (given && chars.len > STRIPPED_MAX)
        return axl__j_fail(st, "more than %d bytes of characters to strip", STRIPPED_MAX);
    axl__j_strip(self, given ? &chars : NULL, left, right, &from, &to);
    *out = axl__j_text(self.as.text + from, to - from);
    out->markup = self.markup;
    return AXL_OK;
}

METHOD(strip)
{
    (void)args;
    return strip_sides(st, self, arg[0], true, true, out);
}

METHOD(lstrip)
{
    (void)args;
    return strip_sides(st, self, arg[0], true, false, out);
}

METHOD(rstrip)
{
    (void)args;
    return strip_sides(st, self, arg[0], false, true, out);
}

METHOD(removeprefix)
{
    size_t n = arg[0].len;

    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "a prefix"));
    *out = self;
    if (n > 0 && n <= self.len && memcmp(self.as.text, arg[0].as.text, n) == 0)
        *out = axl__j_text(self.as.text + n, self.len - n);
    return AXL_OK;
}

METHOD(removesuffix)
{
    size_t n = arg[0].len;

    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "a suffix"));
    *out = self;
    if (n > 0 && n <= self.len && memcmp(self.as.text + self.len - n, arg[0].as.text, n) == 0)
        *out = axl__j_text(self.as.text, self.len - n);
    return AXL_OK;
}

/* ---- filling ---- */

static axl_status check_width(jstate *st, int64_t width)
{
    if (width > 0 && (uint64_t)width > st->limits.output)
        return axl__j_fail(st, "a width of %lld", (long long)width);
    return AXL_OK;
}

static axl_status fill(jstate *st, jvalue v, int64_t left, int64_t right, jvalue with, jvalue *out)
{
    axl__str *text;

    AXL_TRY(axl__j_begin(st, &text));
    for (int64_t i = 0; i < left; i++)
        axl__str_put(text, with.as.text, with.len);
    axl__str_put(text, v.as.text, v.len);
    for (int64_t i = 0; i < right; i++)
        axl__str_put(text, with.as.text, with.len);
    AXL_TRY(axl__j_end(st, out));
    out->markup = v.markup;
    return AXL_OK;
}

/* How many characters are missing to arg[0]; the one they are filled with. */
static axl_status read_fill(jstate *st, jvalue self, const jvalue *arg, int64_t *missing,
                            jvalue *with)
{
    AXL_TRY(axl__j_need_int(st, arg[0], "a width", missing));
    AXL_TRY(check_width(st, *missing));
    *missing -= (int64_t)axl__j_count(self.as.text, self.len);
    if (*missing < 0)
        *missing = 0;
    *with = axl__j_given(arg[1]) ? arg[1] : axl__j_text(" ", 1);
    AXL_TRY(axl__j_need_text(st, *with, "what is filled with"));
    if (axl__j_count(with->as.text, with->len) != 1)
        return axl__j_fail(st, "what is filled with must be one character");
    return AXL_OK;
}

METHOD(ljust)
{
    int64_t missing;
    jvalue with;

    (void)args;
    AXL_TRY(read_fill(st, self, arg, &missing, &with));
    return fill(st, self, 0, missing, with, out);
}

METHOD(rjust)
{
    int64_t missing;
    jvalue with;

    (void)args;
    AXL_TRY(read_fill(st, self, arg, &missing, &with));
    return fill(st, self, missing, 0, with, out);
}

/* Of an odd rest the larger half is on the left where the width is odd. */
METHOD(center)
{
    int64_t missing;
    jvalue with;

    (void)args;
    AXL_TRY(read_fill(st, self, arg, &missing, &with));
    int64_t left = missing / 2 + (missing & axl__j_as_int(arg[0]) & 1);
    return fill(st, self, left, missing - left, with, out);
}

METHOD(zfill)
{
    jvalue filler[2] = { arg[0], axl__j_text("0", 1) }, with;
    bool sign = self.len > 0 && (self.as.text[0] == '-' || self.as.text[0] == '+');
    jvalue head = axl__j_text(self.as.text, sign), tail;
    int64_t missing;

    (void)args;
    AXL_TRY(read_fill(st, self, filler, &missing, &with));
    tail = axl__j_text(self.as.text + sign, self.len - sign);
    AXL_TRY(fill(st, tail, missing, 0, with, &tail));
    return axl__j_join(st, head, tail, out);
}

METHOD(expandtabs)
{
    int64_t size = 8, column = 0;
    axl__str *text;

    (void)args;
    if (axl__j_given(arg[0]))
        AXL_TRY(axl__j_need_int(st, arg[0], "a tab's size", &size));
    if (size > 1000)
        return axl__j_fail(st, "a tab's size of more than 1000");
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t at = 0; at < self.len;) {
        uint32_t c = axl__utf8_next(self.as.text, self.len, &at);
        int64_t blanks = c == '\t' && size > 0 ? size - column % size : 0;
        if (c != '\t')
            axl__str_put_utf8(text, c);
        for (int64_t i = 0; i < blanks; i++)
            axl__str_putc(text, ' ');
        column = c == '\n' || c == '\r' ? 0 : column + (c == '\t' ? blanks : 1);
    }
    return axl__j_end(st, out);
}

METHOD(encode)
{
    (void)self;
    (void)arg;
    (void)args;
    (void)out;
    return axl__j_fail(st, "there are no bytes in a template, so a text cannot be encoded");
}

const jbuiltin axl__j_text_methods[] = {
    { "strip", strip, "/|chars" },
    { "lstrip", lstrip, "/|chars" },
    { "rstrip", rstrip, "/|chars" },
    { "lower", lower, "/" },
    { "casefold", lower, "/" },
    { "upper", upper, "/" },
    { "title", title, "/" },
    { "capitalize", capitalize, "/" },
    { "swapcase", swapcase, "/" },
    { "isspace", isspace_, "/" },
    { "isalpha", isalpha_, "/" },
    { "isalnum", isalnum_, "/" },
    { "isdigit", isdigit_, "/" },
    { "isnumeric", isdigit_, "/" },
    { "isdecimal", isdecimal_, "/" },
    { "isascii", isascii_, "/" },
    { "isprintable", isprintable_, "/" },
    { "isidentifier", isidentifier_, "/" },
    { "islower", islower_, "/" },
    { "isupper", isupper_, "/" },
    { "istitle", istitle_, "/" },
    { "removeprefix", removeprefix, "/prefix" },
    { "removesuffix", removesuffix, "/suffix" },
    { "ljust", ljust, "/width|fillchar" },
    { "rjust", rjust, "/width|fillchar" },
    { "center", center, "/width|fillchar" },
    { "zfill", zfill, "/width" },
    { "expandtabs", expandtabs, "|tabsize" },
    { "encode", encode, NULL },
    { NULL, NULL, NULL },
};
