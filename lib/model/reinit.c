/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reinit.c - see reinit.h.  transformers 5.16's _init_weights, whose distributions are the same for
 * all families here; which numbers come follows from the seed, the module and the element's place.
 */
#include "reinit.h"

#include "load_priv.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { PIECE = 1 << 20, BLOCK = 1 << 12 }; /* elements at a time, and of one task */

/* What config.json says of the beginning. */
typedef struct {
    axl_model *m;
    uint64_t seed;
    double deviation;
    int64_t pad; /* the row of the embedding that is 0; -1: none */
    axl_dtype stored;
} reinit;

/* ---- config.json ---- */

static axl_status reinit_dtype(reinit *r, const axl__json *root)
{
    const char *name = axl__json_string(root, "torch_dtype", "float32");
    static const char *const names[] = {
        [AXL_F32] = "float32", [AXL_BF16] = "bfloat16", [AXL_F16] = "float16"
    };

    name = axl__json_string(root, "dtype", name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] && strcmp(names[i], name) == 0) {
            r->stored = (axl_dtype)i;
            return AXL_OK;
        }
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "config.json in %s: dtype must be float32, bfloat16 or float16, found \"%s\"",
                     r->m->folder.place, name);
}

/* A deviation of 0 asks for transformers' own. */
static axl_status reinit_read(reinit *r)
{
    axl_model *m = r->m;
    axl__arena arena;
    axl__json *root;

    axl__arena_init(&arena, m->ctx);
    axl_status status = axl__folder_json(&m->folder, "config.json", &arena, &root);
    if (status == AXL_OK)
        status = axl__arch_override(root, &arena, m->overrides);
    if (status == AXL_OK)
        status = reinit_dtype(r, root);
    if (status == AXL_OK) {
        r->deviation = axl__json_double(root, "initializer_range", 0.02);
        r->deviation = r->deviation > 0.0 ? r->deviation : 0.02;
        r->pad = axl__json_int(root, "pad_token_id", -1);
    }
    axl__arena_free(&arena);
    return status;
}

/* ---- values ---- */

/* Elements [first, first + n) of a tensor. */
typedef struct {
    const reinit *r;
    uint64_t stream;
    int64_t first, n;
    float *out;
} reinit_piece;

/* By Box and Muller; a pair of neighbours is one pair of draws. */
static void draw_block(void *arg, uint64_t block)
{
    const reinit_piece *p = arg;
    int64_t from = (int64_t)block * BLOCK, to = from + BLOCK < p->n ? from + BLOCK : p->n;

    for (int64_t i = from; i < to; i++) {
        uint64_t at = (uint64_t)(p->first + i);
        double u = 1.0 - axl__random_double(p->r->seed, p->stream, at & ~(uint64_t)1);
        double v = axl__random_double(p->r->seed, p->stream, at | 1);
        double turn = 2.0 * 3.14159265358979323846 * v, length = sqrt(-2.0 * log(u));
        p->out[i] = (float)(p->r->deviation * length * (at & 1 ? sin(turn) : cos(turn)));
    }
}

static void fill_constant(float *out, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = value;
}

static void fill_piece(const reinit *r, int64_t module, bool bias, reinit_piece *p)
{
    const axl__module *of = &r->m->modules.list[module];
    int64_t pad = of->role == AXL__ROLE_EMBEDDING && r->pad >= 0 ? r->pad * of->cols : -1;

    if (bias || of->role == AXL__ROLE_NORM) {
        fill_constant(p->out, p->n, bias || r->m->arch.norm_unit_offset ? 0.0f : 1.0f);
        return;
    }
    p->stream = (uint64_t)AXL__STREAM_WEIGHTS | (uint64_t)module << 8;
    axl__parallel_for(r->m->ctx, (uint64_t)((p->n + BLOCK - 1) / BLOCK), draw_block, p);
    for (int64_t i = 0; pad >= 0 && i < p->n; i++)
        if (p->first + i >= pad && p->first + i < pad + of->cols)
            p->out[i] = 0.0f;
}

