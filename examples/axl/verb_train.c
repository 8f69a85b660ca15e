/* SPDX-License-Identifier: Apache-2.0 */
/* verb_train.c - the whole run; records become lines, a signal becomes a checkpoint. */
#include "tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_ROOM = 256 };

/* Before the first logged step. */
static void show_begin(tool *t, const axl_run_record *r)
{
    tool_pace pace = { true, r->step, r->total_steps, NAN, NAN, NAN, 0.0 };

    tool_show_pace(t, &pace);
}

static void show_step(tool *t, const axl_run_record *r)
{
    tool_pace pace = { true,           r->step,   r->total_steps, r->loss, r->tokens_per_second,
                       r->eta_seconds, tool_now() };
    char line[LINE_ROOM], eta[32];
    bool last = r->step >= r->total_steps;

    tool_duration(last ? r->seconds : r->eta_seconds, eta, sizeof eta);
    snprintf(line, sizeof line,
             "step %llu/%llu  epoch %.2f  loss %.4f  grad_norm %.3f  lr %.3e  %.0f tokens/s  %s %s",
             (unsigned long long)r->step, (unsigned long long)r->total_steps, r->epoch, r->loss,
             r->grad_norm, r->learning_rate, r->tokens_per_second, last ? "took" : "ETA", eta);
    tool_put_line(t, line);
    tool_show_pace(t, last ? NULL : &pace);
}

static void show_evaluation(tool *t, const axl_run_record *r)
{
    char line[LINE_ROOM];

    snprintf(line, sizeof line, "step %llu/%llu  epoch %.2f  eval_loss %.4f  perplexity %.3f",
             (unsigned long long)r->step, (unsigned long long)r->total_steps, r->epoch,
             r->eval_loss, r->eval_perplexity);
    tool_put_line(t, line);
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
    if (r->event == AXL_RUN_SAVE)
        w->result->resumable = true;
    if (w->t->level < AXL_LOG_INFO)
        return 0;
    if (r->event == AXL_RUN_BEGIN)
        show_begin(w->t, r);
    else if (r->event == AXL_RUN_STEP)
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
    result->resumable = false;
    o.record = on_record;
    o.record_user = &w;
    o.resume = resume;
    axl_status status = axl_run_new(&run, cfg, &o);
    if (status < 0) {
        tool_end_progress(t);
        return tool_status(t, status);
    }
    result->resumable = resume != NULL; /* until it saves one of its own */
    status = axl_run_train(run);
    result->resumable &= status == AXL_ERR_CANCELLED;
    tool_show_pace(t, NULL);
    if (status == AXL_OK && result->evaluate)
        status = evaluate_result(run, result);
    tool_end_progress(t);
    axl_run_free(run);
    int code = tool_status(t, status);
    return status == AXL_ERR_IO ? EXIT_OTHER : code; /* the disk's fault by now, not the config's */
}

/* ---- going on after a stop ---- */

/* A word of a shell. */
static void put_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";

    if (*text && strspn(text, plain) == strlen(text)) {
        fputs(text, stderr);
        return;
    }
    fputc('\'', stderr);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[2]){ *text, '\0' }, stderr);
    fputc('\'', stderr);
}

void train_say_how_to_go_on(const tool *t, const char *grid)
{
    fputs("go on with: axl train ", stderr);
    put_word(t->positionals[0]);
    if (grid) {
        fputs(" --sweep ", stderr);
        put_word(grid);
    }
    fputs(" --resume", stderr);
    for (size_t i = 0; i < t->n_overrides; i++) {
        char *word = malloc(strlen(t->overrides[i]) + sizeof "--");
        if (!word)
            break;
        strcat(strcpy(word, "--"), t->overrides[i]);
        fputc(' ', stderr);
        put_word(word);
        free(word);
    }
    fputc('\n', stderr);
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
    if (result.resumable)
        train_say_how_to_go_on(t, NULL);
    if (code == EXIT_DONE && axl_config_get_string(cfg, "output_dir", &dir) == AXL_OK)
        printf("%s\n", dir);
    axl_config_free(cfg);
    return code;
}

int verb_train(tool *t, int argc, char **argv)
{
    bool resume = false;
    const char *from = NULL, *grid = NULL;
    const tool_option options[] = {
        { "resume", OPTION_MAYBE, &resume, &from, "CHECKPOINT",
          "go on from a checkpoint: the newest in output_dir, or this folder" },
        { "sweep", OPTION_VALUE, NULL, &grid, "FILE",
          "a run for each combination of the values that this YAML file gives to "
          "keys, each in a folder of its own below output_dir; with --resume each "
          "goes on from its newest checkpoint" },
        OPTIONS_END,
    };
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
