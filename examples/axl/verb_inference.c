/* SPDX-License-Identifier: Apache-2.0 */
/* verb_inference.c - continue a prompt with a model, or with what a config trained. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    const char *model, *adapter, *prompt, *instruction, *input;
    const char *max_new_tokens, *temperature, *top_k, *top_p, *min_p, *penalty, *seed;
    bool greedy, chat;
    axl_model *m;
    axl_adapter *a;
    axl_tokenizer *tok;
    axl_buffer asked; /* the instruction in its form */
    bool result;      /* what was trained is being opened */
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
    axl_status status = dir ? AXL_OK : axl_config_get_string(cfg, "output_dir", &dir);

    if (status == AXL_OK)
        status = axl_tokenizer_from_config(&x->tok, cfg);
    if (status != AXL_OK)
        return status;
    if (!x->adapter && axl_config_get_string(cfg, "adapter", &adapter) != AXL_OK) {
        x->result = true;
        o.compute = AXL_COMPUTE_F32; /* as for a plain model */
        return axl_model_open(&x->m, t->ctx, dir, &o);
    }
    status = axl_model_from_config(&x->m, cfg);
    if (status == AXL_OK)
        status = axl_model_resize_embeddings(x->m, cfg, axl_tokenizer_vocab_size(x->tok));
    if (status != AXL_OK)
        return status;
    x->result = !x->adapter;
    return axl_adapter_open(&x->a, x->m, dir);
}

/* What a line break at the end may have come from: an echo, or the key that ends a line. */
static bool is_typed(const char *path)
{
    struct stat st;
    bool dash = strcmp(path, "-") == 0;

    return (dash ? fstat(STDIN_FILENO, &st) : stat(path, &st)) == 0 && !S_ISREG(st.st_mode);
}

/* NULL after a message.  Of a pipe or a terminal the one line break at the end is not the prompt's.
 */
static char *read_prompt(const tool *t, const char *path, size_t *len)
{
    if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
        fputs("The prompt is read from the terminal; Ctrl-D ends it.\n", stderr);
    char *text = tool_read(t, path, len);
    if (text && *len > 0 && text[*len - 1] == '\n' && is_typed(path))
        text[--*len] = '\0';
    return text;
}

/* ---- chat ---- */

/* What ends a turn: ids, and a text that is more than one token. */
typedef struct {
    int32_t *ids; /* (n) */
    size_t n;
    char *text; /* NULL: none */
} turn_end;

static axl_status add_end(const inference *x, turn_end *end, const char *text)
{
    axl_buffer ids = AXL_BUFFER_INIT;
    axl_status status =
        axl_tokenizer_encode(x->tok, text, strlen(text), AXL_TOKENIZE_NO_SPECIAL, &ids);

    if (status != AXL_OK)
        return status;
    if (ids.length == sizeof(int32_t)) {
        int32_t *more = realloc(end->ids, (end->n + 1) * sizeof *more);
        if (more) {
            end->ids = more;
            end->ids[end->n++] = *(const int32_t *)ids.data;
        }
    } else if (!end->text) {
        end->text = strdup(text);
    }
    axl_buffer_free(&ids);
    return AXL_OK;
}

/* What the template writes behind an assistant, and the config's eot_tokens. */
static axl_status find_ends(const inference *x, const axl_config *cfg, turn_end *end)
{
    axl_buffer text = AXL_BUFFER_INIT;
    axl_status status = axl_tokenizer_get_turn_end(x->tok, &text);
    char key[32];
    const char *token;

    if (status == AXL_OK)
        status = add_end(x, end, text.data);
    axl_buffer_free(&text);
    for (unsigned i = 0; cfg && status >= 0; i++) {
        snprintf(key, sizeof key, "eot_tokens[%u]", i);
        if (axl_config_get_string(cfg, key, &token) != AXL_OK)
            break;
        status = add_end(x, end, token);
    }
    return status < 0 ? status : AXL_OK;
}

/* The prompt as a conversation of one message, rendered and encoded. */
static axl_status encode_chat(const tool *t, const inference *x, const char *prompt, size_t len,
                              axl_buffer *ids)
{
    axl_buffer text = AXL_BUFFER_INIT;
    char *json = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&json, &n);

    if (!f) {
        fprintf(stderr, "axl %s: out of memory\n", t->verb);
        return AXL_ERR_NOMEM;
    }
    fputs("{\"add_generation_prompt\": true, \"messages\": [{\"role\": \"user\", "
          "\"content\": ",
          f);
    tool_print_json(f, prompt, len);
    fputs("}]}", f);
    fclose(f);
    axl_status status = axl_tokenizer_apply_chat_template(x->tok, json, n, NULL, &text);
    if (status == AXL_OK)
        status = axl_tokenizer_encode(x->tok, text.data, text.length, AXL_TOKENIZE_NO_SPECIAL, ids);
    axl_buffer_free(&text);
    free(json);
    return status;
}

