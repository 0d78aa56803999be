/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trainer/deploy.h"
#include "trainer/pricebook.h"
#include "trainer/split.h"
#include "trainer/table.h"
#include "trainer/tiers.h"

static char dir[] = "/tmp/weir-table-XXXXXX";

static const char *file_with(const char *name, const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

#define ROW(id, text, rest)                                                    \
    "{\"id\":\"" id "\",\"messages\":[{\"role\":\"user\",\"content\":\"" text  \
    "\"}]," rest "}\n"
#define OUT(arm, score) "\"" arm "\":{\"score\":" score ",\"input_tokens\":10}"
#define BOTH(a, b) "\"outcomes\":{" OUT("a", a) "," OUT("b", b) "}"

static struct table *load(const char *text, struct table_options *o,
                          struct err *e)
{
    const char *files[] = {file_with("rows.jsonl", text)};

    o->files = files;
    o->n_files = 1;
    return table_load(o, e);
}

static void rows_that_ask_the_same_are_one(void **state)
{
    struct table_options o = {0};
    struct err e = {0};
    struct table *t =
        load(ROW("1", "What is 2+2?", "\"outcomes\":{" OUT("a", "1") "}")
                 ROW("2", "what is 2 + 2", BOTH("0", "0.5"))
                     ROW("3", "Name a river.", BOTH("1", "1")),
             &o, &e);

    (void)state;
    if (!t)
        fail_msg("%s", e.msg);
    assert_int_equal(t->n, 2);
    assert_int_equal(t->duplicates, 1);
    assert_true(t->arms[0].score[0] == 1);
    assert_true(t->arms[1].score[0] == .5f);
    assert_int_equal(strlen(t->files[0].sha256), 64);
    table_free(t);
}

static void missing_costs_are_tokens_times_price(void **state)
{
    struct table_options o = {0};
    struct pricebook *p = pricebook_new(NULL);
    struct err e = {0};
    struct table *t;

    (void)state;
    assert_true(pricebook_read(
        p, file_with("p.csv", "model,input,output\na,1.00,4\n# b,1,1\n"), &e));
    o.prices = p;
    t = load(ROW("1", "one", BOTH("1", "1")), &o, &e);
    if (!t)
        fail_msg("%s", e.msg);
    assert_true(fabs((double)t->arms[0].cost[0] - 14e-6) < 1e-9);
    assert_int_equal(t->arms[0].assumed_tokens, 1);
    assert_true(isnan(t->arms[1].cost[0]));
    table_free(t);
    pricebook_free(p);
}

static void a_tier_is_the_mean_of_its_models(void **state)
{
    struct table_options o = {0};
    struct err e = {0};
    struct tiers *tiers =
        tiers_read(file_with("t.yaml", "low: [a, b]\nhigh: [c]\n"), &e);
    struct table *t;

    (void)state;
    if (!tiers)
        fail_msg("%s", e.msg);
    o.tiers = tiers;
    t = load(ROW("1", "one",
                 "\"outcomes\":{" OUT("a", "1") "," OUT("b", "0.5") "," OUT(
                     "c", "1") "," OUT("d", "0") "}"),
             &o, &e);
    if (!t)
        fail_msg("%s", e.msg);
    assert_int_equal(t->n_arms, 2);
    assert_string_equal(t->arms[0].name, "low");
    assert_true(t->arms[0].score[0] == .75f);
    assert_true(t->arms[1].score[0] == 1);
    table_free(t);
    tiers_free(tiers);
}

static void mistakes_are_named(void **state)
{
    static const char *const wanted[] = {"a", "zeta"};
    static const struct {
        const char *text;
        uint32_t n_arms;
        const char *says;
    } cases[] = {
        {ROW("1", "one", BOTH("1", "1")), 2, "arm zeta; others there: b"},
        {"{\"id\":1}\n", 0, "rows.jsonl"},
        {"", 0, "no row with an outcome"},
        {ROW("1", "one", BOTH("1", "1")) "{nonsense\n", 0, "2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct table_options o = {.arms = wanted, .n_arms = cases[i].n_arms};
        struct err e = {0};
        struct table *t = load(cases[i].text, &o, &e);
        assert_null(t);
        if (!strstr(e.msg, cases[i].says))
            fail_msg("wanted '%s' in '%s'", cases[i].says, e.msg);
    }
}

static void bad_rows_can_be_skipped_and_are_counted(void **state)
{
    struct table_options o = {.skip_bad = true};
    struct err e = {0};
    struct table *t =
        load(ROW("1", "one", BOTH("1", "1")) "{nonsense\n" ROW(
                 "2", "two", BOTH("2", "1")) ROW("3", "three", BOTH("0", "1")),
             &o, &e);

    (void)state;
    if (!t)
        fail_msg("%s", e.msg);
    assert_int_equal(t->n, 2);
    assert_int_equal(t->bad_rows, 2);
    assert_true(t->first_bad[0]);
    table_free(t);
}

static void groups_are_never_split(void **state)
{
    enum { N = 200 };
    struct table t = {.n = N};
    uint64_t group[N];
    int64_t when[N];
    uint32_t rows[N], order[N];
    const struct split s = {&t, rows, N, 3};
    uint8_t fold[N];
    size_t before;
    struct err e = {0};

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        group[i] = i % 37;
        when[i] = 1000 + (i % 37) * 10 + i / 37;
        rows[i] = i;
    }
    t.group = group;
    t.time_ms = when;
    assert_true(split_folds(&s, 5, fold, &e));
    for (size_t i = 37; i < N; i++)
        assert_int_equal(fold[i], fold[i - 37]);
    assert_true(split_by_time(&s));
    assert_true(split_holdout(&s, .2, order, &before, &e));
    assert_true(N - before >= 40 && N - before < 50);
    for (size_t i = 0; i < before; i++)
        assert_true(group[order[i]] < group[order[before]]);
}

static void expect_file(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "re");

    if (!text) {
        assert_null(f);
        return;
    }
    if (!f)
        fail_msg("%s is not there", path);
    assert_true(fgets(got, sizeof got, f) != NULL);
    fclose(f);
    assert_string_equal(got, text);
}

static void five_files_are_kept_and_come_back_one_by_one(void **state)
{
    char path[128], kept[160];
    struct err e = {0};

    (void)state;
    snprintf(path, sizeof path, "%s/m.weir", dir);
    assert_false(deploy_rollback(path, &e));
    for (int i = 0; i < 8; i++) {
        char text[16];
        snprintf(text, sizeof text, "v%d", i);
        assert_true(deploy_write(path, span_of(text), &e));
    }
    expect_file(path, "v7");
    for (unsigned k = 1; k <= 6; k++) {
        char text[16];
        snprintf(text, sizeof text, "v%u", 7 - k);
        assert_true(deploy_kept(path, k, kept, sizeof kept));
        expect_file(kept, k <= DEPLOY_KEPT ? text : NULL);
    }
    assert_true(deploy_rollback(path, &e));
    expect_file(path, "v6");
    snprintf(kept, sizeof kept, "%s.undone", path);
    expect_file(kept, "v7");
    assert_true(deploy_rollback(path, &e));
    expect_file(path, "v5");
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_ask_the_same_are_one),
        cmocka_unit_test(missing_costs_are_tokens_times_price),
        cmocka_unit_test(a_tier_is_the_mean_of_its_models),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(bad_rows_can_be_skipped_and_are_counted),
        cmocka_unit_test(groups_are_never_split),
        cmocka_unit_test(five_files_are_kept_and_come_back_one_by_one),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
