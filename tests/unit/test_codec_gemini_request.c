/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/gemini_check.h"

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
            &(struct inbound){span_of(cases[i].body), SPAN("m"), false},
            &memory, &r, &e));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
