/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.c - see axl/sweep.h.  A combination is counted like a number whose digits are the places in
 * the keys' lists, the last key's fastest and "_" below it; the numbers are then shuffled.
 */
#include "config_priv.h"

#include "base/magic.h"
#include "base/os.h"
#include "base/pyrandom.h"
#include "base/str.h"
#include "base/structs.h"

#include <axl/sweep.h>

#include <stdio.h>
#include <string.h>

/* The limit is what the four digits of a run's name can count. */
enum { RUNS_MAX = 9999, SHUFFLE_SEED = 42 /* Axolotl's */ };

/* Immutable once parsed.  The tree lies in the arena too, and the runs' texts are made of it. */
struct axl_sweep {
    uint32_t magic;
    axl_context *ctx;
    axl__arena arena;
    axl_sweep_run *runs; /* (n) */
    uint32_t n;
};

/* ---- what is wrong with it ---- */

static void say(axl_diagnostics *d, const axl__yaml *node, const char *key, const char *what)
{
    axl__diag(d, AXL__C_SWEEP, AXL_SEVERITY_ERROR, node->line, node->column, key, "%s", what);
}

static void check_key(axl_diagnostics *d, const axl__yaml *node)
{
    const char *near;

    if (axl__schema_knows(node->key))
        return;
    near = axl__nearest_key(node->key);
    axl__diag(d, AXL__C_UNKNOWN_KEY, AXL_SEVERITY_ERROR, node->key_line, node->key_column,
              node->key, near ? "unknown key; did you mean \"%s\"?" : "unknown key%s",
              near ? near : "");
}

static void check_together(axl_diagnostics *d, const axl__yaml *list)
{
    if (list->type != AXL__YAML_LIST || list->count == 0)
        say(d, list, "_", "must be a list of mappings of keys to values that belong together");
    for (const axl__yaml *set = list->child; set && list->type == AXL__YAML_LIST; set = set->next) {
        if (set->type != AXL__YAML_MAP || set->count == 0) {
            say(d, set, "_", "each item must be a mapping of keys to values");
            continue;
        }
        for (const axl__yaml *v = set->child; v; v = v->next)
            check_key(d, v);
    }
}

/* Counts the combinations; beyond the limit the count stops growing, so that it cannot overflow. */
static uint64_t check_tree(axl_diagnostics *d, const axl__yaml *root)
{
    uint64_t n = 1;

    if (root->count == 0)
        axl__diag(d, AXL__C_SWEEP, AXL_SEVERITY_ERROR, 0, 0, NULL, "no key is swept");
    for (const axl__yaml *list = root->child; list; list = list->next) {
        if (strcmp(list->key, "_") == 0) {
            check_together(d, list);
        } else {
            check_key(d, list);
            if (list->type != AXL__YAML_LIST || list->count == 0)
                say(d, list, list->key, "must be a list of the values to try");
        }
        n = n > RUNS_MAX ? n : n * list->count;
    }
    if (n > RUNS_MAX)
        axl__diag(d, AXL__C_SWEEP, AXL_SEVERITY_ERROR, 0, 0, NULL,
                  "there are more than %d combinations", RUNS_MAX);
    return n;
}

/* ---- combinations ---- */

static const char *override_text(axl_sweep *s, const char *key, const axl__yaml *value)
{
    const char *text = NULL;
    axl__str out;

    axl__str_init(&out, s->ctx);
    axl__str_puts(&out, key);
    axl__str_putc(&out, '=');
    axl__config_put_value(&out, value);
    if (axl__str_status(&out) == AXL_OK)
        text = axl__arena_strndup(&s->arena, out.data, out.len);
    axl__str_free(&out);
    return text;
}

/* The digit that node's list has in combination number `number`: the number is divided by how many
 * combinations all faster lists have together.  The keys' lists are in the file's order, the last
 * the fastest; "_" is the fastest of all wherever it stands, as in Axolotl, whose loop over it is
 * the inner one. */
static uint32_t digit_of(const axl__yaml *root, const axl__yaml *list, uint32_t number)
{
    const axl__yaml *together = axl__yaml_get(root, "_");
    uint32_t below = together && list != together ? together->count : 1;

    for (const axl__yaml *next = list->next; next && list != together; next = next->next)
        below *= next != together ? next->count : 1;
    return number / below % list->count;
}

static axl_status add_override(axl_sweep *s, axl_sweep_run *run, const char **texts,
                               const char *key, const axl__yaml *value)
{
    const char *text = override_text(s, key, value);

    if (!text)
        return axl__fail_nomem();
    texts[run->n_overrides++] = text;
    return AXL_OK;
}

/* A key that the "_" set gives as well is left out of the lists' ones, because the set wins
 * there. */
