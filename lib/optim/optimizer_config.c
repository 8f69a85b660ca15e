/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_config.c - see optimizer_config.h. */
#include "optimizer_config.h"

#include "base/str.h"
#include "config/config.h"
#include "config/optimizer_names.h"
#include "schedule.h"

#include <stdio.h>
#include <string.h>

/* A mapping's members that the optimizer takes, as a host would write them. */
static axl_status optimizer_read_args(axl__optimizer_config *c, const axl_config *cfg,
                                      const axl__optimizer_name *name)
{
    axl__str text;
    char key[80];

    if (!axl__cfg_has(cfg, "optim_args") || !name || !name->args)
        return AXL_OK;
    c->opts.args = axl__cfg_str_or(cfg, "optim_args", NULL);
    if (c->opts.args)
        return AXL_OK;
    axl__str_init(&text, c->arena.ctx);
    for (const char *at = name->args; *at;) {
        int n = (int)strcspn(at, ",");
        const char *value;
        snprintf(key, sizeof key, "optim_args.%.*s", n, at);
        if (axl_config_get_string(cfg, key, &value) == AXL_OK)
            axl__str_putf(&text, "%s%.*s=%s", text.len ? "," : "", n, at, value);
        at += n;
        at += *at ? 2 : 0;
    }
    axl_status status = axl__str_status(&text);
    if (status == AXL_OK)
        c->opts.args = axl__arena_strndup(&c->arena, axl__str_text(&text), text.len);
    axl__str_free(&text);
    AXL_TRY(status);
    return c->opts.args ? AXL_OK : axl__fail_nomem();
}

/* Flattened: a module and its group's rate a place.  The texts stay the config's. */
static axl_status optimizer_read_lr_groups(axl__optimizer_config *c, const axl_config *cfg)
{
    size_t n_groups = axl__cfg_count(cfg, "lr_groups"), n = 0;
    char key[64];

    for (size_t i = 0; i < n_groups; i++) {
        snprintf(key, sizeof key, "lr_groups[%zu].modules", i);
        n += axl__cfg_count(cfg, key);
    }
    if (n == 0)
        return AXL_OK;
    const char **modules = axl__arena_alloc(&c->arena, n * sizeof *modules);
    double *rates = axl__arena_alloc(&c->arena, n * sizeof *rates);
    if (!modules || !rates)
        return axl__fail_nomem();
    c->opts.lr_group_modules = modules;
    c->opts.lr_group_rates = rates;
    for (size_t i = 0; i < n_groups; i++) {
        snprintf(key, sizeof key, "lr_groups[%zu].lr", i);
        double rate = axl__cfg_double_or(cfg, key, 0.0);
        snprintf(key, sizeof key, "lr_groups[%zu].modules", i);
        for (size_t k = 0, count = axl__cfg_count(cfg, key); k < count; k++) {
            snprintf(key, sizeof key, "lr_groups[%zu].modules[%zu]", i, k);
            modules[c->opts.n_lr_group_modules] = axl__cfg_str_or(cfg, key, "");
            rates[c->opts.n_lr_group_modules++] = rate;
        }
    }
    return AXL_OK;
}

axl_status axl__optimizer_config_read(axl__optimizer_config *c, const axl_config *cfg,
                                      uint64_t total_steps)
{
    axl_optimizer_options *o = &c->opts;

    *o = (axl_optimizer_options)AXL_OPTIMIZER_OPTIONS_INIT;
    axl__arena_init(&c->arena, axl__config_context(cfg));
    o->name = axl__cfg_str(cfg, "optimizer");
    o->beta1 = axl__cfg_double_or(cfg, "adam_beta1", o->beta1);
    o->beta2 = axl__cfg_double_or(cfg, "adam_beta2", o->beta2);
    o->beta3 = axl__cfg_double_or(cfg, "adam_beta3", o->beta3);
    o->epsilon = axl__cfg_double_or(cfg, "adam_epsilon", o->epsilon);
    o->epsilon2 = axl__cfg_double_or(cfg, "adam_epsilon2", o->epsilon2);
    o->weight_decay = axl__cfg_double(cfg, "weight_decay");
    o->warmup_steps = axl__config_warmup(cfg, total_steps);
    o->loraplus_lr_ratio = axl__cfg_double_or(cfg, "loraplus_lr_ratio", o->loraplus_lr_ratio);
    o->loraplus_lr_embedding = axl__cfg_double(cfg, "loraplus_lr_embedding");
    o->embedding_lr = axl__cfg_double_or(cfg, "embedding_lr", o->embedding_lr);
    o->embedding_lr_scale = axl__cfg_double_or(cfg, "embedding_lr_scale", o->embedding_lr_scale);
    AXL_TRY(optimizer_read_lr_groups(c, cfg));
    return optimizer_read_args(c, cfg, axl__optimizer_find(o->name));
}

void axl__optimizer_config_free(axl__optimizer_config *c)
{
    axl__arena_free(&c->arena);
}
