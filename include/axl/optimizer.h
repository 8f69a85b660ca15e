/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file optimizer.h
 * Which optimizer a trainer uses and with what numbers, by the names that transformers and Axolotl
 * give them.
 */
#ifndef AXL_OPTIMIZER_H
#define AXL_OPTIMIZER_H

#include <axl/config.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An optimizer.  A negative beta or epsilon is the optimizer's own default (AdamW: 0.9, 0.999,
 * 1e-8); what an optimizer does not read has no effect.
 */
typedef struct axl_optimizer_options {
    size_t size;      /**< sizeof(axl_optimizer_options); set by _INIT */
    const char *name; /**< as the config key optimizer has it; NULL: "adamw_torch" */
    const char *args; /**< optim_args: "key=value,key=value"; may be NULL */
    double beta1;     /**< decay of the first moment */
    double beta2;     /**< decay of the second moment */
    double beta3;     /**< CAME's third, AdEMAMix's slow one */
    double epsilon;
    double epsilon2;              /**< CAME's second */
    double weight_decay;          /**< not of norms and biases; >= 0 */
    double loraplus_lr_ratio;     /**< LoRA+ (Hayou et al., 2024): the rate of B over that of A,
                                       without weight decay; 0: off */
    double loraplus_lr_embedding; /**< with it: peak rate of an embedding's pair */
    double embedding_lr; /**< peak rate of embed_tokens, lm_head and modules_to_save, which then
                              have no weight decay; 0: as the others */
    double embedding_lr_scale;           /**< the same as a factor, which wins; 0: none */
    const char *const *lr_group_modules; /**< (n_lr_group_modules) a tensor whose name holds [i],
                                              the first that fits, has lr_group_rates[i]; not with
                                              LoRA+ */
    const double *lr_group_rates;        /**< (n_lr_group_modules) peak rates; > 0 */
    size_t n_lr_group_modules;
    uint64_t warmup_steps; /**< of schedule-free optimizers: their own linear warm-up, over that
                                of the schedule, which had better be constant */
} axl_optimizer_options;

#define AXL_OPTIMIZER_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(axl_optimizer_options), NULL, NULL, -1.0, -1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 1e-6,   \
            0.0, 0.0, NULL, NULL, 0, 0                                                             \
    }

#ifdef __cplusplus
}
#endif

#endif
