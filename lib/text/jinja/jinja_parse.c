/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_parse.c - a template's text to its tree: life, statements. */
#include "jinja_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Each level of nesting takes some dozen of C's frames while parsing and a few while rendering. */
enum { PARSE_DEPTH_MAX = 100 };

/* Where a body of statements ends: names, NULL behind the last. */
typedef const char *const ends[4];

static axl_status parse_statement(jparser *p, jnode **out);

/* ---- small things ---- */

axl_status axl__j_parse_fail(const jparser *p, const char *fmt, ...)
{
    char text[AXL__ERROR_MAX / 2];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return axl__fail(AXL_ERR_FORMAT, "%s:%u: %s", p->t->name, (unsigned)p->at->line, text);
}

axl_status axl__j_parse_enter(jparser *p)
{
    if (++p->depth > PARSE_DEPTH_MAX)
        return axl__j_parse_fail(p, "more than %d expressions or blocks in one another",
                                 PARSE_DEPTH_MAX);
    return AXL_OK;
}

axl_status axl__j_expect(jparser *p, jtoken_type type)
{
    if (p->at->type != type)
        return axl__j_parse_fail(p, "%s where %s must be", axl__j_token_name(p->at->type),
                                 axl__j_token_name(type));
    p->at++;
    return AXL_OK;
}

bool axl__j_at_name(const jtoken *token, const char *name)
{
    return token->type == T_NAME && token->len == strlen(name) &&
           memcmp(token->text, name, token->len) == 0;
}

bool axl__j_skip_name(jparser *p, const char *name)
{
    bool is = axl__j_at_name(p->at, name);

    p->at += is;
    return is;
}

/* Names that a rendering binds by itself. */
static void remember_own(axl__jinja *t, const jtoken *token, const jname *name)
{
    static const char *const own[] = { "caller", "varargs", "kwargs" };

    if (axl__j_at_name(token, "loop"))
        t->loop_name = name;
    for (size_t i = 0; i < 3; i++)
        if (axl__j_at_name(token, own[i]))
            t->own_names[i] = name;
}

axl_status axl__j_intern(jparser *p, const jtoken *token, const jname **out)
{
    int64_t found;

    if (axl__map_get(&p->names, token->text, token->len, &found)) {
        *out = (const jname *)(intptr_t)found;
        return AXL_OK;
    }
    jname *name = axl__arena_alloc(&p->t->arena, sizeof *name);
    char *text = axl__arena_strndup(&p->t->arena, token->text, token->len);
    if (!name || !text)
        return axl__fail_nomem();
    *name = (jname){ text, (uint32_t)token->len, p->t->n_names++ };
    remember_own(p->t, token, name);
    *out = name;
    return axl__map_set(&p->names, text, token->len, (int64_t)(intptr_t)name);
}

axl_status axl__j_node(jparser *p, jnode_kind kind, uint32_t line, jnode **out)
{
    *out = axl__arena_alloc(&p->t->arena, sizeof **out);
    if (!*out)
        return axl__fail_nomem();
    (*out)->kind = (uint8_t)kind;
    (*out)->line = line;
    return AXL_OK;
}

/* ---- bodies ---- */

static bool at_end(const jparser *p, const char *const *names)
{
    for (; names && *names; names++)
        if (axl__j_at_name(p->at, *names))
            return true;
    return false;
}

static axl_status parse_data(jparser *p, jnode **out)
{
    AXL_TRY(axl__j_node(p, J_DATA, p->at->line, out));
    (*out)->value = axl__j_text(p->at->text, p->at->len);
    p->at++;
    return AXL_OK;
}

static axl_status parse_variable(jparser *p, jnode **out)
{
    AXL_TRY(axl__j_node(p, J_OUTPUT, p->at++->line, out));
    AXL_TRY(axl__j_parse_tuple(p, true, &(*out)->a));
    return axl__j_expect(p, T_VARIABLE_END);
}

