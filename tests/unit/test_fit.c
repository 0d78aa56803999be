/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "table_sample.h"
#include "trainer/fit.h"

static struct fitted *fit_of(const struct table *t, unsigned threads)
{
    struct fit_options o = {.seed = 7, .threads = threads, .bits = 14};
    uint32_t *rows = sample_rows(t->n);
    struct err e = {0};
    struct fitted *f = fit_train(t, rows, t->n, &o, &e);

    if (!f)
        print_error("%s\n", e.msg);
    free(rows);
    return f;
}

static void file_of(const struct fitted *f, struct buf *out)
{
    struct err e = {0};

    buf_init(out, 64 << 20);
    if (!fit_write(f, SPAN("{}"), out, &e))
        fail_msg("%s", e.msg);
}

static void finds_out_which_requests_the_small_arm_can_serve(void **state)
{
    enum { N = 1200, NEW = 400 };
    struct sample_truth *truth = calloc(NEW, sizeof *truth);
    struct table *t = sample_table(N, 1, NULL);
    struct table *fresh = sample_table(NEW, 99, truth);
    struct fitted *f = fit_of(t, 1);
    double error = 0;

    (void)state;
    assert_non_null(f);
    for (uint32_t i = 0; i < NEW; i++) {
        struct prediction p;
        fit_predict(f, fresh, i, &p);
        for (unsigned a = 0; a < SAMPLE_ARMS; a++)
            error += fabs((double)p.quality[a] - truth[i].quality[a]);
    }
    assert_true(error / (NEW * SAMPLE_ARMS) < .1);
    fit_free(f);
    table_free(t);
    table_free(fresh);
    free(truth);
}

static void the_written_file_predicts_the_same_bits(void **state)
{
    struct table *t = sample_table(300, 2, NULL);
    struct fitted *f = fit_of(t, 1);
    struct classifier *c;
    struct vec *v = malloc(sizeof *v);
    struct buf bytes;
    struct err e = {0};

    (void)state;
    assert_non_null(f);
    file_of(f, &bytes);
    c = classifier_from(buf_view(&bytes), 1, &e);
    if (!c)
        fail_msg("%s", e.msg);
    for (uint32_t i = 0; i < t->n; i++) {
        struct weights_input in = table_row(t, i);
        struct prediction a = {0}, b = {0};
        vec_clear(v);
        v->version = 1;
        v->n_words = in.n_words;
        v->n_marks = in.n_marks;
        v->n_dense = in.n_dense;
        memcpy(v->words, in.words, in.n_words * sizeof *in.words);
        memcpy(v->marks, in.marks, in.n_marks * sizeof *in.marks);
        memcpy(v->dense, in.dense, in.n_dense * sizeof *in.dense);
        fit_predict(f, t, i, &a);
        classifier_predict(c, v, -1, &b);
        assert_memory_equal(&a, &b, sizeof a);
    }
    classifier_close(c);
    buf_free(&bytes);
    fit_free(f);
    table_free(t);
    free(v);
}

static void the_seed_alone_decides_whatever_the_number_of_workers(void **state)
{
    struct table *t = sample_table(400, 3, NULL);
    struct fitted *one = fit_of(t, 1), *two = fit_of(t, 2);
    struct buf a, b;

    (void)state;
    assert_non_null(one);
    assert_non_null(two);
    file_of(one, &a);
    file_of(two, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.ptr, b.ptr, a.len);
    buf_free(&a);
    buf_free(&b);
    fit_free(one);
    fit_free(two);
    table_free(t);
}

