/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_config.c - a config's diagnostics and effective values, as an editor or a service that
 * takes configs would want them; nothing is loaded or opened.
 *
 *   check_config CONFIG.yml [KEY…]
 *
 * Prints what is wrong or noteworthy, one line each, then the KEYs with the line of the file that
 * set each.  The exit status is 1 when the config has errors.
 */
#include <axl/axl.h>

#include <stdio.h>

static void print_diagnostics(const axl_diagnostics *list)
{
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    for (size_t i = 0; axl_diagnostics_get(list, i, &d) == AXL_OK; i++)
        printf("%s\n", d.text); /* the parts of it are members, too */
    printf("%zu errors, %zu warnings\n", axl_diagnostics_error_count(list),
           axl_diagnostics_count(list) - axl_diagnostics_error_count(list));
}

static void print_value(const axl_config *cfg, const char *key)
{
    const char *value;
    uint32_t line, column;

    switch (axl_config_get_string(cfg, key, &value)) {
    case AXL_OK: break;
    case AXL_END: printf("%s has no value\n", key); return;
    default: printf("%s\n", axl_last_error()); return;
    }
    if (axl_config_get_source(cfg, key, &line, &column) == AXL_OK && line > 0)
        printf("%s = %s, line %u\n", key, value, (unsigned)line);
    else
        printf("%s = %s, by default\n", key, value);
}

int main(int argc, char **argv)
{
    axl_context_options quiet = AXL_CONTEXT_OPTIONS_INIT; /* no log: the list has it all */
    axl_config_options options = AXL_CONFIG_OPTIONS_INIT;
    axl_context *ctx = NULL;
    axl_config *cfg = NULL;
    axl_diagnostics *list = NULL;
    axl_status status;

    if (argc < 2) {
        fprintf(stderr, "usage: check_config CONFIG.yml [KEY…]\n");
        return 2;
    }
    options.diagnostics = &list;
    if ((status = axl_context_new(&ctx, &quiet)) == AXL_OK)
        status = axl_config_open(&cfg, ctx, argv[1], &options);
    if (status == AXL_OK)
        status = axl_run_check(cfg, &list); /* adds what the config names and is not there */
    if (status < 0 && status != AXL_ERR_CONFIG)
        fprintf(stderr, "check_config: %s\n", axl_last_error());
    if (list)
        print_diagnostics(list);
    for (int i = 2; cfg && i < argc; i++)
        print_value(cfg, argv[i]);
    axl_diagnostics_free(list);
    axl_config_free(cfg);
    axl_context_free(ctx);
    return status < 0;
}
