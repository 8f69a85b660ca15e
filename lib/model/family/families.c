/* SPDX-License-Identifier: Apache-2.0 */
/* families.c - the families that axl knows. */
#include "family.h"

#include <stdio.h>
#include <string.h>

static const axl__family *const families[] = {
    &axl__family_llama,  &axl__family_mistral,     &axl__family_ministral, &axl__family_ministral3,
    &axl__family_qwen2,  &axl__family_qwen3,       &axl__family_phi3,      &axl__family_gemma,
    &axl__family_gemma2, &axl__family_gemma3_text,
};

enum { N_FAMILIES = sizeof families / sizeof families[0] };

const axl__family *axl__family_find(const char *model_type)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (strcmp(families[i]->model_type, model_type) == 0)
            return families[i];
    return NULL;
}

const axl__family *axl__family_at(size_t index)
{
    return index < N_FAMILIES ? families[index] : NULL;
}

void axl__family_names(char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < N_FAMILIES && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                                 families[i]->model_type);
}
