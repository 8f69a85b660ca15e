/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint_state.c - see checkpoint_state.h.  A checkpoint may be a stranger's: what is checked
 * here is not asked again by those who read the members.
 *
 * So a new member is added in two places, where it is written and in the table below; one that is
 * read and not in the table would be trusted without a look.
 */
#include "checkpoint_state.h"

#include "base/num.h"
#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const axl__checkpoint_parts[AXL__N_PARTS] = {
    [AXL__PART_ADAPTER_CONFIG] = "adapter_config.json",
    [AXL__PART_ADAPTER] = "adapter_model.safetensors",
    [AXL__PART_CONFIG] = "config.json",
    [AXL__PART_GENERATION_CONFIG] = "generation_config.json",
    [AXL__PART_MODEL] = "model.safetensors",
    [AXL__PART_OPTIMIZER] = "optimizer.safetensors",
};

/* What stands behind the summed bytes; %08x is their sum. */
static const char seal[] = ",\n  \"crc32\": \"%08x\"\n}\n";
enum { SEAL_LEN = sizeof seal - sizeof "%08x" + 8, OBJECT_END_LEN = sizeof "\n}\n" - 1 };

/* ---- writing ---- */

/* "1a2b3c4d 4096 config.json" */
static char *state_file_line(axl_context *ctx, const axl__checksum *sum, const char *name)
{
    return axl__format(ctx, "%08x %llu %s", (unsigned)sum->crc, (unsigned long long)sum->bytes,
                       name);
}

static axl_status state_sum_part(axl__checksum *sum, axl_context *ctx, const char *dir,
                                 const char *name)
{
    char *path = axl__format(ctx, "%s/%s", dir, name);
    axl_status status = path ? axl__checksum_file(sum, ctx, path) : axl__fail_nomem();

    axl__free(ctx, path);
    return status;
}

/* The parts that are in the folder, in their order; bytes of 0 say that a part was not summed
 * yet. */
static axl_status state_put_files(axl__jw *j, axl_context *ctx, const char *dir,
                                  const axl__checksum sums[AXL__N_PARTS])
{
    char *lines[AXL__N_PARTS];
    size_t n = 0;
    axl_status status = AXL_OK;

    for (size_t i = 0; i < AXL__N_PARTS && status == AXL_OK; i++) {
        axl__checksum sum = sums[i];
        if (!axl__has_file(dir, axl__checkpoint_parts[i]))
            continue;
        if (sum.bytes == 0)
            status = state_sum_part(&sum, ctx, dir, axl__checkpoint_parts[i]);
        lines[n] = state_file_line(ctx, &sum, axl__checkpoint_parts[i]);
        if (status == AXL_OK && !lines[n])
            status = axl__fail_nomem();
        n++;
    }
    axl__jw_strings(j, "files", (const char *const *)lines, status == AXL_OK ? n : 0);
    while (n > 0)
        axl__free(ctx, lines[--n]);
    return status;
}

/* The seal takes the place of the object's end as the JSON writer prints it, so that the file is
 * one JSON object and its last bytes have a known length. */
static axl_status state_write_sealed(axl__str *text, axl_context *ctx, const char *dir)
{
    axl__checksum sum = { 0 };

    text->len -= OBJECT_END_LEN;
    axl__checksum_add(&sum, text->data, text->len);
    axl__str_putf(text, seal, (unsigned)sum.crc);
    AXL_TRY(axl__str_status(text));
    char *path = axl__format(ctx, "%s/trainer_state.json", dir);
    axl_status status =
        path ? axl__write_file(ctx, path, text->data, text->len) : axl__fail_nomem();
    axl__free(ctx, path);
    return status;
}

axl_status axl__checkpoint_state_write(axl__jw *j, axl_context *ctx, const char *dir,
                                       const axl__checksum sums[AXL__N_PARTS])
{
    axl__str text;

    axl__str_init(&text, ctx);
    axl_status status = state_put_files(j, ctx, dir, sums);
    axl_status written = axl__jw_text(j, &text); /* frees it */
    if (status == AXL_OK)
        status = written;
    if (status == AXL_OK)
        status = state_write_sealed(&text, ctx, dir);
    axl__str_free(&text);
    return status;
}

/* ---- members ---- */

static const double count_max = 9007199254740992.0; /* 2^53: one more is still a number */

typedef enum {
    STATE_TEXT,
    STATE_DATE,
    STATE_BOOL,
    STATE_INT,    /* any: a seed */
    STATE_COUNT,  /* to 2^53 */
    STATE_AMOUNT, /* as a count, with a fraction */
    STATE_NUMBER, /* finite */
    STATE_BOUND,  /* a number or Infinity */
    STATE_TEXTS
} state_type;

typedef struct {
    const char *key;
    state_type type;
    bool optional;
} state_member;

/* What checkpoint_write_state() and axl__run_state_put() write.  A bound may be infinite:
 * max_grad_norm for no clipping, a loss that overflowed as a metric. */