static axl_status make_run(axl_sweep *s, const axl__yaml *root, uint32_t index, uint32_t number)
{
    const axl__yaml *together = axl__yaml_get(root, "_"), *set = NULL;
    axl_sweep_run *run = &s->runs[index];
    char name[16];

    if (together)
        set = axl__yaml_item(together, digit_of(root, together, number));
    const char **texts =
        axl__arena_alloc(&s->arena, (root->count + (set ? set->count : 0)) * sizeof *texts);
    snprintf(name, sizeof name, "sweep%04u", (unsigned)(index + 1));
    *run = (axl_sweep_run)AXL_SWEEP_RUN_INIT;
    run->name = axl__arena_strndup(&s->arena, name, strlen(name));
    run->overrides = texts;
    if (!texts || !run->name)
        return axl__fail_nomem();
    for (const axl__yaml *list = root->child; list; list = list->next) {
        if (list == together || (set && axl__yaml_get(set, list->key)))
            continue;
        AXL_TRY(add_override(s, run, texts, list->key,
                             axl__yaml_item(list, digit_of(root, list, number))));
    }
    for (const axl__yaml *v = set ? set->child : NULL; v; v = v->next)
        AXL_TRY(add_override(s, run, texts, v->key, v));
    return AXL_OK;
}

/* The order is that of Python's random.seed(42); random.shuffle(), so that sweep0001 is the same
 * combination as the first that Axolotl runs. */
static axl_status make_runs(axl_sweep *s, const axl__yaml *root, uint32_t n)
{
    uint32_t *order = axl__arena_alloc(&s->arena, n * sizeof *order);

    s->runs = axl__arena_alloc(&s->arena, n * sizeof *s->runs);
    if (!order || !s->runs)
        return axl__fail_nomem();
    axl__python_shuffle(order, n, SHUFFLE_SEED);
    for (uint32_t i = 0; i < n; i++)
        AXL_TRY(make_run(s, root, i, order[i]));
    s->n = n;
    return AXL_OK;
}

/* ---- the handle ---- */

static axl_status read_text(axl_sweep *s, const char *text, size_t len, axl_diagnostics *diags)
{
    axl__yaml *root;
    uint64_t n = 0;

    axl_status status = axl__yaml_parse(&root, &s->arena, text, len, diags);
    if (status != AXL_OK && status != AXL_ERR_CONFIG)
        return status;
    if (status == AXL_OK)
        n = check_tree(diags, root);
    AXL_TRY(axl__diagnostics_finish(diags));
    return make_runs(s, root, (uint32_t)n);
}

axl_status axl_sweep_parse(axl_sweep **out, axl_context *ctx, const char *text, size_t length,
                           const char *name)
{
    axl_diagnostics *diags;

    AXL_TRY(axl__context_enter(ctx));
    if (!out || !text)
        return axl__fail(AXL_ERR_INVALID, "%s is NULL", out ? "text" : "out");
    *out = NULL;
    AXL_TRY(axl__diagnostics_new(&diags, ctx, name ? name : "sweep"));
    axl_sweep *s = axl__calloc(ctx, 1, sizeof *s);
    if (!s) {
        axl_diagnostics_free(diags);
        return axl__fail_nomem();
    }
    s->magic = AXL__MAGIC_SWEEP;
    s->ctx = axl__context_ref(ctx);
    axl__arena_init(&s->arena, ctx);
    axl_status status = read_text(s, text, length, diags);
    axl_diagnostics_free(diags);
    if (status == AXL_OK)
        *out = s;
    else
        axl_sweep_free(s);
    return status;
}

axl_status axl_sweep_open(axl_sweep **out, axl_context *ctx, const char *path)
{
    axl__file file;

    AXL_TRY(axl__context_enter(ctx));
    if (!out || !path)
        return axl__fail(AXL_ERR_INVALID, "%s is NULL", out ? "path" : "out");
    *out = NULL;
    AXL_TRY(axl__file_open(&file, ctx, path, true));
    axl_status status = axl_sweep_parse(out, ctx, (const char *)file.data, file.size, path);
    axl__file_close(&file);
    return status;
}

size_t axl_sweep_count(const axl_sweep *s)
{
    return s && s->magic == AXL__MAGIC_SWEEP ? s->n : 0;
}

axl_status axl_sweep_get(const axl_sweep *s, size_t index, axl_sweep_run *out)
{
    axl__error_clear();
    if (!s || s->magic != AXL__MAGIC_SWEEP || !out)
        return axl__fail(AXL_ERR_INVALID, out ? "not a live axl_sweep" : "out is NULL");
    return index < s->n ? AXL__EXPORT(axl_sweep_run, out, &s->runs[index]) : AXL_END;
}

void axl_sweep_free(axl_sweep *s)
{
    if (!s || s->magic != AXL__MAGIC_SWEEP)
        return;
    s->magic = 0;
    axl_context *ctx = s->ctx;
    axl__arena_free(&s->arena);
    axl__free(ctx, s);
    axl_context_free(ctx);
}
