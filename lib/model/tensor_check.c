/* SPDX-License-Identifier: Apache-2.0 */
/* tensor_check.c - the names in a model's files against those of its modules, all at once: what is
 * missing is an error, what nobody asks for a warning.  And which tensor has values that are no
 * numbers, which is looked for once a loss is none: reading every value takes as long as loading.
 */
#include "load_priv.h"

#include "family/family.h"

#include "base/map.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

enum { SHOWN = 10 };

/* Names as they are met: the first few, and how many there were. */
typedef struct names_seen {
    axl__str text;
    size_t n;
} names_seen;

static void see_name(names_seen *s, const char *name)
{
    if (s->n++ < SHOWN)
        axl__str_putf(&s->text, "%s\"%s\"", s->n > 1 ? ", " : "", name);
}

static void end_names(names_seen *s)
{
    if (s->n > SHOWN)
        axl__str_putf(&s->text, " and %zu more", s->n - SHOWN);
}

/* ---- missing ---- */

static axl_status look_for(const axl_model *m, const axl__module *of, const char *part,
                           names_seen *missing)
{
    char *name = axl__format(m->ctx, "%s.%s", axl__module_file_name(of), part);
    axl__stored from;

    if (!name)
        return axl__fail_nomem();
    axl_status status = axl__load_find_or_tied(m, name, &from);
    if (status == AXL_OK && !from.t)
        see_name(missing, name);
    axl__free(m->ctx, name);
    return status;
}

/* One alone is told where it is loaded, with more of what is known there. */
static axl_status check_missing(const axl_model *m, names_seen *missing)
{
    for (int64_t i = 0; i < m->modules.n; i++) {
        const axl__module *of = &m->modules.list[i];
        if (!of->tied)
            AXL_TRY(look_for(m, of, "weight", missing));
        if (of->has_bias)
            AXL_TRY(look_for(m, of, "bias", missing));
    }
    end_names(missing);
    AXL_TRY(axl__str_status(&missing->text));
    if (missing->n < 2)
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "%s: %zu tensors that config.json asks for are missing: %s",
                     m->folder.place, missing->n, missing->text.data);
}

/* ---- unexpected ---- */

/* What belongs to a module (scales of codes too), or is computed anew from config.json. */
static bool is_expected(const axl__map *modules, const char *tensor)
{
    int64_t index;

    if (strstr(tensor, ".rotary_emb.inv_freq"))
        return true;
    for (const char *dot = strchr(tensor, '.'); dot; dot = strchr(dot + 1, '.'))
        if (axl__map_get(modules, tensor, (size_t)(dot - tensor), &index))
            return true;
    return false;
}

static axl_status list_unexpected(const axl_model *m, axl__map *modules, names_seen *seen)
{
    for (int64_t i = 0; i < m->modules.n; i++) {
        const char *name = axl__module_file_name(&m->modules.list[i]);
        AXL_TRY(axl__map_set(modules, name, strlen(name), i));
    }
    for (size_t i = 0; i < m->n_files; i++)
        for (size_t j = 0; j < m->files[i].count; j++)
            if (!is_expected(modules, m->files[i].tensors[j].name))
                see_name(seen, m->files[i].tensors[j].name);
    end_names(seen);
    return axl__str_status(&seen->text);
}

static axl_status warn_of_unexpected(const axl_model *m, names_seen *seen)
{
    axl__map modules;

    axl__map_init(&modules, m->ctx);
    axl_status status = list_unexpected(m, &modules, seen);
    axl__map_free(&modules);
    if (status == AXL_OK && seen->n > 0)
        axl__log(m->ctx, AXL_LOG_WARNING,
                 "%s: the files have %zu tensor%s that a %s has no use for: %s", m->folder.place,
                 seen->n, seen->n > 1 ? "s" : "", m->arch.family->class_name, seen->text.data);
    return status;
}

axl_status axl__load_check_names(const axl_model *m)
{
    names_seen seen = { .n = 0 };

    axl__str_init(&seen.text, m->ctx);
    axl_status status = check_missing(m, &seen);
    axl__str_free(&seen.text);
    if (status < 0 || m->arch.wrapper || m->device.counts_only)
        return status; /* a wrapper carries what is not its language model's */
    seen.n = 0;
    axl__str_init(&seen.text, m->ctx);
    status = warn_of_unexpected(m, &seen);
    axl__str_free(&seen.text);
    return status;
}

/* ---- values ---- */

enum { PIECE = 1 << 18 }; /* elements */

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* scratch has room for a piece in f32 and in the tensor's type.  What cannot be read is not to
 * blame here. */
static bool is_finite_tensor(const axl__safetensors *st, const axl__st_tensor *t, float *scratch)
{
    size_t size = axl__dtype_size((axl_dtype)t->dtype);
    int64_t n = (int64_t)(t->size / size);

    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t count = n - i < PIECE ? n - i : PIECE;
        const void *piece;
        if (axl__safetensors_piece(st, t, (size_t)i * size, (size_t)count * size, size,
                                   scratch + PIECE, &piece) < 0)
            return true;
        axl__convert(scratch, AXL_F32, piece, (axl_dtype)t->dtype, count);
        if (!all_finite(scratch, count))
            return false;
    }
    return true;
}

const char *axl__model_broken_tensor(const axl_model *m)
{
    float *scratch = axl__alloc_aligned(m->ctx, 2 * PIECE * sizeof *scratch);
    const char *name = NULL;

    for (size_t i = 0; i < m->n_files && scratch && !name; i++)
        for (size_t j = 0; j < m->files[i].count && !name; j++) {
            const axl__st_tensor *t = &m->files[i].tensors[j];
            if (t->dtype >= 0 && t->dtype != AXL_I32 && !is_finite_tensor(&m->files[i], t, scratch))
                name = t->name;
        }
    axl__free_aligned(m->ctx, scratch);
    axl__error_clear();
    return name;
}
