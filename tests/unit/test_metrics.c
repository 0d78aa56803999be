/* SPDX-License-Identifier: Apache-2.0 */
#include "router/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void has(const struct buf *b, const char *text)
{
    if (!strstr(b->ptr, text))
        fail_msg("no \"%s\" in\n%s", text, b->ptr);
}

static void workers_are_added_up(void **state)
{
    static const struct span labels[] = {SPAN_INIT("auto"), SPAN_INIT("nano"),
                                         SPAN_INIT("2xx")};
    struct metrics *m = metrics_new(3);
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (unsigned w = 0; w < 3; w++)
        metrics_count(metrics_shard(m, w), METRIC_REQUESTS, labels, w + 1);
    metrics_render(m, &b);
    has(&b, "weir_requests_total{route=\"auto\",arm=\"nano\","
            "status=\"2xx\"} 6\n");
    has(&b, "# TYPE weir_requests_total counter\n");
    has(&b, "weir_log_errors_total 0\n");
    buf_free(&b);
    metrics_free(m);
}

static void money_is_exact_to_the_picodollar(void **state)
{
    static const struct span labels[] = {SPAN_INIT("auto"), SPAN_INIT("nano")};
    struct metrics *m = metrics_new(1);
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    metrics_count(metrics_shard(m, 0), METRIC_COST, labels, 1234567890123);
    metrics_render(m, &b);
    has(&b, "weir_cost_usd_total{route=\"auto\",arm=\"nano\"} "
            "1.234567890123\n");
    buf_free(&b);
    metrics_free(m);
}

static void histograms_are_cumulative(void **state)
{
    static const struct span route[] = {SPAN_INIT("auto")};
    struct metrics *m = metrics_new(2);
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    metrics_observe(metrics_shard(m, 0), METRIC_REQUEST_SECONDS, route, 7000);
    metrics_observe(metrics_shard(m, 1), METRIC_REQUEST_SECONDS, route, 700000);
    metrics_observe(metrics_shard(m, 1), METRIC_REQUEST_SECONDS, route,
                    1000000000);
    metrics_render(m, &b);
    has(&b, "weir_request_seconds_bucket{route=\"auto\",le=\"0.005\"} 0\n");
    has(&b, "weir_request_seconds_bucket{route=\"auto\",le=\"0.01\"} 1\n");
    has(&b, "weir_request_seconds_bucket{route=\"auto\",le=\"1\"} 2\n");
    has(&b, "weir_request_seconds_bucket{route=\"auto\",le=\"+Inf\"} 3\n");
    has(&b, "weir_request_seconds_sum{route=\"auto\"} 1000.707\n");
    has(&b, "weir_request_seconds_count{route=\"auto\"} 3\n");
    buf_free(&b);
    metrics_free(m);
}

static void label_values_are_escaped_and_cut(void **state)
{
    char wide[201];
    struct span labels[1] = {SPAN_INIT("a\"b\\c\nd\xff")};
    struct metrics *m = metrics_new(1);
    struct buf b;

    (void)state;
    memset(wide, 'x', sizeof wide);
    wide[200] = '\0';
    buf_init(&b, 1 << 20);
    metrics_count(metrics_shard(m, 0), METRIC_FEEDBACK, labels, 1);
    labels[0] = span_of(wide);
    metrics_count(metrics_shard(m, 0), METRIC_FEEDBACK, labels, 1);
    metrics_render(m, &b);
    has(&b, "weir_feedback_total{result=\"a\\\"b\\\\c\\nd?\"} 1\n");
    wide[64] = '\0';
    has(&b, wide);
    wide[64] = 'x';
    wide[65] = '\0';
    assert_null(strstr(b.ptr, wide));
    buf_free(&b);
    metrics_free(m);
}

static void values_beyond_the_cap_are_counted_as_other(void **state)
{
    struct metrics *m = metrics_new(1);
    char want[80];
    struct buf b;

    (void)state;
    buf_init(&b, 4 << 20);
    for (int i = 0; i < METRIC_SERIES_MAX + 1000; i++) {
        char text[16];
        struct span label;

        snprintf(text, sizeof text, "r%d", i);
        label = span_of(text);
        metrics_count(metrics_shard(m, 0), METRIC_FEEDBACK, &label, 1);
    }
    metrics_render(m, &b);
    /* Each metric keeps room for one series. */
    snprintf(want, sizeof want, "weir_feedback_total{result=\"other\"} %d\n",
             1000 + METRIC_N);
    has(&b, want);
    buf_free(&b);
    metrics_free(m);
}

static void set_replaces_what_was_set_before(void **state)
{
    struct metrics *m = metrics_new(1);
    struct span version = SPAN("1.2");
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    metrics_set(m, METRIC_CONNECTIONS, NULL, 5);
    metrics_set(m, METRIC_CONNECTIONS, NULL, 3);
    metrics_set(m, METRIC_BUILD, &version, 1);
    metrics_render(m, &b);
    has(&b, "weir_connections 3\n");
    has(&b, "weir_build_info{version=\"1.2\"} 1\n");
    buf_free(&b);
    metrics_free(m);
}

static void every_metric_is_in_the_manual(void **state)
{
    static char text[1 << 16];
    FILE *f = fopen("docs/metrics.md", "r");
    size_t n;

    (void)state;
    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    for (int i = 0; i < METRIC_N; i++) {
        char want[128];

        assert_non_null(METRICS[i].name);
        snprintf(want, sizeof want, "| `%s` |", METRICS[i].name);
        if (!strstr(text, want))
            fail_msg("%s is not in docs/metrics.md", METRICS[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_added_up),
        cmocka_unit_test(money_is_exact_to_the_picodollar),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(label_values_are_escaped_and_cut),
        cmocka_unit_test(values_beyond_the_cap_are_counted_as_other),
        cmocka_unit_test(set_replaces_what_was_set_before),
        cmocka_unit_test(every_metric_is_in_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
