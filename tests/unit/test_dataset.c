/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/vec.h"
#include "datasets/row.h"

static char path[64], packed[64];

static int make_names(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/weir-ds-%ld.jsonl", (long)getpid());
    snprintf(packed, sizeof packed, "/tmp/weir-ds-%ld.jsonl.gz",
             (long)getpid());
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(path);
    unlink(packed);
    return 0;
}

static void put_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void put_text(const char *text)
{
    put_file(path, text, strlen(text));
}

static struct dataset *open_bad(bool skip)
{
    struct dataset_options opt = {.skip_bad = skip};
    struct err e;
    struct dataset *d = dataset_open(path, opt, &e);

    assert_non_null(d);
    return d;
}

/* Reads all; the rows, or -1 with e. */
static int count_rows(const char *name, struct err *e)
{
    static struct dataset_row row;
    struct dataset *d = dataset_open(name, (struct dataset_options){0}, e);
    int n = 0, got;

    if (!d)
        return -1;
    while ((got = dataset_next(d, &row, e)) == 1)
        n++;
    dataset_close(d);
    return got == 0 ? n : -1;
}

#define M "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define O "\"outcomes\":{\"a\":{\"score\":1}}"

static void reads_every_field(void **state)
{
    static struct dataset_row row;
    struct dataset *d;
    struct err e;

    (void)state;
    put_text("\xef\xbb\xbf"
             "{\"id\":\"x\\/1\",\"task\":\"t\\u00e9\",\"session\":\"s\","
             "\"time\":\"2026-05-01T12:00:00Z\"," M ",\"tools\":[{}],"
             "\"params\":{\"max_tokens\":5},\"unknown\":{\"a\":[1]},"
             "\"outcomes\":{\"nano\":{\"score\":0.5,\"input_tokens\":12,"
             "\"output_tokens\":3,\"cost_usd\":4e-5,\"latency_ms\":420,"
             "\"propensity\":0.9,\"answer\":\"D\",\"source\":\"judge\","
             "\"confidence\":0.6},"
             "\"opus\":{\"score\":null,\"output_tokens\":7}}}\r\n\n");
    d = open_bad(false);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(row.line, 1);
    assert_true(span_is(row.id, "x/1"));
    assert_true(span_is(row.task, "t\xc3\xa9"));
    assert_true(span_is(row.session, "s"));
    assert_int_equal(row.time_ms, 1777636800000);
    assert_true(span_is(row.tools, "[{}]"));
    assert_true(span_is(row.params, "{\"max_tokens\":5}"));
    assert_int_equal(row.n_outcomes, 2);
    assert_true(span_is(row.outcomes[0].arm, "nano"));
    assert_true(row.outcomes[0].score == 0.5);
    assert_true(row.outcomes[0].input_tokens == 12);
    assert_true(row.outcomes[0].output_tokens == 3);
    assert_true(row.outcomes[0].cost_usd == 4e-5);
    assert_true(row.outcomes[0].latency_ms == 420);
    assert_true(row.outcomes[0].propensity == 0.9);
    assert_true(row.outcomes[0].confidence == 0.6);
    assert_true(span_is(row.outcomes[0].answer, "D"));
    assert_true(span_is(row.outcomes[0].source, "judge"));
    assert_true(isnan(row.outcomes[1].score));
    assert_true(isnan(row.outcomes[1].cost_usd));
    assert_int_equal(dataset_next(d, &row, &e), 0);
    dataset_close(d);
}

