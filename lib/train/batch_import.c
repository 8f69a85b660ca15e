/* SPDX-License-Identifier: Apache-2.0 */
/* batch_import.c - see batch_import.h. */
#include "batch_import.h"

#include "base/fail.h"
#include "base/structs.h"

axl_status axl__batch_import(axl_batch *out, const axl_batch *given)
{
    *out = (axl_batch)AXL_BATCH_INIT;
    AXL_TRY(AXL__IMPORT(axl_batch, out, given));
    if (out->roles || out->pairs)
        return axl__fail(AXL_ERR_UNSUPPORTED, "the batch has %s; there is no loss of preferences",
                         out->roles ? "roles" : "pairs");
    return AXL_OK;
}
