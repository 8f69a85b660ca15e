/* SPDX-License-Identifier: Apache-2.0 */
/* nfc.h - Unicode's normalization form C as the normalizer NFC of tokenizers makes it. */
#ifndef AXL_TEXT_NFC_H
#define AXL_TEXT_NFC_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends the form of well-formed UTF-8.  AXL_ERR_CANCELLED. */
axl_status axl__nfc(axl__str *out, const char *text, size_t len);

/* Whether a character's marks or compositions came after the Unicode of tokenizers' tables, to
 * which it is one that composes with nothing. */
bool axl__nfc_newer(uint32_t code_point);

#endif
