/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_matmul.c - every transposition and type at odd sizes; the shapes of a linear layer with an
 * adapter; the ways that a product may take (tiles, few rows, packed or in place).
 */
#include "kernel_testing.h"

#include "tensor/registry.h"

#include <math.h>

typedef struct shape {
    int64_t m, n, k;
} shape;

typedef struct options {
    shape s;
    bool trans_x, trans_w;
    axl_dtype y, compute;
    float alpha, beta;
} options;

/* y, to be written or added to, and where nothing is, sometimes another matrix that is. */
static void make_output(kernel_run *run, const kernel_case *c, axl_matmul_args *a)
{
    const options *o = c->more;

    if (o->beta != 0.0f) {
        a->y = kernel_random(run, o->s.m, o->s.n, o->y, c->pad, 1);
        return;
    }
    a->y = kernel_mat(run, o->s.m, o->s.n, o->y, c->pad); /* NaNs that are not read */
    if (c->dtype == c->other)
        a->plus = kernel_random(run, o->s.m, o->s.n, o->y, c->pad + 1, 1);
}

/* rows, cols of the case are unused; dtype is x's, other w's. */
static void matmul_body(kernel_run *run, const kernel_case *c)
{
    const options *o = c->more;
    shape s = o->s;
    float scale = 1.0f / sqrtf((float)(s.k ? s.k : 1));
    axl_matmul_args a = {
        .x = o->trans_x ? kernel_random(run, s.k, s.m, c->dtype, c->pad, 1)
                        : kernel_random(run, s.m, s.k, c->dtype, c->pad, 1),
        .w = axl__dense(o->trans_w ? kernel_random(run, s.n, s.k, c->other, c->pad, scale)
                                   : kernel_random(run, s.k, s.n, c->other, c->pad, scale)),
        .trans_x = o->trans_x,
        .trans_w = o->trans_w,
        .alpha = o->alpha,
        .beta = o->beta,
        .compute = o->compute,
    };

    make_output(run, c, &a);
    assert_ok(run->ops->matmul(run->dev, &a));
    /* f32 sums of k terms of size 1 / sqrt(k) */
    kernel_save(run, "y", a.y, 1e-6 * (1.0 + sqrt((double)s.k)));
}

static void check(shape s, int flags, int types, float alpha, float beta, int64_t pad)
{
    options o = {
        s,     flags & 1, flags & 2, types & 4 ? AXL_BF16 : AXL_F32, types & 8 ? AXL_BF16 : AXL_F32,
        alpha, beta
    };
    kernel_case c = {
        .rows = s.m,
        .cols = s.n,
        .dtype = types & 1 ? AXL_BF16 : AXL_F32,
        .other = types & 2 ? AXL_BF16 : AXL_F32,
        .pad = pad,
        .more = &o,
    };
    kernel_check(matmul_body, &c);
}

