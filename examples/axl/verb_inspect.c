/* SPDX-License-Identifier: Apache-2.0 */
/* verb_inspect.c - rows as they will be trained: what is trained is green, or between « and ». */
#include "tool.h"

#include <inttypes.h>
#include <string.h>

typedef struct {
    tool *t;
    axl_tokenizer *tok;
    axl_dataset *data;
    bool json;
} inspector;

static void print_ids(const char *name, const int32_t *ids, uint32_t n)
{
    printf(", \"%s\": [", name);
    for (uint32_t i = 0; i < n; i++)
        printf("%s%" PRId32, i ? ", " : "", ids[i]);
    putchar(']');
}

static void print_json_row(const axl_sample *s)
{
    fputs("{\"source\": ", stdout);
    tool_print_json(stdout, s->source ? s->source : "", s->source ? strlen(s->source) : 0);
    printf(", \"row\": %" PRIu64, s->row);
    if (s->part)
        printf(", \"part\": %" PRIu32, s->part);
    print_ids("input_ids", s->input_ids, s->length);
    print_ids("labels", s->labels, s->length);
    puts("}");
}

/* One run of tokens that are all trained or all not: decode(0..end) without decode(0..begin). */
static axl_status print_span(const inspector *x, const axl_sample *s, uint32_t begin, uint32_t end)
{
    axl_buffer before = AXL_BUFFER_INIT, all = AXL_BUFFER_INIT;
    bool trained = s->labels[begin] != AXL_LABEL_IGNORE;
    axl_status status = axl_tokenizer_decode(x->tok, s->input_ids, begin, 0, &before);

    if (status == AXL_OK)
        status = axl_tokenizer_decode(x->tok, s->input_ids, end, 0, &all);
    if (status == AXL_OK) {
        size_t from = before.length < all.length ? before.length : all.length;
        fputs(!trained ? "" : x->t->color_out ? "\033[32m" : "«", stdout);
        fwrite((const char *)all.data + from, 1, all.length - from, stdout);
        fputs(!trained ? "" : x->t->color_out ? "\033[0m" : "»", stdout);
    }
    axl_buffer_free(&before);
    axl_buffer_free(&all);
    return status;
}

static axl_status print_text_row(const inspector *x, const axl_sample *s)
{
    uint32_t begin = 0;

    printf("--- %s row %" PRIu64 ": %" PRIu32 " tokens, %" PRIu32 " trained\n",
           s->source ? s->source : "", s->row, s->length, s->n_trained);
    for (uint32_t i = 1; i <= s->length; i++) {
        bool same = i < s->length &&
                    (s->labels[i] == AXL_LABEL_IGNORE) == (s->labels[begin] == AXL_LABEL_IGNORE);
        if (same)
            continue;
        axl_status status = print_span(x, s, begin, i);
        if (status < 0)
            return status;
        begin = i;
    }
    putchar('\n');
    return AXL_OK;
}

static axl_status print_rows(const inspector *x, uint64_t n)
{
    uint64_t count = axl_dataset_count(x->data);
    axl_status status = AXL_OK;

    for (uint64_t i = 0; i < count && (n == 0 || i < n) && status == AXL_OK; i++) {
        axl_sample s = AXL_SAMPLE_INIT;
        status = axl_dataset_get_sample(x->data, i, &s);
        if (status == AXL_OK && x->json)
            print_json_row(&s);
        else if (status == AXL_OK)
            status = print_text_row(x, &s);
    }
    return status;
}

axl_status inspect_rows(tool *t, axl_tokenizer *tok, axl_dataset *data, uint64_t n, bool json)
{
    const inspector x = { t, tok, data, json };

    return print_rows(&x, n);
}

static int print_types(tool *t, bool json)
{
    axl_buffer text = AXL_BUFFER_INIT;
    int code = tool_context(t, NULL);

    if (code != EXIT_DONE)
        return code;
    axl_status status = axl_dataset_describe_types(t->ctx, json, &text);
    if (status == AXL_OK)
        fwrite(text.data, 1, text.length, stdout);
    axl_buffer_free(&text);
    return tool_status(t, status);
}

int verb_inspect(tool *t, int argc, char **argv)
{
    bool json = false, types = false, html = false;
    const char *count = NULL, *split = "train", *file = NULL;
    const tool_option options[] = {
        { "n", OPTION_VALUE, NULL, &count, "N", "how many rows: 5, 0 for all" },
        { "split", OPTION_VALUE, NULL, &split, "NAME", "train, the default, or validation" },
        { "json", OPTION_FLAG, &json, NULL, NULL,
          "one JSON object a row: source, row, input_ids, labels (-100: not trained)" },
        { "types", OPTION_FLAG, &types, NULL, NULL,
          "the data set types that exist, what they read and train; no CONFIG is needed" },
        { "html", OPTION_VALUE, &html, &file, "FILE", "does not exist yet" },
        OPTIONS_END,
    };
    inspector x = { t, NULL, NULL, false };
    unsigned long long n = 5;
    axl_config *cfg;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (types)
        return print_types(t, json);
    if (html)
        return tool_fail(t, "--html is not supported yet");
    if (count && !tool_count(count, &n))
        return tool_fail(t, "-n: must be a number of rows, 0 for all");
    bool validation = strcmp(split, "validation") == 0;
    if (!validation && strcmp(split, "train") != 0)
        return tool_fail(t, "--split: must be train or validation");
    code = tool_at_most(t, 1);
    if (code == EXIT_DONE)
        code = tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    x.json = json;
    axl_status status = axl_tokenizer_from_config(&x.tok, cfg);
    if (status == AXL_OK)
        status = axl_dataset_from_config(&x.data, cfg, x.tok,
                                         validation ? AXL_SPLIT_VALIDATION : AXL_SPLIT_TRAIN);
    tool_end_progress(t);
    if (status == AXL_OK)
        status = print_rows(&x, n);
    code = status == AXL_END ? tool_fail(t, "the config has no validation data")
                             : tool_status(t, status);
    axl_dataset_free(x.data);
    axl_tokenizer_free(x.tok);
    axl_config_free(cfg);
    return code;
}
