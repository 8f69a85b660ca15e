/* SPDX-License-Identifier: Apache-2.0 */
/* block_norm.c - see block_norm.h. */
#include "block_norm.h"

axl_status axl__norm_forward(const axl__pass *p, const axl__module *m, axl_mat x, axl_mat y,
                             float *rstd)
{
    axl_mat weight = axl__used_weight(p, m).mat;
    axl_rms_norm_args a = {
        .x = x,
        .y = y,
        .w = weight.data,
        .w_dtype = weight.dtype,
        .rstd = rstd,
        .eps = (float)p->model->arch.rms_norm_eps,
        .unit_offset = p->model->arch.norm_unit_offset,
    };

    return p->ops->rms_norm_forward(p->dev, &a);
}

axl_status axl__norm_backward(const axl__pass *p, const axl__module *m, axl_mat x,
                              const float *rstd, axl_mat dy, axl_mat dx)
{
    axl_mat weight = axl__used_weight(p, m).mat;
    float *grad = axl__weight_gradient(p, m);
    axl_rms_norm_backward_args a = {
        .x = x,
        .dy = dy,
        .dx = dx,
        .w = weight.data,
        .w_dtype = weight.dtype,
        .rstd = rstd,
        .unit_offset = p->model->arch.norm_unit_offset,
    };

    AXL_TRY(p->ops->rms_norm_backward(p->dev, &a));
    if (!grad)
        return AXL_OK;
    axl_rms_norm_weight_backward_args w = { x, dy, rstd, grad };
    return p->ops->rms_norm_weight_backward(p->dev, &w);
}
