/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/offeval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "features/features.h"
#include "models/choose.h"
#include "models/classifier.h"
#include "trainer/fit.h"
#include "trainer/off_policy.h"
#include "trainer/offlog.h"
#include "trainer/played.h"
#include "trainer/route_policy.h"

enum { ROWS_MIN = 100 };
/* Of the choices: on arms that the log could not have taken. */
#define UNSEEN_MOST .05

/* What is asked of the estimators, and what they said. */
struct question {
    const struct offeval_options *o;
    struct offlog log;
    float *target;   /* (owned) [n * n_arms] the new policy's choices */
    double *quality; /* (owned) [n * n_arms] outcome model: score */
    double price;    /* the knob as used, NAN: one fixed arm */
    char route[ROUTE_POLICY_NAME]; /* of a configuration; "": none */
    uint64_t unplayed; /* requests that the route could not be asked of */
    /* Of these the ones whose headers the log does not say. */
    int64_t left_out;
    char why[300];
    struct off_policy of_quality, of_cost;
};

static void question_free(struct question *q)
{
    offlog_free(&q->log);
    free(q->target);
    free(q->quality);
}

static bool rooms(struct question *q, struct err *e)
{
    size_t cells = q->log.n * q->log.n_arms + 1;

    q->target = calloc(cells, sizeof *q->target);
    q->quality = calloc(cells, sizeof *q->quality);
    return (q->target && q->quality) ||
           err_set(e, ERR_MEMORY, "no memory for %zu log rows", q->log.n);
}

/* ---- the new policy's choices ---- */

/* The arm of least expected cost among those that could be had, where the
 * policy knows none of them. */
static uint32_t cheapest(const double *expected, uint32_t n, uint32_t chosen)
{
    uint32_t best = chosen;

    for (uint32_t a = 0; a < n; a++)
        if (!isnan(expected[a]) &&
            (isnan(expected[best]) || expected[a] < expected[best]))
            best = a;
    return best;
}

static void target_fixed(struct question *q, uint32_t arm)
{
    for (size_t i = 0; i < q->log.n; i++) {
        const double *expected = q->log.expected + i * q->log.n_arms;
        uint32_t take = isnan(expected[arm]) ? cheapest(expected, q->log.n_arms,
                                                        q->log.chosen[i])
                                             : arm;
        q->target[i * q->log.n_arms + take] = 1;
    }
}

static void target_classifier(struct question *q, const struct classifier *c)
{
    uint32_t n = q->log.n_arms;
    int head[CLASSIFIER_ARMS_MAX];
    struct prediction p;

    for (uint32_t a = 0; a < n; a++)
        head[a] = classifier_find_arm(c, span_of(q->log.t->arms[a].name));
    for (size_t i = 0; i < q->log.n; i++) {
        struct weights_input in = table_row(q->log.t, i);
        const double *expected = q->log.expected + i * n;
        struct candidate arm[CLASSIFIER_ARMS_MAX];
        int take;
        weights_predict(classifier_weights(c), &in, -1, &p, NULL);
        for (uint32_t a = 0; a < n; a++)
            arm[a] = (struct candidate){head[a] >= 0 ? p.quality[head[a]] : 0,
                                        expected[a],
                                        head[a] >= 0 && !isnan(expected[a])};
        take = choose_by_price(arm, n, q->price);
        if (take < 0)
            take = (int)cheapest(expected, n, q->log.chosen[i]);
        q->target[i * n + (uint32_t)take] = 1;
    }
}

/* How many arms a level is over; 0: one of them is none of the log's. */
static uint32_t level_arms(const struct question *q, const struct json *level)
{
    struct json arms = json_get(level, "arms"), name;
    struct json_iter it = json_begin(&arms);
    uint32_t n = 0;

    if (arms.type != JSON_ARRAY)
        return 0;
    for (; json_next(&it, NULL, &name); n++)
        if (table_find_arm(q->log.t, json_inner(&name)) < 0)
            return 0;
    return n;
}

/* The price of the lowest level of the card that promises the quality; of
 * those over several sets of arms, the largest set that the log has. */
