/* SPDX-License-Identifier: Apache-2.0 */
/* rotary.h - rotary position embeddings (Su et al., 2021): how config.json describes a set of
 * angles, and the table of their cosines and sines. */
#ifndef AXL_MODEL_ROTARY_H
#define AXL_MODEL_ROTARY_H

#include "base/json.h"

#include <stdint.h>

typedef enum { AXL__ROPE_DEFAULT, AXL__ROPE_LINEAR, AXL__ROPE_LLAMA3 } axl__rope_type;

/* How fast each pair of a head's elements turns with the position: pair i by theta^(-2i / D) a
 * place, slowed as the type says for texts longer than the model was pretrained on. */
typedef struct axl__rope {
    axl__rope_type type;
    double theta;
    double factor;                            /* linear, llama3 */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double original_max;                      /* llama3: original_max_position_embeddings */
} axl__rope;

/* Both spellings: rope_theta and rope_scaling of transformers 4, rope_parameters of 5.  path is for
 * messages. */
axl_status axl__rope_read(axl__rope *out, const axl__json *config, int64_t max_seq_len,
                          const char *path);

/* cos, sin (n_positions, head_dim / 2): the angles of transformers' rotary embedding for the type
 * (linear: Chen et al. 2023; llama3: the wave-length rule of Llama 3.1's release). */
void axl__rope_table(const axl__rope *r, int64_t head_dim, float *cos, float *sin,
                     int64_t n_positions);

#endif
