/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data_files.c - which files an entry of a list of data sets means, and which rows of them: what
 * `path`, `data_files` and `split` say.  Opening and checking a config go the same way, so that the
 * two cannot disagree.
 */
#include "data/data_plan.h"

#include "config/config.h"
#include "data/data_configs.h"
#include "data/read/glob.h"
#include "data/read/saved_set.h"
#include "data/read/source.h"
#include "hub/hub.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 96 };

/* An entry whose files are sought. */
typedef struct {
    axl_context *ctx;
    const axl_config *cfg;
    const char *list;
    size_t i;
    axl__data_entry *e;
    axl_diagnostics *faults; /* what is missing is noted there; NULL: it is an error */
    char key[KEY_MAX + 32];  /* whose fault an error is */
    char data_files[KEY_MAX];
    size_t n_listed; /* of data_files */
    axl__split_part parts[AXL__SPLIT_PARTS_MAX];
    size_t n_parts;
    const axl__data_config *config; /* of a folder with README.md; NULL: it lists none */
    bool by_default;                /* no split is asked for */
    bool there;                     /* the path leads to something on this machine */
    bool any_split;                 /* the files are whatever split is asked for */
} search;

/* The key of the entry becomes the one to blame. */
static const char *at_key(search *s, const char *name)
{
    snprintf(s->key, sizeof s->key, "%s[%zu].%s", s->list, s->i, name);
    return s->key;
}

static const char *listed(const search *s, size_t i)
{
    char item[KEY_MAX + 32];

    snprintf(item, sizeof item, "%s[%zu]", s->data_files, i);
    return axl__cfg_str_or(s->cfg, item, "");
}

/* ---- splits ---- */

static bool is_test_list(const search *s)
{
    return strcmp(s->list, "test_datasets") == 0;
}

/* A file, or several that are named, are one split. */
static bool is_train(const search *s, const axl__split_part *part)
{
    return s->by_default || (part->name_len == 5 && memcmp(part->name, "train", 5) == 0);
}

static axl_status add_part(search *s, const axl__split_part *rows, size_t first, size_t n)
{
    axl__data_entry *e = s->e;
    axl__data_part *parts = axl__realloc(s->ctx, e->parts, (e->n_parts + 1) * sizeof *e->parts);

    if (!parts)
        return axl__fail_nomem();
    e->parts = parts;
    parts[e->n_parts++] = (axl__data_part){ *rows, first, n };
    return AXL_OK;
}

/* All files that were found are "train". */
static axl_status one_split(search *s)
{
    bool all = strcmp(s->e->split, "all") == 0;

    for (size_t i = 0; i < s->n_parts; i++) {
        const axl__split_part *part = &s->parts[i];
        if (!all && !s->any_split && !is_train(s, part)) {
            at_key(s, "split");
            return axl__fail(AXL_ERR_NOT_FOUND,
                             "there is no split \"%.*s\": a file, or files that are named, are "
                             "the split \"train\"",
                             (int)part->name_len, part->name);
        }
        AXL_TRY(add_part(s, part, 0, s->e->files.n));
    }
    return AXL_OK;
}

static axl_status parse_split(search *s)
{
    const char *spec = axl__cfg_str_or(s->cfg, at_key(s, "split"), NULL);

    s->by_default = !spec;
    if (!spec)
        spec = is_test_list(s) ? "test" : "train";
    axl__free(s->ctx, s->e->split);
    s->e->split = axl__strdup(s->ctx, spec);
    if (!s->e->split)
        return axl__fail_nomem();
    return axl__split_parse(s->e->split, s->parts, &s->n_parts);
}

/* ---- a folder's splits ---- */

/* A kind of folder: its splits as a sum, and the files of one. */
typedef struct {
    axl_status (*put)(axl__str *out, const search *s, const char *folder);
    axl_status (*add)(search *s, const char *folder, const axl__split_part *part);
} split_folder;

static axl__split_name name_of(const search *s, const axl__split_part *part)
{
    return (axl__split_name){ part->name, part->name_len, s->by_default && is_test_list(s) };
}

static axl_status put_by_name(axl__str *out, const search *s, const char *folder)
{
    return axl__folder_splits_put(out, s->ctx, folder);
}

static axl_status put_saved_dict(axl__str *out, const search *s, const char *folder)
{
    return axl__saved_splits_put(out, s->ctx, folder);
}

static axl_status put_configured(axl__str *out, const search *s, const char *folder)
{
    (void)folder;
    axl__data_config_splits_put(out, s->config);
    return axl__str_status(out);
}

