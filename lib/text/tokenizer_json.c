/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer_json.c - the parts of a tokenizer.json that axl runs; any other part is named and
 * refused.
 *
 * Each read_… function takes one part of the file into the tokenizer's model or pipeline; a failure
 * leaves a half-filled tokenizer, which its maker frees.  Texts are copied: the tree is gone when
 * the tokenizer lives.
 */
#include "tokenizer_priv.h"

#include <string.h>

static axl_status unsupported(const char *what, const axl__json *v)
{
    const char *type = axl__json_string(v, "type", NULL);

    if (!type)
        return axl__fail(AXL_ERR_FORMAT, "%s has no type", what);
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s \"%.64s\" is not supported yet", what, type);
}

static bool is_null(const axl__json *v)
{
    return !v || v->type == AXL__JSON_NULL;
}

static bool has_type(const axl__json *v, const char *type)
{
    return strcmp(axl__json_string(v, "type", ""), type) == 0;
}

/* A member that is a text, copied; what names its place. */
static axl_status take_slice(axl_tokenizer *t, const axl__json *v, const char *what,
                             axl__slice *out)
{
    if (!v || v->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_FORMAT, "%s must be a string, not %s", what,
                         axl__json_type_name(v));
    out->text = axl__arena_strndup(&t->arena, v->text, v->len);
    out->len = v->len;
    return out->text ? AXL_OK : axl__fail_nomem();
}

static axl_status need_bool(const axl__json *obj, const char *key, bool otherwise, bool *out)
{
    const axl__json *v = axl__json_get(obj, key);

    *out = v && v->type == AXL__JSON_BOOL ? v->boolean : otherwise;
    if (is_null(v) || v->type == AXL__JSON_BOOL)
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "\"%s\" must be a boolean, not %s", key,
                     axl__json_type_name(v));
}

/* ---- model ---- */

static axl_status read_vocab(axl_tokenizer *t, const axl__json *vocab)
{
    if (!vocab || vocab->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "model.vocab must be an object, not %s",
                         axl__json_type_name(vocab));
    for (const axl__json *v = vocab->child; v; v = v->next) {
        const char *text = axl__arena_strndup(&t->arena, v->key, v->key_len);
        if (!text)
            return axl__fail_nomem();
        if (v->type != AXL__JSON_INT)
            return axl__fail(AXL_ERR_FORMAT,
                             "model.vocab: the id of \"%.64s\" must be an integer, "
                             "not %s",
                             v->key, axl__json_type_name(v));
        AXL_TRY(axl__bpe_add(&t->bpe, text, v->key_len, v->integer));
    }
    return t->bpe.n_pieces > 0 ? AXL_OK : axl__fail(AXL_ERR_FORMAT, "model.vocab is empty");
}

/* Two forms: ["a", "b"], and "a b" of older files, where a part with a space is not possible. */
static axl_status read_merge(axl_tokenizer *t, const axl__json *m)
{
    const axl__json *a = m->child, *b = a ? a->next : NULL;

    if (m->type == AXL__JSON_ARRAY && m->count == 2 && a->type == AXL__JSON_STRING &&
        b->type == AXL__JSON_STRING)
        return axl__bpe_merge(&t->bpe, a->text, a->len, b->text, b->len);
    if (m->type == AXL__JSON_STRING) {
        const char *space = memchr(m->text, ' ', m->len);
        size_t left = space ? (size_t)(space - m->text) : 0, right = m->len - left - 1;
        if (space && !memchr(space + 1, ' ', right))
            return axl__bpe_merge(&t->bpe, m->text, left, space + 1, right);
    }
    return axl__fail(AXL_ERR_FORMAT, "merge %u must be two tokens", t->bpe.n_merges);
}

static axl_status read_merges(axl_tokenizer *t, const axl__json *merges)
{
    if (!merges || merges->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "model.merges must be an array, not %s",
                         axl__json_type_name(merges));
    AXL_TRY(axl__pairs_reserve(&t->bpe.merges, merges->count));
    for (const axl__json *m = merges->child; m; m = m->next) {
        if (m->type == AXL__JSON_STRING && axl__starts_with(m->text, "#version"))
            continue;
        AXL_TRY(read_merge(t, m));
    }
    return AXL_OK;
}

/* Parts that would change ids are refused where they ask for something; dropout would make them
 * random. */
