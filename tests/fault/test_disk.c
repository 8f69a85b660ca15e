/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_disk.c - reads and writes in pieces, reads that fail, and a full disk: the linker puts the
 * functions here between os.c and the system's (--wrap).
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>

enum { PIECE = 101 };

/* What the disk does. */
static struct {
    uint64_t calls, fail_at; /* the call that fails, from 1; 0: none */
    int from_there_on;       /* and all after it */
    int reads;               /* those that read are counted, else those that write */
    int error;
    int in_pieces;   /* at most PIECE bytes a call, every third interrupted */
    int no_exchange; /* a file system that cannot exchange two names */
} disk;

static int disk_fails(int reads)
{
    if (!disk.fail_at || disk.reads != reads)
        return 0;
    disk.calls++;
    if (disk.from_there_on ? disk.calls < disk.fail_at : disk.calls != disk.fail_at)
        return 0;
    errno = disk.error;
    return 1;
}

static int disk_interrupts(void)
{
    static unsigned turn;

    errno = EINTR;
    return disk.in_pieces && ++turn % 3 == 0;
}

int __real_open(const char *path, int flags, mode_t mode);
int __real_open64(const char *path, int flags, mode_t mode);
int __real_mkdir(const char *path, mode_t mode);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
ssize_t __real_pread(int fd, void *data, size_t size, off_t at);
ssize_t __real_pread64(int fd, void *data, size_t size, off_t at);
ssize_t __real_write(int fd, const void *data, size_t size);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t at);
ssize_t __wrap_write(int fd, const void *data, size_t size);

/* Opening a folder or a mere name reads nothing. */
static int open_fails(int flags)
{
    if ((flags & O_PATH) == O_PATH || (flags & O_DIRECTORY) == O_DIRECTORY)
        return 0;
    return disk_fails((flags & O_ACCMODE) == O_RDONLY);
}

int __wrap_open(const char *path, int flags, mode_t mode)
{
    return open_fails(flags) ? -1 : __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, mode_t mode)
{
    return open_fails(flags) ? -1 : __real_open64(path, flags, mode);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    struct stat st;

    if (stat(path, &st) != 0 && disk_fails(0)) /* only what would be made */
        return -1;
    return __real_mkdir(path, mode);
}

int __wrap_fsync(int fd)
{
    return disk_fails(0) ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return disk_fails(0) ? -1 : __real_rename(from, to);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (disk.no_exchange) {
        errno = EINVAL;
        return -1;
    }
    return disk_fails(0) ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at)
{
    if (disk_fails(1) || disk_interrupts())
        return -1;
    return __real_pread(fd, data, disk.in_pieces && size > PIECE ? PIECE : size, at);
}

ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t at)
{
    if (disk_fails(1) || disk_interrupts())
        return -1;
    return __real_pread64(fd, data, disk.in_pieces && size > PIECE ? PIECE : size, at);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (disk_fails(0) || disk_interrupts())
        return -1;
    return __real_write(fd, data, disk.in_pieces && size > PIECE ? PIECE : size);
}

static void disk_good(void)
{
    memset(&disk, 0, sizeof disk);
}

/* ---- the sweep ---- */

static int is_full(void)
{
    return strstr(axl_last_error(), strerror(ENOSPC)) != NULL;
}

/* One try with the n-th call failing; whether it was reached.  A clean error names a path. */
static int disk_try(const char *name, fault_step step, void *world, uint64_t n, int absorbs)
{
    disk.calls = 0;
    disk.fail_at = n;
    axl_status status = step(world);
    disk.fail_at = 0;
    if (disk.calls < n) {
        if (status < 0)
            fail_msg("%s, nothing fails: %s", name, axl_last_error());
        return 0;
    }
    if (status >= 0 && absorbs)
        return 1;
    if (status != AXL_ERR_IO || !strchr(axl_last_error(), '/') ||
        !strstr(axl_last_error(), strerror(disk.error)))
        fail_msg("%s, call %llu of the disk fails: %s: \"%s\"", name, (unsigned long long)n,
                 axl_status_name(status), axl_last_error());
    return 1;
}

/* ---- a trainer and its checkpoint ---- */

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    tiny_data *batch;
    const char *dir;
} world;

