/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_quantise.c - codes, scales and values of quantised weights against those of bitsandbytes
 * (the golden of make_quantised.py), bit for bit.
 */
#include "testing.h"

#include "tensor/quant_map.h"
#include "tensor/quantise.h"
#include "tensor/safetensors.h"

#include <inttypes.h>
#include <math.h>

static const char *const dtype_names[] = {
    [AXL_F32] = "f32", [AXL_BF16] = "bf16", [AXL_F16] = "f16"
};
static const char *const kind_names[] = {
    [AXL_WEIGHT_NF4] = "nf4", [AXL_WEIGHT_FP4] = "fp4", [AXL_WEIGHT_INT8] = "int8"
};

typedef struct {
    axl_context *ctx;
    axl__safetensors golden;
} bed;

static void bed_open(bed *b)
{
    assert_ok(axl_context_new(&b->ctx, NULL));
    assert_ok(axl__safetensors_open(&b->golden, b->ctx,
                                    test_source_path("tests/golden/quantised.safetensors"), true));
}

static void bed_close(bed *b)
{
    axl__safetensors_close(&b->golden);
    axl_context_free(b->ctx);
}

/* NAME.DTYPE.KIND.what, or that of f32 where it is the same. */
static const axl__st_tensor *find(const bed *b, const char *name, axl_dtype dtype,
                                  axl_weight_kind kind, const char *what)
{
    const axl_dtype dtypes[] = { dtype, AXL_F32 };
    const axl__st_tensor *t = NULL;

    for (int i = 0; i < 2 && !t; i++) {
        char key[96];
        snprintf(key, sizeof key, "%s.%s.%s.%s", name, dtype_names[dtypes[i]], kind_names[kind],
                 what);
        t = axl__safetensors_find(&b->golden, key);
    }
    return t;
}

static void check_bytes(const bed *b, const char *name, axl_dtype dtype, axl_weight_kind kind,
                        const char *what, const void *got, size_t size)
{
    const axl__st_tensor *t = find(b, name, dtype, kind, what);

    if (!t || t->size != size || memcmp(t->data, got, size) != 0)
        fail_msg("%s of %s %s as %s: not those of the golden", what, dtype_names[dtype], name,
                 kind_names[kind]);
}

static uint64_t fnv(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t h = UINT64_C(0xCBF29CE484222325);

    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001B3);
    return h;
}

/* In odd pieces, zeros without a sign. */
static void check_values(const bed *b, const char *name, const axl_weight *w, axl_dtype dtype,
                         const char *what)
{
    int64_t n = w->mat.rows * w->mat.cols;
    float *values = calloc((size_t)n, sizeof *values);

    for (int64_t first = 0; first < n; first += 101)
        axl__dequantise(values + first, w, first, n - first < 101 ? n - first : 101);
    for (int64_t i = 0; i < n; i++)
        values[i] += 0.0f;
    uint64_t hash = fnv(values, (size_t)n * sizeof *values);
    check_bytes(b, name, dtype, w->kind, what, &hash, sizeof hash);
    free(values);
}

/* What values are rounded to. */
static void check_rounding(const axl_weight *w)
{
    int64_t n = w->mat.rows * w->mat.cols;
    const axl_dtype dtypes[] = { AXL_BF16, AXL_F16 };

    for (int d = 0; d < 2; d++) {
        axl_weight rounded = *w;
        rounded.mat.dtype = dtypes[d];
        for (int64_t i = 0; i < n; i++) {
            float exact, got;
            uint16_t bits;
            axl__dequantise(&exact, w, i, 1);
            axl__dequantise(&got, &rounded, i, 1);
            axl__convert(&bits, dtypes[d], &exact, AXL_F32, 1);
            axl__convert(&exact, AXL_F32, &bits, dtypes[d], 1);
            assert_int_equal(axl__float_bits(got), axl__float_bits(exact));
        }
    }
}

/* The memory of a quantised tensor. */
typedef struct {
    uint8_t *codes, *scale_codes;
    float *absmax, *scales;
    int64_t n_blocks, n_scales;
    axl_weight weight;
} quantised;

