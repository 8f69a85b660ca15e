/* SPDX-License-Identifier: Apache-2.0 */
/* block_norm.h - RMSNorm (Zhang and Sennrich, 2019) of the rows of a matrix, by a module of the
 * model.  Nothing but rstd (T) is kept for the backward: y costs less to compute again than to
 * keep. */
#ifndef AXL_MODEL_BLOCK_NORM_H
#define AXL_MODEL_BLOCK_NORM_H

#include "linear.h"

/* y (T, C) and rstd (T) are written. */
axl_status axl__norm_forward(const axl__pass *p, const axl__module *m, axl_mat x, axl_mat y,
                             float *rstd);
/* The gradient of x is added to dx; that of the weight where that is trained. */
axl_status axl__norm_backward(const axl__pass *p, const axl__module *m, axl_mat x,
                              const float *rstd, axl_mat dy, axl_mat dx);

#endif
