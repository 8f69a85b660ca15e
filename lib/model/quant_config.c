/* SPDX-License-Identifier: Apache-2.0 */
/* quant_config.c - see quant_config.h.  Which names are kept is transformers' rule. */
#include "quant_config.h"

#include "base/fail.h"
#include "base/mem.h"

#include <string.h>

/* ---- what config.json says ---- */

/* Methods of other programs, and what to do about them. */
static const struct {
    const char *name, *advice;
} refused[] = {
    { "gptq", "load the 16-bit model and set load_in_4bit: true" },
    { "awq", "load the 16-bit model and set load_in_4bit: true" },
    { "compressed-tensors", "load the 16-bit model and set load_in_4bit: true" },
    { "mxfp4", "of the families that axl knows none has such weights; load the 16-bit model" },
};

static axl_status refuse_method(const char *method, const char *place)
{
    const char *advice = "bitsandbytes and fp8 are read";

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(refused[i].name, method) == 0)
            advice = refused[i].advice;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s/config.json: quantization_config with quant_method \"%s\" is not "
                     "supported: %s",
                     place, method, advice);
}

/* NF4, FP4 or int8 by the fields of transformers' BitsAndBytesConfig. */
static axl_status read_bitsandbytes(axl__quant_config *out, const axl__json *v, const char *place)
{
    const char *type = axl__json_string(v, "bnb_4bit_quant_type", "fp4");
    bool four = axl__json_bool(v, "load_in_4bit", false);
    bool eight = axl__json_bool(v, "load_in_8bit", false);

    out->stored = out->listed = true;
    if (four == eight)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s/config.json: quantization_config must have one of load_in_4bit and "
                         "load_in_8bit",
                         place);
    if (eight)
        out->kind = AXL_WEIGHT_INT8;
    else if (strcmp(type, "nf4") == 0)
        out->kind = AXL_WEIGHT_NF4;
    else if (strcmp(type, "fp4") == 0)
        out->kind = AXL_WEIGHT_FP4;
    else
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s/config.json: bnb_4bit_quant_type \"%s\" is not known; nf4 and fp4 are",
                         place, type);
    return AXL_OK;
}

static axl_status read_method(axl__quant_config *out, const axl__json *v, const char *place)
{
    /* Files from before transformers named the method are of bitsandbytes. */
    const char *method = axl__json_string(v, "quant_method", "bitsandbytes");

    out->fp8 = strcmp(method, "fp8") == 0;
    if (out->fp8)
        return AXL_OK;
    return strcmp(method, "bitsandbytes") == 0 ? read_bitsandbytes(out, v, place)
                                               : refuse_method(method, place);
}

axl_status axl__quant_config_read(axl__quant_config *out, const axl__folder *folder)
{
    axl__arena arena;
    axl__json *root;

    *out = (axl__quant_config){ 0 };
    axl__arena_init(&arena, folder->ctx);
    axl_status status = axl__folder_json(folder, "config.json", &arena, &root);
    const axl__json *v =
        status == AXL_OK ? axl__json_get(root, "quantization_config") : (const axl__json *)NULL;
    if (v && v->type == AXL__JSON_OBJECT)
        status = read_method(out, v, folder->place);
    axl__arena_free(&arena);
    return status;
}

/* ---- what is asked for ---- */

static axl_status copy_kept(axl__quant_config *q, axl_context *ctx, const axl_model_options *o)
{
    q->listed = o->keep_modules != NULL;
    if (o->n_keep_modules == 0)
        return AXL_OK;
    if (!o->keep_modules)
        return axl__fail(AXL_ERR_INVALID, "keep_modules must not be NULL with n_keep_modules");
    q->kept = axl__calloc(ctx, o->n_keep_modules, sizeof *q->kept);
    if (!q->kept)
        return axl__fail_nomem();
    for (; q->n_kept < o->n_keep_modules; q->n_kept++) {
        q->kept[q->n_kept] = axl__strdup(ctx, o->keep_modules[q->n_kept]);
        if (!q->kept[q->n_kept])
            return axl__fail_nomem();
    }
    return AXL_OK;
}

axl_status axl__quant_config_ask(axl__quant_config *q, axl_context *ctx, const axl_model_options *o)
{
    static const axl_weight_kind kinds[] = { [AXL_WEIGHTS_STORED] = AXL_WEIGHT_DENSE,
                                             [AXL_WEIGHTS_NF4] = AXL_WEIGHT_NF4,
                                             [AXL_WEIGHTS_FP4] = AXL_WEIGHT_FP4,
                                             [AXL_WEIGHTS_INT8] = AXL_WEIGHT_INT8 };

    if (o->weights >= sizeof kinds / sizeof kinds[0])
        return axl__fail(AXL_ERR_INVALID, "weights must be stored, nf4, fp4 or int8");
    if (q->stored || o->weights == AXL_WEIGHTS_STORED)
        return AXL_OK;
    q->kind = kinds[o->weights];
    q->nested = q->kind != AXL_WEIGHT_INT8 && !o->plain_scales;
    return copy_kept(q, ctx, o);
}

void axl__quant_config_free(axl__quant_config *q, axl_context *ctx)
{
    for (size_t i = 0; i < q->n_kept; i++)
        axl__free(ctx, q->kept[i]);
    axl__free(ctx, q->kept);
    *q = (axl__quant_config){ 0 };
}

static bool is_kept(const axl__quant_config *q, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < q->n_kept; i++) {
        size_t n = strlen(q->kept[i]);
        if (n <= len &&
            (strncmp(name, q->kept[i], n) == 0 || strcmp(name + len - n, q->kept[i]) == 0))
            return true;
    }
    return false;
}

bool axl__quant_config_takes(const axl__quant_config *q, const axl__module *m)
{
    if (q->kind == AXL_WEIGHT_DENSE || q->stored)
        return false;
    if (m->role != AXL__ROLE_LINEAR && !(m->role == AXL__ROLE_HEAD && q->listed && !m->tied))
        return false;
    return !is_kept(q, m->name);
}