static const struct {
    const char *line, *says;
} bad_lines[] = {
    {"{", "JSON: wanted"},
    {"[1]", "line: wanted a JSON object, found an array [1]"},
    {"{" M "," O "}", "id: wanted a string, found nothing"},
    {"{\"id\":\"\"," M "," O "}", "id: wanted a string that is not empty"},
    {"{\"id\":7," M "," O "}", "id: wanted a string"},
    {"{\"id\":\"1\",\"id\":\"2\"," M "," O "}", "id: wanted it once"},
    {"{\"id\":\"1\"," O "}", "messages: wanted them (or features)"},
    {"{\"id\":\"1\",\"messages\":[]," O "}", "messages: wanted an array"},
    {"{\"id\":\"1\",\"messages\":[{}]," O "}", "with a \"role\""},
    {"{\"id\":\"1\",\"messages\":\"hi\"," O "}", "found a string \"hi\""},
    {"{\"id\":\"1\"," M "}", "outcomes: wanted at least one"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{}}", "outcomes: wanted at least"},
    {"{\"id\":\"1\"," M ",\"outcomes\":[]}", "outcomes: wanted an object"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":1}}", "for each arm"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{}}}", "wanted a score, or"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"\":{\"score\":1}}}",
     "arms with a name"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":1.5}}}",
     "outcomes.a.score: wanted a number in [0,1], found a number 1.5"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":-0.1}}}",
     "outcomes.a.score"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":true}}}",
     "found a boolean true"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":\"1\"}}}",
     "found a string \"1\""},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":1,"
     "\"cost_usd\":-1}}}",
     "outcomes.a.cost_usd: wanted a finite number of 0 or more"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":1,"
     "\"latency_ms\":1e999}}}",
     "outcomes.a.latency_ms: wanted a finite number"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":NaN}}}",
     "JSON: wanted a JSON value"},
    {"{\"id\":\"1\"," M ",\"outcomes\":{\"a\":{\"score\":1},"
     "\"\\u0061\":{\"score\":0}}}",
     "wanted each arm once"},
    {"{\"id\":\"1\",\"time\":\"yesterday\"," M "," O "}",
     "time: wanted a time such as"},
    {"{\"id\":\"1\",\"tools\":{}," M "," O "}", "tools: wanted an array"},
    {"{\"id\":\"1\",\"params\":[]," M "," O "}", "params: wanted an obj"},
    {"{\"id\":\"1\",\"features\":\"A\"," O "}", "features: wanted a packed"},
    {"{\"id\":\"1\",\"features\":\"AAAA\"," O "}", "features: "},
    {"{\"id\":\"\xff\"," M "," O "}", "UTF-8"},
};

static void a_bad_line_says_what_was_wanted_and_found(void **state)
{
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        buf_reset(&b);
        buf_printf(&b, "{\"id\":\"0\"," M "," O "}\n%s\n", bad_lines[i].line);
        put_text(buf_cstr(&b));
        assert_int_equal(count_rows(path, &e), -1);
        assert_true(strstr(e.msg, path) == e.msg);
        assert_true(!strncmp(e.msg + strlen(path), ":2: ", 4));
        if (!strstr(e.msg, bad_lines[i].says))
            fail_msg("wanted '%s' in '%s'", bad_lines[i].says, e.msg);
    }
    buf_free(&b);
}

static void more_than_64_arms_are_refused(void **state)
{
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, 1 << 16);
    for (int n = 64; n <= 65; n++) {
        buf_reset(&b);
        buf_str(&b, "{\"id\":\"1\"," M ",\"outcomes\":{");
        for (int i = 0; i < n; i++)
            buf_printf(&b, "%s\"m%d\":{\"score\":1}", i ? "," : "", i);
        buf_str(&b, "}}\n");
        put_text(buf_cstr(&b));
        assert_int_equal(count_rows(path, &e), n == 64 ? 1 : -1);
    }
    assert_non_null(strstr(e.msg, "at most 64"));
    buf_free(&b);
}

static void skip_bad_counts_and_remembers_the_first(void **state)
{
    static struct dataset_row row;
    struct dataset *d;
    struct err e;
    const char *first;

    (void)state;
    put_text("{\"id\":\"1\"," M "," O "}\nrubbish\n{\"id\":2}\n"
             "{\"id\":\"4\"," M "," O "}");
    d = open_bad(true);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(row.line, 4);
    assert_int_equal(dataset_next(d, &row, &e), 0);
    assert_int_equal(dataset_bad(d, &first), 2);
    assert_non_null(strstr(first, ":2: JSON"));
    dataset_close(d);
}

static void a_line_beyond_the_cap_is_one_bad_row(void **state)
{
    static struct dataset_row row;
    enum { N = 70 << 20 };
    char *long_line = malloc(N);
    struct dataset *d;
    struct err e;
    FILE *f = fopen(path, "w");

    (void)state;
    assert_non_null(f);
    assert_non_null(long_line);
    memset(long_line, ' ', N);
    fwrite(long_line, 1, N, f);
    free(long_line);
    fputs("\n{\"id\":\"2\"," M "," O "}\n", f);
    fclose(f);
    d = open_bad(false);
    assert_int_equal(dataset_next(d, &row, &e), -1);
    assert_non_null(strstr(e.msg, ":1: wanted a line of at most 64 MiB"));
    dataset_close(d);
    d = open_bad(true);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(row.line, 2);
    assert_int_equal(dataset_next(d, &row, &e), 0);
    assert_int_equal(dataset_bad(d, NULL), 1);
    dataset_close(d);
}