static axl_status add_by_name(search *s, const char *folder, const axl__split_part *part)
{
    axl__split_name name = name_of(s, part);

    return axl__files_of_folder(&s->e->files, s->ctx, folder, &name);
}

static axl_status no_split(const search *s, const split_folder *kind, const char *folder,
                           const axl__split_part *part)
{
    axl__str sum;

    axl__str_init(&sum, s->ctx);
    axl_status status = kind->put(&sum, s, folder);
    if (status == AXL_OK)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s: there is no split \"%.*s\"; there is %s", folder,
                           (int)part->name_len, part->name, sum.data);
    axl__str_free(&sum);
    return status;
}

static const split_folder saved_dict, configured;

static axl_status add_saved_split(search *s, const char *folder, const axl__split_part *part)
{
    char *path = axl__format(s->ctx, "%s/%.*s", folder, (int)part->name_len, part->name);
    axl_status status = path ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK && axl__saved_kind_of(path) != AXL__SAVED_SET)
        status = no_split(s, &saved_dict, folder, part);
    if (status == AXL_OK)
        status = axl__saved_files(&s->e->files, s->ctx, path);
    axl__free(s->ctx, path);
    return status;
}

static const char *pattern_of(const search *s, const axl__split_part *part, size_t n)
{
    const char *p = axl__data_config_pattern(s->config, part->name, part->name_len, n);

    return p && strncmp(p, "./", 2) == 0 ? p + 2 : p;
}

/* The files of README.md's patterns. */
static axl_status add_configured(search *s, const char *folder, const axl__split_part *part)
{
    const char *pattern;

    if (!pattern_of(s, part, 0))
        return no_split(s, &configured, folder, part);
    for (size_t i = 0; (pattern = pattern_of(s, part, i)); i++)
        AXL_TRY(axl__files_matching(&s->e->files, s->ctx, folder, pattern));
    return AXL_OK;
}

static const split_folder by_names = { put_by_name, add_by_name };
static const split_folder saved_dict = { put_saved_dict, add_saved_split };
static const split_folder configured = { put_configured, add_configured };

/* The sum of all splits in place of the word. */
static axl_status name_all(search *s, const split_folder *kind, const char *folder)
{
    axl__str sum;

    if (strcmp(s->e->split, "all") != 0)
        return AXL_OK;
    axl__str_init(&sum, s->ctx);
    axl_status status = kind->put(&sum, s, folder);
    if (status == AXL_OK && sum.len > 0) {
        axl__free(s->ctx, s->e->split);
        s->e->split = axl__strdup(s->ctx, sum.data);
        status =
            s->e->split ? axl__split_parse(s->e->split, s->parts, &s->n_parts) : axl__fail_nomem();
    }
    axl__str_free(&sum);
    return status;
}

