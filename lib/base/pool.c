/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - one loop at a time; threads take its tasks from one word that also says which loop they
 * are of.  Which thread runs a task never matters to the result, so a loop that finds the pool
 * taken simply runs in its caller.  A loop is over when its tasks are done: a worker that took
 * none, as one whose processor another process has, is not waited for.
 *
 * Shaped for the training step: thousands of loops of 10 us to 100 ms each, so workers spin for a
 * tenth of a millisecond before they sleep.  They are started by the first loop.
 */
#define _POSIX_C_SOURCE 200809L
#include "pool.h"

#include "os_machine.h"
#include "os_time.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__x86_64__)
#define cpu_pause() __builtin_ia32_pause()
#else
#define cpu_pause() atomic_signal_fence(memory_order_seq_cst)
#endif

/* How long to spin, looked at every so many rounds: a pause takes ten times as long on some
 * processors as on others, and under valgrind it gives the processor away. */
#define SPIN_SECONDS 1e-4
enum { SPIN_ROUNDS = 32 };

typedef struct spin {
    uint32_t rounds;
    double until;
} spin;

/* Waits a moment; false now and then when it has lasted for long. */
static bool spin_on(spin *s)
{
    cpu_pause();
    if (++s->rounds % SPIN_ROUNDS != 0)
        return true;
    double now = axl__now();
    if (s->rounds == SPIN_ROUNDS)
        s->until = now + SPIN_SECONDS;
    return now < s->until;
}

struct axl__pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t *threads; /* (n_wanted), n_workers of them started */
    uint32_t n_wanted, n_workers;
    bool started; /* it was tried; only the loop that has the pool looks */

    atomic_flag taken; /* a loop is being run */
    /* The loop's number << 32 | its tasks that nobody has taken.  A task is taken by counting this
     * down, which fails where the loop is another one by then. */
    atomic_uint_fast64_t open;
    atomic_uint_fast64_t undone; /* tasks of the loop that are not done */
    atomic_uint sleeping;
    atomic_bool stop;

    /* Of the loop; they stand while a task of it is undone. */
    uint64_t count;
    axl_task_fn fn;
    void *arg;
};

enum { LOOP_SHIFT = 32 };
#define OPEN_TASKS(word) ((uint64_t)(word)&UINT32_MAX)

/* Of the calling thread: it runs a task, so that a loop which the task begins is run by it
 * alone. */
static _Thread_local bool in_loop;

/* Having counted a task down, a thread owns it, and count, fn and arg stand still until it counts
 * undone down; a loop that is over cannot be taken from, because its number is no longer the
 * word's. */
static void take_tasks(axl__pool *p)
{
    uint64_t word = atomic_load_explicit(&p->open, memory_order_acquire);

    in_loop = true;
    while (OPEN_TASKS(word) > 0) {
        if (!atomic_compare_exchange_weak_explicit(&p->open, &word, word - 1, memory_order_acquire,
                                                   memory_order_acquire))
            continue;
        p->fn(p->arg, p->count - OPEN_TASKS(word));
        atomic_fetch_sub_explicit(&p->undone, 1, memory_order_release);
        word = atomic_load_explicit(&p->open, memory_order_acquire);
    }
    in_loop = false;
}

static bool has_tasks(axl__pool *p)
{
    return OPEN_TASKS(atomic_load(&p->open)) > 0;
}

/* False when the pool ends. */
static bool wait_for_tasks(axl__pool *p)
{
    spin s = { 0 };

    do {
        if (OPEN_TASKS(atomic_load_explicit(&p->open, memory_order_relaxed)) > 0)
            return true;
        if (atomic_load_explicit(&p->stop, memory_order_relaxed))
            return false;
    } while (spin_on(&s));
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (!has_tasks(p) && !atomic_load(&p->stop))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
    return !atomic_load(&p->stop);
}

static void *worker_main(void *pool)
{
    while (wait_for_tasks(pool))
        take_tasks(pool);
    return NULL;
}

axl__pool *axl__pool_new(uint32_t n_threads)
{
    axl__pool *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->n_wanted = n_threads > 0 ? n_threads - 1 : 0;
    p->threads = calloc(n_threads, sizeof *p->threads);
    if (!p->threads) {
        free(p);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    atomic_flag_clear(&p->taken);
    return p;
}

/* As many as the system gives; what is missing is done by the others. */
static void start_workers(axl__pool *p)
{
    sigset_t all, old;

    p->started = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* inherited by the workers */
    while (p->n_workers < p->n_wanted &&
           pthread_create(&p->threads[p->n_workers], NULL, worker_main, p) == 0)
        p->n_workers++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void axl__pool_free(axl__pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (uint32_t i = 0; i < p->n_workers; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}

void axl__pool_forget(axl__pool *p)
{
    if (p)
        free(p->threads);
    free(p);
}

static void run_here(uint64_t count, axl_task_fn fn, void *arg)
{
    for (uint64_t i = 0; i < count; i++)
        fn(arg, i);
}

/* The store of the word is what publishes the loop, and comes last.  A worker that is about to
 * sleep counts itself as sleeping before it looks at the word once more, so that it sees the tasks
 * or is seen here. */
static void open_loop(axl__pool *p, uint64_t count, bool wake, axl_task_fn fn, void *arg)
{
    uint64_t number = (atomic_load_explicit(&p->open, memory_order_relaxed) >> LOOP_SHIFT) + 1;

    p->count = count;
    p->fn = fn;
    p->arg = arg;
    atomic_store_explicit(&p->undone, count, memory_order_relaxed);
    atomic_store(&p->open, number << LOOP_SHIFT | count);
    if (wake && atomic_load(&p->sleeping) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
}

static void run_shared(axl__pool *p, uint64_t count, bool wake, axl_task_fn fn, void *arg)
{
    spin s = { 0 };

    open_loop(p, count, wake, fn, arg);
    take_tasks(p);
    while (atomic_load_explicit(&p->undone, memory_order_acquire) != 0)
        if (!spin_on(&s))
            axl__os_yield();
}

/* Whether a worker spins, or will when it has its processor back. */
static bool has_company(axl__pool *p)
{
    return p->started && atomic_load_explicit(&p->sleeping, memory_order_relaxed) < p->n_workers;
}

/* taken is never waited for: whoever finds it set runs the loop alone. */
void axl__pool_run(axl__pool *p, uint64_t count, bool wake, axl_task_fn fn, void *arg)
{
    if (count <= 1 || count > UINT32_MAX || in_loop || !p || p->n_wanted == 0 ||
        atomic_flag_test_and_set(&p->taken)) {
        run_here(count, fn, arg);
        return;
    }
    if (wake && !p->started)
        start_workers(p);
    if (wake || has_company(p))
        run_shared(p, count, wake, fn, arg);
    else
        run_here(count, fn, arg);
    atomic_flag_clear(&p->taken);
}
