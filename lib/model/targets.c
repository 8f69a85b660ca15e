/* SPDX-License-Identifier: Apache-2.0 */
/* targets.c - see targets.h.  What PEFT writes as one text or a list is two members here. */
#include "targets.h"

#include "base/ctx.h"
#include "base/pattern.h"
#include "base/str.h"

#include <string.h>

enum { KINDS_MAX = 32 };

/* ---- copies ---- */

static axl_status copy_text(const char **out, axl__arena *arena, const char *text)
{
    if (!text)
        return AXL_OK;
    *out = axl__arena_strndup(arena, text, strlen(text));
    return *out ? AXL_OK : axl__fail_nomem();
}

static axl_status copy_texts(const char *const **out, axl__arena *arena, const char *const *list,
                             size_t n)
{
    const char **copy = axl__arena_alloc(arena, (n + 1) * sizeof *copy);

    if (!copy)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++)
        AXL_TRY(copy_text(&copy[i], arena, list[i]));
    *out = copy;
    return AXL_OK;
}

/* *list is replaced. */
static axl_status copy_numbers(const void **list, axl__arena *arena, size_t n, size_t size)
{
    void *copy = axl__arena_alloc(arena, n * size + 1);

    if (!copy)
        return axl__fail_nomem();
    if (n)
        memcpy(copy, *list, n * size);
    *list = copy;
    return AXL_OK;
}

axl_status axl__targets_copy(axl_adapter_options *out, axl__arena *arena,
                             const axl_adapter_options *o)
{
    const void *layers = o->layers_to_transform, *ranks = o->rank_pattern_ranks;
    const void *alphas = o->alpha_pattern_alphas, *tokens = o->trainable_tokens;
    const void *of_head = o->trainable_head_tokens;

    *out = *o;
    AXL_TRY(copy_texts(&out->target_modules, arena, o->target_modules, o->n_target_modules));
    AXL_TRY(copy_texts(&out->exclude_modules, arena, o->exclude_modules, o->n_exclude_modules));
    AXL_TRY(copy_texts(&out->layers_pattern, arena, o->layers_pattern, o->n_layers_pattern));
    AXL_TRY(copy_texts(&out->rank_pattern, arena, o->rank_pattern, o->n_rank_pattern));
    AXL_TRY(copy_texts(&out->alpha_pattern, arena, o->alpha_pattern, o->n_alpha_pattern));
    AXL_TRY(copy_texts(&out->modules_to_save, arena, o->modules_to_save, o->n_modules_to_save));
    AXL_TRY(copy_text(&out->target_regex, arena, o->target_regex));
    AXL_TRY(copy_text(&out->exclude_regex, arena, o->exclude_regex));
    AXL_TRY(copy_text(&out->bias, arena, o->bias ? o->bias : "none"));
    AXL_TRY(copy_text(&out->init_lora_weights, arena,
                      o->init_lora_weights ? o->init_lora_weights : "true"));
    AXL_TRY(copy_numbers(&layers, arena, o->n_layers_to_transform, sizeof(uint32_t)));
    AXL_TRY(copy_numbers(&tokens, arena, o->n_trainable_tokens, sizeof(uint32_t)));
    AXL_TRY(copy_numbers(&of_head, arena, o->n_trainable_head_tokens, sizeof(uint32_t)));
    AXL_TRY(copy_numbers(&ranks, arena, o->n_rank_pattern, sizeof(uint32_t)));
    AXL_TRY(copy_numbers(&alphas, arena, o->n_alpha_pattern, sizeof(double)));
    out->layers_to_transform = layers;
    out->trainable_tokens = tokens;
    out->trainable_head_tokens = of_head;
    out->rank_pattern_ranks = ranks;
    out->alpha_pattern_alphas = alphas;
    return AXL_OK;
}

/* ---- matching ---- */

/* PEFT's rule for a list: the whole path, or its end after a dot. */
static bool target_matches(const char *module, const char *target)
{
    size_t n = strlen(module), m = strlen(target);

    return n >= m && strcmp(module + n - m, target) == 0 && (n == m || module[n - m - 1] == '.');
}

static bool any_matches(const char *module, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (target_matches(module, names[i]))
            return true;
    return false;
}

