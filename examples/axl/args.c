/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - the command line: a verb's own options first, every other --key is one of the config. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "axl VERB: --option: what"; of --option=value its name alone. */
static int usage(const tool *t, const char *arg, const char *what)
{
    size_t len = *arg == '-' ? strcspn(arg, "=") : strlen(arg);

    fprintf(stderr, "axl %s: %.*s: %s\n", t->verb, (int)len, arg, what);
    return EXIT_INPUT;
}

bool tool_number(const char *text, double *out)
{
    char *end;

    if (!*text)
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

bool tool_count(const char *text, unsigned long long *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

/* '-' in keys is '_', up to the first '='. */
static bool same_name(const char *given, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++) {
        char a = given[i] == '_' ? '-' : given[i];
        if (!name[i] || a != name[i])
            return false;
    }
    return name[len] == '\0';
}

static const tool_option *find_option(const tool_option *options, const char *given, size_t len)
{
    for (const tool_option *o = options; o && o->name; o++)
        if (same_name(given, len, o->name))
            return o;
    return NULL;
}

static bool is_value(int argc, char **argv, int i)
{
    return i < argc && (argv[i][0] != '-' || argv[i][1] == '\0' ||
                        (argv[i][1] >= '0' && argv[i][1] <= '9') || argv[i][1] == '.');
}

static int add_override(tool *t, const char *key, size_t key_len, const char *value)
{
    size_t size = key_len + strlen(value) + 2;
    char *text;

    if (t->n_overrides == OVERRIDES_MAX)
        return usage(t, "--", "more than 256 keys of the config");
    text = malloc(size);
    if (!text)
        return EXIT_OTHER;
    memcpy(text, key, key_len);
    for (size_t i = 0; i < key_len; i++)
        if (text[i] == '-')
            text[i] = '_';
    text[key_len] = '=';
    strcpy(text + key_len + 1, value);
    t->overrides[t->n_overrides++] = text;
    return EXIT_DONE;
}

/* --key=value, --no-key (no key begins so), --key value, --key. */
static int take_key(tool *t, int argc, char **argv, int *i)
{
    const char *key = argv[*i] + 2, *eq = strchr(key, '=');

    if (eq == key || *key == '\0')
        return usage(t, argv[*i], "a key is missing");
    if (eq)
        return add_override(t, key, (size_t)(eq - key), eq + 1);
    if (strncmp(key, "no-", 3) == 0 || strncmp(key, "no_", 3) == 0)
        return add_override(t, key + 3, strlen(key + 3), "false");
    if (is_value(argc, argv, *i + 1))
        return add_override(t, key, strlen(key), argv[++*i]);
    return add_override(t, key, strlen(key), "true");
}

static int take_option(tool *t, const tool_option *o, int argc, char **argv, int *i, const char *eq)
{
    if (o->kind == OPTION_FLAG && eq)
        return usage(t, argv[*i], "takes no value");
    if (o->flag)
        *o->flag = true;
    if (o->kind == OPTION_FLAG)
        return EXIT_DONE;
    if (eq)
        *o->value = eq + 1;
    else if (o->kind == OPTION_VALUE && *i + 1 < argc)
        *o->value = argv[++*i];
    else if (o->kind == OPTION_MAYBE && is_value(argc, argv, *i + 1))
        *o->value = argv[++*i];
    else if (o->kind == OPTION_VALUE)
        return usage(t, argv[*i], "needs a value");
    return EXIT_DONE;
}

static int take_long(tool *t, int argc, char **argv, int *i, const tool_option *options,
                     bool takes_config)
{
    const char *launcher = NULL;
    const tool_option common[] = {
        { "quiet", OPTION_FLAG, &t->quiet, NULL, NULL, NULL },
        { "help", OPTION_FLAG, &t->help, NULL, NULL, NULL },
        { "log-level", OPTION_VALUE, NULL, &t->log_level, NULL, NULL },
        { takes_config ? "launcher" : NULL, OPTION_VALUE, NULL, &launcher, NULL, NULL },
        OPTIONS_END,
    };
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    const tool_option *o = find_option(options, name, len);

    if (!o)
        o = find_option(common, name, len);
    if (!o)
        return takes_config ? take_key(t, argc, argv, i)
                            : usage(t, argv[*i], "this verb has no such option");
    int code = take_option(t, o, argc, argv, i, eq);
    t->launcher |= launcher != NULL;
    return code;
}

/* What t->level is after all options, and the warnings about those that do nothing here. */
static int finish(tool *t, bool extra)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };

    bool tells = strcmp(t->verb, "train") == 0 || strcmp(t->verb, "evaluate") == 0;

    /* Of other verbs only the answer and what is wrong matter. */
    t->level = t->quiet ? AXL_LOG_ERROR : tells ? AXL_LOG_INFO : AXL_LOG_WARNING;
    for (uint32_t i = 0; t->log_level && i < 4; i++) {
        if (strcmp(levels[i], t->log_level) == 0) {
            t->level = i + 1;
            t->log_level = NULL;
        }
    }
    if (t->log_level)
        return usage(t, "--log-level", "must be error, warning, info or debug");
    if (t->launcher && t->level >= AXL_LOG_WARNING)
        fprintf(stderr, "axl %s: warning: --launcher has no effect: axl runs in one process\n",
                t->verb);
    if (extra && t->level >= AXL_LOG_WARNING)
        fprintf(stderr, "axl %s: warning: arguments after -- are a launcher's and have no effect\n",
                t->verb);
    return EXIT_DONE;
}

