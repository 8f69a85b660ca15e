/* SPDX-License-Identifier: Apache-2.0 */
/* isa_other.c - machines that axl has no special kernels for. */
#include "isa.h"

axl_isa axl__isa_detect(void)
{
    return AXL_ISA_BASELINE;
}
