/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that are asked again in other conversations are one piece of
 * evidence, however often they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/table_sample.h"
#include "trainer/table_group.h"
#include "trainer/train.h"

enum { WORDS = 8, VOCABULARY = 100, ARMS = 2 };

/* A question's words follow from its number; half of the vector is the
 * tenant's, as a system prompt's is. */
static void ask(struct vec *v, unsigned question, unsigned tenant)
{
    struct rng r;

    rng_seed(&r, question + 77);
    vec_clear(v);
    v->version = 1;
    v->n_dense = 2;
    for (unsigned k = 0; k < WORDS; k++)
        sample_word(v, ((uint32_t)rng_below(&r, VOCABULARY) * WORDS + k) *
                           2654435761u);
    v->marks[v->n_marks++] = (struct term){9000 + tenant, 1};
    v->dense[0] = (float)tenant;
}

struct asked {
    unsigned question, tenant;
    uint64_t session;
};

/* Whether the cheap model knows a question is the question's own affair: of
 * another one nothing follows from it. */
static bool knows(unsigned question)
{
    return rng_mix(question, 5) % 100 < 70;
}

static void add(struct table *t, struct vec *v, struct asked a)
{
    struct err e;
    struct table_outcome o[ARMS];
    struct table_new_row row = {.vec = v,
                                .group = a.session,
                                .time_ms = -1,
                                .est_input = 100,
                                .outcomes = o,
                                .n_outcomes = ARMS};

    ask(v, a.question, a.tenant);
    row.question[1] = table_question(v);
    for (uint32_t i = 0; i < ARMS; i++)
        o[i] = (struct table_outcome){
            .arm = i,
            .score = i ? rng_mix(a.question, 6) % 100 < 92 : knows(a.question),
            .input_tokens = 100,
            .output_tokens = 50,
            .cost_usd = i ? .02 : .001,
            .propensity = NAN,
            .latency_ms = NAN};
    if (!table_add(t, &row, &e))
        fail_msg("%s", e.msg);
}

static struct table *empty(void)
{
    struct err e;
    struct table *t = table_new(&e);

    assert_non_null(t);
    assert_int_equal(table_add_arm(t, SPAN("small"), &e), 0);
    assert_int_equal(table_add_arm(t, SPAN("large"), &e), 1);
    return t;
}

/* n rows: row i by who(i). */
static struct table *made(size_t n, struct asked (*who)(size_t i))
{
    struct table *t = empty();
    struct vec *v = malloc(sizeof *v);
    struct err e;

    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        add(t, v, who(i));
    free(v);
    if (!table_group(t, &e))
        fail_msg("%s", e.msg);
    return t;
}

static size_t largest(const struct table *t, size_t *groups)
{
    size_t most = 0;

    *groups = 0;
    for (size_t i = 0; i < t->n; i++) {
        size_t n = 0, first = t->n;

        for (size_t k = 0; k < t->n; k++)
            if (t->group[k] == t->group[i]) {
                n++;
                first = k < first ? k : first;
            }
        most = n > most ? n : most;
        *groups += first == i;
    }
    return most;
}

/* 50 questions, each asked by four tenants in a conversation of its own. */
static struct asked by_tenants(size_t i)
{
    return (struct asked){(unsigned)i % 50, (unsigned)(i / 50), i + 1};
}

static void tenants_that_ask_the_same_are_one_group(void **state)
{
    struct table *t = made(200, by_tenants);
    size_t groups;

    (void)state;
    assert_int_equal(t->n, 200);
    assert_int_equal(t->again, 150);
    assert_int_equal(largest(t, &groups), 4);
    assert_int_equal(groups, 50);
    table_free(t);
}

/* Conversations of three questions; the second is one of 100, so that some
 * are asked by two conversations. */
static struct asked in_threes(size_t i)
{
    size_t talk = i / 3;

    return (struct asked){i % 3 == 1 ? 100000 + (unsigned)(talk % 100)
                                     : (unsigned)i,
                          0, talk + 1};
}

static void a_shared_question_joins_whole_conversations(void **state)
{
    struct table *t = made(600, in_threes); /* 200 conversations */
    size_t groups;

    (void)state;
    assert_int_equal(largest(t, &groups), 6);
    assert_int_equal(groups, 100);
    for (size_t i = 0; i < 300; i++)
        assert_true(t->group[i] == t->group[i + 300]);
    table_free(t);
}

/* Every conversation begins with one greeting. */
static struct asked greeted(size_t i)
{
    return (struct asked){i % 4 ? (unsigned)i : 777777, 0, i / 4 + 1};
}

static void a_greeting_joins_nobody(void **state)
{
    struct table *t = made(1200, greeted); /* 300 conversations */
    size_t groups;

    (void)state;
    assert_int_equal(largest(t, &groups), 300);
    assert_int_equal(groups, 301);
    for (size_t i = 0; i < 1200; i += 4)
        assert_true(t->group[i] == t->group[0]);
    table_free(t);
}

