/* SPDX-License-Identifier: Apache-2.0 */
/* logits.c - a model's plain answer to a sequence, for hosts that compare or sample themselves. */
#include "network.h"

axl_status axl_model_logits(axl_model *model, axl_adapter *adapter, const int32_t *ids, size_t n,
                            float *logits)
{
    axl__network net;

    AXL_TRY(axl__model_use(model));
    if (adapter) {
        AXL_TRY(axl__adapter_enter(adapter));
        if (adapter->model != model)
            return axl__fail(AXL_ERR_INVALID, "the adapter was made for another model");
    }
    if (!ids || !logits || n == 0 || n > (size_t)model->arch.max_seq_len)
        return axl__fail(AXL_ERR_INVALID, "1 to %lld tokens and room for their logits are needed",
                         (long long)model->arch.max_seq_len);
    AXL_TRY(axl__ids_check(ids, n, &model->arch));
    AXL_TRY(axl__pass_begin(model, adapter));
    axl_status status = axl__network_init(&net, model, adapter, false);
    if (status == AXL_OK) {
        status = axl__network_logits(&net, ids, (int64_t)n, logits);
        axl__network_free(&net);
    }
    axl__pass_end(model, adapter);
    return status;
}
