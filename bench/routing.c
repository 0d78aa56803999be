/* SPDX-License-Identifier: Apache-2.0 */
/* weir bench routing: labelled requests through a running gateway. */
#include "bench/modes.h"

#include "base/args.h"
#include "bench/report.h"
#include "models/registry.h"
#include "trainer/pricebook.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MAX = 16 << 20 };

struct options {
    struct arg_list data, prices, routes, rivals;
    const char *config, *url, *arms, *key, *qualities, *html, *svg, *name;
    uint64_t max, concurrency, seed, resamples;
    double timeout;
    bool json, feedback;
};

struct study {
    struct options o;
    struct catalogue *catalogue;
    struct pricebook *book;
    struct pool pool;
    struct rows rows;
    struct replay_way way[TALLY_WAYS_MAX];
    unsigned n_ways;
    struct tally tally;
    char data[256];
};

static bool read_prices(struct study *s, struct err *e)
{
    s->catalogue = catalogue_shipped(e);
    if (!s->catalogue)
        return false;
    s->book = pricebook_new(s->catalogue);
    if (!s->book)
        return err_set(e, ERR_MEMORY, "no memory for prices");
    for (unsigned i = 0; i < s->o.prices.n; i++) {
        if (!pricebook_read(s->book, s->o.prices.at[i], e))
            return false;
    }
    return true;
}

static bool find_pool(struct study *s, struct err *e)
{
    const struct options *o = &s->o;
    const char *route = o->routes.at[0];

    if (o->config && !o->arms)
        return pool_from_config(&s->pool, o->config, route, s->book, e);
    return pool_from_names(&s->pool, o->arms, s->book, e);
}

/* "mmlu-pro.jsonl.gz, zeroeval-math.jsonl.gz" */
static void name_data(struct study *s)
{
    size_t n = 0;

    for (unsigned i = 0; i < s->o.data.n && n < sizeof s->data; i++) {
        const char *slash = strrchr(s->o.data.at[i], '/');

        n += (size_t)snprintf(s->data + n, sizeof s->data - n, "%s%s",
                              i ? ", " : "",
                              slash ? slash + 1 : s->o.data.at[i]);
    }
}

static bool add_way(struct study *s, const char *route, double quality,
                    struct err *e)
{
    struct replay_way *w = &s->way[s->n_ways];

    if (s->n_ways == TALLY_WAYS_MAX)
        return err_set(e, ERR_USAGE, "wanted at most %d routes and qualities",
                       TALLY_WAYS_MAX);
    w->route = route;
    w->quality = quality;
    if (isnan(quality))
        snprintf(w->label, sizeof w->label, "%s", route);
    else
        snprintf(w->label, sizeof w->label, "%s at %g", route, quality);
    s->n_ways++;
    return true;
}

static bool add_ways(struct study *s, const char *route, struct err *e)
{
    struct span rest = span_of(s->o.qualities);

    if (!s->o.qualities)
        return add_way(s, route, NAN, e);
    while (rest.ptr) {
        struct span one = span_trim(span_cut(&rest, ','));
        double q;

        if (!span_double(one, &q) || q < 0 || q > 1)
            return err_set(e, ERR_USAGE,
                           "--quality: wanted 0 to 1, found '%.*s'",
                           SPAN_ARGS(one));
        if (!add_way(s, route, q, e))
            return false;
    }
    return true;
}

/* NAME=URL: the first route, asked of another gateway. */
static bool add_rival(struct study *s, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    struct replay_way *w = &s->way[s->n_ways];

    if (!eq || eq == text)
        return err_set(e, ERR_USAGE, "--rival: wanted NAME=URL, found '%s'",
                       text);
    if (!add_way(s, s->o.routes.at[0], NAN, e))
        return false;
    w->url = eq + 1;
    snprintf(w->label, sizeof w->label, "%.*s", (int)(eq - text), text);
    return true;
}

