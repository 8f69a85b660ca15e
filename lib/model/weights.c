/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.c - see weights.h.  A tied head is the embedding and has no values of its own.  What
 * config.json says is kept from the first moment, so that a result can be written whatever has
 * become of the folder by then.
 */
#include "weights.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* One of a module's tensors. */
typedef struct {
    int64_t module;
    bool bias;
} weights_place;

/* The buffer of trained values and what hangs on it.  params has an element for each place, the
 * gaps between tensors are 0.  rounded is made from params (or from what the optimizer trains with)
 * whenever the model is used after a step; nobody writes it otherwise. */
struct axl__weights {
    const axl_model *model;
    axl__param *tensors;   /* (n_tensors) weights and biases in the order of the module table */
    weights_place *places; /* (n_tensors) what each is in that table */
    size_t n_tensors;
    bool parted;     /* a tied head is among them, with values of its own */
    size_t n_frozen; /* that are not trained: the model's files stay open for them */
    int64_t n_params;
    float *params; /* device, (n_params) */
    void *rounded; /* device, (n_params) bf16; NULL with f32 compute */
    axl__arena texts;
    axl__json *config, *generation; /* of the folder; generation may be NULL */
    axl__json *dtype;               /* of config: the type of the weights, */
    const char *dtype_kept;         /* as the folder said it, or as most of its files would */
};

/* ---- layout ---- */

static axl_mat *place_mat(axl_model *m, weights_place p)
{
    axl__module *of = &m->modules.list[p.module];

    return p.bias ? &of->bias : &of->weight.mat;
}

static axl_dtype place_stored(const axl_model *m, weights_place p)
{
    const axl__module *of = &m->modules.list[p.module];

    if (of->tied && !p.bias)
        of = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED);
    return p.bias ? of->bias_stored : of->weight_stored;
}

enum { PLACE_ALIGN = 32 }; /* elements: a tensor begins on a line of the cache in f32 and bf16 */

static axl_status is_trained(axl__unfrozen *some, const axl_model *m, const axl__module *of,
                             axl__param *t, bool *on)
{
    char *name = axl__format(m->ctx, "%s.%s", of->name, strrchr(t->name, '.') + 1);
    axl_status status = name ? axl__unfrozen_find(some, name, t, on) : axl__fail_nomem();

    axl__free(m->ctx, name);
    return status;
}

static axl_status add_tensor(axl__weights *w, axl__unfrozen *some, int64_t module, bool bias)
{
    const axl_model *m = w->model;
    const axl__module *of = &m->modules.list[module];
    axl__param *t = &w->tensors[w->n_tensors];
    bool on = true;

    *t = (axl__param){ .rows = bias ? 1 : of->rows,
                       .cols = bias ? of->rows : of->cols,
                       .vector = bias || of->role == AXL__ROLE_NORM,
                       .embedding = of->role == AXL__ROLE_EMBEDDING || of->role == AXL__ROLE_HEAD,
                       .lookup = of->role == AXL__ROLE_EMBEDDING,
                       .layer = of->layer };
    t->name = axl__format(m->ctx, "%s.%s", axl__module_file_name(of), bias ? "bias" : "weight");
    if (!t->name)
        return axl__fail_nomem();
    axl_status status = some ? is_trained(some, m, of, t, &on) : AXL_OK;
    if (status < 0 || !on) {
        w->n_frozen++;
        axl__free(m->ctx, t->name);
        return status;
    }
    w->places[w->n_tensors++] = (weights_place){ module, bias };
    return AXL_OK;
}

/* Matrices first, then the vectors, which no weight decays: what an optimizer treats alike lies
 * together, and a step of it is one operation. */
static void place_tensors(axl__weights *w)
{
    for (int vectors = 0; vectors < 2; vectors++)
        for (size_t i = 0; i < w->n_tensors; i++) {
            axl__param *t = &w->tensors[i];
            if (t->vector != vectors)
                continue;
            t->at = w->n_params;
            w->n_params += (t->rows * t->cols + PLACE_ALIGN - 1) / PLACE_ALIGN * PLACE_ALIGN;
        }
}

