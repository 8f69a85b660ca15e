/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - backends by name. */
#include "backend.h"

#include <string.h>

static const axl_backend_ops *const builtin[] = { &axl__backend_cpu, &axl__backend_reference };

axl_status axl__backend_find(const axl_backend_ops **out, const char *name)
{
    for (size_t i = 0; i < sizeof builtin / sizeof builtin[0]; i++) {
        if (strcmp(builtin[i]->name, name) == 0) {
            *out = builtin[i];
            return AXL_OK;
        }
    }
    return axl__fail(AXL_ERR_NOT_FOUND,
                     "there is no backend \"%s\"; this build has cpu and reference", name);
}
