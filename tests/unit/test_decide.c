/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions over given predictions.  Each case's outcome stands as a line in
 * tests/golden/decisions.txt, which changes only with intent:
 * WEIR_GOLDEN=write build/asan/test_decide writes it anew.
 */
#include "router/route/decide.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "router/route/budget.h"
#include "router/snapshot.h"

#define GOLDEN "tests/golden/decisions.txt"

static const char config[] =
    "classifier: none\n"
    "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1/v1}}\n"
    "models:\n"
    "  small: {provider: p, tier: economy, price: {input: 0.1, output: 0.4},\n"
    "    context: 1000, capabilities: [stream]}\n"
    "  middle: {provider: p, tier: workhorse, price: {input: 1, output: 4},\n"
    "    context: 8000, max_output: 500,\n"
    "    capabilities: [stream, tools, json]}\n"
    "  large: {provider: p, tier: frontier, price: {input: 5, output: 20},\n"
    "    context: 100k, capabilities: [stream, tools, parallel_tools, json,\n"
    "    schema, vision, files, audio, logprobs]}\n"
    "  free: {provider: p, tier: economy}\n"
    "routes:\n"
    "  auto: {arms: [small, middle, large], quality: 0.9,\n"
    "    unproven: floor}\n"
    "  spare: {arms: [small, middle, large], policy: budget, budget: 0.001}\n"
    "  fixed: {arms: [small, large], policy: fixed, reference: small}\n"
    "  open: {arms: [free, large], policy: fixed, reference: free}\n"
    "  capped: {arms: [small, large], max_cost: 0.001}\n"
    "  curious: {arms: [small, middle, large], quality: 0.9, explore: 0.5,\n"
    "    unproven: floor}\n"
    "  ruled:\n"
    "    arms: [small, middle, large]\n"
    "    policy: rules\n"
    "    reference: middle\n"
    "    rules:\n"
    "      - {when: {task: code}, arm: large}\n"
    "      - {when: {headers: {x-team: legal}}, arm: large}\n"
    "      - {when: {tools: no, max_tokens: 50}, arm: small}\n"
    "      - {when: {images: yes}, arm: small}\n";

/* One case: a request in plain facts, predictions for the three arms. */
struct sample {
    const char *name, *route;
    const char *params; /* OpenAI body behind the messages */
    float quality[3];   /* < 0: no prediction at all */
    uint32_t input, images;
    double price; /* budget's */
    const char *arms, *task;
    double want_quality, max_cost; /* 0: not said */
    uint64_t seed;
    bool level; /* the card promises 0.9 at 100 quality a USD */
};

