/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels.h - the operations of one instruction set.  kernels/<op>/<op>_cpu.c defines each as
 * AXL_ISA_NAME(<op>) and is compiled once per set; cpu_table.c, likewise, gathers them.
 */
#ifndef AXL_CPU_KERNELS_H
#define AXL_CPU_KERNELS_H

#include "tensor/backend.h"

/* X(operation, argument struct) */
#define AXL_CPU_OPS(X)                                                                             \
    X(matmul, axl_matmul_args)                                                                     \
    AXL_CPU_OTHER_OPS(X)
#define AXL_CPU_OTHER_OPS(X)                                                                       \
    X(rms_norm_forward, axl_rms_norm_args)                                                         \
    X(rms_norm_backward, axl_rms_norm_backward_args)                                               \
    X(rope, axl_rope_args)                                                                         \
    X(attention_forward, axl_attention_args)                                                       \
    X(attention_backward, axl_attention_backward_args)                                             \
    X(swiglu_forward, axl_swiglu_args)                                                             \
    X(swiglu_backward, axl_swiglu_backward_args)                                                   \
    X(gather_rows, axl_rows_args)                                                                  \
    X(scatter_rows, axl_rows_args)                                                                 \
    X(cross_entropy, axl_cross_entropy_args)                                                       \
    X(dropout, axl_dropout_args)                                                                   \
    X(convert, axl_unary_args)                                                                     \
    X(add, axl_unary_args)                                                                         \
    X(sum_squares, axl_sum_squares_args)                                                           \
    X(adamw, axl_adamw_args)                                                                       \
    X(noise, axl_noise_args)                                                                       \
    X(sgd, axl_sgd_args)                                                                           \
    X(lion, axl_lion_args)                                                                         \
    X(optim_8bit, axl_optim_8bit_args)                                                             \
    X(adagrad, axl_adagrad_args)                                                                   \
    X(rmsprop, axl_rmsprop_args)                                                                   \
    X(adopt, axl_adopt_args)                                                                       \
    X(ademamix, axl_ademamix_args)                                                                 \
    X(schedule_free, axl_schedule_free_args)                                                       \
    X(factored, axl_factored_args)                                                                 \
    X(muon_momentum, axl_muon_momentum_args)                                                       \
    X(muon_normalize, axl_muon_normalize_args)                                                     \
    X(muon_scale, axl_muon_scale_args)                                                             \
    X(rms_norm_weight_backward, axl_rms_norm_weight_backward_args)                                 \
    X(add_rows, axl_rows_args)

typedef struct axl_cpu_kernels {
#define AXL_CPU_MEMBER(op, args) axl_status (*op)(axl_device * dev, const args *a);
    AXL_CPU_OPS(AXL_CPU_MEMBER)
#undef AXL_CPU_MEMBER
} axl_cpu_kernels;

#endif
