/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chart.h - a line chart as HTML with inline SVG.  Labels are text of the page beside a drawing
 * that is stretched, so that type and line widths are the same on a wide screen and a narrow one;
 * what a place of the chart says comes as its tooltip, without a script.
 */
#ifndef AXL_REPORT_CHART_H
#define AXL_REPORT_CHART_H

#include "base/str.h"

typedef struct axl__chart_series {
    const char *name;
    const double *x, *y; /* (n), x ascending; a y that is no number leaves a gap */
    size_t n;
    bool smooth; /* many points: faint, with their moving average over them */
    bool dots;
} axl__chart_series;

enum { AXL__CHART_SERIES_MAX = 2 };

typedef struct axl__chart {
    const char *title, *unit; /* unit may be NULL */
    axl__chart_series series[AXL__CHART_SERIES_MAX];
    size_t n_series;
    double x_max;    /* the axis ends here, or at the last point */
    bool from_zero;  /* the y axis starts at 0 */
    bool may_be_log; /* logarithmic where the values span two decades and more */
} axl__chart;

/* A <figure>; nothing where no series has a point. */
void axl__chart_put(axl__str *out, const axl__chart *chart);

/* Text with &, <, > and quotes escaped. */
void axl__html_put(axl__str *out, const char *text, size_t len);
/* For people: at most `digits` digits, thousands apart from 10,000 on. */
void axl__html_put_number(axl__str *out, double value, int digits);

#endif
