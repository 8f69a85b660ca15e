/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chart.c - see chart.h.  Shaped for a log of ten to a hundred thousand records: a line has at most
 * 2 * BUCKETS points, the smallest and the largest of each bucket, so that a spike stays visible.
 */
#include "chart.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

/* The drawing's own units, which whole numbers in them are fine enough for; and about how many
 * ticks and tooltips a chart has. */
enum { WIDTH = 2000, HEIGHT = 1000, BUCKETS = 500, TICKS = 4, TIPS = 120 };
enum { SMOOTH_FROM = 40, SMOOTH_SHARE = 25, DOTS_UP_TO = 40 };

typedef struct {
    double lo, hi, step; /* of log10 of the values where log is set */
    bool log;
} axis;

/* ---- text ---- */

void axl__html_put(axl__str *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&': axl__str_puts(out, "&amp;"); break;
        case '<': axl__str_puts(out, "&lt;"); break;
        case '>': axl__str_puts(out, "&gt;"); break;
        case '"': axl__str_puts(out, "&quot;"); break;
        default: axl__str_putc(out, text[i]);
        }
    }
}

static void chart_put_text(axl__str *out, const char *text)
{
    axl__html_put(out, text, strlen(text));
}

void axl__html_put_number(axl__str *out, double value, int digits)
{
    char text[AXL__NUM_MAX];

    if (fabs(value) < 9999.5 || !(fabs(value) < 1e15)) {
        axl__format_digits(text, value, digits);
        axl__str_puts(out, text);
        return;
    }
    axl__format_digits(text, round(value), 16);
    size_t len = strlen(text), sign = text[0] == '-';
    for (size_t i = 0; i < len; i++) {
        if (i > sign && (len - i) % 3 == 0)
            axl__str_putc(out, ',');
        axl__str_putc(out, text[i]);
    }
}

/* ---- axes ---- */

/* 1, 2 or 5 times a power of ten, so that about `count` of them make the span. */
static double chart_nice_step(double span, int count)
{
    double raw = span / count, power = pow(10.0, floor(log10(raw))), share = raw / power;

    return (share < 1.5 ? 1.0 : share < 3.5 ? 2.0 : share < 7.5 ? 5.0 : 10.0) * power;
}

/* Ends at whole ticks.  One value, or none, gets room around it; 1e-9 of a step keeps rounding from
 * adding a tick. */
static axis chart_axis_over(double lo, double hi, bool from_zero)
{
    axis a = { lo, hi, 1.0, false };

    if (from_zero && lo > 0.0)
        a.lo = 0.0;
    if (!(a.hi > a.lo)) {
        double room = a.lo != 0.0 ? fabs(a.lo) * 0.1 : 1.0;
        a.lo -= from_zero && a.lo >= 0.0 ? 0.0 : room;
        a.hi += room;
    }
    a.step = chart_nice_step(a.hi - a.lo, TICKS);
    a.lo = floor(a.lo / a.step + 1e-9) * a.step;
    a.hi = ceil(a.hi / a.step - 1e-9) * a.step;
    return a;
}

/* From a power of ten to a power of ten, with at most about TICKS + 1 of them shown. */
static axis chart_log_axis_over(double lo, double hi)
{
    axis a = { floor(log10(lo)), ceil(log10(hi)), 1.0, true };

    a.step = ceil((a.hi - a.lo) / (TICKS + 1));
    return a;
}

/* Logarithmic from two decades on, and never where a value is 0 or less. */
static axis chart_y_axis(const axl__chart *c)
{
    double lo = INFINITY, hi = -INFINITY;

    for (size_t i = 0; i < c->n_series; i++) {
        for (size_t j = 0; j < c->series[i].n; j++) {
            double y = c->series[i].y[j];
            if (!isfinite(y))
                continue;
            lo = y < lo ? y : lo;
            hi = y > hi ? y : hi;
        }
    }
    if (lo > hi)
        lo = hi = 0.0;
    if (c->may_be_log && lo > 0.0 && hi / lo >= 100.0)
        return chart_log_axis_over(lo, hi);
    return chart_axis_over(lo, hi, c->from_zero);
}

