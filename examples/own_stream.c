/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_stream.c - a host that trains on records while they come, a JSON object a line on its
 * standard input, of which a window at a time is in memory:
 *
 *   zcat ROWS.jsonl.gz | own_stream CONFIG.yml OUT_DIR
 *
 * What the records are, CONFIG's first data set says; its path is not looked at.  A pipe comes
 * once, and training ends with it or with max_steps; a file is read over and over until max_steps.
 */
#define _POSIX_C_SOURCE 200809L
#include <axl/axl.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct lines {
    char *text; /* of the record at hand */
    size_t room;
} lines;

static int next_line(void *user, const char **record, size_t *length)
{
    lines *l = user;
    ssize_t n = getline(&l->text, &l->room, stdin);

    if (n < 0)
        return ferror(stdin) ? -1 : AXL_END;
    *record = l->text;
    *length = (size_t)n;
    return 0;
}

static int rewind_lines(void *user)
{
    (void)user;
    return fseek(stdin, 0, SEEK_SET);
}

/* The library asks for records as long as the data set or its loader is there. */
static void release_lines(void *user)
{
    free(((lines *)user)->text);
}

static int print_step(void *user, const axl_run_record *r)
{
    (void)user;
    if (r->event == AXL_RUN_STEP)
        printf("step %llu loss %.4f\n", (unsigned long long)r->step, r->loss);
    return 0;
}

static axl_config *open_config(axl_context *ctx, const char *path, const char *out_dir)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_config *cfg;
    char output[1024];
    const char *overrides[] = { output };

    snprintf(output, sizeof output, "output_dir=%s", out_dir);
    o.overrides = overrides;
    o.n_overrides = 1;
    return axl_config_open(&cfg, ctx, path, &o) == AXL_OK ? cfg : NULL;
}

static axl_status train(const axl_config *cfg, axl_dataset *data)
{
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_run *run;

    o.record = print_step;
    o.train = data;
    axl_status status = axl_run_new(&run, cfg, &o);
    if (status == AXL_OK)
        status = axl_run_train(run);
    axl_run_free(run);
    return status;
}

int main(int argc, char **argv)
{
    axl_record_source source = AXL_RECORD_SOURCE_INIT;
    axl_context *ctx = NULL;
    axl_config *cfg = NULL;
    axl_tokenizer *tok = NULL;
    axl_dataset *data = NULL;
    lines l = { 0 };

    if (argc != 3) {
        fprintf(stderr, "usage: own_stream CONFIG.yml OUT_DIR < ROWS.jsonl\n");
        return 2;
    }
    source.next = next_line;
    source.rewind = fseek(stdin, 0, SEEK_CUR) == 0 ? rewind_lines : NULL; /* NULL: a pipe */
    source.release = release_lines;
    source.user = &l;
    axl_status status = axl_context_new(&ctx, NULL);
    if (status == AXL_OK && !(cfg = open_config(ctx, argv[1], argv[2])))
        status = AXL_ERR_INVALID;
    if (status == AXL_OK)
        status = axl_tokenizer_from_config(&tok, cfg);
    if (status == AXL_OK)
        status = axl_dataset_stream_records(&data, cfg, tok, 0, &source);
    if (!data)
        release_lines(&l); /* nobody else will */
    if (status == AXL_OK)
        status = train(cfg, data);
    if (status < 0)
        fprintf(stderr, "own_stream: %s\n", axl_last_error());
    axl_dataset_free(data);
    axl_tokenizer_free(tok);
    axl_config_free(cfg);
    axl_context_free(ctx);
    return status < 0;
}
