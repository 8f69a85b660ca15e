/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotary.h - rotary position embeddings (Su et al., 2021): how config.json describes a set of
 * angles, and the table of their cosines and sines.
 *
 * Pair i of a head turns by f_i a place, f_i = theta^(-2i / D) in the plain form, D being the
 * elements of a head that turn.  The other kinds slow pairs down for texts longer than the model
 * was pretrained on.  Two of them ask how long the text is: "dynamic" and "longrope" take the
 * frequencies of a pass by the longest sequence of its batch, as transformers does, so that what a
 * batch gives never depends on those before it.
 */
#ifndef AXL_MODEL_ROTARY_H
#define AXL_MODEL_ROTARY_H

#include "base/json.h"

#include <stdint.h>

typedef enum axl__rope_type {
    AXL__ROPE_DEFAULT,
    AXL__ROPE_LINEAR,  /* Chen et al., 2023 */
    AXL__ROPE_DYNAMIC, /* theta grows with the text, from max_position_embeddings on */
    AXL__ROPE_LLAMA3,  /* the wave-length rule of Llama 3.1's release */
    AXL__ROPE_YARN,    /* Peng et al., 2023 */
    AXL__ROPE_LONGROPE /* Ding et al., 2024: a divisor for each pair, other ones for long texts */
} axl__rope_type;

enum { AXL__ROPE_PAIRS_MAX = 512 };

/* A set of angles.  What a type does not name is not read. */
typedef struct axl__rope {
    axl__rope_type type;
    int64_t rotary_dim; /* the first elements of a head, which turn; even */
    double theta;
    double factor;                            /* all but default */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double original_max; /* llama3, yarn, longrope: places that it was pretrained on; 0: not said */
    double max_seq_len;  /* dynamic */
    double beta_fast, beta_slow; /* yarn: turns within original_max, between which it blends */
    bool truncate;               /* yarn: the bounds of the blend are whole pairs */
    double attention_factor;     /* of cosines and sines: 1 but for yarn and longrope */
    double query_beta; /* queries are scaled by 1 + query_beta ln(1 + floor(p / original_max)) */
    float short_factor[AXL__ROPE_PAIRS_MAX], long_factor[AXL__ROPE_PAIRS_MAX]; /* longrope */
} axl__rope;

/* What a family says of its angles; zeroed, what most have. */
typedef struct axl__rope_rules {
    bool by_layers; /* rope_parameters may hold an object for each kind of layer: the family reads
                       them one by one */
    bool partial;   /* partial_rotary_factor: a part of each head turns */
    bool longrope_alone; /* of the kinds, and it may be called "su" or "yarn" */
    bool scales_queries; /* llama_4_scaling_beta */
    double original_max; /* where config.json names none outside of the parameters; 0: theirs */
    /* Where config.json has no parameters; NULL: plain angles. */
    void (*otherwise)(axl__rope *out, int64_t head_dim);
} axl__rope_rules;

/* The model whose angles are read; path is for messages. */
typedef struct axl__rope_of {
    const axl__rope_rules *rules;
    int64_t head_dim, max_seq_len;
    const char *path;
} axl__rope_of;

/* Both spellings: rope_theta and rope_scaling of transformers 4, rope_parameters of 5. */
axl_status axl__rope_read(axl__rope *out, const axl__json *config, const axl__rope_of *of);

/* Which frequencies a batch has whose longest sequence has `length` tokens.  Lengths of one reach
 * have the same. */
int64_t axl__rope_reach(const axl__rope *r, int64_t length);

/* f (rotary_dim / 2) of a reach. */
void axl__rope_frequencies(const axl__rope *r, int64_t reach, float *f);

/* cos, sin (n_positions, rotary_dim / 2), of transformers' rotary embedding for the type, times
 * attention_factor. */
void axl__rope_table(const axl__rope *r, int64_t reach, float *cos, float *sin,
                     int64_t n_positions);

/* Makes of such a table that of queries which are scaled by their position. */
void axl__rope_scale_queries(const axl__rope *r, float *cos, float *sin, int64_t n_positions);

#endif