static axl_status read_model_flags(axl_tokenizer *t, const axl__json *model)
{
    static const char *const refused[] = { "dropout", "continuing_subword_prefix",
                                           "end_of_word_suffix" };
    const axl__json *unk = axl__json_get(model, "unk_token");
    axl__slice text;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const axl__json *v = axl__json_get(model, refused[i]);
        if (!is_null(v) && !(v->type == AXL__JSON_STRING && v->len == 0))
            return axl__fail(AXL_ERR_UNSUPPORTED, "model.%s is not supported yet", refused[i]);
    }
    AXL_TRY(need_bool(model, "fuse_unk", false, &t->bpe.fuse_unk));
    AXL_TRY(need_bool(model, "byte_fallback", false, &t->bpe.byte_fallback));
    AXL_TRY(need_bool(model, "ignore_merges", false, &t->bpe.ignore_merges));
    if (!is_null(unk)) {
        AXL_TRY(take_slice(t, unk, "model.unk_token", &text));
        t->bpe.unk_text = text.text;
    }
    return AXL_OK;
}

/* A class that makes its own pipeline takes vocabulary and merges from the file and sets the flags
 * itself. */
static axl_status read_model(axl_tokenizer *t, const axl__json *model)
{
    const axl__json *type = axl__json_get(model, "type");

    if (!model || model->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "there is no model");
    if (!is_null(type) && !has_type(model, "BPE"))
        return unsupported("model", model);
    AXL_TRY(read_vocab(t, axl__json_get(model, "vocab")));
    AXL_TRY(read_merges(t, axl__json_get(model, "merges")));
    return t->class == AXL__CLASS_FILE ? read_model_flags(t, model) : AXL_OK;
}

/* ---- normalizer, pre-tokenizer ---- */

static axl_status read_pattern(axl_tokenizer *t, const axl__json *v, const char *what,
                               axl__slice *out)
{
    const axl__json *pattern = axl__json_get(v, "pattern");

    if (axl__json_get(pattern, "Regex"))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s \"Replace\" with a regular expression is not "
                         "supported yet",
                         what);
    AXL_TRY(take_slice(t, axl__json_get(pattern, "String"), what, out));
    return out->len > 0 ? AXL_OK : axl__fail(AXL_ERR_FORMAT, "%s: the pattern is empty", what);
}

