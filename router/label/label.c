/* SPDX-License-Identifier: Apache-2.0 */
#include "router/label/label.h"

#include <math.h>
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

struct labelling {
    const struct label_options *o;
    struct label_counts *counts;
    struct asking *asking;  /* (owned) */
    struct outlog_db *db;   /* (owned) */
    struct buf body, said;  /* (owned) */
    struct label_texts row; /* of the present row */
    unsigned fails;         /* in a row */
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

/* All or none: what was judged is done with its labels. */
static enum step commit(struct labelling *l, bool ok, struct err *e)
{
    if (ok && outlog_db_commit(l->db, e)) {
        l->counts->judged++;
        return STEP_DONE;
    }
    outlog_db_rollback(l->db);
    return STEP_STOP;
}

/* ---- asking ---- */

static struct judged judged_of(const struct labelling *l, bool swapped)
{
    const struct label_texts *r = &l->row;

    return (struct judged){.id = r->request,
                           .messages = r->messages,
                           .answer = r->answer,
                           .other = l->o->wanted.pairs ? r->other
                                                       : (struct span){NULL, 0},
                           .swapped = swapped,
                           .judge = l->o->wanted.judge,
                           .max_tokens = l->o->max_tokens};
}

static enum step ask(struct labelling *l, bool swapped, struct err *e)
{
    struct judged j = judged_of(l, swapped);
    enum asked a;

    buf_reset(&l->body);
    if (!judge_body(&j, &l->body, e)) {
        l->counts->long_rows++;
        return STEP_NEXT;
    }
    a = asking_ask(l->asking, buf_view(&l->body), l->row.request, &l->said, e);
    l->counts->usd = asking_usd(l->asking);
    l->counts->calls += a == ASKED_OK;
    l->counts->broke = a == ASKED_BROKE;
    l->fails = a == ASKED_FAILED ? l->fails + 1 : 0;
    l->counts->failed += a == ASKED_FAILED;
    if (a == ASKED_OK)
        return STEP_DONE;
    return a == ASKED_FAILED && l->fails < FAILS_MAX ? STEP_NEXT : STEP_STOP;
}

static enum step judge_alone(struct labelling *l, struct span id, struct err *e)
{
    enum step s = ask(l, false, e);
    struct buf comment;
    double score;

    if (s != STEP_DONE)
        return s;
    score = judge_score(buf_view(&l->said));
    if (isnan(score)) {
        l->counts->unparsed++;
        return STEP_NEXT;
    }
    buf_init(&comment, 512);
    buf_printf(&comment, "judge=%s; alone; %g of 5", l->o->wanted.judge,
               score * 4 + 1);
    s = commit(l,
               outlog_db_begin(l->db, e) &&
                   put_label(l, id, (struct score){score, ALONE_CONFIDENCE},
                             &comment, e),
               e);
    buf_free(&comment);
    return s;
}

static void pair_comment(const struct labelling *l, struct span than,
                         const char *word, bool agreed, struct buf *out)
{
    buf_printf(out, "judge=%s; pair; %s than %.*s%s", l->o->wanted.judge, word,
               SPAN_ARGS(than), agreed ? "" : " (the order decided)");
}

static enum step write_pair(struct labelling *l, struct span id,
                            const struct pair_end *p, struct err *e)
{
    struct buf mine, others;
    enum step s;

    buf_init(&mine, 512);
    buf_init(&others, 512);
    pair_comment(l, l->row.other_arm, p->answer_word, p->agreed, &mine);
    pair_comment(l, l->row.arm, p->other_word, p->agreed, &others);
    s = commit(l,
               outlog_db_begin(l->db, e) &&
                   put_label(l, id, (struct score){p->answer, p->confidence},
                             &mine, e) &&
                   put_label(l, l->row.request,
                             (struct score){p->other, p->confidence}, &others,
                             e),
               e);
    buf_free(&mine);
    buf_free(&others);
    l->counts->split += s == STEP_DONE && !p->agreed;
    return s;
}

static enum step judge_two(struct labelling *l, struct span id, struct err *e)
{
    enum verdict v[2];
    struct pair_end p;

    for (int i = 0; i < 2; i++) {
        enum step s = ask(l, i == 1, e);

        if (s != STEP_DONE)
            return s;
        v[i] = judge_verdict(buf_view(&l->said));
    }
    p = judge_pair(v[0], v[1]);
    if (p.parsed)
        return write_pair(l, id, &p, e);
    l->counts->unparsed++;
    return STEP_NEXT;
}

/* ---- all ---- */

static enum step one(struct labelling *l, const struct label_todo *t,
                     struct err *e)
{
    enum step s = STEP_NEXT;

    if (!label_read(l->o->log, t->id, &l->row, e))
        s = STEP_STOP;
    else if (l->row.found && l->o->wanted.pairs)
        s = judge_two(l, span_of(t->id), e);
    else if (l->row.found)
        s = judge_alone(l, span_of(t->id), e);
    buf_free(&l->row.all);
    return s;
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

static bool run(struct labelling *l, const struct label_todo *list, size_t n,
                struct err *e)
{
    size_t most = n < l->o->limit ? n : (size_t)l->o->limit;

    for (size_t i = 0; i < most; i++) {
        if (one(l, &list[i], e) == STEP_STOP)
            return l->counts->broke;
        if (l->o->progress)
            l->o->progress(l->o->ctx, (double)(i + 1) / (double)most);
    }
    return true;
}

bool label_run(const struct label_options *o, struct label_counts *out,
               struct err *e)
{
    struct labelling l = {.o = o, .counts = out};
    struct label_todo *list = NULL;
    bool fatal, ok;
    size_t n = 0;

    *out = (struct label_counts){0};
    buf_init(&l.body, BODY_MAX);
    buf_init(&l.said, SAID_MAX);
    if (access(o->log, R_OK | W_OK) < 0)
        return err_sys(e, "%s", o->log);
    l.db = outlog_db_open(o->log, BUSY_MS, &fatal, e);
    ok = l.db && label_todos(o->log, &o->wanted, &list, &n, e) &&
         anything(o, n, e);
    out->rows = n;
    if (ok)
        l.asking = asking_new(&o->server, e);
    ok = ok && l.asking && run(&l, list, n, e);
    asking_free(l.asking);
    outlog_db_close(l.db);
    free(list);
    buf_free(&l.body);
    buf_free(&l.said);
    return ok;
}
