/* SPDX-License-Identifier: Apache-2.0 */
/* generate.c - prompt in, tokens out one at a time, over a cache of keys and values. */
#include "model/network.h"
#include "sampler.h"

#include "base/num.h"
#include "base/structs.h"
#include "text/tokenizer.h"

#include <axl/generate.h>

#include <math.h>
#include <string.h>

typedef struct {
    axl_model *model;
    const axl_tokenizer *tok;
    const axl_generate_options *opts;
    axl__network net;
    axl__kv_cache cache;
    axl__token_ids ids; /* prompt and what has come */
    axl__decode_stream stream;
    axl__str piece, text; /* new text of a token; all of it */
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
    return o->reserved0 ? axl__fail(AXL_ERR_INVALID, "reserved0 must be 0") : AXL_OK;
}

static bool is_stop(const generator *g, int32_t id)
{
    const axl__arch *a = &g->model->arch;

    if (id == axl_tokenizer_eos(g->tok))
        return true;
    for (int i = 0; i < a->n_eos_ids; i++)
        if (id == a->eos_ids[i])
            return true;
    return false;
}

/* Hands new text to the callback and the result. */
static axl_status emit(generator *g)
{
    AXL_TRY(axl__str_status(&g->piece));
    if (g->piece.len == 0)
        return AXL_OK;
    axl__str_put(&g->text, g->piece.data, g->piece.len);
    if (g->opts->text && g->opts->text(g->opts->text_user, g->piece.data, g->piece.len) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the text callback");
    axl__str_clear(&g->piece);
    return axl__str_status(&g->text);
}

static axl_status read_prompt(generator *g, const char *prompt, size_t length)
{
    AXL_TRY(axl__tokenizer_encode(g->tok, prompt, length, 0, &g->ids));
    if (g->ids.count == 0) {
        if (axl_tokenizer_bos(g->tok) < 0)
            return axl__fail(AXL_ERR_INVALID, "the prompt is empty and the tokenizer has no BOS");
        AXL_TRY(axl__token_ids_put(&g->ids, axl_tokenizer_bos(g->tok)));
    }
    if ((int64_t)g->ids.count >= g->model->arch.max_seq_len)
        return axl__fail(AXL_ERR_INVALID, "the prompt has %zu tokens, the model takes %lld",
                         g->ids.count, (long long)g->model->arch.max_seq_len);
    if (axl__ids_check(g->ids.data, g->ids.count, &g->model->arch) < 0)
        return axl__fail_prefix(AXL_ERR_INVALID, "the tokenizer is another model's");
    return axl__decode_stream_init(&g->stream, g->tok, AXL_DECODE_SKIP_SPECIAL, g->ids.data,
                                   g->ids.count);
}

static axl_status prepare(generator *g, int64_t new_tokens)
{
    size_t vocab = (size_t)g->model->arch.vocab_size;

    g->logits = axl__alloc_aligned(g->model->ctx, vocab * sizeof *g->logits);
    g->scratch = axl__alloc(g->model->ctx, vocab * sizeof *g->scratch);
    if (!g->logits || !g->scratch)
        return axl__fail_nomem();
    return axl__kv_cache_init(&g->cache, &g->net, (int64_t)g->ids.count + new_tokens);
}

static axl_status run(generator *g, const char *prompt, size_t length)
{
    axl_context *ctx = g->model->ctx;

    AXL_TRY(read_prompt(g, prompt, length));
    int64_t room = g->model->arch.max_seq_len - (int64_t)g->ids.count;
    int64_t wanted =
        (int64_t)g->opts->max_new_tokens < room ? (int64_t)g->opts->max_new_tokens : room;
    if (wanted == 0)
        return AXL_OK;
    AXL_TRY(prepare(g, wanted));
    size_t fed = 0;
    for (int64_t i = 0; i < wanted; i++) {
        AXL_TRY(axl__poll(ctx, "generate", (uint64_t)i, (uint64_t)wanted));
        AXL_TRY(axl__network_continue(&g->net, &g->cache, g->ids.data + fed,
                                      (int64_t)(g->ids.count - fed), g->logits));
        fed = g->ids.count;
        int32_t id = axl__sample(g->logits, g->model->arch.vocab_size, g->ids.data,
                                 (int64_t)g->ids.count, g->opts, (uint64_t)i, g->scratch);
        if (is_stop(g, id))
            break;
        AXL_TRY(axl__token_ids_put(&g->ids, id));
        AXL_TRY(axl__decode_stream_put(&g->stream, id, &g->piece));
        AXL_TRY(emit(g));
    }
    AXL_TRY(axl__decode_stream_end(&g->stream, &g->piece));
    return emit(g);
}

static axl_status generate(axl_model *model, axl_adapter *adapter, const axl_tokenizer *tok,
                           const char *prompt, size_t length, const axl_generate_options *o,
                           axl_buffer *out)
{
    axl_context *ctx = model->ctx;
    generator g = { 0 };

    g.model = model;
    g.tok = tok;
    g.opts = o;
    axl__token_ids_init(&g.ids, ctx);
    axl__str_init(&g.piece, ctx);
    axl__str_init(&g.text, ctx);
    axl_status status = axl__network_init(&g.net, model, adapter, false);
    if (status == AXL_OK) {
        status = run(&g, prompt, length);
        if (status == AXL_OK && out)
            status = axl__str_to_buffer(&g.text, out);
        axl__kv_cache_free(&g.cache, &g.net);
        axl__network_free(&g.net);
    }
    axl__decode_stream_free(&g.stream);
    axl__token_ids_free(&g.ids);
    axl__str_free(&g.piece);
    axl__str_free(&g.text);
    axl__free_aligned(ctx, g.logits);
    axl__free(ctx, g.scratch);
    return status;
}

axl_status axl_generate(axl_model *model, axl_adapter *adapter, const axl_tokenizer *tok,
                        const char *prompt, size_t length, const axl_generate_options *opts,
                        axl_buffer *out)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;

    AXL_TRY(axl__model_use(model));
    if (adapter) {
        AXL_TRY(axl__adapter_enter(adapter));
        if (adapter->model != model)
            return axl__fail(AXL_ERR_INVALID, "the adapter was made for another model");
    }
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_generate_options, &o, opts));
    AXL_TRY(check_options(&o));
    if (!tok || (!prompt && length > 0))
        return axl__fail(AXL_ERR_INVALID, "a tokenizer and a prompt are needed");
    if (out)
        AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    AXL_TRY(axl__pass_begin(model, adapter));
    axl_status status = generate(model, adapter, tok, prompt ? prompt : "", length, &o, out);
    axl__pass_end(model, adapter);
    return status;
}
