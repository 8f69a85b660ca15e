/* SPDX-License-Identifier: Apache-2.0 */
/* verb_train.c - the whole run; records become lines, a signal becomes a checkpoint. */
#define _DEFAULT_SOURCE
#include "tool.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_ROOM = 256 };

/* On a terminal the line is the one that rewrites itself, cut to the width since a wrapped one
 * cannot be taken back; `stays` ends it.  In a pipe each is a line. */
static void show_line(tool *t, char *line, bool stays)
{
    struct winsize size;

    tool_end_progress(t);
    if (!isatty(STDERR_FILENO)) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 &&
        strlen(line) >= size.ws_col)
        line[size.ws_col - 1] = '\0';
    fputs(line, stderr);
    if (stays)
        fputc('\n', stderr);
    t->progress_line = !stays;
    fflush(stderr);
}

/* "1h02m", "3m07s", "12s" */
static void format_duration(double seconds, char *out, size_t room)
{
    unsigned long long s = seconds > 0.0 && seconds < 1e9 ? (unsigned long long)(seconds + 0.5) : 0;

    if (s >= 3600)
        snprintf(out, room, "%lluh%02llum", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, room, "%llum%02llus", s / 60, s % 60);
    else
        snprintf(out, room, "%llus", s);
}

static void show_step(tool *t, const axl_run_record *r)
{
    char line[LINE_ROOM], eta[32];
    bool last = r->step >= r->total_steps;

    format_duration(last ? r->seconds : r->eta_seconds, eta, sizeof eta);
    snprintf(line, sizeof line,
             "step %llu/%llu  epoch %.2f  loss %.4f  grad_norm %.3f  lr %.3e  %.0f tokens/s  %s %s",
             (unsigned long long)r->step, (unsigned long long)r->total_steps, r->epoch, r->loss,
             r->grad_norm, r->learning_rate, r->tokens_per_second, last ? "took" : "ETA", eta);
    show_line(t, line, last);
}

static void show_evaluation(tool *t, const axl_run_record *r)
{
    char line[LINE_ROOM];

    snprintf(line, sizeof line, "step %llu/%llu  epoch %.2f  eval_loss %.4f  perplexity %.3f",
             (unsigned long long)r->step, (unsigned long long)r->total_steps, r->epoch,
             r->eval_loss, r->eval_perplexity);
    show_line(t, line, true);
}

typedef struct {
    tool *t;
    train_result *result;
} watcher;

static int on_record(void *user, const axl_run_record *r)
{
    watcher *w = user;

    if (r->event == AXL_RUN_STEP)
        w->result->loss = r->loss;
    if (w->t->level < AXL_LOG_INFO)
        return 0;
    if (r->event == AXL_RUN_STEP)
        show_step(w->t, r);
    else if (r->event == AXL_RUN_EVALUATION)
        show_evaluation(w->t, r);
    return 0;
}

static axl_status evaluate_result(axl_run *run, train_result *result)
{
    axl_evaluation e = AXL_EVALUATION_INIT;
    axl_status status = axl_run_evaluate(run, &e);

    if (status == AXL_OK)
        result->eval_loss = e.loss;
    return status;
}

int train_run(tool *t, const axl_config *cfg, const char *resume, train_result *result)
{
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    watcher w = { t, result };
    axl_run *run;

    result->loss = result->eval_loss = NAN;
    o.record = on_record;
    o.record_user = &w;
    o.resume = resume;
    axl_status status = axl_run_new(&run, cfg, &o);
    if (status < 0) {
        tool_end_progress(t);
        return tool_status(t, status);
    }
    status = axl_run_train(run);
    if (status == AXL_OK && result->evaluate)
        status = evaluate_result(run, result);
    tool_end_progress(t);
    axl_run_free(run);
    int code = tool_status(t, status);
    return status == AXL_ERR_IO ? EXIT_OTHER : code; /* the disk's fault by now, not the config's */
}

static int train_one(tool *t, const char *resume)
{
    train_result result = { .evaluate = false };
    const char *dir;
    axl_config *cfg;
    int code = tool_config(t, &cfg);

    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    code = train_run(t, cfg, resume, &result);
    if (code == EXIT_DONE && axl_config_string(cfg, "output_dir", &dir) == AXL_OK)
        printf("%s\n", dir);
    axl_config_free(cfg);
    return code;
}

int verb_train(tool *t, int argc, char **argv)
{
    bool resume = false;
    const char *from = NULL, *grid = NULL;
    const tool_option options[] = { { "resume", OPTION_MAYBE, &resume, &from },
                                    { "sweep", OPTION_VALUE, NULL, &grid },
                                    { NULL, OPTION_FLAG, NULL, NULL } };
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    code = tool_at_most(t, 1);
    if (code != EXIT_DONE)
        return code;
    if (grid && from)
        return tool_fail(t, "--resume of a sweep takes no checkpoint: each run has its own");
    return grid ? train_sweep(t, grid, resume) : train_one(t, from ? from : resume ? "auto" : NULL);
}
