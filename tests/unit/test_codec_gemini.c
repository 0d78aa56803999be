/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/codec/gemini.h"
#include "tests/unit/codec_check.h"

#include <math.h>

enum { CAP = 64 << 20 };

/* ---- helpers ---- */

static struct arena memory; /* of the running test */

static int begin_test(void **state)
{
    (void)state;
    arena_init(&memory, (size_t)1 << 30);
    return 0;
}

static int end_test(void **state)
{
    (void)state;
    arena_free(&memory);
    return 0;
}

/* "publishers/google/models/NAME:generateContent?alt=sse" -> NAME. */
static struct span model_of(struct span path, bool *stream)
{
    struct span at = {strstr(path.ptr, "models/"), 0};

    at.ptr += 7;
    while (at.ptr[at.len] && at.ptr[at.len] != ':')
        at.len++;
    *stream = strstr(path.ptr, ":streamGenerateContent") != NULL;
    return at;
}

static struct span path_of(const struct recording *r)
{
    char *path = arena_strdup(&memory, r->path);

    assert_non_null(path);
    return span_of(path);
}

static struct request *read_ok(const char *body)
{
    struct request *r = arena_zalloc(&memory, 1, sizeof *r);
    struct err e = {ERR_NONE, ""};

    assert_non_null(r);
    if (!codec_gemini.request_read(span_of(body), SPAN("gemini-2.5-flash"),
                                   false, &memory, r, &e))
        fail_msg("%s", e.msg);
    return r;
}

static struct request *read_openai(const char *body)
{
    struct request *r = arena_zalloc(&memory, 1, sizeof *r);
    struct err e = {ERR_NONE, ""};

    assert_non_null(r);
    if (!request_from_openai(span_of(body), &memory, r, &e))
        fail_msg("%s", e.msg);
    return r;
}

static struct losses lost;

static struct span written(const struct request *r, const struct target *t)
{
    struct err e = {ERR_NONE, ""};
    struct buf out;
    struct span copy;

    memset(&lost, 0, sizeof lost);
    buf_init(&out, CAP);
    if (!codec_gemini.request_write(r, t, &lost, &out, &e))
        fail_msg("%s", e.msg);
    copy = arena_copy(&memory, buf_view(&out));
    buf_free(&out);
    return copy;
}

static struct span for_model(const struct request *r, const char *model)
{
    struct target t = {.model = span_of(model)};

    return written(r, &t);
}

static bool has_lost(enum lossy kind, const char *what)
{
    for (unsigned i = 0; i < lost.n; i++) {
        if (lost.at[i].kind == kind &&
            (!what || !strcmp(lost.at[i].what, what)))
            return true;
    }
    return false;
}

static void assert_json(struct span got, const char *want)
{
    if (!json_same(got, span_of(want)))
        fail_msg("got %.*s", (int)got.len, got.ptr);
}

/* A member of a written body by its path of names; "0" is an element. */
static struct json at(struct span body, const char *path)
{
    struct span rest = span_of(path);
    struct json v;
    struct err e;

    assert_true(json_parse(body, &v, &e));
    while (rest.ptr) {
        struct span step = span_cut(&rest, '.');
        uint64_t n;
        char name[64];

        if (v.type == JSON_ARRAY && span_u64(step, &n)) {
            struct json_iter it = json_begin(&v);
            struct json one = {JSON_NONE, false, {NULL, 0}};

            for (uint64_t i = 0; i <= n; i++) {
                if (!json_next(&it, NULL, &one)) {
                    one.type = JSON_NONE;
                    break;
                }
            }
            v = one;
        } else {
            span_copy(name, sizeof name, step);
            v = json_get(&v, name);
        }
    }
    return v;
}

static void assert_at(struct span body, const char *path, const char *want)
{
    struct json v = at(body, path);

    if (v.type == JSON_NONE)
        fail_msg("%s is not in %.*s", path, (int)body.len, body.ptr);
    assert_json(v.raw, want);
}

static void assert_no(struct span body, const char *path)
{
    assert_int_equal(at(body, path).type, JSON_NONE);
}

static void gather_answer(const char *body, int status, struct gathered *g)
{
    struct err e = {ERR_NONE, ""};

    gather_init(g, &memory);
    if (!check_answer(&codec_gemini, span_of(body), status, gather_sink(g), &e))
        fail_msg("%s", e.msg);
}

static void gather_stream(struct span bytes, struct cuts cuts,
                          struct gathered *g)
{
    struct err e = {ERR_NONE, ""};

    gather_init(g, &memory);
    if (!check_stream(&codec_gemini, bytes, cuts, gather_sink(g), &e))
        fail_msg("%s", e.msg);
}

/* Chunks into a stream for a Gemini client. */
struct rewriter {
    struct gemini_writer state;
    struct request asked;
    struct losses lost;
    struct buf out;
};

static bool rewrite(void *ctx, const struct chunk *c)
{
    struct rewriter *w = ctx;

    codec_gemini.stream_write(&w->state, &w->asked, c, &w->lost, &w->out);
    return true;
}

static struct rewriter *rewriter_new(void)
{
    struct rewriter *w = arena_zalloc(&memory, 1, sizeof *w);

    assert_non_null(w);
    buf_init(&w->out, CAP);
    return w;
}

static struct span rewritten(struct rewriter *w)
{
    struct span copy = arena_copy(&memory, buf_view(&w->out));

    codec_gemini.stream_free(&w->state);
    buf_free(&w->out);
    return copy;
}

/* ---- recordings ---- */