/* some: what is trained; NULL: everything. */
static axl_status weights_lay_out(axl__weights *w, axl__unfrozen *some)
{
    const axl_model *m = w->model;
    size_t most = (size_t)m->modules.n * 2;

    w->tensors = axl__calloc(m->ctx, most, sizeof *w->tensors);
    w->places = axl__calloc(m->ctx, most, sizeof *w->places);
    if (!w->tensors || !w->places)
        return axl__fail_nomem();
    for (int64_t i = 0; i < m->modules.n; i++) {
        if (!m->modules.list[i].tied || w->parted)
            AXL_TRY(add_tensor(w, some, i, false));
        if (m->modules.list[i].has_bias)
            AXL_TRY(add_tensor(w, some, i, true));
    }
    place_tensors(w);
    return AXL_OK;
}

/* The table learns where what is trained lies. */
static void tell_places(axl_model *m, const axl__weights *w)
{
    axl__module *list = m->modules.list;

    for (int64_t i = 0; i < m->modules.n; i++)
        list[i].weight_at = list[i].bias_at = -1;
    for (size_t i = 0; i < w->n_tensors; i++) {
        axl__module *of = &list[w->places[i].module];
        *(w->places[i].bias ? &of->bias_at : &of->weight_at) = w->tensors[i].at;
    }
    for (int64_t i = 0; i < m->modules.n; i++)
        if (list[i].tied)
            list[i].weight_at = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED)->weight_at;
}

/* ---- values ---- */

static axl_mat trained_mat(const axl__weights *w, size_t i)
{
    const axl__param *t = &w->tensors[i];

    return (axl_mat){ w->params + t->at, AXL_F32, t->rows, t->cols, t->cols };
}

static axl_status allocate(axl_model *m, axl__weights *w)
{
    size_t n = (size_t)w->n_params;
    void *p = NULL;

    AXL_TRY(m->ops->buffer_new(m->dev, &p, n * sizeof(float)));
    w->params = p;
    if (m->compute == AXL_BF16)
        AXL_TRY(m->ops->buffer_new(m->dev, &w->rounded, n * sizeof(uint16_t)));
    return m->ops->zero(m->dev, w->params, n * sizeof(float));
}

/* Rows that files do not have stay as they are, and rows that are left out there fall away. */
static axl_status take_stored(axl_model *m, const axl__weights *w, size_t i, axl_mat y)
{
    int64_t rows = m->modules.list[w->places[i].module].file_rows;
    void *all;

    if (rows <= y.rows || w->places[i].bias)
        return axl__model_read_stored(m, w->tensors[i].name, y.data);
    AXL_TRY(m->ops->buffer_new(m->dev, &all, (size_t)(rows * y.cols) * sizeof(float)));
    axl_status status = axl__model_read_stored(m, w->tensors[i].name, all);
    if (status == AXL_OK)
        status = m->ops->copy(m->dev, y.data, all, (size_t)(y.rows * y.cols) * sizeof(float));
    m->ops->buffer_free(m->dev, all);
    return status;
}

/* From the file where the model computes with less than that has. */
static axl_status take_value(axl_model *m, const axl__weights *w, size_t i, axl_mat y)
{
    axl_unary_args a = { *place_mat(m, w->places[i]), y };
    const axl__module *of = &m->modules.list[w->places[i].module];

    if (!w->places[i].bias && of->weight.kind != AXL_WEIGHT_DENSE)
        return m->ops->dequantise(m->dev, &(axl_dequantise_args){ .w = of->weight, .y = a.y });
    bool stored =
        a.x.dtype == AXL_BF16 && place_stored(m, w->places[i]) != AXL_BF16 && m->n_files > 0;
    if (!stored || of->file_rows > 0)
        AXL_TRY(m->ops->convert(m->dev, &a));
    return stored ? take_stored(m, w, i, y) : AXL_OK;
}

/* In the weights that are trained now; without data where they do not have it. */
static axl_mat trained_before(const axl_model *m, weights_place p)
{
    const axl__module *of = &m->modules.list[p.module];
    int64_t at = p.bias ? of->bias_at : of->weight_at;
    axl_mat mat = { NULL, AXL_F32, p.bias ? 1 : of->rows, p.bias ? of->rows : of->cols, 0 };

    mat.stride = mat.cols;
    if (m->weights && at >= 0)
        mat.data = m->weights->params + at;
    return mat;
}

