/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_attention.c - packed sequences of odd lengths around the blocks of the kernels, heads alone
 * and in groups, odd head sizes, both types; generation, where a few queries meet a long cache;
 * windows, soft caps, sinks.
 */
#include "kernel_testing.h"

#include <math.h>

typedef struct heads {
    int64_t n_heads, n_kv_heads, head_dim;
} heads;

typedef struct lengths {
    int n_seqs;
    int32_t q[4], k[4]; /* k all 0: as many keys as queries */
} lengths;

typedef struct options {
    heads h;
    lengths l;
    int64_t window;
    float soft_cap;
    float sinks;              /* their standard deviation; 0: none */
    const float *given_sinks; /* or the sinks themselves */
} options;

static const float *some_sinks(kernel_run *run, const options *o)
{
    if (o->given_sinks)
        return kernel_put(run, o->given_sinks, (size_t)o->h.n_heads * sizeof(float));
    return o->sinks > 0.0f ? kernel_random_f32(run, o->h.n_heads, o->sinks) : NULL;
}

static axl_attention_args forward_args(kernel_run *run, const kernel_case *c, int32_t *cu)
{
    const options *o = c->more;
    int32_t *cu_q = cu, *cu_k = cu + 5;
    heads h = o->h;
    axl_attention_args a = {
        .cu_q = cu_q,
        .cu_k = cu_k,
        .n_seqs = o->l.n_seqs,
        .n_heads = h.n_heads,
        .n_kv_heads = h.n_kv_heads,
        .head_dim = h.head_dim,
        .window = o->window,
        .scale = 1.0f / sqrtf((float)h.head_dim),
        .soft_cap = o->soft_cap,
    };

    cu_q[0] = cu_k[0] = 0;
    for (int s = 0; s < o->l.n_seqs; s++) {
        cu_q[s + 1] = cu_q[s] + o->l.q[s];
        a.longest = o->l.q[s] > a.longest ? o->l.q[s] : a.longest;
        cu_k[s + 1] = cu_k[s] + (o->l.k[s] ? o->l.k[s] : o->l.q[s]);
    }
    int64_t n_q = cu_q[o->l.n_seqs], n_k = cu_k[o->l.n_seqs];
    a.q = kernel_random(run, n_q, h.n_heads * h.head_dim, c->dtype, c->pad, 1);
    a.k = kernel_random(run, n_k, h.n_kv_heads * h.head_dim, c->dtype, c->pad, 1);
    a.v = kernel_random(run, n_k, h.n_kv_heads * h.head_dim, c->dtype, c->pad, 1);
    a.out = kernel_mat(run, n_q, h.n_heads * h.head_dim, c->dtype, c->pad);
    a.lse = kernel_alloc(run, (size_t)(h.n_heads * n_q) * sizeof(float));
    a.sinks = some_sinks(run, o);
    return a;
}

/* bf16 inputs: probabilities may be rounded to bf16 before they meet v. */
static double tolerance(axl_dtype t)
{
    return t == AXL_BF16 ? 1e-2 : 5e-6;
}

static void forward_body(kernel_run *run, const kernel_case *c)
{
    int32_t cu[10];
    axl_attention_args a = forward_args(run, c, cu);

    assert_ok(run->ops->attention_forward(run->dev, &a));
    kernel_save(run, "out", a.out, tolerance(c->dtype));
    kernel_save_f32(run, "lse", a.lse, a.n_heads * a.q.rows, 5e-6);
    a.lse = NULL;
    assert_ok(run->ops->attention_forward(run->dev, &a));
    kernel_save(run, "out without lse", a.out, tolerance(c->dtype));
}

/* out and lse are the backend's own. */
static void backward_body(kernel_run *run, const kernel_case *c)
{
    int32_t cu[10];
    axl_attention_backward_args a = { .forward = forward_args(run, c, cu) };
    axl_attention_args *f = &a.forward;

    assert_ok(run->ops->attention_forward(run->dev, f));
    a.dout = kernel_random(run, f->q.rows, f->q.cols, c->dtype, c->pad, 1);
    a.dq = kernel_mat(run, f->q.rows, f->q.cols, c->dtype, c->pad);
    a.dk = kernel_mat(run, f->k.rows, f->k.cols, c->dtype, c->pad);
    a.dv = kernel_mat(run, f->k.rows, f->k.cols, c->dtype, c->pad);
    a.scratch = kernel_scratch(run, AXL_OP_attention_backward, &a, NULL);
    a.dsinks = f->sinks ? kernel_random_f32(run, f->n_heads, 1) : NULL;
    assert_ok(run->ops->attention_backward(run->dev, &a));
    kernel_save(run, "dq", a.dq, 3 * tolerance(c->dtype));
    kernel_save(run, "dk", a.dk, 3 * tolerance(c->dtype));
    kernel_save(run, "dv", a.dv, 3 * tolerance(c->dtype));
    if (a.dsinks)
        kernel_save_f32(run, "dsinks", a.dsinks, f->n_heads, 3 * tolerance(c->dtype));
}

