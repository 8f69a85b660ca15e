/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file run.h
 * The whole of a config: load, tokenise, train, evaluate, save; what `axl train` does.
 */
#ifndef AXL_RUN_H
#define AXL_RUN_H

#include <axl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_run axl_run;

/** What a record tells.  Ignore an unknown value. */
typedef enum axl_run_event {
    AXL_RUN_BEGIN = 1,      /**< training begins, or goes on behind `step` */
    AXL_RUN_STEP = 2,       /**< a logged step: a line of training_log.jsonl */
    AXL_RUN_EVALUATION = 3, /**< an evaluation: a line of training_log.jsonl */
    AXL_RUN_SAVE = 4,       /**< a checkpoint is in `path` */
    AXL_RUN_END = 5,        /**< the result is in `path`; never after a stop or a failure */
    AXL_RUN_EVENT_FORCE_INT32 = 0x7fffffff
} axl_run_event;

/** Something that happened in a run.  A number that the event does not have is NaN. */
typedef struct axl_run_record {
    size_t size;   /**< sizeof(axl_run_record) in the library */
    uint64_t step; /**< steps done: from 1; 0 before the first */
    uint64_t total_steps;
    uint64_t n_tokens;       /**< input tokens without padding since step 1, resumed or not */
    uint64_t n_trained;      /**< of them, predictions that counted */
    uint64_t n_skipped;      /**< steps passed over, as their loss or gradient was not finite */
    uint64_t peak_rss_bytes; /**< of this process; 0 where it is not known */
    double epoch;
    double loss;              /**< mean over the tokens since the last AXL_RUN_STEP */
    double grad_norm;         /**< before clipping */
    double learning_rate;     /**< that the step used */
    double tokens_per_second; /**< input tokens without padding since the last AXL_RUN_STEP */
    double eval_loss;
    double eval_perplexity;
    double eval_seconds; /**< that the evaluation took */
    double seconds;      /**< since the run began, resumed or not; evaluations and saves too */
    double eta_seconds;  /**< until the last step at the pace so far; NaN before the first */
    const char *path;    /**< a folder, borrowed for the call; NULL where there is none */
    uint32_t event;      /**< an axl_run_event */
    uint32_t reserved0;
} axl_run_record;

/** Called after each record was written; a non-zero return stops the run after a checkpoint (at
 * AXL_RUN_END it changes nothing). */
typedef int (*axl_record_fn)(void *user, const axl_run_record *record);

typedef struct axl_run_options {
    size_t size;          /**< sizeof(axl_run_options); set by _INIT */
    axl_record_fn record; /**< NULL: none */
    void *record_user;
    const char *resume; /**< a checkpoint's folder, "auto" for the newest in output_dir, or
                             NULL: as the config says.  Copied */
    axl_dataset *train; /**< the host's own samples in place of the config's data, its validation
                             data included; the run takes a reference.  Streamed ones need
                             max_steps, and may end before.  NULL: the config's */
    axl_dataset
        *validation; /**< with train: the split that is evaluated, not streamed; NULL: none */
} axl_run_options;

#define AXL_RUN_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(axl_run_options), NULL, NULL, NULL, NULL, NULL                                      \
    }

