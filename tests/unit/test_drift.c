/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/drift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum { TASKS = 12 };

/* A request of a traffic of which `share` is of the last task, hard and
 * long; the rest is spread over the others. */
static void draw(struct rng *rng, double share, struct prediction *p,
                 double *tokens)
{
    bool other = rng_below(rng, 1000) < share * 1000;
    uint32_t task = other ? TASKS - 1 : (uint32_t)rng_below(rng, TASKS - 1);

    memset(p, 0, sizeof *p);
    p->n_arms = 2;
    p->n_tasks = TASKS;
    p->task[task] = 1;
    p->quality[0] = (float)rng_below(rng, 500) / 1000 + (other ? 0 : .4f);
    p->quality[1] = p->quality[0];
    p->unseen = (float)rng_below(rng, 300) / 1000;
    *tokens = (other ? 1000 : 50) + (double)rng_below(rng, 50);
}

static void fill(struct mix *m, struct rng *rng, double share, uint32_t n)
{
    struct prediction p;
    double tokens;

    memset(m, 0, sizeof *m);
    for (uint32_t i = 0; i < n; i++) {
        draw(rng, share, &p, &tokens);
        mix_add(m, &p, tokens);
    }
}

static void samples_of_one_traffic_are_near_and_of_another_far(void **state)
{
    struct mix a, b;
    struct rng rng;
    enum mix_kind kind;
    unsigned wrong = 0;

    (void)state;
    rng_seed(&rng, 1);
    for (int i = 0; i < 100; i++) {
        fill(&a, &rng, .02, 500);
        fill(&b, &rng, .02, 500);
        wrong += mix_distance(&a, &b, &kind) > MIX_MOST;
    }
    assert_true(wrong <= 1);
    for (int i = 0; i < 100; i++) {
        fill(&a, &rng, .02, 500);
        fill(&b, &rng, .3, 500);
        assert_true(mix_distance(&a, &b, &kind) > MIX_MOST);
    }
    fill(&b, &rng, .3, MIX_LEAST - 1); /* too few to tell */
    assert_true(mix_distance(&a, &b, &kind) <= 0);
}

/* Requests until the alarm; 0: none. */
static unsigned until_alarm(struct drift *d, struct rng *rng, double share,
                            unsigned most)
{
    struct prediction p;
    double tokens;

    for (unsigned i = 1; i <= most; i++) {
        draw(rng, share, &p, &tokens);
        if (drift_note(d, &p, tokens))
            return i;
    }
    return 0;
}

/* One template: requests of nearly one length. */
static void fill_template(struct mix *m, struct rng *rng, double tokens)
{
    struct prediction p;
    double ignored;

    memset(m, 0, sizeof *m);
    for (uint32_t i = 0; i < 2000; i++) {
        draw(rng, 0, &p, &ignored);
        mix_add(m, &p, tokens + (double)rng_below(rng, 3));
    }
}

static void a_template_that_grows_by_a_word_is_the_same_traffic(void **state)
{
    struct mix a, b;
    struct rng rng;
    enum mix_kind kind;

    (void)state;
    rng_seed(&rng, 2);
    /* Both sides of a bin's bound. */
    fill_template(&a, &rng, 61);
    fill_template(&b, &rng, 64);
    assert_true(mix_distance(&a, &b, &kind) <= MIX_MOST);
    fill_template(&b, &rng, 150);
    assert_true(mix_distance(&a, &b, &kind) > MIX_MOST);
    assert_int_equal(kind, MIX_LENGTH);
}

static void a_traffic_that_changes_raises_one_alarm(void **state)
{
    struct drift_book *book = drift_book_new();
    struct drift *d, *next;
    struct mix mix;
    struct rng rng;

    (void)state;
    assert_non_null(book);
    rng_seed(&rng, 2);
    fill(&mix, &rng, .02, 1500);
    d = drift_of(book, "auto", "0123456789abcdef", &mix);
    assert_non_null(d);
    assert_int_equal(until_alarm(d, &rng, .02, 30 * DRIFT_WINDOW), 0);
    assert_false(drift_alarm(d));
    assert_true(until_alarm(d, &rng, .3, 2 * DRIFT_WINDOW) > 0);
    assert_true(drift_alarm(d));
    assert_true(drift_distance(d) > MIX_MOST);
    /* It stands, and is told once. */
    assert_int_equal(until_alarm(d, &rng, .02, 3 * DRIFT_WINDOW), 0);
    assert_true(drift_alarm(d));
    assert_ptr_equal(drift_of(book, "auto", "0123456789abcdef", &mix), d);
    next = drift_of(book, "auto", "fedcba9876543210", &mix);
    assert_false(drift_alarm(next));
    assert_false(drift_alarm(drift_of(book, "b", "0123456789abcdef", &mix)));
    assert_false(drift_alarm(NULL));
    drift_book_free(book);
    drift_book_free(NULL);
}

