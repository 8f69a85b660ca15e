/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.c - see optimizer.h: options, groups, spans, the state buffer and its file.
 *
 * A life in order: the options are checked, tensors are sorted by place and put into groups and
 * kinds, neighbours become spans, the method names its regions and entries, one buffer is made of
 * them.  A step is the method's; all that this file does then is to hand it span after span.
 */
#include "optim_method.h"

#include "base/num.h"
#include "config/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METHOD(name) &axl__optim_##name,

static const axl__optim_method *const methods[] = { AXL__OPTIM_METHODS(METHOD) };

/* ---- options ---- */

static axl_status optimizer_refuse(const char *what, double value, const char *wanted)
{
    char got[AXL__NUM_MAX];

    axl__format_double(got, value);
    return axl__fail(AXL_ERR_INVALID, "%s must be %s, got %s", what, wanted, got);
}

static axl_status optimizer_check_rates(const axl_optimizer_options *o)
{
    const struct {
        const char *name;
        double value;
    } values[] = {
        { "weight_decay", o->weight_decay },
        { "loraplus_lr_ratio", o->loraplus_lr_ratio },
        { "loraplus_lr_embedding", o->loraplus_lr_embedding },
        { "embedding_lr", o->embedding_lr },
        { "embedding_lr_scale", o->embedding_lr_scale },
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (!(values[i].value >= 0.0) || !isfinite(values[i].value))
            return optimizer_refuse(values[i].name, values[i].value, ">= 0");
    if (o->n_lr_group_modules > 0 && o->loraplus_lr_ratio > 0.0)
        return axl__fail(AXL_ERR_INVALID, "lr_groups and loraplus_lr_ratio exclude each other");
    if (o->n_lr_group_modules > 0 && (!o->lr_group_modules || !o->lr_group_rates))
        return axl__fail(AXL_ERR_INVALID, "lr_group_modules or lr_group_rates is NULL");
    for (size_t i = 0; i < o->n_lr_group_modules; i++) {
        if (!o->lr_group_modules[i] || !*o->lr_group_modules[i])
            return axl__fail(AXL_ERR_INVALID, "lr_group_modules[%zu] is empty", i);
        if (!(o->lr_group_rates[i] > 0.0) || !isfinite(o->lr_group_rates[i]))
            return optimizer_refuse("a rate of lr_groups", o->lr_group_rates[i], "> 0");
    }
    return AXL_OK;
}

/* What the optimizer reads of the options.  A negative value stands for "not given"; one that is
 * given must be in range even where this optimizer does not read it. */
static axl_status optimizer_read_settings(axl__optimizer *o, const axl__optimizer_name *name,
                                          const axl_optimizer_options *given)
{
    axl__optim_settings *s = &o->set;
    const struct {
        const char *key; /* of the config: adam_ and the option's name */
        double given, *out;
        bool is_beta;
    } values[] = {
        { "adam_beta1", given->beta1, &s->beta1, true },
        { "adam_beta2", given->beta2, &s->beta2, true },
        { "adam_beta3", given->beta3, &s->beta3, true },
        { "adam_epsilon", given->epsilon, &s->eps, false },
        { "adam_epsilon2", given->epsilon2, &s->eps2, false },
    };

    *s = o->method->defaults;
    s->warmup_steps = given->warmup_steps;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (values[i].given < 0.0)
            continue;
        if (values[i].is_beta ? !(values[i].given < 1.0) : !(values[i].given > 0.0))
            return optimizer_refuse(values[i].key + strlen("adam_"), values[i].given,
                                    values[i].is_beta ? "at least 0 and below 1" : "> 0");
        if (axl__schema_has_value(name->settings, values[i].key))
            *values[i].out = values[i].given;
    }
    return AXL_OK;
}

static axl_status optimizer_find_method(axl__optimizer *o, const axl__optimizer_name *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i]->name, name->method) == 0)
            o->method = methods[i];
    return o->method ? AXL_OK : axl__fail(AXL_ERR_INTERNAL, "no method called %s", name->method);
}

/* ---- spans ---- */

static uint32_t optimizer_kind(const axl__optimizer *o, size_t i)
{
    return o->method->kind_of ? o->method->kind_of(&o->target.tensors[i]) : 0;
}

/* Whether a tensor lies behind a span with nothing but its padding to a cache line (16 floats)
 * between. */
static bool optimizer_continues(const axl__optim_span *s, const axl__optim_tensor *t,
                                uint32_t group, uint32_t kind)
{
    return s->part == t->part && s->group == group && s->kind == kind &&
           t->at == ((s->at + s->n + 15) & ~(int64_t)15);
}

