/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.h - an architecture family, a file each in this folder: what its config.json means and
 * what modules it has.  What the modules compute is the decoder's and its blocks' affair.
 */
#ifndef AXL_MODEL_FAMILY_H
#define AXL_MODEL_FAMILY_H

#include "model/arch.h"
#include "model/module.h"

struct axl__family {
    const char *model_type; /* of config.json */
    const char *class_name; /* that transformers loads such a model with */
    /* Fills the architecture in; it is zeroed but for the family. attn_scale may stay 0. */
    axl_status (*read)(axl__arch *a, const axl__arch_source *s);
    axl__rope_rules rope; /* zeroed: what most have */
    /* Adds every module that a checkpoint of the family has. */
    axl_status (*modules)(axl__modules *t, const axl__arch *a);
};

extern const axl__family axl__family_llama, axl__family_mistral, axl__family_ministral,
    axl__family_ministral3, axl__family_qwen2, axl__family_qwen3, axl__family_phi3,
    axl__family_gemma, axl__family_gemma2, axl__family_gemma3_text;

/* use_sliding_window, sliding_window, max_window_layers and layer_types, which Qwen2 and Qwen3 have
 * alike (qwen2.c). */
axl_status axl__qwen_read_windows(axl__arch *a, const axl__arch_source *s);

/* What all Gemmas have alike (gemma.c); the key that names the activation differs. */
axl_status axl__gemma_read(axl__arch *a, const axl__arch_source *s, const char *activation_key);
/* What came with the second (gemma2.c): norms on both sides, the scale of scores, and windows in
 * all but every `pattern`th layer, or where layer_types says. */
axl_status axl__gemma2_read_layers(axl__arch *a, const axl__arch_source *s, int64_t pattern);
/* A soft cap; 0 where the key's value is null. */
axl_status axl__gemma2_read_soft_cap(const axl__arch_source *s, const char *key, double if_missing,
                                     double *out);

/* By model_type; NULL when axl does not know it. */
const axl__family *axl__family_find(const char *model_type);
/* The families in their order; NULL behind the last. */
const axl__family *axl__family_at(size_t index);
/* "llama, mistral, …" for messages, into out. */
void axl__family_names(char *out, size_t size);

#endif