/* Statements up to {% and one of names (the current token then), or to the template's end. */
static axl_status parse_body(jparser *p, const char *const *names, jnode **out)
{
    while (p->at->type != T_END) {
        *out = NULL;
        if (p->at->type == T_DATA) {
            AXL_TRY(parse_data(p, out));
        } else if (p->at->type == T_VARIABLE_BEGIN) {
            AXL_TRY(parse_variable(p, out));
        } else {
            AXL_TRY(axl__j_expect(p, T_BLOCK_BEGIN));
            if (at_end(p, names))
                return AXL_OK;
            AXL_TRY(axl__j_parse_enter(p));
            AXL_TRY(parse_statement(p, out));
            p->depth--;
            AXL_TRY(axl__j_expect(p, T_BLOCK_END));
        }
        out = &(*out)->next;
    }
    return names ? axl__j_parse_fail(p, "the template ends where '%s' must be", names[0]) : AXL_OK;
}

/* From the end of a tag to the tag that ends its body, whose name is the current token. */
static axl_status parse_block(jparser *p, const char *const *names, jnode **out)
{
    if (p->at->type == T_COLON)
        p->at++;
    AXL_TRY(axl__j_expect(p, T_BLOCK_END));
    return parse_body(p, names, out);
}

static axl_status parse_whole_block(jparser *p, const char *end, jnode **out)
{
    const char *const names[] = { end, NULL };

    AXL_TRY(parse_block(p, names, out));
    p->at++;
    return AXL_OK;
}

/* ---- statements; the tag's name is skipped ---- */

static axl_status parse_set(jparser *p, jnode *node)
{
    AXL_TRY(axl__j_parse_target(p, true, &node->a));
    if (p->at->type == T_ASSIGN) {
        p->at++;
        return axl__j_parse_tuple(p, true, &node->b);
    }
    node->kind = J_SET_BLOCK;
    if (node->a->kind == J_MAKE_TUPLE)
        return axl__j_parse_fail(p, "a block is set to one name");
    AXL_TRY(axl__j_parse_filters(p, NULL, false, &node->b));
    return parse_whole_block(p, "endset", &node->children);
}

static axl_status parse_for(jparser *p, jnode *node)
{
    static const char *const body[] = { "endfor", "else", NULL };

    AXL_TRY(axl__j_parse_target(p, false, &node->a));
    if (!axl__j_skip_name(p, "in"))
        return axl__j_parse_fail(p, "'in' is missing in a for");
    AXL_TRY(axl__j_parse_tuple(p, false, &node->b));
    if (axl__j_skip_name(p, "if"))
        AXL_TRY(axl__j_parse_expression(p, &node->c));
    node->op = axl__j_skip_name(p, "recursive");
    p->loops++;
    AXL_TRY(parse_block(p, body, &node->children));
    p->loops--;
    if (axl__j_at_name(p->at++, "endfor"))
        return AXL_OK;
    return parse_whole_block(p, "endfor", &node->other);
}

/* An elif is an if of its own in the other branch. */
static axl_status parse_if(jparser *p, jnode *node)
{
    static const char *const body[] = { "elif", "else", "endif", NULL };

    for (;;) {
        AXL_TRY(axl__j_parse_tuple(p, false, &node->a));
        AXL_TRY(parse_block(p, body, &node->children));
        const jtoken *token = p->at++;
        if (axl__j_at_name(token, "else"))
            return parse_whole_block(p, "endif", &node->other);
        if (axl__j_at_name(token, "endif"))
            return AXL_OK;
        AXL_TRY(axl__j_node(p, J_IF, token->line, &node->other));
        node = node->other;
    }
}

