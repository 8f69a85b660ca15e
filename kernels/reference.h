/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference.h - what each operation means, as a function: kernels/<op>/<op>_ref.c defines
 * axl__ref_<name> for every name of AXL_BACKEND_OPS, and kernels/<op>/<op>.h has the formula.
 */
#ifndef AXL_KERNELS_REFERENCE_H
#define AXL_KERNELS_REFERENCE_H

#include "tensor/backend.h"

#define AXL_DECLARE_REFERENCE(op, args, use) void axl__ref_##op(const args *a);
AXL_BACKEND_OPS(AXL_DECLARE_REFERENCE)
#undef AXL_DECLARE_REFERENCE

#endif
