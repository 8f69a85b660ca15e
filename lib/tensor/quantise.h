/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantise.h - from a tensor's values to the codes and scales that bitsandbytes 0.50 makes of them
 * on a CPU, and back (ops.h says what they mean).  All memory is the host's, and nothing here
 * allocates or fails: a caller hands out pieces to threads as it likes.
 */
#ifndef AXL_TENSOR_QUANTISE_H
#define AXL_TENSOR_QUANTISE_H

#include "ops.h"

enum { AXL__QUANT_BLOCK = 64, AXL__QUANT_SCALE_BLOCK = 256 };

/* The 16 values of NF4 or FP4 by code, as bitsandbytes writes them to quant_map. */
const float *axl__quant_table(axl_weight_kind kind);
/* The 256 values that an absmax's code stands for: the signed dynamic map, as in nested_quant_map.
 */
const float *axl__quant_scale_map(void);

/* NF4 or FP4 of n values x of f32, bf16 or f16: codes ((n + 1) / 2), absmax (blocks).  What is half
 * way between two codes becomes the lower.  A piece of a tensor begins at a multiple of the block,
 * an even number; the last block may be short. */
void axl__quantise_4bit(axl_weight_kind kind, uint8_t *codes, float *absmax, const void *x,
                        axl_dtype dtype, int64_t n, int64_t block);
/* Double quantisation of all absmax (n) of a tensor: codes (n), scales (n / scale_block, rounded
 * up), and the mean that was taken off them, whose last bit is PyTorch's on one thread: from
 * 32,768 absmax on it adds in another order with more. */
void axl__quantise_scales(uint8_t *codes, float *scales, float *offset, const float *absmax,
                          int64_t n, int64_t scale_block);
/* Whole rows of int8 with the largest magnitude of each as its scale, both of the values rounded to
 * f16: codes (rows, cols), scales (rows). */
void axl__quantise_int8(int8_t *codes, float *scales, const void *x, axl_dtype dtype, int64_t rows,
                        int64_t cols);

/* Elements [first, first + n) of a quantised weight in host memory, as f32 that the weight's dtype
 * can hold. */
void axl__dequantise(float *out, const axl_weight *w, int64_t first, int64_t n);

#endif