static void fill_row(struct dataset_row *row, char *features, size_t *n)
{
    struct vec v;

    row_clear(row);
    vec_clear(&v);
    v.version = 1;
    v.n_words = 1;
    v.words[0] = (struct term){7, 2};
    *n = vec_pack(&v, features, *n);
    row->id = SPAN("a\"b");
    row->task = SPAN("t");
    row->session = SPAN("s\n1");
    row->time_ms = 1777636800123;
    row->messages = SPAN("[\n {\"role\":\"user\",\"content\":\"l\\n2\"}\n]");
    row->tools = SPAN("[]");
    row->params = SPAN("{}");
    row->features = (struct span){features, *n};
    row->n_outcomes = 2;
    row->outcomes[0] = outcome_unknown();
    row->outcomes[0].arm = SPAN("a/b");
    row->outcomes[0].score = 1.0 / 3;
    row->outcomes[0].cost_usd = 1.25e-7;
    row->outcomes[0].answer = SPAN("42");
    row->outcomes[0].confidence = .25;
    row->outcomes[1] = outcome_unknown();
    row->outcomes[1].arm = SPAN("c");
    row->outcomes[1].output_tokens = 9;
}

static void what_is_written_reads_back(void **state)
{
    static struct dataset_row row, back;
    char features[4096];
    struct err e;

    (void)state;
    for (int gz = 0; gz < 2; gz++) {
        size_t n = sizeof features;
        struct dataset_writer *w = dataset_create(gz ? packed : path, &e);
        struct dataset *d;

        assert_non_null(w);
        fill_row(&row, features, &n);
        for (int i = 0; i < 1000; i++)
            assert_true(dataset_write(w, &row, &e));
        assert_true(dataset_finish(w, &e));
        assert_int_equal(count_rows(gz ? packed : path, &e), 1000);
        d = dataset_open(gz ? packed : path, (struct dataset_options){0}, &e);
        assert_non_null(d);
        assert_int_equal(dataset_next(d, &back, &e), 1);
        assert_true(span_eq(back.id, row.id));
        assert_true(span_eq(back.session, row.session));
        assert_int_equal(back.time_ms, row.time_ms);
        assert_true(span_eq(back.features, row.features));
        assert_true(back.outcomes[0].score == 1.0 / 3);
        assert_true(back.outcomes[0].cost_usd == 1.25e-7);
        assert_true(back.outcomes[0].confidence == .25);
        assert_true(isnan(back.outcomes[1].confidence));
        assert_true(isnan(back.outcomes[1].score));
        assert_true(back.outcomes[1].output_tokens == 9);
        dataset_close(d);
    }
}

static void a_row_that_could_not_be_read_back_is_not_written(void **state)
{
    static struct dataset_row row;
    char features[4096];
    size_t n = sizeof features;
    struct err e;
    struct dataset_writer *w = dataset_create(path, &e);

    (void)state;
    assert_non_null(w);
    fill_row(&row, features, &n);
    row.outcomes[0].score = 1.5;
    assert_false(dataset_write(w, &row, &e));
    row.outcomes[0].score = NAN;
    row.outcomes[1].output_tokens = INFINITY;
    assert_false(dataset_write(w, &row, &e));
    row.outcomes[1].output_tokens = 1;
    assert_true(dataset_write(w, &row, &e));
    row.n_outcomes = 0;
    assert_false(dataset_write(w, &row, &e));
    assert_true(dataset_finish(w, &e));
    assert_int_equal(count_rows(path, &e), 1);
}

static void nothing_is_in_place_before_the_end(void **state)
{
    struct err e;
    struct stat st;
    struct dataset_writer *w;

    (void)state;
    unlink(path);
    w = dataset_create(path, &e);
    assert_non_null(w);
    assert_int_not_equal(stat(path, &st), 0);
    dataset_abandon(w);
    assert_int_not_equal(stat(path, &st), 0);
    assert_null(dataset_create("/nonexistent/x.jsonl", &e));
    assert_non_null(strstr(e.msg, "No such file"));
}

static void a_full_disk_is_told(void **state)
{
    static struct dataset_row row;
    char features[4096];
    size_t n = sizeof features;
    struct err e;
    struct dataset_writer *w = dataset_create("/dev/full", &e);

    (void)state;
    assert_non_null(w);
    fill_row(&row, features, &n);
    assert_true(dataset_write(w, &row, &e));
    assert_false(dataset_finish(w, &e));
    assert_non_null(strstr(e.msg, "No space left"));
}

