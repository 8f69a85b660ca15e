/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_prompt.c - the prompt of a data set's type for one instruction, as text. */
#include "base/arena.h"
#include "base/structs.h"
#include "config/config.h"
#include "data/prompt/prompt.h"

#include <axl/dataset.h>

/* What `datasets: [{type: alpaca}]` would be. */
static axl_status alpaca_entry(axl__arena *arena, axl__yaml **out)
{
    axl__yaml *type = axl__yaml_string(arena, "alpaca", sizeof "alpaca" - 1);

    *out = axl__yaml_collection(arena, AXL__YAML_MAP);
    return type && *out ? axl__yaml_set(arena, *out, "type", type) : axl__fail_nomem();
}

static axl_status put_ask(const axl__prompt_setup *setup, const char *instruction,
                          const char *input, axl_buffer *out)
{
    axl__prompt p;
    axl__str text;

    AXL_TRY(axl__prompt_open(&p, setup));
    axl__str_init(&text, setup->ctx);
    axl_status status = axl__prompt_ask(&p, instruction, input ? input : "", &text);
    if (status == AXL_OK)
        status = axl__str_to_buffer(&text, out);
    axl__str_free(&text);
    axl__prompt_close(&p);
    return status;
}

axl_status axl_dataset_prompt(axl_context *ctx, const axl_config *cfg, const char *instruction,
                              const char *input, axl_buffer *out)
{
    static const char first[] = "datasets[0]";
    axl__arena arena;
    axl__yaml *alpaca = NULL;

    AXL_TRY(cfg ? axl__config_enter(cfg) : axl__context_enter(ctx));
    if (!instruction || !out)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL",
                         instruction ? "out" : "instruction");
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    if (cfg)
        ctx = axl__config_context(cfg);
    const axl__yaml *entry = cfg ? axl__cfg_node(cfg, first) : NULL;
    if (cfg && !entry)
        return axl__fail(AXL_ERR_INVALID, "datasets is not set");
    axl__arena_init(&arena, ctx);
    axl_status status = cfg ? AXL_OK : alpaca_entry(&arena, &alpaca);
    axl__prompt_setup setup = { .ctx = ctx, .entry = cfg ? entry : alpaca, .cfg = cfg };
    if (status == AXL_OK)
        status = put_ask(&setup, instruction, input, out);
    axl__arena_free(&arena);
    return status;
}
