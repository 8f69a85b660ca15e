/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file axl.h
 * All of axl's public headers.
 */
#ifndef AXL_AXL_H
#define AXL_AXL_H

#include <axl/adapter.h>
#include <axl/config.h>
#include <axl/context.h>
#include <axl/dataset.h>
#include <axl/file.h>
#include <axl/generate.h>
#include <axl/job.h>
#include <axl/loader.h>
#include <axl/model.h>
#include <axl/optimizer.h>
#include <axl/plan.h>
#include <axl/run.h>
#include <axl/schedule.h>
#include <axl/status.h>
#include <axl/sweep.h>
#include <axl/template.h>
#include <axl/tokenizer.h>
#include <axl/trainer.h>

#endif
