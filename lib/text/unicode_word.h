/* SPDX-License-Identifier: Apache-2.0 */
/* unicode_word.h - two classes of characters. */
#ifndef AXL_TEXT_UNICODE_WORD_H
#define AXL_TEXT_UNICODE_WORD_H

#include <stdbool.h>
#include <stdint.h>

bool axl__unicode_space(uint32_t code_point); /* White_Space */
bool axl__unicode_word(uint32_t code_point);  /* \w */

#endif
