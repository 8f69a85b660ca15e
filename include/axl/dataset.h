/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file dataset.h
 * Tokenised training samples: from the files that a config names, or from a host's memory.
 * Immutable once built; several threads may read one.
 */
#ifndef AXL_DATASET_H
#define AXL_DATASET_H

#include <axl/config.h>
#include <axl/context.h>
#include <axl/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_dataset axl_dataset;

/** The label of a token that is not trained. */
#define AXL_LABEL_IGNORE (-100)

/** Which part of a config's data. */
typedef enum axl_split {
    AXL_SPLIT_TRAIN = 0,
    AXL_SPLIT_VALIDATION = 1, /**< cut off by val_set_size, or test_datasets */
    AXL_SPLIT_FORCE_INT32 = 0x7fffffff
} axl_split;

/** What a sample is to a loss that compares answers. */
typedef enum axl_role {
    AXL_ROLE_PLAIN = 0,       /**< an example to learn from, as without preferences */
    AXL_ROLE_CHOSEN = 1,      /**< the better answer of a pair */
    AXL_ROLE_REJECTED = 2,    /**< the worse answer of a pair */
    AXL_ROLE_DESIRABLE = 3,   /**< an answer without a partner that is wanted */
    AXL_ROLE_UNDESIRABLE = 4, /**< and one that is not */
    AXL_ROLE_STEPS = 5,       /**< steps that are judged: labels are no ids but 1 or 0 where a step
                                   ends that is right or wrong */
    AXL_ROLE_FORCE_INT32 = 0x7fffffff
} axl_role;

/** One sample.  labels[i] is the label of input_ids[i] (not shifted), or AXL_LABEL_IGNORE. */
typedef struct axl_sample {
    size_t size;              /**< sizeof(axl_sample); set by the caller */
    const int32_t *input_ids; /**< (length) */
    const int32_t *labels;    /**< (length) */
    const char *source;       /**< the file it was read from; NULL for a host's own */
    uint64_t row;             /**< 0-based record in the source */
    uint32_t length;          /**< tokens */
    uint32_t n_trained;       /**< labels that train a prediction: not the first token's */
    uint32_t part;            /**< which of the samples of one record */
    uint32_t role;            /**< an axl_role */
    uint32_t pair;            /**< which pair a chosen or rejected one belongs to: the two have the
                                   same number */
    uint32_t reserved0;       /**< must be 0 */
} axl_sample;

#define AXL_SAMPLE_INIT                                                                            \
    {                                                                                              \
        sizeof(axl_sample), NULL, NULL, NULL, 0, 0u, 0u, 0u, 0u, 0u, 0u                            \
    }

/** What became of the rows that were read for this split. */
typedef struct axl_dataset_stats {
    size_t size;                 /**< sizeof(axl_dataset_stats); set by the caller */
    uint64_t rows_read;          /**< samples that the sources' records gave, kept or not; a record
                                      that gave none counts as one */
    uint64_t rows;               /**< samples kept in this split */
    uint64_t tokens;             /**< tokens of the kept samples */
    uint64_t trained_tokens;     /**< of them, with a label */
    uint64_t dropped_too_long;   /**< excess_length_strategy: drop */
    uint64_t dropped_too_short;  /**< below min_sample_len */
    uint64_t dropped_no_trained; /**< without a trained token */
    uint64_t from_cache;         /**< 1 when the prepared file was used */
    uint64_t dropped_duplicates; /**< dataset_exact_deduplication: as one before */
} axl_dataset_stats;

