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

/* Of preferences: a task's records hold answers that are compared or judged. */
#define SYSTEM                                                                                     \
    {                                                                                              \
        .name = "system", .optional = true                                                         \
    }
#define PAIR(task_, name_, ...)                                                                    \
    {                                                                                              \
        .name = name_, .task = AXL__TASK_##task_, .method = "pair",                                \
        .trained = "chosen and rejected", .columns = {                                             \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define JUDGED(name_, ...)                                                                         \
    {                                                                                              \
        .name = name_, .task = AXL__TASK_KTO, .method = "judged", .trained = "completion",         \
        .columns = {                                                                               \
            __VA_ARGS__,                                                                           \
            { .name = "completion" },                                                              \
            { .name = "label" }                                                                    \
        }                                                                                          \
    }
#define CHAT_KEYS                                                                                  \
    "chat_template, chat_template_jinja, message_field_content, message_field_role, "              \
    "message_property_mappings, roles"
#define ANSWERS                                                                                    \
    { .name = "chosen" },                                                                          \
    {                                                                                              \
        .name = "rejected"                                                                         \
    }
#define ANY_NAMES                                                                                  \
    { .name = "prompt", .one_of = 1 }, { .name = "input", .one_of = 1 },                           \
        { .name = "question", .one_of = 1 }, { .name = "instruction", .one_of = 1 },               \
        { .name = "chosen", .one_of = 2 }, { .name = "chosen_response", .one_of = 2 },             \
        { .name = "rejected", .one_of = 3 },                                                       \
    {                                                                                              \
        .name = "rejected_response", .one_of = 3                                                   \
    }

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
    { .name = "pretrain",
      .trained = "all of it",
      .module = true,
      .method = "pretrain",
      .keys = "text_column",
      .columns = { { .name = "text", .key = "text_column" } } },
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

    /* rl: dpo, ipo, simpo */
    PAIR(DPO, "chatml.default", ANY_NAMES, SYSTEM),
    PAIR(DPO, "chatml.argilla_chat", ANSWERS),
    PAIR(DPO, "chatml.icr", { .name = "input" }, ANSWERS, SYSTEM),
    PAIR(DPO, "chatml.intel", { .name = "question" }, ANSWERS, SYSTEM),
    PAIR(DPO, "chatml.prompt_pairs", { .name = "prompt" }, ANSWERS, SYSTEM),
    PAIR(DPO, "chatml.ultra", { .name = "prompt" }, ANSWERS, SYSTEM),
    PAIR(DPO, "llama3.default", ANY_NAMES, SYSTEM),
    PAIR(DPO, "llama3.argilla_chat", ANSWERS),
    PAIR(DPO, "llama3.icr", { .name = "input" }, ANSWERS, SYSTEM),
    PAIR(DPO, "llama3.intel", { .name = "question" }, ANSWERS, SYSTEM),
    PAIR(DPO, "llama3.prompt_pairs", { .name = "prompt" }, ANSWERS, SYSTEM),
    PAIR(DPO, "llama3.ultra", { .name = "prompt" }, ANSWERS, SYSTEM),
    { .name = "zephyr.nectar",
      .task = AXL__TASK_DPO,
      .trained = "the last two of answers by rank",
      .method = "nectar",
      .columns = TWO("prompt", "answers") },
    { .name = "chat_template.default",
      .task = AXL__TASK_DPO,
      .trained = "chosen and rejected",
      .method = "pair_chat",
      .keys = CHAT_KEYS ", field_messages, field_chosen, field_rejected",
      .columns = { { .name = "messages", .key = "field_messages" },
                   { .name = "chosen", .key = "field_chosen" },
                   { .name = "rejected", .key = "field_rejected" } } },
    { .name = "chat_template.argilla_chat",
      .task = AXL__TASK_DPO,
      .trained = "the last messages of chosen and rejected",
      .method = "pair_chat",
      .keys = CHAT_KEYS ", field_chosen, field_rejected",
      .columns = { { .name = "chosen", .key = "field_chosen" },
                   { .name = "rejected", .key = "field_rejected" } } },
    PAIR(DPO, "passthrough.default", { .name = "prompt" }, ANSWERS),
    { .name = "user_defined",
      .task = AXL__TASK_DPO,
      .mapping = true,
      .trained = "chosen and rejected",
      .method = "pair",
      .keys = "type.field_prompt, type.field_system, type.field_chosen, type.field_rejected, "
              "type.prompt_format, type.chosen_format, type.rejected_format",
      .columns = { { .name = "prompt", .key = "type.field_prompt" },
                   { .name = "chosen", .key = "type.field_chosen" },
                   { .name = "rejected", .key = "type.field_rejected" },
                   { .name = "system", .key = "type.field_system", .optional = true } } },
    { .name = "preferences",
      .task = AXL__TASK_DPO,
      .untyped = true,
      .trained = "chosen and rejected",
      .method = "pair",
      .columns = THREE("prompt", "chosen", "rejected") },

    /* rl: orpo */
    { .name = "chat_template.argilla",
      .task = AXL__TASK_ORPO,
      .trained = "the last messages of chosen and rejected",
      .method = "pair_chat",
      .columns = { ANSWERS, { .name = "prompt", .optional = true }, SYSTEM } },
    { .name = "preferences",
      .task = AXL__TASK_ORPO,
      .untyped = true,
      .trained = "chosen and rejected",
      .method = "pair",
      .columns = THREE("prompt", "chosen", "rejected") },

    /* rl: kto */
    JUDGED("chatml.argilla", { .name = "instruction" }, SYSTEM),
    { .name = "chatml.argilla_chat",
      .task = AXL__TASK_KTO,
      .trained = "the last message of completion",
      .method = "judged",
      .columns = TWO("completion", "label") },
    JUDGED("chatml.intel", { .name = "question" }, SYSTEM),
    JUDGED("chatml.prompt_pairs", { .name = "prompt" }, SYSTEM),
    JUDGED("chatml.ultra", { .name = "prompt" }, SYSTEM),
    JUDGED("llama3.argilla", { .name = "instruction" }, SYSTEM),
    { .name = "llama3.argilla_chat",
      .task = AXL__TASK_KTO,
      .trained = "the last message of completion",
      .method = "judged",
      .columns = TWO("completion", "label") },
    JUDGED("llama3.intel", { .name = "question" }, SYSTEM),
    JUDGED("llama3.prompt_pairs", { .name = "prompt" }, SYSTEM),
    JUDGED("llama3.ultra", { .name = "prompt" }, SYSTEM),
    { .name = "user_defined",
      .task = AXL__TASK_KTO,
      .mapping = true,
      .trained = "completion",
      .method = "judged",
      .keys = "type.field_prompt, type.field_system, type.field_completion, type.field_label, "
              "type.prompt_format, type.completion_format",
      .columns = { { .name = "prompt", .key = "type.field_prompt" },
                   { .name = "completion", .key = "type.field_completion" },
                   { .name = "label", .key = "type.field_label" },
                   { .name = "system", .key = "type.field_system", .optional = true } } },
    { .name = "judged",
      .task = AXL__TASK_KTO,
      .untyped = true,
      .trained = "completion",
      .method = "judged",
      .columns = THREE("prompt", "completion", "label") },

    /* reward_model, process_reward_model */
    { .name = "bradley_terry.chat_template",
      .task = AXL__TASK_REWARD,
      .trained = "the last token's reward, chosen above rejected",
      .method = "pair_chat",
      .keys = "chat_template, chat_template_jinja, drop_system_message",
      .columns = { { .name = "system" }, { .name = "input" }, ANSWERS } },
    { .name = "bradley_terry.llama3.icr",
      .task = AXL__TASK_REWARD,
      .trained = "the last token's reward, chosen above rejected",
      .method = "pair",
      .columns = { { .name = "input" }, ANSWERS, SYSTEM } },
    { .name = "stepwise_supervised",
      .task = AXL__TASK_STEPS,
      .trained = "the last token of each of completions, by labels",
      .method = "steps",
      .keys = "step_separator, max_completion_length, train_on_last_step_only",
      .columns = THREE("prompt", "completions", "labels") },
    { .name = "tokenized",
      .task = AXL__TASK_STEPS,
      .trained = "labels, each 0 or 1",
      .untyped = true,
      .method = "tokenized",
      .columns = THREE("input_ids", "attention_mask", "labels") },
};
const size_t axl__n_dataset_types = sizeof axl__dataset_types / sizeof axl__dataset_types[0];

axl__data_task axl__data_task_of(const axl__yaml *root)
{
    static const struct {
        const char *rl;
        axl__data_task task;
    } tasks[] = { { "dpo", AXL__TASK_DPO },
                  { "ipo", AXL__TASK_DPO },
                  { "simpo", AXL__TASK_SIMPO },
                  { "orpo", AXL__TASK_ORPO },
                  { "kto", AXL__TASK_KTO } };
    const axl__yaml *rl = axl__yaml_get(root, "rl");
    const axl__yaml *reward = axl__yaml_get(root, "reward_model");
    const axl__yaml *steps = axl__yaml_get(root, "process_reward_model");

    for (size_t i = 0; rl && rl->text && i < sizeof tasks / sizeof tasks[0]; i++)
        if (strcmp(tasks[i].rl, rl->text) == 0)
            return tasks[i].task;
    return reward && reward->boolean ? AXL__TASK_REWARD
           : steps && steps->boolean ? AXL__TASK_STEPS
                                     : AXL__TASK_TEXT;
}

bool axl__data_task_pairs(axl__data_task task)
{
    return task == AXL__TASK_DPO || task == AXL__TASK_SIMPO || task == AXL__TASK_ORPO ||
           task == AXL__TASK_REWARD;
}

const char *axl__data_task_name(axl__data_task task)
{
    switch (task) {
    case AXL__TASK_DPO: return "rl: dpo, ipo or simpo";
    case AXL__TASK_SIMPO: return "rl: simpo";
    case AXL__TASK_ORPO: return "rl: orpo";
    case AXL__TASK_KTO: return "rl: kto";
    case AXL__TASK_REWARD: return "reward_model: true";
    case AXL__TASK_STEPS: return "process_reward_model: true";
    case AXL__TASK_TEXT: break;
    }
    return "neither rl nor a reward model";
}

static bool is_of(const axl__dataset_type *t, axl__data_task task)
{
    return t->task == (task == AXL__TASK_SIMPO ? AXL__TASK_DPO : task);
}

void axl__dataset_types_put(axl__str *out, axl__data_task task)
{
    bool any = false;

    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (!is_of(t, task) || !axl__dataset_type_has_name(t))
            continue;
        axl__str_putf(out, "%s%s", any ? ", " : "", t->name);
        any = true;
    }
}

