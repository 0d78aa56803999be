/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of several models: who is asked when, and whose answer the client
 * gets.  chat_plan.h has the picture. */
#include "router/chat/chat_plan.h"

#include <event2/event.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

/* ---- the end of a plan ---- */

static void decided(struct plan_run *p, enum plan_verdict v, const char *why)
{
    p->verdict = v;
    p->why = why;
    p->end_ns = clock_ns();
    event_del(p->turn);
    event_del(p->timer);
}

/* Members that still run are given up; all are paid for. */
static void close_members(struct plan_run *p, enum fault f)
{
    struct chat *c = p->chat;

    p->cost_pico = 0;
    for (unsigned i = 0; i < p->n; i++) {
        struct chat *inner = p->members[i].chat;

        plan_cancel(&p->members[i], f);
        p->cost_pico += inner->cost_pico;
        c->estimated = c->estimated || inner->estimated;
    }
    c->spent_pico += p->cost_pico;
}

static void swap_text(struct chat *a, struct chat *b)
{
    struct buf text = a->text;

    a->text = b->text;
    b->text = text;
}

/* The draft's answer becomes the client's chat's. */
static void adopt(struct chat *c, struct plan_member *m)
{
    struct chat *d = m->chat;

    swap_text(c, d);
    c->now = d->now;
    c->answer = d->answer;
    c->answer.text = c->text.max ? &c->text : NULL;
    c->estimated = c->estimated || d->estimated;
    c->flaws = d->flaws;
    c->losses = d->losses;
    c->forward = d->forward;
    c->n_forward = d->n_forward;
    c->upstream_status = d->upstream_status;
    /* Of the draft's, what its last call cost is counted again with it. */
    c->spent_pico -= d->cost_pico - d->spent_pico;
}

static void accept_draft(struct plan_run *p, enum plan_verdict v,
                         const char *why)
{
    struct plan_member *m = plan_member_of(p, PLAN_DRAFT);
    struct chat *c = p->chat;
    struct buf sent = m->sent;

    m->sent = (struct buf){.max = 0};
    decided(p, v, why);
    close_members(p, FAULT_LOST);
    adopt(c, m);
    if (!c->ask.request.params.stream) {
        chat_reply(c, 200, sent);
        return;
    }
    if (c->head_sent)
        plan_comment(c);
    chat_mark(c, buf_view(&sent));
    worker_give_back(c->worker, &sent);
    chat_close_stream(c);
}

/* The arm's own model answers, as it would without a plan. */
static void escalate(struct plan_run *p, const char *why)
{
    struct chat *c = p->chat;

    decided(p, PLAN_ESCALATED, why);
    close_members(p, FAULT_LOST);
    if (c->head_sent)
        plan_comment(c);
    chat_attempt(c);
}

/* Nobody is left who could answer but another arm of the route. */
static void fail(struct plan_run *p, const char *why)
{
    struct plan_member *m = plan_member_of(p, PLAN_DRAFT);
    struct problem told = m->problem;
    struct chat *c = p->chat;
    int arm;

    decided(p, PLAN_FAILED, why);
    close_members(p, FAULT_LOST);
    arm = chat_other_arm(c);
    if (arm >= 0) {
        c->tried |= (uint32_t)1 << c->arm;
        c->arm = arm;
        chat_attempt(c);
        return;
    }
    if (!told.message)
        problem_set(&told, PROBLEM_REFUSED, c->arena,
                    "no member of the plan %s answered", p->arm->name);
    chat_fail_with(c, &told,
                   m->chat->error ? m->chat->error : "upstream_error");
}

/* ---- whether a draft stands ---- */

/* The client's own limit would end every model's answer. */
static uint32_t weighty(uint32_t flaws)
{
    return flaws & ~(uint32_t)FLAW_LENGTH;
}

/* "draft: refused"; NULL: there is no such flaw. */
static const char *flaw_of(struct plan_run *p, const char *who,
                           const struct answered *a)
{
    uint32_t flaws = weighty(a->flaws);

    if (!flaws)
        return NULL;
    snprintf(p->flaw, sizeof p->flaw, "%s: %s", who,
             flaw_name((enum flaw)(flaws & -flaws)));
    return p->flaw;
}