/* Parameters: names, each with its default in a. */
static axl_status parse_signature(jparser *p, jnode *node)
{
    jnode **end = &node->children;
    bool defaults = false;

    AXL_TRY(axl__j_expect(p, T_LPAREN));
    while (p->at->type != T_RPAREN) {
        if (node->children)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        AXL_TRY(axl__j_node(p, J_NAME, p->at->line, end));
        if (p->at->type != T_NAME)
            return axl__j_expect(p, T_NAME);
        AXL_TRY(axl__j_intern(p, p->at++, &(*end)->name));
        if (p->at->type == T_ASSIGN) {
            p->at++;
            defaults = true;
            AXL_TRY(axl__j_parse_expression(p, &(*end)->a));
        } else if (defaults) {
            return axl__j_parse_fail(p, "a parameter without a default behind one with it");
        }
        end = &(*end)->next;
    }
    return axl__j_expect(p, T_RPAREN);
}

/* A body that is called: loops around it cannot be left from it. */
static axl_status parse_macro_body(jparser *p, const char *end, jnode *node)
{
    uint8_t uses = p->uses;
    uint32_t loops = p->loops;

    p->uses = 0;
    p->loops = 0;
    AXL_TRY(parse_whole_block(p, end, &node->other));
    node->uses = p->uses;
    p->uses |= uses;
    p->loops = loops;
    return AXL_OK;
}

static axl_status parse_macro(jparser *p, jnode *node)
{
    if (p->at->type != T_NAME)
        return axl__j_expect(p, T_NAME);
    AXL_TRY(axl__j_intern(p, p->at++, &node->name));
    AXL_TRY(parse_signature(p, node));
    return parse_macro_body(p, "endmacro", node);
}

static axl_status parse_call_block(jparser *p, jnode *node)
{
    if (p->at->type == T_LPAREN)
        AXL_TRY(parse_signature(p, node));
    AXL_TRY(axl__j_parse_expression(p, &node->a));
    if (node->a->kind != J_CALL)
        return axl__j_parse_fail(p, "a call block without a call");
    return parse_macro_body(p, "endcall", node);
}

static axl_status parse_filter_block(jparser *p, jnode *node)
{
    AXL_TRY(axl__j_parse_filters(p, NULL, true, &node->b));
    return parse_whole_block(p, "endfilter", &node->children);
}

/* Targets in other, each with its value in a. */
static axl_status parse_with(jparser *p, jnode *node)
{
    jnode **end = &node->other;

    while (p->at->type != T_BLOCK_END) {
        if (node->other)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        AXL_TRY(axl__j_node(p, J_SET, p->at->line, end));
        AXL_TRY(axl__j_parse_target(p, false, &(*end)->a));
        AXL_TRY(axl__j_expect(p, T_ASSIGN));
        AXL_TRY(axl__j_parse_expression(p, &(*end)->b));
        end = &(*end)->next;
    }
    return parse_whole_block(p, "endwith", &node->children);
}

static axl_status parse_print(jparser *p, jnode *node)
{
    for (;;) {
        AXL_TRY(axl__j_parse_expression(p, &node->a));
        if (p->at->type != T_COMMA)
            return AXL_OK;
        p->at++;
        AXL_TRY(axl__j_node(p, J_OUTPUT, p->at->line, &node->other));
        node = node->other;
    }
}

static axl_status parse_named_block(jparser *p, jnode *node)
{
    const jtoken *name = p->at;

    AXL_TRY(axl__j_expect(p, T_NAME));
    axl__j_skip_name(p, "scoped");
    AXL_TRY(parse_whole_block(p, "endblock", &node->children));
    if (p->at->type == T_NAME && p->at->len == name->len &&
        memcmp(p->at->text, name->text, name->len) == 0)
        p->at++;
    return AXL_OK;
}

static axl_status parse_generation(jparser *p, jnode *node)
{
    return parse_macro_body(p, "endgeneration", node);
}

static axl_status parse_leave(jparser *p, jnode *node)
{
    (void)node;
    return p->loops > 0 ? AXL_OK : axl__j_parse_fail(p, "break or continue outside of a loop");
}

