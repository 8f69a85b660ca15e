/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapter_combine.c - several adapters as one: PEFT's add_weighted_adapter().  With w_i the weights
 * and s_i the scales of their pairs, the new scale is 1 and
 *
 *   cat:     A = [w_1 s_1 A_1; ...], B = [B_1 ...], so that B A = sum w_i s_i B_i A_i;
 *   linear:  A = sum sign(w_i s_i) sqrt|w_i s_i| A_i, B = sum sqrt|w_i s_i| B_i, which is that sum
 *            and the products across.
 *
 * Every layer that one of them adapts has the one rank; what a layer does not fill of it is 0.
 */
#include "adapter_priv.h"

#include "base/magic.h"

#include <math.h>
#include <string.h>

/* What is combined: adapters of one model, begun to be read. */
typedef struct {
    const axl_adapter *const *list; /* (n) */
    const double *weights;          /* (n) */
    size_t n;
    bool cat;
} sources;

/* ---- what goes together ---- */

static axl_status check_type(sources *s, const char *type)
{
    static const char *const of_peft[] = { "svd",
                                           "ties",
                                           "ties_svd",
                                           "dare_ties",
                                           "dare_linear",
                                           "dare_ties_svd",
                                           "dare_linear_svd",
                                           "magnitude_prune",
                                           "magnitude_prune_svd" };

    s->cat = strcmp(type, "cat") == 0;
    if (s->cat || strcmp(type, "linear") == 0)
        return AXL_OK;
    for (size_t i = 0; i < sizeof of_peft / sizeof of_peft[0]; i++)
        if (strcmp(type, of_peft[i]) == 0)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "combination_type %s is PEFT's alone: cat sums adapters exactly, "
                             "linear keeps their rank",
                             type);
    return axl__fail(AXL_ERR_INVALID, "combination_type must be cat or linear, got \"%s\"", type);
}

/* Of what is more than pairs no sum is defined. */
static axl_status check_source(const axl_adapter *a, size_t index)
{
    const axl_adapter_options *o = &a->opts;
    const char *what = o->use_dora                    ? "magnitudes (use_dora)"
                       : o->lora_bias                 ? "biases of B (lora_bias)"
                       : strcmp(o->bias, "none") != 0 ? "biases (bias)"
                       : o->n_modules_to_save > 0     ? "whole modules (modules_to_save)"
                       : a->n_rows > 0                ? "rows of tokens (trainable_token_indices)"
                                                      : NULL;

    if (!what)
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED, "adapter %zu trains %s, and pairs alone can be combined",
                     index, what);
}

static axl_status check_sources(const sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const axl_adapter *a = s->list[i];
        if (!a || a->magic != AXL__MAGIC_ADAPTER)
            return axl__fail(AXL_ERR_INVALID, "adapter %zu is not a live axl_adapter", i);
        if (a->model != s->list[0]->model)
            return axl__fail(AXL_ERR_INVALID, "adapter %zu is of another model than the first", i);
        if (!isfinite(s->weights[i]))
            return axl__fail(AXL_ERR_INVALID, "the weight of adapter %zu must be a number", i);
        AXL_TRY(check_source(a, i));
    }
    return AXL_OK;
}

/* ---- ranks ---- */

/* Of a layer, with what a restart or a beginning left beside the pair. */
static int64_t whole_rank(const axl_adapter *a, int64_t module)
{
    const axl__lora *f = a->frozen ? &a->frozen->loras[module] : NULL;

    return a->loras[module].on ? a->loras[module].rank + (f && f->on ? f->rank : 0) : 0;
}

static int64_t most_rank(const axl_adapter *a)
{
    int64_t most = 0;

    for (int64_t i = 0; i < a->model->modules.n; i++)
        most = whole_rank(a, i) > most ? whole_rank(a, i) : most;
    return most;
}

/* A sum of matrices wants one shape. */
static axl_status check_linear(const sources *s)
{
    const axl__modules *t = &s->list[0]->model->modules;

    for (int64_t i = 0; i < t->n; i++) {
        int64_t rank = 0;
        for (size_t k = 0; k < s->n; k++) {
            int64_t own = whole_rank(s->list[k], i);
            if (own > 0 && rank > 0 && own != rank)
                return axl__fail(AXL_ERR_INVALID,
                                 "combination_type linear wants one rank: %s has %lld and %lld "
                                 "(cat takes any)",
                                 t->list[i].name, (long long)rank, (long long)own);
            rank = own > 0 ? own : rank;
        }
    }
    return AXL_OK;
}

