/* SPDX-License-Identifier: Apache-2.0 */
/* emulated_plugin.h - a test's way to the functions of emulation.h, in the loaded plugin. */
#ifndef AXL_TESTS_EMULATED_PLUGIN_H
#define AXL_TESTS_EMULATED_PLUGIN_H

#include "emulation.h"
#include "testing.h"

#include <dlfcn.h>
#include <stdbool.h>

static inline void *emulated_symbol(const char *name)
{
    char path[1100];

    snprintf(path, sizeof path, "%s/libaxl-emulated.so.0", test_plugin_dir("emulated"));
    void *lib = dlopen(path, RTLD_NOW);
    assert_non_null(lib);
    void *symbol = dlsym(lib, name);
    assert_non_null(symbol);
    return symbol;
}

/* EMULATED(read)(&counts, ""): axl_emulated_read of the plugin. */
#define EMULATED(fn)                                                                               \
    (*(axl_emulated_##fn##_fn **)(void *)&(void *){ emulated_symbol("axl_emulated_" #fn) })

/* What the tests of whole steps run on: the emulated device, or with AXL_TEST_BACKEND=cuda a GPU,
 * of which nothing is counted. */
static inline const char *emulated_device(void)
{
    return test_backend() ? test_backend() : "emulated";
}

static inline bool emulated_device_counts(void)
{
    return strcmp(emulated_device(), "emulated") == 0;
}

static inline void skip_without_counts(void)
{
    if (!emulated_device_counts())
        skip();
}

/* Of the kernels whose name begins so. */
static inline axl_emulated_counts emulated_counts_of(const char *kernel)
{
    axl_emulated_counts c = { 0 };

    if (emulated_device_counts())
        EMULATED(read)(&c, kernel);
    return c;
}

#endif
