/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - what a model consists of, as data: one table of modules, each with a weight and maybe
 * a bias, in the order that they are computed.  A family makes it from the architecture; loading,
 * what is trained, adapters, names, plans and merging walk it, and nothing else spells a module's
 * name.
 */
#ifndef AXL_MODEL_MODULE_H
#define AXL_MODEL_MODULE_H

#include "arch.h"
#include "tensor/backend.h"

/* What a module is for those who do not compute with it: embeddings and the head may have a rate
 * of their own, norms no decay, and adapters attach to linear layers. */
typedef enum axl__role {
    AXL__ROLE_EMBEDDING,
    AXL__ROLE_NORM,
    AXL__ROLE_LINEAR, /* of a decoder layer */
    AXL__ROLE_HEAD    /* the linear layer that makes logits */
} axl__role;

/* The place that a module has in the network.  Linear layers of one slot of one layer share their
 * input and are computed together: they are neighbours in the table.  A slot of several outputs
 * (q k v, gate up) holds a layer for each, or one whose output has them as columns. */
typedef enum axl__slot {
    AXL__SLOT_EMBED,
    AXL__SLOT_ATTN_NORM,
    AXL__SLOT_QKV,
    AXL__SLOT_O,
    AXL__SLOT_GATE_UP,
    AXL__SLOT_DOWN,
    AXL__SLOT_MLP_NORM,
    AXL__SLOT_Q_NORM, /* of each head of the queries, and of the keys */
    AXL__SLOT_K_NORM,
    AXL__SLOT_ATTN_POST_NORM, /* of the block's output, before it is added */
    AXL__SLOT_MLP_POST_NORM,
    AXL__SLOT_FINAL_NORM,
    AXL__SLOT_HEAD,
    AXL__SLOTS
} axl__slot;

/* What a family says of a module. */
typedef struct axl__module_spec {
    const char *name; /* the path without ".weight"; in a layer what follows its number */
    axl__role role;
    axl__slot slot;
    int64_t layer; /* of the decoder, -1 outside */
    int64_t rows, cols;
    bool bias; /* a vector of rows elements is added */
    bool tied; /* a head that has no weight of its own but the embedding's */
} axl__module_spec;

/* A module of the table.  weight and bias are what the model computes with at the moment: memory
 * of a mapped file, converted memory, or a piece of the buffer that weights.c trains. */
typedef struct axl__module {
    char *name;      /* owned; "model.layers.0.self_attn.q_proj" */
    char *file_name; /* owned; NULL: name, else what files have it by (family/wrapper.h) */
    axl__role role;
    axl__slot slot;
    int64_t layer;
    int64_t rows, cols; /* of the weight: (out, in) of a linear layer, (1, C) of a norm */
    bool has_bias, tied;
    int64_t linear;    /* its number among the linear layers and the head; -1: it is none */
    axl_weight weight; /* (rows, cols) */
    axl_mat bias;      /* (1, rows); data NULL without one */
    int64_t file_rows; /* that files have, where those of the weight are others; 0: the same */
    axl_dtype weight_stored, bias_stored; /* the files' types, which a result is written in */
    /* Where weight and bias lie, in elements, in any flat buffer of the model's own tensors that
     * are trained (values, gradients), once weights.c has made one.  A tied head has the
     * embedding's place; -1: it is not trained, or there is no bias. */
    int64_t weight_at, bias_at;
} axl__module;

/* Neighbouring modules of the table. */
typedef struct axl__linears {
    int64_t first, n;
} axl__linears;

/* The table.  It is complete once axl__modules_make() has returned: after that only the matrices
 * of its modules change (loading, weights that are trained) and the places of what is trained,
 * never a name or a shape, but for those of resize, before anything keeps them.  An adapter and a
 * trainer keep indices into it. */
typedef struct axl__modules {
    axl_context *ctx;
    axl__module *list; /* (n) */
    int64_t n, cap;
    const axl__wrapper *wrapper; /* the architecture's */
    int64_t n_layers;
    int64_t n_linears;                 /* linear layers and the head */
    axl__linears (*slots)[AXL__SLOTS]; /* (n_layers + 1) what is in each slot: outside of the
                                          layers, then of each layer */
} axl__modules;

/* The modules in a slot of a decoder layer, or at -1 of those outside of the layers. */
static inline axl__linears axl__modules_in(const axl__modules *t, int64_t layer, axl__slot slot)
{
    return t->slots[layer + 1][slot];
}

/* The one module of a slot that holds one. */
static inline const axl__module *axl__modules_one(const axl__modules *t, int64_t layer,
                                                  axl__slot slot)
{
    return &t->list[axl__modules_in(t, layer, slot).first];
}

/* Its path in files, to which ".weight" or ".bias" comes. */
static inline const char *axl__module_file_name(const axl__module *m)
{
    return m->file_name ? m->file_name : m->name;
}

/* Makes the table by the architecture's family; weights and biases have no data yet. */
axl_status axl__modules_make(axl__modules *out, axl_context *ctx, const axl__arch *arch);
void axl__modules_free(axl__modules *t); /* of a zeroed one, too */

/* A tied head gets the weight that the embedding has by now. */
void axl__modules_tie(axl__modules *t);
/* Gives a tied head a weight of its own, before anything is loaded. */
void axl__modules_untie(axl__modules *t);

/* Gives the embedding and the head so many rows; their weights are still as they were.  Before
 * there is an adapter or anything else that keeps shapes. */
void axl__modules_resize(axl__modules *t, int64_t rows);

/* The last part of its name: "q_proj", by which adapters speak of it. */
const char *axl__module_kind(const axl__module *m);

/* The module of that path, or -1. */
int64_t axl__modules_find(const axl__modules *t, const char *name, size_t len);

/* The kinds of the linear layers, each once in their order, and of the head if it is wanted.
 * Returns how many were written, at most cap. */
size_t axl__modules_kinds(const axl__modules *t, bool head, const char **out, size_t cap);

/* The module of t with the place that m has in its layer (or outside), in another layer. */
int64_t axl__modules_peer(const axl__modules *t, const axl__modules *of, int64_t index,
                          int64_t layer);

/* Whether the table's module is a linear layer or the head. */
static inline bool axl__module_is_linear(const axl__module *m)
{
    return m->linear >= 0;
}

/* ---- for the families ---- */

axl_status axl__modules_add(axl__modules *t, const axl__module_spec *spec);

/* The decoder that all of today's families have: norm, q k v, o, norm, gate up, down; and, where
 * the architecture says so, norms of the heads of q and k and of what the blocks put out, and one
 * layer for q k v and for gate up. */
axl_status axl__modules_add_decoder(axl__modules *t, const axl__arch *a);

#endif
