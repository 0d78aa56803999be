/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of several models: what speaks for a draft, whom the classifier knows
 * them by, what they are expected to cost and what drops them. */
#include "router/route/plans.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/route/judge.h"
#include "router/snapshot.h"
#include "tests/unit/weights_sample.h"

static struct arena arena;

/* ---- checks ---- */

static const struct request plain = {.params = {.max_tokens = -1}};

/* An answer of this content, as OpenAI writes it; more: behind it. */
static void answer(struct answered *a, const char *content, const char *more)
{
    struct chunk_sink sink;
    struct err e = {0};
    struct buf body;

    *a = (struct answered){.tokens = 0};
    gather_init(&a->g, &arena);
    sink = gather_sink(&a->g);
    buf_init(&body, 1 << 20);
    buf_str(&body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"choices\":"
                   "[{\"index\":0,\"finish_reason\":\"stop\",\"message\":"
                   "{\"role\":\"assistant\",\"content\":");
    buf_json_str(&body, span_of(content));
    buf_printf(&body,
               "}%s}],\"usage\":{\"prompt_tokens\":9,"
               "\"completion_tokens\":7,\"total_tokens\":16}}",
               more);
    if (!codec_openai.answer_read(buf_view(&body), 200, &arena, &sink, &e))
        fail_msg("%s", e.msg);
    buf_free(&body);
    answered_look(a, &plain, &arena);
}

static double check_named(const struct checked *c, const char *name)
{
    double all[CHECKS_MAX];

    checks_all(c, all);
    for (unsigned i = 0; i < checks_count(); i++) {
        assert_false(isnan(all[i]));
        if (!strcmp(checks_name(i), name))
            return all[i];
    }
    fail_msg("no check is called %s", name);
    return NAN;
}

#define LONG_A                                                                 \
    "The old town lies at the river where the hills begin, and every second "  \
    "week in summer its market fills the square from the bridge to the mill."
#define LONG_B                                                                 \
    "The old town lies on the river where the hills begin, and each second "   \
    "week in summer its market fills the square from the bridge to the mill."
#define LONG_C                                                                 \
    "Compilers translate programs into machine code; interpreters run them "   \
    "directly, which is slower but allows changes while a program is running."

static void each_check_says_what_it_names(void **state)
{
    static const struct {
        const char *draft, *check, *name;
        double low, high;
    } cases[] = {
        {"The answer is 42", "42", "agree", 1, 1},
        {"The answer is 42", "41", "agree", 0, 0},
        {"Paris.", "paris", "agree", 1, 1},
        {"{\"a\":1,\"b\":2}", "{ \"b\": 2.0, \"a\": 1 }", "agree", 1, 1},
        {"Paris", LONG_A, "long", 1, 1},
        {"Paris", "Rome", "long", 0, 0},
        {LONG_A, LONG_A, "overlap", 1, 1},
        {LONG_A, LONG_B, "overlap", 0.7, 0.95},
        {LONG_A, LONG_C, "overlap", 0, 0.2},
        {LONG_A, "The", "length_ratio", 0, 0.1},
        {LONG_A, LONG_A, "length_ratio", 1, 1},
        {LONG_A, NULL, "overlap", 0, 0},
        {LONG_A, NULL, "log_tokens", 2.07, 2.08},
        {"I'm sorry, but I can't help with that.", NULL, "refused", 1, 1},
        {"", NULL, "refused", 0, 0},
        {"```c\nint x;\n```", NULL, "code", 1, 1},
        {"Paris", "I can't assist with that.", "check_flawed", 1, 1},
        {"Paris", NULL, "quality", 0.75, 0.75},
        {"Paris", NULL, "told", 0, 0},
    };
    struct answered draft, check;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct checked c = {&draft, cases[i].check ? &check : NULL, 0.75};
        double got;

        answer(&draft, cases[i].draft, "");
        if (cases[i].check)
            answer(&check, cases[i].check, "");
        got = check_named(&c, cases[i].name);
        if (got < cases[i].low || got > cases[i].high)
            fail_msg("%s of \"%s\", \"%s\": %g", cases[i].name, cases[i].draft,
                     cases[i].check ? cases[i].check : "-", got);
    }
}

