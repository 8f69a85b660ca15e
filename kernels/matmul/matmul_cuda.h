/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_cuda.h - products that cuBLASLt is not asked for. */
#ifndef AXL_KERNELS_MATMUL_CUDA_H
#define AXL_KERNELS_MATMUL_CUDA_H

#include "kernels/cuda/cuda_device.h"

enum { AXL__CUDA_FEW_ROWS = 8 };

/* y (m,n) = alpha x w^T + onto of a weight that is not dense, w (n,k), without making its elements
 * in memory: for the few rows of x that are generated at a time.  narrow: both are rounded to bf16
 * first.  onto may be y, or one row for all; its data may be NULL. */
bool axl__cuda_takes_few_rows(const axl_mat &x, const axl_weight &w);
axl_status axl__cuda_few_rows(axl_device *dev, const axl_mat &x, const axl_weight &w,
                              const axl_mat &y, const axl_mat &onto, float alpha, bool narrow);

#endif
