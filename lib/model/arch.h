/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch.h - a model's shape, from config.json: what all layers share, and a record for each layer of
 * what may differ between them.  A family (family.h) fills it in; nothing else reads config.json.
 */
#ifndef AXL_MODEL_ARCH_H
#define AXL_MODEL_ARCH_H

#include "base/ctx.h"
#include "base/folder.h"
#include "base/json.h"
#include "rotary.h"
#include "tensor/ops.h"

#include <stdint.h>

enum { AXL__EOS_IDS_MAX = 16, AXL__ROPES_MAX = 2, AXL__LAYERS_MAX = 4096 };

/* What one decoder layer computes, where layers of a model may differ. */
typedef struct axl__layer_arch {
    int64_t window; /* a token sees so many places, its own included; 0: all before it */
    int rope;       /* which of the architecture's sets of angles its queries and keys take */
} axl__layer_arch;

typedef struct axl__family axl__family;
typedef struct axl__wrapper axl__wrapper;

/* A model's shape.  Sizes are positive and n_heads is a multiple of n_kv_heads: arch.c has checked
 * it, and nobody checks it again.  A family that has several sets of angles sees to it that every
 * layer's rope is below n_ropes. */
typedef struct axl__arch {
    const axl__family *family;
    const axl__wrapper
        *wrapper; /* where the model is the language model of several parts, or NULL */
    int64_t n_layers, hidden_size, intermediate_size;
    int64_t n_heads, n_kv_heads, head_dim;
    int64_t vocab_size, max_seq_len;
    double rms_norm_eps;
    double initializer_range;        /* the deviation of weights that begin */
    bool tied_head;                  /* the output head is the embedding */
    bool qkv_bias, o_bias, mlp_bias; /* which linear layers add a vector of their own */
    bool qk_norm;                    /* heads of queries and keys are normalised */
    bool post_norms;           /* so are the outputs of attention and MLP, before they are added */
    bool norm_unit_offset;     /* norms multiply by 1 + their weight */
    axl_activation activation; /* of the MLP's gate */
    double embed_scale;        /* embeddings are multiplied by it; 0: they are not */
    double attn_scale;         /* of scores; 1 / sqrt(head_dim) where a family says none */
    double attn_soft_cap, logit_soft_cap; /* of scores and of logits; 0: none */
    /* q, k and v are columns of one linear layer's output, gate and up of another's. */
    bool fused;
    axl__rope ropes[AXL__ROPES_MAX]; /* (n_ropes) */
    int n_ropes;
    axl__layer_arch *layers;           /* (n_layers), owned */
    int64_t eos_ids[AXL__EOS_IDS_MAX]; /* ends of the text and of a turn: generation stops there */
    int n_eos_ids;
} axl__arch;

/* Lays overrides, the text of a JSON object or NULL, over a config.json that was read; of a wrapper
 * over its text_config.  A key that was there keeps its place. */
axl_status axl__arch_override(axl__json *root, axl__arena *arena, const char *overrides);

/* Reads config.json with the overrides over it (NULL: none), and from generation_config.json, where
 * there is one, more of eos_ids. AXL_ERR_UNSUPPORTED names what axl does not compute.  On failure
 * nothing is left to free. */
axl_status axl__arch_read(axl__arch *out, const axl__folder *folder, const char *overrides);
void axl__arch_free(axl__arch *a, axl_context *ctx);

/* The first n layers of `from`, which has no fewer; all else is the same. */
axl_status axl__arch_cut(axl__arch *out, axl_context *ctx, const axl__arch *from, int64_t n);

/* ---- for the families ---- */

/* A config.json that was read. */
typedef struct axl__arch_source {
    axl_context *ctx;
    const axl__json *root;
    const char *path; /* for messages */
} axl__arch_source;

/* What every decoder has, under the names that Llama gave them: sizes, heads, the norms' epsilon,
 * the tied head, the activation, one set of rotary angles, and layers with full attention.  What
 * the family has put into `a` before stands for sizes that config.json does not have. */
axl_status axl__arch_read_decoder(axl__arch *a, const axl__arch_source *s);

/* The MLP's activation, by transformers' names; AXL_ERR_UNSUPPORTED names another. */
axl_status axl__arch_read_activation(axl__arch *a, const axl__arch_source *s, const char *key,
                                     const char *if_missing);

/* Where config.json has layer_types: the layers that it says to slide get the window, others
 * none. */
axl_status axl__arch_read_layer_types(axl__arch *a, const axl__arch_source *s, int64_t window,
                                      bool *found);

/* The value of an integer key, from least on; if_missing where there is no such key, 0 where its
 * value is null. */
axl_status axl__arch_read_int(const axl__arch_source *s, const char *key, int64_t least,
                              int64_t if_missing, int64_t *out);

/* sliding_window, which all layers have alike; if_missing where there is no such key, none where
 * its value is null. */
axl_status axl__arch_read_window(axl__arch *a, const axl__arch_source *s, int64_t if_missing);

/* A key that a family's config.json may have with one value alone: another would ask for what is
 * not computed.  true is 1, false 0; a key that is missing or null asks for nothing. */
typedef struct axl__arch_fixed {
    const char *key;
    double value;
    const char *why; /* what another value would be */
} axl__arch_fixed;
axl_status axl__arch_check_fixed(const axl__arch_source *s, const axl__arch_fixed *fixed, size_t n);

#endif