/* From the first step to the last; the ticks are whole steps. */
static axis chart_x_axis(const axl__chart *c)
{
    axis a = { 0.0, c->x_max, 1.0, false };

    for (size_t i = 0; i < c->n_series; i++)
        if (c->series[i].n > 0 && c->series[i].x[c->series[i].n - 1] > a.hi)
            a.hi = c->series[i].x[c->series[i].n - 1];
    if (a.hi < 1.0)
        a.hi = 1.0;
    a.step = chart_nice_step(a.hi, TICKS);
    if (a.step < 1.0)
        a.step = 1.0;
    return a;
}

/* 0 at the axis' beginning, 1 at its end. */
static double chart_share_of(const axis *a, double v)
{
    return ((a->log ? log10(v) : v) - a->lo) / (a->hi - a->lo);
}

static int chart_x_of(const axis *a, double v)
{
    return (int)lround(chart_share_of(a, v) * WIDTH);
}

static int chart_y_of(const axis *a, double v)
{
    return (int)lround((1.0 - chart_share_of(a, v)) * HEIGHT);
}

static double chart_tick(const axis *a, int i)
{
    return a->lo + i * a->step;
}

static int chart_n_ticks(const axis *a)
{
    return (int)floor((a->hi - a->lo) / a->step + 1e-9) + 1;
}

static void chart_put_percent(axl__str *out, double share)
{
    axl__html_put_number(out, share * 100.0, 5);
    axl__str_putc(out, '%');
}

static void chart_put_grid(axl__str *out, const axis *y)
{
    axl__str_puts(out, "<path class=\"grid\" d=\"");
    for (int i = 0; i < chart_n_ticks(y); i++) {
        double at = (chart_tick(y, i) - y->lo) / (y->hi - y->lo);
        axl__str_putf(out, "M0 %dH%d", (int)lround((1.0 - at) * HEIGHT), WIDTH);
    }
    axl__str_puts(out, "\"/>");
}

static void chart_put_labels(axl__str *out, const axis *x, const axis *y)
{
    for (int i = 0; i < chart_n_ticks(y); i++) {
        axl__str_puts(out, "<span class=\"y\" style=\"top:");
        chart_put_percent(out, 1.0 - (chart_tick(y, i) - y->lo) / (y->hi - y->lo));
        axl__str_puts(out, "\">");
        axl__html_put_number(out, y->log ? pow(10.0, chart_tick(y, i)) : chart_tick(y, i), 6);
        axl__str_puts(out, "</span>");
    }
    for (int i = 0; i < chart_n_ticks(x); i++) {
        double at = (chart_tick(x, i) - x->lo) / (x->hi - x->lo);
        axl__str_putf(out, "<span class=\"x%s%s\" style=\"left:", at > 0.97 ? " last" : "",
                      chart_n_ticks(x) > 4 && i % 2 ? " odd" : "");
        chart_put_percent(out, at);
        axl__str_puts(out, "\">");
        axl__html_put_number(out, chart_tick(x, i), 6);
        axl__str_puts(out, "</span>");
    }
}

/* ---- lines ---- */

typedef struct {
    axl__str *out;
    const axis *x, *y;
    bool pen_down;
} pen;

/* What cannot be drawn lifts the pen: the line has a gap there. */
static void chart_draw_to(pen *p, double x, double y)
{
    if (!isfinite(y) || (p->y->log && y <= 0.0)) {
        p->pen_down = false;
        return;
    }
    axl__str_putf(p->out, "%c%d %d", p->pen_down ? 'L' : 'M', chart_x_of(p->x, x),
                  chart_y_of(p->y, y));
    p->pen_down = true;
}

