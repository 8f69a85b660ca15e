/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_quantised.c - products with quantised weights and their dequantising, against the reference
 * on every backend; and that such a product has the bits of the same kernel's product with the
 * dequantised weight.
 */
#include "kernel_testing.h"

#include "tensor/quantise.h"
#include "tensor/registry.h"

#include <math.h>

typedef struct form {
    axl_weight_kind kind;
    axl_dtype dtype; /* of the weight */
    bool nested;
    int64_t block;
} form;

static const form forms[] = {
    { AXL_WEIGHT_NF4, AXL_BF16, true, 64 },   { AXL_WEIGHT_NF4, AXL_F32, false, 64 },
    { AXL_WEIGHT_FP4, AXL_BF16, false, 128 }, { AXL_WEIGHT_FP4, AXL_F16, true, 64 },
    { AXL_WEIGHT_NF4, AXL_F32, true, 32 },    { AXL_WEIGHT_INT8, AXL_BF16, false, 0 },
    { AXL_WEIGHT_INT8, AXL_F32, false, 0 },   { AXL_WEIGHT_INT8, AXL_F16, false, 0 },
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

static void *must(void *p)
{
    assert_non_null(p);
    return p;
}

/* Scales in device memory. */
static void put_scales(kernel_run *run, axl_quantised *q, const float *scales, int64_t n,
                       bool nested)
{
    if (!nested) {
        q->scales = kernel_put(run, scales, (size_t)n * sizeof *scales);
        return;
    }
    int64_t n_scales = (n + q->scale_block - 1) / q->scale_block;
    float *outer = must(calloc((size_t)n_scales, sizeof *outer));
    uint8_t *codes = must(calloc(1, (size_t)n));
    axl__quantise_scales(codes, outer, &q->offset, scales, n, q->scale_block);
    q->scales = kernel_put(run, outer, (size_t)n_scales * sizeof *outer);
    q->scale_codes = kernel_put(run, codes, (size_t)n);
    q->scale_map = kernel_put(run, axl__quant_scale_map(), 256 * sizeof(float));
    free(outer);
    free(codes);
}

/* A weight of random numbers, their size different from row to row. */
static axl_weight quantised(kernel_run *run, const form *f, int64_t rows, int64_t cols, float scale,
                            uint64_t seed)
{
    int64_t n = rows * cols;
    bool int8 = f->kind == AXL_WEIGHT_INT8;
    int64_t n_scales = int8 ? rows : (n + f->block - 1) / f->block;
    float *x = must(calloc((size_t)n + 1, sizeof *x));
    float *scales = must(calloc((size_t)n_scales + 1, sizeof *scales));
    uint8_t *codes = must(calloc(1, (size_t)n + 1));
    axl_weight w = { .kind = f->kind,
                     .mat = { .dtype = f->dtype, .rows = rows, .cols = cols, .stride = cols },
                     .quant = { .block = f->block, .scale_block = 16 } };

    kernel_normals(x, n, seed, 1.0f);
    for (int64_t i = 0; i < n; i++)
        x[i] *= scale * (float)(1 + i / cols % 5);
    if (int8)
        axl__quantise_int8((int8_t *)codes, scales, x, AXL_F32, rows, cols);
    else
        axl__quantise_4bit(f->kind, codes, scales, x, AXL_F32, n, f->block);
    w.quant.codes = kernel_put(run, codes, (size_t)(int8 ? n : (n + 1) / 2));
    put_scales(run, &w.quant, scales, n_scales, f->nested);
    free(x);
    free(scales);
    free(codes);
    return w;
}

/* ---- dequantising ---- */

static void dequantise_body(kernel_run *run, const kernel_case *c)
{
    const form *f = c->more;
    axl_weight w = quantised(run, f, c->rows + 3, c->cols, 0.05f, 7);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    axl_dequantise_args a = { w, y, 2 };

    assert_ok(run->ops->dequantise(run->dev, &a));
    kernel_save(run, "y", y, 0);
    if (c->rows > 33)
        return;
    axl_mat all = kernel_mat(run, c->rows + 3, c->cols, c->dtype, c->pad);
    a = (axl_dequantise_args){ w, all, 0 };
    assert_ok(run->ops->dequantise(run->dev, &a));
    kernel_save(run, "all", all, 0);
}

static void test_dequantise__has_the_reference_s_bits(void **state)
{
    static const struct {
        int64_t rows, cols;
    } shapes[] = {
        { 1, 1 }, { 3, 7 }, { 5, 64 }, { 33, 50 }, { 4, 257 }, { 7, 1000 }, { 130, 96 }
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int k = 0; k < 2 * N_FORMS; k++) {
            kernel_case c = { .rows = shapes[i].rows,
                              .cols = shapes[i].cols,
                              .dtype = k % 2 ? AXL_BF16 : AXL_F32,
                              .pad = i % 2 ? 3 : 0,
                              .more = &forms[k / 2] };
            kernel_check(dequantise_body, &c);
        }
    }
}

