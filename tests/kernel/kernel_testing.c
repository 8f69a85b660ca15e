/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_testing.c - see kernel_testing.h; the tables of targets and shapes are here. */
#include "kernel_testing.h"

#include "base/rng.h"
#include "kernels/cpu/device_cpu.h"
#include "kernels/mat.h"
#include "tensor/registry.h"

#include <math.h>

/* The backends that are held against "reference". */
static const struct {
    const char *name;
    bool levels;     /* it differs by instruction set and threads */
    int64_t largest; /* elements of a case; larger ones take AXL_TEST_BACKEND */
} backends[] = { { "cpu", true, INT64_MAX },
                 { "guarded", false, INT64_MAX },
                 { "emulated", false, 2200 } };

enum { GUARD = 64, MAX_TARGETS = 64, N_ISAS = AXL_ISA_AMX + 1 };

static const uint32_t thread_counts[] = { 1, 2, 3, 5, 8 };

/* Rows × columns of the row-wise operations: one, fewer than a vector, not a multiple of one, more
 * than a block of rows, longer than a first-level cache. */
static const struct {
    int64_t rows, cols;
} shapes[] = {
    { 1, 1 },   { 3, 1 },    { 1, 3 },    { 33, 3 },    { 3, 33 },
    { 33, 64 }, { 1, 4097 }, { 5, 4096 }, { 130, 257 }, { 4097, 33 },
};

struct kernel_buffer {
    struct kernel_buffer *next;
    void *data;
    size_t size; /* without the guard */
};

struct kernel_output {
    struct kernel_output *next;
    const char *name;
    axl_dtype dtype;
    bool is_f64;
    int64_t n;
    double tolerance;
    unsigned char *bytes; /* n elements without padding */
};

/* ---- memory ---- */

static void *must_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        fail_msg("out of memory");
    return p;
}

void *kernel_alloc(kernel_run *run, size_t size)
{
    struct kernel_buffer *b = must_alloc(sizeof *b);
    unsigned char guard[GUARD];

    b->size = size;
    b->next = run->buffers;
    run->buffers = b;
    assert_ok(run->ops->buffer_new(run->dev, &b->data, size + GUARD));
    memset(guard, 0xFF, sizeof guard); /* NaNs */
    assert_ok(run->ops->upload(run->dev, (char *)b->data + size, guard, GUARD));
    return b->data;
}

void *kernel_put(kernel_run *run, const void *host, size_t size)
{
    void *p = kernel_alloc(run, size);

    assert_ok(run->ops->upload(run->dev, p, host, size));
    return p;
}

void *kernel_scratch(kernel_run *run, axl_op op, const void *args, size_t *size)
{
    size_t want = run->ops->scratch(run->dev, op, args);

    if (size)
        *size = want;
    return want ? kernel_alloc(run, want) : NULL;
}

static void release_buffers(kernel_run *run)
{
    for (struct kernel_buffer *b = run->buffers, *next; b; b = next) {
        unsigned char guard[GUARD];

        next = b->next;
        assert_ok(run->ops->download(run->dev, guard, (char *)b->data + b->size, GUARD));
        for (int i = 0; i < GUARD; i++)
            if (guard[i] != 0xFF)
                fail_msg("%s: wrote %d bytes past the end", run->label, i + 1);
        run->ops->buffer_free(run->dev, b->data);
        free(b);
    }
    run->buffers = NULL;
}

static size_t mat_bytes(const axl_mat *m)
{
    return (size_t)(m->rows * m->stride) * axl__dtype_size(m->dtype);
}

axl_mat kernel_mat(kernel_run *run, int64_t rows, int64_t cols, axl_dtype dtype, int64_t pad)
{
    axl_mat m = { NULL, dtype, rows, cols, cols + pad };
    unsigned char *host = must_alloc(mat_bytes(&m));

    memset(host, 0xFF, mat_bytes(&m));
    m.data = kernel_put(run, host, mat_bytes(&m));
    free(host);
    return m;
}

/* ---- random numbers ---- */

void kernel_normals(float *x, int64_t n, uint64_t seed, float scale)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t w[4];
        double sum = 0.0;

        axl__philox(w, seed, AXL__STREAM_SAMPLE, (uint64_t)i);
        for (int k = 0; k < 4; k++)
            sum += w[k] * 0x1p-32 - 0.5;
        x[i] = (float)(rint(scale * sum * sqrt(3.0) * 0x1p12) * 0x1p-12);
    }
}

