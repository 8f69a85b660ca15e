/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_priv.h - what the files share that make one adapter of several. */
#ifndef AXL_MODEL_ADAPTER_PRIV_H
#define AXL_MODEL_ADAPTER_PRIV_H

#include "adapter.h"

/* An adapter's values on the host, laid out as its params; host is the holder's to free. */
typedef struct axl__adapter_values {
    const axl_adapter *a;
    float *host; /* (a->n_params) */
} axl__adapter_values;

axl_status axl__adapter_values_read(axl__adapter_values *v, const axl_adapter *a);
axl_status axl__adapter_values_write(const axl__adapter_values *v);

#endif
