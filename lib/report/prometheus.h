/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus.h - a run's numbers in Prometheus' text format, for the textfile collector of its node
 * exporter. */
#ifndef AXL_REPORT_PROMETHEUS_H
#define AXL_REPORT_PROMETHEUS_H

#include "base/str.h"

#include <axl/run.h>

/* `now` is the newest record of any event, `step` and `evaluation` the newest of theirs (blank
 * before the first).  Each series is labelled with the output_dir, so that several runs of a
 * machine stay apart. */
void axl__prometheus_put(axl__str *out, const char *output_dir, const axl_run_record *now,
                         const axl_run_record *step, const axl_run_record *evaluation,
                         double wall_time);

#endif
