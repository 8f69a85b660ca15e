/* SPDX-License-Identifier: Apache-2.0 */
/* verb_inference.c - continue a prompt with a model, or with what a config trained. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *model, *adapter, *prompt;
    const char *max_new_tokens, *temperature, *top_k, *top_p, *min_p, *penalty, *seed;
    bool greedy, chat;
    axl_model *m;
    axl_adapter *a;
    axl_tokenizer *tok;
    bool result; /* what was trained is being opened */
} inference;

static int on_text(void *user, const char *text, size_t len)
{
    *(bool *)user = true;
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

static int no_number(const tool *t, const char *option, const char *text)
{
    fprintf(stderr, "axl %s: %s: \"%s\" is no number that fits\n", t->verb, option, text);
    return EXIT_INPUT;
}

static int read_options(const tool *t, const inference *x, axl_generate_options *o)
{
    unsigned long long seed = o->seed;

    if (!set_double(x->temperature, &o->temperature))
        return no_number(t, "--temperature", x->temperature);
    if (!set_double(x->top_p, &o->top_p))
        return no_number(t, "--top-p", x->top_p);
    if (!set_double(x->min_p, &o->min_p))
        return no_number(t, "--min-p", x->min_p);
    if (!set_double(x->penalty, &o->repetition_penalty))
        return no_number(t, "--repetition-penalty", x->penalty);
    if (!set_u32(x->top_k, &o->top_k))
        return no_number(t, "--top-k", x->top_k);
    if (!set_u32(x->max_new_tokens, &o->max_new_tokens))
        return no_number(t, "--max-new-tokens", x->max_new_tokens);
    if (x->seed && !tool_count(x->seed, &seed))
        return no_number(t, "--seed", x->seed);
    o->seed = seed;
    o->greedy = x->greedy;
    if (x->greedy && !x->penalty)
        o->repetition_penalty = 1.0; /* greedy means the likeliest token */
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

static axl_status open_trained(const tool *t, inference *x, const axl_config *cfg)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    const char *dir = x->adapter, *adapter;
    axl_status status = dir ? AXL_OK : axl_config_string(cfg, "output_dir", &dir);

    if (status == AXL_OK)
        status = axl_tokenizer_from_config(&x->tok, cfg);
    if (status != AXL_OK)
        return status;
    if (!x->adapter && axl_config_string(cfg, "adapter", &adapter) != AXL_OK) {
        x->result = true;
        o.compute = AXL_COMPUTE_F32; /* as for a plain model */
        return axl_model_open(&x->m, t->ctx, dir, &o);
    }
    status = axl_model_from_config(&x->m, cfg);
    if (status != AXL_OK)
        return status;
    x->result = !x->adapter;
    return axl_adapter_open(&x->a, x->m, dir);
}

/* NULL after a message. */
static char *read_prompt(const tool *t, const char *input, size_t *len)
{
    if (!input && isatty(STDIN_FILENO))
        fputs("The prompt is read from the terminal; Ctrl-D ends it.\n", stderr);
    return tool_read(t, input ? input : "-", len);
}

static int run(const tool *t, inference *x, axl_generate_options *o, const char *input)
{
    size_t len = x->prompt ? strlen(x->prompt) : 0;
    char *text = x->prompt ? NULL : read_prompt(t, input, &len);
    bool written = false;

    if (!x->prompt && !text)
        return EXIT_INPUT;
    o->text = on_text;
    o->text_user = &written;
    axl_status status =
        axl_generate(x->m, x->a, x->tok, x->prompt ? x->prompt : text, len, o, NULL);
    free(text);
    if (status == AXL_OK || written)
        putchar('\n');
    return tool_status(t, status);
}

static int open_failed(const tool *t, const inference *x, axl_status status)
{
    if (x->result && status == AXL_ERR_NOT_FOUND)
        return tool_untrained(t, x->m != NULL);
    return tool_status(t, status);
}

/* With --model there is no config: what would be keys of one are options that do not exist. */
static int check_arguments(const tool *t, const inference *x)
{
    if (x->model && t->n_overrides > 0) {
        fprintf(stderr, "axl %s: --%.*s: no such option, and with --model no config to change\n",
                t->verb, (int)strcspn(t->overrides[0], "="), t->overrides[0]);
        return EXIT_INPUT;
    }
    if (!x->model && t->n_positionals == 0)
        return tool_fail(t, "a config file or --model DIR is needed");
    return tool_at_most(t, (x->model ? 0 : 1) + (x->prompt ? 0 : 1));
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
    code = check_arguments(t, &x);
    if (code != EXIT_DONE)
        return code;
    code = x.model ? tool_context(t, NULL) : tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    axl_status status = x.model ? open_plain(t, &x) : open_trained(t, &x, cfg);
    tool_end_progress(t);
    code = status < 0 ? open_failed(t, &x, status) : run(t, &x, &o, t->positionals[!x.model]);
    axl_adapter_free(x.a);
    axl_model_free(x.m);
    axl_tokenizer_free(x.tok);
    axl_config_free(cfg);
    return code;
}
