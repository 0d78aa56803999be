/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <dirent.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json_same.h"

#define SUITE "/usr/share/json-schema-test-suite/tests/draft7"

struct fixture {
    struct arena arena;
    struct err e;
};

static struct json parsed(const char *text)
{
    struct json v;
    struct err e;

    assert_true(json_parse(span_of(text), &v, &e));
    return v;
}

static enum fit fit_of(struct fixture *f, const char *schema, const char *value)
{
    struct json s = parsed(schema), v = parsed(value);

    arena_reset(&f->arena);
    f->e.msg[0] = '\0';
    return json_fits(&s, &v, &f->arena, &f->e);
}

static int setup(void **state)
{
    static struct fixture f;

    arena_init(&f.arena, 1 << 22);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(&f->arena);
    return 0;
}

static void values_are_the_same_however_they_are_written(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{\"a\":1,\"b\":[true]}", "{ \"b\" : [ true ], \"\\u0061\":1.0 }",
         true},
        {"\"\\u00e9\"", "\"\xc3\xa9\"", true},
        {"1e2", "100", true},
        {"-0", "0", true},
        {"9007199254740993", "9007199254740992", false},
        {"9007199254740993", "9007199254740993", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", false},
        {"1", "\"1\"", false},
        {"null", "false", false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json a = parsed(cases[i].a), b = parsed(cases[i].b);

        arena_reset(&f->arena);
        if (json_same(&a, &b, &f->arena) != cases[i].same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
}

static void says_where_and_what_does_not_fit(void **state)
{
    static const struct {
        const char *schema, *value, *says;
    } cases[] = {
        {"{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}",
         "{\"n\":1.5}", "$.n: wanted type integer, found a number"},
        {"{\"required\":[\"city\"]}", "{}", "$: wanted the member \"city\""},
        {"{\"items\":{\"enum\":[1,2]}}", "[1,3]", "$[1]: wanted one of [1,2]"},
        {"{\"additionalProperties\":false,\"properties\":{\"a\":{}}}",
         "{\"a\":1,\"b\":2}", "$.b: wanted nothing here"},
        {"{\"type\":\"STRING\",\"nullable\":true}", "7",
         "$: wanted type STRING, found a number"},
        {"{\"$ref\":\"#/$defs/p\",\"$defs\":{\"p\":{\"minLength\":2}}}",
         "\"\xc3\xa9\"", "$: wanted a length from 2, found a string"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(FITS_NOT, fit_of(f, cases[i].schema, cases[i].value));
        if (!strstr(f->e.msg, cases[i].says))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].says, f->e.msg);
    }
}

static void a_schema_that_explodes_ends_undecided(void **state)
{
    static const char deep[] =
        "{\"$defs\":{\"a\":{\"anyOf\":[{\"items\":{\"$ref\":\"#/$defs/a\"},"
        "\"minItems\":9},{\"items\":{\"$ref\":\"#/$defs/a\"},\"minItems\":9}]}}"
        ",\"$ref\":\"#/$defs/a\"}";
    struct fixture *f = *state;

    assert_int_equal(FITS_UNKNOWN, fit_of(f, "{\"$ref\":\"#\"}", "1"));
    assert_int_equal(FITS_UNKNOWN,
                     fit_of(f, "{\"$ref\":\"https://example.com/x\"}", "1"));
    assert_int_equal(
        FITS_UNKNOWN,
        fit_of(f, deep, "[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]"));
}

/* What this checker leaves to others. */
static bool left_out(const char *file, struct span about)
{
    static const char *const files[] = {"pattern.json",
                                        "patternProperties.json", "format.json",
                                        "refRemote.json", "definitions.json"};
    static const char *const groups[] = {
        "ref overrides any sibling keywords",
        "properties, patternProperties, additionalProperties interaction",
        "additionalProperties being false does not allow other properties",
        "non-ASCII pattern with additionalProperties",
        "property named $ref that is not a reference",
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!strcmp(file, files[i]))
            return true;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (span_is(about, groups[i]))
            return true;
    return false;
}

struct tally {
    unsigned right, wrong, undecided;
};

static void run_group(struct fixture *f, const char *file,
                      const struct json *group, struct tally *t)
{
    struct json schema = json_get(group, "schema"),
                tests = json_get(group, "tests"),
                about = json_get(group, "description"), test;
    struct json_iter it = json_begin(&tests);

    while (json_next(&it, NULL, &test)) {
        struct json data = json_get(&test, "data"),
                    valid = json_get(&test, "valid");
        enum fit fit;

        arena_reset(&f->arena);
        fit = json_fits(&schema, &data, &f->arena, &f->e);
        if (fit == FITS_UNKNOWN) {
            t->undecided++;
        } else if ((fit == FITS) == json_true(&valid)) {
            t->right++;
        } else {
            t->wrong++;
            print_message("%s: %.*s: %.*s\n", file,
                          SPAN_ARGS(json_inner(&about)), SPAN_ARGS(data.raw));
        }
    }
}

static void run_file(struct fixture *f, const char *name, struct tally *t)
{
    char path[512];
    struct buf text;
    struct json all, group, about;
    struct json_iter it;

    snprintf(path, sizeof path, SUITE "/%s", name);
    buf_init(&text, 1 << 20);
    assert_true(file_read(path, &text, &f->e));
    assert_true(json_parse((struct span){text.ptr, text.len}, &all, &f->e));
    it = json_begin(&all);
    while (json_next(&it, NULL, &group)) {
        about = json_get(&group, "description");
        if (!left_out(name, json_inner(&about)))
            run_group(f, name, &group, t);
    }
    buf_free(&text);
}

static void agrees_with_the_standards_own_test_suite(void **state)
{
    struct fixture *f = *state;
    struct tally t = {0};
    DIR *dir = opendir(SUITE);

    if (!dir) {
        print_message("no " SUITE " here: skipped\n");
        skip();
    }
    for (struct dirent *d; (d = readdir(dir));)
        if (strstr(d->d_name, ".json"))
            run_file(f, d->d_name, &t);
    closedir(dir);
    print_message("%u right, %u wrong, %u undecided\n", t.right, t.wrong,
                  t.undecided);
    assert_int_equal(t.wrong, 0);
    assert_true(t.right > 350);
    assert_true(t.undecided < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_the_same_however_they_are_written),
        cmocka_unit_test(says_where_and_what_does_not_fit),
        cmocka_unit_test(a_schema_that_explodes_ends_undecided),
        cmocka_unit_test(agrees_with_the_standards_own_test_suite),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
