/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_keys.c - each key by itself: is it known, is its value of its type and in its range, and
 * does axl do what it asks.  Values are converted as pydantic's lax mode does ("4" and 4.0 are an
 * integer where one is wanted), but true is no number.
 */
#include "config_priv.h"

#include "dataset_types.h"
#include "host_types.h"

#include "base/num.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where the walk through the tree is.  A path that could not grow for lack of memory is marked as
 * failed; the walk then keeps members without looking at them, and the pass ends in
 * AXL_ERR_NOMEM. */
typedef struct walk {
    axl__config_pass *p;
    axl__str path;
    bool quiet; /* below a key that was reported: only unknown names and types are news */
} walk;

static const char *path_of(const walk *w)
{
    return axl__str_text(&w->path);
}

/* The functions below are by what a value is, and their type by what the key takes: they change the
 * node to the first type that fits, or leave it as it is and return false. */
/* ---- types ---- */

static bool coerce(axl__yaml *n, uint16_t type, const char *values);

/* "false" is how some files turn a count off. */
static bool bool_to(axl__yaml *n, uint16_t type)
{
    if (type & T_B)
        return true;
    if (n->boolean || !(type & (T_I | T_F)))
        return false;
    n->type = type & T_I ? AXL__YAML_INT : AXL__YAML_FLOAT;
    n->integer = 0;
    n->number = 0;
    return true;
}

/* 9e15 is below 2^53 (9.007e15): up to there a double that is whole is exactly the integer that it
 * says. */
static bool float_to(axl__yaml *n, uint16_t type)
{
    if (type & T_F)
        return true;
    if (n->text_in_yaml11 && (type & T_S)) {
        n->type = AXL__YAML_STRING;
        return true;
    }
    if ((type & T_I) && fabs(n->number) < 9e15 && n->number == floor(n->number)) {
        n->type = AXL__YAML_INT;
        n->integer = (int64_t)n->number;
        return true;
    }
    if ((type & T_B) && (n->number == 0 || n->number == 1)) {
        n->type = AXL__YAML_BOOL;
        n->boolean = n->number == 1;
        return true;
    }
    return false;
}

/* number is set on an INT already, so that becoming a FLOAT needs the type alone. */
static bool int_to(axl__yaml *n, uint16_t type)
{
    if ((type & T_I) && !n->huge)
        return true;
    if (type & T_F) {
        n->type = AXL__YAML_FLOAT;
        return true;
    }
    if ((type & T_B) && !n->huge && (n->integer == 0 || n->integer == 1)) {
        n->type = AXL__YAML_BOOL;
        n->boolean = n->integer == 1;
        return true;
    }
    return false;
}

/* pydantic's words of its lax mode, in any case. */
static bool string_to_bool(axl__yaml *n)
{
    static const char *const words[] = { "0", "off", "f", "false", "n", "no",
                                         "1", "on",  "t", "true",  "y", "yes" };

    for (size_t i = 0; i < 12; i++)
        if (axl__ascii_casecmp(n->text, words[i]) == 0) {
            n->type = AXL__YAML_BOOL;
            n->boolean = i >= 6;
            return true;
        }
    return false;
}

static bool string_to_number(axl__yaml *n, uint16_t type)
{
    axl__yaml number = *n;

    if (n->len == 0)
        return false;
    axl__yaml_resolve(&number);
    if ((number.type != AXL__YAML_INT && number.type != AXL__YAML_FLOAT) ||
        !coerce(&number, type & (T_I | T_F), NULL))
        return false;
    *n = number;
    return true;
}

/* Where a key takes texts too, one of its own words stays a text ("auto"), and anything else is
 * tried as what else it takes before it is a text nevertheless. */
static bool string_to(axl__yaml *n, uint16_t type, const char *values)
{
    if ((type & T_S) && (!values || axl__schema_has_value(values, n->text)))
        return true;
    if ((type & T_B) && string_to_bool(n))
        return true;
    if ((type & (T_I | T_F)) && string_to_number(n, type))
        return true;
    return (type & T_S) != 0;
}