static axl_status find_rank(const sources *s, uint32_t *rank)
{
    int64_t sum = 0, most = 0;

    for (size_t i = 0; i < s->n; i++) {
        int64_t own = most_rank(s->list[i]);
        sum += own;
        most = own > most ? own : most;
    }
    if (!s->cat)
        AXL_TRY(check_linear(s));
    if (s->cat && sum > AXL__RANK_MAX)
        return axl__fail(AXL_ERR_INVALID, "the ranks of all are %lld, and at most %d can be",
                         (long long)sum, AXL__RANK_MAX);
    *rank = (uint32_t)(s->cat ? sum : most);
    return AXL_OK;
}

/* ---- the new one ---- */

/* Flags of the layers that any of them adapts; *same: all of them adapt these. */
static void mark_layers(const sources *s, bool *on, bool *same)
{
    int64_t n = s->list[0]->model->modules.n;

    *same = true;
    for (int64_t i = 0; i < n; i++) {
        size_t times = 0;
        for (size_t k = 0; k < s->n; k++)
            times += s->list[k]->loras[i].on;
        on[i] = times > 0;
        *same = *same && (times == 0 || times == s->n);
    }
}

static axl_adapter_options options_of(const sources *s, uint32_t rank)
{
    axl_adapter_options o = s->list[0]->opts;

    o.rank = rank;
    o.alpha = (double)rank;
    o.rslora = 0;
    o.init_lora_weights = "true";
    o.n_rank_pattern = o.n_alpha_pattern = 0;
    return o;
}

/* The names that the adapters give, each once; false where one has an expression. */
static bool list_names(const sources *s, const char **names, size_t *n)
{
    *n = 0;
    for (size_t k = 0; k < s->n; k++) {
        const axl_adapter_options *o = &s->list[k]->opts;
        if (o->target_regex)
            return false;
        for (size_t i = 0; i < o->n_target_modules; i++) {
            size_t at = 0;
            while (at < *n && strcmp(names[at], o->target_modules[i]) != 0)
                at++;
            names[at] = o->target_modules[i];
            *n += at == *n;
        }
    }
    return true;
}

/* Where adapters have different layers: all their names, if these mean the same layers, or else the
 * layers' paths.  names has room for either, flags (modules.n) for what the names mean. */
static axl_status name_layers(const sources *s, const bool *on, axl_adapter_options *o,
                              const char **names, bool *flags)
{
    const axl__modules *t = &s->list[0]->model->modules;

    o->target_regex = o->exclude_regex = NULL;
    o->n_exclude_modules = o->n_layers_to_transform = o->n_layers_pattern = 0;
    o->target_modules = names;
    if (list_names(s, names, &o->n_target_modules)) {
        AXL_TRY(axl__targets_mark(t, o, flags));
        if (memcmp(flags, on, (size_t)t->n * sizeof *on) == 0)
            return AXL_OK;
    }
    o->n_target_modules = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (on[i])
            names[o->n_target_modules++] = t->list[i].name;
    return AXL_OK;
}

/* As the first one names its layers, or where others have others as name_layers() does. */
static axl_status make_empty(axl_adapter **out, const sources *s)
{
    axl_model *m = s->list[0]->model;
    size_t n = (size_t)m->modules.n, room = n;

    for (size_t k = 0; k < s->n; k++)
        room += s->list[k]->opts.n_target_modules;
    bool *on = axl__calloc(m->ctx, 2 * n, sizeof *on), same;
    const char **names = axl__calloc(m->ctx, room, sizeof *names);
    axl_status status = on && names ? AXL_OK : axl__fail_nomem();
    uint32_t rank = 0;

    if (status == AXL_OK)
        status = find_rank(s, &rank);
    if (status == AXL_OK) {
        axl_adapter_options o = options_of(s, rank);
        mark_layers(s, on, &same);
        status = same ? AXL_OK : name_layers(s, on, &o, names, on + n);
        if (status == AXL_OK)
            status = axl__adapter_make(out, m, on, &o);
    }
    axl__free(m->ctx, names);
    axl__free(m->ctx, on);
    return status;
}

