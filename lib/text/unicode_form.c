/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unicode_form.c - see unicode_form.h.  utf8proc knows how a character decomposes and which two
 * compose; the order of work is that of the crate unicode-normalization-alignments, because which
 * old character a new one stands for follows from it.
 *
 * A segment is what one character without a combining class and the marks behind it make: nothing
 * composes or moves from one to the next but for two that compose, which is why the last character
 * that may take part in one is held back.
 */
#include "unicode_form.h"

#include "base/utf8.h"
#include "nfc.h"
#include "unicode_range.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { EXPANSION_MAX = 32 }; /* U+FDFA becomes 18 characters, more than any other */

/* Characters that came after the tables of tokenizers, to which they are made of nothing else;
 * those whose marks or compositions did are in nfc.c. */
static bool is_whole(uint32_t c)
{
    static const uint32_t whole[][2] = {
        { 0x32FF, 0x32FF },   { 0xA7F2, 0xA7F4 },   { 0xAB69, 0xAB69 },   { 0x10781, 0x107BA },
        { 0x11938, 0x11938 }, { 0x1E030, 0x1E06D }, { 0x1F16C, 0x1F16C }, { 0x1FBF0, 0x1FBF9 },
    };

    return c < 0x80 || axl__nfc_newer(c) || AXL__IN_RANGES(whole, c);
}

typedef struct {
    uint32_t c;
    int32_t change; /* see aligned.h */
    uint32_t order; /* of marks of one class among each other */
    uint8_t class;
} mark;

typedef struct {
    axl__rewrite to;
    axl_context *ctx;
    bool compat, compose;
    mark *marks; /* of the segment, the character that begins it among them */
    size_t n_marks, cap;
    mark composee; /* class 1: there is none */
    mark *kept;    /* marks that compose with nothing */
    size_t n_kept;
    int last_class; /* of these; -1: none */
} form;

static uint8_t class_of(uint32_t c)
{
    return axl__nfc_newer(c) ? 0
                             : (uint8_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* What two characters make, or 0. */
static uint32_t composed(uint32_t a, uint32_t b)
{
    utf8proc_int32_t pair[2] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };

    if (b < 0x300 || axl__nfc_newer(a) || axl__nfc_newer(b))
        return 0;
    return utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == 1
               ? (uint32_t)pair[0]
               : 0;
}

/* ---- composing ---- */

static void put(form *f, mark m)
{
    axl__rewrite_put(&f->to, m.c, m.change);
}

static void put_kept(form *f)
{
    for (size_t i = 0; i < f->n_kept; i++)
        put(f, f->kept[i]);
    f->n_kept = 0;
    f->last_class = -1;
}

/* One character in canonical order.  A mark composes with what began the segment unless one of its
 * class or a higher one stands between. */
static void compose(form *f, mark m)
{
    uint32_t c;

    if (!f->compose) {
        put(f, m);
    } else if (f->composee.class) {
        if (m.class)
            put(f, m);
        else
            f->composee = m;
    } else if (f->last_class < (int)m.class && (c = composed(f->composee.c, m.c)) != 0) {
        f->composee.c = c;
        f->composee.change += m.change - 1;
    } else if (m.class == 0) {
        put(f, f->composee);
        put_kept(f);
        f->composee = m;
    } else {
        f->kept[f->n_kept++] = m;
        f->last_class = m.class;
    }
}

/* ---- decomposing ---- */

static int by_class(const void *a, const void *b)
{
    const mark *x = a, *y = b;

    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void end_segment(form *f)
{
    if (f->n_marks > 1)
        qsort(f->marks, f->n_marks, sizeof *f->marks, by_class);
    for (size_t i = 0; i < f->n_marks; i++)
        compose(f, f->marks[i]);
    f->n_marks = 0;
}

/* Room for one more mark, and for all marks of the segment to be kept. */
static axl_status reserve_mark(form *f)
{
    size_t cap = f->cap ? 2 * f->cap : 32;

    if (f->n_marks < f->cap && f->n_kept + f->n_marks < f->cap)
        return AXL_OK;
    mark *marks = axl__realloc(f->ctx, f->marks, cap * sizeof *marks);
    if (marks)
        f->marks = marks;
    mark *kept = axl__realloc(f->ctx, f->kept, cap * sizeof *kept);
    if (kept)
        f->kept = kept;
    if (!marks || !kept)
        return axl__fail_nomem();
    f->cap = cap;
    return AXL_OK;
}

static axl_status put_decomposed(form *f, uint32_t c, int32_t change)
{
    uint8_t class = class_of(c);

    if (class == 0)
        end_segment(f);
    AXL_TRY(reserve_mark(f));
    f->marks[f->n_marks] = (mark){ c, change, (uint32_t)f->n_marks, class };
    f->n_marks++;
    return AXL_OK;
}

static axl_status decompose(form *f, uint32_t c)
{
    utf8proc_int32_t parts[EXPANSION_MAX] = { (utf8proc_int32_t)c };
    int how = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (f->compat ? UTF8PROC_COMPAT : 0), last = 0;
    utf8proc_ssize_t n = 1;

    if (!is_whole(c))
        n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, EXPANSION_MAX, how, &last);
    if (n < 0 || n > EXPANSION_MAX)
        return axl__fail(AXL_ERR_INTERNAL, "utf8proc: U+%04X does not decompose", (unsigned)c);
    for (utf8proc_ssize_t i = 0; i < n; i++)
        AXL_TRY(put_decomposed(f, (uint32_t)parts[i], i > 0));
    return AXL_OK;
}

axl_status axl__put_form(axl__unicode_form kind, const axl__aligned *in, axl__aligned *out)
{
    form f = { .to = { in, out, 0, in->text.len, { 0, 0 } },
               .ctx = out->text.ctx,
               .compat = kind == AXL__FORM_KD || kind == AXL__FORM_KC,
               .compose = kind == AXL__FORM_C || kind == AXL__FORM_KC,
               .composee = { .class = 1 },
               .last_class = -1 };
    const char *text = axl__str_text(&in->text);
    axl_status status = AXL_OK;

    for (size_t at = 0; at < in->text.len && status == AXL_OK;) {
        if (at % 65536 == 0)
            status = axl__cancelled(f.ctx);
        if (status == AXL_OK)
            status = decompose(&f, axl__utf8_next(text, in->text.len, &at));
    }
    if (status == AXL_OK)
        end_segment(&f);
    if (f.compose && !f.composee.class)
        put(&f, f.composee);
    put_kept(&f);
    axl__free(f.ctx, f.marks);
    axl__free(f.ctx, f.kept);
    return status < 0 ? status : axl__aligned_status(out);
}
