/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotary.c - see rotary.h.  Reading is two tables, of kinds and of parameters: a parameter that no
 * kind has is refused, for what it asks for would be left out in silence.
 */
#include "rotary.h"

#include "base/fail.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* ---- reading ---- */

static const struct {
    const char *name;
    axl__rope_type type;
} kinds[] = {
    { "default", AXL__ROPE_DEFAULT }, { "linear", AXL__ROPE_LINEAR },
    { "dynamic", AXL__ROPE_DYNAMIC }, { "llama3", AXL__ROPE_LLAMA3 },
    { "yarn", AXL__ROPE_YARN },       { "longrope", AXL__ROPE_LONGROPE },
};

enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* Everything that may stand among the parameters. */
static const char *const parameters[] = {
    "rope_type",
    "type",
    "rope_theta",
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
    "max_position_embeddings", /* a copy of the one outside, which transformers does not look at */
    "beta_fast",
    "beta_slow",
    "truncate",
    "attention_factor",
    "mscale",
    "mscale_all_dim",
    "short_factor",
    "long_factor",
    "partial_rotary_factor",
    "llama_4_scaling_beta",
    "finetuned", /* whether it was trained with them: nothing follows */
};

/* The object in config.json, or NULL, and what it is called there. */
typedef struct {
    const axl__json *config, *from;
    const char *name;
    const axl__rope_of *of;
} rope_source;

static bool has_value(const axl__json *v)
{
    return v && v->type != AXL__JSON_NULL;
}

static bool is_by_layers(const rope_source *s, const axl__json *v)
{
    return s->of->rules->by_layers && v->child->type == AXL__JSON_OBJECT;
}

/* As transformers 5: rope_scaling counts, where it says anything, and else rope_parameters. */
static axl_status rope_find(rope_source *s)
{
    static const char *const names[] = { "rope_scaling", "rope_parameters" };

    s->name = names[1];
    for (int i = 0; i < 2 && !s->from; i++) {
        const axl__json *v = axl__json_get(s->config, names[i]);
        if (has_value(v) && v->type != AXL__JSON_OBJECT)
            return axl__fail(AXL_ERR_FORMAT, "%s: %s must be an object, not %s", s->of->path,
                             names[i], axl__json_type_name(v));
        if (!has_value(v) || v->count == 0 || is_by_layers(s, v))
            continue;
        s->from = v;
        s->name = names[i];
    }
    return AXL_OK;
}

static axl_status check_parameters(const rope_source *s)
{
    for (const axl__json *v = s->from ? s->from->child : NULL; v; v = v->next) {
        bool known = !has_value(v);
        for (size_t i = 0; i < sizeof parameters / sizeof parameters[0] && !known; i++)
            known = strcmp(parameters[i], v->key) == 0;
        if (!known)
            return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s.%s is not supported yet", s->of->path,
                             s->name, v->key);
    }
    return AXL_OK;
}

static axl_status fail_type(const rope_source *s, const char *key, const char *type)
{
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s.%s \"%s\" is not supported yet; %s", s->of->path,
                     s->name, key, type,
                     s->of->rules->longrope_alone
                         ? "of this model_type default and longrope are"
                         : "default, linear, dynamic, llama3, yarn and longrope are");
}

static axl_status rope_read_type(axl__rope *r, const rope_source *s)
{
    const axl__json *v = axl__json_get(s->from, "rope_type");

    v = v ? v : axl__json_get(s->from, "type");
    r->type = AXL__ROPE_DEFAULT;
    if (!v)
        return AXL_OK;
    if (v->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_FORMAT, "%s: %s.%s must be a string, not %s", s->of->path, s->name,
                         v->key, axl__json_type_name(v));
    const char *name = v->text;
    bool alone = s->of->rules->longrope_alone;
    if (alone && (strcmp(name, "su") == 0 || strcmp(name, "yarn") == 0))
        name = "longrope";
    for (size_t i = 0; i < N_KINDS; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        r->type = kinds[i].type;
        if (!alone || r->type == AXL__ROPE_DEFAULT || r->type == AXL__ROPE_LONGROPE)
            return AXL_OK;
    }
    return fail_type(s, v->key, v->text);
}

/* A number above `above`; where there is none, otherwise, which NAN says there must be.  place is
 * what the object is called, NULL for config.json itself. */