static void each_recording(void (*look)(const struct recording *r))
{
    struct recordings all;
    struct recording r;
    unsigned n = 0;

    if (!recordings_open(&all))
        skip();
    while (recordings_next(&all, "gemini", &r)) {
        look(&r);
        arena_reset(&memory);
        n++;
    }
    recordings_close(&all);
    assert_int_equal(n, 163);
}

static void same_request(const struct recording *rec)
{
    bool stream;
    struct span path = path_of(rec), model = model_of(path, &stream), out;
    struct target t = {
        .model = model, .same_dialect = true, .same_model = true};
    struct request r;
    struct err e = {ERR_NONE, ""};

    check_that(
        codec_gemini.request_read(rec->asked, model, stream, &memory, &r, &e),
        "%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    assert_true(span_eq(r.model, model));
    out = written(&r, &t);
    check_that(json_same(out, rec->asked), "%.*s", SPAN_ARGS(rec->name));
    assert_int_equal(lost.n, 0);
}

static void recorded_requests_come_out_as_they_went_in(void **state)
{
    (void)state;
    each_recording(same_request);
}

/* Written as if the client had another dialect, read again: the same
 * conversation. */
static void crossed_request(const struct recording *rec)
{
    bool stream;
    struct span path = path_of(rec), model = model_of(path, &stream), out;
    struct target t = {.model = model, .same_model = true};
    struct request r, back;
    struct err e = {ERR_NONE, ""};
    size_t calls[2] = {0, 0}, results[2] = {0, 0}, declared = 0;

    assert_true(
        codec_gemini.request_read(rec->asked, model, stream, &memory, &r, &e));
    out = written(&r, &t);
    check_that(
        codec_gemini.request_read(out, model, stream, &memory, &back, &e),
        "%.*s: %s", SPAN_ARGS(rec->name), e.msg);
    for (int k = 0; k < 2; k++) {
        struct request *of = k ? &back : &r;

        for (size_t i = 0; i < of->n_messages; i++) {
            for (size_t j = 0; j < of->messages[i].n_parts; j++) {
                const struct part *p = &of->messages[i].parts[j];

                calls[k] += p->kind == PART_TOOL_CALL;
                results[k] += p->kind == PART_TOOL_RESULT;
            }
        }
    }
    assert_int_equal(calls[0], calls[1]);
    assert_int_equal(results[0], results[1]);
    for (size_t i = 0; i < r.n_tools; i++)
        declared += !r.tools[i].builtin;
    assert_int_equal(declared, back.n_tools);
}

static void recorded_requests_survive_the_way_through_other_dialects(void **s)
{
    (void)s;
    each_recording(crossed_request);
}

/* All texts that are no thoughts, straight from the JSON. */
static void plain_text(const struct json *answer, struct buf *out)
{
    struct json list = json_get(answer, "candidates"), c, part;
    struct json_iter i = json_begin(&list), j;

    while (json_next(&i, NULL, &c)) {
        struct json content = json_get(&c, "content"),
                    parts = json_get(&content, "parts");

        j = json_begin(&parts);
        while (parts.type == JSON_ARRAY && json_next(&j, NULL, &part)) {
            struct json thought = json_get(&part, "thought"),
                        text = json_get(&part, "text");
            struct span s;

            if (json_true(&thought) || text.type != JSON_STRING)
                continue;
            assert_true(json_text(&text, &memory, &s));
            buf_span(out, s);
        }
    }
}

static void assert_texts(const struct gathered *g, struct span want)
{
    struct buf b;

    buf_init(&b, CAP);
    for (unsigned i = 0; i < g->n_choices; i++) {
        for (struct gathered_block *k = g->choices[i].first; k; k = k->next) {
            if (k->part == PART_TEXT)
                buf_span(&b, k->text);
        }
    }
    assert_true(span_eq(buf_view(&b), want));
    buf_free(&b);
}

static void assert_total(const struct gathered *g, const struct json *answer)
{
    struct json usage = json_get(answer, "usageMetadata"),
                total = json_get(&usage, "totalTokenCount");
    int64_t n;

    if (!json_i64(&total, &n) || !g->has_usage)
        return;
    assert_int_equal(g->usage.input + g->usage.output, n);
}

/* Written for a Gemini client, whole and as a stream, and read again. */
static void assert_round_trip(struct gathered *g)
{
    struct rewriter *w = rewriter_new();
    struct request asked = {.model = SPAN_INIT("m")};
    struct gathered back;
    struct losses l = {0};
    struct buf out;
    struct span copy;

    buf_init(&out, CAP);
    codec_gemini.answer_write(g, &asked, &l, &out);
    copy = arena_copy(&memory, buf_view(&out));
    buf_free(&out);
    gather_answer(arena_strdup(&memory, copy), 200, &back);
    g->created = 0;
    back.created = 0;
    if (g->error_status == 0)
        assert_true(gathered_same(&back, g));
    assert_int_equal(l.n, 0);
    buf_free(&w->out);
}

static void whole_answer(const struct recording *rec)
{
    struct gathered g, back;
    struct rewriter *w;
    struct err e = {ERR_NONE, ""};
    struct json top;
    struct buf want;
    char *body;

    if (rec->streamed)
        return;
    body = arena_strdup(&memory, rec->answer);
    gather_answer(body, rec->status, &g);
    assert_int_equal(g.error_status >= 400, rec->status >= 400);
    if (rec->status >= 400)
        return;
    assert_true(g.ended && g.choices[0].finish != FINISH_NONE);
    assert_true(json_parse(rec->answer, &top, &e));
    buf_init(&want, CAP);
    plain_text(&top, &want);
    assert_texts(&g, buf_view(&want));
    buf_free(&want);
    assert_total(&g, &top);
    assert_round_trip(&g);
    if (json_get(&top, "candidates").type == JSON_NONE)
        return;
    w = rewriter_new();
    assert_true(check_answer(&codec_gemini, rec->answer, 200,
                             (struct chunk_sink){w, rewrite}, &e));
    gather_stream(rewritten(w), CUTS_WHOLE, &back);
    back.created = 0;
    check_that(gathered_same(&back, &g), "%.*s", SPAN_ARGS(rec->name));
    assert_int_equal(w->lost.n, 0);
}

static void recorded_whole_answers_keep_all_they_say(void **state)
{
    (void)state;
    each_recording(whole_answer);
}

static void streamed_answer(const struct recording *rec)
{
    struct gathered whole, other;
    struct rewriter *w;
    struct err e = {ERR_NONE, ""};

    if (!rec->streamed)
        return;
    gather_stream(rec->answer, CUTS_WHOLE, &whole);
    assert_true(whole.ended && whole.has_usage && whole.usage.output > 0);
    gather_stream(rec->answer, CUTS_BYTES, &other);
    assert_true(gathered_same(&other, &whole));
    for (uint64_t seed = 1; seed < 6; seed++) {
        gather_stream(rec->answer, (struct cuts){0, seed}, &other);
        assert_true(gathered_same(&other, &whole));
    }
    w = rewriter_new();
    assert_true(check_stream(&codec_gemini, rec->answer, CUTS_WHOLE,
                             (struct chunk_sink){w, rewrite}, &e));
    gather_stream(rewritten(w), (struct cuts){0, 9}, &other);
    other.created = whole.created;
    check_that(gathered_same(&other, &whole), "%.*s", SPAN_ARGS(rec->name));
    assert_round_trip(&whole);
}

static void recorded_streams_say_the_same_at_any_chunking(void **state)
{
    (void)state;
    each_recording(streamed_answer);
}

/* ---- requests: what protects clients ---- */

static void a_result_finds_the_call_that_has_its_name(void **state)
{
    static const char body[] =
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"go\"}]},"
        "{\"role\":\"model\",\"parts\":["
        "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}},"
        "{\"functionCall\":{\"name\":\"g\"}},"
        "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":2}}}]},"
        "{\"role\":\"user\",\"parts\":["
        "{\"functionResponse\":{\"name\":\"g\",\"response\":{\"output\":\"G\"}}"
        "},{\"functionResponse\":{\"name\":\"f\",\"response\":{\"x\":1}}},"
        "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"x\":2}}},"
        "{\"text\":\"and?\"}]}]}";
    const struct request *r = read_ok(body);
    const struct part *calls = r->messages[1].parts,
                      *results = r->messages[2].parts;

    (void)state;
    assert_int_equal(r->n_messages, 4);
    assert_int_equal(r->messages[2].role, ROLE_TOOL);
    assert_int_equal(r->messages[3].role, ROLE_USER);
    assert_true(span_eq(results[0].id, calls[1].id));
    assert_true(span_eq(results[1].id, calls[0].id));
    assert_true(span_eq(results[2].id, calls[2].id));
    assert_false(span_eq(calls[0].id, calls[2].id));
    assert_true(gemini_made_id(calls[0].id));
    assert_true(span_is(results[0].text.raw, "G") && !results[0].text_is_json);
    assert_true(results[1].text_is_json);
}