/* The numbers of the n-th draw, kept from one target to the next. */
static const float *drawn(uint64_t draw, int64_t n, float scale)
{
    static struct {
        float *x;
        int64_t n;
        float scale;
    } kept[16];
    size_t k = draw % 16;

    if (!kept[k].x || kept[k].n != n || kept[k].scale != scale) {
        free(kept[k].x);
        kept[k].x = must_alloc((size_t)n * sizeof(float));
        kept[k].n = n;
        kept[k].scale = scale;
        kernel_normals(kept[k].x, n, draw, scale);
    }
    return kept[k].x;
}

axl_mat kernel_random(kernel_run *run, int64_t rows, int64_t cols, axl_dtype dtype, int64_t pad,
                      float scale)
{
    axl_mat m = { NULL, dtype, rows, cols, cols + pad };
    const float *x = drawn(run->n_draws++ % 16, rows * cols, scale);

    m.data = must_alloc(mat_bytes(&m));
    memset(m.data, 0xFF, mat_bytes(&m));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            axl__mat_put(&m, r, c, x[r * cols + c]);
    void *host = m.data;
    m.data = kernel_put(run, host, mat_bytes(&m));
    free(host);
    return m;
}

float *kernel_random_f32(kernel_run *run, int64_t n, float scale)
{
    return kernel_random(run, 1, n, AXL_F32, 0, scale).data;
}

/* ---- outputs ---- */

static struct kernel_output *new_output(kernel_run *run, const char *name, int64_t n, size_t size)
{
    struct kernel_output *o = must_alloc(sizeof *o);

    *o = (struct kernel_output){ .name = name, .n = n };
    o->bytes = must_alloc((size_t)n * size);
    *run->last_output = o;
    run->last_output = &o->next;
    return o;
}

void kernel_save(kernel_run *run, const char *name, axl_mat y, double tolerance)
{
    size_t size = axl__dtype_size(y.dtype), row = (size_t)y.cols * size;
    size_t stride = (size_t)y.stride * size;
    struct kernel_output *o = new_output(run, name, y.rows * y.cols, size);
    unsigned char *host = must_alloc(mat_bytes(&y));

    o->dtype = y.dtype;
    o->tolerance = tolerance;
    assert_ok(run->ops->download(run->dev, host, y.data, mat_bytes(&y)));
    for (int64_t r = 0; r < y.rows; r++) {
        const unsigned char *from = host + (size_t)r * stride;

        memcpy(o->bytes + (size_t)r * row, from, row);
        for (size_t i = row; i < stride; i++)
            if (from[i] != 0xFF)
                fail_msg("%s: %s: wrote behind the end of row %ld", run->label, name, (long)r);
    }
    free(host);
}

void kernel_save_f32(kernel_run *run, const char *name, const float *y, int64_t n, double tolerance)
{
    axl_mat m = { (void *)(uintptr_t)y, AXL_F32, 1, n, n };

    kernel_save(run, name, m, tolerance);
}

void kernel_save_f64(kernel_run *run, const char *name, const double *y, int64_t n,
                     double tolerance)
{
    struct kernel_output *o = new_output(run, name, n, sizeof *y);

    o->is_f64 = true;
    o->tolerance = tolerance;
    assert_ok(run->ops->download(run->dev, o->bytes, y, (size_t)n * sizeof *y));
}

static size_t output_bytes(const struct kernel_output *o)
{
    return (size_t)o->n * (o->is_f64 ? sizeof(double) : axl__dtype_size(o->dtype));
}

static double output_at(const struct kernel_output *o, int64_t i)
{
    return o->is_f64 ? ((const double *)(const void *)o->bytes)[i]
                     : axl__load_element(o->bytes, o->dtype, i);
}

static void free_outputs(struct kernel_output *o)
{
    for (struct kernel_output *next; o; o = next) {
        next = o->next;
        free(o->bytes);
        free(o);
    }
}

static double output_rms(const struct kernel_output *o)
{
    double sum = 0.0;
    int64_t n = 0;

    for (int64_t i = 0; i < o->n; i++) {
        double v = output_at(o, i);
        if (isfinite(v)) {
            sum += v * v;
            n++;
        }
    }
    return n ? sqrt(sum / (double)n) : 0.0;
}