static axl_model *read_model(axl_context *ctx)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.backend = "cpu";
    o.compute = AXL_COMPUTE_F32;
    o.read = 1;
    assert_ok(axl_model_open(&model, ctx, test_source_path("examples/tiny-llama"), &o));
    return model;
}

static void train_a_step(world *w)
{
    assert_ok(axl_trainer_forward_backward(w->tr, &w->batch->batch, NULL));
    assert_ok(axl_trainer_step(w->tr, NULL));
}

static world begin(const char *dir)
{
    static const uint32_t lengths[] = { 9, 5 };
    world w = { .dir = dir };

    w.ctx = tiny_context(1);
    w.model = read_model(w.ctx);
    w.tr = tiny_trainer(w.model, NULL, 0.0, &w.adapter);
    w.batch = tiny_batch(lengths, 2, 1);
    train_a_step(&w);
    return w;
}

static void end(world *w)
{
    axl_trainer_free(w->tr);
    axl_adapter_free(w->adapter);
    axl_model_free(w->model);
    axl_context_free(w->ctx);
    free(w->batch);
}

static axl_status save(void *w_)
{
    world *w = w_;

    return axl_trainer_save(w->tr, NULL, temp_path(w->dir));
}

static axl_status load(void *w_)
{
    world *w = w_;

    return axl_trainer_load(w->tr, NULL, temp_path(w->dir));
}

/* The step of the checkpoint as another trainer loads it. */
static uint64_t step_on_disk(world *w)
{
    axl_adapter *adapter;
    axl_trainer *tr = tiny_trainer(w->model, NULL, 0.0, &adapter);

    assert_ok(axl_trainer_load(tr, NULL, temp_path(w->dir)));
    uint64_t step = axl_trainer_steps(tr);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    return step;
}

static void check_full_disk(const char *dir, int no_exchange, int from_there_on)
{
    world w = begin(dir);
    uint64_t n = 1;

    assert_ok(save(&w));
    train_a_step(&w);
    disk.error = ENOSPC;
    disk.no_exchange = no_exchange;
    disk.from_there_on = from_there_on;
    for (; disk_try("save", save, &w, n, 0); n++) {
        assert_true(is_full());
        uint64_t step = step_on_disk(&w);
        assert_true(step == 1 || step == 2);
        fault_no_remains(test_temp_dir());
    }
    print_message("%s: %llu calls of the disk\n", dir, (unsigned long long)n - 1);
    assert_true(n > 10);
    assert_int_equal(step_on_disk(&w), 2);
    disk_good();
    end(&w);
}

static void test_disk__full_keeps_the_last_checkpoint(void **state)
{
    (void)state;
    check_full_disk("exchanged", 0, 0);
    check_full_disk("exchanged-full", 0, 1);
    check_full_disk("renamed", 1, 0);
}

static void test_disk__reads_and_writes_in_pieces(void **state)
{
    world w = begin("whole");
    size_t n;

    (void)state;
    assert_ok(save(&w));
    float *want = tiny_values(w.adapter, NULL, &n);
    end(&w);
    disk.in_pieces = 1;
    w = begin("pieces");
    assert_ok(save(&w));
    assert_int_equal(step_on_disk(&w), 1);
    float *got = tiny_values(w.adapter, NULL, &n);
    assert_memory_equal(got, want, n * sizeof *got);
    w.dir = "whole";
    assert_int_equal(step_on_disk(&w), 1);
    disk_good();
    end(&w);
    free(got);
    free(want);
}

/* ---- reads that fail ---- */

static axl_status open_tokenizer(void *w_)
{
    world *w = w_;
    axl_tokenizer *tok;
    axl_status status =
        axl_tokenizer_open(&tok, w->ctx, test_source_path("examples/tiny-llama"), NULL);

    axl_tokenizer_free(tok);
    return status;
}

static axl_status open_model(void *w_)
{
    world *w = w_;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.read = 1;
    axl_status status = axl_model_open(&model, w->ctx, test_source_path("examples/tiny-llama"), &o);
    axl_model_free(model);
    return status;
}

static axl_status open_adapter(void *w_)
{
    world *w = w_;
    axl_adapter *adapter;
    axl_status status = axl_adapter_open(&adapter, w->model, temp_path(w->dir));

    axl_adapter_free(adapter);
    return status;
}

