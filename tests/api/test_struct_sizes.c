/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_struct_sizes.c - every public struct as older and newer hosts have it: of the size of its
 * first release, a byte less, and longer than this library knows.  Each lies in a block of exactly
 * its size, where valgrind and the address sanitizer see what is read or written past it.
 */
#include "tiny_model.h"

#include "../../lib/base/structs.h" /* the table alone: its functions are not exported */

enum { NEWER = 16, N_SEQS = 2, N_TOKENS = 20 };

/* ---- what the calls are made with ---- */

static struct {
    axl_context *ctx;
    axl_config *cfg;
    axl_diagnostics *said;
    axl_sweep *sweep;
    axl_tokenizer *tok;
    axl_dataset *data;
    axl_loader *loader;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    tiny_data *batch;
} w;

static size_t told; /* the size of the struct that a callback got last */

static int on_progress(void *user, const axl_progress *p)
{
    (void)user;
    told = p->size;
    return 0;
}

static int on_record(void *user, const axl_run_record *r)
{
    (void)user;
    told = r->size;
    return 0;
}

static void open_data(void)
{
    axl_sample samples[N_SEQS] = { AXL_SAMPLE_INIT, AXL_SAMPLE_INIT };

    for (int i = 0; i < N_SEQS; i++) {
        samples[i].input_ids = samples[i].labels = w.batch->ids + w.batch->cu[i];
        samples[i].length = 8;
    }
    assert_ok(axl_dataset_from_samples(&w.data, w.ctx, samples, N_SEQS));
    assert_ok(axl_loader_new(&w.loader, w.data, NULL));
}

static int setup(void **state)
{
    static const uint32_t lengths[N_SEQS] = { 8, N_TOKENS - 8 };
    static const char sweep[] = "lora_r: [4, 8]\n";
    axl_context_options c = AXL_CONTEXT_OPTIONS_INIT;
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    char text[2048];

    (void)state;
    c.isa = test_isa();
    c.threads = 1;
    c.progress = on_progress;
    assert_ok(axl_context_new(&w.ctx, &c));
    o.diagnostics = &w.said;
    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: %s, type: alpaca}]\nadapter: lora\nlora_r: 4\n"
             "lora_alpha: 8\nlora_target_modules: [q_proj]\nsequence_len: 256\nmax_steps: 1\n"
             "val_set_size: 4\nmicro_batch_size: 1\ngradient_accumulation_steps: 1\nlearning_rate: "
             "1e-3\nbf16: false\n"
             "deepspeed: x.json\noutput_dir: %s\n",
             tiny_folder(), test_source_path("examples/tiny-alpaca.jsonl"), temp_path("out"));
    assert_ok(axl_config_parse(&w.cfg, w.ctx, text, strlen(text), "test.yml", &o));
    assert_ok(axl_sweep_parse(&w.sweep, w.ctx, sweep, sizeof sweep - 1, NULL));
    assert_ok(axl_tokenizer_from_config(&w.tok, w.cfg));
    w.batch = tiny_batch(lengths, N_SEQS, 1);
    open_data();
    w.model = tiny_model(w.ctx, "cpu", AXL_COMPUTE_F32);
    w.tr = tiny_trainer(w.model, NULL, 0.0, &w.adapter);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    axl_trainer_free(w.tr);
    axl_adapter_free(w.adapter);
    axl_model_free(w.model);
    axl_loader_free(w.loader);
    axl_dataset_free(w.data);
    axl_tokenizer_free(w.tok);
    axl_sweep_free(w.sweep);
    axl_diagnostics_free(w.said);
    axl_config_free(w.cfg);
    axl_context_free(w.ctx);
    free(w.batch);
    return 0;
}

/* ---- calls that take a struct ---- */

static axl_status take_axl_adapter_options(void *given)
{
    axl_adapter *made;
    axl_status status = axl_adapter_new(&made, w.model, given);

    axl_adapter_free(made);
    return status;
}

static axl_status take_axl_batch(void *given)
{
    axl_batch *b = given;

    b->input_ids = w.batch->ids;
    b->labels = w.batch->labels;
    b->cu_seqlens = w.batch->cu;
    b->n_tokens = N_TOKENS;
    b->n_seqs = N_SEQS;
    return axl_trainer_evaluate(w.tr, b, NULL);
}

