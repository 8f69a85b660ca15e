/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.c - the methods that exist, drafts, and the basic tokenise step.
 *
 * A prompt is opened once an entry and then used by many threads, so that it is not written to
 * after axl__prompt_open(), but for check_only between two batches.  A draft belongs to one thread
 * at a time.
 */
#include "data/prompt/prompt.h"

#include "config/config.h"

#include <axl/dataset.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const axl__prompt_method *const methods[] = {
    &axl__prompt_instruction, &axl__prompt_completion,  &axl__prompt_user_defined,
    &axl__prompt_reflection,  &axl__prompt_creative,    &axl__prompt_segments,
    &axl__prompt_pygmalion,   &axl__prompt_llama2_chat, &axl__prompt_messages,
    &axl__prompt_tokenized,   &axl__prompt_synthetic,   &axl__prompt_chat,
    &axl__prompt_pretrain,    &axl__prompt_host,        &axl__prompt_pair,
    &axl__prompt_nectar,      &axl__prompt_judged,      &axl__prompt_pair_chat,
    &axl__prompt_steps,
};

/* What a host's type is to those who ask about columns and keys. */
static const axl__dataset_type host_type = { .name = "host", .method = "host" };

static axl_status no_such_type(const axl__prompt *p, const char *name)
{
    const axl__yaml *type = axl__yaml_get(p->setup.entry, "type");
    const char *instead = axl__dataset_type_instead(name, p->task);
    axl__str types;

    if (instead)
        return axl__fail(AXL_ERR_UNSUPPORTED, "the data set type \"%.100s\" does not exist: %s",
                         name, instead);
    axl__str_init(&types, p->setup.ctx);
    axl__dataset_types_put(&types, p->task);
    axl_status status = axl__str_status(&types);
    if (status == AXL_OK && !*name)
        status = axl__fail(AXL_ERR_UNSUPPORTED, "%s means nothing with %s; there are: %s",
                           type && type->type == AXL__YAML_MAP ? "a mapping" : "no type",
                           axl__data_task_name(p->task), types.data);
    else if (status == AXL_OK)
        status = axl__fail(AXL_ERR_UNSUPPORTED,
                           "the data set type \"%.100s\" does not exist; there are: %s", name,
                           types.data);
    axl__str_free(&types);
    return status;
}

static axl_status find_type(axl__prompt *p)
{
    const axl__yaml *type = axl__yaml_get(p->setup.entry, "type");
    const char *name = type && type->text ? type->text : "", *colon = strchr(name, ':');

    if (p->task == AXL__TASK_TEXT)
        p->host = axl__host_type_find(p->setup.ctx, name);
    p->type = p->host ? &host_type : axl__dataset_type_of(p->setup.entry, p->task);
    if (!p->type)
        return no_such_type(p, name);
    p->style = colon ? colon + 1 : NULL;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i]->name, p->type->method) == 0)
            p->method = methods[i];
    return p->method ? AXL_OK : axl__fail(AXL_ERR_INTERNAL, "%s has no method", p->type->name);
}

/* Asserts that dataset_types.c lists the key: what is not listed draws "no effect" from the
 * config's check, and would have one. */
const char *axl__prompt_setting(const axl__prompt *p, const char *key, const char *otherwise)
{
    assert(axl__dataset_type_reads(p->type, key));
    const axl__yaml *map = p->setup.entry;
    if (axl__starts_with(key, "type.")) {
        map = axl__yaml_get(map, "type");
        key += strlen("type.");
    }
    const axl__yaml *value = axl__yaml_get(map, key);
    return value && value->text ? value->text : otherwise;
}

axl_status axl__prompt_open(axl__prompt *p, const axl__prompt_setup *setup)
{
    memset(p, 0, sizeof *p);
    p->setup = *setup;
    p->task = setup->cfg ? axl__config_task(setup->cfg) : AXL__TASK_TEXT;
    axl_status status = find_type(p);
    p->bos = setup->tok ? axl_tokenizer_bos(setup->tok) : -1;
    p->eos = setup->tok ? axl_tokenizer_eos(setup->tok) : -1;
    if (status == AXL_OK && setup->tok && p->eos < 0)
        status = axl__fail(AXL_ERR_INVALID, "the tokenizer has no end-of-sequence token; set "
                                            "special_tokens.eos_token");
    for (size_t i = 0; status == AXL_OK && i < AXL__DATASET_COLUMNS_MAX; i++) {
        const axl__dataset_column *c = &p->type->columns[i];
        p->columns[i] = c->key ? axl__prompt_setting(p, c->key, c->name) : c->name;
    }
    if (status == AXL_OK && p->method->open)
        status = p->method->open(p);
    p->setup.said = NULL;
    if (status != AXL_OK)
        memset(p, 0, sizeof *p); /* nothing to close */
    return status;
}

