/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct err e;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 22);
    e = (struct err){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static const struct conf *parse(const char *text)
{
    return conf_parse(span_of(text), "w.yaml", &arena, &e);
}

static void a_tree_knows_where_each_node_stands(void **state)
{
    const struct conf *root = parse("a: 1\nb:\n  c: [x, 'y z']\n");
    const struct conf *c = conf_get(conf_get(root, "b"), "c");

    (void)state;
    assert_non_null(c);
    assert_int_equal(c->type, CONF_LIST);
    assert_int_equal(c->line, 3);
    assert_int_equal(c->column, 6);
    assert_true(span_is(c->kids->value, "x"));
    assert_true(span_is(c->kids->next->value, "y z"));
    assert_true(c->kids->next->quoted);
    assert_null(conf_get(root, "missing"));
}

static void a_mistake_names_file_line_column_and_key(void **state)
{
    const struct conf *root = parse("a:\n  b: 12x\n  l: [1, {d: no}]\n");
    const struct conf *a = conf_get(root, "a");
    const struct conf *d;
    uint64_t n;
    double v;

    (void)state;
    assert_false(conf_u64(conf_get(a, "b"), 1, 99, &n, &e));
    assert_string_equal(e.msg, "w.yaml:2:6: a.b: wanted a whole number from "
                               "1 to 99, found '12x'");
    d = conf_get(conf_get(a, "l")->kids->next, "d");
    assert_false(conf_double(d, 0, 1, &v, &e));
    assert_string_equal(e.msg, "w.yaml:3:14: a.l[1].d: wanted a number from "
                               "0 to 1, found 'no'");
}

static void an_unknown_key_names_the_nearest_known_one(void **state)
{
    static const char *const known[] = {"listen", "workers", "log", NULL};
    const struct conf *root = parse("listen: x\nworkrs: 2\n");

    (void)state;
    assert_false(conf_known(root, known, &e));
    assert_string_equal(
        e.msg, "w.yaml:2:1: workrs: unknown key; did you mean 'workers'?");
}

static void the_environment_is_put_in(void **state)
{
    const struct conf *root;

    (void)state;
    setenv("WEIR_TEST_KEY", "s3cret", 1);
    unsetenv("WEIR_TEST_GONE");
    root = parse("k: ${WEIR_TEST_KEY}\nd: a-${WEIR_TEST_GONE:-b}-c\n");
    assert_non_null(root);
    assert_true(span_is(conf_get(root, "k")->value, "s3cret"));
    assert_true(span_is(conf_get(root, "d")->value, "a-b-c"));
    assert_null(parse("p:\n  k: ${WEIR_TEST_GONE}\n"));
    assert_non_null(strstr(e.msg, "w.yaml:2:6: "));
    assert_non_null(strstr(e.msg, "WEIR_TEST_GONE"));
}

static void what_is_no_plain_configuration_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"a: 1\na: 2\n", "stands twice"},
        {"a: &x 1\nb: *x\n", "anchors"},
        {"a: !!int 1\n", "tags"},
        {"a: [1, 2\n", "w.yaml:"},
        {"", "empty"},
        {"a: 1\n---\nb: 2\n", "one document"},
        {"? [a]\n: 1\n", "plain key"},
        {"a: \"\xff\"\n", "w.yaml:"},
        {"a:\n\t- b\n", "w.yaml:2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(parse(cases[i].text));
        if (!strstr(e.msg, cases[i].says))
            fail_msg("'%s' gave: %s", cases[i].text, e.msg);
    }
}

static void deep_nesting_is_refused(void **state)
{
    char text[200];

    (void)state;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    assert_null(parse(text));
    assert_non_null(strstr(e.msg, "deeper"));
}

static void amounts_and_words_are_read(void **state)
{
    static const char *const words[] = {"full", "features", "none", NULL};
    const struct conf *root = parse("s: 32MB\nt: 5s\nw: features\ny: on\n");
    uint64_t n;
    unsigned at;
    bool yes;

    (void)state;
    assert_true(conf_amount(conf_get(root, "s"), UNIT_BYTES, &n, &e));
    assert_int_equal(n, 32000000);
    assert_true(conf_amount(conf_get(root, "t"), UNIT_MS, &n, &e));
    assert_int_equal(n, 5000);
    assert_true(conf_word(conf_get(root, "w"), words, &at, &e));
    assert_int_equal(at, 1);
    assert_true(conf_bool(conf_get(root, "y"), &yes, &e));
    assert_true(yes);
    assert_false(conf_amount(conf_get(root, "w"), UNIT_MS, &n, &e));
    assert_string_equal(e.msg, "w.yaml:3:4: w: wanted a time such as 200ms, "
                               "5s, 2m, 1h or 7d, found 'features'");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_tree_knows_where_each_node_stands),
        T(a_mistake_names_file_line_column_and_key),
        T(an_unknown_key_names_the_nearest_known_one),
        T(the_environment_is_put_in),
        T(what_is_no_plain_configuration_is_refused),
        T(deep_nesting_is_refused),
        T(amounts_and_words_are_read),
    };

    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
