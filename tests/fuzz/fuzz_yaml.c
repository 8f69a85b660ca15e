/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_yaml.c - a config: reading it, and reading what a good one is dumped as. */
#include "fuzz.h"

#include <string.h>

static axl_config *parse(const void *text, size_t size)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_diagnostics *list = NULL;
    axl_config *cfg;

    o.base_dir = "/";
    o.diagnostics = &list;
    axl_status status = axl_config_parse(&cfg, fuzz_context(), text, size, "fuzz.yml", &o);
    fuzz_must((status == AXL_OK) == (cfg != NULL), "a config or a failure");
    for (size_t i = 0; i < axl_diagnostics_count(list); i++) {
        axl_diagnostic d = AXL_DIAGNOSTIC_INIT;
        fuzz_must(axl_diagnostics_get(list, i, &d) == AXL_OK && d.text && d.message, "a message");
        fuzz_read_all(d.text, strlen(d.text));
    }
    axl_diagnostics_free(list);
    return cfg;
}

static axl_buffer dump(const axl_config *cfg, uint32_t form)
{
    axl_buffer text = AXL_BUFFER_INIT;

    fuzz_must(axl_config_dump(cfg, form, &text) == AXL_OK, "a dump");
    fuzz_read_all(text.data, text.length);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    axl_config *cfg = parse(data, size);

    if (!cfg)
        return 0;
    axl_buffer text = dump(cfg, AXL_CONFIG_YAML), json = dump(cfg, AXL_CONFIG_JSON);
    axl_config *again = parse(text.data, text.length);
    fuzz_must(again != NULL, "a dump can be read");
    axl_buffer second = dump(again, AXL_CONFIG_YAML);
    fuzz_must(text.length == second.length && memcmp(text.data, second.data, text.length) == 0,
              "a dump means the same");
    axl_buffer_free(&second);
    axl_buffer_free(&json);
    axl_buffer_free(&text);
    axl_config_free(again);
    axl_config_free(cfg);
    return 0;
}
