/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_table.c - the table of one instruction set; see kernels.h. */
#include "op_cpu.h"

extern const axl_cpu_kernels AXL_ISA_NAME(kernels);

#define AXL_CPU_ENTRY(op, args, use) .op = AXL_ISA_NAME(op),
const axl_cpu_kernels AXL_ISA_NAME(kernels) = { AXL_BACKEND_OPS(AXL_CPU_ENTRY) };