static void arms_without_labels_get_the_mean_of_the_others(void **state)
{
    struct table *t = sample_table(300, 4, NULL);
    struct prediction p;
    struct fitted *f;

    (void)state;
    for (size_t i = 0; i < t->n; i++)
        t->arms[1].score[i] = t->arms[1].output_tokens[i] = NAN;
    f = fit_of(t, 1);
    assert_non_null(f);
    assert_true(fit_arm(f, 1)->constant);
    assert_int_equal(fit_arm(f, 1)->labels, 0);
    assert_false(fit_arm(f, 0)->constant);
    fit_predict(f, t, 0, &p);
    assert_true(p.quality[1] > .5 && p.quality[1] < .9);
    assert_true(p.tokens[1] == 1);
    fit_free(f);
    table_free(t);
}

static void half_right_counts_as_half(void **state)
{
    struct table *t = sample_table(600, 5, NULL);
    double sum = 0;
    struct fitted *f;

    (void)state;
    for (size_t i = 0; i < t->n; i++)
        t->arms[0].score[i] = i % 2 ? .3f : .7f;
    f = fit_of(t, 1);
    assert_non_null(f);
    for (uint32_t i = 0; i < t->n; i++) {
        struct prediction p;
        fit_predict(f, t, i, &p);
        sum += (double)p.quality[0];
    }
    assert_true(fabs(sum / (double)t->n - .5) < .03);
    fit_free(f);
    table_free(t);
}

/* Spoils a table in one of many ways. */
struct spoiled {
    const char *what;
    size_t n;
    void (*how)(struct table *t);
};

static void all_right(struct table *t)
{
    for (uint32_t a = 0; a < t->n_arms; a++)
        for (size_t i = 0; i < t->n; i++)
            t->arms[a].score[i] = 1;
}

static void one_group(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->group[i] = 5;
}

static void no_scores(struct table *t)
{
    for (uint32_t a = 0; a < t->n_arms; a++)
        for (size_t i = 0; i < t->n; i++)
            t->arms[a].score[i] = NAN;
}

static void no_tasks(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->task[i] = TABLE_NO_TASK;
}

static void one_arm_a_row(struct table *t)
{
    for (uint32_t a = 0; a < t->n_arms; a++)
        for (size_t i = 0; i < t->n; i++)
            if (i % t->n_arms != a)
                t->arms[a].score[i] = t->arms[a].output_tokens[i] = NAN;
}

static void as_it_is(struct table *t)
{
    (void)t;
}

static const struct spoiled spoiled[] = {
    {"one row", 1, as_it_is},
    {"two rows", 2, as_it_is},
    {"one class", 100, all_right},
    {"one group", 60, one_group},
    {"no scores", 50, no_scores},
    {"no tasks", 200, no_tasks},
    {"one arm a row", 300, one_arm_a_row},
};

static void poor_data_give_sane_numbers_and_a_valid_file(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof spoiled / sizeof *spoiled; k++) {
        struct table *t = sample_table(spoiled[k].n, 6, NULL);
        struct fitted *f;
        struct buf bytes;
        spoiled[k].how(t);
        f = fit_of(t, 1);
        if (!f)
            fail_msg("%s", spoiled[k].what);
        for (uint32_t i = 0; i < t->n; i++) {
            struct prediction p, q;
            fit_predict(f, t, i, &p);
            fit_oof(f, i, &q);
            for (unsigned a = 0; a < SAMPLE_ARMS; a++) {
                assert_true(p.quality[a] >= 0 && p.quality[a] <= 1);
                assert_true(q.quality[a] >= 0 && q.quality[a] <= 1);
                assert_true(p.tokens[a] >= 1 && p.tokens[a] < 1e6f);
            }
        }
        file_of(f, &bytes);
        buf_free(&bytes);
        fit_free(f);
        table_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_out_which_requests_the_small_arm_can_serve),
        cmocka_unit_test(the_written_file_predicts_the_same_bits),
        cmocka_unit_test(the_seed_alone_decides_whatever_the_number_of_workers),
        cmocka_unit_test(arms_without_labels_get_the_mean_of_the_others),
        cmocka_unit_test(half_right_counts_as_half),
        cmocka_unit_test(poor_data_give_sane_numbers_and_a_valid_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