static void test_matmul__every_form_at_odd_sizes(void **state)
{
    static const shape shapes[] = {
        { 1, 1, 1 },  { 1, 3, 33 },   { 3, 33, 1 },  { 5, 1, 3 },
        { 33, 7, 5 }, { 13, 50, 34 }, { 9, 49, 65 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int flags = 0; flags < 4; flags++)
            for (int types = 0; types < 16; types++)
                check(shapes[i], flags, types, i % 2 ? 0.5f : 1.0f, types % 3 ? 0.0f : 1.0f,
                      i % 3 ? 5 : 0);
}

static void test_matmul__blocks_of_depth_rows_and_columns(void **state)
{
    static const shape shapes[] = {
        { 3, 5, 4097 }, { 259, 7, 33 }, { 2, 4097, 35 }, { 67, 203, 1283 }
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int flags = 0; flags < 4; flags++)
            for (int types = 0; types < 16; types += i == 3 ? 5 : 1)
                check(shapes[i], flags, types, 1.0f, types % 2 ? 1.0f : 0.0f, flags == 1 ? 3 : 0);
}

/* Tiles of all 600 rows for up to three threads, of 512 for five, of 256 for eight. */
static void test_matmul__many_columns_and_tall_tiles(void **state)
{
    (void)state;
    for (int types = 0; types < 16; types += 15)
        check((shape){ 600, 7700, 5 }, 2, types, 1.0f, 0.0f, 0);
}

static void test_matmul__shapes_of_a_layer_with_lora(void **state)
{
    enum { T = 65, IN = 96, OUT = 130, R = 8 };

    (void)state;
    for (int types = 0; types < 16; types += 5) {
        check((shape){ T, OUT, IN }, 2, types, 1, 0, 0); /* y = x W^T */
        check((shape){ T, R, IN }, 2, types, 1, 0, 0);   /* h = x A^T */
        check((shape){ T, OUT, R }, 2, types, 2, 1, 0);  /* y += s h B^T */
        check((shape){ OUT, R, T }, 1, types, 2, 1, 0);  /* dB += s dy^T h */
        check((shape){ T, R, OUT }, 0, types, 2, 0, 0);  /* dh = s dy B */
        check((shape){ R, IN, T }, 1, types, 1, 1, 0);   /* dA += dh^T x */
        check((shape){ T, IN, OUT }, 0, types, 1, 0, 0); /* dx = dy W */
        check((shape){ T, IN, R }, 0, types, 1, 1, 0);   /* dx += dh A */
    }
}

/* A frozen layer with its pair, the gradient of three layers' input, and terms in other types. */
static void sum_body(kernel_run *run, const kernel_case *c)
{
    const options *o = c->more;
    shape s = o->s;
    float scale = 1.0f / sqrtf((float)s.k);
    axl_matmul_term more[3];
    axl_matmul_args a = {
        .x = kernel_random(run, s.m, s.k, c->dtype, c->pad, 1),
        .w = axl__dense(o->trans_w ? kernel_random(run, s.n, s.k, c->other, c->pad, scale)
                                   : kernel_random(run, s.k, s.n, c->other, c->pad, scale)),
        .trans_w = o->trans_w,
        .alpha = o->alpha,
        .beta = o->beta,
        .compute = o->compute,
        .more = more,
        .n_more = 3,
    };

    for (int i = 0; i < 3; i++) {
        int64_t k = i == 0 ? 16 : i == 1 ? s.k + 5 : 1;
        bool trans = i == 0;
        more[i].x = kernel_random(run, s.m, k, c->dtype, c->pad, 1);
        more[i].w = axl__dense(
            trans ? kernel_random(run, s.n, k, AXL_F32, c->pad, scale)
                  : kernel_random(run, k, s.n, i == 2 ? AXL_F32 : c->other, c->pad, scale));
        more[i].trans_w = trans;
    }
    make_output(run, c, &a);
    assert_ok(run->ops->matmul(run->dev, &a));
    /* A y of bf16 may be rounded after each product. */
    kernel_save(run, "y", a.y,
                2e-6 * (1.0 + sqrt((double)s.k)) + (a.y.dtype == AXL_BF16 ? 3 * 0x1p-8 : 0.0));
}

static void test_matmul__sums_of_products(void **state)
{
    static const shape shapes[] = { { 1, 40, 33 }, { 13, 50, 34 }, { 70, 49, 700 } };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int types = 0; types < 16; types++) {
            options o = { shapes[i],
                          false,
                          types % 3 == 0,
                          types & 4 ? AXL_BF16 : AXL_F32,
                          types & 8 ? AXL_BF16 : AXL_F32,
                          0.5f,
                          types % 2 ? 1.0f : 0.0f };
            kernel_case c = {
                .rows = shapes[i].m,
                .cols = shapes[i].n,
                .dtype = types & 1 ? AXL_BF16 : AXL_F32,
                .other = types & 2 ? AXL_BF16 : AXL_F32,
                .pad = types % 4,
                .more = &o,
            };
            kernel_check(sum_body, &c);
        }
    }
}

/* Few outputs of a long sum: y (m,n) = x w over a vocabulary. */
static void deep_body(kernel_run *run, const kernel_case *c)
{
    const shape *s = c->more;
    axl_matmul_args a = {
        .x = kernel_random(run, s->m, s->k, c->dtype, c->pad, 1),
        .w =
            axl__dense(kernel_random(run, s->k, s->n, c->dtype, c->pad, 1.0f / sqrtf((float)s->k))),
        .y = kernel_mat(run, s->m, s->n, c->other, c->pad),
        .alpha = 0.5f,
        .compute = c->dtype,
    };

    a.scratch = kernel_scratch(run, AXL_OP_matmul, &a, &a.scratch_size);
    assert_ok(run->ops->matmul(run->dev, &a));
    kernel_save(run, "y", a.y, 1e-6 * (1.0 + sqrt((double)s->k)));
}

static void test_matmul__parts_of_a_deep_product(void **state)
{
    static const shape shapes[] = { { 5, 7, 9001 }, { 20, 50, 4096 } };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int types = 0; types < 4; types++) {
            kernel_case c = {
                .rows = shapes[i].m,
                .cols = shapes[i].n,
                .dtype = types & 1 ? AXL_BF16 : AXL_F32,
                .other = types & 2 ? AXL_BF16 : AXL_F32,
                .pad = types,
                .more = &shapes[i],
            };
            kernel_check(deep_body, &c);
        }
    }
}

static void test_matmul__few_rows(void **state)
{
    (void)state;
    for (int64_t m = 1; m <= 5; m++)
        for (int types = 0; types < 16; types++)
            check((shape){ m, 67, 131 }, 2, types, 1.0f, m % 2 ? 1.0f : 0.0f, m == 3 ? 7 : 0);
}

