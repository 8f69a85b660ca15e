/* SPDX-License-Identifier: Apache-2.0 */
/* post_processor.h - the post-processor of a tokenizer.json: the ids around a text, and what
 * offsets leave out. */
#ifndef AXL_TEXT_POST_PROCESSOR_H
#define AXL_TEXT_POST_PROCESSOR_H

#include "json_part.h"

/* Fills before, after and trims. */
axl_status axl__read_post_processor(axl__pipeline *p, const axl__part *part);

#endif