/* before, text and after make one regular expression. */
static axl_status pattern_of(axl__pattern **out, axl_context *ctx, const char *before,
                             const char *text, const char *after)
{
    char *whole = axl__format(ctx, "%s%s%s", before, text, after);

    *out = NULL;
    if (!whole)
        return axl__fail_nomem();
    axl_status status = axl__pattern_new(out, ctx, whole);
    axl__free(ctx, whole);
    return status;
}

/* The embedding is adapted where it is named. */
static bool is_adaptable(const axl__module *m)
{
    return axl__module_is_linear(m) || m->role == AXL__ROLE_EMBEDDING;
}

/* Sets flags of the layers whose whole path the expression matches. */
static axl_status mark_regex(const axl__modules *t, const char *text, bool *flags, bool value)
{
    axl__pattern *p;
    axl_status status = axl__pattern_new(&p, t->ctx, text);

    for (int64_t i = 0; i < t->n && status == AXL_OK; i++) {
        bool yes = false;
        if (!is_adaptable(&t->list[i]))
            continue;
        status = axl__pattern_match(p, t->list[i].name, true, &yes, NULL);
        if (yes)
            flags[i] = value;
    }
    axl__pattern_free(p);
    return status;
}

bool axl__targets_are_all(const axl_adapter_options *o)
{
    static const char all[] = "all-linear";
    const char *s = o->target_regex;

    if (!s)
        return false;
    for (size_t i = 0; i < sizeof all; i++)
        if ((s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]) != all[i])
            return false;
    return true;
}

static axl_status mark_named(const axl__modules *t, const axl_adapter_options *o, bool *on)
{
    if (o->target_regex && !axl__targets_are_all(o))
        return mark_regex(t, o->target_regex, on, true);
    for (int64_t i = 0; i < t->n; i++) {
        const axl__module *m = &t->list[i];
        on[i] =
            o->target_regex || o->n_target_modules == 0
                ? m->role == AXL__ROLE_LINEAR
                : is_adaptable(m) && any_matches(m->name, o->target_modules, o->n_target_modules);
    }
    return AXL_OK;
}

static axl_status leave_out(const axl__modules *t, const axl_adapter_options *o, bool *on)
{
    if (o->exclude_regex)
        return mark_regex(t, o->exclude_regex, on, false);
    for (int64_t i = 0; i < t->n; i++)
        if (any_matches(t->list[i].name, o->exclude_modules, o->n_exclude_modules))
            on[i] = false;
    return AXL_OK;
}

/* ---- layers ---- */

/* A module that is named whole is meant in whatever layer. */
static bool is_named_whole(const axl_adapter_options *o, const char *module)
{
    for (size_t i = 0; i < o->n_target_modules; i++)
        if (strcmp(o->target_modules[i], module) == 0)
            return true;
    return false;
}

static bool is_meant_layer(const axl_adapter_options *o, const char *digits, size_t n)
{
    uint64_t layer = 0;

    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9' || layer > UINT32_MAX)
            return false;
        layer = layer * 10 + (uint64_t)(digits[i] - '0');
    }
    for (size_t i = 0; n > 0 && i < o->n_layers_to_transform; i++)
        if (o->layers_to_transform[i] == layer)
            return true;
    return false;
}

/* Leaves out what is not in a layer that is meant.  `found` tells what an earlier pattern found the
 * number of, for the first that does counts. */
static axl_status keep_layers_of(const axl__modules *t, const axl_adapter_options *o,
                                 const axl__pattern *p, bool *found, bool *on)
{
    for (int64_t i = 0; i < t->n; i++) {
        axl__pattern_group number;
        bool matches;
        if (!on[i] || found[i])
            continue;
        AXL_TRY(axl__pattern_match(p, t->list[i].name, false, &matches, &number));
        found[i] = matches;
        if (matches)
            on[i] = is_meant_layer(o, t->list[i].name + number.from, number.to - number.from);
    }
    return AXL_OK;
}

