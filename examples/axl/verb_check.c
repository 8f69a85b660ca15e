/* SPDX-License-Identifier: Apache-2.0 */
/* verb_check.c - parse and validate a config, and look whether what it names is there; no model or
 * data is opened. */
#include "tool.h"

#include <string.h>

static void print_text(const axl_diagnostics *list)
{
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    for (size_t i = 0; axl_diagnostics_get(list, i, &d) == AXL_OK; i++)
        printf("%s\n", d.text);
}

static void print_place(const char *name, uint32_t value)
{
    if (value)
        printf(", \"%s\": %u", name, value);
    else
        printf(", \"%s\": null", name);
}

static void print_string(const char *name, const char *value)
{
    printf(", \"%s\": ", name);
    if (value)
        tool_print_json(stdout, value, strlen(value));
    else
        fputs("null", stdout);
}

static void print_json(const axl_diagnostics *list, const axl_buffer *effective)
{
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    printf("{\"ok\": %s, \"diagnostics\": [", axl_diagnostics_error_count(list) ? "false" : "true");
    for (size_t i = 0; axl_diagnostics_get(list, i, &d) == AXL_OK; i++) {
        printf("%s{\"id\": \"%s\", \"severity\": \"%s\"", i ? ", " : "", d.id,
               d.severity == AXL_SEVERITY_ERROR ? "error" : "warning");
        print_string("file", d.file);
        print_place("line", d.line);
        print_place("column", d.column);
        print_string("key", d.key);
        print_string("message", d.message);
        putchar('}');
    }
    putchar(']');
    if (effective->data)
        printf(", \"effective\": %s", (const char *)effective->data);
    puts("}");
}

/* What is wrong with the config and then, where it is good, with what it names. */
static axl_status check_config(tool *t, axl_config **cfg, axl_diagnostics **list)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_context_options c = AXL_CONTEXT_OPTIONS_INIT;

    c.threads = 1;
    o.overrides = (const char *const *)t->overrides;
    o.n_overrides = t->n_overrides;
    o.diagnostics = list;
    axl_status status = axl_context_new(&t->ctx, &c);
    if (status == AXL_OK)
        status = axl_config_open(cfg, t->ctx, t->positionals[0], &o);
    return status == AXL_OK ? axl_run_check(*cfg, list) : status;
}

static int print_checked(const tool *t, const axl_config *cfg, const axl_diagnostics *list,
                         bool effective, bool json)
{
    axl_buffer dump = AXL_BUFFER_INIT;
    int code = axl_diagnostics_error_count(list) ? EXIT_INPUT : EXIT_DONE;

    if (cfg && effective &&
        axl_config_dump(cfg, json ? AXL_CONFIG_JSON : AXL_CONFIG_YAML, &dump) < 0)
        code = tool_status(t, AXL_ERR_NOMEM);
    if (json)
        print_json(list, &dump);
    else
        print_text(list);
    if (!json && dump.data)
        fputs(dump.data, stdout);
    axl_buffer_free(&dump);
    return code;
}

int verb_check(tool *t, int argc, char **argv)
{
    bool effective = false, json = false;
    const tool_option options[] = {
        { "effective", OPTION_FLAG, &effective, NULL, NULL,
          "also print the config with every default and derived value filled in" },
        { "json", OPTION_FLAG, &json, NULL, NULL, "one JSON object instead of lines" },
        OPTIONS_END,
    };
    axl_diagnostics *list = NULL;
    axl_config *cfg = NULL;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (t->n_positionals == 0)
        return tool_fail(t, "a config file is needed, or a folder that holds one");
    code = tool_at_most(t, 1);
    if (code != EXIT_DONE)
        return code;
    axl_status status = check_config(t, &cfg, &list);
    code = status < 0 && (!list || status == AXL_ERR_NOMEM)
               ? tool_status(t, status)
               : print_checked(t, cfg, list, effective, json);
    axl_diagnostics_free(list);
    axl_config_free(cfg);
    return code;
}
