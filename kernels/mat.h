/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mat.h - single elements of a matrix as double, for the references and the tests.  Slow: a fast
 * kernel never includes this file.
 */
#ifndef AXL_KERNELS_MAT_H
#define AXL_KERNELS_MAT_H

#include "tensor/backend.h"

static inline double axl__load_element(const void *data, axl_dtype dtype, int64_t i)
{
    if (dtype == AXL_F32)
        return ((const float *)data)[i];
    return axl__bf16_to_f32(((const uint16_t *)data)[i]);
}

static inline double axl__mat_get(const axl_mat *m, int64_t row, int64_t col)
{
    return axl__load_element(m->data, m->dtype, row * m->stride + col);
}

/* To bf16 by way of f32: the two roundings differ from one in a case of 2^29 or so. */
static inline void axl__mat_put(const axl_mat *m, int64_t row, int64_t col, double value)
{
    int64_t i = row * m->stride + col;

    if (m->dtype == AXL_F32)
        ((float *)m->data)[i] = (float)value;
    else
        ((uint16_t *)m->data)[i] = axl__f32_to_bf16((float)value);
}

#endif
