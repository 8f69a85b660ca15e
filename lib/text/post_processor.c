/* SPDX-License-Identifier: Apache-2.0 */
/* post_processor.c - see post_processor.h.  Of two that put ids around a text the later one's are
 * outside. */
#include "post_processor.h"

#include "bpe.h"

#include <string.h>

/* Ids as they are collected; the list so far stays behind in the arena, as there is a handful. */
typedef struct {
    int32_t *ids;
    uint32_t n;
} id_list;

static axl_status join(axl__arena *arena, id_list *to, id_list a, id_list b)
{
    id_list made = { axl__arena_alloc(arena, ((size_t)a.n + b.n + 1) * sizeof *made.ids),
                     a.n + b.n };

    if (!made.ids)
        return axl__fail_nomem();
    if (a.n > 0)
        memcpy(made.ids, a.ids, a.n * sizeof *a.ids);
    if (b.n > 0)
        memcpy(made.ids + a.n, b.ids, b.n * sizeof *b.ids);
    *to = made;
    return AXL_OK;
}

static axl_status put_around(axl__pipeline *p, axl__arena *arena, id_list before, id_list after)
{
    AXL_TRY(join(arena, &before, before, (id_list){ p->before, p->n_before }));
    AXL_TRY(join(arena, &after, (id_list){ p->after, p->n_after }, after));
    p->before = before.ids;
    p->n_before = before.n;
    p->after = after.ids;
    p->n_after = after.n;
    return AXL_OK;
}

static axl_status take_id(const axl__part *part, const axl__json *v, int32_t *out)
{
    if (!v || v->type != AXL__JSON_INT || v->integer < 0 || v->integer > AXL__ID_MAX)
        return axl__part_wrong(part, "an id is out of range");
    *out = (int32_t)v->integer;
    return AXL_OK;
}

static axl_status append_ids(const axl__part *part, const axl__json *ids, id_list *list)
{
    id_list more = { axl__arena_alloc(part->arena, ((size_t)ids->count + 1) * sizeof *more.ids),
                     0 };

    if (!more.ids)
        return axl__fail_nomem();
    for (const axl__json *v = ids->child; v; v = v->next)
        AXL_TRY(take_id(part, v, &more.ids[more.n++]));
    return join(part->arena, list, *list, more);
}

/* "single" alone: pairs of texts are not encoded here. */
static axl_status read_template(axl__pipeline *p, const axl__part *part)
{
    const axl__json *table = axl__json_get(part->json, "special_tokens"), *e;
    id_list around[2] = { { NULL, 0 }, { NULL, 0 } };
    bool seen = false;

    AXL_TRY(axl__part_list(part, "single", &e));
    for (; e; e = e->next) {
        const axl__json *special = axl__json_get(e, "SpecialToken");
        if (axl__json_get(e, "Sequence") && !seen) {
            seen = true;
            continue;
        }
        const char *name = axl__json_string(special, "id", NULL);
        const axl__json *ids = name ? axl__json_get(axl__json_get(table, name), "ids") : NULL;
        if (!ids || ids->type != AXL__JSON_ARRAY)
            return axl__fail(AXL_ERR_FORMAT, "post_processor: \"%.64s\" has no ids",
                             name ? name : "a part of the template");
        AXL_TRY(append_ids(part, ids, &around[seen]));
    }
    if (!seen)
        return axl__fail(AXL_ERR_FORMAT, "post_processor: the template has no text");
    return put_around(p, part->arena, around[0], around[1]);
}

static axl_status read_trim(axl__pipeline *p, const axl__part *part)
{
    axl__trim trim = { .behind = p->n_before };
    bool on;

    AXL_TRY(axl__part_bool(part, "trim_offsets", true, &on));
    AXL_TRY(axl__part_bool(part, "add_prefix_space", true, &trim.prefix_space));
    if (!on)
        return AXL_OK;
    if (p->n_trims == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d post_processors", AXL__STEPS_MAX);
    p->trims[p->n_trims++] = trim;
    return AXL_OK;
}

/* ["</s>", 2] */
static axl_status take_pair(const axl__part *part, const char *key, id_list *out)
{
    const axl__json *pair = axl__json_get(part->json, key);

    if (!pair || pair->type != AXL__JSON_ARRAY || pair->count != 2)
        return axl__part_wrong(part, "cls and sep must each be a token and its id");
    out->ids = axl__arena_alloc(part->arena, sizeof *out->ids);
    if (!out->ids)
        return axl__fail_nomem();
    out->n = 1;
    return take_id(part, pair->child->next, out->ids);
}

static axl_status read_bert(axl__pipeline *p, const axl__part *part)
{
    id_list cls, sep;

    AXL_TRY(take_pair(part, "cls", &cls));
    AXL_TRY(take_pair(part, "sep", &sep));
    return put_around(p, part->arena, cls, sep);
}

static axl_status read_roberta(axl__pipeline *p, const axl__part *part)
{
    AXL_TRY(read_trim(p, part));
    return read_bert(p, part);
}

axl_status axl__read_post_processor(axl__pipeline *p, const axl__part *part)
{
    static const struct {
        const char *name;
        axl_status (*read)(axl__pipeline *p, const axl__part *part);
    } kinds[] = {
        { "BertProcessing", read_bert },
        { "ByteLevel", read_trim },
        { "RobertaProcessing", read_roberta },
        { "TemplateProcessing", read_template },
    };
    axl__part member = *part;

    if (axl__part_none(part->json))
        return AXL_OK;
    if (axl__part_is(part, "Sequence")) {
        AXL_TRY(axl__part_list(part, "processors", &member.json));
        for (; member.json; member.json = member.json->next)
            AXL_TRY(axl__read_post_processor(p, &member));
        return AXL_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (axl__part_is(part, kinds[i].name))
            return kinds[i].read(p, part);
    return axl__part_unknown(part);
}