static void probabilities_of_tokens_are_read_where_they_are_told(void **state)
{
    static const char logprobs[] =
        ",\"logprobs\":{\"content\":["
        "{\"token\":\"Pa\",\"logprob\":-0.6931471805599453,\"top_logprobs\":["
        "{\"token\":\"Pa\",\"logprob\":-0.6931471805599453},"
        "{\"token\":\"Ro\",\"logprob\":-1.3862943611198906}]},"
        "{\"token\":\"ris\",\"logprob\":0.0,\"top_logprobs\":["
        "{\"token\":\"ris\",\"logprob\":0.0}]}],\"refusal\":null}";
    struct answered draft;
    struct checked c = {&draft, NULL, NAN};

    (void)state;
    answer(&draft, "Paris", logprobs);
    assert_float_equal(check_named(&c, "told"), 1, 0);
    assert_float_equal(check_named(&c, "sure"), sqrt(0.5), 1e-9);
    assert_float_equal(check_named(&c, "margin"), 0.25, 1e-9);
    assert_float_equal(check_named(&c, "quality"), 0, 0);
}

static void long_answers_agree_by_words_and_length(void **state)
{
    struct answered a, b, c, twice;
    struct checked same = {&a, &b, NAN}, other = {&a, &c, NAN};
    struct checked longer = {&a, &twice, NAN}, alone = {&a, NULL, NAN};

    (void)state;
    answer(&a, LONG_A, "");
    answer(&b, LONG_B, "");
    answer(&c, LONG_C, "");
    answer(&twice, LONG_A " " LONG_A " " LONG_A, "");
    assert_true(long_agree(&same, 0.6));
    assert_false(long_agree(&same, 0.99));
    assert_false(long_agree(&other, 0.6));
    assert_false(long_agree(&longer, 0.6));
    assert_false(long_agree(&alone, 0));
}

static void an_acceptance_head_is_read_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        bool taken;
    } cases[] = {
        {"{\"rows\":90,\"intercept\":1,\"weights\":{\"overlap\":2,"
         "\"agree\":0.5}}",
         true},
        {"{\"intercept\":1,\"weights\":{}}", true},
        {"{\"intercept\":1,\"weights\":{\"charm\":2}}", false},
        {"{\"intercept\":1,\"weights\":{\"overlap\":\"2\"}}", false},
        {"{\"intercept\":1}", false},
        {"{\"weights\":{\"overlap\":2}}", false},
        {"3", false},
    };
    double checks[CHECKS_MAX] = {0};
    struct acceptance a;
    struct json v;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(json_parse(span_of(cases[i].text), &v, NULL));
        if (acceptance_read(&v, &a) != cases[i].taken)
            fail_msg("%s", cases[i].text);
    }
    assert_true(json_parse(span_of(cases[0].text), &v, NULL));
    assert_true(acceptance_read(&v, &a));
    for (unsigned i = 0; i < checks_count(); i++)
        checks[i] = !strcmp(checks_name(i), "overlap") ? 0.5 : 0;
    assert_float_equal(acceptance_of(&a, checks), 1 / (1 + exp(-2)), 1e-12);
}

/* ---- the classifier ---- */

static const char *const heads[] = {
    "small",
    "middle",
    "large",
    "checked",
    "escalates checked",
    "cascade(small,large)",
    "verify(large,small,middle)",
};

enum { SMALL, MIDDLE, LARGE, CHECKED, ESCALATES, CASCADE, VERIFY, HEADS };

static const char card[] =
    "{\"plans\":{\"checked\":\"verify(small,middle,large)\","
    "\"swapped\":\"verify(small,middle,large)\"},"
    "\"acceptance\":{\"checked\":{\"rows\":99,\"intercept\":0.5,"
    "\"weights\":{\"overlap\":1}}},"
    "\"levels\":[{\"quality\":0.9,\"price\":100,\"confidence\":0.95,"
    "\"valid\":true,\"reference\":\"large\",\"arms\":[\"small\",\"large\"]}]}";

static char path[] = "/tmp/weir-plans-XXXXXX";

