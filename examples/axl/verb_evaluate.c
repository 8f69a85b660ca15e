/* SPDX-License-Identifier: Apache-2.0 */
/* verb_evaluate.c - the validation split's loss with what a config trained. */
#include "tool.h"

#include <inttypes.h>
#include <math.h>

static void print_json(const axl_evaluation *e)
{
    printf("{\"rows\": %" PRIu64 ", \"tokens\": %" PRIu64 ", \"loss\": %.17g, \"perplexity\": ",
           e->rows, e->tokens, e->loss);
    if (isfinite(e->perplexity))
        printf("%.17g}\n", e->perplexity);
    else
        puts("null}");
}

int verb_evaluate(tool *t, int argc, char **argv)
{
    bool json = false;
    const tool_option options[] = {
        { "json", OPTION_FLAG, &json, NULL, NULL,
          "rows, tokens, loss and perplexity as one JSON object" },
        OPTIONS_END,
    };
    axl_evaluation e = AXL_EVALUATION_INIT;
    axl_config *cfg;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (t->n_positionals > 1)
        return tool_fail(t, "one config file is needed");
    code = tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    axl_status status = axl_evaluate(cfg, &e);
    tool_end_progress(t);
    axl_config_free(cfg);
    if (status == AXL_END)
        return tool_fail(t, "the config has no validation data; set val_set_size or test_datasets");
    if (status < 0)
        return tool_status(t, status);
    if (json)
        print_json(&e);
    else
        printf("loss %.4f  perplexity %.3f  over %" PRIu64 " tokens of %" PRIu64 " rows\n", e.loss,
               e.perplexity, e.tokens, e.rows);
    return EXIT_DONE;
}
