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

bool axl__charsmap_valid(axl__slice map)
{
    const unsigned char *p = (const unsigned char *)map.text;

    return map.len >= 8 && little_endian(p) <= map.len - 4 && little_endian(p) >= 4;
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

/* The text of a key that `key` begins with, the shortest or the longest; how long the key is, or 0.
 */
static size_t look_up(const charsmap *m, const char *key, size_t len, bool longest, axl__slice *out)
{
    size_t at = offset_of(unit_at(m, 0)), found = 0;

    for (size_t i = 0; i < len && key[i] && (longest || found == 0); i++) {
        uint32_t c = (unsigned char)key[i];
        at ^= c;
        uint32_t unit = unit_at(m, at);
        if ((unit & (1u << 31 | 0xFF)) != c)
            break;
        at ^= offset_of(unit);
        size_t text = unit_at(m, at) & 0x7FFFFFFF;
        if (!(unit >> 8 & 1) || text >= m->texts_len)
            continue;
        const char *end = memchr(m->texts + text, '\0', m->texts_len - text);
        *out = (axl__slice){ m->texts + text,
                             end ? (size_t)(end - (m->texts + text)) : m->texts_len - text };
        found = i + 1;
    }
    return found > 0 && axl__utf8_valid(out->text, out->len) ? found : 0;
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

axl_status axl__put_mapped(axl__slice map, const axl__aligned *in, size_t limit, axl__aligned *out)
{
    charsmap m = open_map(map);
    writer w = { .to = { in, out, 0, in->text.len, { in->base, in->base } } };
    const char *text = axl__str_text(&in->text);
    axl__slice made;

    for (size_t at = 0, end; at < in->text.len; at = end) {
        end = cluster_end(text, in->text.len, at);
        if (out->text.len > limit)
            return axl__too_long();
        if (end - at < CLUSTER_MAX && look_up(&m, text + at, end - at, false, &made) > 0) {
            put_text(&w, (axl__slice){ text + at, end - at }, made);
            continue;
        }
        for (size_t next = at; at < end; at = next) {
            uint32_t c = axl__utf8_next(text, end, &next);
            if (look_up(&m, text + at, next - at, false, &made) > 0)
                put_text(&w, (axl__slice){ text + at, next - at }, made);
            else
                put_char(&w, c, 0);
        }
    }
    put_waiting(&w);
    return axl__aligned_status(out);
}

/* ---- SentencePiece itself ---- */

/* What stands for the text from a place on: the longest key's text, or one character; returns where
 * that ends. */
static size_t take_prefix(const charsmap *m, const char *text, size_t len, size_t at,
                          axl__slice *out)
{
    size_t end = at, n = m->units ? look_up(m, text + at, len - at, true, out) : 0;

    if (n > 0)
        return at + n;
    (void)axl__utf8_next(text, len, &end);
    *out = (axl__slice){ text + at, end - at };
    return end;
}

static void put_escaped(const axl__normalizer_step *s, axl__slice text, axl__span from,
                        axl__aligned *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.text[i] == ' ')
            axl__aligned_put(out, s->to.text, s->to.len, from);
        else
            axl__aligned_put(out, text.text + i, 1, from);
}

/* Spaces behind others are dropped, those at the beginning too, as if one stood before it. */
static axl_status put_prefixes(const axl__normalizer_step *s, const charsmap *m, size_t at,
                               const axl__aligned *in, size_t limit, axl__aligned *out)
{
    const char *text = axl__str_text(&in->text);
    bool space = s->collapse_spaces;
    axl__slice made = { "", 0 };

    for (size_t end; at < in->text.len; at = end) {
        end = take_prefix(m, text, in->text.len, at, &made);
        while (space && made.len > 0 && made.text[0] == ' ')
            made = (axl__slice){ made.text + 1, made.len - 1 };
        put_escaped(s, made, axl__aligned_span(in, at, end), out);
        if (made.len > 0)
            space = s->collapse_spaces && made.text[made.len - 1] == ' ';
        if (out->text.len > limit)
            return axl__too_long();
        if (end % 65536 == 0)
            AXL_TRY(axl__cancelled(out->text.ctx));
    }
    return axl__aligned_status(out);
}

axl_status axl__put_sentencepiece(const axl__normalizer_step *s, const axl__aligned *in,
                                  size_t limit, axl__aligned *out)
{
    charsmap m = s->from.len > 0 ? open_map(s->from) : (charsmap){ NULL, 0, NULL, 0 };
    const char *text = axl__str_text(&in->text);
    size_t len = in->text.len, first = 0, end;
    axl__slice made = { "", 0 };

    for (; s->collapse_spaces && first < len; first = end) {
        end = take_prefix(&m, text, len, first, &made);
        if (made.len != 1 || made.text[0] != ' ')
            break;
    }
    if (first == len)
        return AXL_OK;
    if (s->dummy_prefix && !s->suffix)
        axl__aligned_put(out, s->to.text, s->to.len, axl__aligned_span(in, first, first + 1));
    AXL_TRY(put_prefixes(s, &m, first, in, limit, out));
    axl__str *o = &out->text;
    while (s->collapse_spaces && o->len >= s->to.len &&
           memcmp(o->data + o->len - s->to.len, s->to.text, s->to.len) == 0)
        o->len -= s->to.len;
    if (s->dummy_prefix && s->suffix)
        axl__aligned_put(out, s->to.text, s->to.len, axl__aligned_span(in, len - 1, len));
    return axl__aligned_status(out);
}