static const struct sample samples[] = {
    {.name = "all adequate: the cheapest",
     .route = "auto",
     .quality = {.9f, .92f, .95f},
     .input = 100},
    {.name = "one adequate below the reference",
     .route = "auto",
     .quality = {.5f, .9f, .95f},
     .input = 100},
    {.name = "only the reference is adequate",
     .route = "auto",
     .quality = {.2f, .3f, .95f},
     .input = 100},
    {.name = "a higher wish takes a dearer arm",
     .route = "auto",
     .quality = {.9f, .93f, .95f},
     .input = 100,
     .want_quality = .97},
    {.name = "a lower wish takes a cheaper arm",
     .route = "auto",
     .quality = {.6f, .9f, .95f},
     .input = 100,
     .want_quality = .5},
    {.name = "a wish beyond all takes the best",
     .route = "auto",
     .quality = {.6f, .9f, .95f},
     .input = 100,
     .want_quality = 1.2},
    {.name = "no classifier: the reference",
     .route = "auto",
     .quality = {-1, -1, -1},
     .input = 100},
    {.name = "a proven level is a price",
     .route = "auto",
     .quality = {.5f, .8f, .95f},
     .input = 100,
     .level = true},
    {.name = "tools drop what cannot call them",
     .route = "auto",
     .params = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
               "\"f\"}}]",
     .quality = {.99f, .92f, .95f},
     .input = 100},
    {.name = "parallel tools drop one more",
     .route = "auto",
     .params = ",\"parallel_tool_calls\":true,\"tools\":[{\"type\":"
               "\"function\",\"function\":{\"name\":\"f\"}}]",
     .quality = {.99f, .92f, .95f},
     .input = 100},
    {.name = "JSON mode",
     .route = "auto",
     .params = ",\"response_format\":{\"type\":\"json_object\"}",
     .quality = {.99f, .92f, .95f},
     .input = 100},
    {.name = "JSON schema",
     .route = "auto",
     .params = ",\"response_format\":{\"type\":\"json_schema\","
               "\"json_schema\":{\"name\":\"x\",\"schema\":{}}}",
     .quality = {.99f, .92f, .95f},
     .input = 100},
    {.name = "images want eyes",
     .route = "auto",
     .quality = {.99f, .92f, .95f},
     .input = 100,
     .images = 1},
    {.name = "log probabilities",
     .route = "auto",
     .params = ",\"logprobs\":true",
     .quality = {.99f, .92f, .95f},
     .input = 100},
    {.name = "too long for the small window",
     .route = "auto",
     .quality = {.99f, .92f, .95f},
     .input = 900},
    {.name = "the wanted output counts for the window",
     .route = "auto",
     .params = ",\"max_tokens\":950",
     .quality = {.99f, .92f, .95f},
     .input = 100},
    {.name = "too long for all",
     .route = "auto",
     .quality = {.99f, .92f, .95f},
     .input = 200000},
    {.name = "an arm asked for is taken as it is",
     .route = "auto",
     .quality = {.1f, .92f, .95f},
     .input = 5000,
     .arms = "small"},
    {.name = "arms asked for limit the choice",
     .route = "auto",
     .quality = {.9f, .92f, .95f},
     .input = 100,
     .arms = "middle , large"},
    {.name = "an arm asked for that is not there",
     .route = "auto",
     .quality = {.9f, .92f, .95f},
     .input = 100,
     .arms = "huge"},
    {.name = "what is too dear is dropped",
     .route = "auto",
     .quality = {.1f, .2f, .95f},
     .input = 100,
     .max_cost = .0015},
    {.name = "all too dear",
     .route = "auto",
     .quality = {.1f, .2f, .95f},
     .input = 100,
     .max_cost = 1e-9},
    {.name = "the route's own cap",
     .route = "capped",
     .quality = {.1f, .95f},
     .input = 100},
    {.name = "the wish cannot lift the route's cap",
     .route = "capped",
     .quality = {.1f, .95f},
     .input = 100,
     .max_cost = 1},
    {.name = "budget: quality is cheap",
     .route = "spare",
     .quality = {.5f, .8f, .95f},
     .input = 100,
     .price = 1},
    {.name = "budget: quality is dear",
     .route = "spare",
     .quality = {.5f, .8f, .95f},
     .input = 100,
     .price = 1000},
    {.name = "budget without a classifier",
     .route = "spare",
     .quality = {-1, -1, -1},
     .input = 100,
     .price = 1000},
    {.name = "fixed", .route = "fixed", .quality = {.1f, .9f}, .input = 100},
    {.name = "fixed, but dropped",
     .route = "fixed",
     .quality = {.1f, .9f},
     .input = 100,
     .images = 2},
    {.name = "unpriced arms serve fixed routes",
     .route = "open",
     .quality = {.1f, .9f},
     .input = 100},
    {.name = "unpriced arms cannot be capped",
     .route = "open",
     .quality = {.1f, .9f},
     .input = 100,
     .max_cost = 1},
    {.name = "a rule by task",
     .route = "ruled",
     .quality = {-1, -1, -1},
     .input = 100,
     .task = "code"},
    {.name = "a rule by size",
     .route = "ruled",
     .quality = {-1, -1, -1},
     .input = 20},
    {.name = "no rule holds",
     .route = "ruled",
     .quality = {-1, -1, -1},
     .input = 100},
    {.name = "a rule's arm that was dropped is passed over",
     .route = "ruled",
     .quality = {-1, -1, -1},
     .input = 100,
     .images = 1},
    {.name = "exploration, seed 1",
     .route = "curious",
     .quality = {.5f, .9f, .95f},
     .input = 100,
     .seed = 1},
    {.name = "exploration, seed 3",
     .route = "curious",
     .quality = {.5f, .9f, .95f},
     .input = 100,
     .seed = 3},
    {.name = "exploration, seed 4",
     .route = "curious",
     .quality = {.5f, .9f, .95f},
     .input = 100,
     .seed = 4},
    {.name = "a pinned arm is not explored away",
     .route = "curious",
     .quality = {.5f, .9f, .95f},
     .input = 100,
     .seed = 5,
     .arms = "large"},
    {.name = "a model asked for by name",
     .route = "weir/small",
     .quality = {.1f},
     .input = 100,
     .images = 1},
};

