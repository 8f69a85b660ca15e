/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - the config handle: reading, the passes in their order, typed access.  A config never
 * changes once it is built, so threads may share it.
 */
#include "config_priv.h"
#include "dataset_types.h"

#include "base/magic.h"
#include "base/os.h"
#include "base/str.h"
#include "base/structs.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- helpers of the passes ---- */

/* A list or mapping is shown at its key even where its value is at fault, because the value may
 * begin lines below it.  A node without a line that axl did not make itself can only be an
 * override's. */
void axl__config_say(axl__config_pass *p, axl__diag_id id, axl_severity severity,
                     const axl__yaml *node, axl__config_place place, const char *key,
                     const char *fmt, ...)
{
    char message[AXL__ERROR_MAX];
    uint32_t line = 0, column = 0;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    if (node) {
        bool collection = node->type == AXL__YAML_LIST || node->type == AXL__YAML_MAP;
        bool at_key = node->key_line != 0 && (place == AT_KEY || collection);
        line = at_key ? node->key_line : node->line;
        column = at_key ? node->key_column : node->column;
    }
    bool given = node && !line && !node->derived;
    axl__diag(p->diags, id, severity, line, column, key, "%s%s", message,
              given ? " (given as an override)" : "");
}

/* A huge integer has 0 in `integer` and is not 0; a NaN is true, as in Python. */
bool axl__yaml_truthy(const axl__yaml *n)
{
    if (!n)
        return false;
    switch (n->type) {
    case AXL__YAML_NULL: return false;
    case AXL__YAML_BOOL: return n->boolean;
    case AXL__YAML_INT: return n->huge || n->integer != 0;
    case AXL__YAML_FLOAT: return n->number != 0;
    case AXL__YAML_STRING: return n->len > 0;
    case AXL__YAML_LIST:
    case AXL__YAML_MAP: return n->count > 0;
    }
    return false;
}

/* Texts of files are cut, so that a message stays one line that a person reads. */
const char *axl__yaml_describe(const axl__yaml *n, char *out, size_t room)
{
    size_t shown;

    switch (n->type) {
    case AXL__YAML_NULL: snprintf(out, room, "null"); break;
    case AXL__YAML_BOOL: snprintf(out, room, "%s", n->boolean ? "true" : "false"); break;
    case AXL__YAML_INT: snprintf(out, room, "the integer %.40s", n->text); break;
    case AXL__YAML_FLOAT: snprintf(out, room, "the number %.40s", n->text); break;
    case AXL__YAML_STRING:
        shown = n->len;
        if (shown > 60) /* cut before a whole character */
            for (shown = 60; shown > 0 && ((unsigned char)n->text[shown] & 0xC0) == 0x80;)
                shown--;
        snprintf(out, room, "the text \"%.*s%s\"", (int)shown, n->text,
                 shown < n->len ? "..." : "");
        break;
    case AXL__YAML_LIST: snprintf(out, room, "a list"); break;
    case AXL__YAML_MAP: snprintf(out, room, "a mapping"); break;
    }
    return out;
}

/* Any text may come in: a host's key too.  An index is held to nine digits, which no list reaches,
 * so that the sum below cannot overflow.  The tree is const for readers and not for the passes;
 * this serves both, hence the cast. */
axl__yaml *axl__config_find(const axl__yaml *root, const char *path)
{
    axl__yaml *node = (axl__yaml *)(uintptr_t)root;

    while (node && *path) {
        char name[256];
        size_t n = strcspn(path, ".[");
        if (*path == '[') {
            size_t index = 0, digits = 0;
            for (path++; *path >= '0' && *path <= '9' && digits < 9; path++, digits++)
                index = index * 10 + (size_t)(*path - '0');
            if (digits == 0 || *path != ']')
                return NULL;
            path++;
            node = axl__yaml_item(node, index);
        } else {
            if (n == 0 || n >= sizeof name)
                return NULL;
            memcpy(name, path, n);
            name[n] = '\0';
            path += n;
            node = axl__yaml_get(node, name);
        }
        path += *path == '.';
    }
    return node;
}

