/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sweep.h
 * A file of values to try: each combination is a run of one config with some keys changed.
 */
#ifndef AXL_SWEEP_H
#define AXL_SWEEP_H

#include <axl/config.h>
#include <axl/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_sweep axl_sweep;

/** One combination. */
typedef struct axl_sweep_run {
    size_t size;                  /**< sizeof(axl_sweep_run); set by the caller */
    const char *name;             /**< "sweep0001", from 1 */
    const char *const *overrides; /**< (n_overrides) "key=value" for axl_config_options */
    size_t n_overrides;
} axl_sweep_run;

#define AXL_SWEEP_RUN_INIT                                                                         \
    {                                                                                              \
        sizeof(axl_sweep_run), NULL, NULL, 0                                                       \
    }

/**
 * Read a YAML file of a sweep, in Axolotl's form: a mapping of keys to lists of values, of which
 * every combination is a run.  Values that belong together are mappings in a list under the key
 * "_"; each of them joins every combination of the rest and wins over it.
 *
 *     learning_rate: [0.0001, 0.0002]
 *     lora_r: [8, 16]
 *     _:
 *       - {optimizer: adamw_torch, weight_decay: 0.01}
 *       - {optimizer: lion_pytorch, weight_decay: 0.1}
 *
 * The runs are in Axolotl's order, which is random and always the same, so that the first ones of a
 * sweep that is stopped are spread over it.
 *
 * @param[out] out  The sweep; NULL on failure.  Release with axl_sweep_free().
 * @param[in]  ctx  The sweep takes its own reference.
 * @param[in]  path The file.
 *
 * @retval AXL_ERR_NOT_FOUND No such file.
 * @retval AXL_ERR_CONFIG    It is no such mapping, or names a key that no config has; the last
 *                           error says where.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_sweep_open(axl_sweep **out, axl_context *ctx,
                                                 const char *path);

/**
 * As axl_sweep_open(), of a text in memory.
 *
 * @param[out] out    The sweep; NULL on failure.  Release with axl_sweep_free().
 * @param[in]  ctx    The sweep takes its own reference.
 * @param[in]  text   (length) Borrowed for the call.
 * @param[in]  length Bytes.
 * @param[in]  name   What errors call it; NULL: "sweep".
 *
 * @return As axl_sweep_open().
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_sweep_parse(axl_sweep **out, axl_context *ctx,
                                                  const char *text, size_t length,
                                                  const char *name);

/**
 * The number of runs.
 *
 * @param[in] sweep Borrowed.
 * @return The count; 0 for NULL.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_sweep_count(const axl_sweep *sweep);

/**
 * One run.
 *
 * @param[in]     sweep Borrowed.
 * @param[in]     index From 0.
 * @param[in,out] out   Its size is set by the caller; the texts live as long as @p sweep.
 *
 * @retval AXL_END         There is no such run.
 * @retval AXL_ERR_INVALID A handle is NULL.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_sweep_get(const axl_sweep *sweep, size_t index,
                                                axl_sweep_run *out);

/**
 * Release a sweep.
 *
 * @param[in] sweep NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_sweep_free(axl_sweep *sweep);

#ifdef __cplusplus
}
#endif

#endif
