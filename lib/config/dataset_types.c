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

const axl__dataset_type axl__dataset_types[] = {
    { .name = "alpaca", INSTRUCTION, .styles = STYLES, .columns = ALPACA },
    { .name = "alpaca_chat", INSTRUCTION, .keys = "conversation", .columns = ALPACA },
    { .name = "alpaca_chat.load_concise", INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_chat.load_qa", INSTRUCTION, .columns = TWO("question", "answer") },
    { .name = "alpaca_chat.load_camel_ai", INSTRUCTION, .columns = TWO("message_1", "message_2") },
    { .name = "alpaca_chat.load_no_prompt", INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_instruct", INSTRUCTION, .columns = ALPACA },
    { .name = "alpaca_instruct.load_no_prompt", INSTRUCTION, .columns = ALPACA },
    { .name = "gpteacher",
      INSTRUCTION,
      .styles = STYLES,
      .columns = { { .name = "instruction" },
                   { .name = "input", .optional = true },
                   { .name = "response" } } },
    { .name = "oasst", INSTRUCTION, .styles = STYLES, .columns = TWO("INSTRUCTION", "RESPONSE") },
    { .name = "jeopardy",
      INSTRUCTION,
      .styles = STYLES,
      .columns = THREE("question", "category", "answer") },
    { .name = "explainchoice", INSTRUCTION, .styles = "instruct, chat", .columns = CHOICE },
    { .name = "concisechoice", INSTRUCTION, .styles = STYLES, .columns = CHOICE },
    { .name = "summarizetldr",
      INSTRUCTION,
      .styles = STYLES,
      .columns = TWO("article", "summary") },
    { .name = "orcamini", INSTRUCTION, .columns = THREE("system_prompt", "question", "response") },
    { .name = "context_qa", INSTRUCTION, .columns = THREE("article", "question", "answer") },
    { .name = "context_qa.load_v2",
      INSTRUCTION,
      .columns = THREE("context", "question", "answer") },
    { .name = "creative_acr.load_answer", INSTRUCTION, .columns = TWO("instruction", "revision") },
    { .name = "completion",
      .method = "completion",
      .keys = "field",
      .columns = { { .name = "text", .key = "field" } } },
    { .name = "chat_template",
      .method = "chat",
      .keys = "chat_template, chat_template_jinja, chat_template_kwargs, drop_system_message, "
              "eot_tokens, field_messages, field_thinking, field_tools, message_field_content, "
              "message_field_role, message_field_training, message_field_training_detail, "
              "message_property_mappings, roles, roles_to_train, split_thinking, "
              "template_thinking_key, train_on_eos, train_on_eot",
      .columns = { { .name = "messages", .key = "field_messages" } } },
    { .name = "user_defined",
      .mapping = true,
      .method = "user_defined",
      .keys = "type.field_instruction, type.field_input, type.field_output, type.field_system, "
              "type.format, type.no_input_format, type.system_format, type.system_prompt",
      .columns = { { .name = "instruction", .key = "type.field_instruction" },
                   { .name = "input", .key = "type.field_input", .optional = true },
                   { .name = "output", .key = "type.field_output" },
                   { .name = "system", .key = "type.field_system", .optional = true } } },
};
const size_t axl__n_dataset_types = sizeof axl__dataset_types / sizeof axl__dataset_types[0];

void axl__dataset_types_put(axl__str *out)
{
    for (size_t i = 0; i < axl__n_dataset_types; i++)
        if (!axl__dataset_types[i].mapping)
            axl__str_putf(out, "%s%s", i ? ", " : "", axl__dataset_types[i].name);
}

/* "alpaca:" with nothing behind it is no style and thus no type. */
const axl__dataset_type *axl__dataset_type_find(const char *name)
{
    size_t len = strcspn(name, ":");

    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (t->mapping || strlen(t->name) != len || memcmp(t->name, name, len) != 0)
            continue;
        return name[len] && !axl__schema_has_value(t->styles, name + len + 1) ? NULL : t;
    }
    return NULL;
}

const axl__dataset_type *axl__dataset_type_of(const axl__yaml *entry)
{
    const axl__yaml *type = axl__yaml_get(entry, "type");

    if (type && type->type == AXL__YAML_STRING)
        return axl__dataset_type_find(type->text);
    for (size_t i = 0; type && type->type == AXL__YAML_MAP && i < axl__n_dataset_types; i++)
        if (axl__dataset_types[i].mapping)
            return &axl__dataset_types[i];
    return NULL;
}

bool axl__dataset_type_reads(const axl__dataset_type *type, const char *key)
{
    return axl__schema_has_value(type->keys, key);
}
