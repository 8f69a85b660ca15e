/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_table.c - the table of one instruction set; see kernels.h. */
#include "op_cpu.h"

extern const axl_cpu_kernels AXL_ISA_NAME(kernels);

/* A line for each operation as its <op>_cpu.c comes. */
const axl_cpu_kernels AXL_ISA_NAME(kernels) = {
    .matmul = AXL_ISA_NAME(matmul),
    .attention_forward = AXL_ISA_NAME(attention_forward),
    .attention_backward = AXL_ISA_NAME(attention_backward),
};
