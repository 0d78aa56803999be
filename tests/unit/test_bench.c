/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the benchmarks: what routing was worth, the picture, the
 * load generator's reading of answers, made-up prompts, pools of models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plot.h"
#include "bench/lane.h"
#include "bench/made_classifier.h"
#include "bench/pool.h"
#include "bench/report.h"
#include "bench/served.h"
#include "bench/words.h"
#include "features/features.h"
#include "models/classifier.h"

/* ---- tally ---- */

/* 400 requests: a cheap model right on half of them, a dear one on all, and
 * a gateway that sends each where it should. */
enum { N = 400 };

struct truth {
    double score[3][N], cost[3][N];
    uint64_t group[N];
    struct tally t;
};

static struct truth *make_truth(void)
{
    static struct truth x;
    struct err e;

    memset(&x, 0, sizeof x);
    for (int i = 0; i < N; i++) {
        bool easy = i % 2 == 0;

        x.group[i] = (uint64_t)i;
        x.score[0][i] = easy;
        x.cost[0][i] = 0.001;
        x.score[1][i] = 1;
        x.cost[1][i] = 0.01;
        x.score[2][i] = 1;
        x.cost[2][i] = easy ? 0.001 : 0.01;
    }
    x.t = (struct tally){.n = N, .group = x.group, .n_models = 2, .n_ways = 1};
    for (int m = 0; m < 2; m++) {
        x.t.model[m].score = x.score[m];
        x.t.model[m].cost = x.cost[m];
    }
    x.t.way[0].score = x.score[2];
    x.t.way[0].cost = x.cost[2];
    if (!tally_run(&x.t, 500, 1, &e))
        fail_msg("%s", e.msg);
    return &x;
}

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void savings_and_quality_are_against_each_fixed_model(void **state)
{
    struct tally *t = &make_truth()->t;
    const struct entrant *w = &t->way[0];

    (void)state;
    NEAR(w->mean_score.value, 1);
    NEAR(w->mean_cost.value, 0.0055);
    NEAR(w->saving[1].value, 0.45);
    NEAR(w->ratio[1].value, 1);
    NEAR(w->saving[0].value, -4.5);
    NEAR(w->ratio[0].value, 2);
    assert_int_equal(tally_best(t), 1);
    tally_free(t);
}

static void intervals_hold_the_value_and_are_not_empty(void **state)
{
    struct tally *t = &make_truth()->t;
    const struct estimate *s = &t->way[0].saving[1];

    (void)state;
    assert_true(s->lo < s->value && s->value < s->hi);
    assert_true(s->hi - s->lo < 0.15);
    /* Paired: the quality of two that always agree has no spread. */
    NEAR(t->way[0].ratio[1].lo, 1);
    NEAR(t->way[0].ratio[1].hi, 1);
    tally_free(t);
}

static void a_perfect_gateway_is_the_oracle_and_above_every_mix(void **state)
{
    struct tally *t = &make_truth()->t;

    (void)state;
    NEAR(t->oracle.mean_cost.value, 0.0055);
    NEAR(t->oracle.mean_score.value, 1);
    /* Half way in cost between .5 and 1. */
    NEAR(t->way[0].edge.value, 0.25);
    assert_true(t->way[0].edge.lo > 0.15);
    NEAR(t->way[0].gain_first.value, 0);
    tally_free(t);
}

static void a_fixed_model_is_no_better_than_itself(void **state)
{
    struct tally *t = &make_truth()->t;

    (void)state;
    for (int m = 0; m < 2; m++) {
        NEAR(t->model[m].saving[m].value, 0);
        NEAR(t->model[m].edge.value, 0);
    }
    tally_free(t);
}

static void a_tally_of_nothing_is_refused(void **state)
{
    struct tally t = {0};
    struct err e;

    (void)state;
    assert_false(tally_run(&t, 100, 1, &e));
    assert_non_null(strstr(e.msg, "found 0"));
}

static void quantiles_leave_out_what_is_not_known(void **state)
{
    const double v[] = {3, NAN, 1, 2, NAN};
    const double none[] = {NAN};

    (void)state;
    NEAR(report_quantile(v, 5, 0.5), 2);
    NEAR(report_quantile(v, 5, 1), 3);
    assert_true(isnan(report_quantile(none, 1, 0.5)));
}

/* ---- the picture ---- */

