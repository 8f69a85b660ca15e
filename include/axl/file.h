/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file file.h
 * Files in memory: what a folder would hold, from and to a host that has no folder.
 */
#ifndef AXL_FILE_H
#define AXL_FILE_H

#include <axl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A file in memory.  How long its bytes are borrowed says the call that takes it. */
typedef struct axl_file {
    size_t size;      /**< sizeof(axl_file); set by _INIT */
    const char *name; /**< as in the folder, for example "config.json" */
    const void *data; /**< (length) bytes of any alignment; NULL where there are none */
    size_t length;
} axl_file;

#define AXL_FILE_INIT                                                                              \
    {                                                                                              \
        sizeof(axl_file), NULL, NULL, 0                                                            \
    }

/** Receives a file, which is borrowed for the call; a non-zero return stops the call that writes,
 * with AXL_ERR_CANCELLED. */
typedef int (*axl_file_fn)(void *user, const axl_file *file);

#ifdef __cplusplus
}
#endif

#endif