/* There are at most as many spans as tensors, and they are few: one operation a span is what makes
 * a step of many small tensors cheap.  The places in a kind's flat regions keep the padding, so
 * that state and parameters of a span run side by side. */
static axl_status optimizer_make_spans(axl__optimizer *o)
{
    o->spans = axl__calloc(o->target.ctx, o->target.n_tensors, sizeof *o->spans);
    if (!o->spans)
        return axl__fail_nomem();
    for (size_t i = 0; i < o->target.n_tensors; i++) {
        const axl__optim_tensor *t = &o->target.tensors[i];
        uint32_t group = o->groups.of_tensor[i], kind = optimizer_kind(o, i);
        axl__optim_span *s = &o->spans[o->n_spans];
        if (o->n_spans > 0 && optimizer_continues(s - 1, t, group, kind)) {
            s[-1].n = t->at + t->rows * t->cols - s[-1].at;
            s[-1].end = i + 1;
            continue;
        }
        *s = (axl__optim_span){ t->at, t->rows * t->cols, 0, i, i + 1, group, kind, t->part };
        o->n_spans++;
    }
    for (size_t i = 0; i < o->n_spans; i++) {
        axl__optim_span *s = &o->spans[i];
        s->state_at = o->kind_size[s->kind];
        o->kind_size[s->kind] += (s->n + 15) & ~(int64_t)15;
    }
    return AXL_OK;
}

/* Where parts rest, a part counts its own steps, as torch counts them by parameter: what corrects
 * the bias of young moments depends on how often these were moved. */
axl_status axl__optim_each_span(axl__optimizer *o, const axl__optim_step *step, uint32_t kind,
                                axl__optim_span_fn *fn)
{
    for (size_t i = 0; i < o->n_spans; i++) {
        const axl__optim_span *s = &o->spans[i];
        axl__optim_step own = *step;
        if (s->kind != kind || (step->rests && step->rests[s->part]))
            continue;
        if (step->rests)
            own.step = step->steps[s->part] + 1;
        AXL_TRY(fn(o, &own, s, &o->groups.groups[s->group]));
    }
    return AXL_OK;
}

/* ---- the state ---- */

/* Before the buffer is there: only its size grows. */
axl_status axl__optim_region(axl__optimizer *o, size_t bytes)
{
    if (o->n_regions == AXL__OPTIM_REGIONS)
        return axl__fail(AXL_ERR_INTERNAL, "too many regions of optimizer state");
    o->regions[o->n_regions++] = o->state_size;
    o->state_size += (bytes + 63) & ~(size_t)63;
    return AXL_OK;
}

static size_t optimizer_element_size(const char *dtype)
{
    return dtype[0] == 'U' ? 1 : dtype[1] == '6' ? 8 : 4; /* U8, F64, F32 */
}

axl_status axl__optim_entry_add(axl__optimizer *o, const char *prefix, const char *tensor,
                                const char *dtype, const uint64_t *dims, uint32_t n_dims, size_t at)
{
    size_t p = strlen(prefix), n = strlen(tensor);

    if (o->n_entries == o->cap_entries) {
        size_t cap = o->cap_entries ? 2 * o->cap_entries : 64;
        void *grown = axl__realloc(o->target.ctx, o->entries, cap * sizeof *o->entries);
        if (!grown)
            return axl__fail_nomem();
        o->entries = grown;
        o->cap_entries = cap;
    }
    char *name = axl__arena_alloc(&o->names, p + n + 2);
    if (!name)
        return axl__fail_nomem();
    memcpy(name, prefix, p);
    name[p] = '.';
    memcpy(name + p + 1, tensor, n + 1);
    axl__optim_entry *e = &o->entries[o->n_entries++];
    *e = (axl__optim_entry){ name,
                             dtype,
                             n_dims,
                             { 0, 0 },
                             o->regions[o->n_regions - 1] + at,
                             optimizer_element_size(dtype),
                             NULL };
    for (uint32_t i = 0; i < n_dims; i++) {
        e->dims[i] = dims[i];
        e->size *= (size_t)dims[i];
    }
    return AXL_OK;
}

/* The region is these doubles' place in the state as a whole, which files and loading go by; the
 * device's copy of it is never used. */
axl_status axl__optim_host(axl__optimizer *o, const char *name, double *values, uint64_t n)
{
    AXL_TRY(axl__optim_region(o, (size_t)n * sizeof *values));
    AXL_TRY(axl__optim_entry_add(o, o->method->name, name, "F64", &n, 1, 0));
    o->entries[o->n_entries - 1].host = values;
    return AXL_OK;
}

