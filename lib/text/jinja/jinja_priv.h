/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_priv.h - what the files of this folder share: values, the tree of a template, and the
 * state of one rendering.
 *
 * Every value of a rendering lies in its arena and goes with it.  Texts, tuples and what a context
 * gives never change; a list or mapping is filled by whoever makes it and never after.  What does
 * change is a namespace, a loop, an iterator (which can be read once, as Python's generators), a
 * cycler and a joiner.
 */
#ifndef AXL_TEXT_JINJA_PRIV_H
#define AXL_TEXT_JINJA_PRIV_H

#include "jinja.h"

#include "base/arena.h"
#include "base/map.h"

/* ---- values ---- */

typedef enum {
    J_UNDEFINED, /* text: the name; how: why it is undefined */
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_BIG, /* an integer past 64 bits, its digits in text: it can be written, not computed with */
    J_STRING,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_VIEW, /* of a mapping's items, keys or values */
    J_RANGE,
    J_ITERATOR,
    J_NAMESPACE,
    J_LOOP,
    J_MACRO,
    J_FUNCTION, /* a global function */
    J_METHOD,   /* a method with its object */
    J_CYCLER,
    J_JOINER,
    J_ABSENT /* an argument that was not given; no template sees it */
} jkind;

/* Of a J_UNDEFINED: which words tell it. */
enum { J_NO_NAME, J_NO_ATTRIBUTE, J_NO_ITEM, J_SAID, J_UNSAFE };

typedef struct jvalue jvalue;
typedef struct jlist jlist;
typedef struct jdict jdict;
typedef struct jview jview;
typedef struct jrange jrange;
typedef struct jloop jloop;
typedef struct jmacro jmacro;
typedef struct jmethod jmethod;
typedef struct jbuiltin jbuiltin;
typedef struct jcycler jcycler;
typedef struct jscope jscope;
typedef struct jnode jnode;
typedef struct jstate jstate;

struct jvalue {
    uint8_t kind;
    uint8_t how;  /* J_UNDEFINED */
    bool markup;  /* J_STRING: from escape or safe, so that + escapes the other side */
    uint32_t len; /* J_STRING, J_BIG, J_UNDEFINED: bytes of text */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text;
        jlist *list; /* J_LIST, J_TUPLE, J_ITERATOR */
        jdict *dict; /* J_DICT, J_NAMESPACE */
        jview *view;
        jrange *range;
        jloop *loop;
        jmacro *macro;
        jmethod *method;
        const jbuiltin *builtin;
        jcycler *cycler; /* J_CYCLER, J_JOINER */
    } as;
};

struct jlist {
    size_t n, cap;
    jvalue *items;
    size_t at;       /* J_ITERATOR: the next item */
    const char *why; /* J_ITERATOR: what Python calls it */
};

typedef struct {
    jvalue key, value;
} jpair;

struct jdict {
    size_t n, cap;
    jpair *pairs;    /* in the order of insertion */
    uint32_t *index; /* index_cap places of (pair + 1); NULL while a mapping is small */
    size_t index_cap;
};

typedef enum { J_ITEMS, J_KEYS, J_VALUES } jview_kind;
struct jview {
    jview_kind which;
    const jdict *dict;
};

struct jrange {
    int64_t start, stop, step;
};

struct jmethod {
    jvalue self;
    const jbuiltin *builtin;
};

struct jcycler {
    jlist *items; /* of a joiner: its separator */
    size_t at;
};

static inline jvalue axl__j_none(void)
{
    return (jvalue){ .kind = J_NONE };
}

static inline jvalue axl__j_bool(bool b)
{
    return (jvalue){ .kind = J_BOOL, .as.boolean = b };
}

static inline jvalue axl__j_int(int64_t i)
{
    return (jvalue){ .kind = J_INT, .as.integer = i };
}

static inline jvalue axl__j_float(double d)
{
    return (jvalue){ .kind = J_FLOAT, .as.number = d };
}

static inline jvalue axl__j_text(const char *text, size_t len)
{
    return (jvalue){ .kind = J_STRING, .len = (uint32_t)len, .as.text = text };
}

static inline jvalue axl__j_undefined(int how, const char *text, size_t len)
{
    return (
        jvalue){ .kind = J_UNDEFINED, .how = (uint8_t)how, .len = (uint32_t)len, .as.text = text };
}

