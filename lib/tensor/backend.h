/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - the table through which the model and the trainer reach every operation.  Private:
 * the table may change with its abi number until a backend is built outside this tree.
 *
 * What a backend promises, and what its callers may rely on and no more:
 *
 * - Calls on a device are ordered: each sees what the earlier ones wrote.  They may run late.  Only
 *   download and synchronize wait for what came before; a training step downloads once, the losses
 *   of its batches and the norm of its gradients.
 * - An operation returns AXL_OK or records an error.  What fails late is the error of the next call
 *   that waits, and of each call after it.
 * - Calls between sequence_begin and sequence_end may wait until the latter, or until one that is
 *   no operation, copy or zero; an error is then that of the call that let them run.
 * - upload has read its host bytes when it returns: they may be changed or freed.  weights_map may
 *   read them until weights_unmap.
 * - The argument struct and every host array in it (the further terms of a product, cu_q and cu_k,
 *   the maps of optim_low_bit) have been read, or copied, when the call returns.  Scratch memory is
 *   device memory and the caller's: it may be used again by the next call.
 * - buffer_free and weights_unmap are ordered like the rest: calls that came before may still use
 *   the memory, and nothing that comes later gets it before they are done.
 * - Device memory is read and written by the host through upload and download alone, unless
 *   device_info says host_memory.  Addresses within a buffer are its address plus bytes.
 * - A device is used from any threads, by one at a time for what depends on one another's results.
 *
 * What an operation's arguments mean is said in ops.h and optim_ops.h.
 */
#ifndef AXL_TENSOR_BACKEND_H
#define AXL_TENSOR_BACKEND_H

#include "device.h"
#include "ops.h"
#include "optim_ops.h"

#define AXL_BACKEND_ABI 3u

/* What an operation belongs to: every pass of a model, what training adds to it, or a setting (a
 * dropout, an optimizer) that asks for it by name. */
typedef enum axl_op_use { AXL_USE_FORWARD, AXL_USE_TRAINING, AXL_USE_SETTING } axl_op_use;

/*
 * Every operation, in the order of the table: X(name, argument struct, use).  What is made from
 * this list: the table's members, the backends' tables, the operations of the counting device, the
 * timed ones of the profiler, and the check that a backend has what it must.  Append at the end.
 */
#define AXL_BACKEND_OPS(X)                                                                         \
    X(matmul, axl_matmul_args, FORWARD)                                                            \
    AXL_BACKEND_OTHER_OPS(X)
/* Those without matmul, which some backends take apart before they run it. */
#define AXL_BACKEND_OTHER_OPS(X)                                                                   \
    X(rms_norm_forward, axl_rms_norm_args, FORWARD)                                                \
    X(rms_norm_backward, axl_rms_norm_backward_args, TRAINING)                                     \
    X(rope, axl_rope_args, FORWARD)                                                                \
    X(attention_forward, axl_attention_args, FORWARD)                                              \
    X(attention_backward, axl_attention_backward_args, TRAINING)                                   \
    X(glu_forward, axl_glu_args, FORWARD)                                                          \
    X(glu_backward, axl_glu_backward_args, TRAINING)                                               \
    X(gather_rows, axl_rows_args, FORWARD)                                                         \
    X(scatter_rows, axl_rows_args, TRAINING)                                                       \
    X(cross_entropy, axl_cross_entropy_args, TRAINING)                                             \
    X(dropout, axl_dropout_args, SETTING)                                                          \
    X(convert, axl_unary_args, FORWARD)                                                            \
    X(add, axl_unary_args, FORWARD)                                                                \
    X(sum_squares, axl_sum_squares_args, TRAINING)                                                 \
    X(adamw, axl_adamw_args, SETTING)                                                              \
    X(noise, axl_noise_args, SETTING)                                                              \
    X(sgd, axl_sgd_args, SETTING)                                                                  \
    X(lion, axl_lion_args, SETTING)                                                                \
    X(optim_low_bit, axl_optim_low_bit_args, SETTING)                                              \
    X(adagrad, axl_adagrad_args, SETTING)                                                          \
    X(rmsprop, axl_rmsprop_args, SETTING)                                                          \
    X(adopt, axl_adopt_args, SETTING)                                                              \
    X(ademamix, axl_ademamix_args, SETTING)                                                        \
    X(schedule_free, axl_schedule_free_args, SETTING)                                              \
    X(factored, axl_factored_args, SETTING)                                                        \
    X(muon_momentum, axl_muon_momentum_args, SETTING)                                              \
    X(muon_normalize, axl_muon_normalize_args, SETTING)                                            \
    X(muon_scale, axl_muon_scale_args, SETTING)                                                    \
    X(rms_norm_weight_backward, axl_rms_norm_weight_backward_args, TRAINING)                       \
    X(add_rows, axl_rows_args, TRAINING)                                                           \
    X(sum, axl_sum_args, TRAINING)                                                                 \
    X(dequantise, axl_dequantise_args, SETTING)                                                    \
    X(scale, axl_scale_args, FORWARD)                                                              \
    X(soft_cap_forward, axl_soft_cap_args, FORWARD)                                                \
    X(soft_cap_backward, axl_soft_cap_backward_args, TRAINING)                                     \
    X(row_norms, axl_row_norms_args, SETTING)                                                      \
    X(scale_columns, axl_scale_columns_args, SETTING)                                              \
    X(dot_columns, axl_dot_columns_args, SETTING)

