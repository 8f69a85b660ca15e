/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.c - standard error.  Log and logged steps are lines that stay.  On a terminal one line
 * under them tells how far a long call is; it is taken away before anything else is printed, and is
 * cut to the width that the terminal has then, since a wrapped line cannot be taken back.
 */
#define _DEFAULT_SOURCE
#include "tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LIVE_ROOM = 256, USUAL_WIDTH = 80 };

static bool is_terminal(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void tool_open_terminal(tool *t)
{
    const char *no = getenv("NO_COLOR");
    bool color = !(no && *no);

    t->term_out = isatty(STDOUT_FILENO);
    t->color_out = color && is_terminal(STDOUT_FILENO);
    t->color_err = color && is_terminal(STDERR_FILENO);
    t->live = !t->quiet && is_terminal(STDERR_FILENO);
}

double tool_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void tool_duration(double seconds, char *out, size_t room)
{
    unsigned long long s = seconds > 0.0 && seconds < 1e9 ? (unsigned long long)(seconds + 0.5) : 0;

    if (s >= 3600)
        snprintf(out, room, "%lluh%02llum", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, room, "%llum%02llus", s / 60, s % 60);
    else
        snprintf(out, room, "%llus", s);
}

/* ---- lines ---- */

void tool_end_progress(tool *t)
{
    if (t->live_shown)
        fputs("\r\033[K", stderr);
    t->live_shown = false;
}

void tool_put_line(tool *t, const char *line)
{
    tool_end_progress(t);
    fprintf(stderr, "%s\n", line);
}

void tool_on_log(void *user, uint32_t level, const char *message)
{
    static const char *const names[] = { "", "error: ", "warning: ", "", "" };

    tool_end_progress(user);
    fprintf(stderr, "%s%s\n", names[level < 5 ? level : 4], message);
}

/* ---- the line under them ---- */

/* The last column stays free: some terminals wrap when it is written. */
static size_t live_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size.ws_col - 1u;
    return USUAL_WIDTH - 1;
}

static void draw_live(tool *t, const char *text)
{
    fprintf(stderr, "\r\033[K%.*s", (int)live_width(), text);
    fflush(stderr);
    t->live_shown = true;
}

/* Whole in 60 columns: the step, the loss, tokens a second and the time that is left. */
static void draw_pace(tool *t)
{
    const tool_pace *p = &t->pace;
    char text[LIVE_ROOM], rate[32], eta[32];

    if (isnan(p->loss)) { /* nothing was logged yet */
        snprintf(text, sizeof text, "step %llu/%llu", p->step, p->total);
        draw_live(t, text);
        return;
    }
    tool_duration(p->eta - (tool_now() - p->at), eta, sizeof eta);
    if (p->tokens_per_second < 99999.5)
        snprintf(rate, sizeof rate, "%.0f", p->tokens_per_second);
    else
        snprintf(rate, sizeof rate, "%.0fk", p->tokens_per_second / 1000.0);
    snprintf(text, sizeof text, "step %llu/%llu  loss %.4g  %s tokens/s  ETA %s", p->step, p->total,
             p->loss, rate, eta);
    draw_live(t, text);
}

void tool_show_pace(tool *t, const tool_pace *p)
{
    t->pace.on = p != NULL;
    if (p)
        t->pace = *p;
    if (t->live && p)
        draw_pace(t);
}

/* Of a batch of training the pace is shown, so that time goes on between logged steps. */
int tool_on_progress(void *user, const axl_progress *p)
{
    tool *t = user;
    char text[LIVE_ROOM];

    if (strcmp(p->phase, "train") == 0 && t->pace.on)
        draw_pace(t);
    if (p->total == 0 || strcmp(p->phase, "train") == 0 || strcmp(p->phase, "generate") == 0)
        return 0;
    bool bytes = strcmp(p->phase, "download") == 0;
    unsigned long long unit = bytes ? 1000000 : 1;
    snprintf(text, sizeof text, "%s %llu/%llu%s", p->phase, p->done / unit,
             (p->total + unit - 1) / unit, bytes ? " MB" : "");
    draw_live(t, text);
    if (p->done == p->total)
        tool_end_progress(t);
    return 0;
}