static void made_up_ids_do_not_reach_gemini_and_names_do(void **state)
{
    const struct request *r = read_openai(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
        "{\"role\":\"assistant\",\"tool_calls\":["
        "{\"id\":\"weirgem_00_0_0\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}},"
        "{\"id\":\"call_x\",\"type\":\"function\",\"function\":"
        "{\"name\":\"g\",\"arguments\":\"\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"call_x\",\"content\":\"plain\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"weirgem_00_0_0\","
        "\"content\":\"{\\\"ok\\\":true}\"}]}");
    struct span out = for_model(r, "gemini-2.5-flash");

    (void)state;
    assert_at(out, "contents",
              "[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},"
              "{\"role\":\"model\",\"parts\":["
              "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\": 1}}},"
              "{\"functionCall\":{\"id\":\"call_x\",\"name\":\"g\",\"args\":{}}"
              "}]},"
              "{\"role\":\"user\",\"parts\":["
              "{\"functionResponse\":{\"name\":\"f\",\"response\":"
              "{\"ok\":true}}},"
              "{\"functionResponse\":{\"id\":\"call_x\",\"name\":\"g\","
              "\"response\":{\"output\":\"plain\"}}}]}]");
    assert_int_equal(lost.n, 0);
}

static void turns_of_calls_and_results_are_in_geminis_order(void **state)
{
    const struct request *r = read_openai(
        "{\"model\":\"m\",\"messages\":["
        "{\"role\":\"assistant\",\"content\":\"hello\"},"
        "{\"role\":\"user\",\"content\":\"a\"},"
        "{\"role\":\"user\",\"content\":\"b\"},"
        "{\"role\":\"assistant\",\"tool_calls\":["
        "{\"id\":\"c1\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{}\"}},"
        "{\"id\":\"c2\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"not json\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"zz\",\"content\":\"lost\"},"
        "{\"role\":\"user\",\"content\":\"stop\"},"
        "{\"role\":\"system\",\"content\":\"late\"}]}");
    struct span out = for_model(r, "gemini-2.5-flash");

    (void)state;
    assert_at(out, "contents",
              "[{\"role\":\"user\",\"parts\":[{\"text\":\" \"}]},"
              "{\"role\":\"model\",\"parts\":[{\"text\":\"hello\"}]},"
              "{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}"
              "]},{\"role\":\"model\",\"parts\":["
              "{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{}}},"
              "{\"functionCall\":{\"id\":\"c2\",\"name\":\"f\",\"args\":"
              "{\"arguments\":\"not json\"}}}]},"
              "{\"role\":\"user\",\"parts\":["
              "{\"functionResponse\":{\"id\":\"c1\",\"name\":\"f\","
              "\"response\":{\"output\":\"1\"}}},"
              "{\"functionResponse\":{\"id\":\"c2\",\"name\":\"f\","
              "\"response\":{\"error\":\"no result was given\"}}},"
              "{\"text\":\"lost\"},{\"text\":\"stop\"}]}]");
    assert_at(out, "systemInstruction", "{\"parts\":[{\"text\":\"late\"}]}");
    assert_true(has_lost(LOSSY_ROLE, "messages[0]"));
    assert_true(has_lost(LOSSY_ROLE, "messages[5]"));
    assert_true(has_lost(LOSSY_ROLE, "messages[7]"));
    assert_true(has_lost(LOSSY_OTHER, "tool result"));
}

