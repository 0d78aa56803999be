/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of other dialects as Bedrock gets them, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec_aws.h"

static struct request read_request(const char *body, struct arena *a)
{
    struct request r;
    struct err e;

    if (!codec_bedrock.request_read(
            &(struct inbound){span_of(body), SPAN("m"), false}, a, &r, &e))
        fail_msg("%s: %s", body, e.msg);
    return r;
}

/* An OpenAI request, written for a model. */
static void write_for(const char *body, const char *model, struct losses *l,
                      struct buf *out)
{
    struct target t = {.model = span_of(model)};
    struct request r;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    memset(l, 0, sizeof *l);
    buf_init(out, 1 << 20);
    if (!request_from_openai(span_of(body), &a, &r, &e) ||
        !codec_bedrock.request_write(&r, &t, l, out, &e))
        fail_msg("%s: %s", body, e.msg);
    arena_free(&a);
}

/* ---- requests of others ---- */

static const struct written {
    const char *what, *model, *asked, *want;
    enum lossy loss; /* LOSSY_KINDS: none */
} written[] = {
    {"results stand in one message, in front, right behind their calls",
     "anthropic.claude-sonnet-4-5",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
     "{\"role\":\"user\",\"content\":\"q\"},"
     "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":["
     "{\"id\":\"a.1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{\\\"x\\\":1.50}\"}},"
     "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a.1\",\"content\":\"1\"},"
     "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":\"2\"},"
     "{\"role\":\"user\",\"content\":\"go\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]}",
     "{\"system\":[{\"text\":\"s\"}],\"messages\":[{\"role\":\"user\","
     "\"content\":[{\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":["
     "{\"toolUse\":{\"toolUseId\":\"weirid_a_x2e_1\",\"name\":\"f\",\"input\":"
     "{\"x\":1.50}}},{\"toolUse\":{\"toolUseId\":\"b\",\"name\":\"f\","
     "\"input\":{}}}]},{\"role\":\"user\",\"content\":[{\"toolResult\":{"
     "\"toolUseId\":\"weirid_a_x2e_1\",\"content\":[{\"text\":\"1\"}]}},"
     "{\"toolResult\":{\"toolUseId\":\"b\",\"content\":[{\"text\":\"2\"}]}},"
     "{\"text\":\"go\"}]}],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
     "\"f\",\"inputSchema\":{\"json\":{}}}}]}}",
     LOSSY_KINDS},
    {"numbers outside the range are brought into it", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"temperature\":1.5,\"max_tokens\":9,\"stop\":[\"x\",\" \"]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":1,"
     "\"stopSequences\":[\"x\"]}}",
     LOSSY_CLAMPED},
    {"several answers are one, and that is said", "amazon.nova-lite",
     "{\"model\":\"m\",\"n\":3,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}]}",
     LOSSY_N},
    {"an effort is an effort where Nova takes it", "us.amazon.nova-2-lite-v1:0",
     "{\"model\":\"m\",\"reasoning_effort\":\"low\",\"messages\":[{\"role\":"
     "\"user\",\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"additionalModelRequestFields\":{\"reasoningConfig\":{\"type\":"
     "\"enabled\",\"maxReasoningEffort\":\"low\"}}}",
     LOSSY_KINDS},
    {"thinking is not asked of models that have none", "meta.llama3",
     "{\"model\":\"m\",\"reasoning_effort\":\"low\",\"messages\":[{\"role\":"
     "\"user\",\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}]}",
     LOSSY_REASONING},
    {"a budget stays below max_tokens", "anthropic.claude-haiku-4-5",
     "{\"model\":\"m\",\"reasoning_effort\":\"high\",\"max_tokens\":2000,"
     "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"inferenceConfig\":{\"maxTokens\":2000},"
     "\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\","
     "\"budget_tokens\":1600}}}",
     LOSSY_REASONING},
    {"images are bytes, and addresses are said to be lost", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
     "{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"data:image/png;base64,AAEC\"}},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"https://example.com/a.png\"}}]}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"image\":{\"format\":"
     "\"png\",\"source\":{\"bytes\":\"AAEC\"}}}]}]}",
     LOSSY_IMAGE},
    {"arguments that are no object are kept as text", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":null,"
     "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{\\\"x\"}}]}]}",
     "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"toolUse\":{"
     "\"toolUseId\":\"a\",\"name\":\"f\",\"input\":{\"arguments\":"
     "\"{\\\"x\"}}}]}],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
     "\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}"
     "}}}}]}}",
     LOSSY_OTHER},
    {"a schema is text with JSON in it, closed as Claude wants it",
     "anthropic.claude-haiku-4-5",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
     "\"name\":\"p\",\"schema\":{\"type\":\"object\"}}}}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\","
     "\"structure\":{\"jsonSchema\":{\"schema\":\"{\\\"type\\\":"
     "\\\"object\\\",\\\"additionalProperties\\\":false}\",\"name\":\"p\"}}}}}",
     LOSSY_KINDS},
    {"a tool is asked for by its name", "amazon.nova-lite",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}],"
     "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\","
     "\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}],"
     "\"toolChoice\":{\"tool\":{\"name\":\"f\"}}}}",
     LOSSY_KINDS},
    {"seeds and the like are said to be lost", "amazon.nova-lite",
     "{\"model\":\"m\",\"seed\":1,\"messages\":[{\"role\":\"user\","
     "\"content\":\"q\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]}]}",
     LOSSY_PARAMETER},
};

