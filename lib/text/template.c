/* SPDX-License-Identifier: Apache-2.0 */
/* template.c - the handle of a chat template, and where a model's folder has it. */
#include "base/ctx.h"
#include "base/magic.h"
#include "base/os.h"
#include "base/structs.h"
#include "chat/chat_templates.h"
#include "template.h"
#include "tokenizer.h"

#include <stdatomic.h>
#include <string.h>

/* The engine's frames are small, but a host's thread may have a small stack. */
enum { DEPTH_MAX = 400 };
static const int64_t time_max = 253402300799; /* the last second of the year 9999 */

struct axl_template {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    axl__jinja *jinja;
    axl__arena arena;
    axl__json *extra; /* special tokens of the folder; NULL: none */
};

static axl_status enter(const axl_template *t)
{
    if (!t || t->magic != AXL__MAGIC_TEMPLATE) {
        axl__error_clear();
        return axl__fail(AXL_ERR_INVALID, "not a live axl_template");
    }
    return axl__context_enter(t->ctx);
}

void axl_template_free(axl_template *t)
{
    if (!t || t->magic != AXL__MAGIC_TEMPLATE || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    axl_context *ctx = t->ctx;
    t->magic = 0;
    axl__jinja_free(t->jinja);
    axl__arena_free(&t->arena);
    axl__free(ctx, t);
    axl_context_free(ctx);
}

static axl_template *template_new(axl_context *ctx)
{
    axl_template *t = axl__calloc(ctx, 1, sizeof *t);

    if (!t)
        return NULL;
    t->magic = AXL__MAGIC_TEMPLATE;
    atomic_init(&t->refs, 1);
    t->ctx = axl__context_ref(ctx);
    axl__arena_init(&t->arena, ctx);
    return t;
}

static axl_status finish(axl_template **out, axl_template *t, axl_status status)
{
    if (status < 0)
        axl_template_free(t);
    else
        *out = t;
    return status;
}

axl_status axl_template_new(axl_template **out, axl_context *ctx, const char *text, size_t length,
                            const char *name)
{
    if (out)
        *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    if (!out || (!text && length > 0))
        return axl__fail(AXL_ERR_INVALID, "out and text must not be NULL");
    axl_template *t = template_new(ctx);
    if (!t)
        return axl__fail_nomem();
    return finish(
        out, t,
        axl__jinja_parse(&t->jinja, ctx, name ? name : "template", text ? text : "", length));
}

axl_status axl_template_open_builtin(axl_template **out, axl_context *ctx, const char *name)
{
    const char *source;

    if (out)
        *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    if (!out || !name)
        return axl__fail(AXL_ERR_INVALID, "out and name must not be NULL");
    AXL_TRY(axl__chat_template_builtin(name, &source));
    axl_template *t = template_new(ctx);
    if (!t)
        return axl__fail_nomem();
    return finish(out, t, axl__jinja_parse(&t->jinja, ctx, name, source, strlen(source)));
}

/* ---- a model's folder ---- */

static axl_status read_file(axl_template *t, const char *path)
{
    axl__file file;

    AXL_TRY(axl__file_open(&file, t->ctx, path, true));
    axl_status status =
        axl__jinja_parse(&t->jinja, t->ctx, path, (const char *)file.data, file.size);
    axl__file_close(&file);
    return status;
}

/* A token is a text or an object whose content is one. */
static axl_status add_token(axl_template *t, const axl__json *config, const char *key)
{
    const axl__json *found = axl__json_get(config, key);

    if (found && found->type == AXL__JSON_OBJECT)
        found = axl__json_get(found, "content");
    if (!found || found->type != AXL__JSON_STRING)
        return AXL_OK;
    axl__json *token = axl__arena_alloc(&t->arena, sizeof *token);
    if (!token)
        return axl__fail_nomem();
    *token = *found;
    token->key = key;
    token->key_len = strlen(key);
    token->next = t->extra->child;
    t->extra->child = token;
    t->extra->count++;
    return AXL_OK;
}

static axl_status read_config(axl_template *t, const char *path, axl__json **out)
{
    static const char *const tokens[] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token" };

    AXL_TRY(axl__json_read_file(out, &t->arena, path));
    t->extra = axl__arena_alloc(&t->arena, sizeof *t->extra);
    if (!t->extra)
        return axl__fail_nomem();
    t->extra->type = AXL__JSON_OBJECT;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        AXL_TRY(add_token(t, *out, tokens[i]));
    return AXL_OK;
}

static axl_status read_folder_of(axl_template *t, const char *dir, const char *file,
                                 const char *config_path)
{
    axl__json *config = NULL;

    if (axl__has_file(dir, "tokenizer_config.json"))
        AXL_TRY(read_config(t, config_path, &config));
    if (axl__has_file(dir, "chat_template.jinja"))
        return read_file(t, file);
    const axl__json *found = axl__chat_template_of(config);
    if (!found)
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "%s has no chat template: neither chat_template.jinja nor chat_template "
                         "in tokenizer_config.json",
                         dir);
    return axl__jinja_parse(&t->jinja, t->ctx, "chat_template", found->text, found->len);
}

