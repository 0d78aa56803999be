/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `make bench-routing`: the bars that routing quality has to reach on public
 * labelled outcomes, each with the figure reached, its 95 % interval and n.
 * One row of `runs` is one `weir eval`, printed so that it can be repeated;
 * one row of `bars` is one figure of one of them.  Exit status 1 when a bar
 * is missed.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/progress.h"
#include "tests/bars/off_policy_bars.h"
#include "tests/bars/promise.h"
#include "trainer/contest.h"
#include "trainer/evaluate.h"
#include "trainer/pricebook.h"

#define PAIR "mixtral-8x7b-instruct,gpt-4-1106-preview"
#define POOL "llama-3.1-8b-instruct,gemini-1.5-flash,gpt-4o-2024-05-13"
#define PLAN "verify(gemini-1.5-flash,llama-3.1-70b-instruct,gpt-4o-2024-05-13)"
#define POOL_FILES "mmlu-pro", "zeroeval-math", "zeroeval-crux"

enum { SEED = 1, RESAMPLES = 1000, FILES_MAX = 3, SEEDS = 4 };

enum run_id {
    MMLU,
    MERGED,
    FEW,
    SUBJECTS,
    GSM8K,
    TO_MMLU,
    TO_GSM8K,
    THREE,
    PLANS
};

static const struct run {
    const char *data[FILES_MAX], *train, *arms;
    size_t labels;
    bool by_task;
    bool repeats;   /* repeated questions stay, as in RouteLLM's evaluation */
    unsigned seeds; /* as many deals of the folds, 0: one; figures are means */
} runs[] = {
    [MMLU] = {{"routellm-mmlu"}, NULL, PAIR, 0, false, true, SEEDS},
    [MERGED] = {{"routellm-mmlu"}, NULL, PAIR, 0, false, false, 0},
    [FEW] = {{"routellm-mmlu"}, NULL, PAIR, 1500, false, false, 0},
    [SUBJECTS] = {{"routellm-mmlu"}, NULL, PAIR, 0, true, false, 0},
    [GSM8K] = {{"routellm-gsm8k"}, NULL, PAIR, 0, false, false, 0},
    [TO_MMLU] = {{"routellm-mmlu"}, "mmlu-pro", PAIR, 0, false, false, 0},
    [TO_GSM8K] = {{"routellm-gsm8k"}, "mmlu-pro", PAIR, 0, false, false, 0},
    [THREE] = {{POOL_FILES}, NULL, POOL, 0, false, false, 0},
    [PLANS] = {{POOL_FILES}, NULL, POOL "," PLAN, 0, false, false, 0},
};
enum { RUNS = sizeof runs / sizeof runs[0] };

enum figure_id { APGR, CPT50, CPT80, SAVING95, SAVING98, SAVING100, FIGURES };

static const struct {
    const char *name;
    bool at_most;
} figures[] = {
    [APGR] = {"APGR", false},
    [CPT50] = {"CPT(50 %)", true},
    [CPT80] = {"CPT(80 %)", true},
    [SAVING95] = {"saving at .95", false},
    [SAVING98] = {"saving at .98", false},
    [SAVING100] = {"saving at 1.00", false},
};

static const struct bar {
    const char *what;
    enum run_id run;
    enum figure_id figure;
    double value;
} bars[] = {
    {"routellm-mmlu, 5 folds, as published", MMLU, APGR, .70},
    {"routellm-mmlu, 5 folds, as published", MMLU, CPT50, .25},
    {"routellm-mmlu, 5 folds, as published", MMLU, CPT80, .55},
    {"routellm-mmlu, 1,500 labels", FEW, APGR, .64},
    {"routellm-mmlu, 1,500 labels", FEW, CPT50, .315},
    {"routellm-mmlu, 1,500 labels", FEW, CPT80, .65},
    {"routellm-mmlu, whole subjects out", SUBJECTS, APGR, .61},
    {"routellm-gsm8k, 5 folds", GSM8K, APGR, .63},
    {"mmlu-pro -> routellm-mmlu", TO_MMLU, APGR, .56},
    {"mmlu-pro -> routellm-gsm8k", TO_GSM8K, APGR, .50},
    {"three models", THREE, SAVING95, .35},
    {"three models", THREE, SAVING98, .20},
    {"three models and a plan", PLANS, SAVING95, .52},
    {"three models and a plan", PLANS, SAVING98, .39},
    {"three models and a plan", PLANS, SAVING100, .30},
};
enum { BARS = sizeof bars / sizeof bars[0] };

