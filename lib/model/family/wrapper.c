/* SPDX-License-Identifier: Apache-2.0 */
/* wrapper.c - the wrappers that axl knows; their language models are those of the families. */
#include "wrapper.h"

#include <string.h>

#define MODULE_PATHS                                                                               \
    {                                                                                              \
        "model.language_model.", "lm_head"                                                         \
    }
#define FILE_PATHS                                                                                 \
    {                                                                                              \
        { "language_model.model.", "language_model.lm_head" }, MODULE_PATHS                        \
    }

static const axl__wrapper wrappers[] = {
    { "mistral3", "Mistral3ForConditionalGeneration", "mistral", true, MODULE_PATHS, FILE_PATHS },
    { "gemma3", "Gemma3ForConditionalGeneration", "gemma3_text", true, MODULE_PATHS, FILE_PATHS },
    { "llava", "LlavaForConditionalGeneration", "llama", false, MODULE_PATHS, FILE_PATHS },
};

enum { N_WRAPPERS = sizeof wrappers / sizeof wrappers[0] };

const axl__wrapper *axl__wrapper_at(size_t index)
{
    return index < N_WRAPPERS ? &wrappers[index] : NULL;
}

const axl__wrapper *axl__wrapper_find(const char *model_type)
{
    for (size_t i = 0; i < N_WRAPPERS; i++)
        if (strcmp(wrappers[i].model_type, model_type) == 0)
            return &wrappers[i];
    return NULL;
}
