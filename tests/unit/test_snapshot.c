/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration and classifier together: which of the classifier's arms
 * stands for which arm, and which promises of its card hold. */
#include "router/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "router/route/explain.h"
#include "tests/unit/weights_sample.h"

/* clang-format off */
static const char card[] =
    "{\"fallback\":\"reference\","
    "\"basis\":{\"labels\":\"measured\",\"requests\":1000,\"input_tokens\":100,"
    "\"domain\":{\"unseen\":2,\"top\":-1e9,\"far\":50},"
    "\"mix\":{\"task\":[1000],\"quality\":[500,500],\"unseen\":[1000],"
    "\"length\":[1000]},\"arms\":{"
    "\"economy\":{\"output_tokens\":300,\"usd\":0.0004},"
    "\"workhorse\":{\"output_tokens\":300,\"usd\":0.0008},"
    "\"frontier\":{\"output_tokens\":300,\"usd\":0.0036}}},"
    "\"levels\":["
    "{\"arms\":[\"economy\",\"workhorse\",\"frontier\"],"
    "\"reference\":\"frontier\",\"quality\":1.0,\"price\":3,\"valid\":true},"
    "{\"arms\":[\"economy\",\"workhorse\",\"frontier\"],"
    "\"reference\":\"frontier\",\"quality\":0.95,\"price\":70,\"valid\":true},"
    "{\"arms\":[\"economy\",\"workhorse\",\"frontier\"],"
    "\"reference\":\"frontier\",\"quality\":0.9,\"price\":90,\"valid\":false},"
    "{\"arms\":[\"economy\",\"workhorse\",\"frontier\"],"
    "\"reference\":\"workhorse\",\"quality\":0.98,\"price\":5,\"valid\":true},"
    "{\"arms\":[\"economy\",\"frontier\"],"
    "\"reference\":\"frontier\",\"quality\":0.95,\"price\":11,\"valid\":true}"
    "]}";
/* clang-format on */

static char path[] = "/tmp/weir-snapshot-XXXXXX";

static int write_classifier(void **state)
{
    static const char *const tiers[] = {"economy", "workhorse", "frontier"};
    struct weights_sample s;
    int failed;

    (void)state;
    sample_small(&s);
    for (int i = 0; i < 3; i++)
        s.name[i] = tiers[i];
    failed = sample_write(&s, FEATURES_VERSION, SPAN(card), path);
    sample_free(&s);
    return failed;
}

static int remove_classifier(void **state)
{
    (void)state;
    return unlink(path);
}

static int price_of_c = 9; /* USD for a million tokens */

/* Arms known by name, by the provider's name, or by their tier only. */
static struct snapshot *load(const char *routes)
{
    char text[4000];
    struct err e = {0};
    struct snapshot *s;

