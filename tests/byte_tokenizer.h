/* SPDX-License-Identifier: Apache-2.0 */
/* byte_tokenizer.h - a tokenizer of 256 bytes, <s> (256), </s> (257) and <unk>: a text's ids are
 * its bytes, with a BOS before them and, where `ends` says so, an EOS behind. */
#ifndef AXL_TESTS_BYTE_TOKENIZER_H
#define AXL_TESTS_BYTE_TOKENIZER_H

#include "testing.h"

#include <axl/tokenizer.h>

#include <sys/stat.h>

enum { BYTE_BOS = 256, BYTE_EOS = 257 };

static inline void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static inline void write_byte_tokenizer(const char *dir, int ends)
{
    char path[600];

    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, "
               "\"added_tokens\": [");
    for (int i = 0; i < 3; i++)
        fprintf(f,
                "%s{\"id\": %d, \"content\": \"%s\", \"single_word\": false, \"lstrip\": false, "
                "\"rstrip\": false, \"normalized\": false, \"special\": true}",
                i ? ", " : "", BYTE_BOS + i,
                i == 0   ? "<s>"
                : i == 1 ? "</s>"
                         : "<unk>");
    fprintf(f,
            "], \"normalizer\": null, \"pre_tokenizer\": null, "
            "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": ["
            "{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}}, "
            "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}%s], \"pair\": [], "
            "\"special_tokens\": {"
            "\"<s>\": {\"id\": \"<s>\", \"ids\": [256], \"tokens\": [\"<s>\"]}%s}}, ",
            ends ? ", {\"SpecialToken\": {\"id\": \"</s>\", \"type_id\": 0}}" : "",
            ends ? ", \"</s>\": {\"id\": \"</s>\", \"ids\": [257], \"tokens\": [\"</s>\"]}" : "");
    fprintf(f, "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteFallback\"}, "
               "{\"type\": \"Fuse\"}]}, \"model\": {\"type\": \"BPE\", \"dropout\": null, "
               "\"unk_token\": \"<unk>\", \"continuing_subword_prefix\": null, "
               "\"end_of_word_suffix\": null, \"fuse_unk\": true, \"byte_fallback\": true, "
               "\"vocab\": {");
    for (int b = 0; b < 256; b++)
        fprintf(f, "\"<0x%02X>\": %d, ", (unsigned)b, b);
    fprintf(f, "\"<s>\": 256, \"</s>\": 257, \"<unk>\": 258}, \"merges\": []}}");
    assert_int_equal(fclose(f), 0);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    write_text(path, "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"bos_token\": \"<s>\", "
                     "\"eos_token\": \"</s>\", \"unk_token\": \"<unk>\"}");
}

static inline axl_tokenizer *byte_tokenizer(axl_context *ctx, int ends)
{
    char dir[512];
    axl_tokenizer *tok;

    snprintf(dir, sizeof dir, "%s/tok%d", test_temp_dir(), ends);
    write_byte_tokenizer(dir, ends);
    assert_ok(axl_tokenizer_open(&tok, ctx, dir, NULL));
    return tok;
}

#endif