static axl_status open_config(void *w_)
{
    world *w = w_;
    axl_config *cfg;
    axl_status status =
        axl_config_open(&cfg, w->ctx, test_source_path("examples/quickstart.yml"), NULL);

    axl_config_free(cfg);
    return status;
}

static void test_disk__names_the_file_that_cannot_be_read(void **state)
{
    static const struct {
        const char *name;
        fault_step step;
    } all[] = { { "config", open_config },
                { "tokenizer", open_tokenizer },
                { "model", open_model },
                { "adapter", open_adapter },
                { "checkpoint", load } };
    world w = begin("read");

    (void)state;
    assert_ok(save(&w));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        uint64_t n = 1;
        disk.error = EIO;
        disk.reads = 1;
        while (disk_try(all[i].name, all[i].step, &w, n, 0))
            n++;
        print_message("%s: %llu reads\n", all[i].name, (unsigned long long)n - 1);
        assert_true(n > 2);
    }
    disk_good();
    end(&w);
}

/* ---- a run ---- */

typedef struct {
    axl_context *ctx;
    axl_config *cfg;
} run_world;

static axl_config *parse_run(axl_context *ctx, const char *out)
{
    char text[2048];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: %s, type: alpaca}]\nadapter: lora\nlora_r: 4\n"
             "lora_alpha: 8\nlora_target_modules: [q_proj]\nsequence_len: 128\n"
             "micro_batch_size: 1\ngradient_accumulation_steps: 1\noptimizer: adamw_torch\n"
             "learning_rate: 1e-2\nbf16: false\nmax_steps: 3\nsave_steps: 1\nlogging_steps: 1\n"
             "save_total_limit: 2\nuse_tensorboard: true\noutput_dir: %s\n"
             "dataset_prepared_path: %s/prepared\n",
             test_source_path("examples/tiny-llama"),
             test_source_path("examples/tiny-alpaca.jsonl"), temp_path(out), temp_path(out));
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", NULL));
    return cfg;
}

static axl_status run(void *w_)
{
    run_world *w = w_;
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_run *r;

    o.resume = "auto";
    axl_status status = axl_run_new(&r, w->cfg, &o);
    if (status == AXL_OK)
        status = axl_run_train(r);
    axl_run_free(r);
    return status;
}

/* Whole lines, however the run ended. */
static void check_log(const char *out)
{
    char path[600], line[2048];
    FILE *f;

    snprintf(path, sizeof path, "%s/training_log.jsonl", temp_path(out));
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        assert_true(line[0] == '{' && strstr(line, "}\n"));
    if (f)
        fclose(f);
}

static void compare_adapters(axl_context *ctx, const char *a, const char *b)
{
    axl_model *model = read_model(ctx);
    axl_adapter *x, *y;

    assert_ok(axl_adapter_open(&x, model, temp_path(a)));
    assert_ok(axl_adapter_open(&y, model, temp_path(b)));
    tiny_compare(x, NULL, y, NULL, 0.0);
    axl_adapter_free(x);
    axl_adapter_free(y);
    axl_model_free(model);
}

/* The disk fills at each of the run's writes in turn; each time the run goes on from what there is,
 * and it ends with the same bits. */
static void test_disk__full_in_a_run_that_goes_on(void **state)
{
    run_world w = { tiny_context(1), NULL };
    uint64_t n = 1;

    (void)state;
    w.cfg = parse_run(w.ctx, "undisturbed");
    assert_ok(run(&w));
    axl_config_free(w.cfg);
    w.cfg = parse_run(w.ctx, "disturbed");
    disk.error = ENOSPC;
    disk.from_there_on = 1;
    for (; disk_try("run", run, &w, n, 1); n += fault_full() ? 1 : 1 + n / 6) {
        check_log("disturbed");
        fault_no_remains(temp_path("disturbed"));
    }
    disk_good();
    compare_adapters(w.ctx, "undisturbed", "disturbed");
    axl_config_free(w.cfg);
    axl_context_free(w.ctx);
}

static int remove_all(void **state)
{
    (void)state;
    disk_good();
    fault_remove_tree(test_temp_dir());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk__full_keeps_the_last_checkpoint),
        cmocka_unit_test(test_disk__reads_and_writes_in_pieces),
        cmocka_unit_test(test_disk__names_the_file_that_cannot_be_read),
        cmocka_unit_test(test_disk__full_in_a_run_that_goes_on),
    };

    test_locale();
    test_filter();
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
