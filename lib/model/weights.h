/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.h - base weights that are trained: a model's tensors, or some of them, in one buffer of
 * f32, which the optimizer moves, each in the place that the module table then says; and the
 * model's matrices in that buffer (f32 compute) or in a copy rounded to bf16.  What is not trained
 * stays the file's memory.
 */
#ifndef AXL_MODEL_WEIGHTS_H
#define AXL_MODEL_WEIGHTS_H

#include "unfrozen.h"

#include "base/json.h"

/* The values that a model computes with, in f32, for someone to change them; commit makes them the
 * model's own and takes them over, whatever comes out.  Until then, and where commit fails, the
 * model is as it was.  parted: a head that is the embedding is to have values of its own, which
 * begin as the embedding's. */
axl_status axl__weights_make(axl__weights **out, axl_model *m, bool parted);
axl_mat axl__weights_value(const axl__weights *w, const axl__module *of); /* its weight, f32 */
axl_mat axl__weights_bias(const axl__weights *w, const axl__module *of);  /* (1, rows), f32 */
axl_status axl__weights_commit(axl_model *m, axl__weights *w);
void axl__weights_drop(axl_model *m, axl__weights *w); /* NULL is fine */

/* What a result of the model consists of, without values: its tensors, by the names that files have
 * them by, and its config.json.  Drop it as one that was made. */
axl_status axl__weights_describe(axl__weights **out, axl_model *m, bool parted);
size_t axl__weights_count(const axl__weights *w);
/* A tensor of it, and what it is of the module table. */
typedef struct axl__weights_part {
    const axl__param *tensor;
    int64_t module;
    bool bias;
    axl_dtype stored; /* the type in which a result has it */
    axl_mat used;     /* what the model computes with; without data where that is quantised */
    axl_mat trained;  /* its value that is trained, f32; without data where it is frozen */
} axl__weights_part;
axl__weights_part axl__weights_at(axl_model *m, const axl__weights *w, size_t index);
/* Its values as f32 in y, device memory of its size. */
axl_status axl__weights_take(axl_model *m, const axl__weights *w, size_t index, axl_mat y);
/* Puts a member into config.json, in the place of one of that name; NULL: takes that away. */
axl_status axl__weights_say(axl__weights *w, const char *key, const axl__json *value);
/* config.json and generation_config.json; exact: the trained weights are in f32. */
axl_status axl__weights_write_configs(const axl__weights *w, const axl__outlet *to, bool exact);

/* The two in one for a frozen model, of some tensors or of all (NULL); of a model that was trained
 * before they must be the same. */
axl_status axl__weights_unfreeze(axl_model *m, axl__unfrozen *some);
uint64_t axl__weights_bytes(const axl_model *m); /* of device memory; 0 where it is frozen */
void axl__weights_free(axl_model *m);            /* for axl_model_free() */

/* The model must be unfrozen. */
axl__trained axl__weights_trained(const axl_model *m);

/* The model computes with these values from now on, laid out as the trained ones: call it again
 * when they have changed. */
axl_status axl__weights_use(axl_model *m, float *values);

/* Takes the values of another model of the same architecture over. */
axl_status axl__weights_copy(axl_model *m, const axl_model *from);

#endif
