/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_csv.c - rows under a header, as pandas and Hugging Face's csv loader read them by default: a
 * quote opens at a field's start alone, "" in quotes is one, a line ends at \n, \r\n or \r, lines
 * of nothing but blanks are none, and words such as NA are null.  What a column holds is found in
 * the first CHUNK rows, as there: they are gone through twice, so that none is kept.  Two things
 * differ: a row with too few fields is an error, and a number is the nearest double, where pandas
 * may miss it by a unit or two in the last place.
 */
#include "data/read/reader.h"

#include "data/read/record_tree.h"

#include "base/map.h"
#include "base/num.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 10000 };

/* What all of a column's values are; of what fits, the first.  No bit: every value is null. */
typedef enum {
    CSV_INT = 1,
    CSV_UNSIGNED = 2, /* to 2^64 - 1 */
    CSV_FLOAT = 4,
    CSV_BOOL = 8,
    CSV_STRING = 16
} csv_type;

typedef struct {
    const char *name;
    size_t name_len;
    unsigned fits; /* csv_type bits; all of them while no value was seen */
    bool seen, nulls;
    bool fractional; /* some value is no integer, and before it none was beyond 64 bits */
    bool beyond;     /* an integer beyond 64 bits came first: pandas then gives texts */
    csv_type type;   /* 0: null */
} csv_column;

/* The row at hand: fields follow each other in bytes, without their quotes. */
typedef struct {
    axl__source *source;
    axl__arena names;
    axl__map suffixes; /* a column's name to the number that a second one of it gets */
    csv_column *columns;
    size_t n_columns;
    axl__str bytes;
    axl__str ends;      /* a size_t a field, in bytes */
    size_t at;          /* of the source's text: the next row */
    uint64_t line, row; /* 1-based: of at, and where the row at hand began */
    bool quoted;        /* some field of the row was */
    bool done;          /* nothing can be found behind an open quote */
} csv_rows;

static size_t n_fields(const csv_rows *c)
{
    return c->ends.len / sizeof(size_t);
}

static const char *field(const csv_rows *c, size_t i, size_t *len)
{
    size_t from = 0, to;

    if (i > 0)
        memcpy(&from, c->ends.data + (i - 1) * sizeof from, sizeof from);
    memcpy(&to, c->ends.data + i * sizeof to, sizeof to);
    const char *text = axl__str_text(&c->bytes) + from;
    const char *nul = memchr(text, '\0', to - from); /* ends a text in pandas too */
    *len = nul ? (size_t)(nul - text) : to - from;
    return text;
}

/* ---- rows ---- */

typedef enum { FIELD_START, FIELD_PLAIN, FIELD_QUOTED, FIELD_QUOTE } csv_state;

static void end_field(csv_rows *c, csv_state *state)
{
    axl__str_put(&c->ends, &c->bytes.len, sizeof c->bytes.len);
    *state = FIELD_START;
}

/* The bytes from at on that are of the field and say nothing. */
static size_t plain_run(const axl__source *s, size_t at, csv_state state)
{
    size_t i = at;

    if (state == FIELD_QUOTED)
        while (i < s->len && s->text[i] != '"')
            i++;
    else if (state == FIELD_PLAIN)
        while (i < s->len && !memchr(",\n\r", s->text[i], 3))
            i++;
    return i - at;
}

/* One byte; whether it ends the row. */
static bool take_byte(csv_rows *c, char byte, csv_state *state)
{
    bool open = *state == FIELD_QUOTED;

    if (byte == '"' && *state == FIELD_START) {
        *state = FIELD_QUOTED;
        c->quoted = true;
    } else if (byte == '"' && open) {
        *state = FIELD_QUOTE;
    } else if (byte == '"' && *state == FIELD_QUOTE) {
        axl__str_putc(&c->bytes, byte);
        *state = FIELD_QUOTED;
    } else if (byte == ',' && !open) {
        end_field(c, state);
    } else if ((byte == '\n' || byte == '\r') && !open) {
        end_field(c, state);
        return true;
    } else {
        axl__str_putc(&c->bytes, byte);
        *state = open ? FIELD_QUOTED : FIELD_PLAIN;
    }
    return false;
}