static void test_matmul__depth_of_nothing(void **state)
{
    (void)state;
    for (int flags = 0; flags < 4; flags++) {
        check((shape){ 3, 5, 0 }, flags, 0, 1.0f, 0.0f, 1);
        check((shape){ 3, 5, 0 }, flags, 0, 1.0f, 1.0f, 1);
    }
}

/* An infinity or a NaN in a row reaches that row of y alone. */
static void special_body(kernel_run *run, const kernel_case *c)
{
    const shape *s = c->more;
    axl_mat x = kernel_random(run, s->m, s->k, AXL_F32, 0, 1);
    axl_mat w = kernel_random(run, s->n, s->k, AXL_F32, 0, 1);
    axl_mat y = kernel_mat(run, s->m, s->n, AXL_F32, 0);
    float inf = INFINITY, nan = NAN;

    assert_ok(run->ops->upload(run->dev, (float *)x.data + (s->m - 1) * s->k, &inf, sizeof inf));
    assert_ok(run->ops->upload(run->dev, (float *)x.data + s->k - 1, &nan, sizeof nan));
    axl_matmul_args a = {
        .x = x, .w = axl__dense(w), .y = y, .trans_w = true, .alpha = 1, .compute = c->dtype
    };
    assert_ok(run->ops->matmul(run->dev, &a));
    kernel_save(run, "y", y, 1e-5);
}

static void test_matmul__infinities_stay_in_their_rows(void **state)
{
    static const shape shapes[] = { { 3, 9, 33 }, { 12, 9, 33 }, { 12, 50, 7 } };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        kernel_case c = { .rows = shapes[i].m, .cols = shapes[i].n, .more = &shapes[i] };
        kernel_check(special_body, &c);
        c.dtype = AXL_BF16;
        kernel_check(special_body, &c);
    }
}

static void test_matmul__stops_when_cancelled(void **state)
{
    kernel_run *run = kernel_target("cpu", AXL_ISA_BASELINE, 2);
    float x[64 * 64] = { 0 }, y[64 * 64];
    axl_mat m = { x, AXL_F32, 64, 64, 64 }, out = { y, AXL_F32, 64, 64, 64 };
    axl_matmul_args a = {
        .x = m, .w = axl__dense(m), .y = out, .trans_w = true, .alpha = 1, .compute = AXL_F32
    };
    axl_cancel *cancel;

    (void)state;
    assert_ok(axl_cancel_new(&cancel, run->ctx));
    axl_cancel_raise(cancel);
    assert_int_equal(run->ops->matmul(run->dev, &a), AXL_ERR_CANCELLED);
    axl_cancel_clear(cancel);
    assert_ok(run->ops->matmul(run->dev, &a));
    axl_cancel_free(cancel);
}

/* A weight that the backend cannot read is an error, not another matrix. */
static void test_matmul__refuses_unknown_weights(void **state)
{
    static const char *const backends[] = { "cpu", "reference" };
    float one[1] = { 1.0f };
    axl_mat m = { one, AXL_F32, 1, 1, 1 };
    axl_matmul_term more = { m, axl__dense(m), false };
    axl_matmul_args a = { .x = m, .w = axl__dense(m), .y = m, .alpha = 1, .more = &more };

    (void)state;
    axl_context *ctx = test_context();
    for (int i = 0; i < 4; i++) {
        const axl_backend_ops *ops;
        axl_device *dev;
        assert_ok(axl__device_get(&ops, &dev, ctx, backends[i / 2], 0));
        a.w.kind = i % 2 ? AXL_WEIGHT_DENSE : (axl_weight_kind)99;
        more.w.kind = i % 2 ? (axl_weight_kind)99 : AXL_WEIGHT_DENSE;
        a.n_more = 1;
        assert_fails(ops->matmul(dev, &a), AXL_ERR_UNSUPPORTED,
                     "takes dense, nf4, fp4 and int8 weights, not 99");
        axl__device_put(ctx, ops, dev);
    }
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul__refuses_unknown_weights),
        cmocka_unit_test(test_matmul__every_form_at_odd_sizes),
        cmocka_unit_test(test_matmul__blocks_of_depth_rows_and_columns),
        cmocka_unit_test(test_matmul__many_columns_and_tall_tiles),
        cmocka_unit_test(test_matmul__shapes_of_a_layer_with_lora),
        cmocka_unit_test(test_matmul__sums_of_products),
        cmocka_unit_test(test_matmul__parts_of_a_deep_product),
        cmocka_unit_test(test_matmul__few_rows),
        cmocka_unit_test(test_matmul__depth_of_nothing),
        cmocka_unit_test(test_matmul__infinities_stay_in_their_rows),
        cmocka_unit_test(test_matmul__stops_when_cancelled),
    };

    return test_run(tests);
}