static bool coerce(axl__yaml *n, uint16_t type, const char *values)
{
    if (type & T_ANY)
        return true;
    switch (n->type) {
    case AXL__YAML_NULL: return false;
    case AXL__YAML_BOOL: return bool_to(n, type);
    case AXL__YAML_INT: return int_to(n, type);
    case AXL__YAML_FLOAT: return float_to(n, type);
    case AXL__YAML_STRING: return string_to(n, type, values);
    case AXL__YAML_LIST: return (type & T_L) != 0;
    case AXL__YAML_MAP: return (type & (T_M | T_O)) != 0;
    }
    return false;
}

/* The hint: a scalar that YAML took for a number or a boolean where a text is wanted (a revision of
 * digits, a token that is "no"). */
static void say_type(walk *w, const axl__yaml *n, uint16_t type)
{
    static const char *const names[] = { "true or false", "an integer", "a number",  "a text",
                                         "a list",        "a mapping",  "a mapping", "a value" };
    char expected[160] = "", found[120];
    size_t len = 0;

    for (int bit = 0; bit < T_ITEM_SHIFT; bit++)
        if (type & 1 << bit)
            len += (size_t)snprintf(expected + len, sizeof expected - len, "%s%s",
                                    len ? " or " : "", names[bit]);
    bool quotes = (type & T_S) && n->text && n->type != AXL__YAML_NULL;
    axl__config_say(w->p, AXL__C_WRONG_TYPE, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                    "expected %s, found %s%s", expected, axl__yaml_describe(n, found, sizeof found),
                    quotes ? " (put it in quotes)" : "");
}

/* ---- values ---- */

/* The type of a data set, which has more spellings than the table lists. */
static bool is_type(const axl__schema_key *k)
{
    return axl__ends_with(k->name, "datasets[].type");
}

/* Without those that are forms of another, "alpaca:chat" of "alpaca". */
static const char *plain_values(const char *values, char *out, size_t room)
{
    size_t len = 0;

    for (const char *at = values; *at && len < room;) {
        size_t n = strcspn(at, ",");
        if (!memchr(at, ':', n))
            len += (size_t)snprintf(out + len, room - len, "%s%.*s", len ? ", " : "", (int)n, at);
        at += n;
        at += *at ? 2 : 0;
    }
    return out;
}

/* Of a type without quoting all that there are; false: nothing better is known. */
static bool say_no_type(walk *w, const axl__yaml *n, const char *hint)
{
    const char *instead =
        hint[0] ? NULL : axl__dataset_type_instead(n->text, axl__data_task_of(w->p->root));

    if (hint[0])
        axl__config_say(w->p, AXL__C_BAD_VALUE, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                        "there is no data set type \"%.100s\"%s", n->text, hint);
    else if (instead)
        axl__config_say(w->p, AXL__C_UNSUPPORTED, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                        "\"%.100s\" is not supported: %s", n->text, instead);
    return hint[0] || instead;
}

/* The types that this config could name. */
static void say_types(walk *w, const axl__schema_key *k, const axl__yaml *n)
{
    axl__str types;

    axl__str_init(&types, w->p->arena->ctx);
    axl__dataset_types_put(&types, axl__data_task_of(w->p->root));
    w->path.failed = w->path.failed || types.failed; /* which ends the walk out of memory */
    axl__config_say(w->p, AXL__C_UNSUPPORTED, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                    "\"%.100s\" is not supported: %s; use %s", n->text, k->reason,
                    axl__str_text(&types));
    axl__str_free(&types);
}

/* An implemented key that has a reason has values that axl does not do; without a near name the
 * text is more likely one of those than a slip. */
