/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.h - LoRA's trained tensors, all in one device buffer, so that clipping and the optimizer
 * are one call each. */
#ifndef AXL_MODEL_ADAPTER_H
#define AXL_MODEL_ADAPTER_H

#include "model.h"

#include <axl/adapter.h>

#include <stdatomic.h>

/* A linear layer's pair; offsets in elements of the flat buffers, which are the values, their
 * gradients and the optimizer's moments alike.  The A of one slot's layers lie one behind another
 * without gaps where their sizes allow it, so that one product makes all of them (linear.h). */
typedef struct axl__lora {
    bool on;
    int64_t rank, in, out;
    int64_t a_at, b_at; /* A (r, in), B (out, r) */
} axl__lora;

/* scale is what the pairs count times: alpha / rank or alpha / sqrt(rank), but a joined adapter of
 * a restart keeps the one that its pairs were trained with.  params may be exchanged for the time
 * of a pass (an optimizer trains with other values than it keeps); gaps in it are 0. */
struct axl_adapter {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    axl_model *model;
    int64_t rank;
    double alpha, dropout;
    bool rslora;
    float scale;
    char **targets; /* (n_targets) for adapter_config.json */
    size_t n_targets;
    axl__lora *loras;    /* (modules.n) of the model; only linear layers have one */
    axl__param *tensors; /* (n_tensors) A and B of each pair */
    size_t n_tensors;
    int64_t n_params;           /* elements in all */
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

/* PEFT's rule for a list of targets: the whole path, or its end after a dot. */
bool axl__target_matches(const char *module, const char *target);

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

/* Makes an adapter with room for the pairs of `on` (modules.n flags), values undefined.  targets
 * are copied. */
axl_status axl__adapter_make(axl_adapter **out, axl_model *model, const bool *on,
                             const axl_adapter_options *opts);

/* New values for training to begin with: A uniform, B 0. */
axl_status axl__adapter_init(axl_adapter *adapter, uint64_t seed);

/* adapter_restart.c.  restart freezes the values of an adapter and gives it new ones; on failure it
 * is as before.  joined makes one adapter of the frozen and the current pairs; take reads such a
 * one back into an adapter of the rank that is trained. */
axl_status axl__adapter_restart(axl_adapter *adapter, uint64_t seed);
axl_status axl__adapter_joined(axl_adapter **out, const axl_adapter *adapter);
axl_status axl__adapter_take(axl_adapter *adapter, const axl_adapter *joined);

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
