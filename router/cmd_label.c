/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/progress.h"
#include "router/label/label.h"
#include "router/settings/settings.h"

struct options {
    const char *config, *log, *url, *key, *judge, *route, *since;
    double budget;
    uint64_t limit, parallel, max_tokens;
    bool pairs, json;
};

static void on_progress(void *ctx, double done)
{
    progress_at(ctx, done);
}

static void print_json(const struct label_counts *c)
{
    printf("{\"rows\":%llu,\"calls\":%llu,\"judged\":%llu,\"labels\":%llu,"
           "\"split\":%llu,\"unparsed\":%llu,\"failed\":%llu,\"too_long\":%llu,"
           "\"cost_usd\":%.12g,\"budget_used_up\":%s}\n",
           (unsigned long long)c->rows, (unsigned long long)c->calls,
           (unsigned long long)c->judged, (unsigned long long)c->labels,
           (unsigned long long)c->split, (unsigned long long)c->unparsed,
           (unsigned long long)c->failed, (unsigned long long)c->long_rows,
           c->usd, c->broke ? "true" : "false");
}

static void print_text(const struct label_counts *c, bool pairs)
{
    printf("%llu of %llu %s judged, %llu labels, $%.6f for %llu calls\n",
           (unsigned long long)c->judged, (unsigned long long)c->rows,
           pairs ? "pairs" : "answers", (unsigned long long)c->labels, c->usd,
           (unsigned long long)c->calls);
    if (c->split)
        printf("%llu pairs whose verdict turned with the order: ties\n",
               (unsigned long long)c->split);
    if (c->unparsed)
        printf("%llu where the judge said nothing that parses: no label\n",
               (unsigned long long)c->unparsed);
    if (c->failed || c->long_rows)
        printf("%llu calls failed, %llu rows are too long\n",
               (unsigned long long)c->failed, (unsigned long long)c->long_rows);
    if (c->broke)
        puts("the day's budget is used up: run it again tomorrow, or with a "
             "larger one");
}

static bool run(const struct options *o, struct label_options *l,
                struct label_counts *c, struct err *e)
{
    struct progress bar;
    bool ok;

    progress_start(&bar, "judging");
    l->progress = on_progress;
    l->ctx = &bar;
    ok = label_run(l, c, e);
    progress_end(&bar);
    if (o->json)
        print_json(c);
    else if (ok || c->calls)
        print_text(c, o->pairs);
    return ok;
}

/* What the options leave unsaid is the configuration's. */
static bool with_config(const struct options *o, struct label_options *l,
                        struct label_counts *c, struct err *e)
{
    struct settings *s = NULL;
    char address[400] = "";
    bool ok;

    if (!o->log || !o->url)
        s = settings_load(o->config, e);
    if ((!o->log || !o->url) && !s)
        return false;
    l->log = o->log ? o->log : s->log.path;
    if (!o->url)
        snprintf(address, sizeof address, "%s://%s",
                 s->tls.cert ? "https" : "http", s->listen);
    l->server.url = o->url ? o->url : address;
    ok = run(o, l, c, e);
    settings_free(s);
    return ok;
}

static bool label(void *options, struct err *e)
{
    const struct options *o = options;
    struct label_counts counts = {0};
    struct label_options l = {
        .server = {.budget = o->budget, .key = o->key},
        .wanted = {.judge = o->judge, .route = o->route, .pairs = o->pairs},
        .limit = o->limit,
        .parallel = (unsigned)o->parallel,
        .max_tokens = (unsigned)o->max_tokens};

    if (!o->judge)
        return err_set(e, ERR_USAGE,
                       "wanted --judge ARM: who judges, a model or a route");
    if (!(o->budget >= 0 && o->budget <= 1e6))
        return err_set(e, ERR_USAGE,
                       "--budget: wanted USD a day, from 0 to 1000000");
    if (o->parallel < 1 || o->parallel > LABEL_LANES_MAX)
        return err_set(e, ERR_USAGE, "--parallel: wanted 1 to %d",
                       LABEL_LANES_MAX);
    if (o->max_tokens < 16 || o->max_tokens > 100000)
        return err_set(e, ERR_USAGE, "--max-tokens: wanted 16 to 100000");
    if (o->since && !clock_parse(span_of(o->since), &l.wanted.since_ms))
        return err_set(e, ERR_USAGE,
                       "--since: wanted a time such as 2026-05-01T12:00:00Z, "
                       "found %s",
                       o->since);
    if (!l.server.key)
        l.server.key = getenv("WEIR_KEY");
    return with_config(o, &l, &counts, e);
}

/* long: the table of options is the function. */
int cmd_label(int argc, char **argv)
{
    struct options o = {.config = "weir.yaml",
                        .budget = 1,
                        .limit = UINT64_MAX,
                        .parallel = 1,
                        .max_tokens = 1024};
    const struct arg list[] = {
        {"judge", ARG_TEXT, &o.judge, "ARM",
         "who judges: a model or a route of the running server"},
        {"pairs", ARG_FLAG, &o.pairs, NULL,
         "compare shadow answers with those that clients got"},
        {"budget", ARG_REAL, &o.budget, "USD",
         "what all judge calls of one day (UTC) may cost [1]"},
        {"limit", ARG_U64, &o.limit, "N", "rows to be judged at the most"},
        {"parallel", ARG_U64, &o.parallel, "N", "calls at once [1]"},
        {"since", ARG_TEXT, &o.since, "TIME", "rows from then on"},
        {"route", ARG_TEXT, &o.route, "NAME", "rows of this route"},
        {"max-tokens", ARG_U64, &o.max_tokens, "N",
         "of the judge's answer [1024]"},
        {"config", ARG_TEXT, &o.config, "F",
         "configuration whose log and address are meant [weir.yaml]"},
        {"log", ARG_TEXT, &o.log, "F", "the log instead"},
        {"url", ARG_TEXT, &o.url, "URL",
         "the server instead, e.g. http://127.0.0.1:8080"},
        {"key", ARG_TEXT, &o.key, "KEY",
         "a key of the server; else WEIR_KEY of the environment"},
        {"json", ARG_FLAG, &o.json, NULL, "print JSON"},
    };
    const struct args args = {
        "label", "--judge ARM [--pairs] [options]",
        "Labels answers of the log by an LLM judge, through the running "
        "server. What was judged is not judged again.",
        list, sizeof list / sizeof list[0]};

    return args_run(&args, argc, argv, label, &o);
}
