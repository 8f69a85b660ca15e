/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c - see schedule.h.  Each formula keeps the order of operations of what it follows
 * (transformers' optimization.py, torch.optim.lr_scheduler, Axolotl's schedulers.py), the steps
 * past the end of a run included.
 */
#include "schedule.h"

#include "base/fail.h"
#include "base/num.h"
#include "base/structs.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* ---- checking ---- */

static axl_status schedule_out_of_range(const char *name, const char *range, double value)
{
    char got[AXL__NUM_MAX];

    axl__format_double(got, value);
    return axl__fail(AXL_ERR_INVALID, "%s must be %s, got %s", name, range, got);
}

static axl_status schedule_check_cosine(const axl_schedule_options *s)
{
    if (!(s->constant_ratio >= 0.0 && s->constant_ratio <= 1.0))
        return schedule_out_of_range("constant_ratio", "in [0, 1]", s->constant_ratio);
    if (!(s->n_cycles >= 0.0) || !isfinite(s->n_cycles))
        return schedule_out_of_range("n_cycles", ">= 0", s->n_cycles);
    if (!(s->warmup_start >= 0.0 && s->warmup_start <= 1.0))
        return schedule_out_of_range("warmup_start", "in [0, 1]", s->warmup_start);
    return AXL_OK;
}

static axl_status schedule_check_one_cycle(const axl_schedule_options *s)
{
    if (!(s->pct_start <= 1.0))
        return schedule_out_of_range("pct_start", "at most 1", s->pct_start);
    if (s->pct_start < 0.0 && s->warmup_steps > s->total_steps)
        return axl__fail(AXL_ERR_INVALID,
                         "one_cycle: %llu warm-up steps are more than the run's %llu",
                         (unsigned long long)s->warmup_steps, (unsigned long long)s->total_steps);
    if (!(s->div_factor > 0.0) || !isfinite(s->div_factor))
        return schedule_out_of_range("div_factor", "> 0", s->div_factor);
    if (!(s->final_div_factor > 0.0) || !isfinite(s->final_div_factor))
        return schedule_out_of_range("final_div_factor", "> 0", s->final_div_factor);
    if (!(s->base_momentum < 1.0 && s->max_momentum < 1.0))
        return axl__fail(AXL_ERR_INVALID, "base_momentum and max_momentum must be below 1");
    if (s->decay_shape > AXL_SHAPE_COSINE)
        return axl__fail(AXL_ERR_INVALID, "decay_shape of one cycle must be linear or cosine");
    return AXL_OK;
}

static axl_status schedule_check_plateau(const axl_schedule_options *s)
{
    if (!(s->factor > 0.0 && s->factor < 1.0))
        return schedule_out_of_range("factor", "in (0, 1)", s->factor);
    if (!(s->threshold >= 0.0) || !isfinite(s->threshold))
        return schedule_out_of_range("threshold", ">= 0", s->threshold);
    if (!(s->min_change >= 0.0))
        return schedule_out_of_range("min_change", ">= 0", s->min_change);
    if (s->restart_steps > 0)
        return axl__fail(AXL_ERR_INVALID, "restart_steps: reduce_lr_on_plateau cannot restart");
    return AXL_OK;
}

static bool schedule_needs_total(uint32_t kind)
{
    return kind != AXL_SCHEDULE_CONSTANT && kind != AXL_SCHEDULE_INVERSE_SQRT &&
           kind != AXL_SCHEDULE_REDUCE_ON_PLATEAU;
}

static axl_status schedule_check(const axl_schedule_options *s)
{
    if (s->kind > AXL_SCHEDULE_REDUCE_ON_PLATEAU)
        return axl__fail(AXL_ERR_INVALID, "unknown schedule %u", s->kind);
    if (s->warmup_shape > AXL_SHAPE_QUADRATIC || s->decay_shape > AXL_SHAPE_ONE_MINUS_SQRT)
        return axl__fail(AXL_ERR_INVALID, "unknown warmup_shape %u or decay_shape %u",
                         s->warmup_shape, s->decay_shape);
    if (s->three_phases > 1 || s->threshold_absolute > 1 || s->greater_is_better > 1)
        return axl__fail(AXL_ERR_INVALID,
                         "three_phases, threshold_absolute and greater_is_better are 0 or 1");
    if (schedule_needs_total(s->kind) && s->total_steps == 0)
        return axl__fail(AXL_ERR_INVALID, "this schedule needs total_steps");
    if (!(s->min_ratio >= 0.0 && s->min_ratio <= 1.0))
        return schedule_out_of_range("min_ratio", "in [0, 1]", s->min_ratio);
    if (!(s->power > 0.0) || !isfinite(s->power))
        return schedule_out_of_range("power", "> 0", s->power);
    if (s->restart_steps > 0 && !(s->restart_ratio >= 0.0 && s->restart_ratio <= 1.0))
        return schedule_out_of_range("restart_ratio", "in [0, 1]", s->restart_ratio);
    AXL_TRY(schedule_check_cosine(s));
    if (s->kind == AXL_SCHEDULE_ONE_CYCLE)
        return schedule_check_one_cycle(s);
    return s->kind == AXL_SCHEDULE_REDUCE_ON_PLATEAU ? schedule_check_plateau(s) : AXL_OK;
}

