/* SPDX-License-Identifier: Apache-2.0 */
/* isa_x86.c - CPUID and XGETBV: an instruction set counts when the system saves its registers. */
#include "isa.h"

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

/* Which registers the system saves: bits 1 and 2 are SSE and AVX, 5 to 7 AVX-512, 17 and 18 AMX. */
static uint64_t xcr0(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* Each level needs those below it.  avx512 means F, DQ, BW and VL, amx its tiles and bf16
 * products. */
axl_isa axl__isa_detect(void)
{
    uint32_t a, b, c, d, a1 = 0, b1, c1, d1;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return AXL_ISA_BASELINE;
    bool osxsave = c >> 27 & 1, avx = c >> 28 & 1, fma = c >> 12 & 1, f16c = c >> 29 & 1;
    if (!osxsave || !avx || !fma || !f16c || (xcr0() & 6) != 6)
        return AXL_ISA_BASELINE;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 5 & 1))
        return AXL_ISA_BASELINE;

    bool avx512 = (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
    if (!avx512 || (xcr0() & 0xE6) != 0xE6)
        return AXL_ISA_AVX2;
    bool amx = (d >> 24 & 1) && (d >> 22 & 1) && (xcr0() & 0x60000) == 0x60000;
    if (a >= 1)
        __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1);
    if (!(a1 >> 5 & 1))
        return AXL_ISA_AVX512;
    return amx ? AXL_ISA_AMX : AXL_ISA_AVX512_BF16;
}
