/* SPDX-License-Identifier: Apache-2.0 */
/* tool.c - context, config, signals, input and output. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static axl_cancel *volatile signal_cancel;
static volatile sig_atomic_t signal_number;

/* A second one ends the process; but what nobody reads may be printed again before a checkpoint is
 * written. */
static void on_signal(int number)
{
    if (signal_number == 0)
        signal_number = number;
    axl_cancel_raise(signal_cancel);
    signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
}

void tool_catch_signals(tool *t)
{
    static const int stops[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    struct sigaction a = { 0 }, before;

    signal_cancel = t->cancel;
    a.sa_handler = on_signal;
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        bool may_be_ignored = i > 1; /* by nohup, or a parent that reads errors instead */
        if (sigaction(stops[i], NULL, &before) == 0 && may_be_ignored &&
            before.sa_handler == SIG_IGN)
            continue;
        sigaction(stops[i], &a, NULL);
    }
}

int tool_signal(void)
{
    return (int)signal_number;
}

int tool_fail(const tool *t, const char *what)
{
    fprintf(stderr, "axl %s: %s\n", t->verb, what);
    return EXIT_INPUT;
}

int tool_untrained(const tool *t, bool takes_adapter)
{
    fprintf(stderr, "axl %s: %s; train with this config first%s\n", t->verb, axl_last_error(),
            takes_adapter ? ", or give --adapter DIR" : "");
    return EXIT_INPUT;
}

int tool_status(const tool *t, axl_status status)
{
    if (status >= 0)
        return EXIT_DONE;
    fprintf(stderr, "axl %s: %s\n", t->verb, axl_last_error());
    switch (status) {
    case AXL_ERR_INVALID:
    case AXL_ERR_CONFIG:
    case AXL_ERR_NOT_FOUND:
    case AXL_ERR_FORMAT:
    case AXL_ERR_DATA:
    case AXL_ERR_IO: /* what a verb reads; training writes too, see verb_train */
    case AXL_ERR_UNSUPPORTED: return EXIT_INPUT;
    case AXL_ERR_CANCELLED: return tool_signal() ? 128 + tool_signal() : EXIT_OTHER;
    default: return EXIT_OTHER;
    }
}

int tool_context(tool *t, const axl_context_options *opts)
{
    axl_context_options defaults = AXL_CONTEXT_OPTIONS_INIT, o = opts ? *opts : defaults;

    tool_open_terminal(t);
    o.log_level = t->level;
    o.log = tool_on_log;
    o.log_user = t;
    if (t->live) {
        o.progress = tool_on_progress;
        o.progress_user = t;
    }
    o.allow_network = 1;
    axl_status status = axl_context_new(&t->ctx, &o);
    if (status == AXL_OK)
        status = axl_cancel_new(&t->cancel, t->ctx);
    return tool_status(t, status);
}

void tool_release(tool *t)
{
    tool_end_progress(t);
    signal_cancel = NULL;
    axl_cancel_free(t->cancel);
    axl_context_free(t->ctx);
    t->cancel = NULL;
    t->ctx = NULL;
}

void tool_close(tool *t)
{
    tool_release(t);
    for (size_t i = 0; i < t->n_overrides; i++)
        free(t->overrides[i]);
}

/* ---- the config ---- */

static void print_diagnostics(const axl_diagnostics *list)
{
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    for (size_t i = 0; axl_diagnostics_get(list, i, &d) == AXL_OK; i++)
        if (d.severity == AXL_SEVERITY_ERROR) /* warnings come through the log */
            fprintf(stderr, "%s\n", d.text);
}

/* What the config says of the context that it runs in. */
static axl_status read_context_keys(const axl_config *cfg, axl_context_options *o)
{
    int64_t threads = 0;
    int onednn = 1;
    const char *isa = NULL;

    if (axl_config_get_int(cfg, "axl.threads", &threads) == AXL_OK)
        o->threads = (uint32_t)threads;
    if (axl_config_get_bool(cfg, "axl.onednn", &onednn) == AXL_OK)
        o->no_onednn = !onednn;
    if (axl_config_get_string(cfg, "axl.isa", &isa) == AXL_OK)
        o->isa = isa;
    return AXL_OK;
}

