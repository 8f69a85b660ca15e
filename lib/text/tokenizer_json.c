/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer_json.c - reads a tokenizer.json, each family of parts by its own file.  A failure
 * leaves a half-filled tokenizer, which its maker frees.  Texts are copied: the tree is gone when
 * the tokenizer lives.
 */
#include "token_decoder.h"
#include "json_model.h"
#include "normalizer.h"
#include "post_processor.h"
#include "pre_tokenizer.h"

axl__added_token axl__token_from_json(const axl__json *v, int *normalized)
{
    const axl__json *content = axl__json_get(v, "content"), *n = axl__json_get(v, "normalized");
    axl__added_token token = { { "", 0 },
                               axl__json_bool(v, "single_word", false),
                               axl__json_bool(v, "lstrip", false),
                               axl__json_bool(v, "rstrip", false),
                               false,
                               axl__json_bool(v, "special", false) };

    if (content && content->type == AXL__JSON_STRING)
        token.text = (axl__slice){ content->text, content->len };
    *normalized = n && n->type == AXL__JSON_BOOL ? n->boolean : -1;
    token.normalized = *normalized >= 0 ? *normalized : !token.special;
    return token;
}

/* All in one call, as the ids that new ones get depend on it. */
static axl_status read_added(axl_tokenizer *t, const axl__json *list)
{
    axl__added_token *tokens;
    axl_status status = AXL_OK;
    size_t n = 0;
    int unused;

    if (axl__part_none(list))
        return AXL_OK;
    if (list->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "added_tokens must be an array, not %s",
                         axl__json_type_name(list));
    tokens = axl__alloc(t->ctx, list->count * sizeof *tokens);
    if (!tokens)
        return axl__fail_nomem();
    for (const axl__json *v = list->child; v && status == AXL_OK; v = v->next) {
        tokens[n++] = axl__token_from_json(v, &unused);
        if (!axl__json_string(v, "content", NULL))
            status = axl__fail(AXL_ERR_FORMAT, "an added token has no content");
    }
    if (status == AXL_OK)
        status = axl__added_add(&t->added, tokens, n, &t->bpe, &t->pipeline);
    axl__free(t->ctx, tokens);
    return status;
}

/* A Metaspace that asks where a text begins cannot be told behind a normalizer that shortens, but
 * where it is known where every character is from. */
static bool shortens(const axl__pipeline *p)
{
    for (uint32_t i = 0; i < p->n_normalizer; i++)
        if (p->normalizer[i].kind == AXL__REPLACE &&
            p->normalizer[i].to.len < p->normalizer[i].from.len)
            return p->metaspace.on && p->metaspace.scheme == AXL__PREFIX_FIRST;
    return false;
}

static axl_status read_steps(axl_tokenizer *t, const axl__json *root)
{
    axl__pipeline *p = &t->pipeline;
    axl__part normalizer = { "normalizer", axl__json_get(root, "normalizer"), &t->arena };
    axl__part cutter = { "pre_tokenizer", axl__json_get(root, "pre_tokenizer"), &t->arena };
    axl__part decoder = { "decoder", axl__json_get(root, "decoder"), &t->arena };

    AXL_TRY(axl__read_normalizer(p, &normalizer, &t->regexes));
    AXL_TRY(axl__read_pre_tokenizer(p, &cutter, &t->regexes));
    AXL_TRY(axl__read_decoder(p, &decoder, &t->regexes));
    p->general = p->general || shortens(p) || t->words.kind != AXL__MODEL_BPE ||
                 axl__bpe_is_affixed(&t->bpe);
    return AXL_OK;
}

/* Added tokens come last, because the normalizer says how they are looked for. */
axl_status axl__read_tokenizer_json(axl_tokenizer *t, const axl__json *root)
{
    if (root->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "it must be an object, not %s", axl__json_type_name(root));
    axl__part model = { "model", axl__json_get(root, "model"), &t->arena };
    axl__part after = { "post_processor", axl__json_get(root, "post_processor"), &t->arena };
    AXL_TRY(axl__read_model(t, &model));
    if (!axl__class_specs[t->class].drops_post_processor)
        AXL_TRY(axl__read_post_processor(&t->pipeline, &after));
    if (t->class != AXL__CLASS_FILE)
        return axl__class_normalizer(t, axl__json_get(root, "normalizer"));
    AXL_TRY(read_steps(t, root));
    return read_added(t, axl__json_get(root, "added_tokens"));
}