static const char signed_talk[] =
    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"go\"}]},"
    "{\"role\":\"model\",\"parts\":["
    "{\"text\":\"hm\",\"thought\":true},"
    "{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
    "\"thoughtSignature\":\"c2ln\"},"
    "{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]},"
    "{\"role\":\"user\",\"parts\":["
    "{\"functionResponse\":{\"name\":\"f\",\"response\":{}}},"
    "{\"functionResponse\":{\"name\":\"g\",\"response\":{}}}]}],"
    "\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"LOW\"}}}";

static void a_signature_returns_on_its_own_part_to_the_same_model(void **state)
{
    struct target t = {.model = SPAN_INIT("gemini-3-flash"),
                       .same_model = true};
    struct span out = written(read_ok(signed_talk), &t);

    (void)state;
    assert_at(out, "contents.1.parts",
              "[{\"text\":\"hm\",\"thought\":true},"
              "{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
              "\"thoughtSignature\":\"c2ln\"},"
              "{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]");
    assert_int_equal(lost.n, 0);
}

static void another_model_sees_neither_thoughts_nor_signatures(void **state)
{
    struct target t = {.model = SPAN_INIT("gemini-2.5-flash"),
                       .same_dialect = true};
    struct span out;

    (void)state;
    for (int same = 0; same < 2; same++) {
        t.same_dialect = same;
        t.model = SPAN("gemini-2.5-flash");
        out = written(read_ok(signed_talk), &t);
        assert_at(out, "contents.1.parts",
                  "[{\"functionCall\":{\"name\":\"f\",\"args\":{}}},"
                  "{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]");
        assert_at(out, "generationConfig.thinkingConfig",
                  "{\"thinkingBudget\":1024}");
        assert_true(has_lost(LOSSY_THINKING, NULL));
        assert_true(has_lost(LOSSY_SIGNATURE, NULL));
        t.model = SPAN("gemini-3-pro-preview");
        out = written(read_ok(signed_talk), &t);
        assert_at(out, "contents.1.parts",
                  "[{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
                  "\"thoughtSignature\":\"skip_thought_signature_validator\"},"
                  "{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]");
    }
}

static void thinkings_signature_goes_back_to_the_call_behind_it(void **state)
{
    struct part parts[2] = {
        {.kind = PART_THINKING,
         .text = {SPAN_INIT("hm"), false},
         .signature = SPAN_INIT("c2ln")},
        {.kind = PART_TOOL_CALL,
         .text = {SPAN_INIT("{}"), false},
         .text_is_json = true,
         .name = SPAN_INIT("f"),
         .id = SPAN_INIT("weirgem_1_0_0")},
    };
    struct message m[2] = {
        {.role = ROLE_USER},
        {.role = ROLE_ASSISTANT, .parts = parts, .n_parts = 2}};
    struct request r = {
        .messages = m, .n_messages = 2, .params = params_unsaid()};
    struct target t = {.model = SPAN_INIT("gemini-3-flash"),
                       .same_model = true};

    (void)state;
    assert_at(written(&r, &t), "contents.1.parts",
              "[{\"text\":\"hm\",\"thought\":true},"
              "{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
              "\"thoughtSignature\":\"c2ln\"}]");
}

static void errors_name_the_field(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"[]", "body: wanted an object"},
        {"{}", "contents: wanted an array"},
        {"{\"contents\":[]}", "contents: wanted at least one"},
        {"{\"contents\":[1]}", "contents[0]: wanted an object"},
        {"{\"contents\":[{\"role\":1}]}", "contents[0].role: wanted a string"},
        {"{\"contents\":[{\"role\":\"x\"}]}", "contents[0].role: wanted user"},
        {"{\"contents\":[{\"parts\":{}}]}", "contents[0].parts: wanted"},
        {"{\"contents\":[{\"parts\":[{\"text\":1}]}]}",
         "contents[0].parts[0].text: wanted a string"},
        {"{\"contents\":[{\"parts\":[{\"functionCall\":{}}]}]}",
         "contents[0].parts[0].functionCall.name: wanted"},
        {"{\"contents\":[{}],\"generationConfig\":{\"topP\":\"x\"}}",
         "generationConfig.topP: wanted a number"},
        {"{\"contents\":[{}],\"generation_config\":{\"stop_sequences\":[1]}}",
         "generationConfig.stop_sequences[0]: wanted a string"},
        {"{\"contents\":[{}],\"tools\":[{\"functionDeclarations\":[{}]}]}",
         "tools[0].functionDeclarations[0].name: wanted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request r;
        struct err e = {ERR_NONE, ""};

        assert_false(codec_gemini.request_read(
            span_of(cases[i].body), SPAN("m"), false, &memory, &r, &e));
        check_that(!strncmp(e.msg, cases[i].says, strlen(cases[i].says)),
                   "%s: %s", cases[i].body, e.msg);
    }
}

