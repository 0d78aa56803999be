/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_parts.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "features/features.h"
#include "models/retrain.h"
#include "trainer/cycle_files.h"
#include "trainer/cycle_gate.h"
#include "trainer/cycle_price.h"
#include "trainer/cycle_train.h"

/* Fewer labelled requests teach nothing that could be shown. */
enum { LABELS_LEAST = 50 };
/* A challenger that could not be shown to be better while so many times the
 * labels of a training came is given up for one that learns from them. */
enum { PATIENCE = 2 };

typedef bool step(struct cycle_run *r, const struct watch *w,
                  struct cycle_move *m, struct err *e);

static void say(struct cycle_move *m, const char *event, const char *fmt, ...)
    PRINTF(3, 4);

static void say(struct cycle_move *m, const char *event, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(m->why, sizeof m->why, fmt, ap);
    va_end(ap);
    m->event = event;
}

static void enter(struct cycle_move *m, enum cycle_stage stage)
{
    m->next.stage = stage;
    m->next.since_ms = clock_utc_ms();
    if (stage == CYCLE_IDLE)
        m->next.challenger[0] = '\0';
    if (stage == CYCLE_IDLE || stage == CYCLE_WATCH)
        m->next.price = m->next.priced = NAN;
}

static uint64_t labels_wanted(const struct cycle_run *r)
{
    const struct cycle_config *s = r->set;

    return s->min_new_labels || s->every_ms ? s->min_new_labels
                                            : RETRAIN_LABELS;
}

/* ---- idle ---- */

/* The changed arm's older outcomes are forgotten from now on. */
static void note_changed(const struct watch *w, struct cycle_move *m)
{
    for (uint32_t i = 0; i < w->n_arms; i++)
        if (w->arms[i].residuals.alarm)
            cycle_state_changed(&m->next, w->arms[i].name, w->arms[i].calm_ms);
}

/* Before the newest change the world was another one. */
static int64_t last_change(const struct cycle_state *s)
{
    int64_t ms = 0;

    for (uint32_t i = 0; i < s->n_arms; i++)
        ms = s->arms[i].ms > ms ? s->arms[i].ms : ms;
    return ms;
}

/* Why to train now; false: there is no reason. */
static bool is_due(const struct cycle_run *r, const struct watch *w, char *why,
                   size_t size)
{
    const struct cycle_state *s = &r->state;
    uint64_t wanted = labels_wanted(r);
    const struct watch_arm *arm = watch_alarm(w);
    int64_t waited = clock_utc_ms() - (s->last_ms ? s->last_ms : w->first_ms);

    if (r->force)
        snprintf(why, size, "by order");
    else if (arm && w->new_labels >= LABELS_LEAST)
        snprintf(why, size,
                 "alarm: %s is worse than predicted by %.3f on %llu labels",
                 arm->name, page_hinkley_mean(&arm->residuals),
                 (unsigned long long)arm->residuals.n);
    else if (watch_drifted(w) && w->new_labels >= LABELS_LEAST)
        snprintf(why, size, "the traffic has drifted");
    else if (wanted && w->new_labels >= wanted)
        snprintf(why, size, "%llu labels since the last training, %llu wanted",
                 (unsigned long long)w->new_labels, (unsigned long long)wanted);
    else if (r->set->every_ms && w->new_labels &&
             waited >= (int64_t)r->set->every_ms)
        snprintf(why, size, "the last training was %.1f hours ago",
                 (double)waited / 36e5);
    else
        return false;
    return true;
}

static void put_training(const struct cycle_trained *t, struct buf *b)
{
    buf_printf(b,
               ",\"challenger\":\"%s\",\"rows\":%zu,\"labels\":%zu,"
               "\"complete\":%zu,\"promises\":%s,\"use_fixed\":",
               t->id, t->rows, t->labels, t->complete,
               t->promises ? "true" : "false");
    if (*t->use_fixed)
        buf_json_str(b, span_of(t->use_fixed));
    else
        buf_str(b, "null");
    if (*t->no_plans) {
        buf_str(b, ",\"no_plans\":");
        buf_json_str(b, span_of(t->no_plans));
    }
}

/* A training that fails for its data is no failure of the cycle: it says so
 * and waits for more. */
static bool train(struct cycle_run *r, const char *why, int64_t cut_ms,
                  struct cycle_move *m, struct err *e)
{
    struct cycle_trained t;
    struct err bad = {0};