static axl_status take_axl_config_options(void *given)
{
    static const char text[] = "base_model: x\nlearning_rate: 1\ndatasets: [{path: x, type: "
                               "alpaca}]\nmicro_batch_size: 1\ngradient_accumulation_steps: 1\n";
    axl_config *made;
    axl_status status = axl_config_parse(&made, w.ctx, text, sizeof text - 1, NULL, given);

    axl_config_free(made);
    return status;
}

static axl_status take_axl_context_options(void *given)
{
    axl_context_options *o = given;
    axl_context *made;

    o->threads = 1;
    axl_status status = axl_context_new(&made, o);
    axl_context_free(made);
    return status;
}

static axl_status take_axl_generate_options(void *given)
{
    axl_generate_options *o = given;
    axl_buffer out = AXL_BUFFER_INIT;

    o->max_new_tokens = 1;
    axl_status status = axl_generate(w.model, NULL, w.tok, "a", 1, o, &out);
    axl_buffer_free(&out);
    return status;
}

static size_t logits_size;

static int no_loss(void *user, axl_logits *rows)
{
    (void)user;
    logits_size = rows->size;
    for (size_t i = 0; i < (size_t)rows->n_rows * rows->vocab_size; i++)
        rows->logits[i] = 0.0f;
    return 0;
}

static axl_status take_axl_loss_options(void *given)
{
    axl_loss_options *o = given;

    o->loss = no_loss;
    axl_status status = axl_trainer_forward_backward_with(w.tr, &w.batch->batch, o, NULL);
    if (status == AXL_OK)
        axl_trainer_zero_grad(w.tr);
    return status;
}

static axl_status fill_axl_generation(void *given)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;

    o.max_new_tokens = 1;
    o.result = given;
    return axl_generate(w.model, NULL, w.tok, "a", 1, &o, NULL);
}

static axl_status take_axl_job_options(void *given)
{
    axl_job *made;
    axl_status status = axl_job_new(&made, w.ctx, given);

    axl_job_free(made);
    return status;
}

static axl_status take_axl_loader_cursor(void *given)
{
    return axl_loader_set_cursor(w.loader, given);
}

static axl_status take_axl_loader_options(void *given)
{
    axl_loader *made;
    axl_status status = axl_loader_new(&made, w.data, given);

    axl_loader_free(made);
    return status;
}

static axl_status take_axl_model_options(void *given)
{
    axl_model *made;
    axl_status status = axl_model_open(&made, w.ctx, tiny_folder(), given);

    axl_model_free(made);
    return status;
}

static axl_status take_axl_trainer_options(void *given)
{
    axl_trainer *made;
    axl_adapter *adapter = tiny_adapter(w.model, 0.0);
    axl_status status = axl_trainer_new(&made, w.model, adapter, given);

    axl_trainer_free(made);
    axl_adapter_free(adapter);
    return status;
}

static axl_status take_axl_optimizer_options(void *given)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;

    o.optimizer = given;
    return take_axl_trainer_options(&o);
}

static int on_next_record(void *user, const char **record, size_t *length)
{
    int *n = user;

    *record = "{\"instruction\": \"a\", \"output\": \"b\"}";
    *length = strlen(*record);
    return (*n)++ == 0 ? 0 : AXL_END;
}

static axl_status take_axl_record_source(void *given)
{
    axl_record_source *source = given;
    axl_dataset *made;
    int n = 0;

    source->next = on_next_record;
    if (source->size >= sizeof *source) /* its last field */
        source->user = &n;
    axl_status status = axl_dataset_stream_records(&made, w.cfg, w.tok, 0, source);
    axl_dataset_free(made);
    return status;
}

static axl_status take_axl_run_options(void *given)
{
    axl_run *made;
    axl_status status = axl_run_new(&made, w.cfg, given);

    axl_run_free(made);
    return status;
}

static axl_status take_axl_file(void *given)
{
    static char bytes[1 << 20];
    FILE *in = fopen(test_source_path("examples/tiny-llama/tokenizer.model"), "rb");
    axl_file *file = given;
    axl_tokenizer *made;

    assert_non_null(in);
    file->name = "tokenizer.model";
    file->data = bytes;
    if (file->size >= sizeof *file) /* its last field */
        file->length = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    axl_status status = axl_tokenizer_open_files(&made, w.ctx, file, 1, NULL);
    axl_tokenizer_free(made);
    return status;
}

static axl_status take_axl_sample(void *given)
{
    axl_sample *s = given;
    axl_dataset *made;

    s->input_ids = s->labels = w.batch->ids;
    s->length = 3;
    axl_status status = axl_dataset_from_samples(&made, w.ctx, s, 1);
    axl_dataset_free(made);
    return status;
}

