/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset_types.h - the data set types that axl has: how each is written in a config, which columns
 * of a record and which keys of its entry it reads.  lib/data/prompt has a method for each.
 */
#ifndef AXL_CONFIG_DATASET_TYPES_H
#define AXL_CONFIG_DATASET_TYPES_H

#include "yaml_tree.h"

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A column is required, that is, some record must have it, unless it is optional or one of several
 * that stand for each other. */
typedef struct axl__dataset_column {
    const char *name;
    const char *key; /* of the entry, whose value takes the name's place; NULL: there is none */
    bool optional;
    uint8_t one_of; /* above 0: one of the type's columns with this number is enough */
} axl__dataset_column;

enum { AXL__DATASET_COLUMNS_MAX = 9 };

/* What a config trains towards, which decides what its types are: rl, reward_model and
 * process_reward_model say it.  The preferences of ipo are those of dpo; simpo's are read as dpo's
 * and encoded as orpo's. */
typedef enum axl__data_task {
    AXL__TASK_TEXT, /* none of those keys */
    AXL__TASK_DPO,
    AXL__TASK_SIMPO,
    AXL__TASK_ORPO,
    AXL__TASK_KTO,
    AXL__TASK_REWARD,
    AXL__TASK_STEPS
} axl__data_task;

typedef struct axl__dataset_type {
    const char *name;    /* as in datasets[].type, without a style */
    axl__data_task task; /* that it belongs to; simpo has those of dpo */
    bool mapping;        /* meant by a mapping as datasets[].type, which no name is */
    bool untyped;        /* meant where datasets[].type says nothing */
    bool module;         /* "name.load" means it, too */
    bool made_up;        /* there are no records: path is not looked at */
    const char *method;  /* several types may share one: it has a file in lib/data/prompt */
    const char *styles; /* "instruct, chat": what may stand behind "name:"; the first is meant where
                           there is none, but of reflection; NULL: nothing may */
    const char *keys; /* "field": what it reads of its entry beyond what all types do, "type.format"
                         of a mapping; NULL */
    const char *trained; /* what of a record is; NULL: the last column */
    axl__dataset_column columns[AXL__DATASET_COLUMNS_MAX]; /* up to the first without a name */
} axl__dataset_type;

extern const axl__dataset_type axl__dataset_types[];
extern const size_t axl__n_dataset_types;

/* Every way to write one of them, for the schema; a test compares it with the list.  Types of
 * preferences whose names several tasks have stand once. */
#define AXL__DATASET_TYPE_NAMES                                                                    \
    "alpaca, alpaca:instruct, alpaca:chat, alpaca:chatml, alpaca:phi, alpaca_chat, "               \
    "alpaca_chat.load_concise, alpaca_chat.load_qa, alpaca_chat.load_camel_ai, "                   \
    "alpaca_chat.load_no_prompt, alpaca_instruct, alpaca_instruct.load_no_prompt, "                \
    "alpaca_w_system, alpaca_w_system.load_chat, alpaca_w_system.load_instruct, "                  \
    "alpaca_w_system.load_open_orca, alpaca_w_system.load_open_orca_chatml, gpteacher, "           \
    "gpteacher:instruct, gpteacher:chat, gpteacher:chatml, gpteacher:phi, oasst, "                 \
    "oasst:instruct, oasst:chat, oasst:chatml, oasst:phi, jeopardy, jeopardy:instruct, "           \
    "jeopardy:chat, jeopardy:chatml, jeopardy:phi, explainchoice, explainchoice:instruct, "        \
    "explainchoice:chat, explainchoice:chatml, explainchoice:phi, concisechoice, "                 \
    "concisechoice:instruct, concisechoice:chat, concisechoice:chatml, concisechoice:phi, "        \
    "summarizetldr, summarizetldr:instruct, summarizetldr:chat, summarizetldr:chatml, "            \
    "summarizetldr:phi, orcamini, context_qa, context_qa.load_404, context_qa.load_v2, "           \
    "creative_acr.load_answer, creative_acr.load_critique, creative_acr.load_revise, "             \
    "reflection, reflection:instruct, reflection:chat, metharme, input_output, pygmalion, "        \
    "llama2_chat, messages, completion, pretrain, chat_template, _synthetic, "                     \
    "chatml.default, chatml.argilla_chat, chatml.icr, chatml.intel, chatml.prompt_pairs, "         \
    "chatml.ultra, llama3.default, llama3.argilla_chat, llama3.icr, llama3.intel, "                \
    "llama3.prompt_pairs, llama3.ultra, zephyr.nectar, chat_template.default, "                    \
    "chat_template.argilla_chat, passthrough.default, chat_template.argilla, chatml.argilla, "     \
    "llama3.argilla, bradley_terry.chat_template, bradley_terry.llama3.icr, stepwise_supervised"

/* Of a whole config. */
axl__data_task axl__data_task_of(const axl__yaml *root);
/* Whether each of its records gives two samples, the better answer and the worse one. */
bool axl__data_task_pairs(axl__data_task task);
/* "rl: kto": what a config sets for it. */
const char *axl__data_task_name(axl__data_task task);

/* The task's types without their styles, "alpaca, completion", for messages. */
void axl__dataset_types_put(axl__str *out, axl__data_task task);

/* What to write or do where a config names a type that does not exist; NULL: nothing is known. */
const char *axl__dataset_type_instead(const char *name, axl__data_task task);

/* Of "alpaca" or "alpaca:chat"; NULL: the task has no such type, or it has no such style. */
const axl__dataset_type *axl__dataset_type_find(const char *name, axl__data_task task);
/* Of an entry of datasets[]. */
const axl__dataset_type *axl__dataset_type_of(const axl__yaml *entry, axl__data_task task);
/* What a mapping as datasets[].type means; NULL: nothing. */
const axl__dataset_type *axl__dataset_type_of_mapping(axl__data_task task);
/* Whether datasets[].type can name it. */
bool axl__dataset_type_has_name(const axl__dataset_type *type);
/* Whether the type reads a key of its entry that not all types read. */
bool axl__dataset_type_reads(const axl__dataset_type *type, const char *key);

#endif
