/* SPDX-License-Identifier: Apache-2.0 */
/* verb_train.c - the whole run; records become lines, a signal becomes a checkpoint. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <math.h>
#include <unistd.h>

static int on_record(void *user, const axl_run_record *r)
{
    tool *t = user;

    if (t->level < AXL_LOG_INFO)
        return 0;
    tool_end_progress(t);
    if (!isnan(r->eval_loss))
        fprintf(stderr, "step %llu/%llu  epoch %.2f  eval_loss %.4f  perplexity %.3f\n",
                (unsigned long long)r->step, (unsigned long long)r->total_steps, r->epoch,
                r->eval_loss, r->eval_perplexity);
    else
        fprintf(stderr,
                "step %llu/%llu  epoch %.2f  loss %.4f  grad_norm %.3f  lr %.3e  %.0f tokens/s%s",
                (unsigned long long)r->step, (unsigned long long)r->total_steps, r->epoch, r->loss,
                r->grad_norm, r->learning_rate, r->tokens_per_second,
                isatty(STDERR_FILENO) && r->step < r->total_steps ? "" : "\n");
    t->progress_line = isnan(r->eval_loss) && isatty(STDERR_FILENO) && r->step < r->total_steps;
    return 0;
}

int verb_train(tool *t, int argc, char **argv)
{
    bool resume = false, sweep = false;
    const char *from = NULL, *grid = NULL;
    const tool_option options[] = { { "resume", OPTION_MAYBE, &resume, &from },
                                    { "sweep", OPTION_VALUE, &sweep, &grid },
                                    { NULL, OPTION_FLAG, NULL, NULL } };
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_config *cfg;
    axl_run *run;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (sweep)
        return tool_fail(t, "--sweep is not supported yet");
    code = tool_at_most(t, 1);
    if (code == EXIT_DONE)
        code = tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    o.record = on_record;
    o.record_user = t;
    o.resume = from ? from : resume ? "auto" : NULL;
    axl_status status = axl_run_new(&run, cfg, &o);
    if (status < 0) {
        tool_end_progress(t);
        code = tool_status(t, status);
    } else {
        status = axl_run_train(run);
        tool_end_progress(t);
        code = tool_status(t, status);
        if (status == AXL_ERR_IO) /* the disk's fault by now, not the config's */
            code = EXIT_OTHER;
        if (code == EXIT_DONE)
            printf("%s\n", axl_run_output_dir(run));
        axl_run_free(run);
    }
    axl_config_free(cfg);
    return code;
}
