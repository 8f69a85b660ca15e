/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_render.c - one rendering from its start to its end, and its limits. */
#include "jinja_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

axl_status axl__j_fail(jstate *st, const char *fmt, ...)
{
    char text[AXL__ERROR_MAX / 2];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return axl__fail(AXL_ERR_FORMAT, "%s:%u: %s", st->t->name, (unsigned)st->line, text);
}

void *axl__j_alloc(jstate *st, size_t size)
{
    void *block;

    st->memory += size + 16;
    if (size > st->limits.memory || st->memory > st->limits.memory) {
        st->out_of = axl__j_fail(st, "the template takes more than %llu bytes of memory",
                                 (unsigned long long)st->limits.memory);
        return NULL;
    }
    block = axl__arena_alloc(&st->arena, size);
    if (!block)
        st->out_of = axl__fail_nomem();
    return block;
}

axl_status axl__j_step(jstate *st)
{
    if (++st->steps > st->limits.steps)
        return axl__j_fail(st, "the template takes more than %llu steps",
                           (unsigned long long)st->limits.steps);
    return st->steps % 65536 == 0 ? axl__cancelled(st->t->ctx) : AXL_OK;
}

axl_status axl__j_enter(jstate *st)
{
    if (++st->depth > st->limits.depth)
        return axl__j_fail(st, "more than %u macros, blocks, expressions or values in one another",
                           (unsigned)st->limits.depth);
    return axl__j_step(st);
}

static void fill_limits(axl__jinja_limits *l)
{
    if (l->steps == 0)
        l->steps = 50000000;
    if (l->output == 0)
        l->output = 256ull << 20;
    if (l->memory == 0)
        l->memory = 1ull << 30;
    if (l->depth == 0)
        l->depth = 400;
}

static axl_status add_extra(jstate *st, const axl__json *extra)
{
    for (const axl__json *v = extra ? extra->child : NULL; v; v = v->next) {
        jvalue key = axl__j_text(v->key, v->key_len), value;
        if (axl__j_dict_find(st, st->context, key))
            continue;
        AXL_TRY(axl__j_from_json(st, v, &value));
        AXL_TRY(axl__j_dict_set(st, st->context, key, value));
    }
    return AXL_OK;
}

static axl_status render_body(jstate *st, const axl__json *context)
{
    jvalue variables;
    jscope *scope;

    if (context->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_INVALID, "the context of a template must be an object, not %s",
                         axl__json_type_name(context));
    AXL_TRY(axl__j_from_json(st, context, &variables));
    st->context = variables.as.dict;
    AXL_TRY(add_extra(st, st->opts->extra));
    st->globals = axl__j_alloc(st, (st->t->n_names + 1) * sizeof *st->globals);
    if (!st->globals)
        return axl__j_out_of(st);
    for (uint32_t i = 0; i < st->t->n_names; i++)
        st->globals[i].kind = J_ABSENT;
    AXL_TRY(axl__j_scope_new(st, NULL, &scope));
    return axl__j_run_body(st, st->t->body, scope);
}

axl_status axl__jinja_render(const axl__jinja *t, const axl__json *context,
                             const axl__jinja_options *opts, axl__str *out)
{
    axl__str buffers[J_BUFFERS];
    jstate st = { .t = t, .opts = opts, .limits = opts->limits, .out = out, .buffers = buffers };
    size_t before = out->len;

    memset(buffers, 0, sizeof buffers);
    for (int i = 0; i < J_BUFFERS; i++)
        axl__str_init(&buffers[i], t->ctx);
    fill_limits(&st.limits);
    axl__arena_init(&st.arena, t->ctx);
    axl_status status = render_body(&st, context);
    if (status == AXL_OK)
        status = axl__str_status(out);
    if (status < 0 && out->data) {
        out->len = before;
        out->data[before] = '\0';
    }
    for (int i = 0; i < J_BUFFERS; i++)
        axl__str_free(&buffers[i]);
    axl__arena_free(&st.arena);
    return status;
}
