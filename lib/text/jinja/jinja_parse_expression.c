/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_parse_expression.c - jinja2's expression grammar, a function a level of binding, loosest
 * first.
 */
#include "jinja_priv.h"

#include <string.h>

static axl_status parse_unary(jparser *p, bool with_filter, jnode **out);

static axl_status parse_binary_node(jparser *p, jnode_kind kind, jtoken_type op, uint32_t line,
                                    jnode *a, jnode *b, jnode **out)
{
    AXL_TRY(axl__j_node(p, kind, line, out));
    (*out)->op = (uint8_t)op;
    (*out)->a = a;
    (*out)->b = b;
    return AXL_OK;
}

/* ---- what stands alone ---- */

static axl_status parse_name(jparser *p, jnode **out)
{
    static const char *const truths[] = { "true", "True", "false", "False", "none", "None" };
    const jtoken *token = p->at++;

    for (size_t i = 0; i < 6; i++) {
        if (!axl__j_at_name(token, truths[i]))
            continue;
        AXL_TRY(axl__j_node(p, J_CONST, token->line, out));
        (*out)->value = i < 4 ? axl__j_bool(i < 2) : axl__j_none();
        return AXL_OK;
    }
    AXL_TRY(axl__j_node(p, J_NAME, token->line, out));
    if (axl__j_at_name(token, "caller"))
        p->uses |= J_USES_CALLER;
    else if (axl__j_at_name(token, "varargs"))
        p->uses |= J_USES_VARARGS;
    else if (axl__j_at_name(token, "kwargs"))
        p->uses |= J_USES_KWARGS;
    return axl__j_intern(p, token, &(*out)->name);
}

/* Strings that follow one another are one. */
static axl_status parse_string(jparser *p, jnode **out)
{
    size_t len = 0, at = 0;
    const jtoken *first = p->at;

    AXL_TRY(axl__j_node(p, J_CONST, first->line, out));
    for (; p->at->type == T_STRING; p->at++)
        len += p->at->len;
    char *text = axl__arena_alloc(&p->t->arena, len + 1);
    if (!text)
        return axl__fail_nomem();
    for (const jtoken *t = first; t < p->at; t++) {
        if (t->len > 0)
            memcpy(text + at, t->text, t->len);
        at += t->len;
    }
    (*out)->value = axl__j_text(text, len);
    return AXL_OK;
}

static axl_status parse_list(jparser *p, jnode **out)
{
    AXL_TRY(axl__j_node(p, J_MAKE_LIST, p->at++->line, out));
    jnode **end = &(*out)->children;
    while (p->at->type != T_RBRACKET) {
        if ((*out)->children)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        if (p->at->type == T_RBRACKET)
            break;
        AXL_TRY(axl__j_parse_expression(p, end));
        end = &(*end)->next;
    }
    return axl__j_expect(p, T_RBRACKET);
}

static axl_status parse_dict(jparser *p, jnode **out)
{
    AXL_TRY(axl__j_node(p, J_MAKE_DICT, p->at++->line, out));
    jnode **end = &(*out)->children;
    while (p->at->type != T_RBRACE) {
        if ((*out)->children)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        if (p->at->type == T_RBRACE)
            break;
        AXL_TRY(axl__j_parse_expression(p, end));
        end = &(*end)->next;
        AXL_TRY(axl__j_expect(p, T_COLON));
        AXL_TRY(axl__j_parse_expression(p, end));
        end = &(*end)->next;
    }
    return axl__j_expect(p, T_RBRACE);
}

static axl_status parse_parentheses(jparser *p, jnode **out)
{
    uint32_t line = p->at++->line;

    if (p->at->type == T_RPAREN)
        AXL_TRY(axl__j_node(p, J_MAKE_TUPLE, line, out));
    else
        AXL_TRY(axl__j_parse_tuple(p, true, out));
    return axl__j_expect(p, T_RPAREN);
}

static axl_status parse_number(jparser *p, jnode **out)
{
    const jtoken *token = p->at++;

    AXL_TRY(axl__j_node(p, J_CONST, token->line, out));
    (*out)->value =
        token->type == T_INTEGER ? axl__j_int(token->integer) : axl__j_float(token->number);
    return AXL_OK;
}