static bool same_split(const axl__split_part *a, const axl__split_part *b)
{
    return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

/* The same split twice in a sum is its files once. */
static axl_status folder_part(search *s, const split_folder *kind, const char *folder,
                              const axl__split_part *part)
{
    axl__data_entry *e = s->e;
    size_t first = e->files.n;

    for (size_t i = 0; i < e->n_parts; i++)
        if (same_split(&e->parts[i].rows, part))
            return add_part(s, part, e->parts[i].first, e->parts[i].n);
    AXL_TRY(kind->add(s, folder, part));
    return add_part(s, part, first, e->files.n - first);
}

static axl_status folder_splits(search *s, const split_folder *kind, const char *folder)
{
    AXL_TRY(name_all(s, kind, folder));
    for (size_t i = 0; i < s->n_parts; i++)
        AXL_TRY(folder_part(s, kind, folder, &s->parts[i]));
    return AXL_OK;
}

static axl_status open_config(search *s, axl__data_config *config, const char *folder)
{
    const char *name = axl__cfg_str_or(s->cfg, at_key(s, "name"), NULL);

    if (!name)
        at_key(s, "path");
    AXL_TRY(axl__data_config_open(config, s->ctx, folder, name));
    s->config = config->files || config->folder ? config : NULL;
    at_key(s, "path");
    return AXL_OK;
}

/* What README.md says, else the names of the files. */
static axl_status plain_folder(search *s, const char *folder)
{
    axl__data_config config;
    char *below = NULL;

    AXL_TRY(open_config(s, &config, folder));
    axl_status status = AXL_OK;
    if (config.files) {
        status = folder_splits(s, &configured, folder);
    } else {
        below = axl__format(s->ctx, "%s%s%s", folder, config.folder ? "/" : "",
                            config.folder ? config.folder : "");
        status = below ? folder_splits(s, &by_names, below) : axl__fail_nomem();
    }
    axl__free(s->ctx, below);
    axl__data_config_close(&config);
    s->config = NULL;
    return status;
}

/* What was saved is Arrow, whatever ds_type says.  A set without splits is any split. */
static axl_status saved(search *s, const char *folder)
{
    s->e->format = "arrow";
    if (axl__saved_kind_of(folder) == AXL__SAVED_DICT)
        return folder_splits(s, &saved_dict, folder);
    AXL_TRY(axl__saved_files(&s->e->files, s->ctx, folder));
    s->any_split = true;
    return one_split(s);
}

/* ---- files by name ---- */

/* Files whose path matches, from the last folder on that the pattern names as it is. */
static axl_status add_pattern(search *s, const char *pattern)
{
    size_t cut = strcspn(pattern, "*?[");

    while (cut > 0 && pattern[cut - 1] != '/')
        cut--;
    char *folder = cut > 1    ? axl__format(s->ctx, "%.*s", (int)cut - 1, pattern)
                   : cut == 1 ? axl__strdup(s->ctx, "/")
                              : axl__strdup(s->ctx, ".");
    axl_status status = folder ? AXL_OK : axl__fail_nomem();

    if (status == AXL_OK && axl__path_kind_of(folder) != AXL__PATH_DIR)
        status = axl__fail(AXL_ERR_NOT_FOUND, "no such file or folder: %s", pattern);
    if (status == AXL_OK)
        status = axl__files_matching(&s->e->files, s->ctx, folder, pattern + cut);
    axl__free(s->ctx, folder);
    return status;
}

/* Of a folder its "train" files. */
static axl_status add_named(search *s, const char *path)
{
    const axl__split_name train = { "train", 5, false };

    switch (axl__path_kind_of(path)) {
    case AXL__PATH_FILE: return axl__files_add(&s->e->files, s->ctx, path);
    case AXL__PATH_DIR: return axl__files_of_folder(&s->e->files, s->ctx, path, &train);
    case AXL__PATH_NONE: break;
    }
    if (axl__glob_is(path))
        return add_pattern(s, path);
    return axl__fail(AXL_ERR_NOT_FOUND, "no such file or folder: %s", path);
}

static bool is_there(search *s, const char *path)
{
    axl__files before = s->e->files;
    bool there = axl__path_kind_of(path) != AXL__PATH_NONE;

    if (there || !axl__glob_is(path))
        return there;
    there = add_pattern(s, path) == AXL_OK;
    while (s->e->files.n > before.n)
        axl__free(s->ctx, s->e->files.paths[--s->e->files.n]);
    axl__error_clear();
    return there;
}

/* A data file lies below the folder; Axolotl takes it from the current directory, so that too. */
static axl_status add_data_file(search *s, const char *folder, const char *name)
{
    char *below =
        name[0] == '/' ? axl__strdup(s->ctx, name) : axl__format(s->ctx, "%s/%s", folder, name);
    char *beside = axl__config_path(s->cfg, name);
    axl_status status = AXL_ERR_NOMEM;

    if (!below || !beside)
        axl__fail_nomem();
    else
        status = add_named(s, !is_there(s, below) && is_there(s, beside) ? beside : below);
    axl__free(s->ctx, below);
    axl__free(s->ctx, beside);
    return status;
}

/* ---- faults ---- */

static axl_status check_formats(const search *s, size_t first)
{
    for (size_t i = first; i < s->e->files.n; i++)
        AXL_TRY(axl__source_check(s->e->files.paths[i], s->e->format));
    return AXL_OK;
}

/* An error as a fault of the config; what is no fault of it is returned. */
static axl_status noted(const search *s, axl_status status, bool there)
{
    axl__diag_id id = status == AXL_ERR_INVALID       ? AXL__C_BAD_VALUE
                      : status == AXL_ERR_UNSUPPORTED ? AXL__C_FILE_FORMAT
                      : there                         ? AXL__C_NO_DATA
                                                      : AXL__C_MISSING;

    if (!s->faults ||
        (status != AXL_ERR_NOT_FOUND && status != AXL_ERR_UNSUPPORTED && status != AXL_ERR_IO &&
         status != AXL_ERR_INVALID && status != AXL_ERR_FORMAT))
        return status;
    axl__config_fault(s->cfg, s->faults, id, s->key);
    return AXL_OK;
}

/* Every one that is missing is a fault of its own. */
static axl_status add_listed(search *s, const char *folder)
{
    for (size_t f = 0; f < s->n_listed; f++) {
        size_t first = s->e->files.n;
        axl_status status = add_data_file(s, folder, listed(s, f));
        if (status == AXL_OK && s->faults)
            status = check_formats(s, first);
        snprintf(s->key, sizeof s->key, "%s[%zu]", s->data_files, f);
        if (status != AXL_OK)
            AXL_TRY(noted(s, status, false));
    }
    return one_split(s);
}

/* ---- the Hub ---- */

static void pick_listed(const void *arg, const char *const *paths, size_t n, bool *take)
{
    const search *s = arg;

    for (size_t i = 0; i < n; i++)
        for (size_t f = 0; f < s->n_listed && !take[i]; f++)
            take[i] = axl__glob_match(listed(s, f), paths[i]) || !strcmp(listed(s, f), paths[i]);
}

static void pick_readme(const void *arg, const char *const *paths, size_t n, bool *take)
{
    (void)arg;
    for (size_t i = 0; i < n; i++)
        take[i] = strcmp(paths[i], "README.md") == 0;
}

static bool fits_part(const search *s, const axl__split_part *part, const char *path)
{
    const char *pattern;
    bool fits = false;

    for (size_t i = 0; !fits && (pattern = pattern_of(s, part, i)); i++)
        fits = axl__glob_match(pattern, path);
    return fits;
}

/* The files of the wanted splits, or all below data_dir. */
static void pick_configured(const void *arg, const char *const *paths, size_t n, bool *take)
{
    const search *s = arg;
    size_t len = s->config->folder ? strlen(s->config->folder) : 0;

    for (size_t i = 0; i < n; i++) {
        take[i] = !s->config->files && axl__is_data_file(paths[i]) &&
                  strncmp(paths[i], s->config->folder, len) == 0 && paths[i][len] == '/';
        for (size_t p = 0; s->config->files && p < s->n_parts && !take[i]; p++)
            take[i] = fits_part(s, &s->parts[p], paths[i]);
    }
}

/* What of a repository is wanted; *n_picked of them. */
typedef struct {
    const search *s;
    axl__split_wish splits;
    size_t *n_picked;
} hub_files;

static void pick_files(const void *arg, const char *const *paths, size_t n, bool *take)
{
    const hub_files *f = arg;

    if (f->s->n_listed > 0)
        pick_listed(f->s, paths, n, take);
    else if (f->s->config)
        pick_configured(f->s, paths, n, take);
    else
        axl__pick_data_files(&f->splits, paths, n, take);
    *f->n_picked = 0;
    for (size_t i = 0; i < n; i++)
        *f->n_picked += take[i];
}

static axl_status resolve_files(search *s, axl__hub_wish *wish, char **folder)
{
    axl__split_name splits[AXL__SPLIT_PARTS_MAX];
    size_t n_picked = SIZE_MAX; /* not asked, where the cache has no list */
    hub_files files = { s, { splits, s->n_parts }, &n_picked };

    for (size_t i = 0; i < s->n_parts; i++)
        splits[i] = name_of(s, &s->parts[i]);
    wish->pick = pick_files;
    wish->arg = &files;
    at_key(s, "path");
    axl_status status = axl__hub_resolve(s->ctx, wish, folder);
    if (status == AXL_OK && n_picked == 0)
        status = axl__fail(AXL_ERR_NOT_FOUND,
                           "data set \"%s\" has no file of a format that is read in the split %s",
                           wish->name, s->e->split);
    return status;
}

/* README.md comes first, since it may say which files are meant.  Where it cannot be had the names
 * of files say so. */
static axl_status from_hub(search *s, const char *name, char **folder)
{
    axl__hub_wish wish = { .name = name,
                           .revision = axl__cfg_str_or(s->cfg, at_key(s, "revision"), NULL),
                           .kind = "datasets",
                           .pick = pick_readme };
    axl__data_config config = { 0 };

    *folder = NULL;
    if (s->n_listed > 0)
        return resolve_files(s, &wish, folder);
    axl_status status = axl__hub_resolve(s->ctx, &wish, folder);
    if (status == AXL_ERR_NOT_FOUND) {
        axl__error_clear();
        return resolve_files(s, &wish, folder);
    }
    if (status == AXL_OK)
        status = open_config(s, &config, *folder);
    if (status == AXL_OK && config.files)
        status = name_all(s, &configured, *folder);
    axl__free(s->ctx, *folder);
    *folder = NULL;
    if (status == AXL_OK)
        status = resolve_files(s, &wish, folder);
    axl__data_config_close(&config);
    s->config = NULL;
    return status;
}

/* ---- an entry ---- */

/* A place of another kind than files: AXL_ERR_UNSUPPORTED says what to do. */
static axl_status check_scheme(const char *value)
{
    size_t len = strcspn(value, ":/");

    if (strncmp(value + len, "://", 3) != 0)
        return AXL_OK;
    if (strncmp(value, "hf://datasets/", 14) == 0)
        return axl__fail(AXL_ERR_UNSUPPORTED, "\"%s\": write the id alone, %.*s", value,
                         (int)strcspn(value + 14, "@"), value + 14);
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "\"%s\": nothing is read over %.*s; copy it to this machine and give the path "
                     "of the file or folder",
                     value, (int)len, value);
}

