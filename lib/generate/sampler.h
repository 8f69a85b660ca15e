/* SPDX-License-Identifier: Apache-2.0 */
/* sampler.h - picking the next token from logits, in the order of transformers' processors:
 * repetition penalty, temperature, top-k, top-p, min-p. */
#ifndef AXL_GENERATE_SAMPLER_H
#define AXL_GENERATE_SAMPLER_H

#include <axl/generate.h>

typedef struct axl__candidate {
    float logit, p;
    int32_t id;
} axl__candidate;

/* seen (n_seen) are the ids so far, prompt included; scratch (n) candidates; draw counts tokens.
 * logits (n) are changed. */
int32_t axl__sample(float *logits, int64_t n, const int32_t *seen, int64_t n_seen,
                    const axl_generate_options *opts, uint64_t draw, axl__candidate *scratch);

#endif