static inline bool axl__j_is_text(jvalue v, const char *text, size_t len)
{
    return v.kind == J_STRING && v.len == len && __builtin_memcmp(v.as.text, text, len) == 0;
}

/* ---- the tree ---- */

typedef enum {
    /* Expressions. */
    J_CONST,
    J_NAME,
    J_GETATTR, /* a . name */
    J_GETITEM, /* a [ b ] */
    J_SLICE,   /* a : b : c, each may be NULL */
    J_MAKE_LIST,
    J_MAKE_TUPLE,
    J_MAKE_DICT, /* keys and values in turn */
    J_UNARY,
    J_BINARY,
    J_AND,
    J_OR,
    J_NOT,
    J_COMPARE, /* a, then children, each with op */
    J_CONCAT,
    J_CONDITION, /* b if a else c */
    J_CALL,      /* a ( children ) */
    J_FILTER,    /* a | name ( children ); a is NULL for what a block holds */
    J_TEST,
    J_KEYWORD,   /* name = a, among the children of a call */
    J_STAR,      /* * a */
    J_STAR_STAR, /* ** a */
    /* Statements. */
    J_DATA,
    J_OUTPUT,
    J_SET,       /* a = b */
    J_SET_BLOCK, /* a, children; b: the filters */
    J_TARGET_ATTRIBUTE,
    J_FOR, /* for a in b if c: children; other: the else */
    J_IF,  /* if a: children; other: the else */
    J_DEFINE_MACRO,
    J_CALL_BLOCK, /* a: the call; macro: the body */
    J_FILTER_BLOCK,
    J_WITH,
    J_GENERATION,
    J_BLOCK,
    J_BREAK,
    J_CONTINUE
} jnode_kind;

/* One for each name of a template. */
typedef struct jname {
    const char *text;
    uint32_t len, number;
} jname;

struct jnode {
    uint8_t kind;
    uint8_t op;   /* a jtoken_type: of an operation; of a J_FOR: whether it is recursive */
    uint8_t uses; /* of a macro: which of J_USES_… its body reads */
    uint32_t line;
    jnode *a, *b, *c;
    jnode *children, *other, *next;
    const jname *name;
    const jbuiltin *builtin; /* of a filter or test; NULL: there is none of the name */
    jvalue value;            /* J_CONST, J_DATA */
};

enum { J_USES_CALLER = 1, J_USES_VARARGS = 2, J_USES_KWARGS = 4 };

struct axl__jinja {
    axl_context *ctx;
    axl__arena arena;
    const char *name;
    jnode *body;
    const jname *loop_name;    /* "loop"; NULL where no expression has it */
    const jname *own_names[3]; /* caller, varargs, kwargs; the same */
    uint32_t n_names;
};

/* ---- tokens ---- */

typedef enum {
    T_END,
    T_DATA,
    T_VARIABLE_BEGIN,
    T_VARIABLE_END,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_NAME,
    T_STRING,
    T_INTEGER,
    T_FLOAT,
    T_ADD,
    T_SUB,
    T_MUL,
    T_DIV,
    T_FLOORDIV,
    T_MOD,
    T_POW,
    T_TILDE,
    T_EQ,
    T_NE,
    T_LT,
    T_LE,
    T_GT,
    T_GE,
    T_ASSIGN,
    T_DOT,
    T_COMMA,
    T_COLON,
    T_SEMICOLON,
    T_PIPE,
    T_LPAREN,
    T_RPAREN,
    T_LBRACKET,
    T_RBRACKET,
    T_LBRACE,
    T_RBRACE,
    T_IN, /* of comparisons only */
    T_NOT_IN
} jtoken_type;

typedef struct jtoken {
    jtoken_type type;
    uint32_t line;
    const char *text; /* of a string: without quotes, escapes read */
    size_t len;
    int64_t integer;
    double number;
} jtoken;

typedef struct jtokens {
    axl_context *ctx;
    jtoken *items;
    size_t n, cap;
} jtokens;

/* Cuts a text into tokens, the last a T_END; texts go to the arena or point into source.  The line
 * of a failure is in *line. */
axl_status axl__j_lex(jtokens *out, axl__arena *arena, const char *source, size_t len,
                      uint32_t *line);
/* What people call a token. */
const char *axl__j_token_name(jtoken_type type);

/* ---- parsing ---- */

