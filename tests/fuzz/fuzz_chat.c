/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_chat.c - a record's JSON as a conversation: rendered by a built-in template, its turns found
 * and trained as one of some entries says, which the first byte picks. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 5 };

/* Between them the options that read a record. */
static const char *const datasets =
    "[{type: chat_template, chat_template: chatml, train_on_eos: turn,"
    "  message_field_training: train, message_field_training_detail: detail},"
    " {type: chat_template, chat_template: qwen3, split_thinking: true, field_tools: tools,"
    "  template_thinking_key: reasoning_content},"
    " {type: chat_template, chat_template: llama3, field_messages: conversations,"
    "  message_property_mappings: {role: from, content: value}, drop_system_message: true,"
    "  train_on_eos: all, roles_to_train: [assistant, user]},"
    " {type: chat_template, chat_template: gemma, roles_to_train: [], train_on_eos: last},"
    " {type: chat_template, chat_template: chatml, roles: {assistant: [bot, gpt], user: [human]},"
    "  train_on_eot: turn}]";

/* 256 bytes and what the templates mark turns with. */
static axl_tokenizer *open_tokenizer(void)
{
    static const char *const marks[] = { "<s>", "<|im_start|>", "<|im_end|>", "<think>",
                                         "</think>" };
    static const char config[] = "{\"bos_token\": \"<s>\", \"eos_token\": \"<|im_end|>\"}";
    static char json[16384];
    size_t at = (size_t)snprintf(json, sizeof json, "{\"added_tokens\": [");
    axl_tokenizer *tok;

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        at += (size_t)snprintf(json + at, sizeof json - at,
                               "%s{\"id\": %zu, \"content\": \"%s\", \"special\": true}",
                               i > 0 ? ", " : "", 256 + i, marks[i]);
    at += (size_t)snprintf(json + at, sizeof json - at,
                           "], \"decoder\": {\"type\": \"ByteFallback\"}, \"model\": {\"type\": "
                           "\"BPE\", \"byte_fallback\": true, \"merges\": [], \"vocab\": {");
    for (unsigned b = 0; b < 256; b++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%s\"<0x%02X>\": %u", b > 0 ? ", " : "",
                               b, b);
    at += (size_t)snprintf(json + at, sizeof json - at, "}}}");
    const axl_file files[] = { { sizeof(axl_file), "tokenizer.json", json, at },
                               { sizeof(axl_file), "tokenizer_config.json", config,
                                 sizeof config - 1 } };
    axl_status status = axl_tokenizer_open_files(&tok, fuzz_context(), files, 2, NULL);
    fuzz_must(status == AXL_OK, axl_last_error());
    return tok;
}

static axl_config *open_config(void)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_config *cfg;
    char text[2048];

    o.own_data = 1;
    int n = snprintf(text, sizeof text,
                     "base_model: m\nlearning_rate: 1e-3\nmicro_batch_size: 1\n"
                     "gradient_accumulation_steps: 1\nsequence_len: 4096\n"
                     "eot_tokens: [\"<|im_end|>\"]\ndatasets: %s\n",
                     datasets);
    axl_status status = axl_config_parse(&cfg, fuzz_context(), text, (size_t)n, NULL, &o);
    fuzz_must(status == AXL_OK, axl_last_error());
    return cfg;
}

typedef struct {
    const uint8_t *data;
    size_t size;
    bool given;
} one_record;

static int give_record(void *user, const char **record, size_t *length)
{
    one_record *r = user;

    if (r->given)
        return AXL_END;
    r->given = true;
    *record = (const char *)r->data;
    *length = r->size;
    return 0;
}

static void read_samples(const axl_dataset *data)
{
    for (uint64_t i = 0; i < axl_dataset_count(data); i++) {
        axl_sample s = AXL_SAMPLE_INIT;
        fuzz_must(axl_dataset_get_sample(data, i, &s) == AXL_OK, "a sample that was counted");
        fuzz_read_all(s.input_ids, s.length * sizeof *s.input_ids);
        fuzz_read_all(s.labels, s.length * sizeof *s.labels);
        fuzz_must(s.n_trained > 0, "a row has something to train on");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static axl_tokenizer *tok; /* these two live as long as the process */
    static axl_config *cfg;
    uint32_t entry = (uint32_t)fuzz_pick(&data, &size, ENTRIES);
    one_record r = { data ? data : (const uint8_t *)"", size, false };
    axl_dataset *set;

    if (!tok) {
        tok = open_tokenizer();
        cfg = open_config();
    }
    axl_status status = axl_dataset_from_records(&set, cfg, tok, entry, give_record, &r);
    fuzz_must((status == AXL_OK) == (set != NULL), "a data set or a failure");
    if (set)
        read_samples(set);
    axl_dataset_free(set);
    return 0;
}
