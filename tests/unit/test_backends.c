/* SPDX-License-Identifier: Apache-2.0 */
/* test_backends.c - backends by name, tables of other sizes, devices that are shared. */
#include "testing.h"

#include "tensor/counting.h"
#include "tensor/registry.h"

static void test_backends__by_name(void **state)
{
    axl_context *ctx = test_context();
    const axl_backend_ops *ops;

    (void)state;
    assert_ok(axl__backend_find(&ops, ctx, "cpu"));
    assert_ptr_equal(ops, &axl__backend_cpu);
    assert_fails(axl__backend_find(&ops, ctx, "no_such"), AXL_ERR_NOT_FOUND,
                 "there is no backend \"no_such\": this build has cpu and reference, and the "
                 "folders of plugins have no libaxl-no_such.so.0");
    assert_fails(axl__backend_find(&ops, ctx, "../x"), AXL_ERR_INVALID, "no name of a backend");
    assert_fails(axl__backend_find(&ops, ctx, ""), AXL_ERR_INVALID, "no name of a backend");
    axl_context_free(ctx);
}

static axl_status append(void *arg, const char *name)
{
    strcat(strcat(arg, name), " ");
    return AXL_OK;
}

static void test_backends__are_listed(void **state)
{
    axl_context *ctx = test_context();
    char all[256] = "";

    (void)state;
    assert_ok(axl__backend_each(ctx, append, all));
    assert_memory_equal(all, "cpu reference ", 14);
    axl_context_free(ctx);
}

/* ---- tables of plugins ---- */

static void test_backends__an_older_table_works_where_it_has_what_it_must(void **state)
{
    axl_backend_ops older = axl__backend_reference, ops;
    axl_lion_args none = { 0 };

    (void)state;
    older.lion = NULL; /* of a setting */
    assert_ok(axl__backend_adopt(&ops, &older, "libaxl-x.so.0"));
    assert_false(axl__backend_supports(&ops, AXL_OP_lion));
    assert_true(axl__backend_supports(&ops, AXL_OP_sum));
    assert_int_equal(ops.size, sizeof ops);
    assert_fails(ops.lion(NULL, &none), AXL_ERR_UNSUPPORTED, "no operation lion");

    older.size = offsetof(axl_backend_ops, sum); /* appended later, and training needs it */
    older.version = "0.0.9";
    assert_fails(axl__backend_adopt(&ops, &older, "libaxl-x.so.0"), AXL_ERR_ABI,
                 "libaxl-x.so.0 has no operation sum: it is of axl 0.0.9 (backend ABI ");
}

static void test_backends__tables_that_do_not_fit(void **state)
{
    struct {
        axl_backend_ops ops;
        void *later;
    } newer = { axl__backend_reference, NULL };
    axl_backend_ops ops;

    (void)state;
    newer.ops.size = sizeof newer;
    assert_ok(axl__backend_adopt(&ops, &newer.ops, "libaxl-x.so.0"));
    newer.ops.abi = AXL_BACKEND_ABI + 1;
    assert_fails(axl__backend_adopt(&ops, &newer.ops, "libaxl-x.so.0"), AXL_ERR_ABI,
                 "libaxl-x.so.0 has backend ABI ");
    newer.ops.abi = AXL_BACKEND_ABI;
    newer.ops.size = 8;
    assert_fails(axl__backend_adopt(&ops, &newer.ops, "libaxl-x.so.0"), AXL_ERR_ABI,
                 "a table of 8 bytes");
}

/* ---- devices ---- */

static void test_backends__a_context_shares_its_devices(void **state)
{
    axl_context *ctx = test_context();
    const axl_backend_ops *ops, *other, *counting;
    axl_device *a, *b, *c;

    (void)state;
    assert_ok(axl__device_get(&ops, &a, ctx, "cpu", 0));
    assert_ok(axl__device_get(&ops, &b, ctx, "cpu", 0));
    assert_ptr_equal(a, b);
    assert_ok(axl__device_get(&other, &c, ctx, "reference", 0));
    assert_ptr_not_equal(a, c);
    axl__device_put(ctx, other, c);
    axl__device_put(ctx, ops, a);

    counting = ops;
    assert_ok(axl__counting_open(&counting, &b, ctx)); /* b's use is the counting device's now */
    axl__device_put(ctx, counting, b);
    assert_fails(axl__device_get(&ops, &a, ctx, "cpu", 1), AXL_ERR_INVALID, "device 0 only");
    assert_null(a);
    axl_context_free(ctx);
}

static void test_backends__devices_by_name(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    const axl_backend_ops *ops;
    axl_context *ctx;
    axl_device *dev;

    (void)state;
    o.plugin_dir = "/nowhere";
    assert_ok(axl_context_new(&ctx, &o));
    assert_ok(axl__device_get_named(&ops, &dev, ctx, "reference:0"));
    assert_string_equal(ops->name, "reference");
    axl__device_put(ctx, ops, dev);
    assert_fails(axl__device_get_named(&ops, &dev, ctx, "cpu:1"), AXL_ERR_INVALID, "device 0 only");
    assert_fails(axl__device_get_named(&ops, &dev, ctx, "cuda:first"), AXL_ERR_INVALID,
                 "\"cuda:first\" is no device: one is auto, cpu, cuda, or cuda:1 for the second");
    assert_fails(axl__device_get_named(&ops, &dev, ctx, "cuda:-1"), AXL_ERR_INVALID,
                 "is no device");
    axl_status status = axl__device_get_named(&ops, &dev, ctx, "auto");
    assert_ok(status); /* a GPU, or the CPU where there is none */
    assert_true(strcmp(ops->name, "cuda") == 0 || strcmp(ops->name, "cpu") == 0);
    axl__device_put(ctx, ops, dev);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backends__by_name),
        cmocka_unit_test(test_backends__are_listed),
        cmocka_unit_test(test_backends__an_older_table_works_where_it_has_what_it_must),
        cmocka_unit_test(test_backends__tables_that_do_not_fit),
        cmocka_unit_test(test_backends__a_context_shares_its_devices),
        cmocka_unit_test(test_backends__devices_by_name),
    };

    return test_run(tests);
}
