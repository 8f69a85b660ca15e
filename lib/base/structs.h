/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structs.h - how public structs grow.  Each begins with its size where the caller was compiled,
 * and fields are only ever added at its end, so a caller's struct may be shorter or longer than
 * this library's.  No other file compares such a size:
 *
 * - What a caller gives is imported: a copy of this library's length, whose missing fields keep the
 *   defaults that dst holds.  Fields that this library does not know must be 0, or the call is
 *   refused: they would be ignored.
 * - What a caller asks for is exported: the fields that it has room for, its size left as it is.
 *
 * Shorter than in its first release no struct can be, nor longer than 4 KiB: such a size was never
 * set.
 */
#ifndef AXL_BASE_STRUCTS_H
#define AXL_BASE_STRUCTS_H

#include <axl/status.h>

#include <stddef.h>

/* Every public struct and its size in its first release.  A number changes with the struct until
 * the release that has it is out, and never after; new structs are added. */
#define AXL__STRUCTS(X)                                                                            \
    X(axl_adapter_info, 144)                                                                       \
    X(axl_adapter_options, 248)                                                                    \
    X(axl_batch, 80)                                                                               \
    X(axl_buffer, 32)                                                                              \
    X(axl_config_key_info, 80)                                                                     \
    X(axl_config_options, 48)                                                                      \
    X(axl_context_options, 136)                                                                    \
    X(axl_dataset_stats, 80)                                                                       \
    X(axl_diagnostic, 64)                                                                          \
    X(axl_evaluation, 40)                                                                          \
    X(axl_file, 32)                                                                                \
    X(axl_generate_options, 120)                                                                   \
    X(axl_generation, 32)                                                                          \
    X(axl_job_options, 24)                                                                         \
    X(axl_loader_cursor, 24)                                                                       \
    X(axl_loader_options, 64)                                                                      \
    X(axl_logits, 64)                                                                              \
    X(axl_loss_options, 48)                                                                        \
    X(axl_model_info, 72)                                                                          \
    X(axl_model_options, 72)                                                                       \
    X(axl_optimizer_options, 136)                                                                  \
    X(axl_plan, 88)                                                                                \
    X(axl_progress, 40)                                                                            \
    X(axl_record_source, 40)                                                                       \
    X(axl_run_options, 48)                                                                         \
    X(axl_run_record, 152)                                                                         \
    X(axl_sample, 64)                                                                              \
    X(axl_schedule_options, 224)                                                                   \
    X(axl_step_stats, 56)                                                                          \
    X(axl_sweep_run, 32)                                                                           \
    X(axl_template_options, 48)                                                                    \
    X(axl_tensor_data, 40)                                                                         \
    X(axl_tensor_info, 32)                                                                         \
    X(axl_tokenizer_options, 128)                                                                  \
    X(axl_trainer_options, 136)

#define AXL__V1(type) AXL__V1_##type
#define AXL__V1_IS(type, size) AXL__V1(type) = (size),
enum { AXL__STRUCTS(AXL__V1_IS) };

/* p, which is a pointer to a type or to void, or the compiler warns. */
#define AXL__POINTER_TO(type, p) (1 ? (p) : (type *)0)

/* dst: a type that holds the defaults; src: the caller's, NULL where all defaults are meant. */
#define AXL__IMPORT_OPTIONS(type, dst, src)                                                        \
    axl__struct_import_options(AXL__POINTER_TO(type, dst), sizeof(type),                           \
                               AXL__POINTER_TO(const type, src), AXL__V1(type), #type)
/* As it, but NULL is refused. */
#define AXL__IMPORT(type, dst, src)                                                                \
    axl__struct_import(AXL__POINTER_TO(type, dst), sizeof(type), AXL__POINTER_TO(const type, src), \
                       AXL__V1(type), #type)
/* dst: the caller's; src: a whole type. */
#define AXL__EXPORT(type, dst, src)                                                                \
    axl__struct_export(AXL__POINTER_TO(type, dst), AXL__POINTER_TO(const type, src), sizeof(type), \
                       AXL__V1(type), #type)
/* That an export will find a struct. */
#define AXL__CHECK_STRUCT(type, dst)                                                               \
    axl__struct_check(AXL__POINTER_TO(type, dst), AXL__V1(type), #type)

/* All: AXL_ERR_ABI for a size that cannot be, AXL_ERR_INVALID for NULL. */
axl_status axl__struct_import(void *dst, size_t dst_size, const void *src, size_t v1_size,
                              const char *type);
axl_status axl__struct_import_options(void *dst, size_t dst_size, const void *src, size_t v1_size,
                                      const char *type);
axl_status axl__struct_export(void *dst, const void *src, size_t src_size, size_t v1_size,
                              const char *type);
axl_status axl__struct_check(const void *given, size_t v1_size, const char *type);

#endif
