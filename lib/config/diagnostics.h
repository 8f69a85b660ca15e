/* SPDX-License-Identifier: Apache-2.0 */
/* diagnostics.h - what is wrong with a config, collected. */
#ifndef AXL_CONFIG_DIAGNOSTICS_H
#define AXL_CONFIG_DIAGNOSTICS_H

#include "base/arena.h"

#include <axl/config.h>

#include <stdbool.h>

/*
 * The number in "AXL-C0210".  A number is given once and keeps its meaning; a message that goes
 * away leaves its number unused.  README.md in this folder says what each is about.
 */
typedef enum {
    AXL__C_UNREADABLE = 100,
    /* the text */
    AXL__C_SYNTAX = 101,
    AXL__C_DUPLICATE_KEY = 102,
    AXL__C_SEVERAL_DOCUMENTS = 103,
    AXL__C_TOO_LARGE = 104,
    AXL__C_NOT_A_MAPPING = 105,
    AXL__C_ALIAS = 106,
    AXL__C_TAG = 107,
    AXL__C_KEY_NOT_SCALAR = 108,
    AXL__C_MERGE = 109,
    AXL__C_NUL = 110,
    AXL__C_OTHER_FILE = 111,
    AXL__C_OVERRIDE = 120,
    AXL__C_SWEEP = 130,
    /* one key */
    AXL__C_UNKNOWN_KEY = 201,
    AXL__C_WRONG_TYPE = 202,
    AXL__C_OUT_OF_RANGE = 203,
    AXL__C_BAD_VALUE = 204,
    AXL__C_REQUIRED = 205,
    AXL__C_UNSUPPORTED = 210,
    AXL__C_NO_EFFECT = 211,
    AXL__C_RENAMED = 212,
    AXL__C_REFUSED = 213,
    AXL__C_DROPPED = 214,
    AXL__C_UNTRAINED = 215,
    /* keys together */
    AXL__C_RENAME_CONFLICT = 301,
    AXL__C_BATCH_FIELDS = 302,
    AXL__C_BATCH_CONFLICT = 303,
    AXL__C_BATCH_DIVISION = 304,
    AXL__C_WARMUP_CONFLICT = 306,
    AXL__C_SAVE_CONFLICT = 307,
    AXL__C_EVAL_CONFLICT = 308,
    AXL__C_EVAL_WITHOUT_DATA = 309,
    AXL__C_EVAL_DATA_CONFLICT = 310,
    AXL__C_VAL_SET_SIZE = 311,
    AXL__C_ATTENTION_CONFLICT = 312,
    AXL__C_NO_TARGETS = 313,
    AXL__C_FP16 = 315,
    AXL__C_PLUGIN = 316,
    AXL__C_TARGET_REGEX = 317,
    AXL__C_ADAPTER = 318,
    AXL__C_CHECKPOINTING = 319,
    AXL__C_OPTIM_ARGS = 330,
    AXL__C_SCHEDULE = 331,
    AXL__C_BEST_WITHOUT_EVAL = 332,
    AXL__C_RATES_CONFLICT = 333,
    AXL__C_OUTPUT_PLACE = 334,
    AXL__C_STREAM = 335,
    /* what the keys name, looked at and not opened: lib/run/run_check.c */
    AXL__C_MISSING = 401,
    AXL__C_FILE_FORMAT = 402,
    AXL__C_NO_FOLDER = 403,
    AXL__C_NO_MODEL_CONFIG = 404,
    AXL__C_NO_WEIGHTS = 405,
    AXL__C_NO_TOKENIZER = 406,
    AXL__C_NO_DATA = 407,
    AXL__C_NO_ADAPTER = 408,
    AXL__C_NO_CHECKPOINT = 409
} axl__diag_id;

/* A list holds a reference to ctx and copies of its texts: it outlives the config that it is about.
 * file is what the messages call the text. */
axl_status axl__diagnostics_new(axl_diagnostics **out, axl_context *ctx, const char *file);

/* Adds one; line 0 and key NULL where there is none.  Out of memory is remembered. */
void axl__diag(axl_diagnostics *d, axl__diag_id id, axl_severity severity, uint32_t line,
               uint32_t column, const char *key, const char *fmt, ...) AXL_PRINTF(7, 8);

/* No more of them are taken; what says them may stop. */
bool axl__diagnostics_full(const axl_diagnostics *d, axl_severity severity);

/* Sorts by place.  AXL_ERR_NOMEM if one was lost; AXL_ERR_CONFIG with the first error's line as
 * last error if there is one. */
axl_status axl__diagnostics_finish(axl_diagnostics *d);

/* Each warning to the context's log, which says itself that it is one. */
void axl__diagnostics_log_warnings(const axl_diagnostics *d);

#endif
