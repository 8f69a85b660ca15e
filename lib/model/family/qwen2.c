/* SPDX-License-Identifier: Apache-2.0 */
/* qwen2.c - Qwen2 and Qwen2.5 (Yang et al., 2024): q, k and v have a bias; with use_sliding_window
 * the layers from max_window_layers on, or those that layer_types names, have a window. */
#include "family.h"

#include "base/fail.h"

#include <string.h>

static axl_status qwen2_read_types(axl__arch *a, const axl__arch_source *s, const axl__json *types,
                                   int64_t window)
{
    const axl__json *v = types->child;

    if (types->type != AXL__JSON_ARRAY || (int64_t)types->count != a->n_layers)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"layer_types\" must name each of the %lld layers",
                         s->path, (long long)a->n_layers);
    for (int64_t i = 0; i < a->n_layers; i++, v = v->next) {
        bool slides = v->type == AXL__JSON_STRING && strcmp(v->text, "sliding_attention") == 0;
        if (!slides && !(v->type == AXL__JSON_STRING && strcmp(v->text, "full_attention") == 0))
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s: layer_types[%lld] must be \"full_attention\" or "
                             "\"sliding_attention\"",
                             s->path, (long long)i);
        a->layers[i].window = slides ? window : 0;
    }
    return AXL_OK;
}

axl_status axl__qwen_read_windows(axl__arch *a, const axl__arch_source *s)
{
    const axl__json *types = axl__json_get(s->root, "layer_types");
    int64_t window, first;

    AXL_TRY(axl__arch_read_int(s, "sliding_window", 1, 4096, &window));
    AXL_TRY(axl__arch_read_int(s, "max_window_layers", 0, 28, &first));
    if (!axl__json_bool(s->root, "use_sliding_window", false))
        window = 0;
    if (types && types->type != AXL__JSON_NULL)
        return qwen2_read_types(a, s, types, window);
    for (int64_t i = first; i < a->n_layers; i++)
        a->layers[i].window = window;
    return AXL_OK;
}

static axl_status qwen2_read(axl__arch *a, const axl__arch_source *s)
{
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
