/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_priv.h - a tokenizer's insides, for the files of this folder that build and use it. */
#ifndef AXL_TEXT_TOKENIZER_PRIV_H
#define AXL_TEXT_TOKENIZER_PRIV_H

#include "added_tokens.h"
#include "base/arena.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/os.h"
#include "bpe.h"
#include "pipeline.h"
#include "tokenizer.h"
#include "word_model.h"

#include <stdatomic.h>

/* The named special tokens in the order in which transformers adds them. */
enum { AXL__BOS, AXL__EOS, AXL__UNK, AXL__SEP, AXL__PAD, AXL__CLS, AXL__MASK, AXL__N_SPECIALS };
extern const char *const axl__special_names[AXL__N_SPECIALS]; /* "bos_token", … */

/* U+2581, which stands for a space in SentencePiece's pieces. */
#define AXL__SPACE_MARK "\xE2\x96\x81"

/* A text may have the id -1: files name tokens that are in no vocabulary. */
typedef struct axl__special {
    const char *text; /* NULL: none */
    int32_t id;       /* -1: none */
} axl__special;

/* Which class of transformers it is built as.  The ones that are named make the pipeline and the
 * model's flags themselves; of tokenizer.json they take vocabulary, merges and post-processor. */
typedef enum {
    AXL__CLASS_FILE, /* tokenizer.json as it is written */
    AXL__CLASS_LLAMA,
    AXL__CLASS_GPT2,
    AXL__CLASS_QWEN2,
    AXL__CLASS_QWEN3_5,
    AXL__CLASS_GPT_NEOX,
    AXL__CLASS_CODEGEN,
    AXL__CLASS_COHERE,
    AXL__CLASS_GEMMA,
    AXL__CLASS_CODE_LLAMA,
    AXL__CLASS_T5,
    AXL__CLASS_BERT,
    AXL__N_CLASSES,
} axl__tokenizer_kind;

/* new_tokens.c: what the caller wants of tokens beyond the files; texts in the arena. */
typedef struct axl__made_token {
    const char *key, *text; /* key: of the option that asks for it */
    axl__slice slice;       /* text */
    int32_t id;
} axl__made_token;
typedef struct axl__token_wishes {
    bool of_config; /* messages name a config's keys */
    bool changes;   /* more than names for tokens that are there */
    const char **tokens, **special, **renamed;
    int32_t *renamed_ids; /* (n_renamed) */
    size_t n_tokens, n_special, n_renamed;
    axl__made_token *made; /* (n_made) what was added, in order; an id may come again */
    size_t n_made;
} axl__token_wishes;

struct axl_tokenizer {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    axl__arena arena; /* every text */
    /* Made in the order load, overrides, axl__added_finish(), and read-only from then on but for
     * the model's notes (see bpe.h). */
    axl__bpe bpe; /* for other models the pieces alone */
    axl__word_model words;
    axl__regexes regexes; /* of the pipeline */
    axl__added added;
    axl__pipeline pipeline;
    axl__special specials[AXL__N_SPECIALS];
    axl__tokenizer_kind class;
    bool pads_left;      /* where transformers fills up */
    bool bare;           /* one file is all of it */
    bool by_class;       /* no tokenizer.json: from the class's own vocabulary files */
    bool mistral_common; /* asked for: tekken.json, with an EOS behind each text */
    axl__folder folder;  /* where its files are; bare: with one alone */
    char *only;          /* the name of that one */
    char *source;        /* for messages; of files on disk their path from the root */
    /* What the caller changed, for saving; texts in the arena. */
    const char *pattern; /* that the caller names; NULL: none */
    const char *type, *override[AXL__N_SPECIALS];
    int32_t legacy;
    axl__token_wishes wishes;
    axl__slice chat_template; /* instead of the files' own; NULL text: none */
};

/* class_pipeline.c: what a class is of itself.  By kind. */
typedef struct axl__class_spec {
    const char *name; /* of the class; NULL for AXL__CLASS_FILE */
    /* The constructor's names for special tokens, where the files have none; NULL: none. */
    const char *specials[AXL__N_SPECIALS];
    /* Further tokens that it names itself: pairs of a key and a text; NULL for none, and behind the
     * last. */
    const char *const *others;
    const char *model;         /* of its tokenizer.json; NULL: BPE */
    bool drops_post_processor; /* that of tokenizer.json plays no part */
    /* Put around a text whatever the files say, one more than AXL__BOS and so on; 0: none. */
    uint8_t before, after;
    bool pads_left; /* where the files do not say */
} axl__class_spec;
extern const axl__class_spec axl__class_specs[AXL__N_CLASSES];

/* Sets what the class's constructor sets; nothing for AXL__CLASS_FILE.  config: the folder's
 * tokenizer_config.json, or NULL. */
axl_status axl__class_pipeline(axl_tokenizer *t, const axl__json *config);
/* What of a file's normalizer a class takes: T5 its map of characters. */
axl_status axl__class_normalizer(axl_tokenizer *t, const axl__json *normalizer);

/* A SentencePiece model as it lies in its file; texts in an arena. */
typedef enum {
    AXL__SPM_NORMAL = 1,
    AXL__SPM_UNKNOWN,
    AXL__SPM_CONTROL,
    AXL__SPM_USER_DEFINED,
    AXL__SPM_UNUSED,
    AXL__SPM_BYTE
} axl__spm_type;
typedef struct axl__spm_piece {
    axl__slice text;
    float score;
    axl__spm_type type;
} axl__spm_piece;

