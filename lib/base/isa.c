/* SPDX-License-Identifier: Apache-2.0 */
/* isa.c - names of the instruction set levels; the detection is per machine (isa_x86.c, …). */
#include "isa.h"

#include <string.h>

static const char *const isa_names[] = { "baseline", "avx2", "avx512", "avx512_bf16", "amx" };

const char *axl__isa_name(axl_isa isa)
{
    return isa_names[isa];
}

int axl__isa_parse(const char *name)
{
    for (int i = 0; i < (int)(sizeof isa_names / sizeof isa_names[0]); i++)
        if (strcmp(isa_names[i], name) == 0)
            return i;
    return -1;
}
