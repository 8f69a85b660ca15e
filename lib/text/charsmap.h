/* SPDX-License-Identifier: Apache-2.0 */
/* charsmap.h - SentencePiece's compiled map of characters: the normalizer Precompiled. */
#ifndef AXL_TEXT_CHARSMAP_H
#define AXL_TEXT_CHARSMAP_H

#include "json_part.h"

/* From base64 to bytes, in place of the text; AXL_ERR_FORMAT for what is no map. */
axl_status axl__charsmap_decode(const axl__part *part, axl__slice *map);
/* Appends what the map makes of in.  limit: how long out may become. */
axl_status axl__put_mapped(axl__slice map, const axl__aligned *in, size_t limit, axl__aligned *out);

/* Whether bytes can be a map, so that the functions here may read them. */
bool axl__charsmap_valid(axl__slice map);
/* Appends what a SentencePiece model makes of in, with the map in s->from, or none. */
axl_status axl__put_sentencepiece(const axl__normalizer_step *s, const axl__aligned *in,
                                  size_t limit, axl__aligned *out);

#endif