static bool level_price(struct question *q, const struct classifier *c,
                        double wanted, struct err *e)
{
    struct json card, levels, level;
    struct json_iter it;
    double least = INFINITY;
    uint32_t most = 0;

    if (!json_parse(classifier_card(c), &card, e))
        return false;
    levels = json_get(&card, "levels");
    it = json_begin(&levels);
    while (levels.type == JSON_ARRAY && json_next(&it, NULL, &level)) {
        struct json valid = json_get(&level, "valid");
        struct json quality = json_get(&level, "quality");
        struct json price = json_get(&level, "price");
        uint32_t arms = level_arms(q, &level);
        double at, p;
        if (!json_true(&valid) || !json_double(&quality, &at) ||
            !json_double(&price, &p) || at < wanted - 1e-9 || arms < most ||
            (arms == most && at >= least))
            continue;
        most = arms;
        least = at;
        q->price = p;
    }
    return isfinite(least) ||
           err_set(e, ERR_INPUT,
                   "the classifier's card promises nothing at quality %.3g: "
                   "a server takes the reference arm then (--policy ARM), or "
                   "give --price",
                   wanted);
}

static bool target_file(struct question *q, const char *path, double quality,
                        struct err *e)
{
    struct classifier *c = classifier_open(path, FEATURES_VERSION, e);
    uint32_t known = 0;
    bool ok = c != NULL;

    for (uint32_t a = 0; ok && a < q->log.n_arms; a++)
        known += classifier_find_arm(c, span_of(q->log.t->arms[a].name)) >= 0;
    if (ok && !known)
        ok = err_set(e, ERR_INPUT,
                     "%s: wanted a classifier of the log's arms (%s, ...), "
                     "found none of them in it",
                     path, q->log.t->arms[0].name);
    q->price = q->o->price;
    if (ok && isnan(q->price) && isnan(quality))
        ok = err_set(e, ERR_USAGE,
                     "a classifier needs its knob: wanted --quality Q (a level "
                     "of its card) or --price P, found neither");
    if (ok && isnan(q->price))
        ok = level_price(q, c, quality, e);
    if (ok)
        target_classifier(q, c);
    classifier_close(c);
    return ok;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* ---- a route's, as the router plays it ---- */

/* Where a request is in the log's rows. */
struct place {
    uint64_t id;
    size_t row;
};

struct playing {
    struct question *q;
    struct place *places; /* (owned) [n] by id */
    bool *played;         /* (owned) [n] */
};

static int by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static bool take_left_out(struct question *q, const struct json *doc,
                          struct err *e)
{
    struct json n = json_get(doc, "left_out"), why = json_get(doc, "why");

