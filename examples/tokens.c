/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - the tokenizer alone, no model and no config:  tokens MODEL_DIR TEXT */
#include <axl/axl.h>

#include <stdio.h>
#include <string.h>

/* Each id on a line, with the piece of text that it stands for. */
static axl_status print_ids(const axl_tokenizer *tok, const int32_t *ids, size_t n)
{
    axl_buffer piece = AXL_BUFFER_INIT;
    axl_status status = AXL_OK;

    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        status = axl_tokenizer_decode(tok, &ids[i], 1, 0, &piece);
        if (status == AXL_OK)
            printf("%6d \"%s\"\n", (int)ids[i], (const char *)piece.data);
    }
    axl_buffer_free(&piece);
    return status;
}

static axl_status print_text(const axl_tokenizer *tok, const int32_t *ids, size_t n)
{
    axl_buffer text = AXL_BUFFER_INIT;
    axl_status status = axl_tokenizer_decode(tok, ids, n, AXL_DECODE_SKIP_SPECIAL, &text);

    if (status == AXL_OK)
        printf("text \"%s\"\n", (const char *)text.data);
    axl_buffer_free(&text);
    return status;
}

int main(int argc, char **argv)
{
    axl_context *ctx = NULL;
    axl_tokenizer *tok = NULL;
    axl_buffer ids = AXL_BUFFER_INIT;
    axl_status status;

    if (argc != 3) {
        fprintf(stderr, "usage: tokens MODEL_DIR TEXT\n");
        return 2;
    }
    if ((status = axl_context_new(&ctx, NULL)) == AXL_OK)
        status = axl_tokenizer_open(&tok, ctx, argv[1], NULL);
    if (status == AXL_OK)
        status = axl_tokenizer_encode(tok, argv[2], strlen(argv[2]), 0, &ids);
    if (status == AXL_OK)
        status = print_ids(tok, ids.data, ids.length / sizeof(int32_t));
    if (status == AXL_OK)
        status = print_text(tok, ids.data, ids.length / sizeof(int32_t));
    if (status < 0)
        fprintf(stderr, "tokens: %s\n", axl_last_error());
    axl_buffer_free(&ids);
    axl_tokenizer_free(tok);
    axl_context_free(ctx);
    return status < 0;
}
