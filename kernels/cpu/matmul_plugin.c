/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_plugin.c - matmuls through the plugin.  A library's bits may depend on the rows and
 * columns of a call, so y is cut by shape alone into tiles of about TILE_ROWS x TILE_COLS, each its
 * own call, which threads take from a queue.  Which products go to the plugin depends on their
 * shape, too.
 *
 * Measured on Zen 4 (AVX512_BF16, oneDNN 2.6), axl's kernels are as fast for f32 and bf16: 88-95 %
 * of what the machine can do against 80-90 %, at T = 512 and weights of 576..8192.  The library is
 * for what axl has no kernels for: bf16 on AMX, and f32 on machines other than x86-64.
 *
 * Quantised weights are axl's own on AMX too: decoded while they are packed they are as fast there
 * as dense ones, 1.1 to 1.4 times the library's dense products (Sapphire Rapids, oneDNN 2.6, T =
 * 512 and 2048), where decoding for the library would write and read the weight once more.
 *
 * A context whose instruction set is capped keeps to axl's kernels: the library picks its own, and
 * its cap would hold for the whole process.
 */
#include "matmul_plugin.h"

#include "base/plugin.h"
#include "base/os.h"
#include "device_cpu.h"
#include "kernels/whole.h"

enum {
    TILE_ROWS = 256,
    TILE_COLS = 1024,
    MIN_TILE_COLS = 192,
    COLS_STEP = 64,
    MIN_TASKS = 16,
    /* Thinner products are axl's own: LoRA's, generation's. */
    MIN_ROWS = 32,
    MIN_COLS = 96,
    MIN_DEPTH = 96
};

/* ---- opening ---- */

static const axl_matmul_plugin *load_table(axl_context *ctx)
{
    const axl_matmul_plugin *table;
    bool found;
    void *lib = axl__plugin_open(ctx, "axl-onednn.so", &found);

    if (!lib) {
        if (found)
            axl__log(ctx, AXL_LOG_WARNING, "oneDNN is not used: %s", axl_last_error());
        axl__error_clear();
        return NULL;
    }
    table = axl__dl_symbol(lib, AXL_MATMUL_PLUGIN_SYMBOL);
    if (!table || table->abi != AXL_MATMUL_PLUGIN_ABI || table->size < sizeof *table) {
        axl__log(ctx, AXL_LOG_WARNING,
                 "oneDNN is not used: axl-onednn.so is of axl %s (plugin ABI %u), this is %s (%u)",
                 table ? table->version : "?", table ? table->abi : 0, AXL_VERSION,
                 AXL_MATMUL_PLUGIN_ABI);
        return NULL;
    }
    return table;
}

void axl__matmul_plugin_open(axl_device *dev)
{
    dev->plugin = load_table(dev->ctx);
    if (dev->plugin)
        dev->library = dev->plugin->open();
    if (!dev->library)
        dev->plugin = NULL;
    dev->library_takes_f32 = dev->library_takes_bf16 = dev->library != NULL;
}

void axl__matmul_plugin_choose(axl_device *dev)
{
    bool amx = dev->isa == AXL_ISA_AMX, plain = dev->isa == AXL_ISA_BASELINE;

    if (axl__context_options(dev->ctx)->no_onednn || dev->isa != axl__isa_detect() ||
        !(amx || plain))
        return;
    axl__matmul_plugin_open(dev);
    dev->library_takes_f32 &= plain;
    dev->library_takes_bf16 &= amx;
}

void axl__matmul_plugin_close(axl_device *dev)
{
    if (dev->plugin)
        dev->plugin->close(dev->library);
    dev->plugin = NULL;
    dev->library = NULL;
}

/* ---- running ---- */

typedef struct job {
    axl_device *dev;
    const axl_matmul_args *a;
    int64_t rows, cols; /* of a tile */
    int64_t n_row_tiles, n_col_tiles;
    axl_matmul_product *products[2][2]; /* [last row tile][last column tile] */
    atomic_bool failed, cancelled;
} job;

static bool takes_type(const axl_device *dev, axl_dtype t)
{
    return (t == AXL_F32 && dev->library_takes_f32) || (t == AXL_BF16 && dev->library_takes_bf16);
}

static bool takes(const axl_device *dev, const axl_matmul_args *a)
{
    int64_t k = a->trans_x ? a->x.rows : a->x.cols;
    axl_dtype t = a->x.dtype;

    return takes_type(dev, t) && a->w.kind == AXL_WEIGHT_DENSE && t == a->w.mat.dtype &&
           t == a->compute && (a->y.dtype == AXL_F32 || a->y.dtype == t) && a->alpha == 1.0f &&
           a->y.rows >= MIN_ROWS && a->y.cols >= MIN_COLS && k >= MIN_DEPTH;
}