static axl_status read_folder(axl_template *t, const char *dir)
{
    char *file = axl__format(t->ctx, "%s/chat_template.jinja", dir);
    char *config = axl__format(t->ctx, "%s/tokenizer_config.json", dir);
    axl_status status = file && config ? read_folder_of(t, dir, file, config) : axl__fail_nomem();

    axl__free(t->ctx, config);
    axl__free(t->ctx, file);
    return status;
}

axl_status axl_template_open(axl_template **out, axl_context *ctx, const char *path)
{
    if (out)
        *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    if (!out || !path)
        return axl__fail(AXL_ERR_INVALID, "out and path must not be NULL");
    axl_template *t = template_new(ctx);
    if (!t)
        return axl__fail_nomem();
    bool folder = axl__path_kind_of(path) == AXL__PATH_DIR;
    return finish(out, t, folder ? read_folder(t, path) : read_file(t, path));
}

/* ---- rendering ---- */

axl_status axl__template_options_read(const axl_template_options *given, axl__jinja_options *out)
{
    axl_template_options opts = AXL_TEMPLATE_OPTIONS_INIT;

    AXL_TRY(AXL__IMPORT_OPTIONS(axl_template_options, &opts, given));
    if (opts.time < -1 || opts.time > time_max || opts.max_depth > DEPTH_MAX || opts.reserved0 != 0)
        return axl__fail(AXL_ERR_INVALID,
                         "time must be from -1 to the year 9999, max_depth at most %d", DEPTH_MAX);
    *out = (axl__jinja_options){ .limits = { .steps = opts.max_steps,
                                             .output = opts.max_output,
                                             .memory = opts.max_memory,
                                             .depth = opts.max_depth },
                                 .now = axl__utc(opts.time < 0 ? (int64_t)axl__wall_time()
                                                               : opts.time) };
    return AXL_OK;
}

static axl_status render(const axl_template *t, const axl__json *context,
                         const axl__jinja_options *opts, axl_buffer *out)
{
    axl__str text;

    axl__str_init(&text, t->ctx);
    axl_status status = axl__jinja_render(t->jinja, context, opts, &text);
    if (status == AXL_OK)
        status = axl__buffer_set(t->ctx, out, axl__str_text(&text), text.len);
    axl__str_free(&text);
    return status;
}

axl_status axl_template_render(const axl_template *t, const char *context, size_t length,
                               const axl_template_options *given, axl_buffer *out)
{
    axl__jinja_options opts;
    axl__arena arena;
    axl__json *tree;

    AXL_TRY(enter(t));
    AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, out));
    AXL_TRY(axl__template_options_read(given, &opts));
    if (!context)
        return axl__fail(AXL_ERR_INVALID, "context must not be NULL");
    opts.extra = t->extra;
    axl__arena_init(&arena, t->ctx);
    axl_status status = axl__json_parse(&tree, &arena, context, length, "context");
    if (status == AXL_OK)
        status = render(t, tree, &opts, out);
    axl__arena_free(&arena);
    return status;
}
