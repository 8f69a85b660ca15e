/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_load.c - from a folder, or a bare file (SentencePiece, ranks, tekken.json), on disk or
 * in memory, to a tokenizer. */
#include "tokenizer_priv.h"

#include "base/utf8.h"

#include <string.h>

static const char spm_name[] = "tokenizer.model", tekken_name[] = "tekken.json";

enum { TOKENIZER_MAX = 64 << 20 }; /* vocabularies of 256k pieces take 35 MiB */

/* The files of a folder while it is being read. */
typedef struct {
    axl_tokenizer *t;
    axl__arena arena; /* of the JSON trees and the SentencePiece texts */
    axl__token_files files;
    const axl__json *model_config;
    axl__spm spm;
    char *path; /* of the file at hand, for messages */
} folder;

static axl_status set_path(folder *f, const char *name)
{
    axl__free(f->t->ctx, f->path);
    f->path = axl__folder_path(&f->t->folder, name);
    return f->path ? AXL_OK : axl__fail_nomem();
}

static axl_status prefixed(const folder *f, axl_status status)
{
    return status < 0 && status != AXL_ERR_NOMEM ? axl__fail_prefix(status, "%s", f->path) : status;
}

/* *out stays NULL when the file is not there. */
static axl_status read_json(folder *f, const char *name, const axl__json **out)
{
    axl__file file;
    axl__json *root = NULL;
    axl_status status;

    AXL_TRY(set_path(f, name));
    if (axl__folder_kind(&f->t->folder, name) == AXL__PATH_NONE)
        return AXL_OK;
    AXL_TRY(axl__folder_open(&f->t->folder, name, false, &file));
    const char *text = (const char *)file.data;
    status = axl__json_check_size(f->path, file.size, TOKENIZER_MAX);
    if (status == AXL_OK && !axl__utf8_valid(text, file.size))
        status = axl__fail(AXL_ERR_FORMAT, "%s is not UTF-8", f->path);
    if (status == AXL_OK)
        status = axl__json_parse(&root, &f->arena, text, file.size, f->path);
    if (status == AXL_OK && root->type != AXL__JSON_OBJECT)
        status = axl__fail(AXL_ERR_FORMAT, "%s must be an object, not %s", f->path,
                           axl__json_type_name(root));
    axl__file_close(&file);
    *out = root;
    return status;
}

static axl_status read_spm(axl_tokenizer *t, const char *name, axl__arena *arena, axl__spm *spm)
{
    axl__file file;
    axl_status status;

    AXL_TRY(axl__folder_open(&t->folder, name, false, &file));
    if (axl__is_tiktoken(file.data, file.size))
        status = t->bare ? axl__tiktoken_to_bare(t, file.data, file.size, t->pattern)
                         : axl__tiktoken_to_folder(t, file.data, file.size);
    else if (t->pattern)
        status = axl__fail(AXL_ERR_INVALID,
                           "pattern \"%.64s\" is for tiktoken's rank files, and "
                           "this is none",
                           t->pattern);
    else
        status = axl__spm_read(spm, arena, file.data, file.size);
    axl__file_close(&file);
    return status;
}

/* ---- reading the model ---- */

/* What transformers runs for a class without rules of its own when there is only the model. */
static axl_status set_plain_spm(folder *f)
{
    axl_tokenizer *t = f->t;
    axl__pipeline *p = &t->pipeline;
    axl__slice mark = { AXL__SPACE_MARK, 3 }, space = { " ", 1 };

    axl__llama_pipeline(p, false, false);
    memset(&p->metaspace, 0, sizeof p->metaspace);
    p->normalizer[p->n_normalizer++] =
        (axl__normalizer_step){ .kind = AXL__REPLACE, .from = space, .to = mark };
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

/* In one call, before the other tokens of a rank file's folder.  Of an object its keys. */
static axl_status add_extra(axl_tokenizer *t, const axl__json *list)
{
    axl__added_token *tokens;
    size_t n = 0;

    if (!list || list->count == 0)
        return AXL_OK;
    tokens = axl__calloc(t->ctx, list->count, sizeof *tokens);
    if (!tokens)
        return axl__fail_nomem();
    for (const axl__json *v = list->child; v; v = v->next) {
        const axl__json *text = v->type == AXL__JSON_OBJECT ? axl__json_get(v, "content") : v;
        if (list->type == AXL__JSON_OBJECT)
            tokens[n].text = (axl__slice){ v->key, v->key_len };
        else if (text && text->type == AXL__JSON_STRING)
            tokens[n].text = (axl__slice){ text->text, text->len };
        tokens[n++].special = true;
    }
    axl_status status = axl__added_add(&t->added, tokens, n, &t->bpe, &t->pipeline);
    axl__free(t->ctx, tokens);
    return status;
}

static axl_status load_json(folder *f)
{
    AXL_TRY(axl__rename_tokens(f->t, &f->files));
    AXL_TRY(axl__class_pipeline(f->t, f->files.config));
    AXL_TRY(prefixed(f, axl__read_tokenizer_json(f->t, f->files.tokenizer)));
    AXL_TRY(prefixed(f, axl__load_special_tokens(f->t, &f->files)));
    const axl__class_spec *spec = &axl__class_specs[f->t->class];
    axl__pipeline *p = &f->t->pipeline;
    if (spec->before)
        AXL_TRY(put_around(f->t, spec->before - 1, &p->before, &p->n_before));
    return spec->after ? put_around(f->t, spec->after - 1, &p->after, &p->n_after) : AXL_OK;
}

/* transformers takes a tokenizer.model that is no SentencePiece model for a rank file of Llama-3's
 * kind, whose special tokens are those that the config names. */
static axl_status load_ranks(folder *f)
{
    axl_tokenizer *t = f->t;

    if (t->class != AXL__CLASS_FILE)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s is a tiktoken rank file, which the class %s cannot read; "
                         "PreTrainedTokenizerFast does",
                         f->path, axl__class_specs[t->class].name);
    AXL_TRY(prefixed(f, add_extra(t, axl__json_get(f->files.config, "extra_special_tokens"))));
    return prefixed(f, axl__load_special_tokens(t, &f->files));
}