axl_status axl__schedule_import(axl_schedule_options *out, const axl_schedule_options *opts)
{
    *out = (axl_schedule_options)AXL_SCHEDULE_OPTIONS_INIT;
    AXL_TRY(AXL__IMPORT_OPTIONS(axl_schedule_options, out, opts));
    return schedule_check(out);
}

/* ---- shapes ---- */

/* transformers' max(1, …) of a divisor: a warm-up or a run of no steps divides by 1. */
static double schedule_at_least_1(double n)
{
    return n > 1.0 ? n : 1.0;
}

/* From 0 at x = 0 to 1 at x = 1. */
static double schedule_rise(uint32_t shape, double x)
{
    switch (shape) {
    case AXL_SHAPE_COSINE: return 0.5 * (1.0 - cos(pi * x));
    case AXL_SHAPE_ONE_MINUS_SQRT: return 1.0 - sqrt(1.0 - x);
    case AXL_SHAPE_QUADRATIC: return x * x;
    default: return x;
    }
}

/* Half a wave, the default, falls from 1 to 0 over x in [0, 1]. */
static double schedule_wave(double n_cycles, double x)
{
    return 0.5 * (1.0 + cos(pi * (n_cycles > 0.0 ? n_cycles : 0.5) * 2.0 * x));
}

/* Lays what is in [0, 1] between the least share and the peak. */
static double schedule_above(double min_ratio, double x)
{
    return fmax(0.0, (1.0 - min_ratio) * x + min_ratio);
}

/* ---- the kinds, after their warm-up; t counts from 0 ---- */

/* With a constant_ratio the fall ends at that share of the run, warm-up included, and the rate
 * stays at the least one: Axolotl's get_cosine_schedule_with_warmup_decay_constant. */
static double schedule_cosine(const axl_schedule_options *s, double t)
{
    double end = (double)s->total_steps, w = (double)s->warmup_steps;

    if (s->constant_ratio > 0.0) {
        end = floor(end * s->constant_ratio);
        t = t < end ? t : end;
    }
    return schedule_above(s->min_ratio,
                          schedule_wave(s->n_cycles, (t - w) / schedule_at_least_1(end - w)));
}

/* p is the share of the run after warm-up; each cycle falls to 0 and begins again at the peak. */
static double schedule_restarts(const axl_schedule_options *s, double p)
{
    double cycles = s->n_cycles > 0.0 ? s->n_cycles : 1.0;

    return p >= 1.0 ? 0.0 : 0.5 * (1.0 + cos(pi * fmod(cycles * p, 1.0)));
}

static double schedule_polynomial(const axl_schedule_options *s, double t)
{
    double T = (double)s->total_steps, w = (double)s->warmup_steps;

    if (t > T)
        return s->min_ratio;
    return (1.0 - s->min_ratio) * pow(1.0 - (t - w) / schedule_at_least_1(T - w), s->power) +
           s->min_ratio;
}

/* Shifted so that the share is 1 where the warm-up ends. */
static double schedule_inverse_sqrt(const axl_schedule_options *s, double t)
{
    double w = (double)s->warmup_steps;
    double scale = s->timescale > 0 ? (double)s->timescale : w > 0.0 ? w : 10000.0;

    return 1.0 / sqrt((t + (scale - w)) / scale);
}

/* z is the share of steps that is left, as in REX's paper (Chen et al., 2021). */
static double schedule_rex(const axl_schedule_options *s, double t)
{
    double after = t - (double)s->warmup_steps;
    double rest = (double)s->total_steps - (double)s->warmup_steps;

    if (after >= rest || rest <= 0.0)
        return s->min_ratio;
    double z = (rest - after) / rest;
    return schedule_above(s->min_ratio, z / (0.1 + 0.9 * z));
}

