/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_write.h - axl's own small files (adapter_config.json, checkpoint state) through cJSON. cJSON
 * prints floats by the locale and integers only to 2^53, so numbers go in as text from num.c.
 */
#ifndef AXL_BASE_JSON_WRITE_H
#define AXL_BASE_JSON_WRITE_H

#include "ctx.h"
#include "str.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cJSON axl__jw; /* an object under construction */

/* NULL when memory is out; every put then does nothing and text reports it. */
axl__jw *axl__jw_new(void);
void axl__jw_null(axl__jw *obj, const char *key);
void axl__jw_bool(axl__jw *obj, const char *key, bool value);
void axl__jw_int(axl__jw *obj, const char *key, int64_t value);
void axl__jw_double(axl__jw *obj, const char *key, double value);
void axl__jw_string(axl__jw *obj, const char *key, const char *value); /* NULL gives null */
void axl__jw_strings(axl__jw *obj, const char *key, const char *const *values, size_t n);
/* Those that are whole as integers; and an object of such. */
void axl__jw_numbers(axl__jw *obj, const char *key, const double *values, size_t n);
void axl__jw_object(axl__jw *obj, const char *key, const char *const *keys, const double *values,
                    size_t n);
axl__jw *axl__jw_child(axl__jw *obj, const char *key); /* an object in it, which it frees */
/* Appends the object as text, indented by two spaces, and frees it; fails for want of memory alone.
 */
axl_status axl__jw_text(axl__jw *obj, axl__str *out);

#endif