static quantised quantised_new(axl_weight_kind kind, int64_t rows, int64_t cols)
{
    quantised q = { 0 };

    q.n_blocks = kind == AXL_WEIGHT_INT8 ? rows : (rows * cols + 63) / 64;
    q.n_scales = (q.n_blocks + 255) / 256;
    q.codes = calloc(1, (size_t)(rows * cols));
    q.scale_codes = calloc(1, (size_t)q.n_blocks);
    q.absmax = calloc((size_t)q.n_blocks, sizeof(float));
    q.scales = calloc((size_t)q.n_scales, sizeof(float));
    q.weight = (axl_weight){ .kind = kind,
                             .mat = { .rows = rows, .cols = cols, .stride = cols },
                             .quant = { .codes = q.codes,
                                        .scales = q.absmax,
                                        .block = AXL__QUANT_BLOCK,
                                        .scale_block = AXL__QUANT_SCALE_BLOCK } };
    return q;
}

static void quantised_free(quantised *q)
{
    free(q->codes);
    free(q->scale_codes);
    free(q->absmax);
    free(q->scales);
}

static void check_nested(const bed *b, const char *name, axl_dtype dtype, quantised *q)
{
    axl_weight_kind kind = q->weight.kind;
    float offset;

    axl__quantise_scales(q->scale_codes, q->scales, &offset, q->absmax, q->n_blocks,
                         AXL__QUANT_SCALE_BLOCK);
    check_bytes(b, name, dtype, kind, "offset", &offset, sizeof offset);
    check_bytes(b, name, dtype, kind, "scales", q->scales, (size_t)q->n_scales * sizeof(float));
    check_bytes(b, name, dtype, kind, "scale_codes", q->scale_codes, (size_t)q->n_blocks);
    q->weight.quant.scales = q->scales;
    q->weight.quant.scale_codes = q->scale_codes;
    q->weight.quant.scale_map = axl__quant_scale_map();
    q->weight.quant.offset = offset;
    check_values(b, name, &q->weight, dtype, "nested_values");
}

static void check_4bit(const bed *b, const axl__st_tensor *t, const void *x, axl_dtype dtype,
                       axl_weight_kind kind)
{
    quantised q = quantised_new(kind, (int64_t)t->dims[0], (int64_t)t->dims[1]);
    int64_t n = q.weight.mat.rows * q.weight.mat.cols;

    axl__quantise_4bit(kind, q.codes, q.absmax, x, dtype, n, AXL__QUANT_BLOCK);
    check_bytes(b, t->name, dtype, kind, "codes", q.codes, (size_t)((n + 1) / 2));
    check_bytes(b, t->name, dtype, kind, "absmax", q.absmax, (size_t)q.n_blocks * sizeof(float));
    check_values(b, t->name, &q.weight, dtype, "values");
    check_rounding(&q.weight);
    check_nested(b, t->name, dtype, &q);
    quantised_free(&q);
}

static void check_int8(const bed *b, const axl__st_tensor *t, const void *x, axl_dtype dtype)
{
    quantised q = quantised_new(AXL_WEIGHT_INT8, (int64_t)t->dims[0], (int64_t)t->dims[1]);
    int64_t rows = q.weight.mat.rows, cols = q.weight.mat.cols;

    axl__quantise_int8((int8_t *)q.codes, q.absmax, x, dtype, rows, cols);
    check_bytes(b, t->name, dtype, AXL_WEIGHT_INT8, "codes", q.codes, (size_t)(rows * cols));
    check_bytes(b, t->name, dtype, AXL_WEIGHT_INT8, "scales", q.absmax,
                (size_t)rows * sizeof(float));
    if (find(b, t->name, dtype, AXL_WEIGHT_INT8, "values")) {
        check_values(b, t->name, &q.weight, dtype, "values");
        check_rounding(&q.weight);
    }
    quantised_free(&q);
}

static bool all_finite(const float *x, int64_t n)
{
    bool finite = true;

    for (int64_t i = 0; i < n; i++)
        finite &= isfinite(x[i]) != 0;
    return finite;
}

static void check_tensor(const bed *b, const axl__st_tensor *t)
{
    int64_t n = (int64_t)(t->dims[0] * t->dims[1]);

    for (axl_dtype dtype = AXL_F32; dtype <= AXL_F16; dtype++) {
        float *values = malloc((size_t)n * sizeof *values);
        void *x = malloc((size_t)n * sizeof *values);
        memcpy(values, t->data, (size_t)n * sizeof *values);
        axl__convert(x, dtype, values, AXL_F32, n);
        axl__convert(values, AXL_F32, x, dtype, n);
        for (axl_weight_kind kind = AXL_WEIGHT_NF4; kind <= AXL_WEIGHT_FP4; kind++)
            if (all_finite(values, n))
                check_4bit(b, t, x, dtype, kind);
        check_int8(b, t, x, dtype);
        free(values);
        free(x);
    }
}

