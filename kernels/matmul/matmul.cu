/* SPDX-License-Identifier: Apache-2.0 */
/* matmul.cu - see matmul.h: cuBLASLt's products of what is stored, one after the other into y,
 * those of adapters first: a bf16 y is rounded after each, and they are the small ones.  Operands
 * of another type than the product's, and quantised weights, are made first, in memory of the
 * device's own that the stream reuses. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/matmul/matmul_cuda.h"

#include "matmul.h"

/* One product of the sum, not prepared. */
typedef struct term {
    const axl_mat *x;
    const axl_weight *w;
    bool trans_x, trans_w;
} term;

static size_t room_for(const axl_mat &m, bool there, axl_dtype type)
{
    size_t size = (size_t)(m.rows * m.cols) * axl__dtype_size(type);

    return there ? 0 : (size + 255) / 256 * 256;
}

static axl_mat dense_at(const axl_mat &like, char *at, axl_dtype type)
{
    axl_mat m = { at, type, like.rows, like.cols, like.cols };

    return m;
}

static axl_status convert(axl_device *dev, axl_mat *m, char *at, axl_dtype type)
{
    axl_unary_args a = { *m, dense_at(*m, at, type) };

    *m = a.y;
    return axl__cuda_convert(dev, &a);
}

static axl_status dequantise(axl_device *dev, axl_mat *out, const axl_weight &w, char *at,
                             axl_dtype type)
{
    axl_dequantise_args a = { w, dense_at(w.mat, at, type), 0 };

    *out = a.y;
    return axl__cuda_dequantise(dev, &a);
}

/* bf16 where both operands are, or are to be rounded to it; a product of f32 widens bf16. */
static axl_dtype type_of_product(const axl_matmul_args *a, const term &t)
{
    bool both = t.x->dtype == AXL_BF16 && t.w->mat.dtype == AXL_BF16;

    return a->compute == AXL_BF16 || both ? AXL_BF16 : AXL_F32;
}

static axl_status prepare(axl_device *dev, axl_cublaslt_product *p, const term &t, axl_dtype type)
{
    bool dense = t.w->kind == AXL_WEIGHT_DENSE;
    bool x_there = t.x->dtype == type, w_there = dense && t.w->mat.dtype == type;
    size_t for_x = room_for(*t.x, x_there, type), for_w = room_for(t.w->mat, w_there, type);

    AXL_TRY(axl__cuda_room(dev, for_x + for_w));
    p->x = *t.x;
    p->w = t.w->mat;
    p->trans_x = t.trans_x;
    p->trans_w = t.trans_w;
    if (!x_there)
        AXL_TRY(convert(dev, &p->x, (char *)dev->room, type));
    if (!dense)
        return dequantise(dev, &p->w, *t.w, (char *)dev->room + for_x, type);
    return w_there ? AXL_OK : convert(dev, &p->w, (char *)dev->room + for_x, type);
}

/* cuBLASLt has no product of f32 into bf16. */
static axl_status into_bf16(axl_device *dev, const axl_cublaslt_product *p)
{
    axl_cublaslt_product wide = *p;
    axl_unary_args back = { {}, p->y };
    void *sum;
    axl_status status;

    wide.y.stride = wide.y.cols;
    wide.y.dtype = AXL_F32;
    wide.plus.data = NULL;
    AXL_TRY(axl__cuda_working_memory(dev, &sum, (size_t)(p->y.rows * p->y.cols) * sizeof(float)));
    wide.y.data = sum;
    if (p->plus.data) {
        axl_unary_args first = { p->plus, wide.y };
        status = axl__cuda_convert(dev, &first);
        wide.plus = wide.y;
        wide.bias = false;
    } else {
        status = AXL_OK;
    }
    if (status == AXL_OK)
        status = axl__cublaslt_multiply(dev, &wide);
    back.x = wide.y;
    if (status == AXL_OK)
        status = axl__cuda_convert(dev, &back);
    cudaFreeAsync(sum, dev->stream);
    return status;
}

static axl_status multiply(axl_device *dev, const axl_matmul_args *a, const term &t,
                           const axl_mat &plus)
{
    axl_cublaslt_product p = {};
    axl_dtype type = type_of_product(a, t);

    AXL_TRY(prepare(dev, &p, t, type));
    p.y = a->y;
    p.plus = plus;
    p.bias = plus.data && plus.stride == 0 && a->y.rows > 1;
    p.alpha = a->alpha;
    if (type == AXL_F32 && a->y.dtype == AXL_BF16)
        return into_bf16(dev, &p);
    return axl__cublaslt_multiply(dev, &p);
}

static axl_status check_kind(const axl_weight &w)
{
    if ((int)w.kind <= AXL_WEIGHT_INT8)
        return AXL_OK;
    return axl__cuda_host->fail(AXL_ERR_UNSUPPORTED,
                                "matmul: this backend takes dense, nf4, fp4 and int8 weights, "
                                "not %d",
                                (int)w.kind);
}

/* One of the products, onto what y is to have beside them. */
static axl_status add_product(axl_device *dev, const axl_matmul_args *a, const term &t,
                              axl_mat *onto)
{
    bool empty = (t.trans_x ? t.x->rows : t.x->cols) == 0;

    if (empty)
        return AXL_OK;
    if (t.trans_w && !t.trans_x && axl__cuda_takes_few_rows(*t.x, *t.w))
        AXL_TRY(axl__cuda_few_rows(dev, *t.x, *t.w, a->y, *onto, a->alpha,
                                   type_of_product(a, t) == AXL_BF16));
    else
        AXL_TRY(multiply(dev, a, t, *onto));
    *onto = a->y;
    return AXL_OK;
}

axl_status axl__cuda_matmul(axl_device *dev, const axl_matmul_args *a)
{
    term own = { &a->x, &a->w, a->trans_x, a->trans_w };
    axl_mat onto = a->beta != 0.0f ? a->y : a->plus;
    size_t size = axl__dtype_size(a->y.dtype);

    AXL_TRY(check_kind(a->w));
    for (int64_t i = 0; i < a->n_more; i++)
        AXL_TRY(check_kind(a->more[i].w));
    if (a->y.rows == 0 || a->y.cols == 0)
        return AXL_OK;
    for (int64_t i = 0; i < a->n_more; i++) {
        term t = { &a->more[i].x, &a->more[i].w, false, a->more[i].trans_w };
        AXL_TRY(add_product(dev, a, t, &onto));
    }
    AXL_TRY(add_product(dev, a, own, &onto));
    if (onto.data == a->y.data)
        return AXL_OK;
    if (onto.data) { /* nothing was to be multiplied */
        axl_unary_args copy = { onto, a->y };
        copy.x.rows = a->y.rows;
        return axl__cuda_convert(dev, &copy);
    }
    return axl__cuda_status(dev,
                            cudaMemset2DAsync(a->y.data, (size_t)a->y.stride * size, 0,
                                              (size_t)a->y.cols * size, (size_t)a->y.rows,
                                              dev->launching),
                            "zeros");
}
