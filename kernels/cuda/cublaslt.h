/* SPDX-License-Identifier: Apache-2.0 */
/* cublaslt.h - products by cuBLASLt: the one file that calls it is cublaslt.cu. */
#ifndef AXL_KERNELS_CUDA_CUBLASLT_H
#define AXL_KERNELS_CUDA_CUBLASLT_H

#include "cuda_device.h"

/* y (m,n) = alpha op(x) op(w) + beta plus, all row-major and of stored elements: x and w of one
 * type, f32 or bf16; y of f32, or bf16 where x is.  plus is y or other memory of y's type. */
typedef struct axl_cublaslt_product {
    axl_mat x, w, y, plus; /* plus.data NULL: none */
    bool trans_x, trans_w;
    float alpha;
    bool bias; /* plus is one row for all of y's rows */
} axl_cublaslt_product;

/* Of device memory that an open one has. */
size_t axl__cublaslt_bytes(void);
axl_status axl__cublaslt_open(axl_device *dev);
void axl__cublaslt_close(axl_device *dev);
axl_status axl__cublaslt_multiply(axl_device *dev, const axl_cublaslt_product *p);

#endif
