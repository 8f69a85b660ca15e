/* SPDX-License-Identifier: Apache-2.0 */
/* llama.c - Llama (Touvron et al., 2023), and what calls itself one: TinyLlama, SmolLM2, … */
#include "family.h"

static const axl__arch_fixed fixed[] = {
    { "pretraining_tp", 1, "products in slices, which round differently" },
};

static axl_status llama_read(axl__arch *a, const axl__arch_source *s)
{
    AXL_TRY(axl__arch_check_fixed(s, fixed, sizeof fixed / sizeof fixed[0]));
    AXL_TRY(axl__arch_read_decoder(a, s));
    a->qkv_bias = a->o_bias = axl__json_bool(s->root, "attention_bias", false);
    a->mlp_bias = axl__json_bool(s->root, "mlp_bias", false);
    return AXL_OK;
}

const axl__family axl__family_llama = {
    .model_type = "llama",
    .class_name = "LlamaForCausalLM",
    .read = llama_read,
    .modules = axl__modules_add_decoder,
};