/* Only the tensors themselves are entries: the padding between them is in no file. */
axl_status axl__optim_flat(axl__optimizer *o, const char *prefix, uint32_t kind)
{
    AXL_TRY(axl__optim_region(o, (size_t)o->kind_size[kind] * sizeof(float)));
    for (size_t k = 0; k < o->n_spans; k++) {
        const axl__optim_span *s = &o->spans[k];
        for (size_t i = s->first; i < s->end && s->kind == kind; i++) {
            const axl__optim_tensor *t = &o->target.tensors[i];
            uint64_t dims[2] = { (uint64_t)t->rows, (uint64_t)t->cols };
            AXL_TRY(axl__optim_entry_add(o, prefix, t->name, "F32", t->vector ? dims + 1 : dims,
                                         t->vector ? 1 : 2,
                                         (size_t)(s->state_at + t->at - s->at) * sizeof(float)));
        }
    }
    return AXL_OK;
}

void *axl__optim_at(const axl__optimizer *o, size_t region)
{
    return o->state + o->regions[region];
}

static axl_status optimizer_make_state(axl__optimizer *o)
{
    const axl__optim_target *t = &o->target;
    void *p = NULL;

    AXL_TRY(o->method->lay_out(o));
    AXL_TRY(t->ops->buffer_new(t->dev, &p, o->state_size));
    o->state = p;
    AXL_TRY(t->ops->zero(t->dev, p, o->state_size));
    return o->method->begin ? o->method->begin(o) : AXL_OK;
}

/* ---- life ---- */

static int optimizer_by_place(const void *a, const void *b)
{
    int64_t x = ((const axl__optim_tensor *)a)->at, y = ((const axl__optim_tensor *)b)->at;

    return (x > y) - (x < y);
}

/* The copy of the tensors takes the place of the caller's first of all, so that freeing a half-made
 * optimizer never frees what is the caller's. */
static axl_status optimizer_setup(axl__optimizer *o, const axl_optimizer_options *opts)
{
    const char *wanted = opts->name ? opts->name : "adamw_torch";
    const axl__optimizer_name *name = axl__optimizer_find(wanted);
    size_t bytes = o->target.n_tensors * sizeof *o->target.tensors;
    axl__optim_tensor *tensors = axl__alloc(o->target.ctx, bytes);
    const axl__optim_tensor *given = o->target.tensors;

    o->target.tensors = tensors;
    if (!tensors)
        return axl__fail_nomem();
    memcpy(tensors, given, bytes);
    qsort(tensors, o->target.n_tensors, sizeof *tensors, optimizer_by_place);
    const char *why = name ? NULL : axl__optimizer_refusal(wanted);
    if (!name)
        return axl__fail(AXL_ERR_INVALID, "optimizer: \"%.64s\" is not supported%s%s", wanted,
                         why ? ": " : "", why ? why : "");
    AXL_TRY(optimizer_find_method(o, name));
    AXL_TRY(optimizer_check_rates(opts));
    AXL_TRY(optimizer_read_settings(o, name, opts));
    if (opts->args)
        AXL_TRY(axl__optim_args_read(&o->set, name, opts->args));
    AXL_TRY(axl__param_groups_new(&o->groups, &o->target, opts, name->axolotls_own));
    AXL_TRY(optimizer_make_spans(o));
    return optimizer_make_state(o);
}

axl_status axl__optimizer_new(axl__optimizer **out, const axl__optim_target *target,
                              const axl_optimizer_options *opts)
{
    axl__optimizer *o = axl__calloc(target->ctx, 1, sizeof *o);

    *out = NULL;
    if (!o)
        return axl__fail_nomem();
    o->target = *target;
    axl__arena_init(&o->names, target->ctx);
    axl_status status = optimizer_setup(o, opts);
    if (status < 0)
        axl__optimizer_free(o);
    else
        *out = o;
    return status;
}

void axl__optimizer_free(axl__optimizer *o)
{
    if (!o)
        return;
    axl_context *ctx = o->target.ctx;
    o->target.ops->buffer_free(o->target.dev, o->state);
    o->target.ops->buffer_free(o->target.dev, o->index);
    axl__free(ctx, o->own);
    axl__param_groups_free(&o->groups, ctx);
    axl__arena_free(&o->names);
    axl__free(ctx, o->entries);
    axl__free(ctx, o->spans);
    axl__free(ctx, (void *)(uintptr_t)o->target.tensors);
    axl__free(ctx, o);
}

double axl__optimizer_beta1(const axl__optimizer *o)
{
    return o->set.beta1;
}

