/* SPDX-License-Identifier: Apache-2.0 */
/* normalizer.h - the normalizers of a tokenizer.json: reading them, and running one of them. */
#ifndef AXL_TEXT_NORMALIZER_H
#define AXL_TEXT_NORMALIZER_H

#include "json_part.h"

/* Fills the pipeline's normalizers; regular expressions are put at the head of *owned. */
axl_status axl__read_normalizer(axl__pipeline *p, const axl__part *part, axl__regexes *owned);

/* Appends what a step makes of in.  limit: how long out may become. */
axl_status axl__normalize_step(const axl__normalizer_step *s, const axl__aligned *in,
                               axl__aligned *out, size_t limit, axl__regex_scratch *scratch);

#endif
