/* SPDX-License-Identifier: Apache-2.0 */
/* arch.c - config.json of the Llama family; both spellings of the rotary parameters: rope_theta and
 * rope_scaling of transformers 4, rope_parameters of 5. */
#include "arch.h"

#include "base/json.h"
#include "base/os.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

typedef struct {
    const axl__json *root;
    const char *path;
} source;

static axl_status need_int(const source *s, const char *key, int64_t *out)
{
    const axl__json *v = axl__json_get(s->root, key);

    if (!v)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" is missing", s->path, key);
    if (v->type != AXL__JSON_INT || v->integer <= 0 || v->integer > INT32_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" must be a positive integer", s->path, key);
    *out = v->integer;
    return AXL_OK;
}

static axl_status refuse_true(const source *s, const char *key)
{
    if (axl__json_bool(s->root, key, false))
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s: true is not supported yet", s->path, key);
    return AXL_OK;
}

static axl_status read_family(const source *s)
{
    const char *type = axl__json_string(s->root, "model_type", "");
    const char *act = axl__json_string(s->root, "hidden_act", "silu");

    if (!*type)
        return axl__fail(AXL_ERR_FORMAT, "%s: \"model_type\" is missing", s->path);
    if (strcmp(type, "llama") != 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: model_type \"%s\" is not supported yet; llama is", s->path, type);
    if (strcmp(act, "silu") != 0)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: hidden_act \"%s\" is not supported yet", s->path,
                         act);
    if (axl__json_get(s->root, "quantization_config") &&
        axl__json_get(s->root, "quantization_config")->type == AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: quantised weights are not supported yet",
                         s->path);
    AXL_TRY(refuse_true(s, "attention_bias"));
    return refuse_true(s, "mlp_bias");
}

static axl_status read_rope(const source *s, axl__arch *a)
{
    const axl__json *p = axl__json_get(s->root, "rope_parameters");
    const axl__json *scaling = axl__json_get(s->root, "rope_scaling");
    const axl__json *v = p && p->type == AXL__JSON_OBJECT ? p : scaling;

    a->rope_theta = axl__json_double(s->root, "rope_theta", 10000.0);
    a->rope_theta = axl__json_double(v, "rope_theta", a->rope_theta);
    const char *type = axl__json_string(v, "rope_type", axl__json_string(v, "type", "default"));
    a->rope_factor = axl__json_double(v, "factor", 1.0);
    a->rope_low_freq_factor = axl__json_double(v, "low_freq_factor", 1.0);
    a->rope_high_freq_factor = axl__json_double(v, "high_freq_factor", 4.0);
    a->rope_original_max =
        axl__json_double(v, "original_max_position_embeddings", (double)a->max_seq_len);
    if (strcmp(type, "default") == 0)
        a->rope_type = AXL__ROPE_DEFAULT;
    else if (strcmp(type, "linear") == 0)
        a->rope_type = AXL__ROPE_LINEAR;
    else if (strcmp(type, "llama3") == 0)
        a->rope_type = AXL__ROPE_LLAMA3;
    else
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "%s: rope type \"%s\" is not supported yet; default, linear and llama3 are", s->path,
            type);
    if (!(a->rope_theta > 0) || !(a->rope_factor > 0) || !(a->rope_original_max > 0) ||
        !(a->rope_high_freq_factor > a->rope_low_freq_factor))
        return axl__fail(AXL_ERR_FORMAT, "%s: the rotary parameters are out of range", s->path);
    return AXL_OK;
}

static void add_eos(axl__arch *a, const axl__json *id)
{
    for (int i = 0; i < a->n_eos_ids; i++)
        if (id->type == AXL__JSON_INT && a->eos_ids[i] == id->integer)
            return;
    if (id->type == AXL__JSON_INT && a->n_eos_ids < AXL__EOS_IDS_MAX)
        a->eos_ids[a->n_eos_ids++] = id->integer;
}

static axl_status read_eos(const source *s, axl__arch *a)
{
    const axl__json *v = axl__json_get(s->root, "eos_token_id");

    if (v && v->type == AXL__JSON_ARRAY)
        for (const axl__json *e = v->child; e; e = e->next)
            add_eos(a, e);
    else if (v)
        add_eos(a, v);
    return AXL_OK;
}