/* A Sequence within a Sequence is the same as its members in a row. */
static axl_status read_normalizer(axl_tokenizer *t, const axl__json *v)
{
    axl__pipeline *p = &t->pipeline;
    axl__normalizer_step step = { AXL__REPLACE, { "", 0 }, { "", 0 } };

    if (is_null(v))
        return AXL_OK;
    if (has_type(v, "Sequence")) {
        const axl__json *list = axl__json_get(v, "normalizers");
        if (!list || list->type != AXL__JSON_ARRAY)
            return axl__fail(AXL_ERR_FORMAT, "normalizer \"Sequence\" has no normalizers");
        for (const axl__json *m = list->child; m; m = m->next)
            AXL_TRY(read_normalizer(t, m));
        return AXL_OK;
    }
    if (has_type(v, "Prepend")) {
        step.kind = AXL__PREPEND;
        AXL_TRY(take_slice(t, axl__json_get(v, "prepend"), "normalizer \"Prepend\"", &step.to));
    } else if (has_type(v, "Replace")) {
        AXL_TRY(read_pattern(t, v, "normalizer", &step.from));
        AXL_TRY(take_slice(t, axl__json_get(v, "content"), "normalizer \"Replace\"", &step.to));
    } else if (has_type(v, "NFC")) {
        step.kind = AXL__NFC;
    } else {
        return unsupported("normalizer", v);
    }
    if (p->n_normalizer == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d normalizers", AXL__STEPS_MAX);
    p->normalizer[p->n_normalizer++] = step;
    return AXL_OK;
}

/* The flags are the pre-tokenizer's and the decoder's alike.  Files from before prepend_scheme have
 * add_prefix_space, of which only true, the default scheme, is read. */
static axl_status read_metaspace(axl_tokenizer *t, const axl__json *v, const char *what,
                                 axl__metaspace *m)
{
    const axl__json *scheme = axl__json_get(v, "prepend_scheme");
    const char *name = axl__json_string(v, "prepend_scheme", "always");

    m->on = true;
    AXL_TRY(need_bool(v, "split", true, &m->split));
    AXL_TRY(take_slice(t, axl__json_get(v, "replacement"), what, &m->mark));
    if (m->mark.len == 0)
        return axl__fail(AXL_ERR_FORMAT, "%s: the replacement is empty", what);
    if (strcmp(name, "always") == 0)
        m->scheme = AXL__PREFIX_ALWAYS;
    else if (strcmp(name, "first") == 0)
        m->scheme = AXL__PREFIX_FIRST;
    else if (strcmp(name, "never") == 0)
        m->scheme = AXL__PREFIX_NEVER;
    else
        return axl__fail(AXL_ERR_FORMAT, "%s: unknown prepend_scheme \"%.64s\"", what, name);
    if (is_null(scheme) && !axl__json_bool(v, "add_prefix_space", true))
        return axl__fail(AXL_ERR_FORMAT, "%s: add_prefix_space without prepend_scheme", what);
    return AXL_OK;
}

/* A regular expression that cuts a text at its matches, which are words, too. */
static axl_status read_split(const axl__json *v, axl__cut *cut)
{
    const axl__json *pattern = axl__json_get(axl__json_get(v, "pattern"), "Regex");
    const char *behavior = axl__json_string(v, "behavior", "");

    if (!pattern || pattern->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "pre_tokenizer \"Split\" of a plain string is not supported yet");
    cut->into = axl__splitter_of(pattern->text, pattern->len);
    if (cut->into == AXL__SPLIT_NONE)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "pre_tokenizer \"Split\": the regular expression \"%.64s\" is not "
                         "supported yet; those of GPT-2, Llama-3 and Qwen2 are",
                         pattern->text);
    if (strcmp(behavior, "Isolated") != 0 || axl__json_bool(v, "invert", false))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "pre_tokenizer \"Split\" with behavior \"%.32s\"%s is not supported yet",
                         behavior, axl__json_bool(v, "invert", false) ? ", inverted," : "");
    return AXL_OK;
}

static axl_status read_byte_level(axl_tokenizer *t, const axl__json *v, axl__cut *cut)
{
    bool words;

    AXL_TRY(need_bool(v, "add_prefix_space", true, &cut->prefix_space));
    AXL_TRY(need_bool(v, "use_regex", true, &words));
    cut->into = words ? AXL__SPLIT_GPT2 : AXL__SPLIT_NONE;
    t->pipeline.byte_level = true;
    return AXL_OK;
}

static axl_status read_cut(axl_tokenizer *t, const axl__json *v)
{
    axl__pipeline *p = &t->pipeline;
    axl__cut *cut = &p->cuts[p->n_cuts];
    bool each;

    if (p->n_cuts == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d pre_tokenizers", AXL__STEPS_MAX);
    if (p->byte_level || p->metaspace.on)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "a pre_tokenizer behind \"ByteLevel\" or \"Metaspace\" is not supported "
                         "yet");
    *cut = (axl__cut){ AXL__SPLIT_NONE, false };
    if (has_type(v, "Split")) {
        AXL_TRY(read_split(v, cut));
    } else if (has_type(v, "ByteLevel")) {
        AXL_TRY(read_byte_level(t, v, cut));
    } else {
        AXL_TRY(need_bool(v, "individual_digits", false, &each));
        cut->into = each ? AXL__SPLIT_DIGITS : AXL__SPLIT_DIGIT_RUNS;
    }
    p->n_cuts++;
    return AXL_OK;
}

static axl_status read_pre_tokenizer(axl_tokenizer *t, const axl__json *v)
{
    const axl__json *list = axl__json_get(v, "pretokenizers");

    if (is_null(v))
        return AXL_OK;
    if (has_type(v, "Sequence") && list && list->type == AXL__JSON_ARRAY) {
        for (const axl__json *m = list->child; m; m = m->next)
            AXL_TRY(read_pre_tokenizer(t, m));
        return AXL_OK;
    }
    if (has_type(v, "Split") || has_type(v, "ByteLevel") || has_type(v, "Digits"))
        return read_cut(t, v);
    if (!has_type(v, "Metaspace"))
        return unsupported("pre_tokenizer", v);
    if (t->pipeline.n_cuts > 0 || t->pipeline.metaspace.on)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "pre_tokenizer \"Metaspace\" behind another one is not supported yet");
    return read_metaspace(t, v, "pre_tokenizer \"Metaspace\"", &t->pipeline.metaspace);
}

