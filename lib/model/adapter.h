/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.h - LoRA's trained tensors, all in one device buffer, so that clipping and the optimizer
 * are one call each. */
#ifndef AXL_MODEL_ADAPTER_H
#define AXL_MODEL_ADAPTER_H

#include "model.h"
#include "targets.h"

#include "base/arena.h"

#include <axl/adapter.h>

#include <stdatomic.h>

/* What an adapter may train of a module, in the order of its tensors.  Only linear layers have a
 * pair and what hangs on it, and the embedding a pair alone; a module that is trained whole
 * (whole_module.h) has a weight, and a bias where the model has one. */
typedef enum axl__part {
    AXL__PART_A,         /* (r, in) */
    AXL__PART_B,         /* (out, r) */
    AXL__PART_B_BIAS,    /* (out), scaled as B is */
    AXL__PART_MAGNITUDE, /* (out) DoRA's */
    AXL__PART_BIAS,      /* (out) the layer's own, in place of the model's */
    AXL__PART_WEIGHT,    /* (out, in) likewise */
    AXL__PART_ROWS,      /* (n_rows, in) some of the weight's rows, likewise */
    AXL__PARTS
} axl__part;

/* What an adapter has of a module.  Places are in elements of the flat buffers, which are the
 * values, their gradients and the optimizer's moments alike; -1: none.  The A of one slot's layers
 * lie one behind another without gaps where their sizes allow it, so that one product makes all of
 * them (linear.h).  scale is what the pair counts times: alpha / rank or alpha / sqrt(rank), but a
 * joined adapter of a restart keeps the one that its pairs were trained with.  What the embedding's
 * pair takes is a token and what it puts out a hidden state, so that `in` and `out` are the
 * weight's rows and columns there, and its columns and rows everywhere else. */
typedef struct axl__lora {
    bool on;             /* it has a pair; without one it may have a bias */
    bool whole;          /* it has a weight of its own, */
    bool tied;           /* which, or whose rows are the embedding's, as the head's may be */
    const int32_t *rows; /* (n_rows) that it trains of the weight, in the order of their values */
    int64_t n_rows;
    int64_t rank, in, out;
    double alpha;
    float scale;
    int64_t at[AXL__PARTS];
    int64_t gain_at;            /* of DoRA: where its outputs begin in axl__dora's arrays */
    int64_t copied_at, rows_at; /* in axl__whole's buffers; -1: there is no copy */
} axl__lora;

/* Elements of a part. */
static inline int64_t axl__part_size(const axl__lora *l, axl__part part)
{
    return part == AXL__PART_A        ? l->rank * l->in
           : part == AXL__PART_B      ? l->out * l->rank
           : part == AXL__PART_WEIGHT ? l->out * l->in
           : part == AXL__PART_ROWS   ? l->n_rows * l->in
                                      : l->out;
}

/* What a tensor of an adapter is. */
typedef struct axl__entry {
    axl__part part;
    int64_t module; /* of the model's table */
} axl__entry;

/* opts say what it is, and are what adapter_config.json has; their texts are the arena's.  params
 * may be exchanged for the time of a pass (an optimizer trains with other values than it keeps);
 * gaps in it are 0. */
struct axl_adapter {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    axl_model *model;
    axl__arena arena;
    axl_adapter_options opts;
    axl__lora *loras;    /* (modules.n) of the model */
    axl__param *tensors; /* (n_tensors) what is trained, in the order of the module table */
    axl__entry *entries; /* (n_tensors) what each is */
    size_t n_tensors;
    int64_t n_params;           /* elements in all */
    int64_t n_gains;            /* outputs of the layers with a magnitude */
    int64_t n_copied, n_rows;   /* elements of axl__whole's buffers */
    float *params;              /* device, (n_params) f32 */
    struct axl_adapter *frozen; /* the pairs before the last restart, added to these; or NULL */
    atomic_bool owned;          /* a trainer of it lives: there is one at a time */
    atomic_int users;           /* calls that read its values now; -1: one that writes them */
};

static inline axl__trained axl__adapter_trained(const axl_adapter *a)
{
    return (axl__trained){ a->tensors, a->n_tensors, a->n_params, a->params };
}

