/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_text_filters.c - filters that give texts; which filters there are. */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <string.h>

#define FILTER(name)                                                                               \
    static axl_status name(jstate *st, jvalue self, const jvalue *arg, const jargs *args,          \
                           jvalue *out)

/* A method of texts, on whatever the filter got, with the same arguments. */
static axl_status as_method(jstate *st, const char *name, jvalue self, const jargs *args,
                            jvalue *out)
{
    AXL_TRY(axl__j_text_of(st, self, &self));
    return axl__j_call_builtin(st, axl__j_find_method(self, name, strlen(name)), self, args, out);
}

#define FILTER_METHOD(name)                                                                        \
    FILTER(name)                                                                                   \
    {                                                                                              \
        (void)arg;                                                                                 \
        return as_method(st, #name, self, args, out);                                              \
    }

FILTER_METHOD(lower)
FILTER_METHOD(upper)
FILTER_METHOD(capitalize)

/* A call of a method with what was given of n arguments. */
static axl_status with_places(jstate *st, const char *name, jvalue self, const jvalue *arg,
                              size_t n, jvalue *out)
{
    jargs args;

    AXL_TRY(axl__j_eval_args(st, NULL, NULL, &args));
    for (size_t i = 0; i < n && axl__j_given(arg[i]); i++)
        AXL_TRY(axl__j_list_add(st, args.positional, arg[i]));
    return as_method(st, name, self, &args, out);
}

FILTER(trim)
{
    (void)args;
    return with_places(st, "strip", self, arg, 1, out);
}

FILTER(replace)
{
    jvalue given[3] = { arg[0], arg[1], arg[2] };

    (void)args;
    AXL_TRY(axl__j_text_of(st, arg[0], &given[0]));
    AXL_TRY(axl__j_text_of(st, arg[1], &given[1]));
    return with_places(st, "replace", self, given, 3, out);
}

FILTER(center)
{
    jvalue width = axl__j_given(arg[0]) ? arg[0] : axl__j_int(80);

    (void)args;
    return with_places(st, "center", self, &width, 1, out);
}

/* Words begin behind white space and any of -({[<. */
FILTER(title)
{
    axl__str *text;
    bool begins = true;

    (void)arg;
    (void)args;
    AXL_TRY(axl__j_text_of(st, self, &self));
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t at = 0; at < self.len;) {
        uint32_t c = axl__utf8_next(self.as.text, self.len, &at);
        if (begins && c == 0xDF)
            axl__str_puts(text, "SS");
        else
            axl__str_put_utf8(text, begins ? axl__j_upper(c) : axl__j_lower(c));
        begins = axl__j_space(c) || (c > 0 && c < 0x80 && strchr("-({[<", (int)c));
    }
    return axl__j_end(st, out);
}

FILTER(to_string)
{
    (void)arg;
    (void)args;
    return axl__j_text_of(st, self, out);
}

FILTER(safe)
{
    (void)arg;
    (void)args;
    AXL_TRY(axl__j_text_of(st, self, out));
    out->markup = true;
    return AXL_OK;
}

FILTER(escape)
{
    (void)arg;
    (void)args;
    return axl__j_escape(st, self, out);
}

FILTER(forceescape)
{
    (void)arg;
    (void)args;
    self.markup = false;
    return axl__j_escape(st, self, out);
}

/* width: a number of spaces, or the text itself. */
static axl_status read_indention(jstate *st, jvalue width, jvalue *out)
{
    if (width.kind == J_STRING)
        return *out = width, AXL_OK;
    return axl__j_binary(st, T_MUL, axl__j_text(" ", 1),
                         axl__j_given(width) ? width : axl__j_int(4), out);
}

FILTER(indent)
{
    bool first = axl__j_truth(arg[1]), blank = axl__j_truth(arg[2]);
    jvalue with, lines;
    jargs none;
    axl__str *text;

    (void)args;
    AXL_TRY(axl__j_need_text(st, self, "what is indented"));
    AXL_TRY(read_indention(st, arg[0], &with));
    AXL_TRY(axl__j_eval_args(st, NULL, NULL, &none));
    AXL_TRY(axl__j_join(st, self, axl__j_text("\n", 1), &lines));
    AXL_TRY(as_method(st, "splitlines", lines, &none, &lines));
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < lines.as.list->n; i++) {
        jvalue line = lines.as.list->items[i];
        axl__str_puts(text, i > 0 ? "\n" : "");
        if (i == 0 ? first : blank || line.len > 0)
            axl__str_put(text, with.as.text, with.len);
        axl__str_put(text, line.as.text, line.len);
        if (text->len > st->limits.output)
            return axl__j_fail(st, "an indented text of more than %llu bytes",
                               (unsigned long long)st->limits.output);
    }
    return axl__j_end(st, out);
}