/* Without memory for the list it may be said again. */
void axl__prompt_warn(const axl__prompt *p, const char *fmt, ...)
{
    axl__str *said = p->setup.said;
    char line[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof line - 1, fmt, args);
    va_end(args);
    if (said) {
        size_t before = said->len;
        axl__str_putf(said, "\n%s\n", line);
        const char *first = strstr(axl__str_text(said), axl__str_text(said) + before);
        if (!said->failed && first < axl__str_text(said) + before)
            return;
    }
    axl__log(p->setup.ctx, AXL_LOG_WARNING, "%s", line);
}

void axl__prompt_close(axl__prompt *p)
{
    if (p->method && p->method->close)
        p->method->close(p);
    memset(p, 0, sizeof *p);
}

axl_status axl__prompt_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    out->role = p->task == AXL__TASK_STEPS ? AXL_ROLE_STEPS : AXL_ROLE_PLAIN;
    if (axl__prompt_is_tokenized(p, record))
        return axl__prompt_tokenized.make(p, record, out);
    return p->method->make(p, record, out);
}

axl_status axl__prompt_no_form(const axl__prompt *p, const char *lacks)
{
    const axl__yaml *type = axl__yaml_get(p->setup.entry, "type");

    return axl__fail(AXL_ERR_UNSUPPORTED, "the data set type \"%s\" has no form for %s",
                     type && type->text ? type->text : p->type->name, lacks);
}

axl_status axl__prompt_ask(const axl__prompt *p, const char *instruction, const char *input,
                           axl__str *out)
{
    return p->method->ask ? p->method->ask(p, instruction, input, out)
                          : axl__prompt_no_form(p, "an instruction");
}

/* ---- drafts ---- */

void axl__draft_free(axl__draft *draft)
{
    axl__free(draft->ctx, draft->ids);
    axl__free(draft->ctx, draft->labels);
    axl__free(draft->ctx, draft->ends);
    axl__free(draft->ctx, draft->roles);
    *draft = (axl__draft){ .ctx = draft->ctx };
}

/* What a long record took is given back, or every draft would have it in the end. */
void axl__draft_clear(axl__draft *draft)
{
    enum { KEPT = 1 << 14 };

    if (draft->cap > KEPT)
        axl__draft_free(draft);
    draft->n = draft->n_ends = draft->role = 0;
    draft->too_long = false;
}

axl_status axl__draft_emit(axl__draft *draft, uint32_t end)
{
    if (draft->n_ends == draft->ends_cap) {
        uint32_t cap = draft->ends_cap ? 2 * draft->ends_cap : 4;
        uint32_t *ends = axl__realloc(draft->ctx, draft->ends, (size_t)cap * sizeof *ends);
        if (ends)
            draft->ends = ends;
        uint32_t *roles = axl__realloc(draft->ctx, draft->roles, (size_t)cap * sizeof *roles);
        if (roles)
            draft->roles = roles;
        if (!ends || !roles)
            return axl__fail_nomem();
        draft->ends_cap = cap;
    }
    draft->roles[draft->n_ends] = draft->role;
    draft->ends[draft->n_ends++] = end;
    return AXL_OK;
}

/* ids and labels grow together; after a failure between the two both are still the draft's to
 * free. */
axl_status axl__draft_reserve(axl__draft *d, size_t extra)
{
    size_t need = d->n + extra, cap = need + need / 4;

    if (need <= d->cap)
        return AXL_OK;
    if (cap > INT32_MAX)
        return axl__fail(AXL_ERR_DATA, "the text is too long");
    int32_t *ids = axl__realloc(d->ctx, d->ids, cap * sizeof *ids);
    if (ids)
        d->ids = ids;
    int32_t *labels = axl__realloc(d->ctx, d->labels, cap * sizeof *labels);
    if (labels)
        d->labels = labels;
    if (!ids || !labels)
        return axl__fail_nomem();
    d->cap = (uint32_t)cap;
    return AXL_OK;
}

axl_status axl__draft_put(axl__draft *d, const int32_t *ids, const int32_t *labels, size_t n)
{
    AXL_TRY(axl__draft_reserve(d, n));
    if (n > 0) {
        memcpy(d->ids + d->n, ids, n * sizeof *ids);
        memcpy(d->labels + d->n, labels, n * sizeof *labels);
    }
    d->n += (uint32_t)n;
    return AXL_OK;
}

