/* SPDX-License-Identifier: Apache-2.0 */
/* numpy_rng.h - the permutations of NumPy's default_rng, which order Axolotl's rows. */
#ifndef AXL_DATA_NUMPY_RNG_H
#define AXL_DATA_NUMPY_RNG_H

#include <stdint.h>

/* numpy.random.default_rng(seed).permutation(n) */
void axl__numpy_permutation(uint32_t *out, uint32_t n, uint64_t seed);

#endif