static bool near(double y, double ref, double rms, const struct kernel_output *o)
{
    if (isnan(ref) || isnan(y))
        return isnan(ref) && isnan(y);
    if (isinf(ref) || isinf(y))
        return ref == y;
    double step = !o->is_f64 && o->dtype == AXL_BF16 && o->tolerance > 0.0 ? 0x1p-7 : 0.0;
    return fabs(y - ref) <= o->tolerance * (fabs(ref) + rms) + step * fabs(ref);
}

/* "dx of 33 x 64 bf16", for a message. */
static const char *describe(const struct kernel_output *o, const kernel_case *c)
{
    static char text[160];

    snprintf(text, sizeof text, "%s of %ld x %ld, %s and %s", o->name, (long)c->rows, (long)c->cols,
             axl__dtype_name(c->dtype), axl__dtype_name(c->other));
    return text;
}

static void compare_values(const kernel_run *run, const struct kernel_output *y,
                           const struct kernel_output *ref, const kernel_case *c)
{
    for (; ref; ref = ref->next, y = y->next) {
        double rms = output_rms(ref);

        assert_int_equal(y->n, ref->n);
        if (ref->tolerance == 0.0 && memcmp(y->bytes, ref->bytes, output_bytes(ref)) == 0)
            continue;
        for (int64_t i = 0; i < ref->n; i++)
            if (!near(output_at(y, i), output_at(ref, i), rms, ref))
                fail_msg("%s: %s: [%ld] is %.9g, the reference %.9g, rms %.3g", run->label,
                         describe(y, c), (long)i, output_at(y, i), output_at(ref, i), rms);
    }
}

static void compare_bits(const kernel_run *run, const struct kernel_output *y,
                         const struct kernel_output *first, const kernel_case *c)
{
    for (; first; first = first->next, y = y->next)
        if (memcmp(y->bytes, first->bytes, output_bytes(first)) != 0)
            fail_msg("%s: %s: not the bits of the first run on one thread", run->label,
                     describe(y, c));
}

/* ---- targets ---- */

static struct {
    const char *backend;
    axl_isa isa;
    uint32_t threads;
    kernel_run run;
    char label[64];
} targets[MAX_TARGETS];
static size_t n_targets;

static void close_targets(void)
{
    for (size_t i = 0; i < n_targets; i++) {
        targets[i].run.ops->device_close(targets[i].run.dev);
        axl_context_free(targets[i].run.ctx);
    }
    n_targets = 0;
}

/* The kernels for AMX with emulated tiles, on the CPU backend of a machine that has all else. */
#ifdef AXL_KERNELS_AMX_EMULATED
extern const axl_cpu_kernels axl__kernels_amx_emulated;

static bool emulates_amx(const char *backend, axl_isa isa)
{
    return isa == AXL_ISA_AMX && axl__isa_detect() == AXL_ISA_AVX512_BF16 &&
           strcmp(backend, "cpu") == 0;
}

static void use_emulated_amx(axl_device *dev)
{
    dev->kernels = &axl__kernels_amx_emulated;
}
#else
static bool emulates_amx(const char *backend, axl_isa isa)
{
    (void)backend;
    (void)isa;
    return false;
}

static void use_emulated_amx(axl_device *dev)
{
    (void)dev;
}
#endif

kernel_run *kernel_target(const char *backend, axl_isa isa, uint32_t threads)
{
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    bool emulated = emulates_amx(backend, isa);

    for (size_t i = 0; i < n_targets; i++)
        if (strcmp(targets[i].backend, backend) == 0 && targets[i].isa == isa &&
            targets[i].threads == threads)
            return &targets[i].run;
    if (isa > axl__isa_detect() && !emulated)
        return NULL;
    if (n_targets == 0)
        atexit(close_targets);
    assert_true(n_targets < MAX_TARGETS);
    kernel_run *run = &targets[n_targets].run;
    opts.isa = axl__isa_name(emulated ? AXL_ISA_AVX512_BF16 : isa);
    opts.threads = threads;
    opts.plugin_dir = test_plugin_dir(backend);
    assert_ok(axl_context_new(&run->ctx, &opts));
    assert_ok(axl__backend_find(&run->ops, run->ctx, backend));
    assert_ok(run->ops->device_open(&run->dev, run->ctx, 0));
    if (emulated)
        use_emulated_amx(run->dev);
    snprintf(targets[n_targets].label, sizeof targets[0].label, "%s %s%s, %u threads", backend,
             axl__isa_name(isa), emulated ? " (emulated)" : "", (unsigned)threads);
    run->label = targets[n_targets].label;
    targets[n_targets].backend = backend;
    targets[n_targets].isa = isa;
    targets[n_targets].threads = threads;
    n_targets++;
    return run;
}