static void compare(struct plan_run *p, struct checked *c)
{
    const struct acceptance *head = p->chat->ask.route->accept[p->at];
    struct plan_member *check = plan_member_of(p, PLAN_CHECK);
    int draft = p->arm->member[PLAN_DRAFT];

    *c = (struct checked){.draft = &plan_member_of(p, PLAN_DRAFT)->got,
                          .check = check ? &check->got : NULL,
                          .quality =
                              (double)p->chat->decision->arms[draft].quality};
    checks_all(c, p->checks);
    p->compared = true;
    p->accepts = head ? acceptance_of(head, p->checks) : NAN;
}

static bool is_long(const struct checked *c)
{
    return c->draft->final.kind == FINAL_LONG ||
           c->check->final.kind == FINAL_LONG;
}

static void judge_pair(struct plan_run *p)
{
    struct checked c;

    compare(p, &c);
    if (final_agree(&c.draft->final, &c.check->final))
        accept_draft(p, PLAN_ACCEPTED, "agree");
    else if (!is_long(&c))
        escalate(p, "disagree");
    else if (!isnan(p->accepts) && p->accepts >= p->arm->plan->accept)
        accept_draft(p, PLAN_ACCEPTED, "learned");
    else if (isnan(p->accepts) && long_agree(&c, p->arm->plan->agreement))
        accept_draft(p, PLAN_ACCEPTED, "overlap");
    else
        escalate(p, "disagree");
}

static void judge_alone(struct plan_run *p)
{
    double least = p->arm->plan->accept;
    struct checked c;

    compare(p, &c);
    if (!isnan(p->accepts) && p->accepts < least)
        escalate(p, "learned");
    else if (isnan(p->accepts) && c.draft->told && c.draft->sure < least)
        escalate(p, "unsure");
    else
        accept_draft(p, PLAN_ACCEPTED,
                     isnan(p->accepts) ? "no flaw" : "learned");
}

/* ---- what each kind does when something has happened ---- */

static void look_cascade(struct plan_run *p)
{
    struct plan_member *draft = plan_member_of(p, PLAN_DRAFT);
    const char *flaw;

    if (plan_has_failed(draft)) {
        escalate(p, "draft failed");
    } else if (plan_is_whole(draft)) {
        flaw = flaw_of(p, "draft", &draft->got);
        if (flaw)
            escalate(p, flaw);
        else
            judge_alone(p);
    }
}

/* What of one of the two says that they will not agree; NULL: nothing. */
static const char *against(struct plan_run *p, struct plan_member *m)
{
    bool draft = m->role == PLAN_DRAFT;

    if (plan_has_failed(m))
        return draft ? "draft failed" : "check failed";
    if (!plan_is_whole(m))
        return NULL;
    return flaw_of(p, draft ? "draft" : "check", &m->got);
}

static void look_verify(struct plan_run *p)
{
    struct plan_member *draft = plan_member_of(p, PLAN_DRAFT);
    struct plan_member *check = plan_member_of(p, PLAN_CHECK);
    const char *why = against(p, draft);

    if (!why)
        why = against(p, check);
    if (why)
        escalate(p, why);
    else if (plan_is_whole(draft) && plan_is_whole(check))
        judge_pair(p);
}

static void give_reviewed(struct plan_run *p)
{
    static const char *const words[] = {
        [REVIEW_NONE] = "no review",
        [REVIEW_PASS] = "review: pass",
        [REVIEW_FAIL] = "review: fail",
        [REVIEW_UNAVAILABLE] = "review: unavailable",
    };

    accept_draft(p, p->late ? PLAN_DEADLINE : PLAN_ACCEPTED, words[p->review]);
}

