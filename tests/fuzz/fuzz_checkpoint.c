/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_checkpoint.c - one file of a checkpoint; the others are good, and what was loaded is trained
 * on. */
#include "fuzz.h"

#include <stdlib.h>

static axl_trainer *trainer;
static axl_loader *loader;

static void make_trainer(void)
{
    static const int32_t ids[] = { 1, 5, 6, 7, 8, 2 };
    axl_loader_options lo = AXL_LOADER_OPTIONS_INIT;
    axl_sample samples[4];
    axl_adapter *adapter = fuzz_adapter();
    axl_dataset *data;

    for (size_t i = 0; i < 4; i++) {
        samples[i] = (axl_sample)AXL_SAMPLE_INIT;
        samples[i].input_ids = samples[i].labels = ids;
        samples[i].length = (uint32_t)(3 + i % 4);
    }
    lo.num_epochs = 3;
    fuzz_must(axl_dataset_from_samples(&data, fuzz_context(), samples, 4) == AXL_OK &&
                  axl_loader_new(&loader, data, &lo) == AXL_OK &&
                  axl_trainer_new(&trainer, fuzz_model(), adapter, NULL) == AXL_OK,
              "a trainer");
    axl_dataset_free(data);
    axl_adapter_free(adapter);
}

/* It may end where the epochs or finite numbers do. */
static void train_on(void)
{
    axl_batch batch = AXL_BATCH_INIT;
    axl_status status = axl_loader_next(loader, &batch);

    if (status == AXL_OK)
        status = axl_trainer_forward_backward(trainer, &batch, NULL);
    if (status == AXL_OK)
        status = axl_trainer_step(trainer, NULL);
    fuzz_must(status != AXL_ERR_INTERNAL, "a step or a failure");
    axl_trainer_zero_grad(trainer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "ck/trainer_state.json", "ck/optimizer.safetensors",
                                         "ck/adapter_model.safetensors" };
    static size_t spoilt = 3; /* the file that is not good now */
    size_t file = fuzz_pick(&data, &size, 3);
    char *dir = fuzz_path("ck");

    if (!trainer)
        make_trainer();
    if (spoilt != file)
        fuzz_must(axl_trainer_save(trainer, loader, dir) == AXL_OK, "a good checkpoint");
    spoilt = file;
    fuzz_write(names[file], data, size);
    if (axl_trainer_load(trainer, loader, dir) == AXL_OK)
        train_on();
    free(dir);
    return 0;
}
