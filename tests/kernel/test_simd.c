/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_simd.c - the vectors that the CPU kernels are written in, compiled once per instruction set
 * as they are; a set that the processor lacks is skipped.
 */
#include "testing.h"

#include "base/isa.h"
#include "kernels/cpu/simd.h"

#include <math.h>

#define STRING2(x) #x
#define STRING(x) STRING2(x)

/* Odd, so that all endings of a float's bits are met: some 600,000 floats. */
enum { STRIDE = 7001 };

static double ulps(float y, double exact)
{
    int e;

    frexp(exact, &e);
    return fabs(y - exact) / ldexp(1.0, (e < -125 ? -125 : e) - 24);
}

static float exp_of(float x)
{
    float y[VF_N];

    vf_store(y, vf_exp(vf_set1(x)));
    return y[0];
}

static void test_simd__exp_within_2_ulps(void **state)
{
    double worst = 0.0;
    float at = 0.0f;

    (void)state;
    for (uint64_t u = 0; u <= UINT32_MAX; u += STRIDE) {
        float x = axl__bits_float((uint32_t)u);
        if (!(x > -104.0f && x < 88.72f))
            continue;
        double error = ulps(exp_of(x), exp(x));
        if (error > worst) {
            worst = error;
            at = x;
        }
    }
    printf("exp: %.2f units in the last place at %.9g\n", worst, (double)at);
    assert_true(worst < 2.0);
    assert_true(exp_of(0.0f) == 1.0f && exp_of(-0.0f) == 1.0f);
    assert_true(exp_of(-104.0f) == 0.0f && exp_of(-INFINITY) == 0.0f && exp_of(-3e38f) == 0.0f);
    assert_true(exp_of(89.0f) == INFINITY && exp_of(INFINITY) == INFINITY);
    assert_true(isnan(exp_of(NAN)) && isnan(exp_of(-NAN)));
}

static float exp2_of(float x, bool rough)
{
    float y[VF_N];

    vf_store(y, rough ? vf_exp2(vf_set1(x), true) : vf_exp2(vf_set1(x), false));
    return y[0];
}

static void test_simd__exp2_within_2_ulps_or_roughly(void **state)
{
    double worst = 0.0, roughest = 0.0;

    (void)state;
    for (uint64_t u = 0; u <= UINT32_MAX; u += STRIDE) {
        float x = axl__bits_float((uint32_t)u);
        if (!(x > -126.0f && x < 128.0f))
            continue;
        double error = ulps(exp2_of(x, false), exp2(x)), rough = exp2_of(x, true) / exp2(x) - 1.0;
        worst = error > worst ? error : worst;
        roughest = fabs(rough) > roughest ? fabs(rough) : roughest;
    }
    printf("exp2: %.2f units in the last place, roughly %.2g\n", worst, roughest);
    assert_true(worst < 2.0);
    assert_true(roughest < 3e-6);
    for (int rough = 0; rough < 2; rough++) {
        assert_true(exp2_of(-151.0f, rough) == 0.0f && exp2_of(-INFINITY, rough) == 0.0f);
        assert_true(exp2_of(-3e38f, rough) == 0.0f && isnan(exp2_of(NAN, rough)));
    }
}

static float tanh_of(float x)
{
    float y[VF_N];

    vf_store(y, vf_tanh(vf_set1(x)));
    return y[0];
}

static float tanh_of_small(float x, bool rough)
{
    float y[VF_N];

    vf_store(y, rough ? vf_tanh_small(vf_set1(x), true) : vf_tanh_small(vf_set1(x), false));
    return y[0];
}

