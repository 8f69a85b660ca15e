/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file config.h
 * A run's configuration: one YAML text, checked against the schema, with its defaults filled in.
 * What is wrong with it comes as a list of diagnostics, each with file, line, column and key.
 *
 * A value is named by its dotted path, list items by [i]: "learning_rate", "datasets[0].path",
 * "special_tokens.pad_token".  A key whose value is null counts as absent.
 */
#ifndef AXL_CONFIG_H
#define AXL_CONFIG_H

#include <axl/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_config axl_config;
typedef struct axl_diagnostics axl_diagnostics;

/** How bad a diagnostic is.  Treat an unknown value as a warning. */
typedef enum axl_severity {
    AXL_SEVERITY_ERROR = 1,
    AXL_SEVERITY_WARNING = 2,
    AXL_SEVERITY_FORCE_INT32 = 0x7fffffff
} axl_severity;

/** One thing to say about a config.  Texts are borrowed from the list. */
typedef struct axl_diagnostic {
    size_t size;         /**< sizeof(axl_diagnostic); set by _INIT */
    const char *id;      /**< "AXL-C0210": what kind it is; a number never changes its meaning */
    uint32_t severity;   /**< an axl_severity */
    uint32_t line;       /**< 1-based; 0: a missing key, or a value from an override */
    uint32_t column;     /**< 1-based, in characters; 0 as line */
    uint32_t reserved;   /**< 0 */
    const char *file;    /**< the name of the config */
    const char *key;     /**< dotted path; NULL where there is none (a syntax error) */
    const char *message; /**< one line, without the fields above */
    const char *text;    /**< all of it: "FILE:LINE:COL: error: KEY: message [ID]" */
} axl_diagnostic;

#define AXL_DIAGNOSTIC_INIT                                                                        \
    {                                                                                              \
        sizeof(axl_diagnostic), NULL, 0u, 0u, 0u, 0u, NULL, NULL, NULL, NULL                       \
    }

typedef struct axl_config_options {
    size_t size;                  /**< sizeof(axl_config_options); set by _INIT */
    const char *base_dir;         /**< what relative paths in the config start from; NULL: the
                                       current directory.  Copied */
    const char *const *overrides; /**< "key=value" each, laid over the YAML in order; borrowed
                                       for the call */
    size_t n_overrides;
    axl_diagnostics **diagnostics; /**< optional: receives the list, also on success, on
                                        AXL_ERR_CONFIG and when the file cannot be read; NULL on
                                        other failures.  Release with axl_diagnostics_free() */
    uint32_t own_data;             /**< 1: the host brings the samples (axl_run_options.train), and
                                        `datasets`, or an entry's `path`, may be missing */
    uint32_t reserved0;            /**< must be 0 */
} axl_config_options;

#define AXL_CONFIG_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(axl_config_options), NULL, NULL, 0, NULL, 0u, 0u                                    \
    }