/* Lines that end in [from, to); one that ends in \r\n ends at the \n. */
static void count_lines(csv_rows *c, size_t from, size_t to)
{
    const axl__source *s = c->source;

    for (size_t i = from; i < to; i++)
        c->line += s->text[i] == '\n' ||
                   (s->text[i] == '\r' && !(i + 1 < s->len && s->text[i + 1] == '\n'));
}

/* A row into c, *len bytes of the text; AXL_END where there is none. */
static axl_status scan_row(csv_rows *c, size_t *len)
{
    const axl__source *s = c->source;
    csv_state state = FIELD_START;
    axl_status status = AXL_OK;
    size_t i = c->at;
    bool ended = false;

    while (!ended && status == AXL_OK) {
        size_t run = plain_run(s, i, state);
        axl__str_put(&c->bytes, s->text + i, run);
        i += run;
        if (i < s->len && (s->text[i] != '\r' || i + 1 < s->len))
            ended = take_byte(c, s->text[i++], &state);
        else
            status = axl__source_more(c->source);
    }
    if (status < 0)
        return status;
    if (!ended && i < s->len)
        ended = take_byte(c, s->text[i++], &state); /* a \r at the very end */
    if (ended && s->text[i - 1] == '\r' && i < s->len && s->text[i] == '\n')
        i++;
    *len = i - c->at;
    if (*len == 0)
        return AXL_END;
    c->done = !ended && state == FIELD_QUOTED;
    if (!ended)
        end_field(c, &state);
    AXL_TRY(axl__str_status(&c->bytes));
    return axl__str_status(&c->ends);
}

/* A line of blanks alone. */
static bool is_blank(const csv_rows *c)
{
    size_t i = 0;

    while (i < c->bytes.len && memchr(" \t", c->bytes.data[i], 2))
        i++;
    return n_fields(c) == 1 && !c->quoted && i == c->bytes.len;
}

static axl_status bad_row(const csv_rows *c, axl__record_error *e, const char *why)
{
    e->at = c->row;
    snprintf(e->why.text, sizeof e->why.text, "%s", why);
    return AXL_ERR_DATA;
}

/* The next row that is none of blanks; AXL_ERR_DATA where its bytes are no text. */
static axl_status next_row(csv_rows *c, axl__record_error *e)
{
    size_t len;

    do {
        if (c->done)
            return AXL_END;
        axl__str_clear(&c->bytes);
        axl__str_clear(&c->ends);
        c->quoted = false;
        axl_status status = scan_row(c, &len);
        if (status != AXL_OK)
            return status;
        c->row = c->line;
        count_lines(c, c->at, c->at + len);
        c->at += len;
        axl__source_pass(c->source, &c->at);
    } while (is_blank(c));
    if (c->done)
        return bad_row(c, e, "a quote that opens in this row is not closed");
    return axl__utf8_valid(c->bytes.data, c->bytes.len) ? AXL_OK : bad_row(c, e, "not UTF-8");
}

/* ---- values ---- */

static bool is_one_of(const char *text, size_t len, const char *const *words)
{
    while (*words && (strlen(*words) != len || memcmp(*words, text, len) != 0))
        words++;
    return *words != NULL;
}

static bool is_null(const char *text, size_t len)
{
    static const char *const words[] = { "",         "#N/A", "#N/A N/A", "#NA",    "-1.#IND",
                                         "-1.#QNAN", "-NaN", "-nan",     "1.#IND", "1.#QNAN",
                                         "<NA>",     "N/A",  "NA",       "NULL",   "NaN",
                                         "None",     "n/a",  "nan",      "null",   NULL };

    return is_one_of(text, len, words);
}

