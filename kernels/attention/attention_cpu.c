/* SPDX-License-Identifier: Apache-2.0 */
/* attention_cpu.c - to come. */
#include "kernels/cpu/op_cpu.h"

axl_status AXL_ISA_NAME(attention_forward)(axl_device *dev, const axl_attention_args *a)
{
    (void)dev;
    (void)a;
    return axl__fail(AXL_ERR_INTERNAL, "attention is not written yet");
}

axl_status AXL_ISA_NAME(attention_backward)(axl_device *dev, const axl_attention_backward_args *a)
{
    (void)dev;
    (void)a;
    return axl__fail(AXL_ERR_INTERNAL, "attention is not written yet");
}
