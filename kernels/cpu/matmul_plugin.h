/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_plugin.h - a library of matmuls in a plugin of its own ("axl-onednn.so"), so that libaxl
 * links none: the table that the plugin exports, and its use by the CPU backend.
 *
 * The plugin computes single tiles on the calling thread; cutting and threads are libaxl's.  A
 * product is made once for its shape and layout, may be run by many threads at once, and gives the
 * same bits each time.
 */
#ifndef AXL_CPU_MATMUL_PLUGIN_H
#define AXL_CPU_MATMUL_PLUGIN_H

#include "tensor/backend.h"

#define AXL_MATMUL_PLUGIN_ABI 1u
#define AXL_MATMUL_PLUGIN_SYMBOL "axl_matmul_plugin_table"

/* y (m,n) = op(x) op(w), or += ; x and w have one dtype.  No padding: it is a key of a cache. */
typedef struct axl_matmul_shape {
    int64_t m, n, k;
    int64_t x_stride, w_stride, y_stride; /* elements */
    uint32_t trans_x, trans_w;
    uint32_t dtype, y_dtype; /* axl_dtype */
    uint64_t add;
} axl_matmul_shape;

typedef struct axl_matmul_library axl_matmul_library; /* the plugin's state for a device */
typedef struct axl_matmul_product axl_matmul_product;

typedef struct axl_matmul_plugin {
    uint32_t abi, size;
    const char *version; /* axl's, where it was compiled */
    /* NULL on failure. */
    axl_matmul_library *(*open)(void);
    void (*close)(axl_matmul_library *lib);
    const char *(*name)(axl_matmul_library *lib); /* "oneDNN 2.6.3"; the library's storage */
    /* A product of this shape, new or kept; NULL when the library does not compute it.  Safe from
     * several threads.  release it before the next 100 are made. */
    axl_matmul_product *(*acquire)(axl_matmul_library *lib, const axl_matmul_shape *shape);
    void (*release)(axl_matmul_library *lib, axl_matmul_product *product);
    size_t (*scratch_size)(const axl_matmul_product *product);
    /* False when the library fails.  Any threads at once, each with its own scratch (64-byte
     * aligned). */
    bool (*run)(axl_matmul_library *lib, axl_matmul_product *product, const void *x, const void *w,
                void *y, void *scratch);
} axl_matmul_plugin;

/* Opens the plugin where the context allows it and the library is faster than axl's own kernels. */
void axl__matmul_plugin_choose(axl_device *dev);
/* Opens it for both types; without it the device keeps to its own kernels.  The log tells of a
 * plugin that is there and does not load. */
void axl__matmul_plugin_open(axl_device *dev);
void axl__matmul_plugin_close(axl_device *dev);
/* Computes the product through the plugin and sets *done, or leaves it false: by shape alone. */
axl_status axl__matmul_plugin_run(axl_device *dev, const axl_matmul_args *a, bool *done);

#endif