static axl_status take_axl_schedule_options(void *given)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;

    o.schedule = given;
    return take_axl_trainer_options(&o);
}

static axl_status take_axl_template_options(void *given)
{
    axl_buffer out = AXL_BUFFER_INIT;
    axl_template *tpl;

    assert_ok(axl_template_new(&tpl, w.ctx, "a", 1, NULL));
    axl_status status = axl_template_render(tpl, "{}", 2, given, &out);
    axl_buffer_free(&out);
    axl_template_free(tpl);
    return status;
}

static axl_status take_axl_tokenizer_options(void *given)
{
    axl_tokenizer *made;
    axl_status status = axl_tokenizer_open(&made, w.ctx, tiny_folder(), given);

    axl_tokenizer_free(made);
    return status;
}

/* ---- calls that fill a struct ---- */

static axl_status fill_axl_batch(void *given)
{
    axl_loader_cursor start = AXL_LOADER_CURSOR_INIT;

    assert_ok(axl_loader_set_cursor(w.loader, &start));
    return axl_loader_next(w.loader, given);
}

/* Released at once, or its memory would be lost with the block. */
static axl_status fill_axl_buffer(void *given)
{
    axl_status status = axl_describe(w.ctx, 0, given);

    if (status == AXL_OK)
        axl_buffer_free(given);
    return status;
}

static axl_status fill_axl_config_key_info(void *given)
{
    return axl_config_schema_get(0, given);
}

static axl_status fill_axl_dataset_stats(void *given)
{
    return axl_dataset_get_stats(w.data, given);
}

static axl_status fill_axl_diagnostic(void *given)
{
    return axl_diagnostics_get(w.said, 0, given);
}

static axl_status fill_axl_evaluation(void *given)
{
    return axl_evaluate(w.cfg, given);
}

static axl_status fill_axl_loader_cursor(void *given)
{
    return axl_loader_get_cursor(w.loader, given);
}

static axl_status fill_axl_adapter_info(void *given)
{
    return axl_adapter_get_info(w.adapter, given);
}

static axl_status fill_axl_model_info(void *given)
{
    return axl_model_get_info(w.model, given);
}

static axl_status fill_axl_plan(void *given)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;

    o.max_tokens = N_TOKENS;
    return axl_model_estimate(w.ctx, tiny_folder(), NULL, NULL, &o, given);
}

static axl_status fill_axl_sample(void *given)
{
    return axl_dataset_get_sample(w.data, 0, given);
}

static axl_status fill_axl_schedule_options(void *given)
{
    return axl_schedule_from_config(given, w.cfg, 10);
}

static axl_status fill_axl_step_stats(void *given)
{
    axl_trainer_zero_grad(w.tr);
    assert_ok(axl_trainer_forward_backward(w.tr, &w.batch->batch, NULL));
    return axl_trainer_step(w.tr, given);
}

static axl_status fill_axl_sweep_run(void *given)
{
    return axl_sweep_get(w.sweep, 0, given);
}

static axl_status fill_axl_tensor_info(void *given)
{
    axl_tensor_info other = AXL_TENSOR_INFO_INIT;

    assert_ok(axl_trainer_get_tensor(w.tr, 0, &other));
    return axl_adapter_get_tensor(w.adapter, 0, given);
}

/* ---- calls that tell a callback ---- */

static axl_status tell_axl_progress(void)
{
    axl_evaluation e = AXL_EVALUATION_INIT;

    return axl_evaluate(w.cfg, &e); /* the last batch is always reported */
}

static axl_status tell_axl_logits(void)
{
    axl_loss_options o = AXL_LOSS_OPTIONS_INIT;
    axl_status status = take_axl_loss_options(&o);

    told = logits_size; /* progress was told of since */
    return status;
}

static axl_status on_tensor(void *user, const char *name, axl_tensor_data *out)
{
    (void)name;
    *(size_t *)user = out->size;
    return AXL_ERR_NOT_FOUND;
}

static axl_status tell_axl_tensor_data(void)
{
    char config[4096];
    FILE *in = fopen(test_source_path("examples/tiny-llama/config.json"), "rb");
    axl_model *model;
    size_t size = 0;

    assert_non_null(in);
    size_t length = fread(config, 1, sizeof config, in);
    fclose(in);
    axl_status status =
        axl_model_open_tensors(&model, w.ctx, config, length, on_tensor, &size, NULL);
    told = size; /* progress was told of since */
    return status == AXL_ERR_CANCELLED ? AXL_OK : status;
}