/* ---- post-processor ---- */

/* The list so far stays behind in the arena: a template has a handful of ids. */
static axl_status append_ids(axl_tokenizer *t, const axl__json *ids, int32_t **list, uint32_t *n)
{
    int32_t *grown = axl__arena_alloc(&t->arena, (*n + (size_t)ids->count) * sizeof *grown);

    if (!grown)
        return axl__fail_nomem();
    if (*n > 0)
        memcpy(grown, *list, *n * sizeof *grown);
    *list = grown;
    for (const axl__json *v = ids->child; v; v = v->next) {
        if (v->type != AXL__JSON_INT || v->integer < 0 || v->integer > AXL__ID_MAX)
            return axl__fail(AXL_ERR_FORMAT, "post_processor: an id is out of range");
        grown[(*n)++] = (int32_t)v->integer;
    }
    return AXL_OK;
}

/* "single" alone: pairs of texts are not encoded here. */
static axl_status read_template(axl_tokenizer *t, const axl__json *v)
{
    axl__pipeline *p = &t->pipeline;
    const axl__json *single = axl__json_get(v, "single");
    const axl__json *table = axl__json_get(v, "special_tokens");
    bool seen = false;

    if (!single || single->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_FORMAT, "post_processor: single must be an array, not %s",
                         axl__json_type_name(single));
    for (const axl__json *e = single->child; e; e = e->next) {
        const axl__json *special = axl__json_get(e, "SpecialToken");
        if (axl__json_get(e, "Sequence") && !seen) {
            seen = true;
            continue;
        }
        const char *name = axl__json_string(special, "id", NULL);
        const axl__json *ids = name ? axl__json_get(axl__json_get(table, name), "ids") : NULL;
        if (!ids || ids->type != AXL__JSON_ARRAY)
            return axl__fail(AXL_ERR_FORMAT, "post_processor: \"%.64s\" has no ids",
                             name ? name : "a part of the template");
        AXL_TRY(
            append_ids(t, ids, seen ? &p->after : &p->before, seen ? &p->n_after : &p->n_before));
    }
    return seen ? AXL_OK : axl__fail(AXL_ERR_FORMAT, "post_processor: the template has no text");
}

