/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.c - making adapters and reaching their tensors; files are adapter_peft.c's. */
#include "adapter.h"

#include "base/magic.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/structs.h"
#include "config/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KINDS_MAX = 32 };

/* ---- life ---- */

axl_adapter *axl__adapter_ref(axl_adapter *a)
{
    atomic_fetch_add(&a->refs, 1);
    return a;
}

axl_status axl__adapter_enter(const axl_adapter *a)
{
    if (!a || a->magic != AXL__MAGIC_ADAPTER) {
        axl__error_clear();
        return axl__fail(AXL_ERR_INVALID, "not a live axl_adapter");
    }
    return axl__context_enter(a->ctx);
}

/* Reading counts itself in a handle that its caller does not change. */
static atomic_int *users_of(const axl_adapter *a)
{
    return &((axl_adapter *)(uintptr_t)a)->users;
}

axl_status axl__adapter_begin(const axl_adapter *a, bool writes)
{
    int n = atomic_load(users_of(a));

    while (writes ? n == 0 : n >= 0)
        if (atomic_compare_exchange_weak(users_of(a), &n, writes ? -1 : n + 1))
            return AXL_OK;
    return axl__fail(AXL_ERR_BUSY, n < 0 ? "the adapter is being written, or its trainer is at work"
                                         : "the adapter is being read by another call");
}

void axl__adapter_end(const axl_adapter *a, bool writes)
{
    atomic_fetch_add(users_of(a), writes ? 1 : -1);
}

axl_status axl__pass_begin(axl_model *m, const axl_adapter *a)
{
    bool lent = axl__model_is_lent(m);

    if (!lent)
        AXL_TRY(axl__model_take(m, false));
    axl_status status = a ? axl__adapter_begin(a, false) : AXL_OK;
    if (status < 0 && !lent)
        axl__model_give_back(m, false);
    return status;
}

void axl__pass_end(axl_model *m, const axl_adapter *a)
{
    if (a)
        axl__adapter_end(a, false);
    if (!axl__model_is_lent(m))
        axl__model_give_back(m, false);
}

