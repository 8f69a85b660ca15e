/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_sweep.c - axl train --sweep: the runs of a sweep one after another, each into a folder of
 * its own below output_dir.  A run that fails is told and the others go on; at the end, and in a
 * file after each run, there is a table of them all.
 */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 64, PATH_MAX_ = 4096 };

typedef enum { WAITING, DONE, FAILED, STOPPED } outcome;

typedef struct {
    axl_sweep_run run;
    outcome outcome;
    char *dir; /* of its result; NULL: not known */
    train_result result;
} trial;

typedef struct {
    tool *t;
    axl_context *ctx; /* of what is read besides the runs */
    axl_sweep *sweep;
    trial *trials; /* (n) */
    size_t n;
    const char *keys[KEYS_MAX]; /* "key=…", by the first run that has them */
    size_t n_keys;
    char table[PATH_MAX_]; /* the file; "" while no run has told where */
    int code;              /* of the first run that failed */
} sweeper;

/* ---- keys and values ---- */

static bool same_key(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");

    return n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

/* NULL when the run does not set it. */
static const char *value_of(const trial *x, const char *key)
{
    for (size_t i = 0; i < x->run.n_overrides; i++)
        if (same_key(x->run.overrides[i], key))
            return strchr(x->run.overrides[i], '=') + 1;
    return NULL;
}

static int collect_keys(sweeper *s)
{
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->trials[i].run.n_overrides; k++) {
            const char *text = s->trials[i].run.overrides[k];
            bool known = false;
            for (size_t j = 0; j < s->n_keys && !known; j++)
                known = same_key(s->keys[j], text);
            if (known)
                continue;
            if (s->n_keys == KEYS_MAX)
                return tool_fail(s->t, "the sweep changes too many keys");
            s->keys[s->n_keys++] = text;
        }
    }
    for (size_t j = 0; j < s->n_keys; j++) {
        for (size_t i = 0; i < s->t->n_overrides; i++) {
            if (!same_key(s->keys[j], s->t->overrides[i]))
                continue;
            fprintf(stderr,
                    "axl train: --%.*s is swept, too: take it from the command line or "
                    "from the sweep's file\n",
                    (int)strcspn(s->keys[j], "="), s->keys[j]);
            return EXIT_INPUT;
        }
    }
    return EXIT_DONE;
}

/* ---- the table ---- */

static const char *const outcomes[] = { "waiting", "done", "failed", "stopped" };

static void loss_text(char *out, size_t size, double loss)
{
    if (isnan(loss))
        snprintf(out, size, "%s", "");
    else
        snprintf(out, size, "%.6g", loss);
}

/* Tabs and ends of lines would break the table. */
static void put_value(FILE *f, const char *value)
{
    if (!value)
        return;
    if (strpbrk(value, "\t\n\r"))
        tool_print_json(f, value, strlen(value));
    else
        fputs(value, f);
}

static void write_rows(const sweeper *s, FILE *f)
{
    char loss[32], eval_loss[32];

    fputs("run", f);
    for (size_t k = 0; k < s->n_keys; k++)
        fprintf(f, "\t%.*s", (int)strcspn(s->keys[k], "="), s->keys[k]);
    fputs("\tloss\teval_loss\tstatus\n", f);
    for (size_t i = 0; i < s->n; i++) {
        const trial *x = &s->trials[i];
        fputs(x->run.name, f);
        for (size_t k = 0; k < s->n_keys; k++) {
            fputc('\t', f);
            put_value(f, value_of(x, s->keys[k]));
        }
        loss_text(loss, sizeof loss, x->result.loss);
        loss_text(eval_loss, sizeof eval_loss, x->result.eval_loss);
        fprintf(f, "\t%s\t%s\t%s\n", loss, eval_loss, outcomes[x->outcome]);
    }
}