static axl_status load_spm(folder *f)
{
    axl_tokenizer *t = f->t;
    const axl__json *config = f->files.config;

    if (t->class != AXL__CLASS_FILE && t->class != AXL__CLASS_LLAMA)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: the class %s needs tokenizer.json beside it",
                         f->path, axl__class_specs[t->class].name);
    AXL_TRY(prefixed(f, read_spm(t, spm_name, &f->arena, &f->spm)));
    if (t->bpe.n_pieces > 0)
        return load_ranks(f);
    f->files.spm = &f->spm;
    if (t->class == AXL__CLASS_LLAMA) {
        AXL_TRY(axl__class_pipeline(t, config));
    } else {
        AXL_TRY(set_plain_spm(f));
        rename_pieces(f);
    }
    if (f->spm.model_type == 1 && t->class == AXL__CLASS_FILE)
        AXL_TRY(prefixed(f, axl__spm_to_unigram(t, &f->spm)));
    else
        AXL_TRY(prefixed(f, axl__spm_to_bpe(t, &f->spm)));
    AXL_TRY(prefixed(f, axl__load_special_tokens(t, &f->files)));
    if (axl__json_truthy(axl__json_get(config, "add_bos_token"), false))
        AXL_TRY(put_around(t, AXL__BOS, &t->pipeline.before, &t->pipeline.n_before));
    if (axl__json_truthy(axl__json_get(config, "add_eos_token"), false))
        AXL_TRY(put_around(t, AXL__EOS, &t->pipeline.after, &t->pipeline.n_after));
    return AXL_OK;
}

/* ---- tekken.json ---- */

static axl_status set_bare(axl_tokenizer *t, const char *name)
{
    t->bare = true;
    t->only = axl__strdup(t->ctx, name);
    return t->only ? AXL_OK : axl__fail_nomem();
}

/* As mistral-common itself names them. */
static bool is_tekken(const char *name)
{
    const char *slash = strrchr(name, '/');

    return strstr(slash ? slash + 1 : name, "tekken") && axl__ends_with(name, ".json");
}

/* The whole tokenizer is in it, whatever lies beside it.  Axolotl's key opens mistral-common as it
 * prepares data for training, with an EOS behind each text. */
static axl_status load_tekken(axl_tokenizer *t, const char *name, axl__arena *arena)
{
    axl__pipeline *p = &t->pipeline;
    axl__file file;
    axl__json *root = NULL;

    if (t->pattern)
        return axl__fail(AXL_ERR_INVALID, "a tekken.json has a pattern of its own");
    AXL_TRY(axl__folder_open(&t->folder, name, false, &file));
    const char *text = (const char *)file.data;
    axl_status status = axl__json_check_size(name, file.size, TOKENIZER_MAX);
    if (status == AXL_OK && !axl__utf8_valid(text, file.size))
        status = axl__fail(AXL_ERR_FORMAT, "it is not UTF-8");
    if (status == AXL_OK)
        status = axl__json_parse(&root, arena, text, file.size, NULL);
    if (status == AXL_OK)
        status = axl__tekken_read(t, root);
    axl__file_close(&file);
    AXL_TRY(status);
    AXL_TRY(put_around(t, AXL__BOS, &p->before, &p->n_before));
    return t->mistral_common ? put_around(t, AXL__EOS, &p->after, &p->n_after) : AXL_OK;
}

