/* SPDX-License-Identifier: Apache-2.0 */
/* python_shuffle.h - the order that Python's random.seed(seed); random.shuffle(list) gives. */
#ifndef AXL_CONFIG_PYTHON_SHUFFLE_H
#define AXL_CONFIG_PYTHON_SHUFFLE_H

#include <stdint.h>

/* order (n): which item comes i-th; n >= 1. */
void axl__python_shuffle(uint32_t *order, uint32_t n, uint32_t seed);

#endif
