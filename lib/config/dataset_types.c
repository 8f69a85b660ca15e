/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_types.c - see dataset_types.h.  The order is that of AXL__DATASET_TYPE_NAMES. */
#include "dataset_types.h"

#include "schema.h"

#include <string.h>

/* The columns and styles are those of Axolotl's prompt_strategies and prompters; one of a name here
 * reads what its load function there reads. */
#define INSTRUCTION .method = "instruction"
#define STYLES "instruct, chat, chatml, phi"
#define ALPACA                                                                                     \
    {                                                                                              \
        { .name = "instruction" }, { .name = "input", .optional = true },                          \
        {                                                                                          \
            .name = "output"                                                                       \
        }                                                                                          \
    }
#define CHOICE                                                                                     \
    {                                                                                              \
        { .name = "question" }, { .name = "choices" }, { .name = "solution", .one_of = 1 },        \
        {                                                                                          \
            .name = "explanation", .one_of = 1                                                     \
        }                                                                                          \
    }
#define TWO(a, b)                                                                                  \
    {                                                                                              \
        { .name = a },                                                                             \
        {                                                                                          \
            .name = b                                                                              \
        }                                                                                          \
    }
#define THREE(a, b, c)                                                                             \
    {                                                                                              \
        { .name = a }, { .name = b },                                                              \
        {                                                                                          \
            .name = c                                                                              \
        }                                                                                          \
    }

#define WITH_SYSTEM                                                                                \
    {                                                                                              \
        { .name = "system" }, { .name = "instruction" }, { .name = "input", .optional = true },    \
        {                                                                                          \
            .name = "output"                                                                       \
        }                                                                                          \
    }

#define ORCA THREE("system_prompt", "question", "response")