static void steps_are_one_two_or_five(void **state)
{
    static const struct {
        double span;
        unsigned wanted;
        double step;
    } cases[] = {
        {1, 5, 0.2}, {0.37, 6, 0.05}, {12, 6, 2}, {7, 7, 1}, {100, 10, 10}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        NEAR(plot_step(cases[i].span, cases[i].wanted), cases[i].step);
}

struct placed {
    double x, y, w;
};

/* The boxes of the names in the SVG. */
static unsigned names_of(const char *svg, struct placed *p)
{
    unsigned n = 0;

    while ((svg = strstr(svg, "<text x='"))) {
        char *end;
        double x = strtod(svg + 9, &end);
        double y = strtod(end + 5, &end);

        svg = end;
        if (strncmp(end, "' class='name", 13) != 0)
            continue;
        svg = strchr(end, '>') + 1;
        p[n++] = (struct placed){x, y, 7.0 * (double)strcspn(svg, "<")};
    }
    return n;
}

static void names_do_not_cover_one_another(void **state)
{
    static char name[24][24];
    struct plot p = {.title = "t", .subtitle = "s"};
    struct placed at[64];
    struct buf out;
    unsigned n;

    (void)state;
    for (unsigned i = 0; i < 24; i++) {
        snprintf(name[i], sizeof name[i], "model-%u", i);
        p.point[p.n++] =
            (struct plot_point){i % 3 == 0 ? PLOT_WEIR : PLOT_FIXED,
                                name[i],
                                0.1 * pow(1.3, i / 3),
                                0.5 + 0.01 * (i % 5),
                                NAN,
                                NAN};
    }
    buf_init(&out, 1 << 20);
    plot_svg(&p, &out);
    assert_false(out.failed);
    n = names_of(buf_cstr(&out), at);
    assert_in_range(n, 20, 24);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < i; k++)
            assert_false(fabs(at[i].y - at[k].y) < 12 &&
                         at[i].x < at[k].x + at[k].w &&
                         at[k].x < at[i].x + at[i].w);
    }
    buf_free(&out);
}

static void names_cannot_break_the_page(void **state)
{
    struct plot p = {.title = "<script>", .subtitle = "a & b", .n = 1};
    struct buf out;

    (void)state;
    p.point[0] = (struct plot_point){PLOT_FIXED, "a<b>\"", 1, 0.5, NAN, NAN};
    buf_init(&out, 1 << 20);
    plot_svg(&p, &out);
    assert_null(strstr(buf_cstr(&out), "<script>"));
    assert_non_null(strstr(buf_cstr(&out), "a&lt;b&gt;&quot;"));
    assert_non_null(strstr(buf_cstr(&out), "a &amp; b"));
    buf_free(&out);
}

/* ---- answers of the load's other side ---- */

static void an_answer_is_whole_at_its_last_byte(void **state)
{
    static const char *const whole[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\n\r\n",
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
         "0\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        struct span all = span_of(whole[i]);
        bool closes = true;
        int status = 0;

        for (size_t n = 0; n < all.len; n++)
            assert_int_equal(
                lane_answer((struct span){all.ptr, n}, &status, &closes), -2);
        assert_int_equal(lane_answer(all, &status, &closes), all.len);
        assert_false(closes);
    }
}

static void an_answer_says_its_status_and_whether_it_is_the_last(void **state)
{
    bool closes;
    int status;

    (void)state;
    assert_true(lane_answer(SPAN("HTTP/1.1 503 x\r\nConnection: close\r\n"
                                 "content-length: 0\r\n\r\n"),
                            &status, &closes) > 0);
    assert_int_equal(status, 503);
    assert_true(closes);
    assert_true(lane_answer(SPAN("HTTP/1.0 200 OK\r\n\r\n"), &status, &closes) >
                0);
    assert_true(closes);
    assert_int_equal(lane_answer(SPAN("SSH-2.0-x\r\n\r\n"), &status, &closes),
                     -1);
}

static void addresses_are_read_or_refused(void **state)
{
    struct target t;
    struct err e;

    (void)state;
    assert_true(target_parse("http://127.0.0.1:8080/v1/x?y=1", &t, &e));
    assert_string_equal(t.path, "/v1/x?y=1");
    assert_string_equal(t.host, "127.0.0.1");
    assert_int_equal(ntohs(t.addr.sin_port), 8080);
    assert_true(target_parse("http://127.0.0.1", &t, &e));
    assert_string_equal(t.path, "/");
    assert_false(target_parse("https://127.0.0.1/", &t, &e));
    assert_false(target_parse("http://127.0.0.1:99999/", &t, &e));
}

/* ---- prompts and classifiers ---- */

static void prompts_have_their_length_and_their_seed(void **state)
{
    struct buf a, b;

    (void)state;
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    words_write(&a, 1, 2048);
    words_write(&b, 1, 2048);
    assert_int_equal(a.len, 2048);
    assert_memory_equal(a.ptr, b.ptr, 2048);
    buf_reset(&b);
    words_write(&b, 2, 2048);
    assert_memory_not_equal(a.ptr, b.ptr, 2048);
    assert_null(strpbrk(buf_cstr(&a), "\"\\\n"));
    buf_free(&a);
    buf_free(&b);
}