static axl_status read_number(const rope_source *s, const axl__json *from, const char *place,
                              const char *key, double above, double otherwise, double *out)
{
    const axl__json *v = axl__json_get(from, key);
    const char *dot = place ? "." : "";

    place = place ? place : "";
    *out = otherwise;
    if (!has_value(v))
        return isnan(otherwise) ? axl__fail(AXL_ERR_FORMAT, "%s: %s%s%s is missing", s->of->path,
                                            place, dot, key)
                                : AXL_OK;
    if (v->type != AXL__JSON_INT && v->type != AXL__JSON_FLOAT)
        return axl__fail(AXL_ERR_FORMAT, "%s: %s%s%s must be a number, not %s", s->of->path, place,
                         dot, key, axl__json_type_name(v));
    if (!(v->number > above) || !isfinite(v->number))
        return axl__fail(AXL_ERR_FORMAT, "%s: %s%s%s must be a number above %d, not %.*s",
                         s->of->path, place, dot, key, (int)above, (int)v->len, v->text);
    *out = v->number;
    return AXL_OK;
}

static axl_status read_parameter(const rope_source *s, const char *key, double above,
                                 double otherwise, double *out)
{
    return read_number(s, s->from, s->name, key, above, otherwise, out);
}

/* How much of a head turns. */
static axl_status rope_read_part(axl__rope *r, const rope_source *s)
{
    static const char key[] = "partial_rotary_factor";
    double part;

    AXL_TRY(read_parameter(s, key, 0.0, 1.0, &part));
    AXL_TRY(read_number(s, s->config, NULL, key, 0.0, part, &part));
    if (part > 1.0)
        return axl__fail(AXL_ERR_FORMAT, "%s: %s must be at most 1", s->of->path, key);
    if (part != 1.0 && !s->of->rules->partial)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: %s is not supported for this model_type, whose heads turn as a whole",
                         s->of->path, key);
    r->rotary_dim = (int64_t)((double)s->of->head_dim * part);
    if (r->rotary_dim < 2 || r->rotary_dim % 2 != 0)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: %s turns %lld of the %lld elements of a head; it must be an even "
                         "number of them",
                         s->of->path, key, (long long)r->rotary_dim, (long long)s->of->head_dim);
    return AXL_OK;
}

/* The number outside of the parameters goes first. */
static axl_status rope_read_original(axl__rope *r, const rope_source *s)
{
    static const char key[] = "original_max_position_embeddings";
    bool extends =
        r->type == AXL__ROPE_LLAMA3 || r->type == AXL__ROPE_YARN || r->type == AXL__ROPE_LONGROPE;
    double otherwise = extends ? (double)s->of->max_seq_len : 0.0;

    AXL_TRY(read_parameter(s, key, 0.0, otherwise, &r->original_max));
    if (!extends)
        return AXL_OK;
    if (s->of->rules->original_max > 0.0)
        r->original_max = s->of->rules->original_max;
    return read_number(s, s->config, NULL, key, 0.0, r->original_max, &r->original_max);
}

static axl_status read_llama3(axl__rope *r, const rope_source *s)
{
    AXL_TRY(read_parameter(s, "factor", 0.0, NAN, &r->factor));
    AXL_TRY(read_parameter(s, "low_freq_factor", 0.0, NAN, &r->low_freq_factor));
    AXL_TRY(read_parameter(s, "high_freq_factor", 0.0, NAN, &r->high_freq_factor));
    if (r->high_freq_factor > r->low_freq_factor)
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "%s: %s.high_freq_factor must be above low_freq_factor",
                     s->of->path, s->name);
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

static axl_status read_yarn(axl__rope *r, const rope_source *s)
{
    const axl__json *truncate = axl__json_get(s->from, "truncate");
    double scale, all;

    AXL_TRY(
        read_parameter(s, "factor", 0.0, (double)s->of->max_seq_len / r->original_max, &r->factor));
    AXL_TRY(read_parameter(s, "beta_fast", 0.0, 32.0, &r->beta_fast));
    AXL_TRY(read_parameter(s, "beta_slow", 0.0, 1.0, &r->beta_slow));
    AXL_TRY(read_parameter(s, "mscale", -1e6, 0.0, &scale));
    AXL_TRY(read_parameter(s, "mscale_all_dim", -1e6, 0.0, &all));
    if (truncate && truncate->type != AXL__JSON_BOOL)
        return axl__fail(AXL_ERR_FORMAT, "%s: %s.truncate must be true or false, not %s",
                         s->of->path, s->name, axl__json_type_name(truncate));
    r->truncate = truncate ? truncate->boolean : true;
    if (!(r->theta > 1.0) || r->beta_fast < r->beta_slow)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: yarn wants a rope_theta above 1 and %s.beta_fast not below beta_slow",
                         s->of->path, s->name);
    bool both = scale != 0.0 && all != 0.0;
    double factor = both ? yarn_scale(r->factor, scale) / yarn_scale(r->factor, all)
                         : yarn_scale(r->factor, 1.0);
    return read_parameter(s, "attention_factor", 0.0, factor, &r->attention_factor);
}

