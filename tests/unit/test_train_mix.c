/* SPDX-License-Identifier: Apache-2.0 */
/* Promises and the mix of what they were made on, at training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/table_sample.h"
#include "trainer/train.h"

enum { ROWS = 1500 };

/* As a log has it: the outcome of one arm only. */
static void forget_others(struct table *t, size_t row)
{
    for (uint32_t a = 1; a < t->n_arms; a++) {
        t->arms[a].score[row] = NAN;
        t->arms[a].cost[row] = NAN;
        t->arms[a].n_scores--;
    }
}

/* Trains on rows of which some have one outcome only: of one task, or any
 * in three. */
static void train(bool one_task, struct training *r, struct table **t)
{
    const struct train_options how = {
        .quality = .8, .confidence = .9, .seed = 1, .threads = 2};
    struct err e = {0};

    *t = sample_table(ROWS, 3, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        if (one_task ? (*t)->task[i] == 0 : i % 3 == 0)
            forget_others(*t, i);
    }
    if (!train_run(r, *t, &how, &e))
        fail_msg("%s", e.msg);
}

static void
a_log_of_another_mix_than_the_pilots_voids_the_promises(void **state)
{
    struct training r;
    struct table *t;
    bool said = false;

    (void)state;
    train(true, &r, &t);
    assert_true(r.voided);
    for (uint32_t k = 0; k < r.n_levels; k++)
        assert_false(r.levels[k].valid);
    for (uint32_t i = 0; i < r.n_notes; i++)
        said = said || strstr(r.notes[i], "No promise holds");
    assert_true(said);
    training_free(&r);
    table_free(t);
}

static void a_log_of_the_pilots_mix_leaves_them(void **state)
{
    struct training r;
    struct table *t;
    unsigned valid = 0;

    (void)state;
    train(false, &r, &t);
    assert_false(r.voided);
    for (uint32_t k = 0; k < r.n_levels; k++)
        valid += r.levels[k].valid;
    assert_true(valid > 0);
    training_free(&r);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_log_of_another_mix_than_the_pilots_voids_the_promises),
        cmocka_unit_test(a_log_of_the_pilots_mix_leaves_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
