/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt.cu - see cublaslt.h.  cuBLASLt's matrices are column-major, and a row-major one is its
 * transpose there: y^T = op(w)^T op(x)^T, so that w is the library's A and x its B.
 *
 * The library's heuristic is asked once for each shape and kept, so that one shape has one
 * algorithm and one set of bits as long as the device is open.
 */
#include "cublaslt.h"

#include <cublasLt.h>
#include <pthread.h>

enum { WORKSPACE = 32 << 20, N_KEPT = 1024, PROBES = 8, MOST_ALIGNED = 16 };

/* All that the choice of an algorithm depends on; compared as bytes, so it has no gaps. */
typedef struct shape {
    int64_t m, n, k, ld_x, ld_w, ld_y, ld_plus;
    int32_t trans_x, trans_w, type, type_y, epilogue, align_x, align_w, align_y;
} shape;

typedef struct choice {
    bool used;
    shape of;
    cublasLtMatmulAlgo_t algo;
} choice;

struct axl_cublaslt {
    cublasLtHandle_t handle;
    void *workspace;
    pthread_mutex_t lock; /* of kept */
    choice kept[N_KEPT];
};

/* The library's objects for one product. */
typedef struct descriptors {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, c, d;
} descriptors;

static axl_status library_status(cublasStatus_t s, const char *what)
{
    if (s == CUBLAS_STATUS_SUCCESS)
        return AXL_OK;
    return axl__cuda_host->fail(s == CUBLAS_STATUS_ALLOC_FAILED ? AXL_ERR_NOMEM : AXL_ERR_DEVICE,
                                "cuBLASLt: %s: status %d", what, (int)s);
}

size_t axl__cublaslt_bytes(void)
{
    return WORKSPACE;
}

axl_status axl__cublaslt_open(axl_device *dev)
{
    struct axl_cublaslt *lt;

    AXL_TRY(axl__cuda_host_new(dev->ctx, (void **)&lt, sizeof *lt));
    pthread_mutex_init(&lt->lock, NULL);
    dev->lt = lt;
    AXL_TRY(library_status(cublasLtCreate(&lt->handle), "opening"));
    return axl__cuda_buffer_new(dev, &lt->workspace, WORKSPACE);
}

void axl__cublaslt_close(axl_device *dev)
{
    struct axl_cublaslt *lt = dev->lt;

    if (!lt)
        return;
    if (lt->workspace)
        cudaFreeAsync(lt->workspace, dev->stream);
    if (lt->handle)
        cublasLtDestroy(lt->handle);
    pthread_mutex_destroy(&lt->lock);
    axl__cuda_host->free(dev->ctx, lt);
    dev->lt = NULL;
}

/* ---- descriptors ---- */

static cudaDataType library_type(axl_dtype t)
{
    return t == AXL_F32 ? CUDA_R_32F : CUDA_R_16BF;
}

static cublasStatus_t make_layouts(descriptors *d, const axl_cublaslt_product *p)
{
    const axl_mat *plus = p->plus.data && !p->bias ? &p->plus : &p->y;
    cublasStatus_t s = cublasLtMatrixLayoutCreate(
        &d->a, library_type(p->w.dtype), (uint64_t)p->w.cols, (uint64_t)p->w.rows, p->w.stride);

    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatrixLayoutCreate(&d->b, library_type(p->x.dtype), (uint64_t)p->x.cols,
                                       (uint64_t)p->x.rows, p->x.stride);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatrixLayoutCreate(&d->c, library_type(p->y.dtype), (uint64_t)p->y.cols,
                                       (uint64_t)p->y.rows, plus->stride);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatrixLayoutCreate(&d->d, library_type(p->y.dtype), (uint64_t)p->y.cols,
                                       (uint64_t)p->y.rows, p->y.stride);
    return s;
}

static cublasStatus_t set(descriptors *d, cublasLtMatmulDescAttributes_t name, const void *value,
                          size_t size)
{
    return cublasLtMatmulDescSetAttribute(d->product, name, value, size);
}

static cublasStatus_t make_product(descriptors *d, const axl_cublaslt_product *p)
{
    cublasOperation_t a = p->trans_w ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t b = p->trans_x ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;
    cublasStatus_t s = cublasLtMatmulDescCreate(&d->product, CUBLAS_COMPUTE_32F, CUDA_R_32F);

    if (s == CUBLAS_STATUS_SUCCESS)
        s = set(d, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof a);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = set(d, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof b);
    if (s == CUBLAS_STATUS_SUCCESS && p->bias) {
        s = set(d, CUBLASLT_MATMUL_DESC_EPILOGUE, &bias, sizeof bias);
        if (s == CUBLAS_STATUS_SUCCESS)
            s = set(d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->plus.data, sizeof p->plus.data);
    }
    return s;
}

static void drop_descriptors(descriptors *d)
{
    if (d->product)
        cublasLtMatmulDescDestroy(d->product);
    if (d->a)
        cublasLtMatrixLayoutDestroy(d->a);
    if (d->b)
        cublasLtMatrixLayoutDestroy(d->b);
    if (d->c)
        cublasLtMatrixLayoutDestroy(d->c);
    if (d->d)
        cublasLtMatrixLayoutDestroy(d->d);
}

/* ---- algorithms ---- */

