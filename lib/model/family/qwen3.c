/* SPDX-License-Identifier: Apache-2.0 */
/* qwen3.c - Qwen3 (Yang et al., 2025): heads of a size of their own, each normalised in q and k;
 * biases where attention_bias says so; windows as Qwen2 has them. */
#include "family.h"

static axl_status qwen3_read(axl__arch *a, const axl__arch_source *s)
{
    a->head_dim = 128; /* its configuration's own defaults */
    a->n_kv_heads = 32;
    a->max_seq_len = 32768;
    AXL_TRY(axl__arch_read_decoder(a, s));
    a->qkv_bias = a->o_bias = axl__json_bool(s->root, "attention_bias", false);
    a->qk_norm = true;
    return axl__qwen_read_windows(a, s);
}

const axl__family axl__family_qwen3 = {
    .model_type = "qwen3",
    .class_name = "Qwen3ForCausalLM",
    .read = qwen3_read,
    .modules = axl__modules_add_decoder,
};