static void parameters_are_read_in_both_spellings(void **state)
{
    static const char *const bodies[] = {
        "{\"contents\":[{}],\"generationConfig\":{\"maxOutputTokens\":7,"
        "\"topK\":40,\"candidateCount\":2,\"seed\":-3,"
        "\"responseMimeType\":\"application/json\",\"thinkingConfig\":"
        "{\"thinkingBudget\":-1,\"includeThoughts\":true},\"speechConfig\":1},"
        "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\","
        "\"allowedFunctionNames\":[\"f\"]}},\"cachedContent\":\"c\"}",
        "{\"contents\":[{}],\"generation_config\":{\"max_output_tokens\":7,"
        "\"top_k\":40,\"candidate_count\":2,\"seed\":-3,"
        "\"response_mime_type\":\"application/json\",\"thinking_config\":"
        "{\"thinking_budget\":-1,\"include_thoughts\":true},"
        "\"speech_config\":1},"
        "\"tool_config\":{\"function_calling_config\":{\"mode\":\"ANY\","
        "\"allowed_function_names\":[\"f\"]}},\"cached_content\":\"c\"}",
    };

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct request *r = read_ok(bodies[i]);
        const struct params *p = &r->params;

        assert_int_equal(p->max_tokens, 7);
        assert_int_equal(p->top_k, 40);
        assert_int_equal(p->n, 2);
        assert_int_equal(p->seed, -3);
        assert_int_equal(p->format, FORMAT_JSON);
        assert_int_equal(p->thinking_budget, -2);
        assert_true(p->show_thinking);
        assert_int_equal(p->tool_choice, CHOICE_NAMED);
        assert_true(span_is(p->tool_name, "f"));
        assert_int_equal(r->n_extras, 2);
    }
}

static void parameters_are_written_within_geminis_ranges(void **state)
{
    struct request *r = read_openai(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
        "\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"\"],\"n\":9,"
        "\"temperature\":3,\"user\":\"u\"}");
    struct span out = for_model(r, "gemini-2.5-flash");

    (void)state;
    assert_at(out, "generationConfig",
              "{\"candidateCount\":8,\"temperature\":2,\"stopSequences\":"
              "[\"a\",\"b\",\"c\",\"d\",\"e\"]}");
    assert_true(has_lost(LOSSY_STOP, "stop") && has_lost(LOSSY_N, "n") &&
                has_lost(LOSSY_CLAMPED, "temperature") &&
                has_lost(LOSSY_PARAMETER, "user"));
}