    m->next.last_ms = clock_utc_ms();
    if (!cycle_train(r->set, &m->next, cut_ms, &t, &bad)) {
        if (bad.kind != ERR_INPUT && bad.kind != ERR_STATE &&
            bad.kind != ERR_USAGE) {
            *e = bad;
            return false;
        }
        enter(m, CYCLE_IDLE);
        say(m, "refuse", "no challenger could be trained (%s): %.300s", why,
            bad.msg);
        return true;
    }
    enter(m, CYCLE_GATE);
    m->next.cut_ms = cut_ms;
    m->next.looks = m->next.look_at = 0;
    m->next.price = m->next.priced = NAN;
    snprintf(m->next.challenger, CYCLE_ID, "%s", t.id);
    put_training(&t, &m->figures);
    say(m, "train", "%s: challenger %s learnt from %zu rows with %zu labels",
        why, t.id, t.rows, t.labels);
    return true;
}

static bool idle(struct cycle_run *r, const struct watch *w,
                 struct cycle_move *m, struct err *e)
{
    char why[200];
    uint64_t wanted;
    int64_t cut_ms;
    size_t n;

    buf_printf(&m->figures, ",\"new_labels\":%llu",
               (unsigned long long)w->new_labels);
    if (!is_due(r, w, why, sizeof why)) {
        say(m, NULL, "%llu labels since the last training, %llu wanted",
            (unsigned long long)w->new_labels,
            (unsigned long long)labels_wanted(r));
        return true;
    }
    note_changed(w, m);
    if (!watch_cut(r->set, last_change(&m->next), &n, &cut_ms, e))
        return false;
    wanted = m->next.n_arms ? labels_wanted(r) : 0;
    if (n < LABELS_LEAST || n < wanted) {
        say(m, NULL,
            "%s, but only %zu labelled requests%s; at least %llu are wanted",
            why, n, wanted ? " since the last change of an arm" : " in all",
            (unsigned long long)(wanted > LABELS_LEAST ? wanted
                                                       : LABELS_LEAST));
        return true;
    }
    m->next.alarm_ms = watch_alarm(w) ? clock_utc_ms() : 0;
    if (watch_alarm(w))
        m->next.watch_ms = m->next.alarm_ms;
    if (r->dry) {
        say(m, "train", "%s", why);
        return true;
    }
    return train(r, why, cut_ms, m, e);
}

/* ---- gate and shadow ---- */

static struct classifier *open_file(const struct cycle_run *r,
                                    const char *suffix, struct err *e)
{
    char path[PATH_MAX];

    if (!cycle_file_path(r->set->model, suffix, path, sizeof path)) {
        err_set(e, ERR_USAGE, "%s: the path is too long", r->set->model);
        return NULL;
    }
    return classifier_open(path, FEATURES_VERSION, e);
}

/* What the gate found, and what the challenger is then. */
struct trying {
    struct gate gate;
    char id[CYCLE_ID]; /* at the price it is given; "": it stays as it is */
};

static bool priced_id(const struct cycle_run *r, const struct classifier *c,
                      struct trying *t, struct err *e)
{
    struct buf bytes;
    bool ok;

    buf_init(&bytes, 1 << 30);
    ok = cycle_price_file(c,
                          (struct cycle_price){r->set->quality, t->gate.given},
                          &bytes, t->id, e);
    buf_free(&bytes);
    return ok;
}

/* The challenger against what runs.  False with e; a challenger that is not
 * there any more ends the try. */
static bool compare(struct cycle_run *r, const struct watch *w, unsigned look,
                    struct trying *t, struct err *e)
{
    struct gate_ask ask = {.set = r->set,
                           .since_ms = r->state.cut_ms,
                           .old_void = watch_drifted(w),
                           .look = look};
    struct classifier *old = NULL, *fresh = open_file(r, ".challenger", e);
    bool ok = fresh != NULL;

    if (ok && *r->state.running)
        ok = (old = open_file(r, "", e)) != NULL;
    ask.old = old;
    ask.fresh = fresh;
    ok = ok && gate_run(&ask, &t->gate, e);
    if (ok && gate_passes(&t->gate) && !isnan(t->gate.given))
        ok = priced_id(r, fresh, t, e);
    classifier_close(old);
    classifier_close(fresh);
    return ok;
}

static bool lost(const struct cycle_run *r, struct cycle_move *m)
{
    char id[CYCLE_ID];

    cycle_file_id(r->set->model, ".challenger", id);
    if (!strcmp(id, r->state.challenger))
        return false;
    enter(m, CYCLE_IDLE);
    say(m, "lost", "challenger %s is not there any more", m->next.challenger);
    return true;
}

