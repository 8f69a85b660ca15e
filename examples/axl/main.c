/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - axl VERB …: finds the verb. */
#include "tool.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(tool *t, int argc, char **argv);
    const char *usage, *what;
} verbs[] = {
    { "train", verb_train, "train CONFIG [--resume [CHECKPOINT]]", "the whole run" },
    { "check", verb_check, "check CONFIG [--effective] [--json]", "what is wrong with a config" },
    { "inspect", verb_inspect, "inspect CONFIG [-n N] [--split train|validation] [--json]",
      "rows as they will be trained; inspect --types: the data set types" },
    { "inference", verb_inference,
      "inference (CONFIG | --model DIR [--adapter DIR]) [--prompt TEXT | FILE | -]",
      "continue a text; also --greedy, --max-new-tokens, --temperature, --top-k, --top-p,\n"
      "      --min-p, --repetition-penalty, --seed" },
    { "tokenize", verb_tokenize, "tokenize --model DIR|FILE [--no-special] [--jsonl] [FILE | -]",
      "text to ids, one JSON array a text" },
    { "version", verb_version, "version [--json]", "what is installed" },
};
enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

/* Verbs that are planned; saying so is kinder than "unknown verb". */
static const char *const later[] = { "preprocess", "plan", "evaluate", "merge-lora", "quantize",
                                     "export", "render", "config-schema" };

static void print_help(FILE *f)
{
    fputs("axl VERB CONFIG [--key value | --key=value | --no-key …] [options]\n\n", f);
    for (size_t i = 0; i < N_VERBS; i++)
        fprintf(f, "  %s\n      %s\n", verbs[i].usage, verbs[i].what);
    fputs("\nAny key of the config can be given as --key value.  --quiet, --log-level "
          "error|warning|info|debug.\n", f);
}

int main(int argc, char **argv)
{
    tool t = { 0 };
    int code = EXIT_INPUT;

    if (argc < 2) {
        print_help(stderr);
        return EXIT_INPUT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    t.verb = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < N_VERBS; i++) {
        if (strcmp(verbs[i].name, t.verb) == 0) {
            code = verbs[i].run(&t, argc, argv);
            if (t.help) {
                printf("axl %s\n      %s\n", verbs[i].usage, verbs[i].what);
                code = EXIT_DONE;
            }
            tool_close(&t);
            return fflush(stdout) != 0 && code == EXIT_DONE ? EXIT_OTHER : code;
        }
    }
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        if (strcmp(later[i], t.verb) == 0) {
            fprintf(stderr, "axl: the verb %s does not exist yet in version %s\n", t.verb,
                    axl_version());
            return EXIT_INPUT;
        }
    }
    fprintf(stderr, "axl: unknown verb \"%s\"; axl --help lists the verbs\n", t.verb);
    return EXIT_INPUT;
}
