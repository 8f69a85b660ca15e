/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.h - from a record to samples of token ids and labels.  A method (a file each in this
 * folder) puts the texts of one data set type together; what they have in common, the basic
 * tokenise step and the cutting of a draft into samples, is here.  config/dataset_types.c says how
 * a type is written and what it reads.
 */
#ifndef AXL_DATA_PROMPT_PROMPT_H
#define AXL_DATA_PROMPT_PROMPT_H

#include "base/json.h"
#include "config/dataset_types.h"
#include "config/host_types.h"
#include "text/chat_render.h"

#include <axl/tokenizer.h>

typedef struct axl__prompt axl__prompt;

/*
 * The samples of one record, ids and labels of all of them one after the other.  ends[i] is where
 * sample i ends and sample i + 1 begins; ends[n_ends - 1] is n when a method has returned.  Of a
 * record without anything to train on a method makes what Axolotl makes of it, since that moves the
 * rows behind it in the shuffle: an empty sample, or none.
 */
typedef struct axl__draft {
    axl_context *ctx;
    int32_t *ids;    /* (n) */
    int32_t *labels; /* (n) */
    uint32_t n, cap;
    uint32_t *ends;  /* (n_ends) */
    uint32_t *roles; /* (n_ends) an axl_role each */
    uint32_t n_ends, ends_cap;
    uint32_t role; /* of the samples that are emitted from now on; an axl_role */
    bool too_long; /* the record is dropped for its length before rows are merged and shuffled */
} axl__draft;

/* excess_length_strategy. */
typedef enum { AXL__LONG_DROP, AXL__LONG_TRUNCATE, AXL__LONG_RAISE } axl__long_rule;

/* How samples are made: static, one a file; several types may share one. */
typedef struct axl__prompt_method {
    const char *name; /* as in dataset_types.c */
    bool serial;      /* make is called by one thread, the caller's, record after record */
    /* Reads the entry once; AXL_ERR_INVALID names what is wrong with it.  NULL: nothing to do. */
    axl_status (*open)(axl__prompt *p);
    void (*close)(axl__prompt *p); /* what open made; NULL: nothing; not called when it failed */
    /* Adds lines that say what the samples depend on beyond entry and tokenizer; NULL: nothing. */
    void (*put_key)(const axl__prompt *p, axl__str *out);
    /* Called by several threads at once unless serial.  AXL_ERR_DATA, without the record's place: a
     * value of a wrong type. */
    axl_status (*make)(const axl__prompt *p, const axl__json *record, axl__draft *out);
    /* The text that make encodes before the answer, of an instruction and an input ("": none).
     * AXL_ERR_UNSUPPORTED names a type that has no such two; NULL: none has. */
    axl_status (*ask)(const axl__prompt *p, const char *instruction, const char *input,
                      axl__str *out);
} axl__prompt_method;

/* What a type is opened with.  All borrowed, and must live as long as the prompt. */
typedef struct axl__prompt_setup {
    axl_context *ctx;
    const axl_tokenizer *tok; /* NULL: nothing but axl__prompt_ask will be called */
    const axl__yaml *entry;   /* of datasets[], as it is in the effective config */
    const axl_config *cfg;    /* the whole of it; may be NULL where tok is */
    axl__date day;            /* that templates see where cfg names none; year 0: today */
    uint32_t sequence_len;
    axl__long_rule long_rule; /* read by preferences; other samples are cut and dropped as rows */
    bool train_on_inputs;
    axl__str *said; /* what axl__prompt_warn() said of other entries; NULL: nothing.  Not after
                     * axl__prompt_open() */
} axl__prompt_setup;

/* A type as one data set entry uses it. */
struct axl__prompt {
    axl__prompt_setup setup;
    axl__data_task task; /* the config's */
    const axl__dataset_type *type;
    const axl__prompt_method *method;
    const axl__host_type *host;                    /* where a host has registered the type; NULL */
    const char *style;                             /* behind "type:"; NULL: the type's first */
    const char *columns[AXL__DATASET_COLUMNS_MAX]; /* the type's, as the entry names them */
    const void *form;                              /* the method's own, from open to close */
    bool check_only; /* the columns' types are checked and nothing is encoded */
    int32_t bos, eos;
};

/* AXL_ERR_UNSUPPORTED names the types that exist; AXL_ERR_INVALID when the tokenizer has no EOS. */
axl_status axl__prompt_open(axl__prompt *p, const axl__prompt_setup *setup);
void axl__prompt_close(axl__prompt *p);

/* The samples of a record: the method's, or the record's own where it has input_ids,
 * attention_mask and labels. */
axl_status axl__prompt_make(const axl__prompt *p, const axl__json *record, axl__draft *out);
axl_status axl__prompt_ask(const axl__prompt *p, const char *instruction, const char *input,
                           axl__str *out);

void axl__draft_free(axl__draft *draft);
void axl__draft_clear(axl__draft *draft); /* keeps what most need */

/* ---- for the methods ---- */

/* A text of the entry, or of the mapping that is its type ("type.format"); key is one that the type
 * is said to read (else an assertion fails). */