/* ---- its values ---- */

/* Adds a layer's pair, A times of_a and B times of_b, behind so many ranks. */
static void add_pair(const axl__adapter_values *to, const axl__adapter_values *from, int64_t module,
                     int64_t first, double of_a, double of_b)
{
    const axl__lora *t = &to->a->loras[module], *f = &from->a->loras[module];
    float *a = to->host + t->at[AXL__PART_A] + first * t->in;
    const float *more_a = from->host + f->at[AXL__PART_A];

    for (int64_t i = 0; i < f->rank * f->in; i++)
        a[i] += (float)(of_a * more_a[i]);
    for (int64_t o = 0; o < f->out; o++) {
        float *b = to->host + t->at[AXL__PART_B] + o * t->rank + first;
        const float *more_b = from->host + f->at[AXL__PART_B] + o * f->rank;
        for (int64_t k = 0; k < f->rank; k++)
            b[k] += (float)(of_b * more_b[k]);
    }
}

/* filled (modules.n): ranks of each layer that are taken. */
static void add_values(const axl__adapter_values *to, const axl__adapter_values *from, bool cat,
                       double weight, int64_t *filled)
{
    for (int64_t i = 0; i < from->a->model->modules.n; i++) {
        const axl__lora *l = &from->a->loras[i];
        double times = weight * (double)l->scale, root = sqrt(fabs(times));
        if (!l->on)
            continue;
        if (cat)
            add_pair(to, from, i, filled[i], times, 1.0);
        else
            add_pair(to, from, i, 0, times < 0.0 ? -root : root, root);
        filled[i] += l->rank;
    }
}

/* With its frozen pairs, as it would be saved. */
static axl_status add_source(const axl__adapter_values *to, const axl_adapter *a, bool cat,
                             double weight, int64_t *filled)
{
    axl__adapter_values from = { 0 };
    axl_adapter *joined = NULL;

    AXL_TRY(axl__cancelled(a->ctx));
    axl_status status = a->frozen ? axl__adapter_joined(&joined, a) : AXL_OK;
    if (status == AXL_OK)
        status = axl__adapter_values_read(&from, joined ? joined : a);
    if (status == AXL_OK)
        add_values(to, &from, cat, weight, filled);
    axl__free_aligned(a->ctx, from.host);
    axl_adapter_free(joined);
    return status;
}

static axl_status fill(axl_adapter *out, const sources *s)
{
    axl_context *ctx = out->ctx;
    int64_t *filled = axl__calloc(ctx, (size_t)out->model->modules.n, sizeof *filled);
    axl__adapter_values to = { 0 };
    axl_status status = filled ? axl__adapter_values_read(&to, out) : axl__fail_nomem();

    for (size_t i = 0; i < s->n && status == AXL_OK; i++)
        status = add_source(&to, s->list[i], s->cat, s->weights[i], filled);
    if (status == AXL_OK)
        status = axl__adapter_values_write(&to);
    axl__free_aligned(ctx, to.host);
    axl__free(ctx, filled);
    return status;
}

static axl_status combine(axl_adapter **out, const sources *s)
{
    size_t begun = 0;
    axl_status status = AXL_OK;

    while (begun < s->n && status == AXL_OK) {
        status = axl__adapter_begin(s->list[begun], false);
        begun += status == AXL_OK;
    }
    if (status == AXL_OK)
        status = make_empty(out, s);
    if (status == AXL_OK)
        status = fill(*out, s);
    while (begun > 0)
        axl__adapter_end(s->list[--begun], false);
    if (status < 0) {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

axl_status axl_adapter_combine(axl_adapter **out, const axl_adapter *const *adapters,
                               const double *weights, size_t n, const char *type)
{
    sources s = { .list = adapters, .weights = weights, .n = n };

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    if (!adapters || !weights || n == 0)
        return axl__fail(AXL_ERR_INVALID, "there must be adapters, and a weight for each");
    AXL_TRY(axl__adapter_enter(adapters[0]));
    AXL_TRY(check_type(&s, type ? type : "cat"));
    s.cat = s.cat && n > 1; /* as PEFT: one of them keeps its shape */
    AXL_TRY(check_sources(&s));
    return combine(out, &s);
}