typedef struct jparser {
    axl__jinja *t;
    const jtoken *at; /* the current token */
    axl__map names;   /* to their jname */
    uint32_t depth;
    uint32_t loops; /* around the statement, within its macro */
    uint8_t uses;   /* of the macro that is read */
} jparser;

axl_status axl__j_parse_fail(const jparser *p, const char *fmt, ...) AXL_PRINTF(2, 3);
axl_status axl__j_expect(jparser *p, jtoken_type type);
bool axl__j_at_name(const jtoken *token, const char *name);
bool axl__j_skip_name(jparser *p, const char *name);
axl_status axl__j_intern(jparser *p, const jtoken *token, const jname **out);
axl_status axl__j_node(jparser *p, jnode_kind kind, uint32_t line, jnode **out);

axl_status axl__j_parse_expression(jparser *p, jnode **out);
/* Without "x if y else z" where conditional is false. */
axl_status axl__j_parse_tuple(jparser *p, bool conditional, jnode **out);
/* A name, or names in a tuple; with_attribute: name.attribute, too. */
axl_status axl__j_parse_target(jparser *p, bool with_attribute, jnode **out);
axl_status axl__j_parse_arguments(jparser *p, jnode **children);
/* A chain of filters on node; in a block the first has no "|" before it. */
axl_status axl__j_parse_filters(jparser *p, jnode *node, bool in_block, jnode **out);
/* Nested deeper than C's stack bears? */
axl_status axl__j_parse_enter(jparser *p);

/* ---- rendering ---- */

typedef struct {
    const jname *name;
    jvalue value;
} jbinding;

/* The variables of a block; a name that is set here hides that of the scope around it. */
struct jscope {
    jscope *parent;
    jbinding *bindings;
    uint32_t n, cap;
};

struct jloop {
    const jnode *node;
    jscope *scope; /* around the loop */
    jlist *items;  /* all there are, before the loop's own condition */
    size_t next;   /* of items, that the loop has not looked at */
    jvalue ahead, current, previous;
    bool has_ahead, has_current, has_previous, has_changed;
    bool filtered; /* what is left of items is known to pass the condition */
    size_t index0, depth0;
    jvalue changed; /* what loop.changed() saw last */
};

struct jmacro {
    const jnode *node; /* its children are the parameters, other the body */
    const char *name;
    jscope *scope; /* where it was made */
};

enum { J_BUFFERS = 128 };

struct jstate {
    const axl__jinja *t;
    const axl__jinja_options *opts;
    axl__jinja_limits limits;
    axl__arena arena;
    uint32_t line;
    uint32_t depth;
    uint64_t steps, memory;
    jdict *context;
    jvalue *globals; /* a value for each jname that was looked for; J_ABSENT before */
    axl__str *out;
    axl__str *buffers; /* of blocks whose text is kept, the outermost first; J_BUFFERS of them */
    uint32_t n_buffers;
    uint64_t macros_made;
    axl_status out_of; /* what axl__j_alloc failed with */
    int flow;          /* J_FLOW_… of the statement that ran */
    char *tail;        /* the text that was joined last: what is joined to it may go behind it */
    size_t tail_len, tail_cap;
};

enum { J_FLOW_ON, J_FLOW_BREAK, J_FLOW_CONTINUE };

/* Arguments of a call. */
typedef struct jargs {
    jlist *positional;
    jdict *named;
} jargs;

/* A filter, a test (given a bool), a method or a function.  params: names in order, those behind
 * '|' may be missing (J_ABSENT in arg); a '/' before them: they have no names for a caller; NULL:
 * it reads args itself. */
typedef axl_status (*jbuiltin_fn)(jstate *st, jvalue self, const jvalue *arg, const jargs *args,
                                  jvalue *out);
struct jbuiltin {
    const char *name;
    jbuiltin_fn fn;
    const char *params;
};
enum { J_PARAMS_MAX = 8 };