/* Of a tied head those of the embedding. */
static size_t values_of(const axl_model *m, const axl__weights *w, size_t i)
{
    int64_t embed = axl__modules_in(&m->modules, -1, AXL__SLOT_EMBED).first;

    if (w->places[i].bias || !m->modules.list[w->places[i].module].tied)
        return i;
    for (i = 0; w->places[i].module != embed; i++)
        continue;
    return i;
}

axl_status axl__weights_take(axl_model *m, const axl__weights *w, size_t i, axl_mat y)
{
    size_t bytes = (size_t)(y.rows * y.cols) * sizeof(float);

    i = values_of(m, w, i);
    axl_mat before = trained_before(m, w->places[i]);

    return before.data ? m->ops->copy(m->dev, y.data, before.data, bytes) : take_value(m, w, i, y);
}

static axl_status take_values(axl_model *m, axl__weights *w)
{
    for (size_t i = 0; i < w->n_tensors && !m->device.counts_only; i++) {
        AXL_TRY(axl__poll(m->ctx, "load", i, w->n_tensors));
        AXL_TRY(axl__weights_take(m, w, i, trained_mat(w, i)));
    }
    return AXL_OK;
}

axl_status axl__weights_use(axl_model *m, float *values)
{
    axl__weights *w = m->weights;
    int64_t n = w->n_params;
    char *used = w->rounded ? w->rounded : (void *)values;

    if (w->rounded && !m->device.counts_only) {
        axl_unary_args a = { { values, AXL_F32, 1, n, n }, { w->rounded, AXL_BF16, 1, n, n } };
        AXL_TRY(m->ops->convert(m->dev, &a));
    }
    for (size_t i = 0; i < w->n_tensors; i++) {
        axl_mat *mat = place_mat(m, w->places[i]);
        if (!w->places[i].bias)
            m->modules.list[w->places[i].module].weight.kind = AXL_WEIGHT_DENSE;
        mat->dtype = m->compute;
        mat->stride = mat->cols;
        mat->data = used + (size_t)w->tensors[i].at * axl__dtype_size(m->compute);
    }
    if (!w->parted)
        axl__modules_tie(&m->modules);
    return AXL_OK;
}

static void weights_lay_out_free(axl_context *ctx, axl__weights *w)
{
    for (size_t i = 0; i < w->n_tensors; i++) {
        axl__free(ctx, w->tensors[i].name);
        axl__free(ctx, w->tensors[i].frozen);
    }
    axl__free(ctx, w->tensors);
    axl__free(ctx, w->places);
}

/* The place's matrix in another model of the same architecture. */
static axl_status peer_mat(axl_model *from, const axl_model *m, weights_place p, axl_mat *out)
{
    const axl__module *of = &m->modules.list[p.module];

    if (from->modules.n != m->modules.n || from->modules.list[p.module].tied != of->tied)
        return axl__fail(AXL_ERR_FORMAT, "%s holds another architecture", from->folder.place);
    *out = *place_mat(from, p);
    if (out->rows == (p.bias ? 1 : of->rows) && out->cols == (p.bias ? of->rows : of->cols))
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" has another shape than is trained",
                     from->folder.place, of->name);
}

axl_status axl__weights_copy(axl_model *m, const axl_model *from)
{
    axl_model *source = (axl_model *)(uintptr_t)from; /* read, not changed */
    const axl__weights *w = m->weights;

    for (size_t i = 0; i < w->n_tensors; i++) {
        axl_unary_args a = { .y = trained_mat(w, i) };
        AXL_TRY(peer_mat(source, m, w->places[i], &a.x));
        AXL_TRY(m->ops->convert(m->dev, &a));
    }
    return AXL_OK;
}

/* ---- life ---- */

/* Numbers stay as they are written. */
static axl_status read_json(const axl_model *m, axl__weights *w, const char *name, axl__json **out)
{
    return axl__folder_json(&m->folder, name, &w->texts, out);
}

static void drop_member(axl__weights *w, const char *key)
{
    for (axl__json **v = &w->config->child; *v;)
        if (strcmp((*v)->key, key) == 0) {
            *v = (*v)->next;
            w->config->count--;
        } else {
            v = &(*v)->next;
        }
}

