/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi_sizes.c - what a binding asks before it trusts its own declarations: the size of each public
 * struct, and which features this build has.
 */
#include "base/fail.h"
#include "base/structs.h"

#include <axl/config.h>
#include <axl/generate.h>
#include <axl/job.h>
#include <axl/plan.h>
#include <axl/run.h>
#include <axl/sweep.h>
#include <axl/template.h>

#include <string.h>

struct named {
    const char *name;
    size_t value;
};

#define SIZE_OF(type, v1) { #type, sizeof(type) },
static const struct named sizes[] = { AXL__STRUCTS(SIZE_OF) };

/* Nothing has been released: from 0.1.0 on a struct may be larger than in its first release. */
#define STANDS(type, v1) _Static_assert(sizeof(type) == (v1), #type ": its size is in structs.h");
AXL__STRUCTS(STANDS)

/* The two built-in backends are always there; AXL_HAVE_… come from meson. */
static const struct named features[] = {
    { "cpu", 1 },
    { "curl", AXL_HAVE_CURL },
    { "lz4", AXL_HAVE_LZ4 },
    { "onednn", AXL_HAVE_ONEDNN },
    { "reference", 1 },
    { "zstd", AXL_HAVE_ZSTD },
};

static size_t named_value(const struct named *table, size_t n, const char *name)
{
    axl__error_clear();
    for (size_t i = 0; i < n && name; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].value;
    return 0;
}

size_t axl_abi_sizeof(const char *name)
{
    return named_value(sizes, sizeof sizes / sizeof sizes[0], name);
}

int axl_feature_supported(const char *name)
{
    return (int)named_value(features, sizeof features / sizeof features[0], name);
}