/* The smallest and the largest of points [from, to), in their order.  The comparisons are negated
 * so that a NaN is taken, and breaks the line, instead of being passed over. */
static void chart_draw_bucket(pen *p, const axl__chart_series *s, size_t from, size_t to)
{
    size_t least = from, most = from;

    for (size_t i = from + 1; i < to; i++) {
        if (!(s->y[i] >= s->y[least]))
            least = i;
        if (!(s->y[i] <= s->y[most]))
            most = i;
    }
    size_t first = least < most ? least : most, second = least < most ? most : least;
    chart_draw_to(p, s->x[first], s->y[first]);
    if (second != first)
        chart_draw_to(p, s->x[second], s->y[second]);
}

static void chart_put_path_begin(axl__str *out, size_t index, const char *more)
{
    axl__str_putf(out, "<path class=\"s%zu%s\" d=\"", index + 1, more);
}

static void chart_put_line(axl__str *out, const axl__chart_series *s, size_t index, const axis *x,
                           const axis *y, bool faint)
{
    pen p = { out, x, y, false };
    size_t buckets = s->n > 2 * BUCKETS ? BUCKETS : s->n;

    chart_put_path_begin(out, index, faint ? " faint" : "");
    for (size_t b = 0; b < buckets; b++)
        chart_draw_bucket(&p, s, b * s->n / buckets, (b + 1) * s->n / buckets);
    axl__str_puts(out, "\"/>");
}

/* An exponential average over 1/SMOOTH_SHARE of the points, corrected for its start; of the
 * logarithms on a logarithmic axis. */
static void chart_put_smooth(axl__str *out, const axl__chart_series *s, size_t index, const axis *x,
                             const axis *y)
{
    pen p = { out, x, y, false };
    double keep = 1.0 - 2.0 / ((double)s->n / SMOOTH_SHARE + 2.0), sum = 0.0, weight = 0.0;
    size_t every = s->n > BUCKETS ? s->n / BUCKETS : 1;

    chart_put_path_begin(out, index, "");
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i]) || (y->log && s->y[i] <= 0.0))
            continue;
        sum = keep * sum + (y->log ? log10(s->y[i]) : s->y[i]);
        weight = keep * weight + 1.0;
        double mean = sum / weight;
        if (i % every == 0 || i + 1 == s->n)
            chart_draw_to(&p, s->x[i], y->log ? pow(10.0, mean) : mean);
    }
    axl__str_puts(out, "\"/>");
}

/* A line of no length with round ends is round at any stretch. */
static void chart_put_dots(axl__str *out, const axl__chart_series *s, size_t index, const axis *x,
                           const axis *y)
{
    chart_put_path_begin(out, index, " dots");
    for (size_t i = 0; i < s->n; i++)
        if (isfinite(s->y[i]) && !(y->log && s->y[i] <= 0.0))
            axl__str_putf(out, "M%d %dh0", chart_x_of(x, s->x[i]), chart_y_of(y, s->y[i]));
    axl__str_puts(out, "\"/>");
}

static void chart_put_series(axl__str *out, const axl__chart_series *s, size_t index, const axis *x,
                             const axis *y)
{
    bool smooth = s->smooth && s->n >= SMOOTH_FROM;

    chart_put_line(out, s, index, x, y, smooth);
    if (smooth)
        chart_put_smooth(out, s, index, x, y);
    if (s->n == 1 || (s->dots && s->n <= DOTS_UP_TO))
        chart_put_dots(out, s, index, x, y);
}

/* ---- tooltips ---- */

/* The last point of the series in (from, to]; NULL when there is none. */
static const double *chart_point_in(const axl__chart_series *s, double from, double to, double *at)
{
    for (size_t i = s->n; i-- > 0 && s->x[i] > from;) {
        if (s->x[i] <= to) {
            *at = s->x[i];
            return &s->y[i];
        }
    }
    return NULL;
}

