/* SPDX-License-Identifier: Apache-2.0 */
/* gemma.c - Gemma (Gemma Team, 2024): heads of a size of their own, GELU in the MLP, norms whose
 * weights lie around 0, and an embedding that is the head's, multiplied by sqrt(hidden_size). */
#include "family.h"

#include "base/fail.h"

#include <math.h>

/* What would change the result and is not computed. */
static axl_status gemma_refuse(const axl__arch_source *s)
{
    double dropout = axl__json_double(s->root, "attention_dropout", 0.0);

    if (axl__json_bool(s->root, "use_bidirectional_attention", false))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: use_bidirectional_attention is not supported; a token sees those "
                         "before it",
                         s->path);
    if (dropout != 0.0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: attention_dropout %g is not supported; 0 drops nothing", s->path,
                         dropout);
    return AXL_OK;
}

axl_status axl__gemma_read(axl__arch *a, const axl__arch_source *s, const char *activation_key)
{
    a->head_dim = 256;
    a->tied_head = true;
    AXL_TRY(axl__arch_read_decoder(a, s));
    AXL_TRY(axl__arch_read_activation(a, s, activation_key, "gelu_pytorch_tanh"));
    a->qkv_bias = a->o_bias = axl__json_bool(s->root, "attention_bias", false);
    a->norm_unit_offset = true;
    a->embed_scale = sqrt((double)a->hidden_size);
    return gemma_refuse(s);
}

static axl_status gemma_read(axl__arch *a, const axl__arch_source *s)
{
    a->n_heads = a->n_kv_heads = 16;
    a->vocab_size = 256000;
    a->max_seq_len = 8192;
    return axl__gemma_read(a, s, "hidden_act");
}

const axl__family axl__family_gemma = {
    .model_type = "gemma",
    .class_name = "GemmaForCausalLM",
    .read = gemma_read,
    .modules = axl__modules_add_decoder,
};
