/* SPDX-License-Identifier: Apache-2.0 */
/*
 * class_pipeline.c - the classes of transformers 5.16 that make their pipeline and the model's
 * flags themselves: of a tokenizer.json they take vocabulary, merges and, most of them, the
 * post-processor.
 */
#include "normalizer.h"
#include "pre_tokenizer.h"
#include "token_decoder.h"
#include "tokenizer_priv.h"

#include <string.h>

#define END "<|endoftext|>"

/* For code between a prefix and a suffix. */
static const char *const code_llama_tokens[] = {
    "prefix_token", AXL__SPACE_MARK "<PRE>",
    "middle_token", AXL__SPACE_MARK "<MID>",
    "suffix_token", AXL__SPACE_MARK "<SUF>",
    "eot_token",    AXL__SPACE_MARK "<EOT>",
    "fill_token",   "<FILL_ME>",
    NULL,
};

const axl__class_spec axl__class_specs[AXL__N_CLASSES] = {
    [AXL__CLASS_LLAMA] = { .name = "LlamaTokenizer",
                           .specials = { [AXL__BOS] = "<s>",
                                         [AXL__EOS] = "</s>",
                                         [AXL__UNK] = "<unk>" },
                           .pads_left = true },
    [AXL__CLASS_GPT2] = { .name = "GPT2Tokenizer",
                          .specials = { [AXL__BOS] = END, [AXL__EOS] = END, [AXL__UNK] = END } },
    [AXL__CLASS_QWEN2] = { .name = "Qwen2Tokenizer",
                           .specials = { [AXL__EOS] = END, [AXL__UNK] = END, [AXL__PAD] = END } },
    [AXL__CLASS_QWEN3_5] = { .name = "Qwen3_5Tokenizer",
                             .specials = { [AXL__EOS] = END, [AXL__UNK] = END, [AXL__PAD] = END } },
    /* Its constructor makes the post-processor last, when add_bos_token and add_eos_token are gone
     * from a folder with a tokenizer.json. */
    [AXL__CLASS_GPT_NEOX] = { .name = "GPTNeoXTokenizer",
                              .specials = { [AXL__BOS] = END,
                                            [AXL__EOS] = END,
                                            [AXL__UNK] = END,
                                            [AXL__PAD] = "<|padding|>" },
                              .drops_post_processor = true },
    [AXL__CLASS_CODEGEN] = { .name = "CodeGenTokenizer",
                             .specials = { [AXL__BOS] = END, [AXL__EOS] = END, [AXL__UNK] = END } },
    [AXL__CLASS_COHERE] = { .name = "CohereTokenizer",
                            .specials = { [AXL__BOS] = "<BOS_TOKEN>",
                                          [AXL__EOS] = "<|END_OF_TURN_TOKEN|>",
                                          [AXL__UNK] = "<UNK>",
                                          [AXL__SEP] = "<SEP>",
                                          [AXL__PAD] = "<PAD>",
                                          [AXL__CLS] = "<CLS>",
                                          [AXL__MASK] = "<MASK_TOKEN>" },
                            .pads_left = true },
    [AXL__CLASS_GEMMA] = { .name = "GemmaTokenizer",
                           .specials = { [AXL__BOS] = "<bos>",
                                         [AXL__EOS] = "<eos>",
                                         [AXL__UNK] = "<unk>",
                                         [AXL__PAD] = "<pad>",
                                         [AXL__MASK] = "<mask>" },
                           .pads_left = true },
    [AXL__CLASS_CODE_LLAMA] = { .name = "CodeLlamaTokenizer",
                                .specials = { [AXL__BOS] = "<s>",
                                              [AXL__EOS] = "</s>",
                                              [AXL__UNK] = "<unk>" },
                                .others = code_llama_tokens,
                                .drops_post_processor = true,
                                .before = 1 + AXL__BOS,
                                .pads_left = true },
    [AXL__CLASS_T5] = { .name = "T5Tokenizer",
                        .specials = { [AXL__EOS] = "</s>",
                                      [AXL__UNK] = "<unk>",
                                      [AXL__PAD] = "<pad>" },
                        .model = "Unigram",
                        .drops_post_processor = true,
                        .after = 1 + AXL__EOS },
    [AXL__CLASS_BERT] = { .name = "BertTokenizer",
                          .specials = { [AXL__UNK] = "[UNK]",
                                        [AXL__SEP] = "[SEP]",
                                        [AXL__PAD] = "[PAD]",
                                        [AXL__CLS] = "[CLS]",
                                        [AXL__MASK] = "[MASK]" },
                          .model = "WordPiece",
                          .drops_post_processor = true,
                          .before = 1 + AXL__CLS,
                          .after = 1 + AXL__SEP },
};