axl_status axl__weights_say(axl__weights *w, const char *key, const axl__json *value)
{
    axl__json *v, **end = &w->config->child;

    drop_member(w, key);
    if (!value)
        return AXL_OK;
    v = axl__arena_alloc(&w->texts, sizeof *v);
    if (!v)
        return axl__fail_nomem();
    while (*end)
        end = &(*end)->next;
    *v = *value;
    v->key = key;
    v->key_len = strlen(key);
    v->next = NULL;
    *end = v;
    w->config->count++;
    return AXL_OK;
}

/* What config.json calls the embedding's type. */
static const char *embed_dtype(const axl_model *m)
{
    static const char *const names[] = { "float32", "bfloat16", "float16" };

    return names[axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED)->weight_stored];
}

/* The member that names the type of the weights, added where there is none. */
static axl_status find_dtype(axl__weights *w, const axl_model *m)
{
    axl__json **end = &w->config->child;

    for (; *end; end = &(*end)->next)
        if (strcmp((*end)->key, "dtype") == 0 || strcmp((*end)->key, "torch_dtype") == 0)
            w->dtype = *end;
    if (!w->dtype) {
        *end = w->dtype = axl__arena_alloc(&w->texts, sizeof *w->dtype);
        if (!w->dtype)
            return axl__fail_nomem();
        *w->dtype = (axl__json){ .key = "dtype", .key_len = 5 };
        w->config->count++;
    }
    w->dtype_kept = w->dtype->type == AXL__JSON_STRING ? w->dtype->text : embed_dtype(m);
    w->dtype->type = AXL__JSON_STRING;
    return AXL_OK;
}

/* A head that the folder's config.json ties, but that has values of its own, is written as one;
 * without a word there it is tied by what it is. */
static axl_status say_whether_tied(axl__weights *w, const axl_model *m, bool parted)
{
    static const char key[] = "tie_word_embeddings";
    bool said = false;

    for (axl__json *v = w->config->child; v; v = v->next)
        if (strcmp(v->key, key) == 0) {
            said = true;
            if (v->type == AXL__JSON_BOOL)
                v->boolean = v->boolean && m->arch.tied_head && !parted;
        }
    return parted && !said ? axl__weights_say(w, key, &(axl__json){ .type = AXL__JSON_BOOL })
                           : AXL_OK;
}

/* As a value of model_config would be laid over it. */
static axl_status say_vocab_size(axl__weights *w, const axl_model *m)
{
    char text[64];

    if (!m->resized)
        return AXL_OK;
    snprintf(text, sizeof text, "{\"vocab_size\": %lld}", (long long)m->arch.vocab_size);
    char *kept = axl__arena_strndup(&w->texts, text, strlen(text)); /* numbers point into it */
    return kept ? axl__arch_override(w->config, &w->texts, kept) : axl__fail_nomem();
}

static axl_status weights_open(axl_model *m, axl__weights *w, axl__unfrozen *some)
{
    if (m->folder.place && !m->weights) { /* a model that is only timed has no folder */
        AXL_TRY(read_json(m, w, "config.json", &w->config));
        AXL_TRY(axl__arch_override(w->config, &w->texts, m->overrides));
        AXL_TRY(find_dtype(w, m));
        AXL_TRY(say_whether_tied(w, m, w->parted));
        AXL_TRY(say_vocab_size(w, m));
        if (axl__folder_has(&m->folder, "generation_config.json"))
            AXL_TRY(read_json(m, w, "generation_config.json", &w->generation));
    }
    return weights_lay_out(w, some);
}

static axl_status weights_fill(axl_model *m, axl__weights *w, axl__unfrozen *some)
{
    AXL_TRY(weights_open(m, w, some));
    if (w->config)
        drop_member(w, "quantization_config"); /* of what is written */
    if (w->n_tensors == 0)
        return axl__fail(AXL_ERR_INVALID, "unfrozen_parameters: no parameter's name begins with "
                                          "any of its patterns, and nothing would be trained");
    AXL_TRY(allocate(m, w));
    return take_values(m, w);
}