/* What the row "full" of `weir bench decision` times does happen in it. */
static void a_full_decision_is_one_of_a_server(void **state)
{
    struct made_size like = {.tasks = 20, .bits = 8, .filled = 0.5, .seed = 3};
    struct served_moments at;
    struct served_counts n;
    struct arena arena;
    struct request r;
    struct err e = {0};
    struct served *s;

    (void)state;
    while (features_dense_name(like.dense))
        like.dense++;
    s = served_new(&like, &e);
    if (!s)
        fail_msg("%s", e.msg);
    arena_init(&arena, 1 << 20);
    for (unsigned i = 0; i < 400; i++) {
        char body[200];

        snprintf(body, sizeof body,
                 "{\"model\":\"auto\",\"messages\":[{\"role\":\"user\","
                 "\"content\":\"%s %u words\"}]}",
                 i % 100 == 7 ? "Bitte was ist das und wie wird die Welt" : "w",
                 i % 200);
        assert_true(request_from_openai(span_of(body), &arena, &r, &e));
        served_ask(s, &r, &at);
        assert_true(at.begin <= at.decided && at.decided <= at.written);
        arena_reset(&arena);
    }
    n = served_counts(s);
    assert_int_equal(n.asked, 400);
    assert_int_equal(n.known, 200);
    assert_int_equal(n.by_rule, 4);
    assert_in_range(n.explored, 1, 30);
    assert_true(n.by_level > 300 && n.held == n.by_level);
    assert_true(n.bytes > 500);
    arena_free(&arena);
    served_free(s);
}

static void a_made_classifier_is_a_classifier(void **state)
{
    const struct made_size size = {
        .arms = 8, .tasks = 20, .dense = 30, .bits = 10, .filled = 0.5};
    struct classifier *c;
    struct buf file;
    struct err e;

    (void)state;
    buf_init(&file, 64 << 20);
    if (!made_classifier(&size, 1, &file, &e))
        fail_msg("%s", e.msg);
    c = classifier_from(buf_view(&file), 1, &e);
    if (!c)
        fail_msg("%s", e.msg);
    assert_int_equal(classifier_n_arms(c), 8);
    assert_int_equal(classifier_n_tasks(c), 20);
    classifier_close(c);
    buf_free(&file);
}

/* ---- pools ---- */

static void config_of(const char *text, char *path)
{
    int fd;

    memcpy(path, "/tmp/test_bench_XXXXXX", 23);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void a_pool_is_the_arms_of_a_route(void **state)
{
    char path[32];
    struct pool p;
    struct err e;

    (void)state;
    config_of("listen: 127.0.0.1:9999\n"
              "models:\n"
              "  a: {provider: x, name: real-a, price: {input: 1, output: 2}}\n"
              "  b: {provider: x, price: {input: 3, output: 4}}\n"
              "  c: {provider: x}\n"
              "plans:\n"
              "  p: {kind: single, model: b}\n"
              "routes:\n"
              "  auto: {arms: [a, p]}\n",
              path);
    if (!pool_from_config(&p, path, "auto", NULL, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.url, "http://127.0.0.1:9999/v1");
    assert_string_equal(p.model[0].name, "real-a");
    NEAR(p.model[1].usd_out, 4e-6);
    assert_int_equal(pool_find(&p, SPAN("real-a")), 0);
    assert_int_equal(pool_find(&p, SPAN("provider/a")), 0);
    assert_int_equal(pool_find(&p, SPAN("c")), -1);
    pool_free(&p);
    assert_false(pool_from_config(&p, path, "other", NULL, &e));
    assert_non_null(strstr(e.msg, "other"));
    pool_free(&p);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(savings_and_quality_are_against_each_fixed_model),
        cmocka_unit_test(intervals_hold_the_value_and_are_not_empty),
        cmocka_unit_test(a_perfect_gateway_is_the_oracle_and_above_every_mix),
        cmocka_unit_test(a_fixed_model_is_no_better_than_itself),
        cmocka_unit_test(a_tally_of_nothing_is_refused),
        cmocka_unit_test(quantiles_leave_out_what_is_not_known),
        cmocka_unit_test(steps_are_one_two_or_five),
        cmocka_unit_test(names_do_not_cover_one_another),
        cmocka_unit_test(names_cannot_break_the_page),
        cmocka_unit_test(an_answer_is_whole_at_its_last_byte),
        cmocka_unit_test(an_answer_says_its_status_and_whether_it_is_the_last),
        cmocka_unit_test(addresses_are_read_or_refused),
        cmocka_unit_test(prompts_have_their_length_and_their_seed),
        cmocka_unit_test(a_made_classifier_is_a_classifier),
        cmocka_unit_test(a_full_decision_is_one_of_a_server),
        cmocka_unit_test(a_pool_is_the_arms_of_a_route),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