static void test_simd__tanh_within_6_ulps_or_roughly(void **state)
{
    double worst = 0.0, worst_small = 0.0, roughest = 0.0;

    (void)state;
    for (uint64_t u = 0; u <= UINT32_MAX; u += STRIDE) {
        float x = axl__bits_float((uint32_t)u);
        if (!isfinite(x) || fabsf(x) < 1e-30f)
            continue;
        worst = fmax(worst, ulps(tanh_of(x), tanh(x)));
        if (fabsf(x) > 1.0f)
            continue;
        worst_small = fmax(worst_small, ulps(tanh_of_small(x, false), tanh(x)));
        roughest = fmax(roughest, fabs(tanh_of_small(x, true) / tanh(x) - 1.0));
    }
    printf("tanh: %.2f units in the last place, of small ones %.2f, roughly %.2g\n", worst,
           worst_small, roughest);
    assert_true(worst < 6.0 && worst_small < 6.0 && roughest < 8e-6);
    assert_true(tanh_of(0.0f) == 0.0f && tanh_of(INFINITY) == 1.0f && tanh_of(-INFINITY) == -1.0f);
    assert_true(isnan(tanh_of(NAN)) && isnan(tanh_of(-NAN)));
    for (int rough = 0; rough < 2; rough++)
        assert_true(isnan(tanh_of_small(NAN, rough)) && tanh_of_small(0.0f, rough) == 0.0f);
}

/* What it says of |x| <= 125.5, and what vf_within keeps there. */
static void test_simd__exp2_near_is_exp2(void **state)
{
    float y[VF_N], z[VF_N];

    (void)state;
    for (int rough = 0; rough < 2; rough++) {
        for (float x = -140.0f; x < 140.0f; x += 0.0137f) {
            float within = fminf(125.5f, fmaxf(-125.5f, x));
            vf v = vf_within(vf_set1(x), 125.5f);
            vf_store(z, v);
            vf_store(y, rough ? vf_exp2_near(v, true) : vf_exp2_near(v, false));
            assert_true(z[0] == within && y[0] == exp2_of(within, rough));
        }
    }
    assert_true(vf_all_within(vf_set1(2.0f), 2.0f) && !vf_all_within(vf_set1(2.1f), 2.0f));
    assert_false(vf_all_within(vf_set1(NAN), 2.0f));
    vf_store(y, vf_exp2_near(vf_set1(NAN), false));
    vf_store(z, vf_within(vf_set1(NAN), 3.0f));
    assert_true(isnan(y[0]) && (isnan(z[0]) || z[0] == 3.0f));
}

static void test_simd__bf16_is_that_of_dtype_h(void **state)
{
    float x[VF_N];
    uint16_t y[VF_N + 1];

    (void)state;
    for (uint64_t u = 0; u + VF_N * 977 <= UINT32_MAX; u += STRIDE * VF_N) {
        for (int k = 0; k < VF_N; k++)
            x[k] = axl__bits_float((uint32_t)u + (uint32_t)k * 977);
        int64_t n = (int64_t)(u / 3 % VF_N);
        memset(y, 0xAB, sizeof y);
        vf_store_bf16(y, vf_load(x));
        for (int k = 0; k < VF_N; k++)
            assert_int_equal(y[k], axl__f32_to_bf16(x[k]));
        memset(y, 0xAB, sizeof y);
        vf_store_bf16_n(y, vf_load(x), n);
        for (int64_t k = 0; k <= VF_N; k++)
            assert_int_equal(y[k], k < n ? axl__f32_to_bf16(x[k]) : 0xABAB);
        vf_store(x, vf_load_bf16_n(y, n));
        for (int64_t k = 0; k < VF_N; k++)
            assert_int_equal(axl__float_bits(x[k]), k < n ? (uint32_t)y[k] << 16 : 0);
    }
}

static void test_simd__part_of_a_vector(void **state)
{
    float x[VF_N + 1], y[VF_N + 1];

    (void)state;
    for (int n = 0; n < VF_N; n++) {
        for (int k = 0; k <= VF_N; k++) {
            x[k] = (float)(k + 1);
            y[k] = -1.0f;
        }
        vf_store_n(y, vf_load(x), n);
        for (int k = 0; k <= VF_N; k++)
            assert_true(y[k] == (k < n ? x[k] : -1.0f));
        vf_store(y, vf_load_n(x, n));
        for (int k = 0; k < VF_N; k++)
            assert_true(y[k] == (k < n ? x[k] : 0.0f));
    }
}

