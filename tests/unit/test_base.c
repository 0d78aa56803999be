/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/args.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/hist.h"
#include "base/units.h"
#include "base/utf8.h"
#include "router/digits.h"

static void times_are_written_and_read_alike(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *written;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"},
        {"2026-05-01T12:00:00Z", 1777636800000, "2026-05-01T12:00:00.000Z"},
        {"2024-02-29T23:59:59.25+02:00", 1709243999250,
         "2024-02-29T21:59:59.250Z"},
        {"1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"},
        {"2000-01-01 00:00:00-0130", 946690200000, "2000-01-01T01:30:00.000Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = 1;
        char text[32];

        assert_true(clock_parse(span_of(cases[i].text), &ms));
        assert_int_equal(ms, cases[i].ms);
        clock_format(ms, text);
        assert_string_equal(text, cases[i].written);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-05-01",
        "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-05-01T24:00:00Z",
        "2026-05-01T12:00:00",
        "2026-05-01T12:00:00Zx",
        "2026-05-01T12:00:00.Z",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (clock_parse(span_of(bad[i]), &ms))
            fail_msg("accepted '%s'", bad[i]);
    }
}

static void amounts_have_units(void **state)
{
    static const struct {
        const char *text;
        enum unit_kind kind;
        uint64_t value;
        bool good;
    } cases[] = {
        {"64", UNIT_BYTES, 64, true},
        {"32MB", UNIT_BYTES, 32000000, true},
        {"1.5 GiB", UNIT_BYTES, 1610612736, true},
        {"200ms", UNIT_MS, 200, true},
        {"2m", UNIT_MS, 120000, true},
        {"7d", UNIT_MS, 604800000, true},
        {"50us", UNIT_US, 50, true},
        {"1ms", UNIT_US, 1000, true},
        {"0", UNIT_US, 0, true},
        {"50us", UNIT_MS, 0, false},
        {"1s", UNIT_US, 0, false},
        {"10k", UNIT_COUNT, 10000, true},
        {"5s", UNIT_BYTES, 0, false},
        {"-5", UNIT_COUNT, 0, false},
        {"1.2.3", UNIT_COUNT, 0, false},
        {"999999999G", UNIT_BYTES, 0, false},
        {"", UNIT_MS, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 0;

        assert_int_equal(units_parse(span_of(cases[i].text), cases[i].kind, &v),
                         cases[i].good);
        if (cases[i].good)
            assert_int_equal(v, cases[i].value);
    }
}

static void quantiles_are_right_within_their_promise(void **state)
{
    struct hist *h = calloc(1, sizeof *h);

    (void)state;
    assert_int_equal(hist_quantile(h, 0.5), 0);
    for (uint64_t v = 1; v <= 100000; v++)
        hist_add(h, v);
    for (int q = 1; q <= 99; q++) {
        double got = (double)hist_quantile(h, q / 100.0);
        double want = q * 1000.0;

        assert_true(got >= want && got <= want * 1.032 + 1);
    }
    assert_int_equal(h->total, 100000);
    hist_add(h, UINT64_MAX);
    assert_true(hist_quantile(h, 1.0) >= UINT64_MAX - 1);
    free(h);
}

static void an_arena_keeps_its_cap(void **state)
{
    struct arena a;
    char *p;

    (void)state;
    arena_init(&a, 10000);
    p = arena_alloc(&a, 9000);
    assert_non_null(p);
    memset(p, 1, 9000);
    assert_null(arena_alloc(&a, 2000));
    assert_null(arena_zalloc(&a, SIZE_MAX / 2, 3));
    arena_reset(&a);
    p = arena_zalloc(&a, 100, 50);
    assert_non_null(p);
    assert_int_equal(p[4999], 0);
    assert_int_equal((uintptr_t)arena_alloc(&a, 3) % 16, 0);
    arena_free(&a);
}

static void a_buffer_stops_at_its_maximum_and_says_so(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_str(&b, "12345");
    buf_printf(&b, "%d", 678);
    assert_string_equal(buf_cstr(&b), "12345678");
    buf_str(&b, "abc");
    assert_true(b.failed);
    buf_char(&b, 'x');
    assert_int_equal(b.len, 8);
    buf_drop(&b, 5);
    assert_string_equal(buf_cstr(&b), "678");
    buf_reset(&b);
    assert_false(b.failed);
    buf_free(&b);
}

static void utf8_is_held_to_the_standard(void **state)
{
    (void)state;
    assert_int_equal(utf8_len("\xf0\x9f\x98\x80", 4), 4);
    assert_int_equal(utf8_len("\xf0\x9f\x98", 3), 0);
    assert_int_equal(utf8_len("\xc0\xaf", 2), 0);
    assert_int_equal(utf8_len("\xed\xa0\x80", 3), 0);
    assert_int_equal(utf8_len("\xf4\x90\x80\x80", 4), 0);
    assert_true(utf8_valid(SPAN("plain ascii and \xc3\xa9\xe2\x82\xac")));
    assert_false(utf8_valid(SPAN("0123456789abcdef\x80")));
    assert_int_equal(utf8_cut(SPAN("ab\xe2\x82\xac"), 3), 2);
    assert_int_equal(utf8_cut(SPAN("ab\xe2\x82\xac"), 5), 5);
}

/* Cuts the line at its spaces into argv; returns argc. */
static int split(char *line, char **argv)
{
    int argc = 0;

    for (char *p = line; p; argc++) {
        argv[argc] = p;
        p = strchr(p, ' ');
        if (p)
            *p++ = '\0';
    }
    argv[argc] = NULL;
    return argc;
}

static void command_lines_follow_their_table(void **state)
{
    bool flag = false;
    const char *out = NULL;
    uint64_t n = 0;
    struct arg_list data = {.n = 0};
    const struct arg list[] = {
        {"json", ARG_FLAG, &flag, NULL, "h"},
        {"out", ARG_TEXT, &out, "F", "h"},
        {"n", ARG_U64, &n, "N", "h"},
        {"data", ARG_LIST, &data, "F", "h"},
    };
    const struct args a = {"x", "", "", list, 4};
    char *argv[12];
    char good[] = "x --data a --json pos --data=b --n 7";
    char bad[] = "x --n 7x", unknown[] = "x --nope", lacking[] = "x --out";
    struct err e;
    int first;

    (void)state;
    assert_int_equal(args_parse(&a, split(good, argv), argv, &first, &e),
                     ARGS_OK);
    assert_string_equal(argv[first], "pos");
    assert_true(flag);
    assert_int_equal(n, 7);
    assert_int_equal(data.n, 2);
    assert_int_equal(args_parse(&a, split(bad, argv), argv, &first, &e),
                     ARGS_BAD);
    assert_string_equal(e.msg, "--n: wanted a whole number, found '7x'");
    assert_int_equal(args_parse(&a, split(unknown, argv), argv, &first, &e),
                     ARGS_BAD);
    assert_non_null(strstr(e.msg, "--nope"));
    assert_int_equal(args_parse(&a, split(lacking, argv), argv, &first, &e),
                     ARGS_BAD);
    assert_non_null(strstr(e.msg, "--out"));
}

static void whole_numbers_are_as_printf_writes_them(void **state)
{
    char mine[HEX_MAX + 1] = "", theirs[40];
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (uint64_t v = UINT64_MAX; v; v = v % 2 ? v - 1 : v / 10 | 1) {
        snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)v);
        buf_reset(&b);
        buf_decimal(&b, v);
        assert_string_equal(buf_cstr(&b), theirs);
        snprintf(theirs, sizeof theirs, "%016llx", (unsigned long long)v);
        hex_put(mine, v);
        assert_string_equal(mine, theirs);
        if (v == 1)
            break;
    }
    buf_reset(&b);
    buf_decimal(&b, 0);
    assert_string_equal(buf_cstr(&b), "0");
    buf_free(&b);
}