static void look_panel(struct plan_run *p)
{
    struct plan_member *draft = plan_member_of(p, PLAN_DRAFT);
    struct plan_member *review = plan_member_of(p, PLAN_REVIEW);

    if (plan_has_failed(draft)) {
        fail(p, "model failed");
        return;
    }
    if (!plan_is_whole(draft))
        return;
    if (review && plan_is_whole(review))
        plan_reviewed(p, review);
    else if (p->late || (review && plan_has_failed(review)) ||
             (!review && !plan_review(p, draft)))
        p->review = REVIEW_UNAVAILABLE;
    if (p->review != REVIEW_NONE)
        give_reviewed(p);
}

/* ---- time is up ---- */

static void late_draft(struct plan_run *p)
{
    struct plan_member *draft = plan_member_of(p, PLAN_DRAFT);

    if (plan_is_whole(draft) && !weighty(draft->got.flaws))
        accept_draft(p, PLAN_DEADLINE, "deadline");
    else
        escalate(p, "deadline");
}

static void late_panel(struct plan_run *p)
{
    p->late = true;
    look_panel(p);
}

static const struct {
    bool check; /* is asked together with the draft */
    void (*look)(struct plan_run *p);
    void (*late)(struct plan_run *p);
} kinds[] = {
    [PLAN_CASCADE] = {false, look_cascade, late_draft},
    [PLAN_VERIFY] = {true, look_verify, late_draft},
    [PLAN_PANEL] = {false, look_panel, late_panel},
};

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
    struct plan_run *p = ctx;

    (void)fd;
    (void)what;
    if (p->verdict == PLAN_PENDING)
        kinds[p->arm->plan->kind].look(p);
}

static void on_late(evutil_socket_t fd, short what, void *ctx)
{
    struct plan_run *p = ctx;

    (void)fd;
    (void)what;
    if (p->verdict == PLAN_PENDING)
        kinds[p->arm->plan->kind].late(p);
}

/* ---- the beginning ---- */

static struct plan_run *make(struct chat *c)
{
    struct plan_run *p = arena_zalloc(c->arena, 1, sizeof *p);

    if (!p)
        return NULL;
    p->chat = c;
    p->at = c->arm;
    p->arm = &c->ask.route->set->arms[c->arm];
    p->accepts = NAN;
    p->start_ns = clock_ns();
    arena_init(&p->arena, 16 * chat_limits(c)->answer_bytes);
    p->turn = event_new(c->worker->base, -1, 0, on_turn, p);
    p->timer = event_new(c->worker->base, -1, 0, on_late, p);
    c->plan = p;
    return p;
}

static void begin(struct plan_run *p)
{
    uint64_t ms = p->arm->plan->deadline_ms;
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

    event_add(p->timer, &tv);
    if (!plan_ask(p, PLAN_DRAFT) ||
        (kinds[p->arm->plan->kind].check && !plan_ask(p, PLAN_CHECK)))
        escalate(p, "no memory");
}

bool chat_plan(struct chat *c)
{
    const struct plan_settings *set = c->ask.route->set->arms[c->arm].plan;
    struct plan_run *p;

    if (!set)
        return false;
    p = make(c);
    if (!p || !p->turn || !p->timer) {
        chat_fail(c, PROBLEM_MEMORY, "the request needs too much memory");
        return true;
    }
    chat_set(c, CHAT_PLANNING);
    /* Several answers are not compared. */
    if (c->ask.request.params.n > 1 && set->kind != PLAN_PANEL)
        escalate(p, "several answers");
    else
        begin(p);
    return true;
}

void chat_plan_stop(struct chat *c)
{
    struct plan_run *p = c->plan;

    if (!p || p->verdict != PLAN_PENDING)
        return;
    if (p->turn && p->timer)
        decided(p, PLAN_FAILED, "client gone");
    else
        p->verdict = PLAN_FAILED;
    close_members(p, FAULT_GONE);
}

void chat_plan_free(struct chat *c)
{
    struct plan_run *p = c->plan;

    if (!p)
        return;
    for (unsigned i = 0; i < p->n; i++) {
        worker_give_back(c->worker, &p->members[i].sent);
        worker_give_back(c->worker, &p->members[i].chat->text);
    }
    if (p->turn)
        event_free(p->turn);
    if (p->timer)
        event_free(p->timer);
    p->turn = p->timer = NULL;
    arena_free(&p->arena);
}