static axl_status read_trim(axl_tokenizer *t, const axl__json *v)
{
    axl__pipeline *p = &t->pipeline;
    axl__trim trim = { .behind = p->n_before };
    bool on;

    AXL_TRY(need_bool(v, "trim_offsets", true, &on));
    AXL_TRY(need_bool(v, "add_prefix_space", true, &trim.prefix_space));
    if (!on)
        return AXL_OK;
    if (p->n_trims == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d post_processors", AXL__STEPS_MAX);
    p->trims[p->n_trims++] = trim;
    return AXL_OK;
}

static axl_status read_post_processor(axl_tokenizer *t, const axl__json *v)
{
    const axl__json *list = axl__json_get(v, "processors");

    if (is_null(v))
        return AXL_OK;
    if (has_type(v, "ByteLevel"))
        return read_trim(t, v);
    if (has_type(v, "Sequence") && list && list->type == AXL__JSON_ARRAY) {
        for (const axl__json *m = list->child; m; m = m->next) {
            if (t->pipeline.n_before + t->pipeline.n_after > 0 && has_type(m, "TemplateProcessing"))
                return axl__fail(AXL_ERR_UNSUPPORTED, "post_processor \"Sequence\" of two "
                                                      "templates is not supported yet");
            AXL_TRY(read_post_processor(t, m));
        }
        return AXL_OK;
    }
    if (!has_type(v, "TemplateProcessing"))
        return unsupported("post_processor", v);
    return read_template(t, v);
}

/* ---- decoder ---- */

static axl_status read_strip(axl_tokenizer *t, const axl__json *v, axl__decoder_step *step)
{
    int64_t start = axl__json_int(v, "start", -1), stop = axl__json_int(v, "stop", -1);

    step->kind = AXL__DECODE_STRIP;
    AXL_TRY(take_slice(t, axl__json_get(v, "content"), "decoder \"Strip\"", &step->from));
    if (start < 0 || stop < 0 || start > AXL__ID_MAX || stop > AXL__ID_MAX || step->from.len == 0)
        return axl__fail(AXL_ERR_FORMAT, "decoder \"Strip\": content, start or stop is wrong");
    step->start = (uint32_t)start;
    step->stop = (uint32_t)stop;
    return AXL_OK;
}

static axl_status read_decoder_step(axl_tokenizer *t, const axl__json *v, axl__decoder_step *step)
{
    axl__metaspace m = { 0 };

    if (has_type(v, "ByteFallback")) {
        step->kind = AXL__DECODE_BYTES;
    } else if (has_type(v, "Fuse")) {
        step->kind = AXL__DECODE_FUSE;
    } else if (has_type(v, "ByteLevel")) {
        step->kind = AXL__DECODE_BYTE_LEVEL;
    } else if (has_type(v, "Replace")) {
        step->kind = AXL__DECODE_REPLACE;
        AXL_TRY(read_pattern(t, v, "decoder", &step->from));
        AXL_TRY(take_slice(t, axl__json_get(v, "content"), "decoder \"Replace\"", &step->to));
    } else if (has_type(v, "Strip")) {
        return read_strip(t, v, step);
    } else if (has_type(v, "Metaspace")) {
        AXL_TRY(read_metaspace(t, v, "decoder \"Metaspace\"", &m));
        step->kind = AXL__DECODE_METASPACE;
        step->from = m.mark;
        step->drop = m.scheme != AXL__PREFIX_NEVER;
    } else {
        return unsupported("decoder", v);
    }
    return AXL_OK;
}

/* Without a decoder tokenizers joins tokens by spaces, which is another thing than a decoder of no
 * steps. */
static axl_status read_decoder(axl_tokenizer *t, const axl__json *v)
{
    axl__pipeline *p = &t->pipeline;
    const axl__json *list = axl__json_get(v, "decoders");
    axl__decoder_step step = { 0 };

    p->no_decoder = is_null(v);
    if (p->no_decoder)
        return AXL_OK;
    if (has_type(v, "Sequence") && list && list->type == AXL__JSON_ARRAY) {
        for (const axl__json *m = list->child; m; m = m->next) {
            AXL_TRY(read_decoder(t, m));
            if (p->no_decoder)
                return axl__fail(AXL_ERR_FORMAT, "decoder: a part of the sequence is null");
        }
        return AXL_OK;
    }
    AXL_TRY(read_decoder_step(t, v, &step));
    if (p->n_decoder == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d decoders", AXL__STEPS_MAX);
    p->decoder[p->n_decoder++] = step;
    return AXL_OK;
}

/* ---- the file ---- */

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

    if (is_null(list))
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

/* What "first" means there depends on how tokenizers maps the shortened text to the original. */
static axl_status refuse_shortening(const axl__pipeline *p)
{
    if (!p->metaspace.on || p->metaspace.scheme != AXL__PREFIX_FIRST)
        return AXL_OK;
    for (uint32_t i = 0; i < p->n_normalizer; i++)
        if (p->normalizer[i].kind == AXL__REPLACE &&
            p->normalizer[i].to.len < p->normalizer[i].from.len)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "pre_tokenizer \"Metaspace\" with prepend_scheme "
                             "first behind a normalizer that shortens is not supported yet");
    return AXL_OK;
}

/* Added tokens come last, because the normalizer says how they are looked for. */
axl_status axl__read_tokenizer_json(axl_tokenizer *t, const axl__json *root)
{
    if (root->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "it must be an object, not %s", axl__json_type_name(root));
    AXL_TRY(read_model(t, axl__json_get(root, "model")));
    AXL_TRY(read_post_processor(t, axl__json_get(root, "post_processor")));
    if (t->class != AXL__CLASS_FILE)
        return AXL_OK;
    AXL_TRY(read_normalizer(t, axl__json_get(root, "normalizer")));
    AXL_TRY(read_pre_tokenizer(t, axl__json_get(root, "pre_tokenizer")));
    AXL_TRY(read_decoder(t, axl__json_get(root, "decoder")));
    AXL_TRY(refuse_shortening(&t->pipeline));
    return read_added(t, axl__json_get(root, "added_tokens"));
}