enum { AXL__RANK_MAX = 4096 };

/* What a module has of the two, by which PEFT names its parts. */
typedef enum axl__pairing {
    AXL__PAIRING_NONE,
    AXL__PAIRING_LINEAR,
    AXL__PAIRING_EMBEDDING,
    AXL__PAIRINGS
} axl__pairing;

/* What a tensor's name in PEFT's files ends with, behind the module's path. */
const char *axl__part_suffix(axl__part part, axl__pairing pairing);
/* That of a module with a pair. */
axl__pairing axl__module_pairing(const axl__module *m);
/* Whether dir has an adapter's files, by their names: AXL_ERR_NOT_FOUND, AXL_ERR_UNSUPPORTED. */
axl_status axl__adapter_look(const char *dir);

axl_adapter *axl__adapter_ref(axl_adapter *adapter);
axl_status axl__adapter_enter(const axl_adapter *adapter);

/* Around what reads its values, which several calls may at once, or writes them, which is one's
 * alone; AXL_ERR_BUSY where that cannot be.  Every call of its trainer is a writer, for a pass may
 * exchange the values. */
axl_status axl__adapter_begin(const axl_adapter *adapter, bool writes);
void axl__adapter_end(const axl_adapter *adapter, bool writes);

/* Around passes without a trainer: nobody writes the model's weights or the adapter's values
 * meanwhile.  adapter may be NULL. */
axl_status axl__pass_begin(axl_model *model, const axl_adapter *adapter);
void axl__pass_end(axl_model *model, const axl_adapter *adapter);

/* For the life of a trainer of it; AXL_ERR_BUSY where there is one. */
axl_status axl__adapter_own(axl_adapter *adapter);
void axl__adapter_disown(axl_adapter *adapter);

/* AXL_ERR_INVALID for options that do not go together. */
axl_status axl__adapter_check_options(const axl_adapter_options *o);

/* Makes an adapter with room for the pairs of `on` (modules.n flags), values 0. */
axl_status axl__adapter_make(axl_adapter **out, axl_model *model, const bool *on,
                             const axl_adapter_options *opts);

/* adapter_init.c: new values for training to begin with, as the options say.  What takes a part of
 * the weights away to begin with it leaves that as a frozen pair, which counts negatively. */
axl_status axl__adapter_init(axl_adapter *adapter, uint64_t seed);
bool axl__init_is_residual(const char *init_lora_weights);

/* The values of what begins as the model has it: biases and whole modules. */
axl_status axl__adapter_init_copies(axl_adapter *adapter);

/* adapter_restart.c.  What is more than pairs cannot be restarted: AXL_ERR_UNSUPPORTED.  restart
 * freezes the values of an adapter and gives it new ones; on failure it is as before.  joined makes
 * one adapter of the frozen and the current pairs; take reads such a one back into an adapter of
 * the rank that is trained.  subtract freezes what the pairs are now, to count negatively. */
axl_status axl__adapter_can_restart(const axl_adapter *adapter);
axl_status axl__adapter_restart(axl_adapter *adapter, uint64_t seed);
axl_status axl__adapter_joined(axl_adapter **out, const axl_adapter *adapter);
axl_status axl__adapter_take(axl_adapter *adapter, const axl_adapter *joined);
axl_status axl__adapter_subtract(axl_adapter *adapter);

/* AXL_ERR_FORMAT unless the folder's adapter is of the same layers, rank and scale, so that it can
 * be gone on with; joined: its rank is a multiple. */
axl_status axl__adapter_check_folder(const axl_adapter *adapter, const char *dir, bool joined);

/* axl_adapter_write() and axl_adapter_save() for one who has begun.  sum: of
 * adapter_model.safetensors; may be NULL. */
axl_status axl__adapter_put(axl_adapter *adapter, size_t index, const float *values);
axl_status axl__adapter_save(const axl_adapter *adapter, const char *dir, axl__checksum *sum);

/* Reads the tensors from an open file into host (n_params), laid out as params; AXL_ERR_FORMAT when
 * one is missing or has another shape. */
axl_status axl__adapter_read_tensors(const axl_adapter *adapter, const axl__safetensors *st,
                                     float *host);

#endif