/* An arm has changed since it learnt: the next one is to know that.  One that
 * was trained for an alarm is not dropped for another, or none would ever be
 * looked at. */
static bool is_outdated(const struct cycle_run *r, const struct watch *w,
                        struct cycle_move *m)
{
    const struct watch_arm *arm = watch_alarm(w);

    if (!arm || r->state.alarm_ms)
        return false;
    enter(m, CYCLE_IDLE);
    say(m, "refuse", "%s is not any more what challenger %s learnt", arm->name,
        r->state.challenger);
    return true;
}

/* A challenger is refused; what it had learnt of an arm that has changed since
 * is forgotten. */
static void refuse(struct cycle_move *m, const struct gate *g, const char *why)
{
    const struct gate_change *c = &g->changed;

    enter(m, CYCLE_IDLE);
    if (!c->arm[0]) {
        say(m, "refuse", "%s%s", why, g->why);
        return;
    }
    cycle_state_changed(&m->next, c->arm, c->ms);
    say(m, "refuse",
        "%s%s; %s is worse than it predicted by %.3f on %llu labels", why,
        g->why, c->arm, c->by, (unsigned long long)c->n);
}

static bool given_up(const struct cycle_run *r, const struct watch *w)
{
    uint64_t wanted = labels_wanted(r);

    return w->new_labels >= PATIENCE * (wanted ? wanted : RETRAIN_LABELS);
}

/* It passed: the next stage, at the price at which it did. */
static void pass(const struct cycle_run *r, const struct trying *t,
                 enum cycle_stage on, struct cycle_move *m)
{
    const struct gate *g = &t->gate;

    enter(m, on);
    if (!*t->id) {
        say(m, cycle_stage_name(on), "%s", g->why);
        return;
    }
    snprintf(m->next.challenger, CYCLE_ID, "%s", t->id);
    m->next.price = g->given;
    m->next.priced = r->set->quality;
    say(m, cycle_stage_name(on),
        "%s; at a price of %.4g (%.4g by its training), beyond which it is not "
        "shown to keep the promise; it is %s now",
        g->why, g->given, g->price, t->id);
}

/* Where the comparison leads that passed before: `on`.  look: see gate_ask. */
static bool judge(struct cycle_run *r, const struct watch *w,
                  struct cycle_move *m, unsigned look, struct err *e)
{
    struct trying t = {.id = ""};

    if (!compare(r, w, look, &t, e))
        return false;
    gate_json(&t.gate, &m->figures);
    if (gate_passes(&t.gate))
        pass(r, &t, look ? CYCLE_SHADOW : CYCLE_CANARY, m);
    else if (t.gate.end != GATE_LITTLE && t.gate.end != GATE_UNDECIDED)
        refuse(m, &t.gate, "");
    else if (given_up(r, w))
        refuse(m, &t.gate, "given up: ");
    else
        say(m, look && t.gate.end == GATE_UNDECIDED ? "look" : NULL, "%s",
            t.gate.why);
    return true;
}

/* The labels of the log when a further look is worth its share of the chance
 * of an error: a third more than are judged by now. */
static int64_t next_look(const struct watch *w, uint64_t judged)
{
    return (int64_t)(w->labels +
                     (judged > LABELS_LEAST ? judged : LABELS_LEAST) / 3);
}

static bool gate(struct cycle_run *r, const struct watch *w,
                 struct cycle_move *m, struct err *e)
{
    int64_t looks = r->state.looks;
    uint64_t judged = w->labels_since_cut;

    if (lost(r, m) || is_outdated(r, w, m))
        return true;
    if ((int64_t)w->labels < r->state.look_at && !given_up(r, w)) {
        say(m, NULL, "%lld looks so far; %lld more labels until the next one",
            (long long)looks,
            (long long)(r->state.look_at - (int64_t)w->labels));
        return true;
    }
    if (!judge(r, w, m, (unsigned)looks + 1, e))
        return false;
    m->next.looks = looks + 1;
    m->next.look_at = next_look(w, judged);
    return true;
}

static void promote(struct cycle_move *m, const struct watch *w);

static bool shadow(struct cycle_run *r, const struct watch *w,
                   struct cycle_move *m, struct err *e)
{
    /* Rows since the gate, whoever served them. */
    if (w->rows_since < r->set->shadow) {
        say(m, NULL, "%llu requests since the gate, %llu wanted",
            (unsigned long long)w->rows_since,
            (unsigned long long)r->set->shadow);
        return true;
    }
    if (lost(r, m) || is_outdated(r, w, m))
        return true;
    if (!judge(r, w, m, 0, e))
        return false;
    /* Without a share, or with nothing that serves beside it, there is nothing
     * to compare with. */
    if (m->next.stage == CYCLE_CANARY &&
        (r->set->share <= 0 || !*r->state.running))
        promote(m, w);
    return true;
}

