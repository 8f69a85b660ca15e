/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_checkpoint.c - one file of a checkpoint, its checksum made right; the others are good, and
 * what was loaded is trained on. */
#include "fuzz.h"

#include "base/os.h"
#include "base/str.h"
#include "train/checkpoint_state.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- a state whose checksums are right, whatever it says ---- */

static void put_files(axl__str *out, const char *dir)
{
    axl__checksum sum;

    axl__str_puts(out, ", \"files\": [");
    for (size_t i = 0, n = 0; i < AXL__N_PARTS; i++) {
        char *path = axl__format(fuzz_context(), "%s/%s", dir, axl__checkpoint_parts[i]);
        if (path && axl__checksum_file(&sum, fuzz_context(), path) == AXL_OK)
            axl__str_putf(out, "%s\"%08x %llu %s\"", n++ ? ", " : "", (unsigned)sum.crc,
                          (unsigned long long)sum.bytes, axl__checkpoint_parts[i]);
        axl__free(fuzz_context(), path);
    }
    axl__str_puts(out, "]");
}

/* The last "files" counts, and the last brace goes behind it. */
static void write_state(const char *dir, const char *text, size_t size)
{
    const char *end = memrchr(text, '}', size);
    axl__checksum sum = { 0 };
    axl__str out;

    axl__str_init(&out, fuzz_context());
    axl__str_put(&out, text, end ? (size_t)(end - text) : size);
    put_files(&out, dir);
    fuzz_must(axl__str_status(&out) == AXL_OK, "memory");
    axl__checksum_add(&sum, out.data, out.len);
    axl__str_putf(&out, ",\n  \"crc32\": \"%08x\"\n}\n", (unsigned)sum.crc);
    fuzz_write("ck/trainer_state.json", out.data, out.len);
    axl__str_free(&out);
}

/* A good checkpoint; *state is for axl__file_close(). */
static void save(const char *dir, axl__file *state)
{
    char *path = fuzz_path("ck/trainer_state.json");

    axl__file_close(state);
    fuzz_must(axl_trainer_save(trainer, loader, dir) == AXL_OK, "a good checkpoint");
    fuzz_must(axl__file_open(state, fuzz_context(), path, true) == AXL_OK, path);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "ck/trainer_state.json", "ck/optimizer.safetensors",
                                         "ck/adapter_model.safetensors" };
    static size_t spoilt = 3; /* the file that is not good now */
    static axl__file state;   /* the good one's */
    size_t file = fuzz_pick(&data, &size, 3);
    char *dir = fuzz_path("ck");

    if (!trainer)
        make_trainer();
    if (spoilt != file)
        save(dir, &state);
    spoilt = file;
    if (file == 0) {
        write_state(dir, (const char *)data, size);
    } else {
        fuzz_write(names[file], data, size);
        write_state(dir, (const char *)state.data, state.size);
    }
    if (axl_trainer_load(trainer, loader, dir) == AXL_OK)
        train_on();
    free(dir);
    return 0;
}
