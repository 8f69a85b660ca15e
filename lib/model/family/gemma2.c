/* SPDX-License-Identifier: Apache-2.0 */
/* gemma2.c - Gemma 2 (Gemma Team, 2024): norms before and behind each block, scores and logits
 * under soft caps, a window in every other layer. */
#include "family.h"

#include "base/fail.h"

#include <math.h>

axl_status axl__gemma2_read_soft_cap(const axl__arch_source *s, const char *key, double if_missing,
                                     double *out)
{
    const axl__json *v = axl__json_get(s->root, key);
    bool number = v && (v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT);

    *out = !v ? if_missing : number ? v->number : 0.0;
    if (!v || v->type == AXL__JSON_NULL)
        return AXL_OK;
    if (!number || !(*out > 0.0) || !isfinite(*out))
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be a number above 0, or null", s->path,
                         key);
    return AXL_OK;
}

static axl_status gemma2_read_windows(axl__arch *a, const axl__arch_source *s, int64_t pattern)
{
    int64_t window;
    bool found;

    AXL_TRY(axl__arch_read_int(s, "sliding_window", 1, 4096, &window));
    if (window == 0)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"sliding_window\" must be a positive integer",
                         s->path);
    AXL_TRY(axl__arch_read_layer_types(a, s, window, &found));
    for (int64_t i = 0; i < a->n_layers && !found; i++)
        a->layers[i].window = (i + 1) % pattern ? window : 0;
    return AXL_OK;
}

axl_status axl__gemma2_read_layers(axl__arch *a, const axl__arch_source *s, int64_t pattern)
{
    double scalar = axl__json_double(s->root, "query_pre_attn_scalar", 256.0);

    if (!(scalar > 0.0) || !isfinite(scalar))
        return axl__fail(AXL_ERR_FORMAT, "%s: \"query_pre_attn_scalar\" must be above 0", s->path);
    a->attn_scale = 1.0 / sqrt(scalar);
    a->post_norms = true;
    return gemma2_read_windows(a, s, pattern);
}

static axl_status gemma2_read(axl__arch *a, const axl__arch_source *s)
{
    a->n_heads = 8;
    a->n_kv_heads = 4;
    a->vocab_size = 256000;
    a->max_seq_len = 8192;
    AXL_TRY(axl__gemma_read(a, s, "hidden_activation"));
    AXL_TRY(axl__gemma2_read_soft_cap(s, "attn_logit_softcapping", 50.0, &a->attn_soft_cap));
    AXL_TRY(axl__gemma2_read_soft_cap(s, "final_logit_softcapping", 30.0, &a->logit_soft_cap));
    return axl__gemma2_read_layers(a, s, 2);
}

const axl__family axl__family_gemma2 = {
    .model_type = "gemma2",
    .class_name = "Gemma2ForCausalLM",
    .read = gemma2_read,
    .modules = axl__modules_add_decoder,
};