static void say_value(walk *w, const axl__schema_key *k, const axl__yaml *n)
{
    char near[128], hint[160] = "", values[1500];
    bool known = axl__schema_has_value(k->values, n->text) || /* elsewhere, or by the reason */
                 (k->reason && strstr(k->reason, n->text));

    /* "qlora" holds "lora" and is no slip of it. */
    if (!known && axl__nearest_value(k->values, n->text, near, sizeof near) &&
        !strstr(n->text, near))
        snprintf(hint, sizeof hint, "; did you mean \"%s\"?", near);
    if (is_type(k)) {
        if (!say_no_type(w, n, hint))
            say_types(w, k, n);
        return;
    }
    const char *why = k->refusal ? k->refusal(n->text) : NULL;
    if (why) {
        axl__config_say(w->p, AXL__C_UNSUPPORTED, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                        "\"%.100s\" is not supported: %s", n->text, why);
        return;
    }
    if (k->answer == A_IMPL && k->reason && !hint[0]) {
        axl__config_say(w->p, AXL__C_UNSUPPORTED, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                        "\"%.100s\" is not supported: %s; use %s", n->text, k->reason,
                        plain_values(k->values, values, sizeof values));
        return;
    }
    axl__config_say(w->p, AXL__C_BAD_VALUE, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                    "must be %s%s, found \"%.100s\"%s", strchr(k->values, ',') ? "one of " : "",
                    plain_values(k->values, values, sizeof values), n->text, hint);
}

/* Upper case is fine where Axolotl lowers it. */
static void lower(axl__yaml *n, const char *values)
{
    for (char *c = (char *)(uintptr_t)n->text; *c; c++)
        if (*c >= 'A' && *c <= 'Z' && !axl__schema_has_value(values, n->text))
            *c = (char)(*c | 0x20);
}

/* Whether this config may name the type.  What a host makes of a record are texts to learn. */
static bool is_type_of(const walk *w, const axl__yaml *n)
{
    axl__data_task task = axl__data_task_of(w->p->root);

    return n->len == 0 || axl__dataset_type_find(n->text, task) ||
           (task == AXL__TASK_TEXT && axl__host_type_find(w->p->arena->ctx, n->text));
}

/* The class of a reward model, which is not looked at while none is trained. */
static bool is_reward_class(const walk *w, const axl__schema_key *k, const axl__yaml *n)
{
    static const char names[] =
        "AutoModelForSequenceClassification, AutoModelForTokenClassification";
    axl__data_task task = axl__data_task_of(w->p->root);

    return (task == AXL__TASK_REWARD || task == AXL__TASK_STEPS) &&
           strcmp(k->name, "model_type") == 0 && axl__schema_has_value(names, n->text);
}

/* Range and values, of a node that is of the key's type by now.  false: it was reported, and what
 * else there would be to say of it is not. */
static bool check_value(walk *w, const axl__schema_key *k, axl__yaml *n)
{
    bool number = n->type == AXL__YAML_INT || n->type == AXL__YAML_FLOAT;

    if (n->type == AXL__YAML_FLOAT && !isfinite(n->number) && !(k->type & T_ANY)) {
        axl__config_say(w->p, AXL__C_OUT_OF_RANGE, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                        "must be a finite number, found %s", n->text);
        return false;
    }
    if (number && k->range && !axl__schema_in_range(k->range, n->number)) {
        axl__config_say(w->p, AXL__C_OUT_OF_RANGE, AXL_SEVERITY_ERROR, n, AT_VALUE, path_of(w),
                        "must be %s, found %s", k->range, n->text);
        return false;
    }
    if (n->type != AXL__YAML_STRING || !k->values)
        return true;
    if (strcmp(k->name, "excess_length_strategy") == 0)
        lower(n, k->values);
    if (is_type(k) ? !is_type_of(w, n)
                   : !axl__schema_has_value(k->values, n->text) && !is_reward_class(w, k, n)) {
        say_value(w, k, n);
        return false;
    }
    return true;
}

/* ---- answers ---- */

/* Whether a value asks for nothing, so that no word is due about a key that axl does not do.  A key
 * with neutral "true" is a switch that asks for something when it is off: where that is an error
 * false is not neutral, where the key has no effect anyway both are. */