void axl_adapter_free(axl_adapter *a)
{
    if (!a || a->magic != AXL__MAGIC_ADAPTER || atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    a->magic = 0;
    axl_context *ctx = a->ctx;
    axl_adapter_free(a->frozen);
    if (a->params)
        a->model->ops->buffer_free(a->model->dev, a->params);
    for (size_t i = 0; i < a->n_targets && a->targets; i++)
        axl__free(ctx, a->targets[i]);
    for (size_t i = 0; i < a->n_tensors && a->tensors; i++)
        axl__free(ctx, a->tensors[i].name);
    axl__free(ctx, a->targets);
    axl__free(ctx, a->tensors);
    axl__free(ctx, a->loras);
    axl_model_free(a->model);
    axl__free(ctx, a);
    axl_context_free(ctx);
}

axl_status axl__adapter_own(axl_adapter *a)
{
    if (atomic_exchange(&a->owned, true))
        return axl__fail(AXL_ERR_BUSY,
                         "the adapter is being trained by another trainer; free that one first");
    return AXL_OK;
}

void axl__adapter_disown(axl_adapter *a)
{
    atomic_store(&a->owned, false);
}

static axl_status add_tensor(axl_adapter *a, const axl__module *of, const char *part, int64_t at,
                             int64_t rows, int64_t cols)
{
    char *name = axl__format(a->ctx, "base_model.model.%s.lora_%s.weight", of->name, part);

    if (!name)
        return axl__fail_nomem();
    a->tensors[a->n_tensors++] = (axl__param){
        .name = name, .at = at, .rows = rows, .cols = cols, .embedding = of->role == AXL__ROLE_HEAD
    };
    return AXL_OK;
}

/* Room for a tensor; each starts on a cache line. */
static int64_t place(axl_adapter *a, int64_t size)
{
    int64_t at = a->n_params;

    a->n_params += (size + 15) & ~(int64_t)15;
    return at;
}

/* The places of a group's pairs: all A, then all B (see linear.h). */
static void place_group(axl_adapter *a, axl__linears g)
{
    axl__lora *l = a->loras + g.first;

    for (int64_t i = 0; i < g.n; i++)
        if (l[i].on)
            l[i].a_at = place(a, l[i].rank * l[i].in);
    for (int64_t i = 0; i < g.n; i++)
        if (l[i].on)
            l[i].b_at = place(a, l[i].out * l[i].rank);
}

/* The run of linear layers that begins at a module: those of the same slot. */
static axl__linears run_at(const axl__modules *t, int64_t first)
{
    const axl__module *m = &t->list[first];

    return axl__module_is_linear(m) ? axl__modules_in(t, m->layer, m->slot)
                                    : (axl__linears){ first, 1 };
}

/* Gives every pair its place and lists the tensors in the order of the module table, A before B:
 * the order that hosts see, and that a new adapter's random numbers follow. */
static axl_status adapter_lay_out(axl_adapter *a, const bool *on)
{
    const axl__modules *t = &a->model->modules;

    a->loras = axl__calloc(a->ctx, (size_t)t->n, sizeof *a->loras);
    a->tensors = axl__calloc(a->ctx, (size_t)t->n_linears * 2, sizeof *a->tensors);
    if (!a->loras || !a->tensors)
        return axl__fail_nomem();
    for (int64_t i = 0; i < t->n; i++)
        if (on[i])
            a->loras[i] = (axl__lora){ true, a->rank, t->list[i].cols, t->list[i].rows, 0, 0 };
    for (int64_t i = 0; i < t->n; i += run_at(t, i).n)
        place_group(a, run_at(t, i));
    for (int64_t i = 0; i < t->n; i++) {
        const axl__lora *l = &a->loras[i];
        if (!l->on)
            continue;
        AXL_TRY(add_tensor(a, &t->list[i], "A", l->a_at, l->rank, l->in));
        AXL_TRY(add_tensor(a, &t->list[i], "B", l->b_at, l->out, l->rank));
    }
    return AXL_OK;
}

/* For adapter_config.json: what was asked for, or every kind of layer that is not the head. */
static axl_status copy_targets(axl_adapter *a, const axl_adapter_options *o)
{
    const char *kinds[KINDS_MAX];
    size_t n = o->n_target_modules
                   ? o->n_target_modules
                   : axl__modules_kinds(&a->model->modules, false, kinds, KINDS_MAX);
    const char *const *names = o->n_target_modules ? o->target_modules : kinds;

    a->targets = axl__calloc(a->ctx, n, sizeof *a->targets);
    if (!a->targets)
        return axl__fail_nomem();
    for (; a->n_targets < n; a->n_targets++) {
        a->targets[a->n_targets] = axl__strdup(a->ctx, names[a->n_targets]);
        if (!a->targets[a->n_targets])
            return axl__fail_nomem();
    }
    return AXL_OK;
}

/* In a wrapper the names of kinds would mean layers of its other parts, too: paths do not. */
static axl_status copy_paths(axl_adapter *a, const bool *on)
{
    const axl__modules *t = &a->model->modules;

    a->targets = axl__calloc(a->ctx, (size_t)t->n, sizeof *a->targets);
    if (!a->targets)
        return axl__fail_nomem();
    for (int64_t i = 0; i < t->n; i++) {
        if (!on[i])
            continue;
        a->targets[a->n_targets] = axl__strdup(a->ctx, t->list[i].name);
        if (!a->targets[a->n_targets++])
            return axl__fail_nomem();
    }
    return AXL_OK;
}

axl_status axl__adapter_make(axl_adapter **out, axl_model *model, const bool *on,
                             const axl_adapter_options *o)
{
    axl_adapter *a = axl__calloc(model->ctx, 1, sizeof *a);
    void *params = NULL;

    *out = NULL;
    if (!a)
        return axl__fail_nomem();
    a->magic = AXL__MAGIC_ADAPTER;
    atomic_init(&a->refs, 1);
    a->ctx = axl__context_ref(model->ctx);
    a->model = axl__model_ref(model);
    a->rank = (int64_t)o->rank;
    a->alpha = o->alpha;
    a->dropout = o->dropout;
    a->rslora = o->rslora != 0;
    a->scale = (float)(o->alpha / (o->rslora ? sqrt((double)o->rank) : (double)o->rank));
    axl_status status = model->arch.wrapper ? copy_paths(a, on) : copy_targets(a, o);
    if (status == AXL_OK)
        status = adapter_lay_out(a, on);
    if (status == AXL_OK)
        status = model->ops->buffer_new(model->dev, &params, (size_t)a->n_params * sizeof(float));
    a->params = params;
    if (status == AXL_OK) /* the gaps between tensors are read by whole-buffer operations */
        status = model->ops->zero(model->dev, params, (size_t)a->n_params * sizeof(float));
    if (status < 0) {
        axl_adapter_free(a);
        return status;
    }
    *out = a;
    return AXL_OK;
}

/* ---- a new one ---- */

bool axl__target_matches(const char *module, const char *target)
{
    size_t n = strlen(module), m = strlen(target);

    return n >= m && strcmp(module + n - m, target) == 0 && (n == m || module[n - m - 1] == '.');
}

static axl_status fail_target(const axl_model *m, const char *target)
{
    const char *kinds[KINDS_MAX];
    size_t n = axl__modules_kinds(&m->modules, true, kinds, KINDS_MAX);
    axl__str names;

    axl__str_init(&names, m->ctx);
    for (size_t i = 0; i < n; i++)
        axl__str_putf(&names, "%s%s", i ? ", " : "", kinds[i]);
    axl_status status = axl__str_status(&names);
    if (status == AXL_OK)
        status = axl__fail(AXL_ERR_INVALID,
                           "lora_target_modules: \"%s\" names no linear layer of this model; it "
                           "has %s",
                           target, names.data);
    axl__str_free(&names);
    return status;
}

static axl_status mark_targets(const axl_model *m, const axl_adapter_options *o, bool *on)
{
    const axl__modules *t = &m->modules;

    for (int64_t i = 0; i < t->n && o->n_target_modules == 0; i++)
        on[i] = t->list[i].role == AXL__ROLE_LINEAR;
    for (size_t k = 0; k < o->n_target_modules; k++) {
        bool any = false;
        for (int64_t i = 0; i < t->n; i++)
            if (axl__module_is_linear(&t->list[i]) &&
                axl__target_matches(t->list[i].name, o->target_modules[k]))
                on[i] = any = true;
        if (!any)
            return fail_target(m, o->target_modules[k]);
    }
    return AXL_OK;
}

axl_status axl__adapter_init(axl_adapter *a, uint64_t seed)
{
    axl_status status = AXL_OK;

    if (a->model->device.counts_only)
        return AXL_OK;
    for (size_t i = 0; i < a->n_tensors && status == AXL_OK; i++) {
        const axl__param *t = &a->tensors[i];
        int64_t n = t->rows * t->cols;
        float *host = axl__calloc(a->ctx, (size_t)n, sizeof *host);
        if (!host)
            return axl__fail_nomem();
        if (i % 2 == 0) { /* A; B stays 0 */
            double bound = 1.0 / sqrt((double)t->cols);
            uint64_t stream = (uint64_t)AXL__STREAM_INIT | (uint64_t)i << 8;
            for (int64_t j = 0; j < n; j++)
                host[j] =
                    (float)((2.0 * axl__random_double(seed, stream, (uint64_t)j) - 1.0) * bound);
        }
        status = axl__adapter_put(a, i, host);
        axl__free(a->ctx, host);
        if (status == AXL_OK)
            status = axl__cancelled(a->ctx);
    }
    return status;
}

static axl_status check_options(const axl_adapter_options *o)
{
    if (o->rank < 1 || o->rank > AXL__RANK_MAX)
        return axl__fail(AXL_ERR_INVALID, "lora_r must be 1 to %d, got %u", AXL__RANK_MAX, o->rank);
    if (!(o->dropout >= 0.0 && o->dropout < 1.0))
        return axl__fail(AXL_ERR_INVALID, "lora_dropout must be at least 0 and below 1");
    if (!isfinite(o->alpha))
        return axl__fail(AXL_ERR_INVALID, "lora_alpha must be a number");
    return AXL_OK;
}

axl_status axl_adapter_new(axl_adapter **out, axl_model *model, const axl_adapter_options *opts)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_adapter_options, &o, opts));
    AXL_TRY(check_options(&o));
    bool *on = axl__calloc(model->ctx, (size_t)model->modules.n, sizeof *on);
    if (!on)
        return axl__fail_nomem();
    axl_status status = mark_targets(model, &o, on);
    if (status == AXL_OK)
        status = axl__adapter_make(out, model, on, &o);
    axl__free(model->ctx, on);
    if (status == AXL_OK)
        status = axl__adapter_init(*out, o.seed);
    if (status < 0) {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

enum { TARGETS_MAX = 64, ASKED_MAX = TARGETS_MAX - KINDS_MAX };

/* lora_target_modules united with, when lora_target_linear is set, every linear layer but the head.
 */
static axl_status config_targets(const axl_config *cfg, const axl_model *m, const char **names,
                                 size_t *n)
{
    size_t n_kinds, count = 0;
    const char *kinds[KINDS_MAX];
    char key[48];

    *n = 0;
    if (axl_config_get_count(cfg, "lora_target_modules", &count) != AXL_OK)
        count = 0;
    if (count > ASKED_MAX)
        return axl__fail(AXL_ERR_INVALID, "lora_target_modules has %zu entries; at most %d", count,
                         ASKED_MAX);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof key, "lora_target_modules[%zu]", i);
        names[(*n)++] = axl__cfg_str_or(cfg, key, "");
    }
    n_kinds = axl__cfg_bool(cfg, "lora_target_linear")
                  ? axl__modules_kinds(&m->modules, false, kinds, KINDS_MAX)
                  : 0;
    for (size_t i = 0; i < n_kinds; i++) {
        bool there = false;
        for (size_t j = 0; j < count; j++)
            there = there || strcmp(names[j], kinds[i]) == 0;
        if (!there)
            names[(*n)++] = kinds[i];
    }
    return AXL_OK;
}