void axl__weights_drop(axl_model *m, axl__weights *w)
{
    if (!w)
        return;
    m->ops->buffer_free(m->dev, w->params);
    m->ops->buffer_free(m->dev, w->rounded);
    weights_lay_out_free(m->ctx, w);
    axl__arena_free(&w->texts);
    axl__free(m->ctx, w);
}

typedef axl_status fill_fn(axl_model *m, axl__weights *w, axl__unfrozen *some);

static axl_status weights_new(axl__weights **out, axl_model *m, axl__unfrozen *some, bool parted,
                              fill_fn *fill)
{
    axl__weights *w = axl__calloc(m->ctx, 1, sizeof *w);

    *out = w;
    if (!w)
        return axl__fail_nomem();
    w->model = m;
    w->parted = parted;
    axl__arena_init(&w->texts, m->ctx);
    axl_status status = fill(m, w, some);
    if (status < 0) {
        axl__weights_drop(m, w);
        *out = NULL;
    }
    return status;
}

axl_status axl__weights_make(axl__weights **out, axl_model *m, bool parted)
{
    return weights_new(out, m, NULL, parted, weights_fill);
}

axl_status axl__weights_describe(axl__weights **out, axl_model *m, bool parted)
{
    return weights_new(out, m, NULL, parted, weights_open);
}

size_t axl__weights_count(const axl__weights *w)
{
    return w->n_tensors;
}

axl__weights_part axl__weights_at(axl_model *m, const axl__weights *w, size_t i)
{
    weights_place p = w->places[i];

    return (axl__weights_part){ .tensor = &w->tensors[i],
                                .module = p.module,
                                .bias = p.bias,
                                .stored = place_stored(m, p),
                                .used = *place_mat(m, p),
                                .trained = trained_before(m, p) };
}

/* Without data where it has none. */
static axl_mat find_value(const axl__weights *w, const axl__module *of, bool bias)
{
    int64_t module = of - w->model->modules.list;

    for (size_t i = 0; i < w->n_tensors; i++)
        if (w->places[i].module == module && w->places[i].bias == bias)
            return trained_mat(w, i);
    return (axl_mat){ 0 };
}

axl_mat axl__weights_value(const axl__weights *w, const axl__module *of)
{
    const axl__modules *t = &w->model->modules;

    return find_value(w, of->tied && !w->parted ? axl__modules_one(t, -1, AXL__SLOT_EMBED) : of,
                      false);
}

axl_mat axl__weights_bias(const axl__weights *w, const axl__module *of)
{
    return find_value(w, of, true);
}

/* ---- what is frozen ---- */

static bool same_places(const axl__weights *a, const axl__weights *b)
{
    bool same = a->n_tensors == b->n_tensors;

    for (size_t i = 0; same && i < a->n_tensors; i++)
        same = a->places[i].module == b->places[i].module && a->places[i].bias == b->places[i].bias;
    return same;
}

/* What the folder said is handed on. */
static void move_texts(axl__weights *to, axl__weights *from)
{
    axl__arena none = to->texts;

    to->texts = from->texts;
    to->config = from->config;
    to->generation = from->generation;
    to->dtype = from->dtype;
    to->dtype_kept = from->dtype_kept;
    from->texts = none;
}

/* What the model computed with before, but for what stays frozen. */
static void release_before(axl_model *m, const axl__weights *w, void **data)
{
    for (size_t i = 0; i < w->n_tensors && w->n_frozen > 0; i++)
        axl__model_release_weight(m, data[i]);
    if (w->n_frozen > 0)
        return;
    axl__model_release_weights(m);
    axl__quant_config_free(&m->quant, m->ctx);
}

/* The head is none but its own from now on. */
static void part_head(axl_model *m)
{
    axl__module *head = &m->modules.list[axl__modules_in(&m->modules, -1, AXL__SLOT_HEAD).first];

    head->weight_stored = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED)->weight_stored;
    axl__modules_untie(&m->modules);
    m->arch.tied_head = false;
}

