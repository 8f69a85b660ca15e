/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tokenizer.c - see fuzz_tokenizer.h. */
#include "fuzz_tokenizer.h"

#include <string.h>

const char fuzz_tokenizer_json[] =
    "{\"added_tokens\": [{\"id\": 0, \"content\": \"<s>\", \"special\": true}, "
    "{\"id\": 1, \"content\": \"</s>\", \"special\": true}], \"normalizer\": null, "
    "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", "
    "\"prepend_scheme\": \"first\", \"split\": false}, \"post_processor\": null, "
    "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteFallback\"}, "
    "{\"type\": \"Fuse\"}]}, \"model\": {\"type\": \"BPE\", \"unk_token\": \"<s>\", "
    "\"vocab\": {\"<s>\": 0, \"</s>\": 1, \"a\": 2, \"b\": 3, \"ab\": 4, \"_\": 5}, "
    "\"merges\": [\"a b\"]}}";

static const char *const texts[] = {
    "", "ab", " a  b\n\n", "<s>abab</s> b", "\xC3\xA9\xF0\x9F\x98\x80 a", "\xFF\xFE ab\x80",
};

static void encode_and_decode(const axl_tokenizer *tok, const void *text, size_t size)
{
    axl_buffer ids = AXL_BUFFER_INIT, back = AXL_BUFFER_INIT;
    axl_buffer again = AXL_BUFFER_INIT, offsets = AXL_BUFFER_INIT;

    if (axl_tokenizer_encode(tok, text, size, 0, &ids) != AXL_OK)
        return;
    fuzz_read_all(ids.data, ids.length);
    if (axl_tokenizer_encode_with_offsets(tok, text, size, 0, &again, &offsets) == AXL_OK) {
        fuzz_must(again.length == ids.length &&
                      (ids.length == 0 || memcmp(again.data, ids.data, ids.length) == 0),
                  "the same ids with offsets");
        fuzz_read_all(offsets.data, offsets.length);
    }
    if (axl_tokenizer_decode(tok, ids.data, ids.length / sizeof(int32_t), AXL_DECODE_SKIP_SPECIAL,
                             &back) == AXL_OK)
        fuzz_read_all(back.data, back.length);
    axl_buffer_free(&again);
    axl_buffer_free(&offsets);
    axl_buffer_free(&back);
    axl_buffer_free(&ids);
}

static int ignore_file(void *user, const axl_file *file)
{
    (void)user;
    fuzz_read_all(file->data, file->length);
    return 0;
}

void fuzz_use_tokenizer(const axl_file *files, size_t n, const uint8_t *data, size_t size)
{
    axl_tokenizer *tok;

    axl_status status = axl_tokenizer_open_files(&tok, fuzz_context(), files, n, NULL);
    fuzz_must((status == AXL_OK) == (tok != NULL), "a tokenizer or a failure");
    if (tok) {
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            encode_and_decode(tok, texts[i], strlen(texts[i]));
        encode_and_decode(tok, data, size < 200 ? size : 200);
        fuzz_must(axl_tokenizer_bos(tok) >= -1 && axl_tokenizer_eos(tok) >= -1, "an id or -1");
        axl_tokenizer_id(tok, "ab");
        fuzz_must(axl_tokenizer_save_files(tok, ignore_file, NULL) == AXL_OK,
                  "a tokenizer is saved");
    }
    axl_tokenizer_free(tok);
}