static int write_classifier(void **state)
{
    struct weights_sample s;
    int failed;

    (void)state;
    arena_init(&arena, 1 << 26);
    memset(&s, 0, sizeof s);
    s.state = 7;
    s.w = (struct weights){.n_arms = HEADS,
                           .n_tasks = 1,
                           .n_dense = 5,
                           .bits = 8,
                           .mark_bits = 4,
                           .n_rows = 20,
                           .n_knots = 6};
    sample_fill(&s);
    for (int i = 0; i < HEADS; i++)
        s.name[i] = heads[i];
    failed = sample_write(&s, FEATURES_VERSION, SPAN(card), path);
    sample_free(&s);
    return failed;
}

static int remove_classifier(void **state)
{
    (void)state;
    arena_free(&arena);
    return unlink(path);
}

static struct snapshot *load(void)
{
    char text[4000];
    struct err e = {0};
    struct snapshot *s;

    snprintf(
        text, sizeof text,
        "classifier: %s\n"
        "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1}}\n"
        "models:\n"
        "  small: {provider: p, tier: economy, price: {input: 1, output: 1},\n"
        "    context: 1000, capabilities: [stream]}\n"
        "  middle: {provider: p, tier: economy, price: {input: 2, output: 2},\n"
        "    capabilities: [stream, tools]}\n"
        "  large: {provider: p, tier: frontier, price: {input: 10, output: "
        "10},\n"
        "    capabilities: [stream, tools]}\n"
        "  away: {provider: p, enabled: false, price: {input: 1, output: 1}}\n"
        "plans:\n"
        "  checked: {kind: verify, draft: small, check: middle, else: large}\n"
        "  swapped: {kind: verify, draft: middle, check: small, else: large}\n"
        "  short: {kind: cascade, draft: small, else: large}\n"
        "  named: {kind: verify, draft: large, check: small, else: middle}\n"
        "  reviewed: {kind: panel, model: middle, review: small}\n"
        "  gone: {kind: cascade, draft: away, else: large}\n"
        "  alias: {model: small}\n"
        "routes:\n"
        "  both: {arms: [checked, large, gone], unproven: floor, quality: "
        "0.9,\n"
        "    explore: 0.5}\n"
        "  all: {arms: [checked, swapped, short, named, reviewed, alias]}\n"
        "  models: {arms: [small, large, checked]}\n"
        "  strange: {arms: [small, swapped, large], reference: large,\n"
        "    quality: 0.9}\n",
        path);
    s = snapshot_parse(span_of(text), "t.yaml", NULL, &e);
    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

static int arm_of(const struct route *r, const char *name)
{
    for (unsigned i = 0; i < r->set->n_all; i++) {
        if (!strcmp(r->set->arms[i].name, name))
            return (int)i;
    }
    fail_msg("no arm is called %s", name);
    return -1;
}

static void plans_are_known_by_key_and_members_or_by_text(void **state)
{
    static const struct {
        const char *arm;
        int head, escalates;
    } cases[] = {
        {"checked", CHECKED, ESCALATES}, {"swapped", -1, -1},
        {"short", CASCADE, -1},          {"named", VERIFY, -1},
        {"reviewed", MIDDLE, -1},        {"alias", SMALL, 0},
    };
    struct snapshot *s = load();
    const struct route *r = snapshot_route(s, SPAN("all"));

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int arm = arm_of(r, cases[i].arm);

        if (r->head[arm] != cases[i].head ||
            (r->set->arms[arm].plan && r->escalates[arm] != cases[i].escalates))
            fail_msg("%s: head %d, escalates %d", cases[i].arm, r->head[arm],
                     r->escalates[arm]);
    }
    assert_non_null(r->accept[arm_of(r, "checked")]);
    assert_float_equal(r->accept[arm_of(r, "checked")]->intercept, 0.5, 0);
    assert_null(r->accept[arm_of(r, "swapped")]);
    snapshot_unref(s);
}

