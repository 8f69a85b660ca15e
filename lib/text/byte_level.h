/* SPDX-License-Identifier: Apache-2.0 */
/*
 * byte_level.h - the alphabet of byte-level models (GPT-2's): each byte has a visible character of
 * its own, in which vocabularies and merges are written.
 */
#ifndef AXL_TEXT_BYTE_LEVEL_H
#define AXL_TEXT_BYTE_LEVEL_H

#include "aligned.h"

/* Writes the character of a byte, as UTF-8; how many bytes that is, 1 or 2. */
size_t axl__byte_letter(char byte, char letter[4]);
/* Appends the characters of the bytes. */
void axl__byte_level_put(axl__str *out, const char *bytes, size_t len);
/* Appends the bytes of a token: those of its characters, or, where one of them stands for no byte,
 * the token as it is written. */
void axl__byte_level_decode(axl__str *out, const char *token, size_t len);
/* As that, but false where a character stands for no byte; nothing is appended then. */
bool axl__byte_level_exact(axl__str *out, const char *token, size_t len);

/* Appends the characters of the bytes [from, to) of a text, each with its byte's origin. */
void axl__byte_level_aligned(const axl__aligned *in, size_t from, size_t to, axl__aligned *out);

#endif
