/* SPDX-License-Identifier: Apache-2.0 */
/* Where the training data end: bounds of a fit, and what is beyond them. */
#include "models/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/table_sample.h"
#include "trainer/bounds.h"
#include "trainer/train.h"

enum { ROWS = 1500 };

static void each_measure_alone_puts_a_request_outside(void **state)
{
    static const struct domain d = {true, .5f, -1, 3};
    struct prediction p = {.n_tasks = 1, .unseen = .5f, .top = -1, .far = 3};

    (void)state;
    assert_false(domain_outside(&d, &p));
    p.unseen = .51f;
    assert_true(domain_outside(&d, &p));
    assert_false(domain_outside(&(struct domain){.known = false}, &p));
    p.unseen = .5f;
    p.top = -1.1f;
    assert_true(domain_outside(&d, &p));
    p.n_tasks = 0; /* no task's head has an opinion */
    assert_false(domain_outside(&d, &p));
    p.far = 3.1f;
    assert_true(domain_outside(&d, &p));
}

static double share(const struct fitted *f, const struct domain *d,
                    const struct table *t)
{
    size_t n = 0;

    for (uint32_t i = 0; i < t->n; i++) {
        struct prediction p;
        fit_predict(f, t, i, &p);
        n += domain_outside(d, &p);
    }
    return (double)n / (double)t->n;
}

static void few_new_rows_of_the_same_traffic_are_outside(void **state)
{
    struct table *t = sample_table(ROWS, 3, NULL);
    struct table *same = sample_table(ROWS, 4, NULL);
    struct table *other = sample_table(ROWS, 4, NULL);
    struct fit_options o = {.seed = 1, .threads = 2};
    uint32_t *rows = sample_rows(ROWS);
    struct err e = {0};
    struct fitted *f = fit_train(t, rows, ROWS, &o, &e);
    struct domain d;

    (void)state;
    assert_non_null(f);
    assert_true(bounds_find(f, &d, &e));
    assert_true(d.known);
    for (size_t i = 0; i < other->start[ROWS]; i++)
        other->terms[i].index ^= 0x155555;
    assert_true(share(f, &d, same) <= .03);
    assert_true(share(f, &d, other) >= .9);
    fit_free(f);
    f = fit_train(t, rows, DOMAIN_LEAST - 1, &o, &e);
    assert_true(f && bounds_find(f, &d, &e));
    assert_false(d.known); /* too few rows to tell */
    fit_free(f);
    free(rows);
    table_free(t);
    table_free(same);
    table_free(other);
}

/* Levels are found for the policy that is served. */
static void a_promise_counts_abstentions_as_the_references(void **state)
{
    enum { N = 2000, ARMS = 2 };
    static float quality[N * ARMS], score[N * ARMS];
    static double cost[N * ARMS], spent[N * ARMS];
    static uint64_t group[N];
    static uint8_t outside[N];
    struct guarantee_rows r = {N,     ARMS,    quality, cost, score, spent,
                               group, outside, NULL,    NULL, NULL,  0};
    struct guarantee_ask ask = {3, 1, .95, .95, 1};
    struct guarantee_level level;
    struct err e;

    (void)state;
    /* The cheap arm is right but for the rows outside, of which nothing
     * speaks in the predictions. */
    for (size_t i = 0; i < N; i++) {
        group[i] = i;
        outside[i] = i % 10 == 0;
        quality[i * ARMS] = .9f;
        quality[i * ARMS + 1] = .91f;
        score[i * ARMS] = outside[i] ? 0 : 1;
        score[i * ARMS + 1] = 1;
        cost[i * ARMS] = spent[i * ARMS] = .001;
        cost[i * ARMS + 1] = spent[i * ARMS + 1] = .1;
    }
    assert_true(guarantee_find(&r, &ask, &level, &e));
    assert_true(level.valid && level.share[0] > .89 && level.share[0] < .91);
    assert_true(level.measured > .999);
    r.outside = NULL;
    assert_true(guarantee_find(&r, &ask, &level, &e));
    assert_true(level.share[0] < .01);
}

static void the_card_says_the_bounds(void **state)
{
    const struct train_options how = {
        .quality = .8, .confidence = .9, .seed = 1, .threads = 2};
    struct table *t = sample_table(ROWS, 3, NULL);
    struct training r;
    struct err e = {0};

    (void)state;
    if (!train_run(&r, t, &how, &e))
        fail_msg("%s", e.msg);
    assert_true(r.domain.known);
    assert_true(r.domain.unseen >= 0 && r.domain.unseen <= 1);
    training_free(&r);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_measure_alone_puts_a_request_outside),
        cmocka_unit_test(few_new_rows_of_the_same_traffic_are_outside),
        cmocka_unit_test(a_promise_counts_abstentions_as_the_references),
        cmocka_unit_test(the_card_says_the_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
