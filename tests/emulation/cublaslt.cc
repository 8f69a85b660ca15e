/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt.cc - a stand-in for cuBLASLt that demands what the library does: the types it has
 * products of, leading dimensions, alignments as they were promised when the algorithm was chosen,
 * the workspace, and an algorithm that was made for the very shape.
 */
#include "emulation_priv.h"

#include <cublasLt.h>
#include <vector>

struct emulated_handle {
    int unused;
};
struct emulated_product {
    cublasOperation_t a, b;
    cublasLtEpilogue_t epilogue;
    const void *bias;
};
struct emulated_layout {
    cudaDataType type;
    uint64_t rows, cols;
    int64_t ld;
};
struct emulated_preference {
    uint64_t workspace;
    uint32_t align[4];
};

enum { LARGEST_WORKSPACE = 32 << 20 };

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    *out = new emulated_handle();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t,
                                        cudaDataType)
{
    *out = new emulated_product{ CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> static cublasStatus_t set(T *to, const void *value, size_t size)
{
    if (size != sizeof *to)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void *value, size_t size)
{
    switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(&desc->a, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(&desc->b, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(&desc->epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return set(&desc->bias, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type,
                                          uint64_t rows, uint64_t cols, int64_t ld)
{
    *out = new emulated_layout{ type, rows, cols, ld };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

/* Alignments are those of memory from cudaMalloc unless something is said. */
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    *out = new emulated_preference{ 0, { 256, 256, 256, 256 } };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref)
{
    delete pref;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t size)
{
    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return set(&pref->workspace, value, size);
    return set(&pref->align[name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, size);
}

/* ---- the choice of an algorithm ---- */

static bool fits(const emulated_layout *l)
{
    return l->rows > 0 && l->cols > 0 && l->ld >= (int64_t)l->rows;
}

static bool has_product(const emulated_layout *a, const emulated_layout *b,
                        const emulated_layout *c, const emulated_layout *d)
{
    return a->type == b->type && c->type == d->type &&
           (a->type == CUDA_R_16BF || d->type == CUDA_R_32F);
}

static cublasLtMatmulAlgo_t algorithm_for(const emulated_product *p, const emulated_layout *a,
                                          const emulated_layout *b, const emulated_layout *d)
{
    uint64_t kinds = (uint64_t)p->a | (uint64_t)p->b << 1 | (uint64_t)p->epilogue << 2 |
                     (uint64_t)a->type << 8 | (uint64_t)d->type << 16;

    return { { d->rows, d->cols, p->a == CUBLAS_OP_T ? a->rows : a->cols,
               (uint64_t)(a->ld ^ b->ld << 20 ^ d->ld << 40), kinds },
             { 0, 0, 0, 0 } };
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t pref, int wanted,
                                              cublasLtMatmulHeuristicResult_t *out, int *found)
{
    *found = 0;
    if (wanted < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!fits(a) || !fits(b) || !fits(c) || !fits(d) || !has_product(a, b, c, d))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    out->algo = algorithm_for(desc, a, b, d);
    memcpy(out->algo.align, pref->align, sizeof pref->align);
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- products ---- */

static float element(const void *data, cudaDataType type, int64_t i)
{
    if (type == CUDA_R_32F)
        return ((const float *)data)[i];
    return __uint_as_float((uint32_t)((const uint16_t *)data)[i] << 16);
}

static void put(void *data, cudaDataType type, int64_t i, float x)
{
    uint32_t u = __float_as_uint(x);

    if (type == CUDA_R_32F)
        ((float *)data)[i] = x;
    else if ((u & 0x7FFFFFFF) > 0x7F800000)
        ((uint16_t *)data)[i] = 0x7FFF;
    else
        ((uint16_t *)data)[i] = (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

/* op(m) as rows of k floats: those of A, or the columns of B. */
static std::vector<float> gathered(const void *data, const emulated_layout &l, bool as_stored,
                                   uint64_t n, uint64_t k)
{
    std::vector<float> out(n * k);

    for (uint64_t i = 0; i < n; i++)
        for (uint64_t j = 0; j < k; j++)
            out[i * k + j] = element(data, l.type,
                                     as_stored ? (int64_t)i + (int64_t)j * l.ld
                                               : (int64_t)j + (int64_t)i * l.ld);
    return out;
}

/* Sums in double, as no order of adding is promised. */
static void multiply(const emulated_product &p, const emulated_layout &la, const void *a,
                     const emulated_layout &lb, const void *b, const emulated_layout &lc,
                     const void *c, const emulated_layout &ld, void *d, float alpha, float beta)
{
    uint64_t m = ld.rows, n = ld.cols, k = p.a == CUBLAS_OP_T ? la.rows : la.cols;
    std::vector<float> rows = gathered(a, la, p.a == CUBLAS_OP_N, m, k);
    std::vector<float> cols = gathered(b, lb, p.b == CUBLAS_OP_T, n, k);

    for (uint64_t j = 0; j < n; j++) {
        for (uint64_t i = 0; i < m; i++) {
            double sum = 0.0;
            for (uint64_t l = 0; l < k; l++)
                sum += (double)rows[i * k + l] * cols[j * k + l];
            sum *= alpha;
            if (beta != 0.0f)
                sum += (double)beta * element(c, lc.type, (int64_t)i + (int64_t)j * lc.ld);
            if (p.epilogue == CUBLASLT_EPILOGUE_BIAS)
                sum += element(p.bias, ld.type, (int64_t)i);
            put(d, ld.type, (int64_t)i + (int64_t)j * ld.ld, (float)sum);
        }
    }
    axl_emulated_counts *counts = emulated_counts_of("cublasLtMatmul");
    counts->launches += !emulated_in_graph;
    counts->products++;
}

static void check_call(const emulated_product *p, const void *const data[4],
                       const emulated_layout *const l[4], const cublasLtMatmulAlgo_t *algo,
                       const void *workspace, size_t workspace_size)
{
    uint64_t k = p->a == CUBLAS_OP_T ? l[0]->rows : l[0]->cols;
    cublasLtMatmulAlgo_t same = algorithm_for(p, l[0], l[1], l[3]);

    if (memcmp(same.shape, algo->shape, sizeof same.shape) != 0)
        emulated_fault("cuBLASLt: an algorithm that was chosen for another shape");
    if (l[3]->rows != (p->a == CUBLAS_OP_T ? l[0]->cols : l[0]->rows) ||
        l[3]->cols != (p->b == CUBLAS_OP_T ? l[1]->rows : l[1]->cols) ||
        k != (p->b == CUBLAS_OP_T ? l[1]->cols : l[1]->rows) || l[2]->rows != l[3]->rows ||
        l[2]->cols != l[3]->cols)
        emulated_fault("cuBLASLt: shapes that do not go together");
    for (int i = 0; i < 4; i++) {
        size_t size = l[i]->type == CUDA_R_32F ? 4 : 2;
        if (((uintptr_t)data[i] | (uintptr_t)l[i]->ld * size) % algo->align[i] != 0)
            emulated_fault("cuBLASLt: matrix %c is not aligned to %u bytes", "ABCD"[i],
                           (unsigned)algo -> align[i]);
    }
    if (workspace_size < LARGEST_WORKSPACE || (uintptr_t)workspace % 256 != 0)
        emulated_fault("cuBLASLt: a workspace of %zu bytes at %p", workspace_size, workspace);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_size, cudaStream_t stream)
{
    const void *const data[4] = { a, b, c, d };
    const emulated_layout *const layouts[4] = { a_layout, b_layout, c_layout, d_layout };
    emulated_product p = *desc;
    emulated_layout la = *a_layout, lb = *b_layout, lc = *c_layout, ld = *d_layout;
    float scale = *(const float *)alpha, keep = *(const float *)beta;

    check_call(desc, data, layouts, algo, workspace, workspace_size);
    emulated_queue(stream, [=]() { multiply(p, la, a, lb, b, lc, c, ld, d, scale, keep); });
    return CUBLAS_STATUS_SUCCESS;
}
