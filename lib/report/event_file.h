/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_file.h - what TensorBoard reads: a file of framed Event messages, of which axl writes the
 * version, a session's start, numbers and texts.  Each function appends one frame to a byte string;
 * the caller appends that to the file in one write.
 */
#ifndef AXL_REPORT_EVENT_FILE_H
#define AXL_REPORT_EVENT_FILE_H

#include "base/str.h"

typedef struct {
    const char *tag; /* "train/loss" */
    double value;    /* kept as f32 */
} axl__event_scalar;

/* `when` is in seconds since 1970. */
void axl__event_put_version(axl__str *out, double when); /* a file's first */
/* Makes readers forget what earlier files of the folder have from `step` on. */
void axl__event_put_start(axl__str *out, double when, uint64_t step);
void axl__event_put_scalars(axl__str *out, double when, uint64_t step,
                            const axl__event_scalar *scalars, size_t n);
/* Markdown for the text tab, at step 0. */
void axl__event_put_text(axl__str *out, double when, const char *tag, const char *text, size_t len);

/* Names a file that does not exist yet, in a folder that is made: "events.out.tfevents.TIME.HOST.
 * PROCESS.n" in output_dir/runs/DATE_HOST, or with `resume` in the folder of the newest file
 * there.  AXL_ERR_INVALID where links lead out of output_dir. */
axl_status axl__event_file_path(char **out, axl_context *ctx, const char *output_dir, bool resume,
                                int64_t now);

#endif
