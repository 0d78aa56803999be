/* SPDX-License-Identifier: Apache-2.0 */
#include "router/label/label.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "router/label/prompt.h"
#include "router/outlog/outlog_db.h"

enum {
    BODY_MAX = 512 << 10,
    SAID_MAX = 1 << 20,
    BUSY_MS = 10000,
    FAILS_MAX = 5, /* in a row: then the judge is away */
};

/* How sure a single answer's score is: of our own judgement, until labels of
 * people say better. */
#define ALONE_CONFIDENCE 0.6

/* Shared by the lanes; what changes is under the lock. */
struct labelling {
    const struct label_options *o;
    const struct label_todo *list; /* (owned: label_run) [most] */
    size_t most;
    pthread_mutex_t lock;
    struct label_counts *counts;
    struct outlog_db *db; /* (owned) */
    size_t next, done;
    unsigned fails; /* in a row */
    bool stop;
    struct err *e; /* why it stopped, unless the money was used up */
};

/* One thread: a row and a call at a time. */
struct lane {
    struct labelling *all;
    struct asking *asking; /* (owned) */
    struct buf body, said; /* (owned) */
    struct label_texts row;
    pthread_t thread;
    bool runs;
};

enum step { STEP_DONE, STEP_NEXT, STEP_STOP };

/* ---- labels ---- */

struct score {
    double score, confidence;
};

static bool put_label(struct labelling *l, struct span id, struct score s,
                      const struct buf *comment, struct err *e)
{
    const struct table *t = &OUTLOG_TABLES[OUTLOG_LABEL];
    struct outlog_label label = {.request_id = id,
                                 .time_ms = clock_utc_ms(),
                                 .source = SPAN("judge"),
                                 .score = s.score,
                                 .confidence = s.confidence,
                                 .comment = buf_view(comment)};
    size_t n = table_size(t, &label);
    char *bytes = malloc(n);
    bool ok;

    if (!bytes)
        return err_set(e, ERR_MEMORY, "no memory for a label");
    table_pack(t, &label, bytes);
    ok = outlog_db_insert(l->db, OUTLOG_LABEL, (struct span){bytes, n}, e) !=
         DB_FAIL;
    free(bytes);
    l->counts->labels += ok;
    return ok;
}

/* A row's labels. */
struct labels {
    unsigned n;
    struct {
        struct span id;
        struct score score;
        const struct buf *comment;
    } at[2];
};

/* All or none: what was judged is done with its labels. */
static enum step commit(struct labelling *l, const struct labels *labels,
                        struct err *e)
{
    uint64_t before;
    bool ok;

    pthread_mutex_lock(&l->lock);
    before = l->counts->labels;
    ok = outlog_db_begin(l->db, e);
    for (unsigned i = 0; ok && i < labels->n; i++)
        ok = put_label(l, labels->at[i].id, labels->at[i].score,
                       labels->at[i].comment, e);
    ok = ok && outlog_db_commit(l->db, e);
    if (!ok) {
        l->counts->labels = before;
        outlog_db_rollback(l->db);
    }
    l->counts->judged += ok;
    pthread_mutex_unlock(&l->lock);
    return ok ? STEP_DONE : STEP_STOP;
}

static void count(struct labelling *l, uint64_t *what)
{
    pthread_mutex_lock(&l->lock);
    ++*what;
    pthread_mutex_unlock(&l->lock);
}

/* ---- asking ---- */

static struct judged judged_of(const struct lane *n, bool swapped)
{
    const struct label_options *o = n->all->o;
    const struct label_texts *r = &n->row;

    return (struct judged){.id = r->request,
                           .messages = r->messages,
                           .answer = r->answer,
                           .other = o->wanted.pairs ? r->other
                                                    : (struct span){NULL, 0},
                           .swapped = swapped,
                           .judge = o->wanted.judge,
                           .max_tokens = o->max_tokens};
}

/* What came of a call that cost so much. */
static enum step note(struct labelling *l, enum asked a, double usd)
{
    enum step s = a == ASKED_OK ? STEP_DONE : STEP_STOP;

