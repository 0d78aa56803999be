/* SPDX-License-Identifier: Apache-2.0 */
#include "features/sketch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "features/features.h"

/* n n-grams that both have, m that each has alone. */
static double drawn(uint64_t seed, unsigned n, unsigned m)
{
    struct sketch_work a = {{0}}, b = {{0}};
    struct sketch x, y;
    struct rng r;

    rng_seed(&r, seed);
    for (unsigned i = 0; i < n + 2 * m; i++) {
        uint64_t h = rng_next(&r);

        if (i < n + m)
            sketch_add(&a, h);
        if (i < n || i >= n + m)
            sketch_add(&b, h);
    }
    x = sketch_of(&a);
    y = sketch_of(&b);
    return sketch_likeness(&x, &y);
}

static void likeness_is_the_share_of_what_both_have(void **state)
{
    static const unsigned cases[][2] = {{40, 0},  {40, 5},   {40, 20},
                                        {20, 40}, {0, 40},   {200, 20},
                                        {6, 2},   {500, 500}};
    enum { DRAWS = 400 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned n = cases[i][0], m = cases[i][1];
        double sum = 0, truth = (double)n / (n + 2 * m);

        for (unsigned k = 0; k < DRAWS; k++)
            sum += drawn(k + 1, n, m);
        if (fabs(sum / DRAWS - truth) > 0.02)
            fail_msg("%u and %u: %g, wanted %g", n, m, sum / DRAWS, truth);
    }
}

static struct sketch of_text(struct features_scratch *s, const char *text)
{
    static struct vec v;
    struct arena a;
    struct request r;
    struct facts f;
    char body[1000];
    struct err e = {0};

    arena_init(&a, 1 << 16);
    snprintf(body, sizeof body,
             "{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":"
             "\"%s\"}]}",
             text);
    assert_true(request_from_openai(span_of(body), &a, &r, &e));
    features_extract(&r, s, &v, &f);
    arena_free(&a);
    return f.stem_sketch;
}

static void questions_said_otherwise_are_alike_and_others_are_not(void **state)
{
    static const struct {
        const char *a, *b;
        double least, most;
    } cases[] = {
        {"How do I sort a list of numbers in Python?",
         "how do i sort a list of numbers in python", 1, 1},
        {"How do I sort a long list of numbers in Python quickly?",
         "Please, how do I sort a long list of numbers in Python?", .5, 1},
        {"How do I sort a long list of numbers in Python quickly?",
         "Which wine goes with grilled fish and a green salad?", 0, .2},
        {"Translate into French: the cat is on the mat and sleeps all day",
         "Summarise in one line: the meeting was moved to Tuesday at nine", 0,
         .3},
    };
    struct features_scratch *s = features_scratch_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sketch a = of_text(s, cases[i].a), b = of_text(s, cases[i].b);
        double like = sketch_likeness(&a, &b);

        if (like < cases[i].least || like > cases[i].most)
            fail_msg("%s | %s: %g", cases[i].a, cases[i].b, like);
    }
    features_scratch_free(s);
}

static void what_is_empty_is_like_nothing(void **state)
{
    const struct sketch none = {{0}};
    struct sketch_work w = {{0}};
    struct sketch one;

    (void)state;
    assert_float_equal(sketch_likeness(&none, &none), 0, 0);
    sketch_add(&w, 0);
    one = sketch_of(&w);
    assert_int_equal(sketch_filled(&one), 1);
    assert_int_equal(sketch_filled(&none), 0);
    assert_float_equal(sketch_likeness(&one, &none), 0, 0);
    assert_float_equal(sketch_likeness(&one, &one), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likeness_is_the_share_of_what_both_have),
        cmocka_unit_test(questions_said_otherwise_are_alike_and_others_are_not),
        cmocka_unit_test(what_is_empty_is_like_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