static void effort_is_said_as_each_model_takes_it(void **state)
{
    static const struct {
        const char *model, *effort;
        int64_t budget;
        const char *want; /* NULL: nothing */
        bool lossy;
    } cases[] = {
        {"gemini-2.0-flash", "high", -1, NULL, true},
        {"gemini-2.5-flash", "low", -1, "{\"thinkingBudget\":1024}", false},
        {"gemini-2.5-flash", "none", -1, "{\"thinkingBudget\":0}", false},
        {"gemini-2.5-flash", "", -2, "{\"thinkingBudget\":-1}", false},
        {"gemini-2.5-pro", "none", -1, "{\"thinkingBudget\":128}", true},
        {"gemini-2.5-pro", "", 99999, "{\"thinkingBudget\":32768}", true},
        {"models/gemini-2.5-flash-lite", "", 100, "{\"thinkingBudget\":512}",
         true},
        {"gemini-3-pro", "medium", -1, "{\"thinkingLevel\":\"HIGH\"}", true},
        {"gemini-3.1-pro", "medium", -1, "{\"thinkingLevel\":\"MEDIUM\"}",
         false},
        {"gemini-3-flash", "minimal", -1, "{\"thinkingLevel\":\"MINIMAL\"}",
         false},
        {"gemini-3-flash", "", 2000, "{\"thinkingLevel\":\"MEDIUM\"}", true},
        {"gemini-3-flash", "", 8192, "{\"thinkingLevel\":\"MEDIUM\"}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request r = {.params = params_unsaid()};
        struct span out;

        r.params.reasoning = span_of(cases[i].effort);
        r.params.thinking_budget = cases[i].budget;
        out = for_model(&r, cases[i].model);
        if (cases[i].want)
            assert_at(out, "generationConfig.thinkingConfig", cases[i].want);
        else
            assert_no(out, "generationConfig.thinkingConfig");
        assert_int_equal(has_lost(LOSSY_REASONING, NULL), cases[i].lossy);
    }
}

static void images_are_sent_as_the_model_takes_them(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"data:image/webp;base64,QUJD\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"https://example.com/a.PNG?x=1\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"https://example.com/picture\"}}]}]}";
    struct span out = for_model(read_openai(body), "gemini-2.5-flash");

    (void)state;
    assert_at(out, "contents.0.parts",
              "[{\"inlineData\":{\"mimeType\":\"image/webp\",\"data\":\"QUJD\"}"
              "},{\"fileData\":{\"mimeType\":\"image/png\",\"fileUri\":"
              "\"https://example.com/a.PNG?x=1\"}}]");
    assert_true(has_lost(LOSSY_IMAGE, "messages[0]"));
    out = for_model(read_openai(body), "gemini-2.0-flash");
    assert_at(out, "contents.0.parts",
              "[{\"inlineData\":{\"mimeType\":\"image/webp\",\"data\":\"QUJD\"}"
              "}]");
}

/* ---- schemas ---- */

static void schemas_lose_what_gemini_refuses_and_say_so(void **state)
{
    static const struct {
        const char *schema, *openapi, *json;
        const char *lost; /* by the first; or NULL */
    } cases[] = {
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},"
         "\"required\":[\"a\",\"b\"],\"additionalProperties\":false}",
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},"
         "\"required\":[\"a\"]}",
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},"
         "\"required\":[\"a\",\"b\"],\"additionalProperties\":false}",
         "t.additionalProperties"},
        {"{\"const\":\"x\"}", "{\"type\":\"string\",\"enum\":[\"x\"]}",
         "{\"enum\":[\"x\"]}", NULL},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":3,\"multipleOf\":2}",
         "{\"type\":\"integer\",\"minimum\":4}",
         "{\"type\":\"integer\",\"minimum\":4}", "t.multipleOf"},
        {"{\"type\":[\"string\",\"null\"],\"format\":\"uri\"}",
         "{\"type\":\"string\",\"nullable\":true}",
         "{\"type\":[\"string\",\"null\"],\"format\":\"uri\"}", "t.format"},
        {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
         "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
         "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}", NULL},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}",
         "{\"type\":\"string\",\"nullable\":true}",
         "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", NULL},
        {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{}}",
         "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
         "{\"type\":\"array\",\"items\":{}}", "t.uniqueItems"},
        {"{\"$defs\":{\"p\":{\"type\":\"object\",\"properties\":{\"x\":"
         "{\"type\":\"number\"}}}},\"type\":\"object\",\"properties\":"
         "{\"a\":{\"$ref\":\"#/$defs/p\",\"description\":\"d\"}}}",
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\","
         "\"description\":\"d\",\"properties\":{\"x\":{\"type\":\"number\"}}}}"
         "}",
         "{\"$defs\":{\"p\":{\"type\":\"object\",\"properties\":{\"x\":"
         "{\"type\":\"number\"}}}},\"type\":\"object\",\"properties\":"
         "{\"a\":{\"$ref\":\"#/$defs/p\",\"description\":\"d\"}}}",
         NULL},
        {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":"
         "{\"type\":\"string\"}}}],\"description\":\"d\"}",
         "{\"type\":\"object\",\"description\":\"d\",\"properties\":{\"a\":"
         "{\"type\":\"string\"}}}",
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},"
         "\"description\":\"d\"}",
         NULL},
        {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"a\"}}",
         "{\"type\":\"object\"}", "{\"type\":\"object\"}", "t.propertyNames"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int json = 0; json < 2; json++) {
            struct losses l = {0};
            struct schema_target t = {json, "t", &l};
            struct buf out;

            buf_init(&out, CAP);
            gemini_schema_write(span_of(cases[i].schema), &t, &out);
            assert_json(buf_view(&out),
                        json ? cases[i].json : cases[i].openapi);
            buf_free(&out);
            if (json || !cases[i].lost)
                continue;
            assert_true(l.n > 0);
            assert_string_equal(l.at[0].what, cases[i].lost);
        }
    }
}

static void a_schema_that_refers_to_itself_ends(void **state)
{
    struct losses l = {0};
    struct schema_target t = {false, "t", &l};
    struct buf out;
    struct json v;
    struct err e;

    (void)state;
    buf_init(&out, CAP);
    gemini_schema_write(
        SPAN("{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"type\":\"object\","
             "\"properties\":{\"l\":{\"$ref\":\"#/$defs/n\"},"
             "\"r\":{\"$ref\":\"#/$defs/n\"},\"self\":{\"$ref\":\"#\"}}}}}"),
        &t, &out);
    assert_true(json_parse(buf_view(&out), &v, &e));
    assert_false(span_has(buf_view(&out), SPAN("$ref")));
    assert_string_equal(l.at[0].what, "t.$ref");
    assert_true(out.len < 20000);
    buf_free(&out);
}

static void geminis_schemas_become_json_schema(void **state)
{
    const struct request *r = read_ok(
        "{\"contents\":[{}],\"tools\":[{\"function_declarations\":[{\"name\":"
        "\"f\",\"parameters\":{\"type\":\"OBJECT\",\"properties\":{\"type\":"
        "{\"type\":\"STRING\",\"nullable\":true},\"n\":{\"type\":\"ARRAY\","
        "\"minItems\":\"2\",\"items\":{\"type\":\"NUMBER\"}}}}}]},"
        "{\"google_search\":{}}]}");

    (void)state;
    assert_int_equal(r->n_tools, 2);
    assert_json(r->tools[0].schema,
                "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":"
                "[\"string\",\"null\"]},\"n\":{\"type\":\"array\",\"minItems\":"
                "2,\"items\":{\"type\":\"number\"}}}}");
    assert_true(r->tools[1].builtin);
    assert_json(r->tools[1].raw, "{\"google_search\":{}}");
}

