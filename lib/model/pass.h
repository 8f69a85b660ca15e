/* SPDX-License-Identifier: Apache-2.0 */
/* pass.h - one pass of a model over a batch: who computes, and what it is asked for. */
#ifndef AXL_MODEL_PASS_H
#define AXL_MODEL_PASS_H

#include "dora.h"
#include "whole_module.h"

#include <axl/loader.h>
#include <axl/trainer.h>

/* How a pass comes from the losses of single labels to what is trained.  Without one it is their
 * sum, each times its weight in the batch, and gradients need no second look. */
typedef struct axl__objective {
    /* losses (n), host: of each trained label, in the batch's order.  scales (n) receives the
     * derivative of the objective by each, value the objective. */
    axl_status (*scales)(void *user, const axl_batch *batch, const float *losses, int64_t n,
                         float *scales, double *value);
    void *user;
} axl__objective;

/* A host's own loss, which looks at logits (axl_trainer_forward_backward_with()). */
typedef struct axl__own_loss {
    axl_loss_fn fn;
    void *user;
    float *logits; /* (rows, V) the host's, for all rows at once; NULL: some at a time */
    bool all_rows; /* every token's logits, not only those before a trained label */
} axl__own_loss;

/* What one pass is asked for; zeroed, it is an evaluation.  It is an argument of the call and not
 * a setting of the network, so that a training batch and an evaluation can use the same network
 * one after the other without anybody putting anything back. */
typedef struct axl__wish {
    float *grads; /* device, laid out as what is trained, added to; NULL: no gradients */
    const bool *frozen_layers;       /* (n_layers): those whose weights get none; NULL: all do */
    int64_t first_layer;             /* of the model's own weights, none below it is trained */
    double scale;                    /* gradients are of scale * the loss */
    double smoothing;                /* of labels, where there are gradients */
    double noise_alpha;              /* NEFTune's (Jain et al., 2023), likewise; 0: none */
    float dropout;                   /* of the adapter's pairs; 0 outside training */
    uint64_t seed;                   /* of this pass's dropout and noise */
    const axl__objective *objective; /* NULL: the sum */
    const axl__own_loss *own;        /* in place of both, with gradients; NULL: none */
    double *keep_sum;  /* device: receives the sum of the losses, which nobody waits for then */
    const char *phase; /* names the progress in layers; NULL: none */
    bool graphs;       /* the device may know the calls of an earlier pass again */
} axl__wish;

/* What the layers of one pass share.  Made anew for each pass by axl__network_pass() and never
 * changed while it runs; everything in it is borrowed. */
typedef struct axl__pass {
    axl_model *model;
    const axl_backend_ops *ops;
    axl_device *dev;
    const axl_adapter *adapter; /* NULL: the base alone, which is trained where there are grads */
    axl__wish wish;
    const uint64_t *seed;    /* wish.seed on the device; NULL before the batch is there */
    const axl__dora *dora;   /* measured by now */
    const axl__whole *whole; /* rounded by now */
} axl__pass;

/* Whether the pass computes gradients of the model's own weights.  With an adapter only what that
 * has gets gradients, and the weights are read alone. */
static inline bool axl__trains_weights(const axl__pass *p)
{
    return p->wish.grads && !p->adapter;
}

/* The same of a decoder layer's weights, or at -1 of those outside of the layers.  A frozen layer
 * still hands its input's gradient on to those below. */
static inline bool axl__trains_layer(const axl__pass *p, int64_t layer)
{
    return axl__trains_weights(p) &&
           !(layer >= 0 && p->wish.frozen_layers && p->wish.frozen_layers[layer]);
}

/* whole_module.c.  The weight that a pass computes with, the model's or the adapter's in its place,
 * and where its gradient (rows, cols) is added to: NULL without one. */
axl_weight axl__used_weight(const axl__pass *p, const axl__module *m);
float *axl__weight_gradient(const axl__pass *p, const axl__module *m);
/* What the adapter has of a module of which rows alone get gradients; NULL: none do. */
const axl__lora *axl__trained_rows(const axl__pass *p, const axl__module *m);

#endif