/* Unlike the other cosine it takes its first step at a rate above 0: it counts steps from 1. */
static double schedule_cosine_after_warmup(const axl_schedule_options *s, double t)
{
    double w = (double)s->warmup_steps, T = (double)s->total_steps, from = s->warmup_start;

    if (t < w)
        return from > 0.0 ? from + (1.0 - from) * t / schedule_at_least_1(w - 1.0)
                          : (t + 1.0) / schedule_at_least_1(w);
    return schedule_above(s->min_ratio,
                          schedule_wave(s->n_cycles, (t - w + 1.0) / schedule_at_least_1(T - w)));
}

/* The warm-up too starts at the least share and not at 0. */
static double schedule_stable_decay(const axl_schedule_options *s, double t)
{
    double w = (double)s->warmup_steps, decay = (double)s->decay_steps, fall;
    double stable =
        s->stable_steps < 0 ? (double)s->total_steps - w - decay : (double)s->stable_steps;

    if (t < w)
        return schedule_above(s->min_ratio,
                              schedule_rise(s->warmup_shape, t / schedule_at_least_1(w)));
    if (t < w + stable)
        return 1.0;
    if (t >= w + stable + decay)
        return s->min_ratio;
    double x = (t - w - stable) / schedule_at_least_1(decay);
    if (s->decay_shape == AXL_SHAPE_LINEAR)
        fall = 1.0 - x;
    else
        fall = s->decay_shape == AXL_SHAPE_ONE_MINUS_SQRT ? 1.0 - sqrt(x)
                                                          : schedule_wave(s->n_cycles, x);
    return schedule_above(s->min_ratio, fall);
}

/* ---- one cycle ---- */

/* Where a step is: the phase (0 up, 1 down, 2 further down) and how far in it, which passes 1
 * behind the end of a run.  The ends are torch's OneCycleLR's, fractions of a step and all. */
static int schedule_phase_of(const axl_schedule_options *s, double t, double *x)
{
    double T = (double)s->total_steps, from = 0.0, ends[3];
    double pct = s->pct_start >= 0.0 ? s->pct_start : (double)s->warmup_steps / T;
    int phase = 0, last = s->three_phases ? 2 : 1;

    ends[0] = pct * T - 1.0;
    ends[1] = s->three_phases ? 2.0 * pct * T - 2.0 : T - 1.0;
    ends[2] = T - 1.0;
    while (phase < last && t > ends[phase])
        from = ends[phase++];
    *x = ends[phase] != from ? (t - from) / (ends[phase] - from) : 1.0;
    return phase;
}

static double schedule_anneal(const axl_schedule_options *s, double from, double to, double x)
{
    if (s->decay_shape == AXL_SHAPE_LINEAR)
        return (to - from) * x + from;
    return to + (from - to) / 2.0 * (cos(pi * x) + 1.0);
}

/* Shares of max_lr, which is the config's learning_rate: OneCycleLR begins at 1 / div_factor of
 * it. */
static double schedule_one_cycle(const axl_schedule_options *s, double t)
{
    double x, low = 1.0 / s->div_factor, lowest = low / s->final_div_factor;
    int phase = schedule_phase_of(s, t, &x);

    if (phase == 0)
        return schedule_anneal(s, low, 1.0, x);
    if (phase == 1)
        return schedule_anneal(s, 1.0, s->three_phases ? low : lowest, x);
    return schedule_anneal(s, low, lowest, x);
}

/* Momentum moves against the rate; in the third phase it stays at the top. */
double axl__schedule_beta1(const axl_schedule_options *s, uint64_t step, double usual)
{
    double x, top = s->max_momentum, base = s->base_momentum;

    if (s->kind != AXL_SCHEDULE_ONE_CYCLE || top < 0.0 || base < 0.0)
        return usual;
    int phase = schedule_phase_of(s, (double)step, &x);
    return phase == 0   ? schedule_anneal(s, top, base, x)
           : phase == 1 ? schedule_anneal(s, base, top, x)
                        : top;
}

/* ---- all of them ---- */

/* The first kinds have warm-ups of their own or none; below them all warm up alike.  REX is a step
 * ahead because Axolotl's RexLR starts at its step 1 (last_epoch is 0 when it is made). */
