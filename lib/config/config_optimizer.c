/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_optimizer.c - the optimizer's keys together: what an optimizer takes, and which rates
 * exclude each other.
 *
 * The questions are the table's (optimizer_names.h), so that a new optimizer needs no line here.
 */
#include "config_priv.h"

#include "base/str.h"
#include "optimizer_names.h"

#include <stdio.h>
#include <string.h>

static axl__yaml *get(const axl__config_pass *p, const char *key)
{
    return axl__yaml_get(p->root, key);
}

/* node is the argument itself where optim_args is a mapping, and then arg its own key, by identity;
 * where optim_args is a text, node is that text and the argument has no place of its own. */
static void say_arg(axl__config_pass *p, const axl__yaml *node, const char *arg,
                    const axl__optimizer_name *o)
{
    char key[96], near[128], hint[160] = "";

    snprintf(key, sizeof key, "optim_args%s%.64s", node->key == arg ? "." : "",
             node->key == arg ? arg : "");
    if (!o->args) {
        axl__config_say(p, AXL__C_OPTIM_ARGS, AXL_SEVERITY_ERROR, node, AT_KEY, key,
                        "%s takes no optim_args", o->name);
        return;
    }
    if (axl__nearest_value(o->args, arg, near, sizeof near))
        snprintf(hint, sizeof hint, "; did you mean \"%s\"?", near);
    axl__config_say(p, AXL__C_OPTIM_ARGS, AXL_SEVERITY_ERROR, node, AT_KEY, key,
                    "%s takes %s, found \"%.64s\"%s", o->name, o->args, arg, hint);
}

static bool takes(const axl__optimizer_name *o, const char *arg)
{
    return o->args && axl__schema_has_value(o->args, arg);
}

/* "a=1, b=2", transformers' form of optim_args; spaces count for nothing.  Values are looked at
 * where they are read (optim/optim_args.c). */
static void check_arg_text(axl__config_pass *p, const axl__yaml *n, const axl__optimizer_name *o)
{
    char arg[64];

    for (const char *at = n->text; *at;) {
        size_t len = strcspn(at, ","), used = 0, i = 0;
        for (; i < len && at[i] != '=' && used < sizeof arg - 1; i++)
            if (at[i] != ' ')
                arg[used++] = at[i];
        arg[used] = '\0';
        if (i == len || at[i] != '=')
            axl__config_say(p, AXL__C_OPTIM_ARGS, AXL_SEVERITY_ERROR, n, AT_VALUE, "optim_args",
                            "must be key=value, key=value, found \"%.64s\"", n->text);
        else if (!takes(o, arg))
            say_arg(p, n, arg, o);
        at += len;
        at += *at == ',';
    }
}

static void check_args(axl__config_pass *p, const axl__optimizer_name *o)
{
    const axl__yaml *n = get(p, "optim_args");

    if (n && n->type == AXL__YAML_STRING)
        check_arg_text(p, n, o);
    for (const axl__yaml *arg = n && n->type == AXL__YAML_MAP ? n->child : NULL; arg;
         arg = arg->next)
        if (!takes(o, arg->key))
            say_arg(p, arg, arg->key, o);
}

/* Axolotl warns where betas or epsilon are set and the optimizer's name has no "adamw" in it; here
 * it is what the optimizer reads that decides. */
static void check_settings(axl__config_pass *p, const axl__optimizer_name *o)
{
    static const char *const keys[] = { "adam_beta1", "adam_beta2", "adam_beta3", "adam_epsilon",
                                        "adam_epsilon2" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (axl__yaml_truthy(get(p, keys[i])) && !axl__schema_has_value(o->settings, keys[i]))
            axl__config_say(p, AXL__C_NO_EFFECT, AXL_SEVERITY_WARNING, get(p, keys[i]), AT_KEY,
                            keys[i], "no effect: %s does not read it", o->name);
}

static void no_effect(axl__config_pass *p, const char *key, const char *why)
{
    if (axl__yaml_truthy(get(p, key)) && !get(p, key)->derived)
        axl__config_say(p, AXL__C_NO_EFFECT, AXL_SEVERITY_WARNING, get(p, key), AT_KEY, key,
                        "no effect: %s", why);
}

/* Who makes the groups of parameters decides which rates count: with loraplus_lr_ratio it is PEFT's
 * function for LoRA+, which knows no other keys. */
static void check_rates(axl__config_pass *p)
{
    static const char plus[] = "with loraplus_lr_ratio Axolotl leaves it out";

    if (!axl__yaml_truthy(get(p, "loraplus_lr_ratio"))) {
        if (axl__yaml_truthy(get(p, "embedding_lr_scale")))
            no_effect(p, "embedding_lr", "embedding_lr_scale is set too and wins");
        return;
    }
    if (axl__yaml_truthy(get(p, "lr_groups")))
        axl__config_say(p, AXL__C_RATES_CONFLICT, AXL_SEVERITY_ERROR, get(p, "lr_groups"), AT_KEY,
                        "lr_groups", "loraplus_lr_ratio is set too; keep one");
    no_effect(p, "weight_decay", plus);
    no_effect(p, "embedding_lr", plus);
    no_effect(p, "embedding_lr_scale", plus);
}

/* The three keys of a group have no default in Axolotl's schema. */
static void check_groups(axl__config_pass *p)
{
    static const char *const keys[] = { "name", "modules", "lr" };
    const axl__yaml *list = get(p, "lr_groups");
    unsigned i = 0;

    for (const axl__yaml *g = list ? list->child : NULL; g; g = g->next, i++)
        for (size_t k = 0; k < 3 && g->type == AXL__YAML_MAP; k++) {
            char key[48];
            snprintf(key, sizeof key, "lr_groups[%u].%s", i, keys[k]);
            if (!axl__yaml_get(g, keys[k]))
                axl__config_say(p, AXL__C_REQUIRED, AXL_SEVERITY_ERROR, g, AT_KEY, key, "required");
        }
}

void axl__config_check_optimizer(axl__config_pass *p)
{
    const axl__yaml *n = get(p, "optimizer");
    const axl__optimizer_name *o =
        axl__optimizer_find(n && n->type == AXL__YAML_STRING ? n->text : "adamw_torch");

    check_rates(p);
    check_groups(p);
    if (!o)
        return; /* reported with the key */
    check_settings(p, o);
    check_args(p, o);
}