axl_status axl__optimizer_step(axl__optimizer *o, const axl__optim_step *step)
{
    return o->method->step(o, step);
}

bool axl__optimizer_may_rest(const axl__optimizer *o)
{
    return !o->method->in_common;
}

float *axl__optimizer_train_params(const axl__optimizer *o)
{
    float *other = o->method->train_params ? o->method->train_params(o) : NULL;

    return other ? other : o->target.params;
}

bool axl__optimizer_has_moments(const axl__optimizer *o)
{
    return o->method->moments != NULL;
}

/* at is a tensor's: some span holds it. */
static axl__optim_place optimizer_place(const axl__optimizer *o, int64_t at)
{
    axl__optim_place p = { .span = o->spans };

    while (at >= p.span->at + p.span->n)
        p.span++;
    p.tensor = p.span->first;
    while (o->target.tensors[p.tensor].at < at)
        p.tensor++;
    p.n = o->target.tensors[p.tensor].rows * o->target.tensors[p.tensor].cols;
    return p;
}

axl_status axl__optimizer_read_moments(axl__optimizer *o, int64_t at, float *m, float *v)
{
    axl__optim_place p = optimizer_place(o, at);

    return o->method->moments->read(o, &p, m, v);
}

axl_status axl__optimizer_prune_moments(axl__optimizer *o, int64_t at, const float *m,
                                        const float *v, void *work)
{
    axl__optim_place p = optimizer_place(o, at);

    return o->method->moments->prune(o, &p, m, v, work);
}

const char *axl__optimizer_method(const axl__optimizer *o)
{
    return o->method->name;
}

/* ---- files ---- */

size_t axl__optimizer_state_size(const axl__optimizer *o)
{
    return o->state_size;
}

/* Takes host memory of state_size for the whole download. */
axl_status axl__optimizer_save(axl__optimizer *o, const char *path, axl__checksum *sum)
{
    const axl__optim_target *t = &o->target;
    char *host = axl__alloc_aligned(t->ctx, o->state_size);
    axl__st_entry *entries = axl__calloc(t->ctx, o->n_entries, sizeof *entries);
    axl_status status = host && entries ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK)
        status = t->ops->download(t->dev, host, o->state, o->state_size);
    for (size_t i = 0; i < o->n_entries && status == AXL_OK; i++) {
        const axl__optim_entry *e = &o->entries[i];
        entries[i] = (axl__st_entry){ .name = e->name,
                                      .dtype_name = e->dtype,
                                      .n_dims = e->n_dims,
                                      .dims = { e->dims[0], e->dims[1] },
                                      .size = e->size,
                                      .data = e->host ? (const void *)e->host : host + e->at };
    }
    if (status == AXL_OK)
        status = axl__safetensors_write(t->ctx, path, entries, o->n_entries, sum);
    axl__free(t->ctx, entries);
    axl__free_aligned(t->ctx, host);
    return status;
}

static bool optimizer_same_shape(const axl__optim_entry *e, const axl__st_tensor *t)
{
    bool same = strcmp(e->dtype, t->dtype_name) == 0 && e->n_dims == t->n_dims;

    for (uint32_t i = 0; i < e->n_dims && same; i++)
        same = e->dims[i] == t->dims[i];
    return same;
}

/* Zeroes first: the padding, which no file has, must be 0.  Tensors of other names are passed
 * over. */
axl_status axl__optimizer_read(const axl__optimizer *o, const axl__safetensors *st, void *host)
{
    memset(host, 0, o->state_size);
    for (size_t i = 0; i < o->n_entries; i++) {
        const axl__optim_entry *e = &o->entries[i];
        const axl__st_tensor *t = axl__safetensors_find(st, e->name);
        if (!t)
            return axl__fail(AXL_ERR_FORMAT, "%s: tensor %s is missing", st->file.path, e->name);
        if (!optimizer_same_shape(e, t))
            return axl__fail(AXL_ERR_FORMAT, "%s: tensor %s has another type or shape",
                             st->file.path, e->name);
        AXL_TRY(axl__safetensors_read(st, t, (char *)host + e->at));
    }
    return AXL_OK;
}

axl_status axl__optimizer_load(axl__optimizer *o, const void *host, int64_t step)
{
    AXL_TRY(o->target.ops->upload(o->target.dev, o->state, host, o->state_size));
    for (size_t i = 0; i < o->n_entries; i++)
        if (o->entries[i].host)
            memcpy(o->entries[i].host, (const char *)host + o->entries[i].at, o->entries[i].size);
    if (o->method->loaded)
        o->method->loaded(o, step);
    return AXL_OK;
}