static double schedule_plain_share(const axl_schedule_options *s, double t)
{
    double w = (double)s->warmup_steps, T = (double)s->total_steps;

    switch (s->kind) {
    case AXL_SCHEDULE_ONE_CYCLE: return schedule_one_cycle(s, t);
    case AXL_SCHEDULE_WARMUP_STABLE_DECAY: return schedule_stable_decay(s, t);
    case AXL_SCHEDULE_COSINE_AFTER_WARMUP: return schedule_cosine_after_warmup(s, t);
    case AXL_SCHEDULE_REDUCE_ON_PLATEAU: return 1.0;
    case AXL_SCHEDULE_REX: t += 1.0; break;
    default: break;
    }
    if (t < w)
        return schedule_rise(s->warmup_shape, t / schedule_at_least_1(w));
    double p = (t - w) / schedule_at_least_1(T - w);
    switch (s->kind) {
    case AXL_SCHEDULE_LINEAR: return fmax(0.0, 1.0 - p);
    case AXL_SCHEDULE_COSINE: return schedule_cosine(s, t);
    case AXL_SCHEDULE_POLYNOMIAL: return schedule_polynomial(s, t);
    case AXL_SCHEDULE_COSINE_WITH_RESTARTS: return schedule_restarts(s, p);
    case AXL_SCHEDULE_INVERSE_SQRT: return schedule_inverse_sqrt(s, t);
    case AXL_SCHEDULE_REX: return schedule_rex(s, t);
    default: return 1.0;
    }
}

/* Axolotl's JaggedLRRestartScheduler.  It, too, is a step ahead of what it wraps, having been made
 * with the other's count and then stepped once; it sets the inner schedule's count to its own,
 * hence the t - 1 for REX, to which the plain share adds 1 again.  It scales nothing before the
 * first fall. */
double axl__schedule_share(const axl_schedule_options *s, uint64_t step)
{
    double warmup = (double)s->restart_warmup_steps, anneal_steps = (double)s->restart_anneal_steps;
    double every = (double)s->restart_steps, scale = 1.0;

    if (s->restart_steps == 0)
        return schedule_plain_share(s, (double)step);
    double t = (double)step + (s->kind == AXL_SCHEDULE_REX ? 2.0 : 1.0), at = fmod(t, every);
    if (t >= every - anneal_steps) {
        if (at < warmup)
            scale = at / warmup;
        else if (at > every - anneal_steps)
            scale = fmin(1.0, (every - at) / anneal_steps);
        scale = scale * (1.0 - s->restart_ratio) + s->restart_ratio;
    }
    return schedule_plain_share(s, s->kind == AXL_SCHEDULE_REX ? t - 1.0 : t) * scale;
}

axl_status axl_schedule_share(const axl_schedule_options *opts, uint64_t step, double *share)
{
    axl_schedule_options s;

    axl__error_clear();
    if (!share)
        return axl__fail(AXL_ERR_INVALID, "share must not be NULL");
    AXL_TRY(axl__schedule_import(&s, opts));
    if (s.kind == AXL_SCHEDULE_REDUCE_ON_PLATEAU)
        return axl__fail(AXL_ERR_UNSUPPORTED, "the rate of reduce_lr_on_plateau follows from "
                                              "metrics; axl_trainer_learning_rate() knows it");
    *share = axl__schedule_share(&s, step);
    return AXL_OK;
}

/* ---- plateau ---- */

void axl__plateau_init(axl__plateau *p)
{
    *p = (axl__plateau){ 1.0, 0.0, false, 0, 0 };
}

static bool schedule_is_better(const axl_schedule_options *s, double value, double best)
{
    double by = s->greater_is_better ? s->threshold : -s->threshold;
    double bar = s->threshold_absolute ? best + by : best * (1.0 + by);

    return s->greater_is_better ? value > bar : value < bar;
}

/* torch's ReduceLROnPlateau.step(), one call an evaluation.  A metric that is not finite counts as
 * a bad one and is never the best. */
void axl__plateau_take(axl__plateau *p, const axl_schedule_options *s, double metric)
{
    if (isfinite(metric) && (!p->has_best || schedule_is_better(s, metric, p->best))) {
        p->best = metric;
        p->has_best = true;
        p->n_bad = 0;
    } else {
        p->n_bad++;
    }
    if (p->cooldown > 0) {
        p->cooldown--;
        p->n_bad = 0;
    }
    if (p->n_bad <= s->patience)
        return;
    double next = fmax(p->share * s->factor, s->min_ratio);
    if (p->share - next > s->min_change)
        p->share = next;
    p->cooldown = s->cooldown;
    p->n_bad = 0;
}