/* ---- products ---- */

typedef struct product {
    const form *form;
    int64_t m, n, k;
    bool trans_x, trans_w;
    axl_dtype x, y, compute;
    bool more; /* a dense term and two quantised ones */
} product;

/* The weight (n,k) or (k,n). */
static axl_weight weight_of(kernel_run *run, const product *p, int64_t k, bool trans, int i)
{
    float scale = 0.3f / sqrtf((float)k);

    return trans ? quantised(run, p->form, p->n, k, scale, (uint64_t)i)
                 : quantised(run, p->form, k, p->n, scale, (uint64_t)i);
}

typedef struct made {
    axl_matmul_args args;
    axl_matmul_term more[3];
} made;

static void make_product(made *out, kernel_run *run, const product *p)
{
    axl_matmul_args *a = &out->args;

    *a = (axl_matmul_args){
        .x = p->trans_x ? kernel_random(run, p->k, p->m, p->x, 1, 1)
                        : kernel_random(run, p->m, p->k, p->x, 2, 1),
        .w = weight_of(run, p, p->k, p->trans_w, 1),
        .trans_x = p->trans_x,
        .trans_w = p->trans_w,
        .alpha = 1.0f,
        .compute = p->compute,
        .plus = kernel_random(run, p->m, p->n, p->y, 0, 1),
        .more = out->more,
        .n_more = p->more ? 3 : 0,
    };
    for (int i = 0; i < a->n_more; i++) {
        int64_t k = i == 0 ? 8 : p->k + 2 * i;
        out->more[i] =
            (axl_matmul_term){ .x = kernel_random(run, p->m, k, p->x, 0, 1), .trans_w = i == 1 };
        out->more[i].w = i == 0 ? axl__dense(kernel_random(run, k, p->n, p->x, 0, 0.3f))
                                : weight_of(run, p, k, i == 1, i + 1);
    }
    a->y = kernel_mat(run, p->m, p->n, p->y, 1);
}

/* f16 has no dense weights: its values are f32 there. */
static void make_dense(kernel_run *run, axl_weight *w)
{
    axl_dtype dtype = w->mat.dtype == AXL_BF16 ? AXL_BF16 : AXL_F32;
    axl_mat dense = kernel_mat(run, w->mat.rows, w->mat.cols, dtype, 0);
    axl_dequantise_args a = { *w, dense, 0 };

    if (w->kind == AXL_WEIGHT_DENSE)
        return;
    assert_ok(run->ops->dequantise(run->dev, &a));
    *w = axl__dense(dense);
}

static void product_body(kernel_run *run, const kernel_case *c)
{
    const product *p = c->more;
    made q;

    make_product(&q, run, p);
    assert_ok(run->ops->matmul(run->dev, &q.args));
    /* A y of bf16 may be rounded after each product. */
    kernel_save(run, "y", q.args.y,
                2e-6 * (1.0 + sqrt((double)p->k)) +
                    (q.args.y.dtype == AXL_BF16 ? (double)q.args.n_more * 0x1p-8 : 0.0));
}

static void check_product(const product *p)
{
    kernel_case c = {
        .rows = p->m, .cols = p->n, .dtype = p->x, .other = p->form->dtype, .more = p
    };

    kernel_check(product_body, &c);
}