/* ---- canary and watch ---- */

static void put_tests(const struct watch *w, struct buf *b)
{
    for (int t = 0; t < WATCH_TESTS; t++) {
        const struct sequential *s = &w->tests[t];

        buf_printf(b, ",\"%s\":{\"old\":", watch_test_name((enum watch_test)t));
        buf_json_num(b, s->n_old ? s->sum_old / (double)s->n_old : NAN);
        buf_str(b, ",\"new\":");
        buf_json_num(b, s->n_new ? s->sum_new / (double)s->n_new : NAN);
        buf_printf(b, ",\"n_old\":%llu,\"n_new\":%llu,\"p\":%.4g}",
                   (unsigned long long)s->n_old, (unsigned long long)s->n_new,
                   sequential_p(s));
    }
}

static void promote(struct cycle_move *m, const struct watch *w)
{
    snprintf(m->next.before, CYCLE_ID, "%s", m->next.running);
    snprintf(m->next.running, CYCLE_ID, "%s", m->next.challenger);
    m->next.before_quality = w->labelled ? w->score / (double)w->labelled : NAN;
    enter(m, CYCLE_WATCH);
    m->next.challenger[0] = '\0';
    m->next.watch_ms = m->next.since_ms;
    m->event = "promote";
}

static bool canary(struct cycle_run *r, const struct watch *w,
                   struct cycle_move *m, struct err *e)
{
    (void)e;
    put_tests(w, &m->figures);
    if (w->stopped >= 0) {
        const struct sequential *s = &w->tests[w->stopped];

        enter(m, CYCLE_IDLE);
        say(m, "stop",
            "canary %s is worse in %s than what serves beside it: %.4f "
            "against %.4f (p %.3g at any time)",
            r->state.challenger, watch_test_name((enum watch_test)w->stopped),
            s->sum_new / (double)s->n_new, s->sum_old / (double)s->n_old,
            sequential_p(s));
    } else if (w->canary_served < r->set->canary) {
        say(m, NULL, "the canary has served %llu requests, %llu wanted",
            (unsigned long long)w->canary_served,
            (unsigned long long)r->set->canary);
    } else {
        say(m, "promote", "the canary served %llu requests and is not worse",
            (unsigned long long)w->canary_served);
        promote(m, w);
    }
    return true;
}

static void roll_back(struct cycle_move *m)
{
    snprintf(m->next.running, CYCLE_ID, "%s", m->next.before);
    m->next.before[0] = '\0';
    m->event = "rollback";
    enter(m, CYCLE_IDLE);
    m->next.watch_ms = m->next.since_ms;
}

/* Better to come back to what was before than to serve worse answers. */
static bool watch(struct cycle_run *r, const struct watch *w,
                  struct cycle_move *m, struct err *e)
{
    const struct watch_arm *arm = watch_alarm(w);
    char kept[CYCLE_ID];

    (void)e;
    cycle_file_id(r->set->model, ".1", kept);
    if (arm && *m->next.before && !strcmp(kept, m->next.before)) {
        say(m, "rollback",
            "%s is worse than classifier %s predicted by %.3f on %llu labels",
            arm->name, r->state.running, page_hinkley_mean(&arm->residuals),
            (unsigned long long)arm->residuals.n);
        roll_back(m);
    } else if (arm || w->served >= r->set->watch) {
        enter(m, CYCLE_IDLE);
        say(m, "settle", "%llu requests without an alarm",
            (unsigned long long)w->served);
        if (arm)
            say(m, "settle",
                "%s is worse than predicted, but there is no "
                "classifier to go back to",
                arm->name);
    } else {
        say(m, NULL, "%llu requests since the promotion, %llu wanted",
            (unsigned long long)w->served, (unsigned long long)r->set->watch);
    }
    return true;
}

static step *const steps[CYCLE_STAGES] = {[CYCLE_IDLE] = idle,
                                          [CYCLE_GATE] = gate,
                                          [CYCLE_SHADOW] = shadow,
                                          [CYCLE_CANARY] = canary,
                                          [CYCLE_WATCH] = watch};

bool cycle_step(struct cycle_run *r, struct cycle_move *m, struct err *e)
{
    struct watch w;

    return watch_read(r->set, &r->state, &w, e) &&
           steps[r->state.stage](r, &w, m, e);
}
