/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi_sizes.c - what a binding asks before it trusts its own declarations: the size of each public
 * struct, and which features this build has.
 */
#include "base/fail.h"

#include <axl/config.h>
#include <axl/generate.h>
#include <axl/plan.h>
#include <axl/run.h>
#include <axl/sweep.h>

#include <string.h>

struct named {
    const char *name;
    size_t value;
};

#define SIZE_OF(type)                                                                              \
    {                                                                                              \
#type, sizeof(type)                                                                        \
    }

static const struct named sizes[] = {
    SIZE_OF(axl_adapter_options),
    SIZE_OF(axl_batch),
    SIZE_OF(axl_buffer),
    SIZE_OF(axl_config_key_info),
    SIZE_OF(axl_config_options),
    SIZE_OF(axl_context_options),
    SIZE_OF(axl_dataset_stats),
    SIZE_OF(axl_diagnostic),
    SIZE_OF(axl_evaluation),
    SIZE_OF(axl_generate_options),
    SIZE_OF(axl_loader_cursor),
    SIZE_OF(axl_loader_options),
    SIZE_OF(axl_model_info),
    SIZE_OF(axl_model_options),
    SIZE_OF(axl_optimizer_options),
    SIZE_OF(axl_plan),
    SIZE_OF(axl_progress),
    SIZE_OF(axl_run_options),
    SIZE_OF(axl_run_record),
    SIZE_OF(axl_sample),
    SIZE_OF(axl_schedule_options),
    SIZE_OF(axl_step_stats),
    SIZE_OF(axl_sweep_run),
    SIZE_OF(axl_tensor_info),
    SIZE_OF(axl_tokenizer_options),
    SIZE_OF(axl_trainer_options),
};

/* The two built-in backends are always there; AXL_HAVE_… come from meson. */
static const struct named features[] = {
    { "cpu", 1 },
    { "curl", AXL_HAVE_CURL },
    { "onednn", AXL_HAVE_ONEDNN },
    { "reference", 1 },
};

static size_t named_value(const struct named *table, size_t n, const char *name)
{
    axl__error_clear();
    for (size_t i = 0; i < n && name; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].value;
    return 0;
}

size_t axl_abi_sizeof(const char *name)
{
    return named_value(sizes, sizeof sizes / sizeof sizes[0], name);
}

int axl_feature_supported(const char *name)
{
    return (int)named_value(features, sizeof features / sizeof features[0], name);
}
