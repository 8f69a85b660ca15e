/* SPDX-License-Identifier: Apache-2.0 */
/* continuation.c - see continuation.h. */
#include "continuation.h"

#include <string.h>

axl_status axl__continuation_init(axl__continuation *c, axl_context *ctx, const axl_tokenizer *tok,
                                  const axl_generate_options *opts, const int32_t *prompt, size_t n)
{
    *c = (axl__continuation){ .tok = tok, .opts = opts };
    axl__str_init(&c->text, ctx);
    for (size_t i = 0; i < opts->n_stop; i++) {
        size_t len = strlen(opts->stop[i]);
        c->longest = len > c->longest ? len : c->longest;
    }
    if (!tok)
        return AXL_OK;
    return axl__decode_stream_init(&c->stream, tok, AXL_DECODE_SKIP_SPECIAL, prompt, n);
}

void axl__continuation_free(axl__continuation *c)
{
    if (c->tok)
        axl__decode_stream_free(&c->stream);
    axl__str_free(&c->text);
}

/* The first stop string at or behind `from`, or the text's end. */
static size_t find_stop(const axl__continuation *c, size_t from)
{
    size_t found = c->text.len;

    for (size_t i = 0; i < c->opts->n_stop; i++) {
        size_t len = strlen(c->opts->stop[i]);
        for (size_t at = from; at < found && at + len <= c->text.len; at++)
            if (memcmp(c->text.data + at, c->opts->stop[i], len) == 0)
                found = at;
    }
    return found;
}

/* Where a stop string may have begun whose end has not come; the text's end where none has. */
static size_t find_half_stop(const axl__continuation *c)
{
    size_t end = c->text.len, at = end > c->longest ? end - c->longest : 0;

    for (at = at < c->told ? c->told : at; at < end; at++)
        for (size_t i = 0; i < c->opts->n_stop; i++)
            if (strlen(c->opts->stop[i]) > end - at &&
                memcmp(c->text.data + at, c->opts->stop[i], end - at) == 0)
                return at;
    return end;
}

/* told moves before the callback is asked: no byte is told twice, whatever it answers. */
static axl_status tell(axl__continuation *c, size_t end)
{
    size_t from = c->told;

    c->told = end;
    if (end > from && c->opts->text &&
        c->opts->text(c->opts->text_user, c->text.data + from, end - from) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the text callback");
    return AXL_OK;
}

/* The text has grown from `old` bytes.  A stop string may have begun in the old text, by at most
 * its own length; what was told is not looked at again, because it was told for holding no
 * beginning of one. */
static axl_status take_new_text(axl__continuation *c, size_t old, bool ends, bool *stopped)
{
    AXL_TRY(axl__str_status(&c->text));
    size_t from = old > c->longest ? old - c->longest : 0;
    size_t at = find_stop(c, from < c->told ? c->told : from);
    *stopped = at < c->text.len;
    if (*stopped)
        c->text.len = at;
    return tell(c, *stopped || ends ? c->text.len : find_half_stop(c));
}

axl_status axl__continuation_put(axl__continuation *c, int32_t id, bool *stopped)
{
    size_t old = c->text.len;

    *stopped = false;
    if (!c->tok)
        return AXL_OK;
    AXL_TRY(axl__decode_stream_put(&c->stream, id, &c->text));
    return take_new_text(c, old, false, stopped);
}

axl_status axl__continuation_end(axl__continuation *c, bool *stopped)
{
    size_t old = c->text.len;

    *stopped = false;
    if (!c->tok)
        return AXL_OK;
    AXL_TRY(axl__decode_stream_end(&c->stream, &c->text));
    return take_new_text(c, old, true, stopped);
}
