/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - a model's life: opened from a folder or a config, shared, freed. */
#include "model.h"
#include "family/family.h"
#include "family/wrapper.h"
#include "reinit.h"
#include "weights.h"

#include "base/magic.h"
#include "base/str.h"
#include "base/structs.h"
#include "config/config.h"
#include "hub/hub.h"
#include "tensor/counting.h"
#include "tensor/registry.h"

#include <string.h>

/* ---- life ---- */

axl_status axl__model_open_device(axl_model *m, const char *backend)
{
    AXL_TRY(axl__device_get_named(&m->ops, &m->dev, m->ctx, backend ? backend : "cpu"));
    m->ops->device_info(m->dev, &m->device);
    return AXL_OK;
}

/* From here on nothing is computed, and what is made is counted. */
static axl_status count_only(axl_model *m)
{
    AXL_TRY(axl__counting_open(&m->ops, &m->dev, m->ctx));
    m->ops->device_info(m->dev, &m->device);
    return AXL_OK;
}

/* Where a model comes from: a path (and a revision of the Hub's), a host's files, or its
 * config.json and a source of tensors. */
typedef struct {
    const char *path, *revision;
    const axl_file *files;
    size_t n_files;
    const axl__tensor_source *source;
    const char *overrides; /* of config.json; NULL: none */
    bool counting;
} model_origin;

static axl_status model_find(axl_model *m, const model_origin *from, bool reinit)
{
    axl__hub_wish wish = { .name = from->path,
                           .revision = from->revision,
                           .kind = "models",
                           .pick = reinit ? axl__hub_pick_shape : axl__hub_pick_model,
                           .headers = from->counting };
    char *dir = NULL;

    if (!from->path)
        return axl__folder_of(&m->folder, m->ctx, from->files, from->n_files,
                              from->source ? axl__tensor_source_name : NULL);
    AXL_TRY(axl__hub_resolve(m->ctx, &wish, &dir));
    axl_status status = axl__folder_at(&m->folder, m->ctx, dir);
    axl__free(m->ctx, dir);
    return status;
}

/* What a result is written from later, when a host's files need not be there any more, or its
 * directory is another. */
static axl_status model_keep_texts(axl_model *m)
{
    static const char *const names[] = { "config.json", "generation_config.json" };

    return axl__folder_keep(&m->folder, names, sizeof names / sizeof names[0]);
}

static axl_status model_fill(axl_model *m, const model_origin *from, const axl_model_options *o)
{
    const char *name = o->name ? o->name : from->path;

    m->name = axl__strdup(m->ctx, name);
    if (name && !m->name)
        return axl__fail_nomem();
    m->overrides = axl__strdup(m->ctx, from->overrides);
    if (from->overrides && !m->overrides)
        return axl__fail_nomem();
    AXL_TRY(model_find(m, from, o->reinit != 0));
    AXL_TRY(axl__model_open_device(m, o->backend));
    if (from->counting)
        AXL_TRY(count_only(m));
    else
        axl__log(m->ctx, AXL_LOG_INFO, "%s: %s kernels, large matmuls by %s", m->ops->name,
                 m->device.isa, m->device.matmul);
    AXL_TRY(axl__arch_read(&m->arch, &m->folder, m->overrides));
    AXL_TRY(axl__modules_make(&m->modules, m->ctx, &m->arch));
    AXL_TRY(axl__quant_config_read(&m->quant, &m->folder));
    AXL_TRY(axl__quant_config_ask(&m->quant, m->ctx, o));
    m->reads_pieces = m->quant.kind != AXL_WEIGHT_DENSE && !m->quant.stored && from->path != NULL;
    AXL_TRY(o->reinit ? axl__reinit_load(m, o->compute, o->seed)
                      : axl__model_load(m, o->compute, o->read != 0, from->source));
    return model_keep_texts(m);
}