static axl_status open_config(const tool *t, axl_context *ctx, axl_config **out,
                              axl_diagnostics **list)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;

    o.overrides = (const char *const *)t->overrides;
    o.n_overrides = t->n_overrides;
    o.diagnostics = list;
    return axl_config_open(out, ctx, t->positionals[0], &o);
}

/* Twice: the context's options are in the config, and the config wants a context. */
int tool_config(tool *t, axl_config **out)
{
    axl_context_options first = AXL_CONTEXT_OPTIONS_INIT, o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    axl_config *cfg = NULL;
    axl_diagnostics *list = NULL;
    int code;

    *out = NULL;
    if (t->n_positionals == 0)
        return tool_fail(t, "a config file is needed, or a folder that holds one");
    first.threads = 1;
    axl_status status = axl_context_new(&ctx, &first);
    if (status < 0)
        return tool_status(t, status);
    status = open_config(t, ctx, &cfg, &list);
    if (status == AXL_ERR_CONFIG) {
        print_diagnostics(list);
        code = EXIT_INPUT;
    } else if (status < 0) {
        code = tool_status(t, status);
    } else {
        read_context_keys(cfg, &o);
        code = tool_context(t, &o);
        if (code == EXIT_DONE)
            code = tool_status(t, open_config(t, t->ctx, out, NULL));
    }
    axl_diagnostics_free(list);
    axl_config_free(cfg);
    axl_context_free(ctx);
    return code;
}

/* ---- input and output ---- */

char *tool_read(const tool *t, const char *path, size_t *len)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t cap = 4096, n = 0;
    char *text = malloc(cap + 1);

    if (!f) {
        fprintf(stderr, "axl %s: cannot open %s: %s\n", t->verb, path, strerror(errno));
        free(text);
        return NULL;
    }
    while (text) {
        n += fread(text + n, 1, cap - n, f);
        if (n < cap)
            break;
        char *more = realloc(text, cap * 2 + 1);
        if (!more)
            free(text);
        text = more;
        cap *= 2;
    }
    bool bad = ferror(f) != 0;
    int error = bad ? errno : ENOMEM;
    if (f != stdin)
        fclose(f);
    if (!text || bad) {
        fprintf(stderr, "axl %s: cannot read %s: %s\n", t->verb, path, strerror(error));
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *len = n;
    return text;
}

void tool_print_json(FILE *f, const char *text, size_t len)
{
    fputc('"', f);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

/* The bytes of a code that has no picture and that a terminal or a page would obey: U+0080 to
 * U+009F, and what turns the direction of the text after it; 0: there is none at p. */
static size_t hidden_code(const char *p, size_t len, unsigned *code)
{
    const unsigned char *b = (const unsigned char *)p;

    if (len >= 2 && b[0] == 0xC2 && b[1] < 0xA0) {
        *code = b[1];
        return 2;
    }
    if (len < 3 || b[0] != 0xE2 || (b[1] & 0xFE) != 0x80)
        return 0;
    *code = 0x2000u | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
    return (*code >= 0x202A && *code <= 0x202E) || (*code >= 0x2066 && *code <= 0x2069) ? 3 : 0;
}

void tool_put_visible(FILE *f, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned code;
        size_t hidden = hidden_code(text + i, len - i, &code);
        if (hidden) {
            fprintf(f, "[U+%04X]", code);
            i += hidden - 1;
        } else if (c == 0x7F) {
            fputs("\xE2\x90\xA1", f);
        } else if (c < 0x20 && c != '\n' && c != '\t') {
            fprintf(f, "\xE2\x90%c", 0x80 + c);
        } else {
            putc_unlocked(c, f);
        }
    }
}