static void test_simd__lanes(void **state)
{
    float x[VF_N], y[VF_N];
    double sum = 0.0;

    (void)state;
    for (int k = 0; k < VF_N; k++) {
        x[k] = (float)(k * 5 % VF_N) - 2.5f;
        sum += x[k];
    }
    assert_true(vf_sum(vf_load(x)) == (float)sum);
    assert_true(vf_hmax(vf_load(x)) == (float)VF_N - 3.5f);
    vf_store(y, vf_blend_lt(vf_load(x), vf_zero(), vf_set1(1.0f), vf_set1(2.0f)));
    for (int k = 0; k < VF_N; k++)
        assert_true(y[k] == (x[k] < 0.0f ? 1.0f : 2.0f));
    vf_store(y, vf_max(vf_zero(), vf_set1(NAN)));
    assert_true(isnan(y[0])); /* the second operand */
    vf_store(y, vf_round(vf_load(x)));
    for (int k = 0; k < VF_N; k++)
        assert_true(y[k] == rintf(x[k]));
}

static void test_simd__transpose(void **state)
{
    float x[VF_N * VF_N];
    vf v[VF_N];

    (void)state;
    for (int i = 0; i < VF_N * VF_N; i++)
        x[i] = (float)i;
    for (int i = 0; i < VF_N; i++)
        v[i] = vf_load(x + i * VF_N);
    vf_transpose(v);
    for (int i = 0; i < VF_N; i++)
        vf_store(x + i * VF_N, v[i]);
    for (int i = 0; i < VF_N; i++)
        for (int j = 0; j < VF_N; j++)
            assert_true(x[i * VF_N + j] == (float)(j * VF_N + i));
}

static void test_simd__64_bit_lanes(void **state)
{
    uint64_t x[VW_N], y[VW_N], product[VW_N], zipped[2 * VW_N];
    vw a, b, p;

    (void)state;
    for (int k = 0; k < VW_N; k++) {
        x[k] = 0xDEADBEEF87654321 * (uint64_t)(k + 1);
        y[k] = 0x123456789ABCDEF1 * (uint64_t)(k + 3);
    }
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    p = vw_mul_low(a, b);
    memcpy(product, &p, sizeof p);
    vw_zip_store(zipped, a, b);
    for (int k = 0; k < VW_N; k++) {
        assert_true(product[k] == (x[k] & 0xFFFFFFFF) * (y[k] & 0xFFFFFFFF));
        assert_true(zipped[2 * k] == x[k] && zipped[2 * k + 1] == y[k]);
    }
}

/* Every code in every place. */
static void test_simd__tables(void **state)
{
    float table[16], got[VF_N], pairs[VF_N];
    uint8_t codes[VF_N];

    (void)state;
    for (int k = 0; k < 16; k++)
        table[k] = (float)(k * k) - 40.0f;
    for (int c = 0; c < 256; c++) {
        for (int k = 0; k < VF_N; k++)
            codes[k] = (uint8_t)(c + k * 37);
        vf_store(got, vt_look_up(vt_load(table), codes));
        for (int k = 0; k < VF_N; k++)
            assert_true(got[k] == table[codes[k / 2] >> (k % 2 ? 0 : 4) & 15]);
        vf_store(pairs, vp_look_up(vp_load(table), codes));
        for (int k = 0; k < VF_N && VF_HAS_DOT_BF16; k++)
            assert_int_equal(axl__float_bits(pairs[k]),
                             (uint32_t)axl__f32_to_bf16(table[codes[k] >> 4]) |
                                 (uint32_t)axl__f32_to_bf16(table[codes[k] & 15]) << 16);
        vf_store(got, vf_load_i8((const int8_t *)codes));
        for (int k = 0; k < VF_N; k++)
            assert_true(got[k] == (float)(int8_t)codes[k]);
    }
}

int main(void)
{
    /* static: nothing of this set runs before the check */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simd__exp_within_2_ulps),
        cmocka_unit_test(test_simd__exp2_within_2_ulps_or_roughly),
        cmocka_unit_test(test_simd__tanh_within_6_ulps_or_roughly),
        cmocka_unit_test(test_simd__exp2_near_is_exp2),
        cmocka_unit_test(test_simd__bf16_is_that_of_dtype_h),
        cmocka_unit_test(test_simd__part_of_a_vector),
        cmocka_unit_test(test_simd__lanes),
        cmocka_unit_test(test_simd__transpose),
        cmocka_unit_test(test_simd__64_bit_lanes),
        cmocka_unit_test(test_simd__tables),
    };
    const int skipped = 77; /* meson's */

    if (axl__isa_parse(STRING(AXL_ISA_SUFFIX)) > (int)axl__isa_detect())
        return skipped;
    return test_run(tests);
}