/* Amounts as rows and headers write them. */
static void amounts_keep_their_decimals(void **state)
{
    static const struct {
        double v;
        unsigned decimals;
        const char *text;
    } cases[] = {
        {0, 6, "0"},
        {1, 12, "1"},
        {0.5, 0, "1"},
        {2.5, 0, "3"},
        {0.49999999999999994, 0, "0"},
        {0.000025711777, 12, "0.000025711777"},
        {0.99999951, 6, "1"},
        {-3.125, 2, "-3.13"},
        {-0.0001, 3, "0"},
        {999999999, 9, "999999999"},
        {1e9, 1, "null"},
        {1e6, 12, "null"},
        {123456.789, 12, "123456.789"},
        {NAN, 4, "null"},
    };
    char text[DIGITS_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = digits_put(text, cases[i].v, cases[i].decimals);

        text[n] = '\0';
        assert_string_equal(text, cases[i].text);
    }
    text[digits_usd(text, -252000000)] = '\0';
    assert_string_equal(text, "-0.000252");
}

static void prints_tell_bytes_apart(void **state)
{
    char bytes[100];
    uint64_t seen[sizeof bytes + 1];

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        seen[n] = span_print((struct span){bytes, n}, 7);
        assert_true(seen[n] == span_print((struct span){bytes, n}, 7));
        assert_true(seen[n] != span_print((struct span){bytes, n}, 8));
        for (size_t i = 0; i < n; i++) {
            bytes[i] = 'b';
            assert_true(seen[n] != span_print((struct span){bytes, n}, 7));
            bytes[i] = 'a';
            assert_true(seen[i] != seen[n]);
        }
    }
}