static axl_status parse_primary(jparser *p, jnode **out)
{
    switch (p->at->type) {
    case T_NAME: return parse_name(p, out);
    case T_STRING: return parse_string(p, out);
    case T_INTEGER:
    case T_FLOAT: return parse_number(p, out);
    case T_LPAREN: return parse_parentheses(p, out);
    case T_LBRACKET: return parse_list(p, out);
    case T_LBRACE: return parse_dict(p, out);
    default: break;
    }
    return axl__j_parse_fail(p, "%s where an expression must be", axl__j_token_name(p->at->type));
}

/* ---- what follows a value ---- */

static axl_status parse_argument(jparser *p, jnode **out)
{
    uint32_t line = p->at->line;
    jtoken_type type = p->at->type;

    if (type == T_MUL || type == T_POW) {
        p->at++;
        AXL_TRY(axl__j_node(p, type == T_MUL ? J_STAR : J_STAR_STAR, line, out));
        return axl__j_parse_expression(p, &(*out)->a);
    }
    if (type == T_NAME && p->at[1].type == T_ASSIGN) {
        AXL_TRY(axl__j_node(p, J_KEYWORD, line, out));
        AXL_TRY(axl__j_intern(p, p->at, &(*out)->name));
        p->at += 2;
        return axl__j_parse_expression(p, &(*out)->a);
    }
    return axl__j_parse_expression(p, out);
}

/* Positional ones come first, then *, keywords, **. */
static int argument_rank(const jnode *n)
{
    return n->kind == J_STAR ? 1 : n->kind == J_KEYWORD ? 2 : n->kind == J_STAR_STAR ? 3 : 0;
}

axl_status axl__j_parse_arguments(jparser *p, jnode **children)
{
    jnode **end = children;
    bool first = true, star = false;
    int rank = 0;

    AXL_TRY(axl__j_expect(p, T_LPAREN));
    while (p->at->type != T_RPAREN) {
        if (!first)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        if (p->at->type == T_RPAREN)
            break;
        AXL_TRY(parse_argument(p, end));
        int mine = argument_rank(*end);
        if (rank == 3 || (mine == 0 && rank > 0) || (mine == 1 && star))
            return axl__j_parse_fail(p, "arguments in an order that a call cannot have");
        rank = mine > rank ? mine : rank;
        star = star || mine == 1;
        first = false;
        end = &(*end)->next;
    }
    return axl__j_expect(p, T_RPAREN);
}

static axl_status parse_call(jparser *p, jnode *callee, jnode **out)
{
    jnode *node;

    AXL_TRY(axl__j_node(p, J_CALL, p->at->line, &node));
    node->a = callee;
    AXL_TRY(axl__j_parse_arguments(p, &node->children));
    *out = node;
    return AXL_OK;
}

static bool ends_slice(jtoken_type type)
{
    return type == T_COLON || type == T_RBRACKET || type == T_COMMA;
}

static axl_status parse_slice_rest(jparser *p, jnode *start, jnode **out)
{
    AXL_TRY(axl__j_node(p, J_SLICE, p->at++->line, out));
    (*out)->a = start;
    if (!ends_slice(p->at->type))
        AXL_TRY(axl__j_parse_expression(p, &(*out)->b));
    if (p->at->type != T_COLON)
        return AXL_OK;
    p->at++;
    return ends_slice(p->at->type) ? AXL_OK : axl__j_parse_expression(p, &(*out)->c);
}

static axl_status parse_subscribed(jparser *p, jnode **out)
{
    jnode *start = NULL;

    if (p->at->type != T_COLON)
        AXL_TRY(axl__j_parse_expression(p, &start));
    if (p->at->type == T_COLON)
        return parse_slice_rest(p, start, out);
    *out = start;
    return AXL_OK;
}

static axl_status parse_brackets(jparser *p, jnode *of, jnode **out)
{
    jnode *node, *items = NULL, **end = &items;
    uint32_t line = p->at++->line;

    AXL_TRY(axl__j_node(p, J_GETITEM, line, &node));
    node->a = of;
    while (p->at->type != T_RBRACKET) {
        if (items)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        AXL_TRY(parse_subscribed(p, end));
        end = &(*end)->next;
    }
    AXL_TRY(axl__j_expect(p, T_RBRACKET));
    node->b = items;
    if (!items || items->next) {
        AXL_TRY(axl__j_node(p, J_MAKE_TUPLE, line, &node->b));
        node->b->children = items;
    }
    *out = node;
    return AXL_OK;
}