static bool ask_all(struct study *s, struct err *e)
{
    struct replay_options ro = {
        .url = s->o.url ? s->o.url : s->pool.url,
        .api_key = s->o.key,
        .concurrency = (unsigned)s->o.concurrency,
        .timeout = s->o.timeout,
        .feedback = s->o.feedback,
    };

    if (!ro.url)
        return err_set(e, ERR_USAGE,
                       "--url: wanted the gateway's address (the "
                       "configuration leaves the port open), found none");
    s->o.url = ro.url;
    for (unsigned i = 0; i < s->o.routes.n; i++) {
        if (!add_ways(s, s->o.routes.at[i], e))
            return false;
    }
    if (s->o.name)
        snprintf(s->way[0].label, sizeof s->way[0].label, "%s", s->o.name);
    for (unsigned i = 0; i < s->o.rivals.n; i++) {
        if (!add_rival(s, s->o.rivals.at[i], e))
            return false;
    }
    for (unsigned i = 0; i < s->n_ways; i++) {
        if (!replay_run(&s->way[i], &s->rows, &s->pool, &ro, e))
            return false;
    }
    return true;
}

static bool count_up(struct study *s, struct err *e)
{
    struct tally *t = &s->tally;
    uint64_t *group = calloc(s->rows.n + 1, sizeof *group);
    bool ok = group != NULL;

    if (!ok)
        return err_set(e, ERR_MEMORY, "no memory");
    for (size_t i = 0; i < s->rows.n; i++)
        group[i] = s->rows.row[i].stem;
    *t = (struct tally){.n = s->rows.n,
                        .group = group,
                        .n_models = s->pool.n,
                        .n_ways = s->n_ways};
    for (unsigned m = 0; m < t->n_models; m++) {
        t->model[m].score = s->rows.score + m * s->rows.n;
        t->model[m].cost = s->rows.cost + m * s->rows.n;
    }
    for (unsigned w = 0; w < t->n_ways; w++) {
        t->way[w].score = s->way[w].score;
        t->way[w].cost = s->way[w].cost;
    }
    ok = tally_run(t, (unsigned)s->o.resamples, s->o.seed, e);
    t->group = NULL;
    free(group);
    return ok;
}

static bool write_file(const char *path, const struct buf *b, struct err *e)
{
    FILE *f = path ? fopen(path, "w") : NULL;

    if (!path)
        return true;
    if (!f)
        return err_sys(e, "%s", path);
    if (fwrite(b->ptr, 1, b->len, f) != b->len) {
        fclose(f);
        return err_sys(e, "%s", path);
    }
    return fclose(f) == 0 || err_sys(e, "%s", path);
}

static bool write_report(const struct report *r,
                         void (*w)(const struct report *, struct buf *),
                         const char *path, struct err *e)
{
    struct buf b;
    bool ok;

    if (!path)
        return true;
    buf_init(&b, REPORT_MAX);
    w(r, &b);
    ok = !b.failed || err_set(e, ERR_MEMORY, "no memory for the report");
    if (ok && !strcmp(path, "-"))
        fwrite(b.ptr, 1, b.len, stdout);
    else if (ok)
        ok = write_file(path, &b, e);
    buf_free(&b);
    return ok;
}

static bool report_all(struct study *s, struct err *e)
{
    struct report r = {.pool = &s->pool,
                       .rows = &s->rows,
                       .ways = s->way,
                       .tally = &s->tally,
                       .url = s->o.url,
                       .data = s->data,
                       .concurrency = (unsigned)s->o.concurrency,
                       .seed = s->o.seed};

    return write_report(&r, s->o.json ? report_json : report_text, "-", e) &&
           write_report(&r, report_svg, s->o.svg, e) &&
           write_report(&r, report_html, s->o.html, e);
}

static bool nobody_answered(const struct study *s, struct err *e)
{
    for (unsigned i = 0; i < s->n_ways; i++) {
        if (s->way[i].answered)
            return false;
    }
    err_set(e, ERR_IO, "%s: no request was answered (%s)", s->o.url,
            s->way[0].n_errors ? s->way[0].error[0].kind : "no error");
    return true;
}

static bool run(struct study *s, struct err *e)
{
    struct rows_options ro = {s->o.data.at, s->o.data.n, s->o.max, s->o.seed};

    name_data(s);
    return read_prices(s, e) && find_pool(s, e) &&
           rows_load(&s->rows, &ro, &s->pool, e) && ask_all(s, e) &&
           !nobody_answered(s, e) && count_up(s, e) && report_all(s, e);
}