static axl_status tell_axl_run_record(void)
{
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_run *run;

    o.record = on_record;
    assert_ok(axl_run_new(&run, w.cfg, &o));
    axl_status status = axl_run_train(run);
    axl_run_free(run);
    return status;
}

/* ---- the table ---- */

/* What a struct begins as, and the calls that have it; a new struct does not compile without. */
#define OPTIONS(type, init)                                                                        \
    {                                                                                              \
        init, sizeof(type), take_##type, NULL, NULL                                                \
    }
#define RESULT(type, init)                                                                         \
    {                                                                                              \
        init, sizeof(type), NULL, fill_##type, NULL                                                \
    }
#define BOTH(type, init)                                                                           \
    {                                                                                              \
        init, sizeof(type), take_##type, fill_##type, NULL                                         \
    }
#define TOLD(type)                                                                                 \
    {                                                                                              \
        NULL, sizeof(type), NULL, NULL, tell_##type                                                \
    }
#define FROM(type, init) (&(const type)init)

#define ROW_axl_adapter_info RESULT(axl_adapter_info, FROM(axl_adapter_info, AXL_ADAPTER_INFO_INIT))
#define ROW_axl_adapter_options                                                                    \
    OPTIONS(axl_adapter_options, FROM(axl_adapter_options, AXL_ADAPTER_OPTIONS_INIT))
#define ROW_axl_batch BOTH(axl_batch, FROM(axl_batch, AXL_BATCH_INIT))
#define ROW_axl_buffer RESULT(axl_buffer, FROM(axl_buffer, AXL_BUFFER_INIT))
#define ROW_axl_config_key_info                                                                    \
    RESULT(axl_config_key_info, FROM(axl_config_key_info, AXL_CONFIG_KEY_INFO_INIT))
#define ROW_axl_config_options                                                                     \
    OPTIONS(axl_config_options, FROM(axl_config_options, AXL_CONFIG_OPTIONS_INIT))
#define ROW_axl_context_options                                                                    \
    OPTIONS(axl_context_options, FROM(axl_context_options, AXL_CONTEXT_OPTIONS_INIT))
#define ROW_axl_dataset_stats                                                                      \
    RESULT(axl_dataset_stats, FROM(axl_dataset_stats, AXL_DATASET_STATS_INIT))
#define ROW_axl_diagnostic RESULT(axl_diagnostic, FROM(axl_diagnostic, AXL_DIAGNOSTIC_INIT))
#define ROW_axl_evaluation RESULT(axl_evaluation, FROM(axl_evaluation, AXL_EVALUATION_INIT))
#define ROW_axl_file OPTIONS(axl_file, FROM(axl_file, AXL_FILE_INIT))
#define ROW_axl_generate_options                                                                   \
    OPTIONS(axl_generate_options, FROM(axl_generate_options, AXL_GENERATE_OPTIONS_INIT))
#define ROW_axl_generation RESULT(axl_generation, FROM(axl_generation, AXL_GENERATION_INIT))
#define ROW_axl_job_options OPTIONS(axl_job_options, FROM(axl_job_options, AXL_JOB_OPTIONS_INIT))
#define ROW_axl_loader_cursor                                                                      \
    BOTH(axl_loader_cursor, FROM(axl_loader_cursor, AXL_LOADER_CURSOR_INIT))
#define ROW_axl_loader_options                                                                     \
    OPTIONS(axl_loader_options, FROM(axl_loader_options, AXL_LOADER_OPTIONS_INIT))
#define ROW_axl_logits TOLD(axl_logits)
#define ROW_axl_loss_options                                                                       \
    OPTIONS(axl_loss_options, FROM(axl_loss_options, AXL_LOSS_OPTIONS_INIT))
#define ROW_axl_model_info RESULT(axl_model_info, FROM(axl_model_info, AXL_MODEL_INFO_INIT))
#define ROW_axl_model_options                                                                      \
    OPTIONS(axl_model_options, FROM(axl_model_options, AXL_MODEL_OPTIONS_INIT))
#define ROW_axl_optimizer_options                                                                  \
    OPTIONS(axl_optimizer_options, FROM(axl_optimizer_options, AXL_OPTIMIZER_OPTIONS_INIT))
#define ROW_axl_plan RESULT(axl_plan, FROM(axl_plan, AXL_PLAN_INIT))
#define ROW_axl_progress TOLD(axl_progress)
#define ROW_axl_record_source                                                                      \
    OPTIONS(axl_record_source, FROM(axl_record_source, AXL_RECORD_SOURCE_INIT))