typedef enum axl_op {
#define AXL_BACKEND_NUMBER(op, args, use) AXL_OP_##op,
    AXL_BACKEND_OPS(AXL_BACKEND_NUMBER)
#undef AXL_BACKEND_NUMBER
        AXL_N_OPS
} axl_op;

typedef struct axl_backend_ops {
    uint32_t abi;        /* AXL_BACKEND_ABI: bumped for a break */
    uint32_t size;       /* sizeof(axl_backend_ops) where it was compiled */
    const char *name;    /* "cpu", "reference"; static storage */
    const char *version; /* axl's, where it was compiled */

    /* ---- device and memory ---- */
    axl_status (*device_open)(axl_device **out, axl_context *ctx, int32_t ordinal);
    void (*device_close)(axl_device *dev);
    void (*device_info)(axl_device *dev, axl_device_info *out);
    /* 64-byte aligned at least, contents undefined. */
    axl_status (*buffer_new)(axl_device *dev, void **out, size_t size);
    void (*buffer_free)(axl_device *dev, void *buffer); /* NULL is fine */
    /* Host bytes that stay valid and unchanged until weights_unmap: the same pointer where device
     * and host share memory, else a copy. */
    axl_status (*weights_map)(axl_device *dev, void **out, const void *host, size_t size);
    void (*weights_unmap)(axl_device *dev, void *mapped);
    axl_status (*upload)(axl_device *dev, void *dst, const void *host, size_t size);
    axl_status (*download)(axl_device *dev, void *host, const void *src, size_t size); /* waits */
    axl_status (*copy)(axl_device *dev, void *dst, const void *src, size_t size);
    axl_status (*zero)(axl_device *dev, void *dst, size_t size);
    axl_status (*synchronize)(axl_device *dev);
    /* Bytes of scratch memory for an operation with these arguments, or with fewer rows; 0: none.
     * Shapes, counts and types are read, no pointer. */
    size_t (*scratch)(axl_device *dev, axl_op op, const void *args);
    /* Around calls that are likely to come again with the same arguments, or NULL for both: they
     * may run when the sequence ends, and those that have come before as one. */
    axl_status (*sequence_begin)(axl_device *dev);
    axl_status (*sequence_end)(axl_device *dev);

    /* ---- operations ---- */
#define AXL_BACKEND_MEMBER(op, args, use) axl_status (*op)(axl_device * dev, const args *a);
    AXL_BACKEND_OPS(AXL_BACKEND_MEMBER)
#undef AXL_BACKEND_MEMBER
} axl_backend_ops;

/* The built-in tables, defined under kernels/. */
extern const axl_backend_ops axl__backend_cpu;
extern const axl_backend_ops axl__backend_reference;

#endif
