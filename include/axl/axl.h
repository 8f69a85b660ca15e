/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file axl.h
 * All of axl's public headers.
 */
#ifndef AXL_AXL_H
#define AXL_AXL_H

#include <axl/config.h>
#include <axl/context.h>
#include <axl/status.h>
#include <axl/tokenizer.h>

#endif
