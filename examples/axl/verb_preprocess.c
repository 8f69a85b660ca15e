/* SPDX-License-Identifier: Apache-2.0 */
/* verb_preprocess.c - tokenises a config's data into the file that training takes, and tells what
 * it is like. */
#include "tool.h"

#include <inttypes.h>

enum { BARS = 16, BAR_WIDTH = 40, DEBUG_ROWS = 5 };

typedef struct {
    axl_tokenizer *tok;
    axl_dataset *train, *validation;
    axl_loader *loader;
    axl_buffer folder;
    axl_dataset_stats stats;
    uint64_t in_row;     /* samples: a pair's two are one row, whose length is the longer one's */
    uint32_t width;      /* of a bar in tokens: bar i counts lengths i * width + 1 to the next */
    uint32_t n_bars;     /* up to the longest row's */
    uint64_t bars[BARS]; /* rows */
    uint64_t steps_per_epoch, steps;
} preparation;

/* The length of the row at *at; 0 behind the last, for a sample has a token. */
static uint32_t length_of(preparation *p, uint64_t *at)
{
    axl_sample s[2];
    int n;

    if (inspect_next(p->train, at, s, &n) != AXL_OK)
        return 0;
    p->in_row = (uint64_t)n;
    return inspect_length(s, n);
}

/* The bars are as wide as the least power of two, from 16 on, under which BARS are enough. */
static void count_lengths(preparation *p)
{
    uint32_t longest = 1, length;

    p->in_row = 1;
    for (uint64_t at = 0; (length = length_of(p, &at)) > 0;)
        longest = length > longest ? length : longest;
    for (p->width = 16; (longest - 1) / p->width >= BARS;)
        p->width *= 2;
    p->n_bars = (longest - 1) / p->width + 1;
    for (uint64_t at = 0; (length = length_of(p, &at)) > 0;)
        p->bars[(length - 1) / p->width]++;
}

static axl_status count_steps(preparation *p, const axl_config *cfg)
{
    int64_t window = 1;
    axl_status status = axl_config_get_int(cfg, "gradient_accumulation_steps", &window);

    if (status == AXL_OK)
        status = axl_loader_from_config(&p->loader, cfg, p->train, AXL_SPLIT_TRAIN);
    if (status == AXL_OK)
        status = axl_loader_get_total_steps(p->loader, &p->steps);
    if (status != AXL_OK)
        return status;
    uint64_t per_step = (uint64_t)window;
    p->steps_per_epoch = (axl_loader_batches_per_epoch(p->loader) + per_step - 1) / per_step;
    return AXL_OK;
}

static axl_status prepare(preparation *p, const axl_config *cfg)
{
    axl_status status = axl_tokenizer_from_config(&p->tok, cfg);

    if (status == AXL_OK)
        status = axl_dataset_prepare(&p->train, &p->validation, cfg, p->tok, &p->folder);
    if (status == AXL_OK)
        status = axl_dataset_get_stats(p->train, &p->stats);
    if (status == AXL_OK)
        status = count_steps(p, cfg);
    if (status == AXL_OK)
        count_lengths(p);
    return status;
}

static void print_json(const preparation *p)
{
    const axl_dataset_stats *s = &p->stats;
    uint64_t k = p->in_row;

    printf("{\"rows_read\": %" PRIu64 ", \"rows\": %" PRIu64 ", \"tokens\": %" PRIu64
           ", \"trained_tokens\": %" PRIu64 ", \"dropped\": {\"too_long\": %" PRIu64
           ", \"too_short\": %" PRIu64 ", \"no_trained_token\": %" PRIu64
           ", \"duplicate\": %" PRIu64 "}, \"length_histogram\": [",
           s->rows_read / k, s->rows / k, s->tokens, s->trained_tokens, s->dropped_too_long / k,
           s->dropped_too_short / k, s->dropped_no_trained / k, s->dropped_duplicates / k);
    for (uint32_t i = 0; i < p->n_bars; i++)
        printf("%s{\"from\": %" PRIu32 ", \"to\": %" PRIu32 ", \"rows\": %" PRIu64 "}",
               i ? ", " : "", i * p->width + 1, (i + 1) * p->width, p->bars[i]);
    if (k > 1)
        puts("], \"packing_fill\": null, \"steps_per_epoch\": null, \"steps\": null}");
    else
        printf("], \"packing_fill\": %.6f, \"steps_per_epoch\": %" PRIu64 ", \"steps\": %" PRIu64
               "}\n",
               axl_loader_fill(p->loader), p->steps_per_epoch, p->steps);
}