/**
 * Load everything that a config names and check it, output_dir and a checkpoint to resume from
 * included.
 *
 * @param[out] out  The run; NULL on failure.  Release with axl_run_free().
 * @param[in]  cfg  The run takes its own reference.
 * @param[in]  opts NULL for the defaults.  Copied.
 *
 * Prepared data is kept in dataset_prepared_path, else, once training begins, in
 * output_dir/prepared.
 *
 * The run has output_dir to itself until it is freed or the process ends: a lock on .axl.lock in it
 * keeps out other runs, of this process too, and leaves with the process, however it ends.  What
 * only reads the folder is not kept out.
 *
 * @retval AXL_ERR_BUSY    Another run has output_dir.
 * @retval AXL_ERR_INVALID validation without train, or no data: the config names none either.
 * @retval AXL_ERR_INVALID output_dir is the base model's folder, or the base model lies in one of
 *                         its checkpoints.
 *
 * @return Else as the constructors of tokenizer, data set, model, adapter and trainer.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_run_new(axl_run **out, const axl_config *cfg,
                                              const axl_run_options *opts);

/**
 * Train to the end and write the result into output_dir.  A checkpoint that cannot be pruned, and
 * a log, report, card or monitor's file that cannot be written, is a warning.  A link in the place
 * of one of them is replaced or not written, never followed.
 *
 * @param[in] run Borrowed.
 *
 * @retval AXL_ERR_CANCELLED A cancel was raised; a checkpoint of the last whole step was written
 *                           and a run with resume "auto" goes on from it bit for bit.
 * @retval AXL_ERR_NUMERIC   The loss or gradient was not finite.
 * @retval AXL_ERR_IO
 * @retval AXL_ERR_NOMEM
 *
 * Thread: one at a time.  Progress phases "train", "evaluate" and "save".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_run_train(axl_run *run);

/** The loss of the validation split. */
typedef struct axl_evaluation {
    size_t size;       /**< sizeof(axl_evaluation); set by the caller */
    uint64_t rows;     /**< of the split */
    uint64_t tokens;   /**< of them, those that are trained */
    double loss;       /**< mean over the tokens */
    double perplexity; /**< exp(loss) */
} axl_evaluation;

#define AXL_EVALUATION_INIT                                                                        \
    {                                                                                              \
        sizeof(axl_evaluation), 0, 0, 0.0, 0.0                                                     \
    }

/**
 * The validation split's loss with a run's adapter as it is now.
 *
 * @param[in]     run Borrowed.
 * @param[in,out] out Its size is set by the caller.
 *
 * @retval AXL_END     There is no validation data.
 * @retval AXL_ERR_ABI @p out has no valid size.
 * @return Otherwise as axl_trainer_evaluate().
 *
 * Thread: one at a time.  Progress phase "evaluate".
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_run_evaluate(axl_run *run, axl_evaluation *out);

/**
 * The validation split's loss with what a config trained: the adapter in output_dir; where there is
 * none, the one in lora_model_dir; where that is not set either, the base model alone, which a
 * warning says.  Nothing is written but prepared data into dataset_prepared_path, if it is set, and
 * nothing of a trainer is in memory.
 *
 * @param[in]     cfg Borrowed for the call.
 * @param[in,out] out Its size is set by the caller.
 *
 * @retval AXL_END     There is no validation data.
 * @retval AXL_ERR_ABI @p out has no valid size.
 * @return Otherwise as axl_run_new() and axl_trainer_evaluate().
 *
 * Thread: any.  Progress phases "tokenize", "load" and "evaluate", in batches.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_evaluate(const axl_config *cfg, axl_evaluation *out);

/**
 * Where the result is.
 *
 * @param[in] run Borrowed.
 * @return output_dir from the root; borrowed from the run.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API const char *axl_run_output_dir(const axl_run *run);

/**
 * The model of a run, which the record callback may compute with: sample by axl_generate(), ask for
 * logits.  Where its own weights are trained it is lent for the time of the callback, with the
 * values of that step; at other times it is AXL_ERR_BUSY.
 *
 * @param[in] run Borrowed.
 * @return Borrowed from the run.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API axl_model *axl_run_model(const axl_run *run);
/**
 * The adapter that a run trains.
 *
 * @param[in] run Borrowed.
 * @return Borrowed from the run; NULL where all weights are trained.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API axl_adapter *axl_run_adapter(const axl_run *run);
/**
 * The trainer of a run: to be read, as its tensors and gradients are.  Training, loading and saving
 * are the run's.
 *
 * @param[in] run Borrowed.
 * @return Borrowed from the run.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API axl_trainer *axl_run_trainer(const axl_run *run);
/**
 * The tokenizer of a run.
 *
 * @param[in] run Borrowed.
 * @return Borrowed from the run.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API axl_tokenizer *axl_run_tokenizer(const axl_run *run);

/**
 * Release a run.
 *
 * @param[in] run NULL is fine.
 *
 * Thread: one at a time.
 * Since: 0.1
 */
AXL_API void axl_run_free(axl_run *run);

#ifdef __cplusplus
}
#endif

#endif
