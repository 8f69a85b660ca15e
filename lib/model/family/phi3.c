/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phi3.c - Phi-3, Phi-3.5, Phi-4 and Phi-4-mini (Abdin et al., 2024): q, k and v are one linear
 * layer, gate and up another; a part of each head may turn; longrope, which older files call "su"
 * or "yarn"; a window in all layers.
 */
#include "family.h"

/* Phi3Config's fields that do not merely say a size. */
static const axl__arch_fixed fixed[] = {
    { "resid_pdrop", 0, "dropout of what attention and MLP add" },
    { "embd_pdrop", 0, "dropout of embeddings" },
    { "attention_bias", 0, "biases of linear layers" },
    { "mlp_bias", 0, "biases of linear layers" },
};

static axl_status phi3_read(axl__arch *a, const axl__arch_source *s)
{
    AXL_TRY(axl__arch_check_fixed(s, fixed, sizeof fixed / sizeof fixed[0]));
    a->fused = true;
    a->max_seq_len = 4096;
    a->rms_norm_eps = 1e-5;
    AXL_TRY(axl__arch_read_decoder(a, s));
    return axl__arch_read_window(a, s, 0);
}

const axl__family axl__family_phi3 = {
    .model_type = "phi3",
    .class_name = "Phi3ForCausalLM",
    .read = phi3_read,
    .rope = { .partial = true, .longrope_alone = true, .original_max = 4096.0 },
    .modules = axl__modules_add_decoder,
};