axl_model *axl__model_alloc(axl_context *ctx)
{
    axl_model *m = axl__calloc(ctx, 1, sizeof *m);

    if (!m)
        return NULL;
    m->magic = AXL__MAGIC_MODEL;
    atomic_init(&m->refs, 1);
    m->ctx = axl__context_ref(ctx);
    return m;
}

static axl_status open_model(axl_model **out, axl_context *ctx, const model_origin *from,
                             const axl_model_options *opts)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    AXL_TRY(AXL__IMPORT_OPTIONS(axl_model_options, &o, opts));
    if (o.compute > AXL_COMPUTE_STORED)
        return axl__fail(AXL_ERR_INVALID, "compute must be auto, f32, bf16 or stored");
    if (o.reinit && from->source)
        return axl__fail(AXL_ERR_INVALID, "with reinit no tensor is asked for: open files");
    axl_model *m = axl__model_alloc(ctx);
    if (!m)
        return axl__fail_nomem();
    axl_status status = model_fill(m, from, &o);
    if (status < 0) {
        axl_model_free(m);
        return status;
    }
    *out = m;
    return AXL_OK;
}

/* What every constructor begins with. */
static axl_status begin_model(axl_model **out, axl_context *ctx)
{
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    return axl__context_enter(ctx);
}

static axl_status open_path(axl_model **out, axl_context *ctx, const char *path,
                            const axl_model_options *opts, bool counting)
{
    AXL_TRY(begin_model(out, ctx));
    if (!path)
        return axl__fail(AXL_ERR_INVALID, "path must not be NULL");
    return open_model(out, ctx, &(model_origin){ .path = path, .counting = counting }, opts);
}

axl_status axl_model_open(axl_model **out, axl_context *ctx, const char *path,
                          const axl_model_options *opts)
{
    return open_path(out, ctx, path, opts, false);
}

axl_status axl__model_open_counting(axl_model **out, axl_context *ctx, const char *path,
                                    const axl_model_options *opts)
{
    return open_path(out, ctx, path, opts, true);
}

axl_status axl_model_open_files(axl_model **out, axl_context *ctx, const axl_file *files, size_t n,
                                const axl_model_options *opts)
{
    AXL_TRY(begin_model(out, ctx));
    return open_model(out, ctx, &(model_origin){ .files = files, .n_files = n }, opts);
}

axl_status axl_model_open_tensors(axl_model **out, axl_context *ctx, const char *config,
                                  size_t length, axl_tensor_fn tensor, void *user,
                                  const axl_model_options *opts)
{
    axl_file file = { sizeof file, "config.json", config, length };
    axl__tensor_source source = { tensor, user };

    AXL_TRY(begin_model(out, ctx));
    if (!config || !tensor)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL", config ? "tensor" : "config");
    return open_model(out, ctx, &(model_origin){ .files = &file, .n_files = 1, .source = &source },
                      opts);
}

static uint32_t config_compute(const axl_config *cfg)
{
    if (strcmp(axl__cfg_str(cfg, "bf16"), "auto") == 0)
        return axl__cfg_bool(cfg, "fp16") ? AXL_COMPUTE_F32 : AXL_COMPUTE_AUTO;
    return axl__cfg_bool(cfg, "bf16") ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
}

enum { KEPT_MAX = 64 };

