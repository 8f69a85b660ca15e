/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_schedule.c - every schedule against the rates that Axolotl's own trainer gives each step
 * (tests/golden/make_schedules.py), from the config's keys on.
 */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"
#include "optim/schedule.h"

#include <math.h>

typedef struct {
    axl_context *ctx;
    axl__file file;
    axl__arena arena;
    axl__json *root;
} golden;

static void golden_open(golden *g)
{
    const char *path = test_source_path("tests/golden/schedules.json");

    g->ctx = test_context();
    axl__arena_init(&g->arena, g->ctx);
    assert_ok(axl__file_open(&g->file, g->ctx, path, true));
    assert_ok(axl__json_parse(&g->root, &g->arena, (const char *)g->file.data, g->file.size, path));
}

static void golden_close(golden *g)
{
    axl__arena_free(&g->arena);
    axl__file_close(&g->file);
    axl_context_free(g->ctx);
}

/* The keys of a case, which are YAML, with what every config must have and an evaluation. */
static axl_config *config_of(golden *g, const axl__json *keys)
{
    axl__str s;
    axl_config *cfg;

    axl__str_init(&s, g->ctx);
    axl__str_puts(&s, "base_model: x\nadapter: lora\nlora_r: 4\nlora_alpha: 8\n"
                      "lora_target_linear: true\ndatasets: [{path: d, type: alpaca}]\n"
                      "val_set_size: 0.1\nmicro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                      "learning_rate: 0.0002\n");
    for (const axl__json *k = keys->child; k; k = k->next) {
        axl__str_put(&s, k->key, k->key_len);
        axl__str_puts(&s, ": ");
        axl__json_write(&s, k, 0);
        axl__str_puts(&s, "\n");
    }
    assert_ok(axl__str_status(&s));
    assert_ok(axl_config_parse(&cfg, g->ctx, s.data, s.len, "case.yml", NULL));
    axl__str_free(&s);
    return cfg;
}

static void check_case(golden *g, const axl__json *c)
{
    const char *name = axl__json_string(c, "name", "");
    const axl__json *rates = axl__json_get(c, "rates"), *betas = axl__json_get(c, "beta1");
    const axl__json *metric = axl__json_get(g->root, "metrics")->child;
    axl_config *cfg = config_of(g, axl__json_get(c, "keys"));
    axl_schedule_options s = AXL_SCHEDULE_OPTIONS_INIT;
    axl__plateau plateau;
    uint64_t step = 0;

    axl__plateau_init(&plateau);
    assert_ok(axl_schedule_from_config(&s, cfg, (uint64_t)axl__json_int(c, "steps", 0)));
    const axl__json *beta = betas ? betas->child : NULL;
    for (const axl__json *r = rates->child; r; r = r->next, step++) {
        double mine = plateau.share * axl__schedule_share(&s, step);
        if (!(fabs(mine - r->number) < 1e-12))
            fail_msg("%s: step %d trains with %.17g of the peak, not %.17g", name, (int)step, mine,
                     r->number);
        if (!(fabs(axl__schedule_beta1(&s, step, 0.9) - (beta ? beta->number : 0.9)) < 1e-12))
            fail_msg("%s: beta1 of step %d is %.17g", name, (int)step,
                     axl__schedule_beta1(&s, step, 0.9));
        beta = beta ? beta->next : NULL;
        if (s.kind == AXL_SCHEDULE_REDUCE_ON_PLATEAU) {
            axl__plateau_take(&plateau, &s, metric->number);
            metric = metric->next;
        }
    }
    assert_int_equal(step, axl__json_int(c, "steps", 0));
    axl_config_free(cfg);
}

static void test_schedule__agrees_with_axolotl_at_every_step(void **state)
{
    golden g;
    int cases = 0;

    (void)state;
    golden_open(&g);
    for (const axl__json *c = axl__json_get(g.root, "cases")->child; c; c = c->next, cases++)
        check_case(&g, c);
    assert_true(cases > 40);
    golden_close(&g);
}

static void test_schedule__refuses_what_makes_no_sense(void **state)
{
    axl_schedule_options s = AXL_SCHEDULE_OPTIONS_INIT;
    double share = -1.0;

    (void)state;
    assert_ok(axl_schedule_share(NULL, 7, &share));
    assert_true(share == 1.0);
    assert_fails(axl_schedule_share(&s, 0, NULL), AXL_ERR_INVALID, "share");
    s.kind = AXL_SCHEDULE_REDUCE_ON_PLATEAU + 1;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_INVALID, "unknown schedule 11");
    s.kind = AXL_SCHEDULE_LINEAR;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_INVALID, "needs total_steps");
    s.total_steps = 4;
    s.min_ratio = 1.5;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_INVALID,
                 "min_ratio must be in [0, 1], got 1.5");
    s.min_ratio = 0.0;
    s.kind = AXL_SCHEDULE_ONE_CYCLE;
    s.warmup_steps = 5;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_INVALID,
                 "5 warm-up steps are more than the run's 4");
    s.kind = AXL_SCHEDULE_REDUCE_ON_PLATEAU;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_UNSUPPORTED, "follows from metrics");
    s.factor = 1.0;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_INVALID, "factor must be in (0, 1)");
    s.size = 4;
    assert_fails(axl_schedule_share(&s, 0, &share), AXL_ERR_ABI, "size 4");
}

/* Past the end of a run a share stays where it is; a metric that is no number is no better one. */
static void test_schedule__stands_what_comes_late_or_broken(void **state)
{
    axl_schedule_options s = AXL_SCHEDULE_OPTIONS_INIT;
    axl__plateau p;

    (void)state;
    s.total_steps = 10;
    s.warmup_steps = 2;
    s.decay_steps = 3;
    for (uint32_t kind = 0; kind <= AXL_SCHEDULE_ONE_CYCLE; kind++)
        for (uint64_t step = 0; step < 100; step++) {
            double share;
            s.kind = kind;
            assert_ok(axl_schedule_share(&s, step, &share));
            assert_true(share >= 0.0 && share <= 1.0);
        }
    axl__plateau_init(&p);
    s.patience = 1;
    axl__plateau_take(&p, &s, NAN);
    axl__plateau_take(&p, &s, INFINITY);
    assert_true(!p.has_best && p.share == 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule__agrees_with_axolotl_at_every_step),
        cmocka_unit_test(test_schedule__refuses_what_makes_no_sense),
        cmocka_unit_test(test_schedule__stands_what_comes_late_or_broken),
    };

    return test_run(tests);
}