static axl_status keep_layers(const axl__modules *t, const axl_adapter_options *o, bool *on)
{
    size_t n = o->n_layers_pattern ? o->n_layers_pattern : 1;
    bool *found = axl__calloc(t->ctx, (size_t)t->n, sizeof *found);
    axl_status status = found ? AXL_OK : axl__fail_nomem();

    for (int64_t i = 0; i < t->n && found; i++)
        found[i] = is_named_whole(o, t->list[i].name);
    for (size_t k = 0; k < n && status == AXL_OK; k++) {
        axl__pattern *p;
        status = pattern_of(&p, t->ctx, ".*?\\.",
                            o->n_layers_pattern ? o->layers_pattern[k] : "[^.]*", "\\.(\\d+)\\.");
        if (status == AXL_OK)
            status = keep_layers_of(t, o, p, found, on);
        axl__pattern_free(p);
    }
    for (int64_t i = 0; i < t->n && status == AXL_OK; i++)
        on[i] = on[i] && found[i];
    axl__free(t->ctx, found);
    return status;
}

/* PEFT gives no pair to what is trained whole, nor within it; there a name is whole words. */
static axl_status leave_out_whole(const axl__modules *t, const axl_adapter_options *o, bool *on)
{
    for (size_t k = 0; k < o->n_modules_to_save; k++) {
        axl__pattern *p;
        axl_status status = pattern_of(&p, t->ctx, "(^|.*\\.)", o->modules_to_save[k], "($|\\..*)");
        for (int64_t i = 0; i < t->n && status == AXL_OK; i++) {
            bool within = false;
            if (!on[i])
                continue;
            status = axl__pattern_match(p, t->list[i].name, false, &within, NULL);
            on[i] = !within;
        }
        axl__pattern_free(p);
        AXL_TRY(status);
    }
    return AXL_OK;
}

axl_status axl__targets_mark(const axl__modules *t, const axl_adapter_options *o, bool *on)
{
    memset(on, 0, (size_t)t->n * sizeof *on);
    AXL_TRY(mark_named(t, o, on));
    if (o->n_layers_to_transform > 0)
        AXL_TRY(keep_layers(t, o, on));
    AXL_TRY(leave_out(t, o, on));
    return leave_out_whole(t, o, on);
}

/* ---- whole modules ---- */

/* PEFT's rule: the end of a path, whatever comes before it; of the module's, or of one around it.
 */
static bool is_within(const char *module, const char *name)
{
    size_t m = strlen(name);

    for (size_t n = 1; m > 0 && n <= strlen(module); n++)
        if ((module[n] == '.' || module[n] == '\0') && n >= m &&
            memcmp(module + n - m, name, m) == 0)
            return true;
    return false;
}

/* A tied head and its embedding are trained as one where that is asked for. */
static void tie_whole(const axl__modules *t, bool *whole)
{
    int64_t embed = axl__modules_in(t, -1, AXL__SLOT_EMBED).first;
    int64_t head = axl__modules_in(t, -1, AXL__SLOT_HEAD).first;

    if (t->list[head].tied)
        whole[embed] = whole[head] = whole[embed] || whole[head];
}

static bool any_within(const axl__module *m, const char *const *names, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (is_within(m->name, names[k]))
            return true;
    return false;
}

void axl__targets_mark_whole(const axl__modules *t, const axl_adapter_options *o, bool *whole)
{
    for (int64_t i = 0; i < t->n; i++)
        whole[i] = any_within(&t->list[i], o->modules_to_save, o->n_modules_to_save);
    if (o->ensure_weight_tying)
        tie_whole(t, whole);
}

axl_status axl__targets_check_whole(const axl__modules *t, const axl_adapter_options *o)
{
    for (size_t k = 0; k < o->n_modules_to_save; k++) {
        bool any = false;
        for (int64_t i = 0; i < t->n && !any; i++)
            any = is_within(t->list[i].name, o->modules_to_save[k]);
        if (!any)
            return axl__fail(AXL_ERR_INVALID,
                             "lora_modules_to_save: \"%s\" ends the path of no module of this "
                             "model, as \"%s\" and \"%s\" do",
                             o->modules_to_save[k],
                             axl__module_kind(axl__modules_one(t, -1, AXL__SLOT_EMBED)),
                             axl__module_kind(axl__modules_one(t, -1, AXL__SLOT_HEAD)));
    }
    return AXL_OK;
}

/* ---- what is wrong ---- */

