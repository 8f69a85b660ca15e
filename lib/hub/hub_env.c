/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub_env.c - see hub_env.h.
 *
 * The variables and their order are those of huggingface_hub's constants.py; the context's own
 * options come before them.
 */
#include "hub_env.h"

#include "base/os_file.h"
#include "base/os_machine.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* An empty variable counts as one that is not set.  The environment is read once, when the context
 * is made: a host that changes it later races nobody. */
static const char *env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

/* huggingface_hub's words for true. */
static bool is_true(const char *name)
{
    static const char *const yes[] = { "1", "on", "yes", "true" };
    const char *v = env(name);

    for (size_t i = 0; v && i < sizeof yes / sizeof yes[0]; i++)
        if (axl__ascii_casecmp(v, yes[i]) == 0)
            return true;
    return false;
}

/* base (with "~" for HOME) and tail. */
static char *expanded(axl_context *ctx, const char *base, const char *tail)
{
    const char *home = env("HOME");
    bool tilde = home && base[0] == '~' && (base[1] == '/' || base[1] == '\0');

    return axl__format(ctx, "%s%s%s", tilde ? home : "", tilde ? base + 1 : base, tail);
}

/* HF_HOME, else XDG_CACHE_HOME/huggingface, else HOME/.cache/huggingface; *out is NULL when none
 * is set. */
static axl_status hf_home(char **out, axl_context *ctx)
{
    const char *hf = env("HF_HOME"), *xdg = env("XDG_CACHE_HOME"), *home = env("HOME");

    *out = NULL;
    if (!hf && !xdg && !home)
        return AXL_OK;
    *out = hf    ? expanded(ctx, hf, "")
           : xdg ? expanded(ctx, xdg, "/huggingface")
                 : axl__format(ctx, "%s/.cache/huggingface", home);
    return *out ? AXL_OK : axl__fail_nomem();
}

static axl_status set_token(axl__hub_env *e, axl_context *ctx, const char *text, size_t len,
                            const char *from)
{
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    while (len > 0 && (unsigned char)text[0] <= ' ') {
        text++;
        len--;
    }
    if (len == 0)
        return AXL_OK;
    e->token = axl__strndup(ctx, text, len);
    e->token_from = from;
    return e->token ? AXL_OK : axl__fail_nomem();
}

/* The context's own option, then the variables, then the file that "hf auth login" writes. */
static axl_status read_token(axl__hub_env *e, axl_context *ctx, const char *home)
{
    static const char *const names[] = { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" };
    const char *given = axl__context_options(ctx)->hub_token, *at = env("HF_TOKEN_PATH");
    axl__file f;

    if (given)
        return set_token(e, ctx, given, strlen(given), "the context's hub_token");

    if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
        return AXL_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *v = env(names[i]);
        if (v)
            AXL_TRY(set_token(e, ctx, v, strlen(v), names[i]));
        if (e->token)
            return AXL_OK;
    }
    if (!at && !home)
        return AXL_OK;
    char *path = at ? expanded(ctx, at, "") : axl__format(ctx, "%s/token", home);
    if (!path)
        return axl__fail_nomem();
    axl_status status = axl__file_open(&f, ctx, path, true);
    if (status == AXL_OK) {
        status = set_token(e, ctx, (const char *)f.data, f.size, "the token file");
        axl__file_close(&f);
    } else if (status != AXL_ERR_NOMEM) { /* most people have none */
        axl__error_clear();
        status = AXL_OK;
    }
    axl__free(ctx, path);
    return status;
}

static axl_status read_cache(axl__hub_env *e, axl_context *ctx, const char *home)
{
    const char *given = axl__context_options(ctx)->hub_cache, *cache = env("HF_HUB_CACHE");

    if (given) {
        e->cache = axl__strdup(ctx, given);
        return e->cache ? AXL_OK : axl__fail_nomem();
    }
    if (!cache)
        cache = env("HUGGINGFACE_HUB_CACHE");
    if (!cache && !home)
        return AXL_OK;
    char *path = cache ? expanded(ctx, cache, "") : axl__format(ctx, "%s/hub", home);
    e->cache = path ? axl__path_absolute(ctx, path) : NULL;
    axl__free(ctx, path);
    return e->cache ? AXL_OK : axl__fail_nomem();
}

static axl_status read_endpoint(axl__hub_env *e, axl_context *ctx)
{
    const char *endpoint = env("HF_ENDPOINT");

    if (!endpoint)
        endpoint = "https://huggingface.co";
    size_t len = strlen(endpoint);
    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    e->endpoint = axl__strndup(ctx, endpoint, len);
    return e->endpoint ? AXL_OK : axl__fail_nomem();
}

/* HF_HUB_OFFLINE, when it says anything, decides; TRANSFORMERS_OFFLINE is asked only where it does
 * not. */
static axl_status hub_env_read(axl__hub_env *e, axl_context *ctx)
{
    char *home;

    if (is_true("HF_HUB_OFFLINE"))
        e->offline = "HF_HUB_OFFLINE";
    else if (!env("HF_HUB_OFFLINE") && is_true("TRANSFORMERS_OFFLINE"))
        e->offline = "TRANSFORMERS_OFFLINE";
    AXL_TRY(read_endpoint(e, ctx));
    AXL_TRY(hf_home(&home, ctx));
    axl_status status = read_cache(e, ctx, home);
    if (status == AXL_OK)
        status = read_token(e, ctx, home);
    axl__free(ctx, home);
    return status;
}

static void hub_env_close(void *part, axl_context *ctx)
{
    axl__hub_env *e = part;

    axl__free(ctx, e->cache);
    axl__free(ctx, e->endpoint);
    axl__free(ctx, e->token);
    axl__free(ctx, e);
}

static axl_status hub_env_open(void **out, axl_context *ctx)
{
    axl__hub_env *e = axl__calloc(ctx, 1, sizeof *e);

    if (!e)
        return axl__fail_nomem();
    axl_status status = hub_env_read(e, ctx);
    if (status < 0)
        hub_env_close(e, ctx);
    else
        *out = e;
    return status;
}

const axl__context_part axl__hub_context_part = { hub_env_open, hub_env_close };

const axl__hub_env *axl__context_hub(const axl_context *ctx)
{
    return axl__context_part_of(ctx, &axl__hub_context_part);
}
