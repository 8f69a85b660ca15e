/* SPDX-License-Identifier: Apache-2.0 */
/* verb_inspect.c - rows as they will be trained: what is trained is green, or between « and »; as
 * JSON; or as a page, which inspect_page.c makes. */
#include "tool.h"

#include <inttypes.h>
#include <string.h>

const char *inspect_role(uint32_t role)
{
    static const char *const names[] = { NULL,        "chosen",      "rejected",
                                         "desirable", "undesirable", "judged by steps" };

    return role < sizeof names / sizeof names[0] ? names[role] : NULL;
}

static void print_ids(const char *whose, const char *name, const int32_t *ids, uint32_t n)
{
    printf(", \"%s%s\": [", whose, name);
    for (uint32_t i = 0; i < n; i++)
        printf("%s%" PRId32, i ? ", " : "", ids[i]);
    putchar(']');
}

static bool is_judged(const axl_sample *s)
{
    return s->role == AXL_ROLE_DESIRABLE || s->role == AXL_ROLE_UNDESIRABLE;
}

/* What a row calls the ids of a sample: those of a pair are one row. */
static const char *whose_ids(const axl_sample *s)
{
    return s->role == AXL_ROLE_CHOSEN     ? "chosen_"
           : s->role == AXL_ROLE_REJECTED ? "rejected_"
           : is_judged(s)                 ? "completion_"
                                          : "";
}

static void print_json_row(const axl_sample *samples, int n)
{
    const axl_sample *s = samples;

    fputs("{\"source\": ", stdout);
    tool_print_json(stdout, s->source ? s->source : "", s->source ? strlen(s->source) : 0);
    printf(", \"row\": %" PRIu64, s->row);
    if (s->part)
        printf(", \"part\": %" PRIu32, s->part);
    for (int i = 0; i < n; i++) {
        print_ids(whose_ids(&s[i]), "input_ids", s[i].input_ids, s[i].length);
        print_ids(whose_ids(&s[i]), "labels", s[i].labels, s[i].length);
    }
    if (is_judged(s))
        printf(", \"label\": %s", s->role == AXL_ROLE_DESIRABLE ? "true" : "false");
    puts("}");
}

static void print_text(const tool *t, const char *text, size_t length)
{
    if (t->term_out)
        tool_put_visible(stdout, text, length);
    else
        fwrite(text, 1, length, stdout);
}

static void print_row_head(const tool *t, const axl_sample *s)
{
    const char *role = inspect_role(s->role);

    fputs(t->color_out ? "\033[1m--- " : "--- ", stdout);
    if (s->source)
        print_text(t, s->source, strlen(s->source));
    printf(" row %" PRIu64, s->row);
    if (s->part && !role)
        printf(" part %" PRIu32, s->part);
    if (role)
        printf(" (%s)", role);
    printf(": %" PRIu32 " tokens, %" PRIu32 " trained%s\n", s->length, s->n_trained,
           t->color_out ? "\033[0m" : "");
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
        print_text(x->t, (const char *)all.data + from, all.length - from);
        fputs(!trained ? "" : x->t->color_out ? "\033[0m" : "»", stdout);
    }
    axl_buffer_free(&before);
    axl_buffer_free(&all);
    return status;
}

static axl_status print_text_row(const inspector *x, const axl_sample *s)
{
    uint32_t begin = 0;

    print_row_head(x->t, s);
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

axl_status inspect_next(const axl_dataset *data, uint64_t *at, axl_sample s[2], int *n)
{
    const axl_sample none = AXL_SAMPLE_INIT;

    s[0] = s[1] = none;
    *n = 1;
    axl_status status = axl_dataset_get_sample(data, (*at)++, &s[0]);
    if (status != AXL_OK || s[0].role != AXL_ROLE_CHOSEN)
        return status;
    *n = 2;
    return axl_dataset_get_sample(data, (*at)++, &s[1]);
}

uint32_t inspect_length(const axl_sample *s, int n)
{
    return n == 2 && s[1].length > s[0].length ? s[1].length : s[0].length;
}

static axl_status print_row(const inspector *x, uint64_t *at)
{
    axl_sample samples[2];
    int n;
    axl_status status = inspect_next(x->data, at, samples, &n);

    if (status == AXL_OK && x->json)
        print_json_row(samples, n);
    for (int i = 0; i < n && !x->json && status == AXL_OK; i++)
        status = print_text_row(x, &samples[i]);
    return status;
}

axl_status inspect_rows(const inspector *x)
{
    uint64_t count = axl_dataset_count(x->data), at = 0;
    axl_status status = AXL_OK;

    for (uint64_t i = 0; at < count && (x->n == 0 || i < x->n) && status == AXL_OK; i++)
        status = print_row(x, &at);
    return status;
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
    bool json = false, types = false;
    const char *count = NULL, *split = "train", *page = NULL;
    const tool_option options[] = {
        { "n", OPTION_VALUE, NULL, &count, "N", "how many rows: 5, 0 for all" },
        { "split", OPTION_VALUE, NULL, &split, "NAME", "train, the default, or validation" },
        { "json", OPTION_FLAG, &json, NULL, NULL,
          "one JSON object a row: source, row, input_ids, labels (-100: not trained); of "
          "preferences chosen_input_ids, rejected_labels and so on" },
        { "types", OPTION_FLAG, &types, NULL, NULL,
          "the data set types that exist, what they read and train; no CONFIG is needed" },
        { "html", OPTION_VALUE, NULL, &page, "FILE",
          "write the rows into a page: tokens with their ids, what is trained, lengths" },
        OPTIONS_END,
    };
    inspector x = { t, NULL, NULL, NULL, 5, false };
    axl_config *cfg;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (page && (json || types))
        return tool_fail(t, "--html: goes with neither --json nor --types");
    if (types)
        return print_types(t, json);
    if (count && !tool_count(count, &x.n))
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
    x.split = split;
    x.json = json;
    axl_status status = axl_tokenizer_from_config(&x.tok, cfg);
    if (status == AXL_OK)
        status = axl_dataset_from_config(&x.data, cfg, x.tok,
                                         validation ? AXL_SPLIT_VALIDATION : AXL_SPLIT_TRAIN);
    tool_end_progress(t);
    if (status == AXL_OK && !page)
        status = inspect_rows(&x);
    if (status == AXL_END)
        code = tool_fail(t, "the config has no validation data");
    else
        code = status == AXL_OK && page ? inspect_write_page(&x, page) : tool_status(t, status);
    axl_dataset_free(x.data);
    axl_tokenizer_free(x.tok);
    axl_config_free(cfg);
    return code;
}
