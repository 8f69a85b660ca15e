/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - the frozen weights as the decoder reads them. */
#ifndef AXL_MODEL_MODEL_H
#define AXL_MODEL_MODEL_H

#include "base/call.h"
#include "module.h"
#include "quant_config.h"
#include "tensor/safetensors.h"

#include <axl/model.h>

#include <stdatomic.h>

/* Elements [first, end). */
typedef struct axl__range {
    int64_t first, end;
} axl__range;

/* A tensor that is trained, by its place in a flat buffer of f32.  What there is of trainers,
 * optimizers and checkpoints knows tensors by this alone. */
typedef struct axl__param {
    char *name; /* as files have it */
    int64_t at, rows, cols;
    bool vector;    /* of one dimension: a norm's weight, a bias */
    bool embedding; /* of the embedding or the head, which may have a learning rate of their own */
    bool lookup;    /* the embedding's own weight */
    int64_t layer;  /* of a model's own: the decoder layer, or -1 */
    /* Elements, from its first one on, whose gradient is 0; (n_frozen) ascending, owned. */
    axl__range *frozen;
    size_t n_frozen;
} axl__param;

/* All that is trained together; the owner is an adapter or a model. */
typedef struct axl__trained {
    const axl__param *tensors; /* (n_tensors) */
    size_t n_tensors;
    int64_t n_params; /* elements in all; what lies between tensors is 0 */
    float *params;    /* device, (n_params) */
} axl__trained;

/* weights.c: base weights that may be trained. */
typedef struct axl__weights axl__weights;

/* A tensor that is no module's, and the file that has it. */
typedef struct axl__carried {
    const axl__safetensors *in;
    const axl__st_tensor *t;
} axl__carried;

/* Everything up to modules is set when the model is opened and does not change.  mapped and owned
 * are the memory that the modules' matrices point into, until weights are trained or merged: then
 * weights owns all of it, and the files are closed. */
struct axl_model {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    char *name;         /* base_model_name_or_path of adapters; NULL: none */
    char *overrides;    /* of config.json, JSON (arch_override.c); NULL: none */
    axl__folder folder; /* where it lies; none of a model that is only timed */
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_device_info device;
    axl__arch arch;
    axl_dtype compute; /* F32 or BF16: activations, and bf16 weights with BF16 */
    axl__quant_config quant;
    bool reads_pieces; /* the files' tensors are read one after another: no file is mapped or in
                          memory whole */

    axl__safetensors *files;
    size_t n_files;
    void **mapped; /* (n_mapped) from weights_map */
    size_t n_mapped, cap_mapped;
    void **owned; /* (n_owned) converted weights, from buffer_new */
    size_t n_owned, cap_owned;

    axl__modules modules;
    bool resized;          /* the embedding has other rows than files have */
    axl__carried *carried; /* (n_carried) of the files, no module's: carried.h */
    size_t n_carried;
    uint64_t n_params;
    _Atomic uint64_t weights_bytes; /* another thread may ask while a trainer is made */
    uint64_t file_bytes;   /* resident of the files once all is used: what is mapped, or all */
    axl__weights *weights; /* once they were trained; NULL: frozen, as the files have them */
    atomic_int trainers;   /* of adapters, and calls that compute; -1: the weights are written */
    axl__claim saving;     /* the call that writes its files, which fills in config.json */
};

/* A model that knows its shapes and no values, on a counting device (tensor/counting.h): of the
 * weights' files the headers are read. */
axl_status axl__model_open_counting(axl_model **out, axl_context *ctx, const char *path,
                                    const axl_model_options *opts);
axl_status axl__model_from_config_counting(axl_model **out, const axl_config *cfg);

/* axl_model_from_config() with the weights of another folder. */
axl_status axl__model_from_config_in(axl_model **out, const axl_config *cfg, const char *dir);

/* What makes a model: an empty one (NULL when memory is out), its device (backend NULL: "cpu"), and
 * memory that it gives back, owned (buffer_new) or mapped (weights_map). */
axl_model *axl__model_alloc(axl_context *ctx);
axl_status axl__model_open_device(axl_model *m, const char *backend);
/* The name of the device that a config asks for. */
const char *axl__config_device(const axl_config *cfg);
axl_status axl__model_keep(axl_model *m, void *p, bool owned);

/* Whether dir has weights that are read, by their names: AXL_ERR_NOT_FOUND, AXL_ERR_UNSUPPORTED,
 * and what a config could say instead. */
axl_status axl__model_look(const char *dir);

/* resize.c: axl_model_resize_embeddings() for one who has the model alone. */
axl_status axl__model_resize(axl_model *m, const axl_config *cfg, uint32_t n_tokens);

axl_model *axl__model_ref(axl_model *model);
axl_status axl__model_enter(const axl_model *model); /* live and of this process */

/* AXL_ERR_INVALID where dir is the folder that the model was opened from, or files of a model in
 * dir are its files; with `whole`, where all of dir is replaced, also where it lies in dir. */
axl_status axl__model_spare(const axl_model *m, const char *dir, bool whole);

/* tensor_check.c: a tensor of the open files that has values which are not finite; NULL: none. */
const char *axl__model_broken_tensor(const axl_model *m);

/* AXL_ERR_IO when a mapped weight file has changed. */
axl_status axl__model_unchanged(const axl_model *m);

/* enter, and AXL_ERR_BUSY while a trainer trains the weights. */
axl_status axl__model_use(const axl_model *m);

/* On this thread passes compute with m although its weights are being trained: the trainer pauses.
 * NULL ends it; what was lent before comes back, to be lent again. */
const axl_model *axl__model_lend(const axl_model *m);
bool axl__model_is_lent(const axl_model *m);

/* For the life of a trainer, of the weights or of an adapter; AXL_ERR_BUSY. */
axl_status axl__model_take(axl_model *m, bool weights);
void axl__model_give_back(axl_model *m, bool weights);

/* Asks a host for the tensors of a model's modules (include/axl/model.h); with `read` they are
 * copied as they come.  The table is one that axl__safetensors_close() takes. */
typedef struct axl__tensor_source {
    axl_tensor_fn tensor;
    void *user;
} axl__tensor_source;
extern const char axl__tensor_source_name[]; /* in messages */
axl_status axl__tensor_source_ask(const axl__tensor_source *s, axl__safetensors *out,
                                  const axl_model *m, bool read);

/* load.c.  Opens the weights' files, or asks a source (NULL: files), picks the compute type (an
 * axl_compute) and gives each module its weight; release_weights lets go of what was made of the
 * files' tensors, and of the files but for carried ones.  Until then read_stored gives a tensor's
 * values as the file has them, in device memory. */
axl_status axl__model_load(axl_model *m, uint32_t compute, bool read,
                           const axl__tensor_source *source);
axl_status axl__model_read_stored(const axl_model *m, const char *name, float *out);
void axl__model_release_weights(axl_model *m);
/* The same of one tensor's memory, and not of its file. */
void axl__model_release_weight(axl_model *m, void *data);
void axl__model_release_files(axl_model *m);

#endif
