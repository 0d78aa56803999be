/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cmd_eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/progress.h"
#include "datasets/when.h"
#include "models/registry.h"
#include "trainer/contest.h"
#include "trainer/eval_report.h"
#include "trainer/evaluate.h"
#include "trainer/offeval.h"
#include "trainer/pricebook.h"
#include "trainer/split.h"
#include "trainer/tiers.h"

enum { REPORT_MAX = 1 << 20 };

struct options {
    struct arg_list data, train, prices;
    const char *arms, *group, *reference, *tiers;
    const char *log, *policy, *since, *until, *route; /* of a log's policy */
    double quality, price;
    uint64_t folds, labels, seed, resamples, threads;
    bool skip_bad, task_hint, keep_duplicates, json;
};

/* long: a row for each option */
static enum args_end parse(int argc, char **argv, struct options *o, int *first,
                           struct err *e)
{
    const struct arg list[] = {
        {"data", ARG_LIST, &o->data, "F", "labelled outcomes to judge by"},
        {"arms", ARG_TEXT, &o->arms, "A,B,...",
         "models, and plans such as verify(a,b,c) or checked=verify(a,b,c) "
         "(default: all models)"},
        {"folds", ARG_U64, &o->folds, "N", "cross-validation (default 5)"},
        {"group", ARG_TEXT, &o->group, "task", "leave out whole tasks"},
        {"train", ARG_LIST, &o->train, "F",
         "learn from these rows, judge by --data"},
        {"labels", ARG_U64, &o->labels, "N", "learn from N rows a fold only"},
        {"prices", ARG_LIST, &o->prices, "F.csv",
         "model,input,output in USD per million tokens; before the registry's"},
        {"reference", ARG_TEXT, &o->reference, "ARM",
         "the measure of quality and cost (default: the best model)"},
        {"tiers", ARG_TEXT, &o->tiers, "F.yaml", "models -> tiers as arms"},
        {"task-hint", ARG_FLAG, &o->task_hint, NULL,
         "the learned router is told the task, as by x-weir-task"},
        {"keep-duplicates", ARG_FLAG, &o->keep_duplicates, NULL,
         "repeated questions stay, also across folds: flatters"},
        {"seed", ARG_U64, &o->seed, "N", "of splits and resamples (default 1)"},
        {"resamples", ARG_U64, &o->resamples, "N",
         "of the bootstrap (default 1000)"},
        {"threads", ARG_U64, &o->threads, "N", "default 2"},
        {"log", ARG_TEXT, &o->log, "F.db",
         "judge --policy by what a server logged, instead of --data"},
        {"policy", ARG_TEXT, &o->policy, "NEW",
         "a classifier F.weir, a route of F.yaml, or an arm for everything"},
        {"quality", ARG_REAL, &o->quality, "Q",
         "with --policy F.weir: the level of its card"},
        {"price", ARG_REAL, &o->price, "P",
         "or its price: quality that a USD has to buy"},
        {"since", ARG_TEXT, &o->since, "TIME",
         "with --log: requests from then on (2026-05-01, or 7d: ago)"},
        {"until", ARG_TEXT, &o->until, "TIME", "requests before then"},
        {"route", ARG_TEXT, &o->route, "NAME", "requests of this route"},
        {"skip-bad", ARG_FLAG, &o->skip_bad, NULL,
         "leave out malformed rows instead of stopping at the first"},
        {"json", ARG_FLAG, &o->json, NULL, "print JSON"},
    };
    const struct args a = {
        .command = "eval",
        .usage = "--data F... [--arms A,B,...] [options]\n"
                 "       weir eval --log weir.db --policy NEW [options]",
        .about =
            "Judges the learned router, simple rules and every fixed arm on\n"
            "labelled outcomes that they were not learned from.\n"
            "Options may be given again for further files; loose words are\n"
            "further --data files.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };
    return args_parse(&a, argc, argv, first, e);
}

static bool take_words(struct options *o, int argc, char **argv, int first,
                       struct err *e)
{
    for (int i = first; i < argc; i++) {
        if (o->data.n == ARG_LIST_MAX)
            return err_set(e, ERR_USAGE, "wanted at most %d files",
                           ARG_LIST_MAX);
        o->data.at[o->data.n++] = argv[i];
    }
    if (!o->data.n)
        return err_set(e, ERR_USAGE,
                       "--data: wanted labelled outcomes, found none");
    if (o->group && strcmp(o->group, "task") != 0)
        return err_set(e, ERR_USAGE, "--group: wanted task, found '%s'",
                       o->group);
    if (o->folds < 2 || o->folds > SPLIT_FOLDS_MAX)
        return err_set(e, ERR_USAGE, "--folds: wanted 2 to %d, found %llu",
                       SPLIT_FOLDS_MAX, (unsigned long long)o->folds);
    if (o->resamples < 100 || o->resamples > 100000)
        return err_set(e, ERR_USAGE,
                       "--resamples: wanted 100 to 100000, found %llu",
                       (unsigned long long)o->resamples);
    if (o->threads < 1 || o->threads > 256)
        return err_set(e, ERR_USAGE, "--threads: wanted 1 to 256, found %llu",
                       (unsigned long long)o->threads);
    return true;
}

static void show(void *ctx, double done)
{
    progress_at(ctx, done);
}

static bool load(const struct options *o, struct contest_set *s,
                 struct progress *bar, struct err *e)
{
    struct catalogue *catalogue = catalogue_shipped(e);
    struct pricebook *prices = catalogue ? pricebook_new(catalogue) : NULL;
    struct tiers *tiers = NULL;
    bool ok = prices != NULL;
    if (catalogue && !prices)
        err_set(e, ERR_MEMORY, "no memory for prices");
    for (unsigned i = 0; ok && i < o->prices.n; i++)
        ok = pricebook_read(prices, o->prices.at[i], e);
    if (ok && o->tiers)
        ok = (tiers = tiers_read(o->tiers, e)) != NULL;
    const struct contest_options c = {.data = o->data.at,
                                      .n_data = o->data.n,
                                      .train = o->train.at,
                                      .n_train = o->train.n,
                                      .arms = o->arms,
                                      .prices = prices,
                                      .tiers = tiers,
                                      .skip_bad = o->skip_bad,
                                      .task_hint = o->task_hint,
                                      .keep_duplicates = o->keep_duplicates,
                                      .progress = show,
                                      .ctx = bar};
    ok = ok && contest_load(s, &c, e);
    tiers_free(tiers);
    pricebook_free(prices);
    catalogue_free(catalogue);
    return ok;
}

static bool run(const struct options *o, struct buf *out, struct err *e)
{
    struct contest_set s = {0};
    struct evaluation v = {0};
    struct progress bar;
    const struct evaluate_options how = {.folds = (unsigned)o->folds,
                                         .by_task = o->group != NULL,
                                         .labels = o->labels,
                                         .seed = o->seed,
                                         .resamples = (unsigned)o->resamples,
                                         .reference = o->reference,
                                         .progress = show,
                                         .ctx = &bar};
    progress_start(&bar, "reading");
    bool ok = load(o, &s, &bar, e);
    progress_end(&bar);
    if (ok) {
        s.contest.folds = 5;
        s.contest.fit =
            (struct fit_options){.folds = 5, .threads = (unsigned)o->threads};
        progress_start(&bar, "evaluating");
        ok = evaluate(&s.contest, &how, &v, e);
        progress_end(&bar);
    }
    if (ok)
        (o->json ? eval_report_json : eval_report_table)(&v, &s, out);
    if (ok && out->failed)
        ok = err_set(e, ERR_MEMORY, "no memory for the report");
    evaluation_free(&v);
    contest_free(&s);
    return ok;
}

/* What a policy that never ran would have been worth. */
static bool run_log(const struct options *o, struct buf *out, struct err *e)
{
    struct progress bar;
    struct offeval_options how = {
        .log = o->log,
        .policy = o->policy,
        .quality = o->quality,
        .price = o->price,
        .rows = {.skip_bad = o->skip_bad, .route = o->route},
        .seed = (uint32_t)o->seed,
        .threads = (unsigned)o->threads,
        .json = o->json,
        .progress = show,
        .ctx = &bar};
    if (!o->policy || o->data.n || o->train.n)
        return err_set(e, ERR_USAGE,
                       "--log: wanted --policy with it, and neither --data "
                       "nor --train");
    if (!when_parse("since", o->since, &how.rows.since_ms, e) ||
        !when_parse("until", o->until, &how.rows.until_ms, e))
        return false;
    progress_start(&bar, "evaluating");
    bool ok = offeval_run(&how, out, e);
    progress_end(&bar);
    if (ok && out->failed)
        ok = err_set(e, ERR_MEMORY, "no memory for the report");
    return ok;
}

static int fail(const struct err *e)
{
    fprintf(stderr, "weir eval: %s\n", e->msg);
    return e->kind == ERR_USAGE ? 2 : 1;
}

int cmd_eval(int argc, char **argv)
{
    struct options o = {.folds = 5,
                        .seed = 1,
                        .resamples = 1000,
                        .threads = 2,
                        .quality = NAN,
                        .price = NAN};
    struct buf out;
    struct err e;
    int first = argc;
    switch (parse(argc, argv, &o, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_BAD:
        return fail(&e);
    case ARGS_OK:
        break;
    }
    if (!o.log && !take_words(&o, argc, argv, first, &e))
        return fail(&e);
    buf_init(&out, REPORT_MAX);
    bool ok = o.log ? run_log(&o, &out, &e) : run(&o, &out, &e);
    if (ok)
        fputs(buf_cstr(&out), stdout);
    buf_free(&out);
    return ok ? 0 : fail(&e);
}