/* A command that counts how often it ran and fails with this kind. */
struct command {
    const char *name; /* --name */
    enum err_kind kind;
    bool fails;
    int runs;
};

static bool command_run(void *options, struct err *e)
{
    struct command *c = options;

    c->runs++;
    return !c->fails || err_set(e, c->kind, "no");
}

static void a_command_ends_with_what_it_came_to(void **state)
{
    struct command c = {.kind = ERR_IO};
    const struct arg list[] = {{"name", ARG_TEXT, &c.name, "N", "a name"}};
    const struct args a = {"try", "[options]", "Tries.", list, 1};
    char name[] = "try", option[] = "--name", x[] = "x";
    char *good[] = {name, option, x, NULL}, *more[] = {name, x, NULL};

    (void)state;
    assert_int_equal(args_run(&a, 3, good, command_run, &c), 0);
    assert_string_equal(c.name, "x");
    assert_int_equal(args_run(&a, 2, good, command_run, &c), 2);
    assert_int_equal(args_run(&a, 2, more, command_run, &c), 2);
    assert_int_equal(c.runs, 1);
    c.fails = true;
    assert_int_equal(args_run(&a, 1, good, command_run, &c), 1);
    c.kind = ERR_USAGE;
    assert_int_equal(args_run(&a, 1, good, command_run, &c), 2);
    assert_int_equal(c.runs, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_ends_with_what_it_came_to),
        cmocka_unit_test(times_are_written_and_read_alike),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(amounts_have_units),
        cmocka_unit_test(quantiles_are_right_within_their_promise),
        cmocka_unit_test(an_arena_keeps_its_cap),
        cmocka_unit_test(a_buffer_stops_at_its_maximum_and_says_so),
        cmocka_unit_test(utf8_is_held_to_the_standard),
        cmocka_unit_test(command_lines_follow_their_table),
        cmocka_unit_test(whole_numbers_are_as_printf_writes_them),
        cmocka_unit_test(amounts_keep_their_decimals),
        cmocka_unit_test(prints_tell_bytes_apart),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