/* ---- help ---- */

/* An option's own lines of at most 80 columns, the explanation in a column of its own. */
static void print_option(const char *left, const char *help)
{
    enum { COLUMN = 26, WIDTH = 80 };
    int at = printf("  %-*s", COLUMN - 2, left);

    while (*help) {
        size_t word = strcspn(help, " ");
        if (at > COLUMN && (size_t)at + word + 1 > WIDTH)
            at = printf("\n%*s", COLUMN, "") - 1;
        at += printf("%s%.*s", at > COLUMN ? " " : "", (int)word, help);
        help += word + strspn(help + word, " ");
    }
    putchar('\n');
}

static void print_help(const tool *t, const tool_option *options, bool takes_config)
{
    char left[64];

    printf("axl %s\n      %s\n\n", t->usage, t->what);
    for (const tool_option *o = options; o->name; o++) {
        bool maybe = o->kind == OPTION_MAYBE;
        snprintf(left, sizeof left, "-%s%s%s%s%s%s", o->name[1] ? "-" : "", o->name,
                 o->kind == OPTION_FLAG ? "" : " ", maybe ? "[" : "", o->metavar ? o->metavar : "",
                 maybe ? "]" : "");
        print_option(left, o->help);
    }
    print_option("--quiet", "no log and no progress: errors alone");
    print_option("--log-level LEVEL", "error, warning, info or debug");
    print_option("-h, --help", "this");
    if (!takes_config)
        return;
    print_option("--launcher NAME",
                 "is taken and does nothing, as all behind --: one process runs");
    puts("\nCONFIG is a YAML file, or a folder that holds one.  Any key of it can be given\n"
         "here: --learning-rate 1e-4, --datasets[0].path=more.jsonl, --no-sample-packing;\n"
         "an option of this verb wins over a key of its name.");
}

int tool_parse(tool *t, int argc, char **argv, int first, const tool_option *options,
               bool takes_config)
{
    int i = first;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const tool_option *o;
        int code = EXIT_DONE;
        if (argv[i][0] == '-' && argv[i][1] == '-')
            code = take_long(t, argc, argv, &i, options, takes_config);
        else if (strcmp(argv[i], "-h") == 0)
            t->help = true;
        else if (argv[i][0] == '-' && argv[i][1] != '\0' &&
                 (o = find_option(options, argv[i] + 1, strlen(argv[i] + 1))) != NULL)
            code = take_option(t, o, argc, argv, &i, NULL);
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            code = usage(t, argv[i], "this verb has no such option");
        else if (t->n_positionals == POSITIONALS_MAX)
            code = usage(t, argv[i], "one argument too many");
        else
            t->positionals[t->n_positionals++] = argv[i];
        if (code != EXIT_DONE)
            return code;
    }
    if (t->help) {
        print_help(t, options, takes_config);
        return EXIT_DONE;
    }
    return finish(t, i + 1 < argc);
}

int tool_at_most(const tool *t, size_t n)
{
    if (t->n_positionals <= n)
        return EXIT_DONE;
    return usage(t, t->positionals[n], "one argument too many");
}
