/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_cpu.c - to come. */
#include "kernels/cpu/op_cpu.h"

axl_status AXL_ISA_NAME(matmul)(axl_device *dev, const axl_matmul_args *a)
{
    (void)dev;
    (void)a;
    return axl__fail(AXL_ERR_INTERNAL, "matmul is not written yet");
}