/* ---- making and freeing ---- */

void axl_config_free(axl_config *cfg)
{
    if (!cfg || atomic_fetch_sub(&cfg->refs, 1) != 1)
        return;
    axl_context *ctx = cfg->ctx;
    cfg->magic = 0;
    axl__arena_free(&cfg->arena);
    axl__free(ctx, cfg);
    axl_context_free(ctx);
}

/* A handle without a tree.  cwd is taken now because a host may change directory later, and a
 * relative path of the config must go on meaning the same file. */
static axl_status config_new(axl_config **out, axl_context *ctx, const char *text, size_t len,
                             const char *name, const char *base_dir)
{
    axl_config *cfg = axl__calloc(ctx, 1, sizeof *cfg);

    *out = NULL;
    if (!cfg)
        return axl__fail_nomem();
    cfg->magic = AXL__MAGIC_CONFIG;
    atomic_init(&cfg->refs, 1);
    cfg->ctx = axl__context_ref(ctx);
    axl__arena_init(&cfg->arena, ctx);
    cfg->text = axl__arena_strndup(&cfg->arena, text, len);
    cfg->text_len = len;
    cfg->name = axl__arena_strndup(&cfg->arena, name, strlen(name));
    if (base_dir)
        cfg->base_dir = axl__arena_strndup(&cfg->arena, base_dir, strlen(base_dir));
    char *cwd = axl__path_absolute(ctx, ".");
    cfg->cwd = cwd ? axl__arena_strndup(&cfg->arena, cwd, strlen(cwd)) : NULL;
    axl__free(ctx, cwd);
    if (!cfg->text || !cfg->name || (base_dir && !cfg->base_dir) || !cfg->cwd) {
        axl_config_free(cfg);
        return axl__fail_nomem();
    }
    *out = cfg;
    return AXL_OK;
}

/* The host's texts are borrowed for the call alone; the run's log and the model card show them
 * later. */
static axl_status keep_overrides(axl_config *cfg, const axl_config_options *opts)
{
    axl__str s;

    axl__str_init(&s, cfg->ctx);
    for (size_t i = 0; i < opts->n_overrides; i++)
        axl__str_putf(&s, "%s\n", opts->overrides[i]);
    axl_status status = axl__str_status(&s);
    if (status == AXL_OK &&
        !(cfg->overrides = axl__arena_strndup(&cfg->arena, axl__str_text(&s), s.len)))
        status = axl__fail_nomem();
    axl__str_free(&s);
    return status;
}

/* The order matters.  Nulls go after the overrides, so that key=null takes away what the file says;
 * renaming comes before the keys are checked, which drops a deprecated key without a word and sees
 * its value under today's name; rules see what was set and not defaults, which they could not tell
 * from it; and what is derived is of values that are known to be good. */
static axl_status run_passes(axl_config *cfg, axl_diagnostics *diags,
                             const axl_config_options *opts)
{
    axl__config_pass p = {
        .cfg = cfg, .arena = &cfg->arena, .diags = diags, .own_data = opts->own_data != 0
    };

    AXL_TRY(axl__yaml_parse(&p.root, &cfg->arena, cfg->text, cfg->text_len, diags));
    cfg->root = p.root;
    for (size_t i = 0; i < opts->n_overrides; i++)
        AXL_TRY(axl__config_override(&p, opts->overrides[i]));
    AXL_TRY(keep_overrides(cfg, opts));
    axl__yaml_drop_nulls(p.root);
    const axl__yaml *unknown = axl__config_find(p.root, "axl.unknown_keys");
    p.warn_unknown = unknown && unknown->text && strcmp(unknown->text, "warn") == 0;
    AXL_TRY(axl__config_rename(&p));
    AXL_TRY(axl__config_check_keys(&p));
    AXL_TRY(axl__config_validate(&p));
    return axl_diagnostics_error_count(diags) ? AXL_OK : axl__config_derive(&p);
}

