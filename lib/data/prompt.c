/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.c - the types that exist, and the basic tokenise step. */
#include "data/prompt.h"

#include <axl/dataset.h>

#include <string.h>

static const axl__prompt_type *const types[] = { &axl__prompt_alpaca };

axl_status axl__prompt_init(axl__prompt *p, axl_context *ctx, const char *name,
                            const axl_tokenizer *tok, uint32_t sequence_len, bool train_on_inputs)
{
    const char *colon = strchr(name, ':');
    size_t len = colon ? (size_t)(colon - name) : strlen(name);

    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < sizeof types / sizeof types[0] && !p->type; i++)
        if (strlen(types[i]->name) == len && strncmp(types[i]->name, name, len) == 0)
            p->type = types[i];
    if (!p->type)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "the data set type \"%s\" does not exist; there is: alpaca", name);
    p->style = p->type->style(colon ? colon + 1 : NULL);
    if (!p->style)
        return axl__fail(AXL_ERR_UNSUPPORTED, "the type %s has no style \"%s\"; there are: %s",
                         p->type->name, colon + 1, p->type->styles);
    p->ctx = ctx;
    p->tok = tok;
    p->sequence_len = sequence_len;
    p->train_on_inputs = train_on_inputs;
    p->bos = axl_tokenizer_bos(tok);
    p->eos = axl_tokenizer_eos(tok);
    if (p->eos < 0)
        return axl__fail(AXL_ERR_INVALID, "the tokenizer has no end-of-sequence token; set "
                                          "special_tokens.eos_token");
    return AXL_OK;
}

void axl__draft_free(axl__draft *draft)
{
    axl__free(draft->ctx, draft->ids);
    axl__free(draft->ctx, draft->labels);
    draft->ids = draft->labels = NULL;
    draft->n = draft->cap = 0;
}

static axl_status draft_reserve(axl__draft *d, size_t extra)
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

/*
 * Cuts the ids of a text to max as transformers does: what the tokenizer puts behind the text (an
 * EOS of its own) stays and the text gets shorter.  ids (n) were encoded with special tokens.
 */
static axl_status cut(const axl__prompt *p, const char *text, size_t len, int32_t *ids, size_t *n,
                      size_t max)
{
    axl_buffer plain = AXL_BUFFER_INIT;
    size_t before = 0;

    AXL_TRY(axl_tokenizer_encode(p->tok, text, len, AXL_TOKENIZE_NO_SPECIAL, &plain));
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

typedef enum { PROMPT, RESPONSE } half;

static axl_status put_ids(const axl__prompt *p, axl__draft *out, half which, const int32_t *ids,
                          size_t n)
{
    bool masked = which == PROMPT && !p->train_on_inputs;
    bool add_eos = which == RESPONSE && ids[n - 1] != p->eos && n < p->sequence_len;

    if (which == RESPONSE && p->bos >= 0 && ids[0] == p->bos) {
        ids++;
        n--;
    }
    AXL_TRY(draft_reserve(out, n + 1));
    for (size_t i = 0; i < n + add_eos; i++) {
        int32_t id = i < n ? ids[i] : p->eos;
        out->ids[out->n] = id;
        out->labels[out->n++] = masked ? AXL_LABEL_IGNORE : id;
    }
    return AXL_OK;
}

static axl_status put(const axl__prompt *p, axl__draft *out, half which, const char *text,
                      size_t len)
{
    axl_buffer buffer = AXL_BUFFER_INIT;
    axl_status status = AXL_OK;

    if (len == 0 || p->check_only)
        return AXL_OK;
    AXL_TRY(axl_tokenizer_encode(p->tok, text, len, 0, &buffer));
    int32_t *ids = buffer.data;
    size_t n = buffer.length / sizeof *ids;
    if (n > p->sequence_len)
        status = cut(p, text, len, ids, &n, p->sequence_len);
    if (status == AXL_OK && n > 0)
        status = put_ids(p, out, which, ids, n);
    axl_buffer_free(&buffer);
    return status;
}

axl_status axl__prompt_put_prompt(const axl__prompt *p, axl__draft *out, const char *text,
                                  size_t len)
{
    return put(p, out, PROMPT, text, len);
}

axl_status axl__prompt_put_response(const axl__prompt *p, axl__draft *out, const char *text,
                                    size_t len)
{
    return put(p, out, RESPONSE, text, len);
}