    snprintf(text, sizeof text,
             "classifier: %s\n"
             "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1}}\n"
             "models:\n"
             "  a: {provider: p, name: v/economy, price: {input: 1, output: 1}}"
             "\n"
             "  b: {provider: p, name: workhorse, price: {input: 2, output: 2}}"
             "\n"
             "  c: {provider: p, name: frontier, tier: frontier, price: "
             "{input: %d, output: %d}}\n"
             "  d: {provider: p, tier: frontier, price: {input: 8, output: 8}}"
             "\n"
             "  e: {provider: p, tier: economy, price: {input: 1, output: 1}}"
             "\n"
             "  u: {provider: p, price: {input: 1, output: 1}}\n"
             "plans:\n"
             "  watched: {kind: panel, model: c, review: d}\n"
             "  again: {kind: panel, model: c, review: e}\n"
             "routes:\n%s",
             path, price_of_c, price_of_c, routes);
    s = snapshot_parse(span_of(text), "t.yaml", NULL, &e);
    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

static void arms_are_known_by_name_or_tier(void **state)
{
    struct snapshot *s = load("  r: {arms: [c, a, u, e]}\n");
    const struct route *r = snapshot_route(s, SPAN("r"));

    (void)state;
    assert_int_equal(r->head[0], 2);
    assert_int_equal(r->head[1], 0);
    assert_int_equal(r->head[2], -1);
    assert_int_equal(r->head[3], 0);
    assert_int_equal(r->n_levels, 0); /* u is not known */
    snapshot_unref(s);
}

static void promises_hold_for_exactly_their_arms(void **state)
{
    struct snapshot *s = load("  all: {arms: [c, b, a], reference: c}\n"
                              "  two: {arms: [a, c]}\n"
                              "  middle: {arms: [a, b, c], reference: b}\n"
                              "  tiers: {arms: [e, b, c]}\n");
    const struct route *r = snapshot_route(s, SPAN("all"));

    (void)state;
    assert_int_equal(r->n_levels, 2); /* valid ones, ascending */
    assert_float_equal(r->levels[0].quality, .95, 1e-9);
    assert_float_equal(r->levels[0].price, 70, 1e-9);
    assert_string_equal(r->labels, "measured");
    assert_float_equal(r->levels[1].quality, 1, 1e-9);
    assert_true(r->fall_to_reference);
    r = snapshot_route(s, SPAN("two"));
    assert_int_equal(r->n_levels, 1);
    assert_float_equal(r->levels[0].price, 11, 1e-9);
    r = snapshot_route(s, SPAN("middle"));
    assert_int_equal(r->n_levels, 1);
    assert_float_equal(r->levels[0].price, 5, 1e-9);
    r = snapshot_route(s, SPAN("tiers")); /* e is known by its tier only */
    assert_int_equal(r->head[0], 0);
    assert_int_equal(r->n_levels, 0);
    assert_true(r->fall_to_reference); /* nothing is promised */
    snapshot_unref(s);
}

/* c's head, with d's review of 8 USD a million: asked with the 100 tokens of
 * the request, the 300 of the answer and 200 of its own, answered with 60. */
static void a_panel_is_promised_for_as_its_model(void **state)
{
    struct snapshot *s =
        load("  two: {arms: [a, watched], reference: watched}\n"
             "  both: {arms: [a, watched, c, again]}\n"
             "  plain: {arms: [a, c]}\n");
    const struct route *r = snapshot_route(s, SPAN("two"));

    (void)state;
    assert_int_equal(r->n_levels, 1);
    assert_float_equal(r->levels[0].price, 11, 1e-9);
    assert_int_equal(r->head[1], 2);
    /* Brought back to what the arm cost when the level was found. */
    assert_float_equal(r->scale[1], .0036 / (400 * 9e-6 + 660 * 8e-6), 1e-6);
    r = snapshot_route(s, SPAN("both")); /* panels are never the choice */
    assert_int_equal(r->n_levels, 1);
    assert_float_equal(r->scale[2], 1, 1e-6);
    assert_float_equal(r->scale[1], 1, 1e-6);
    r = snapshot_route(s, SPAN("plain"));
    assert_float_equal(r->scale[1], 1, 1e-6);
    snapshot_unref(s);
}

static const char body[] =
    "{\"model\":\"all\",\"messages\":[{\"role\":\"user\",\"content\":"
    "\"Prove that the square root of 2 is irrational.\"}]}";

static void decide_for(struct snapshot *s, struct judge *j, double quality,
                       struct buf *out)
{
    const struct route *r = snapshot_route(s, SPAN("all"));
    struct brief b = {.wish = wish_none()};
    struct request request;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    assert_true(request_from_openai(SPAN(body), &a, &request, &e));
    b.wish.quality = quality;
    judge_decide(j, s, r, &request, &b);
    explain_json(&(struct explained){j, s, r, &request}, out);
    arena_free(&a);
}

static void the_card_decides_by_price_or_reference(void **state)
{
    struct snapshot *s = load("  all: {arms: [a, b, c], quality: 0.94}\n");
    struct judge *j = judge_new();
    struct buf out;
    struct json v, arms, weights;
    struct err e;

    (void)state;
    assert_non_null(j);
    buf_init(&out, 1 << 20);
    decide_for(s, j, 0.94, &out);
    assert_int_equal(j->decision.reason, REASON_LEVEL);
    assert_float_equal(j->decision.price, 70, 1e-9);
    assert_true(j->decision.task.len > 0);
    assert_true(json_parse(buf_view(&out), &v, &e));
    arms = json_get(&v, "arms");
    assert_int_equal(json_count(&arms), 3);
    weights = json_get(&v, "classifier");
    assert_int_equal(json_inner(&weights).len, 16);
    decide_for(s, j, 1.2, &out);
    assert_int_equal(j->decision.reason, REASON_NO_LEVEL);
    assert_int_equal(j->decision.chosen, 2);
    buf_free(&out);
    judge_free(j);
    snapshot_unref(s);
}

/* The arm for this quality of the three, at the level's price. */
static int choice(const struct snapshot *s, const float quality[3],
                  bool drifted)
{
    static const struct request request = {.params = {.max_tokens = -1}};
    const struct facts facts = {.input_tokens = 100};
    struct prediction p = {.n_arms = 3, .tokens = {300, 300, 300}};
    struct question q = {.route = snapshot_route(s, SPAN("all")),
                         .request = &request,
                         .facts = &facts,
                         .prediction = &p,
                         .drifted = drifted,
                         .wish = wish_none()};
    struct decision d;

    memcpy(p.quality, quality, 3 * sizeof *quality);
    decide(&q, &d);
    return d.chosen;
}

static void a_promise_keeps_its_choices_when_list_prices_change(void **state)
{
    static const int prices[] = {1, 90, 0};
    static const char routes[] = "  all: {arms: [a, b, c], quality: 0.95}\n";
    struct snapshot *then = load(routes);
    int chosen[3] = {0};

    (void)state;
    for (int k = 0; k < 3; k++) {
        struct snapshot *now;

        price_of_c = prices[k];
        now = load(routes);
        for (int i = 0; i < 100; i++) {
            const float quality[3] = {(float)(i % 10) / 10, .6f,
                                      .6003f + (float)i / 250};
            int arm = choice(then, quality, false);

            chosen[arm]++;
            assert_int_equal(choice(now, quality, false), arm);
        }
        snapshot_unref(now);
    }
    price_of_c = 9;
    assert_true(chosen[0] && chosen[1] && chosen[2]);
    snapshot_unref(then);
}

static void a_void_promise_gives_way_to_the_routes_wish(void **state)
{
    static const float quality[3] = {.79f, .2f, .8f};
    struct snapshot *s = load("  all: {arms: [a, b, c], quality: 0.95}\n");

    (void)state;
    assert_int_equal(choice(s, quality, false), 0);
    assert_int_equal(choice(s, quality, true), 2);
    snapshot_unref(s);
    s = load("  all: {arms: [a, b, c], quality: 0.95, unproven: floor}\n");
    assert_int_equal(choice(s, quality, true), 0);
    snapshot_unref(s);
}

/* Likewise of a request far from the training data. */
static int outside_choice(const struct snapshot *s, const float quality[3],
                          struct decision *d)
{
    static const struct request request = {.params = {.max_tokens = -1}};
    const struct facts facts = {.input_tokens = 100};
    struct prediction p = {.n_arms = 3,
                           .n_tasks = 1,
                           .task = {1},
                           .tokens = {300, 300, 300},
                           .far = 51};
    struct question q = {.route = snapshot_route(s, SPAN("all")),
                         .request = &request,
                         .facts = &facts,
                         .prediction = &p,
                         .classifier = snapshot_classifier(s),
                         .wish = wish_none()};

