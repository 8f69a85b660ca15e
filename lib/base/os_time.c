/* SPDX-License-Identifier: Apache-2.0 */
/* os_time.c - see os_time.h. */
#define _GNU_SOURCE
#include "os_time.h"

#include <string.h>
#include <time.h>

double axl__now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double axl__wall_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Not gmtime_r, which reads the environment.  Years begin in March here, so that the leap day is
 * the last of one; a cycle is 400 years of 146,097 days. */
axl__date axl__utc(int64_t unix_time)
{
    int64_t days = unix_time / 86400, second = unix_time % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    days += 719468; /* from 1 March of the year 0 */
    int64_t cycle = (days >= 0 ? days : days - 146096) / 146097;
    int64_t d = days - cycle * 146097;
    int64_t year = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    d -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * d + 2) / 153; /* 0 is March */
    axl__date date = { (int)(year + 400 * cycle + (month >= 10)),
                       (int)(month < 10 ? month + 3 : month - 9),
                       (int)(d - (153 * month + 2) / 5 + 1),
                       (int)(second / 3600),
                       (int)(second / 60 % 60),
                       (int)(second % 60) };
    return date;
}

axl__date axl__today(void)
{
    axl__date now = axl__utc((int64_t)axl__wall_time());

    return (axl__date){ now.year, now.month, now.day, 0, 0, 0 };
}

/* n digits, and whether they are that. */
static bool read_digits(const char *text, int n, int *out)
{
    for (*out = 0; n > 0; n--, text++) {
        if (*text < '0' || *text > '9')
            return false;
        *out = *out * 10 + (*text - '0');
    }
    return true;
}

bool axl__date_read(const char *text, axl__date *out)
{
    axl__date d = { 0 };
    bool good = strlen(text) == strlen("2026-11-28") && text[4] == '-' && text[7] == '-' &&
                read_digits(text, 4, &d.year) && read_digits(text + 5, 2, &d.month) &&
                read_digits(text + 8, 2, &d.day) && d.year >= 1 && d.month >= 1 && d.month <= 12 &&
                d.day >= 1 && d.day <= 31;

    if (good)
        *out = d;
    return good;
}

void axl__sleep(double seconds)
{
    struct timespec t;

    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}