static axl_status read_factors(const rope_source *s, const char *key, int64_t n, float *out)
{
    const axl__json *list = axl__json_get(s->from, key);
    const axl__json *v = list && list->type == AXL__JSON_ARRAY ? list->child : NULL;

    if (!v || (int64_t)list->count != n)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: %s.%s must be a list of %lld numbers, one for each pair of elements "
                         "that turns",
                         s->of->path, s->name, key, (long long)n);
    for (int64_t i = 0; i < n; i++, v = v->next) {
        if ((v->type != AXL__JSON_INT && v->type != AXL__JSON_FLOAT) || !(v->number > 0.0) ||
            !isfinite(v->number))
            return axl__fail(AXL_ERR_FORMAT, "%s: %s.%s[%lld] must be a number above 0",
                             s->of->path, s->name, key, (long long)i);
        out[i] = (float)v->number;
    }
    return AXL_OK;
}

static axl_status read_longrope(axl__rope *r, const rope_source *s)
{
    double factor = 1.0;

    AXL_TRY(read_factors(s, "short_factor", r->rotary_dim / 2, r->short_factor));
    AXL_TRY(read_factors(s, "long_factor", r->rotary_dim / 2, r->long_factor));
    AXL_TRY(
        read_parameter(s, "factor", 0.0, (double)s->of->max_seq_len / r->original_max, &r->factor));
    if (!(r->original_max > 1.0))
        return axl__fail(AXL_ERR_FORMAT, "%s: original_max_position_embeddings must be above 1",
                         s->of->path);
    if (r->factor > 1.0)
        factor = sqrt(1.0 + log(r->factor) / log(r->original_max));
    return read_parameter(s, "attention_factor", 0.0, factor, &r->attention_factor);
}

/* What the kind has of its own. */
static axl_status rope_read_kind(axl__rope *r, const rope_source *s)
{
    r->attention_factor = 1.0;
    r->max_seq_len = (double)s->of->max_seq_len;
    switch (r->type) {
    case AXL__ROPE_DEFAULT: return AXL_OK;
    case AXL__ROPE_LLAMA3: return read_llama3(r, s);
    case AXL__ROPE_YARN: return read_yarn(r, s);
    case AXL__ROPE_LONGROPE: return read_longrope(r, s);
    default: break;
    }
    AXL_TRY(read_parameter(s, "factor", 0.0, NAN, &r->factor));
    if (r->type == AXL__ROPE_LINEAR || (r->factor >= 1.0 && r->rotary_dim > 2))
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT,
                     "%s: %s.factor of dynamic must be at least 1, of heads that "
                     "turn more than a pair",
                     s->of->path, s->name);
}

static axl_status rope_read_queries(axl__rope *r, const rope_source *s)
{
    static const char key[] = "llama_4_scaling_beta";

    if (s->of->rules->scales_queries) {
        AXL_TRY(read_parameter(s, key, -1.0, NAN, &r->query_beta));
        if (r->original_max > 0.0)
            return AXL_OK;
        return axl__fail(AXL_ERR_FORMAT, "%s: %s.original_max_position_embeddings is missing",
                         s->of->path, s->name);
    }
    if (!has_value(axl__json_get(s->from, key)))
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s.%s is not supported for this model_type",
                     s->of->path, s->name, key);
}

axl_status axl__rope_read(axl__rope *r, const axl__json *config, const axl__rope_of *of)
{
    rope_source s = { .config = config, .of = of };

    *r = (axl__rope){ .attention_factor = 1.0 };
    AXL_TRY(rope_find(&s));
    if (!s.from && of->rules->otherwise) {
        of->rules->otherwise(r, of->head_dim);
        return AXL_OK;
    }
    AXL_TRY(check_parameters(&s));
    AXL_TRY(rope_read_type(r, &s));
    AXL_TRY(read_number(&s, config, NULL, "rope_theta", 0.0, 10000.0, &r->theta));
    AXL_TRY(read_parameter(&s, "rope_theta", 0.0, r->theta, &r->theta));
    AXL_TRY(rope_read_part(r, &s));
    AXL_TRY(rope_read_original(r, &s));
    AXL_TRY(rope_read_kind(r, &s));
    return rope_read_queries(r, &s);
}

