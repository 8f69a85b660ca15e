/* SPDX-License-Identifier: Apache-2.0 */
/* qwen2.c - Qwen2 and Qwen2.5 (Yang et al., 2024): q, k and v have a bias; with use_sliding_window
 * the layers from max_window_layers on, or those that layer_types names, have a window. */
#include "family.h"

static const axl__arch_fixed fixed[] = {
    { "use_mrope", 0, "positions in three dimensions" },
};

axl_status axl__qwen_read_windows(axl__arch *a, const axl__arch_source *s)
{
    int64_t window, first;
    bool found;

    AXL_TRY(axl__arch_check_fixed(s, fixed, sizeof fixed / sizeof fixed[0]));
    AXL_TRY(axl__arch_read_int(s, "sliding_window", 1, 4096, &window));
    AXL_TRY(axl__arch_read_int(s, "max_window_layers", 0, 28, &first));
    if (!axl__json_bool(s->root, "use_sliding_window", false))
        window = 0;
    AXL_TRY(axl__arch_read_layer_types(a, s, window, &found));
    for (int64_t i = first; i < a->n_layers && !found; i++)
        a->layers[i].window = window;
    return AXL_OK;
}

static axl_status qwen2_read(axl__arch *a, const axl__arch_source *s)
{
    a->n_kv_heads = 32;
    a->max_seq_len = 32768;
    AXL_TRY(axl__arch_read_decoder(a, s));
    a->qkv_bias = true;
    return axl__qwen_read_windows(a, s);
}

const axl__family axl__family_qwen2 = {
    .model_type = "qwen2",
    .class_name = "Qwen2ForCausalLM",
    .read = qwen2_read,
    .modules = axl__modules_add_decoder,
};