static axl_status fail_targets(const axl__modules *t, const char *what, const char *said)
{
    const char *kinds[KINDS_MAX];
    size_t n = axl__modules_kinds(t, true, kinds, KINDS_MAX);
    axl__str names;

    axl__str_init(&names, t->ctx);
    for (size_t i = 0; i < n; i++)
        axl__str_putf(&names, "%s%s", i ? ", " : "", kinds[i]);
    axl_status status = axl__str_status(&names);
    if (status == AXL_OK)
        status =
            axl__fail(AXL_ERR_INVALID, "lora_target_modules: \"%s\" %s; it has %s (as in \"%s\")",
                      said, what, names.data, t->list[t->slots[1][AXL__SLOT_QKV].first].name);
    axl__str_free(&names);
    return status;
}

/* Whether a name reaches a layer is asked of each alone, before layers and exclusions. */
static axl_status check_names(const axl__modules *t, const axl_adapter_options *o)
{
    for (size_t k = 0; k < o->n_target_modules && !o->target_regex; k++) {
        bool any = false;
        for (int64_t i = 0; i < t->n && !any; i++)
            any =
                is_adaptable(&t->list[i]) && target_matches(t->list[i].name, o->target_modules[k]);
        if (!any)
            return fail_targets(t, "names no linear layer of this model", o->target_modules[k]);
    }
    return AXL_OK;
}

static axl_status warn_idle(const axl__modules *t, const char *key, const char *const *patterns,
                            size_t n, const bool *on)
{
    for (size_t k = 0; k < n; k++) {
        axl__pattern *p;
        bool any = false;
        axl_status status = pattern_of(&p, t->ctx, "(.*\\.)?(", patterns[k], ")$");
        for (int64_t i = 0; i < t->n && status == AXL_OK && !any; i++)
            if (on[i])
                status = axl__pattern_match(p, t->list[i].name, false, &any, NULL);
        axl__pattern_free(p);
        AXL_TRY(status);
        if (!any)
            axl__log(t->ctx, AXL_LOG_WARNING,
                     "%s: \"%s\" has no effect: it matches no layer that is adapted", key,
                     patterns[k]);
    }
    return AXL_OK;
}

axl_status axl__targets_check(const axl__modules *t, const axl_adapter_options *o, const bool *on)
{
    bool any = false;

    AXL_TRY(check_names(t, o));
    for (int64_t i = 0; i < t->n; i++)
        any |= on[i];
    if (!any && o->target_regex)
        return fail_targets(t, "matches the whole path of no linear layer that is left",
                            o->target_regex);
    if (!any)
        return axl__fail(AXL_ERR_INVALID,
                         "no layer is left to adapt: peft_layers_to_transform, peft_layers_pattern "
                         "or lora_exclude_modules leave out all that lora_target_modules names");
    AXL_TRY(warn_idle(t, "lora_rank_pattern", o->rank_pattern, o->n_rank_pattern, on));
    return warn_idle(t, "lora_alpha_pattern", o->alpha_pattern, o->n_alpha_pattern, on);
}

/* ---- ranks ---- */

/* The first pattern that matches the end of the path, or n. */
static axl_status find_pattern(const axl__modules *t, const char *const *patterns, size_t n,
                               const char *name, size_t *out)
{
    for (*out = 0; *out < n; (*out)++) {
        axl__pattern *p;
        bool yes = false;
        axl_status status = pattern_of(&p, t->ctx, "(.*\\.)?(", patterns[*out], ")$");
        if (status == AXL_OK)
            status = axl__pattern_match(p, name, false, &yes, NULL);
        axl__pattern_free(p);
        AXL_TRY(status);
        if (yes)
            break;
    }
    return AXL_OK;
}

axl_status axl__targets_rank(const axl__modules *t, const axl_adapter_options *o, int64_t module,
                             int64_t *rank, double *alpha)
{
    const char *name = t->list[module].name;
    size_t k;

    *rank = (int64_t)o->rank;
    *alpha = o->alpha;
    AXL_TRY(find_pattern(t, o->rank_pattern, o->n_rank_pattern, name, &k));
    if (k < o->n_rank_pattern)
        *rank = (int64_t)o->rank_pattern_ranks[k];
    AXL_TRY(find_pattern(t, o->alpha_pattern, o->n_alpha_pattern, name, &k));
    if (k < o->n_alpha_pattern)
        *alpha = o->alpha_pattern_alphas[k];
    return AXL_OK;
}