/* The list goes to the host when it says something about the config, whatever came out. */
static axl_status build(axl_config **out, axl_context *ctx, const char *text, size_t len,
                        const char *name, const axl_config_options *opts)
{
    axl_config *cfg;
    axl_diagnostics *diags;

    AXL_TRY(config_new(&cfg, ctx, text, len, name, opts->base_dir));
    axl_status status = axl__diagnostics_new(&diags, ctx, name);
    if (status == AXL_OK)
        status = run_passes(cfg, diags, opts);
    if (status == AXL_OK || status == AXL_ERR_CONFIG) {
        axl__error first;
        status = axl__diagnostics_finish(diags);
        axl__error_hold(&first); /* the host's log may call the library */
        axl__diagnostics_log_warnings(diags);
        axl__error_restore(&first);
    }
    if (opts->diagnostics && (status == AXL_OK || status == AXL_ERR_CONFIG))
        *opts->diagnostics = diags;
    else
        axl_diagnostics_free(diags);
    if (status < 0)
        axl_config_free(cfg);
    else
        *out = cfg;
    return status;
}

/* After this, *out and *diagnostics are NULL whatever fails. */
static axl_status import_options(axl_config_options *dst, axl_config **out, axl_context *ctx,
                                 const axl_config_options *src)
{
    axl_config_options defaults = AXL_CONFIG_OPTIONS_INIT;

    AXL_TRY(axl__context_enter(ctx));
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out is NULL");
    *out = NULL;
    *dst = defaults;
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_config_options, dst, src));
    if (dst->diagnostics)
        *dst->diagnostics = NULL;
    if (dst->n_overrides > 0 && !dst->overrides)
        return axl__fail(AXL_ERR_INVALID, "overrides is NULL");
    return AXL_OK;
}

axl_status axl_config_parse(axl_config **out, axl_context *ctx, const char *text, size_t length,
                            const char *name, const axl_config_options *opts)
{
    axl_config_options o;

    AXL_TRY(import_options(&o, out, ctx, opts));
    if (!text)
        return axl__fail(AXL_ERR_INVALID, "text is NULL");
    return build(out, ctx, text, length, name ? name : "config", &o);
}

/* The path of the one YAML file in a folder. */
static axl_status find_in_dir(axl_context *ctx, const char *dir, char **out)
{
    char **names;
    size_t count, found = 0;

    AXL_TRY(axl__list_dir(ctx, dir, &names, &count));
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!axl__ends_with(names[i], ".yml") && !axl__ends_with(names[i], ".yaml"))
            continue;
        if (++found == 1)
            *out = axl__format(ctx, "%s%s%s", dir, axl__ends_with(dir, "/") ? "" : "/", names[i]);
    }
    axl__free(ctx, names);
    if (found == 1)
        return *out ? AXL_OK : axl__fail_nomem();
    axl__free(ctx, *out);
    *out = NULL;
    if (found == 0)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s holds no .yml or .yaml file", dir);
    return axl__fail(AXL_ERR_INVALID, "%s holds %zu YAML files; name one", dir, found);
}

/* The last error as a list, for hosts that show lists alone. */
static axl_status unreadable(axl_context *ctx, const char *path, axl_status status, axl__diag_id id,
                             axl_diagnostics **list)
{
    axl_diagnostics *diags;

    if (!list || status == AXL_ERR_NOMEM)
        return status;
    axl__error why;
    axl__error_hold(&why);
    AXL_TRY(axl__diagnostics_new(&diags, ctx, path));
    axl__diag(diags, id, AXL_SEVERITY_ERROR, 0, 0, NULL, "%s", why.text);
    axl_status made = axl__diagnostics_finish(diags);
    if (made != AXL_ERR_CONFIG) {
        axl_diagnostics_free(diags);
        return made;
    }
    *list = diags;
    axl__error_restore(&why);
    return status;
}

/* What a run reads and a config only names, given in a config's place; JSON is YAML unless it is
 * rows.  AXL_ERR_CONFIG says what the file is and what would be right. */
