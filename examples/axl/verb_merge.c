/* SPDX-License-Identifier: Apache-2.0 */
/* verb_merge.c - an adapter into its base: a model that needs no adapter. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *model, *adapter, *out, *base;
    axl_config *cfg;
    axl_tokenizer *tok;
    axl_model *m;
    axl_adapter *a;
    bool adapter_missing;
} merging;

/* In the type of the base's file; it may have been trained on as NF4. */
static axl_status open_plain(const tool *t, merging *x)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    o.compute = AXL_COMPUTE_STORED;
    o.weights = x->base && strcmp(x->base, "4bit") == 0 ? AXL_WEIGHTS_NF4 : AXL_WEIGHTS_STORED;
    axl_status status = axl_tokenizer_open(&x->tok, t->ctx, x->model, NULL);
    return status == AXL_OK ? axl_model_open(&x->m, t->ctx, x->model, &o) : status;
}

/* In the type that training computed with. */
static axl_status open_config(merging *x)
{
    axl_status status = axl_tokenizer_from_config(&x->tok, x->cfg);

    if (status == AXL_OK && !x->adapter)
        status = axl_config_get_string(x->cfg, "output_dir", &x->adapter);
    if (status == AXL_OK)
        status = axl_model_from_config(&x->m, x->cfg);
    return status == AXL_OK
               ? axl_model_resize_embeddings(x->m, x->cfg, axl_tokenizer_vocab_size(x->tok))
               : status;
}

static axl_status merge(const tool *t, merging *x)
{
    axl_status status = x->model ? open_plain(t, x) : open_config(x);

    if (status != AXL_OK)
        return status;
    status = axl_adapter_open(&x->a, x->m, x->adapter);
    x->adapter_missing = status == AXL_ERR_NOT_FOUND && !x->model;
    if (status == AXL_OK)
        status = axl_adapter_save_merged(x->a, x->out);
    return status == AXL_OK ? axl_tokenizer_save(x->tok, x->out) : status;
}

/* OUTPUT_DIR/merged, for free(). */
static char *default_out(const axl_config *cfg)
{
    static const char name[] = "/merged";
    const char *dir = NULL;

    if (axl_config_get_string(cfg, "output_dir", &dir) != AXL_OK)
        return NULL;
    char *out = malloc(strlen(dir) + sizeof name);
    if (out)
        strcat(strcpy(out, dir), name);
    return out;
}

static int finish(tool *t, const merging *x, axl_status status)
{
    tool_end_progress(t);
    if (status == AXL_OK) {
        puts(x->out);
        return EXIT_DONE;
    }
    return x->adapter_missing ? tool_untrained(t, true) : tool_status(t, status);
}

static int check_arguments(const tool *t, const merging *x)
{
    if (x->base && strcmp(x->base, "16bit") != 0 && strcmp(x->base, "4bit") != 0)
        return tool_fail(t, "--base takes 4bit or 16bit");
    if (x->model && (!x->adapter || !x->out))
        return tool_fail(t, "with --model, --adapter DIR and --out DIR are needed");
    if (!x->model && t->n_positionals == 0)
        return tool_fail(t, "a config file or --model DIR is needed");
    return tool_at_most(t, x->model ? 0 : 1);
}

/* The config again, without what quantises its base. */
static int reopen_plain(tool *t, merging *x)
{
    static const char *const plain[] = { "adapter=lora", "load_in_4bit=false",
                                         "load_in_8bit=false" };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        char *text = malloc(strlen(plain[i]) + 1);
        if (!text || t->n_overrides == OVERRIDES_MAX) {
            free(text);
            return tool_fail(t, "out of memory");
        }
        t->overrides[t->n_overrides++] = strcpy(text, plain[i]);
    }
    axl_config_free(x->cfg);
    tool_release(t);
    return tool_config(t, &x->cfg);
}

static int run(tool *t, merging *x)
{
    const char *adapter;
    char *made = NULL;
    int code = x->model ? tool_context(t, NULL) : tool_config(t, &x->cfg);

    if (code != EXIT_DONE)
        return code;
    if (x->cfg && !x->adapter && axl_config_get_string(x->cfg, "adapter", &adapter) != AXL_OK)
        return tool_fail(t, "the config has no adapter: what it trains is a whole model");
    if (x->cfg && x->base && strcmp(x->base, "16bit") == 0) {
        code = reopen_plain(t, x);
        if (code != EXIT_DONE)
            return code;
    }
    if (!x->out)
        x->out = made = default_out(x->cfg);
    tool_catch_signals(t);
    code = x->out ? finish(t, x, merge(t, x)) : tool_fail(t, "out of memory");
    free(made);
    return code;
}

int verb_merge(tool *t, int argc, char **argv)
{
    merging x = { 0 };
    const tool_option options[] = {
        { "model", OPTION_VALUE, NULL, &x.model, "DIR",
          "the base model's folder, where there is no CONFIG" },
        { "adapter", OPTION_VALUE, NULL, &x.adapter, "DIR",
          "the adapter's folder; with a CONFIG the one in its output_dir" },
        { "out", OPTION_VALUE, NULL, &x.out, "DIR",
          "where the whole model goes; OUTPUT_DIR/merged with a CONFIG" },
        { "base", OPTION_VALUE, NULL, &x.base, "4bit|16bit",
          "16bit: the base as its files have it, although it was trained on in 4 or 8 bits; 4bit: "
          "with --model, the base as QLoRA sees it" },
        OPTIONS_END,
    };
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    code = check_arguments(t, &x);
    if (code == EXIT_DONE)
        code = run(t, &x);
    axl_adapter_free(x.a);
    axl_model_free(x.m);
    axl_tokenizer_free(x.tok);
    axl_config_free(x.cfg);
    return code;
}