/* Of a name that only another task knows. */
static const char *instead_of_task(const char *name, axl__data_task task)
{
    static const struct {
        axl__data_task task;
        const char *instead;
    } others[] = {
        { AXL__TASK_TEXT, "it is for texts to learn, and rl or a reward model is set" },
        { AXL__TASK_DPO, "it belongs to rl: dpo, ipo or simpo" },
        { AXL__TASK_ORPO, "it belongs to rl: orpo" },
        { AXL__TASK_KTO, "it belongs to rl: kto" },
        { AXL__TASK_REWARD, "it belongs to reward_model: true" },
        { AXL__TASK_STEPS, "it belongs to process_reward_model: true" },
    };

    if (task == AXL__TASK_ORPO && strcmp(name, "chat_template") == 0)
        return "with rl: orpo Axolotl loads chat_template.argilla alone";
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i].task != task && axl__dataset_type_find(name, others[i].task))
            return others[i].instead;
    return NULL;
}

const char *axl__dataset_type_instead(const char *name, axl__data_task task)
{
    const char *other = instead_of_task(name, task);

    if (other)
        return other;
    if (axl__starts_with(name, "sharegpt"))
        return "Axolotl has none of the kind any more; write type: chat_template, "
               "field_messages: conversations, "
               "message_property_mappings: {role: from, content: value}";
    if (axl__starts_with(name, "ebft"))
        return "it belongs to rl: ebft, which is not supported";
    if (strstr(name, ":load_"))
        return "a function stands behind a dot: .load_";
    if (strchr(name, '.') && task != AXL__TASK_TEXT)
        return "it names a function in Python, which axl does not run";
    if (strchr(name, '.'))
        return "it names a function in Python, which axl does not run; a host can register one of "
               "its own under the name: axl_dataset_register_type()";
    return NULL;
}

