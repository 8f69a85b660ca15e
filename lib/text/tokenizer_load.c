/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_load.c - from a folder, or a bare SentencePiece file, to a tokenizer. */
#include "tokenizer_priv.h"

#include "base/utf8.h"

#include <string.h>

enum { TOKENIZER_MAX = 64 << 20 }; /* vocabularies of 256k pieces take 35 MiB */

/* The files of a folder while it is being read. */
typedef struct {
    axl_tokenizer *t;
    const char *dir;
    axl__arena arena; /* of the JSON trees and the SentencePiece texts */
    axl__token_files files;
    const axl__json *model_config;
    axl__spm spm;
    char *path; /* of the file at hand, for messages */
} folder;

static axl_status set_path(folder *f, const char *name)
{
    axl__free(f->t->ctx, f->path);
    f->path = axl__format(f->t->ctx, "%s/%s", f->dir, name);
    return f->path ? AXL_OK : axl__fail_nomem();
}

static axl_status prefixed(const folder *f, axl_status status)
{
    return status < 0 && status != AXL_ERR_NOMEM ? axl__fail_prefix(status, "%s", f->path) : status;
}

/* *out stays NULL when the file is not there. */
static axl_status read_json(folder *f, const char *name, bool keep, const axl__json **out)
{
    axl_context *ctx = f->t->ctx;
    axl__file file;
    axl__json *root = NULL;
    axl_status status;

    AXL_TRY(set_path(f, name));
    if (axl__path_kind_of(f->path) == AXL__PATH_NONE)
        return AXL_OK;
    AXL_TRY(axl__file_open(&file, ctx, f->path, false));
    const char *text = (const char *)file.data;
    status = axl__json_check_size(f->path, file.size, TOKENIZER_MAX);
    if (status == AXL_OK && !axl__utf8_valid(text, file.size))
        status = axl__fail(AXL_ERR_FORMAT, "%s is not UTF-8", f->path);
    if (status == AXL_OK)
        status = axl__json_parse(&root, &f->arena, text, file.size, f->path);
    if (status == AXL_OK && root->type != AXL__JSON_OBJECT)
        status = axl__fail(AXL_ERR_FORMAT, "%s must be an object, not %s", f->path,
                           axl__json_type_name(root));
    if (status == AXL_OK && keep) {
        f->t->config_text = axl__strndup(ctx, text, file.size);
        f->t->config_len = file.size;
        if (!f->t->config_text)
            status = axl__fail_nomem();
    }
    axl__file_close(&file);
    *out = root;
    return status;
}

static axl_status read_spm(axl_tokenizer *t, const char *path, axl__arena *arena, axl__spm *spm)
{
    axl__file file;
    axl_status status;

    AXL_TRY(axl__file_open(&file, t->ctx, path, false));
    if (axl__is_tiktoken(file.data, file.size))
        status = axl__fail(AXL_ERR_UNSUPPORTED, "a tiktoken rank file is not supported yet");
    else
        status = axl__spm_read(spm, arena, file.data, file.size);
    axl__file_close(&file);
    return status;
}

/* ---- pipelines ---- */

void axl__llama_pipeline(axl__pipeline *p, bool legacy, bool add_prefix_space)
{
    axl__slice mark = { AXL__SPACE_MARK, 3 }, space = { " ", 1 };

    p->metaspace = (axl__metaspace){ true, false,
                                     !add_prefix_space ? AXL__PREFIX_NEVER
                                     : legacy          ? AXL__PREFIX_ALWAYS
                                                       : AXL__PREFIX_FIRST,
                                     mark };
    p->n_decoder = 0;
    p->decoder[p->n_decoder++] =
        (axl__decoder_step){ .kind = AXL__DECODE_REPLACE, .from = mark, .to = space };
    p->decoder[p->n_decoder++] = (axl__decoder_step){ .kind = AXL__DECODE_BYTES };
    p->decoder[p->n_decoder++] = (axl__decoder_step){ .kind = AXL__DECODE_FUSE };
    if (add_prefix_space)
        p->decoder[p->n_decoder++] =
            (axl__decoder_step){ .kind = AXL__DECODE_STRIP, .from = space, .start = 1 };
}

/* As Python's bool(). */
static bool truthy(const axl__json *v, bool otherwise)
{
    if (!v)
        return otherwise;
    switch (v->type) {
    case AXL__JSON_NULL: return false;
    case AXL__JSON_BOOL: return v->boolean;
    case AXL__JSON_INT:
    case AXL__JSON_FLOAT: return v->number != 0;
    case AXL__JSON_STRING: return v->len > 0;
    case AXL__JSON_ARRAY:
    case AXL__JSON_OBJECT: return v->count > 0;
    }
    return otherwise;
}

