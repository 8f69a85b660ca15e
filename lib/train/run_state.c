/* SPDX-License-Identifier: Apache-2.0 */
/* run_state.c - see run_state.h. */
#include "run_state.h"

#include <stdio.h>

void axl__run_state_init(axl__run_state *s)
{
    *s = (axl__run_state){ .evaluated_step = UINT64_MAX };
}

/* What has not been is left out, not written as a number that would have to mean it.
 * checkpoint_state.c has the same names, and checks them. */
void axl__run_state_put(axl__jw *j, const axl__run_state *s)
{
    axl__jw_int(j, "serial", (int64_t)s->serial);
    axl__jw_double(j, "loss_sum", s->loss_sum);
    axl__jw_int(j, "loss_tokens", (int64_t)s->loss_tokens);
    axl__jw_double(j, "seconds", s->seconds);
    axl__jw_int(j, "tokens", (int64_t)s->n_tokens);
    axl__jw_int(j, "trained_tokens", (int64_t)s->n_trained);
    if (s->evaluated_step != UINT64_MAX)
        axl__jw_int(j, "evaluated_step", (int64_t)s->evaluated_step);
    if (s->has_best) {
        axl__jw_double(j, "best_metric", s->best);
        axl__jw_int(j, "best_step", (int64_t)s->best_step);
    }
    axl__jw_int(j, "worse_evaluations", (int64_t)s->n_worse);
    axl__jw_int(j, "high_losses", (int64_t)s->n_high);
    axl__jw_int(j, "skipped_steps", (int64_t)s->n_skipped);
    if (s->day.year > 0) {
        char day[40];
        snprintf(day, sizeof day, "%04d-%02d-%02d", s->day.year, s->day.month, s->day.day);
        axl__jw_string(j, "date", day);
    }
}

static uint64_t run_state_count(const axl__json *object, const char *key, uint64_t otherwise)
{
    return (uint64_t)axl__json_int(object, key, (int64_t)otherwise);
}

axl__date axl__run_state_day(const axl__json *object)
{
    axl__date day = { 0 };

    (void)axl__date_read(axl__json_string(object, "date", ""), &day);
    return day;
}

void axl__run_state_read(axl__run_state *s, const axl__json *object)
{
    s->serial = run_state_count(object, "serial", 0);
    s->loss_sum = axl__json_double(object, "loss_sum", 0.0);
    s->loss_tokens = run_state_count(object, "loss_tokens", 0);
    s->seconds = axl__json_double(object, "seconds", 0.0);
    s->n_tokens = run_state_count(object, "tokens", 0);
    s->n_trained = run_state_count(object, "trained_tokens", 0);
    s->evaluated_step = run_state_count(object, "evaluated_step", UINT64_MAX);
    s->has_best = axl__json_get(object, "best_metric") != NULL;
    s->best = axl__json_double(object, "best_metric", 0.0);
    s->best_step = run_state_count(object, "best_step", 0);
    s->n_worse = run_state_count(object, "worse_evaluations", 0);
    s->n_high = run_state_count(object, "high_losses", 0);
    s->n_skipped = run_state_count(object, "skipped_steps", 0);
    s->day = axl__run_state_day(object);
}