/* Parts of two classes as a tokenizer.json would write them. */
static const char t5_words[] =
    "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"}, "
    "{\"type\": \"Metaspace\", \"replacement\": \"" AXL__SPACE_MARK "\", "
    "\"prepend_scheme\": \"always\", \"split\": true}]}";
static const char t5_decoder[] = "{\"type\": \"Metaspace\", \"replacement\": \"" AXL__SPACE_MARK
                                 "\", \"prepend_scheme\": \"always\", \"split\": true}";
static const char bert_words[] = "{\"type\": \"BertPreTokenizer\"}";
static const char bert_decoder[] =
    "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}";

/* What Qwen3_5Tokenizer cuts words with: Qwen2's, where marks are letters. */
static const char qwen3_5_words[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
    "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* ---- SentencePiece's kind ---- */

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

static void set_llama(axl_tokenizer *t, const axl__json *config)
{
    const axl__json *prefix = axl__json_get(config, "add_prefix_space");
    bool legacy = axl__json_truthy(axl__json_get(config, "legacy"), false);

    if (t->legacy >= 0)
        legacy = t->legacy != 0;
    t->bpe.byte_fallback = t->bpe.fuse_unk = true;
    axl__llama_pipeline(&t->pipeline, legacy,
                        !prefix || prefix->type == AXL__JSON_NULL ||
                            axl__json_truthy(prefix, true));
}

/* What a constructor gives the model: unknown characters are bytes, else one token. */
static axl_status set_unk(axl_tokenizer *t, const axl__json *config)
{
    const axl__json *unk = axl__json_get(config, "unk_token");
    const axl__json *content = axl__json_get(unk, "content");

    if (content)
        unk = content;
    t->bpe.byte_fallback = t->bpe.fuse_unk = true;
    t->bpe.unk_text = unk && unk->type == AXL__JSON_STRING
                          ? axl__arena_strndup(&t->arena, unk->text, unk->len)
                          : axl__class_specs[t->class].specials[AXL__UNK];
    return t->bpe.unk_text ? AXL_OK : axl__fail_nomem();
}

/* It cuts at spaces, too, but behind its normalizer there are none. */
static axl_status set_gemma(axl_tokenizer *t, const axl__json *config)
{
    axl__pipeline *p = &t->pipeline;

    axl__llama_pipeline(p, false, false);
    memset(&p->metaspace, 0, sizeof p->metaspace);
    p->normalizer[p->n_normalizer++] = (axl__normalizer_step){ .kind = AXL__REPLACE,
                                                               .from = { " ", 1 },
                                                               .to = { AXL__SPACE_MARK, 3 } };
    return set_unk(t, config);
}

/* The decoder strips a space whether one was put there or not. */
static axl_status set_code_llama(axl_tokenizer *t, const axl__json *config)
{
    const axl__json *prefix = axl__json_get(config, "add_prefix_space");

    axl__llama_pipeline(&t->pipeline, false, true);
    if (prefix && prefix->type != AXL__JSON_NULL && !axl__json_truthy(prefix, true))
        t->pipeline.metaspace.scheme = AXL__PREFIX_NEVER;
    return set_unk(t, config);
}

/* ---- bytes ---- */

static void add_words(axl__pipeline *p, axl__splitter into, bool prefix_space)
{
    p->cuts[p->n_cuts++] = (axl__cut){ .into = into, .prefix_space = prefix_space };
}

static axl_status set_qwen3_5(axl_tokenizer *t, bool prefix)
{
    axl__pipeline *p = &t->pipeline;
    axl__cut *cut = &p->cuts[p->n_cuts++];

    *cut = (axl__cut){ .kind = AXL__CUT_REGEX };
    AXL_TRY(axl__regexes_add(&t->regexes, qwen3_5_words, sizeof qwen3_5_words - 1, &cut->regex));
    add_words(p, AXL__SPLIT_NONE, prefix);
    p->cuts[p->n_cuts++] = (axl__cut){ .kind = AXL__CUT_BYTES };
    p->byte_level = false;
    p->general = true;
    return AXL_OK;
}

static axl_status set_byte_level(axl_tokenizer *t, const axl__json *config)
{
    axl__pipeline *p = &t->pipeline;
    bool prefix = axl__json_truthy(axl__json_get(config, "add_prefix_space"), false);

    p->byte_level = true;
    p->decoder[p->n_decoder++] = (axl__decoder_step){ .kind = AXL__DECODE_BYTE_LEVEL };
    if (t->class != AXL__CLASS_GPT2 && t->class != AXL__CLASS_CODEGEN)
        p->normalizer[p->n_normalizer++] = (axl__normalizer_step){ .kind = AXL__NFC };
    if (t->class == AXL__CLASS_QWEN3_5)
        return set_qwen3_5(t, prefix);
    if (t->class == AXL__CLASS_QWEN2) {
        add_words(p, AXL__SPLIT_QWEN2, false);
        add_words(p, AXL__SPLIT_NONE, prefix);
        return AXL_OK;
    }
    if (t->class == AXL__CLASS_COHERE)
        add_words(p, AXL__SPLIT_DIGITS, false);
    add_words(p, AXL__SPLIT_GPT2, prefix);
    return AXL_OK;
}

/* ---- words ---- */

static axl_status read_parts(axl_tokenizer *t, const char *words, const char *decoder)
{
    axl__part cutter = { "pre_tokenizer", NULL, &t->arena }, back = { "decoder", NULL, &t->arena };
    axl__json *root;

    AXL_TRY(axl__json_parse(&root, &t->arena, words, strlen(words), NULL));
    cutter.json = root;
    AXL_TRY(axl__read_pre_tokenizer(&t->pipeline, &cutter, &t->regexes));
    AXL_TRY(axl__json_parse(&root, &t->arena, decoder, strlen(decoder), NULL));
    back.json = root;
    t->pipeline.general = true;
    return axl__read_decoder(&t->pipeline, &back, &t->regexes);
}

static axl_status set_bert(axl_tokenizer *t, const axl__json *config)
{
    const axl__json *accents = axl__json_get(config, "strip_accents");
    bool lower = axl__json_truthy(axl__json_get(config, "do_lower_case"), true);

    t->pipeline.normalizer[t->pipeline.n_normalizer++] = (axl__normalizer_step){
        .kind = AXL__BERT,
        .clean = true,
        .space_chinese = axl__json_truthy(axl__json_get(config, "tokenize_chinese_chars"), true),
        .strip_accents =
            accents && accents->type != AXL__JSON_NULL ? axl__json_truthy(accents, lower) : lower,
        .lower = lower
    };
    AXL_TRY(set_unk(t, config));
    t->words.unk = (axl__slice){ t->bpe.unk_text, strlen(t->bpe.unk_text) };
    return read_parts(t, bert_words, bert_decoder);
}

axl_status axl__class_normalizer(axl_tokenizer *t, const axl__json *normalizer)
{
    const axl__json *list = axl__json_get(normalizer, "normalizers");
    const axl__json *v = list ? list->child : normalizer;

    if (t->class != AXL__CLASS_T5)
        return AXL_OK;
    for (; v; v = list ? v->next : NULL)
        if (strcmp(axl__json_string(v, "type", ""), "Precompiled") == 0) {
            axl__part part = { "normalizer", v, &t->arena };
            return axl__read_normalizer(&t->pipeline, &part, &t->regexes);
        }
    return AXL_OK;
}

axl_status axl__class_pipeline(axl_tokenizer *t, const axl__json *config)
{
    if (t->class == AXL__CLASS_FILE)
        return AXL_OK;
    if (t->class == AXL__CLASS_T5)
        return read_parts(t, t5_words, t5_decoder);
    if (t->class == AXL__CLASS_BERT)
        return set_bert(t, config);
    if (t->class == AXL__CLASS_GEMMA)
        return set_gemma(t, config);
    if (t->class == AXL__CLASS_CODE_LLAMA)
        return set_code_llama(t, config);
    if (t->class != AXL__CLASS_LLAMA)
        return set_byte_level(t, config);
    set_llama(t, config);
    return AXL_OK;
}