static bool bool_of(const char *text, size_t len, bool *value)
{
    static const char *const yes[] = { "True", "TRUE", "true", NULL };
    static const char *const no[] = { "False", "FALSE", "false", NULL };

    *value = is_one_of(text, len, yes);
    return *value || is_one_of(text, len, no);
}

/* A number between blanks. */
static void trim(const char **text, size_t *len)
{
    while (*len > 0 && memchr(" \t\n\v\f\r", (*text)[*len - 1], 6))
        --*len;
    while (*len > 0 && memchr(" \t\n\v\f\r", **text, 6)) {
        ++*text;
        --*len;
    }
}

static bool int_of(const char *text, size_t len, int64_t *value)
{
    trim(&text, &len);
    return axl__parse_int(text, len, value);
}

static bool is_unsigned(const char *text, size_t len)
{
    static const char most[] = "18446744073709551615";

    trim(&text, &len);
    while (len > 1 && *text == '0') {
        text++;
        len--;
    }
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > 0 && (len < 20 || (len == 20 && memcmp(text, most, 20) <= 0));
}

static bool infinity_of(const char *text, size_t len, double *value)
{
    char word[10] = "";
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');

    if (len - sign >= sizeof word)
        return false;
    memcpy(word, text + sign, len - sign);
    *value = sign && text[0] == '-' ? -INFINITY : INFINITY;
    return axl__ascii_casecmp(word, "inf") == 0 || axl__ascii_casecmp(word, "infinity") == 0;
}

static bool double_of(const char *text, size_t len, double *value)
{
    trim(&text, &len);
    return infinity_of(text, len, value) ||
           (axl__parse_double(text, len, value) && isfinite(*value));
}

/* The types that a value may be of. */
static unsigned types_of(const char *text, size_t len)
{
    unsigned fits = CSV_STRING;
    int64_t integer;
    double number;
    bool boolean;

    if (int_of(text, len, &integer))
        fits |= CSV_INT;
    if (is_unsigned(text, len))
        fits |= CSV_UNSIGNED;
    if (double_of(text, len, &number))
        fits |= CSV_FLOAT;
    if (bool_of(text, len, &boolean))
        fits |= CSV_BOOL;
    return fits;
}

static bool is_digits(const char *text, size_t len)
{
    trim(&text, &len);
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');

    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    return len > 0 && i == len;
}

static void note_value(csv_column *column, const char *text, size_t len)
{
    unsigned fits = types_of(text, len);

    if (!(fits & (CSV_INT | CSV_UNSIGNED)) && !column->fractional && !column->beyond) {
        column->beyond = is_digits(text, len);
        column->fractional = !column->beyond;
    }
    column->seen = true;
    column->fits &= fits;
}

static void note_row(csv_rows *c)
{
    for (size_t i = 0; i < c->n_columns; i++) {
        csv_column *column = &c->columns[i];
        size_t len;
        const char *text = field(c, i, &len);
        if (is_null(text, len)) {
            column->nulls = true;
        } else if (!column->seen || column->fits != CSV_STRING) {
            note_value(column, text, len);
        }
    }
}

/* Integers with a null among them are floats there, but texts where some are above int64. */
static csv_type type_of(const csv_column *column)
{
    unsigned fits = column->fits;

    if (!column->seen)
        return 0;
    if (!column->fractional && !column->beyond) {
        if (fits & CSV_INT)
            return column->nulls ? CSV_FLOAT : CSV_INT;
        return fits & CSV_UNSIGNED && !column->nulls ? CSV_UNSIGNED : CSV_STRING;
    }
    if (column->beyond)
        return CSV_STRING;
    return fits & CSV_FLOAT ? CSV_FLOAT : fits & CSV_BOOL ? CSV_BOOL : CSV_STRING;
}

/* ---- the header ---- */

