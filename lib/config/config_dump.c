/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_dump.c - the effective config as YAML or JSON.  YAML texts are plain where nothing but a
 * text can be read from them, else in double quotes with JSON's escapes, which YAML shares.
 */
#include "config_priv.h"

#include "base/str.h"
#include "base/structs.h"

#include <math.h>
#include <string.h>

/* Letters, digits and a few marks, not at the start of anything else, and no word or number. */
static bool is_plain(const char *text, size_t len)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_-./";
    axl__yaml probe = { .text = text, .len = len };

    if (len == 0 || len != strspn(text, inside) || *text == '-')
        return false;
    axl__yaml_resolve(&probe);
    if (probe.type != AXL__YAML_STRING)
        return false;
    return !(*text >= '0' && *text <= '9'); /* dates, and numbers of other readers */
}

static void put_text(axl__str *s, const char *text, size_t len)
{
    if (is_plain(text, len))
        axl__str_put(s, text, len);
    else
        axl__str_put_json(s, text, len);
}

/* Other scalars have canonical texts since config_derive.c, which YAML reads back as what they
 * are. */
static void put_scalar(axl__str *s, const axl__yaml *node)
{
    if (node->type == AXL__YAML_STRING)
        put_text(s, node->text, node->len);
    else
        axl__str_put(s, node->text, node->len);
}

static void indent(axl__str *s, int depth)
{
    for (int i = 0; i < depth; i++)
        axl__str_puts(s, "  ");
}

/* The children of a collection.  after_dash: the first stands in the line of its item's "-", which
 * is the compact form of a mapping in a list. */
static void put_yaml(axl__str *s, const axl__yaml *node, int depth, bool after_dash)
{
    for (const axl__yaml *child = node->child; child; child = child->next) {
        bool collection = child->type == AXL__YAML_LIST || child->type == AXL__YAML_MAP;
        if (!after_dash)
            indent(s, depth);
        after_dash = false;
        if (node->type == AXL__YAML_LIST) {
            axl__str_putc(s, '-');
        } else {
            put_text(s, child->key, strlen(child->key));
            axl__str_putc(s, ':');
        }
        if (collection && child->count == 0) {
            axl__str_puts(s, child->type == AXL__YAML_LIST ? " []\n" : " {}\n");
        } else if (collection && node->type == AXL__YAML_LIST) {
            axl__str_putc(s, ' ');
            put_yaml(s, child, depth + 1, true);
        } else if (collection) {
            axl__str_putc(s, '\n');
            put_yaml(s, child, depth + 1, false);
        } else {
            axl__str_putc(s, ' ');
            put_scalar(s, child);
            axl__str_putc(s, '\n');
        }
    }
}

/* JSON has no words for what is not finite; YAML reads the text back as the number. */
static void put_json(axl__str *s, const axl__yaml *node)
{
    bool list = node->type == AXL__YAML_LIST;

    if (!list && node->type != AXL__YAML_MAP) {
        bool quoted = node->type == AXL__YAML_STRING ||
                      (node->type == AXL__YAML_FLOAT && !isfinite(node->number));
        if (quoted)
            axl__str_put_json(s, node->text, node->len);
        else
            axl__str_put(s, node->text, node->len);
        return;
    }
    axl__str_putc(s, list ? '[' : '{');
    for (const axl__yaml *child = node->child; child; child = child->next) {
        if (!list) {
            axl__str_put_json(s, child->key, strlen(child->key));
            axl__str_puts(s, ": ");
        }
        put_json(s, child);
        axl__str_puts(s, child->next ? ", " : "");
    }
    axl__str_putc(s, list ? ']' : '}');
}

/* The member that follows `after` (NULL: the first) in the order of names.  Selecting instead of
 * sorting needs no memory, and mappings are small. */
static const axl__yaml *next_by_name(const axl__yaml *map, const axl__yaml *after)
{
    const axl__yaml *best = NULL;

    for (const axl__yaml *m = map->child; m; m = m->next)
        if ((!after || strcmp(m->key, after->key) > 0) && (!best || strcmp(m->key, best->key) < 0))
            best = m;
    return best;
}

void axl__yaml_put_canonical(axl__str *out, const axl__yaml *node)
{
    if (node && node->type == AXL__YAML_MAP) {
        axl__str_putc(out, '{');
        for (const axl__yaml *m = next_by_name(node, NULL); m;) {
            axl__str_put_json(out, m->key, strlen(m->key));
            axl__str_putc(out, ':');
            axl__yaml_put_canonical(out, m);
            m = next_by_name(node, m);
            axl__str_puts(out, m ? "," : "");
        }
        axl__str_putc(out, '}');
    } else if (node && node->type == AXL__YAML_LIST) {
        axl__str_putc(out, '[');
        for (const axl__yaml *item = node->child; item; item = item->next) {
            axl__yaml_put_canonical(out, item);
            axl__str_puts(out, item->next ? "," : "");
        }
        axl__str_putc(out, ']');
    } else if (node) {
        put_json(out, node);
    } else {
        axl__str_puts(out, "null");
    }
}

void axl__config_put_value(axl__str *s, const axl__yaml *node)
{
    if (node->type == AXL__YAML_LIST || node->type == AXL__YAML_MAP)
        put_json(s, node);
    else
        axl__str_put(s, node->text, node->len);
}

/* What it writes parses to an equal config, in either form. */
axl_status axl_config_dump(const axl_config *cfg, uint32_t form, axl_buffer *out)
{
    axl__str s;

    AXL_TRY(axl__config_enter(cfg));
    if (!out || (form != AXL_CONFIG_YAML && form != AXL_CONFIG_JSON))
        return axl__fail(AXL_ERR_INVALID, out ? "unknown form %u" : "out is NULL", form);
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    axl__str_init(&s, cfg->ctx);
    if (form == AXL_CONFIG_YAML) {
        put_yaml(&s, cfg->root, 0, false);
    } else {
        put_json(&s, cfg->root);
        axl__str_putc(&s, '\n');
    }
    axl_status status = axl__str_to_buffer(&s, out);
    axl__str_free(&s);
    return status;
}