static const state_member members[] = {
    { "axl_version", STATE_TEXT, false },
    { "isa", STATE_TEXT, false },
    { "matmul", STATE_TEXT, false },
    { "backend", STATE_TEXT, false },
    { "compute", STATE_TEXT, false },
    { "optimizer", STATE_TEXT, false },
    { "step", STATE_COUNT, false },
    { "seed", STATE_INT, false },
    { "lora_restarts", STATE_COUNT, false },
    { "only_model", STATE_BOOL, false },
    { "has_loader", STATE_BOOL, false },
    { "epoch", STATE_COUNT, false },
    { "items", STATE_COUNT, false },
    { "data_seed", STATE_INT, false },
    { "data_rows", STATE_COUNT, false },
    { "data_hash", STATE_TEXT, false },
    { "step_items", STATE_COUNT, false },
    { "bin_tokens", STATE_COUNT, false },
    { "order", STATE_COUNT, false },
    { "learning_rate", STATE_NUMBER, false },
    { "max_grad_norm", STATE_BOUND, false },
    { "neftune_noise_alpha", STATE_NUMBER, false },
    { "label_smoothing", STATE_NUMBER, false },
    { "loss_average", STATE_NUMBER, false },
    { "lora_dropout", STATE_NUMBER, false },
    { "lr_scheduler", STATE_NUMBER, false },
    { "total_steps", STATE_NUMBER, false },
    { "serial", STATE_COUNT, false },
    { "loss_sum", STATE_NUMBER, false },
    { "loss_tokens", STATE_COUNT, false },
    { "seconds", STATE_AMOUNT, false },
    { "tokens", STATE_COUNT, false },
    { "trained_tokens", STATE_COUNT, false },
    { "evaluated_step", STATE_COUNT, true },
    { "best_metric", STATE_BOUND, true },
    { "best_step", STATE_COUNT, true },
    { "worse_evaluations", STATE_COUNT, false },
    { "high_losses", STATE_COUNT, false },
    { "skipped_steps", STATE_COUNT, false },
    { "date", STATE_DATE, true },
    { "plateau_share", STATE_NUMBER, true },
    { "plateau_best", STATE_BOUND, true },
    { "plateau_bad", STATE_COUNT, true },
    { "plateau_cooldown", STATE_COUNT, true },
    { "files", STATE_TEXTS, false },
};

static const char *state_type_name(state_type type)
{
    static const char *const names[] = {
        [STATE_TEXT] = "a string",          [STATE_DATE] = "a date",
        [STATE_BOOL] = "true or false",     [STATE_INT] = "a whole number",
        [STATE_COUNT] = "a count",          [STATE_AMOUNT] = "a number of at least 0",
        [STATE_NUMBER] = "a finite number", [STATE_BOUND] = "a number",
        [STATE_TEXTS] = "a list of strings"
    };

    return names[type];
}

static bool state_is_texts(const axl__json *v)
{
    bool all = v->type == AXL__JSON_ARRAY;

    for (const axl__json *t = v->child; t && all; t = t->next)
        all = t->type == AXL__JSON_STRING;
    return all;
}

static bool state_fits(const axl__json *v, state_type type)
{
    bool number = v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT;
    axl__date day;

    switch (type) {
    case STATE_TEXT: return v->type == AXL__JSON_STRING;
    case STATE_DATE: return v->type == AXL__JSON_STRING && axl__date_read(v->text, &day);
    case STATE_BOOL: return v->type == AXL__JSON_BOOL;
    case STATE_INT: return v->type == AXL__JSON_INT;
    case STATE_COUNT: return v->type == AXL__JSON_INT && v->integer >= 0 && v->number <= count_max;
    case STATE_AMOUNT: return number && v->number >= 0.0 && v->number <= count_max;
    case STATE_NUMBER: return number && isfinite(v->number);
    case STATE_BOUND: return number && !isnan(v->number);
    case STATE_TEXTS: return state_is_texts(v);
    }
    return false;
}

/* Whether one count is at most another where both are there. */
static bool state_is_before(const axl__json *state, const char *key, const char *other)
{
    return axl__json_double(state, key, 0.0) <= axl__json_double(state, other, INFINITY);
}

static axl_status state_check_members(const axl__json *state, const char *path)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const state_member *m = &members[i];
        const axl__json *v = axl__json_get(state, m->key);
        if (!v && !m->optional)
            return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" is missing", path, m->key);
        if (v && !state_fits(v, m->type))
            return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be %s", path, m->key,
                             state_type_name(m->type));
    }
    if (!state_is_before(state, "evaluated_step", "step") ||
        !state_is_before(state, "best_step", "step"))
        return axl__fail(AXL_ERR_FORMAT, "%s: an evaluation is of a step to come", path);
    if (!axl__json_get(state, "best_step") != !axl__json_get(state, "best_metric"))
        return axl__fail(AXL_ERR_FORMAT, "%s: one of best_step and best_metric is missing", path);
    return AXL_OK;
}

/* ---- reading ---- */

