/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_job.c - jobs on one model: one is cancelled while another goes on, each report says whose
 * it is, and the context's flag stops all.
 */
#include "tiny_model.h"

#include <pthread.h>
#include <stdatomic.h>

static const uint32_t lengths[] = { 5, 9, 3 };
enum { N_SEQS = 3, STEPS = 3 };

static axl_job *job_of(axl_context *ctx, axl_progress_fn progress, void *user)
{
    axl_job_options o = AXL_JOB_OPTIONS_INIT;
    axl_job *job;

    o.progress = progress;
    o.progress_user = user;
    assert_ok(axl_job_new(&job, ctx, &o));
    return job;
}

/* ---- two trainings on one model ---- */

typedef struct {
    axl_model *model;
    axl_job *job, *victim; /* victim: cancelled by this one's first report; may be NULL */
    axl_status status;     /* of the call that failed, AXL_OK: none did */
    atomic_int reports, foreign;
} training;

static int on_report(void *user, const axl_progress *p)
{
    training *t = user;

    atomic_fetch_add(&t->reports, 1);
    if (p->job != t->job)
        atomic_fetch_add(&t->foreign, 1);
    if (t->victim)
        axl_job_cancel(t->victim);
    return 0;
}

/* STEPS steps of an adapter of its own, on a thread of its own. */
static void *run_training(void *arg)
{
    training *t = arg;
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    axl_trainer *tr;

    if (axl_job_enter(t->job) != AXL_OK)
        abort();
    axl_adapter *adapter = tiny_adapter(t->model, 0.0);
    if (axl_trainer_new(&tr, t->model, adapter, NULL) != AXL_OK)
        abort();
    t->status = AXL_OK;
    for (int i = 0; i < STEPS && t->status == AXL_OK; i++) {
        t->status = axl_trainer_forward_backward(tr, &d->batch, NULL);
        if (t->status == AXL_OK)
            t->status = axl_trainer_step(tr, NULL);
    }
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_job_leave();
    free(d);
    return NULL;
}

static void test_job__one_is_cancelled_beside_another(void **state)
{
    axl_context *ctx = tiny_context(2);
    training stopped = { .model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32) };
    training other = { .model = stopped.model };
    pthread_t a, b;

    (void)state;
    stopped.job = job_of(ctx, on_report, &stopped);
    stopped.victim = stopped.job;
    other.job = job_of(ctx, on_report, &other);
    assert_int_equal(pthread_create(&a, NULL, run_training, &stopped), 0);
    assert_int_equal(pthread_create(&b, NULL, run_training, &other), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert_int_equal(stopped.status, AXL_ERR_CANCELLED);
    assert_int_equal(other.status, AXL_OK);
    assert_true(stopped.reports > 0 && other.reports > stopped.reports);
    assert_int_equal(stopped.foreign, 0);
    assert_int_equal(other.foreign, 0);

    axl_job_clear(stopped.job); /* and it may run again */
    stopped.victim = NULL;
    run_training(&stopped);
    assert_int_equal(stopped.status, AXL_OK);
    axl_model_free(stopped.model);
    axl_job_free(stopped.job);
    axl_job_free(other.job);
    axl_context_free(ctx);
}

static void test_job__the_contexts_flag_stops_all(void **state)
{
    axl_context *ctx = tiny_context(1);
    training t = { .model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32) };
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    axl_adapter *adapter;
    axl_cancel *cancel;
    axl_trainer *tr = tiny_trainer(t.model, NULL, 0.0, &adapter);

    (void)state;
    t.job = job_of(ctx, NULL, NULL);
    assert_ok(axl_cancel_new(&cancel, ctx));
    assert_ok(axl_job_enter(t.job));
    axl_cancel_raise(cancel);
    assert_int_equal(axl_trainer_forward_backward(tr, &d->batch, NULL), AXL_ERR_CANCELLED);
    axl_cancel_clear(cancel);
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    axl_job_leave();
    axl_cancel_free(cancel);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(t.model);
    axl_job_free(t.job);
    axl_context_free(ctx);
    free(d);
}

/* ---- entering and leaving ---- */

static int on_context_report(void *user, const axl_progress *p)
{
    *(const axl_job **)user = p->job;
    return 0;
}

static void test_job__a_report_of_the_contexts_says_whose_it_is(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    const axl_job *whose = NULL;
    axl_context *ctx;

    (void)state;
    o.threads = 1;
    o.isa = test_isa();
    o.progress = on_context_report;
    o.progress_user = &whose;
    assert_ok(axl_context_new(&ctx, &o));
    axl_job *job = job_of(ctx, NULL, NULL);
    assert_ok(axl_job_enter(job));
    axl_model_free(tiny_model(ctx, "cpu", AXL_COMPUTE_F32));
    assert_ptr_equal(whose, job);
    axl_job_leave();
    axl_model_free(tiny_model(ctx, "cpu", AXL_COMPUTE_F32));
    assert_null(whose);
    axl_job_free(job);
    axl_context_free(ctx);
}

static void test_job__a_thread_is_in_one_at_a_time(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_job *job = job_of(ctx, NULL, NULL);

    (void)state;
    axl_job_leave(); /* of none */
    assert_int_equal(axl_job_enter(NULL), AXL_ERR_INVALID);
    assert_ok(axl_job_enter(job));
    assert_int_equal(axl_job_enter(job), AXL_ERR_BUSY);
    assert_non_null(strstr(axl_last_error(), "in a job"));
    axl_job_cancel(job);
    axl_job_free(job); /* the thread's own reference holds it, and its context */
    axl_context_free(ctx);
    axl_job_leave();
    axl_job_cancel(NULL);
    axl_job_clear(NULL);
    axl_job_free(NULL);
    assert_int_equal(axl_job_new(NULL, NULL, NULL), AXL_ERR_INVALID);
    assert_int_equal(axl_job_new(&job, NULL, NULL), AXL_ERR_INVALID);
    assert_null(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job__one_is_cancelled_beside_another),
        cmocka_unit_test(test_job__the_contexts_flag_stops_all),
        cmocka_unit_test(test_job__a_report_of_the_contexts_says_whose_it_is),
        cmocka_unit_test(test_job__a_thread_is_in_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
