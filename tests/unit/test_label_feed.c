/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and what was predicted, as the log comes to hold them. */
#include "router/outlog/label_feed.h"

#include <math.h>

#include "tests/unit/outlog_rig.h"

struct seen {
    unsigned n, voids;
    double predicted, score; /* sums */
    char last[64], arm[16];
    bool shadow;
};

static void on_label(void *ctx, const struct fed_label *l)
{
    struct seen *s = ctx;

    s->n++;
    s->predicted += l->predicted;
    s->score += l->score;
    s->shadow = l->shadow;
    snprintf(s->arm, sizeof s->arm, "%.*s", SPAN_ARGS(l->arm));
    snprintf(s->last, sizeof s->last, "%.*s/%.*s", SPAN_ARGS(l->route),
             SPAN_ARGS(l->classifier));
}

static void on_void(void *ctx, struct span route, struct span classifier,
                    struct span cause)
{
    struct seen *s = ctx;

    s->voids++;
    snprintf(s->last, sizeof s->last, "%.*s/%.*s/%.*s", SPAN_ARGS(route),
             SPAN_ARGS(classifier), SPAN_ARGS(cause));
}

static const char arms[] =
    "[{\"arm\":\"nano\",\"quality\":0.75,\"tokens\":3},"
    "{\"arm\":\"opus\",\"quality\":0.9},{\"arm\":\"new\",\"quality\":null}]";

static void push(struct outlog *log, const char *id, const char *arm,
                 const char *purpose)
{
    struct outlog_row row;

    outlog_row_init(&row);
    row.id = span_of(id);
    row.time_ms = 1700000000000;
    row.route = SPAN("auto");
    row.classifier = SPAN("c1");
    row.arm = span_of(arm);
    row.arms = span_of(arms);
    row.purpose = span_of(purpose);
    row.guarantee = span_of(id);
    assert_true(outlog_push(log, &row));
}

static void label(struct outlog *log, const char *id, const char *source,
                  double score)
{
    static int64_t time_ms = 1700000000000;
    struct outlog_label l = {span_of(id), time_ms++,       span_of(source),
                             score,       .confidence = 1, .comment = {0}};

    assert_true(outlog_push_label(log, &l));
    assert_true(outlog_flush(log, 5000));
}

static void look(struct label_feed *f, struct seen *s, unsigned wanted)
{
    struct err e = {0};

    *s = (struct seen){0};
    if (!label_feed_look(f, on_label, s, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(s->n, wanted);
}

static void each_requests_first_label_comes_once_with_its_prediction(void **st)
{
    struct fixture *fix = *st;
    struct outlog *log = open_log(fix->path, NULL);
    struct label_feed *f = label_feed_new(fix->path);
    struct seen s;

    assert_non_null(f);
    push(log, "a", "nano", NULL);
    push(log, "b", "opus", NULL);
    push(log, "c", "new", NULL);     /* nothing was predicted of it */
    push(log, "d", "nano", "judge"); /* nobody's answer */
    label(log, "a", "signal", 0);
    look(f, &s, 0);
    label(log, "a", "feedback", 1);
    label(log, "b", "judge", 0.5);
    label(log, "c", "feedback", 1);
    label(log, "d", "judge", 1);
    look(f, &s, 2);
    assert_true(fabs(s.predicted - 1.65) < 1e-9);
    assert_true(fabs(s.score - 1.5) < 1e-9);
    assert_string_equal(s.last, "auto/c1");
    label(log, "a", "judge", 0); /* it has one already */
    look(f, &s, 0);
    label_feed_free(f);
    f = label_feed_new(fix->path); /* another process sees the same again */
    look(f, &s, 2);
    label_feed_free(f);
    label_feed_free(NULL);
    outlog_close(log);
}

/* By what its request's classifier predicted of it. */
static void a_shadows_label_comes_with_its_parents_prediction(void **st)
{
    struct fixture *fix = *st;
    struct outlog *log = open_log(fix->path, NULL);
    struct label_feed *f = label_feed_new(fix->path);
    struct outlog_row row;
    struct seen s;

    push(log, "a", "nano", NULL);
    outlog_row_init(&row);
    row.id = SPAN("b");
    row.time_ms = 1700000000000;
    row.route = SPAN("auto");
    row.arm = SPAN("opus");
    row.purpose = SPAN("shadow");
    row.parent = SPAN("a");
    assert_true(outlog_push(log, &row));
    label(log, "b", "feedback", 0);
    look(f, &s, 1);
    assert_true(fabs(s.predicted - .9) < 1e-9 && s.score == 0 && s.shadow);
    assert_string_equal(s.arm, "opus");
    assert_string_equal(s.last, "auto/c1");
    label(log, "a", "feedback", 1);
    look(f, &s, 1);
    assert_true(fabs(s.predicted - .75) < 1e-9 && !s.shadow);
    label_feed_free(f);
    outlog_close(log);
}

static void what_the_log_says_is_void_is_found(void **st)
{
    struct fixture *fix = *st;
    struct outlog *log = open_log(fix->path, NULL);
    struct label_feed *f = label_feed_new(fix->path);
    struct seen s = {0};
    struct err e;

    push(log, "holds; quality>=1 of opus", "opus", NULL);
    push(log, "void: out of domain", "opus", NULL);
    assert_true(outlog_flush(log, 5000));
    assert_true(label_feed_void(f, on_void, &s, &e));
    assert_int_equal(s.voids, 0);
    push(log, "void: drift in outcomes", "opus", NULL);
    assert_true(outlog_flush(log, 5000));
    assert_true(label_feed_void(f, on_void, &s, &e));
    assert_int_equal(s.voids, 1);
    assert_string_equal(s.last, "auto/c1/outcomes");
    label_feed_free(f);
    outlog_close(log);
}

static void a_database_that_is_away_is_looked_for_again(void **st)
{
    struct fixture *fix = *st;
    struct label_feed *f = label_feed_new(fix->path);
    struct outlog *log;
    struct seen s = {0};
    struct err e;

    assert_false(label_feed_look(f, on_label, &s, &e));
    assert_false(label_feed_void(f, on_void, &s, &e));
    log = open_log(fix->path, NULL);
    push(log, "a", "nano", NULL);
    label(log, "a", "feedback", 0);
    look(f, &s, 1);
    label_feed_free(f);
    outlog_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_requests_first_label_comes_once_with_its_prediction),
        TEST(a_shadows_label_comes_with_its_parents_prediction),
        TEST(what_the_log_says_is_void_is_found),
        TEST(a_database_that_is_away_is_looked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