/* The tree outlives the file, hence the copy. */
static axl_status state_parse(axl__json **out, axl__arena *arena, const axl__file *f)
{
    axl__json_error e;

    AXL_TRY(axl__json_check_size(f->path, f->size, AXL__JSON_FILE_MAX));
    char *text = axl__arena_alloc(arena, f->size + 1); /* strings stay in it */
    if (!text)
        return axl__fail_nomem();
    memcpy(text, f->data, f->size);
    axl_status status = axl__json_read(out, arena, text, f->size, &e);
    if (status == AXL_ERR_FORMAT)
        return axl__fail(status, "%s:%zu:%zu: %s", f->path, e.line, e.column, e.text);
    return status;
}

static axl_status state_check_format(const axl__json *state, const char *dir)
{
    int64_t format = axl__json_int(state, "axl_checkpoint", 0);

    if (format == AXL__CHECKPOINT_FORMAT)
        return AXL_OK;
    if (format > 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s/trainer_state.json is of checkpoint format %lld, and this axl (%s) "
                         "reads format %d: go on with the axl that wrote it, or start from its "
                         "weights (lora_model_dir, or base_model where there is no adapter)",
                         dir, (long long)format, AXL_VERSION, AXL__CHECKPOINT_FORMAT);
    if (axl__json_get(state, "log_history"))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s is a checkpoint of Hugging Face's trainer: set lora_model_dir to "
                         "start from its adapter, or base_model from its weights; its optimizer "
                         "state is a pickle and cannot be read",
                         dir);
    return axl__fail(AXL_ERR_FORMAT, "%s/trainer_state.json is not one that axl %s wrote", dir,
                     AXL_VERSION);
}

static axl_status state_check_seal(const axl__file *f)
{
    axl__checksum sum = { 0 };
    char want[SEAL_LEN + 1];
    size_t summed = f->size > SEAL_LEN ? f->size - SEAL_LEN : 0;

    axl__checksum_add(&sum, f->data, summed);
    snprintf(want, sizeof want, seal, (unsigned)sum.crc);
    if (summed > 0 && memcmp(f->data + summed, want, SEAL_LEN) == 0)
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "%s is damaged: its checksum is another", f->path);
}

/* The format is looked at before the checksum: other formats have none at that place, and are to be
 * told from damage. */
axl_status axl__checkpoint_state_read(axl__json **out, axl__arena *arena, const char *dir)
{
    axl__file f;
    char *path = axl__format(arena->ctx, "%s/trainer_state.json", dir);

    *out = NULL;
    if (!path)
        return axl__fail_nomem();
    axl_status status = AXL_OK;
    if (axl__path_kind_of(path) == AXL__PATH_NONE)
        status = axl__fail(AXL_ERR_NOT_FOUND,
                           "%s is no checkpoint: there is no trainer_state.json in it", dir);
    if (status == AXL_OK)
        status = axl__file_open(&f, arena->ctx, path, true);
    if (status == AXL_OK) {
        status = state_parse(out, arena, &f);
        if (status == AXL_OK)
            status = state_check_format(*out, dir);
        if (status == AXL_OK)
            status = state_check_seal(&f);
        if (status == AXL_OK)
            status = state_check_members(*out, path);
        axl__file_close(&f);
    }
    axl__free(arena->ctx, path);
    return status;
}

/* ---- the other files ---- */

/* The line of a file; NULL where it has none.  No part's name has a space. */
static const char *state_find_line(const axl__json *state, const char *name)
{
    const axl__json *files = axl__json_get(state, "files");
    const char *found = NULL;

    for (const axl__json *line = files->child; line; line = line->next) {
        const char *at = strrchr(line->text, ' ');
        if (at && strcmp(at + 1, name) == 0)
            found = line->text;
    }
    return found;
}

/* A file of a part's name that the state does not list would be read like one that it does, and is
 * refused. */
static axl_status state_check_part(const axl__json *state, axl_context *ctx, const char *dir,
                                   const char *name)
{
    const char *want = state_find_line(state, name);
    axl__checksum sum;

    if (!want && !axl__has_file(dir, name))
        return AXL_OK;
    if (!want)
        return axl__fail(AXL_ERR_FORMAT, "%s/%s is no part of the checkpoint", dir, name);
    AXL_TRY(state_sum_part(&sum, ctx, dir, name));
    char *line = state_file_line(ctx, &sum, name);
    if (!line)
        return axl__fail_nomem();
    bool same = strcmp(line, want) == 0;
    axl__free(ctx, line);
    return same ? AXL_OK
                : axl__fail(AXL_ERR_FORMAT,
                            "%s/%s is damaged: its size or checksum is not the one that was "
                            "written",
                            dir, name);
}

axl_status axl__checkpoint_check_parts(const axl__json *state, axl_context *ctx, const char *dir,
                                       bool optimizer)
{
    for (size_t i = 0; i < AXL__N_PARTS; i++)
        if (optimizer || i != AXL__PART_OPTIMIZER)
            AXL_TRY(state_check_part(state, ctx, dir, axl__checkpoint_parts[i]));
    return AXL_OK;
}
