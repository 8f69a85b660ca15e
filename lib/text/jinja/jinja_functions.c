/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_functions.c - the global functions of jinja2's sandbox and those that transformers adds. */
#include "jinja_priv.h"

#include <string.h>

/* The sandbox's bound on a range; past the second its ends are not computed with. */
enum { RANGE_MAX = 100000 };
static const int64_t range_end_max = (int64_t)1 << 53;

static axl_status range_fn(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                           jvalue *out)
{
    int64_t n[3] = { 0, 0, 1 };
    jrange *r = axl__j_alloc(st, sizeof *r);

    (void)self;
    (void)args;
    if (!r)
        return axl__j_out_of(st);
    for (int i = 0; i < 3; i++) {
        if (!axl__j_given(arg[i]))
            continue;
        AXL_TRY(axl__j_need_int(st, arg[i], "an argument of range", &n[i]));
        if (n[i] > range_end_max || n[i] < -range_end_max)
            return axl__j_fail(st, "a range of numbers past 2^53");
    }
    *r = axl__j_given(arg[1]) ? (jrange){ n[0], n[1], n[2] } : (jrange){ 0, n[0], 1 };
    if (r->step == 0)
        return axl__j_fail(st, "a range with a step of 0");
    if (axl__j_range_len(r) > RANGE_MAX)
        return axl__j_fail(st, "a range of more than %d numbers", RANGE_MAX);
    *out = (jvalue){ .kind = J_RANGE, .as.range = r };
    return AXL_OK;
}

/* Pairs of a mapping, or of a list of pairs, and the named arguments over them. */
static axl_status fill_dict(jstate *st, const jargs *args, jdict *d)
{
    jlist *pairs, *pair;
    jview view = { J_ITEMS, NULL };

    if (args->positional->n > 1)
        return axl__j_fail(st, "one mapping at most can be given");
    if (args->positional->n == 1) {
        jvalue from = args->positional->items[0];
        if (from.kind == J_DICT) {
            view.dict = from.as.dict;
            from = (jvalue){ .kind = J_VIEW, .as.view = &view };
        }
        AXL_TRY(axl__j_items(st, from, &pairs));
        for (size_t i = 0; i < pairs->n; i++) {
            AXL_TRY(axl__j_items(st, pairs->items[i], &pair));
            if (pair->n != 2)
                return axl__j_fail(st, "a mapping is made of pairs");
            AXL_TRY(axl__j_dict_set(st, d, pair->items[0], pair->items[1]));
        }
    }
    for (size_t i = 0; i < args->named->n; i++)
        AXL_TRY(axl__j_dict_set(st, d, args->named->pairs[i].key, args->named->pairs[i].value));
    return AXL_OK;
}

static axl_status make_dict(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                            jvalue *out)
{
    jdict *d;

    (void)self;
    (void)arg;
    AXL_TRY(axl__j_dict_new(st, &d));
    AXL_TRY(fill_dict(st, args, d));
    *out = axl__j_dict(d);
    return AXL_OK;
}

static axl_status make_namespace(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                                 jvalue *out)
{
    AXL_TRY(make_dict(st, self, arg, args, out));
    out->kind = J_NAMESPACE;
    return AXL_OK;
}

static axl_status make_cycler(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                              jvalue *out)
{
    jcycler *c = axl__j_alloc(st, sizeof *c);

    (void)self;
    (void)arg;
    if (!c)
        return axl__j_out_of(st);
    if (args->positional->n == 0 || args->named->n > 0)
        return axl__j_fail(st, "a cycler is made of the values it gives");
    c->items = args->positional;
    *out = (jvalue){ .kind = J_CYCLER, .as.cycler = c };
    return AXL_OK;
}

static axl_status make_joiner(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                              jvalue *out)
{
    jcycler *c = axl__j_alloc(st, sizeof *c);

    (void)self;
    (void)args;
    if (!c)
        return axl__j_out_of(st);
    AXL_TRY(axl__j_list_new(st, 1, &c->items));
    AXL_TRY(axl__j_list_add(st, c->items, axl__j_given(arg[0]) ? arg[0] : axl__j_text(", ", 2)));
    *out = (jvalue){ .kind = J_JOINER, .as.cycler = c };
    return AXL_OK;
}

static axl_status raise_exception(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                                  jvalue *out)
{
    jvalue text;

    (void)self;
    (void)args;
    (void)out;
    AXL_TRY(axl__j_text_of(st, arg[0], &text));
    return axl__j_fail(st, "the template says: %.*s", text.len < 400 ? (int)text.len : 400,
                       text.as.text);
}