/* What load_in_4bit and load_in_8bit ask for; kept (KEPT_MAX) has room for names of modules. */
static axl_status config_weights(const axl_config *cfg, axl_model_options *o, const char **kept)
{
    static const char type[] = "bnb_config_kwargs.bnb_4bit_quant_type";
    static const char twice[] = "bnb_config_kwargs.bnb_4bit_use_double_quant";
    static const char skipped[] = "bnb_config_kwargs.llm_int8_skip_modules";
    const axl__yaml *list = axl__cfg_node(cfg, skipped);

    if (axl__cfg_has(cfg, "peft.loftq_config")) {
        bool eight = axl__cfg_int_or(cfg, "peft.loftq_config.loftq_bits", 4) == 8;
        o->weights = eight ? AXL_WEIGHTS_INT8 : AXL_WEIGHTS_NF4;
        o->plain_scales = 1; /* as PEFT quantises for LoftQ */
    }
    if (axl__cfg_bool(cfg, "load_in_8bit"))
        o->weights = AXL_WEIGHTS_INT8;
    if (!axl__cfg_bool(cfg, "load_in_4bit"))
        return AXL_OK;
    o->weights =
        strcmp(axl__cfg_str_or(cfg, type, "nf4"), "fp4") == 0 ? AXL_WEIGHTS_FP4 : AXL_WEIGHTS_NF4;
    o->plain_scales = !axl__cfg_bool_or(cfg, twice, true);
    if (!list)
        return AXL_OK;
    if (list->count > KEPT_MAX)
        return axl__fail(AXL_ERR_INVALID, "%s has %zu entries; at most %d", skipped,
                         (size_t)list->count, KEPT_MAX);
    o->keep_modules = kept;
    for (const axl__yaml *n = list->child; n; n = n->next)
        kept[o->n_keep_modules++] = n->text;
    return AXL_OK;
}

/* base_model as a folder of the config's base_dir when there is one, else as it is: a Hub id. Where
 * config.json is all that is read, base_model_config. */
static char *config_model(const axl_config *cfg, bool reinit)
{
    const char *base = axl__cfg_str(cfg, "base_model");
    const char *name = reinit ? axl__cfg_str_or(cfg, "base_model_config", base) : base;
    char *path = axl__config_path(cfg, name);

    if (path && axl__path_kind_of(path) == AXL__PATH_NONE) {
        axl__free(axl__config_context(cfg), path);
        path = axl__strdup(axl__config_context(cfg), name);
    }
    return path;
}

/* The class that a config asks for is the family's own, or any. */
static axl_status check_class(const axl_model *m, const axl_config *cfg)
{
    const axl__wrapper *wrapper = m->arch.wrapper;
    const char *class_name = wrapper ? wrapper->class_name : m->arch.family->class_name;
    const char *type = wrapper ? wrapper->model_type : m->arch.family->model_type;
    const char *name = axl__cfg_str_or(cfg, "model_type", "AutoModelForCausalLM");

    if (strcmp(name, "AutoModelForCausalLM") == 0 || strcmp(name, class_name) == 0 ||
        (wrapper && strcmp(name, "AutoModelForImageTextToText") == 0))
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID,
                     "model_type: %s, but config.json in %s says \"%s\", which is %s", name,
                     m->folder.place, type, class_name);
}

/* With what model_config lays over config.json. */
static axl_status open_overridden(axl_model **out, axl_context *ctx, model_origin *from,
                                  const axl_config *cfg, const axl_model_options *o)
{
    const axl__yaml *node = axl__cfg_node(cfg, "model_config");
    axl__str text;

    axl__str_init(&text, ctx);
    if (node)
        axl__yaml_put_canonical(&text, node);
    axl_status status = axl__str_status(&text);
    from->overrides = node ? axl__str_text(&text) : NULL;
    if (status == AXL_OK)
        status = open_model(out, ctx, from, o);
    axl__str_free(&text);
    return status;
}

const char *axl__config_device(const axl_config *cfg)
{
    return axl__cfg_str_or(cfg, "axl.backend", axl__cfg_str(cfg, "device"));
}