/**
 * Read, check and complete a config file.
 *
 * Warnings go to the context's log as well.  An override's value is read as a plain YAML value
 * ("true", "3", "2e-5", "[a, b]", "none" or "null" for absent; text where the key wants text);
 * '-' and '_' in its key are the same.
 *
 * @param[out] out  The config; NULL on failure.  Release with axl_config_free().
 * @param[in]  ctx  Borrowed for the call; the config takes its own reference.
 * @param[in]  path A file, or a directory that holds one .yml or .yaml file.  Borrowed.
 * @param[in]  opts NULL for the defaults.  Borrowed for the call.
 *
 * @retval AXL_ERR_CONFIG    The config has errors; axl_last_error() is the first of them.
 * @retval AXL_ERR_NOT_FOUND No such file, or no YAML file in the directory.
 * @retval AXL_ERR_INVALID   The directory holds several; an override is no "key=value".
 * @retval AXL_ERR_IO        The file cannot be read.
 * @retval AXL_ERR_ABI       @p opts sets a field this library does not know.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_open(axl_config **out, axl_context *ctx,
                                                  const char *path, const axl_config_options *opts);

/**
 * As axl_config_open(), of a text in memory.
 *
 * @param[out] out  The config; NULL on failure.  Release with axl_config_free().
 * @param[in]  ctx  Borrowed for the call; the config takes its own reference.
 * @param[in]  text YAML or JSON.  Copied.
 * @param[in]  length Bytes in @p text.
 * @param[in]  name What diagnostics call it; NULL: "config".  Copied.
 * @param[in]  opts NULL for the defaults.  Borrowed for the call.
 *
 * @retval AXL_ERR_CONFIG  The config has errors; axl_last_error() is the first of them.
 * @retval AXL_ERR_INVALID @p text is NULL; an override is no "key=value".
 * @retval AXL_ERR_ABI     @p opts sets a field this library does not know.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_parse(axl_config **out, axl_context *ctx,
                                                   const char *text, size_t length,
                                                   const char *name,
                                                   const axl_config_options *opts);

/**
 * Drop the caller's reference.
 *
 * @param[in] cfg NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_config_free(axl_config *cfg);

/**
 * The effective value of a key as text: after overrides, renames, derived values and defaults.
 * A number or boolean comes as YAML writes it ("4", "2e-05", "true").
 *
 * @param[in]  cfg Borrowed.
 * @param[in]  key Dotted path.  Borrowed for the call.
 * @param[out] out Borrowed from the config, valid as long as it lives; NULL unless AXL_OK.
 *
 * @retval AXL_END         The key has no value and no default, or there is no such list item.
 * @retval AXL_ERR_INVALID The schema has no such key, or the value is a list or mapping.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_get_string(const axl_config *cfg, const char *key,
                                                        const char **out);

/**
 * The effective value of an integer key.
 *
 * @param[in]  cfg Borrowed.
 * @param[in]  key Dotted path.  Borrowed for the call.
 * @param[out] out Set on AXL_OK only.
 *
 * @retval AXL_END         The key has no value and no default, or there is no such list item.
 * @retval AXL_ERR_INVALID The schema has no such key, or the value is no integer.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_get_int(const axl_config *cfg, const char *key,
                                                     int64_t *out);

/**
 * The effective value of a number key.
 *
 * @param[in]  cfg Borrowed.
 * @param[in]  key Dotted path.  Borrowed for the call.
 * @param[out] out Set on AXL_OK only.
 *
 * @retval AXL_END         The key has no value and no default, or there is no such list item.
 * @retval AXL_ERR_INVALID The schema has no such key, or the value is no number.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_get_double(const axl_config *cfg, const char *key,
                                                        double *out);

/**
 * The effective value of a boolean key.
 *
 * @param[in]  cfg Borrowed.
 * @param[in]  key Dotted path.  Borrowed for the call.
 * @param[out] out 1 or 0; set on AXL_OK only.
 *
 * @retval AXL_END         The key has no value and no default, or there is no such list item.
 * @retval AXL_ERR_INVALID The schema has no such key, or the value is no boolean ("bf16: auto").
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_get_bool(const axl_config *cfg, const char *key,
                                                      int *out);

/**
 * The number of items of a list, or of members of a mapping.
 *
 * @param[in]  cfg Borrowed.
 * @param[in]  key Dotted path.  Borrowed for the call.
 * @param[out] out Set to 0 unless AXL_OK.
 *
 * @retval AXL_END         The key has no value and no default, or there is no such list item.
 * @retval AXL_ERR_INVALID The schema has no such key, or the value is neither.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_get_count(const axl_config *cfg, const char *key,
                                                       size_t *out);

/**
 * Where a key stands in the YAML.
 *
 * @param[in]  cfg    Borrowed.
 * @param[in]  key    Dotted path.  Borrowed for the call.
 * @param[out] line   1-based, of the key or the list item; 0 for a default, a derived value or an
 *                    override.
 * @param[out] column 1-based, in characters; 0 as @p line.
 *
 * @retval AXL_END         The key has no value, or there is no such list item.
 * @retval AXL_ERR_INVALID The schema has no such key.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_get_source(const axl_config *cfg, const char *key,
                                                        uint32_t *line, uint32_t *column);

/** Forms of axl_config_dump(). */
typedef enum axl_config_form {
    AXL_CONFIG_YAML = 0,
    AXL_CONFIG_JSON = 1,
    AXL_CONFIG_FORM_FORCE_INT32 = 0x7fffffff
} axl_config_form;

