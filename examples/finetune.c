/* SPDX-License-Identifier: Apache-2.0 */
/* finetune.c - a host that composes its own training loop:  finetune CONFIG.yml OUT_DIR */
#include <axl/axl.h>

#include <stdio.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((status = (call)) < 0)                                                                 \
            goto done;                                                                             \
    } while (0)

int main(int argc, char **argv)
{
    axl_context *ctx = NULL;
    axl_config *cfg = NULL;
    axl_tokenizer *tok = NULL;
    axl_dataset *data = NULL;
    axl_loader *loader = NULL;
    axl_model *model = NULL;
    axl_adapter *lora = NULL;
    axl_trainer *tr = NULL;
    axl_batch batch = AXL_BATCH_INIT;
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    axl_status status;
    uint64_t steps;

    if (argc != 3) {
        fprintf(stderr, "usage: finetune CONFIG.yml OUT_DIR\n");
        return 2;
    }
    TRY(axl_context_new(&ctx, NULL));
    TRY(axl_config_open(&cfg, ctx, argv[1], NULL));
    TRY(axl_tokenizer_from_config(&tok, cfg));
    TRY(axl_dataset_from_config(&data, cfg, tok, AXL_SPLIT_TRAIN));
    TRY(axl_loader_from_config(&loader, cfg, data, AXL_SPLIT_TRAIN));
    TRY(axl_loader_get_total_steps(loader, &steps));
    TRY(axl_model_from_config(&model, cfg));
    TRY(axl_model_resize_embeddings(model, cfg, axl_tokenizer_vocab_size(tok)));
    TRY(axl_adapter_from_config(&lora, cfg, model));
    TRY(axl_trainer_from_config(&tr, cfg, model, lora, steps));

    while ((status = axl_loader_next(loader, &batch)) == AXL_OK) {
        double loss;
        TRY(axl_trainer_forward_backward(tr, &batch, &loss));
        if (!axl_trainer_ready(tr)) /* still accumulating */
            continue;
        TRY(axl_trainer_step(tr, &stats));
        printf("step %llu loss %.4f grad_norm %.3f\n", (unsigned long long)stats.step, stats.loss,
               stats.grad_norm);
    }
    TRY(status);
    TRY(axl_trainer_export(tr, argv[2]));
    printf("%s\n", argv[2]);

done:
    if (status < 0)
        fprintf(stderr, "finetune: %s\n", axl_last_error());
    axl_trainer_free(tr); /* in any order */
    axl_adapter_free(lora);
    axl_model_free(model);
    axl_loader_free(loader);
    axl_dataset_free(data);
    axl_tokenizer_free(tok);
    axl_config_free(cfg);
    axl_context_free(ctx);
    return status < 0;
}
