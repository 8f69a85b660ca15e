/* SPDX-License-Identifier: Apache-2.0 */
/* tool.h - what the verbs of the command-line tool share.  The tool is a host like any other: it
 * uses the public headers alone. */
#ifndef AXL_TOOL_H
#define AXL_TOOL_H

#include <axl/axl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_OTHER = 1, EXIT_INPUT = 2 };

/* An option of a verb; a config key of the same name is then not reachable. */
typedef struct tool_option {
    const char *name;                                      /* "max-new-tokens" */
    enum { OPTION_FLAG, OPTION_VALUE, OPTION_MAYBE } kind; /* MAYBE: a value may follow */
    bool *flag;                                            /* set when it is there */
    const char **value;
    const char *metavar; /* what --help calls the value: "N" */
    const char *help;    /* and says of the option */
} tool_option;

#define OPTIONS_END                                                                                \
    {                                                                                              \
        NULL, OPTION_FLAG, NULL, NULL, NULL, NULL                                                  \
    }

/* How far training is, for the line under the logged steps. */
typedef struct tool_pace {
    bool on;
    unsigned long long step, total;
    double loss, tokens_per_second; /* NaN: before the first logged step */
    double eta, at;                 /* seconds left as of a time of tool_now() */
} tool_pace;

enum { OVERRIDES_MAX = 256, POSITIONALS_MAX = 4 };

typedef struct tool {
    const char *verb, *usage, *what; /* of main.c's table */
    axl_context *ctx;
    axl_cancel *cancel;
    bool quiet, help, launcher;
    bool color_out, color_err; /* standard output, standard error */
    bool term_out;             /* standard output is a terminal */
    bool live;                 /* standard error is a terminal that can rewrite a line */
    bool live_shown;           /* and shows one */
    tool_pace pace;
    const char *log_level; /* as given */
    uint32_t level;        /* what is logged: an axl_log_level */

    char *overrides[OVERRIDES_MAX]; /* "key=value" */
    size_t n_overrides;
    const char *positionals[POSITIONALS_MAX];
    size_t n_positionals;
} tool;

/* args.c: sorts argv[first..] into options, overrides and positionals; EXIT_INPUT after a line on
 * standard error. */
int tool_parse(tool *t, int argc, char **argv, int first, const tool_option *options,
               bool takes_config); /* also prints what --help asks for: t->help */
/* EXIT_INPUT after a line when there are more positionals. */
int tool_at_most(const tool *t, size_t n);
bool tool_number(const char *text, double *out);
bool tool_count(const char *text, unsigned long long *out);

/* tool.c */
int tool_fail(const tool *t, const char *what); /* a line, EXIT_INPUT */
/* The last error as a line, and its exit status. */
int tool_status(const tool *t, axl_status status);
/* The same for what a config should have trained and is not there. */
int tool_untrained(const tool *t, bool takes_adapter);
/* A context with the tool's log and progress; opts NULL for the defaults. */
int tool_context(tool *t, const axl_context_options *opts);
/* The config of positionals[0] with the overrides, in a context with its threads, isa and oneDNN.
 * Diagnostics go to standard error. */
int tool_config(tool *t, axl_config **out);
void tool_release(tool *t); /* the context and the cancel handle */
void tool_close(tool *t);
/* Reads a whole stream; NULL after a message. */
char *tool_read(const tool *t, const char *path_or_dash, size_t *len);
/* A JSON string with its quotes. */
void tool_print_json(FILE *f, const char *text, size_t len);
/* Text of others as a terminal or a page may get it: control characters but a line break and a tab
 * become their pictures, or their number where they have none. */
void tool_put_visible(FILE *f, const char *text, size_t len);
/* SIGINT, SIGTERM, SIGHUP and SIGPIPE raise t->cancel, the last two unless they are ignored; which
 * one came first (0: none). */
void tool_catch_signals(tool *t);
int tool_signal(void);

/* terminal.c: standard error, where lines stay and on a terminal one under them is rewritten. */
void tool_open_terminal(tool *t);
void tool_end_progress(tool *t);                  /* takes the rewritten line away */
void tool_put_line(tool *t, const char *line);    /* one that stays */
void tool_show_pace(tool *t, const tool_pace *p); /* NULL: training is over */
void tool_on_log(void *user, uint32_t level, const char *message);
int tool_on_progress(void *user, const axl_progress *p);
double tool_now(void);
/* "1h02m", "3m07s", "12s" */
void tool_duration(double seconds, char *out, size_t room);

/* verb_train.c: a run from its config to the end.  resume as in axl_run_options. */
typedef struct train_result {
    double loss;      /* of the last step that was logged; NaN: none */
    double eval_loss; /* of the result, when evaluate asks for it; NaN: there is no data for it */
    bool evaluate;
    bool resumable; /* it was stopped, and a checkpoint is there to go on from */
} train_result;
int train_run(tool *t, const axl_config *cfg, const char *resume, train_result *result);
/* After a stop: the command that goes on, on standard error; grid NULL: of one run. */
void train_say_how_to_go_on(const tool *t, const char *grid);
/* verb_sweep.c: a run for each combination of the values in the file `grid`. */
int train_sweep(tool *t, const char *grid, bool resume);

/* verb_inspect.c: rows that are shown. */
typedef struct inspector {
    tool *t;
    axl_tokenizer *tok;
    axl_dataset *data;
    const char *split;    /* "train" or "validation" */
    unsigned long long n; /* how many; 0: all */
    bool json;
} inspector;
axl_status inspect_rows(const inspector *x); /* prints them */
/* One row of the data, a sample or a pair: fills s[0] and of a pair s[1], *n says how many, and
 * moves *at behind it. */
axl_status inspect_next(const axl_dataset *data, uint64_t *at, axl_sample s[2], int *n);
uint32_t inspect_length(const axl_sample *s, int n); /* of a row: of its longer sample */
const char *inspect_role(uint32_t role); /* the label of an axl_role; NULL: it needs none */
/* inspect_page.c: writes them into a page at path; an exit status. */
int inspect_write_page(const inspector *x, const char *path);

/* The verbs. */
int verb_train(tool *t, int argc, char **argv);
int verb_preprocess(tool *t, int argc, char **argv);
int verb_check(tool *t, int argc, char **argv);
int verb_inspect(tool *t, int argc, char **argv);
int verb_plan(tool *t, int argc, char **argv);
int verb_tokenize(tool *t, int argc, char **argv);
int verb_render(tool *t, int argc, char **argv);
int verb_quantize(tool *t, int argc, char **argv);
int verb_evaluate(tool *t, int argc, char **argv);
int verb_inference(tool *t, int argc, char **argv);
int verb_merge(tool *t, int argc, char **argv);
int verb_version(tool *t, int argc, char **argv);

#endif