void axl__draft_mask(axl__draft *draft, uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < draft->n && i - from < n; i++)
        draft->labels[i] = AXL_LABEL_IGNORE;
}

axl_status axl__prompt_text(const axl__json *record, const char *column, const char **text,
                            size_t *len)
{
    const axl__json *value = axl__json_get(record, column);

    *text = "";
    *len = 0;
    if (!value || value->type == AXL__JSON_NULL)
        return AXL_OK;
    if (value->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_DATA, "\"%s\" must be a string, not %s", column,
                         axl__json_type_name(value));
    *text = value->text;
    *len = value->len;
    return AXL_OK;
}

/* Cuts the ids of a text to max as transformers does: what the tokenizer puts behind the text (an
 * EOS of its own) stays and the text gets shorter.  ids (n) were encoded with special tokens; where
 * the text's own ids begin in them tells how many stand before and how many behind. */
static axl_status cut(const axl__prompt *p, const char *text, size_t len, int32_t *ids, size_t *n,
                      size_t max)
{
    axl_buffer plain = AXL_BUFFER_INIT;
    size_t before = 0;

    AXL_TRY(axl_tokenizer_encode(p->setup.tok, text, len, AXL_TOKENIZE_NO_SPECIAL, &plain));
    size_t n_plain = plain.length / sizeof *ids;
    size_t added = *n > n_plain ? *n - n_plain : 0;
    while (before < added &&
           (n_plain == 0 || memcmp(ids + before, plain.data, n_plain * sizeof *ids) != 0))
        before++;
    axl_buffer_free(&plain);
    size_t behind = added - before;
    if (behind < max)
        memmove(ids + max - behind, ids + *n - behind, behind * sizeof *ids);
    *n = max;
    return AXL_OK;
}

/* Axolotl's _tokenize of its prompt strategies: the EOS that fit behind what was not cut, and no
 * BOS in the middle of a sample. */
static axl_status put_ids(const axl__prompt *p, axl__draft *out, const axl__piece *piece,
                          const int32_t *ids, size_t n)
{
    size_t n_eos = piece->n_eos;

    if (n_eos > 0 && ids[n - 1] == p->eos)
        n_eos--;
    if (piece->max > 0 && n_eos > piece->max - n)
        n_eos = piece->max - n;
    if (piece->inside && p->bos >= 0 && ids[0] == p->bos) {
        ids++;
        n--;
    }
    AXL_TRY(axl__draft_reserve(out, n + n_eos));
    for (size_t i = 0; i < n + n_eos; i++) {
        int32_t id = i < n ? ids[i] : p->eos;
        out->ids[out->n] = id;
        out->labels[out->n++] = piece->masked ? AXL_LABEL_IGNORE : id;
    }
    return AXL_OK;
}

/* check_only encodes nothing: the record's columns were read by then, which is what is wanted. */
axl_status axl__prompt_put(const axl__prompt *p, axl__draft *out, const char *text, size_t len,
                           const axl__piece *piece)
{
    axl_buffer buffer = AXL_BUFFER_INIT;
    axl_status status = AXL_OK;

    if (p->check_only)
        return AXL_OK;
    AXL_TRY(axl_tokenizer_encode(p->setup.tok, text, len,
                                 piece->plain ? AXL_TOKENIZE_NO_SPECIAL : 0, &buffer));
    int32_t *ids = buffer.data;
    size_t n = buffer.length / sizeof *ids;
    if (piece->max > 0 && n > piece->max)
        status = cut(p, text, len, ids, &n, piece->max);
    if (status == AXL_OK && n > 0)
        status = put_ids(p, out, piece, ids, n);
    axl_buffer_free(&buffer);
    return status;
}

axl_status axl__prompt_put_prompt(const axl__prompt *p, axl__draft *out, const char *text,
                                  size_t len)
{
    const axl__piece piece = { .masked = !p->setup.train_on_inputs, .max = p->setup.sequence_len };

    return len > 0 ? axl__prompt_put(p, out, text, len, &piece) : AXL_OK;
}

axl_status axl__prompt_put_response(const axl__prompt *p, axl__draft *out, const char *text,
                                    size_t len)
{
    const axl__piece piece = { .inside = true, .n_eos = 1, .max = p->setup.sequence_len };

    return len > 0 ? axl__prompt_put(p, out, text, len, &piece) : AXL_OK;
}
