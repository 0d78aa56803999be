/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/gemini_check.h"

/* lost: the first loss of the OpenAPI form, or NULL. */
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

static void schemas_lose_what_gemini_refuses_and_say_so(void **state)
{
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

/* Google's command line agent writes responseJsonSchema so. */
static void a_json_schema_may_have_the_subsets_names_of_types(void **state)
{
    const struct request *r = read_ok(
        "{\"contents\":[{}],\"tools\":[{\"functionDeclarations\":[{\"name\":"
        "\"f\",\"parametersJsonSchema\":{\"type\":\"OBJECT\",\"properties\":"
        "{\"a\":{\"type\":\"STRING\"}}}},{\"name\":\"g\","
        "\"parametersJsonSchema\":{\"type\":\"object\",\"$defs\":{}}}]}],"
        "\"generationConfig\":{\"responseJsonSchema\":{\"type\":\"OBJECT\","
        "\"properties\":{\"n\":{\"type\":\"INTEGER\"}}}}}");

    (void)state;
    assert_json(r->tools[0].schema, "{\"type\":\"object\",\"properties\":"
                                    "{\"a\":{\"type\":\"string\"}}}");
    assert_json(r->tools[1].schema, "{\"type\":\"object\",\"$defs\":{}}");
    assert_int_equal(r->params.format, FORMAT_JSON_SCHEMA);
    assert_json(r->params.schema, "{\"type\":\"object\",\"properties\":"
                                  "{\"n\":{\"type\":\"integer\"}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(schemas_lose_what_gemini_refuses_and_say_so),
        CASE(a_schema_that_refers_to_itself_ends),
        CASE(geminis_schemas_become_json_schema),
        CASE(a_json_schema_may_have_the_subsets_names_of_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