/* Labels of a classifier that is right, less `fall`, until the alarm; 0: none
 * within `most`. */
static unsigned until_fall(uint64_t seed, double fall, unsigned most)
{
    struct drift_book *book = drift_book_new();
    static const struct mix none;
    struct drift *d = drift_of(book, "auto", "c", &none);
    struct rng rng;
    unsigned at = 0;

    assert_non_null(d);
    rng_seed(&rng, seed);
    for (unsigned i = 1; !at && i <= most; i++) {
        double p = .55 + .4 * rng_unit(&rng);

        if (drift_label(d, &(struct drift_answer){SPAN("a"), false, p,
                                                  rng_unit(&rng) < p - fall}))
            at = i;
    }
    assert_int_equal(drift_alarm(d), at ? DRIFT_OUTCOMES : DRIFT_NONE);
    assert_int_equal(drift_outcomes(d) > 1, at != 0);
    drift_book_free(book);
    return at;
}

static void labels_that_stay_behind_predictions_void_the_promise(void **state)
{
    unsigned wrong = 0, late = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        wrong += until_fall(i, 0, 2000) > 0;
        late += until_fall(i, .3, 1000) > 200;
        late += until_fall(i, .15, 2000) > 600;
    }
    assert_true(wrong <= 4); /* 2 % of 2,000 labels each */
    assert_true(late <= 4);
}

/* It serves one request in ten; what it answers in the shadow counts too. */
static void an_arm_that_seldom_serves_is_found_when_it_gets_worse(void **state)
{
    unsigned late[2] = {0}, wrong = 0;

    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        struct drift_book *book = drift_book_new();
        static const struct mix none;
        double fall = i < 100 ? .3 : 0;
        bool shadow = i % 2;
        struct drift *d = drift_of(book, "auto", "c", &none);
        struct rng rng;

        rng_seed(&rng, i);
        for (unsigned k = 0; k < 2000; k++) {
            double p = .55 + .4 * rng_unit(&rng);
            bool other = k % 10;
            struct drift_answer a = {other ? SPAN("dear") : SPAN("cheap"),
                                     !other && shadow, p,
                                     rng_unit(&rng) < p - (other ? 0 : fall)};

            (void)drift_label(d, &a);
        }
        late[shadow] += fall > 0 && !drift_alarm(d);
        wrong += fall <= 0 && drift_alarm(d);
        drift_book_free(book);
    }
    print_message("not found: %u served, %u in the shadow of 50; wrong %u\n",
                  late[0], late[1], wrong);
    assert_int_equal(late[0] + late[1], 0);
    assert_true(wrong <= 4);
}

static void an_alarm_of_before_is_taken_up_by_its_word(void **state)
{
    struct drift_book *book = drift_book_new();
    static const struct mix none;
    struct drift *d = drift_of(book, "auto", "c", &none);

    (void)state;
    assert_ptr_equal(drift_find(book, SPAN("auto"), SPAN("c")), d);
    assert_null(drift_find(book, SPAN("auto"), SPAN("other")));
    drift_restore(d, SPAN("nothing"));
    drift_restore(d, SPAN("weather"));
    assert_int_equal(drift_alarm(d), DRIFT_NONE);
    drift_restore(d, SPAN("length"));
    assert_int_equal(drift_alarm(d), DRIFT_LENGTH);
    drift_restore(d, SPAN("outcomes")); /* the first stands */
    assert_int_equal(drift_alarm(d), DRIFT_LENGTH);
    drift_book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_one_traffic_are_near_and_of_another_far),
        cmocka_unit_test(a_template_that_grows_by_a_word_is_the_same_traffic),
        cmocka_unit_test(a_traffic_that_changes_raises_one_alarm),
        cmocka_unit_test(labels_that_stay_behind_predictions_void_the_promise),
        cmocka_unit_test(an_arm_that_seldom_serves_is_found_when_it_gets_worse),
        cmocka_unit_test(an_alarm_of_before_is_taken_up_by_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
