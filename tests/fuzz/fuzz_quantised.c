/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_quantised.c - the weights of a checkpoint in 4 or 8 bits or in FP8, or of one that gets
 * codes while loading.  From memory, where a sanitizer sees each byte that is read behind the end.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *quantization; /* quantization_config */
    uint32_t weights;         /* an axl_weights */
} forms[] = {
    { "{\"load_in_4bit\": true, \"bnb_4bit_quant_type\": \"nf4\"}", AXL_WEIGHTS_STORED },
    { "{\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true}", AXL_WEIGHTS_STORED },
    { "{\"load_in_8bit\": true}", AXL_WEIGHTS_STORED },
    { "{\"quant_method\": \"fp8\"}", AXL_WEIGHTS_STORED },
    { "null", AXL_WEIGHTS_NF4 },
    { "null", AXL_WEIGHTS_INT8 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        "{\"model_type\": \"llama\", \"hidden_size\": 8, \"intermediate_size\": 8, "
        "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"head_dim\": 8, \"vocab_size\": "
        "16, "
        "\"max_position_embeddings\": 64, \"tie_word_embeddings\": true, "
        "\"quantization_config\": %s}";
    const int32_t ids[3] = { 1, 5, 9 };
    size_t form = fuzz_pick(&data, &size, sizeof forms / sizeof forms[0]);
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    char config[512];
    float logits[3 * 16];
    axl_model *model;

    int length = snprintf(config, sizeof config, text, forms[form].quantization);
    const axl_file files[] = {
        { sizeof files[0], "config.json", config, (size_t)length },
        { sizeof files[0], "model.safetensors", data, size },
    };
    o.weights = forms[form].weights;
    axl_status status = axl_model_open_files(&model, fuzz_context(), files, 2, &o);
    fuzz_must((status == AXL_OK) == (model != NULL), "a model or a failure");
    if (model)
        fuzz_must(axl_model_logits(model, NULL, ids, 3, logits) == AXL_OK, "logits");
    axl_model_free(model);
    return 0;
}