/* Every combination of the types of x, y and the multiplication, in four steps of it. */
static product product_at(const form *f, int64_t m, int64_t n, int64_t k, int flags, int types)
{
    return (product){ .form = f,
                      .m = m,
                      .n = n,
                      .k = k,
                      .trans_x = flags & 1,
                      .trans_w = flags & 2,
                      .x = types & 1 ? AXL_BF16 : AXL_F32,
                      .y = types & 2 ? AXL_BF16 : AXL_F32,
                      .compute = types & 4 ? AXL_BF16 : AXL_F32 };
}

static void test_quantised__every_form_at_odd_sizes(void **state)
{
    static const int64_t shapes[][3] = {
        { 1, 3, 33 }, { 3, 9, 64 }, { 5, 1, 3 }, { 13, 50, 34 }, { 9, 49, 130 }, { 33, 96, 65 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int k = 0; k < N_FORMS * 4; k++) {
            int types = (int)(i + (size_t)k) % 8;
            product p =
                product_at(&forms[k / 4], shapes[i][0], shapes[i][1], shapes[i][2], k % 4, types);
            check_product(&p);
            p.more = !p.trans_x;
            if (p.more)
                check_product(&p);
        }
    }
}

static void test_quantised__blocks_of_depth_rows_and_columns(void **state)
{
    static const int64_t shapes[][3] = { { 67, 203, 1286 }, { 3, 130, 1408 }, { 70, 514, 96 } };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int k = 0; k < 8; k++) {
            product p = product_at(&forms[k / 2 * 2 % N_FORMS], shapes[i][0], shapes[i][1],
                                   shapes[i][2], k % 2 ? 2 : 0, k);
            check_product(&p);
        }
    }
}

/* ---- bits ---- */

static void same_bits(kernel_run *run, const axl_mat *y, const unsigned char *want)
{
    size_t size = (size_t)(y->rows * y->stride) * axl__dtype_size(y->dtype);
    unsigned char *got = must(malloc(size));

    assert_ok(run->ops->download(run->dev, got, y->data, size));
    assert_memory_equal(got, want, size);
    free(got);
}

static void bits_body(kernel_run *run, const kernel_case *c)
{
    const product *p = c->more;
    size_t size = (size_t)(p->m * (p->n + 1)) * axl__dtype_size(p->y);
    unsigned char *want = must(malloc(size));
    made q;

    make_product(&q, run, p);
    made dense = q;
    dense.args.more = dense.more;
    dense.args.y = kernel_mat(run, p->m, p->n, p->y, 1);
    make_dense(run, &dense.args.w);
    for (int64_t i = 0; i < q.args.n_more; i++)
        make_dense(run, &dense.more[i].w);
    q.args.scratch = kernel_scratch(run, AXL_OP_matmul, &q.args, &q.args.scratch_size);
    dense.args.scratch = q.args.scratch;
    dense.args.scratch_size = q.args.scratch_size;
    assert_ok(run->ops->matmul(run->dev, &dense.args));
    assert_ok(run->ops->download(run->dev, want, dense.args.y.data, size));
    assert_ok(run->ops->matmul(run->dev, &q.args));
    same_bits(run, &q.args.y, want);
    free(want);
}

/* Thin, small and tiled products, a deep one in parts, gradients, further terms. */
static void test_quantised__bits_of_the_dense_product(void **state)
{
    static const int64_t shapes[][3] = { { 2, 96, 256 },   { 4, 67, 1024 }, { 20, 50, 4096 },
                                         { 65, 256, 704 }, { 130, 37, 66 }, { 300, 200, 1408 },
                                         { 33, 130, 77 } };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int k = 0; k < N_FORMS * 8; k += i < 3 ? 1 : 5) {
            int flags = (k + (int)i) % 4;
            product p =
                product_at(&forms[k / 8], shapes[i][0], shapes[i][1], shapes[i][2], flags, k % 8);
            p.more = k % 3 == 0 && !p.trans_x;
            kernel_case c = { .rows = p.m, .cols = p.n, .more = &p };
            kernel_each(bits_body, &c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dequantise__has_the_reference_s_bits),
        cmocka_unit_test(test_quantised__every_form_at_odd_sizes),
        cmocka_unit_test(test_quantised__blocks_of_depth_rows_and_columns),
        cmocka_unit_test(test_quantised__bits_of_the_dense_product),
    };

    return test_run(tests);
}