static bool has_loss(const struct losses *l, enum lossy kind)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].kind == kind)
            return true;
    }
    return kind == LOSSY_KINDS && l->n == 0;
}

static void requests_of_other_dialects_are_as_bedrock_wants_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        struct losses l;
        struct buf out, said;

        write_for(written[i].asked, written[i].model, &l, &out);
        buf_init(&said, 1 << 16);
        lossy_header(&l, &said);
        if (!json_same(buf_view(&out), span_of(written[i].want)) ||
            !has_loss(&l, written[i].loss))
            fail_msg("%s: %s (%s)", written[i].what, buf_cstr(&out),
                     buf_cstr(&said));
        buf_free(&said);
        buf_free(&out);
    }
}

static void cache_points_mark_what_stands_before_them(void **state)
{
    static const char body[] =
        "{\"system\":[{\"text\":\"s\"},{\"cachePoint\":{\"type\":\"default\","
        "\"ttl\":\"1h\"}}],\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"text\":\"q\"},{\"cachePoint\":{\"type\":\"default\"}}]}]}";
    struct target t = {.model = SPAN("m")};
    struct losses l = {.n = 0};
    struct request r;
    struct arena a;
    struct buf out;
    struct err e;

    (void)state;
    arena_init(&a, 1 << 20);
    buf_init(&out, 1 << 20);
    r = read_request(body, &a);
    assert_true(span_has(r.messages[0].parts[0].cache, SPAN("1h")));
    assert_int_equal(r.messages[1].n_parts, 1);
    assert_true(r.messages[1].parts[0].cache.len);
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    assert_true(json_same(buf_view(&out), SPAN(body)));
    buf_free(&out);
    arena_free(&a);
}

static void thinking_goes_back_to_its_own_model_only(void **state)
{
    static const char body[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]},"
        "{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{"
        "\"reasoningText\":{\"text\":\"hm\",\"signature\":\"s\"}}},"
        "{\"text\":\"a\"}]},{\"role\":\"user\",\"content\":[{\"text\":"
        "\"r\"}]}],\"additionalModelRequestFields\":{\"thinking\":{\"type\":"
        "\"enabled\",\"budget_tokens\":1024}}}";
    struct target t = {.model = SPAN("claude-haiku-4-5"), .same_model = true};
    struct losses l = {.n = 0};
    struct request r;
    struct arena a;
    struct buf out;
    struct err e;

    (void)state;
    arena_init(&a, 1 << 20);
    buf_init(&out, 1 << 20);
    r = read_request(body, &a);
    assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
    assert_true(json_same(buf_view(&out), SPAN(body)));
    for (int same = 0; same < 2; same++) {
        t.same_model = false;
        t.same_dialect = same;
        buf_reset(&out);
        assert_true(codec_bedrock.request_write(&r, &t, &l, &out, &e));
        assert_false(span_has(buf_view(&out), SPAN("reasoningContent")));
        assert_true(span_has(buf_view(&out), SPAN("\"a\"")));
    }
    assert_true(has_loss(&l, LOSSY_THINKING));
    buf_free(&out);
    arena_free(&a);
}

static const struct {
    const char *body, *message;
} wrong[] = {
    {"{}", "messages: wanted an array, found nothing"},
    {"{\"messages\":[{\"role\":\"tool\",\"content\":[]}]}",
     "messages[0].role: wanted user or assistant, found a string"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":1}]}]}",
     "messages[0].content[0].text: wanted a string, found a number"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"toolResult\":{"
     "\"toolUseId\":\"a\",\"content\":[{\"text\":1}]}}]}]}",
     "messages[0].content[0].toolResult.text: wanted a string, found a "
     "number"},
    {"{\"messages\":[],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
     "false}}]}}",
     "toolConfig.tools[0].toolSpec.name: wanted a string, found a boolean"},
    {"{\"messages\":[],\"inferenceConfig\":{\"maxTokens\":\"a\"}}",
     "inferenceConfig.maxTokens: wanted a whole number of at least 0, found "
     "a string"},
};

static void wrong_types_are_named_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct request r;
        struct arena a;
        struct err e = {ERR_NONE, ""};

        arena_init(&a, 1 << 20);
        assert_false(codec_bedrock.request_read(
            &(struct inbound){span_of(wrong[i].body), SPAN("m"), false}, &a, &r,
            &e));
        assert_string_equal(e.msg, wrong[i].message);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_other_dialects_are_as_bedrock_wants_them),
        cmocka_unit_test(cache_points_mark_what_stands_before_them),
        cmocka_unit_test(thinking_goes_back_to_its_own_model_only),
        cmocka_unit_test(wrong_types_are_named_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
