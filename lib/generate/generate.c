/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - prompt in, tokens out one at a time, over a cache of keys and values.
 *
 * All that a call needs is in its generator and gone with it: the model and the adapter are only
 * read, but count as being in use meanwhile.  Text and ids take the same way; where there is no
 * tokenizer there is no text, and the rest does not ask.
 */
#include "continuation.h"
#include "model/network.h"
#include "sampler.h"

#include "base/num.h"
#include "base/structs.h"
#include "base/utf8.h"

#include <axl/generate.h>

#include <math.h>
#include <string.h>

typedef struct {
    axl_model *model;
    const axl_tokenizer *tok; /* NULL: ids alone */
    const axl_generate_options *opts;
    axl__network net;
    axl__kv_cache cache;
    axl__token_ids ids; /* prompt and what has come */
    size_t n_prompt;
    axl__continuation text;
    axl_generation result;
    float *logits;
    axl__candidate *scratch;
} generator;

static axl_status out_of_range(const char *what, double value)
{
    char text[AXL__NUM_MAX];

    axl__format_double(text, value);
    return axl__fail(AXL_ERR_INVALID, "%s, got %s", what, text);
}

static axl_status check_options(const axl_generate_options *o)
{
    if (!o->greedy && !(o->temperature > 0.0 && isfinite(o->temperature)))
        return out_of_range("temperature must be > 0 (greedy takes the likeliest token)",
                            o->temperature);
    if (!(o->top_p > 0.0 && o->top_p <= 1.0))
        return out_of_range("top_p must be in (0, 1]", o->top_p);
    if (!(o->min_p >= 0.0 && o->min_p <= 1.0))
        return out_of_range("min_p must be in [0, 1]", o->min_p);
    if (!(o->repetition_penalty > 0.0) || !isfinite(o->repetition_penalty))
        return out_of_range("repetition_penalty must be > 0", o->repetition_penalty);
    for (size_t i = 0; i < o->n_stop; i++)
        if (!o->stop || !o->stop[i] || !o->stop[i][0] ||
            !axl__utf8_valid(o->stop[i], strlen(o->stop[i])))
            return axl__fail(AXL_ERR_INVALID, "stop string %zu must be text, and not empty", i);
    if (o->n_stop_ids > 0 && !o->stop_ids)
        return axl__fail(AXL_ERR_INVALID, "stop_ids must not be NULL");
    if (o->result)
        AXL_TRY(AXL__CHECK_STRUCT(axl_generation, o->result));
    return o->reserved0 ? axl__fail(AXL_ERR_INVALID, "reserved0 must be 0") : AXL_OK;
}

/* The tokenizer's end and those that the model's configuration names: chat models have several. */
static bool is_stop(const generator *g, int32_t id)
{
    const axl__arch *a = &g->model->arch;

    if (g->tok && id == axl_tokenizer_eos(g->tok))
        return true;
    for (int i = 0; i < a->n_eos_ids; i++)
        if (id == a->eos_ids[i])
            return true;
    for (size_t i = 0; i < g->opts->n_stop_ids; i++)
        if (id == g->opts->stop_ids[i])
            return true;
    return false;
}

/* The prompt's ids, whoever made them. */
static axl_status take_prompt(generator *g)
{
    if (g->ids.count == 0) {
        if (!g->tok || axl_tokenizer_bos(g->tok) < 0)
            return axl__fail(AXL_ERR_INVALID, "the prompt is empty and %s",
                             g->tok ? "the tokenizer has no BOS" : "there is no tokenizer");
        AXL_TRY(axl__token_ids_put(&g->ids, axl_tokenizer_bos(g->tok)));
    }
    if ((int64_t)g->ids.count >= g->model->arch.max_seq_len)
        return axl__fail(AXL_ERR_INVALID, "the prompt has %zu tokens, the model takes %lld",
                         g->ids.count, (long long)g->model->arch.max_seq_len);
    AXL_TRY(axl__ids_check(g->ids.data, g->ids.count, &g->model->arch));
    g->n_prompt = g->ids.count;
    return AXL_OK;
}

