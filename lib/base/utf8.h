/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - decoding and encoding.  The rule for ill-formed input, everywhere in axl: each maximal
 * ill-formed subsequence reads as one U+FFFD (Unicode 15, table 3-8; what WHATWG, Python's
 * errors="replace" and Rust's from_utf8_lossy do). */
#ifndef AXL_BASE_UTF8_H
#define AXL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AXL__REPLACEMENT = 0xFFFD };

/* Reads one code point at *at < len and moves *at behind it. */
uint32_t axl__utf8_next(const char *text, size_t len, size_t *at);
/* As next; *ill says whether the U+FFFD stands for ill-formed bytes. */
uint32_t axl__utf8_next_checked(const char *text, size_t len, size_t *at, bool *ill);
/* Writes 1 to 4 bytes; surrogates and values past U+10FFFF become U+FFFD. */
size_t axl__utf8_encode(char *out, uint32_t code_point);
bool axl__utf8_valid(const char *text, size_t len);

#endif