static bool is_neutral(const axl__schema_key *k, const axl__yaml *n)
{
    double number;

    if (n->derived)
        return true;
    if (k->neutral) {
        if (n->type == AXL__YAML_BOOL && k->answer == A_UNSUP)
            return strcmp(k->neutral, n->boolean ? "true" : "false") == 0;
        if (n->type == AXL__YAML_BOOL && strcmp(k->neutral, "true") == 0)
            return true;
        if (n->type == AXL__YAML_STRING && strcmp(k->neutral, n->text) == 0)
            return true;
        if ((n->type == AXL__YAML_INT || n->type == AXL__YAML_FLOAT) &&
            axl__parse_double(k->neutral, strlen(k->neutral), &number) && number == n->number)
            return true;
    }
    return !axl__yaml_truthy(n);
}

static void say_because(walk *w, axl__diag_id id, axl_severity severity, const axl__yaml *n,
                        const char *what, const axl__schema_key *k, const char *reason)
{
    axl__config_say(w->p, id, severity, n, AT_KEY, path_of(w), "%s%s%s%s%s", what,
                    reason ? ": " : "", reason ? reason : "", k->use_instead ? "; use " : "",
                    k->use_instead ? k->use_instead : "");
}

static void say_instead(walk *w, axl__diag_id id, axl_severity severity, const axl__yaml *n,
                        const char *what, const axl__schema_key *k)
{
    say_because(w, id, severity, n, what, k, k->reason);
}

/* The type of the data whose entry holds the key, or of the first data set that reads a key of the
 * whole config; NULL where none is known, which is an error of its own. */
static const axl__dataset_type *type_beside(const walk *w, const axl__schema_key *k,
                                            const axl__yaml *map)
{
    const axl__dataset_type *first = NULL;
    axl__data_task task = axl__data_task_of(w->p->root);

    if (strstr(k->name, "[].type."))
        return axl__dataset_type_of_mapping(task);
    if (map != w->p->root)
        return axl__dataset_type_of(map, task);
    const axl__yaml *list = axl__yaml_get(map, "datasets");
    for (const axl__yaml *entry = list ? list->child : NULL; entry; entry = entry->next) {
        const axl__dataset_type *type = axl__dataset_type_of(entry, task);
        if (type && axl__dataset_type_reads(type, k->name))
            return type;
        first = first ? first : type;
    }
    return first;
}

/* Whether the type beside a key that depends on it reads it. */
static bool reads(const axl__dataset_type *type, const axl__schema_key *k)
{
    const char *items = strstr(k->name, "[].");

    return type && axl__dataset_type_reads(type, items ? items + 3 : k->name);
}

static void answer_by_type(walk *w, const axl__schema_key *k, const axl__yaml *n,
                           const axl__yaml *map)
{
    const axl__dataset_type *type = type_beside(w, k, map);
    char reason[100];

    if (!type || reads(type, k))
        return;
    snprintf(reason, sizeof reason, "%s data does not read it", type->name);
    say_because(w, AXL__C_NO_EFFECT, AXL_SEVERITY_WARNING, n, "no effect here", k,
                k->reason ? k->reason : reason);
}

/* map holds the key. */
static void answer(walk *w, const axl__schema_key *k, const axl__yaml *n, const axl__yaml *map)
{
    if (w->quiet || is_neutral(k, n))
        return;
    if (k->by_type)
        answer_by_type(w, k, n, map);
    else if (k->answer == A_UNSUP)
        say_instead(w, AXL__C_UNSUPPORTED, AXL_SEVERITY_ERROR, n, "not supported", k);
    else if (k->answer == A_NONE)
        say_instead(w, AXL__C_NO_EFFECT, AXL_SEVERITY_WARNING, n, "no effect here", k);
}

/* With save_safetensors it is false that is refused. */
static bool refusal_is_neutral(const axl__schema_key *k, axl__yaml *n)
{
    if (!k->neutral)
        return !axl__yaml_truthy(n);
    return coerce(n, k->type, NULL) && axl__yaml_truthy(n);
}

/* The hint is the last name alone where the near key has the same parent as the wrong one, else the
 * whole path. */