    (void)span_copy(q->why, sizeof q->why, json_inner(&why));
    return json_i64(&n, &q->left_out) ||
           err_set(e, ERR_INPUT, "left_out: wanted a count");
}

static bool take_line(void *ctx, struct span line, struct err *e)
{
    struct playing *g = ctx;
    struct question *q = g->q;
    struct json doc, id, arms, key, value;
    struct json_iter it;
    const struct place *at;

    if (!json_parse(span_trim(line), &doc, e))
        return false;
    value = json_get(&doc, "left_out");
    if (value.type != JSON_NONE)
        return take_left_out(q, &doc, e);
    id = json_get(&doc, "id");
    arms = json_get(&doc, "arms");
    at = bsearch(&(struct place){.id = span_hash(json_inner(&id), 0)},
                 g->places, q->log.n, sizeof *at, by_id);
    if (!at) /* no arm answered it */
        return true;
    it = json_begin(&arms);
    while (json_next(&it, &key, &value)) {
        int arm = table_find_arm(q->log.t, json_inner(&key));
        double p;

        if (!json_double(&value, &p))
            continue;
        if (arm < 0)
            return err_set(e, ERR_STATE,
                           "the route would take %.*s, which is no arm of the "
                           "log (request %.*s)",
                           SPAN_ARGS(json_inner(&key)),
                           SPAN_ARGS(json_inner(&id)));
        q->target[at->row * q->log.n_arms + (uint32_t)arm] = (float)p;
    }
    g->played[at->row] = true;
    return true;
}

/* What the route was not asked of counts for nothing. */
static void leave_out(struct playing *g)
{
    struct offlog *l = &g->q->log;

    for (size_t i = 0; i < l->n; i++) {
        if (g->played[i])
            continue;
        l->score[i] = l->spent[i] = NAN;
        g->q->unplayed++;
    }
}

static bool target_route(struct question *q, struct err *e)
{
    struct playing g = {.q = q};
    const struct played_ask ask = {.config = q->o->policy,
                                   .log = q->o->log,
                                   .route = q->route,
                                   .quality = q->o->quality,
                                   .since_ms = q->o->rows.since_ms,
                                   .until_ms = q->o->rows.until_ms,
                                   .take = take_line,
                                   .ctx = &g};
    bool ok;

    if (!isnan(q->o->price))
        return err_set(e, ERR_USAGE,
                       "--price goes with a classifier, not with "
                       "a configuration");
    g.places = malloc((q->log.n + 1) * sizeof *g.places);
    g.played = calloc(q->log.n + 1, sizeof *g.played);
    ok = (g.places && g.played) ||
         err_set(e, ERR_MEMORY, "no memory for %zu log rows", q->log.n);
    for (size_t i = 0; ok && i < q->log.n; i++)
        g.places[i] = (struct place){q->log.id[i], i};
    if (ok)
        qsort(g.places, q->log.n, sizeof *g.places, by_id);
    ok = ok && (played_choices(&ask, e) || err_wrap(e, "%s", q->o->policy));
    if (ok)
        leave_out(&g);
    free(g.places);
    free(g.played);
    return ok;
}

static bool targets(struct question *q, struct err *e)
{
    int arm = table_find_arm(q->log.t, span_of(q->o->policy));

    q->price = NAN;
    if (arm >= 0) {
        target_fixed(q, (uint32_t)arm);
        return true;
    }
    if (ends_with(q->o->policy, ".weir"))
        return target_file(q, q->o->policy, q->o->quality, e);
    if (route_policy_is(q->o->policy))
        return target_route(q, e);
    return err_set(e, ERR_USAGE,
                   "--policy: wanted a classifier (F.weir), a configuration "
                   "(F.yaml) or an arm of the log such as %s, found '%s'",
                   q->log.t->arms[0].name, q->o->policy);
}

/* ---- the outcome model ---- */

static bool model_quality(struct question *q, struct err *e)
{
    struct fit_options how = {.seed = q->o->seed,
                              .threads = q->o->threads,
                              .progress = q->o->progress,
                              .ctx = q->o->ctx};
    uint32_t *rows = malloc((q->log.n + 1) * sizeof *rows);
    struct fitted *f = NULL;
    struct prediction p;

    if (!rows)
        return err_set(e, ERR_MEMORY, "no memory for %zu rows", q->log.n);
    for (size_t i = 0; i < q->log.n; i++)
        rows[i] = (uint32_t)i;
    f = fit_train(q->log.t, rows, q->log.n, &how, e);
    for (size_t i = 0; f && i < q->log.n; i++) {
        fit_oof(f, i, &p);
        for (uint32_t a = 0; a < q->log.n_arms; a++)
            q->quality[i * q->log.n_arms + a] = (double)p.quality[a];
    }
    fit_free(f);
    free(rows);
    return f != NULL;
}

/* Whether the estimate may be said at all. */
static bool enough(const struct off_policy *p, struct err *e)
{
    if (p->n < ROWS_MIN)
        return err_set(e, ERR_STATE,
                       "too little to estimate from: wanted at least %d "
                       "requests whose outcome is known, found %zu",
                       ROWS_MIN, p->n);
    if (p->unseen > UNSEEN_MOST)
        return err_set(e, ERR_STATE,
                       "%.1f %% of this policy's choices are arms that the "
                       "log could not have taken (at most %.0f %%): explore "
                       "them first",
                       100 * p->unseen, 100 * UNSEEN_MOST);
    if (p->effective < OFF_POLICY_EFFECTIVE_MIN)
        return err_set(e, ERR_STATE,
                       "too little to estimate from: wanted an effective "
                       "sample of at least %d requests, found %.1f of %zu "
                       "(largest weight %.0f)",
                       OFF_POLICY_EFFECTIVE_MIN, p->effective, p->n, p->most);
    return true;
}

static bool ask(const struct question *q, const double *reward,
                const double *model, struct off_policy *out, struct err *e)
{
    struct logged l = {.n = q->log.n,
                       .n_arms = q->log.n_arms,
                       .chosen = q->log.chosen,
                       .reward = reward,
                       .propensity = q->log.propensity,
                       .expected = model,
                       .group = q->log.t->group,
                       .heavy = reward == q->log.spent};
    struct err none;

    if (!off_policy_estimate(&l, q->target, q->o->seed, out, &none) && out->n) {
        *e = none;
        return false;
    }
    return enough(out, e);
}

/* Scores lie between 0 and 1, and so does any mean of them. */
static void within_scores(struct estimate *x)
{
    x->lo = fmax(0, fmin(x->lo, 1));
    x->hi = fmax(0, fmin(x->hi, 1));
}

/* ---- the report ---- */

static void figure_json(struct buf *b, const char *name, struct estimate f)
{
    buf_printf(b, ",\"%s\":{\"value\":%.9g,\"lo\":%.9g,\"hi\":%.9g}", name,
               f.value, f.lo, f.hi);
}

static void part_json(struct buf *b, const char *name,
                      const struct off_policy *p)
{
    buf_printf(b,
               ",\"%s\":{\"n\":%zu,\"effective\":%.1f,\"max_weight\":%.3f,"
               "\"unseen\":%.6f",
               name, p->n, p->effective, p->most, p->unseen);
    figure_json(b, "ips", p->ips);
    figure_json(b, "snips", p->snips);
    figure_json(b, "dr", p->dr);
    buf_char(b, '}');
}

static void shares(const struct question *q, double *share)
{
    for (uint32_t a = 0; a < q->log.n_arms; a++) {
        share[a] = 0;
        for (size_t i = 0; i < q->log.n; i++)
            share[a] += (double)q->target[i * q->log.n_arms + a];
        share[a] /= fmax(1, (double)(q->log.n - q->unplayed));
    }
}

static void report_json(const struct question *q, struct buf *b)
{
    double share[CLASSIFIER_ARMS_MAX];

    shares(q, share);
    buf_str(b, "{\"log\":");
    buf_json_str(b, span_of(q->o->log));
    buf_str(b, ",\"policy\":");
    buf_json_str(b, span_of(q->o->policy));
    buf_printf(b, ",\"rows\":%zu,\"unused\":%llu,\"price\":",
               q->log.n - (size_t)q->unplayed,
               (unsigned long long)(q->log.unused + q->unplayed));
    if (isnan(q->price))
        buf_str(b, "null");
    else
        buf_printf(b, "%.9g", q->price);
    buf_str(b, ",\"arms\":[");
    for (uint32_t a = 0; a < q->log.n_arms; a++) {
        buf_str(b, a ? ",{\"name\":" : "{\"name\":");
        buf_json_str(b, span_of(q->log.t->arms[a].name));
        buf_printf(b, ",\"share\":%.6f}", share[a]);
    }
    buf_char(b, ']');
    if (q->left_out) {
        buf_printf(b, ",\"left_out\":%lld,\"why\":", (long long)q->left_out);
        buf_json_str(b, span_of(q->why));
    }
    part_json(b, "quality", &q->of_quality);
    part_json(b, "cost_usd", &q->of_cost);
    buf_str(b, "}\n");
}

static void line(struct buf *b, const char *what, const char *name,
                 struct estimate f)
{
    buf_printf(b, "%-8s %-15s %10.6f  [%.6f, %.6f]\n", what, name, f.value,
               f.lo, f.hi);
}

static void part_table(struct buf *b, const char *what,
                       const struct off_policy *p)
{
    line(b, what, "doubly robust", p->dr);
    line(b, "", "SNIPS", p->snips);
    buf_printf(b,
               "         n %zu, effective %.0f, largest weight %.1f, %.2f %% "
               "of the choices without a like in the log\n",
               p->n, p->effective, p->most, 100 * p->unseen);
}

static void report_table(const struct question *q, struct buf *b)
{
    double share[CLASSIFIER_ARMS_MAX];

    shares(q, share);
    buf_printf(b, "%s on %zu requests of %s (%llu not usable) would take:\n",
               q->o->policy, q->log.n - (size_t)q->unplayed, q->o->log,
               (unsigned long long)(q->log.unused + q->unplayed));
    if (q->left_out)
        buf_printf(b, "(%lld requests could not be played through: %s)\n",
                   (long long)q->left_out, q->why);
    for (uint32_t a = 0; a < q->log.n_arms; a++)
        buf_printf(b, "  %5.1f %%  %s\n", 100 * share[a],
                   q->log.t->arms[a].name);
    buf_str(b, "and a request would be worth [95 % interval]:\n");
    part_table(b, "quality", &q->of_quality);
    part_table(b, "USD", &q->of_cost);
    buf_str(b, "Quality is that of the requests with a label; where labels "
               "are not given at random\nit is theirs, not that of all.\n");
}

bool offeval_run(const struct offeval_options *o, struct buf *out,
                 struct err *e)
{
    struct question q = {.o = o};
    struct dataset_options rows = o->rows;
    bool ok = !route_policy_is(o->policy) ||
              route_policy_find(o->policy, rows.route, q.route, e);

    if (ok && q.route[0])
        rows.route = q.route;
    ok = ok && offlog_load(&q.log, o->log, &rows, e) && rooms(&q, e) &&
         targets(&q, e) && model_quality(&q, e);

    if (ok && !ask(&q, q.log.score, q.quality, &q.of_quality, e))
        ok = err_wrap(e, "quality");
    if (ok && !ask(&q, q.log.spent, q.log.expected, &q.of_cost, e))
        ok = err_wrap(e, "cost");
    within_scores(&q.of_quality.ips);
    within_scores(&q.of_quality.snips);
    within_scores(&q.of_quality.dr);
    if (ok)
        (o->json ? report_json : report_table)(&q, out);
    question_free(&q);
    return ok;
}