static void choose_tiles(job *j)
{
    int64_t m = j->a->y.rows, n = j->a->y.cols, parts = axl_div_up(n, TILE_COLS);

    j->rows = TILE_ROWS;
    j->n_row_tiles = axl_div_up(m, j->rows);
    while (j->n_row_tiles * parts < MIN_TASKS && n / (parts + 1) >= MIN_TILE_COLS)
        parts++;
    j->cols = axl_div_up(axl_div_up(n, parts), COLS_STEP) * COLS_STEP;
    j->n_col_tiles = axl_div_up(n, j->cols);
}

/* The rows (columns) of tile i of n. */
static int64_t extent(int64_t i, int64_t n, int64_t tile, int64_t total)
{
    return i < n - 1 ? tile : total - i * tile;
}

static void release_products(job *j)
{
    for (int i = 0; i < 4; i++)
        if (j->products[i / 2][i % 2])
            j->dev->plugin->release(j->dev->library, j->products[i / 2][i % 2]);
}

/* False when the library declines one of them, or wants more scratch memory than a slot has. */
static bool acquire_products(job *j)
{
    const axl_matmul_args *a = j->a;
    const axl_matmul_plugin *plugin = j->dev->plugin;
    axl_matmul_shape s = {
        .k = a->trans_x ? a->x.rows : a->x.cols,
        .x_stride = a->x.stride,
        .w_stride = a->w.mat.stride,
        .y_stride = a->y.stride,
        .trans_x = a->trans_x,
        .trans_w = a->trans_w,
        .dtype = (uint32_t)a->x.dtype,
        .y_dtype = (uint32_t)a->y.dtype,
        .add = a->beta != 0.0f,
    };

    for (int i = 0; i < 4; i++) {
        bool last_row = i / 2, last_col = i % 2;
        if ((!last_row && j->n_row_tiles == 1) || (!last_col && j->n_col_tiles == 1))
            continue;
        s.m = last_row ? extent(j->n_row_tiles - 1, j->n_row_tiles, j->rows, a->y.rows) : j->rows;
        s.n = last_col ? extent(j->n_col_tiles - 1, j->n_col_tiles, j->cols, a->y.cols) : j->cols;
        axl_matmul_product *p = plugin->acquire(j->dev->library, &s);
        if (!p)
            return false;
        j->products[last_row][last_col] = p;
        if (plugin->scratch_size(p) > AXL_SCRATCH_SIZE)
            return false;
    }
    return true;
}

static const void *element(const axl_mat *m, int64_t row, int64_t col)
{
    return (const char *)m->data + (size_t)(row * m->stride + col) * axl__dtype_size(m->dtype);
}

static void run_tile(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_matmul_args *a = j->a;
    int64_t row = (int64_t)index % j->n_row_tiles, col = (int64_t)index / j->n_row_tiles;
    int64_t m0 = row * j->rows, n0 = col * j->cols;
    axl_matmul_product *p = j->products[row == j->n_row_tiles - 1][col == j->n_col_tiles - 1];

    if (atomic_load_explicit(&j->cancelled, memory_order_relaxed) ||
        axl__cancelled(j->dev->ctx) < 0) {
        atomic_store(&j->cancelled, true);
        return;
    }
    void *scratch = axl__scratch_acquire(j->dev);
    if (!j->dev->plugin->run(j->dev->library, p,
                             a->trans_x ? element(&a->x, 0, m0) : element(&a->x, m0, 0),
                             a->trans_w ? element(&a->w.mat, n0, 0) : element(&a->w.mat, 0, n0),
                             (void *)(uintptr_t)element(&a->y, m0, n0), scratch))
        atomic_store(&j->failed, true);
    axl__scratch_release(j->dev, scratch);
}

axl_status axl__matmul_plugin_run(axl_device *dev, const axl_matmul_args *a, bool *done)
{
    job j = { .dev = dev, .a = a };
    axl_status status = AXL_OK;

    *done = false;
    if (!dev->plugin || !takes(dev, a))
        return AXL_OK;
    choose_tiles(&j);
    if (acquire_products(&j)) {
        *done = true;
        axl__parallel_for(dev->ctx, (uint64_t)(j.n_row_tiles * j.n_col_tiles), run_tile, &j);
        if (atomic_load(&j.cancelled))
            status = axl__fail(AXL_ERR_CANCELLED, "cancelled");
        else if (atomic_load(&j.failed))
            status =
                axl__fail(AXL_ERR_DEVICE, "%s failed in a matmul", dev->plugin->name(dev->library));
    }
    release_products(&j);
    return status;
}