/* ---- angles ---- */

int64_t axl__rope_reach(const axl__rope *r, int64_t length)
{
    if (r->type == AXL__ROPE_DYNAMIC)
        return (double)length > r->max_seq_len ? length : 0;
    return r->type == AXL__ROPE_LONGROPE && (double)length > r->original_max;
}

/* Long waves are slowed by the factor, short ones kept, those between blended. */
static double llama3_frequency(const axl__rope *r, double f)
{
    double wave = 2.0 * pi / f;
    double low = r->original_max / r->low_freq_factor;
    double high = r->original_max / r->high_freq_factor;

    if (wave > low)
        return f / r->factor;
    if (wave < high)
        return f;
    double smooth =
        (r->original_max / wave - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return (1.0 - smooth) * f / r->factor + smooth * f;
}

/* The pair, as a real number, that makes so many turns within original_max. */
static double yarn_pair(const axl__rope *r, double turns)
{
    return (double)r->rotary_dim * log(r->original_max / (turns * 2.0 * pi)) /
           (2.0 * log(r->theta));
}

/* Pairs up to the first bound are kept, from the second on slowed, those between blended. */
static double yarn_frequency(const axl__rope *r, double f, int64_t i)
{
    double low = yarn_pair(r, r->beta_fast), high = yarn_pair(r, r->beta_slow);

    low = fmax(r->truncate ? floor(low) : low, 0.0);
    high = fmin(r->truncate ? ceil(high) : high, (double)r->rotary_dim - 1.0);
    if (low == high)
        high += 0.001; /* as transformers does: a step where the bounds meet */
    double slowed = fmin(fmax(((double)i - low) / (high - low), 0.0), 1.0);
    return f / r->factor * slowed + f * (1.0 - slowed);
}

static double base_of(const axl__rope *r, int64_t reach)
{
    double d = (double)r->rotary_dim;

    if (r->type != AXL__ROPE_DYNAMIC || reach == 0)
        return r->theta;
    double grown = r->factor * (double)reach / r->max_seq_len - (r->factor - 1.0);
    return r->theta * pow(grown, d / (d - 2.0));
}

void axl__rope_frequencies(const axl__rope *r, int64_t reach, float *out)
{
    double base = base_of(r, reach);

    for (int64_t i = 0; i < r->rotary_dim / 2; i++) {
        double f = pow(base, -2.0 * (double)i / (double)r->rotary_dim);
        if (r->type == AXL__ROPE_LINEAR)
            f /= r->factor;
        else if (r->type == AXL__ROPE_LLAMA3)
            f = llama3_frequency(r, f);
        else if (r->type == AXL__ROPE_YARN)
            f = yarn_frequency(r, f, i);
        else if (r->type == AXL__ROPE_LONGROPE)
            f /= (double)(reach ? r->long_factor : r->short_factor)[i];
        out[i] = (float)f; /* transformers multiplies positions by f32 frequencies in f32 */
    }
}

void axl__rope_table(const axl__rope *r, int64_t reach, float *cos_out, float *sin_out,
                     int64_t n_positions)
{
    float f[AXL__ROPE_PAIRS_MAX];
    int64_t half = r->rotary_dim / 2;

    axl__rope_frequencies(r, reach, f);
    for (int64_t p = 0; p < n_positions; p++) {
        for (int64_t i = 0; i < half; i++) {
            float angle = (float)p * f[i];
            cos_out[p * half + i] = (float)(cos((double)angle) * r->attention_factor);
            sin_out[p * half + i] = (float)(sin((double)angle) * r->attention_factor);
        }
    }
}

void axl__rope_scale_queries(const axl__rope *r, float *cos_io, float *sin_io, int64_t n_positions)
{
    int64_t half = r->rotary_dim / 2;

    for (int64_t p = 0; p < n_positions; p++) {
        double scale = 1.0 + r->query_beta * log(1.0 + floor((double)p / r->original_max));
        for (int64_t i = p * half; i < (p + 1) * half; i++) {
            cos_io[i] = (float)(cos_io[i] * scale);
            sin_io[i] = (float)(sin_io[i] * scale);
        }
    }
}