bool axl__dataset_type_has_name(const axl__dataset_type *type)
{
    return !type->mapping && !type->untyped;
}

/* "alpaca_chat.load" is "alpaca_chat", a module of Axolotl's and its function of that name, and of
 * preferences "chatml" is "chatml.default". */
static bool is_called(const axl__dataset_type *t, const char *name, size_t len)
{
    static const char load[] = ".load", otherwise[] = ".default";
    size_t n = strlen(t->name), n_load = sizeof load - 1, n_otherwise = sizeof otherwise - 1;

    if (t->module && len == n + n_load && memcmp(name + n, load, n_load) == 0)
        len = n;
    if (n == len + n_otherwise && strcmp(t->name + len, otherwise) == 0)
        n = len;
    return n == len && memcmp(t->name, name, len) == 0;
}

/* "alpaca:" with nothing behind it is no style and thus no type. */
const axl__dataset_type *axl__dataset_type_find(const char *name, axl__data_task task)
{
    size_t len = strcspn(name, ":");

    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (!is_of(t, task) || !axl__dataset_type_has_name(t) || !is_called(t, name, len))
            continue;
        return name[len] && !axl__schema_has_value(t->styles, name + len + 1) ? NULL : t;
    }
    return NULL;
}

static const axl__dataset_type *find_unnamed(axl__data_task task, bool mapping)
{
    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        if (is_of(t, task) && (mapping ? t->mapping : t->untyped))
            return t;
    }
    return NULL;
}

const axl__dataset_type *axl__dataset_type_of_mapping(axl__data_task task)
{
    return find_unnamed(task, true);
}

const axl__dataset_type *axl__dataset_type_of(const axl__yaml *entry, axl__data_task task)
{
    const axl__yaml *type = axl__yaml_get(entry, "type");
    bool map = type && type->type == AXL__YAML_MAP;

    if (type && !map && type->type != AXL__YAML_NULL && (!type->text || type->len > 0))
        return type->text ? axl__dataset_type_find(type->text, task) : NULL;
    return find_unnamed(task, map);
}

bool axl__dataset_type_reads(const axl__dataset_type *type, const char *key)
{
    return axl__schema_has_value(type->keys, key);
}
