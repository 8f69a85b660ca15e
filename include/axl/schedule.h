/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file schedule.h
 * Learning-rate schedules: the share of the peak rate that each optimizer step trains with, as
 * transformers, PyTorch and Axolotl compute it.
 *
 * Below, w is warmup_steps, T total_steps, t the step counted from 0, p = (t - w) / (T - w) and
 * m min_ratio.  Unless a kind says otherwise the share rises from 0 to 1 over the first w steps, so
 * that the first step of a warm-up trains with 0.
 */
#ifndef AXL_SCHEDULE_H
#define AXL_SCHEDULE_H

#include <axl/config.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum axl_schedule {
    AXL_SCHEDULE_CONSTANT = 0,   /**< 1 */
    AXL_SCHEDULE_LINEAR = 1,     /**< 1 - p */
    AXL_SCHEDULE_COSINE = 2,     /**< (1 - m) (1 + cos(2 pi n_cycles p)) / 2 + m (Loshchilov and
                                      Hutter, 2017); with constant_ratio it ends at that share of T
                                      and stays */
    AXL_SCHEDULE_POLYNOMIAL = 3, /**< (1 - m) (1 - p)^power + m */
    AXL_SCHEDULE_COSINE_WITH_RESTARTS = 4, /**< n_cycles half cosines, each from 1 to 0 */
    AXL_SCHEDULE_INVERSE_SQRT = 5,         /**< 1 / sqrt((t - w + timescale) / timescale) */
    AXL_SCHEDULE_COSINE_AFTER_WARMUP = 6,  /**< as COSINE one step earlier: the warm-up begins with
                                     warmup_start, or 1 / w, and its last step has 1
                                     (transformers' cosine_warmup_with_min_lr) */
    AXL_SCHEDULE_WARMUP_STABLE_DECAY = 7,  /**< m to 1 in w steps by warmup_shape, 1 for
                                     stable_steps, 1 to m in decay_steps by decay_shape, then m */
    AXL_SCHEDULE_REX = 8,       /**< (1 - m) z / (0.1 + 0.9 z) + m, z = 1 - p (Chen et al., 2021);
                                     Axolotl's is one step ahead: t + 1 for t */
    AXL_SCHEDULE_ONE_CYCLE = 9, /**< 1 / div_factor to 1 in pct_start of the steps, then to
                                    1 / (div_factor final_div_factor), by decay_shape (Smith and
                                    Topin, 2017); beta1 of the optimizer runs the other way, from
                                    max_momentum to base_momentum and back */
    AXL_SCHEDULE_REDUCE_ON_PLATEAU = 10, /**< 1, times factor whenever axl_trainer_report_metric()
                                    brought no better value more than patience times in a row; no
                                    warm-up */
    AXL_SCHEDULE_FORCE_INT32 = 0x7fffffff
} axl_schedule;

/** How a share gets from 0 to 1, or from 1 to 0, as x goes from 0 to 1. */
typedef enum axl_schedule_shape {
    AXL_SHAPE_DEFAULT = 0,        /**< linear up, cosine down */
    AXL_SHAPE_LINEAR = 1,         /**< x */
    AXL_SHAPE_COSINE = 2,         /**< (1 - cos(pi x)) / 2 */
    AXL_SHAPE_ONE_MINUS_SQRT = 3, /**< up 1 - sqrt(1 - x), down 1 - sqrt(x) */
    AXL_SHAPE_QUADRATIC = 4,      /**< x^2, up only */
    AXL_SHAPE_FORCE_INT32 = 0x7fffffff
} axl_schedule_shape;