/* The model types for which transformers takes mistral-common where there is a tekken.json. */
static bool is_mistral_type(const char *type)
{
    static const char *const types[] = { "ministral", "ministral3", "mistral", "mistral3",
                                         "mixtral",   "pixtral",    "voxtral", "voxtral_realtime" };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static axl_status load_tekken_folder(folder *f)
{
    axl_tokenizer *t = f->t;
    const char *type = axl__json_string(f->model_config, "model_type", "");

    AXL_TRY(set_path(f, tekken_name));
    if (!axl__folder_has(&t->folder, tekken_name))
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "%s holds no tekken.json, which "
                         "tokenizer_use_mistral_common asks for",
                         t->folder.place);
    if (!t->mistral_common && !is_mistral_type(type))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: transformers takes it as it is for Mistral's models alone, and "
                         "model_type is \"%.64s\"; tokenizer_use_mistral_common: true does for any",
                         f->path, type);
    AXL_TRY(set_bare(t, tekken_name));
    return prefixed(f, load_tekken(t, tekken_name, &f->arena));
}

/* Whether there is any vocabulary; which one counts only the class knows. */
static axl_status tokenizer_look_in(const axl__folder *folder)
{
    bool any = axl__folder_has(folder, tekken_name);

    for (int i = 0; i < AXL__VOCABULARIES; i++)
        any = any || axl__folder_has(folder, axl__tokenizer_files[i]);
    if (any)
        return AXL_OK;
    if (axl__folder_has(folder, "qwen.tiktoken"))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s has qwen.tiktoken alone, which Qwen's own Python code reads "
                         "(trust_remote_code) and nothing else: give a folder with a "
                         "tokenizer.json, such as a later Qwen's",
                         folder->place);
    return axl__fail(AXL_ERR_NOT_FOUND, "%s has neither tokenizer.json nor tokenizer.model",
                     folder->place);
}

axl_status axl__tokenizer_look(const char *path)
{
    axl__path_kind kind = axl__path_kind_of(path);
    axl__folder folder = axl__folder_view(path);

    if (kind == AXL__PATH_FILE && axl__ends_with(path, ".json") && !is_tekken(path))
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: give the folder instead of a JSON file", path);
    return kind == AXL__PATH_DIR ? tokenizer_look_in(&folder) : AXL_OK;
}

/* Without a tokenizer.json: the class's own vocabulary files, or a SentencePiece model. */
static axl_status load_without_json(folder *f)
{
    axl_tokenizer *t = f->t;
    const char *needs, *names = axl__vocabulary_files_of(t, &needs);

    AXL_TRY(tokenizer_look_in(&t->folder));
    if (!names && needs)
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "%s has neither tokenizer.json nor %s, which the class "
                         "%s reads",
                         t->folder.place, needs, axl__class_specs[t->class].name);
    if (names) {
        AXL_TRY(set_path(f, names));
        t->by_class = true;
        AXL_TRY(prefixed(f, axl__vocabulary_files_read(t, &f->arena, &f->spm, f->files.config,
                                                       &f->files.tokenizer)));
        f->files.spm = f->spm.n_pieces > 0 ? &f->spm : NULL;
        return load_json(f);
    }
    if (!axl__folder_has(&t->folder, spm_name))
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "%s has neither tokenizer.json nor tokenizer.model, and the vocabulary "
                         "that is there is of a class that is not named: tokenizer_type names it",
                         t->folder.place);
    AXL_TRY(axl__rename_tokens(t, &f->files));
    AXL_TRY(set_path(f, spm_name));
    return load_spm(f);
}

static axl_status load_folder(folder *f)
{
    static const char corrupting[] =
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
    axl_tokenizer *t = f->t;

    AXL_TRY(read_json(f, "config.json", &f->model_config));
    if (t->mistral_common ||
        (!axl__folder_has(&t->folder, "tokenizer.json") && !axl__folder_has(&t->folder, spm_name) &&
         axl__folder_has(&t->folder, tekken_name)))
        return load_tekken_folder(f);
    if (t->pattern)
        return axl__fail(AXL_ERR_INVALID, "pattern \"%.64s\" is for a rank file alone", t->pattern);
    AXL_TRY(read_json(f, "special_tokens_map.json", &f->files.special_map));
    AXL_TRY(read_json(f, "added_tokens.json", &f->files.added));
    AXL_TRY(read_json(f, "tokenizer_config.json", &f->files.config));
    AXL_TRY(
        prefixed(f, axl__tokenizer_class(t->type, f->files.config, f->model_config, &t->class)));
    const char *side = axl__class_specs[t->class].pads_left ? "left" : "right";
    side = axl__json_string(f->files.config, "padding_side", side);
    t->pads_left = strcmp(side, "left") == 0;
    if (axl__json_truthy(axl__json_get(f->files.config, corrupting), false))
        return prefixed(f, axl__fail(AXL_ERR_UNSUPPORTED, "\"%s\" is not supported", corrupting));
    t->added.split_special =
        axl__json_truthy(axl__json_get(f->files.config, "split_special_tokens"), false);
    AXL_TRY(read_json(f, "tokenizer.json", &f->files.tokenizer));
    return f->files.tokenizer ? load_json(f) : load_without_json(f);
}

