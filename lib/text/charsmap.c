/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charsmap.c - see charsmap.h.  The map is four bytes of length, a double array (Darts-clone's) of
 * so many bytes, and the texts that it leads to, each with a NUL behind it.
 *
 * What is looked up are clusters of less than 6 bytes, and of the others each character; the first
 * key that a cluster begins with replaces all of it, as in tokenizers.
 */
#include "charsmap.h"

#include "base/utf8.h"
#include "base64.h"

#include <string.h>
#include <utf8proc.h>

enum { CLUSTER_MAX = 6 };

typedef struct {
    const unsigned char *units;
    size_t n_units;
    const char *texts;
    size_t texts_len;
} charsmap;

static uint32_t little_endian(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static charsmap open_map(axl__slice map)
{
    const unsigned char *p = (const unsigned char *)map.text;
    size_t size = little_endian(p);

    return (charsmap){ p + 4, size / 4, map.text + 4 + size, map.len - 4 - size };
}

axl_status axl__charsmap_decode(const axl__part *part, axl__slice *map)
{
    axl__str bytes;

    axl__str_init(&bytes, part->arena->ctx);
    bool whole = axl__base64_decode(&bytes, map->text, map->len);
    axl_status status = axl__str_status(&bytes);
    const unsigned char *p = (const unsigned char *)axl__str_text(&bytes);
    if (status == AXL_OK &&
        (!whole || bytes.len < 8 || little_endian(p) > bytes.len - 4 || little_endian(p) < 4))
        status = axl__part_wrong(part, "precompiled_charsmap is no map");
    if (status == AXL_OK) {
        map->text = axl__arena_strndup(part->arena, bytes.data, bytes.len);
        map->len = bytes.len;
        status = map->text ? AXL_OK : axl__fail_nomem();
    }
    axl__str_free(&bytes);
    return status;
}

/* The unit at a place; 0, which leads nowhere, outside. */
static uint32_t unit_at(const charsmap *m, size_t at)
{
    return at < m->n_units ? little_endian(m->units + 4 * at) : 0;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* The text of the shortest key that `key` begins with. */
static bool look_up(const charsmap *m, const char *key, size_t len, axl__slice *out)
{
    size_t at = offset_of(unit_at(m, 0));

    for (size_t i = 0; i < len && key[i]; i++) {
        uint32_t c = (unsigned char)key[i];
        at ^= c;
        uint32_t unit = unit_at(m, at);
        if ((unit & (1u << 31 | 0xFF)) != c)
            return false;
        at ^= offset_of(unit);
        if (unit >> 8 & 1) {
            size_t text = unit_at(m, at) & 0x7FFFFFFF;
            if (text >= m->texts_len)
                return false;
            const char *end = memchr(m->texts + text, '\0', m->texts_len - text);
            *out = (axl__slice){ m->texts + text,
                                 end ? (size_t)(end - (m->texts + text)) : m->texts_len - text };
            return axl__utf8_valid(out->text, out->len);
        }
    }
    return false;
}

/* A character waits until it is known how many old ones it takes the place of. */
typedef struct {
    axl__rewrite to;
    bool waits;
    uint32_t c;
    int32_t change;
} writer;

static void put_waiting(writer *w)
{
    if (w->waits)
        axl__rewrite_put(&w->to, w->c, w->change);
    w->waits = false;
}

static void put_char(writer *w, uint32_t c, int32_t change)
{
    put_waiting(w);
    w->waits = true;
    w->c = c;
    w->change = change;
}

static int32_t count_chars(axl__slice s)
{
    int32_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.text[i] & 0xC0) != 0x80;
    return n;
}

/* Of a longer text the last characters are new; of a shorter one the last takes the rest along, or,
 * where it is empty, what stands before. */
static void put_text(writer *w, axl__slice old, axl__slice made)
{
    int32_t n = count_chars(made), more = n - count_chars(old);

    for (size_t at = 0; at < made.len; n--) {
        uint32_t c = axl__utf8_next(made.text, made.len, &at);
        put_char(w, c, n <= more);
    }
    if (more < 0 && w->waits)
        w->change += more;
}

static size_t cluster_end(const char *text, size_t len, size_t from)
{
    utf8proc_int32_t state = 0;
    size_t end = from, next;
    uint32_t c = axl__utf8_next(text, len, &end);

    for (; end < len; end = next) {
        next = end;
        uint32_t d = axl__utf8_next(text, len, &next);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)c, (utf8proc_int32_t)d, &state))
            break;
        c = d;
    }
    return end;
}

axl_status axl__put_mapped(axl__slice map, const axl__aligned *in, axl__aligned *out)
{
    charsmap m = open_map(map);
    writer w = { .to = { in, out, 0, in->text.len, { in->base, in->base } } };
    const char *text = axl__str_text(&in->text);
    axl__slice made;

    for (size_t at = 0, end; at < in->text.len; at = end) {
        end = cluster_end(text, in->text.len, at);
        if (end - at < CLUSTER_MAX && look_up(&m, text + at, end - at, &made)) {
            put_text(&w, (axl__slice){ text + at, end - at }, made);
            continue;
        }
        for (size_t next = at; at < end; at = next) {
            uint32_t c = axl__utf8_next(text, end, &next);
            if (look_up(&m, text + at, next - at, &made))
                put_text(&w, (axl__slice){ text + at, next - at }, made);
            else
                put_char(&w, c, 0);
        }
    }
    put_waiting(&w);
    return axl__aligned_status(out);
}