/* An adapter that is trained on has its own rank, scale and layers: keys that ask for others would
 * do nothing in silence. */
static axl_status warn_ignored(const axl_adapter *a, const char *dir, const axl_config *cfg,
                               const axl_adapter_options *o)
{
    int64_t n = a->model->modules.n;
    bool *on = axl__calloc(a->ctx, (size_t)n, sizeof *on), other = false;

    if (!on)
        return axl__fail_nomem();
    axl_status status = mark_targets(a->model, o, on);
    for (int64_t i = 0; i < n; i++)
        other |= on[i] != a->loras[i].on;
    axl__free(a->ctx, on);
    AXL_TRY(status);
    if (axl__cfg_has(cfg, "lora_r") && o->rank != (uint64_t)a->rank)
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "lora_r %u has no effect: the adapter in %s has rank %lld", o->rank, dir,
                 (long long)a->rank);
    if ((axl__cfg_has(cfg, "lora_alpha") && o->alpha != a->alpha) ||
        (axl__cfg_has(cfg, "peft_use_rslora") && (o->rslora != 0) != a->rslora))
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "lora_alpha and peft_use_rslora have no effect: the "
                 "adapter in %s has others",
                 dir);
    if (other && o->n_target_modules > 0)
        axl__log(a->ctx, AXL_LOG_WARNING,
                 "the layers that are trained are those of the adapter in "
                 "%s, not what lora_target_modules and lora_target_linear say",
                 dir);
    return AXL_OK;
}