/* The template fails at the current line; AXL_ERR_FORMAT. */
axl_status axl__j_fail(jstate *st, const char *fmt, ...) AXL_PRINTF(2, 3);
/* NULL when memory or the limit is out, with the failure recorded and its status in out_of. */
void *axl__j_alloc(jstate *st, size_t size);
static inline axl_status axl__j_out_of(const jstate *st)
{
    return st->out_of < 0 ? st->out_of : AXL_ERR_NOMEM;
}
axl_status axl__j_step(jstate *st);
/* What looks at a whole text counts for more than a step; the next step fails past the limit. */
static inline void axl__j_charge(jstate *st, jvalue v)
{
    st->steps += v.kind == J_STRING ? v.len / 256 : 0;
}
/* Going down one level of what can be nested; with axl__j_leave(). */
axl_status axl__j_enter(jstate *st);
static inline void axl__j_leave(jstate *st)
{
    st->depth--;
}

/* jinja_value.c */
axl_status axl__j_copy_text(jstate *st, const char *text, size_t len, jvalue *out);
axl_status axl__j_list_new(jstate *st, size_t cap, jlist **out);
axl_status axl__j_list_add(jstate *st, jlist *list, jvalue v);
axl_status axl__j_dict_new(jstate *st, jdict **out);
axl_status axl__j_dict_set(jstate *st, jdict *d, jvalue key, jvalue value);
/* NULL when there is none; ask axl__j_hashable() first where a template gave the key. */
const jvalue *axl__j_dict_find(jstate *st, const jdict *d, jvalue key);
axl_status axl__j_hashable(jstate *st, jvalue key);
axl_status axl__j_from_json(jstate *st, const axl__json *json, jvalue *out);
static inline jvalue axl__j_list(jlist *list)
{
    return (jvalue){ .kind = J_LIST, .as.list = list };
}
static inline jvalue axl__j_tuple(jlist *list)
{
    return (jvalue){ .kind = J_TUPLE, .as.list = list };
}
static inline jvalue axl__j_dict(jdict *dict)
{
    return (jvalue){ .kind = J_DICT, .as.dict = dict };
}
static inline jvalue axl__j_iterator(jlist *list, const char *why)
{
    list->why = why;
    return (jvalue){ .kind = J_ITERATOR, .as.list = list };
}
axl_status axl__j_pair(jstate *st, jvalue a, jvalue b, jvalue *out);
int64_t axl__j_range_len(const jrange *r);

/* jinja_compare.c */
bool axl__j_truth(jvalue v);
axl_status axl__j_equal(jstate *st, jvalue a, jvalue b, bool *out);
axl_status axl__j_less(jstate *st, jvalue a, jvalue b, jtoken_type op, bool *out);
axl_status axl__j_compare(jstate *st, jtoken_type op, jvalue a, jvalue b, bool *out);
axl_status axl__j_contains(jstate *st, jvalue container, jvalue item, bool *out);
bool axl__j_same(jvalue a, jvalue b);
bool axl__j_is_number(jvalue v);  /* int, float, bool */
bool axl__j_is_integer(jvalue v); /* int, bool */
double axl__j_as_double(jvalue v);
int64_t axl__j_as_int(jvalue v);
/* Sorted by keys, as Python's sorted(): stable, also in reverse. */
axl_status axl__j_sort(jstate *st, jlist *items, const jlist *keys, bool reverse);

/* jinja_iterate.c */
/* Python's list(v): the items of what can be iterated; an iterator is used up. */
axl_status axl__j_items(jstate *st, jvalue v, jlist **out);
bool axl__j_iterable(jvalue v);
axl_status axl__j_length(jstate *st, jvalue v, int64_t *out);

/* jinja_print.c */
/* Python's str() and repr() of a value. */
axl_status axl__j_put(jstate *st, axl__str *out, jvalue v);
axl_status axl__j_put_repr(jstate *st, axl__str *out, jvalue v);
axl_status axl__j_text_of(jstate *st, jvalue v, jvalue *out);
/* "'name' is undefined" and its like. */
axl_status axl__j_fail_undefined(jstate *st, jvalue v);
/* "an integer", "a text", … */
const char *axl__j_type_name(jvalue v);
void axl__j_put_number(axl__str *out, double v);
/* A text being made: on st's stack of buffers, so that a failure frees it. */
axl_status axl__j_begin(jstate *st, axl__str **out);
axl_status axl__j_end(jstate *st, jvalue *out);

/* jinja_to_json.c */
extern const jbuiltin axl__j_tojson;