static void print_lengths(const preparation *p)
{
    static const char stars[BAR_WIDTH + 1] = "****************************************";
    uint64_t most = 1;

    for (uint32_t i = 0; i < p->n_bars; i++)
        most = p->bars[i] > most ? p->bars[i] : most;
    for (uint32_t i = 0; i < p->n_bars; i++) {
        int bar = (int)((double)p->bars[i] / (double)most * BAR_WIDTH + 0.5);
        printf("%s %6" PRIu32 " to %6" PRIu32 " tokens %10" PRIu64 "%s%.*s\n",
               i ? "           " : "lengths    ", i * p->width + 1, (i + 1) * p->width, p->bars[i],
               bar ? "  " : "", bar, stars);
    }
}

static void print_text(const preparation *p)
{
    const axl_dataset_stats *s = &p->stats;
    uint64_t k = p->in_row;

    printf("rows       %" PRIu64 " of %" PRIu64 " read", s->rows / k, s->rows_read / k);
    if (p->validation)
        printf(", beside %" PRIu64 " for validation", axl_dataset_count(p->validation) / k);
    if (k > 1)
        printf(", each chosen and rejected");
    printf("\ndropped    %" PRIu64 " too long, %" PRIu64 " too short, %" PRIu64
           " without a trained token, %" PRIu64 " duplicates\n",
           s->dropped_too_long / k, s->dropped_too_short / k, s->dropped_no_trained / k,
           s->dropped_duplicates / k);
    printf("tokens     %" PRIu64 ", of them %" PRIu64 " trained\n", s->tokens, s->trained_tokens);
    print_lengths(p);
    if (k == 1) { /* pairs make other batches, which nothing here trains */
        printf("packing    bins are %.1f %% full\n", 100.0 * axl_loader_fill(p->loader));
        printf("steps      %" PRIu64 " an epoch, %" PRIu64 " in all\n", p->steps_per_epoch,
               p->steps);
    }
    printf("%s  %.*s\n", s->from_cache ? "was in   " : "kept in  ", (int)p->folder.length,
           (const char *)p->folder.data);
}

static axl_status print(tool *t, const preparation *p, bool json, bool debug)
{
    const inspector rows = { t, p->tok, p->train, "train", DEBUG_ROWS, json };
    axl_status status = AXL_OK;

    if (debug)
        status = inspect_rows(&rows);
    if (status != AXL_OK)
        return status;
    if (json)
        print_json(p);
    else
        print_text(p);
    return AXL_OK;
}

int verb_preprocess(tool *t, int argc, char **argv)
{
    bool json = false, debug = false;
    const tool_option options[] = {
        { "json", OPTION_FLAG, &json, NULL, NULL,
          "the figures as one JSON object; length_histogram counts the rows from and to so many "
          "tokens, both included; a chosen and a rejected answer are one row" },
        { "debug", OPTION_FLAG, &debug, NULL, NULL,
          "a few rows before it, as inspect prints them" },
        OPTIONS_END,
    };
    preparation p = { .folder = AXL_BUFFER_INIT, .stats = AXL_DATASET_STATS_INIT };
    axl_config *cfg;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    code = tool_at_most(t, 1);
    if (code == EXIT_DONE)
        code = tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    axl_status status = prepare(&p, cfg);
    tool_end_progress(t);
    if (status == AXL_OK)
        status = print(t, &p, json, debug);
    code = tool_status(t, status);
    axl_loader_free(p.loader);
    axl_dataset_free(p.validation);
    axl_dataset_free(p.train);
    axl_tokenizer_free(p.tok);
    axl_buffer_free(&p.folder);
    axl_config_free(cfg);
    return code;
}