/* The files and splits of what the path leads to, which may be a pattern. */
static axl_status found(search *s, const char *path)
{
    if (axl__path_kind_of(path) == AXL__PATH_DIR && s->n_listed > 0)
        return add_listed(s, path);
    if (axl__path_kind_of(path) == AXL__PATH_DIR && axl__saved_kind_of(path) != AXL__SAVED_NONE)
        return saved(s, path);
    if (axl__path_kind_of(path) == AXL__PATH_DIR)
        return plain_folder(s, path);
    AXL_TRY(add_named(s, path));
    return one_split(s);
}

/* The path as it is there, or of the Hub's, which a check does not ask; for axl__free. */
static axl_status seek_path(search *s, const char *value, char **path)
{
    *path = axl__config_path(s->cfg, value);
    if (!*path)
        return axl__fail_nomem();
    s->there = axl__path_kind_of(*path) != AXL__PATH_NONE;
    if (s->there || !axl__hub_is_id(value))
        return found(s, *path);
    if (s->faults)
        return AXL_OK;
    axl__free(s->ctx, *path);
    AXL_TRY(from_hub(s, value, path));
    return found(s, *path);
}

static axl_status seek(search *s)
{
    char *path = NULL;

    snprintf(s->data_files, sizeof s->data_files, "%s[%zu].data_files", s->list, s->i);
    s->n_listed = axl__cfg_count(s->cfg, s->data_files);
    AXL_TRY(parse_split(s));
    const char *value = axl__cfg_str_or(s->cfg, at_key(s, "path"), NULL);
    if (!value)
        return axl__fail(AXL_ERR_INVALID, "%s is not set", s->key);
    AXL_TRY(check_scheme(value));
    axl_status status = seek_path(s, value, &path);
    axl__free(s->ctx, path);
    if (status == AXL_OK && s->faults && s->n_listed == 0)
        status = check_formats(s, 0);
    if (status == AXL_OK && !s->faults && s->e->files.n == 0)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s: there is no file", value);
    return status;
}

