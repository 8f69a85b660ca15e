/* SPDX-License-Identifier: Apache-2.0 */
/* carried.h - a wrapper's tensors beside those of its language model. */
#ifndef AXL_MODEL_CARRIED_H
#define AXL_MODEL_CARRIED_H

#include "model.h"

/* Gives each module the name that the open files have it by; without files what transformers
 * writes.  Nothing for a model that has no wrapper. */
axl_status axl__carried_spell(axl_model *m);

/* Lists the files' tensors that are no module's (m->carried).  Afterwards the files stay open until
 * the model is freed. */
axl_status axl__carried_find(axl_model *m);

/* As entries (m->n_carried) of a file, with their bytes: in `room` where the files are not in
 * memory, which takes so many. */
size_t axl__carried_room(const axl_model *m);
axl_status axl__carried_entries(const axl_model *m, axl__st_entry *out, char *room);
/* One by one. */
axl_status axl__carried_hand_out(const axl_model *m, axl_tensor_out_fn fn, void *user);

#endif