/* What is kept of a run: means over its seeds, of the intervals' ends too. */
struct result {
    size_t n;
    struct figure learned[FIGURES], task_mean[FIGURES];
    double least[FIGURES], most[FIGURES]; /* learned, of all seeds */
};

static struct figure figure_of(const struct eval_router *r, enum figure_id f)
{
    switch (f) {
    case APGR:
        return r->apgr;
    case CPT50:
        return r->cpt50;
    case CPT80:
        return r->cpt80;
    case SAVING95:
    case SAVING98:
    case SAVING100:
    case FIGURES:
        break;
    }
    return r->at[f - SAVING95].saving;
}

static const char *path_of(const char *dir, const char *set, char dst[512])
{
    snprintf(dst, 512, "%s/%s.jsonl.gz", dir, set);
    return dst;
}

static void command_print(const char *dir, const struct run *r)
{
    printf("  weir eval");
    for (int i = 0; i < FILES_MAX && r->data[i]; i++)
        printf(" --data %s/%s.jsonl.gz", dir, r->data[i]);
    if (r->train)
        printf(" --train %s/%s.jsonl.gz", dir, r->train);
    printf(" --arms '%s' --prices %s/prices.csv", r->arms, dir);
    if (r->labels)
        printf(" --labels %zu", r->labels);
    printf("%s%s", r->by_task ? " --group task" : "",
           r->repeats ? " --keep-duplicates" : "");
    if (r->seeds)
        printf(" --seed N, N = 1 ... %u", r->seeds);
    printf("\n");
}

static void show(void *ctx, double done)
{
    progress_at(ctx, done);
}

/* Reads what a run needs. */
static bool run_load(const char *dir, const struct run *r,
                     const struct pricebook *prices, struct contest_set *s,
                     struct err *e)
{
    char data[FILES_MAX][512], train[512];
    const char *files[FILES_MAX], *learn = train;
    struct contest_options c = {.data = files,
                                .train = &learn,
                                .n_train = r->train != NULL,
                                .arms = r->arms,
                                .keep_duplicates = r->repeats,
                                .prices = prices};
    for (; c.n_data < FILES_MAX && r->data[c.n_data]; c.n_data++)
        files[c.n_data] = path_of(dir, r->data[c.n_data], data[c.n_data]);
    if (r->train)
        path_of(dir, r->train, train);
    if (!contest_load(s, &c, e))
        return false;
    s->contest.folds = 5;
    return true;
}

static struct evaluate_options options_of(const struct run *r,
                                          struct progress *bar)
{
    return (struct evaluate_options){.folds = 5,
                                     .by_task = r->by_task,
                                     .labels = r->labels,
                                     .seed = SEED,
                                     .resamples = RESAMPLES,
                                     .progress = show,
                                     .ctx = bar};
}

static void figure_add(struct figure *sum, struct figure x, double share)
{
    sum->value += share * x.value;
    sum->lo += share * x.lo;
    sum->hi += share * x.hi;
}

/* routers: the learned one, then the task mean. */
static void result_add(struct result *r, const struct evaluation *v,
                       unsigned seeds)
{
    r->n = v->n;
    for (enum figure_id f = 0; f < FIGURES; f++) {
        struct figure x = figure_of(&v->routers[0], f);
        figure_add(&r->learned[f], x, 1. / seeds);
        figure_add(&r->task_mean[f], figure_of(&v->routers[1], f), 1. / seeds);
        r->least[f] = fmin(r->least[f], x.value);
        r->most[f] = fmax(r->most[f], x.value);
    }
}

static bool run_seed(const struct contest *c, const struct run *r,
                     unsigned seed, struct result *out, struct err *e)
{
    struct progress bar;
    struct evaluate_options o = options_of(r, &bar);
    struct evaluation v = {0};
    o.seed = SEED + seed;
    progress_start(&bar, r->data[0]);
    bool ok = evaluate(c, &o, &v, e);
    progress_end(&bar);
    if (ok)
        result_add(out, &v, r->seeds ? r->seeds : 1);
    evaluation_free(&v);
    return ok;
}

static bool run_one(const char *dir, const struct run *r,
                    const struct pricebook *prices, struct result *out,
                    struct err *e)
{
    struct contest_set s = {0};
    unsigned seeds = r->seeds ? r->seeds : 1;
    bool ok = run_load(dir, r, prices, &s, e);
    *out = (struct result){0};
    for (int f = 0; f < FIGURES; f++) {
        out->least[f] = INFINITY;
        out->most[f] = -INFINITY;
    }
    for (unsigned k = 0; ok && k < seeds; k++)
        ok = run_seed(&s.contest, r, k, out, e);
    contest_free(&s);
    return ok;
}

