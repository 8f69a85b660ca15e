/* SPDX-License-Identifier: Apache-2.0 */
/* op_cpu.h - what a <op>_cpu.c starts with: vf, the device, and this variant's operations. */
#ifndef AXL_CPU_OP_CPU_H
#define AXL_CPU_OP_CPU_H

#include "device_cpu.h"
#include "kernels/whole.h"
#include "simd.h"

#define AXL_CPU_DECLARE(op, args, use) axl_status AXL_ISA_NAME(op)(axl_device * dev, const args *a);
AXL_BACKEND_OPS(AXL_CPU_DECLARE)
#undef AXL_CPU_DECLARE

#endif
