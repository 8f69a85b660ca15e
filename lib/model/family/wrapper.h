/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrapper.h - checkpoints whose language model is one part of several (an encoder of images, a
 * projector): where config.json describes it and what its tensors are called.  The language model
 * is computed with; every other tensor is carried into what is written.
 */
#ifndef AXL_MODEL_WRAPPER_H
#define AXL_MODEL_WRAPPER_H

#include <stdbool.h>
#include <stddef.h>

enum { AXL__SPELLINGS = 2 };

/* What stands in place of "model." before the names of the language model's modules, and of
 * "lm_head". */
typedef struct axl__spelling {
    const char *body, *head;
} axl__spelling;

/* Modules have the paths of the class that transformers, and so Axolotl and PEFT, load such a model
 * with; files have one of the spellings, the first being what transformers writes. */
typedef struct axl__wrapper {
    const char *model_type, *class_name;
    const char *text_type; /* model_type of a text_config that names none */
    bool tied;             /* tie_word_embeddings where config.json does not say it */
    axl__spelling module;
    axl__spelling files[AXL__SPELLINGS];
} axl__wrapper;

/* By model_type; NULL when there is none. */
const axl__wrapper *axl__wrapper_find(const char *model_type);
/* In their order; NULL behind the last. */
const axl__wrapper *axl__wrapper_at(size_t index);

#endif
