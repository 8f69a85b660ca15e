/* SPDX-License-Identifier: Apache-2.0 */
/* verb_plan.c - what a run will take, before anything large is loaded. */
#include "tool.h"

#include <inttypes.h>

static double gib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0 * 1024.0);
}

static void print_json(const axl_plan *p)
{
    printf("{\"weights_bytes\": %" PRIu64 ", \"activation_bytes\": %" PRIu64
           ", \"optimizer_bytes\": %" PRIu64 ", \"peak_rss_bytes\": %" PRIu64
           ", \"steps\": %" PRIu64 ", \"tokens_per_step\": %" PRIu64 ", \"seconds\": %.1f}\n",
           p->weights_bytes, p->activation_bytes, p->optimizer_bytes, p->peak_rss_bytes, p->steps,
           p->tokens_per_step, p->seconds);
}

static void print_time(double seconds)
{
    uint64_t s = (uint64_t)(seconds + 0.5);

    printf("time         about %" PRIu64 ":%02" PRIu64 ":%02" PRIu64
           " on this machine as it is now\n",
           s / 3600, s / 60 % 60, s % 60);
}

static void print_text(const axl_plan *p)
{
    printf("weights      %8.3f GiB\nactivations  %8.3f GiB\noptimizer    %8.3f GiB\n"
           "peak         %8.3f GiB resident",
           gib(p->weights_bytes), gib(p->activation_bytes), gib(p->optimizer_bytes),
           gib(p->peak_rss_bytes));
    if (p->host_limit_bytes != UINT64_MAX)
        printf("%s %.3f GiB",
               p->peak_rss_bytes > p->host_limit_bytes ? ": does not fit into" : " of",
               gib(p->host_limit_bytes));
    if (p->device_bytes > 0)
        printf("\ndevice       %8.3f GiB", gib(p->device_bytes));
    if (p->device_bytes > 0 && p->device_limit_bytes != UINT64_MAX)
        printf("%s %.3f GiB",
               p->device_bytes > p->device_limit_bytes ? ": does not fit into" : " of",
               gib(p->device_limit_bytes));
    printf("\nsteps        %8" PRIu64 " of %" PRIu64 " tokens\n", p->steps, p->tokens_per_step);
    print_time(p->seconds);
}

int verb_plan(tool *t, int argc, char **argv)
{
    bool json = false;
    const tool_option options[] = {
        { "json", OPTION_FLAG, &json, NULL, NULL,
          "the figures as one JSON object, in bytes and seconds" },
        OPTIONS_END,
    };
    axl_plan plan = AXL_PLAN_INIT;
    axl_config *cfg;
    int code = tool_parse(t, argc, argv, 2, options, true);

    if (code != EXIT_DONE || t->help)
        return code;
    if (t->n_positionals > 1)
        return tool_fail(t, "one config file is needed");
    code = tool_config(t, &cfg);
    if (code != EXIT_DONE)
        return code;
    tool_catch_signals(t);
    axl_status status = axl_run_plan(cfg, &plan);
    tool_end_progress(t);
    code = tool_status(t, status);
    if (code == EXIT_DONE && json)
        print_json(&plan);
    else if (code == EXIT_DONE)
        print_text(&plan);
    axl_config_free(cfg);
    return code;
}
