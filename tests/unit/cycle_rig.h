/* SPDX-License-Identifier: Apache-2.0 */
/* Logs that are made up, for tests of the learning cycle: a cheap arm that is
 * right on every second topic, or less from topic to topic, and a dear one
 * that nearly always is. */
#ifndef WEIR_TESTS_CYCLE_RIG_H
#define WEIR_TESTS_CYCLE_RIG_H

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
#include "models/classifier.h"
#include "models/journal.h"
#include "trainer/cycle_files.h"
#include "trainer/cycle_train.h"
#include "trainer/deploy.h"

enum { ROWS = 3000, TOPICS = 8, WORDS = 6 };

static char dir[64], log_path[96], model[96];
static struct rng rng;
static unsigned written; /* rows of the log */

/* ---- a log ---- */

static inline sqlite3 *open_log(void)
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
static inline size_t features_of(unsigned topic, char *dst, size_t size)
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
    double promised;       /* of the cheap arm; NAN: what is true */
    bool turned;           /* the cheap arm is right where it was wrong */
    bool weak;             /* it is right nowhere */
    const char *guarantee; /* as clients were told; NULL: nothing */
    bool steps;            /* the cheap arm is right less from topic to topic */
    double worse;          /* than it was */
    bool shadows;          /* the other arm's outcome is there, too */
};

static inline double right_of(const struct serving *s, unsigned topic,
                              bool dear)
{
    if (dear)
        return .97;
    if (s->steps)
        return 1 - .1 * topic - s->worse;
    return (topic % 2 == 0) != s->turned && !s->weak ? .95 : .1;
}

/* What the arm that did not answer would have been worth. */
static inline void add_shadow(sqlite3 *db, const char *arm, double right,
                              int64_t now)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "INSERT INTO requests(id,time_ms,route,arm,reason,status,"
             "cost_pico,input_tokens,output_tokens,purpose,parent) VALUES("
             "'x%u',%lld,'auto','%s','shadow',200,%d,40,20,'shadow','r%u');"
             "INSERT INTO labels VALUES('x%u',%lld,'feedback',%d,1,NULL)",
             written, (long long)now, arm,
             !strcmp(arm, "dear") ? 600000000 : 12000000, written, written,
             (long long)now, rng_unit(&rng) < right);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static inline void add_row(sqlite3 *db, const struct serving *s, int64_t now)
{
    unsigned topic = (unsigned)rng_below(&rng, TOPICS);
    bool dear = rng_unit(&rng) < .5;
    double truth = right_of(s, topic, false);
    double right = right_of(s, topic, dear);
    char packed[4096], sql[1400];
    size_t n = features_of(topic, packed, sizeof packed);
    sqlite3_stmt *st;

    snprintf(
        sql, sizeof sql,
        "INSERT INTO requests(id,time_ms,route,arm,reason,status,propensity,"
        "cost_pico,input_tokens,output_tokens,est_input,classifier,guarantee,"
        "arms,features) VALUES('r%u',%lld,'auto','%s','level',200,.5,%d,40,20,"
        "40,'%s','%s','[{\"arm\":\"cheap\",\"quality\":%g,"
        "\"cost_usd\":0.000012,"
        "\"propensity\":0.5,\"dropped\":null},{\"arm\":\"dear\","
        "\"quality\":0.97,\"cost_usd\":0.0006,\"propensity\":0.5,"
        "\"dropped\":null}]',?1)",
        written, (long long)now, dear ? "dear" : "cheap",
        dear ? 600000000 : 12000000, s->classifier,
        s->guarantee ? s->guarantee : "",
        isnan(s->promised) ? truth : s->promised);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, packed, (int)n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    if (s->shadows)
        add_shadow(db, dear ? "cheap" : "dear", right_of(s, topic, !dear), now);
    snprintf(sql, sizeof sql,
             "INSERT INTO labels VALUES('r%u',%lld,'feedback',%d,1,NULL)",
             written++, (long long)now, rng_unit(&rng) < right);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static inline void serve(unsigned rows, struct serving s)
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

static inline void configure(void)
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

static inline void say(void *ctx, struct span line, bool journalled)
{
    struct told *t = ctx;
    const char *from = strstr(line.ptr, "\"event\":\"") + 9;
    size_t n = strlen(t->events), len = strcspn(from, "\"");

    snprintf(t->events + n, sizeof t->events - n,
             journalled ? "%.*s," : "(%.*s)", (int)len, from);
    n = strlen(t->why);
    snprintf(t->why + n, sizeof t->why - n, "%.*s\n", (int)line.len, line.ptr);
}

static inline void point(void *ctx, const char *name)
{
    struct told *t = ctx;

    (void)name;
    if (++t->points == t->kill_at)
        raise(SIGKILL);
}

static inline struct cycle_run run_of(struct told *t)
{
    return (struct cycle_run){
        .set = &set, .say = say, .point = point, .ctx = t};
}

static inline struct cycle_run run(struct told *t)
{
    struct cycle_run r = run_of(t);
    struct err e = {0};

    if (!cycle_run(&r, &e))
        fail_msg("%s", e.msg);
    return r;
}

static inline int set_up(void **state)
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

static inline void forget_classifiers(void)
{
    char path[128];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (cycle_file_path(model, suffixes[i], path, sizeof path))
            unlink(path);
}

/* A run as a child, killed behind its k-th step; as waitpid() tells it. */
static inline int run_killed(int k)
{
    struct told t = {.kill_at = k};
    struct cycle_run r = run_of(&t);
    int status = 0;
    struct err e;
    pid_t pid;

    forget_classifiers();
    pid = fork();
    if (pid == 0)
        _exit(cycle_run(&r, &e) ? 0 : 1);
    waitpid(pid, &status, 0);
    return status;
}

static inline int tear_down(void **state)
{
    (void)state;
    forget_classifiers();
    unlink(log_path);
    cycle_config_free(&set);
    return rmdir(dir);
}

static inline bool is_there(const char *suffix)
{
    char path[128];

    return cycle_file_path(model, suffix, path, sizeof path) &&
           access(path, F_OK) == 0;
}

static inline unsigned lines_of(const char *event)
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

#endif
