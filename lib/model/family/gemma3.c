/* SPDX-License-Identifier: Apache-2.0 */
/* gemma3.c - the text model of Gemma 3 (Gemma Team, 2025): Gemma 2 with norms of each head in the
 * place of soft caps, a layer with full attention after every five with a window, and angles of
 * their own for either kind of layer. */
#include "family.h"

#include "base/fail.h"

enum { FULL, SLIDING }; /* the sets of angles */

/* A set of angles has its own parameters, as the only set of another model has. */
static axl_status gemma3_read_rope(axl__arch *a, const axl__arch_source *s, int set,
                                   const axl__json *parameters, double theta)
{
    static const char theta_key[] = "rope_theta", key[] = "rope_parameters";
    axl__json own = { .type = AXL__JSON_NULL }, base = { .type = AXL__JSON_FLOAT, .number = theta };

    if (parameters)
        own = *parameters;
    own.key = key;
    own.key_len = sizeof key - 1;
    own.next = NULL;
    base.key = theta_key;
    base.key_len = sizeof theta_key - 1;
    base.next = &own;
    axl__json config = { .type = AXL__JSON_OBJECT, .count = 2, .child = &base };
    const axl__rope_of of = { &a->family->rope, a->head_dim, a->max_seq_len, s->path };
    return axl__rope_read(&a->ropes[set], &config, &of);
}

/* transformers 4 writes rope_theta and rope_scaling of layers with full attention and
 * rope_local_base_freq of the others, 5 an object for each in rope_parameters. */
static axl_status gemma3_read_ropes(axl__arch *a, const axl__arch_source *s)
{
    const axl__json *both = axl__json_get(s->root, "rope_parameters");
    const axl__json *full = axl__json_get(both, "full_attention");
    const axl__json *sliding = axl__json_get(both, "sliding_attention");
    const axl__json *scaling = axl__json_get(s->root, "rope_scaling");
    double theta = axl__json_double(s->root, "rope_theta", 1e6);

    if (both && both->type == AXL__JSON_OBJECT && both->count > 0 && !full && !sliding)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: rope_parameters must have \"full_attention\" and "
                         "\"sliding_attention\"",
                         s->path);
    theta = axl__json_double(full, "rope_theta", theta);
    if (scaling && scaling->type == AXL__JSON_OBJECT)
        full = scaling;
    AXL_TRY(gemma3_read_rope(a, s, FULL, full, theta));
    AXL_TRY(gemma3_read_rope(a, s, SLIDING, sliding,
                             axl__json_double(s->root, "rope_local_base_freq", 1e4)));
    a->n_ropes = 2;
    for (int64_t i = 0; i < a->n_layers; i++)
        a->layers[i].rope = a->layers[i].window > 0 ? SLIDING : FULL;
    return AXL_OK;
}

static axl_status gemma3_read(axl__arch *a, const axl__arch_source *s)
{
    double unused_cap;
    int64_t pattern;

    a->n_heads = 8;
    a->n_kv_heads = 4;
    a->vocab_size = 262208;
    a->max_seq_len = 131072;
    AXL_TRY(axl__gemma_read(a, s, "hidden_activation"));
    a->qk_norm = true;
    AXL_TRY(axl__gemma2_read_soft_cap(s, "final_logit_softcapping", 0.0, &a->logit_soft_cap));
    AXL_TRY(axl__gemma2_read_soft_cap(s, "attn_logit_softcapping", 0.0, &unused_cap));
    if (unused_cap > 0.0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: attn_logit_softcapping of a gemma3_text is not supported; its scores "
                         "have none (null)",
                         s->path);
    AXL_TRY(axl__arch_read_int(s, "sliding_window_pattern", 1, 6, &pattern));
    AXL_TRY(axl__gemma2_read_layers(a, s, pattern > 0 ? pattern : 6));
    return gemma3_read_ropes(a, s);
}

const axl__family axl__family_gemma3_text = {
    .model_type = "gemma3_text",
    .class_name = "Gemma3ForCausalLM",
    .read = gemma3_read,
    .rope = { .by_layers = true },
    .modules = axl__modules_add_decoder,
};