/* ---- a bare file ---- */

/* said: what messages call it. */
static axl_status load_bare(axl_tokenizer *t, const char *said, axl__arena *arena)
{
    axl__spm spm = { 0 };
    axl_status status;

    AXL_TRY(axl__rename_tokens(t, &(axl__token_files){ 0 }));
    if (!t->folder.memory)
        AXL_TRY(axl__tokenizer_look(said));
    if (t->mistral_common && !is_tekken(t->only))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s is no tekken.json, which "
                         "tokenizer_use_mistral_common asks for",
                         said);
    status =
        is_tekken(t->only) ? load_tekken(t, t->only, arena) : read_spm(t, t->only, arena, &spm);
    if (status == AXL_OK && spm.n_pieces > 0)
        status = axl__spm_to_bare(t, &spm);
    axl__spm_free(t->ctx, &spm);
    return status < 0 && status != AXL_ERR_NOMEM ? axl__fail_prefix(status, "%s", said) : status;
}

/* ---- where the files are ---- */

/* A bare file lies in a folder, too. */
static axl_status find_on_disk(axl_tokenizer *t, const char *path)
{
    axl__path_kind kind = axl__path_kind_of(path);
    const char *slash = strrchr(path, '/');

    if (kind == AXL__PATH_NONE)
        return axl__fail(AXL_ERR_NOT_FOUND, "no tokenizer: %s does not exist", path);
    if (kind == AXL__PATH_DIR)
        return axl__folder_at(&t->folder, t->ctx, path);
    char *dir = !slash          ? axl__strdup(t->ctx, ".")
                : slash == path ? axl__strdup(t->ctx, "/")
                                : axl__strndup(t->ctx, path, (size_t)(slash - path));
    axl_status status = dir ? axl__folder_at(&t->folder, t->ctx, dir) : axl__fail_nomem();
    axl__free(t->ctx, dir);
    return status == AXL_OK ? set_bare(t, slash ? slash + 1 : path) : status;
}

/* One SentencePiece model alone is a bare file. */
static axl_status find_in_memory(axl_tokenizer *t, const axl__tokenizer_origin *from)
{
    AXL_TRY(axl__folder_of(&t->folder, t->ctx, from->files, from->n_files, NULL));
    const char *first = t->folder.files[0].name;
    bool alone = axl__ends_with(first, ".model") || is_tekken(first);
    return from->n_files == 1 && alone ? set_bare(t, first) : AXL_OK;
}

/* What saving writes and the key of a data set's cache is made of, when the host's bytes may be
 * gone, or the process be elsewhere. */
static axl_status keep_files(axl_tokenizer *t)
{
    const char *names[AXL__TOKENIZER_FILES + 1] = { "config.json" };

    if (t->bare)
        return axl__folder_keep(&t->folder, (const char *const *)&t->only, 1);
    memcpy(names + 1, axl__tokenizer_files, sizeof axl__tokenizer_files);
    return axl__folder_keep(&t->folder, names, sizeof names / sizeof names[0]);
}

axl_status axl__tokenizer_load(axl_tokenizer *t, const axl__tokenizer_origin *from)
{
    const char *path = from->path;
    folder f = { .t = t };

    AXL_TRY(path ? find_on_disk(t, path) : find_in_memory(t, from));
    const char *said = path ? path : t->bare ? t->only : t->folder.place;
    bool bare = t->bare; /* a folder may turn out to be one file */
    t->source = path ? axl__path_absolute(t->ctx, path) : axl__strdup(t->ctx, said);
    if (!t->source)
        return axl__fail_nomem();
    axl__arena_init(&f.arena, t->ctx);
    axl_status status = bare ? load_bare(t, said, &f.arena) : load_folder(&f);
    axl__spm_free(t->ctx, &f.spm);
    axl__arena_free(&f.arena);
    if (status == AXL_OK) {
        status = axl__bpe_finish(&t->bpe);
        if (status == AXL_OK && t->words.kind == AXL__MODEL_BPE)
            status = axl__bpe_index(&t->bpe, t->pipeline.byte_level);
        if (status == AXL_OK)
            status = axl__word_model_finish(&t->words, &t->bpe);
        if (status < 0 && status != AXL_ERR_NOMEM)
            status = axl__fail_prefix(status, "%s", said);
    }
    axl__free(t->ctx, f.path);
    return status == AXL_OK ? keep_files(t) : status;
}
