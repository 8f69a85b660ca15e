/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the calling thread's state.  See call.h. */
#include "call.h"

#include "fail.h"

/* The address is also the thread's name for claims: it is its own while the thread lives. */
axl__call_state *axl__call_state_here(void)
{
    static _Thread_local axl__call_state here;

    return &here;
}

axl_status axl__claim_take(axl__claim *claim, const char *handle)
{
    const axl__call_state *by = NULL, *here = axl__call_state_here();

    if (atomic_compare_exchange_strong(&claim->by, &by, here))
        return AXL_OK;
    return axl__fail(AXL_ERR_BUSY,
                     by == here ? "%s used from inside its own callback"
                                : "%s is in use by another thread",
                     handle);
}

void axl__claim_release(axl__claim *claim)
{
    atomic_store(&claim->by, NULL);
}
