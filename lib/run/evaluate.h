/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.h - the validation split's loss, by a trainer or by a model alone. */
#ifndef AXL_RUN_EVALUATE_H
#define AXL_RUN_EVALUATE_H

#include <axl/run.h>

/* The sum of a batch's losses over its trained tokens. */
typedef axl_status (*axl__loss_fn)(void *user, const axl_batch *batch, double *sum);

/* data in the order and batches of the config's validation split; progress phase "evaluate". */
axl_status axl__evaluate(const axl_config *cfg, axl_dataset *data, axl__loss_fn loss, void *user,
                         axl_evaluation *out);

#endif
