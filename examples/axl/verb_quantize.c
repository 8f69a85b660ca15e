/* SPDX-License-Identifier: Apache-2.0 */
/* verb_quantize.c - a model with its linear layers in 4 or 8 bits, as transformers and bitsandbytes
 * write and read it. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *model, *bits, *out;
    axl_config *cfg;
    axl_tokenizer *tok;
    axl_model *m;
} quantizing;

static axl_status quantize(const tool *t, quantizing *x)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    o.compute = AXL_COMPUTE_STORED;
    o.weights = strcmp(x->bits, "4") == 0 ? AXL_WEIGHTS_NF4 : AXL_WEIGHTS_INT8;
    axl_status status = axl_tokenizer_open(&x->tok, t->ctx, x->model, NULL);
    if (status == AXL_OK)
        status = axl_model_open(&x->m, t->ctx, x->model, &o);
    if (status == AXL_OK)
        status = axl_model_save(x->m, x->out);
    return status == AXL_OK ? axl_tokenizer_save(x->tok, x->out) : status;
}

/* What a config trained: the whole model in its output_dir, or what merge-lora made there of an
 * adapter.  For free(). */
static char *trained_model(const axl_config *cfg)
{
    static const char merged[] = "/merged";
    const char *dir = NULL, *adapter = NULL;

    if (axl_config_get_string(cfg, "output_dir", &dir) != AXL_OK)
        return NULL;
    char *path = malloc(strlen(dir) + sizeof merged);
    if (!path)
        return NULL;
    strcpy(path, dir);
    return axl_config_get_string(cfg, "adapter", &adapter) == AXL_OK ? strcat(path, merged) : path;
}

static int finish(tool *t, const quantizing *x, axl_status status)
{
    tool_end_progress(t);
    if (status != AXL_OK)
        return tool_status(t, status);
    puts(x->out);
    return EXIT_DONE;
}

static int check_arguments(const tool *t, const quantizing *x)
{
    if (!x->bits || (strcmp(x->bits, "4") != 0 && strcmp(x->bits, "8") != 0))
        return tool_fail(t, "--bits 4 or --bits 8 is needed");
    if (!x->out)
        return tool_fail(t, "--out DIR is needed: where the quantised model goes");
    if (!x->model && t->n_positionals == 0)
        return tool_fail(t, "a config file or --model DIR is needed");
    return tool_at_most(t, x->model ? 0 : 1);
}

static int run(tool *t, quantizing *x)
{
    char *made = NULL;
    int code = x->model ? tool_context(t, NULL) : tool_config(t, &x->cfg);

    if (code != EXIT_DONE)
        return code;
    if (!x->model)
        x->model = made = trained_model(x->cfg);
    tool_catch_signals(t);
    code = x->model ? finish(t, x, quantize(t, x)) : tool_fail(t, "out of memory");
    free(made);
    return code;
}

int verb_quantize(tool *t, int argc, char **argv)
{
    quantizing x = { 0 };
    const tool_option options[] = {
        { "model", OPTION_VALUE, NULL, &x.model, "DIR",
          "the model's folder; with a CONFIG the whole model in its output_dir, or for an adapter "
          "what merge-lora made there" },
        { "bits", OPTION_VALUE, NULL, &x.bits, "4|8",
          "4: NF4 with scales that are quantised themselves; 8: int8 with a scale a row" },
        { "out", OPTION_VALUE, NULL, &x.out, "DIR", "where the quantised model goes" },
        OPTIONS_END,
    };
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    code = check_arguments(t, &x);
    if (code == EXIT_DONE)
        code = run(t, &x);
    axl_model_free(x.m);
    axl_tokenizer_free(x.tok);
    axl_config_free(x.cfg);
    return code;
}
