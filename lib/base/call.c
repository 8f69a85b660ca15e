/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the calling thread's state.  See call.h. */
#include "call.h"

axl__call_state *axl__call_state_here(void)
{
    static _Thread_local axl__call_state here;

    return &here;
}
