/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_host.c - types that a host has registered: its function is told a record as JSON and puts
 * ids or texts into a draft.  It is called on the thread of the call, one record after the other.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <axl/dataset.h>

#include <string.h>

/* Lives as long as the host's function runs. */
struct axl_draft {
    const axl__prompt *p;
    axl__draft *out;
    bool open;         /* something was put behind the last sample's end, or nothing at all */
    axl_status status; /* the first failure: the host may not have looked */
    axl__error why;
};

static axl_status keep_failure(axl_draft *draft, axl_status status)
{
    if (status != AXL_OK && draft->status == AXL_OK) {
        draft->status = status;
        axl__error_hold(&draft->why);
    }
    return status;
}

static axl_status draft_enter(const axl_draft *draft)
{
    axl__error_clear();
    return draft ? AXL_OK : axl__fail(AXL_ERR_INVALID, "draft must not be NULL");
}

static axl_status put_ids(axl_draft *draft, const int32_t *ids, const int32_t *labels, size_t n)
{
    axl__draft *out = draft->out;

    if (n > 0 && !ids)
        return axl__fail(AXL_ERR_INVALID, "ids must not be NULL");
    AXL_TRY(axl__draft_reserve(out, n));
    for (size_t i = 0; i < n; i++) {
        int32_t label = labels ? labels[i] : ids[i];
        if (ids[i] < 0 || (label < 0 && label != AXL_LABEL_IGNORE))
            return axl__fail(AXL_ERR_INVALID, "%s[%zu] is %d, which is no id",
                             ids[i] < 0 ? "ids" : "labels", i, (int)(ids[i] < 0 ? ids[i] : label));
        out->ids[out->n + i] = ids[i];
        out->labels[out->n + i] = label;
    }
    out->n += (uint32_t)n;
    draft->open = true;
    return AXL_OK;
}

axl_status axl_draft_put_ids(axl_draft *draft, const int32_t *ids, const int32_t *labels, size_t n)
{
    AXL_TRY(draft_enter(draft));
    return keep_failure(draft, put_ids(draft, ids, labels, n));
}

static axl_status put_text(axl_draft *draft, uint32_t part, const char *text, size_t length)
{
    const axl__prompt *p = draft->p;
    const axl__piece piece = { .plain = true,
                               .masked = part == AXL_TEXT_MASKED && !p->setup.train_on_inputs };

    if (length > 0 && !text)
        return axl__fail(AXL_ERR_INVALID, "text must not be NULL");
    draft->open = true;
    switch (part) {
    case AXL_TEXT_PROMPT: return axl__prompt_put_prompt(p, draft->out, text, length);
    case AXL_TEXT_RESPONSE: return axl__prompt_put_response(p, draft->out, text, length);
    case AXL_TEXT_MASKED:
    case AXL_TEXT_TRAINED: return axl__prompt_put(p, draft->out, text, length, &piece);
    default: return axl__fail(AXL_ERR_INVALID, "unknown part %u", part);
    }
}

axl_status axl_draft_put_text(axl_draft *draft, uint32_t part, const char *text, size_t length)
{
    AXL_TRY(draft_enter(draft));
    return keep_failure(draft, put_text(draft, part, text, length));
}

axl_status axl_draft_end_sample(axl_draft *draft)
{
    AXL_TRY(draft_enter(draft));
    draft->open = false;
    return keep_failure(draft, axl__draft_emit(draft->out, draft->out->n));
}

static axl_status host_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    axl_draft draft = { .p = p, .out = out, .open = true };
    axl__str text;
    int stop = 0;

    if (p->check_only)
        return AXL_OK;
    axl__str_init(&text, p->setup.ctx);
    axl__json_write(&text, record, 0);
    axl_status status = axl__str_status(&text);
    if (status == AXL_OK)
        stop = p->host->make(p->host->user, &draft, text.data, text.len);
    axl__str_free(&text);
    if (status == AXL_OK && draft.status != AXL_OK) {
        axl__error_restore(&draft.why);
        status = draft.status;
    }
    if (status == AXL_OK && stop)
        status =
            axl__fail(AXL_ERR_CANCELLED, "the function of the type \"%s\" stopped", p->host->name);
    return status == AXL_OK && draft.open ? axl__draft_emit(out, out->n) : status;
}

/* Without a version nothing is looked up by the key. */
static void host_put_key(const axl__prompt *p, axl__str *out)
{
    axl__str_puts(out, "version ");
    axl__str_put_json(out, p->host->version, strlen(p->host->version));
    axl__str_putc(out, '\n');
}

const axl__prompt_method axl__prompt_host = {
    .name = "host",
    .serial = true,
    .put_key = host_put_key,
    .make = host_make,
};
