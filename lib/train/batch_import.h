/* SPDX-License-Identifier: Apache-2.0 */
/* batch_import.h - from a batch as a host or a loader made it to one that the loss can take. */
#ifndef AXL_TRAIN_BATCH_IMPORT_H
#define AXL_TRAIN_BATCH_IMPORT_H

#include <axl/loader.h>

/* Fills out, whatever the given struct's age; its arrays stay the caller's.  AXL_ERR_UNSUPPORTED
 * for roles and pairs, which no loss reads: trained as plain samples they would teach the rejected
 * answers. */
axl_status axl__batch_import(axl_batch *out, const axl_batch *given);

#endif
