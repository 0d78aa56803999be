/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other gateways have paid for, each with the test that protects from
 * it; those that stand nowhere else stand here.  The list is checked: a test
 * that is renamed or taken out is missed.
 */
#include "tests/unit/codec_check.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UNIT(name) "tests/unit/test_" name ".c"
#define WIRE(name) "tests/wire/" name ".py"

static const struct {
    int number;
    const char *pitfall, *file, *test;
} PITFALLS[] = {
    {1, "blocks stop twice or never, or are empty", UNIT("codec_anthropic"),
     "blocks_start_and_stop_once_and_are_never_empty"},
    {2, "arguments only in the done event", UNIT("codec_openai_cases"),
     "arguments_may_come_in_the_done_event_only"},
    {3, "usage of start and end added together", UNIT("pitfalls"),
     "usage_of_start_and_end_is_not_added"},
    {4, "zero input tokens for Anthropic's clients", UNIT("codec_anthropic"),
     "a_client_never_sees_usage_of_0"},
    {5, "a cut stream taken for a stop", UNIT("codec_openai_cases"),
     "a_stream_cut_short_is_an_error_not_a_stop"},
    {5, "and on the wire, with its row", WIRE("dialects"),
     "a_stream_that_is_cut_is_an_error_and_the_row_says_so"},
    {6, "an error in mid-stream that the client cannot see", WIRE("dialects"),
     "an_error_in_mid_stream_is_an_error_of_the_clients_dialect"},
    {7, "lines and letters cut by the network", UNIT("sse"),
     "a_stream_is_the_same_however_it_is_cut"},
    {7, "lines of megabytes", UNIT("sse"),
     "lines_of_megabytes_pass_and_too_long_ones_fail"},
    {8, "a repeated stop runs a tool twice", UNIT("codec_openai_cases"),
     "a_repeated_finish_ends_a_call_once"},
    {8, "likewise from Bedrock", UNIT("codec_bedrock"),
     "a_repeated_stop_does_not_end_a_call_twice"},
    {9, "thinking sent to another model", UNIT("codec_openai_cases"),
     "thinking_goes_back_to_its_own_model_only"},
    {9, "thinking and signatures changed on their way", UNIT("codec_anthropic"),
     "ids_and_signatures_come_back_as_they_were"},
    {10, "a signature lost from its call", UNIT("codec_gemini_request"),
     "a_signature_returns_on_its_own_part_to_the_same_model"},
    {11, "cache_control lost", UNIT("pitfalls"), "cache_control_survives"},
    {11, "and on the wire, by each provider", WIRE("pitfalls"),
     "cache_control_reaches_whoever_has_it_and_is_named_where_nobody_does"},
    {12, "ids that the target refuses", UNIT("codec_anthropic"),
     "ids_and_signatures_come_back_as_they_were"},
    {13, "schemas that Gemini refuses", UNIT("codec_gemini_schema"),
     "schemas_lose_what_gemini_refuses_and_say_so"},
    {14, "Gemini's order of calls and results", UNIT("codec_gemini_request"),
     "turns_of_calls_and_results_are_in_geminis_order"},
    {15, "efforts sent to models without", UNIT("codec_gemini_request"),
     "effort_is_said_as_each_model_takes_it"},
    {15, "likewise Claude", UNIT("codec_anthropic"),
     "requests_of_others_are_what_the_model_takes"},
    {16, "parameters dropped in silence", UNIT("codec_openai_cases"),
     "refused_parameters_are_named_never_silent"},
    {16, "by the route's policy", WIRE("dialects"),
     "what_is_lost_is_told_dropped_or_refused_by_the_route"},
    {17, "huge bodies fail", UNIT("pitfalls"), "huge_bodies_are_translated"},
    {18, "a fallback asked for by the route's name", WIRE("serve"),
     "a_rate_limit_is_passed_over"},
    {18, "by two routes of one model", WIRE("pitfalls"),
     "a_fallback_is_known_by_its_model_whatever_the_route_is_called"},
    {19, "a fallback to a smaller window", UNIT("decide"),
     "a_fallback_keeps_to_the_window_that_is_needed"},
    {20, "steps of price, cached tokens priced as fresh", UNIT("registry"),
     "costs_are_exact_to_the_pico_usd"},
    {21, "a client that left goes on costing", WIRE("dialects"),
     "a_client_that_leaves_stops_its_provider"},
    {22, "spend lost with the database", UNIT("outlog"),
     "a_locked_database_does_not_stop_the_rows"},
    {23, "budgets overrun", UNIT("decide"),
     "a_budget_is_held_from_the_first_request_on"},
    {23, "tokens of a key overrun", UNIT("gate"),
     "tokens_are_charged_behind_and_waited_for"},
    {23, "by many requests at once, a route's", WIRE("pitfalls"),
     "requests_at_once_do_not_overrun_a_routes_budget"},
    {23, "a key's", WIRE("gate"),
     "requests_at_once_do_not_overrun_a_keys_limits"},
    {24, "memory of the server that grows", WIRE("pitfalls"),
     "memory_of_the_server_stays_as_it_was"},
    {24, "memory that grows", UNIT("pitfalls"), "memory_stays_as_it_was"},
    {25, "arguments that are no JSON where there are none", UNIT("pitfalls"),
     "a_call_without_arguments_has_an_object"},
};