const axl__dataset_type axl__dataset_types[] = {
    { .name = "alpaca", INSTRUCTION, .styles = STYLES, .columns = ALPACA },
    { .name = "alpaca_chat",
      .module = true,
      INSTRUCTION,
      .keys = "conversation",
      .columns = ALPACA },
    { .name = "alpaca_chat.load_concise", INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_chat.load_qa", INSTRUCTION, .columns = TWO("question", "answer") },
    { .name = "alpaca_chat.load_camel_ai", INSTRUCTION, .columns = TWO("message_1", "message_2") },
    { .name = "alpaca_chat.load_no_prompt", INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_instruct", .module = true, INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_instruct.load_no_prompt", INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_w_system", .module = true, INSTRUCTION, .columns = WITH_SYSTEM },
    { .name = "alpaca_w_system.load_chat", INSTRUCTION, .columns = WITH_SYSTEM },
    { .name = "alpaca_w_system.load_instruct", INSTRUCTION, .columns = WITH_SYSTEM },
    { .name = "alpaca_w_system.load_open_orca", INSTRUCTION, .columns = ORCA },
    { .name = "alpaca_w_system.load_open_orca_chatml", INSTRUCTION, .columns = ORCA },
    { .name = "gpteacher",
      INSTRUCTION,
      .styles = STYLES,
      .columns = { { .name = "instruction" },
                   { .name = "input", .optional = true },
                   { .name = "response" } } },
    { .name = "oasst", INSTRUCTION, .styles = STYLES, .columns = TWO("INSTRUCTION", "RESPONSE") },
    { .name = "jeopardy",
      .trained = "\"what is \" and answer",
      INSTRUCTION,
      .styles = STYLES,
      .columns = THREE("question", "category", "answer") },
    { .name = "explainchoice",
      .trained = "solution, or else explanation",
      INSTRUCTION,
      .styles = STYLES,
      .columns = CHOICE },
    { .name = "concisechoice",
      .trained = "solution, or else explanation",
      INSTRUCTION,
      .styles = STYLES,
      .columns = CHOICE },
    { .name = "summarizetldr",
      INSTRUCTION,
      .styles = STYLES,
      .columns = TWO("article", "summary") },
    { .name = "orcamini", .module = true, INSTRUCTION, .columns = ORCA },
    { .name = "context_qa",
      .module = true,
      INSTRUCTION,
      .columns = THREE("article", "question", "answer") },
    { .name = "context_qa.load_404",
      .trained = "a sentence that the answer is not there",
      INSTRUCTION,
      .columns = TWO("article", "unanswerable_question") },
    { .name = "context_qa.load_v2",
      .trained = "\"Answer: \" and answer",
      INSTRUCTION,
      .columns = THREE("context", "question", "answer") },
    { .name = "creative_acr.load_answer", INSTRUCTION, .columns = TWO("instruction", "revision") },
    { .name = "creative_acr.load_critique",
      .trained = "scores and critiques as YAML",
      .method = "creative",
      .columns = { { .name = "instruction" },
                   { .name = "answer" },
                   { .name = "scores" },
                   { .name = "critiques" } } },
    { .name = "creative_acr.load_revise",
      .method = "creative",
      .columns = { { .name = "instruction" },
                   { .name = "answer" },
                   { .name = "scores" },
                   { .name = "critiques" },
                   { .name = "revision" } } },
    { .name = "reflection",
      .trained = "output, reflection and corrected",
      .method = "reflection",
      .styles = "instruct, chat",
      .columns = { { .name = "instruction" },
                   { .name = "input", .optional = true },
                   { .name = "output" },
                   { .name = "reflection" },
                   { .name = "corrected" } } },
    { .name = "metharme", .module = true, INSTRUCTION, .columns = TWO("prompt", "generation") },
    { .name = "input_output",
      .trained = "segments whose label is true",
      .module = true,
      .method = "segments",
      .columns = { { .name = "segments" } } },
    { .name = "pygmalion",
      .trained = "what bot says",
      .module = true,
      .method = "pygmalion",
      .columns = { { .name = "conversations" } } },
    { .name = "llama2_chat",
      .trained = "what gpt says",
      .module = true,
      .method = "llama2_chat",
      .columns = { { .name = "conversations" } } },
    { .name = "messages",
      .trained = "what assistant says, or messages by their train or weight",
      .module = true,
      .method = "messages",
      .keys = "chat_template, field_messages, input_transform, message_field_training, "
              "message_property_mappings",
      .columns = { { .name = "messages", .key = "field_messages" } } },
    { .name = "completion",
      .trained = "all of it",
      .module = true,
      .method = "completion",
      .keys = "field",
      .columns = { { .name = "text", .key = "field" } } },
    { .name = "chat_template",
      .trained = "what roles_to_train say, or messages by message_field_training",
      .module = true,
      .method = "chat",
      .keys = "chat_template, chat_template_jinja, chat_template_kwargs, drop_system_message, "
              "eot_tokens, field_messages, field_thinking, field_tools, message_field_content, "
              "message_field_role, message_field_training, message_field_training_detail, "
              "message_property_mappings, roles, roles_to_train, split_thinking, "
              "template_thinking_key, train_on_eos, train_on_eot",
      .columns = { { .name = "messages", .key = "field_messages" } } },
    { .name = "_synthetic",
      .trained = "all of it",
      .module = true,
      .made_up = true,
      .method = "synthetic",
      .keys = "length, sequence_length, min_input_id, max_input_id, seed" },
    { .name = "user_defined",
      .trained = "output",
      .mapping = true,
      .method = "user_defined",
      .keys = "type.field_instruction, type.field_input, type.field_output, type.field_system, "
              "type.format, type.no_input_format, type.system_format, type.system_prompt",
      .columns = { { .name = "instruction", .key = "type.field_instruction" },
                   { .name = "input", .key = "type.field_input", .optional = true },
                   { .name = "output", .key = "type.field_output" },
                   { .name = "system", .key = "type.field_system", .optional = true } } },
    { .name = "tokenized",
      .trained = "labels",
      .untyped = true,
      .method = "tokenized",
      .columns = THREE("input_ids", "attention_mask", "labels") },
};
const size_t axl__n_dataset_types = sizeof axl__dataset_types / sizeof axl__dataset_types[0];

void axl__dataset_types_put(axl__str *out)
{
    for (size_t i = 0; i < axl__n_dataset_types; i++)
        if (axl__dataset_type_has_name(&axl__dataset_types[i]))
            axl__str_putf(out, "%s%s", i ? ", " : "", axl__dataset_types[i].name);
}

const char *axl__dataset_type_instead(const char *name)
{
    if (axl__starts_with(name, "sharegpt"))
        return "Axolotl has none of the kind any more; write type: chat_template, "
               "field_messages: conversations, "
               "message_property_mappings: {role: from, content: value}";
    if (axl__starts_with(name, "ebft"))
        return "it belongs to rl: ebft, which is not supported";
    if (strstr(name, ":load_"))
        return "a function stands behind a dot: .load_";
    if (strchr(name, '.'))
        return "it names a function in Python, which axl does not run; a host can register one of "
               "its own under the name: axl_dataset_register_type()";
    return NULL;
}

bool axl__dataset_type_has_name(const axl__dataset_type *type)
{
    return !type->mapping && !type->untyped;
}

/* "alpaca_chat.load" is "alpaca_chat": a module of Axolotl's and its function of that name. */
static bool is_called(const axl__dataset_type *t, const char *name, size_t len)
{
    static const char load[] = ".load";
    size_t n = strlen(t->name), n_load = sizeof load - 1;

    if (t->module && len == n + n_load && memcmp(name + n, load, n_load) == 0)
        len = n;
    return n == len && memcmp(t->name, name, len) == 0;
}

/* "alpaca:" with nothing behind it is no style and thus no type. */
const axl__dataset_type *axl__dataset_type_find(const char *name)
{
    size_t len = strcspn(name, ":");

    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (!axl__dataset_type_has_name(t) || !is_called(t, name, len))
            continue;
        return name[len] && !axl__schema_has_value(t->styles, name + len + 1) ? NULL : t;
    }
    return NULL;
}

const axl__dataset_type *axl__dataset_type_of(const axl__yaml *entry)
{
    const axl__yaml *type = axl__yaml_get(entry, "type");
    bool map = type && type->type == AXL__YAML_MAP;

    if (type && !map && type->type != AXL__YAML_NULL && (!type->text || type->len > 0))
        return type->text ? axl__dataset_type_find(type->text) : NULL;
    for (size_t i = 0; i < axl__n_dataset_types; i++)
        if (map ? axl__dataset_types[i].mapping : axl__dataset_types[i].untyped)
            return &axl__dataset_types[i];
    return NULL;
}

bool axl__dataset_type_reads(const axl__dataset_type *type, const char *key)
{
    return axl__schema_has_value(type->keys, key);
}
