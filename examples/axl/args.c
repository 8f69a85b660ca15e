/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - the command line: a verb's own options first, every other --key is one of the config. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int usage(const tool *t, const char *what, const char *arg)
{
    fprintf(stderr, "axl %s: %s%s\n", t->verb, what, arg);
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
        return usage(t, "too many options", "");
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

/* --key=value, --key value, --no-key, --key. */
static int take_key(tool *t, int argc, char **argv, int *i)
{
    const char *key = argv[*i] + 2, *eq = strchr(key, '=');

    if (eq)
        return add_override(t, key, (size_t)(eq - key), eq + 1);
    if (is_value(argc, argv, *i + 1))
        return add_override(t, key, strlen(key), argv[++*i]);
    if (strncmp(key, "no-", 3) == 0 || strncmp(key, "no_", 3) == 0)
        return add_override(t, key + 3, strlen(key + 3), "false");
    return add_override(t, key, strlen(key), "true");
}

static int take_option(tool *t, const tool_option *o, int argc, char **argv, int *i, const char *eq)
{
    if (o->kind == OPTION_FLAG && eq)
        return usage(t, "takes no value: ", argv[*i]);
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
        return usage(t, "needs a value: ", argv[*i]);
    return EXIT_DONE;
}

static int take_long(tool *t, int argc, char **argv, int *i, const tool_option *options,
                     bool takes_config)
{
    const tool_option common[] = {
        { "quiet", OPTION_FLAG, &t->quiet, NULL },
        { "help", OPTION_FLAG, &t->help, NULL },
        { "log-level", OPTION_VALUE, NULL, &t->log_level },
        { NULL, OPTION_FLAG, NULL, NULL },
    };
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    const tool_option *o = find_option(options, name, len);
    const char *launcher = NULL;
    const tool_option ignored = { "launcher", OPTION_VALUE, NULL, &launcher };

    if (!o)
        o = find_option(common, name, len);
    if (o)
        return take_option(t, o, argc, argv, i, eq);
    if (takes_config && same_name(name, len, "launcher")) {
        fprintf(stderr, "axl %s: warning: --launcher has no effect: axl runs in one process\n",
                t->verb);
        return take_option(t, &ignored, argc, argv, i, eq);
    }
    return takes_config ? take_key(t, argc, argv, i) : usage(t, "unknown option ", argv[*i]);
}

int tool_parse(tool *t, int argc, char **argv, int first, const tool_option *options,
               bool takes_config)
{
    for (int i = first; i < argc; i++) {
        const tool_option *o;
        int code = EXIT_DONE;
        if (strcmp(argv[i], "--") == 0) {
            if (i + 1 < argc)
                fprintf(stderr, "axl %s: warning: arguments after -- have no effect\n", t->verb);
            break;
        }
        if (argv[i][0] == '-' && argv[i][1] == '-')
            code = take_long(t, argc, argv, &i, options, takes_config);
        else if (argv[i][0] == '-' && argv[i][1] != '\0' &&
                 (o = find_option(options, argv[i] + 1, strlen(argv[i] + 1))) != NULL)
            code = take_option(t, o, argc, argv, &i, NULL);
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            code = usage(t, "unknown option ", argv[i]);
        else if (t->n_positionals == POSITIONALS_MAX)
            code = usage(t, "too many arguments: ", argv[i]);
        else
            t->positionals[t->n_positionals++] = argv[i];
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}
