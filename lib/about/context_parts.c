/* SPDX-License-Identifier: Apache-2.0 */
/* context_parts.c - the modules that keep something in each context. */
#include "config/host_types.h"
#include "hub/hub_env.h"
#include "tensor/registry.h"

const axl__context_part *const axl__context_parts[] = {
    &axl__hub_context_part,
    &axl__host_types_context_part,
    &axl__backends_context_part,
    NULL,
};