/* The cache has room for the whole text from the start, so that no token in the middle fails for
 * lack of memory. */
static axl_status prepare(generator *g, int64_t new_tokens)
{
    size_t vocab = (size_t)g->model->arch.vocab_size;

    g->logits = axl__alloc_aligned(g->model->ctx, vocab * sizeof *g->logits);
    g->scratch = axl__alloc(g->model->ctx, vocab * sizeof *g->scratch);
    if (!g->logits || !g->scratch)
        return axl__fail_nomem();
    return axl__kv_cache_init(&g->cache, &g->net, (int64_t)g->ids.count + new_tokens);
}

/* The next id into *id, behind those that the cache has: *fed of them.  The first call feeds the
 * whole prompt, each later one a token. */
static axl_status pick_next(generator *g, uint64_t i, size_t *fed, int32_t *id)
{
    AXL_TRY(axl__network_continue(&g->net, &g->cache, g->ids.data + *fed,
                                  (int64_t)(g->ids.count - *fed), g->logits));
    *fed = g->ids.count;
    *id = axl__sample(g->logits, g->model->arch.vocab_size, g->ids.data, (int64_t)g->ids.count,
                      g->opts, i, g->scratch);
    return AXL_OK;
}

/* The end token is neither in the ids nor in the text.  A stop string is in the ids, and cut from
 * the text.  What the text held back may complete one at the very end, so that the last word on
 * `finish` is behind the loop. */
static axl_status generate_ids(generator *g, int64_t wanted)
{
    axl_context *ctx = g->model->ctx;
    bool stopped = false;
    size_t fed = 0;
    int32_t id;

    g->result.finish = AXL_FINISH_LENGTH;
    for (int64_t i = 0; i < wanted && !stopped; i++) {
        AXL_TRY(axl__poll(ctx, "generate", (uint64_t)i, (uint64_t)wanted));
        AXL_TRY(pick_next(g, (uint64_t)i, &fed, &id));
        if (is_stop(g, id)) {
            g->result.finish = AXL_FINISH_EOS;
            break;
        }
        AXL_TRY(axl__token_ids_put(&g->ids, id));
        AXL_TRY(axl__continuation_put(&g->text, id, &stopped));
    }
    if (!stopped)
        AXL_TRY(axl__continuation_end(&g->text, &stopped));
    if (stopped)
        g->result.finish = AXL_FINISH_STOP;
    return AXL_OK;
}

/* The cache is made only where a token is wanted; with max_new_tokens 0 the prompt is checked and
 * nothing is computed. */
static axl_status run(generator *g)
{
    AXL_TRY(take_prompt(g));
    int64_t room = g->model->arch.max_seq_len - (int64_t)g->ids.count;
    int64_t wanted =
        (int64_t)g->opts->max_new_tokens < room ? (int64_t)g->opts->max_new_tokens : room;
    AXL_TRY(axl__continuation_init(&g->text, g->model->ctx, g->tok, g->opts, g->ids.data,
                                   g->ids.count));
    if (wanted > 0)
        AXL_TRY(prepare(g, wanted));
    return generate_ids(g, wanted);
}

/* Where the prompt comes from and the continuation goes: text and text, or ids and ids. */
typedef struct {
    const char *text;
    const int32_t *ids;
    size_t length;
    axl_buffer *out;
} prompt;

static axl_status read_prompt(generator *g, const prompt *from)
{
    if (from->text)
        return axl__tokenizer_encode(g->tok, from->text, from->length, 0, &g->ids);
    for (size_t i = 0; i < from->length; i++)
        AXL_TRY(axl__token_ids_put(&g->ids, from->ids[i]));
    return AXL_OK;
}