    memcpy(p.quality, quality, 3 * sizeof *quality);
    decide(&q, d);
    return d->chosen;
}

static void what_is_far_from_training_is_abstained_on(void **state)
{
    static const float quality[3] = {.79f, .2f, .8f};
    static const char route[] = "  all: {arms: [a, b, c], quality: 0.95";
    struct snapshot *s;
    struct decision d;
    char text[200];

    (void)state;
    snprintf(text, sizeof text, "%s}\n", route);
    s = load(text);
    assert_int_equal(choice(s, quality, false), 0);
    assert_int_equal(outside_choice(s, quality, &d), 2);
    assert_int_equal(d.reason, REASON_OUT_OF_DOMAIN);
    assert_null(d.level);
    snapshot_unref(s);
    snprintf(text, sizeof text, "%s, out_of_domain: floor}\n", route);
    s = load(text);
    assert_int_equal(outside_choice(s, quality, &d), 0);
    assert_int_equal(d.reason, REASON_OUT_OF_DOMAIN);
    snapshot_unref(s);
    /* By what the task's means say: they know nothing of this request. */
    snprintf(text, sizeof text, "%s, out_of_domain: task}\n", route);
    s = load(text);
    outside_choice(s, quality, &d);
    assert_int_equal(d.reason, REASON_OUT_OF_DOMAIN);
    assert_true(d.floor >= 0 && d.floor <= .95 &&
                (d.floor < .7599 || d.floor > .7601));
    snapshot_unref(s);
}

static void a_bad_classifier_is_an_error_with_its_path(void **state)
{
    struct err e = {0};

    (void)state;
    assert_null(snapshot_parse(SPAN("classifier: /dev/null\n"
                                    "providers: {openai: {}}\n"
                                    "models: {m: {provider: openai}}\n"),
                               "t.yaml", NULL, &e));
    assert_non_null(strstr(e.msg, "/dev/null"));
}

static void a_snapshot_lives_as_long_as_it_is_held(void **state)
{
    struct snapshot *s = load("  all: {arms: [a, b, c]}\n");
    struct snapshot *held = snapshot_ref(s);

    (void)state;
    snapshot_unref(s);
    assert_non_null(snapshot_route(held, SPAN("all")));
    snapshot_unref(held);
    snapshot_unref(NULL);
}

static void copy_to(const char *to)
{
    struct buf b;
    struct err e;

    buf_init(&b, 1 << 24);
    assert_true(file_read(path, &b, &e));
    assert_true(file_write(to, buf_view(&b), &e));
    buf_free(&b);
}

static void a_canary_takes_its_share_of_the_sessions_and_no_other(void **state)
{
    char file[64], share[64];
    struct snapshot *s;
    const struct route *r;
    unsigned taken = 0;
    struct err e;

    (void)state;
    snprintf(file, sizeof file, "%s.canary", path);
    snprintf(share, sizeof share, "%s.canary.json", path);
    copy_to(file);
    assert_true(file_write(share, SPAN("{\"share\":0.2}"), &e));
    s = load("  all: {arms: [a, b, c], quality: 0.95}\n");
    r = snapshot_route(s, SPAN("all"));
    for (uint64_t i = 0; i < 5000; i++) {
        const struct route *mine = snapshot_pick(s, r, i * 7919);

        taken += mine != r;
        assert_ptr_equal(mine->set, r->set);
        assert_int_equal(mine->n_levels, r->n_levels);
        assert_ptr_equal(mine, snapshot_pick(s, r, i * 7919));
    }
    assert_true(taken > 850 && taken < 1150);
    snapshot_unref(s);
    unlink(file);
    unlink(share);
}

static void a_bad_canary_never_harms_the_running_classifier(void **state)
{
    static const char *const bad[] = {"{\"share\":2}", "{}", "not json", ""};
    char file[64], share[64];
    struct err e;

    (void)state;
    snprintf(file, sizeof file, "%s.canary", path);
    snprintf(share, sizeof share, "%s.canary.json", path);
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        bool torn = i == sizeof bad / sizeof bad[0];
        struct snapshot *s;

        copy_to(file);
        if (torn)
            assert_int_equal(truncate(file, 1000), 0);
        assert_true(
            file_write(share, span_of(torn ? "{\"share\":0.5}" : bad[i]), &e));
        s = load("  all: {arms: [a, b, c], quality: 0.95}\n");
        assert_non_null(snapshot_classifier(s));
        assert_null(snapshot_canary(s)->classifier);
        assert_true(*snapshot_canary(s)->problem != '\0');
        for (uint64_t k = 0; k < 50; k++)
            assert_ptr_equal(
                snapshot_pick(s, snapshot_route(s, SPAN("all")), k),
                snapshot_route(s, SPAN("all")));
        snapshot_unref(s);
    }
    unlink(file);
    unlink(share);
}

