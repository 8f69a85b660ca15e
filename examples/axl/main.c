/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - axl VERB …: finds the verb. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(tool *t, int argc, char **argv);
    const char *usage, *what;
} verbs[] = {
    { "train", verb_train, "train CONFIG [--resume [CHECKPOINT]] [--sweep FILE]",
      "the whole run; with --sweep one for each combination of the values in FILE" },
    { "check", verb_check, "check CONFIG [--effective] [--json]", "what is wrong with a config" },
    { "inspect", verb_inspect, "inspect CONFIG [-n N] [--split train|validation] [--json]",
      "rows as they will be trained; inspect --types: the data set types" },
    { "plan", verb_plan, "plan CONFIG [--json]", "the memory and time that a run will take" },
    { "evaluate", verb_evaluate, "evaluate CONFIG [--json]",
      "the loss of the validation split with the adapter in output_dir, else in lora_model_dir,\n"
      "      else of the base model" },
    { "inference", verb_inference,
      "inference (CONFIG | --model DIR [--adapter DIR]) [--prompt TEXT | FILE | -]",
      "continue a text; also --greedy, --max-new-tokens, --temperature, --top-k, --top-p,\n"
      "      --min-p, --repetition-penalty, --seed" },
    { "merge-lora", verb_merge, "merge-lora (CONFIG | --model DIR --adapter DIR) [--out DIR]",
      "the adapter added into its base: a whole model, in OUTPUT_DIR/merged if not --out" },
    { "tokenize", verb_tokenize, "tokenize --model DIR|FILE [--no-special] [--jsonl] [FILE | -]",
      "text to ids, one JSON array a text" },
    { "version", verb_version, "version [--json]", "what is installed" },
};
enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

/* Verbs that are planned; saying so is kinder than "unknown verb". */
static const char *const later[] = { "preprocess", "quantize", "export", "render",
                                     "config-schema" };

static void print_help(FILE *f)
{
    fputs("axl VERB CONFIG [--key value | --key=value | --no-key …] [options]\n\n", f);
    for (size_t i = 0; i < N_VERBS; i++)
        fprintf(f, "  %s\n      %s\n", verbs[i].usage, verbs[i].what);
    fputs("\nAny key of the config can be given as --key value.  --quiet, --log-level "
          "error|warning|info|debug.\naxl VERB --help says more of a verb.\n",
          f);
}

static int print_verb_help(size_t verb)
{
    printf("axl %s\n      %s\n\n", verbs[verb].usage, verbs[verb].what);
    if (strstr(verbs[verb].usage, "CONFIG"))
        puts("CONFIG is a YAML file, or a folder that holds one.  Any key of it can be given "
             "here:\n--learning-rate 1e-4, --datasets[0].path=more.jsonl, --no-sample-packing.");
    puts("Also --quiet and --log-level error|warning|info|debug.");
    return EXIT_DONE;
}

/* N_VERBS after a message. */
static size_t find_verb(const char *name)
{
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return i;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        if (strcmp(later[i], name) == 0) {
            fprintf(stderr, "axl: the verb %s does not exist yet in version %s\n", name,
                    axl_version());
            return N_VERBS;
        }
    }
    fprintf(stderr, "axl: unknown verb \"%s\"; axl --help lists the verbs\n", name);
    return N_VERBS;
}

/* An answer that could not be written is no answer. */
static int flush_answer(const tool *t, int code)
{
    bool whole = fflush(stdout) == 0 && !ferror(stdout);
    if (tool_signal() == SIGPIPE && code == EXIT_DONE)
        return 128 + SIGPIPE; /* as a shell says of what it ends */
    if (whole)
        return code;
    fprintf(stderr, "axl %s: cannot write to standard output: %s\n", t->verb, strerror(errno));
    return code == EXIT_DONE ? EXIT_OTHER : code;
}

int main(int argc, char **argv)
{
    static const char *const helps[] = { "--help", "-h", "help" };
    tool t = { 0 };

    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing, no sudden end */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_INPUT;
    }
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(argv[1], helps[i]) == 0 && argc == 2) {
            print_help(stdout);
            return EXIT_DONE;
        }
        if (strcmp(argv[1], helps[i]) == 0) {
            size_t verb = find_verb(argv[2]);
            return verb < N_VERBS ? print_verb_help(verb) : EXIT_INPUT;
        }
    }
    t.verb = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    size_t verb = find_verb(t.verb);
    if (verb == N_VERBS)
        return EXIT_INPUT;
    int code = verbs[verb].run(&t, argc, argv);
    if (t.help)
        code = print_verb_help(verb);
    code = flush_answer(&t, code);
    tool_close(&t);
    return code;
}
