/* SPDX-License-Identifier: Apache-2.0 */
/* data_plan.h - what a config says of its data: files, types, and the settings that decide which
 * samples come out.  Two plans with equal keys give equal samples. */
#ifndef AXL_DATA_DATA_PLAN_H
#define AXL_DATA_DATA_PLAN_H

#include "base/str.h"
#include "data/dataset.h"
#include "data/prompt/prompt.h"
#include "data/read/source.h"
#include "data/read/source_files.h"
#include "data/split_spec.h"

#include <axl/dataset.h>

/* Rows of some of an entry's files, which are one split. */
typedef struct axl__data_part {
    axl__split_part rows;
    size_t first, n;
} axl__data_part;

/* One data set of the list.  ids and hashes are made by axl__data_plan_key() and are 0 before
 * it. */
typedef struct axl__data_entry {
    const axl__yaml *node; /* borrowed from the config, as format */
    axl__prompt prompt;
    const char *format; /* NULL: from the file's name */
    axl__files files;
    char *split;           /* what was asked for */
    axl__data_part *parts; /* its sum, (n_parts) */
    size_t n_parts;
    uint32_t shards, shard; /* of shuffled rows one shard is read; shards 0: all as they are */
    bool in_pieces;         /* preprocess_shards: rows are shuffled, and each piece is a data set */
    uint64_t skip;          /* records that are passed over, of streamed data */
    uint32_t n_sets;        /* data sets that it is in merging; 1 unless in_pieces */
    axl__file_id *ids;      /* (files.n) as they were hashed */
    uint64_t *hashes;       /* (files.n) of their bytes */
} axl__data_entry;

/* When prepared rows are written to where they are looked for: as soon as they are there, or by
 * axl__dataset_keep(). */
typedef enum { AXL__KEEP_NEVER, AXL__KEEP_NOW, AXL__KEEP_LATER } axl__keep;

typedef struct axl__data_plan {
    axl_context *ctx;
    const axl_config *cfg; /* borrowed */
    const char *list;      /* "datasets" or "test_datasets" */
    axl__data_entry *entries;
    size_t n_entries;
    size_t n_sets; /* data sets that are merged, of all entries */
    uint64_t seed;
    uint32_t sequence_len, min_len; /* what the rules allow */
    const char *length_key;         /* that says the first, "sequence_len" */
    axl__long_rule long_rule;
    axl__data_task task;
    bool shuffle_each, shuffle, curriculum, deduplicate;
    char *cache_dir;  /* where prepared data is looked for; NULL: nowhere */
    char *spill_path; /* or would be: tokens of a large data set go to a file near it */
    axl__keep keep;
    axl__date day;   /* that templates see where the config names none; year 0: today */
    axl__str *said;  /* borrowed while entries are opened: see axl__prompt_warn() */
    axl__feed *feed; /* borrowed: the one entry's records are a host's; NULL: files' */
} axl__data_plan;

/* Finds the files, opens no more than their folders.  Prepared data is kept in
 * dataset_prepared_path when it is set; use->for_run: else below output_dir, where others only look
 * for it. AXL_ERR_NOT_FOUND names what is missing. */
axl_status axl__data_plan_init(axl__data_plan *plan, const axl_config *cfg,
                               const axl_tokenizer *tok, const char *list,
                               const axl__data_use *use);
/* Of the i-th entry of the list alone, whose records a host hands over: its path is not looked at,
 * and nothing is looked up or kept.  AXL_ERR_INVALID: there is no such entry. */
axl_status axl__data_plan_init_fed(axl__data_plan *plan, const axl_config *cfg,
                                   const axl_tokenizer *tok, const char *list, uint32_t i,
                                   axl__feed *feed);
void axl__data_plan_free(axl__data_plan *plan);

/* Where a run keeps what it prepares, for axl__free; NULL when memory is out. */
char *axl__data_prepared_dir(const axl_config *cfg);

/* Finds the files and parts of the i-th entry of a list; e->files is empty, and e->format set. */
axl_status axl__data_files_find(axl__data_entry *e, const axl_config *cfg, const char *list,
                                size_t i);
void axl__data_files_free(axl__data_entry *e, axl_context *ctx);

/* Adds to the list what opening the i-th data set of datasets or test_datasets would not find or
 * not read by its name.  No file is opened, and what may be on the Hub is not sought. */
axl_status axl__data_files_check(axl_diagnostics *out, const axl_config *cfg, const char *list,
                                 size_t i);

/* Whether samples are cut and dropped by their length; of preferences records are, by their texts.
 */
bool axl__data_plan_has_rules(const axl__data_plan *plan);
/* Of a sample with so many tokens, how many the rules can leave: the first ones. */
uint32_t axl__data_plan_keeps(const axl__data_plan *plan, uint32_t length);

/* The length rule, and rows without a trained token; counts what is dropped (dataset_build.c). */
struct axl__store;
axl_status axl__rows_apply_rules(struct axl__store *store, const axl__data_plan *plan,
                                 axl_dataset_stats *stats);

/* Text that says all that the samples depend on, the bytes of the data files and of the
 * tokenizer's included; reads them all. */
axl_status axl__data_plan_key(axl__data_plan *plan, const axl_tokenizer *tok, axl__str *out);

#endif
