/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_matmul_plugin.c - the oneDNN plugin, whatever this machine would choose: against the
 * reference, the same bits on any number of threads, the OpenMP settings of the caller left alone.
 * Skipped where it was not built.
 */
#include "kernel_testing.h"

#include "base/os.h"
#include "kernels/cpu/device_cpu.h"
#include "kernels/mat.h"
#include "kernels/matmul/matmul.h"

#include <math.h>

static const char *plugin_dir(void)
{
    static char path[1024];
    const char *build = getenv("AXL_BUILD_DIR");

    snprintf(path, sizeof path, "%s/kernels", build ? build : ".");
    return path;
}

static char *plugin_path(void)
{
    static char path[1100];

    snprintf(path, sizeof path, "%s/axl-onednn.so", plugin_dir());
    return path;
}

static axl_device *open_device(uint32_t threads, const char *isa, bool no_onednn, bool force)
{
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    axl_device *dev;

    opts.threads = threads;
    opts.isa = isa;
    opts.no_onednn = no_onednn;
    opts.plugin_dir = plugin_dir();
    assert_ok(axl_context_new(&ctx, &opts));
    assert_ok(axl__backend_cpu.device_open(&dev, ctx, 0));
    axl_context_free(ctx);
    if (force) {
        axl__matmul_plugin_close(dev);
        axl__matmul_plugin_open(dev);
    }
    return dev;
}

static void require_plugin(void)
{
    if (axl__path_kind_of(plugin_path()) != AXL__PATH_FILE)
        skip();
}

typedef struct problem {
    int64_t m, n, k;
    bool trans_x, trans_w;
    axl_dtype t, y;
    float beta;
} problem;

static axl_mat random_mat(int64_t rows, int64_t cols, axl_dtype t, uint64_t seed, float scale)
{
    axl_mat m = { NULL, t, rows, cols, cols + 3 };
    int64_t n = rows * m.stride;
    float *x = malloc((size_t)n * sizeof *x);

    m.data = malloc((size_t)n * sizeof *x);
    kernel_normals(x, n, seed, scale);
    axl__convert(m.data, t, x, AXL_F32, n);
    free(x);
    return m;
}

static axl_matmul_args make(const problem *p)
{
    float scale = 1.0f / sqrtf((float)p->k);
    axl_matmul_args a = {
        .x = p->trans_x ? random_mat(p->k, p->m, p->t, 1, 1) : random_mat(p->m, p->k, p->t, 1, 1),
        .w = axl__dense(p->trans_w ? random_mat(p->n, p->k, p->t, 2, scale)
                                   : random_mat(p->k, p->n, p->t, 2, scale)),
        .y = random_mat(p->m, p->n, p->y, 3, 1),
        .trans_x = p->trans_x,
        .trans_w = p->trans_w,
        .alpha = 1,
        .beta = p->beta,
        .compute = p->t,
    };

    return a;
}

static void release(axl_matmul_args *a)
{
    free(a->x.data);
    free(a->w.mat.data);
    free(a->y.data);
}

static void check_near(const axl_matmul_args *a, const axl_matmul_args *ref)
{
    double step = a->y.dtype == AXL_BF16 ? 0x1p-7 : 0, tolerance = 1e-4;

    for (int64_t i = 0; i < a->y.rows; i++) {
        for (int64_t j = 0; j < a->y.stride; j++) {
            double y = axl__mat_get(&a->y, i, j), r = axl__mat_get(&ref->y, i, j);
            if (!(fabs(y - r) <= (j < a->y.cols ? tolerance + step * fabs(r) : 0.0)))
                fail_msg("[%ld,%ld] is %.7g, the reference %.7g", (long)i, (long)j, y, r);
        }
    }
}

static void check(axl_device *const devs[5], const problem *p)
{
    axl_matmul_args ref = make(p), first = make(p);
    size_t bytes = (size_t)(p->m * first.y.stride) * axl__dtype_size(p->y);
    bool done;

    axl__ref_matmul(&ref);
    assert_ok(axl__matmul_plugin_run(devs[0], &first, &done));
    if (!done) { /* a type that the library has not on this machine */
        release(&first);
        release(&ref);
        return;
    }
    check_near(&first, &ref);
    for (int d = 0; d < 5; d++) {
        axl_matmul_args again = make(p);
        assert_ok(axl__backend_cpu.matmul(devs[d], &again));
        assert_memory_equal(again.y.data, first.y.data, bytes);
        release(&again);
    }
    release(&first);
    release(&ref);
}

