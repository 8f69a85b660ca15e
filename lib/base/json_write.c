/* SPDX-License-Identifier: Apache-2.0 */
/* json_write.c - see json_write.h. */
#include "json_write.h"

#include "num.h"
#include "os_write.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

/* An object that lost a member to a failed allocation holds this key instead. */
static const char lost_key[] = "\x01lost";

axl__jw *axl__jw_new(void)
{
    return cJSON_CreateObject();
}

/* Failures are kept in the object, so that a row of calls needs one check at its end. */
static void add(axl__jw *obj, const char *key, cJSON *item)
{
    if (!obj)
        return;
    if (!item || !cJSON_AddItemToObject(obj, key, item)) {
        cJSON_Delete(item);
        cJSON_AddNullToObject(obj, lost_key);
    }
}

void axl__jw_null(axl__jw *obj, const char *key)
{
    add(obj, key, cJSON_CreateNull());
}

void axl__jw_bool(axl__jw *obj, const char *key, bool value)
{
    add(obj, key, cJSON_CreateBool(value));
}

/* As raw text, because cJSON's own numbers are doubles printed in the locale. */
void axl__jw_int(axl__jw *obj, const char *key, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)value);
    add(obj, key, cJSON_CreateRaw(text));
}

void axl__jw_double(axl__jw *obj, const char *key, double value)
{
    char text[AXL__NUM_MAX];

    axl__format_double(text, value);
    add(obj, key, cJSON_CreateRaw(text));
}

/* A whole one as an integer. */
static cJSON *number(double value)
{
    char text[AXL__NUM_MAX];

    if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value)
        snprintf(text, sizeof text, "%lld", (long long)value);
    else
        axl__format_double(text, value);
    return cJSON_CreateRaw(text);
}

/* What is lost with it is told of by its parent. */
axl__jw *axl__jw_child(axl__jw *obj, const char *key)
{
    cJSON *child = cJSON_CreateObject();

    if (obj && child && cJSON_AddItemToObject(obj, key, child))
        return child;
    cJSON_Delete(child);
    add(obj, key, NULL);
    return NULL;
}

void axl__jw_string(axl__jw *obj, const char *key, const char *value)
{
    add(obj, key, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void axl__jw_strings(axl__jw *obj, const char *key, const char *const *values, size_t n)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; list && i < n; i++) {
        cJSON *s = cJSON_CreateString(values[i]);
        if (!s || !cJSON_AddItemToArray(list, s)) {
            cJSON_Delete(s);
            cJSON_Delete(list);
            list = NULL;
        }
    }
    add(obj, key, list);
}

void axl__jw_numbers(axl__jw *obj, const char *key, const double *values, size_t n)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; list && i < n; i++) {
        cJSON *v = number(values[i]);
        if (!v || !cJSON_AddItemToArray(list, v)) {
            cJSON_Delete(v);
            cJSON_Delete(list);
            list = NULL;
        }
    }
    add(obj, key, list);
}

void axl__jw_object(axl__jw *obj, const char *key, const char *const *keys, const double *values,
                    size_t n)
{
    cJSON *map = cJSON_CreateObject();

    for (size_t i = 0; map && i < n; i++) {
        cJSON *v = number(values[i]);
        if (!v || !cJSON_AddItemToObject(map, keys[i], v)) {
            cJSON_Delete(v);
            cJSON_Delete(map);
            map = NULL;
        }
    }
    add(obj, key, map);
}

/* cJSON indents by tabs; two spaces are the habit of the files' other writers. */
static void put_spaces(axl__str *s, const char *text)
{
    bool line_start = false;

    for (; *text; text++) {
        if (*text == '\t' && line_start) {
            axl__str_puts(s, "  ");
        } else if (*text == '\t') {
            axl__str_putc(s, ' '); /* after a key's colon */
        } else {
            line_start = *text == '\n';
            axl__str_putc(s, *text);
        }
        if (*text != '\t' && *text != '\n')
            line_start = false;
    }
    axl__str_putc(s, '\n');
}

axl_status axl__jw_text(axl__jw *obj, axl__str *out)
{
    char *text = obj && !cJSON_GetObjectItemCaseSensitive(obj, lost_key) ? cJSON_Print(obj) : NULL;

    cJSON_Delete(obj);
    if (!text)
        return axl__fail_nomem();
    put_spaces(out, text);
    cJSON_free(text);
    return axl__str_status(out);
}