static const float predicted_tokens[3] = {50, 60, 70};

struct made {
    struct snapshot *snapshot;
    struct arena arena;
    struct request request;
    struct facts facts;
    struct route route;
    struct prediction prediction;
};

static void make_request(struct made *m, const struct sample *s)
{
    char body[1000];
    struct err e = {0};
    struct span copy;

    snprintf(body, sizeof body,
             "{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":"
             "\"hi\"}]%s}",
             s->params ? s->params : "");
    copy = arena_copy(&m->arena, span_of(body));
    if (!request_from_openai(copy, &m->arena, &m->request, &e))
        fail_msg("%s: %s", s->name, e.msg);
}

static void decide_sample(struct made *m, const struct sample *s,
                          struct decision *out)
{
    const struct route *r = snapshot_route(m->snapshot, span_of(s->route));
    struct question q = {.route = &m->route,
                         .request = &m->request,
                         .facts = &m->facts,
                         .price = s->price,
                         .seed = s->seed};

    assert_non_null(r);
    arena_init(&m->arena, 1 << 20);
    make_request(m, s);
    m->route = *r;
    m->facts = (struct facts){
        .input_tokens = s->input, .images = s->images, .turns = 1};
    for (unsigned i = 0; i < r->set->n_arms; i++) {
        m->route.head[i] = (int)i;
        m->prediction.quality[i] = s->quality[i];
        m->prediction.tokens[i] = predicted_tokens[i];
    }
    if (s->level) {
        m->route.levels[0] = (struct level){.9, 100, .95};
        m->route.n_levels = 1;
    }
    q.prediction = s->quality[0] < 0 ? NULL : &m->prediction;
    q.wish = (struct wish){s->want_quality > 0 ? s->want_quality : NAN,
                           s->max_cost > 0 ? s->max_cost : NAN,
                           span_of(s->arms), span_of(s->task)};
    decide(&q, out);
    arena_free(&m->arena);
}

static void write_line(const struct made *m, const struct sample *s,
                       const struct decision *d, struct buf *out)
{
    const struct arm *arms = m->route.set->arms;

    buf_printf(out, "%s: %s (%s)", s->name,
               d->chosen < 0 ? "-" : arms[d->chosen].name,
               reason_name(d->reason));
    for (unsigned i = 0; i < d->n; i++) {
        const struct verdict *v = &d->arms[i];

        buf_printf(out, " | %s %.0f tokens $%.7f", arms[i].name,
                   (double)v->tokens, v->cost);
        if (v->drop.kind)
            buf_printf(out, " dropped: %s", drop_name(v->drop.kind));
        else
            buf_printf(out, " p=%.3f", (double)v->propensity);
    }
    buf_char(out, '\n');
}

