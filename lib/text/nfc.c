/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nfc.c - see nfc.h.  utf8proc composes; most of a text never comes there, as nothing below U+0300
 * changes unless something above follows.
 *
 * The tables of tokenizers are Unicode 9's, those of utf8proc newer.  Characters whose marks or
 * compositions came later are listed: the text is cut at each, which stays as it is, and that is
 * what the older tables make of it.  Found by asking both about every code point
 * (tests/golden/make_nfc_goldens.py).
 */
#include "nfc.h"

#include "base/ctx.h"
#include "base/utf8.h"
#include "unicode_range.h"

#include <utf8proc.h>

enum { FIRST_MARK = 0x300 };

bool axl__nfc_newer(uint32_t c)
{
    static const uint32_t newer[][2] = {
        { 0x7FD, 0x7FD },     { 0x898, 0x89F },     { 0x8CA, 0x8D3 },     { 0x9FE, 0x9FE },
        { 0xC3C, 0xC3C },     { 0xD3B, 0xD3C },     { 0xEBA, 0xEBA },     { 0x1715, 0x1715 },
        { 0x1ABF, 0x1ACE },   { 0x1DF6, 0x1DFA },   { 0xA82C, 0xA82C },   { 0x10D24, 0x10D27 },
        { 0x10EAB, 0x10EAC }, { 0x10EFD, 0x10EFF }, { 0x10F46, 0x10F50 }, { 0x10F82, 0x10F85 },
        { 0x11070, 0x11070 }, { 0x1133B, 0x1133B }, { 0x1145E, 0x1145E }, { 0x11839, 0x1183A },
        { 0x11930, 0x11930 }, { 0x1193D, 0x1193E }, { 0x11943, 0x11943 }, { 0x119E0, 0x119E0 },
        { 0x11A34, 0x11A34 }, { 0x11A47, 0x11A47 }, { 0x11A99, 0x11A99 }, { 0x11D42, 0x11D42 },
        { 0x11D44, 0x11D45 }, { 0x11D97, 0x11D97 }, { 0x11F41, 0x11F42 }, { 0x16FF0, 0x16FF1 },
        { 0x1E08F, 0x1E08F }, { 0x1E130, 0x1E136 }, { 0x1E2AE, 0x1E2AE }, { 0x1E2EC, 0x1E2EF },
        { 0x1E4EC, 0x1E4EF },
    };

    return c >= newer[0][0] && AXL__IN_RANGES(newer, c);
}

/* A stretch that nothing outside composes with. */
static axl_status put_composed(axl__str *out, const char *text, size_t len)
{
    const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_uint8_t *from = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t n;

    if (len == 0)
        return AXL_OK;
    n = utf8proc_decompose(from, (utf8proc_ssize_t)len, NULL, 0, how);
    if (n < 0)
        return axl__fail(AXL_ERR_INTERNAL, "utf8proc: %s", utf8proc_errmsg(n));
    utf8proc_int32_t *points = axl__alloc(out->ctx, ((size_t)n + 1) * sizeof *points);
    if (!points)
        return axl__fail_nomem();
    n = utf8proc_decompose(from, (utf8proc_ssize_t)len, points, n, how);
    n = utf8proc_normalize_utf32(points, n, how);
    for (utf8proc_ssize_t i = 0; i < n; i++)
        axl__str_put_utf8(out, (uint32_t)points[i]);
    axl__free(out->ctx, points);
    return axl__str_status(out);
}

/* The end of a stretch that begins at `from`: the next ASCII character, which composes with nothing
 * before it, or a newer one; *newer says which. */
static size_t stretch_end(const char *text, size_t len, size_t from, bool *newer)
{
    *newer = false;
    for (size_t at = from, next; at < len; at = next) {
        next = at;
        uint32_t c = axl__utf8_next(text, len, &next);
        *newer = axl__nfc_newer(c);
        if (*newer || (c < 128 && at > from))
            return at;
    }
    return len;
}

axl_status axl__nfc(axl__str *out, const char *text, size_t len)
{
    size_t said = 0; /* of the text, what is in out */
    bool newer;

    for (size_t at = 0, next; at < len; at = next) {
        size_t base = at; /* what a mark behind it may change */
        next = at;
        if (axl__utf8_next(text, len, &next) < FIRST_MARK &&
            (next == len || (unsigned char)text[next] < 0xCC)) /* the lead byte of U+0300 */
            continue;
        AXL_TRY(axl__cancelled(out->ctx));
        axl__str_put(out, text + said, base - said);
        next = stretch_end(text, len, base, &newer);
        AXL_TRY(put_composed(out, text + base, next - base));
        said = next;
        if (newer) {
            (void)axl__utf8_next(text, len, &next);
            axl__str_put(out, text + said, next - said);
            said = next;
        }
    }
    axl__str_put(out, text + said, len - said);
    return axl__str_status(out);
}
