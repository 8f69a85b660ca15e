/* SPDX-License-Identifier: Apache-2.0 */
/* relora.h - restarts of a trainer's adapter (ReLoRA; Lialin et al., 2023). */
#ifndef AXL_TRAIN_RELORA_H
#define AXL_TRAIN_RELORA_H

#include "trainer.h"

/* Every relora_steps steps, before the first batch of the next: freezes the adapter's pairs, begins
 * new ones and prunes the optimizer's moments.  On failure all is as before. */
axl_status axl__relora_when_due(axl_trainer *tr);

/* How many restarts there were. */
uint64_t axl__relora_restarts(const axl_trainer *tr);

#endif