/* ---- answers ---- */

static void finishes_mean_what_they_say(void **state)
{
    static const struct {
        const char *parts, *reason;
        enum finish finish;
    } cases[] = {
        {"{\"text\":\"x\"}", "STOP", FINISH_STOP},
        {"{\"functionCall\":{\"name\":\"f\"}}", "STOP", FINISH_TOOLS},
        {"{\"text\":\"x\"}", "MAX_TOKENS", FINISH_LENGTH},
        {"", "SAFETY", FINISH_FILTER},
        {"", "RECITATION", FINISH_FILTER},
        {"", "BLOCKLIST", FINISH_FILTER},
        {"", "PROHIBITED_CONTENT", FINISH_FILTER},
        {"", "SPII", FINISH_FILTER},
        {"", "MALFORMED_FUNCTION_CALL", FINISH_OTHER},
        {"", "SOMETHING_NEW", FINISH_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[300];
        struct gathered g;

        snprintf(body, sizeof body,
                 "{\"candidates\":[{\"content\":{\"parts\":[%s]},"
                 "\"finishReason\":\"%s\"}]}",
                 cases[i].parts, cases[i].reason);
        gather_answer(body, 200, &g);
        assert_int_equal(g.choices[0].finish, cases[i].finish);
        assert_true(span_is(g.choices[0].finish_name, cases[i].reason));
    }
}

static void a_blocked_prompt_is_a_filtered_answer(void **state)
{
    struct gathered g;

    (void)state;
    gather_answer("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},"
                  "\"usageMetadata\":{\"promptTokenCount\":4}}",
                  200, &g);
    assert_true(g.ended);
    assert_int_equal(g.choices[0].finish, FINISH_FILTER);
    assert_int_equal(g.usage.input, 4);
}

static void usage_counts_thoughts_and_tools_once(void **state)
{
    struct gathered g;

    (void)state;
    gather_answer("{\"candidates\":[{\"finishReason\":\"STOP\"}],"
                  "\"usageMetadata\":{\"promptTokenCount\":85,"
                  "\"candidatesTokenCount\":122,\"totalTokenCount\":443,"
                  "\"cachedContentTokenCount\":20,"
                  "\"toolUsePromptTokenCount\":149,\"thoughtsTokenCount\":87}}",
                  200, &g);
    assert_int_equal(g.usage.input, 234);
    assert_int_equal(g.usage.cached, 20);
    assert_int_equal(g.usage.output, 209);
    assert_int_equal(g.usage.reasoning, 87);
}

static void errors_are_read_and_written_in_googles_shape(void **state)
{
    static const char body[] =
        "{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":"
        "\"RESOURCE_EXHAUSTED\"}}";
    struct request asked = {.model = SPAN_INIT("m")};
    struct losses l = {0};
    struct gathered g;
    struct buf out;

    (void)state;
    gather_answer(body, 429, &g);
    assert_int_equal(g.error_status, 429);
    assert_true(span_is(g.error_type, "RESOURCE_EXHAUSTED"));
    buf_init(&out, CAP);
    codec_gemini.answer_write(&g, &asked, &l, &out);
    assert_json(buf_view(&out), body);
    buf_free(&out);
    gather_answer("<html>bad gateway</html>", 502, &g);
    assert_int_equal(g.error_status, 502);
}

static void an_error_in_mid_stream_reaches_the_client_as_one(void **state)
{
    struct span in = SPAN(
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}"
        "\r\n\r\ndata: {\"error\":{\"code\":503,\"message\":\"over\","
        "\"status\":\"UNAVAILABLE\"}}\r\n\r\n");
    struct rewriter *w = rewriter_new();
    struct gathered g;
    struct err e;

    (void)state;
    gather_stream(in, CUTS_BYTES, &g);
    assert_int_equal(g.error_status, 503);
    assert_false(g.ended);
    assert_true(check_stream(&codec_gemini, in, CUTS_WHOLE,
                             (struct chunk_sink){w, rewrite}, &e));
    gather_stream(rewritten(w), CUTS_WHOLE, &g);
    assert_int_equal(g.error_status, 503);
    assert_true(span_is(g.error_message, "over"));
}

static void a_cut_stream_is_an_error_and_no_stop(void **state)
{
    struct gathered g;

    (void)state;
    gather_stream(SPAN("data: {\"candidates\":[{\"content\":{\"parts\":"
                       "[{\"text\":\"a\"}]}}]}\n\n"),
                  CUTS_WHOLE, &g);
    assert_int_equal(g.error_status, 502);
    assert_int_equal(g.choices[0].finish, FINISH_NONE);
}

static void a_stop_with_each_event_is_one_finish(void **state)
{
    struct gathered g;

    (void)state;
    gather_stream(
        SPAN("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}"
             "]},\"finishReason\":\"STOP\"}]}\n\n"
             "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}"
             "]},\"finishReason\":\"STOP\"}]}\n\n"),
        CUTS_WHOLE, &g);
    assert_true(g.ended);
    assert_true(span_is(g.choices[0].first->text, "ab"));
    assert_null(g.choices[0].first->next);
}

static void a_stream_without_frames_is_an_array(void **state)
{
    struct gathered g;

    (void)state;
    gather_answer("[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}"
                  "]}}]},\r\n{\"candidates\":[{\"content\":{\"parts\":["
                  "{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}]",
                  200, &g);
    assert_true(g.ended && span_is(g.choices[0].first->text, "ab"));
}

