/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twister.h - the Mersenne twister MT19937 (Matsumoto, Nishimura, "Mersenne Twister", 1998), from
 * which Python and NumPy draw: for what must come out as there.  axl's own numbers are rng.h's.
 */
#ifndef AXL_BASE_TWISTER_H
#define AXL_BASE_TWISTER_H

#include <stdint.h>

enum { AXL__TWISTER_WORDS = 624 };

typedef struct axl__twister {
    uint32_t words[AXL__TWISTER_WORDS];
    uint32_t at;
} axl__twister;

void axl__twister_seed(axl__twister *t, uint32_t seed);        /* as numpy.random.seed(seed) */
void axl__twister_seed_python(axl__twister *t, uint32_t seed); /* as random.seed(seed) */
uint32_t axl__twister_draw(axl__twister *t);

#endif