static void test_quantise__small_tensors(void **state)
{
    int n = 0;
    bed b;

    (void)state;
    bed_open(&b);
    for (size_t i = 0; i < b.golden.count; i++) {
        const axl__st_tensor *t = &b.golden.tensors[i];
        if (!strchr(t->name, '.') && t->n_dims == 2) {
            check_tensor(&b, t);
            n++;
        }
    }
    assert_int_equal(n, 24);
    bed_close(&b);
}

static void check_table(const bed *b, const char *name, const float *table, size_t n)
{
    const axl__st_tensor *t = axl__safetensors_find(&b->golden, name);

    assert_true(t && t->size == n * sizeof *table);
    assert_memory_equal(t->data, table, t->size);
}

static void test_quantise__tables(void **state)
{
    axl_quant_map *map = malloc(sizeof *map);
    bed b;

    (void)state;
    bed_open(&b);
    check_table(&b, "nf4", axl__quant_table(AXL_WEIGHT_NF4), 16);
    check_table(&b, "fp4", axl__quant_table(AXL_WEIGHT_FP4), 16);
    check_table(&b, "scale_map", axl__quant_scale_map(), 256);
    axl__quant_map_dynamic(map, true, AXL__ROUND_BITSANDBYTES);
    assert_memory_equal(map->code, axl__quant_scale_map(), sizeof map->code);
    free(map);
    bed_close(&b);
}

/* As in make_quantised.py. */
static float uniform(uint64_t i)
{
    uint32_t h = (uint32_t)(i * 2654435761u);

    h ^= h >> 16;
    h *= 0x45D9F3Bu;
    h ^= h >> 16;
    return (float)((double)(h >> 8) * 0x1p-24 - 0.5);
}

/* The offset's last bits are those of one order of summing. */
static void check_scales(const bed *b, int64_t n)
{
    float *absmax = malloc((size_t)n * sizeof *absmax), offset;
    float *scales = malloc((size_t)((n + 255) / 256) * sizeof *scales);
    uint8_t *codes = malloc((size_t)n);
    uint64_t hashes[2];
    char key[40];

    for (int64_t i = 0; i < n; i++)
        absmax[i] = 0.1f + 0.0625f * uniform((uint64_t)(n + i));
    axl__quantise_scales(codes, scales, &offset, absmax, n, 256);
    hashes[0] = fnv(codes, (size_t)n);
    hashes[1] = fnv(scales, (size_t)((n + 255) / 256) * sizeof *scales);
    snprintf(key, sizeof key, "scales.%" PRId64 ".offset", n);
    check_table(b, key, &offset, 1);
    snprintf(key, sizeof key, "scales.%" PRId64, n);
    const axl__st_tensor *t = axl__safetensors_find(&b->golden, key);
    assert_true(t && t->size == sizeof hashes);
    assert_memory_equal(t->data, hashes, sizeof hashes);
    free(absmax);
    free(scales);
    free(codes);
}

static void test_quantise__many_scales(void **state)
{
    static const int64_t sizes[] = { 1,    15,   16,    17,     63,     64,     65,
                                     1000, 4096, 65536, 180224, 180225, 1000003 };
    bed b;

    (void)state;
    bed_open(&b);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_scales(&b, sizes[i]);
    bed_close(&b);
}

/* A piece that begins at a block is what it is in the whole. */
static void test_quantise__in_pieces(void **state)
{
    enum { N = 1000, PIECE = 320 };
    uint8_t whole[N / 2], pieces[N / 2];
    float x[N], absmax[2][16];

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = uniform((uint64_t)i);
    axl__quantise_4bit(AXL_WEIGHT_NF4, whole, absmax[0], x, AXL_F32, N, 64);
    for (int i = 0; i < N; i += PIECE)
        axl__quantise_4bit(AXL_WEIGHT_NF4, pieces + i / 2, absmax[1] + i / 64, x + i, AXL_F32,
                           N - i < PIECE ? N - i : PIECE, 64);
    assert_memory_equal(whole, pieces, sizeof whole);
    assert_memory_equal(absmax[0], absmax[1], sizeof absmax[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantise__small_tensors),
        cmocka_unit_test(test_quantise__tables),
        cmocka_unit_test(test_quantise__many_scales),
        cmocka_unit_test(test_quantise__in_pieces),
    };

    return test_run(tests);
}
