/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - base64 with padding (RFC 4648, section 4). */
#ifndef AXL_TEXT_BASE64_H
#define AXL_TEXT_BASE64_H

#include "base/str.h"

/* Appends the bytes; false for what is no base64, and for no text. */
bool axl__base64_decode(axl__str *out, const char *text, size_t len);

#endif
