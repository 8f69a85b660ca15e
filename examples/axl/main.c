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
    { "preprocess", verb_preprocess, "preprocess CONFIG [--json] [--debug]",
      "tokenise the data into the file that training takes, in dataset_prepared_path or in\n"
      "      OUTPUT_DIR/prepared, and tell what it is like" },
    { "check", verb_check, "check CONFIG [--effective] [--json]", "what is wrong with a config" },
    { "inspect", verb_inspect,
      "inspect CONFIG [-n N] [--split train|validation] [--json | --html FILE]",
      "rows as they will be trained; inspect --types: the data set types" },
    { "plan", verb_plan, "plan CONFIG [--json]", "the memory and time that a run will take" },
    { "evaluate", verb_evaluate, "evaluate CONFIG [--json]",
      "the loss of the validation split with the adapter in output_dir, else in lora_model_dir,\n"
      "      else of the base model" },
    { "inference", verb_inference,
      "inference (CONFIG | --model DIR [--adapter DIR])\n"
      "            [--prompt TEXT | FILE | - | --instruction TEXT [--input TEXT]] [options]",
      "continue a text with what a config trained, or with a model" },
    { "merge-lora", verb_merge,
      "merge-lora (CONFIG | --model DIR --adapter DIR) [--out DIR] [--base 4bit|16bit]",
      "the adapter added into its base: a whole model, in OUTPUT_DIR/merged if not --out" },
    { "quantize", verb_quantize, "quantize (CONFIG | --model DIR) --bits 4|8 --out DIR",
      "a model in 4 or 8 bits, as bitsandbytes has it" },
    { "tokenize", verb_tokenize,
      "tokenize --model DIR|FILE [--no-special] [--pattern NAME] [--jsonl] [FILE | -]",
      "text to ids, one JSON array a text" },
    { "render", verb_render, "render (--model DIR | --template FILE) --context FILE",
      "a chat template's text for the variables of a JSON object" },
    { "version", verb_version, "version [--json]", "what is installed" },
};
enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

/* Verbs that are planned; saying so is kinder than "unknown verb". */
static const char *const later[] = { "export", "config-schema" };

static void print_help(FILE *f)
{
    fputs("axl VERB CONFIG [--key value | --key=value | --no-key …] [options]\n\n", f);
    for (size_t i = 0; i < N_VERBS; i++)
        fprintf(f, "  %s\n      %s\n", verbs[i].usage, verbs[i].what);
    fputs("\nAny key of the config can be given as --key value.  axl VERB --help explains the "
          "options of a verb.\n",
          f);
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
    char *asked[] = { argv[0], NULL, "--help", NULL };
    tool t = { 0 };

    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing, no sudden end */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_INPUT;
    }
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(argv[1], helps[i]) != 0)
            continue;
        if (argc == 2) {
            print_help(stdout);
            return EXIT_DONE;
        }
        asked[1] = argv[2]; /* axl help VERB is axl VERB --help */
        argv = asked;
        argc = 3;
        break;
    }
    t.verb = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    size_t verb = find_verb(t.verb);
    if (verb == N_VERBS)
        return EXIT_INPUT;
    t.usage = verbs[verb].usage;
    t.what = verbs[verb].what;
    int code = verbs[verb].run(&t, argc, argv);
    code = flush_answer(&t, code);
    tool_close(&t);
    return code;
}