static void test_matmul_plugin__same_bits_on_any_threads(void **state)
{
    static const struct {
        int64_t m, n, k;
    } shapes[] = { { 32, 96, 96 }, { 300, 131, 98 }, { 33, 1100, 128 }, { 257, 400, 101 } };
    static const uint32_t threads[5] = { 1, 2, 3, 5, 8 };
    axl_device *devs[5];

    (void)state;
    require_plugin();
    for (int i = 0; i < 5; i++) {
        devs[i] = open_device(threads[i], NULL, false, true);
        assert_non_null(devs[i]->plugin);
    }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int form = 0; form < 8; form++)
            for (int type = 0; type < 3; type++)
                check(devs, &(problem){ shapes[i].m, shapes[i].n, shapes[i].k, form & 1, form & 2,
                                        type ? AXL_BF16 : AXL_F32, type == 2 ? AXL_BF16 : AXL_F32,
                                        form & 4 ? 1.0f : 0.0f });
    for (int i = 0; i < 5; i++)
        axl__backend_cpu.device_close(devs[i]);
}

/* What the library does not add is added to its product. */
static void test_matmul_plugin__addend_and_further_terms(void **state)
{
    problem p = { 64, 128, 128, false, true, AXL_F32, AXL_F32, 0 };
    axl_device *dev;

    (void)state;
    require_plugin();
    dev = open_device(2, NULL, false, true);
    axl_matmul_args a = make(&p), ref = make(&p);
    axl_matmul_term more = { random_mat(64, 16, AXL_F32, 4, 1),
                             axl__dense(random_mat(128, 16, AXL_F32, 5, 1)), true };
    a.more = ref.more = &more;
    a.n_more = ref.n_more = 1;
    a.plus = ref.plus = random_mat(64, 128, AXL_F32, 6, 1);
    axl__ref_matmul(&ref);
    assert_ok(axl__backend_cpu.matmul(dev, &a));
    check_near(&a, &ref);
    free(a.plus.data);
    free(more.x.data);
    free(more.w.mat.data);
    release(&a);
    release(&ref);
    axl__backend_cpu.device_close(dev);
}

static void test_matmul_plugin__thin_and_scaled_products_are_own(void **state)
{
    axl_device *dev;
    problem p = { 64, 16, 128, false, true, AXL_F32, AXL_F32, 0 };
    bool done;

    (void)state;
    require_plugin();
    dev = open_device(1, NULL, false, true);
    axl_matmul_args a = make(&p);
    assert_ok(axl__matmul_plugin_run(dev, &a, &done));
    assert_false(done);
    release(&a);
    p.n = 128;
    a = make(&p);
    a.alpha = 0.5f;
    assert_ok(axl__matmul_plugin_run(dev, &a, &done));
    assert_false(done);
    release(&a);
    axl__backend_cpu.device_close(dev);
}

static void test_matmul_plugin__not_where_forbidden_or_capped(void **state)
{
    axl_device *dev = open_device(1, NULL, true, false);
    axl_device_info info;

    (void)state;
    axl__backend_cpu.device_info(dev, &info);
    assert_string_equal(info.matmul, "axl");
    axl__backend_cpu.device_close(dev);
    if (axl__isa_detect() == AXL_ISA_BASELINE)
        return;
    dev = open_device(1, "baseline", false, false);
    axl__backend_cpu.device_info(dev, &info);
    assert_string_equal(info.matmul, "axl");
    axl__backend_cpu.device_close(dev);
}

static void test_matmul_plugin__leaves_openmp_alone(void **state)
{
    problem p = { 64, 128, 128, false, true, AXL_F32, AXL_F32, 0 };
    axl_device *dev;
    axl_device_info info;

    (void)state;
    require_plugin();
    void *lib = axl__dl_open(plugin_path());
    assert_non_null(lib);
    void *get = axl__dl_symbol(lib, "omp_get_max_threads");
    void *set = axl__dl_symbol(lib, "omp_set_num_threads");
    if (!get || !set)
        skip();
    int (*get_max)(void);
    void (*set_max)(int);
    memcpy(&get_max, &get, sizeof get);
    memcpy(&set_max, &set, sizeof set);
    set_max(3);
    dev = open_device(2, NULL, false, true);
    axl__backend_cpu.device_info(dev, &info);
    assert_int_equal(strncmp(info.matmul, "oneDNN ", 7), 0);
    axl_matmul_args a = make(&p);
    assert_ok(axl__backend_cpu.matmul(dev, &a));
    assert_int_equal(get_max(), 3);
    release(&a);
    axl__backend_cpu.device_close(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_plugin__same_bits_on_any_threads),
        cmocka_unit_test(test_matmul_plugin__addend_and_further_terms),
        cmocka_unit_test(test_matmul_plugin__thin_and_scaled_products_are_own),
        cmocka_unit_test(test_matmul_plugin__not_where_forbidden_or_capped),
        cmocka_unit_test(test_matmul_plugin__leaves_openmp_alone),
    };

    return test_run(tests);
}