static axl_status refuse_lipsum(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                                jvalue *out)
{
    (void)self;
    (void)arg;
    (void)args;
    (void)out;
    return axl__j_fail(st, "lipsum() gives random text, which no template may depend on");
}

/* ---- dates, in English ---- */

static const char *const months[] = { "January",   "February", "March",    "April",
                                      "May",       "June",     "July",     "August",
                                      "September", "October",  "November", "December" };
static const char *const days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday" };

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int day_of_year(axl__date d)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

    return before[d.month - 1] + d.day + (d.month > 2 && is_leap(d.year));
}

/* 0 is Sunday. */
static int day_of_week(axl__date d)
{
    int y = d.year - 1;

    return (y + y / 4 - y / 100 + y / 400 + day_of_year(d)) % 7;
}

/* Numbers: how many digits, what fills them, and the value. */
static bool put_date_number(axl__str *out, char c, bool bare, axl__date d)
{
    int hour12 = d.hour % 12 == 0 ? 12 : d.hour % 12;
    const struct {
        char letter, fill;
        int width, value;
    } fields[] = { { 'Y', '0', 4, d.year },         { 'm', '0', 2, d.month },
                   { 'd', '0', 2, d.day },          { 'e', ' ', 2, d.day },
                   { 'H', '0', 2, d.hour },         { 'I', '0', 2, hour12 },
                   { 'M', '0', 2, d.minute },       { 'S', '0', 2, d.second },
                   { 'y', '0', 2, d.year % 100 },   { 'j', '0', 3, day_of_year(d) },
                   { 'w', '0', 1, day_of_week(d) }, { 'f', '0', 6, 0 } };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].letter != c)
            continue;
        if (bare)
            axl__str_putf(out, "%d", fields[i].value);
        else if (fields[i].fill == ' ')
            axl__str_putf(out, "%*d", fields[i].width, fields[i].value);
        else
            axl__str_putf(out, "%0*d", fields[i].width, fields[i].value);
        return true;
    }
    return false;
}

static bool put_date_text(axl__str *out, char c, axl__date d)
{
    const char *day = days[day_of_week(d)], *month = months[d.month - 1];

    switch (c) {
    case 'A': axl__str_puts(out, day); return true;
    case 'a': axl__str_put(out, day, 3); return true;
    case 'B': axl__str_puts(out, month); return true;
    case 'b':
    case 'h': axl__str_put(out, month, 3); return true;
    case 'p': axl__str_puts(out, d.hour < 12 ? "AM" : "PM"); return true;
    case 'F': axl__str_putf(out, "%04d-%02d-%02d", d.year, d.month, d.day); return true;
    case 'T': axl__str_putf(out, "%02d:%02d:%02d", d.hour, d.minute, d.second); return true;
    case 'D': axl__str_putf(out, "%02d/%02d/%02d", d.month, d.day, d.year % 100); return true;
    case 'n': axl__str_putc(out, '\n'); return true;
    case 't': axl__str_putc(out, '\t'); return true;
    case 'Z':
    case 'z': return true; /* a time without a zone, as Python's datetime.now() */
    case '%': axl__str_putc(out, '%'); return true;
    default: return false;
    }
}

static axl_status strftime_now(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                               jvalue *out)
{
    axl__date d = st->opts->now;
    axl__str *text;

    (void)self;
    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "a date's format"));
    if (d.month < 1 || d.month > 12)
        return axl__j_fail(st, "there is no date to write");
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < arg[0].len; i++) {
        const char *s = arg[0].as.text + i;
        bool bare = i + 2 < arg[0].len && s[0] == '%' && s[1] == '-';
        char c = s[0] == '%' && i + 1 < arg[0].len ? s[1 + bare] : '\0';
        if (s[0] != '%')
            axl__str_putc(text, s[0]);
        else if (!put_date_number(text, c, bare, d) && !put_date_text(text, c, d))
            return axl__j_fail(st, "strftime_now: '%%%c' is not written here", c ? c : ' ');
        i += s[0] == '%' ? 1 + bare : 0;
    }
    return axl__j_end(st, out);
}

const jbuiltin axl__j_functions[] = {
    { "range", range_fn, "start|stop step" },
    { "dict", make_dict, NULL },
    { "namespace", make_namespace, NULL },
    { "cycler", make_cycler, NULL },
    { "joiner", make_joiner, "|sep" },
    { "raise_exception", raise_exception, "message" },
    { "strftime_now", strftime_now, "format" },
    { "lipsum", refuse_lipsum, NULL },
    { NULL, NULL, NULL },
};
