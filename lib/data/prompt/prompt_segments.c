/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_segments.c - input_output: pieces of text that say themselves whether they are trained.
 * Nothing is added to them and nothing is cut: BOS and EOS are in the texts or nowhere.
 */
#include "data/prompt/prompt.h"

/* Python's truth of a label. */
static axl_status read_label(const axl__json *segment, bool *trained)
{
    const axl__json *label = axl__json_get(segment, "label");

    *trained = false;
    if (!label || label->type == AXL__JSON_NULL)
        return AXL_OK;
    if (label->type != AXL__JSON_BOOL && label->type != AXL__JSON_INT)
        return axl__fail(AXL_ERR_DATA, "\"label\" must be true or false, not %s",
                         axl__json_type_name(label));
    *trained = label->type == AXL__JSON_BOOL ? label->boolean : label->integer != 0;
    return AXL_OK;
}

static axl_status segments_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const axl__json *segment;

    AXL_TRY(axl__prompt_list(record, p->columns[0], &segment));
    for (; segment; segment = segment->next) {
        bool trained;
        const char *text;
        size_t len;
        AXL_TRY(read_label(segment, &trained));
        AXL_TRY(axl__prompt_text(segment, "text", &text, &len));
        const axl__piece piece = { .plain = true, .masked = !trained && !p->setup.train_on_inputs };
        AXL_TRY(axl__prompt_put(p, out, text, len, &piece));
    }
    return axl__draft_emit(out, out->n);
}

const axl__prompt_method axl__prompt_segments = {
    .name = "segments",
    .make = segments_make,
};
