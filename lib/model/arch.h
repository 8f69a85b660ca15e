/* SPDX-License-Identifier: Apache-2.0 */
/* arch.h - a model's shape, from config.json. */
#ifndef AXL_MODEL_ARCH_H
#define AXL_MODEL_ARCH_H

#include "base/ctx.h"

#include <stdint.h>

typedef enum { AXL__ROPE_DEFAULT, AXL__ROPE_LINEAR, AXL__ROPE_LLAMA3 } axl__rope_type;

enum { AXL__EOS_IDS_MAX = 16 };

typedef struct axl__arch {
    int64_t n_layers, hidden_size, intermediate_size;
    int64_t n_heads, n_kv_heads, head_dim;
    int64_t vocab_size, max_seq_len;
    double rms_norm_eps;
    double rope_theta;
    axl__rope_type rope_type;
    double rope_factor;                                 /* linear, llama3 */
    double rope_low_freq_factor, rope_high_freq_factor; /* llama3 */
    double rope_original_max; /* llama3: original_max_position_embeddings */
    bool tied_head;
    int64_t eos_ids[AXL__EOS_IDS_MAX]; /* ends of the text and of a turn: generation stops there */
    int n_eos_ids;
} axl__arch;

/* Reads DIR/config.json, and from DIR/generation_config.json, where there is one, more of eos_ids.
 * AXL_ERR_UNSUPPORTED names what axl does not compute. */
axl_status axl__arch_read(axl__arch *out, axl_context *ctx, const char *dir);

/* cos, sin (n_positions, head_dim / 2): the angles of transformers' rotary embedding for the type
 * (linear: Chen et al. 2023; llama3: the wave-length rule of Llama 3.1's release). */
void axl__arch_rope_table(const axl__arch *a, float *cos, float *sin, int64_t n_positions);

#endif
