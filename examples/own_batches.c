/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_batches.c - a host that needs no data set, loader, schedule or optimizer of axl: it makes
 * token ids itself, reads the gradients and moves the adapter by an Adam of its own.
 *
 *   own_batches MODEL_DIR OUT_DIR
 *
 * What it teaches are four lines of eight tokens, by heart.
 */
#include <axl/axl.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_SEQS = 4, LENGTH = 8, N_TOKENS = N_SEQS * LENGTH, STEPS = 60, FIRST_ID = 259 };

/* A trained tensor with what Adam (Kingma and Ba, 2015) remembers of it; n elements each. */
typedef struct parameter {
    size_t n;
    float *value, *gradient, *mean, *square;
} parameter;

static int parameter_new(parameter *p, axl_trainer *tr, size_t index)
{
    axl_tensor_info info = AXL_TENSOR_INFO_INIT;

    if (axl_trainer_get_tensor(tr, index, &info) < 0)
        return -1;
    p->n = (size_t)(info.rows * info.cols);
    p->value = calloc(4 * p->n, sizeof *p->value);
    if (!p->value)
        return -1;
    p->gradient = p->value + p->n;
    p->mean = p->value + 2 * p->n;
    p->square = p->value + 3 * p->n;
    return axl_trainer_read(tr, index, p->value);
}

static int parameter_step(parameter *p, axl_trainer *tr, size_t index, int step)
{
    const float b1 = 0.9f, b2 = 0.999f, eps = 1e-8f;
    const float rate = 0.005f * sqrtf(1 - powf(b2, (float)step)) / (1 - powf(b1, (float)step));

    if (axl_trainer_read_gradient(tr, index, p->gradient) < 0)
        return -1;
    for (size_t i = 0; i < p->n; i++) {
        float g = p->gradient[i];
        p->mean[i] = b1 * p->mean[i] + (1 - b1) * g;
        p->square[i] = b2 * p->square[i] + (1 - b2) * g * g;
        p->value[i] -= rate * p->mean[i] / (sqrtf(p->square[i]) + eps);
    }
    return axl_trainer_write(tr, index, p->value);
}

static int train(axl_trainer *tr, parameter *all, size_t n)
{
    static const int32_t cu_seqlens[N_SEQS + 1] = { 0, LENGTH, 2 * LENGTH, 3 * LENGTH, N_TOKENS };
    int32_t ids[N_TOKENS];
    axl_batch batch = AXL_BATCH_INIT;
    double loss;

    batch.input_ids = batch.labels = ids; /* not shifted: axl does that */
    batch.cu_seqlens = cu_seqlens;
    batch.n_tokens = N_TOKENS;
    batch.n_seqs = N_SEQS;
    for (size_t i = 0; i < n; i++)
        if (parameter_new(&all[i], tr, i) < 0)
            return -1;
    for (int i = 0; i < N_TOKENS; i++)
        ids[i] = FIRST_ID + 5 * i;
    for (int step = 1; step <= STEPS; step++) {
        if (axl_trainer_forward_backward(tr, &batch, &loss) < 0)
            return -1;
        for (size_t i = 0; i < n; i++)
            if (parameter_step(&all[i], tr, i, step) < 0)
                return -1;
        axl_trainer_zero_grad(tr);
        printf("step %d loss %.4f\n", step, loss);
    }
    return 0;
}

int main(int argc, char **argv)
{
    axl_context *ctx = NULL;
    axl_model *model = NULL;
    axl_adapter *lora = NULL;
    axl_trainer *tr = NULL;
    parameter *all = NULL;
    size_t n = 0;
    int failed = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: own_batches MODEL_DIR OUT_DIR\n");
        return 2;
    }
    if (axl_context_new(&ctx, NULL) == AXL_OK &&
        axl_model_open(&model, ctx, argv[1], NULL) == AXL_OK &&
        axl_adapter_new(&lora, model, NULL) == AXL_OK &&
        axl_trainer_new(&tr, model, lora, NULL) == AXL_OK) {
        n = axl_trainer_count(tr);
        all = calloc(n, sizeof *all);
        failed = !all || train(tr, all, n) < 0 || axl_adapter_save(lora, argv[2]) < 0;
    }
    if (failed)
        fprintf(stderr, "own_batches: %s\n", *axl_last_error() ? axl_last_error() : "no memory");
    for (size_t i = 0; all && i < n; i++)
        free(all[i].value);
    free(all);
    axl_trainer_free(tr);
    axl_adapter_free(lora);
    axl_model_free(model);
    axl_context_free(ctx);
    return failed;
}
