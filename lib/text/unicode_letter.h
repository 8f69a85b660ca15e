/* SPDX-License-Identifier: Apache-2.0 */
/* unicode_letter.h - three classes of characters. */
#ifndef AXL_TEXT_UNICODE_LETTER_H
#define AXL_TEXT_UNICODE_LETTER_H

#include <stdbool.h>
#include <stdint.h>

bool axl__unicode_letter(uint32_t code_point); /* \p{L} */
bool axl__unicode_number(uint32_t code_point); /* \p{N} */
bool axl__unicode_digit(uint32_t code_point);  /* what the pre-tokenizer Digits sets apart */

#endif