/* dir NULL: base_model. */
static axl_status from_config(axl_model **out, const axl_config *cfg, const char *dir,
                              bool counting)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    const char *kept[KEPT_MAX];

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    axl_context *ctx = axl__config_context(cfg);
    o.compute = config_compute(cfg);
    AXL_TRY(config_weights(cfg, &o, kept));
    o.backend = axl__config_device(cfg);
    o.read = strcmp(axl__cfg_str_or(cfg, "axl.load", "map"), "read") == 0;
    o.reinit = !dir && axl__cfg_bool_or(cfg, "reinit_weights", false);
    o.seed = (uint64_t)axl__cfg_int(cfg, "seed");
    char *path = dir ? axl__strdup(ctx, dir) : config_model(cfg, o.reinit);
    if (!path)
        return axl__fail_nomem();
    model_origin from = { .path = path,
                          .revision = dir ? NULL : axl__cfg_str_or(cfg, "model_revision", NULL),
                          .counting = counting };
    axl_status status = open_overridden(out, ctx, &from, cfg, &o);
    axl__free(ctx, path);
    AXL_TRY(status);
    status = check_class(*out, cfg);
    if (status == AXL_OK && axl__cfg_bool(cfg, "fp16") && strcmp((*out)->ops->name, "cuda") == 0)
        status =
            axl__fail(AXL_ERR_UNSUPPORTED, "fp16: true is not computed on CUDA: bf16: true is");
    if (status == AXL_OK && axl__cfg_has(cfg, "model_quantization_config") && !(*out)->quant.fp8)
        status = axl__fail(AXL_ERR_INVALID,
                           "model_quantization_config: FineGrainedFP8Config, but the weights in %s "
                           "are not in FP8",
                           (*out)->folder.place);
    if (status < 0) {
        axl_model_free(*out);
        *out = NULL;
    }
    return status;
}

axl_status axl_model_from_config(axl_model **out, const axl_config *cfg)
{
    return from_config(out, cfg, NULL, false);
}

axl_status axl__model_from_config_in(axl_model **out, const axl_config *cfg, const char *dir)
{
    return from_config(out, cfg, dir, false);
}

axl_status axl__model_from_config_counting(axl_model **out, const axl_config *cfg)
{
    return from_config(out, cfg, NULL, true);
}

axl_status axl__model_keep(axl_model *m, void *p, bool owned)
{
    void ***list = owned ? &m->owned : &m->mapped;
    size_t *n = owned ? &m->n_owned : &m->n_mapped, *cap = owned ? &m->cap_owned : &m->cap_mapped;

    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 64;
        void **grown = axl__realloc(m->ctx, *list, more * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        *list = grown;
        *cap = more;
    }
    (*list)[(*n)++] = p;
    return AXL_OK;
}

