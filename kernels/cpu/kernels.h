/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels.h - the operations of one instruction set.  kernels/<op>/<op>_cpu.c defines each as
 * AXL_ISA_NAME(<op>) and is compiled once per set; cpu_table.c, likewise, gathers them.
 */
#ifndef AXL_CPU_KERNELS_H
#define AXL_CPU_KERNELS_H

#include "tensor/backend.h"

typedef struct axl_cpu_kernels {
#define AXL_CPU_MEMBER(op, args, use) axl_status (*op)(axl_device * dev, const args *a);
    AXL_BACKEND_OPS(AXL_CPU_MEMBER)
#undef AXL_CPU_MEMBER
} axl_cpu_kernels;

#endif
