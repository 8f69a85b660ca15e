/* SPDX-License-Identifier: Apache-2.0 */
/* unicode_script.h - the scripts that the pre-tokenizer UnicodeScripts tells apart. */
#ifndef AXL_TEXT_UNICODE_SCRIPT_H
#define AXL_TEXT_UNICODE_SCRIPT_H

#include <stdint.h>

/* A number for each; 0 for what goes with any. */
uint32_t axl__unicode_script(uint32_t code_point);

#endif
