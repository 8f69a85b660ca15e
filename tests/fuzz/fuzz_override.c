/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_override.c - "key=value" texts, one a line, over a small config. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 16 };

static const char base[] = "base_model: m\ndatasets:\n  - path: d.jsonl\n    type: alpaca\n"
                           "adapter: lora\nlora_r: 4\nlora_alpha: 8\nlora_target_linear: true\n"
                           "learning_rate: 1e-3\noutput_dir: out\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    const char *lines[LINES_MAX];
    char *text = malloc(size + 1), *save = NULL;
    axl_diagnostics *list = NULL;
    axl_config *cfg;

    fuzz_must(text != NULL, "memory");
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *line = strtok_r(text, "\n", &save); line && o.n_overrides < LINES_MAX;
         line = strtok_r(NULL, "\n", &save))
        lines[o.n_overrides++] = line;
    o.base_dir = "/";
    o.overrides = lines;
    o.diagnostics = &list;
    axl_status status =
        axl_config_parse(&cfg, fuzz_context(), base, sizeof base - 1, "fuzz.yml", &o);
    fuzz_must((status == AXL_OK) == (cfg != NULL), "a config or a failure");
    axl_diagnostics_free(list);
    axl_config_free(cfg);
    free(text);
    return 0;
}