static axl_status generate_chat(const tool *t, const inference *x, const axl_config *cfg,
                                const char *prompt, size_t len, axl_generate_options *o)
{
    axl_buffer ids = AXL_BUFFER_INIT;
    turn_end end = { 0 };
    axl_status status = encode_chat(t, x, prompt, len, &ids);

    if (status == AXL_OK)
        status = find_ends(x, cfg, &end);
    const char *const stop[] = { end.text };
    o->stop = stop;
    o->n_stop = end.text != NULL;
    o->stop_ids = end.ids;
    o->n_stop_ids = end.n;
    if (status == AXL_OK)
        status =
            axl_generate_ids(x->m, x->a, x->tok, ids.data, ids.length / sizeof(int32_t), o, NULL);
    free(end.ids);
    free(end.text);
    axl_buffer_free(&ids);
    return status;
}

static int run(const tool *t, inference *x, const axl_config *cfg, axl_generate_options *o,
               const char *path)
{
    const char *prompt = x->instruction ? x->asked.data : x->prompt;
    size_t len = x->instruction ? x->asked.length : prompt ? strlen(prompt) : 0;
    char *text = prompt ? NULL : read_prompt(t, path ? path : "-", &len);
    bool written = false;

    if (!prompt && !text)
        return EXIT_INPUT;
    o->text = on_text;
    o->text_user = &written;
    const char *given = prompt ? prompt : text;
    axl_status status = x->chat ? generate_chat(t, x, cfg, given, len, o)
                                : axl_generate(x->m, x->a, x->tok, given, len, o, NULL);
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
    if (x->prompt && x->instruction)
        return tool_fail(t, "--prompt and --instruction are two prompts; give one");
    if (x->chat && x->instruction)
        return tool_fail(t, "--chat and --instruction are two forms of a prompt; give one");
    if (x->input && !x->instruction)
        return tool_fail(t, "--input needs an --instruction");
    return tool_at_most(t, (x->model ? 0 : 1) + (x->prompt || x->instruction ? 0 : 1));
}

static axl_status open_all(const tool *t, inference *x, const axl_config *cfg)
{
    axl_status status = AXL_OK;

    if (x->instruction)
        status = axl_dataset_prompt(t->ctx, cfg, x->instruction, x->input, &x->asked);
    if (status == AXL_OK)
        status = x->model ? open_plain(t, x) : open_trained(t, x, cfg);
    return status;
}

static int parse_inference(tool *t, inference *x, int argc, char **argv)
{
    const tool_option options[] = {
        { "model", OPTION_VALUE, NULL, &x->model, "DIR",
          "a model's folder, where there is no CONFIG" },
        { "adapter", OPTION_VALUE, NULL, &x->adapter, "DIR",
          "a LoRA adapter's folder; with a CONFIG the one in its output_dir" },
        { "prompt", OPTION_VALUE, NULL, &x->prompt, "TEXT",
          "the text that is continued, as it is; else FILE's or standard input's, of "
          "which a pipe's or terminal's last line break is dropped" },
        { "instruction", OPTION_VALUE, NULL, &x->instruction, "TEXT",
          "what to do, in the prompt form of the config's first data set, or alpaca's" },
        { "input", OPTION_VALUE, NULL, &x->input, "TEXT", "what the instruction is about" },
        { "chat", OPTION_FLAG, &x->chat, NULL, NULL,
          "the prompt is a user's message, in the chat template of the config or the model" },
        { "greedy", OPTION_FLAG, &x->greedy, NULL, NULL,
          "always the likeliest token; no repetition penalty unless it is given" },
        { "max-new-tokens", OPTION_VALUE, NULL, &x->max_new_tokens, "N",
          "1024; never past the model's max_position_embeddings" },
        { "temperature", OPTION_VALUE, NULL, &x->temperature, "T",
          "0.9; lower is nearer to greedy" },
        { "top-k", OPTION_VALUE, NULL, &x->top_k, "K", "40: of the K likeliest tokens; 0: of all" },
        { "top-p", OPTION_VALUE, NULL, &x->top_p, "P",
          "0.95: of the likeliest tokens that have this share together" },
        { "min-p", OPTION_VALUE, NULL, &x->min_p, "P",
          "0: of tokens at least this share as likely as the likeliest" },
        { "repetition-penalty", OPTION_VALUE, NULL, &x->penalty, "R",
          "1.1: tokens that were there are less likely; 1: no penalty" },
        { "seed", OPTION_VALUE, NULL, &x->seed, "S",
          "of the choice: the same seed, the same text" },
        OPTIONS_END,
    };
    return tool_parse(t, argc, argv, 2, options, true);
}

int verb_inference(tool *t, int argc, char **argv)
{
    inference x = { .asked = AXL_BUFFER_INIT };
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_config *cfg = NULL;
    int code = parse_inference(t, &x, argc, argv);

    if (code != EXIT_DONE || t->help)
        return code;
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
    axl_status status = open_all(t, &x, cfg);
    tool_end_progress(t);
    code = status < 0 ? open_failed(t, &x, status) : run(t, &x, cfg, &o, t->positionals[!x.model]);
    axl_buffer_free(&x.asked);
    axl_adapter_free(x.a);
    axl_model_free(x.m);
    axl_tokenizer_free(x.tok);
    axl_config_free(cfg);
    return code;
}