static void check_options(kernel_body *body, const options *o, int64_t pad)
{
    heads h = o->h;
    lengths l = o->l;

    for (int t = 0; t < 2; t++) {
        kernel_case c = { .dtype = t ? AXL_BF16 : AXL_F32, .pad = pad, .more = o };
        for (int s = 0; s < l.n_seqs; s++)
            c.rows += l.q[s];
        c.cols = h.n_heads * h.head_dim;
        c.other = c.dtype;
        kernel_check(body, &c);
    }
}

static void check_window(kernel_body *body, heads h, lengths l, int64_t pad, int64_t window)
{
    check_options(body, &(options){ .h = h, .l = l, .window = window }, pad);
}

static void check(kernel_body *body, heads h, lengths l, int64_t pad)
{
    check_window(body, h, l, pad, 0);
}

static const heads some_heads[] = {
    { 1, 1, 1 }, { 2, 2, 3 }, { 3, 1, 33 }, { 9, 3, 64 }, { 2, 1, 80 }, { 4, 4, 8 },
};

static const lengths some_lengths[] = {
    { 1, { 1 }, { 0 } },
    { 3, { 5, 1, 33 }, { 0 } },
    { 2, { 97, 66 }, { 0 } },
};

static void test_attention__forward(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof some_heads / sizeof some_heads[0]; i++)
        for (size_t l = 0; l < sizeof some_lengths / sizeof some_lengths[0]; l++)
            check(forward_body, some_heads[i], some_lengths[l], l == 1 ? 3 : 0);
}

/* A query alone has a dq of nothing but rounding: not compared. */
static void test_attention__backward(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof some_heads / sizeof some_heads[0]; i++)
        for (size_t l = 1; l < sizeof some_lengths / sizeof some_lengths[0]; l++)
            check(backward_body, some_heads[i], some_lengths[l], l == 1 ? 3 : 0);
}

static void test_attention__long_sequence(void **state)
{
    (void)state;
    check(forward_body, (heads){ 2, 1, 16 }, (lengths){ 1, { 389 }, { 0 } }, 0);
    check(backward_body, (heads){ 2, 1, 16 }, (lengths){ 1, { 389 }, { 0 } }, 0);
}

static void test_attention__large_heads_and_groups(void **state)
{
    (void)state;
    check(forward_body, (heads){ 1, 1, 256 }, (lengths){ 1, { 70 }, { 0 } }, 0);
    check(backward_body, (heads){ 1, 1, 256 }, (lengths){ 1, { 70 }, { 0 } }, 0);
    check(forward_body, (heads){ 1, 1, 511 }, (lengths){ 1, { 99 }, { 0 } }, 1);
    check(backward_body, (heads){ 1, 1, 511 }, (lengths){ 1, { 99 }, { 0 } }, 1);
    check(forward_body, (heads){ 21, 1, 4 }, (lengths){ 1, { 40 }, { 0 } }, 0);
    check(backward_body, (heads){ 21, 1, 4 }, (lengths){ 1, { 40 }, { 0 } }, 0);
}

static void test_attention__more_keys_than_queries(void **state)
{
    (void)state;
    check(forward_body, (heads){ 9, 3, 64 }, (lengths){ 3, { 1, 1, 2 }, { 1, 300, 77 } }, 0);
    check(forward_body, (heads){ 4, 2, 20 }, (lengths){ 2, { 70, 3 }, { 200, 3 } }, 4);
    check(forward_body, (heads){ 2, 1, 16 }, (lengths){ 1, { 1 }, { 4097 } }, 0);
}

/* Windows around the vectors, strips and blocks of the kernels.  Of one or two keys the output
 * alone: in bf16 little but rounding is left of dq then. */
static void test_attention__window(void **state)
{
    static const int64_t windows[] = { 1, 2, 7, 15, 33, 64, 97, 255, 256, 300, 388, 389, 1000 };
    static const lengths l[] = { { 3, { 5, 1, 33 }, { 0 } }, { 2, { 389, 70 }, { 0 } } };

    (void)state;
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        for (int i = 0; i < 2; i++) {
            check_window(forward_body, (heads){ 3, 1, 24 }, l[i], i, windows[w]);
            if (windows[w] > 2)
                check_window(backward_body, (heads){ 3, 1, 24 }, l[i], i, windows[w]);
        }
    }
    check_window(forward_body, (heads){ 1, 1, 511 }, (lengths){ 1, { 203 }, { 0 } }, 1, 99);
    check_window(backward_body, (heads){ 1, 1, 511 }, (lengths){ 1, { 203 }, { 0 } }, 1, 99);
}