/* ---- running ---- */

static struct kernel_output *run_body(kernel_run *run, kernel_body *body, const kernel_case *c)
{
    run->outputs = NULL;
    run->last_output = &run->outputs;
    run->n_draws = 0;
    body(run, c);
    release_buffers(run);
    return run->outputs;
}

/* A backend that is the same whatever the machine. */
static void check_plain(const char *backend, kernel_body *body, const kernel_case *c,
                        const struct kernel_output *ref)
{
    kernel_run *run = kernel_target(backend, AXL_ISA_BASELINE, 1);
    struct kernel_output *first = run_body(run, body, c);

    compare_values(run, first, ref, c);
    free_outputs(first);
}

static void check_target(const char *backend, axl_isa isa, kernel_body *body, const kernel_case *c,
                         const struct kernel_output *ref)
{
    kernel_run *run = kernel_target(backend, isa, 1);

    if (!run)
        return;
    struct kernel_output *first = run_body(run, body, c);
    compare_values(run, first, ref, c);
    for (size_t i = 0; i < sizeof thread_counts / sizeof thread_counts[0]; i++) {
        run = kernel_target(backend, isa, thread_counts[i]);
        struct kernel_output *again = run_body(run, body, c);
        compare_bits(run, again, first, c);
        free_outputs(again);
    }
    free_outputs(first);
}

void kernel_check(kernel_body *body, const kernel_case *c)
{
    kernel_run *run = kernel_target("reference", AXL_ISA_BASELINE, 1);
    struct kernel_output *ref = run_body(run, body, c);

    if (test_backend())
        check_plain(test_backend(), body, c, ref);
    for (size_t b = 0; b < sizeof backends / sizeof backends[0] && !test_backend(); b++) {
        if (c->rows * c->cols > backends[b].largest)
            continue;
        for (int isa = 0; isa < N_ISAS && backends[b].levels; isa++)
            check_target(backends[b].name, (axl_isa)isa, body, c, ref);
        if (!backends[b].levels)
            check_plain(backends[b].name, body, c, ref);
    }
    free_outputs(ref);
}

void kernel_each(kernel_body *body, const kernel_case *c)
{
    for (int isa = 0; isa < N_ISAS; isa++) {
        kernel_run *run = kernel_target("cpu", (axl_isa)isa, 2);
        if (!run)
            continue;
        const axl_matmul_plugin *plugin = run->dev->plugin;
        run->dev->plugin = NULL;
        free_outputs(run_body(run, body, c));
        run->dev->plugin = plugin;
    }
}

void kernel_check_shapes(kernel_body *body)
{
    kernel_check_shapes_with(body, NULL);
}

void kernel_check_shapes_with(kernel_body *body, const void *more)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int t = 0; t < 4; t++) {
            kernel_case c = {
                .rows = shapes[i].rows,
                .cols = shapes[i].cols,
                .dtype = t & 1 ? AXL_BF16 : AXL_F32,
                .other = t & 2 ? AXL_BF16 : AXL_F32,
                .pad = t == 1 || t == 2 ? 5 : 0,
                .more = more,
            };
            kernel_check(body, &c);
        }
    }
}

/* ---- gradients ---- */

void kernel_check_gradient(const char *name, float *x, const float *grad, int64_t n,
                           double (*loss)(const void *arg), const void *arg, double tolerance)
{
    static const double at[4] = { -2, -1, 1, 2 }, weight[4] = { 1, -8, 8, -1 };
    const double h = 0x1p-5;
    double *difference = must_alloc((size_t)n * sizeof *difference), rms = 0.0;

    for (int64_t i = 0; i < n; i++) {
        float x0 = x[i];

        difference[i] = 0.0;
        for (int k = 0; k < 4; k++) {
            x[i] = (float)(x0 + at[k] * h);
            difference[i] += weight[k] * loss(arg) / (12.0 * h);
        }
        x[i] = x0;
        rms += difference[i] * difference[i] / (double)n;
    }
    rms = sqrt(rms);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(grad[i] - difference[i]) <= tolerance * (fabs(difference[i]) + rms)))
            fail_msg("%s[%ld]: the gradient is %.7g, by differences %.7g", name, (long)i,
                     (double)grad[i], difference[i]);
    free(difference);
}