/* Whole or not at all, so that who reads it meanwhile sees a table. */
static int write_table(const sweeper *s)
{
    char temp[PATH_MAX_ + 8];
    FILE *f;

    if (!s->table[0])
        return EXIT_DONE;
    snprintf(temp, sizeof temp, "%s.tmp", s->table);
    f = fopen(temp, "w");
    if (f)
        write_rows(s, f);
    if (!f || fclose(f) != 0 || rename(temp, s->table) != 0) {
        fprintf(stderr, "axl train: cannot write %s\n", s->table);
        return EXIT_OTHER;
    }
    return EXIT_DONE;
}

static size_t column_width(const sweeper *s, const char *key)
{
    size_t width = strcspn(key, "=");

    for (size_t i = 0; i < s->n; i++) {
        const char *value = value_of(&s->trials[i], key);
        if (value && strlen(value) > width)
            width = strlen(value);
    }
    return width;
}

static void print_table(const sweeper *s)
{
    char loss[32], eval_loss[32];

    printf("%-9s", "run");
    for (size_t k = 0; k < s->n_keys; k++)
        printf("  %-*.*s", (int)column_width(s, s->keys[k]), (int)strcspn(s->keys[k], "="),
               s->keys[k]);
    printf("  %10s  %10s  %s\n", "loss", "eval_loss", "status");
    for (size_t i = 0; i < s->n; i++) {
        const trial *x = &s->trials[i];
        printf("%-9s", x->run.name);
        for (size_t k = 0; k < s->n_keys; k++) {
            const char *value = value_of(x, s->keys[k]);
            fputs("  ", stdout);
            put_value(stdout, value);
            for (size_t w = value ? strlen(value) : 0; w < column_width(s, s->keys[k]); w++)
                putchar(' ');
        }
        loss_text(loss, sizeof loss, x->result.loss);
        loss_text(eval_loss, sizeof eval_loss, x->result.eval_loss);
        printf("  %10s  %10s  %s\n", loss, eval_loss, outcomes[x->outcome]);
    }
}

/* By the loss of the validation data where every run has one, else by that of training. */
static const trial *best_trial(const sweeper *s)
{
    const trial *best = NULL;
    bool by_eval = true;

    for (size_t i = 0; i < s->n; i++)
        if (s->trials[i].outcome == DONE && isnan(s->trials[i].result.eval_loss))
            by_eval = false;
    for (size_t i = 0; i < s->n; i++) {
        const trial *x = &s->trials[i];
        if (x->outcome != DONE)
            continue;
        if (!best || (by_eval ? x->result.eval_loss < best->result.eval_loss
                              : x->result.loss < best->result.loss))
            best = x;
    }
    return best;
}

/* ---- one run ---- */

/* A tool with a run's keys over the command line's; contexts are its own. */
static int make_tool(const tool *t, const trial *x, tool *out)
{
    *out = *t;
    if (t->n_overrides + x->run.n_overrides + 2 > OVERRIDES_MAX)
        return tool_fail(t, "too many options");
    for (size_t i = 0; i < x->run.n_overrides; i++)
        out->overrides[out->n_overrides++] = (char *)x->run.overrides[i];
    return EXIT_DONE;
}

/* Where the run's config would write, and whether it says where prepared data is kept; false when
 * there is none, which reading it again will say. */
static bool find_output(const sweeper *s, const tool *t, char *out, size_t size, bool *prepared)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    const char *dir = NULL, *keeps;
    axl_config *cfg;
    bool found = false;

    o.overrides = (const char *const *)t->overrides;
    o.n_overrides = t->n_overrides;
    if (axl_config_open(&cfg, s->ctx, t->positionals[0], &o) != AXL_OK)
        return false;
    if (axl_config_get_string(cfg, "output_dir", &dir) == AXL_OK)
        found = strlen(dir) + 32 < size && snprintf(out, size, "%s", dir) > 0;
    *prepared = axl_config_get_string(cfg, "dataset_prepared_path", &keeps) == AXL_OK && *keeps;
    axl_config_free(cfg);
    return found;
}

static int run_config(tool *t, bool resume, trial *x)
{
    axl_config *cfg;
    int code = tool_config(t, &cfg);

    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    if (tool_signal()) /* one that came before */
        axl_cancel_raise(t->cancel);
    x->result.evaluate = true;
    code = train_run(t, cfg, resume ? "auto" : NULL, &x->result);
    axl_config_free(cfg);
    return code;
}