/* A column's name as pandas gives it: "Unnamed: 2" without one, "a.1" for a second "a". */
static axl_status name_column(csv_rows *c, size_t i, axl__str *name)
{
    csv_column *column = &c->columns[i];
    size_t len;
    int64_t k = 1, unused;
    const char *text = field(c, i, &len);

    axl__str_clear(name);
    axl__str_put(name, text, len);
    if (len == 0)
        axl__str_putf(name, "Unnamed: %zu", i);
    if (axl__map_get(&c->suffixes, axl__str_text(name), name->len, &k)) {
        do {
            name->len = len;
            axl__str_putf(name, ".%lld", (long long)k++);
        } while (!name->failed && axl__map_get(&c->suffixes, name->data, name->len, &unused));
    }
    AXL_TRY(axl__str_status(name));
    column->name = axl__arena_strndup(&c->names, name->data, name->len);
    column->name_len = name->len;
    column->fits = CSV_INT | CSV_UNSIGNED | CSV_FLOAT | CSV_BOOL | CSV_STRING;
    if (!column->name)
        return axl__fail_nomem();
    if (k > 1) {
        const char *first = axl__arena_strndup(&c->names, text, len);
        if (!first)
            return axl__fail_nomem();
        AXL_TRY(axl__map_set(&c->suffixes, first, len, k));
    }
    return axl__map_set(&c->suffixes, column->name, column->name_len, 1);
}

static axl_status name_columns(csv_rows *c)
{
    enum { COLUMNS_MAX = 1 << 16 };
    axl_status status = AXL_OK;
    axl__str name;
    size_t n = n_fields(c);

    if (n > COLUMNS_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s:%llu: the header has %zu columns, more than %d",
                         c->source->file.path, (unsigned long long)c->row, n, COLUMNS_MAX);
    c->columns = axl__arena_alloc(&c->names, n * sizeof *c->columns);
    if (!c->columns)
        return axl__fail_nomem();
    axl__str_init(&name, c->source->ctx);
    for (size_t i = 0; i < n && status == AXL_OK; i++)
        status = name_column(c, i, &name);
    axl__str_free(&name);
    c->n_columns = n;
    return status;
}

/* To the first row's line, behind a byte order mark. */
static axl_status csv_begin(csv_rows *c)
{
    const axl__source *s = c->source;
    axl_status status = AXL_OK;

    c->at = 0;
    c->line = 1;
    c->done = false;
    while (status == AXL_OK && s->len < 3)
        status = axl__source_more(c->source);
    if (s->len >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0)
        c->at = 3;
    return status < 0 ? status : AXL_OK;
}

/* The header; AXL_END of a file without one. */
static axl_status read_header(csv_rows *c)
{
    axl__record_error e;

    AXL_TRY(csv_begin(c));
    axl_status status = next_row(c, &e);
    if (status == AXL_ERR_DATA)
        return axl__fail(AXL_ERR_FORMAT, "%s:%llu: %s", c->source->file.path,
                         (unsigned long long)e.at, e.why.text);
    return status;
}

static axl_status find_types(csv_rows *c)
{
    axl__record_error e;
    axl_status status = AXL_OK;

    for (int i = 0; i < CHUNK && (status == AXL_OK || status == AXL_ERR_DATA); i++) {
        status = next_row(c, &e);
        if (status == AXL_OK && n_fields(c) == c->n_columns)
            note_row(c);
        AXL_TRY(axl__cancelled(c->source->ctx));
    }
    for (size_t i = 0; i < c->n_columns; i++)
        c->columns[i].type = type_of(&c->columns[i]);
    return status == AXL_END || status == AXL_ERR_DATA ? AXL_OK : status;
}

static axl_status csv_prepare(csv_rows *c)
{
    axl_status status = read_header(c);

    if (status == AXL_END)
        c->done = true;
    if (status != AXL_OK)
        return status < 0 ? status : AXL_OK;
    AXL_TRY(name_columns(c));
    AXL_TRY(find_types(c));
    AXL_TRY(axl__source_rewind(c->source));
    return read_header(c);
}