static axl_status give_result(generator *g, const prompt *to)
{
    size_t n = g->ids.count - g->n_prompt;

    g->result.n_prompt = g->n_prompt;
    g->result.n_new = n;
    if (g->opts->result)
        AXL_TRY(AXL__EXPORT(axl_generation, g->opts->result, &g->result));
    if (!to->out)
        return AXL_OK;
    if (to->text)
        return axl__str_to_buffer(&g->text.text, to->out);
    return axl__buffer_set(g->model->ctx, to->out, g->ids.data + g->n_prompt,
                           n * sizeof *g->ids.data);
}

/* Results are given on success alone; a callback may have seen text of a call that then fails. */
static axl_status generate(axl_model *model, const axl_adapter *adapter, const axl_tokenizer *tok,
                           const prompt *from, const axl_generate_options *o)
{
    axl_context *ctx = model->ctx;
    generator g = { .model = model, .tok = tok, .opts = o, .result = AXL_GENERATION_INIT };

    axl__token_ids_init(&g.ids, ctx);
    axl_status status = axl__network_init(&g.net, model, adapter, false);
    if (status == AXL_OK) {
        status = read_prompt(&g, from);
        if (status == AXL_OK)
            status = run(&g);
        if (status == AXL_OK)
            status = give_result(&g, from);
        axl__kv_cache_free(&g.cache, &g.net);
        axl__network_free(&g.net);
    }
    axl__continuation_free(&g.text);
    axl__token_ids_free(&g.ids);
    axl__free_aligned(ctx, g.logits);
    axl__free(ctx, g.scratch);
    return status;
}

/* Generating counts itself in a handle that its caller does not change. */
static axl_status begin_and_generate(const axl_model *model, const axl_adapter *adapter,
                                     const axl_tokenizer *tok, const prompt *from,
                                     const axl_generate_options *o)
{
    axl_model *m = (axl_model *)(uintptr_t)model;

    AXL_TRY(axl__pass_begin(m, adapter));
    axl_status status = generate(m, adapter, tok, from, o);
    axl__pass_end(m, adapter);
    return status;
}

static axl_status check_call(const axl_model *model, const axl_adapter *adapter,
                             const axl_generate_options *given, const axl_buffer *out,
                             axl_generate_options *o)
{
    AXL_TRY(axl__model_enter(model));
    if (adapter) {
        AXL_TRY(axl__adapter_enter(adapter));
        if (adapter->model != model)
            return axl__fail(AXL_ERR_INVALID, "the adapter was made for another model");
    }
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_generate_options, o, given));
    AXL_TRY(check_options(o));
    return out ? AXL__CHECK_STRUCT(axl_buffer, out) : AXL_OK;
}

axl_status axl_generate(const axl_model *model, const axl_adapter *adapter,
                        const axl_tokenizer *tok, const char *text, size_t length,
                        const axl_generate_options *opts, axl_buffer *out)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    prompt p = { .text = text ? text : "", .length = length, .out = out };

    AXL_TRY(check_call(model, adapter, opts, out, &o));
    if (!tok || (!text && length > 0))
        return axl__fail(AXL_ERR_INVALID, "a tokenizer and a prompt are needed");
    return begin_and_generate(model, adapter, tok, &p, &o);
}

axl_status axl_generate_ids(const axl_model *model, const axl_adapter *adapter,
                            const axl_tokenizer *tok, const int32_t *ids, size_t n,
                            const axl_generate_options *opts, axl_buffer *out)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    prompt p = { .ids = ids, .length = n, .out = out };

    AXL_TRY(check_call(model, adapter, opts, out, &o));
    if (!ids && n > 0)
        return axl__fail(AXL_ERR_INVALID, "ids must not be NULL");
    if (!tok && (o.text || o.n_stop > 0))
        return axl__fail(AXL_ERR_INVALID,
                         "text, for a callback or stop strings, needs a tokenizer");
    return begin_and_generate(model, adapter, tok, &p, &o);
}
