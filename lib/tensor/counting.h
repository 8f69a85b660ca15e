/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counting.h - a device that allocates and computes nothing and counts what it is asked for, so
 * that the code which makes a model, an adapter or a trainer says itself what memory they take.
 */
#ifndef AXL_TENSOR_COUNTING_H
#define AXL_TENSOR_COUNTING_H

#include "backend.h"

/* Puts a counting device in the place of *dev, which it gives back (axl__device_put) at its end. On
 * failure nothing has changed. */
axl_status axl__counting_open(const axl_backend_ops **ops, axl_device **dev, axl_context *ctx);

/* Of a counting device: the bytes of the buffers that it has now. */
uint64_t axl__counting_bytes(const axl_device *dev);

#endif