#define ROW_axl_run_options OPTIONS(axl_run_options, FROM(axl_run_options, AXL_RUN_OPTIONS_INIT))
#define ROW_axl_run_record TOLD(axl_run_record)
#define ROW_axl_sample BOTH(axl_sample, FROM(axl_sample, AXL_SAMPLE_INIT))
#define ROW_axl_schedule_options                                                                   \
    BOTH(axl_schedule_options, FROM(axl_schedule_options, AXL_SCHEDULE_OPTIONS_INIT))
#define ROW_axl_step_stats RESULT(axl_step_stats, FROM(axl_step_stats, AXL_STEP_STATS_INIT))
#define ROW_axl_sweep_run RESULT(axl_sweep_run, FROM(axl_sweep_run, AXL_SWEEP_RUN_INIT))
#define ROW_axl_tensor_data TOLD(axl_tensor_data)
#define ROW_axl_template_options                                                                   \
    OPTIONS(axl_template_options, FROM(axl_template_options, AXL_TEMPLATE_OPTIONS_INIT))
#define ROW_axl_tensor_info RESULT(axl_tensor_info, FROM(axl_tensor_info, AXL_TENSOR_INFO_INIT))
#define ROW_axl_tokenizer_options                                                                  \
    OPTIONS(axl_tokenizer_options, FROM(axl_tokenizer_options, AXL_TOKENIZER_OPTIONS_INIT))
#define ROW_axl_trainer_options                                                                    \
    OPTIONS(axl_trainer_options, FROM(axl_trainer_options, AXL_TRAINER_OPTIONS_INIT))

typedef struct {
    const char *name;
    size_t v1;
    struct {
        const void *init;
        size_t size;
        axl_status (*take)(void *given);
        axl_status (*fill)(void *given);
        axl_status (*tell)(void);
    } is;
} row;

#define ROW(type, v1) { #type, v1, ROW_##type },

/* ---- the tests ---- */

/* A caller's struct of a size: what it begins as, then `fill` in what this library does not know.
 */
static unsigned char *block(const row *r, size_t size, int fill)
{
    unsigned char *b = malloc(size);
    size_t known = size < r->is.size ? size : r->is.size;

    assert_non_null(b);
    memcpy(b, r->is.init, known);
    memset(b + known, fill, size - known);
    memcpy(b, &size, sizeof size);
    return b;
}

static void check(const row *r, axl_status (*call)(void *), size_t size, int fill, axl_status want)
{
    unsigned char *b = block(r, size, fill);
    axl_status status = call(b);
    size_t after;

    memcpy(&after, b, sizeof after);
    if (status != want || after != size)
        fail_msg("%s of %zu bytes: %s: %s", r->name, size, axl_status_name(status),
                 axl_last_error());
    if (want == AXL_ERR_ABI)
        assert_non_null(strstr(axl_last_error(), r->name));
    for (size_t i = r->is.size; i < size; i++)
        assert_int_equal(b[i], fill);
    free(b);
}

static void test_struct_sizes__grow_in_every_direction(void **state)
{
    const row rows[] = { AXL__STRUCTS(ROW) };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        size_t newer = r->is.size + NEWER;
        if (r->is.take) {
            check(r, r->is.take, r->v1, 0, AXL_OK);
            check(r, r->is.take, r->v1 - 1, 0, AXL_ERR_ABI);
            check(r, r->is.take, newer, 0, AXL_OK);
            check(r, r->is.take, newer, 0xA5, AXL_ERR_ABI);
        }
        if (r->is.fill) {
            check(r, r->is.fill, r->v1, 0, AXL_OK);
            check(r, r->is.fill, r->v1 - 1, 0, AXL_ERR_ABI);
            check(r, r->is.fill, newer, 0xA5, AXL_OK);
        }
        if (r->is.tell) {
            told = 0;
            assert_ok(r->is.tell());
            assert_int_equal(told, r->is.size);
        }
    }
}

static void test_struct_sizes__are_those_of_the_library(void **state)
{
    const row rows[] = { AXL__STRUCTS(ROW) };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(axl_abi_sizeof(rows[i].name), rows[i].is.size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_struct_sizes__grow_in_every_direction, setup,
                                        teardown),
        cmocka_unit_test(test_struct_sizes__are_those_of_the_library),
    };
    return test_run(tests);
}