static void members_stand_behind_the_arms_each_once(void **state)
{
    struct snapshot *s = load();
    const struct route_settings *set = snapshot_route(s, SPAN("both"))->set;
    const struct arm *plan = &set->arms[0];

    (void)state;
    /* checked, large; small and middle behind them; `gone` is not enabled */
    assert_int_equal(set->n_arms, 2);
    assert_int_equal(set->n_all, 4);
    assert_int_equal(plan->member[PLAN_ELSE], 1);
    assert_string_equal(set->arms[plan->member[PLAN_DRAFT]].name, "small");
    assert_string_equal(set->arms[plan->member[PLAN_CHECK]].name, "middle");
    assert_int_equal(plan->member[PLAN_REVIEW], -1);
    assert_string_equal(plan->model->item.name, "large");
    assert_int_equal(set->reference, 1); /* rather a model than a plan */
    set = snapshot_route(s, SPAN("models"))->set;
    assert_int_equal(set->n_all, 4);
    assert_int_equal(set->arms[2].member[PLAN_DRAFT], 0);
    assert_null(snapshot_route(s, SPAN("gone")));
    assert_non_null(snapshot_route(s, SPAN("checked")));
    snapshot_unref(s);
}

/* ---- decisions ---- */

struct asked {
    struct request request;
    struct facts facts;
    struct prediction p;
    struct stay stay;
    struct wish wish;
    uint32_t down;
};

static struct asked ask(void)
{
    struct asked a;

    memset(&a, 0, sizeof a);
    a.request.params.max_tokens = -1;
    a.facts.input_tokens = 100;
    a.stay.arm = -1;
    a.wish = wish_none();
    a.p.n_arms = HEADS;
    for (int i = 0; i < HEADS; i++) {
        a.p.tokens[i] = 100;
        a.p.quality[i] = 0.5f;
    }
    a.p.quality[CHECKED] = 0.95f;
    a.p.quality[LARGE] = 0.96f;
    a.p.quality[ESCALATES] = 0.25f;
    return a;
}

static const struct route *decided(const struct snapshot *s,
                                   const struct asked *a, const char *route,
                                   struct decision *d)
{
    const struct route *r = snapshot_route(s, span_of(route));
    struct question q = {.route = r,
                         .request = &a->request,
                         .facts = &a->facts,
                         .prediction = &a->p,
                         .stay = &a->stay,
                         .wish = a->wish,
                         .down = a->down,
                         .seed = 1};

    decide(&q, d);
    return r;
}

static void a_plan_costs_its_members_and_its_share_of_the_last(void **state)
{
    struct snapshot *s = load();
    struct asked a = ask();
    struct decision d;

    (void)state;
    decided(s, &a, "both", &d);
    assert_int_equal(d.chosen, 0);
    assert_int_equal(d.reason, REASON_FLOOR);
    assert_int_equal(d.n, 4);
    /* 200 tokens of each: 200e-6 + 400e-6 + a quarter of 2000e-6 */
    assert_float_equal(d.arms[0].cost, 1.1e-3, 1e-9);
    assert_float_equal(d.arms[0].quality, 0.95f, 0);
    assert_int_equal(d.arms[2].drop.kind, DROP_MEMBER);
    /* where nobody looks after it, nothing is explored */
    assert_float_equal(d.arms[0].propensity, 1, 0);
    a.p.quality[ESCALATES] = NAN;
    decided(s, &a, "both", &d);
    assert_float_equal(d.arms[0].cost, 2.6e-3, 1e-9);
    a.p.quality[CHECKED] = NAN;
    decided(s, &a, "both", &d);
    /* of unknown quality: only exploration leads to it */
    assert_float_equal(d.arms[1].propensity, 0.5, 0);
    assert_float_equal(d.arms[0].propensity, 0.5, 0);
    snapshot_unref(s);
}

static void a_plan_is_dropped_with_a_member_that_is_needed(void **state)
{
    static const struct tool tool = {.name = SPAN_INIT("f")};
    struct snapshot *s = load();
    struct asked a = ask();
    struct decision d;

    (void)state;
    a.request.tools = (struct tool *)(uintptr_t)&tool;
    a.request.n_tools = 1;
    decided(s, &a, "both", &d);
    assert_int_equal(d.arms[0].drop.kind, DROP_TOOLS);
    assert_int_equal(d.chosen, 1);
    a = ask();
    a.facts.input_tokens = 900;
    decided(s, &a, "both", &d);
    assert_int_equal(d.arms[0].drop.kind, DROP_CONTEXT);
    a = ask();
    a.down = 1 << 2;
    decided(s, &a, "both", &d);
    assert_int_equal(d.arms[0].drop.kind, DROP_UNHEALTHY);
    a = ask();
    a.request.embeds = true;
    decided(s, &a, "both", &d);
    assert_int_not_equal(d.arms[0].drop.kind, DROP_NONE);
    snapshot_unref(s);
}