static void damaged_gzip_is_told(void **state)
{
    static struct dataset_row row;
    static char bytes[1 << 20];
    char features[4096];
    size_t n = sizeof features, size;
    struct err e;
    struct dataset_writer *w = dataset_create(packed, &e);
    FILE *f;

    (void)state;
    assert_non_null(w);
    fill_row(&row, features, &n);
    for (int i = 0; i < 2000; i++)
        assert_true(dataset_write(w, &row, &e));
    assert_true(dataset_finish(w, &e));
    f = fopen(packed, "r");
    assert_non_null(f);
    size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    put_file(packed, bytes, size - 9);
    assert_int_equal(count_rows(packed, &e), -1);
    assert_non_null(strstr(e.msg, "wanted the rest of the gzip data"));
    bytes[size / 2] ^= 0x55;
    put_file(packed, bytes, size);
    assert_int_equal(count_rows(packed, &e), -1);
    /* Two members behind one another are one stream. */
    bytes[size / 2] ^= 0x55;
    memcpy(bytes + size, bytes, size);
    put_file(packed, bytes, 2 * size);
    assert_int_equal(count_rows(packed, &e), 4000);
}

static void what_is_no_file_is_told(void **state)
{
    struct err e;

    (void)state;
    assert_null(dataset_open("/nonexistent", (struct dataset_options){0}, &e));
    assert_non_null(strstr(e.msg, "/nonexistent"));
    assert_null(dataset_open("/tmp", (struct dataset_options){0}, &e));
    assert_non_null(strstr(e.msg, "directory"));
    put_text("");
    assert_int_equal(count_rows(path, &e), 0);
}

static void rows_can_be_chosen_by_time(void **state)
{
    static struct dataset_row row;
    struct dataset_options opt = {.since_ms = 1777636800000,
                                  .until_ms = 1777636801000};
    struct dataset *d;
    struct err e;

    (void)state;
    put_text("{\"id\":\"1\",\"time\":\"2026-05-01T11:59:59Z\"," M "," O "}\n"
             "{\"id\":\"2\",\"time\":\"2026-05-01T12:00:00Z\"," M "," O "}\n"
             "{\"id\":\"3\",\"time\":\"2026-05-01T12:00:01Z\"," M "," O "}\n"
             "{\"id\":\"4\"," M "," O "}\n");
    d = dataset_open(path, opt, &e);
    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_true(span_is(row.id, "2"));
    assert_int_equal(dataset_next(d, &row, &e), 0);
    dataset_close(d);
    opt.route = "auto";
    assert_null(dataset_open(path, opt, &e));
}

static void base64_is_the_canonical_one(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm 9", "Zm9-"};
    char out[32];
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        n = base64_encode(span_of(cases[i].bytes), out);
        assert_true(span_is((struct span){out, n}, cases[i].text));
        assert_true(base64_decode(span_of(cases[i].text), out, &n));
        assert_true(span_is((struct span){out, n}, cases[i].bytes));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base64_decode(span_of(bad[i]), out, &n));
}

/* 64 MB through a pipe: the peak of memory stays where it was. */
static void memory_does_not_grow_with_the_file(void **state)
{
    static struct dataset_row row;
    struct rusage before, after;
    struct err e;
    struct dataset *d;
    int saved = dup(STDIN_FILENO), got;
    FILE *make;
    uint64_t n = 0;

    (void)state;
    make = popen("yes '{\"id\":\"1\",\"messages\":[{\"role\":\"user\","
                 "\"content\":\"How long does it take to boil an egg?\"}],"
                 "\"outcomes\":{\"a\":{\"score\":1}}}' | head -n 500000",
                 "r");
    assert_non_null(make);
    assert_true(dup2(fileno(make), STDIN_FILENO) >= 0);
    getrusage(RUSAGE_SELF, &before);
    d = dataset_open("-", (struct dataset_options){0}, &e);
    assert_non_null(d);
    while ((got = dataset_next(d, &row, &e)) == 1)
        n++;
    dataset_close(d);
    getrusage(RUSAGE_SELF, &after);
    assert_true(dup2(saved, STDIN_FILENO) >= 0);
    close(saved);
    pclose(make);
    assert_int_equal(got, 0);
    assert_int_equal(n, 500000);
    assert_true(after.ru_maxrss - before.ru_maxrss < 4096); /* KiB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_does_not_grow_with_the_file),
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(a_bad_line_says_what_was_wanted_and_found),
        cmocka_unit_test(more_than_64_arms_are_refused),
        cmocka_unit_test(skip_bad_counts_and_remembers_the_first),
        cmocka_unit_test(a_line_beyond_the_cap_is_one_bad_row),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_row_that_could_not_be_read_back_is_not_written),
        cmocka_unit_test(nothing_is_in_place_before_the_end),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(damaged_gzip_is_told),
        cmocka_unit_test(what_is_no_file_is_told),
        cmocka_unit_test(rows_can_be_chosen_by_time),
        cmocka_unit_test(base64_is_the_canonical_one),
    };

    return cmocka_run_group_tests(tests, make_names, remove_files);
}