static axl_status open_to_train(axl_adapter **out, const axl_config *cfg, axl_model *model,
                                const char *from, const axl_adapter_options *o)
{
    char *dir = axl__config_path(cfg, from);

    if (!dir)
        return axl__fail_nomem();
    axl_status status = axl_adapter_open(out, model, dir);
    if (status < 0)
        axl__fail_prefix(status, "lora_model_dir");
    else
        status = warn_ignored(*out, dir, cfg, o);
    axl__free(model->ctx, dir);
    if (status == AXL_OK) {
        (*out)->dropout = o->dropout; /* alone of its options: it is not part of the function */
    } else {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

axl_status axl_adapter_from_config(axl_adapter **out, const axl_config *cfg, axl_model *model)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    const char *names[TARGETS_MAX];

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__model_enter(model));
    if (!axl__cfg_has(cfg, "adapter"))
        return AXL_OK;
    AXL_TRY(config_targets(cfg, model, names, &o.n_target_modules));
    o.target_modules = names;
    o.rank = (uint32_t)axl__cfg_int_or(cfg, "lora_r", 0);
    o.alpha = axl__cfg_double_or(cfg, "lora_alpha", 0.0);
    o.dropout = axl__cfg_double(cfg, "lora_dropout");
    o.rslora = axl__cfg_bool(cfg, "peft_use_rslora");
    o.seed = (uint64_t)axl__cfg_int(cfg, "seed");
    const char *from = axl__cfg_str_or(cfg, "lora_model_dir", NULL);
    if (from)
        return open_to_train(out, cfg, model, from, &o);
    if (o.n_target_modules == 0)
        return axl__fail(AXL_ERR_INVALID, "nothing to train: set lora_target_modules, or "
                                          "lora_target_linear: true");
    return axl_adapter_new(out, model, &o);
}