static void say_unknown(walk *w, const axl__yaml *n)
{
    const char *key = path_of(w), *last = strrchr(key, '.');
    axl_severity severity = w->p->warn_unknown ? AXL_SEVERITY_WARNING : AXL_SEVERITY_ERROR;

    if (axl__diagnostics_full(w->p->diags, severity))
        return; /* the search for a near name is the slow part */
    const char *near = axl__nearest_key(key);
    char hint[200] = "";
    if (near) {
        const char *near_last = strrchr(near, '.');
        bool sibling = last && near_last && near_last - near > 0 &&
                       axl__starts_with(near, "axl.") == axl__starts_with(key, "axl.");
        snprintf(hint, sizeof hint, "; did you mean \"%s\"?", sibling ? near_last + 1 : near);
    }
    axl__config_say(w->p, AXL__C_UNKNOWN_KEY, severity, n, AT_KEY, key, "unknown key \"%.100s\"%s",
                    last ? last + 1 : key, hint);
}

/* ---- the walk ---- */

static void check_members(walk *w, axl__yaml *map);

/* A list is gone through to its end, whatever an item is: each wrong one is told with its index. */
static void check_items(walk *w, const axl__schema_key *k, axl__yaml *list)
{
    uint16_t item_type = (uint16_t)(k->type >> T_ITEM_SHIFT);
    size_t mark = w->path.len;
    uint32_t i = 0;

    for (axl__yaml *n = list->child; n; n = n->next, i++) {
        axl__str_putf(&w->path, "[%u]", i);
        if (!coerce(n, item_type, NULL))
            say_type(w, n, item_type);
        else if (n->type == AXL__YAML_MAP && (item_type & T_O))
            check_members(w, n);
        w->path.len = mark;
        if (w->path.data)
            w->path.data[mark] = '\0';
    }
}

/* Whether the member stays in the effective config. */
static bool check_member(walk *w, const axl__yaml *map, axl__yaml *n)
{
    const axl__schema_key *k = axl__schema_find(path_of(w));
    bool was_quiet = w->quiet;

    if (!k) {
        say_unknown(w, n);
        return false;
    }
    if (k->answer == A_DROPPED) {
        say_instead(w, AXL__C_DROPPED, AXL_SEVERITY_WARNING, n, "ignored", k);
        return false;
    }
    if (k->answer == A_REFUSED && !refusal_is_neutral(k, n))
        say_instead(w, AXL__C_REFUSED, AXL_SEVERITY_ERROR, n, "refused", k);
    if (k->answer >= A_MOVED)
        return false;
    if (!coerce(n, k->type, k->values)) {
        say_type(w, n, k->type);
        return true;
    }
    /* Other types give other values to a key that this one does not read. */
    bool foreign = k->by_type && k->answer == A_IMPL && !reads(type_beside(w, k, map), k);
    if (!foreign && !check_value(w, k, n))
        return true;
    answer(w, k, n, map);
    w->quiet = was_quiet || k->answer != A_IMPL;
    if (n->type == AXL__YAML_LIST && !(k->type & T_ANY))
        check_items(w, k, n);
    else if (n->type == AXL__YAML_MAP && (k->type & T_O))
        check_members(w, n);
    w->quiet = was_quiet;
    return true;
}

/* The path of the walk is cut back after each member; what does not stay is taken out of the list
 * as it is passed. */
static void check_members(walk *w, axl__yaml *map)
{
    size_t mark = w->path.len;

    for (axl__yaml **at = &map->child; *at;) {
        axl__yaml *n = *at;
        axl__str_puts(&w->path, mark ? "." : "");
        axl__str_puts(&w->path, n->key);
        bool keep = w->path.failed || check_member(w, map, n);
        w->path.len = mark;
        if (w->path.data)
            w->path.data[mark] = '\0';
        if (keep) {
            at = &n->next;
        } else {
            *at = n->next;
            map->count--;
        }
    }
}

axl_status axl__config_check_keys(axl__config_pass *p)
{
    walk w = { .p = p };

    axl__str_init(&w.path, p->arena->ctx);
    check_members(&w, p->root);
    axl_status status = axl__str_status(&w.path);
    axl__str_free(&w.path);
    return status;
}