static void set_llama(folder *f)
{
    axl_tokenizer *t = f->t;
    const axl__json *prefix = axl__json_get(f->files.config, "add_prefix_space");
    bool legacy = truthy(axl__json_get(f->files.config, "legacy"), false);

    if (t->legacy >= 0)
        legacy = t->legacy != 0;
    t->bpe.byte_fallback = t->bpe.fuse_unk = true;
    axl__llama_pipeline(&t->pipeline, legacy,
                        !prefix || prefix->type == AXL__JSON_NULL || truthy(prefix, true));
}

/* As the constructors of GPT2Tokenizer and Qwen2Tokenizer make it. */
static axl_status set_byte_level(folder *f)
{
    axl_tokenizer *t = f->t;
    axl__pipeline *p = &t->pipeline;
    bool prefix = truthy(axl__json_get(f->files.config, "add_prefix_space"), false);

    p->byte_level = true;
    if (t->class == AXL__CLASS_QWEN2) {
        p->normalizer[p->n_normalizer++] = (axl__normalizer_step){ .kind = AXL__NFC };
        p->cuts[p->n_cuts++] = (axl__cut){ AXL__SPLIT_QWEN2, false };
        p->cuts[p->n_cuts++] = (axl__cut){ AXL__SPLIT_NONE, prefix };
    } else {
        p->cuts[p->n_cuts++] = (axl__cut){ AXL__SPLIT_GPT2, prefix };
    }
    p->decoder[p->n_decoder++] = (axl__decoder_step){ .kind = AXL__DECODE_BYTE_LEVEL };
    return AXL_OK;
}

/* What transformers runs for a class without rules of its own when there is only the model. */
static axl_status set_plain_spm(folder *f)
{
    axl_tokenizer *t = f->t;
    axl__pipeline *p = &t->pipeline;
    axl__slice mark = { AXL__SPACE_MARK, 3 }, space = { " ", 1 };

    axl__llama_pipeline(p, false, false);
    memset(&p->metaspace, 0, sizeof p->metaspace);
    p->normalizer[p->n_normalizer++] = (axl__normalizer_step){ AXL__REPLACE, space, mark };
    if (!f->spm.byte_fallback)
        p->n_decoder = 1;
    t->bpe.byte_fallback = f->spm.byte_fallback;
    t->bpe.fuse_unk = true;
    t->bpe.unk_text = axl__arena_strndup(&t->arena, f->spm.unk_piece.text, f->spm.unk_piece.len);
    return t->bpe.unk_text ? AXL_OK : axl__fail_nomem();
}

/* Tokens with an id take the place of the piece there. */
static void rename_pieces(folder *f)
{
    const axl__json *list = axl__json_get(f->files.config, "added_tokens_decoder");

    for (const axl__json *v = list ? list->child : NULL; v; v = v->next) {
        const axl__json *content = axl__json_get(v, "content");
        uint64_t id = 0;
        for (size_t i = 0; i < v->key_len && id <= AXL__ID_MAX; i++)
            id = v->key[i] >= '0' && v->key[i] <= '9' ? id * 10 + (uint64_t)(v->key[i] - '0')
                                                      : AXL__ID_MAX + 1;
        if (content && content->type == AXL__JSON_STRING && id < f->spm.n_pieces)
            f->spm.pieces[id].text = (axl__slice){ content->text, content->len };
    }
}

/* ---- reading the model ---- */

static axl_status put_around(axl_tokenizer *t, int which, int32_t **list, uint32_t *n)
{
    if (t->specials[which].id < 0)
        return AXL_OK;
    *list = axl__arena_alloc(&t->arena, sizeof **list);
    if (!*list)
        return axl__fail_nomem();
    (*list)[0] = t->specials[which].id;
    *n = 1;
    return AXL_OK;
}

static axl_status load_json(folder *f)
{
    if (f->t->class == AXL__CLASS_LLAMA)
        set_llama(f);
    else if (f->t->class != AXL__CLASS_FILE)
        AXL_TRY(set_byte_level(f));
    AXL_TRY(prefixed(f, axl__read_tokenizer_json(f->t, f->files.tokenizer)));
    return prefixed(f, axl__load_special_tokens(f->t, &f->files));
}