static void chart_put_tip(axl__str *out, const axl__chart *c, double from, double to)
{
    bool any = false;

    for (size_t i = 0; i < c->n_series; i++) {
        double at;
        const double *y = chart_point_in(&c->series[i], from, to, &at);
        if (!y)
            continue;
        axl__str_puts(out, any ? "\n" : "");
        axl__str_puts(out, "step ");
        axl__html_put_number(out, at, 9);
        axl__str_puts(out, ": ");
        if (c->n_series > 1) {
            chart_put_text(out, c->series[i].name);
            axl__str_putc(out, ' ');
        }
        axl__html_put_number(out, *y, 5);
        any = true;
    }
}

/* Bands over the chart, each with the values of its last step. */
static void chart_put_tips(axl__str *out, const axl__chart *c, const axis *x)
{
    int bands = x->hi < TIPS ? (int)x->hi : TIPS;

    for (int i = 0; i < bands; i++) {
        double from = x->hi * i / bands, to = x->hi * (i + 1) / bands;
        size_t mark = out->len;
        int left = chart_x_of(x, from), right = chart_x_of(x, to);
        axl__str_putf(out, "<rect x=\"%d\" width=\"%d\" height=\"%d\"><title>", left, right - left,
                      HEIGHT);
        size_t begun = out->len;
        chart_put_tip(out, c, i == 0 ? -1.0 : from, to);
        if (out->len == begun && out->data)
            out->data[out->len = mark] = '\0';
        else
            axl__str_puts(out, "</title></rect>");
    }
}

/* ---- the figure ---- */

static double chart_last_number(const axl__chart_series *s)
{
    for (size_t i = s->n; i-- > 0;)
        if (isfinite(s->y[i]))
            return s->y[i];
    return NAN;
}

/* The title, and each series with its colour and last value. */
static void chart_put_caption(axl__str *out, const axl__chart *c, const axis *y)
{
    axl__str_puts(out, "<figcaption><b>");
    chart_put_text(out, c->title);
    axl__str_puts(out, "</b>");
    if (c->unit) {
        axl__str_puts(out, " <small>");
        chart_put_text(out, c->unit);
        axl__str_puts(out, "</small>");
    }
    if (y->log)
        axl__str_puts(out, " <small>log scale</small>");
    axl__str_puts(out, "<span class=\"keys\">");
    for (size_t i = 0; i < c->n_series; i++) {
        if (c->series[i].n == 0)
            continue;
        axl__str_putf(out, "<span><i class=\"s%zu\"></i>", i + 1);
        chart_put_text(out, c->series[i].name);
        axl__str_puts(out, " <b>");
        axl__html_put_number(out, chart_last_number(&c->series[i]), 4);
        axl__str_puts(out, "</b></span>");
    }
    axl__str_puts(out, "</span></figcaption>");
}

void axl__chart_put(axl__str *out, const axl__chart *c)
{
    axis x = chart_x_axis(c), y = chart_y_axis(c);
    size_t points = 0;

    for (size_t i = 0; i < c->n_series; i++)
        points += c->series[i].n;
    if (points == 0)
        return;
    axl__str_puts(out, "<figure>");
    chart_put_caption(out, c, &y);
    axl__str_puts(out, "<div class=\"plot\" role=\"img\" aria-label=\"");
    chart_put_text(out, c->title);
    axl__str_puts(out, " over the steps\">");
    axl__str_putf(out, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\">", WIDTH, HEIGHT);
    chart_put_grid(out, &y);
    for (size_t i = 0; i < c->n_series; i++)
        if (c->series[i].n > 0)
            chart_put_series(out, &c->series[i], i, &x, &y);
    chart_put_tips(out, c, &x);
    axl__str_puts(out, "</svg>");
    chart_put_labels(out, &x, &y);
    axl__str_puts(out, "</div></figure>\n");
}
