/* SPDX-License-Identifier: Apache-2.0 */
/* data_configs.c - see data_configs.h; the format is that of the Hub's pages on data sets ("Manual
 * Configuration"). */
#include "data/data_configs.h"

#include "base/os.h"

#include <string.h>

/* The YAML between two lines "---" at the beginning; len 0: there is none. */
static const char *head_of(const char *text, size_t size, size_t *len)
{
    const char *begin = text + 4;

    *len = 0;
    if (size < 8 || (memcmp(text, "---\n", 4) != 0 && memcmp(text, "---\r", 4) != 0))
        return text;
    for (const char *at = begin; (at = memchr(at, '\n', (size_t)(text + size - at))); at++)
        if ((size_t)(text + size - at) >= 4 && memcmp(at, "\n---", 4) == 0) {
            *len = (size_t)(at + 1 - begin);
            break;
        }
    return begin;
}

static axl_status parse_head(const axl__yaml **out, axl__data_config *config, axl_context *ctx,
                             const char *path)
{
    axl_diagnostics *unused;
    axl__yaml *root = NULL;
    axl__file file;
    size_t len;

    AXL_TRY(axl__file_open(&file, ctx, path, true));
    axl_status status = axl__diagnostics_new(&unused, ctx, path);
    if (status == AXL_OK) {
        const char *head = head_of((const char *)file.data, file.size, &len);
        status = axl__yaml_parse(&root, &config->arena, head, len, unused);
        if (status == AXL_OK)
            status = axl__diagnostics_finish(unused);
        axl_diagnostics_free(unused);
    }
    axl__file_close(&file);
    if (status == AXL_ERR_NOMEM)
        return status;
    if (status != AXL_OK)
        return axl__fail(AXL_ERR_FORMAT, "%s: what stands between its lines --- is no YAML", path);
    *out = root;
    return AXL_OK;
}

static const char *text_of(const axl__yaml *map, const char *key)
{
    const axl__yaml *v = map->type == AXL__YAML_MAP ? axl__yaml_get(map, key) : NULL;

    return v && v->type == AXL__YAML_STRING ? v->text : NULL;
}

static const char *config_name(const axl__yaml *config)
{
    const char *name = text_of(config, "config_name");

    return name ? name : "default";
}

static bool is_default(const axl__yaml *config)
{
    const axl__yaml *flag = config->type == AXL__YAML_MAP ? axl__yaml_get(config, "default") : NULL;

    return flag && flag->type == AXL__YAML_BOOL && flag->boolean;
}

static const axl__yaml *choose(const axl__yaml *list, const char *name)
{
    for (const axl__yaml *c = list->child; c; c = c->next)
        if (name ? strcmp(config_name(c), name) == 0 : is_default(c))
            return c;
    for (const axl__yaml *c = list->child; c && !name; c = c->next)
        if (strcmp(config_name(c), "default") == 0)
            return c;
    return !name && list->count == 1 ? list->child : NULL;
}

static axl_status none_such(axl_context *ctx, const axl__yaml *list, const char *path,
                            const char *name)
{
    axl__str names;

    axl__str_init(&names, ctx);
    for (const axl__yaml *c = list->child; c; c = c->next)
        axl__str_putf(&names, "%s%.60s", names.len > 0 ? ", " : "", config_name(c));
    axl_status status = axl__str_status(&names);
    if (status == AXL_OK && name)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s lists no configuration \"%s\"; there is %s", path,
                           name, names.data);
    else if (status == AXL_OK)
        status = axl__fail(AXL_ERR_NOT_FOUND,
                           "%s lists several configurations; set `name` to one "
                           "of %s",
                           path, names.data);
    axl__str_free(&names);
    return status;
}

static axl_status read_config(axl__data_config *out, axl_context *ctx, const char *path,
                              const char *name)
{
    const axl__yaml *root = NULL;

    AXL_TRY(parse_head(&root, out, ctx, path));
    const axl__yaml *list =
        root && root->type == AXL__YAML_MAP ? axl__yaml_get(root, "configs") : NULL;
    if (!list || list->type != AXL__YAML_LIST || list->count == 0)
        return name && strcmp(name, "default") != 0
                   ? axl__fail(AXL_ERR_NOT_FOUND,
                               "%s lists no configurations, so there is no \"%s\"", path, name)
                   : AXL_OK;
    const axl__yaml *config = choose(list, name);
    if (!config)
        return none_such(ctx, list, path, name);
    out->files = config->type == AXL__YAML_MAP ? axl__yaml_get(config, "data_files") : NULL;
    out->folder = text_of(config, "data_dir");
    if (out->folder && (*out->folder == '/' || strstr(out->folder, "..")))
        return axl__fail(AXL_ERR_FORMAT, "%s: data_dir \"%s\" leads out of the folder", path,
                         out->folder);
    return AXL_OK;
}

axl_status axl__data_config_open(axl__data_config *out, axl_context *ctx, const char *folder,
                                 const char *name)
{
    memset(out, 0, sizeof *out);
    axl__arena_init(&out->arena, ctx);
    char *path = axl__format(ctx, "%s/README.md", folder);
    if (!path)
        return axl__fail_nomem();
    axl_status status = AXL_OK;
    if (axl__path_kind_of(path) == AXL__PATH_FILE)
        status = read_config(out, ctx, path, name);
    else if (name && strcmp(name, "default") != 0)
        status = axl__fail(AXL_ERR_NOT_FOUND,
                           "%s: there is no README.md that lists the configuration \"%s\"", folder,
                           name);
    axl__free(ctx, path);
    if (status != AXL_OK)
        axl__data_config_close(out);
    return status;
}

void axl__data_config_close(axl__data_config *config)
{
    axl__arena_free(&config->arena);
    config->files = NULL;
    config->folder = NULL;
}

/* data_files is a pattern, a list of them, or a list of {split, path}: the split of an item. */
static const char *split_of(const axl__yaml *item)
{
    const char *split = text_of(item, "split");

    return item->type == AXL__YAML_STRING ? "train" : split ? split : "";
}

static const axl__yaml *first_item(const axl__data_config *config)
{
    return config->files->type == AXL__YAML_LIST ? config->files->child : config->files;
}

void axl__data_config_splits_put(axl__str *out, const axl__data_config *config)
{
    const char *last = "";

    for (const axl__yaml *v = first_item(config); v; v = v->next) {
        if (strcmp(last, split_of(v)) == 0)
            continue;
        axl__str_putf(out, "%s%s", out->len > 0 ? "+" : "", split_of(v));
        last = split_of(v);
    }
}

const char *axl__data_config_pattern(const axl__data_config *config, const char *split, size_t len,
                                     size_t n)
{
    for (const axl__yaml *v = first_item(config); v; v = v->next) {
        if (strlen(split_of(v)) != len || memcmp(split_of(v), split, len) != 0)
            continue;
        const axl__yaml *path = v->type == AXL__YAML_MAP ? axl__yaml_get(v, "path") : v;
        const axl__yaml *p = path && path->type == AXL__YAML_LIST ? path->child : path;
        for (; p; p = path == p ? NULL : p->next)
            if (n-- == 0)
                return p->type == AXL__YAML_STRING ? p->text : "";
    }
    return NULL;
}
