/* SPDX-License-Identifier: Apache-2.0 */
/* isa.h - what the processor can do, in the steps that axl has kernels for. */
#ifndef AXL_BASE_ISA_H
#define AXL_BASE_ISA_H

typedef enum axl_isa {
    AXL_ISA_BASELINE = 0,    /* what the compiler targets: x86-64, or any other machine */
    AXL_ISA_AVX2 = 1,        /* AVX2, FMA, F16C */
    AXL_ISA_AVX512 = 2,      /* F, BW, DQ, VL */
    AXL_ISA_AVX512_BF16 = 3, /* and vdpbf16ps */
    AXL_ISA_AMX = 4          /* and AMX-TILE, AMX-BF16 with the system's permission */
} axl_isa;

/* The best level of this machine.  Does not ask for AMX permission. */
axl_isa axl__isa_detect(void);
const char *axl__isa_name(axl_isa isa);
/* -1 for an unknown name. */
int axl__isa_parse(const char *name);

#endif