static void candidates_are_kept_apart(void **state)
{
    struct gathered g;

    (void)state;
    gather_stream(
        SPAN("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}"
             "]}},{\"index\":1,\"content\":{\"parts\":[{\"text\":\"x\"}]},"
             "\"finishReason\":\"STOP\"}]}\n\n"
             "data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":["
             "{\"text\":\"b\"}]},\"finishReason\":\"MAX_TOKENS\"}]}\n\n"),
        CUTS_BYTES, &g);
    assert_int_equal(g.n_choices, 2);
    assert_true(span_is(g.choices[0].first->text, "ab"));
    assert_true(span_is(g.choices[1].first->text, "x"));
    assert_int_equal(g.choices[0].finish, FINISH_LENGTH);
    assert_int_equal(g.choices[1].finish, FINISH_STOP);
}

/* What another provider's answer is to a Gemini client. */
static void a_call_in_pieces_is_written_whole_on_one_line(void **state)
{
    static const struct chunk chunks[] = {
        {.kind = CHUNK_START, .id = SPAN_INIT("i"), .name = SPAN_INIT("gpt")},
        {.kind = CHUNK_OPEN,
         .part = PART_TOOL_CALL,
         .id = SPAN_INIT("call_1"),
         .name = SPAN_INIT("f")},
        {.kind = CHUNK_TEXT, .part = PART_TOOL_CALL, .text = SPAN_INIT("{\n")},
        {.kind = CHUNK_TEXT,
         .part = PART_TOOL_CALL,
         .text = SPAN_INIT(" \"a\\n\": 1}")},
        {.kind = CHUNK_CLOSE, .part = PART_TOOL_CALL},
        {.kind = CHUNK_USAGE,
         .has_usage = true,
         .usage = {.input = 9, .output = 5, .reasoning = 2}},
        {.kind = CHUNK_FINISH, .finish = FINISH_TOOLS},
        {.kind = CHUNK_END},
    };
    struct rewriter *w = rewriter_new();
    struct span out, event, rest;

    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        rewrite(w, &chunks[i]);
    out = rewritten(w);
    rest = out;
    event = span_cut(&rest, '\n');
    assert_true(span_starts(event, "data: "));
    assert_json((struct span){event.ptr + 6, event.len - 6},
                "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":"
                "{\"id\":\"call_1\",\"name\":\"f\",\"args\":{\"a\\n\":1}}}],"
                "\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"gpt\","
                "\"responseId\":\"i\"}");
    rest.ptr++;
    rest.len--;
    event = span_cut(&rest, '\n');
    assert_json((struct span){event.ptr + 6, event.len - 6},
                "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],"
                "\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
                "\"usageMetadata\":{\"promptTokenCount\":9,"
                "\"candidatesTokenCount\":3,\"totalTokenCount\":14,"
                "\"thoughtsTokenCount\":2},\"modelVersion\":\"gpt\","
                "\"responseId\":\"i\"}");
}

static void arguments_that_are_no_object_are_kept_and_counted(void **state)
{
    struct gathered_block b = {.part = PART_TOOL_CALL,
                               .name = SPAN_INIT("f"),
                               .text = SPAN_INIT("{\"a\":")};
    struct gathered g = {.n_choices = 1, .ended = true};
    struct request asked = {.model = SPAN_INIT("m")};
    struct losses l = {0};
    struct buf out;

    (void)state;
    g.choices[0].first = &b;
    g.choices[0].finish = FINISH_TOOLS;
    buf_init(&out, CAP);
    codec_gemini.answer_write(&g, &asked, &l, &out);
    assert_at(buf_view(&out), "candidates.0.content.parts.0.functionCall.args",
              "{\"arguments\":\"{\\\"a\\\":\"}");
    assert_int_equal(l.n, 1);
    buf_free(&out);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(recorded_requests_come_out_as_they_went_in),
        CASE(recorded_requests_survive_the_way_through_other_dialects),
        CASE(recorded_whole_answers_keep_all_they_say),
        CASE(recorded_streams_say_the_same_at_any_chunking),
        CASE(a_result_finds_the_call_that_has_its_name),
        CASE(made_up_ids_do_not_reach_gemini_and_names_do),
        CASE(turns_of_calls_and_results_are_in_geminis_order),
        CASE(a_signature_returns_on_its_own_part_to_the_same_model),
        CASE(another_model_sees_neither_thoughts_nor_signatures),
        CASE(thinkings_signature_goes_back_to_the_call_behind_it),
        CASE(errors_name_the_field),
        CASE(parameters_are_read_in_both_spellings),
        CASE(parameters_are_written_within_geminis_ranges),
        CASE(effort_is_said_as_each_model_takes_it),
        CASE(images_are_sent_as_the_model_takes_them),
        CASE(schemas_lose_what_gemini_refuses_and_say_so),
        CASE(a_schema_that_refers_to_itself_ends),
        CASE(geminis_schemas_become_json_schema),
        CASE(finishes_mean_what_they_say),
        CASE(a_blocked_prompt_is_a_filtered_answer),
        CASE(usage_counts_thoughts_and_tools_once),
        CASE(errors_are_read_and_written_in_googles_shape),
        CASE(an_error_in_mid_stream_reaches_the_client_as_one),
        CASE(a_cut_stream_is_an_error_and_no_stop),
        CASE(a_stop_with_each_event_is_one_finish),
        CASE(a_stream_without_frames_is_an_array),
        CASE(candidates_are_kept_apart),
        CASE(a_call_in_pieces_is_written_whole_on_one_line),
        CASE(arguments_that_are_no_object_are_kept_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