/* jinja_operate.c */
axl_status axl__j_binary(jstate *st, jtoken_type op, jvalue a, jvalue b, jvalue *out);
axl_status axl__j_unary(jstate *st, jtoken_type op, jvalue a, jvalue *out);
axl_status axl__j_join(jstate *st, jvalue a, jvalue b, jvalue *out); /* of two texts */
axl_status axl__j_escape(jstate *st, jvalue v, jvalue *out);

/* jinja_access.c */
axl_status axl__j_getattr(jstate *st, jvalue v, jvalue name, jvalue *out);
axl_status axl__j_getitem(jstate *st, jvalue v, jvalue key, jvalue *out);
axl_status axl__j_slice(jstate *st, jvalue v, const jvalue *start, const jvalue *stop,
                        const jvalue *step, jvalue *out);
/* "a.b.0": what map(attribute=…) and its like look up. */
axl_status axl__j_get_path(jstate *st, jvalue v, jvalue path, jvalue *out);

/* jinja_eval.c */
axl_status axl__j_eval(jstate *st, const jnode *node, jscope *scope, jvalue *out);
axl_status axl__j_eval_args(jstate *st, const jnode *children, jscope *scope, jargs *out);

/* jinja_execute.c */
axl_status axl__j_run_body(jstate *st, const jnode *body, jscope *scope);
axl_status axl__j_scope_new(jstate *st, jscope *parent, jscope **out);
axl_status axl__j_bind(jstate *st, jscope *scope, const jname *name, jvalue value);
axl_status axl__j_call_loop(jstate *st, jloop *loop, const jargs *args, jvalue *out);

/* jinja_loop.c */
axl_status axl__j_assign(jstate *st, const jnode *target, jscope *scope, jvalue value);
axl_status axl__j_run_for(jstate *st, const jnode *node, jscope *scope, jlist *items,
                          size_t depth0);
/* The item after the current one, if any. */
axl_status axl__j_loop_peek(jstate *st, jloop *loop);
axl_status axl__j_loop_attribute(jstate *st, jloop *loop, jvalue name, jvalue *out);

/* jinja_call.c */
axl_status axl__j_call(jstate *st, jvalue callee, const jargs *args, jvalue *out);
axl_status axl__j_call_builtin(jstate *st, const jbuiltin *b, jvalue self, const jargs *args,
                               jvalue *out);
const jbuiltin *axl__j_find_builtin(const jbuiltin *table, const char *name, size_t len);

/* The tables, each ended by a NULL name. */
extern const jbuiltin axl__j_text_filters[], axl__j_sequence_filters[], axl__j_number_filters[];
extern const jbuiltin axl__j_tests[], axl__j_functions[];
extern const jbuiltin axl__j_text_methods[], axl__j_search_methods[];
const jbuiltin *axl__j_filter(const char *name, size_t len);
const jbuiltin *axl__j_test(const char *name, size_t len);
/* A method of v, or NULL. */
const jbuiltin *axl__j_find_method(jvalue v, const char *name, size_t len);

/* jinja_format.c */
axl_status axl__j_percent(jstate *st, jvalue format, jvalue values, jvalue *out);
axl_status axl__j_format(jstate *st, jvalue format, const jargs *args, jvalue *out);
/* value with so many digits behind the point, as C's %.*f. */
void axl__j_put_fixed(axl__str *out, double value, int digits);
double axl__j_round(double value, int64_t digits);

/* jinja_characters.c */
bool axl__j_printable(uint32_t c);
bool axl__j_letter(uint32_t c);
uint32_t axl__j_upper(uint32_t c);
uint32_t axl__j_lower(uint32_t c);
size_t axl__j_count(const char *text, size_t len); /* code points */
/* The first place of part in text, or NULL. */
const char *axl__j_find(const char *text, size_t len, const char *part, size_t n);
const char *axl__j_find_last(const char *text, size_t len, const char *part, size_t n);
/* The byte where code point n begins, len past the end. */
size_t axl__j_offset(const char *text, size_t len, size_t n);
/* Python's strip(): what is left lies at *from up to *to; chars NULL: white space. */
void axl__j_strip(jvalue v, const jvalue *chars, bool left, bool right, size_t *from, size_t *to);

/* Arguments by what they must be. */
axl_status axl__j_need_int(jstate *st, jvalue v, const char *what, int64_t *out);
axl_status axl__j_need_text(jstate *st, jvalue v, const char *what);
static inline bool axl__j_given(jvalue v)
{
    return v.kind != J_ABSENT;
}

#endif
