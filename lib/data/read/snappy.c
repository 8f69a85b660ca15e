/* SPDX-License-Identifier: Apache-2.0 */
/* snappy.c - see snappy.h: a length, then literals and copies of what was written before. */
#include "data/read/snappy.h"

#include <stdint.h>
#include <string.h>

typedef struct {
    const unsigned char *in, *end;
    unsigned char *out;
    size_t at, n;
} snappy;

static bool take_number(snappy *s, unsigned bytes, uint32_t *value)
{
    if ((size_t)(s->end - s->in) < bytes)
        return false;
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint32_t)*s->in++ << 8 * i;
    return true;
}

static bool take_literal(snappy *s, unsigned tag)
{
    uint32_t len = tag >> 2;

    if (len >= 60 && !take_number(s, len - 59, &len))
        return false;
    size_t size = (size_t)len + 1;
    if (size > (size_t)(s->end - s->in) || size > s->n - s->at)
        return false;
    memcpy(s->out + s->at, s->in, size);
    s->in += size;
    s->at += size;
    return true;
}

/* From offset bytes back; what it writes may be what it reads. */
static bool take_copy(snappy *s, size_t offset, size_t size)
{
    if (offset == 0 || offset > s->at || size > s->n - s->at)
        return false;
    if (offset >= size) {
        memcpy(s->out + s->at, s->out + s->at - offset, size);
        s->at += size;
        return true;
    }
    for (size_t i = 0; i < size; i++, s->at++)
        s->out[s->at] = s->out[s->at - offset];
    return true;
}

static bool take_element(snappy *s)
{
    unsigned tag = *s->in++;
    uint32_t offset;

    switch (tag & 3) {
    case 0: return take_literal(s, tag);
    case 1:
        return take_number(s, 1, &offset) &&
               take_copy(s, (tag >> 5) << 8 | offset, (tag >> 2 & 7) + 4);
    default:
        return take_number(s, (tag & 3) == 2 ? 2 : 4, &offset) &&
               take_copy(s, offset, (tag >> 2) + 1);
    }
}

bool axl__snappy_read(const unsigned char *in, size_t len, unsigned char *out, size_t n)
{
    snappy s = { .in = in, .end = in + len, .out = out, .n = n };
    uint64_t size = 0;
    unsigned shift = 0, byte;

    do {
        if (s.in == s.end || shift > 28)
            return false;
        byte = *s.in++;
        size |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (size != n)
        return false;
    while (s.in < s.end)
        if (!take_element(&s))
            return false;
    return s.at == n;
}