/* Of an address and of every row: a power of two. */
static int32_t alignment(const axl_mat &m)
{
    uintptr_t bits = (uintptr_t)m.data | (uintptr_t)m.stride * axl__dtype_size(m.dtype);
    int32_t align = 1;

    while (align < MOST_ALIGNED && bits % (uintptr_t)(2 * align) == 0)
        align *= 2;
    return align;
}

static shape shape_of(const axl_cublaslt_product *p)
{
    shape s;

    memset(&s, 0, sizeof s);
    s.m = p->y.rows;
    s.n = p->y.cols;
    s.k = p->trans_x ? p->x.rows : p->x.cols;
    s.ld_x = p->x.stride;
    s.ld_w = p->w.stride;
    s.ld_y = p->y.stride;
    s.ld_plus = p->plus.data && !p->bias ? p->plus.stride : 0;
    s.trans_x = p->trans_x;
    s.trans_w = p->trans_w;
    s.type = p->x.dtype;
    s.type_y = p->y.dtype;
    s.epilogue = p->bias;
    s.align_x = alignment(p->x);
    s.align_w = alignment(p->w);
    s.align_y = alignment(p->y);
    if (p->plus.data && !p->bias)
        s.align_y = (int32_t)axl_min(s.align_y, alignment(p->plus));
    return s;
}

static cublasStatus_t set_preference(cublasLtMatmulPreference_t pref, const shape *s)
{
    uint32_t align[3] = { (uint32_t)s->align_w, (uint32_t)s->align_x, (uint32_t)s->align_y };
    uint64_t room = WORKSPACE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        const void *value;
        size_t size;
    } wishes[] = {
        { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &align[0], sizeof align[0] },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &align[1], sizeof align[1] },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &align[2], sizeof align[2] },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &align[2], sizeof align[2] },
    };
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;

    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0] && status == CUBLAS_STATUS_SUCCESS; i++)
        status = cublasLtMatmulPreferenceSetAttribute(pref, wishes[i].name, wishes[i].value,
                                                      wishes[i].size);
    return status;
}

static axl_status ask_for_algorithm(struct axl_cublaslt *lt, cublasLtMatmulAlgo_t *out,
                                    const descriptors *d, const shape *s)
{
    cublasLtMatmulPreference_t pref = NULL;
    cublasLtMatmulHeuristicResult_t found = {};
    int n = 0;
    cublasStatus_t status = cublasLtMatmulPreferenceCreate(&pref);

    if (status == CUBLAS_STATUS_SUCCESS)
        status = set_preference(pref, s);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasLtMatmulAlgoGetHeuristic(lt->handle, d->product, d->a, d->b, d->c, d->d,
                                                pref, 1, &found, &n);
    if (pref)
        cublasLtMatmulPreferenceDestroy(pref);
    if (status == CUBLAS_STATUS_SUCCESS && n == 0)
        status = CUBLAS_STATUS_NOT_SUPPORTED;
    *out = found.algo;
    return library_status(status, "choosing an algorithm");
}

/* The slot of a shape, or one for it. */
static choice *slot_of(struct axl_cublaslt *lt, const shape *s)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    const unsigned char *bytes = (const unsigned char *)s;

    for (size_t i = 0; i < sizeof *s; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    for (int probe = 0; probe < PROBES; probe++) {
        choice *k = &lt->kept[(hash + (uint64_t)probe) % N_KEPT];
        if (!k->used || memcmp(&k->of, s, sizeof *s) == 0)
            return k;
    }
    return &lt->kept[hash % N_KEPT];
}

/* Called locked. */
static axl_status find_algorithm(struct axl_cublaslt *lt, cublasLtMatmulAlgo_t *out,
                                 const descriptors *d, const axl_cublaslt_product *p)
{
    shape s = shape_of(p);
    choice *k = slot_of(lt, &s);

    if (!k->used || memcmp(&k->of, &s, sizeof s) != 0) {
        k->used = false;
        AXL_TRY(ask_for_algorithm(lt, &k->algo, d, &s));
        k->of = s;
        k->used = true;
    }
    *out = k->algo;
    return AXL_OK;
}

static axl_status run_product(axl_device *dev, const descriptors *d, const axl_cublaslt_product *p)
{
    struct axl_cublaslt *lt = dev->lt;
    cublasLtMatmulAlgo_t algo;
    float beta = p->plus.data && !p->bias ? 1.0f : 0.0f;
    const void *c = beta != 0.0f ? p->plus.data : p->y.data;

    pthread_mutex_lock(&lt->lock);
    axl_status status = find_algorithm(lt, &algo, d, p);
    pthread_mutex_unlock(&lt->lock);
    AXL_TRY(status);
    return library_status(cublasLtMatmul(lt->handle, d->product, &p->alpha, p->w.data, d->a,
                                         p->x.data, d->b, &beta, c, d->c, p->y.data, d->d, &algo,
                                         lt->workspace, WORKSPACE, dev->launching),
                          "a product");
}

axl_status axl__cublaslt_multiply(axl_device *dev, const axl_cublaslt_product *p)
{
    descriptors d = {};
    cublasStatus_t made = make_product(&d, p);

    if (made == CUBLAS_STATUS_SUCCESS)
        made = make_layouts(&d, p);
    axl_status status = library_status(made, "describing a product");
    if (status == AXL_OK)
        status = run_product(dev, &d, p);
    drop_descriptors(&d);
    return status;
}