typedef struct axl__spm {
    axl__spm_piece *pieces; /* (n_pieces), from axl__alloc */
    uint32_t n_pieces, cap_pieces;
    axl__slice unk_piece, bos_piece, eos_piece;
    int64_t unk_id, bos_id, eos_id, model_type; /* an id -1: none; model_type 2 is BPE */
    bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces,
        whitespace_as_suffix;
    axl__slice charsmap; /* see charsmap.h */
} axl__spm;

/* Reads a file's bytes; AXL_ERR_FORMAT for what is no such model. */
axl_status axl__spm_read(axl__spm *out, axl__arena *arena, const unsigned char *data, size_t size);
void axl__spm_free(axl_context *ctx, axl__spm *spm);
/* Pieces and merges as transformers makes them, BPE or unigram, or as SentencePiece itself
 * encodes. */
axl_status axl__spm_to_bpe(axl_tokenizer *t, const axl__spm *spm);
axl_status axl__spm_to_unigram(axl_tokenizer *t, const axl__spm *spm);
axl_status axl__spm_to_bare(axl_tokenizer *t, const axl__spm *spm);

/* tiktoken.c: a rank file's bytes, whole. */
bool axl__is_tiktoken(const unsigned char *data, size_t size);
/* encoding: how words are cut, by a name; NULL: as Llama-3 does, with its special tokens. */
axl_status axl__tiktoken_to_bare(axl_tokenizer *t, const unsigned char *data, size_t size,
                                 const char *encoding);
/* As transformers takes one in a folder: without special tokens, and merges in its order. */
axl_status axl__tiktoken_to_folder(axl_tokenizer *t, const unsigned char *data, size_t size);
/* tekken.c: from the tree of a tekken.json; nothing is put around a text. */
axl_status axl__tekken_read(axl_tokenizer *t, const axl__json *root);

/* The class that transformers' AutoTokenizer takes; AXL_ERR_UNSUPPORTED for one that axl does not
 * have. */
axl_status axl__tokenizer_class(const char *type, const axl__json *tokenizer_config,
                                const axl__json *model_config, axl__tokenizer_kind *out);

/* vocabulary_files.c: what some classes have in folders without a tokenizer.json.  Their files'
 * names where they are there, for messages; NULL: they are not, and *needs is what they would be,
 * NULL for a class that has none. */
const char *axl__vocabulary_files_of(const axl_tokenizer *t, const char **needs);
/* Reads those that are there as the tree of a tokenizer.json; spm is filled where a SentencePiece
 * model is one, whose texts the tree has. */
axl_status axl__vocabulary_files_read(axl_tokenizer *t, axl__arena *arena, axl__spm *spm,
                                      const axl__json *config, const axl__json **out);
enum { AXL__T5_TOKENS_MAX = 1 << 16 }; /* extra_ids */

/* Fills model and pipeline from a tokenizer.json, as written or for the Llama class. */
axl_status axl__read_tokenizer_json(axl_tokenizer *t, const axl__json *root);
/* Flags of a token object; text borrowed.  *normalized: 1, 0, or -1 where it does not say. */
axl__added_token axl__token_from_json(const axl__json *v, int *normalized);

/* What a folder's small files say of tokens; each NULL where the file is not there. */
typedef struct axl__token_files {
    const axl__json *config, *special_map, *added, *tokenizer;
    const axl__spm *spm;
} axl__token_files;

axl_status axl__load_special_tokens(axl_tokenizer *t, const axl__token_files *files);
/* Before the files are read: checks and copies what is asked for. */
axl_status axl__take_wishes(axl_tokenizer *t, const axl_tokenizer_options *o, bool of_config);
/* Puts new texts of added tokens into the trees of the files. */
axl_status axl__rename_tokens(const axl_tokenizer *t, const axl__token_files *files);
/* When the files are read: names special tokens, and adds what is new. */
axl_status axl__add_wishes(axl_tokenizer *t, const axl_tokenizer_options *o);
bool axl__has_wishes(const axl_tokenizer *t); /* that change the tokens there are */
int32_t axl__token_id(const axl_tokenizer *t, axl__slice text); /* -1: none */

/* The files that a tokenizer is written as; the first are vocabularies, of which a bare one has the
 * first.  From AXL__OWN_FILES on they are those of a class, which count where by_class is set. */
enum { AXL__OWN_FILES = 2, AXL__VOCABULARIES = 6, AXL__TOKENIZER_FILES = 10 };
extern const char *const axl__tokenizer_files[AXL__TOKENIZER_FILES];

/* Where a tokenizer comes from: a path, or (path NULL) a host's files. */
typedef struct axl__tokenizer_origin {
    const char *path;
    const axl_file *files;
    size_t n_files;
} axl__tokenizer_origin;

/* The body of axl_tokenizer_open; of_config: messages name keys of a config. */
axl_status axl__tokenizer_open(axl_tokenizer **out, axl_context *ctx,
                               const axl__tokenizer_origin *from, const axl_tokenizer_options *opts,
                               bool of_config);
axl_status axl__tokenizer_write(const axl_tokenizer *t, const axl__outlet *to);
axl_status axl__tokenizer_load(axl_tokenizer *t, const axl__tokenizer_origin *from);
/* Of a tokenizer that nobody else has yet. */
axl_status axl__tokenizer_set_chat_template(axl_tokenizer *t, const char *text, size_t len);
void axl__llama_pipeline(axl__pipeline *p, bool legacy, bool add_prefix_space);

#endif
