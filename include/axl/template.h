/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file template.h
 * Chat templates: Jinja, as Hugging Face's models bring it.
 *
 * The text is that of jinja2 3.1 under transformers' settings, byte for byte: trim_blocks and
 * lstrip_blocks, loop controls, raise_exception, strftime_now, generation blocks, tojson without
 * escapes.  Templates are strangers' programs: they reach nothing but the variables they get, and
 * what they may take is bounded.  A template is immutable: several threads may render one at the
 * same time.
 */
#ifndef AXL_TEMPLATE_H
#define AXL_TEMPLATE_H

#include <axl/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct axl_template axl_template;

/** How a template is rendered.  A limit of 0 is its default. */
typedef struct axl_template_options {
    size_t size;         /**< sizeof(axl_template_options); set by _INIT */
    int64_t time;        /**< what strftime_now writes: seconds since 1970, in UTC; -1: now */
    uint64_t max_steps;  /**< evaluated expressions, statements and passes; 50 million */
    uint64_t max_output; /**< bytes of the text; 256 MiB */
    uint64_t max_memory; /**< bytes of values on the way; 1 GiB */
    uint32_t max_depth;  /**< macros, blocks and expressions in one another; 400 at most */
    uint32_t reserved0;  /**< must be 0 */
} axl_template_options;

#define AXL_TEMPLATE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(axl_template_options), -1, 0u, 0u, 0u, 0u, 0u                                       \
    }

/**
 * Make a template of its text.
 *
 * @param[out] out    The template; NULL on failure.  Release with axl_template_free().
 * @param[in]  ctx    The template takes its own reference.
 * @param[in]  text   Borrowed for the call; UTF-8.  NULL where @p length is 0.
 * @param[in]  length Bytes in @p text.
 * @param[in]  name   What errors call it; NULL: "template".  Borrowed for the call.
 *
 * @retval AXL_ERR_FORMAT The template is wrong; axl_last_error() names the line and the cause.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_template_new(axl_template **out, axl_context *ctx,
                                                   const char *text, size_t length,
                                                   const char *name);

/**
 * Open the chat template of a model's folder, or a file that holds one.
 *
 * @param[out] out  The template; NULL on failure.  Release with axl_template_free().
 * @param[in]  ctx  The template takes its own reference.
 * @param[in]  path A folder, of which chat_template.jinja is read, else chat_template of
 *                  tokenizer_config.json (of several the one named "default"); its bos_token and
 *                  the like are then variables where a rendering has none of the name.  Or a file,
 *                  which is the text.
 *
 * @retval AXL_ERR_NOT_FOUND There is none; axl_last_error() says what was sought.
 * @retval AXL_ERR_FORMAT    The template, or tokenizer_config.json, is wrong.
 * @retval AXL_ERR_IO
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_template_open(axl_template **out, axl_context *ctx,
                                                    const char *path);

/**
 * Open one of the chat templates that axl brings, by the name that a config's chat_template gives
 * it: "chatml", "llama3", "qwen_25" and the others of Axolotl 0.19, with the text that Axolotl
 * makes.
 *
 * @param[out] out  The template; NULL on failure.  Release with axl_template_free().
 * @param[in]  ctx  The template takes its own reference.
 * @param[in]  name Borrowed for the call; errors of the template call it so.
 *
 * @retval AXL_ERR_INVALID     There is none of the name; axl_last_error() has the nearest one or
 *                             all.
 * @retval AXL_ERR_UNSUPPORTED One of Axolotl's whose text is mostly its vendor's own;
 *                             axl_last_error() says what to use instead.
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_template_open_builtin(axl_template **out, axl_context *ctx,
                                                            const char *name);

/**
 * Render a template.
 *
 * @param[in]     tpl     Borrowed.
 * @param[in]     context A JSON object: the variables.  Integers and floats stay apart, keys in
 *                        order.  Borrowed for the call.
 * @param[in]     length  Bytes in @p context.
 * @param[in]     opts    NULL for the defaults.
 * @param[in,out] out     The text, with a NUL behind it; what it held is released.  Release with
 *                        axl_buffer_free().
 *
 * @retval AXL_ERR_FORMAT    The template fails on these variables, says so itself
 *                           (raise_exception) or goes past a limit: axl_last_error() names the
 *                           line and the cause.  Or @p context is no JSON object.
 * @retval AXL_ERR_INVALID   A NULL argument, or an option out of range.
 * @retval AXL_ERR_ABI       @p opts or @p out is of another version.
 * @retval AXL_ERR_CANCELLED
 * @retval AXL_ERR_NOMEM
 *
 * Thread: any, several at once.
 * Since: 0.1
 */
AXL_API AXL_MUST_CHECK axl_status axl_template_render(const axl_template *tpl, const char *context,
                                                      size_t length,
                                                      const axl_template_options *opts,
                                                      axl_buffer *out);

/**
 * Drop the caller's reference.
 *
 * @param[in] tpl NULL is fine.
 *
 * Thread: any.
 * Since: 0.1
 */
AXL_API void axl_template_free(axl_template *tpl);

#ifdef __cplusplus
}
#endif

#endif