static axl_status check_is_config(const char *path, const axl__file *file)
{
    static const char *const data[] = { ".jsonl", ".parquet", ".arrow", ".csv",
                                        ".gz",    ".zst",     ".tsv" };
    static const char *const weights[] = { ".safetensors", ".gguf", ".bin", ".pt" };
    const char *text = (const char *)file->data;
    size_t blank = 0;
    bool rows = false;

    while (blank < file->size && strchr(" \t\r\n", text[blank]) && text[blank])
        blank++;
    rows = axl__ends_with(path, ".json") && blank < file->size && text[blank] == '[';
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++)
        rows = rows || axl__ends_with(path, data[i]);
    if (rows)
        return axl__fail(AXL_ERR_CONFIG,
                         "%s holds rows of data, not a config: give a YAML file that names it, as "
                         "in datasets: [{path: %s, type: alpaca}]",
                         path, path);
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
        if (axl__ends_with(path, weights[i]))
            return axl__fail(AXL_ERR_CONFIG,
                             "%s holds a model's weights, not a config: give a YAML file that "
                             "names their folder as base_model",
                             path);
    return AXL_OK;
}

/* The file is read and not mapped: a config is small, and may be edited while it is in use. */
axl_status axl_config_open(axl_config **out, axl_context *ctx, const char *path,
                           const axl_config_options *opts)
{
    axl_config_options o;
    axl__file file;
    char *found = NULL;

    AXL_TRY(import_options(&o, out, ctx, opts));
    if (!path)
        return axl__fail(AXL_ERR_INVALID, "path is NULL");
    axl_status status = AXL_OK;
    if (axl__path_kind_of(path) == AXL__PATH_DIR) {
        status = find_in_dir(ctx, path, &found);
        path = found ? found : path;
    }
    if (status == AXL_OK)
        status = axl__file_open(&file, ctx, path, true);
    if (status < 0) {
        status = unreadable(ctx, path, status, AXL__C_UNREADABLE, o.diagnostics);
    } else {
        status = check_is_config(path, &file);
        status = status < 0 ? unreadable(ctx, path, status, AXL__C_OTHER_FILE, o.diagnostics)
                            : build(out, ctx, (const char *)file.data, file.size, path, &o);
        axl__file_close(&file);
    }
    axl__free(ctx, found);
    return status;
}

/* ---- for the rest of the library ---- */

axl_config *axl__config_ref(const axl_config *cfg)
{
    axl_config *c = (axl_config *)(uintptr_t)cfg;

    if (c)
        atomic_fetch_add(&c->refs, 1);
    return c;
}

axl_context *axl__config_context(const axl_config *cfg)
{
    return cfg->ctx;
}

axl_status axl__config_enter(const axl_config *cfg)
{
    axl__error_clear();
    if (!cfg || cfg->magic != AXL__MAGIC_CONFIG)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_config");
    return axl__context_enter(cfg->ctx);
}

const char *axl__config_text(const axl_config *cfg, size_t *len)
{
    if (len)
        *len = cfg->text_len;
    return cfg->text;
}

const char *axl__config_overrides(const axl_config *cfg)
{
    return cfg->overrides;
}

const char *axl__config_name(const axl_config *cfg)
{
    return cfg->name;
}

void axl__config_fault(const axl_config *cfg, axl_diagnostics *list, axl__diag_id id,
                       const char *key)
{
    axl__config_pass p = { .cfg = cfg, .diags = list };
    axl__error why;

    axl__error_hold(&why);
    axl__config_say(&p, id, AXL_SEVERITY_ERROR, axl__config_find(cfg->root, key), AT_KEY, key, "%s",
                    why.text);
    axl__error_clear();
}

axl__data_task axl__config_task(const axl_config *cfg)
{
    return axl__data_task_of(cfg->root);
}

/* The key of what is asked for beside texts to learn; NULL: nothing is. */
static const char *task_key(const axl_config *cfg)
{
    switch (axl__data_task_of(cfg->root)) {
    case AXL__TASK_TEXT: break;
    case AXL__TASK_REWARD: return "reward_model";
    case AXL__TASK_STEPS: return "process_reward_model";
    default: return "rl";
    }
    return NULL;
}