static void test_attention__window_over_more_keys_than_queries(void **state)
{
    (void)state;
    check_window(forward_body, (heads){ 9, 3, 64 }, (lengths){ 3, { 1, 1, 2 }, { 1, 300, 77 } }, 0,
                 40);
    check_window(forward_body, (heads){ 4, 2, 20 }, (lengths){ 2, { 70, 3 }, { 200, 3 } }, 4, 90);
    check_window(forward_body, (heads){ 2, 1, 16 }, (lengths){ 1, { 1 }, { 4097 } }, 0, 513);
}

/* Caps that bend all scores, and one that bends few; with windows around the blocks. */
static void test_attention__soft_cap(void **state)
{
    static const float caps[] = { 1.0f, 3.0f, 50.0f };
    static const int64_t windows[] = { 0, 33, 300 };
    static const options some[] = {
        { .h = { 9, 3, 64 }, .l = { 3, { 5, 1, 33 }, { 0 } } },
        { .h = { 3, 1, 24 }, .l = { 2, { 301, 70 }, { 0 } } },
        { .h = { 2, 1, 256 }, .l = { 1, { 203 }, { 0 } } },
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            options o = some[i];
            o.soft_cap = caps[k];
            o.window = windows[(i + k) % 3];
            check_options(forward_body, &o, (int64_t)i % 2);
            check_options(backward_body, &o, (int64_t)i % 2);
        }
    }
    check_options(forward_body,
                  &(options){ { 9, 3, 64 }, { 3, { 1, 1, 2 }, { 1, 300, 77 } }, 40, 0.7f, 0, NULL },
                  0);
}

/* Sinks among the scores, and ones that leave next to nothing to the values or get next to nothing
 * themselves. */
static void test_attention__sinks(void **state)
{
    static const options some[] = {
        { { 9, 3, 64 }, { 3, { 5, 1, 33 }, { 0 } }, 0, 0, 2, NULL },
        { { 8, 1, 64 }, { 2, { 301, 70 }, { 0 } }, 128, 0, 1, NULL },
        { { 2, 1, 128 }, { 1, { 203 }, { 0 } }, 0, 0, 3, NULL },
        { { 4, 2, 128 }, { 2, { 97, 66 }, { 0 } }, 33, 3, 2, NULL },
        { { 3, 1, 24 }, { 2, { 389, 70 }, { 0 } }, 300, 0, 20, NULL },
        { { 2, 1, 256 }, { 1, { 70 }, { 0 } }, 0, 1, 1, NULL },
        { { 1, 1, 511 }, { 1, { 99 }, { 0 } }, 0, 0, 3, NULL },
        { { 21, 1, 4 }, { 1, { 40 }, { 0 } }, 7, 0, 2, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        check_options(forward_body, &some[i], (int64_t)i / 6);
        check_options(backward_body, &some[i], (int64_t)i / 6);
    }
}

static void test_attention__sinks_over_more_keys_than_queries(void **state)
{
    static const options some[] = {
        { { 9, 3, 64 }, { 3, { 1, 1, 2 }, { 1, 300, 77 } }, 40, 0, 2, NULL },
        { { 4, 2, 128 }, { 2, { 70, 3 }, { 200, 40 } }, 0, 0.7f, 1, NULL },
        { { 2, 1, 16 }, { 1, { 1 }, { 4097 } }, 513, 0, 8, NULL },
        { { 2, 1, 16 }, { 1, { 1 }, { 4097 } }, 0, 0, 8, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        check_options(forward_body, &some[i], (int64_t)i / 3);
}

/* A sink of -infinity is none. */
static void test_attention__sinks_that_are_not_finite(void **state)
{
    static const float sinks[] = { -INFINITY, NAN, INFINITY, 1.0f };
    static const options some[] = {
        { { 4, 2, 64 }, { 2, { 33, 70 }, { 0 } }, 0, 0, 0, sinks },
        { { 4, 1, 24 }, { 2, { 5, 150 }, { 0 } }, 20, 0, 0, sinks },
    };

    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        check_options(forward_body, &some[i], 0);
        check_options(backward_body, &some[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention__forward),
        cmocka_unit_test(test_attention__backward),
        cmocka_unit_test(test_attention__long_sequence),
        cmocka_unit_test(test_attention__large_heads_and_groups),
        cmocka_unit_test(test_attention__more_keys_than_queries),
        cmocka_unit_test(test_attention__window),
        cmocka_unit_test(test_attention__soft_cap),
        cmocka_unit_test(test_attention__window_over_more_keys_than_queries),
        cmocka_unit_test(test_attention__sinks),
        cmocka_unit_test(test_attention__sinks_over_more_keys_than_queries),
        cmocka_unit_test(test_attention__sinks_that_are_not_finite),
    };

    return test_run(tests);
}
