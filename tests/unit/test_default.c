/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier that ships, models/default.weir, where it was built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "features/features.h"
#include "models/classifier.h"

static const char path[] = "models/default.weir";
static struct classifier *c;

static int open_default(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    if (stat(path, &st) != 0)
        return 0; /* the tests skip */
    c = classifier_open(path, FEATURES_VERSION, &e);
    if (!c)
        print_message("%s\n", e.msg);
    return c ? 0 : -1;
}

static int close_default(void **state)
{
    (void)state;
    classifier_close(c);
    return 0;
}

static void need(void)
{
    if (c)
        return;
    print_message("%s is not there: make default-classifier\n", path);
    skip();
}

static void predict(const char *prompt, struct prediction *out)
{
    struct features_scratch *s = features_scratch_new();
    struct request r;
    struct arena a;
    struct buf b;
    struct err e = {0};
    static struct vec v;
    struct facts facts;
    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 16);
    buf_str(&b, "[{\"role\":\"user\",\"content\":");
    buf_json_str(&b, span_of(prompt));
    buf_str(&b, "}]");
    struct request_pieces p = {.messages = buf_view(&b)};
    if (!s || !request_from_parts(p, &a, &r, &e))
        fail_msg("%s", e.msg);
    features_extract(&r, s, &v, &facts);
    classifier_predict(c, &v, -1, out);
    buf_free(&b);
    arena_free(&a);
    features_scratch_free(s);
}

static void its_arms_are_the_tiers_and_it_is_small(void **state)
{
    (void)state;
    struct stat st;
    need();
    assert_int_equal(classifier_n_arms(c), 3);
    assert_int_equal(classifier_find_arm(c, SPAN("economy")), 0);
    assert_int_equal(classifier_find_arm(c, SPAN("workhorse")), 1);
    assert_int_equal(classifier_find_arm(c, SPAN("frontier")), 2);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= 3 << 20);
}

/* The task prior: what cheap models do nearly as well as dear ones. */
static void everyday_tasks_are_within_reach_of_the_economy_tier(void **state)
{
    (void)state;
    struct prediction easy, hard;
    need();
    predict("Classify the sentiment of this review as positive, negative or "
            "neutral: The battery died after two days and nobody answers.",
            &easy);
    predict("Let G be a finite group of order pq with primes p < q. Determine "
            "how many Sylow subgroups it has, and prove your answer.",
            &hard);
    assert_true(easy.quality[0] > hard.quality[0] + 0.1f);
    assert_true(easy.quality[2] - easy.quality[0] < 0.15f);
    assert_true(hard.quality[2] > hard.quality[0]);
}

static void dearer_tiers_are_not_predicted_clearly_worse(void **state)
{
    (void)state;
    static const char *const prompts[] = {
        "hi",
        "Translate to French: The meeting has been moved to Thursday.",
        "Write a Python function that merges two sorted lists.",
        "A train leaves at 3 pm at 60 km/h. How far is it at 5 pm?",
        "\xe4\xbb\x8a\xe6\x97\xa5\xe3\x81\xae\xe5\xa4\xa9\xe6\xb0\x97",
        "",
    };
    need();
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        struct prediction p;
        predict(prompts[i], &p);
        assert_true(p.quality[2] > p.quality[0] - 0.1f);
        for (uint32_t a = 0; a < p.n_arms; a++)
            assert_true(p.tokens[a] >= 1 && p.tokens[a] < 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_arms_are_the_tiers_and_it_is_small),
        cmocka_unit_test(everyday_tasks_are_within_reach_of_the_economy_tier),
        cmocka_unit_test(dearer_tiers_are_not_predicted_clearly_worse),
    };
    return cmocka_run_group_tests(tests, open_default, close_default);
}