#define AXL_DATASET_STATS_INIT                                                                     \
    {                                                                                              \
        sizeof(axl_dataset_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0                                       \
    }

/**
 * Read, render and tokenise the data sets of a config, or take them from dataset_prepared_path when
 * the same config, files and tokenizer prepared them; where it is not set, from what a run of the
 * config left in output_dir/prepared.  What was tokenised is kept in dataset_prepared_path, which
 * is made, and where it is not set nothing is written.  The order: load, tokenise, merge, shuffle
 * (shuffle_merged_datasets), length rule, drop rows without a trained token, drop equal rows
 * (dataset_exact_deduplication), one shard (dataset_shard_num), split.  Of streamed data
 * (pretraining_dataset, streaming) these are the rows of its first
 * streaming_multipack_buffer_size records, and a loader reads on from there without an end.
 *
 * @param[out] out   The data set; NULL on failure.  Release with axl_dataset_free().
 * @param[in]  cfg   Borrowed for the call.
 * @param[in]  tok   Borrowed for the call.
 * @param[in]  split An axl_split: which part.
 *
 * @retval AXL_END           @p split is AXL_SPLIT_VALIDATION and the config has none; @p out is
 *                           NULL.
 * @retval AXL_ERR_NOT_FOUND A file does not exist.
 * @retval AXL_ERR_DATA      Malformed records, a missing column, or nothing left to train on.
 * @retval AXL_ERR_UNSUPPORTED What a type or streamed data cannot do is asked of it; it is named.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phase "tokenize".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_from_config(axl_dataset **out, const axl_config *cfg,
                                                          const axl_tokenizer *tok, uint32_t split);

/**
 * Prepare both splits of a config and keep them where training with it will look: in
 * dataset_prepared_path, else in output_dir/prepared, which is made.  What is there already is
 * taken.  Memory is bounded: a large data set's tokens go to the file while records are read.
 *
 * @param[out]    train      The training split; NULL on failure.  Release with axl_dataset_free().
 * @param[out]    validation The validation split; NULL on failure, and where the config has none.
 *                           Release with axl_dataset_free().
 * @param[in]     cfg        Borrowed for the call.
 * @param[in]     tok        Borrowed for the call.
 * @param[in,out] folder     NULL: not wanted.  Its size is set by the caller; receives where they
 *                           are kept.  Release with axl_buffer_free().
 *
 * @retval AXL_ERR_NOT_FOUND A file does not exist.
 * @retval AXL_ERR_DATA      As of axl_dataset_from_config().
 * @retval AXL_ERR_IO        They cannot be kept: the disk is full, or the folder cannot be written.
 * @retval AXL_ERR_INVALID   The config names no datasets, or a file that is none of axl's has the
 *                           prepared one's name.
 * @retval AXL_ERR_UNSUPPORTED They cannot be kept: the data is streamed, or made by a host's
 *                           function that has no version.
 * @retval AXL_ERR_ABI       @p folder has no valid size.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phase "tokenize".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_prepare(axl_dataset **train, axl_dataset **validation,
                                                      const axl_config *cfg,
                                                      const axl_tokenizer *tok, axl_buffer *folder);

/**
 * The prompt that training with a config puts before an answer, of an instruction: what a model
 * that was trained so expects, for axl_generate().  It is the form of the config's first data set.
 *
 * @param[in]     ctx         Borrowed for the call; not used where there is a config.
 * @param[in]     cfg         Borrowed for the call; NULL: the form of the type "alpaca".
 * @param[in]     instruction Borrowed for the call.
 * @param[in]     input       What the instruction is about; NULL or "": nothing.  Borrowed for the
 *                            call.
 * @param[in,out] out         Its size is set by the caller; receives the text.  Release with
 *                            axl_buffer_free().
 *
 * @retval AXL_ERR_UNSUPPORTED The type has no form of an instruction, or none of an input;
 *                             axl_last_error() names it.
 * @retval AXL_ERR_INVALID     The config has no datasets, or a text of its type is no format;
 *                             @p instruction is NULL.
 * @retval AXL_ERR_ABI         @p out has no valid size.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_prompt(axl_context *ctx, const axl_config *cfg,
                                                     const char *instruction, const char *input,
                                                     axl_buffer *out);

/**
 * Hands over the next record: sets @p record to a JSON object of @p length bytes, which is read
 * until the function is called again.  Returns 0, or AXL_END (1) where there is no further one, or
 * any other value to stop the call that asks: AXL_ERR_CANCELLED.
 */
typedef int (*axl_next_record_fn)(void *user, const char **record, size_t *length);

/**
 * Render and tokenise records of a host as an entry of a config's `datasets` says: its type,
 * columns, chat template, roles and so on.  Where the entry says the records lie (path, data_files,
 * name, split) is not looked at.  Then what holds for files, in this order: shuffle
 * (shuffle_merged_datasets), length rule, drop rows without a trained token, drop equal rows
 * (dataset_exact_deduplication).  All rows are in the data set: val_set_size and dataset_shard_num
 * take none away.  Nothing is kept on disk.
 *
 * @param[out] out   The data set; NULL on failure.  Release with axl_dataset_free().
 * @param[in]  cfg   Borrowed for the call.
 * @param[in]  tok   Borrowed for the call.
 * @param[in]  index Which of `datasets`, from 0.
 * @param[in]  next  Called on the calling thread until it says that there is no more.
 * @param[in]  user  Handed to @p next.
 *
 * @retval AXL_ERR_INVALID     The config has no such entry; a record has no text.
 * @retval AXL_ERR_DATA        Malformed records, named by their number from 1 on; a missing column,
 *                             or nothing left to train on.
 * @retval AXL_ERR_UNSUPPORTED The entry is one of shards, or of a type that takes no records.
 * @retval AXL_ERR_CANCELLED   @p next stopped, or the call was cancelled.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.  Progress phase "tokenize", of an unknown total.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_from_records(axl_dataset **out, const axl_config *cfg,
                                                           const axl_tokenizer *tok, uint32_t index,
                                                           axl_next_record_fn next, void *user);

/**
 * Goes back before the first record: what the next call of the axl_next_record_fn gives is that
 * one, and the same records follow.  Any other return than 0 stops the call that asks:
 * AXL_ERR_CANCELLED.
 */
typedef int (*axl_rewind_records_fn)(void *user);

/** Told once that nothing reads the records any more. */
typedef void (*axl_release_records_fn)(void *user);

/** Records of a host that are read while they are trained. */
typedef struct axl_record_source {
    size_t size;                    /**< sizeof(axl_record_source); set by _INIT */
    axl_next_record_fn next;        /**< the records, in an order that is always the same */
    axl_rewind_records_fn rewind;   /**< NULL: they come once */
    axl_release_records_fn release; /**< NULL: nobody has to be told */
    void *user;                     /**< handed to all three */
} axl_record_source;

#define AXL_RECORD_SOURCE_INIT                                                                     \
    {                                                                                              \
        sizeof(axl_record_source), NULL, NULL, NULL, NULL                                          \
    }

/**
 * Stream records of a host, in memory that is bounded however many come: the data set is the rows
 * of the first streaming_multipack_buffer_size records, a window, and a loader of it asks for the
 * next window when it comes to it, as with `streaming: true` for files.  Rendering, tokenising and
 * rules are axl_dataset_from_records()'s, but that equal rows are not dropped; the batches are
 * those of a file of the same records.
 *
 * Behind the last record the source is rewound and the first follows, without an end.  A source
 * without rewind ends there: its last window may be short, and axl_loader_next() then gives
 * AXL_END.
 *
 * A place of a loader is a window's number.  To go to one further on, the records before it are
 * asked for and passed over, so that a new process can go on where another one stopped, with
 * rewind or without; to go back, the source is rewound first.  Without rewind going back is
 * AXL_ERR_UNSUPPORTED, and so is every further window once a call has failed or was cancelled
 * between two records.  A checkpoint knows the records by the rows of their first window.
 *
 * All loaders of the data set read the one source: one that has to read elsewhere than another did
 * rewinds it.
 *
 * @param[out] out    The data set; NULL on failure.  Release with axl_dataset_free().
 * @param[in]  cfg    The data set takes its own reference.
 * @param[in]  tok    The data set takes its own reference.
 * @param[in]  index  Which of `datasets`, or of `pretraining_dataset` where that is set, from 0:
 *                    it says what the records are.  Where they lie (path, data_files, name, split,
 *                    skip) is not looked at.
 * @param[in]  source Copied.  Its functions are called until the data set and its loaders are
 *                    freed, the last time release; where this call fails, release is not called.
 *                    A call asks on its own thread: this one, axl_loader_new(), axl_loader_next(),
 *                    axl_loader_set_cursor(), and a run of the data set.
 *
 * @retval AXL_ERR_INVALID     The config has no such entry; there is no next; a record has no text.
 * @retval AXL_ERR_DATA        Of the first window: malformed records, named by their number from 1
 *                             on in the source; a missing column, or nothing left to train on.  Of
 *                             later ones the loader says so.
 * @retval AXL_ERR_UNSUPPORTED The entry is one of shards, or of a type that takes no records; the
 *                             config trains towards preferences.
 * @retval AXL_ERR_ABI         @p source has no valid size.
 * @retval AXL_ERR_CANCELLED   A function of @p source stopped, or the call was cancelled.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any; while one loader of the data set reads, another is AXL_ERR_BUSY.  Progress phase
 * "tokenize".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_stream_records(axl_dataset **out,
                                                             const axl_config *cfg,
                                                             const axl_tokenizer *tok,
                                                             uint32_t index,
                                                             const axl_record_source *source);

/** The samples that a record is becoming. */
typedef struct axl_draft axl_draft;

/** How axl_draft_put_text() encodes a text. */
typedef enum axl_text_part {
    AXL_TEXT_PROMPT = 0, /**< with the tokenizer's special tokens, cut to sequence_len, not trained
                              unless train_on_inputs is set */
    AXL_TEXT_RESPONSE = 1, /**< without a BOS, cut to sequence_len, with an EOS, trained */
    AXL_TEXT_MASKED = 2,   /**< as it is: no special tokens are added; not trained, as a prompt */
    AXL_TEXT_TRAINED = 3,  /**< as it is; trained */
    AXL_TEXT_PART_FORCE_INT32 = 0x7fffffff
} axl_text_part;

/**
 * Makes the samples of one record: puts ids or texts into @p draft, none where the record has
 * nothing to train on.  @p record is a JSON object of @p length bytes with a NUL behind it,
 * borrowed for the call.  A non-zero return stops the call that reads the data: AXL_ERR_CANCELLED.
 */
typedef int (*axl_dataset_type_fn)(void *user, axl_draft *draft, const char *record, size_t length);

/**
 * Register a data set type: configs of this context may then name it as datasets[].type, and its
 * records become what @p make puts into their drafts.  A config that names it has to be parsed
 * after it.  Records with input_ids, attention_mask and labels are taken as they are, whatever the
 * type.
 *
 * @param[in] ctx     Borrowed; the type lives as long as it.
 * @param[in] name    As in the config, for example "my_package.my_strategy"; not one of axl's own
 *                    types.  Registered again, a name gets the later function.  Copied.
 * @param[in] version Anything that changes when what @p make makes changes: prepared data is kept
 *                    by it.  NULL: it is not kept.  Copied.
 * @param[in] make    Called on the thread that reads the data, one record after the other.
 * @param[in] user    Handed to @p make.
 *
 * @retval AXL_ERR_INVALID No name, no function, or a name of axl's own.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, but not while a call on this context runs.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_register_type(axl_context *ctx, const char *name,
                                                            const char *version,
                                                            axl_dataset_type_fn make, void *user);

/**
 * Put ids behind what the sample has.
 *
 * @param[in] draft  Of the function that is being called.
 * @param[in] ids    (n) Copied.  NULL where @p n is 0.
 * @param[in] labels (n) Copied; the ids that are trained at their places, AXL_LABEL_IGNORE at the
 *                   others.  NULL: all are trained.
 * @param[in] n      How many.
 *
 * @retval AXL_ERR_INVALID A negative id, or another negative label.
 * @retval AXL_ERR_NOMEM
 * @return What fails here fails the call that reads the data.
 *
 * Thread: that of the function.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_draft_put_ids(axl_draft *draft, const int32_t *ids,
                                                    const int32_t *labels, size_t n);

/**
 * Put the ids of a text behind what the sample has.
 *
 * @param[in] draft  Of the function that is being called.
 * @param[in] part   An axl_text_part.
 * @param[in] text   (length) UTF-8.  Borrowed for the call.  NULL where @p length is 0; an empty
 *                   text gives no ids.
 * @param[in] length Bytes.
 *
 * @retval AXL_ERR_INVALID An unknown part.
 * @retval AXL_ERR_NOMEM
 * @return What fails here fails the call that reads the data.
 *
 * Thread: that of the function.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_draft_put_text(axl_draft *draft, uint32_t part,
                                                     const char *text, size_t length);

/**
 * End a sample of a record that has several; the last ends with the function.
 *
 * @param[in] draft Of the function that is being called.
 *
 * @retval AXL_ERR_NOMEM
 *
 * Thread: that of the function.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_draft_end_sample(axl_draft *draft);

/**
 * The data set types that a config of this context may name: their columns, and what of a record is
 * trained.
 *
 * @param[in]     ctx  Borrowed.
 * @param[in]     json 1: a JSON array of {type, with, styles, columns, keys, trained}, where type
 * is null for what a config means without one, and {} for a mapping, and with says what else the
 * config has to set, null: nothing; 0: text, two lines for each.
 * @param[in,out] out  What it held is released.  Release with axl_buffer_free().
 *
 * @retval AXL_ERR_ABI   @p out has no valid size.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_describe_types(axl_context *ctx, uint32_t json,
                                                             axl_buffer *out);

/**
 * A data set of a host's own samples, kept in the given order.
 *
 * @param[out] out     The data set; NULL on failure.  Release with axl_dataset_free().
 * @param[in]  ctx     The data set takes its own reference.
 * @param[in]  samples (n) Copied, with ids and labels; source may be NULL, n_trained is recounted.
 * @param[in]  n       Number of samples; at least 1.
 *
 * @retval AXL_ERR_INVALID An empty sample, none, or an unknown role.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_from_samples(axl_dataset **out, axl_context *ctx,
                                                           const axl_sample *samples, size_t n);

/**
 * Drop the caller's reference.
 *
 * @param[in] data NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_dataset_free(axl_dataset *data);

/**
 * The number of samples.
 *
 * @param[in] data Borrowed.
 * @return The count; 0 for NULL.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API uint64_t axl_dataset_count(const axl_dataset *data);

/**
 * One sample.
 *
 * @param[in]     data  Borrowed.
 * @param[in]     index 0 <= index < axl_dataset_count().
 * @param[in,out] out   Its size is set by the caller; the pointers are borrowed from @p data.
 *
 * @retval AXL_END         @p index is past the end.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_get_sample(const axl_dataset *data, uint64_t index,
                                                         axl_sample *out);

/**
 * The lengths of all samples in tokens, in their order.
 *
 * @param[in]  data    Borrowed.
 * @param[out] lengths (n) Receives them.
 * @param[in]  n       axl_dataset_count().
 *
 * @retval AXL_ERR_INVALID @p n is not the count.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_get_lengths(const axl_dataset *data,
                                                          uint32_t *lengths, uint64_t n);

/**
 * What became of the rows.
 *
 * @param[in]     data Borrowed.
 * @param[in,out] out  Its size is set by the caller.
 *
 * @retval AXL_ERR_ABI @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_dataset_get_stats(const axl_dataset *data,
                                                        axl_dataset_stats *out);

#ifdef __cplusplus
}
#endif

#endif