static axl_status parse_dot(jparser *p, jnode *of, jnode **out)
{
    uint32_t line = p->at++->line;
    jnode *node;

    if (p->at->type == T_INTEGER) {
        AXL_TRY(axl__j_node(p, J_GETITEM, line, &node));
        AXL_TRY(parse_number(p, &node->b));
    } else if (p->at->type == T_NAME) {
        AXL_TRY(axl__j_node(p, J_GETATTR, line, &node));
        AXL_TRY(axl__j_intern(p, p->at++, &node->name));
    } else {
        return axl__j_parse_fail(p, "%s where a name or number must follow '.'",
                                 axl__j_token_name(p->at->type));
    }
    node->a = of;
    *out = node;
    return AXL_OK;
}

static axl_status parse_postfix(jparser *p, jnode **node)
{
    for (;;) {
        if (p->at->type == T_DOT)
            AXL_TRY(parse_dot(p, *node, node));
        else if (p->at->type == T_LBRACKET)
            AXL_TRY(parse_brackets(p, *node, node));
        else if (p->at->type == T_LPAREN)
            AXL_TRY(parse_call(p, *node, node));
        else
            return AXL_OK;
    }
}

/* ---- filters and tests ---- */

/* Names of filters and tests may hold dots; none of jinja2's own does. */
static axl_status parse_dotted(jparser *p, jnode *node)
{
    if (p->at->type != T_NAME)
        return axl__j_parse_fail(p, "%s where a filter's or test's name must be",
                                 axl__j_token_name(p->at->type));
    AXL_TRY(axl__j_intern(p, p->at++, &node->name));
    while (p->at->type == T_DOT) {
        p->at++;
        AXL_TRY(axl__j_expect(p, T_NAME));
    }
    return AXL_OK;
}

axl_status axl__j_parse_filters(jparser *p, jnode *node, bool in_block, jnode **out)
{
    jnode *made;

    while (p->at->type == T_PIPE || in_block) {
        if (!in_block)
            p->at++;
        in_block = false;
        AXL_TRY(axl__j_node(p, J_FILTER, p->at->line, &made));
        AXL_TRY(parse_dotted(p, made));
        made->builtin = axl__j_filter(made->name->text, made->name->len);
        made->a = node;
        if (p->at->type == T_LPAREN)
            AXL_TRY(axl__j_parse_arguments(p, &made->children));
        node = made;
    }
    *out = node;
    return AXL_OK;
}

/* "is divisibleby 3": an argument without brackets. */
static bool begins_argument(const jtoken *t)
{
    if (t->type == T_NAME)
        return !axl__j_at_name(t, "else") && !axl__j_at_name(t, "or") && !axl__j_at_name(t, "and");
    return t->type == T_STRING || t->type == T_INTEGER || t->type == T_FLOAT ||
           t->type == T_LBRACKET || t->type == T_LBRACE;
}

static axl_status parse_test(jparser *p, jnode *node, jnode **out)
{
    uint32_t line = p->at++->line;
    bool negated = axl__j_skip_name(p, "not");
    jnode *made;

    AXL_TRY(axl__j_node(p, J_TEST, line, &made));
    made->a = node;
    AXL_TRY(parse_dotted(p, made));
    made->builtin = axl__j_test(made->name->text, made->name->len);
    if (p->at->type == T_LPAREN) {
        AXL_TRY(axl__j_parse_arguments(p, &made->children));
    } else if (begins_argument(p->at)) {
        if (axl__j_at_name(p->at, "is"))
            return axl__j_parse_fail(p, "tests with 'is' cannot be chained");
        AXL_TRY(parse_primary(p, &made->children));
        AXL_TRY(parse_postfix(p, &made->children));
    }
    if (!negated)
        return *out = made, AXL_OK;
    AXL_TRY(axl__j_node(p, J_NOT, line, out));
    (*out)->a = made;
    return AXL_OK;
}

static axl_status parse_filter_expression(jparser *p, jnode **node)
{
    for (;;) {
        if (p->at->type == T_PIPE)
            AXL_TRY(axl__j_parse_filters(p, *node, false, node));
        else if (axl__j_at_name(p->at, "is"))
            AXL_TRY(parse_test(p, *node, node));
        else if (p->at->type == T_LPAREN)
            AXL_TRY(parse_call(p, *node, node));
        else
            return AXL_OK;
    }
}

/* ---- operators ---- */