static axl_status commit(axl_model *m, axl__weights *w, void **data)
{
    axl__weights *before = m->weights;

    if (w->parted && before && before->config)
        AXL_TRY(say_whether_tied(before, m, true));

    for (size_t i = 0; i < w->n_tensors; i++)
        data[i] = place_mat(m, w->places[i])->data;
    m->weights = w;
    axl_status status = axl__weights_use(m, w->params);
    if (status < 0) {
        m->weights = before;
        return status;
    }
    if (w->parted)
        part_head(m);
    tell_places(m, w);
    if (before)
        move_texts(w, before);
    axl__weights_drop(m, before);
    release_before(m, w, data);
    m->weights_bytes = axl__weights_bytes(m) + (w->n_frozen > 0 ? m->weights_bytes : 0);
    return AXL_OK;
}

axl_status axl__weights_commit(axl_model *m, axl__weights *w)
{
    void **data = axl__alloc(m->ctx, w->n_tensors * sizeof *data);
    axl_status status = data ? commit(m, w, data) : axl__fail_nomem();

    axl__free(m->ctx, data);
    if (status < 0)
        axl__weights_drop(m, w);
    return status;
}

uint64_t axl__weights_bytes(const axl_model *m)
{
    const axl__weights *w = m->weights;

    return w ? (uint64_t)w->n_params * (sizeof(float) + (w->rounded ? 2 : 0)) : 0;
}

/* The weights of the trainer before are trained on, with these ranges of rows. */
static axl_status train_again(axl_model *m, axl__unfrozen *some)
{
    axl__weights w = { .model = m }, *now = m->weights;
    axl_status status = weights_lay_out(&w, some);

    if (status == AXL_OK && !same_places(&w, now))
        status = axl__fail(AXL_ERR_INVALID, "other parameters of the model were trained or merged "
                                            "before: save it, and open the result");
    for (size_t i = 0; i < now->n_tensors && status == AXL_OK; i++) {
        axl__range *ranges = now->tensors[i].frozen;
        now->tensors[i].frozen = w.tensors[i].frozen;
        now->tensors[i].n_frozen = w.tensors[i].n_frozen;
        w.tensors[i].frozen = ranges;
    }
    weights_lay_out_free(m->ctx, &w);
    return status;
}

static axl_status check_trainable(const axl_model *m, const axl__unfrozen *some)
{
    if (m->quant.kind != AXL_WEIGHT_DENSE)
        return axl__fail(AXL_ERR_INVALID, "the model's weights are in 4 or 8 bits, which are not "
                                          "trained themselves: train an adapter");
    if (some && m->quant.fp8)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "unfrozen_parameters: the weights in %s are in FP8, which cannot stand "
                         "beside trained ones in a result: train all of them, or an adapter",
                         m->folder.place);
    return AXL_OK;
}

axl_status axl__weights_unfreeze(axl_model *m, axl__unfrozen *some)
{
    axl__weights *w;

    if (m->weights)
        return train_again(m, some);
    AXL_TRY(check_trainable(m, some));
    AXL_TRY(weights_new(&w, m, some, false, weights_fill));
    AXL_TRY(axl__weights_commit(m, w));
    if (some)
        axl__unfrozen_warn(some);
    return AXL_OK;
}

void axl__weights_free(axl_model *m)
{
    axl__weights_drop(m, m->weights);
    m->weights = NULL;
}

axl__trained axl__weights_trained(const axl_model *m)
{
    const axl__weights *w = m->weights;

    return (axl__trained){ w->tensors, w->n_tensors, w->n_params, w->params };
}

/* ---- config.json ---- */

static axl_status write_json(const axl__outlet *to, const char *name, const axl__json *root)
{
    axl__str text;

    axl__str_init(&text, to->ctx);
    axl__json_write(&text, root, 2);
    axl__str_putc(&text, '\n');
    axl_status status = axl__str_status(&text);
    if (status == AXL_OK)
        status = axl__outlet_put(to, name, text.data, text.len);
    axl__str_free(&text);
    return status;
}

axl_status axl__weights_write_configs(const axl__weights *w, const axl__outlet *to, bool exact)
{
    w->dtype->text = exact ? "float32" : w->dtype_kept;
    w->dtype->len = strlen(w->dtype->text);
    AXL_TRY(write_json(to, "config.json", w->config));
    return w->generation ? write_json(to, "generation_config.json", w->generation) : AXL_OK;
}
