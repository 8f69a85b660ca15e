/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_names.c - see optimizer_names.h. */
#include "optimizer_names.h"

#include <string.h>

/* What several rows read: ADAM and LION are keys of the config, ADEMAMIX is of optim_args. */
#define ADAM "adam_beta1, adam_beta2, adam_epsilon"
#define LION "adam_beta1, adam_beta2"
#define ADEMAMIX "beta1, beta2, beta3, alpha, eps, t_alpha, t_beta3"

#define ROW(...) { __VA_ARGS__ },

const axl__optimizer_name axl__optimizer_names[] = { AXL__OPTIMIZERS(ROW, ROW) };
const size_t axl__n_optimizer_names = sizeof axl__optimizer_names / sizeof axl__optimizer_names[0];

bool axl__optimizer_name_has_moments(const axl__optimizer_name *o)
{
    static const char *const methods[] = { "adamw", "adamw_8bit", "adamw_torch_8bit",
                                           "optimi_adamw" };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(o->method, methods[i]) == 0)
            return true;
    return false;
}

/* ---- what there is elsewhere ---- */

#define PROJECTED "gradients are not projected to a low rank here"
#define IN_BACKWARD "weights move between batches here, not within the backward"
#define COMPRESSED "weights are kept in f32 here, not compressed"

static const struct {
    const char *name, *why;
} refused[] = {
    { "adalomo", IN_BACKWARD "; use adafactor" },
    { "adamw_anyprecision", "its state is bf16, weights and state are f32 here; use adamw_torch" },
    { "adamw_torch_npu_fused", "it is a kernel of another device; use adamw_torch" },
    { "adamw_torch_xla", "it is a kernel of another device; use adamw_torch" },
    { "ao_adamw_4bit", "Axolotl 0.19 runs it under another name alone; use adamw_torch_4bit" },
    { "ao_adamw_8bit", "Axolotl 0.19 runs it under another name alone; use adamw_torch_8bit" },
    { "ao_adamw_fp8", "state in FP8 does not exist here; use adamw_torch_8bit" },
    { "apollo_adamw", PROJECTED "; use adamw_8bit" },
    { "apollo_adamw_layerwise", PROJECTED "; use adamw_8bit" },
    { "dion", "updates of a low rank do not exist here; use muon" },
    { "flash_adam", COMPRESSED "; use adamw_torch_8bit" },
    { "flash_adamw", COMPRESSED "; use adamw_torch_8bit" },
    { "flash_lion", COMPRESSED "; use lion_8bit" },
    { "flash_sgd", COMPRESSED "; use sgd" },
    { "flash_sgdw", COMPRESSED "; use sgd" },
    { "galore_adafactor", PROJECTED "; use adafactor" },
    { "galore_adafactor_layerwise", PROJECTED "; use adafactor" },
    { "galore_adamw", PROJECTED "; use adamw_8bit" },
    { "galore_adamw_8bit", PROJECTED "; use adamw_8bit" },
    { "galore_adamw_8bit_layerwise", PROJECTED "; use adamw_8bit" },
    { "galore_adamw_layerwise", PROJECTED "; use adamw_8bit" },
    { "grokadamw", "gradients are not amplified by their slow part here; use ademamix" },
    { "lomo", IN_BACKWARD "; use sgd" },
    { "polora", "polar steps of LoRA's pairs do not exist here; use adamw_torch" },
    { "q_galore_adamw8bit", PROJECTED "; use adamw_8bit" },
    { "schedule_free_radam", "RAdam does not exist here; use schedule_free_adamw" },
    { "sinkgd", "gradients normalised by Sinkhorn's steps do not exist here; use muon" },
    { "stable_adamw", "updates are not clipped by their size here; use adamw_torch" },
};

const char *axl__optimizer_refusal(const char *name)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].why;
    return NULL;
}

const axl__optimizer_name *axl__optimizer_find(const char *name)
{
    for (size_t i = 0; i < axl__n_optimizer_names; i++)
        if (strcmp(axl__optimizer_names[i].name, name) == 0)
            return &axl__optimizer_names[i];
    return NULL;
}