static struct snapshot *load(void)
{
    struct err e = {0};
    struct snapshot *s = snapshot_parse(SPAN(config), "t.yaml", NULL, &e);

    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

static void compare_golden(const struct buf *b)
{
    static char text[1 << 16];
    FILE *f = fopen(GOLDEN, "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    assert_string_equal(buf_cstr(b), text);
}

static void decisions_are_as_they_were(void **state)
{
    struct made m = {.snapshot = load()};
    const char *mode = getenv("WEIR_GOLDEN");
    struct decision d;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        decide_sample(&m, &samples[i], &d);
        write_line(&m, &samples[i], &d, &b);
    }
    if (mode && !strcmp(mode, "write")) {
        FILE *f = fopen(GOLDEN, "w");

        assert_non_null(f);
        fwrite(b.ptr, 1, b.len, f);
        fclose(f);
    }
    compare_golden(&b);
    buf_free(&b);
    snapshot_unref(m.snapshot);
}

static void the_same_question_has_the_same_answer(void **state)
{
    struct made m = {.snapshot = load()};
    struct decision a, b;

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        decide_sample(&m, &samples[i], &a);
        decide_sample(&m, &samples[i], &b);
        assert_int_equal(a.chosen, b.chosen);
        assert_int_equal(a.reason, b.reason);
    }
    snapshot_unref(m.snapshot);
}

static void propensities_sum_to_one(void **state)
{
    struct made m = {.snapshot = load()};
    struct decision d;

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        double sum = 0;

        decide_sample(&m, &samples[i], &d);
        for (unsigned k = 0; k < d.n; k++)
            sum += (double)d.arms[k].propensity;
        if (d.chosen >= 0 && fabs(sum - 1) > 1e-6)
            fail_msg("%s: %g", samples[i].name, sum);
    }
    snapshot_unref(m.snapshot);
}

/* Shares over many seeds against the propensities that are logged. */
static void exploration_does_what_it_logs(void **state)
{
    struct made m = {.snapshot = load()};
    struct sample s = {.name = "many",
                       .route = "curious",
                       .quality = {.5f, .9f, .95f},
                       .input = 100};
    unsigned count[3] = {0};
    struct decision d;
    enum { N = 20000 };

    (void)state;
    for (s.seed = 0; s.seed < N; s.seed++) {
        decide_sample(&m, &s, &d);
        count[d.chosen]++;
    }
    for (int i = 0; i < 3; i++)
        assert_float_equal((double)count[i] / N, d.arms[i].propensity, .015);
    snapshot_unref(m.snapshot);
}

static int next(const struct made *m, const struct decision *d, int from,
                uint32_t tried, enum fallback_kind kind)
{
    const struct fallback f = {kind, from, tried};

    return decide_next(&m->route, d, &f);
}

static void the_next_arm_is_as_good_and_cheap_or_else_the_best(void **state)
{
    struct made m = {.snapshot = load()};
    struct sample s = {.name = "next",
                       .route = "auto",
                       .quality = {.9f, .8f, .95f},
                       .input = 100};
    struct decision d;

    (void)state;
    decide_sample(&m, &s, &d);
    assert_int_equal(d.chosen, 0);
    assert_int_equal(next(&m, &d, 0, 1, FALLBACK_ANY), 2);
    assert_int_equal(next(&m, &d, 0, 1 | 4, FALLBACK_ANY), 1);
    assert_int_equal(next(&m, &d, 0, 7, FALLBACK_ANY), -1);
    s.images = 1; /* only the large one can see */
    decide_sample(&m, &s, &d);
    assert_int_equal(d.chosen, 2);
    assert_int_equal(next(&m, &d, 2, 4, FALLBACK_ANY), -1);
    snapshot_unref(m.snapshot);
}

static void a_fallback_keeps_to_the_window_that_is_needed(void **state)
{
    struct made m = {.snapshot = load()};
    struct sample s = {.name = "window",
                       .route = "auto",
                       .quality = {.8f, .9f, .95f},
                       .input = 100};
    struct decision d;

    (void)state;
    decide_sample(&m, &s, &d); /* windows of 1,000, 8,000 and 100k tokens */
    assert_int_equal(next(&m, &d, 1, 2, FALLBACK_LARGER), 2);
    assert_int_equal(next(&m, &d, 2, 4, FALLBACK_LARGER), -1);
    assert_int_equal(next(&m, &d, 0, 1, FALLBACK_PROVIDER), -1);
    d.certain_tokens = 1000;
    assert_int_equal(next(&m, &d, 2, 2 | 4, FALLBACK_ANY), 0);
    d.certain_tokens = 1001; /* it may not fit into the small one */
    assert_int_equal(next(&m, &d, 2, 2 | 4, FALLBACK_ANY), -1);
    assert_int_equal(next(&m, &d, 2, 4, FALLBACK_ANY), 1);
    d.certain_tokens = INFINITY;
    assert_int_equal(next(&m, &d, 2, 4, FALLBACK_ANY), -1);
    assert_int_equal(next(&m, &d, 0, 1 | 2, FALLBACK_ANY), 2);
    snapshot_unref(m.snapshot);
}

