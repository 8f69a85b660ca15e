/* SPDX-License-Identifier: Apache-2.0 */
/* host_types.c - see host_types.h.  A type stays where it is when its name is registered again, so
 * that who found it sees the new function. */
#include "host_types.h"

#include "dataset_types.h"

#include <string.h>

typedef struct {
    axl__host_type *first, **end;
} registry;

static axl_status host_types_open(void **out, axl_context *ctx)
{
    registry *r = axl__calloc(ctx, 1, sizeof *r);

    if (!r)
        return axl__fail_nomem();
    r->end = &r->first;
    *out = r;
    return AXL_OK;
}

static void free_type(axl_context *ctx, axl__host_type *type)
{
    if (!type)
        return;
    axl__free(ctx, type->name);
    axl__free(ctx, type->version);
    axl__free(ctx, type);
}

static void host_types_close(void *part, axl_context *ctx)
{
    registry *r = part;

    for (axl__host_type *next, *type = r->first; type; type = next) {
        next = type->next;
        free_type(ctx, type);
    }
    axl__free(ctx, r);
}

const axl__context_part axl__host_types_context_part = { host_types_open, host_types_close };

const axl__host_type *axl__host_types(const axl_context *ctx)
{
    const registry *r = axl__context_part_of(ctx, &axl__host_types_context_part);

    return r->first;
}

const axl__host_type *axl__host_type_find(const axl_context *ctx, const char *name)
{
    for (const axl__host_type *type = axl__host_types(ctx); name && type; type = type->next)
        if (strcmp(type->name, name) == 0)
            return type;
    return NULL;
}

static axl_status add_type(axl_context *ctx, const axl__host_type *given)
{
    registry *r = axl__context_part_of(ctx, &axl__host_types_context_part);
    axl__host_type *type = axl__calloc(ctx, 1, sizeof *type);

    if (type)
        *type = (axl__host_type){ .name = axl__strdup(ctx, given->name),
                                  .make = given->make,
                                  .user = given->user };
    if (type && given->version)
        type->version = axl__strdup(ctx, given->version);
    if (!type || !type->name || (given->version && !type->version)) {
        free_type(ctx, type);
        return axl__fail_nomem();
    }
    *r->end = type;
    r->end = &type->next;
    return AXL_OK;
}

static axl_status replace_type(axl_context *ctx, axl__host_type *type, const axl__host_type *given)
{
    char *version = given->version ? axl__strdup(ctx, given->version) : NULL;

    if (given->version && !version)
        return axl__fail_nomem();
    axl__free(ctx, type->version);
    type->version = version;
    type->make = given->make;
    type->user = given->user;
    return AXL_OK;
}

axl_status axl_dataset_register_type(axl_context *ctx, const char *name, const char *version,
                                     axl_dataset_type_fn make, void *user)
{
    AXL_TRY(axl__context_enter(ctx));
    if (!name || !*name || !make)
        return axl__fail(AXL_ERR_INVALID, "%s must not be %s", make ? "name" : "make",
                         make && name ? "empty" : "NULL");
    if (axl__dataset_type_find(name, AXL__TASK_TEXT))
        return axl__fail(AXL_ERR_INVALID, "the data set type \"%.100s\" is axl's own", name);
    const axl__host_type given = { .name = (char *)(uintptr_t)name,
                                   .version = (char *)(uintptr_t)version,
                                   .make = make,
                                   .user = user };
    const axl__host_type *old = axl__host_type_find(ctx, name);
    return old ? replace_type(ctx, (axl__host_type *)(uintptr_t)old, &given)
               : add_type(ctx, &given);
}
