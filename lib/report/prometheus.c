/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus.c - see prometheus.h.  A number that does not exist yet has no series. */
#include "prometheus.h"

#include <math.h>

typedef struct {
    const char *name, *type, *help;
    double value;
} metric;

static void prometheus_put_label(axl__str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            axl__str_puts(out, "\\n");
        } else {
            if (*text == '"' || *text == '\\')
                axl__str_putc(out, '\\');
            axl__str_putc(out, *text);
        }
    }
}

static void prometheus_put_metric(axl__str *out, const metric *m, const char *output_dir)
{
    if (!isfinite(m->value))
        return;
    axl__str_putf(out, "# HELP %s %s\n# TYPE %s %s\n%s{output_dir=\"", m->name, m->help, m->name,
                  m->type, m->name);
    prometheus_put_label(out, output_dir);
    axl__str_puts(out, "\"} ");
    axl__str_put_double(out, m->value);
    axl__str_putc(out, '\n');
}

void axl__prometheus_put(axl__str *out, const char *output_dir, const axl_run_record *now,
                         const axl_run_record *step, const axl_run_record *evaluation,
                         double wall_time)
{
    const metric metrics[] = {
        { "axl_step", "gauge", "Optimizer steps done.", (double)now->step },
        { "axl_planned_steps", "gauge", "Optimizer steps of the whole run.",
          (double)now->total_steps },
        { "axl_epoch", "gauge", "Epochs done, with their fraction.", now->epoch },
        { "axl_tokens_total", "counter", "Input tokens trained on.", (double)now->n_tokens },
        { "axl_trained_tokens_total", "counter", "Input tokens whose prediction was trained.",
          (double)now->n_trained },
        { "axl_skipped_steps_total", "counter", "Steps whose loss or gradient was not finite.",
          (double)now->n_skipped },
        { "axl_seconds_total", "counter", "Time that the run has taken.", now->seconds },
        { "axl_eta_seconds", "gauge", "Time until the last step.", now->eta_seconds },
        { "axl_loss", "gauge", "Training loss, a mean over tokens.", step->loss },
        { "axl_grad_norm", "gauge", "Norm of the gradient before clipping.", step->grad_norm },
        { "axl_learning_rate", "gauge", "Learning rate of the step.", step->learning_rate },
        { "axl_tokens_per_second", "gauge", "Input tokens a second.", step->tokens_per_second },
        { "axl_eval_loss", "gauge", "Validation loss, a mean over tokens.", evaluation->eval_loss },
        { "axl_eval_perplexity", "gauge", "Its exponential.", evaluation->eval_perplexity },
        { "axl_peak_memory_bytes", "gauge", "Largest resident set of the process.",
          now->peak_rss_bytes ? (double)now->peak_rss_bytes : NAN },
        { "axl_finished", "gauge", "1 once the result is written.", now->event == AXL_RUN_END },
        { "axl_last_record_timestamp_seconds", "gauge", "When this file was written.", wall_time },
    };

    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        prometheus_put_metric(out, &metrics[i], output_dir);
}
