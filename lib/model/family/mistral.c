/* SPDX-License-Identifier: Apache-2.0 */
/* mistral.c - Mistral (Jiang et al., 2023): a Llama whose tokens may see only the last
 * sliding_window places.  The first release has one of 4096; later ones say null. */
#include "family.h"

static axl_status mistral_read(axl__arch *a, const axl__arch_source *s)
{
    int64_t window;

    AXL_TRY(axl__arch_read_decoder(a, s));
    AXL_TRY(axl__arch_read_int(s, "sliding_window", 1, 4096, &window));
    for (int64_t i = 0; i < a->n_layers; i++)
        a->layers[i].window = window;
    return AXL_OK;
}

const axl__family axl__family_mistral = {
    .model_type = "mistral",
    .class_name = "MistralForCausalLM",
    .read = mistral_read,
    .modules = axl__modules_add_decoder,
};