static struct err e;

static bool stands_in(const char *file, const char *test)
{
    char line[1024], c[200], py[200];
    bool found = false;
    FILE *f = fopen(file, "r");

    snprintf(c, sizeof c, "%s(void **state)", test); /* used, or no build */
    snprintf(py, sizeof py, "def %s():", test);
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, c) || strstr(line, py);
    if (f)
        fclose(f);
    return found;
}

static void each_pitfall_has_its_test(void **state)
{
    bool seen[25] = {false};

    (void)state;
    for (size_t i = 0; i < sizeof PITFALLS / sizeof PITFALLS[0]; i++) {
        check_that(stands_in(PITFALLS[i].file, PITFALLS[i].test),
                   "%d, %s: %s has no test %s", PITFALLS[i].number,
                   PITFALLS[i].pitfall, PITFALLS[i].file, PITFALLS[i].test);
        if (PITFALLS[i].number < 25)
            seen[PITFALLS[i].number] = true;
    }
    for (int i = 1; i < 25; i++)
        check_that(seen[i], "pitfall %d has no test", i);
}

/* ---- streams ---- */

struct writer {
    const struct codec *codec;
    const struct request *asked;
    struct losses lost;
    struct buf out;
    void *state; /* (owned) */
};

static bool write_chunk(void *ctx, const struct chunk *c)
{
    struct writer *w = ctx;

    w->codec->stream_write(w->state, w->asked, c, &w->lost, &w->out);
    return true;
}

/* The stream as the client's codec writes it, into w->out. */
static void translate(const struct codec *from, const char *stream,
                      struct writer *w)
{
    struct arena kept;

    arena_init(&kept, 1 << 20);
    buf_init(&w->out, 1 << 20);
    w->state = calloc(1, w->codec->writer_size + 1);
    if (w->codec->writer_start)
        w->codec->writer_start(w->state, &kept);
    check_that(check_stream(from, span_of(stream), CUTS_WHOLE,
                            (struct chunk_sink){w, write_chunk}, &e),
               "%s", e.msg);
    if (w->codec->stream_free)
        w->codec->stream_free(w->state);
    free(w->state);
    arena_free(&kept);
}

#define EVENT(name, rest)                                                      \
    "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"

static const char SPOKEN[] = EVENT(
    "message_start",
    ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"
    "\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{"
    "\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":3}}")
    EVENT("content_block_start",
          ",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\","
          "\"name\":\"now\",\"input\":{}}")
        EVENT("content_block_stop", ",\"index\":0")
            EVENT("message_delta",
                  ",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{"
                  "\"input_tokens\":10,\"cache_read_input_tokens\":5,"
                  "\"output_tokens\":7}") EVENT("message_stop", "");

/* As Cohere has it, no delta says a word of the arguments. */
static const char CALLED[] =
    "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{"
    "\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\","
    "\"function\":{\"name\":\"now\",\"arguments\":\"\"}}]}}]}\n\n"
    "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,"
    "\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";