/* Not by the first stream that wants them. */
static void a_file_without_authorities_is_an_error_at_once(void **state)
{
    char text[400];
    struct err e = {0};

    (void)state;
    snprintf(text, sizeof text,
             "classifier: %s\n"
             "providers: {p: {dialect: openai, base_url: https://p.example/v1,"
             " ca_file: /dev/null}}\n"
             "models: {m: {provider: p, price: {input: 1, output: 1}}}\n"
             "routes: {r: {arms: [m]}}\n",
             path);
    assert_null(snapshot_parse(span_of(text), "t.yaml", NULL, &e));
    assert_non_null(strstr(e.msg, "providers.p.ca_file: no authorities"));
    assert_non_null(strstr(e.msg, "/dev/null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_canary_takes_its_share_of_the_sessions_and_no_other),
        cmocka_unit_test(a_bad_canary_never_harms_the_running_classifier),
        cmocka_unit_test(arms_are_known_by_name_or_tier),
        cmocka_unit_test(promises_hold_for_exactly_their_arms),
        cmocka_unit_test(a_panel_is_promised_for_as_its_model),
        cmocka_unit_test(the_card_decides_by_price_or_reference),
        cmocka_unit_test(a_promise_keeps_its_choices_when_list_prices_change),
        cmocka_unit_test(a_void_promise_gives_way_to_the_routes_wish),
        cmocka_unit_test(what_is_far_from_training_is_abstained_on),
        cmocka_unit_test(a_bad_classifier_is_an_error_with_its_path),
        cmocka_unit_test(a_snapshot_lives_as_long_as_it_is_held),
        cmocka_unit_test(a_file_without_authorities_is_an_error_at_once),
    };

    return cmocka_run_group_tests(tests, write_classifier, remove_classifier);
}
