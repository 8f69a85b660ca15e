/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_bench.c - what two threads cost where there is too little for them: a training step of a few
 * tokens of a small model, on one thread and on two, alone and beside a process that keeps one
 * processor busy.
 *
 *   pool_bench [MODEL_DIR [TOKENS]]       default: examples/tiny-llama, 32
 *
 * Prints a JSON object with the median milliseconds of 20 steps each, taken in turns.
 */
#define _POSIX_C_SOURCE 200809L
#include <axl/axl.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20, WARM_UP = 3, TOKENS_MAX = 4096 };

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    double ms[ROUNDS];
} side;

static void check(axl_status status, const char *what)
{
    if (status < 0) {
        fprintf(stderr, "pool_bench: %s: %s\n", what, axl_last_error());
        exit(1);
    }
}

static void side_open(side *s, const char *dir, uint32_t threads)
{
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;

    co.threads = threads;
    check(axl_context_new(&s->ctx, &co), "context");
    check(axl_model_open(&s->model, s->ctx, dir, NULL), "model");
    check(axl_adapter_new(&s->adapter, s->model, NULL), "adapter");
    check(axl_trainer_new(&s->tr, s->model, s->adapter, NULL), "trainer");
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double step_ms(side *s, const axl_batch *b)
{
    double begin = now_ms();

    check(axl_trainer_forward_backward(s->tr, b, NULL), "forward_backward");
    check(axl_trainer_step(s->tr, NULL), "step");
    return now_ms() - begin;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return (v[ROUNDS / 2 - 1] + v[ROUNDS / 2]) / 2.0;
}

static void compare(side *one, side *two, const axl_batch *b, const char *name)
{
    for (int i = -WARM_UP; i < ROUNDS; i++) {
        double a = step_ms(one, b), c = step_ms(two, b);
        if (i >= 0) {
            one->ms[i] = a;
            two->ms[i] = c;
        }
    }
    double a = median(one->ms), c = median(two->ms);
    printf("\"%s\": {\"one_thread_ms\": %.3f, \"two_threads_ms\": %.3f, \"ratio\": %.3f}", name, a,
           c, c / a);
}

static pid_t start_neighbour(void)
{
    pid_t child = fork();

    if (child == 0)
        for (volatile unsigned i = 0;; i++)
            ;
    return child;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "examples/tiny-llama";
    static int32_t ids[TOKENS_MAX];
    int32_t n = argc > 2 ? (int32_t)strtol(argv[2], NULL, 10) : 32, cu[2] = { 0, n };
    axl_batch b = AXL_BATCH_INIT;
    side one = { 0 }, two = { 0 };

    if (n < 2 || n > TOKENS_MAX)
        return 2;
    for (int32_t i = 0; i < n; i++)
        ids[i] = 3 + i * 7 % 400;
    b.input_ids = b.labels = ids;
    b.cu_seqlens = cu;
    b.n_tokens = (uint32_t)n;
    b.n_seqs = 1;
    side_open(&one, dir, 1);
    side_open(&two, dir, 2);
    printf("{\"model\": \"%s\", \"tokens\": %d, ", dir, n);
    compare(&one, &two, &b, "alone");
    pid_t neighbour = start_neighbour();
    printf(", ");
    compare(&one, &two, &b, "beside_a_busy_process");
    printf("}\n");
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
    for (int i = 0; i < 2; i++) {
        side *s = i ? &two : &one;
        axl_trainer_free(s->tr);
        axl_adapter_free(s->adapter);
        axl_model_free(s->model);
        axl_context_free(s->ctx);
    }
    return 0;
}
