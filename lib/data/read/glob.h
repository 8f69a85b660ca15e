/* SPDX-License-Identifier: Apache-2.0 */
/* glob.h - patterns of paths. */
#ifndef AXL_DATA_READ_GLOB_H
#define AXL_DATA_READ_GLOB_H

#include <stdbool.h>

/* Whether a text has '*', '?' or '['. */
bool axl__glob_is(const char *text);
/* '*' and '?' stand for anything within a name, [a-z] and [!a-z] for a character of it, and "**"
 * for any names, none too.  A path longer than 4096 bytes matches nothing. */
bool axl__glob_match(const char *pattern, const char *path);

#endif