/**
 * The effective config as text.  Parsing it gives an equal config.
 *
 * @param[in]     cfg  Borrowed.
 * @param[in]     form An axl_config_form.
 * @param[in,out] out  Receives the text; what it held is released.  The caller frees it with
 *                     axl_buffer_free().
 *
 * @retval AXL_ERR_INVALID Unknown form.
 * @retval AXL_ERR_ABI     @p out was not set up with AXL_BUFFER_INIT.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_dump(const axl_config *cfg, uint32_t form,
                                                  axl_buffer *out);

/**
 * The number of diagnostics.
 *
 * @param[in] list Borrowed; NULL gives 0.
 * @return Errors and warnings together.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_diagnostics_count(const axl_diagnostics *list);

/**
 * The number of errors among the diagnostics.
 *
 * @param[in] list Borrowed; NULL gives 0.
 * @return 0 exactly when the config could be used.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_diagnostics_error_count(const axl_diagnostics *list);

/**
 * One diagnostic, in the order of the file; those without a line come last.
 *
 * @param[in]     list  Borrowed.
 * @param[in]     index Below axl_diagnostics_count().
 * @param[in,out] out   Set up with AXL_DIAGNOSTIC_INIT; its texts live as long as the list.
 *
 * @retval AXL_END         There is no such diagnostic.
 * @retval AXL_ERR_INVALID @p list or @p out is NULL.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_diagnostics_get(const axl_diagnostics *list, size_t index,
                                                      axl_diagnostic *out);

/**
 * Release a list of diagnostics.
 *
 * @param[in] list NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_diagnostics_free(axl_diagnostics *list);

/** What axl does with a key.  Treat an unknown value as AXL_ANSWER_UNSUPPORTED. */
typedef enum axl_answer {
    AXL_ANSWER_IMPLEMENTED = 0,
    AXL_ANSWER_NO_EFFECT = 1,   /**< accepted with a warning; changes nothing here */
    AXL_ANSWER_UNSUPPORTED = 2, /**< an error, unless its value asks for nothing */
    AXL_ANSWER_DEPRECATED = 3,  /**< renamed (its value moves), refused or long gone */
    AXL_ANSWER_FORCE_INT32 = 0x7fffffff
} axl_answer;

/** One key of the schema.  Texts are static. */
typedef struct axl_config_key_info {
    size_t size;             /**< sizeof(axl_config_key_info); set by _INIT */
    const char *name;        /**< "datasets[].path" */
    const char *type;        /**< "bool", "int", "float", "str", "list of str", "map", "any";
                                  alternatives are joined by '|' */
    const char *fallback;    /**< the default as YAML writes it; NULL: none */
    const char *values;      /**< allowed texts, joined by ", "; NULL: any */
    const char *range;       /**< what a number must be: ">= 1", "in [0, 1)"; NULL: any */
    const char *reason;      /**< why it has no effect, is not supported or takes no other values;
                                  NULL: nothing to say */
    const char *use_instead; /**< NULL: nothing */
    const char *description; /**< NULL: none yet */
    uint32_t answer;         /**< an axl_answer */
    uint32_t reserved;       /**< 0 */
} axl_config_key_info;

#define AXL_CONFIG_KEY_INFO_INIT                                                                   \
    {                                                                                              \
        sizeof(axl_config_key_info), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0u, 0u        \
    }

/**
 * The number of keys in the schema.
 *
 * @return At least 1.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API size_t axl_config_schema_count(void);

/**
 * One key of the schema.
 *
 * @param[in]     index Below axl_config_schema_count().
 * @param[in,out] out   Set up with AXL_CONFIG_KEY_INFO_INIT.
 *
 * @retval AXL_END         There is no such key.
 * @retval AXL_ERR_INVALID @p out is NULL.
 * @retval AXL_ERR_ABI     @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_schema_get(size_t index, axl_config_key_info *out);

/**
 * The key of the schema with a name.
 *
 * @param[in]     name "datasets[].path"; an index between the brackets is fine.  Borrowed for the
 *                     call.
 * @param[in,out] out  Set up with AXL_CONFIG_KEY_INFO_INIT.
 *
 * @retval AXL_ERR_NOT_FOUND No such key; axl_last_error() names the nearest one.
 * @retval AXL_ERR_INVALID   @p name or @p out is NULL.
 * @retval AXL_ERR_ABI       @p out has no valid size.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_config_schema_find(const char *name,
                                                         axl_config_key_info *out);

#ifdef __cplusplus
}
#endif

#endif