static axl_status parse_signed(jparser *p, jnode **out)
{
    jtoken_type type = p->at->type;
    jnode *node;

    if (type != T_SUB && type != T_ADD)
        return parse_primary(p, out);
    AXL_TRY(axl__j_node(p, J_UNARY, p->at++->line, &node));
    node->op = (uint8_t)type;
    AXL_TRY(axl__j_parse_enter(p));
    AXL_TRY(parse_unary(p, false, &node->a));
    p->depth--;
    *out = node;
    return AXL_OK;
}

static axl_status parse_unary(jparser *p, bool with_filter, jnode **out)
{
    AXL_TRY(parse_signed(p, out));
    AXL_TRY(parse_postfix(p, out));
    return with_filter ? parse_filter_expression(p, out) : AXL_OK;
}

static axl_status parse_power(jparser *p, jnode **out)
{
    AXL_TRY(parse_unary(p, true, out));
    while (p->at->type == T_POW) {
        uint32_t line = p->at++->line;
        jnode *right;
        AXL_TRY(parse_unary(p, true, &right));
        AXL_TRY(parse_binary_node(p, J_BINARY, T_POW, line, *out, right, out));
    }
    return AXL_OK;
}

static axl_status parse_product(jparser *p, jnode **out)
{
    AXL_TRY(parse_power(p, out));
    while (p->at->type >= T_MUL && p->at->type <= T_MOD) {
        const jtoken *op = p->at++;
        jnode *right;
        AXL_TRY(parse_power(p, &right));
        AXL_TRY(parse_binary_node(p, J_BINARY, op->type, op->line, *out, right, out));
    }
    return AXL_OK;
}

static axl_status parse_concat(jparser *p, jnode **out)
{
    jnode *node, *first, **end;

    AXL_TRY(parse_product(p, &first));
    if (p->at->type != T_TILDE)
        return *out = first, AXL_OK;
    AXL_TRY(axl__j_node(p, J_CONCAT, p->at->line, &node));
    node->children = first;
    end = &first->next;
    while (p->at->type == T_TILDE) {
        p->at++;
        AXL_TRY(parse_product(p, end));
        end = &(*end)->next;
    }
    *out = node;
    return AXL_OK;
}

static axl_status parse_sum(jparser *p, jnode **out)
{
    AXL_TRY(parse_concat(p, out));
    while (p->at->type == T_ADD || p->at->type == T_SUB) {
        const jtoken *op = p->at++;
        jnode *right;
        AXL_TRY(parse_concat(p, &right));
        AXL_TRY(parse_binary_node(p, J_BINARY, op->type, op->line, *out, right, out));
    }
    return AXL_OK;
}

/* The comparison at the current place, skipped; T_END when there is none. */
static jtoken_type take_comparison(jparser *p)
{
    if (p->at->type >= T_EQ && p->at->type <= T_GE)
        return p->at++->type;
    if (axl__j_skip_name(p, "in"))
        return T_IN;
    if (axl__j_at_name(p->at, "not") && axl__j_at_name(p->at + 1, "in"))
        return p->at += 2, T_NOT_IN;
    return T_END;
}

/* A child holds its operator in a node of its own, for a node has one op. */
static axl_status parse_compare(jparser *p, jnode **out)
{
    jnode *first, *node = NULL, **end = NULL;
    jtoken_type op;

    AXL_TRY(parse_sum(p, &first));
    while ((op = take_comparison(p)) != T_END) {
        if (!node) {
            AXL_TRY(axl__j_node(p, J_COMPARE, p->at->line, &node));
            node->a = first;
            end = &node->children;
        }
        AXL_TRY(axl__j_node(p, J_COMPARE, p->at->line, end));
        (*end)->op = (uint8_t)op;
        AXL_TRY(parse_sum(p, &(*end)->a));
        end = &(*end)->next;
    }
    *out = node ? node : first;
    return AXL_OK;
}

static axl_status parse_not(jparser *p, jnode **out)
{
    jnode *node;

    if (!axl__j_at_name(p->at, "not"))
        return parse_compare(p, out);
    AXL_TRY(axl__j_node(p, J_NOT, p->at++->line, &node));
    AXL_TRY(axl__j_parse_enter(p));
    AXL_TRY(parse_not(p, &node->a));
    p->depth--;
    *out = node;
    return AXL_OK;
}

static axl_status parse_and(jparser *p, jnode **out)
{
    AXL_TRY(parse_not(p, out));
    while (axl__j_at_name(p->at, "and")) {
        uint32_t line = p->at++->line;
        jnode *right;
        AXL_TRY(parse_not(p, &right));
        AXL_TRY(parse_binary_node(p, J_AND, T_END, line, *out, right, out));
    }
    return AXL_OK;
}

