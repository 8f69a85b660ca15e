/* SPDX-License-Identifier: Apache-2.0 */
/*
 * param_groups.c - by names, as Axolotl 0.19 makes groups: with transformers' rule of what decays,
 * and PEFT's of LoRA+.  Groups that would be treated the same are one.
 */
#include "param_groups.h"

#include "base/str.h"

#include <string.h>

enum { NAME_MAX_ = 256 };

typedef struct {
    const axl__optim_target *target;
    const axl_optimizer_options *opts;
    axl__param_groups *out;
    bool own;
} grouping;

/* The name in a PyTorch model, where PEFT's parts carry the adapter's name ("default"), and whole
 * modules stand in a wrapper; files leave it out.  Rules and lr_groups are about those names. */
static void groups_torch_name(char out[NAME_MAX_], const char *name)
{
    static const char weight[] = ".weight", of_peft[] = "base_model.model.";
    const char *end = strstr(name, ".lora_") ? ".default.weight"
                      : strncmp(name, of_peft, sizeof of_peft - 1) == 0
                          ? ".modules_to_save.default.weight"
                          : NULL;
    size_t n = strlen(name), tail = sizeof weight - 1;

    if (end && axl__ends_with(name, weight) && n + strlen(end) < NAME_MAX_) {
        memcpy(out, name, n - tail);
        memcpy(out + n - tail, end, strlen(end) + 1);
        return;
    }
    n = n < NAME_MAX_ - 1 ? n : NAME_MAX_ - 1;
    memcpy(out, name, n);
    out[n] = '\0';
}

/* Whether a dot or the end follows the word, and a dot or the beginning is before it. */
static bool groups_has_word(const char *name, const char *word, bool any_before)
{
    size_t n = strlen(word);

    for (const char *at = name; (at = strstr(at, word)); at++)
        if ((at[n] == '\0' || at[n] == '.') && (any_before || at == name || at[-1] == '.'))
            return true;
    return false;
}

/* transformers' get_decay_parameter_names. */
static bool groups_decays(const char *name)
{
    char low[NAME_MAX_];
    size_t n = 0;

    for (; name[n] && n < NAME_MAX_ - 1; n++)
        low[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] | 0x20) : name[n];
    low[n] = '\0';
    return !strstr(low, "bias") && !strstr(low, "layernorm") && !strstr(low, "rmsnorm") &&
           !groups_has_word(low, "norm", false) && !groups_has_word(low, "_norm", true);
}

/* LoRA+ has no weight decay: PEFT takes it from an argument that Axolotl does not give. */
static axl__param_group groups_loraplus(const grouping *g, const axl__optim_tensor *t)
{
    double base = g->target->learning_rate;

    if (strstr(t->name, "lora_embedding_"))
        return (axl__param_group){ g->opts->loraplus_lr_embedding / base, 0.0 };
    if (t->vector || strstr(t->name, "lora_B"))
        return (axl__param_group){ g->opts->loraplus_lr_ratio, 0.0 };
    return (axl__param_group){ 1.0, 0.0 };
}

/* Axolotl's create_optimizer_grouped_parameters.  Embeddings have no decay there, with or without a
 * rate of their own; of lr_groups the first whose text is in the name counts, and only for what
 * decays. */
static axl__param_group groups_by_rates(const grouping *g, const axl__optim_tensor *t,
                                        const char *name)
{
    const axl_optimizer_options *o = g->opts;
    double base = g->target->learning_rate;
    axl__param_group group = { 1.0, 0.0 };

    if (t->embedding) {
        if (o->embedding_lr_scale > 0.0)
            group.rate = o->embedding_lr_scale;
        else if (o->embedding_lr > 0.0)
            group.rate = o->embedding_lr / base;
        return group;
    }
    if (!groups_decays(name))
        return group;
    group.weight_decay = o->weight_decay;
    for (size_t i = 0; i < o->n_lr_group_modules; i++)
        if (strstr(name, o->lr_group_modules[i])) {
            group.rate = o->lr_group_rates[i] / base;
            break;
        }
    return group;
}

/* Who makes the groups: PEFT for LoRA+, Axolotl's trainer where a rate is set or the optimizer is
 * its own, else transformers' trainer, to which embeddings are tensors like others. */
static axl__param_group groups_find(const grouping *g, const axl__optim_tensor *t)
{
    const axl_optimizer_options *o = g->opts;
    char name[NAME_MAX_];

    groups_torch_name(name, t->name);
    if (o->loraplus_lr_ratio > 0.0)
        return groups_loraplus(g, t);
    if (g->own || o->embedding_lr > 0.0 || o->embedding_lr_scale > 0.0 || o->n_lr_group_modules)
        return groups_by_rates(g, t, name);
    return (axl__param_group){ 1.0, groups_decays(name) ? o->weight_decay : 0.0 };
}

static uint32_t groups_add(axl__param_groups *out, axl__param_group group)
{
    for (size_t i = 0; i < out->n_groups; i++)
        if (out->groups[i].rate == group.rate && out->groups[i].weight_decay == group.weight_decay)
            return (uint32_t)i;
    out->groups[out->n_groups] = group;
    return (uint32_t)out->n_groups++;
}

/* On failure out is in parts, for axl__param_groups_free(). */
axl_status axl__param_groups_new(axl__param_groups *out, const axl__optim_target *target,
                                 const axl_optimizer_options *opts, bool own)
{
    grouping g = { target, opts, out, own };

    *out = (axl__param_groups){ 0 };
    out->groups = axl__calloc(target->ctx, target->n_tensors, sizeof *out->groups);
    out->of_tensor = axl__calloc(target->ctx, target->n_tensors, sizeof *out->of_tensor);
    if (!out->groups || !out->of_tensor)
        return axl__fail_nomem();
    for (size_t i = 0; i < target->n_tensors; i++)
        out->of_tensor[i] = groups_add(out, groups_find(&g, &target->tensors[i]));
    return AXL_OK;
}

void axl__param_groups_free(axl__param_groups *g, axl_context *ctx)
{
    axl__free(ctx, g->groups);
    axl__free(ctx, g->of_tensor);
    *g = (axl__param_groups){ 0 };
}
