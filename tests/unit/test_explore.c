/* SPDX-License-Identifier: Apache-2.0 */
/* Exploration: its money, what it keeps its hands off, and what a start reads
 * of it from the log. */
#include "router/route/explore.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "router/snapshot.h"
#include "router/spending.h"

static const char config[] =
    "classifier: none\n"
    "keys: {vip: {hash: \"sha256:0123abcd:"
    "0123456789abcdef0123456789abcdef:"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}}\n"
    "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1/v1}}\n"
    "models:\n"
    "  small: {provider: p, tier: economy, price: {input: 0.1, output: 0.4}}\n"
    "  middle: {provider: p, tier: workhorse, price: {input: 1, output: 4}}\n"
    "  large: {provider: p, tier: frontier, price: {input: 5, output: 20}}\n"
    "routes:\n"
    "  auto: {arms: [small, middle, large], reference: middle, explore: 0.5,\n"
    "    high_risk: {tasks: [legal], keys: [vip], header: X-Risk}}\n";

static const char body[] =
    "{\"model\":\"auto\",\"messages\":[{\"role\":\"user\","
    "\"content\":\"hi\"}]}";

struct rig {
    struct snapshot *snapshot;
    struct arena arena;
    struct request request;
    struct facts facts;
    struct question q;
    const char *risk; /* value of a header x-risk */
};

static struct span header(const void *ctx, const char *lower_name)
{
    const struct rig *r = ctx;

    return span_of(strcmp(lower_name, "x-risk") ? NULL : r->risk);
}

static void set_up(struct rig *r)
{
    struct err e = {0};

    *r = (struct rig){.facts = {.input_tokens = 100, .turns = 1}};
    r->snapshot = snapshot_parse(SPAN(config), "t.yaml", NULL, &e);
    if (!r->snapshot)
        fail_msg("%s", e.msg);
    arena_init(&r->arena, 1 << 16);
    assert_true(request_from_openai(SPAN(body), &r->arena, &r->request, &e));
    r->q = (struct question){.route = snapshot_route(r->snapshot, SPAN("auto")),
                             .request = &r->request,
                             .facts = &r->facts,
                             .wish = {.quality = NAN, .max_cost = NAN},
                             .header = header,
                             .header_ctx = r};
}

static void tear_down(struct rig *r)
{
    arena_free(&r->arena);
    snapshot_unref(r->snapshot);
}

static bool afford(void *ctx, double usd)
{
    return usd <= *(const double *)ctx;
}

static void exploring_stops_where_its_money_ends(void **state)
{
    double up, room = 0, spent = 0, above = 0;
    struct decision d;
    struct rig r;
    enum { N = 2000 };

    (void)state;
    set_up(&r);
    r.q.afford = afford;
    r.q.afford_ctx = &room;
    decide(&r.q, &d); /* no money at all */
    up = d.arms[2].cost - d.arms[1].cost;
    assert_true(d.capped && up > 0);
    assert_int_equal(d.chosen, 1);
    assert_float_equal(d.arms[1].propensity, 1, 0);
    assert_float_equal(d.arms[0].propensity + d.arms[2].propensity, 0, 0);
    for (r.q.seed = 0; r.q.seed < N; r.q.seed++) {
        room = 20.5 * up - spent; /* enough for twenty */
        decide(&r.q, &d);
        spent += d.explored_usd;
        above += d.chosen == 2;
        assert_int_equal(d.capped, room < up);
        assert_float_equal(d.arms[1].propensity, d.capped ? 1 : .5, 1e-6);
        assert_float_equal(d.explored_usd, d.chosen == 2 ? up : 0, 1e-12);
    }
    assert_float_equal(above, 20, 0);
    tear_down(&r);
}

static void risky_requests_are_never_explored(void **state)
{
    static const struct {
        const char *task, *key, *risk;
        bool risky;
    } cases[] = {{"legal", NULL, NULL, true}, {"code", NULL, NULL, false},
                 {NULL, "vip", NULL, true},   {NULL, "ci", NULL, false},
                 {NULL, NULL, "1", true},     {NULL, NULL, NULL, false}};
    struct decision d;
    struct rig r;

    (void)state;
    set_up(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned explored = 0;

        r.q.wish.task = span_of(cases[i].task);
        r.request.key_name = span_of(cases[i].key);
        r.risk = cases[i].risk;
        for (r.q.seed = 0; r.q.seed < 100; r.q.seed++) {
            decide(&r.q, &d);
            explored += d.reason == REASON_EXPLORED;
            if (cases[i].risky)
                assert_float_equal(d.arms[d.chosen].propensity, 1, 0);
        }
        assert_int_equal(explored > 0, !cases[i].risky);
    }
    tear_down(&r);
}

/* ---- what a start reads ---- */

#define ARM(name, cost, share)                                                 \
    "{\"arm\":\"" name "\",\"cost_usd\":" cost ",\"propensity\":" share "}"

static void a_row_says_what_exploring_cost_more(void **state)
{
    static const struct {
        const char *arms, *arm;
        int64_t pico;
    } cases[] = {
        {"[" ARM("a", "0.001", "0.05") "," ARM("b", "0.002", "0.9") "," ARM(
             "c", "0.005", "0.05") "]",
         "c", 3000000000},
        {"[" ARM("a", "0.001", "0.05") "," ARM("b", "0.002", "0.9") "," ARM(
             "c", "0.005", "0.05") "]",
         "a", 0},
        {"[" ARM("a", "0.001", "0.5") "," ARM("b", "0.002", "0.5") "]", "b",
         1000000000},
        {"[" ARM("a", "0.001", "0") "," ARM("b", "null", "1") "]", "b", 0},
        {"[]", "b", 0},
        {"no json", "b", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            spending_explored(span_of(cases[i].arms), span_of(cases[i].arm)),
            cases[i].pico);
}

static void rows_are_charged_to_whom_they_were_for(void **state)
{
    static const int64_t now = 20000LL * PURSE_DAY_MS + 5;
    const struct spent_row rows[] = {
        {.key_name = SPAN("ci"), .cost_pico = 7},
        {.key_name = SPAN("ci"), .route = SPAN("auto"), .cost_pico = 5},
        {.route = SPAN("auto"), .cost_pico = 100}, /* nobody's */
        {.purpose = SPAN("shadow"),
         .key_name = SPAN("weir"),
         .route = SPAN("auto"),
         .cost_pico = 11},
        {.purpose = SPAN("judge"), .key_name = SPAN("weir"), .cost_pico = 13},
        {.reason = SPAN("explored"),
         .route = SPAN("auto"),
         .arm = SPAN("b"),
         .arms = SPAN("[" ARM("a", "1", "0.9") "," ARM("b", "2", "0.1") "]"),
         .cost_pico = 1},
    };
    static const struct {
        enum purse_kind kind;
        const char *name;
        int64_t spent;
    } wanted[] = {{PURSE_KEY, "ci", 12},
                  {PURSE_KEY, "weir", 0},
                  {PURSE_SHADOW, "auto", 11},
                  {PURSE_JUDGE, "", 13},
                  {PURSE_EXPLORE, "auto", 1000000000000}};
    struct purse_book *b = purse_book_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        spending_note(b, &rows[i], now);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_int_equal(
            purse_look(purse_of(b, wanted[i].kind, span_of(wanted[i].name)),
                       now)
                .spent,
            wanted[i].spent);
    purse_book_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exploring_stops_where_its_money_ends),
        cmocka_unit_test(risky_requests_are_never_explored),
        cmocka_unit_test(a_row_says_what_exploring_cost_more),
        cmocka_unit_test(rows_are_charged_to_whom_they_were_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