static void usage_of_start_and_end_is_not_added(void **state)
{
    struct gathered g;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    gather_init(&g, &a);
    assert_true(check_stream(&codec_anthropic, span_of(SPOKEN), CUTS_WHOLE,
                             gather_sink(&g), &e));
    assert_int_equal(g.usage.input, 15);
    assert_int_equal(g.usage.cached, 5);
    assert_int_equal(g.usage.output, 7);
    arena_free(&a);
}

static void a_call_without_arguments_has_an_object(void **state)
{
    static const char *const wanted[][2] = {
        {"openai", "\"arguments\":\"{}\""},
        {"responses", "\"arguments\":\"{}\""},
        {"gemini", "\"args\":{}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct request asked = {.params = params_unsaid()};
        struct writer w = {.codec = codec_find(wanted[i][0]), .asked = &asked};

        translate(&codec_openai, CALLED, &w);
        check_that(strstr(buf_cstr(&w.out), wanted[i][1]), "%s: %s",
                   wanted[i][0], buf_cstr(&w.out));
        buf_free(&w.out);
    }
}

/* The sanitizers' allocator counts for itself. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    return __sanitizer_get_current_allocated_bytes
               ? __sanitizer_get_current_allocated_bytes()
               : mallinfo2().uordblks;
}

static void memory_stays_as_it_was(void **state)
{
    static const char *const clients[] = {"openai", "responses", "gemini"};
    size_t before = 0, after;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct request asked = {.params = params_unsaid()};
        struct writer w = {.codec = codec_find(clients[i % 3]),
                           .asked = &asked};

        translate(&codec_anthropic, SPOKEN, &w);
        buf_free(&w.out);
        if (i == 300)
            before = allocated();
    }
    after = allocated();
    check_that(after <= before + 4096, "%zu bytes, then %zu", before, after);
}

/* ---- requests ---- */

static void write_for(const struct codec *from, struct span body,
                      const struct codec *to, const struct target *t,
                      struct buf *out)
{
    struct inbound in = {body, SPAN("m"), false};
    struct losses lost = {0};
    struct request r;
    struct arena a;

    arena_init(&a, (size_t)256 << 20);
    buf_init(out, (size_t)256 << 20);
    check_that(from->request_read(&in, &a, &r, &e), "%s", e.msg);
    check_that(to->request_write(&r, t, &lost, out, &e), "%s", e.msg);
    check_that(!lost.n, "lost %s", lost.at[0].what);
    arena_free(&a);
}

static void cache_control_survives(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{"
        "\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]}]}";
    struct target t = {.model = SPAN("claude-sonnet-4-5")};
    struct buf out;

    (void)state;
    write_for(&codec_openai, span_of(body), &codec_anthropic, &t, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"cache_control\":{\"type\":"
                                           "\"ephemeral\",\"ttl\":\"1h\"}"));
    buf_free(&out);
    t.same_dialect = true;
    write_for(&codec_anthropic, span_of(body), &codec_anthropic, &t, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"ttl\":\"1h\""));
    buf_free(&out);
}

static void huge_bodies_are_translated(void **state)
{
    enum { HUGE = 24 << 20 };
    static const char *const targets[] = {"responses", "anthropic", "gemini",
                                          "bedrock", "cohere"};
    struct buf body, out;
    char *room;

    (void)state;
    buf_init(&body, HUGE + 4096);
    buf_str(&body, "{\"model\":\"m\",\"max_tokens\":100,\"messages\":[{"
                   "\"role\":\"user\",\"content\":\"");
    room = buf_room(&body, HUGE);
    assert_non_null(room);
    memset(room, 'x', HUGE);
    body.len += HUGE;
    buf_str(&body, "\"}]}");
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct target t = {.model = SPAN("m")};

        write_for(&codec_openai, buf_view(&body), codec_find(targets[i]), &t,
                  &out);
        assert_true(out.len > HUGE);
        buf_free(&out);
    }
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pitfall_has_its_test),
        cmocka_unit_test(usage_of_start_and_end_is_not_added),
        cmocka_unit_test(a_call_without_arguments_has_an_object),
        cmocka_unit_test(memory_stays_as_it_was),
        cmocka_unit_test(cache_control_survives),
        cmocka_unit_test(huge_bodies_are_translated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