static bool check(struct options *o, struct err *e)
{
    if (o->data.n == 0)
        return err_set(e, ERR_USAGE, "--data: wanted a dataset, found none");
    if (!o->config && !(o->url && o->arms))
        return err_set(e, ERR_USAGE,
                       "wanted --config weir.yaml, or --url and "
                       "--arms for another gateway");
    if (o->concurrency == 0 || o->concurrency > 1024)
        return err_set(e, ERR_USAGE,
                       "--concurrency: wanted 1 to 1024, found %llu",
                       (unsigned long long)o->concurrency);
    if (o->resamples < 20 || o->resamples > 100000)
        return err_set(e, ERR_USAGE,
                       "--resamples: wanted 20 to 100000, found %llu",
                       (unsigned long long)o->resamples);
    if (o->timeout <= 0 || o->timeout > 3600)
        return err_set(e, ERR_USAGE, "--timeout: wanted 0 to 3600, found %g",
                       o->timeout);
    if (o->routes.n == 0)
        o->routes.at[o->routes.n++] = "auto";
    return true;
}

/* long: a table of options. */
static enum args_end parse(int argc, char **argv, struct options *o,
                           struct err *e)
{
    const struct arg list[] = {
        {"data", ARG_LIST, &o->data, "F", "labelled dataset; may be repeated"},
        {"config", ARG_TEXT, &o->config, "F",
         "weir.yaml: address, arms, prices"},
        {"url", ARG_TEXT, &o->url, "U", "base URL of any gateway, with /v1"},
        {"arms", ARG_TEXT, &o->arms, "A,B", "models to compare with"},
        {"route", ARG_LIST, &o->routes, "R",
         "sent as model; may be repeated [auto]"},
        {"quality", ARG_TEXT, &o->qualities, "Q,Q",
         "ask once with each as x-weir-quality"},
        {"rival", ARG_LIST, &o->rivals, "N=U",
         "the same of another gateway; may be repeated"},
        {"name", ARG_TEXT, &o->name, "N", "what the first way is called"},
        {"prices", ARG_LIST, &o->prices, "F.csv",
         "model, input and output USD per million tokens"},
        {"max", ARG_U64, &o->max, "N", "requests, drawn by the seed [all]"},
        {"concurrency", ARG_U64, &o->concurrency, "N", "at a time [8]"},
        {"timeout", ARG_REAL, &o->timeout, "S", "seconds a request [60]"},
        {"feedback", ARG_FLAG, &o->feedback, NULL,
         "send each score to POST /v1/feedback"},
        {"api-key", ARG_TEXT, &o->key, "K", "sent as a bearer token"},
        {"seed", ARG_U64, &o->seed, "N", "of the draw and the bootstrap [1]"},
        {"resamples", ARG_U64, &o->resamples, "N", "of the bootstrap [1000]"},
        {"json", ARG_FLAG, &o->json, NULL, "print JSON"},
        {"html", ARG_TEXT, &o->html, "F", "write a report with the curve"},
        {"svg", ARG_TEXT, &o->svg, "F", "write the curve"},
    };
    const struct args a = {
        "bench routing", "--data F --config weir.yaml [options]",
        "Sends labelled requests through a running gateway and compares cost "
        "and quality with\nevery fixed model on the same requests.",
        list, sizeof list / sizeof list[0]};
    int first = 0;
    enum args_end end = args_parse(&a, argc, argv, &first, e);

    if (end == ARGS_OK && first != argc) {
        err_set(e, ERR_USAGE, "wanted options, found '%s'", argv[first]);
        return ARGS_BAD;
    }
    return end;
}

static void study_free(struct study *s)
{
    tally_free(&s->tally);
    for (unsigned i = 0; i < s->n_ways; i++)
        replay_free(&s->way[i]);
    rows_free(&s->rows);
    pool_free(&s->pool);
    pricebook_free(s->book);
    catalogue_free(s->catalogue);
}

int bench_routing(int argc, char **argv)
{
    struct study *s = calloc(1, sizeof *s);
    struct err e = {.kind = ERR_MEMORY, .msg = "no memory"};
    enum args_end end = ARGS_BAD;
    bool ok = false;

    if (s) {
        s->o.concurrency = 8;
        s->o.seed = 1;
        s->o.resamples = 1000;
        s->o.timeout = 60;
        end = parse(argc, argv, &s->o, &e);
        ok = end == ARGS_OK && check(&s->o, &e) && run(s, &e);
        study_free(s);
    }
    free(s);
    if (end == ARGS_HELP || ok)
        return 0;
    fprintf(stderr, "weir bench routing: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
