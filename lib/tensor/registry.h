/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - backends by name, and the devices that a context has open.  What is not built in is
 * a plugin, libaxl-NAME.so.0 in one of the folders of base/plugin.h (see backend_plugin.h).
 */
#ifndef AXL_TENSOR_REGISTRY_H
#define AXL_TENSOR_REGISTRY_H

#include "backend.h"

/* The tables and devices that a context has. */
extern const axl__context_part axl__backends_context_part;

/* A backend's table, which lives as long as the context and has every operation: those of a setting
 * that a plugin lacks fail when they are called.  AXL_ERR_NOT_FOUND names the ones there are,
 * AXL_ERR_ABI says what a plugin is of and what it lacks. */
axl_status axl__backend_find(const axl_backend_ops **out, axl_context *ctx, const char *name);

/* A table of this library's size from one of any size; file is named in errors. */
axl_status axl__backend_adopt(axl_backend_ops *out, const axl_backend_ops *table, const char *file);

/* Whether the backend has the operation itself. */
bool axl__backend_supports(const axl_backend_ops *ops, axl_op op);

/* Calls fn with the name of each built-in backend and of each plugin that there is a file of. */
axl_status axl__backend_each(axl_context *ctx, axl_status (*fn)(void *arg, const char *name),
                             void *arg);

/* A device of a backend, shared by all of the context that ask for the same one.  Give it back with
 * axl__device_put. */
axl_status axl__device_get(const axl_backend_ops **ops, axl_device **out, axl_context *ctx,
                           const char *backend, int32_t ordinal);
/* The same by a name as configs have it: BACKEND, BACKEND:ORDINAL, or auto, which is the first CUDA
 * device where there is one, else the CPU. */
axl_status axl__device_get_named(const axl_backend_ops **ops, axl_device **out, axl_context *ctx,
                                 const char *name);
/* Closes the device with its last user, or at once if it is not a shared one.  NULL is fine. */
void axl__device_put(axl_context *ctx, const axl_backend_ops *ops, axl_device *dev);

#endif
