/* SPDX-License-Identifier: Apache-2.0 */
/* verb_tokenize.c - text in, one JSON array of ids a text out. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static axl_status print_ids(const axl_tokenizer *tok, const char *text, size_t len, uint32_t flags)
{
    axl_buffer ids = AXL_BUFFER_INIT;
    axl_status status = axl_tokenizer_encode(tok, text, len, flags, &ids);
    const int32_t *id = ids.data;

    if (status == AXL_OK) {
        putchar('[');
        for (size_t i = 0; i < ids.length / sizeof *id; i++)
            printf("%s%d", i ? ", " : "", (int)id[i]);
        puts("]");
    }
    axl_buffer_free(&ids);
    return status;
}

/* ---- a JSON string a line ---- */

static size_t put_utf8(char *out, unsigned long c)
{
    if (c >= 0xD800 && c <= 0xDFFF)
        c = 0xFFFD; /* half a pair */
    if (c < 0x80)
        return out[0] = (char)c, 1;
    if (c < 0x800)
        return out[0] = (char)(0xC0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return out[0] = (char)(0xE0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)),
               out[2] = (char)(0x80 | (c & 63)), 3;
    return out[0] = (char)(0xF0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63)),
           out[2] = (char)(0x80 | (c >> 6 & 63)), out[3] = (char)(0x80 | (c & 63)), 4;
}

static bool hex4(const char *s, const char *end, unsigned long *out)
{
    char digits[5] = { 0 };
    char *stop;

    if (end - s < 4)
        return false;
    memcpy(digits, s, 4);
    *out = strtoul(digits, &stop, 16);
    return *stop == '\0' && digits[0] != '-' && digits[0] != '+' && digits[0] != ' ';
}

static bool take_unicode(const char **s, const char *end, char **out)
{
    unsigned long c, low;

    if (!hex4(*s, end, &c))
        return false;
    *s += 4;
    if (c >= 0xD800 && c < 0xDC00 && end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u' &&
        hex4(*s + 2, end, &low) && low >= 0xDC00 && low < 0xE000) {
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        *s += 6;
    }
    *out += put_utf8(*out, c);
    return true;
}

/* Decodes "…" in place; false when it is no JSON string. */
static bool unquote(char *line, size_t *len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *s = line, *end = line + *len;
    char *out = line;

    while (end > s && strchr(" \t\r", end[-1]) && end[-1])
        end--;
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    if (end - s < 2 || *s != '"' || end[-1] != '"')
        return false;
    s++, end--;
    while (s < end) {
        const char *p;
        if (*s == '"' || (unsigned char)*s < 0x20)
            return false;
        if (*s != '\\') {
            *out++ = *s++;
            continue;
        }
        if (++s == end)
            return false;
        if (*s == 'u') {
            s++;
            if (!take_unicode(&s, end, &out))
                return false;
        } else if (*s && (p = strchr(from, *s)) != NULL) {
            *out++ = to[p - from];
            s++;
        } else {
            return false;
        }
    }
    *len = (size_t)(out - line);
    return true;
}

static int print_lines(const tool *t, const axl_tokenizer *tok, const char *path, char *text,
                       size_t len, uint32_t flags)
{
    size_t at = 0;
    unsigned long line = 0;

    while (at < len) {
        char *start = text + at, *end = memchr(start, '\n', len - at);
        size_t n = end ? (size_t)(end - start) : len - at;
        at += n + 1;
        line++;
        if (n == 0)
            continue;
        if (!unquote(start, &n)) {
            fprintf(stderr,
                    "axl tokenize: %s:%lu: not a JSON string; with --jsonl every line is "
                    "one, such as \"a\\nb\"\n",
                    path, line);
            return EXIT_INPUT;
        }
        axl_status status = print_ids(tok, start, n, flags);
        if (status < 0)
            return tool_status(t, status);
    }
    return EXIT_DONE;
}

int verb_tokenize(tool *t, int argc, char **argv)
{
    axl_tokenizer_options opts = AXL_TOKENIZER_OPTIONS_INIT;
    bool no_special = false, jsonl = false;
    const char *model = NULL;
    const tool_option options[] = {
        { "model", OPTION_VALUE, NULL, &model, "DIR|FILE",
          "a model's folder, a .model file of SentencePiece, a rank file or a tekken.json" },
        { "no-special", OPTION_FLAG, &no_special, NULL, NULL,
          "without the special tokens that the tokenizer adds" },
        { "jsonl", OPTION_FLAG, &jsonl, NULL, NULL,
          "every line of the input is a text of its own, as a JSON string" },
        { "pattern", OPTION_VALUE, NULL, &opts.pattern, "NAME",
          "how the words of a rank file are cut: gpt2, cl100k_base, o200k_base, llama3, qwen2, …" },
        OPTIONS_END,
    };
    axl_tokenizer *tok = NULL;
    size_t len = 0;
    int code = tool_parse(t, argc, argv, 2, options, false);

    if (code != EXIT_DONE || t->help)
        return code;
    code = tool_at_most(t, 1);
    if (code != EXIT_DONE)
        return code;
    if (!model)
        return tool_fail(t, "--model is needed: a model's folder, or a .model file");
    code = tool_context(t, NULL);
    if (code != EXIT_DONE)
        return code;
    axl_status status = axl_tokenizer_open(&tok, t->ctx, model, &opts);
    if (status < 0)
        return tool_status(t, status);
    const char *path = t->n_positionals ? t->positionals[0] : "-";
    char *text = tool_read(t, path, &len);
    uint32_t flags = no_special ? AXL_TOKENIZE_NO_SPECIAL : 0;
    if (!text)
        code = EXIT_INPUT;
    else if (jsonl)
        code = print_lines(t, tok, path, text, len, flags);
    else
        code = tool_status(t, print_ids(tok, text, len, flags));
    free(text);
    axl_tokenizer_free(tok);
    return code;
}