enum { BUDGET_ARMS = 3, BUDGET_RUN = 20000 };

/* A route of three arms under way: request by request, `late` of them are not
 * over yet when the next is decided; real costs are off the expected ones. */
struct spending {
    struct budget *b;
    uint64_t chance;
    double usd;          /* the budget */
    double bias;         /* real costs by the expected ones, on average */
    double spent, worst; /* USD; by how many budgets n requests ever exceeded
                            n budgets */
    struct budget_item open[8];
    unsigned late;
};

static double next_chance(struct spending *s)
{
    s->chance = s->chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(s->chance >> 40) / (1 << 24);
}

static void spend_one(struct spending *s, unsigned n)
{
    static const double mean[BUDGET_ARMS] = {.0001, .0006, .006};
    struct budget_item *i = &s->open[n % (s->late + 1)], past = *i;
    double room = budget_room(s->b, s->usd), price = budget_price(s->b);
    double hard = next_chance(s), size = .3 + 1.4 * next_chance(s);
    double best = -1e9, within = -1e9;

    if (n > s->late) {
        budget_settle(s->b, &past, s->usd);
        s->spent += past.spent;
    }
    for (unsigned a = 0; a < BUDGET_ARMS; a++) {
        double cost = mean[a] * size;
        double worth = 1 - hard / (1 + 2 * a) - price * cost;

        if (worth > best) {
            best = worth;
            i->wanted = cost;
        }
        if (worth > within && (a == 0 || cost <= room)) {
            within = worth;
            i->expected = cost;
        }
    }
    i->spent = i->expected * s->bias * (.5 + next_chance(s));
    budget_reserve(s->b, i->expected, s->usd);
    s->worst = fmax(s->worst, s->spent / s->usd - (n + 1.));
}

static void a_budget_is_held_from_the_first_request_on(void **state)
{
    static const struct {
        double usd, bias;
        unsigned late;
    } rows[] = {{.0005, 1, 0}, {.0005, 1, 7},  {.002, 1, 0},
                {.0005, 2, 0}, {.0005, .5, 7}, {.00015, 1, 3}};

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct budget_book *book = budget_book_new();
        struct spending s = {.b = budget_of(book, "r", rows[k].usd),
                             .usd = rows[k].usd,
                             .bias = rows[k].bias,
                             .late = rows[k].late,
                             .chance = k + 1};

        assert_non_null(s.b);
        assert_ptr_equal(s.b, budget_of(book, "r", .0005));
        for (unsigned n = 0; n < BUDGET_RUN; n++)
            spend_one(&s, n);
        /* After no number of requests is more spent than one budget beyond
         * theirs, or four where they cost twice what was expected; in the
         * long run all of it is used. */
        assert_true(s.worst <= (rows[k].bias > 1 ? 4 : 1));
        assert_float_equal(s.spent / BUDGET_RUN / s.usd, 1, .03);
        budget_book_free(book);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_are_as_they_were),
        cmocka_unit_test(the_same_question_has_the_same_answer),
        cmocka_unit_test(propensities_sum_to_one),
        cmocka_unit_test(exploration_does_what_it_logs),
        cmocka_unit_test(the_next_arm_is_as_good_and_cheap_or_else_the_best),
        cmocka_unit_test(a_fallback_keeps_to_the_window_that_is_needed),
        cmocka_unit_test(a_budget_is_held_from_the_first_request_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
