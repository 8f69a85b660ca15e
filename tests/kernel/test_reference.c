/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reference.c - the references against what they do not share code with: each backward against
 * finite differences of its forward, AdamW against PyTorch's, attention with sinks against that of
 * transformers, dropout against its own definition.  The scalar that is differentiated is
 * sum(y * r) for a random r, so that dy is r.
 */
#include "kernel_testing.h"

#include "base/json.h"
#include "base/os.h"
#include "base/rng.h"
#include "kernels/adamw/adamw.h"
#include "kernels/attention/attention.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/dropout/dropout.h"
#include "kernels/glu/glu.h"
#include "kernels/mat.h"
#include "kernels/matmul/matmul.h"
#include "kernels/noise/noise.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rope/rope.h"
#include "kernels/soft_cap/soft_cap.h"

#include <math.h>

/* f32 outputs and steps of 2^-5 leave about 2e-5. */
static const double TOLERANCE = 2e-4;

static axl_mat f32(float *data, int64_t rows, int64_t cols)
{
    return (axl_mat){ data, AXL_F32, rows, cols, cols };
}

static double dot(const float *x, const float *y, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

static void read_floats(float *out, const axl__json *array, uint32_t n)
{
    const axl__json *child = array ? array->child : NULL;

    assert_non_null(array);
    assert_int_equal(array->count, n);
    for (uint32_t i = 0; i < n; i++, child = child->next)
        out[i] = (float)child->number;
}

/* ---- matmul: y = x W^T + s (x A^T) B^T, as a linear layer with an adapter ---- */

enum { T = 5, IN = 7, OUT = 6, RANK = 3 };

struct lora {
    float x[T * IN], w[OUT * IN], a[RANK * IN], b[OUT * RANK], r[T * OUT];
};

static const float LORA_SCALE = 0.5f;

/* y = alpha op(x) op(w) + beta y in f32 */
static void matmul(axl_mat y, axl_mat x, bool trans_x, axl_mat w, bool trans_w, float alpha,
                   float beta)
{
    axl__ref_matmul(&(axl_matmul_args){ .x = x,
                                        .w = axl__dense(w),
                                        .y = y,
                                        .trans_x = trans_x,
                                        .trans_w = trans_w,
                                        .alpha = alpha,
                                        .beta = beta,
                                        .compute = AXL_F32 });
}

static double lora_loss(const void *arg)
{
    struct lora l = *(const struct lora *)arg;
    float h[T * RANK], y[T * OUT];

    matmul(f32(y, T, OUT), f32(l.x, T, IN), false, f32(l.w, OUT, IN), true, 1, 0);
    matmul(f32(h, T, RANK), f32(l.x, T, IN), false, f32(l.a, RANK, IN), true, 1, 0);
    matmul(f32(y, T, OUT), f32(h, T, RANK), false, f32(l.b, OUT, RANK), true, LORA_SCALE, 1);
    return dot(y, l.r, T * OUT);
}

static void test_reference__matmul_gradients_of_lora(void **state)
{
    static struct lora l;
    float h[T * RANK], dh[T * RANK], dx[T * IN], da[RANK * IN], db[OUT * RANK];
    axl_mat x = f32(l.x, T, IN), w = f32(l.w, OUT, IN), a = f32(l.a, RANK, IN);
    axl_mat b = f32(l.b, OUT, RANK), dy = f32(l.r, T, OUT);

    (void)state;
    kernel_normals(l.x, T * IN, 1, 1);
    kernel_normals(l.w, OUT * IN, 2, 1);
    kernel_normals(l.a, RANK * IN, 3, 1);
    kernel_normals(l.b, OUT * RANK, 4, 1);
    kernel_normals(l.r, T * OUT, 5, 1);
    memset(da, 0, sizeof da);
    memset(db, 0, sizeof db);
    matmul(f32(h, T, RANK), x, false, a, true, 1, 0);
    matmul(f32(db, OUT, RANK), dy, true, f32(h, T, RANK), false, LORA_SCALE, 1);
    matmul(f32(dh, T, RANK), dy, false, b, false, LORA_SCALE, 0);
    matmul(f32(da, RANK, IN), f32(dh, T, RANK), true, x, false, 1, 1);
    matmul(f32(dx, T, IN), dy, false, w, false, 1, 0);
    matmul(f32(dx, T, IN), f32(dh, T, RANK), false, a, false, 1, 1);
    kernel_check_gradient("dA", l.a, da, RANK * IN, lora_loss, &l, TOLERANCE);
    kernel_check_gradient("dB", l.b, db, OUT * RANK, lora_loss, &l, TOLERANCE);
    kernel_check_gradient("dx", l.x, dx, T * IN, lora_loss, &l, TOLERANCE);
}

static void test_reference__matmul_rounds_operands_for_bf16(void **state)
{
    float x[1] = { 1.0f + 0x1p-8f + 0x1p-12f }, w[1] = { 3.0f }, y[1] = { 1.0f };
    axl_matmul_args a = { .x = f32(x, 1, 1),
                          .w = axl__dense(f32(w, 1, 1)),
                          .y = f32(y, 1, 1),
                          .alpha = 1,
                          .beta = 1,
                          .compute = AXL_BF16 };

    (void)state;
    axl__ref_matmul(&a);
    assert_true(y[0] == 1.0f + 3.0f * (1.0f + 0x1p-7f));
    a.compute = AXL_F32;
    a.beta = 0;
    y[0] = NAN; /* not read */
    axl__ref_matmul(&a);
    assert_true(y[0] == 3.0f * x[0]);
}

/* ---- rms_norm ---- */

enum { NORM_T = 3, NORM_C = 9 };

struct norm {
    float x[NORM_T * NORM_C], w[NORM_C], r[NORM_T * NORM_C], rstd[NORM_T];
};

static bool norm_unit_offset;

static double norm_loss(const void *arg)
{
    struct norm n = *(const struct norm *)arg;
    float y[NORM_T * NORM_C];

    axl__ref_rms_norm_forward(&(axl_rms_norm_args){ f32(n.x, NORM_T, NORM_C),
                                                    f32(y, NORM_T, NORM_C), n.w, AXL_F32, n.rstd,
                                                    1e-2f, norm_unit_offset });
    return dot(y, n.r, NORM_T * NORM_C);
}

static void check_norm_backward(void)
{
    static struct norm n;
    float y[NORM_T * NORM_C], dx[NORM_T * NORM_C];
    axl_mat x = f32(n.x, NORM_T, NORM_C), dy = f32(n.r, NORM_T, NORM_C);

    kernel_normals(n.x, NORM_T * NORM_C, 1, 1);
    kernel_normals(n.w, NORM_C, 2, 1);
    kernel_normals(n.r, NORM_T * NORM_C, 3, 1);
    axl__ref_rms_norm_forward(&(axl_rms_norm_args){ x, f32(y, NORM_T, NORM_C), n.w, AXL_F32, n.rstd,
                                                    1e-2f, norm_unit_offset });
    for (int i = 0; i < NORM_T * NORM_C; i++)
        dx[i] = 4.0f; /* the gradient is added */
    axl__ref_rms_norm_backward(&(axl_rms_norm_backward_args){ x, dy, f32(dx, NORM_T, NORM_C), n.w,
                                                              AXL_F32, n.rstd, norm_unit_offset });
    for (int i = 0; i < NORM_T * NORM_C; i++)
        dx[i] -= 4.0f;
    kernel_check_gradient("dx", n.x, dx, NORM_T * NORM_C, norm_loss, &n, TOLERANCE);
}

static void test_reference__rms_norm_backward(void **state)
{
    (void)state;
    norm_unit_offset = true;
    check_norm_backward();
    norm_unit_offset = false;
    check_norm_backward();
}

static void test_reference__rms_norm_weight_backward(void **state)
{
    static struct norm n;
    float y[NORM_T * NORM_C], dw[NORM_C];
    axl_mat x = f32(n.x, NORM_T, NORM_C), dy = f32(n.r, NORM_T, NORM_C);

    (void)state;
    kernel_normals(n.x, NORM_T * NORM_C, 1, 1);
    kernel_normals(n.w, NORM_C, 2, 1);
    kernel_normals(n.r, NORM_T * NORM_C, 3, 1);
    axl__ref_rms_norm_forward(
        &(axl_rms_norm_args){ x, f32(y, NORM_T, NORM_C), n.w, AXL_F32, n.rstd, 1e-2f, false });
    for (int i = 0; i < NORM_C; i++)
        dw[i] = 4.0f; /* the gradient is added */
    axl__ref_rms_norm_weight_backward(&(axl_rms_norm_weight_backward_args){ x, dy, n.rstd, dw });
    for (int i = 0; i < NORM_C; i++)
        dw[i] -= 4.0f;
    kernel_check_gradient("dw", n.w, dw, NORM_C, norm_loss, &n, TOLERANCE);
}

/* ---- rope ---- */

enum { ROPE_T = 4, ROPE_H = 2, ROPE_D = 8, ROPE_N = ROPE_T * ROPE_H * ROPE_D, POSITIONS = 11 };
enum { ROPE_R = 6 }; /* what turns of a head */

static const int32_t rope_positions[ROPE_T] = { 0, 1, 10, 3 };
static float rope_cos[POSITIONS * ROPE_R / 2], rope_sin[POSITIONS * ROPE_R / 2];

static void rope(float *x, bool inverse)
{
    for (int i = 0; i < POSITIONS * ROPE_R / 2; i++) {
        double angle = (double)(i / (ROPE_R / 2)) * pow(10.0, -(double)(i % (ROPE_R / 2)));
        rope_cos[i] = (float)cos(angle);
        rope_sin[i] = (float)sin(angle);
    }
    axl__ref_rope(&(axl_rope_args){ f32(x, ROPE_T, ROPE_H * ROPE_D), rope_positions, rope_cos,
                                    rope_sin, ROPE_H, ROPE_D, ROPE_R, inverse });
}

struct rope_case {
    float x[ROPE_N], r[ROPE_N];
};

static double rope_loss(const void *arg)
{
    struct rope_case c = *(const struct rope_case *)arg;

    rope(c.x, false);
    return dot(c.x, c.r, ROPE_N);
}

static void test_reference__rope_inverse_is_the_backward(void **state)
{
    static struct rope_case c;
    float dx[ROPE_N];

    (void)state;
    kernel_normals(c.x, ROPE_N, 1, 1);
    kernel_normals(c.r, ROPE_N, 2, 1);
    memcpy(dx, c.r, sizeof dx);
    rope(dx, true);
    kernel_check_gradient("dx", c.x, dx, ROPE_N, rope_loss, &c, TOLERANCE);
}

/* ---- attention: three sequences, two query heads to a kv head ---- */

enum {
    ATT_T = 8,
    ATT_H = 4,
    ATT_G = 2,
    ATT_D = 5,
    ATT_Q = ATT_T * ATT_H * ATT_D,
    ATT_K = ATT_T * ATT_G * ATT_D
};

static const int32_t att_cu[4] = { 0, 4, 5, 8 };

struct att {
    float q[ATT_Q], k[ATT_K], v[ATT_K], r[ATT_Q], sinks[ATT_H], out[ATT_Q], lse[ATT_H * ATT_T];
};

static int64_t att_window;
static float att_soft_cap;
static bool att_sinks;

static axl_attention_args att_args(struct att *a)
{
    return (axl_attention_args){
        .q = f32(a->q, ATT_T, ATT_H * ATT_D),
        .k = f32(a->k, ATT_T, ATT_G * ATT_D),
        .v = f32(a->v, ATT_T, ATT_G * ATT_D),
        .out = f32(a->out, ATT_T, ATT_H * ATT_D),
        .lse = a->lse,
        .cu_q = att_cu,
        .cu_k = att_cu,
        .n_seqs = 3,
        .n_heads = ATT_H,
        .n_kv_heads = ATT_G,
        .head_dim = ATT_D,
        .longest = ATT_T,
        .window = att_window,
        .scale = 0.4f,
        .soft_cap = att_soft_cap,
        .sinks = att_sinks ? a->sinks : NULL,
    };
}

static double att_loss(const void *arg)
{
    struct att a = *(const struct att *)arg;
    axl_attention_args args = att_args(&a);

    axl__ref_attention_forward(&args);
    return dot(a.out, a.r, ATT_Q);
}

static void fill_attention(struct att *a)
{
    kernel_normals(a->q, ATT_Q, 1, 1);
    kernel_normals(a->k, ATT_K, 2, 1);
    kernel_normals(a->v, ATT_K, 3, 1);
    kernel_normals(a->r, ATT_Q, 4, 1);
    kernel_normals(a->sinks, ATT_H, 5, 1);
}

static void check_attention_backward(void)
{
    static struct att a;
    float dq[ATT_Q], dk[ATT_K], dv[ATT_K], scratch[ATT_H * ATT_T]; /* delta is all it keeps */
    float dsinks[ATT_H];

    fill_attention(&a);
    for (att_window = 0; att_window <= 3; att_window += 3) {
        axl_attention_backward_args b = {
            .forward = att_args(&a),
            .dout = f32(a.r, ATT_T, ATT_H * ATT_D),
            .dq = f32(dq, ATT_T, ATT_H * ATT_D),
            .dk = f32(dk, ATT_T, ATT_G * ATT_D),
            .dv = f32(dv, ATT_T, ATT_G * ATT_D),
            .scratch = scratch,
            .dsinks = att_sinks ? dsinks : NULL,
        };
        memset(dsinks, 0, sizeof dsinks);
        axl__ref_attention_forward(&b.forward);
        axl__ref_attention_backward(&b);
        kernel_check_gradient("dq", a.q, dq, ATT_Q, att_loss, &a, TOLERANCE);
        kernel_check_gradient("dk", a.k, dk, ATT_K, att_loss, &a, TOLERANCE);
        kernel_check_gradient("dv", a.v, dv, ATT_K, att_loss, &a, TOLERANCE);
        if (att_sinks)
            kernel_check_gradient("dsinks", a.sinks, dsinks, ATT_H, att_loss, &a, TOLERANCE);
    }
    att_window = 0;
}

static void test_reference__attention_backward(void **state)
{
    (void)state;
    for (int sinks = 0; sinks < 2; sinks++) {
        att_sinks = sinks;
        att_soft_cap = 0.8f; /* bends most of the scores */
        check_attention_backward();
        att_soft_cap = 0.0f;
        check_attention_backward();
    }
    att_sinks = false;
}

/* ---- attention with sinks, against that of gpt-oss in transformers ---- */

enum { SINK_T = 7, SINK_H = 4, SINK_G = 2, SINK_D = 3, SINK_Q = SINK_H * SINK_D };

static void read_rows(axl_mat y, const axl__json *c, const char *name)
{
    read_floats(y.data, axl__json_get(c, name), (uint32_t)(y.rows * y.cols));
}

/* Sums in double of f32 numbers, rounded once; their lse and delta are f32. */
static void assert_rows(axl_mat y, const axl__json *c, const char *name)
{
    float want[SINK_T * SINK_Q];

    read_floats(want, axl__json_get(c, name), (uint32_t)(y.rows * y.cols));
    for (int64_t i = 0; i < y.rows * y.cols; i++) {
        double got = (double)((const float *)y.data)[i];
        if (!(fabs(got - (double)want[i]) < 2e-6))
            fail_msg("%s[%ld] is %.9g, of transformers %.9g", name, (long)i, got, (double)want[i]);
    }
}

static void check_sinks(const axl__json *c, float scale)
{
    static const int32_t cu[2] = { 0, SINK_T };
    float wide[4][SINK_T * SINK_Q], narrow[4][SINK_T * SINK_G * SINK_D];
    float lse[SINK_H * SINK_T], scratch[SINK_H * SINK_T], sinks[SINK_H], dsinks[SINK_H] = { 0 };
    axl_mat q[4], kv[4];

    for (int i = 0; i < 4; i++) {
        q[i] = f32(wide[i], SINK_T, SINK_Q);
        kv[i] = f32(narrow[i], SINK_T, SINK_G * SINK_D);
    }
    axl_attention_backward_args a = {
        .forward = { .q = q[0],
                     .k = kv[0],
                     .v = kv[1],
                     .out = q[1],
                     .lse = lse,
                     .cu_q = cu,
                     .cu_k = cu,
                     .n_seqs = 1,
                     .n_heads = SINK_H,
                     .n_kv_heads = SINK_G,
                     .head_dim = SINK_D,
                     .longest = SINK_T,
                     .window = axl__json_int(c, "window", 0),
                     .scale = scale,
                     .sinks = sinks },
        .dout = q[2],
        .dq = q[3],
        .dk = kv[2],
        .dv = kv[3],
        .scratch = scratch,
        .dsinks = dsinks,
    };
    read_rows(q[0], c, "q");
    read_rows(kv[0], c, "k");
    read_rows(kv[1], c, "v");
    read_rows(q[2], c, "dout");
    read_rows(f32(sinks, 1, SINK_H), c, "sinks");
    axl__ref_attention_forward(&a.forward);
    axl__ref_attention_backward(&a);
    assert_rows(q[1], c, "out");
    assert_rows(f32(lse, SINK_H, SINK_T), c, "lse");
    assert_rows(q[3], c, "dq");
    assert_rows(kv[2], c, "dk");
    assert_rows(kv[3], c, "dv");
    assert_rows(f32(dsinks, 1, SINK_H), c, "dsinks");
}

static void test_reference__attention_sinks_are_those_of_transformers(void **state)
{
    axl_context *ctx = test_context();
    axl__arena arena;
    axl__json *golden;
    int n = 0;

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__json_read_file(&golden, &arena,
                                  test_source_path("tests/golden/attention_sinks.json")));
    for (const axl__json *c = axl__json_get(golden, "cases")->child; c; c = c->next, n++)
        check_sinks(c, (float)axl__json_double(golden, "scale", 0));
    assert_int_equal(n, 2);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

/* Fewer queries than keys, as in generation: the rows that a whole forward has at the end. */
static void test_reference__attention_aligns_ends(void **state)
{
    static struct att a;
    static const int32_t cu_k[2] = { 0, ATT_T }, cu_q[2] = { 0, 3 };
    enum { ROW = ATT_H * ATT_D };
    float whole[ATT_Q], tail[3 * ROW];
    axl_attention_args args;

    (void)state;
    fill_attention(&a);
    args = att_args(&a);
    args.n_seqs = 1;
    args.cu_q = args.cu_k = cu_k;
    args.lse = NULL;
    args.out.data = whole;
    axl__ref_attention_forward(&args);
    args.cu_q = cu_q;
    args.q = f32(a.q + (ATT_T - 3) * ROW, 3, ROW);
    args.out = f32(tail, 3, ROW);
    axl__ref_attention_forward(&args);
    assert_memory_equal(tail, whole + (ATT_T - 3) * ROW, sizeof tail);
}

/* The last row sees what a forward over the last keys alone sees. */
static void test_reference__attention_window(void **state)
{
    static struct att a;
    static const int32_t whole[2] = { 0, ATT_T }, query[2] = { 0, 1 }, keys[2] = { 0, 3 };
    enum { ROW = ATT_H * ATT_D, NARROW = ATT_G * ATT_D };
    float all[ATT_Q], last[ROW];

    (void)state;
    fill_attention(&a);
    axl_attention_args args = att_args(&a);
    args.n_seqs = 1;
    args.cu_q = args.cu_k = whole;
    args.window = 3;
    args.out.data = all;
    axl__ref_attention_forward(&args);
    args.window = 0;
    args.cu_q = query;
    args.cu_k = keys;
    args.q = f32(a.q + (ATT_T - 1) * ROW, 1, ROW);
    args.k = f32(a.k + (ATT_T - 3) * NARROW, 3, NARROW);
    args.v = f32(a.v + (ATT_T - 3) * NARROW, 3, NARROW);
    args.out = f32(last, 1, ROW);
    axl__ref_attention_forward(&args);
    assert_memory_equal(last, all + (ATT_T - 1) * ROW, sizeof last);
}

/* ---- glu ---- */

enum { GLU_N = 21 };

struct glu {
    float gate[GLU_N], up[GLU_N], r[GLU_N];
};

static axl_activation glu_act;

static double glu_loss(const void *arg)
{
    struct glu g = *(const struct glu *)arg;
    float y[GLU_N];

    axl__ref_glu_forward(
        &(axl_glu_args){ f32(g.gate, 3, 7), f32(g.up, 3, 7), f32(y, 3, 7), glu_act });
    return dot(y, g.r, GLU_N);
}

static void test_reference__glu_backward(void **state)
{
    static struct glu g;
    float dgate[GLU_N], dup[GLU_N];

    (void)state;
    kernel_normals(g.gate, GLU_N, 1, 2);
    kernel_normals(g.up, GLU_N, 2, 1);
    kernel_normals(g.r, GLU_N, 3, 1);
    for (glu_act = 0; glu_act < AXL_ACTIVATIONS; glu_act++) {
        memcpy(dgate, g.gate, sizeof dgate);
        memcpy(dup, g.up, sizeof dup);
        axl__ref_glu_backward(&(axl_glu_backward_args){ f32(dgate, 3, 7), f32(dup, 3, 7),
                                                        f32(g.r, 3, 7), f32(dgate, 3, 7),
                                                        f32(dup, 3, 7), glu_act }); /* in place */
        kernel_check_gradient("dgate", g.gate, dgate, GLU_N, glu_loss, &g, TOLERANCE);
        kernel_check_gradient("dup", g.up, dup, GLU_N, glu_loss, &g, TOLERANCE);
    }
}

/* Numbers of torch.nn.functional.silu, gelu and gelu(approximate="tanh") in f64, torch 2.13. */
static void test_reference__activations_are_pytorchs(void **state)
{
    static const double want[AXL_ACTIVATIONS][4] = {
        [AXL_SILU] = { -0.14227761953270035, -0.1887703343990727, 0.5093840243815447,
                       2.3103545499468914 },
        [AXL_GELU] = { -0.00404969409489031, -0.15426876936299344, 0.5800294857173489,
                       2.4844758366855597 },
        [AXL_GELU_TANH] = { -0.0036373920817729943, -0.15428599017485606, 0.5799605551656203,
                            2.484915733910001 },
    };
    float x[4] = { -3.0f, -0.5f, 0.75f, 2.5f }, ones[4] = { 1, 1, 1, 1 }, y[4];

    (void)state;
    for (axl_activation act = 0; act < AXL_ACTIVATIONS; act++) {
        axl__ref_glu_forward(&(axl_glu_args){ f32(x, 1, 4), f32(ones, 1, 4), f32(y, 1, 4), act });
        for (int i = 0; i < 4; i++)
            assert_true(fabs(y[i] - want[act][i]) < 1e-7 * fabs(want[act][i]));
    }
}

/* ---- soft_cap ---- */

struct capped {
    float x[GLU_N], r[GLU_N];
};

static double cap_loss(const void *arg)
{
    struct capped c = *(const struct capped *)arg;

    axl__ref_soft_cap_forward(&(axl_soft_cap_args){ f32(c.x, 3, 7), f32(c.x, 3, 7), 2.5f });
    return dot(c.x, c.r, GLU_N);
}

static void test_reference__soft_cap_backward(void **state)
{
    static struct capped c;
    float y[GLU_N], dx[GLU_N];

    (void)state;
    kernel_normals(c.x, GLU_N, 1, 2);
    kernel_normals(c.r, GLU_N, 2, 1);
    memcpy(dx, c.r, sizeof dx);
    axl__ref_soft_cap_forward(&(axl_soft_cap_args){ f32(c.x, 3, 7), f32(y, 3, 7), 2.5f });
    axl__ref_soft_cap_backward(&(axl_soft_cap_backward_args){ f32(y, 3, 7), f32(dx, 3, 7), 2.5f });
    kernel_check_gradient("dx", c.x, dx, GLU_N, cap_loss, &c, TOLERANCE);
}

/* ---- cross_entropy ---- */

enum { CE_N = 4, CE_V = 11 };

static const int32_t ce_targets[CE_N] = { 0, 10, 4, 4 };

static float ce_smoothing, ce_soft_cap;

static double ce_loss(const void *logits)
{
    float copy[CE_N * CE_V], losses[CE_N], ones[CE_N] = { 1, 1, 1, 1 };

    memcpy(copy, logits, sizeof copy);
    if (ce_soft_cap > 0.0f)
        axl__ref_soft_cap_forward(
            &(axl_soft_cap_args){ f32(copy, CE_N, CE_V), f32(copy, CE_N, CE_V), ce_soft_cap });
    axl__ref_cross_entropy(&(axl_cross_entropy_args){ .logits = f32(copy, CE_N, CE_V),
                                                      .targets = ce_targets,
                                                      .losses = losses,
                                                      .smoothing = ce_smoothing });
    return 0.25 * dot(losses, ones, CE_N);
}

static void test_reference__cross_entropy_backward(void **state)
{
    float logits[CE_N * CE_V], dlogits[CE_N * CE_V], losses[CE_N];
    axl_cross_entropy_args a = { f32(logits, CE_N, CE_V),
                                 f32(dlogits, CE_N, CE_V),
                                 ce_targets,
                                 losses,
                                 0.25f,
                                 0.0f,
                                 NULL,
                                 0.0f };

    (void)state;
    kernel_normals(logits, CE_N * CE_V, 1, 2);
    for (int i = 0; i < 2; i++) {
        a.smoothing = ce_smoothing = i ? 0.0f : 0.3f;
        axl__ref_cross_entropy(&a);
        kernel_check_gradient("dlogits", logits, dlogits, CE_N * CE_V, ce_loss, logits, TOLERANCE);
    }

    /* over the logits, as bf16 */
    a.dlogits = (axl_mat){ logits, AXL_BF16, CE_N, CE_V, 2 * CE_V };
    axl__ref_cross_entropy(&a);
    for (int i = 0; i < CE_N * CE_V; i++)
        assert_int_equal(((uint16_t *)logits)[i / CE_V * 2 * CE_V + i % CE_V],
                         axl__f32_to_bf16(dlogits[i]));
}

/* The gradient is that of what the cap was put on. */
static void test_reference__cross_entropy_of_capped_logits(void **state)
{
    float logits[CE_N * CE_V], capped[CE_N * CE_V], dlogits[CE_N * CE_V], losses[CE_N];

    (void)state;
    kernel_normals(logits, CE_N * CE_V, 1, 2);
    ce_soft_cap = 3.0f;
    axl__ref_soft_cap_forward(
        &(axl_soft_cap_args){ f32(logits, CE_N, CE_V), f32(capped, CE_N, CE_V), ce_soft_cap });
    axl__ref_cross_entropy(&(axl_cross_entropy_args){ .logits = f32(capped, CE_N, CE_V),
                                                      .dlogits = f32(dlogits, CE_N, CE_V),
                                                      .targets = ce_targets,
                                                      .losses = losses,
                                                      .scale = 0.25f,
                                                      .soft_cap = ce_soft_cap });
    kernel_check_gradient("dlogits", logits, dlogits, CE_N * CE_V, ce_loss, logits, TOLERANCE);
    ce_soft_cap = 0.0f;
}

static void test_reference__cross_entropy_scales_each_row(void **state)
{
    float logits[CE_N * CE_V], all[CE_N * CE_V], one[CE_N * CE_V], losses[CE_N];
    const float scales[CE_N] = { 1.0f, -0.5f, 0.0f, 4.0f };
    axl_cross_entropy_args a = { .logits = f32(logits, CE_N, CE_V),
                                 .dlogits = f32(all, CE_N, CE_V),
                                 .targets = ce_targets,
                                 .losses = losses,
                                 .scale = 0.25f,
                                 .scales = scales };

    (void)state;
    kernel_normals(logits, CE_N * CE_V, 1, 2);
    axl__ref_cross_entropy(&a);
    a.scales = NULL;
    a.dlogits = f32(one, CE_N, CE_V);
    for (int i = 0; i < CE_N; i++) {
        a.scale = 0.25f * scales[i];
        axl__ref_cross_entropy(&a);
        for (int v = i * CE_V; v < (i + 1) * CE_V; v++)
            assert_true(all[v] == one[v]);
    }
}

/* Numbers of torch.nn.functional.cross_entropy(…, label_smoothing=0.1), torch 2.13. */
static void test_reference__label_smoothing_is_pytorchs(void **state)
{
    float logits[] = { 1.0f, 2.0f, 3.5f, -1.0f, 0.25f, -3.0f, 0.5f, 4.0f }, losses[2];
    const int32_t targets[] = { 2, 0 };

    (void)state;
    axl__ref_cross_entropy(&(axl_cross_entropy_args){
        .logits = f32(logits, 2, 4), .targets = targets, .losses = losses, .smoothing = 0.1f });
    assert_true(fabs(losses[0] - 0.4873431211967275) < 1e-6);
    assert_true(fabs(losses[1] - 3.7844371605720086) < 1e-6);
}

/* ---- dropout ---- */

static void test_reference__dropout_mask_knows_its_place_only(void **state)
{
    enum { N = 4000 };
    static float ones[N], y[N], again[N], part[N];
    const uint64_t seed = 42;
    axl_dropout_args a = {
        f32(ones, 8, 500), f32(y, 8, 500), 0.25f, &seed, AXL__STREAM_DROPOUT, 0, false
    };
    int dropped = 0;

    (void)state;
    for (int i = 0; i < N; i++)
        ones[i] = again[i] = 1.0f;
    axl__ref_dropout(&a);
    for (int i = 0; i < N; i++) {
        assert_true(y[i] == 0.0f || y[i] == (float)(1.0 / 0.75));
        dropped += y[i] == 0.0f;
    }
    assert_in_range(dropped, 890, 1110); /* 1000, four standard deviations of 27 */

    a.x = a.y = f32(again, 500, 8); /* in place, another shape */
    axl__ref_dropout(&a);
    assert_memory_equal(again, y, sizeof y);
    a.x = f32(ones, 1, 100);
    a.y = f32(part, 1, 100);
    a.offset = 1200;
    axl__ref_dropout(&a);
    assert_memory_equal(part, y + 1200, 100 * sizeof *y);
    a.p = 0.0f;
    axl__ref_dropout(&a);
    assert_memory_equal(part, ones, 100 * sizeof *y);
}

/* ---- noise ---- */

static void test_reference__noise_is_uniform_and_knows_its_place_only(void **state)
{
    enum { N = 4000 };
    static float x[N], again[N], part[N];
    const uint64_t seed = 42;
    axl_noise_args a = { f32(x, 8, 500), 0.5f, &seed, AXL__STREAM_NOISE, 0 };
    double sum = 0.0, squares = 0.0;

    (void)state;
    axl__ref_noise(&a);
    for (int i = 0; i < N; i++) {
        assert_true(x[i] >= -0.5f && x[i] < 0.5f);
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    assert_true(fabs(sum / N) < 0.02 && fabs(squares / N - 1.0 / 12) < 0.005);
    a.x = f32(again, 500, 8);
    axl__ref_noise(&a);
    assert_memory_equal(again, x, sizeof x);
    a.x = f32(part, 1, 100);
    a.offset = 1203;
    axl__ref_noise(&a);
    assert_memory_equal(part, x + 1203, 100 * sizeof *x);
}

/* ---- adamw, against torch.optim.AdamW ---- */

static void assert_close(const char *name, const float *y, const axl__json *expected, uint32_t n)
{
    float want[64];

    read_floats(want, expected, n);
    for (uint32_t i = 0; i < n; i++)
        if (fabs((double)y[i] - want[i]) > 1e-6 * fabs((double)want[i]) + 1e-12)
            fail_msg("%s[%u] is %.9g, of torch %.9g", name, i, (double)y[i], (double)want[i]);
}

static void test_reference__adamw_is_that_of_torch(void **state)
{
    axl_context *ctx = test_context();
    float p[64], m[64] = { 0 }, v[64] = { 0 }, g[64];
    axl__arena arena;
    axl__file file;
    axl__json *golden;
    axl_adamw_args a = { .p = p, .m = m, .v = v, .g = g, .grad_scale = 1.0 };

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__file_open(&file, ctx, test_source_path("tests/golden/adamw.json"), true));
    assert_ok(axl__json_parse(&golden, &arena, (const char *)file.data, file.size, "adamw.json"));
    a.n = axl__json_int(golden, "n", 0);
    a.lr = axl__json_double(golden, "lr", 0);
    a.beta1 = axl__json_double(golden, "beta1", 0);
    a.beta2 = axl__json_double(golden, "beta2", 0);
    a.eps = axl__json_double(golden, "eps", 0);
    a.weight_decay = axl__json_double(golden, "weight_decay", 0);
    assert_in_range(a.n, 1, 64);
    read_floats(p, axl__json_get(golden, "p"), (uint32_t)a.n);
    for (const axl__json *s = axl__json_get(golden, "steps")->child; s; s = s->next) {
        a.step++;
        read_floats(g, axl__json_get(s, "g"), (uint32_t)a.n);
        axl__ref_adamw(&a);
        assert_close("m", m, axl__json_get(s, "m"), (uint32_t)a.n);
        assert_close("v", v, axl__json_get(s, "v"), (uint32_t)a.n);
        assert_close("p", p, axl__json_get(s, "p"), (uint32_t)a.n);
    }
    assert_int_equal(a.step, 3);
    axl__file_close(&file);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_reference__adamw_scales_the_gradient(void **state)
{
    float p[2] = { 1, 1 }, m[2] = { 0 }, v[2] = { 0 }, g[2] = { 8, -8 };
    axl_adamw_args a = { p, m, v, g, 2, 0.1, 0.5, 0.5, 0.0, 0.0, 0.125, 1 };

    (void)state;
    axl__ref_adamw(&a);
    assert_true(m[0] == 0.5f && m[1] == -0.5f && v[0] == 0.5f && v[1] == 0.5f);
    assert_true(p[0] == 0.9f && p[1] == 1.1f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference__matmul_gradients_of_lora),
        cmocka_unit_test(test_reference__matmul_rounds_operands_for_bf16),
        cmocka_unit_test(test_reference__rms_norm_backward),
        cmocka_unit_test(test_reference__rms_norm_weight_backward),
        cmocka_unit_test(test_reference__rope_inverse_is_the_backward),
        cmocka_unit_test(test_reference__attention_backward),
        cmocka_unit_test(test_reference__attention_sinks_are_those_of_transformers),
        cmocka_unit_test(test_reference__attention_aligns_ends),
        cmocka_unit_test(test_reference__attention_window),
        cmocka_unit_test(test_reference__glu_backward),
        cmocka_unit_test(test_reference__activations_are_pytorchs),
        cmocka_unit_test(test_reference__soft_cap_backward),
        cmocka_unit_test(test_reference__cross_entropy_backward),
        cmocka_unit_test(test_reference__cross_entropy_of_capped_logits),
        cmocka_unit_test(test_reference__cross_entropy_scales_each_row),
        cmocka_unit_test(test_reference__label_smoothing_is_pytorchs),
        cmocka_unit_test(test_reference__dropout_mask_knows_its_place_only),
        cmocka_unit_test(test_reference__noise_is_uniform_and_knows_its_place_only),
        cmocka_unit_test(test_reference__adamw_is_that_of_torch),
        cmocka_unit_test(test_reference__adamw_scales_the_gradient),
    };

    return test_run(tests);
}
