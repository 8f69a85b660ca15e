/* SPDX-License-Identifier: Apache-2.0 */
/* mistral.c - Mistral (Jiang et al., 2023): a Llama whose tokens may see only the last
 * sliding_window places.  The first release has one of 4096; later ones say null.  Ministral (8B,
 * 2024) says with layer_types which layers have it. */
#include "family.h"

/* What both have; window is of all layers. */
static axl_status mistral_read_both(axl__arch *a, const axl__arch_source *s, int64_t *window)
{
    a->n_kv_heads = 8;
    a->max_seq_len = 131072;
    AXL_TRY(axl__arch_read_decoder(a, s));
    AXL_TRY(axl__arch_read_int(s, "sliding_window", 1, 4096, window));
    for (int64_t i = 0; i < a->n_layers; i++)
        a->layers[i].window = *window;
    return AXL_OK;
}

static axl_status mistral_read(axl__arch *a, const axl__arch_source *s)
{
    int64_t window;

    return mistral_read_both(a, s, &window);
}

static axl_status ministral_read(axl__arch *a, const axl__arch_source *s)
{
    int64_t window;
    bool found;

    AXL_TRY(mistral_read_both(a, s, &window));
    return axl__arch_read_layer_types(a, s, window, &found);
}

const axl__family axl__family_mistral = {
    .model_type = "mistral",
    .class_name = "MistralForCausalLM",
    .read = mistral_read,
    .modules = axl__modules_add_decoder,
};

const axl__family axl__family_ministral = {
    .model_type = "ministral",
    .class_name = "MinistralForCausalLM",
    .read = ministral_read,
    .modules = axl__modules_add_decoder,
};