/* Five users, one session each, ask the same 200 questions. */
static struct asked by_users(size_t i)
{
    return (struct asked){(unsigned)(i % 200), 0, i / 200 + 1};
}

static void long_sessions_over_the_same_questions_fall_apart(void **state)
{
    struct table *t = made(1000, by_users);
    size_t groups;

    (void)state;
    assert_true(largest(t, &groups) <= TABLE_GROUP_LEAST);
    assert_true(groups > 190);
    table_free(t);
}

static void a_table_knows_what_another_one_asks(void **state)
{
    struct table *a = made(200, by_tenants), *b = made(600, in_threes);
    struct table_seen seen;
    struct err e;

    (void)state;
    if (!table_seen_of(a, &seen, &e))
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < b->n; i++) {
        bool asked = in_threes(i).question < 50;
        bool talk = in_threes(i).session <= 200;

        assert_int_equal(table_seen_has(&seen, b, i), asked || talk);
    }
    table_seen_free(&seen);
    table_free(a);
    table_free(b);
}

/* ---- promises ---- */

static unsigned pool; /* distinct questions */

/* Each question comes four times, never twice in a conversation. */
static struct asked of_pool(size_t i)
{
    return (struct asked){(unsigned)(i % pool), (unsigned)(i / pool), i + 1};
}

static void train(struct table *t, struct training *r)
{
    const struct train_options o = {.reference = "large",
                                    .quality = .9,
                                    .confidence = .95,
                                    .seed = 1,
                                    .threads = 2,
                                    .bits = 14};
    struct err e;

    if (!train_run(r, t, &o, &e))
        fail_msg("%s", e.msg);
}

static const struct guarantee_level *level_at(const struct training *r,
                                              double q)
{
    for (uint32_t k = 0; k < r->n_levels; k++)
        if (fabs(r->qualities[k] - q) < 1e-9)
            return &r->levels[k];
    fail_msg("no level");
    return NULL;
}

/* Quality by the reference's of the level's policy on questions that nobody
 * has asked. */
static double on_new_questions(const struct training *r, double price)
{
    enum { FRESH = 1500 };
    struct table *t = empty();
    struct vec *v = malloc(sizeof *v);
    double got = 0, best = 0;

    for (unsigned i = 0; i < FRESH; i++)
        add(t, v, (struct asked){1000000 + i, i % 4, i + 1});
    for (uint32_t i = 0; i < FRESH; i++) {
        struct prediction p;
        bool cheap;

        fit_predict(r->fit, t, i, &p);
        cheap = (double)(p.quality[1] - p.quality[0]) < price * .019 &&
                !domain_outside(&r->domain, &p);
        got += (double)t->arms[cheap ? 0 : 1].score[i];
        best += (double)t->arms[1].score[i];
    }
    free(v);
    table_free(t);
    return got / best;
}

/* What one training says of 90 %, and what comes of it. */
struct said {
    struct guarantee_level level;
    double fresh;
};

static struct said say(struct table *t)
{
    struct training r;
    struct said s;

    train(t, &r);
    s.level = *level_at(&r, .9);
    s.fresh = on_new_questions(&r, s.level.price);
    training_free(&r);
    return s;
}

static double width(const struct guarantee_level *l)
{
    return l->measured_hi - l->measured_lo;
}

static void a_log_of_repeats_promises_what_new_questions_keep(void **state)
{
    struct table *t;
    struct said joined, apart;

    (void)state;
    pool = 700;
    t = made((size_t)pool * 4, of_pool);
    joined = say(t);
    assert_true(joined.level.valid && joined.level.groups == pool);
    assert_true(joined.level.price > 0 && joined.fresh >= .9);
    /* Were each conversation evidence of its own, the promise would be broken
     * by far, and its interval too narrow. */
    for (size_t i = 0; i < t->n; i++)
        t->group[i] = t->session[i];
    apart = say(t);
    printf("90 %% promised, new questions %.3f of the reference's; each "
           "conversation for itself %.3f; widths %.3f %.3f\n",
           joined.fresh, apart.fresh, width(&joined.level),
           width(&apart.level));
    assert_true(apart.level.valid && apart.fresh < .87);
    assert_true(width(&joined.level) > 1.3 * width(&apart.level));
    table_free(t);
}

static void few_questions_promise_nothing_however_often_asked(void **state)
{
    struct table *t;
    struct said s;

    (void)state;
    pool = GUARANTEE_MIN - 100;
    t = made((size_t)pool * 4, of_pool);
    s = say(t);
    assert_int_equal(s.level.groups, pool);
    assert_false(s.level.valid);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_that_ask_the_same_are_one_group),
        cmocka_unit_test(a_shared_question_joins_whole_conversations),
        cmocka_unit_test(a_greeting_joins_nobody),
        cmocka_unit_test(long_sessions_over_the_same_questions_fall_apart),
        cmocka_unit_test(a_table_knows_what_another_one_asks),
        cmocka_unit_test(a_log_of_repeats_promises_what_new_questions_keep),
        cmocka_unit_test(few_questions_promise_nothing_however_often_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
