/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file status.h
 * Status codes, the calling thread's last error, versions, and caller-owned bytes.
 */
#ifndef AXL_STATUS_H
#define AXL_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define AXL_API __attribute__((visibility("default")))
#define AXL_MUST_CHECK __attribute__((warn_unused_result))
#else
#define AXL_API
#define AXL_MUST_CHECK
#endif

#define AXL_VERSION "0.1.0"
#define AXL_ABI_VERSION 0

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What a call says.  0 is success, a positive value ends an iteration, a negative one is a
 * failure that left one line for axl_last_error().  Treat an unknown negative value as
 * AXL_ERR_INTERNAL.
 */
typedef enum axl_status {
    AXL_OK = 0,
    AXL_END = 1, /**< an iterator is exhausted, or an optional value is absent */

    AXL_ERR_INTERNAL = -1,     /**< a bug in axl; please report it */
    AXL_ERR_NOMEM = -2,        /**< a host allocation failed */
    AXL_ERR_INVALID = -3,      /**< a bad argument or option value */
    AXL_ERR_ABI = -4,          /**< an options struct or plugin of another version */
    AXL_ERR_BUSY = -5,         /**< the handle is in use (re-entered, or written by a trainer) */
    AXL_ERR_CANCELLED = -6,    /**< a cancel handle was raised or a callback returned non-zero */
    AXL_ERR_CONFIG = -7,       /**< the YAML is wrong; the diagnostics name line, column and key */
    AXL_ERR_NOT_FOUND = -8,    /**< a file, model or named thing does not exist */
    AXL_ERR_IO = -9,           /**< reading or writing failed (permissions, disk full) */
    AXL_ERR_FORMAT = -10,      /**< a file is not what its format says */
    AXL_ERR_DATA = -11,        /**< data rows cannot be trained on */
    AXL_ERR_UNSUPPORTED = -12, /**< known, but not done by this build */
    AXL_ERR_NUMERIC = -13,     /**< a loss or gradient is not finite */
    AXL_ERR_DEVICE = -14,      /**< the backend or its device failed */
    AXL_ERR_FORKED = -15,      /**< the handle was made before a fork, by the parent */

    AXL_STATUS_FORCE_INT32 = 0x7fffffff /* pins the width; never returned */
} axl_status;

/**
 * The calling thread's last failure as one line without a newline; "" after a success.
 *
 * @return Borrowed; valid until the next axl call on this thread.  Never NULL.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API const char *axl_last_error(void);

/**
 * The name of a status, such as "AXL_ERR_CONFIG".
 *
 * @param[in] status Any value; an unknown one gives "AXL_ERR_UNKNOWN".
 * @return A static string.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API const char *axl_status_name(axl_status status);

/**
 * The version of the library that is loaded, as AXL_VERSION is that of the headers.
 *
 * @return A static string.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API const char *axl_version(void);

/**
 * The ABI number that the loaded library speaks; equal to AXL_ABI_VERSION when they fit.
 *
 * @return The number that follows ".so.".
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API uint32_t axl_abi_version(void);

/**
 * The size of a public struct in the loaded library, for bindings that declare it again.
 *
 * @param[in] name The type's name, for example "axl_batch".  Borrowed for the call.
 * @return sizeof the type, or 0 for an unknown name.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_abi_sizeof(const char *name);

/**
 * Whether this build has a named feature.
 *
 * @param[in] name "onednn", "curl", "lz4", "zstd", or a built-in backend's name such as "cpu".
 *                 Borrowed for the call.
 * @return 1 or 0.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API int axl_feature_supported(const char *name);

/** Bytes that a call made and the caller owns.  Release with axl_buffer_free(). */
typedef struct axl_buffer {
    size_t size;    /**< sizeof(axl_buffer); set by AXL_BUFFER_INIT */
    void *data;     /**< the bytes, or NULL when there are none; a text ends in an extra NUL */
    size_t length;  /**< bytes in data, without that NUL */
    void *reserved; /**< the library's own */
} axl_buffer;

#define AXL_BUFFER_INIT                                                                            \
    {                                                                                              \
        sizeof(axl_buffer), NULL, 0, NULL                                                          \
    }

/**
 * Release what a call put into a buffer and empty it.
 *
 * @param[in,out] buffer NULL and an empty buffer are fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_buffer_free(axl_buffer *buffer);

#ifdef __cplusplus
}
#endif

#endif