static void csv_close(axl__source *s)
{
    csv_rows *c = s->state;

    axl__map_free(&c->suffixes);
    axl__arena_free(&c->names);
    axl__str_free(&c->bytes);
    axl__str_free(&c->ends);
    axl__free(s->ctx, c);
}

static axl_status csv_open(axl__source *s)
{
    csv_rows *c = s->state = axl__calloc(s->ctx, 1, sizeof *c);

    if (!c)
        return axl__fail_nomem();
    c->source = s;
    axl__arena_init(&c->names, s->ctx);
    axl__map_init(&c->suffixes, s->ctx);
    axl__str_init(&c->bytes, s->ctx);
    axl__str_init(&c->ends, s->ctx);
    axl_status status = csv_prepare(c);
    if (status != AXL_OK)
        csv_close(s);
    return status;
}

static size_t csv_progress(const axl__source *s)
{
    return ((const csv_rows *)s->state)->at;
}

/* ---- records ---- */

static axl_status wrong_type(const csv_rows *c, axl__record_error *e, const csv_column *column,
                             const char *text, size_t len)
{
    const char *what = column->type == 0           ? "nothing"
                       : column->type == CSV_FLOAT ? "numbers"
                       : column->type == CSV_BOOL  ? "true and false"
                                                   : "integers";

    e->at = c->row;
    snprintf(e->why.text, sizeof e->why.text,
             "\"%.60s\" holds %s in the first %d rows, and here \"%.*s\"", column->name, what,
             CHUNK, len < 40 ? (int)len : 40, text);
    return AXL_ERR_DATA;
}

/* Whether v is the field's value; *fits: it is of the column's type. */
static bool set_value(axl__json *v, axl__arena *arena, csv_type type, const char *text, size_t len,
                      bool *fits)
{
    int64_t integer;
    double number;
    bool boolean;

    *fits = true;
    if (is_null(text, len))
        return true;
    if (type == CSV_STRING)
        return axl__json_set_string(v, arena, text, len);
    if ((type == CSV_INT || type == CSV_UNSIGNED) && int_of(text, len, &integer))
        return axl__json_set_int(v, arena, integer);
    if (type == CSV_UNSIGNED && is_unsigned(text, len)) {
        trim(&text, &len);
        return axl__json_set_digits(v, arena, text, len);
    }
    if (type == CSV_FLOAT && double_of(text, len, &number))
        return axl__json_set_double(v, arena, number);
    *fits = type == CSV_BOOL && bool_of(text, len, &boolean);
    if (*fits)
        axl__json_set_bool(v, boolean);
    return true;
}

static axl_status csv_next(axl__source *s, axl__arena *arena, const axl__json **record,
                           axl__record_error *e)
{
    csv_rows *c = s->state;

    axl_status status = next_row(c, e);
    if (status != AXL_OK)
        return status;
    e->at = c->row;
    if (n_fields(c) != c->n_columns) {
        snprintf(e->why.text, sizeof e->why.text, "the row has %zu field%s, the header %zu",
                 n_fields(c), n_fields(c) == 1 ? "" : "s", c->n_columns);
        return AXL_ERR_DATA;
    }
    axl__json *object = axl__arena_alloc(arena, sizeof *object);
    if (!object)
        return axl__fail_nomem();
    axl__branch b = axl__branch_of(arena, object, AXL__JSON_OBJECT);
    for (size_t i = 0; i < c->n_columns; i++) {
        const csv_column *column = &c->columns[i];
        axl__json *v = axl__branch_add(&b, column->name, column->name_len);
        size_t len;
        bool fits;
        const char *text = field(c, i, &len);
        if (!v || !set_value(v, arena, column->type, text, len, &fits))
            return axl__fail_nomem();
        if (!fits)
            return wrong_type(c, e, column, text, len);
    }
    *record = object;
    return AXL_OK;
}

const axl__reader axl__read_csv = {
    .format = "csv",
    .suffix = ".csv",
    .place = "line",
    .open = csv_open,
    .next = csv_next,
    .close = csv_close,
    .progress = csv_progress,
};
