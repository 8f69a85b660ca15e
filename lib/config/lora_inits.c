/* SPDX-License-Identifier: Apache-2.0 */
/* lora_inits.c - see lora_inits.h. */
#include "lora_inits.h"

#include <stddef.h>
#include <string.h>

const char axl__lora_init_choices[] =
    "must be one of true, false, gaussian, orthogonal, pissa, pissa_niter_N (N iterations), olora, "
    "loftq";

static const struct {
    const char *name, *why;
} inits[] = {
    { "true", NULL },
    { "false", NULL },
    { "gaussian", NULL },
    { "orthogonal", NULL },
    { "pissa", NULL },
    { "olora", NULL },
    { "loftq", NULL },
    { "eva", "not supported: it reads the activations of a data set; use pissa" },
    { "corda", "not supported: it reads the activations of a data set; use pissa" },
    { "lora_ga", "not supported: it reads gradients of a data set; use pissa or orthogonal" },
    { "mica", "not supported: it trains one half of each pair; use orthogonal" },
};

axl__lora_init_answer axl__lora_init_find(const char *name, const char **why)
{
    static const char niter[] = "pissa_niter_";
    size_t n = sizeof niter - 1, digits;

    *why = NULL;
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++)
        if (strcmp(name, inits[i].name) == 0) {
            *why = inits[i].why;
            return inits[i].why ? AXL__LORA_INIT_REFUSED : AXL__LORA_INIT_KNOWN;
        }
    if (strncmp(name, niter, n) != 0)
        return AXL__LORA_INIT_UNKNOWN;
    digits = strspn(name + n, "0123456789");
    return digits > 0 && digits <= 4 && name[n + digits] == '\0' ? AXL__LORA_INIT_KNOWN
                                                                 : AXL__LORA_INIT_UNKNOWN;
}
