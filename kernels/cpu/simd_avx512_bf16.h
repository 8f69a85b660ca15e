/* SPDX-License-Identifier: Apache-2.0 */
/* simd_avx512_bf16.h - AVX-512 with dot products of bf16 pairs (VF_HAS_DOT_BF16). */
#ifndef AXL_CPU_SIMD_AVX512_BF16_H
#define AXL_CPU_SIMD_AVX512_BF16_H

#include "simd_avx512.h"

#endif
