/* SPDX-License-Identifier: Apache-2.0 */
/* The mock's faults and scripts, and what its ledger says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "bench/mock_fault.h"
#include "bench/mock_ledger.h"

static void faults_are_read_wherever_they_stand(void **state)
{
    struct mock_fault f;

    (void)state;
    mock_fault_init(&f);
    mock_fault_read(&f, SPAN("status=503, retry-after=2!cut=4 gzip nonsense=1 "
                             "stall-ms=x"));
    assert_int_equal(f.status, 503);
    assert_int_equal(f.retry_after, 2);
    assert_int_equal(f.cut, 4);
    assert_int_equal(f.gzip, 1);
    assert_int_equal(f.stall_ms, -1);
    assert_true(mock_fault_by_byte(&f));
    mock_fault_read(&f, SPAN("refuse"));
    assert_int_equal(f.reset_at, 0);
}

static int64_t status_of(struct mock_script *s, const char *model,
                         uint64_t number, double seconds)
{
    struct mock_moment m = {.model = span_of(model),
                            .dialect = SPAN("openai"),
                            .number = number,
                            .hash = number * 77,
                            .seconds = seconds};
    struct mock_fault f;

    mock_fault_init(&f);
    mock_script_apply(s, &m, &f);
    return f.status;
}

static void a_scripts_first_rule_that_holds_is_done(void **state)
{
    struct err e;
    struct mock_script *s =
        mock_script_read(SPAN("seed 9  # a comment\n"
                              "\n"
                              "model=a* from=1 until=2 : status=500\n"
                              "model=b every=3 : status=503\n"
                              "model=c times=2 : status=429\n"
                              "model=d share=0.25 : status=529\n"
                              "dialect=cohere : status=418\n"
                              "model=z always : latency-ms=1"),
                         &e);
    int drawn = 0, again = 0;

    (void)state;
    assert_non_null(s);
    assert_int_equal(status_of(s, "ab", 1, 0.5), -1);
    assert_int_equal(status_of(s, "ab", 1, 1.5), 500);
    assert_int_equal(status_of(s, "b", 4, 0), -1);
    assert_int_equal(status_of(s, "b", 6, 0), 503);
    assert_int_equal(status_of(s, "c", 1, 0), 429);
    assert_int_equal(status_of(s, "c", 1, 0), 429);
    assert_int_equal(status_of(s, "c", 1, 0), -1);
    for (uint64_t i = 0; i < 1000; i++) {
        drawn += status_of(s, "d", i, 0) == 529;
        again += status_of(s, "d", i, 9) == 529;
    }
    assert_in_range(drawn, 200, 300);
    assert_int_equal(drawn, again);
    assert_int_equal(status_of(s, "z", 1, 0), -1);
    mock_script_free(s);
}

static void a_wrong_script_is_refused_by_line(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"always : status=500\nmodel=x status=1", "line 2: wanted"},
        {"sahre=1 : status=500", "line 1: no condition: 'sahre=1'"},
        {"share=2 : status=500", "share=2"},
        {"always : stauts=500", "no fault: 'stauts=500'"},
        {"always : status=many", "status=many"},
        {"seed x", "seed"},
        {"every=0 : refuse", "every=0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};

        assert_null(mock_script_read(span_of(cases[i].text), &e));
        if (!strstr(e.msg, cases[i].says))
            fail_msg("%s gave %s", cases[i].text, e.msg);
    }
}

static void the_ledger_counts_money_exactly(void **state)
{
    struct err e;
    struct mock_ledger *l = mock_ledger_new("1/3/0.5", &e);
    struct usage u = {.input = 1000, .cached = 400, .output = 10};
    struct buf out;

    (void)state;
    assert_non_null(l);
    mock_ledger_add(
        l, &(struct mock_entry){SPAN("m"), MOCK_ANSWERED, u, SPAN("")});
    mock_ledger_add(l,
                    &(struct mock_entry){SPAN("m"), MOCK_BROKEN, u, SPAN("")});
    mock_ledger_add(l,
                    &(struct mock_entry){SPAN("m"), MOCK_FAILED, u, SPAN("")});
    buf_init(&out, 1 << 16);
    mock_ledger_write(l, &out);
    /* 600 fresh at 1 USD per million, 400 at 0.5, 10 at 3 */
    assert_non_null(strstr(buf_cstr(&out), "\"cost_pico\":830000000,"));
    assert_non_null(strstr(buf_cstr(&out), "\"lost_cost_pico\":830000000"));
    assert_non_null(strstr(buf_cstr(&out), "\"errors\":1,\"broken\":1"));
    buf_free(&out);
    mock_ledger_free(l);
    assert_null(mock_ledger_new("cheap", &e));
    assert_non_null(strstr(e.msg, "cheap"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_read_wherever_they_stand),
        cmocka_unit_test(a_scripts_first_rule_that_holds_is_done),
        cmocka_unit_test(a_wrong_script_is_refused_by_line),
        cmocka_unit_test(the_ledger_counts_money_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
