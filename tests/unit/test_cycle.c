/* SPDX-License-Identifier: Apache-2.0 */
/* The learning cycle over logs that are made up here: a cheap arm that is
 * right on every second topic, a dear one that nearly always is. */
#include "trainer/cycle.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/vec.h"
#include "features/features.h"
#include "models/journal.h"
#include "trainer/cycle_files.h"
#include "trainer/cycle_train.h"
#include "trainer/deploy.h"

enum { ROWS = 3000, TOPICS = 8, WORDS = 6 };

static char dir[64], log_path[96], model[96];
static struct rng rng;
static unsigned written; /* rows of the log */

/* ---- a log ---- */

static sqlite3 *open_log(void)
{
    static char text[32768];
    sqlite3 *db;
    FILE *f;
    char *from;
    bool is_new = access(log_path, F_OK) != 0;

    assert_int_equal(sqlite3_open(log_path, &db), SQLITE_OK);
    if (is_new) {
        f = fopen("docs/log-format.md", "r");
        assert_non_null(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        from = strstr(text, "```sql\n") + 7;
        *strstr(from, "```") = '\0';
        assert_int_equal(sqlite3_exec(db, from, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_exec(db, "PRAGMA user_version=6", NULL, NULL, NULL);
    }
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    return db;
}

/* A question of a topic, as the router would have seen it. */
static size_t features_of(unsigned topic, char *dst, size_t size)
{
    static struct vec v;

    vec_clear(&v);
    v.version = FEATURES_VERSION;
    v.n_words = WORDS;
    for (unsigned i = 0; i < WORDS; i++)
        v.words[i] = (struct term){
            (i * 64 + topic * 5 + (unsigned)rng_below(&rng, 4)) * 977 + 1, 1};
    return vec_pack(&v, dst, size);
}

/* How a classifier of this id served: both arms as often, and what it
 * predicted of them. */
struct serving {
    const char *classifier;
    double promised; /* of the cheap arm; NAN: what is true */
    bool turned;     /* the cheap arm is right where it was wrong */
    bool weak;       /* it is right nowhere */
};

static void add_row(sqlite3 *db, const struct serving *s, int64_t now)
{
    unsigned topic = (unsigned)rng_below(&rng, TOPICS);
    bool dear = rng_unit(&rng) < .5;
    double truth = (topic % 2 == 0) != s->turned && !s->weak ? .95 : .1;
    double right = dear ? .97 : truth;
    char packed[4096], sql[1400];
    size_t n = features_of(topic, packed, sizeof packed);
    sqlite3_stmt *st;

    snprintf(
        sql, sizeof sql,
        "INSERT INTO requests(id,time_ms,route,arm,reason,status,propensity,"
        "cost_pico,input_tokens,output_tokens,est_input,classifier,arms,"
        "features) VALUES('r%u',%lld,'auto','%s','level',200,.5,%d,40,20,40,"
        "'%s','[{\"arm\":\"cheap\",\"quality\":%g,\"cost_usd\":0.000012,"
        "\"propensity\":0.5,\"dropped\":null},{\"arm\":\"dear\","
        "\"quality\":0.97,\"cost_usd\":0.0006,\"propensity\":0.5,"
        "\"dropped\":null}]',?1)",
        written, (long long)now, dear ? "dear" : "cheap",
        dear ? 600000000 : 12000000, s->classifier,
        isnan(s->promised) ? truth : s->promised);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, packed, (int)n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    snprintf(sql, sizeof sql,
             "INSERT INTO labels VALUES('r%u',%lld,'feedback',%d,1,NULL)",
             written++, (long long)now, rng_unit(&rng) < right);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void serve(unsigned rows, struct serving s)
{
    /* A log begins in the past, what is added comes now. */
    int64_t from = clock_utc_ms() + 1 - (access(log_path, F_OK) ? rows : 0);
    sqlite3 *db = open_log();

    for (unsigned i = 0; i < rows; i++)
        add_row(db, &s, from + i);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- a cycle ---- */

static struct cycle_config set;

static void configure(void)
{
    static const double prices[2][2] = {{.1, .4}, {5, 20}};
    struct err e;

    cycle_config_free(&set);
    assert_true(cycle_config_new(&set, &e));
    set.log = log_path;
    set.model = model;
    set.arms[0].name = "cheap";
    set.arms[1].name = set.reference = "dear";
    set.n_arms = 2;
    set.quality = .8;
    set.unproven = CYCLE_FLOOR;
    set.shadow = set.canary = set.watch = 0;
    set.share = 0;
    set.threads = 1;
    for (int i = 0; i < 2; i++)
        assert_true(pricebook_add(set.prices, span_of(set.arms[i].name),
                                  prices[i], &e));
}

struct told {
    char events[400]; /* with commas behind; those not journalled in brackets */
    char why[4000];
    int points, kill_at; /* 0: never */
};

static void say(void *ctx, struct span line, bool journalled)
{
    struct told *t = ctx;
    const char *from = strstr(line.ptr, "\"event\":\"") + 9;
    size_t n = strlen(t->events), len = strcspn(from, "\"");

    snprintf(t->events + n, sizeof t->events - n,
             journalled ? "%.*s," : "(%.*s)", (int)len, from);
    n = strlen(t->why);
    snprintf(t->why + n, sizeof t->why - n, "%.*s\n", (int)line.len, line.ptr);
}

static void point(void *ctx, const char *name)
{
    struct told *t = ctx;

    (void)name;
    if (++t->points == t->kill_at)
        raise(SIGKILL);
}

static struct cycle_run run_of(struct told *t)
{
    return (struct cycle_run){
        .set = &set, .say = say, .point = point, .ctx = t};
}

static struct cycle_run run(struct told *t)
{
    struct cycle_run r = run_of(t);
    struct err e = {0};

    if (!cycle_run(&r, &e))
        fail_msg("%s", e.msg);
    return r;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/cycle.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(log_path, sizeof log_path, "%s/weir.db", dir);
    snprintf(model, sizeof model, "%s/f.weir", dir);
    rng_seed(&rng, 5);
    written = 0;
    configure();
    return 0;
}

static const char *const suffixes[] = {
    "",        ".1",           ".2",     ".undone",     ".challenger",
    ".canary", ".canary.json", ".cycle", ".cycle.lock", ".journal"};

static void forget_classifiers(void)
{
    char path[128];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (cycle_file_path(model, suffixes[i], path, sizeof path))
            unlink(path);
}

static int tear_down(void **state)
{
    (void)state;
    forget_classifiers();
    unlink(log_path);
    cycle_config_free(&set);
    return rmdir(dir);
}

static bool is_there(const char *suffix)
{
    char path[128];

    return cycle_file_path(model, suffix, path, sizeof path) &&
           access(path, F_OK) == 0;
}

static unsigned lines_of(const char *event)
{
    char path[128], wanted[64];
    unsigned n = 0;
    struct buf text;
    struct err e;

    snprintf(wanted, sizeof wanted, "\"event\":\"%s\"", event);
    buf_init(&text, 1 << 20);
    if (cycle_file_path(model, ".journal", path, sizeof path) &&
        access(path, F_OK) == 0)
        assert_true(file_read(path, &text, &e));
    for (const char *p = buf_cstr(&text); (p = strstr(p, wanted)); p++)
        n++;
    buf_free(&text);
    return n;
}

/* ---- the tests ---- */

static void labels_become_a_classifier_in_place_in_steps(void **state)
{
    struct told t = {0};
    struct cycle_run r;
    char id[CYCLE_ID];

    (void)state;
    serve(ROWS, (struct serving){"", NAN, false, false});
    r = run(&t);
    assert_string_equal(t.events, "train,shadow,promote,settle,(wait)");
    cycle_file_id(model, "", id);
    assert_true(*id != '\0');
    assert_string_equal(id, r.state.running);
    assert_int_equal(r.state.stage, CYCLE_IDLE);
    assert_false(is_there(".challenger"));
    assert_false(is_there(".canary.json"));
}

static void a_killed_run_is_taken_up_wherever_it_was(void **state)
{
    char id[CYCLE_ID];
    int status = 0, k = 1;

    (void)state;
    serve(ROWS, (struct serving){"", NAN, false, false});
    for (; k < 40; k++) {
        struct told t = {.kill_at = k}, again = {0};
        struct cycle_run r = run_of(&t);
        struct err e;
        pid_t pid;

        forget_classifiers();
        pid = fork();
        if (pid == 0)
            _exit(cycle_run(&r, &e) ? 0 : 1);
        waitpid(pid, &status, 0);
        if (WIFEXITED(status))
            break;
        r = run(&again);
        cycle_file_id(model, "", id);
        assert_string_equal(id, r.state.running);
        assert_true(*id != '\0');
        assert_int_equal(r.state.stage, CYCLE_IDLE);
        assert_int_equal(lines_of("settle"), 1);
        assert_true(lines_of("train") <= 1 + (k == 1));
        assert_false(is_there(".challenger"));
        assert_false(is_there(".1")); /* promoted once */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(k > 12); /* as many points were tried */
}

/* No alarm of what serves tells of it: the reference does. */
static void what_is_learnt_of_an_arm_that_has_changed_is_forgotten(void **state)
{
    struct told t = {0};
    struct cycle_run r;
    int64_t before = clock_utc_ms(), change;

    (void)state;
    serve(ROWS, (struct serving){"", NAN, false, false}); /* up to then */
    change = clock_utc_ms();
    serve(ROWS / 3, (struct serving){"", NAN, false, true});
    r = run(&t);
    if (strncmp(t.events, "train,refuse,", 13) != 0)
        fail_msg("%s", t.why);
    if (r.state.n_arms != 1)
        fail_msg("%s", t.why);
    assert_string_equal(r.state.arms[0].arm, "cheap");
    assert_true(r.state.arms[0].ms > before - ROWS / 10);
    assert_true(r.state.arms[0].ms < change + ROWS / 10);
    assert_non_null(strstr(t.why, "cheap is worse than it predicted"));
    assert_false(is_there("")); /* nothing was put in place */
}

/* By hand, in place of the running one: learnt from turned labels. */
static void plant_another(void)
{
    struct cycle_state none;
    struct cycle_trained trained;
    char path[128];
    struct buf bytes;
    struct err e;

    cycle_state_begin(&none);
    unlink(log_path);
    serve(ROWS, (struct serving){"", NAN, true, false});
    assert_true(cycle_train(&set, &none, 0, &trained, &e));
    assert_true(cycle_file_path(model, ".challenger", path, sizeof path));
    buf_init(&bytes, 1 << 26);
    assert_true(file_read(path, &bytes, &e));
    assert_true(deploy_write(model, buf_view(&bytes), &e));
    buf_free(&bytes);
}

static void a_classifier_worse_than_it_predicts_is_rolled_back(void **state)
{
    struct told t = {0};
    struct cycle_run r;
    char good[CYCLE_ID], bad[CYCLE_ID], now[CYCLE_ID];

    (void)state;
    serve(ROWS, (struct serving){"", NAN, false, false});
    (void)run(&t);
    cycle_file_id(model, "", good);
    plant_another();
    set.min_new_labels = 1000000; /* no challenger now */
    set.watch = 100000;
    cycle_file_id(model, "", bad);
    assert_string_not_equal(good, bad);
    memset(&t, 0, sizeof t);
    (void)run(&t);
    assert_string_equal(t.events, "found,(wait)");
    usleep(3000);
    serve(400, (struct serving){bad, .95, false, false});
    memset(&t, 0, sizeof t);
    r = run(&t);
    assert_non_null(strstr(t.events, "rollback,"));
    cycle_file_id(model, "", now);
    assert_string_equal(now, good);
    assert_string_equal(r.state.running, good);
    assert_true(is_there(".undone"));
}

static void a_dry_run_says_what_would_be_and_changes_nothing(void **state)
{
    struct told t = {0};
    struct cycle_run r = run_of(&t);
    struct err e;

    (void)state;
    serve(ROWS, (struct serving){"", NAN, false, false});
    r.dry = true;
    assert_true(cycle_run(&r, &e));
    assert_string_equal(t.events, "(train)");
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        assert_false(is_there(suffixes[i]));
}

static void two_cycles_are_kept_apart(void **state)
{
    struct told t = {0};
    struct cycle_run r = run_of(&t);
    char path[128];
    struct err e;
    int fd;

    (void)state;
    serve(10, (struct serving){"", NAN, false, false});
    assert_true(cycle_file_path(model, ".cycle.lock", path, sizeof path));
    fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_false(cycle_run(&r, &e));
    assert_non_null(strstr(e.msg, "another cycle is running"));
    close(fd);
    assert_true(cycle_run(&r, &e));
}

static void too_few_labels_are_waited_for_and_hopeless_ones_refused(void **st)
{
    struct told t = {0};
    sqlite3 *db;

    (void)st;
    serve(40, (struct serving){"", NAN, false, false});
    set.min_new_labels = 10;
    (void)run(&t);
    assert_string_equal(t.events, "(wait)");
    assert_non_null(strstr(t.why, "only 40 labelled requests"));
    /* Every answer was wrong: a level would be a promise about nothing. */
    serve(260, (struct serving){"", NAN, false, false});
    db = open_log();
    sqlite3_exec(db, "UPDATE labels SET score = 0; COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    memset(&t, 0, sizeof t);
    (void)run(&t);
    assert_false(is_there(""));
}

static void a_state_survives_its_writing(void **state)
{
    struct cycle_state a, b;
    struct buf text;
    struct err e;

    (void)state;
    cycle_state_begin(&a);
    a.seq = 7;
    a.stage = CYCLE_CANARY;
    a.cut_ms = 1234567890123;
    a.before_quality = .8125;
    snprintf(a.running, sizeof a.running, "0123456789abcdef");
    cycle_state_changed(&a, "an \"arm\"", 99);
    buf_init(&text, 4096);
    cycle_state_json(&a, &text);
    assert_true(cycle_state_parse(buf_view(&text), &b, &e));
    assert_memory_equal(&a, &b, sizeof a);
    for (size_t n = 0; n < text.len; n++)
        assert_false(cycle_state_parse((struct span){text.ptr, n}, &b, &e));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            labels_become_a_classifier_in_place_in_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_killed_run_is_taken_up_wherever_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_classifier_worse_than_it_predicts_is_rolled_back, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            a_dry_run_says_what_would_be_and_changes_nothing, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_learnt_of_an_arm_that_has_changed_is_forgotten, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(two_cycles_are_kept_apart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            too_few_labels_are_waited_for_and_hopeless_ones_refused, set_up,
            tear_down),
        cmocka_unit_test(a_state_survives_its_writing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