axl_model *axl__model_ref(axl_model *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

axl_status axl__model_enter(const axl_model *m)
{
    if (!m || m->magic != AXL__MAGIC_MODEL) {
        axl__error_clear();
        return axl__fail(AXL_ERR_INVALID, "not a live axl_model");
    }
    return axl__context_enter(m->ctx);
}

void axl_model_free(axl_model *m)
{
    if (!m || m->magic != AXL__MAGIC_MODEL || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    m->magic = 0;
    axl__weights_free(m);
    axl__model_release_weights(m);
    axl__model_release_files(m);
    axl__device_put(m->ctx, m->ops, m->dev);
    axl_context *ctx = m->ctx;
    axl__free(ctx, m->files);
    axl__free(ctx, m->carried);
    axl__free(ctx, m->mapped);
    axl__free(ctx, m->owned);
    axl__modules_free(&m->modules);
    axl__quant_config_free(&m->quant, ctx);
    axl__arch_free(&m->arch, ctx);
    axl__free(ctx, m->name);
    axl__free(ctx, m->overrides);
    axl__folder_free(&m->folder);
    axl__free(ctx, m);
    axl_context_free(ctx);
}

axl_status axl__model_use(const axl_model *m)
{
    AXL_TRY(axl__model_enter(m));
    if (atomic_load(&m->trainers) < 0)
        return axl__fail(AXL_ERR_BUSY, "the model's weights are being trained; free the trainer "
                                       "first");
    return AXL_OK;
}

static _Thread_local const axl_model *lent_here;

const axl_model *axl__model_lend(const axl_model *m)
{
    const axl_model *before = lent_here;

    lent_here = m;
    return before;
}

bool axl__model_is_lent(const axl_model *m)
{
    return lent_here == m;
}

/* trainers counts those of adapters, and calls that compute, which may be several; -1 is one who
 * writes the weights, a trainer or a merge, which tolerates no other. */
axl_status axl__model_take(axl_model *m, bool weights)
{
    int n = atomic_load(&m->trainers);

    while (n >= 0 && (n == 0 || !weights))
        if (atomic_compare_exchange_weak(&m->trainers, &n, weights ? -1 : n + 1))
            return AXL_OK;
    return axl__fail(AXL_ERR_BUSY, n < 0 ? "the model's weights are being trained or changed"
                                         : "an adapter of the model is being trained, or another "
                                           "call computes with the model");
}

void axl__model_give_back(axl_model *m, bool weights)
{
    atomic_fetch_add(&m->trainers, weights ? 1 : -1);
}

/* ---- what it is ---- */

static uint32_t weights_of(axl_weight_kind kind)
{
    static const uint32_t weights[] = { [AXL_WEIGHT_DENSE] = AXL_WEIGHTS_STORED,
                                        [AXL_WEIGHT_NF4] = AXL_WEIGHTS_NF4,
                                        [AXL_WEIGHT_FP4] = AXL_WEIGHTS_FP4,
                                        [AXL_WEIGHT_INT8] = AXL_WEIGHTS_INT8 };

    return weights[kind];
}

axl_status axl_model_get_info(const axl_model *m, axl_model_info *out)
{
    AXL_TRY(axl__model_enter(m));
    axl_model_info info = AXL_MODEL_INFO_INIT;
    const axl__arch *a = &m->arch;
    info.n_params = m->n_params;
    info.weights_bytes = m->weights_bytes;
    info.n_layers = (uint32_t)a->n_layers;
    info.hidden_size = (uint32_t)a->hidden_size;
    info.intermediate_size = (uint32_t)a->intermediate_size;
    info.n_heads = (uint32_t)a->n_heads;
    info.n_kv_heads = (uint32_t)a->n_kv_heads;
    info.head_dim = (uint32_t)a->head_dim;
    info.vocab_size = (uint32_t)a->vocab_size;
    info.max_seq_len = (uint32_t)a->max_seq_len;
    info.compute = m->compute == AXL_BF16 ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
    info.tied_head = a->tied_head;
    info.weights = weights_of(m->quant.kind);
    return AXL__EXPORT(axl_model_info, out, &info);
}

/* A file of a result that is one of the model's, through a link on either side. */
static bool shares_a_file(const axl_model *m, const char *dir, bool *failed)
{
    static const char *const names[] = { "config.json", "generation_config.json",
                                         "model.safetensors", "model.safetensors.index.json" };
    bool shares = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !shares && !*failed; i++) {
        char *a = axl__format(m->ctx, "%s/%s", m->folder.home, names[i]);
        char *b = axl__format(m->ctx, "%s/%s", dir, names[i]);
        *failed = !a || !b;
        shares = a && b && axl__same_path(a, b);
        axl__free(m->ctx, a);
        axl__free(m->ctx, b);
    }
    return shares;
}

axl_status axl__model_spare(const axl_model *m, const char *dir, bool whole)
{
    bool failed = false;

    if (!m->folder.home)
        return AXL_OK;
    if (axl__same_path(m->folder.home, dir) || shares_a_file(m, dir, &failed))
        return axl__fail(AXL_ERR_INVALID,
                         "%s is where the base model lies, which is not written over: name another "
                         "folder",
                         dir);
    if (whole && axl__path_is_in(m->folder.home, dir))
        return axl__fail(AXL_ERR_INVALID,
                         "the base model lies in %s, which would be replaced: name another folder",
                         dir);
    return failed ? axl__fail_nomem() : AXL_OK;
}

axl_status axl__model_unchanged(const axl_model *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        AXL_TRY(axl__file_unchanged(&m->files[i].file));
    return AXL_OK;
}
