/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_type_list.c - what there is to name as a data set's type, for people and programs. */
#include "base/str.h"
#include "base/structs.h"
#include "config/dataset_types.h"
#include "config/host_types.h"

#include <axl/dataset.h>

#include <stdio.h>
#include <string.h>

/* Of the answer, which is the last column where the table does not say it. */
static const char *trained_of(const axl__dataset_type *type)
{
    size_t n = 0;

    if (type->trained)
        return type->trained;
    while (n < AXL__DATASET_COLUMNS_MAX && type->columns[n].name)
        n++;
    return n > 0 ? type->columns[n - 1].name : "";
}

/* ---- for people ---- */

/* "alpaca[:instruct|chat]"; what no name means is described. */
static void put_written(axl__str *out, const axl__dataset_type *type)
{
    if (!axl__dataset_type_has_name(type)) {
        axl__str_puts(out, !type->mapping                 ? "(none)"
                           : type->task == AXL__TASK_TEXT ? "{format: …}"
                                                          : "{prompt_format: …}");
        return;
    }
    axl__str_puts(out, type->name);
    axl__str_puts(out, type->styles ? "[:" : "");
    for (const char *at = type->styles; at && *at; at++)
        if (*at != ' ')
            axl__str_putc(out, *at == ',' ? '|' : *at);
    axl__str_puts(out, type->styles ? "]" : "");
}

static void put_columns(axl__str *out, const axl__dataset_type *type)
{
    const axl__dataset_column *c = type->columns;

    for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && c[i].name; i++) {
        bool other = i > 0 && c[i].one_of && c[i].one_of == c[i - 1].one_of;
        axl__str_putf(out, "%s%s%s",
                      i == 0  ? ""
                      : other ? " or "
                              : ", ",
                      c[i].name, c[i].optional ? "?" : "");
    }
    if (type->made_up)
        axl__str_puts(out, "no records");
}

static void put_lines(axl__str *out, axl_context *ctx)
{
    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *type = &axl__dataset_types[i];
        put_written(out, type);
        if (type->task != AXL__TASK_TEXT)
            axl__str_putf(out, " with %s", axl__data_task_name(type->task));
        axl__str_puts(out, "\n    reads ");
        put_columns(out, type);
        axl__str_putf(out, "; trains %s\n", trained_of(type));
    }
    for (const axl__host_type *type = axl__host_types(ctx); type; type = type->next)
        axl__str_putf(out, "%s\n    registered by this program\n", type->name);
}

/* ---- for programs ---- */

static void put_json_text(axl__str *out, const char *before, const char *text)
{
    axl__str_puts(out, before);
    if (text)
        axl__str_put_json(out, text, strlen(text));
    else
        axl__str_puts(out, "null");
}

/* A list as in the table, "a, b"; NULL: an empty one. */
static void put_json_list(axl__str *out, const char *before, const char *list)
{
    axl__str_puts(out, before);
    axl__str_putc(out, '[');
    for (const char *at = list; at && *at;) {
        size_t n = strcspn(at, ",");
        axl__str_put_json(out, at, n);
        axl__str_puts(out, at[n] ? ", " : "");
        at += n + (at[n] ? 2 : 0);
    }
    axl__str_putc(out, ']');
}

static void put_json_type(axl__str *out, const axl__dataset_type *type)
{
    const axl__dataset_column *c = type->columns;

    if (type->mapping)
        axl__str_puts(out, "{\"type\": {}");
    else
        put_json_text(out, "{\"type\": ", type->untyped ? NULL : type->name);
    put_json_text(
        out, ", \"with\": ", type->task == AXL__TASK_TEXT ? NULL : axl__data_task_name(type->task));
    put_json_list(out, ", \"styles\": ", type->styles);
    axl__str_puts(out, ", \"columns\": [");
    for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && c[i].name; i++) {
        put_json_text(out, i > 0 ? ", {\"name\": " : "{\"name\": ", c[i].name);
        put_json_text(out, ", \"key\": ", c[i].key);
        axl__str_putf(out, ", \"optional\": %s}", c[i].optional || c[i].one_of ? "true" : "false");
    }
    put_json_list(out, "], \"keys\": ", type->keys);
    put_json_text(out, ", \"trained\": ", trained_of(type));
    axl__str_putc(out, '}');
}

static void put_json(axl__str *out, axl_context *ctx)
{
    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        axl__str_puts(out, i > 0 ? ",\n" : "[");
        put_json_type(out, &axl__dataset_types[i]);
    }
    for (const axl__host_type *type = axl__host_types(ctx); type; type = type->next) {
        put_json_text(out, ",\n{\"type\": ", type->name);
        axl__str_puts(out, ", \"with\": null, \"styles\": [], \"columns\": [], \"keys\": [], "
                           "\"trained\": null}");
    }
    axl__str_puts(out, "]\n");
}

axl_status axl_dataset_describe_types(axl_context *ctx, uint32_t json, axl_buffer *out)
{
    axl__str text;

    AXL_TRY(axl__context_enter(ctx));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    axl__str_init(&text, ctx);
    if (json)
        put_json(&text, ctx);
    else
        put_lines(&text, ctx);
    axl_status status = axl__str_to_buffer(&text, out);
    axl__str_free(&text);
    return status;
}