/** A schedule.  What its kind does not read has no effect. */
typedef struct axl_schedule_options {
    size_t size;             /**< sizeof(axl_schedule_options); set by _INIT */
    uint32_t kind;           /**< an axl_schedule */
    uint32_t warmup_shape;   /**< an axl_schedule_shape, of the warm-up */
    uint32_t decay_shape;    /**< warmup-stable-decay; one cycle: cosine or linear */
    uint32_t three_phases;   /**< one cycle: 1 gives the way back as many steps as the rise, and the
                                  rest to the last fall */
    uint64_t warmup_steps;   /**< w */
    uint64_t total_steps;    /**< T; not read by constant, inverse square root and plateau */
    double min_ratio;        /**< m, of the peak rate, in [0, 1] */
    double constant_ratio;   /**< cosine: in (0, 1], 0 for 1 */
    double n_cycles;         /**< cosine: waves, 0 for half of one; with restarts: 0 for 1 */
    double power;            /**< polynomial: 1 by default */
    double warmup_start;     /**< cosine after warm-up: the first step's share, 0 for 1 / w */
    uint64_t timescale;      /**< inverse square root: 0 for w, or 10,000 without warm-up */
    int64_t stable_steps;    /**< warmup-stable-decay: negative for what is left of T */
    uint64_t decay_steps;    /**< warmup-stable-decay */
    double pct_start;        /**< one cycle: negative for w / T */
    double div_factor;       /**< one cycle: 25 by default */
    double final_div_factor; /**< one cycle: 10,000 by default */
    double base_momentum;    /**< one cycle: beta1 at the peak rate, 0.85 by default */
    double max_momentum;     /**< one cycle: beta1 at the lowest, 0.95 by default; with negative
                                  values beta1 stays as it is */
    uint64_t restart_steps;  /**< jagged restarts over any of them but plateau: every so many steps
                                  the share falls to restart_ratio and rises again; 0: none */
    uint64_t restart_warmup_steps; /**< that the rise takes, 10 by default */
    uint64_t restart_anneal_steps; /**< that the fall takes, 1 by default */
    double restart_ratio;          /**< 0.001 by default */
    double factor;                 /**< plateau: in (0, 1), 0.1 by default */
    double threshold;  /**< plateau: what is better than the best by less is not better, 0.0001
                            by default */
    double min_change; /**< plateau: smaller changes, as a share of the peak, are not made */
    uint64_t patience; /**< plateau: 10 by default */
    uint64_t cooldown; /**< plateau: values after a change that do not count */
    uint32_t threshold_absolute; /**< plateau: 1 for a difference, 0 for a share of the best */
    uint32_t greater_is_better;  /**< plateau: 1 where a larger metric is the better one */
} axl_schedule_options;

#define AXL_SCHEDULE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(axl_schedule_options), AXL_SCHEDULE_CONSTANT, AXL_SHAPE_DEFAULT, AXL_SHAPE_DEFAULT, \
            0u, 0, 0, 0.0, 0.0, 0.0, 1.0, 0.0, 0, -1, 0, -1.0, 25.0, 1e4, 0.85, 0.95, 0, 10, 1,    \
            0.001, 0.1, 1e-4, 0.0, 10, 0, 0u, 0u                                                   \
    }

/**
 * The schedule of a config: lr_scheduler, lr_scheduler_kwargs, warmup_*, cosine_*,
 * lr_quadratic_warmup and jagged_restart_*.
 *
 * @param[in,out] out         Filled in; its size is set by the caller.
 * @param[in]     cfg         Borrowed for the call.
 * @param[in]     total_steps Of the whole run; max_steps of the config wins when it is smaller.
 *
 * @retval AXL_ERR_INVALID The keys contradict each other or the number of steps.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_schedule_from_config(axl_schedule_options *out,
                                                           const axl_config *cfg,
                                                           uint64_t total_steps);

/**
 * The share of the peak rate at a step.
 *
 * @param[in]  opts  Borrowed for the call; NULL is the constant schedule.
 * @param[in]  step  From 0.
 * @param[out] share Usually in [0, 1].
 *
 * @retval AXL_ERR_INVALID     An option is out of range; axl_last_error() names it.
 * @retval AXL_ERR_UNSUPPORTED The kind is reduce-on-plateau, whose shares follow from metrics; ask
 *                             axl_trainer_learning_rate().
 * @retval AXL_ERR_ABI         @p opts sets a field this library does not know.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_schedule_share(const axl_schedule_options *opts,
                                                     uint64_t step, double *share);

#ifdef __cplusplus
}
#endif

#endif
