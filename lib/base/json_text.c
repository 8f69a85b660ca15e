/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.c - a JSON tree as text; numbers as they were written. */
#include "json.h"

static void new_line(axl__str *out, int indent, int depth)
{
    if (indent <= 0)
        return;
    axl__str_putc(out, '\n');
    for (int i = 0; i < indent * depth; i++)
        axl__str_putc(out, ' ');
}

static void put_value(axl__str *out, const axl__json *v, int indent, int depth)
{
    bool object = v->type == AXL__JSON_OBJECT;

    switch (v->type) {
    case AXL__JSON_NULL: axl__str_puts(out, "null"); return;
    case AXL__JSON_BOOL: axl__str_puts(out, v->boolean ? "true" : "false"); return;
    case AXL__JSON_INT:
    case AXL__JSON_FLOAT: axl__str_put(out, v->text, v->len); return;
    case AXL__JSON_STRING: axl__str_put_json(out, v->text, v->len); return;
    case AXL__JSON_ARRAY:
    case AXL__JSON_OBJECT: break;
    }
    axl__str_putc(out, object ? '{' : '[');
    for (const axl__json *m = v->child; m; m = m->next) {
        new_line(out, indent, depth + 1);
        if (object) {
            axl__str_put_json(out, m->key, m->key_len);
            axl__str_puts(out, ": ");
        }
        put_value(out, m, indent, depth + 1);
        if (m->next)
            axl__str_puts(out, indent > 0 ? "," : ", ");
    }
    if (v->child)
        new_line(out, indent, depth);
    axl__str_putc(out, object ? '}' : ']');
}

void axl__json_write(axl__str *out, const axl__json *v, int indent)
{
    put_value(out, v, indent, 0);
}
