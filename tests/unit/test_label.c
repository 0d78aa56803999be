/* SPDX-License-Identifier: Apache-2.0 */
#include "router/label/prompt.h"
#include "router/label/rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void a_verdict_is_the_last_one_and_exactly_one_of_four(void **state)
{
    static const struct {
        const char *said;
        enum verdict verdict;
    } cases[] = {
        {"VERDICT: A", VERDICT_FIRST},
        {"reasons\nverdict: b.\n", VERDICT_SECOND},
        {"**VERDICT:** **TIE**", VERDICT_TIE},
        {"VERDICT: \"NEITHER\"", VERDICT_NEITHER},
        {"One could say VERDICT: A, but no.\nVERDICT: B", VERDICT_SECOND},
        {"VERDICT: A or B? VERDICT:", VERDICT_NONE},
        {"VERDICT: AB", VERDICT_NONE},
        {"VERDICT: Answer A", VERDICT_NONE},
        {"VERDICT: perhaps", VERDICT_NONE},
        {"A is better", VERDICT_NONE},
        {"VERDICT", VERDICT_NONE},
        {"", VERDICT_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (judge_verdict(span_of(cases[i].said)) != cases[i].verdict)
            fail_msg("%s", cases[i].said);
    }
}

static void a_score_is_from_one_to_five_or_none(void **state)
{
    static const struct {
        const char *said;
        double score; /* < 0: none */
    } cases[] = {
        {"SCORE: 5", 1},
        {"Good.\nScore: 4.", .75},
        {"**SCORE: 1**", 0},
        {"SCORE: 4.5", .875},
        {"SCORE: 3/5", .5},
        {"SCORE: 2\nSCORE: 3", .5},
        {"SCORE: 0", -1},
        {"SCORE: 6", -1},
        {"SCORE: 45", -1},
        {"SCORE: 1e0", 0},
        {"SCORE: five", -1},
        {"SCORE: nan", -1},
        {"SCORE: -1", -1},
        {"SCORE: 1.2.3", -1},
        {"5", -1},
        {"SCORE:", -1},
        {"SCORE: 4\nSCORE: ", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double got = judge_score(span_of(cases[i].said));

        if (cases[i].score < 0 ? !isnan(got) : got != cases[i].score)
            fail_msg("%s: %g", cases[i].said, got);
    }
}

static void only_what_both_orders_say_counts(void **state)
{
    static const struct {
        enum verdict straight, swapped;
        bool parsed, agreed;
        double answer, other;
    } cases[] = {
        {VERDICT_FIRST, VERDICT_SECOND, true, true, 1, 0},
        {VERDICT_SECOND, VERDICT_FIRST, true, true, 0, 1},
        {VERDICT_FIRST, VERDICT_FIRST, true, false, 1, 1},
        {VERDICT_SECOND, VERDICT_SECOND, true, false, 1, 1},
        {VERDICT_TIE, VERDICT_TIE, true, true, 1, 1},
        {VERDICT_TIE, VERDICT_FIRST, true, false, 1, 1},
        {VERDICT_NEITHER, VERDICT_NEITHER, true, true, 0, 0},
        {VERDICT_NEITHER, VERDICT_TIE, true, false, 1, 1},
        {VERDICT_NONE, VERDICT_FIRST, false, false, 0, 0},
        {VERDICT_FIRST, VERDICT_NONE, false, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair_end p = judge_pair(cases[i].straight, cases[i].swapped);

        assert_int_equal(p.parsed, cases[i].parsed);
        assert_int_equal(p.agreed, cases[i].agreed);
        assert_float_equal(p.answer, cases[i].answer, 0);
        assert_float_equal(p.other, cases[i].other, 0);
    }
}

static bool body_of(const char *messages, const char *answer, struct buf *out)
{
    const struct judged j = {.id = SPAN("req_1"),
                             .messages = span_of(messages),
                             .answer = span_of(answer),
                             .judge = "judge",
                             .max_tokens = 100};
    struct err e;

    buf_reset(out);
    return judge_body(&j, out, &e);
}

static void a_judge_is_shown_the_conversation_in_clear(void **state)
{
    struct json top, messages, last, content;
    struct json_iter it;
    struct arena a;
    struct span text;
    struct buf out;

    (void)state;
    buf_init(&out, 10000);
    arena_init(&a, 1 << 16);
    assert_true(
        body_of("[{\"role\":\"user\",\"content\":\"a \\\"b\\\"\\n\\u00fc\"},"
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                "\"text\":\"c\"},{\"type\":\"image_url\",\"image_url\":"
                "{\"url\":\"http://x/\"}}]}]",
                "its \"answer\"", &out));
    assert_true(json_parse(buf_view(&out), &top, NULL));
    messages = json_get(&top, "messages");
    it = json_begin(&messages);
    assert_true(json_next(&it, NULL, &last) && json_next(&it, NULL, &last));
    content = json_get(&last, "content");
    assert_true(json_text(&content, &a, &text));
    assert_non_null(memmem(text.ptr, text.len, "a \"b\"\n\xc3\xbc", 8));
    assert_non_null(memmem(text.ptr, text.len, "[an image]", 10));
    assert_non_null(
        memmem(text.ptr, text.len, "<<<answer req_1\nits \"answer\"\n", 29));
    assert_false(body_of("{\"no\":\"list\"}", "x", &out));
    buf_free(&out);
    buf_init(&out, 600); /* too small for it */
    assert_false(body_of("[{\"role\":\"user\",\"content\":\"x\"}]", "x", &out));
    buf_free(&out);
    arena_free(&a);
}

static void disagreement_is_of_arms_that_were_not_dropped(void **state)
{
    static const struct {
        const char *arms;
        double want;
    } cases[] = {
        {"[{\"quality\":0.25},{\"quality\":0.75},{\"quality\":0.5}]", .5},
        {"[{\"quality\":0.25},{\"quality\":1,\"dropped\":\"vision\"}]", 0},
        {"[{\"quality\":null},{\"quality\":1}]", 0},
        {"[]", 0},
        {"", 0},
        {"{\"quality\":1}", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_float_equal(label_disagreement(span_of(cases[i].arms)),
                           cases[i].want, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_is_the_last_one_and_exactly_one_of_four),
        cmocka_unit_test(a_score_is_from_one_to_five_or_none),
        cmocka_unit_test(only_what_both_orders_say_counts),
        cmocka_unit_test(a_judge_is_shown_the_conversation_in_clear),
        cmocka_unit_test(disagreement_is_of_arms_that_were_not_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