/* The guarantee and the off-policy estimates are tried on what the
 * three-model pool's fits predicted. */
static bool run_promises(const char *dir, const struct pricebook *prices,
                         bool promises, int *failed, struct err *e)
{
    struct progress bar;
    struct evaluate_options o = options_of(&runs[THREE], &bar);
    struct contest_set s = {0};
    struct trial t = {0};
    if (!run_load(dir, &runs[THREE], prices, &s, e))
        return false;
    progress_start(&bar, "guarantee");
    bool ok = trial_run(&t, &s.contest, &o, e);
    progress_end(&bar);
    ok = ok && (!promises || promise_bars(&t, failed, e)) &&
         off_policy_bars(&t, failed, e);
    trial_free(&t);
    contest_free(&s);
    return ok;
}

static bool bar_print(const struct bar *b, const struct result *r)
{
    struct figure f = r->learned[b->figure];
    struct figure task = r->task_mean[b->figure];
    bool at_most = figures[b->figure].at_most;
    bool pass = at_most ? f.value <= b->value : f.value >= b->value;
    printf("%-38s %-15s %s %5.3f  %5.3f [%5.3f, %5.3f]  %6.3f  %6zu  ", b->what,
           figures[b->figure].name, at_most ? "<=" : ">=", b->value, f.value,
           f.lo, f.hi, task.value, r->n);
    if (pass)
        printf("pass\n");
    else
        printf("FAIL by %.3f\n", fabs(f.value - b->value));
    return pass;
}

/* The same with repeated questions merged: no bar, but never left out. */
static void merged_print(const struct result *all, const struct result *merged)
{
    printf("\nroutellm-mmlu asks %zu of its questions again, most of them "
           "under another subject.\nAs published, a question is learned from "
           "in one fold and judged by in another;\nwith each question once "
           "the same figures are:\n",
           all->n - merged->n);
    for (enum figure_id f = APGR; f <= CPT80; f++)
        printf("  %-10s as published %.3f (seeds %.3f ... %.3f, n %zu)   "
               "merged %.3f [%.3f, %.3f] (n %zu)\n",
               figures[f].name, all->learned[f].value, all->least[f],
               all->most[f], all->n, merged->learned[f].value,
               merged->learned[f].lo, merged->learned[f].hi, merged->n);
}

static int report(const struct result *results)
{
    int failed = 0;
    printf("\n%-38s %-15s %8s  %22s  %6s  %6s\n", "check", "figure", "bar",
           "reached [95 % interval]", "task", "n");
    for (int i = 0; i < BARS; i++)
        failed += !bar_print(&bars[i], &results[bars[i].run]);
    printf("(task: the same figure of the task-mean router, which is told "
           "the true task; where a run has seeds, figures and the ends of "
           "intervals are\nmeans over them)\n\n%d of %d bars reached\n",
           BARS - failed, BARS);
    merged_print(&results[MMLU], &results[MERGED]);
    return failed;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* off_policy: that alone. */
static bool run_all(const char *dir, bool off_policy, int *failed,
                    struct err *e)
{
    char prices_path[512];
    struct result results[RUNS] = {{0}};
    struct pricebook *prices = pricebook_new(NULL);
    bool ok = prices || err_set(e, ERR_MEMORY, "no memory for prices");
    snprintf(prices_path, sizeof prices_path, "%s/prices.csv", dir);
    ok = ok && pricebook_read(prices, prices_path, e);
    for (int i = 0; ok && !off_policy && i < RUNS; i++) {
        double began = now();
        command_print(dir, &runs[i]);
        fflush(stdout);
        ok = run_one(dir, &runs[i], prices, &results[i], e);
        printf("    %.1f s\n", now() - began);
    }
    if (ok && !off_policy)
        *failed = report(results);
    fflush(stdout);
    ok = ok && run_promises(dir, prices, !off_policy, failed, e);
    pricebook_free(prices);
    return ok;
}

int main(int argc, char **argv)
{
    bool off_policy = argc > 1 && strcmp(argv[1], "off-policy") == 0;
    const char *dir = getenv("WEIR_DATA");
    int failed = 0;
    struct err e;
    char path[512];
    if (!dir)
        dir = "../shared/data";
    if (access(path_of(dir, "routellm-mmlu", path), R_OK) != 0) {
        printf("skipped: the labelled sets are not in %s (WEIR_DATA names "
               "another folder)\n",
               dir);
        return 0;
    }
    if (!run_all(dir, off_policy, &failed, &e)) {
        fprintf(stderr, "routing bars: %s\n", e.msg);
        return 1;
    }
    return failed ? 1 : 0;
}