axl_status axl__config_trains(const axl_config *cfg)
{
    const char *key = task_key(cfg);

    if (!key)
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s: %s: training %s does not exist yet, only its data can be read", key,
                     axl__config_find(cfg->root, key)->text,
                     strcmp(key, "rl") == 0 ? "with preferences" : "a reward model");
}

void axl__config_warn_untrained(const axl_config *cfg, axl_diagnostics *list)
{
    axl__config_pass p = { .cfg = cfg, .diags = list };
    const char *key = task_key(cfg);

    if (key)
        axl__config_say(&p, AXL__C_UNTRAINED, AXL_SEVERITY_WARNING,
                        axl__config_find(cfg->root, key), AT_KEY, key,
                        "the data can be inspected; training %s does not exist yet",
                        strcmp(key, "rl") == 0 ? "with preferences" : "a reward model");
}

/* A relative path stays one, as users know it, while the process is where the config was parsed. */
char *axl__config_path(const axl_config *cfg, const char *value)
{
    const char *base = cfg->base_dir && value[0] != '/' ? cfg->base_dir : "";
    const char *slash = *base && !axl__ends_with(base, "/") ? "/" : "";
    bool relative = (*base ? *base : *value) != '/';

    if (relative && !axl__same_path(".", cfg->cwd))
        return axl__format(cfg->ctx, "%s/%s%s%s", cfg->cwd, base, slash, value);
    return axl__format(cfg->ctx, "%s%s%s", base, slash, value);
}

/* Keys below are literals of the library, so that one that is misspelled is found by the first test
 * that runs the line: in a key that is merely absent, nobody would see the slip. */
static const axl__yaml *known(const axl_config *cfg, const char *key)
{
    assert(axl__schema_knows(key));
    return axl__config_find(cfg->root, key);
}

bool axl__cfg_has(const axl_config *cfg, const char *key)
{
    return known(cfg, key) != NULL;
}

const axl__yaml *axl__cfg_node(const axl_config *cfg, const char *key)
{
    return known(cfg, key);
}

/* given() and optional() divide the keys between them by the schema, so that no default can be
 * written where it is read and differ from the table's. */
static const axl__yaml *given(const axl_config *cfg, const char *key)
{
    const axl__yaml *n = known(cfg, key);

    assert(n && axl__schema_gives(key));
    return n;
}

static const axl__yaml *optional(const axl_config *cfg, const char *key)
{
    assert(!axl__schema_gives(key));
    return known(cfg, key);
}

static bool bool_of(const axl__yaml *n, bool otherwise)
{
    return n && n->type == AXL__YAML_BOOL ? n->boolean : otherwise;
}

static int64_t int_of(const axl__yaml *n, int64_t otherwise)
{
    return n && n->type == AXL__YAML_INT ? n->integer : otherwise;
}

static double double_of(const axl__yaml *n, double otherwise)
{
    return n && (n->type == AXL__YAML_INT || n->type == AXL__YAML_FLOAT) ? n->number : otherwise;
}

static const char *str_of(const axl__yaml *n, const char *otherwise)
{
    return n && n->text ? n->text : otherwise;
}

bool axl__cfg_bool(const axl_config *cfg, const char *key)
{
    return bool_of(given(cfg, key), false);
}

int64_t axl__cfg_int(const axl_config *cfg, const char *key)
{
    return int_of(given(cfg, key), 0);
}

double axl__cfg_double(const axl_config *cfg, const char *key)
{
    return double_of(given(cfg, key), 0.0);
}

const char *axl__cfg_str(const axl_config *cfg, const char *key)
{
    return str_of(given(cfg, key), "");
}

bool axl__cfg_bool_or(const axl_config *cfg, const char *key, bool otherwise)
{
    return bool_of(optional(cfg, key), otherwise);
}

int64_t axl__cfg_int_or(const axl_config *cfg, const char *key, int64_t otherwise)
{
    return int_of(optional(cfg, key), otherwise);
}

