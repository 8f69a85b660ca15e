/* SPDX-License-Identifier: Apache-2.0 */
/* whole.h - whole numbers of kernels: sizes and places. */
#ifndef AXL_KERNELS_WHOLE_H
#define AXL_KERNELS_WHOLE_H

#include <stdint.h>

static inline int64_t axl_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t axl_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t axl_div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif
