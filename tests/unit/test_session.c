/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations: when they keep their model, and what a change would cost. */
#include "router/route/session.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "router/snapshot.h"

static const char config[] =
    "classifier: none\n"
    "providers: {p: {dialect: openai, base_url: http://127.0.0.1:1/v1,\n"
    "  cache_time: 5m}}\n"
    "models:\n"
    "  small: {provider: p, tier: economy, price: {input: 1, output: 1,\n"
    "    cached_input: 0.1}, capabilities: [stream, tools, reasoning]}\n"
    "  large: {provider: p, tier: frontier, price: {input: 3, output: 3,\n"
    "    cached_input: 0.3, cache_write: 3.75},\n"
    "    capabilities: [stream, tools, reasoning]}\n"
    "routes:\n"
    "  auto: {arms: [small, large], unproven: floor,\n"
    "    quality: 0.9, explore: 0.5}\n"
    "  fast: {arms: [small, large], unproven: floor,\n"
    "    quality: 0.9, stay: never}\n"
    "  sure: {arms: [small, large], unproven: floor,\n"
    "    quality: 0.9, stay: always}\n";

#define ASK                                                                    \
    "{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}"
#define PLAIN ASK "]}"
#define LOOP                                                                   \
    ASK ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"   \
        "\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","            \
        "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\","  \
        "\"content\":\"1\"}]}"

struct rig {
    struct snapshot *snapshot;
    struct sessions *sessions;
    struct arena arena;
    struct request request;
    struct facts facts;
    struct route route;
    struct prediction prediction;
    struct decision decision;
};

static int setup(void **state)
{
    static struct rig r;
    struct err e;

    memset(&r, 0, sizeof r);
    r.snapshot = snapshot_parse(SPAN(config), "t.yaml", NULL, &e);
    assert_non_null(r.snapshot);
    r.sessions = sessions_new(64, &e);
    assert_non_null(r.sessions);
    arena_init(&r.arena, 1 << 20);
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    snapshot_unref(r->snapshot);
    sessions_free(r->sessions);
    arena_free(&r->arena);
    return 0;
}

static void read_request(struct rig *r, const char *body)
{
    struct err e;

    assert_true(request_from_openai(span_of(body), &r->arena, &r->request, &e));
}

static struct stay stay_at(struct rig *r, const char *route, uint64_t key,
                           int64_t now_ms)
{
    struct session_note last;

    r->route = *snapshot_route(r->snapshot, span_of(route));
    if (!session_look(r->sessions, key, &last))
        return (struct stay){.arm = -1};
    return session_stay(r->sessions, &last, &r->route, &r->request, now_ms);
}

/* small is adequate in 85 of 100 cases, large in 95; 20,000 tokens. */
static void decide_staying(struct rig *r, const struct stay *stay)
{
    struct question q = {.route = &r->route,
                         .request = &r->request,
                         .facts = &r->facts,
                         .prediction = &r->prediction,
                         .stay = stay,
                         .wish = {.quality = NAN, .max_cost = NAN}};

    r->facts = (struct facts){.input_tokens = 20000, .turns = 2};
    for (unsigned i = 0; i < 2; i++) {
        r->route.head[i] = (int)i;
        r->prediction.quality[i] = i ? 0.95f : 0.87f;
        r->prediction.tokens[i] = 100;
    }
    decide(&q, &r->decision);
}

static void note(struct rig *r, uint64_t key, const char *arm,
                 struct session_note n)
{
    n.arm = session_arm(arm);
    session_note(r->sessions, key, &n);
}

static void a_tool_loop_keeps_its_model_and_is_not_explored(void **state)
{
    struct rig *r = *state;
    struct stay stay;

    read_request(r, LOOP);
    note(r, 11, "large", (struct session_note){.time_ms = 1000, .input = 500});
    stay = stay_at(r, "auto", 11, 2000);
    assert_int_equal(stay.arm, 1);
    assert_true(stay.hold);
    decide_staying(r, &stay);
    assert_int_equal(r->decision.chosen, 1);
    assert_int_equal(r->decision.reason, REASON_STAY);
    assert_true(r->decision.arms[1].propensity == 1);
    stay = stay_at(r, "fast", 11, 2000);
    assert_false(stay.hold);
    decide_staying(r, &stay);
    assert_int_equal(r->decision.chosen, 0);
}

static void signed_thinking_keeps_its_model(void **state)
{
    struct rig *r = *state;
    struct part part = {.kind = PART_THINKING, .signature = SPAN_INIT("abc")};
    struct message messages[2] = {
        {.role = ROLE_ASSISTANT, .parts = &part, .n_parts = 1},
        {.role = ROLE_USER}};

    read_request(r, PLAIN);
    note(r, 13, "large", (struct session_note){.time_ms = 1000});
    assert_false(stay_at(r, "auto", 13, 1001).hold);
    r->request.messages = messages;
    r->request.n_messages = 2;
    assert_true(stay_at(r, "auto", 13, 1001).hold);
}

static void a_route_may_keep_whole_conversations(void **state)
{
    struct rig *r = *state;
    struct stay stay;

    read_request(r, PLAIN);
    note(r, 15, "large", (struct session_note){.time_ms = 1000});
    stay = stay_at(r, "sure", 15, 2000);
    assert_true(stay.hold);
    decide_staying(r, &stay);
    assert_int_equal(r->decision.chosen, 1);
    assert_int_equal(stay_at(r, "sure", 17, 2000).arm, -1);
}

static void a_change_is_charged_with_the_cache_it_loses(void **state)
{
    struct rig *r = *state;
    struct stay stay, cold;

    /* large wrote 20,000 tokens: small would cost 0.0201, large from its
     * cache 0.0063. */
    read_request(r, PLAIN);
    note(r, 19, "large",
         (struct session_note){
             .time_ms = 1000, .input = 20000, .written = 20000});
    stay = stay_at(r, "fast", 19, 60000);
    decide_staying(r, &stay);
    assert_int_equal(r->decision.chosen, 1);
    assert_true(fabs(r->decision.arms[1].cost - (20000 * 0.3 + 300) / 1e6) <
                1e-9);
    assert_true(r->decision.arms[1].cache_usd < 0);
    /* After cache_time there is nothing to lose. */
    cold = stay_at(r, "fast", 19, 1000 + 5 * 60000 + 1);
    assert_int_equal(cold.arm, 1);
    decide_staying(r, &cold);
    assert_int_equal(r->decision.chosen, 0);
    assert_true(r->decision.arms[1].cache_usd == 0);
}

static void another_arm_is_charged_for_filling_its_own_cache(void **state)
{
    struct rig *r = *state;
    struct stay stay;

    read_request(r, PLAIN);
    note(r, 21, "small",
         (struct session_note){.time_ms = 1, .input = 9000, .written = 9000});
    stay = stay_at(r, "fast", 21, 2);
    decide_staying(r, &stay);
    assert_true(fabs(r->decision.arms[1].cache_usd - 9000 * 0.75 / 1e6) < 1e-9);
}

static void a_providers_own_cache_is_counted_on_as_far_as_seen(void **state)
{
    struct rig *r = *state;

    read_request(r, PLAIN);
    note(r, 101, "small", (struct session_note){.time_ms = 1, .input = 4000});
    assert_true(stay_at(r, "fast", 101, 2).read == 0);
    /* Half of it was read the next time; so another conversation may hope. */
    note(r, 101, "small",
         (struct session_note){.time_ms = 3, .input = 5000, .read = 2000});
    assert_true(stay_at(r, "fast", 101, 4).read == 5000);
    note(r, 103, "small", (struct session_note){.time_ms = 4, .input = 8000});
    assert_true(fabs(stay_at(r, "fast", 103, 5).read - 4000) < 1);
    note(r, 105, "small", (struct session_note){.time_ms = 4, .input = 800});
    assert_true(stay_at(r, "fast", 105, 5).read == 0);
}

static void the_longest_silent_conversations_are_forgotten(void **state)
{
    struct rig *r = *state;
    unsigned kept = 0;

    read_request(r, PLAIN);
    for (uint64_t i = 0; i < 1000; i++)
        note(r, i << 8 | 1, "small",
             (struct session_note){.time_ms = (int64_t)i});
    for (uint64_t i = 936; i < 1000; i++)
        kept += stay_at(r, "fast", i << 8 | 1, 1000).arm == 0;
    assert_int_equal(kept, 64);
    assert_int_equal(stay_at(r, "fast", 1 << 8 | 1, 1000).arm, -1);
}

static void a_conversation_is_known_by_what_the_client_says(void **state)
{
    static const struct {
        const char *header, *body;
        int same; /* as the case of this index; -1: as none before */
    } cases[] = {
        {"", PLAIN, -1},
        {"s1", PLAIN, -1},
        {"s1", LOOP, 1},
        {"", ASK "],\"prompt_cache_key\":\"k\"}", -1},
        {"", ASK "],\"metadata\":{\"session_id\":\"k2\"}}", -1},
        {"", ASK "],\"metadata\":{\"other\":\"k2\"}}", 0},
    };
    struct rig *r = *state;
    struct facts f = {.session_hash = 77};
    uint64_t keys[sizeof cases / sizeof cases[0]];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_request(r, cases[i].body);
        keys[i] =
            session_key(span_of(cases[i].header), &r->request, &f, "auto");
        for (size_t k = 0; k < i; k++)
            if ((keys[k] == keys[i]) != ((int)k == cases[i].same))
                fail_msg("cases %zu and %zu", k, i);
    }
    read_request(r, PLAIN);
    assert_int_not_equal(keys[1],
                         session_key(SPAN("s1"), &r->request, &f, "fast"));
    r->request.key_name = SPAN("team");
    assert_int_not_equal(keys[1],
                         session_key(SPAN("s1"), &r->request, &f, "auto"));
    f.session_hash = 0;
    assert_int_equal(0, session_key(SPAN(""), &r->request, &f, "auto"));
}

static void *hammer(void *ctx)
{
    struct sessions *s = ctx;

    for (uint64_t i = 0; i < 20000; i++)
        session_note(s, (i * 2654435761u) | 1,
                     &(struct session_note){.arm = i % 5 + 1,
                                            .input = 2000,
                                            .read = 100,
                                            .time_ms = (int64_t)i});
    return NULL;
}

static void workers_share_the_table(void **state)
{
    struct rig *r = *state;
    pthread_t t[3];

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(0, pthread_create(&t[i], NULL, hammer, r->sessions));
    for (unsigned i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_tool_loop_keeps_its_model_and_is_not_explored, setup, teardown),
        cmocka_unit_test_setup_teardown(signed_thinking_keeps_its_model, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_route_may_keep_whole_conversations,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_change_is_charged_with_the_cache_it_loses, setup, teardown),
        cmocka_unit_test_setup_teardown(
            another_arm_is_charged_for_filling_its_own_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_providers_own_cache_is_counted_on_as_far_as_seen, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            the_longest_silent_conversations_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_conversation_is_known_by_what_the_client_says, setup, teardown),
        cmocka_unit_test_setup_teardown(workers_share_the_table, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