static void a_review_that_cannot_be_had_drops_nothing(void **state)
{
    static const struct tool tool = {.name = SPAN_INIT("f")};
    struct snapshot *s = load();
    struct asked a = ask();
    struct decision d;
    const struct route *r;

    (void)state;
    a.request.tools = (struct tool *)(uintptr_t)&tool;
    a.request.n_tools = 1;
    r = decided(s, &a, "all", &d);
    assert_int_equal(d.arms[arm_of(r, "reviewed")].drop.kind, DROP_NONE);
    assert_int_equal(d.arms[arm_of(r, "short")].drop.kind, DROP_TOOLS);
    snapshot_unref(s);
}

static void a_conversation_stays_with_the_member_that_answered(void **state)
{
    struct snapshot *s = load();
    struct asked a = ask();
    struct decision d;

    (void)state;
    a.stay = (struct stay){.arm = 2, .hold = true};
    decided(s, &a, "both", &d);
    assert_int_equal(d.chosen, 2);
    assert_int_equal(d.reason, REASON_STAY);
    assert_int_equal(d.arms[2].drop.kind, DROP_NONE);
    assert_int_equal(d.arms[3].drop.kind, DROP_MEMBER);
    /* also where the plan is asked for by its name */
    decided(s, &a, "checked", &d);
    assert_int_equal(d.reason, REASON_STAY);
    a.wish.arms = SPAN("checked");
    decided(s, &a, "both", &d);
    assert_int_equal(d.chosen, 2);
    a.down = 1 << 2;
    decided(s, &a, "both", &d);
    assert_int_equal(d.chosen, -1);
    a = ask();
    a.stay = (struct stay){.arm = 2};
    decided(s, &a, "both", &d);
    assert_int_equal(d.chosen, 0);
    snapshot_unref(s);
}

/* It is never chosen, so what was proven of the models holds beside it. */
static void a_promise_over_models_holds_beside_a_plan_nobody_knows(void **state)
{
    struct snapshot *s = load();
    struct asked a = ask();
    struct decision d;
    const struct route *r = decided(s, &a, "strange", &d);

    (void)state;
    assert_int_equal(r->n_levels, 1);
    assert_int_equal(d.reason, REASON_LEVEL);
    assert_true(d.chosen != 1 && isnan(d.arms[1].quality));
    assert_non_null(d.level);
    /* one that is known would be chosen: the levels speak of others */
    r = snapshot_route(s, SPAN("models"));
    assert_int_equal(r->n_levels, 0);
    snapshot_unref(s);
}

static void a_plan_never_takes_over_for_another_arm(void **state)
{
    struct snapshot *s = load();
    struct asked a = ask();
    struct decision d;
    const struct route *r = decided(s, &a, "models", &d);
    struct fallback f = {.kind = FALLBACK_ANY, .from = 1, .tried = 1 << 1};

    (void)state;
    assert_int_equal(decide_next(r, &d, &f), 0);
    f.tried |= 1;
    assert_int_equal(decide_next(r, &d, &f), -1);
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_says_what_it_names),
        cmocka_unit_test(probabilities_of_tokens_are_read_where_they_are_told),
        cmocka_unit_test(long_answers_agree_by_words_and_length),
        cmocka_unit_test(an_acceptance_head_is_read_whole_or_not_at_all),
        cmocka_unit_test(plans_are_known_by_key_and_members_or_by_text),
        cmocka_unit_test(members_stand_behind_the_arms_each_once),
        cmocka_unit_test(a_plan_costs_its_members_and_its_share_of_the_last),
        cmocka_unit_test(a_plan_is_dropped_with_a_member_that_is_needed),
        cmocka_unit_test(a_review_that_cannot_be_had_drops_nothing),
        cmocka_unit_test(a_conversation_stays_with_the_member_that_answered),
        cmocka_unit_test(
            a_promise_over_models_holds_beside_a_plan_nobody_knows),
        cmocka_unit_test(a_plan_never_takes_over_for_another_arm),
    };

    return cmocka_run_group_tests(tests, write_classifier, remove_classifier);
}
