/* SPDX-License-Identifier: Apache-2.0 */
/* token_decoder.h - reading the decoder of a tokenizer.json; pipeline.h runs it. */
#ifndef AXL_TEXT_TOKEN_DECODER_H
#define AXL_TEXT_TOKEN_DECODER_H

#include "json_part.h"

/* Fills the pipeline's decoders; regular expressions are put into owned. */
axl_status axl__read_decoder(axl__pipeline *p, const axl__part *part, axl__regexes *owned);

#endif
