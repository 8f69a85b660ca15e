/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os.h - everything that axl asks of the operating system, by district; lib/base/os_*.c alone make
 * system calls.  Paths are bytes as the host gives them.  Failures record one line that names the
 * path.
 */
#ifndef AXL_BASE_OS_H
#define AXL_BASE_OS_H

#include "ctx.h"
#include "os_dir.h"
#include "os_file.h"
#include "os_machine.h"
#include "os_plugin.h"
#include "os_time.h"
#include "os_write.h"

#endif