    pthread_mutex_lock(&l->lock);
    l->counts->usd += usd;
    l->counts->calls += a == ASKED_OK;
    l->counts->broke = l->counts->broke || a == ASKED_BROKE;
    l->fails = a == ASKED_FAILED ? l->fails + 1 : 0;
    l->counts->failed += a == ASKED_FAILED;
    if (a == ASKED_FAILED && l->fails < FAILS_MAX)
        s = STEP_NEXT;
    pthread_mutex_unlock(&l->lock);
    return s;
}

static enum step ask(struct lane *n, bool swapped, struct err *e)
{
    struct judged j = judged_of(n, swapped);
    double before = asking_usd(n->asking);
    enum asked a;

    buf_reset(&n->body);
    if (!judge_body(&j, &n->body, e)) {
        count(n->all, &n->all->counts->long_rows);
        return STEP_NEXT;
    }
    a = asking_ask(n->asking, buf_view(&n->body), n->row.request, &n->said, e);
    return note(n->all, a, asking_usd(n->asking) - before);
}

static enum step judge_alone(struct lane *n, struct span id, struct err *e)
{
    struct labelling *l = n->all;
    enum step s = ask(n, false, e);
    struct buf comment;
    double score;

    if (s != STEP_DONE)
        return s;
    score = judge_score(buf_view(&n->said));
    if (isnan(score)) {
        count(l, &l->counts->unparsed);
        return STEP_NEXT;
    }
    buf_init(&comment, 512);
    buf_printf(&comment, "judge=%s; alone; %g of 5", l->o->wanted.judge,
               score * 4 + 1);
    s = commit(
        l, &(struct labels){1, {{id, {score, ALONE_CONFIDENCE}, &comment}}}, e);
    buf_free(&comment);
    return s;
}

static void pair_comment(const struct labelling *l, struct span than,
                         const char *word, bool agreed, struct buf *out)
{
    buf_printf(out, "judge=%s; pair; %s than %.*s%s", l->o->wanted.judge, word,
               SPAN_ARGS(than), agreed ? "" : " (the order decided)");
}

static enum step write_pair(struct lane *n, struct span id,
                            const struct pair_end *p, struct err *e)
{
    struct labelling *l = n->all;
    struct buf mine, others;
    enum step s;

    buf_init(&mine, 512);
    buf_init(&others, 512);
    pair_comment(l, n->row.other_arm, p->answer_word, p->agreed, &mine);
    pair_comment(l, n->row.arm, p->other_word, p->agreed, &others);
    s = commit(l,
               &(struct labels){
                   2,
                   {{id, {p->answer, p->confidence}, &mine},
                    {n->row.request, {p->other, p->confidence}, &others}}},
               e);
    buf_free(&mine);
    buf_free(&others);
    if (s == STEP_DONE && !p->agreed)
        count(l, &l->counts->split);
    return s;
}

static enum step judge_two(struct lane *n, struct span id, struct err *e)
{
    enum verdict v[2];
    struct pair_end p;

    for (int i = 0; i < 2; i++) {
        enum step s = ask(n, i == 1, e);

        if (s != STEP_DONE)
            return s;
        v[i] = judge_verdict(buf_view(&n->said));
    }
    p = judge_pair(v[0], v[1]);
    if (p.parsed)
        return write_pair(n, id, &p, e);
    count(n->all, &n->all->counts->unparsed);
    return STEP_NEXT;
}

/* ---- all ---- */

static enum step one(struct lane *n, const struct label_todo *t, struct err *e)
{
    const struct label_options *o = n->all->o;
    enum step s = STEP_NEXT;

    if (!label_read(o->log, t->id, &n->row, e))
        s = STEP_STOP;
    else if (n->row.found && o->wanted.pairs)
        s = judge_two(n, span_of(t->id), e);
    else if (n->row.found)
        s = judge_alone(n, span_of(t->id), e);
    buf_free(&n->row.all);
    return s;
}