static int run_trial(sweeper *s, trial *x, bool resume)
{
    char base[PATH_MAX_ - 64], override[PATH_MAX_], shared[PATH_MAX_];
    tool t;
    bool prepared;
    int code = make_tool(s->t, x, &t);

    if (code == EXIT_DONE && find_output(s, &t, base, sizeof base, &prepared)) {
        if (!s->table[0])
            snprintf(s->table, sizeof s->table, "%s/sweep_results.tsv", base);
        snprintf(override, sizeof override, "output_dir=%s/%s", base, x->run.name);
        x->dir = strdup(strchr(override, '=') + 1);
        t.overrides[t.n_overrides++] = override;
        snprintf(shared, sizeof shared, "dataset_prepared_path=%s/prepared", base);
        if (!prepared) /* runs that differ in nothing that rows depend on prepare them once */
            t.overrides[t.n_overrides++] = shared;
    }
    if (code == EXIT_DONE)
        code = run_config(&t, resume, x);
    tool_release(&t);
    return code;
}

static void announce(const sweeper *s, size_t i)
{
    const trial *x = &s->trials[i];

    if (s->t->quiet)
        return;
    fprintf(stderr, "%s (%zu of %zu):", x->run.name, i + 1, s->n);
    for (size_t k = 0; k < x->run.n_overrides; k++)
        fprintf(stderr, " %s", x->run.overrides[k]);
    fputc('\n', stderr);
}

static int run_trials(sweeper *s, bool resume)
{
    for (size_t i = 0; i < s->n && !tool_signal(); i++) {
        trial *x = &s->trials[i];
        announce(s, i);
        int code = run_trial(s, x, resume);
        x->outcome = code == EXIT_DONE ? DONE : tool_signal() ? STOPPED : FAILED;
        if (code != EXIT_DONE && s->code == EXIT_DONE)
            s->code = code;
        code = write_table(s);
        if (code != EXIT_DONE)
            return code;
    }
    return tool_signal() ? 128 + tool_signal() : s->code;
}

/* ---- all of them ---- */

static int open_sweep(sweeper *s, const char *grid)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    o.threads = 1;
    axl_status status = axl_context_new(&s->ctx, &o);
    if (status == AXL_OK)
        status = axl_sweep_open(&s->sweep, s->ctx, grid);
    if (status < 0)
        return tool_status(s->t, status);
    s->n = axl_sweep_count(s->sweep);
    s->trials = calloc(s->n, sizeof *s->trials);
    if (!s->trials) {
        fputs("axl train: out of memory\n", stderr);
        return EXIT_OTHER;
    }
    for (size_t i = 0; i < s->n; i++) {
        axl_sweep_run run = AXL_SWEEP_RUN_INIT;
        status = axl_sweep_get(s->sweep, i, &run);
        if (status < 0)
            return tool_status(s->t, status);
        s->trials[i].run = run;
        s->trials[i].result.loss = s->trials[i].result.eval_loss = NAN;
    }
    return collect_keys(s);
}

int train_sweep(tool *t, const char *grid, bool resume)
{
    sweeper s = { .t = t };
    int code = EXIT_DONE;

    if (t->n_positionals == 0)
        return tool_fail(t, "a config file is needed, or a folder that holds one");
    code = open_sweep(&s, grid);
    if (code == EXIT_DONE) {
        code = run_trials(&s, resume);
        for (size_t i = 0; i < s.n; i++)
            if (s.trials[i].result.resumable)
                train_say_how_to_go_on(t, grid);
        print_table(&s);
        const trial *best = best_trial(&s);
        if (best && best->dir)
            printf("%s\n", best->dir);
    }
    for (size_t i = 0; i < s.n && s.trials; i++)
        free(s.trials[i].dir);
    free(s.trials);
    axl_sweep_free(s.sweep);
    axl_context_free(s.ctx);
    return code;
}