axl_status axl__data_files_find(axl__data_entry *e, const axl_config *cfg, const char *list,
                                size_t i)
{
    search s = { .ctx = axl__config_context(cfg), .cfg = cfg, .list = list, .i = i, .e = e };
    axl_status status = seek(&s);

    return status == AXL_OK ? AXL_OK : axl__fail_prefix(status, "%s", s.key);
}

void axl__data_files_free(axl__data_entry *e, axl_context *ctx)
{
    axl__files_free(&e->files, ctx);
    axl__free(ctx, e->parts);
    axl__free(ctx, e->split);
}

axl_status axl__data_files_check(axl_diagnostics *out, const axl_config *cfg, const char *list,
                                 size_t i)
{
    axl__data_entry e = { 0 };
    search s = {
        .ctx = axl__config_context(cfg), .cfg = cfg, .list = list, .i = i, .e = &e, .faults = out
    };

    char entry[64];

    snprintf(entry, sizeof entry, "%s[%zu]", list, i);
    const axl__dataset_type *type =
        axl__dataset_type_of(axl__cfg_node(cfg, entry), axl__config_task(cfg));
    if (type && type->made_up)
        return AXL_OK;
    e.format = axl__cfg_str_or(cfg, at_key(&s, "ds_type"), NULL);
    axl_status status = seek(&s);
    if (status != AXL_OK)
        status = noted(&s, status, s.there);
    axl__data_files_free(&e, s.ctx);
    return status;
}