static axl_status parse_or(jparser *p, jnode **out)
{
    AXL_TRY(parse_and(p, out));
    while (axl__j_at_name(p->at, "or")) {
        uint32_t line = p->at++->line;
        jnode *right;
        AXL_TRY(parse_and(p, &right));
        AXL_TRY(parse_binary_node(p, J_OR, T_END, line, *out, right, out));
    }
    return AXL_OK;
}

static axl_status parse_condition(jparser *p, jnode **out)
{
    jnode *value;

    AXL_TRY(axl__j_parse_enter(p));
    AXL_TRY(parse_or(p, &value));
    while (axl__j_at_name(p->at, "if")) {
        jnode *node;
        AXL_TRY(axl__j_node(p, J_CONDITION, p->at++->line, &node));
        AXL_TRY(parse_or(p, &node->a));
        node->b = value;
        if (axl__j_skip_name(p, "else"))
            AXL_TRY(parse_condition(p, &node->c));
        value = node;
    }
    p->depth--;
    *out = value;
    return AXL_OK;
}

axl_status axl__j_parse_expression(jparser *p, jnode **out)
{
    return parse_condition(p, out);
}

/* ---- tuples and targets ---- */

static bool ends_tuple(const jparser *p)
{
    jtoken_type t = p->at->type;

    return t == T_VARIABLE_END || t == T_BLOCK_END || t == T_RPAREN;
}

typedef axl_status (*item_fn)(jparser *p, jnode **out);

static axl_status parse_plain(jparser *p, jnode **out)
{
    AXL_TRY(axl__j_parse_enter(p));
    AXL_TRY(parse_or(p, out));
    p->depth--;
    return AXL_OK;
}

static axl_status parse_items(jparser *p, item_fn item, jnode **out)
{
    jnode *items = NULL, **last = &items;
    uint32_t line = p->at->line;
    bool tuple = false;

    for (;;) {
        if (items)
            AXL_TRY(axl__j_expect(p, T_COMMA));
        if (ends_tuple(p))
            break;
        AXL_TRY(item(p, last));
        last = &(*last)->next;
        if (p->at->type != T_COMMA)
            break;
        tuple = true;
    }
    if (!items)
        return axl__j_parse_fail(p, "%s where an expression must be",
                                 axl__j_token_name(p->at->type));
    if (!tuple)
        return *out = items, AXL_OK;
    AXL_TRY(axl__j_node(p, J_MAKE_TUPLE, line, out));
    (*out)->children = items;
    return AXL_OK;
}

axl_status axl__j_parse_tuple(jparser *p, bool conditional, jnode **out)
{
    return parse_items(p, conditional ? parse_condition : parse_plain, out);
}

static axl_status parse_target_name(jparser *p, jnode **out)
{
    if (p->at->type == T_LPAREN) {
        p->at++;
        AXL_TRY(axl__j_parse_enter(p));
        AXL_TRY(parse_items(p, parse_target_name, out));
        p->depth--;
        return axl__j_expect(p, T_RPAREN);
    }
    if (p->at->type != T_NAME)
        return axl__j_parse_fail(p, "%s where a name must be that is set",
                                 axl__j_token_name(p->at->type));
    AXL_TRY(parse_name(p, out));
    return (*out)->kind == J_NAME ? AXL_OK
                                  : axl__j_parse_fail(p, "true, false and none cannot be set");
}

static axl_status parse_target_attribute(jparser *p, jnode **out)
{
    jnode *node;

    AXL_TRY(parse_target_name(p, out));
    if (p->at->type != T_DOT || (*out)->kind != J_NAME)
        return AXL_OK;
    AXL_TRY(axl__j_node(p, J_TARGET_ATTRIBUTE, p->at++->line, &node));
    node->a = *out;
    if (p->at->type != T_NAME)
        return axl__j_parse_fail(p, "%s where an attribute's name must be",
                                 axl__j_token_name(p->at->type));
    AXL_TRY(axl__j_intern(p, p->at++, &node->name));
    *out = node;
    return AXL_OK;
}

axl_status axl__j_parse_target(jparser *p, bool with_attribute, jnode **out)
{
    return parse_items(p, with_attribute ? parse_target_attribute : parse_target_name, out);
}
