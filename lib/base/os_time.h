/* SPDX-License-Identifier: Apache-2.0 */
/* os_time.h - clocks and the calendar. */
#ifndef AXL_BASE_OS_TIME_H
#define AXL_BASE_OS_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds on a clock that only goes forward. */
double axl__now(void);
double axl__wall_time(void); /* seconds since 1970, with their fraction */

/* A time since 1970 by the calendar, in UTC. */
typedef struct axl__date {
    int year, month, day, hour, minute, second; /* month and day from 1 */
} axl__date;
axl__date axl__utc(int64_t unix_time);
axl__date axl__today(void); /* without the time of day */
/* "2026-11-28" and nothing else; false: it is no date. */
bool axl__date_read(const char *text, axl__date *out);

void axl__sleep(double seconds);

#endif
