/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ministral3.c - Ministral 3 (Mistral AI, 2025): a Mistral whose queries grow with their position
 * (llama_4_scaling_beta among the rotary parameters) and whose angles are yarn's unless
 * config.json says otherwise.
 */
#include "family.h"

/* Ministral3Config's own rotary parameters.  mscale and mscale_all_dim are both 1 there, so that
 * cosines and sines keep their length. */
static void default_rope(axl__rope *r, int64_t head_dim)
{
    *r = (axl__rope){ .type = AXL__ROPE_YARN,
                      .rotary_dim = head_dim,
                      .theta = 1e6,
                      .factor = 16.0,
                      .original_max = 16384.0,
                      .beta_fast = 32.0,
                      .beta_slow = 1.0,
                      .truncate = true,
                      .attention_factor = 1.0,
                      .query_beta = 0.1 };
}

static axl_status ministral3_read(axl__arch *a, const axl__arch_source *s)
{
    a->head_dim = 128;
    a->n_kv_heads = 8;
    a->max_seq_len = 262144;
    a->rms_norm_eps = 1e-5;
    AXL_TRY(axl__arch_read_decoder(a, s));
    return axl__arch_read_window(a, s, 0);
}

const axl__family axl__family_ministral3 = {
    .model_type = "ministral3",
    .class_name = "Ministral3ForCausalLM",
    .read = ministral3_read,
    .rope = { .scales_queries = true, .otherwise = default_rope },
    .modules = axl__modules_add_decoder,
};
