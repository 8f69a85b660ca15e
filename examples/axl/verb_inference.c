/* SPDX-License-Identifier: Apache-2.0 */
/* verb_inference.c - continue a prompt with a model, or with what a config trained. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *model, *adapter, *prompt;
    const char *max_new_tokens, *temperature, *top_k, *top_p, *min_p, *penalty, *seed;
    bool greedy, chat;
    axl_model *m;
    axl_adapter *a;
    axl_tokenizer *tok;
} inference;

static int on_text(void *user, const char *text, size_t len)
{
    (void)user;
    fwrite(text, 1, len, stdout);
    fflush(stdout);
    return 0;
}

static bool set_double(const char *text, double *out)
{
    return !text || tool_number(text, out);
}

static bool set_u32(const char *text, uint32_t *out)
{
    unsigned long long v = *out;

    if (text && (!tool_count(text, &v) || v > UINT32_MAX))
        return false;
    *out = (uint32_t)v;
    return true;
}

static int read_options(const tool *t, const inference *x, axl_generate_options *o)
{
    unsigned long long seed = o->seed;

    if (!set_double(x->temperature, &o->temperature) || !set_double(x->top_p, &o->top_p) ||
        !set_double(x->min_p, &o->min_p) || !set_double(x->penalty, &o->repetition_penalty) ||
        !set_u32(x->top_k, &o->top_k) || !set_u32(x->max_new_tokens, &o->max_new_tokens) ||
        (x->seed && !tool_count(x->seed, &seed)))
        return tool_fail(t, "an option needs a number");
    o->seed = seed;
    o->greedy = x->greedy;
    if (x->greedy && !x->penalty)
        o->repetition_penalty = 1.0; /* greedy means the likeliest token */
    o->text = on_text;
    return EXIT_DONE;
}

static axl_status open_plain(const tool *t, inference *x)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_status status;

    o.compute = AXL_COMPUTE_F32; /* reading weights is the cost; f32 sums cost nothing more */
    status = axl_tokenizer_open(&x->tok, t->ctx, x->model, NULL);
    if (status == AXL_OK)
        status = axl_model_open(&x->m, t->ctx, x->model, &o);
    if (status == AXL_OK && x->adapter)
        status = axl_adapter_open(&x->a, x->m, x->adapter);
    return status;
}

static axl_status open_trained(inference *x, const axl_config *cfg)
{
    const char *dir = x->adapter;
    axl_status status = dir ? AXL_OK : axl_config_string(cfg, "output_dir", &dir);

    if (status == AXL_OK)
        status = axl_tokenizer_from_config(&x->tok, cfg);
    if (status == AXL_OK)
        status = axl_model_from_config(&x->m, cfg);
    if (status == AXL_OK)
        status = axl_adapter_open(&x->a, x->m, dir);
    return status;
}

static int run(tool *t, inference *x, const axl_generate_options *o, const char *input)
{
    size_t len = 0;
    char *text = NULL;

    if (!x->prompt) {
        text = tool_read(t, input ? input : "-", &len);
        if (!text)
            return EXIT_INPUT;
    }
    const char *prompt = x->prompt ? x->prompt : text;
    if (x->prompt)
        len = strlen(prompt);
    axl_status status = axl_generate(x->m, x->a, x->tok, prompt, len, o, NULL);
    putchar('\n');
    free(text);
    return tool_status(t, status);
}

int verb_inference(tool *t, int argc, char **argv)
{
    inference x = { 0 };
    const tool_option options[] = {
        { "model", OPTION_VALUE, NULL, &x.model },
        { "adapter", OPTION_VALUE, NULL, &x.adapter },
        { "prompt", OPTION_VALUE, NULL, &x.prompt },
        { "chat", OPTION_FLAG, &x.chat, NULL },
        { "greedy", OPTION_FLAG, &x.greedy, NULL },
        { "max-new-tokens", OPTION_VALUE, NULL, &x.max_new_tokens },
        { "temperature", OPTION_VALUE, NULL, &x.temperature },
        { "top-k", OPTION_VALUE, NULL, &x.top_k },
        { "top-p", OPTION_VALUE, NULL, &x.top_p },
        { "min-p", OPTION_VALUE, NULL, &x.min_p },
        { "repetition-penalty", OPTION_VALUE, NULL, &x.penalty },
        { "seed", OPTION_VALUE, NULL, &x.seed },
        { NULL, OPTION_FLAG, NULL, NULL },
    };
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_config *cfg = NULL;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (x.chat)
        return tool_fail(t, "--chat is not supported yet: chat templates are still to come");
    code = read_options(t, &x, &o);
    if (code != EXIT_DONE)
        return code;
    size_t input_at = x.model ? 0 : 1;
    if (t->n_positionals > input_at + 1 || (x.model && t->n_overrides > 0))
        return tool_fail(t, x.model ? "with --model there is no config to override, and at most "
                                      "one input"
                                    : "one config and at most one input are needed");
    code = x.model ? tool_context(t, NULL) : tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    axl_status status = x.model ? open_plain(t, &x) : open_trained(&x, cfg);
    tool_end_progress(t);
    code = status < 0 ? tool_status(t, status) : run(t, &x, &o, t->positionals[input_at]);
    axl_adapter_free(x.a);
    axl_model_free(x.m);
    axl_tokenizer_free(x.tok);
    axl_config_free(cfg);
    return code;
}
