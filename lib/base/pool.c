/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - one loop at a time; threads take indices from a shared counter.  Which thread runs an
 * index never matters to the result, so a loop that finds the pool taken simply runs in its
 * caller.  Shaped for the training step: thousands of loops of 10 µs to 100 ms each, so workers
 * spin for a tenth of a millisecond before they sleep.
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
    pthread_t *threads;
    uint32_t n_workers;

    atomic_flag taken;          /* a loop is being run */
    atomic_uint_fast64_t epoch; /* counts loops; a worker joins each once */
    atomic_uint_fast64_t next;
    atomic_uint busy; /* workers that have not left the current loop */
    atomic_uint sleeping;
    atomic_bool stop;

    uint64_t count;
    axl_task_fn fn;
    void *arg;
};

static _Thread_local bool in_loop;

static void take_tasks(axl__pool *p)
{
    in_loop = true;
    for (;;) {
        uint64_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= p->count)
            break;
        p->fn(p->arg, i);
    }
    in_loop = false;
}

static bool wait_for_loop(axl__pool *p, uint64_t seen)
{
    spin s = { 0 };

    do {
        if (atomic_load_explicit(&p->epoch, memory_order_acquire) != seen)
            return true;
        if (atomic_load_explicit(&p->stop, memory_order_relaxed))
            return false;
    } while (spin_on(&s));
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (atomic_load(&p->epoch) == seen && !atomic_load(&p->stop))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
    return !atomic_load(&p->stop);
}

static void *worker_main(void *pool)
{
    axl__pool *p = pool;
    uint64_t seen = 0;

    while (wait_for_loop(p, seen)) {
        seen++;
        take_tasks(p);
        atomic_fetch_sub_explicit(&p->busy, 1, memory_order_release);
    }
    return NULL;
}

axl__pool *axl__pool_new(uint32_t n_threads)
{
    axl__pool *p = calloc(1, sizeof *p);
    sigset_t all, old;
    bool ok = true;

    if (!p)
        return NULL;
    p->threads = calloc(n_threads, sizeof *p->threads);
    if (!p->threads) {
        free(p);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    atomic_flag_clear(&p->taken);

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* inherited by the workers */
    while (ok && p->n_workers + 1 < n_threads) {
        ok = pthread_create(&p->threads[p->n_workers], NULL, worker_main, p) == 0;
        p->n_workers += ok;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!ok) {
        axl__pool_free(p);
        return NULL;
    }
    return p;
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

void axl__pool_run(axl__pool *p, uint64_t count, axl_task_fn fn, void *arg)
{
    if (count <= 1 || in_loop || !p || p->n_workers == 0 || atomic_flag_test_and_set(&p->taken)) {
        run_here(count, fn, arg);
        return;
    }
    p->count = count;
    p->fn = fn;
    p->arg = arg;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store_explicit(&p->busy, p->n_workers, memory_order_relaxed);
    atomic_fetch_add(&p->epoch, 1);
    if (atomic_load(&p->sleeping) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    spin s = { 0 };
    take_tasks(p);
    while (atomic_load_explicit(&p->busy, memory_order_acquire) != 0)
        if (!spin_on(&s))
            axl__os_yield();
    atomic_flag_clear(&p->taken);
}