static const struct {
    const char *name;
    jnode_kind kind;
    axl_status (*parse)(jparser *p, jnode *node);
} statements[] = {
    { "set", J_SET, parse_set },
    { "for", J_FOR, parse_for },
    { "if", J_IF, parse_if },
    { "macro", J_DEFINE_MACRO, parse_macro },
    { "call", J_CALL_BLOCK, parse_call_block },
    { "filter", J_FILTER_BLOCK, parse_filter_block },
    { "with", J_WITH, parse_with },
    { "print", J_OUTPUT, parse_print },
    { "block", J_BLOCK, parse_named_block },
    { "generation", J_GENERATION, parse_generation },
    { "break", J_BREAK, parse_leave },
    { "continue", J_CONTINUE, parse_leave },
};

static axl_status parse_statement(jparser *p, jnode **out)
{
    static const char *const others[] = { "include", "import", "from", "extends", "autoescape" };

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (!axl__j_at_name(p->at, statements[i].name))
            continue;
        AXL_TRY(axl__j_node(p, statements[i].kind, p->at++->line, out));
        return statements[i].parse(p, *out);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (axl__j_at_name(p->at, others[i]))
            return axl__j_parse_fail(p, "'%s' has no meaning in a template that stands alone",
                                     others[i]);
    if (p->at->type != T_NAME)
        return axl__j_parse_fail(p, "%s where a tag's name must be",
                                 axl__j_token_name(p->at->type));
    return axl__j_parse_fail(p, "unknown tag '%.*s'", (int)(p->at->len < 60 ? p->at->len : 60),
                             p->at->text);
}

/* ---- life ---- */

/* Copies with every kind of line's end as \n, and without the last one. */
static axl_status normalise(axl__jinja *t, const char *text, size_t len, char **out, size_t *n)
{
    char *copy = axl__arena_alloc(&t->arena, len + 1);

    if (!copy)
        return axl__fail_nomem();
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
            continue;
        copy[(*n)++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (*n > 0 && copy[*n - 1] == '\n')
        --*n;
    *out = copy;
    return AXL_OK;
}

static axl_status parse_tokens(axl__jinja *t, const jtokens *tokens)
{
    jparser p = { .t = t, .at = tokens->items };

    axl__map_init(&p.names, t->ctx);
    axl_status status = parse_body(&p, NULL, &t->body);
    axl__map_free(&p.names);
    return status;
}

static axl_status build(axl__jinja *t, const char *name, const char *text, size_t len)
{
    jtokens tokens = { .ctx = t->ctx };
    char *source = NULL;
    size_t n = 0;
    uint32_t line = 1;

    t->name = axl__arena_strndup(&t->arena, name, strlen(name));
    if (!t->name)
        return axl__fail_nomem();
    if (len > UINT32_MAX / 2)
        return axl__fail(AXL_ERR_FORMAT, "%s: a template of %zu bytes", name, len);
    AXL_TRY(normalise(t, text, len, &source, &n));
    axl_status status = axl__j_lex(&tokens, &t->arena, source, n, &line);
    if (status == AXL_ERR_FORMAT)
        status = axl__fail_prefix(status, "%s:%u", name, (unsigned)line);
    if (status == AXL_OK)
        status = parse_tokens(t, &tokens);
    axl__free(t->ctx, tokens.items);
    return status;
}

axl_status axl__jinja_parse(axl__jinja **out, axl_context *ctx, const char *name, const char *text,
                            size_t len)
{
    axl__jinja *t = axl__calloc(ctx, 1, sizeof *t);

    *out = NULL;
    if (!t)
        return axl__fail_nomem();
    t->ctx = ctx;
    axl__arena_init(&t->arena, ctx);
    axl_status status = build(t, name, text, len);
    if (status < 0)
        axl__jinja_free(t);
    else
        *out = t;
    return status;
}

void axl__jinja_free(axl__jinja *t)
{
    if (!t)
        return;
    axl__arena_free(&t->arena);
    axl__free(t->ctx, t);
}