double axl__cfg_double_or(const axl_config *cfg, const char *key, double otherwise)
{
    return double_of(optional(cfg, key), otherwise);
}

const char *axl__cfg_str_or(const axl_config *cfg, const char *key, const char *otherwise)
{
    return str_of(optional(cfg, key), otherwise);
}

size_t axl__cfg_count(const axl_config *cfg, const char *key)
{
    const axl__yaml *n = known(cfg, key);

    return n ? n->count : 0;
}

/* ---- public access ---- */

/* Enters, and finds the value; AXL_END when there is none.  Unlike in known(), a key that does not
 * exist is the host's slip and an error. */
static axl_status look_up(const axl_config *cfg, const char *key, const void *out,
                          const axl__yaml **node)
{
    AXL_TRY(axl__config_enter(cfg));
    if (!key || !out)
        return axl__fail(AXL_ERR_INVALID, "%s is NULL", key ? "out" : "key");
    if (!axl__schema_knows(key)) {
        const char *near = axl__nearest_key(key);
        return axl__fail(AXL_ERR_INVALID, "unknown key \"%s\"%s%s%s", key,
                         near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    *node = axl__config_find(cfg->root, key);
    return *node ? AXL_OK : AXL_END;
}

static axl_status wrong_type(const char *key, const char *expected, const axl__yaml *node)
{
    char found[120];

    return axl__fail(AXL_ERR_INVALID, "%s is not %s but %s", key, expected,
                     axl__yaml_describe(node, found, sizeof found));
}

/* Any scalar has a text, so that hosts can show every value without asking for its type. */
axl_status axl_config_get_string(const axl_config *cfg, const char *key, const char **out)
{
    const axl__yaml *node = NULL;

    if (out)
        *out = NULL;
    axl_status status = look_up(cfg, key, out, &node);
    if (status != AXL_OK)
        return status;
    if (!node->text)
        return wrong_type(key, "a single value", node);
    *out = node->text;
    return AXL_OK;
}

axl_status axl_config_get_int(const axl_config *cfg, const char *key, int64_t *out)
{
    const axl__yaml *node = NULL;
    axl_status status = look_up(cfg, key, out, &node);

    if (status != AXL_OK)
        return status;
    if (node->type != AXL__YAML_INT || node->huge)
        return wrong_type(key, "an integer", node);
    *out = node->integer;
    return AXL_OK;
}

axl_status axl_config_get_double(const axl_config *cfg, const char *key, double *out)
{
    const axl__yaml *node = NULL;
    axl_status status = look_up(cfg, key, out, &node);

    if (status != AXL_OK)
        return status;
    if (node->type != AXL__YAML_INT && node->type != AXL__YAML_FLOAT)
        return wrong_type(key, "a number", node);
    *out = node->number;
    return AXL_OK;
}

axl_status axl_config_get_bool(const axl_config *cfg, const char *key, int *out)
{
    const axl__yaml *node = NULL;
    axl_status status = look_up(cfg, key, out, &node);

    if (status != AXL_OK)
        return status;
    if (node->type != AXL__YAML_BOOL)
        return wrong_type(key, "true or false", node);
    *out = node->boolean;
    return AXL_OK;
}

axl_status axl_config_get_count(const axl_config *cfg, const char *key, size_t *out)
{
    const axl__yaml *node = NULL;

    if (out)
        *out = 0;
    axl_status status = look_up(cfg, key, out, &node);
    if (status != AXL_OK)
        return status;
    if (node->type != AXL__YAML_LIST && node->type != AXL__YAML_MAP)
        return wrong_type(key, "a list or mapping", node);
    *out = node->count;
    return AXL_OK;
}

axl_status axl_config_get_source(const axl_config *cfg, const char *key, uint32_t *line,
                                 uint32_t *column)
{
    const axl__yaml *node = NULL;
    axl_status status = look_up(cfg, key, line && column ? line : NULL, &node);

    if (status != AXL_OK)
        return status;
    *line = node->key_line ? node->key_line : node->line;
    *column = node->key_line ? node->key_column : node->column;
    return AXL_OK;
}