static axl_status read_truncate(jstate *st, const jvalue *arg, jvalue *end, int64_t *length,
                                int64_t *leeway)
{
    *length = 255;
    *leeway = 5;
    *end = axl__j_given(arg[2]) ? arg[2] : axl__j_text("...", 3);
    if (axl__j_given(arg[0]))
        AXL_TRY(axl__j_need_int(st, arg[0], "a length", length));
    if (axl__j_given(arg[3]) && arg[3].kind != J_NONE)
        AXL_TRY(axl__j_need_int(st, arg[3], "a leeway", leeway));
    AXL_TRY(axl__j_need_text(st, *end, "the end of a truncated text"));
    if (*length < (int64_t)axl__j_count(end->as.text, end->len) || *leeway < 0)
        return axl__j_fail(st, "truncate: a length below the end's, or a leeway below 0");
    return AXL_OK;
}

FILTER(truncate)
{
    int64_t length, leeway, n;
    jvalue end;

    (void)args;
    AXL_TRY(read_truncate(st, arg, &end, &length, &leeway));
    AXL_TRY(axl__j_length(st, self, &n));
    if (n - leeway <= length)
        return *out = self, AXL_OK;
    AXL_TRY(axl__j_need_text(st, self, "what is truncated"));
    size_t keep = axl__j_offset(self.as.text, self.len,
                                (size_t)(length - (int64_t)axl__j_count(end.as.text, end.len)));
    if (!axl__j_truth(arg[1])) {
        size_t at = keep;
        while (at > 0 && self.as.text[at - 1] != ' ')
            at--;
        keep = at > 0 ? at - 1 : keep;
    }
    return axl__j_join(st, axl__j_text(self.as.text, keep), end, out);
}

FILTER(wordcount)
{
    int64_t n = 0;
    bool inside = false;

    (void)arg;
    (void)args;
    AXL_TRY(axl__j_text_of(st, self, &self));
    for (size_t at = 0; at < self.len;) {
        uint32_t c = axl__utf8_next(self.as.text, self.len, &at);
        bool word = axl__j_letter(c) || c == '_' || (c >= '0' && c <= '9');
        n += word && !inside;
        inside = word;
    }
    *out = axl__j_int(n);
    return AXL_OK;
}

FILTER(format)
{
    (void)arg;
    if (args->positional->n > 0 && args->named->n > 0)
        return axl__j_fail(st, "format takes values by place or by name, not both");
    AXL_TRY(axl__j_text_of(st, self, &self));
    return axl__j_percent(
        st, self, args->named->n > 0 ? axl__j_dict(args->named) : axl__j_tuple(args->positional),
        out);
}

FILTER(urlencode)
{
    axl__str *text;

    (void)arg;
    (void)args;
    if (self.kind == J_DICT || self.kind == J_LIST || self.kind == J_TUPLE)
        return axl__j_fail(st, "urlencode of %s is not done", axl__j_type_name(self));
    AXL_TRY(axl__j_text_of(st, self, &self));
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < self.len; i++) {
        unsigned char c = (unsigned char)self.as.text[i];
        bool plain = (c < 0x80 && axl__j_letter(c)) || (c >= '0' && c <= '9') ||
                     (c > 0 && strchr("_.-~/", c));
        axl__str_putf(text, plain ? "%c" : "%%%02X", c);
    }
    return axl__j_end(st, out);
}

FILTER(refuse)
{
    (void)self;
    (void)arg;
    (void)args;
    (void)out;
    return axl__j_fail(st, "this filter of jinja2's is not done: filesizeformat, pprint, random, "
                           "striptags, urlize, wordwrap, xmlattr");
}

const jbuiltin axl__j_text_filters[] = {
    { "lower", lower, "" },
    { "upper", upper, "" },
    { "capitalize", capitalize, "" },
    { "title", title, "" },
    { "trim", trim, "|chars" },
    { "replace", replace, "old new|count" },
    { "center", center, "|width" },
    { "string", to_string, "" },
    { "safe", safe, "" },
    { "escape", escape, "" },
    { "e", escape, "" },
    { "forceescape", forceescape, "" },
    { "indent", indent, "|width first blank" },
    { "truncate", truncate, "|length killwords end leeway" },
    { "wordcount", wordcount, "" },
    { "format", format, NULL },
    { "urlencode", urlencode, "" },
    { "filesizeformat", refuse, NULL },
    { "pprint", refuse, NULL },
    { "random", refuse, NULL },
    { "striptags", refuse, NULL },
    { "urlize", refuse, NULL },
    { "wordwrap", refuse, NULL },
    { "xmlattr", refuse, NULL },
    { NULL, NULL, NULL },
};

const jbuiltin *axl__j_filter(const char *name, size_t len)
{
    const jbuiltin *found = axl__j_find_builtin(axl__j_text_filters, name, len);

    if (!found)
        found = axl__j_find_builtin(axl__j_sequence_filters, name, len);
    if (!found)
        found = axl__j_find_builtin(axl__j_number_filters, name, len);
    return !found && axl__j_is_text(axl__j_text(name, len), "tojson", 6) ? &axl__j_tojson : found;
}
