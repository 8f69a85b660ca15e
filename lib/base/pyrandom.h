/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pyrandom.h - the orders that Python and NumPy draw, for what must come out as there.  (axl's own
 * numbers are rng.h's.)
 */
#ifndef AXL_BASE_PYRANDOM_H
#define AXL_BASE_PYRANDOM_H

#include "twister.h"

#include <stdint.h>

/* All fill order (n) with 0 .. n - 1, shuffled. */

/* random.seed(seed); random.shuffle(list(range(n))) */
void axl__python_shuffle(uint32_t *order, uint32_t n, uint32_t seed);
/* numpy.random.default_rng(seed).permutation(n) */
void axl__numpy_permutation(uint32_t *order, uint32_t n, uint64_t seed);
/* numpy.random.permutation(n), of a generator that axl__twister_seed has seeded; its first k are
 * numpy.random.choice(n, k, replace=False). */
void axl__numpy_permutation_next(uint32_t *order, uint32_t n, axl__twister *t);

#endif