/* ---- tensors ---- */

size_t axl_adapter_count(const axl_adapter *a)
{
    return a && a->magic == AXL__MAGIC_ADAPTER ? a->n_tensors : 0;
}

static axl_status check_index(const axl_adapter *a, size_t index)
{
    AXL_TRY(axl__adapter_enter(a));
    if (index >= a->n_tensors)
        return axl__fail(AXL_ERR_INVALID, "tensor %zu of %zu", index, a->n_tensors);
    return AXL_OK;
}

axl_status axl_adapter_get_tensor(const axl_adapter *a, size_t index, axl_tensor_info *out)
{
    AXL_TRY(axl__adapter_enter(a));
    if (index >= a->n_tensors)
        return AXL_END;
    const axl__param *t = &a->tensors[index];
    axl_tensor_info info = { sizeof info, t->name, (uint64_t)t->rows, (uint64_t)t->cols };
    return AXL__EXPORT(axl_tensor_info, out, &info);
}

static size_t tensor_bytes(const axl__param *t)
{
    return (size_t)(t->rows * t->cols) * sizeof(float);
}

axl_status axl_adapter_get_info(const axl_adapter *a, axl_adapter_info *out)
{
    AXL_TRY(axl__adapter_enter(a));
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
    info.base_model_name = a->model->name;
    info.target_modules = (const char *const *)a->targets;
    info.n_target_modules = a->n_targets;
    info.alpha = a->alpha;
    info.dropout = a->dropout;
    info.rank = (uint32_t)a->rank;
    info.rslora = a->rslora;
    return AXL__EXPORT(axl_adapter_info, out, &info);
}

axl_status axl_adapter_read(const axl_adapter *a, size_t index, float *values)
{
    AXL_TRY(check_index(a, index));
    if (!values)
        return axl__fail(AXL_ERR_INVALID, "values must not be NULL");
    const axl__param *t = &a->tensors[index];
    AXL_TRY(axl__adapter_begin(a, false));
    axl_status status =
        a->model->ops->download(a->model->dev, values, a->params + t->at, tensor_bytes(t));
    axl__adapter_end(a, false);
    return status;
}

axl_status axl__adapter_put(axl_adapter *a, size_t index, const float *values)
{
    const axl__param *t = &a->tensors[index];

    return a->model->ops->upload(a->model->dev, a->params + t->at, values, tensor_bytes(t));
}

axl_status axl_adapter_write(axl_adapter *a, size_t index, const float *values)
{
    AXL_TRY(check_index(a, index));
    if (!values)
        return axl__fail(AXL_ERR_INVALID, "values must not be NULL");
    AXL_TRY(axl__adapter_begin(a, true));
    axl_status status = axl__adapter_put(a, index, values);
    axl__adapter_end(a, true);
    return status;
}
