/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/import.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], in[2][128], out[128];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/weir-import-%ld", (long)getpid());
    snprintf(in[0], sizeof in[0], "%s/mmlu_anatomy.csv", dir);
    snprintf(in[1], sizeof in[1], "%s/second.jsonl", dir);
    snprintf(out, sizeof out, "%s/out.jsonl", dir);
    return mkdir(dir, 0700);
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(in[0]);
    unlink(in[1]);
    unlink(out);
    return rmdir(dir);
}

static void put(int i, const char *text)
{
    FILE *f = fopen(in[i], "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const struct import_format *format(const char *name)
{
    for (size_t i = 0; i < import_formats_n; i++) {
        if (!strcmp(import_formats[i].name, name))
            return &import_formats[i];
    }
    fail_msg("no format %s", name);
    return NULL;
}

/* Imports the first n inputs; the counts, and what was written. */
static bool run(const char *name, size_t n, struct import_options opt,
                struct import_counts *count, struct err *e)
{
    const char *paths[2] = {in[0], in[1]};
    static struct import im;
    bool ok;

    memset(&im, 0, sizeof im);
    im.opt = opt;
    im.paths = paths;
    im.n_paths = n;
    im.out = dataset_create(out, e);
    assert_non_null(im.out);
    ok = import_run(&im, format(name), e);
    *count = im.count;
    import_free(&im);
    if (!ok) {
        dataset_abandon(im.out);
        return false;
    }
    return dataset_finish(im.out, e);
}

static struct dataset_row row;

static struct dataset *written(void)
{
    struct err e;
    struct dataset *d = dataset_open(out, (struct dataset_options){0}, &e);

    assert_non_null(d);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    return d;
}

static void assert_span(struct span s, const char *text)
{
    if (!span_is(s, text))
        fail_msg("wanted '%s', found '%.*s'", text, SPAN_ARGS(s));
}

static void routellm_tables_have_a_column_a_model(void **state)
{
    struct import_counts n;
    struct dataset *d;
    struct err e;

    (void)state;
    put(0, "prompt,weak,strong,weak_response\n"
           "\"Which, of \"\"these\"\"?\nA. x\",True,False,abcde\n"
           "Second,False,,\n");
    assert_true(run("routellm-csv", 1, (struct import_options){0}, &n, &e));
    assert_int_equal(n.rows, 2);
    assert_int_equal(n.unlabelled, 0);
    d = written();
    assert_span(row.id, "mmlu_anatomy/1");
    assert_span(row.task, "anatomy");
    assert_span(row.messages, "[{\"role\":\"user\",\"content\":"
                              "\"Which, of \\\"these\\\"?\\nA. x\"}]");
    assert_int_equal(row.n_outcomes, 2);
    assert_span(row.outcomes[0].arm, "weak");
    assert_true(row.outcomes[0].score == 1 && row.outcomes[1].score == 0);
    assert_true(row.outcomes[0].output_tokens == 2);
    assert_true(isnan(row.outcomes[1].output_tokens));
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_int_equal(row.n_outcomes, 1);
    dataset_close(d);
}

static void routerbench_tables_have_scores_and_costs(void **state)
{
    struct import_counts n;
    struct dataset *d;
    struct err e;

    (void)state;
    put(0, "sample_id,prompt,eval_name,org/m-1,org/m-1|model_response,"
           "org/m-1|total_cost,oracle_model_to_route_to\n"
           "grade-school-math.1,\"['It\\'s a \\n list', \"\"two\"\"]\","
           "grade-school-math,0.25,four,0.00012,org/m-1\n");
    assert_true(run("routerbench-csv", 1, (struct import_options){0}, &n, &e));
    d = written();
    assert_span(row.id, "mmlu_anatomy/grade-school-math.1");
    assert_span(row.task, "grade-school-math");
    assert_span(row.messages,
                "[{\"role\":\"user\",\"content\":\"It's a \\n list\"},"
                "{\"role\":\"user\",\"content\":\"two\"}]");
    assert_int_equal(row.n_outcomes, 1);
    assert_span(row.outcomes[0].arm, "org/m-1");
    assert_true(row.outcomes[0].score == 0.25);
    assert_true(row.outcomes[0].cost_usd == 0.00012);
    dataset_close(d);
}

static void openai_lines_of_all_kinds_are_unlabelled_rows(void **state)
{
    struct import_options opt = {.arm = "tuned"};
    struct import_counts n;
    struct dataset *d;
    struct err e;

    (void)state;
    put(0, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
           "{\"role\":\"assistant\",\"content\":\"12345678\"}]}\n\n"
           "{\"request\":{\"model\":\"m\",\"max_tokens\":5,\"stream\":true,"
           "\"messages\":[{\"role\":\"user\",\"content\":\"pair\"}]},"
           "\"response\":{\"id\":\"c1\",\"model\":\"m-2026\",\"created\":"
           "1777636800,\"usage\":{\"prompt_tokens\":9,"
           "\"completion_tokens\":4}}}\n"
           "{\"custom_id\":\"b1\",\"method\":\"POST\",\"url\":\"/v1/chat\","
           "\"body\":{\"model\":\"x\",\"messages\":[{\"role\":\"user\","
           "\"content\":\"batch\"}],\"tools\":[{\"type\":\"function\"}]}}\n"
           "{\"custom_id\":\"b2\",\"method\":\"POST\",\"url\":\"/v1/chat\","
           "\"body\":{\"model\":\"x\",\"messages\":[{\"role\":\"user\","
           "\"content\":\"unanswered\"}]}}\n");
    put(1, "{\"id\":\"r\",\"custom_id\":\"b1\",\"response\":{\"status_code\":"
           "200,\"body\":{\"model\":\"x-1\",\"usage\":{\"prompt_tokens\":7,"
           "\"completion_tokens\":8}}},\"error\":null}\n");
    assert_true(run("openai-jsonl", 2, opt, &n, &e));
    assert_int_equal(n.rows, 3);
    assert_int_equal(n.unlabelled, 3);
    assert_int_equal(n.left_out, 1);
    d = written();
    assert_span(row.outcomes[0].arm, "tuned");
    assert_span(row.messages, "[{\"role\":\"user\",\"content\":\"hi\"}]");
    assert_true(row.outcomes[0].output_tokens == 2);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_span(row.outcomes[0].arm, "m-2026");
    assert_span(row.params, "{\"max_tokens\":5}");
    assert_int_equal(row.time_ms, 1777636800000);
    assert_true(row.outcomes[0].input_tokens == 9);
    assert_int_equal(dataset_next(d, &row, &e), 1);
    assert_span(row.id, "mmlu_anatomy/b1");
    assert_span(row.outcomes[0].arm, "x-1");
    assert_span(row.tools, "[{\"type\":\"function\"}]");
    assert_true(row.outcomes[0].output_tokens == 8);
    dataset_close(d);
}

static const char litellm_json[] =
    "[\n {\"request_id\":\"r1\",\"call_type\":\"acompletion\","
    "\"model\":\"openai/m\",\"status\":\"success\",\"spend\":0.00025,"
    "\"prompt_tokens\":10,\"completion_tokens\":20,"
    "\"startTime\":\"2026-05-01T12:00:00.250Z\","
    "\"endTime\":\"2026-05-01T12:00:01.000Z\",\"session_id\":\"s\","
    "\"messages\":{},\"proxy_server_request\":{\"model\":\"m\","
    "\"temperature\":0,\"system\":\"Be brief.\",\"messages\":"
    "[{\"role\":\"user\",\"content\":\"hi\"}]}},\n"
    " {\"request_id\":\"r2\",\"model\":\"m\",\"messages\":{}},\n"
    " {\"request_id\":\"r3\",\"model\":\"m\",\"status\":\"failure\"}\n]\n";

static void assert_litellm_row(struct dataset *d, const char *messages)
{
    assert_span(row.id, "litellm/r1");
    assert_span(row.session, "s");
    assert_span(row.outcomes[0].arm, "openai/m");
    assert_span(row.messages, messages);
    assert_int_equal(row.time_ms, 1777636800250);
    assert_true(row.outcomes[0].latency_ms == 750);
    assert_true(row.outcomes[0].cost_usd == 0.00025);
    assert_true(row.outcomes[0].output_tokens == 20);
    assert_true(isnan(row.outcomes[0].score));
    dataset_close(d);
}

static void litellm_logs_as_json(void **state)
{
    struct import_counts n;
    struct err e;

    (void)state;
    put(0, litellm_json);
    assert_true(run("litellm-spend", 1, (struct import_options){0}, &n, &e));
    assert_int_equal(n.rows, 1);
    assert_int_equal(n.left_out, 2);
    assert_litellm_row(written(),
                       "[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                       "{\"role\":\"user\",\"content\":\"hi\"}]");
}

static void litellm_logs_as_csv(void **state)
{
    struct import_counts n;
    struct err e;

    (void)state;
    put(0, "request_id,model,spend,prompt_tokens,completion_tokens,startTime,"
           "endTime,session_id,messages,cache_hit\n"
           "r1,openai/m,0.00025,10,20,2026-05-01 12:00:00.25,"
           "2026-05-01 12:00:01+00,s,"
           "\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"hi\"\"}]\","
           "False\n");
    assert_true(run("litellm-spend", 1, (struct import_options){0}, &n, &e));
    assert_litellm_row(written(), "[{\"role\":\"user\",\"content\":\"hi\"}]");
}

static const struct {
    const char *format, *text, *says;
} mistakes[] = {
    {"routellm-csv", "", "column names"},
    {"routellm-csv", "question,m\n", ":1: wanted a column named 'prompt'"},
    {"routellm-csv", "prompt\n", ":1: wanted a column a model"},
    {"routellm-csv", "prompt,m,m\n", ":1: wanted each column once"},
    {"routellm-csv", "prompt,m\nx,Yes\n",
     ":2: column 'm': wanted True, False or a number in [0,1], found 'Yes'"},
    {"routellm-csv", "prompt,m\nx,2\n", ":2: column 'm': wanted"},
    {"routellm-csv", "prompt,m\nx\n", ":2: wanted 2 fields as in the header"},
    {"routellm-csv", "prompt,m\n\"x\n\n", ":2: wanted the end of the quoted"},
    {"routellm-csv", "prompt,m\n,True\n", ":2: column 'prompt': wanted"},
    {"routerbench-csv", "prompt,m\nx,1\n", ":1: wanted columns 'MODEL'"},
    {"routerbench-csv", "prompt,m,m|total_cost\nx,1,free\n",
     ":2: column 'm|total_cost': wanted USD"},
    {"openai-jsonl", "{}\nx\n", ":1: messages: wanted"},
    {"openai-jsonl", "\nx\n", ":2: JSON: wanted"},
    {"openai-jsonl", "[]\n", ":1: wanted an object"},
    {"openai-jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}",
     ":1: messages: wanted a question and at the end"},
    {"openai-jsonl",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"\"},"
     "{\"role\":\"assistant\",\"content\":\"\"}]}",
     "say which one answered with --arm"},
    {"litellm-spend", "a,b\n1,2\n", ":1: wanted columns request_id and model"},
    {"litellm-spend", "[{\"model\":\"m\"}", ":1: request_id: wanted"},
    {"litellm-spend", "[\n{\"request_id\":\"1\"", ":2: wanted the end of the"},
    {"litellm-spend", "[1]", ":1: wanted a JSON object"},
    {"litellm-spend", "{\"a\":}", ":1: JSON: wanted a JSON value"},
    {"litellm-spend",
     "{\"request_id\":\"1\",\"model\":\"m\",\"spend\":\"x\",\"messages\":"
     "[{\"role\":\"user\"}]}",
     ":1: spend: wanted a number"},
    {"weir-log", "{\"id\":1}\n", ":1: id: wanted a string"},
};

static void a_malformed_file_is_told_with_its_line(void **state)
{
    struct import_counts n;
    struct stat st;
    struct err e;

    (void)state;
    unlink(out);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        put(0, mistakes[i].text);
        assert_false(
            run(mistakes[i].format, 1, (struct import_options){0}, &n, &e));
        if (!strstr(e.msg, mistakes[i].says) || !strstr(e.msg, in[0]))
            fail_msg("wanted '%s' in '%s'", mistakes[i].says, e.msg);
        assert_int_not_equal(stat(out, &st), 0);
    }
}

static void skip_bad_counts_malformed_rows(void **state)
{
    struct import_options opt = {.skip_bad = true};
    struct import_counts n;
    struct err e;

    (void)state;
    put(0, "prompt,m\nx,1\ny,maybe\nz,0\n");
    assert_true(run("routellm-csv", 1, opt, &n, &e));
    assert_int_equal(n.rows, 2);
    assert_int_equal(n.bad, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routellm_tables_have_a_column_a_model),
        cmocka_unit_test(routerbench_tables_have_scores_and_costs),
        cmocka_unit_test(openai_lines_of_all_kinds_are_unlabelled_rows),
        cmocka_unit_test(litellm_logs_as_json),
        cmocka_unit_test(litellm_logs_as_csv),
        cmocka_unit_test(a_malformed_file_is_told_with_its_line),
        cmocka_unit_test(skip_bad_counts_malformed_rows),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