/* Rounded to the type of the files that there might be, then to that on the device. */
static axl_status fill_tensor(const reinit *r, int64_t module, bool bias, axl_mat to)
{
    axl_model *m = r->m;
    int64_t n = to.rows * to.cols;
    size_t size = axl__dtype_size(to.dtype);
    float *values = axl__alloc_aligned(m->ctx, 3 * (size_t)PIECE * sizeof *values);
    axl_status status = AXL_OK;

    if (!values)
        return axl__fail_nomem();
    char *stored = (char *)(values + PIECE), *device = stored + (size_t)PIECE * sizeof *values;
    for (int64_t i = 0; i < n && status == AXL_OK; i += PIECE) {
        reinit_piece p = { .r = r, .first = i, .n = n - i < PIECE ? n - i : PIECE, .out = values };
        status = axl__cancelled(m->ctx);
        if (status < 0)
            break;
        fill_piece(r, module, bias, &p);
        axl__convert(stored, r->stored, values, AXL_F32, p.n);
        axl__convert(device, to.dtype, stored, r->stored, p.n);
        status =
            m->ops->upload(m->dev, (char *)to.data + (size_t)i * size, device, (size_t)p.n * size);
    }
    axl__free_aligned(m->ctx, values);
    return status;
}

static axl_status make_tensor(const reinit *r, int64_t module, bool bias)
{
    axl_model *m = r->m;
    axl__module *of = &m->modules.list[module];
    axl_mat *mat = bias ? &of->bias : &of->weight.mat;
    axl_dtype dtype = r->stored == AXL_BF16 && !bias ? AXL_BF16 : m->compute;
    int64_t rows = bias ? 1 : of->rows, cols = bias ? of->rows : of->cols;
    size_t size = (size_t)(rows * cols) * axl__dtype_size(dtype);
    void *p;

    AXL_TRY(axl__load_buffer(m, size, &p));
    *mat = (axl_mat){ p, dtype, rows, cols, cols };
    *(bias ? &of->bias_stored : &of->weight_stored) = r->stored;
    m->weights_bytes += size;
    m->n_params += (uint64_t)(rows * cols);
    return m->device.counts_only ? AXL_OK : fill_tensor(r, module, bias, *mat);
}

static axl_status check(const axl_model *m)
{
    if (m->arch.wrapper)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "reinit_weights: config.json in %s is of a language model with other "
                         "parts, which are not made anew",
                         m->folder.place);
    if (m->quant.kind != AXL_WEIGHT_DENSE || m->quant.fp8)
        return axl__fail(AXL_ERR_INVALID,
                         "reinit_weights: config.json in %s, or an option, asks for quantised "
                         "weights; new ones are not",
                         m->folder.place);
    return AXL_OK;
}

axl_status axl__reinit_load(axl_model *m, uint32_t compute, uint64_t seed)
{
    reinit r = { .m = m, .seed = seed };

    AXL_TRY(check(m));
    AXL_TRY(reinit_read(&r));
    bool bf16 = compute == AXL_COMPUTE_BF16 ||
                (compute == AXL_COMPUTE_AUTO && m->device.native_bf16) ||
                (compute == AXL_COMPUTE_STORED && r.stored == AXL_BF16);
    m->compute = bf16 ? AXL_BF16 : AXL_F32;
    for (int64_t i = 0; i < m->modules.n; i++) {
        const axl__module *of = &m->modules.list[i];
        AXL_TRY(axl__poll(m->ctx, "load", (uint64_t)i, (uint64_t)m->modules.n));
        if (!of->tied)
            AXL_TRY(make_tensor(&r, i, false));
        if (of->has_bias)
            AXL_TRY(make_tensor(&r, i, true));
    }
    axl__modules_tie(&m->modules);
    return axl__poll(m->ctx, "load", (uint64_t)m->modules.n, (uint64_t)m->modules.n);
}