static axl_status load_spm(folder *f)
{
    axl_tokenizer *t = f->t;
    const axl__json *config = f->files.config;

    if (t->class == AXL__CLASS_GPT2 || t->class == AXL__CLASS_QWEN2)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: a byte-level class needs tokenizer.json beside it", f->path);
    AXL_TRY(prefixed(f, read_spm(t, f->path, &f->arena, &f->spm)));
    f->files.spm = &f->spm;
    if (t->class == AXL__CLASS_LLAMA) {
        set_llama(f);
    } else {
        AXL_TRY(set_plain_spm(f));
        rename_pieces(f);
    }
    AXL_TRY(prefixed(f, axl__spm_to_bpe(t, &f->spm)));
    AXL_TRY(prefixed(f, axl__load_special_tokens(t, &f->files)));
    if (truthy(axl__json_get(config, "add_bos_token"), false))
        AXL_TRY(put_around(t, AXL__BOS, &t->pipeline.before, &t->pipeline.n_before));
    if (truthy(axl__json_get(config, "add_eos_token"), false))
        AXL_TRY(put_around(t, AXL__EOS, &t->pipeline.after, &t->pipeline.n_after));
    return AXL_OK;
}

axl_status axl__tokenizer_look(const char *path)
{
    axl__path_kind kind = axl__path_kind_of(path);

    if (kind == AXL__PATH_FILE && axl__ends_with(path, ".json"))
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: give the folder instead of a JSON file", path);
    if (kind != AXL__PATH_DIR || axl__has_file(path, "tokenizer.json") ||
        axl__has_file(path, "tokenizer.model"))
        return AXL_OK;
    return axl__fail(AXL_ERR_NOT_FOUND, "%s has neither tokenizer.json nor tokenizer.model", path);
}

static axl_status load_folder(folder *f)
{
    static const char corrupting[] =
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
    axl_tokenizer *t = f->t;

    AXL_TRY(read_json(f, "config.json", false, &f->model_config));
    AXL_TRY(read_json(f, "special_tokens_map.json", false, &f->files.special_map));
    AXL_TRY(read_json(f, "added_tokens.json", false, &f->files.added));
    AXL_TRY(read_json(f, "tokenizer_config.json", true, &f->files.config));
    AXL_TRY(
        prefixed(f, axl__tokenizer_class(t->type, f->files.config, f->model_config, &t->class)));
    if (truthy(axl__json_get(f->files.config, corrupting), false))
        return prefixed(f, axl__fail(AXL_ERR_UNSUPPORTED, "\"%s\" is not supported", corrupting));
    t->added.split_special = truthy(axl__json_get(f->files.config, "split_special_tokens"), false);
    AXL_TRY(read_json(f, "tokenizer.json", false, &f->files.tokenizer));
    if (f->files.tokenizer)
        return load_json(f);
    AXL_TRY(axl__tokenizer_look(f->dir));
    AXL_TRY(set_path(f, "tokenizer.model"));
    return load_spm(f);
}

/* ---- a bare file ---- */

static axl_status load_bare(axl_tokenizer *t, const char *path, axl__arena *arena)
{
    axl__spm spm = { 0 };
    axl_status status;

    t->bare = true;
    AXL_TRY(axl__tokenizer_look(path));
    status = read_spm(t, path, arena, &spm);
    if (status == AXL_OK)
        status = axl__spm_to_bare(t, &spm);
    axl__spm_free(t->ctx, &spm);
    return status < 0 && status != AXL_ERR_NOMEM ? axl__fail_prefix(status, "%s", path) : status;
}

axl_status axl__tokenizer_load(axl_tokenizer *t, const char *path)
{
    folder f = { .t = t, .dir = path };
    axl__path_kind kind = axl__path_kind_of(path);
    axl_status status;

    if (kind == AXL__PATH_NONE)
        return axl__fail(AXL_ERR_NOT_FOUND, "no tokenizer: %s does not exist", path);
    axl__arena_init(&f.arena, t->ctx);
    status = kind == AXL__PATH_DIR ? load_folder(&f) : load_bare(t, path, &f.arena);
    axl__spm_free(t->ctx, &f.spm);
    axl__arena_free(&f.arena);
    if (status == AXL_OK) {
        status = axl__bpe_finish(&t->bpe);
        if (status < 0 && status != AXL_ERR_NOMEM)
            status = axl__fail_prefix(status, "%s", path);
    }
    axl__free(t->ctx, f.path);
    return status;
}