const char *axl__prompt_setting(const axl__prompt *p, const char *key, const char *otherwise);

/* A warning, while the prompt is opened.  Entries of one config often share what it is about: it is
 * said for the first of them. */
void axl__prompt_warn(const axl__prompt *p, const char *fmt, ...) AXL_PRINTF(2, 3);

/* AXL_ERR_UNSUPPORTED: the type has no form for what is asked. */
axl_status axl__prompt_no_form(const axl__prompt *p, const char *lacks);

/* A column's text; missing and null read as "".  AXL_ERR_DATA for another type. */
axl_status axl__prompt_text(const axl__json *record, const char *column, const char **text,
                            size_t *len);

/* How a piece of a sample is encoded. */
typedef struct axl__piece {
    bool masked; /* its labels are AXL_LABEL_IGNORE */
    bool inside; /* in the middle of a sample: without the BOS that the tokenizer puts before it */
    bool plain;  /* without the tokenizer's special tokens; those in the text count all the same */
    uint8_t n_eos; /* EOS behind it, one fewer where it ends in one, and only up to max tokens */
    size_t max;    /* tokens; 0: no end.  What is cut has no EOS */
} axl__piece;

/* Each piece is encoded by itself.  With special tokens an empty text gives a BOS. */
axl_status axl__prompt_put(const axl__prompt *p, axl__draft *out, const char *text, size_t len,
                           const axl__piece *piece);

/* The two halves of an instruction sample, each cut to sequence_len.  The prompt is masked unless
 * train_on_inputs.  The response is inside the sample and gets an EOS.  An empty text gives no
 * token. */
axl_status axl__prompt_put_prompt(const axl__prompt *p, axl__draft *out, const char *text,
                                  size_t len);
axl_status axl__prompt_put_response(const axl__prompt *p, axl__draft *out, const char *text,
                                    size_t len);

/* The draft's tokens from one on are not trained. */
void axl__draft_mask(axl__draft *draft, uint32_t from, uint32_t n);
/* Room for so many tokens more. */
axl_status axl__draft_reserve(axl__draft *draft, size_t extra);

/* A column that is a list of objects: the first of them; NULL: none, as where the column is missing
 * or null.  AXL_ERR_DATA for another type. */
axl_status axl__prompt_list(const axl__json *record, const char *column, const axl__json **items);
/* Python's str.strip(). */
void axl__prompt_strip(const char **text, size_t *len);
bool axl__prompt_is(const char *text, size_t len, const char *word);
/* AXL_ERR_DATA: a member's text is none of those that are known, "human, gpt". */
axl_status axl__prompt_unknown_role(const char *key, const char *text, size_t len,
                                    const char *known);
/* Appends what PyYAML's yaml.dump(value, default_flow_style=False) gives. */
axl_status axl__prompt_put_pyyaml(axl__str *out, const axl__json *value);

/* Whether a record is a sample already, which axl__prompt_tokenized takes whatever the type; where
 * answers are compared none is. */
bool axl__prompt_is_tokenized(const axl__prompt *p, const axl__json *record);

/* Appends ids (n) with their labels (n) to the draft's last sample. */
axl_status axl__draft_put(axl__draft *draft, const int32_t *ids, const int32_t *labels, size_t n);

/* What stands for {name} in a format as of Python's str.format(); a list ends with one without a
 * name. */
typedef struct axl__text_slot {
    const char *name, *text;
    size_t len;
} axl__text_slot;
/* Formats once with the slots as they are: what works with empty texts works for every record.
 * AXL_ERR_INVALID says of the key that its text is no format of these slots. */
axl_status axl__prompt_check_format(const axl__prompt *p, const char *key, const char *format,
                                    const axl__text_slot *slots);
/* False: the text is no format of these slots. */
bool axl__prompt_put_format(axl__str *out, const char *format, const axl__text_slot *slots);

/* Opens the template that the entry chooses, or else the config.  It sees a day without its time:
 * the key of prepared data and a checkpoint have the day alone. */
axl_status axl__prompt_open_template(const axl__prompt *p, axl__chat *chat,
                                     const axl__yaml *kwargs);
/* Adds it to the key of prepared data: it may be the tokenizer's or a file's, and what it writes
 * may depend on the day. */
void axl__prompt_put_template_key(const axl__chat *chat, axl__str *out);

/* Ends a sample at `end` tokens of the draft, which is not before the last sample's end. */
axl_status axl__draft_emit(axl__draft *draft, uint32_t end);

extern const axl__prompt_method axl__prompt_instruction, axl__prompt_completion,
    axl__prompt_user_defined, axl__prompt_reflection, axl__prompt_creative, axl__prompt_segments,
    axl__prompt_pygmalion, axl__prompt_llama2_chat, axl__prompt_messages, axl__prompt_tokenized,
    axl__prompt_synthetic, axl__prompt_chat, axl__prompt_pretrain, axl__prompt_host,
    axl__prompt_pair, axl__prompt_nectar, axl__prompt_judged, axl__prompt_pair_chat,
    axl__prompt_steps;

#endif
