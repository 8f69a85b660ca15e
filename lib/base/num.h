/* SPDX-License-Identifier: Apache-2.0 */
/* num.h - numbers as text, the same in every locale.  Nothing else in the library converts between
 * floating point and text. */
#ifndef AXL_BASE_NUM_H
#define AXL_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AXL__NUM_MAX = 32 };

/* The decimal text of 15 to 17 digits, trailing zeros dropped, that reads back to the same double;
 * always with '.' or an exponent
 * ("1.0", "2e-05"), as Python's repr; "NaN", "Infinity", "-Infinity" as its json module. */
void axl__format_double(char out[AXL__NUM_MAX], double value);

/* Rounded to at most `digits` (up to 17) significant digits, for people: "1.25", "300", "2e-05". */
void axl__format_digits(char out[AXL__NUM_MAX], double value, int digits);

/* Whole text of len bytes: sign, digits, fraction, exponent; correctly rounded.  Overflow gives an
 * infinity.  False when it is no such number. */
bool axl__parse_double(const char *text, size_t len, double *out);

/* Whole text: sign and decimal digits within int64. */
bool axl__parse_int(const char *text, size_t len, int64_t *out);

#endif