static axl_status read_arch(const source *s, axl__arch *a)
{
    AXL_TRY(read_family(s));
    AXL_TRY(need_int(s, "num_hidden_layers", &a->n_layers));
    AXL_TRY(need_int(s, "hidden_size", &a->hidden_size));
    AXL_TRY(need_int(s, "intermediate_size", &a->intermediate_size));
    AXL_TRY(need_int(s, "num_attention_heads", &a->n_heads));
    AXL_TRY(need_int(s, "vocab_size", &a->vocab_size));
    a->n_kv_heads = axl__json_int(s->root, "num_key_value_heads", a->n_heads);
    a->head_dim = axl__json_int(s->root, "head_dim", a->hidden_size / a->n_heads);
    a->max_seq_len = axl__json_int(s->root, "max_position_embeddings", 2048);
    a->rms_norm_eps = axl__json_double(s->root, "rms_norm_eps", 1e-6);
    a->tied_head = axl__json_bool(s->root, "tie_word_embeddings", false);
    if (a->n_kv_heads <= 0 || a->n_heads % a->n_kv_heads != 0)
        return axl__fail(AXL_ERR_FORMAT, "%s: %lld heads cannot share %lld key-value heads",
                         s->path, (long long)a->n_heads, (long long)a->n_kv_heads);
    if (a->head_dim <= 0 || a->head_dim % 2 != 0 || a->head_dim > 1024 || a->max_seq_len <= 0 ||
        a->max_seq_len > INT32_MAX)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: head_dim must be even and max_position_embeddings positive", s->path);
    AXL_TRY(read_rope(s, a));
    return read_eos(s, a);
}

static axl_status read_file(axl__arch *out, axl_context *ctx, const char *path,
                            axl_status (*read)(const source *s, axl__arch *out))
{
    axl__arena arena;
    axl__file f;
    axl__json *root;

    AXL_TRY(axl__file_open(&f, ctx, path, true));
    axl__arena_init(&arena, ctx);
    axl_status status = axl__json_parse(&root, &arena, (const char *)f.data, f.size, path);
    if (status == AXL_OK) {
        source s = { root, path };
        status = read(&s, out);
    }
    axl__arena_free(&arena);
    axl__file_close(&f);
    return status;
}

axl_status axl__arch_read(axl__arch *out, axl_context *ctx, const char *dir)
{
    char *config = axl__format(ctx, "%s/config.json", dir);
    char *generation = axl__format(ctx, "%s/generation_config.json", dir);
    axl_status status = config && generation ? AXL_OK : axl__fail_nomem();

    memset(out, 0, sizeof *out);
    if (status == AXL_OK)
        status = read_file(out, ctx, config, read_arch);
    if (status == AXL_OK && axl__path_kind_of(generation) != AXL__PATH_NONE)
        status = read_file(out, ctx, generation, read_eos);
    axl__free(ctx, config);
    axl__free(ctx, generation);
    return status;
}

/* Long waves are slowed by the factor, short ones kept, those between blended. */
static double llama3_frequency(const axl__arch *a, double f)
{
    double wave = 2.0 * 3.14159265358979323846 / f;
    double low = a->rope_original_max / a->rope_low_freq_factor;
    double high = a->rope_original_max / a->rope_high_freq_factor;

    if (wave > low)
        return f / a->rope_factor;
    if (wave < high)
        return f;
    double smooth = (a->rope_original_max / wave - a->rope_low_freq_factor) /
                    (a->rope_high_freq_factor - a->rope_low_freq_factor);
    return (1.0 - smooth) * f / a->rope_factor + smooth * f;
}

void axl__arch_rope_table(const axl__arch *a, float *cos_out, float *sin_out, int64_t n_positions)
{
    int64_t half = a->head_dim / 2;

    for (int64_t i = 0; i < half; i++) {
        double f = pow(a->rope_theta, -2.0 * (double)i / (double)a->head_dim);
        if (a->rope_type == AXL__ROPE_LINEAR)
            f /= a->rope_factor;
        else if (a->rope_type == AXL__ROPE_LLAMA3)
            f = llama3_frequency(a, f);
        float f32 = (float)f; /* transformers multiplies positions by f32 frequencies in f32 */
        for (int64_t p = 0; p < n_positions; p++) {
            float angle = (float)p * f32;
            cos_out[p * half + i] = (float)cos((double)angle);
            sin_out[p * half + i] = (float)sin((double)angle);
        }
    }
}