/* The next row that is nobody's yet; NULL: none, or the end. */
static const struct label_todo *take(struct labelling *l)
{
    const struct label_todo *t = NULL;

    pthread_mutex_lock(&l->lock);
    if (!l->stop && l->next < l->most)
        t = &l->list[l->next++];
    pthread_mutex_unlock(&l->lock);
    return t;
}

/* The first that stops stops all; rows that were begun are ended. */
static void finish(struct labelling *l, enum step s, const struct err *e)
{
    pthread_mutex_lock(&l->lock);
    if (s == STEP_STOP && !l->stop)
        *l->e = *e;
    l->stop = l->stop || s == STEP_STOP;
    l->done++;
    if (l->o->progress && s != STEP_STOP)
        l->o->progress(l->o->ctx, (double)l->done / (double)l->most);
    pthread_mutex_unlock(&l->lock);
}

static void *lane_run(void *ctx)
{
    struct lane *n = ctx;
    const struct label_todo *t;

    while ((t = take(n->all))) {
        struct err e = {0};
        enum step s = one(n, t, &e);

        finish(n->all, s, &e);
    }
    return NULL;
}

/* Why there is nothing to judge, where that is so. */
static bool anything(const struct label_options *o, size_t n, struct err *e)
{
    int64_t served;

    if (n > 0)
        return true;
    if (!label_served(o->log, &served, e))
        return false;
    return err_set(e, ERR_STATE,
                   o->wanted.pairs
                       ? "no pair is left to be judged: %lld requests were "
                         "served; pairs need shadow answers (routes.NAME."
                         "shadow) and log.prompts: full"
                       : "no answer is left to be judged: %lld requests were "
                         "served; judging needs their texts (log.prompts: "
                         "full)",
                   (long long)served);
}

static bool lane_open(struct lane *n, struct labelling *l)
{
    *n = (struct lane){.all = l};
    buf_init(&n->body, BODY_MAX);
    buf_init(&n->said, SAID_MAX);
    n->asking = asking_new(&l->o->server, l->e);
    return n->asking != NULL;
}

static void lane_close(struct lane *n)
{
    if (n->runs)
        pthread_join(n->thread, NULL);
    asking_free(n->asking);
    buf_free(&n->body);
    buf_free(&n->said);
}

/* The first lane is this thread. */
static bool run(struct labelling *l)
{
    size_t n = l->most < l->o->parallel ? l->most : l->o->parallel;
    struct lane *lanes = calloc(n + 1, sizeof *lanes);
    size_t open = 0;

    if (!lanes)
        return err_set(l->e, ERR_MEMORY, "no memory for %zu lanes", n);
    while (open < n && !l->stop)
        l->stop = !lane_open(&lanes[open++], l);
    for (size_t i = 1; !l->stop && i < open; i++)
        lanes[i].runs =
            pthread_create(&lanes[i].thread, NULL, lane_run, &lanes[i]) == 0;
    if (open > 0)
        lane_run(&lanes[0]);
    for (size_t i = 0; i < open; i++)
        lane_close(&lanes[i]);
    free(lanes);
    return !l->stop || l->counts->broke;
}

bool label_run(const struct label_options *o, struct label_counts *out,
               struct err *e)
{
    struct labelling l = {.o = o, .counts = out, .e = e};
    struct label_todo *list = NULL;
    bool fatal, ok;
    size_t n = 0;

    *out = (struct label_counts){0};
    if (access(o->log, R_OK | W_OK) < 0)
        return err_sys(e, "%s", o->log);
    pthread_mutex_init(&l.lock, NULL);
    l.db = outlog_db_open(o->log, BUSY_MS, NULL, &fatal, e);
    ok = l.db && label_todos(o->log, &o->wanted, &list, &n, e) &&
         anything(o, n, e);
    out->rows = n;
    l.list = list;
    l.most = n < o->limit ? n : (size_t)o->limit;
    ok = ok && run(&l);
    outlog_db_close(l.db);
    pthread_mutex_destroy(&l.lock);
    free(list);
    return ok;
}
