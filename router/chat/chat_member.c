/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a plan: inner chats, and their answers as they are compared. */
#include <event2/event.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "router/chat/chat_plan.h"

/* The provider's connection is given this time to end its answer behind the
 * end mark, so that it can be used again. */
enum { CLOSING_MS = 5 };

/* ---- beginning ---- */

static struct chat *inner_chat(struct plan_run *p, struct plan_member *m)
{
    struct chat *of = p->chat;
    struct chat *c = arena_zalloc(of->arena, 1, sizeof *c);

    if (!c)
        return NULL;
    c->worker = of->worker;
    c->x = of->x;
    c->arena = of->arena;
    c->member = m;
    c->snapshot = snapshot_ref(of->snapshot);
    memcpy(c->id, of->id, sizeof c->id);
    c->start_ns = of->start_ns;
    c->sent_ns = clock_ns();
    c->time_ms = of->time_ms;
    c->ask = of->ask;
    c->facts = of->facts;
    c->decision = of->decision;
    c->reserved = NAN;
    c->arm = p->arm->member[m->role];
    c->strip_usage = of->strip_usage;
    c->body = worker_buf(c->worker, chat_limits(of)->answer_bytes);
    if (of->text.max)
        c->text = worker_buf(c->worker, chat_limits(of)->answer_bytes);
    return c;
}

struct plan_member *plan_ask_own(struct plan_run *p, enum plan_role role,
                                 const struct ask *ask, const struct facts *f)
{
    struct plan_member *m = &p->members[p->n];

    *m = (struct plan_member){.role = role, .plan = p};
    m->chat = inner_chat(p, m);
    if (!m->chat)
        return NULL;
    p->n++;
    m->sent =
        worker_buf(p->chat->worker, 4 * chat_limits(p->chat)->answer_bytes);
    gather_init(&m->got.g, &p->arena);
    if (ask)
        m->chat->ask = *ask;
    if (f)
        m->chat->facts = *f;
    chat_attempt(m->chat);
    return m;
}

struct plan_member *plan_ask(struct plan_run *p, enum plan_role role)
{
    return plan_ask_own(p, role, NULL, NULL);
}

struct plan_member *plan_member_of(struct plan_run *p, enum plan_role role)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->members[i].role == role)
            return &p->members[i];
    }
    return NULL;
}

/* ---- what comes ---- */

void chat_member_again(struct chat *c)
{
    struct plan_member *m = c->member;

    gather_init(&m->got.g, &m->plan->arena);
    buf_reset(&m->sent);
    m->lost = false;
}

void chat_member_take(struct chat *c, const struct chunk *k)
{
    struct plan_member *m = c->member;
    struct chunk_sink sink = gather_sink(&m->got.g);

    if (!m->lost && !sink.take(sink.ctx, k))
        m->lost = true;
}

void chat_member_marked(struct chat *c)
{
    static const struct timeval soon = {0, CLOSING_MS * 1000};
    struct plan_member *m = c->member;

    m->marked = true;
    m->end_ns = clock_ns();
    event_add(m->plan->turn, &soon);
}

void chat_member_over(struct chat *c, int status)
{
    struct plan_member *m = c->member;

    m->over = true;
    m->status = status;
    if (!m->end_ns)
        m->end_ns = clock_ns();
    event_active(m->plan->turn, EV_TIMEOUT, 0);
}

void plan_cancel(struct plan_member *m, enum fault f)
{
    chat_cancel(m->chat, f);
    m->over = true;
    if (!m->end_ns)
        m->end_ns = clock_ns();
}

/* ---- its answer ---- */

static bool is_good(const struct plan_member *m)
{
    return (m->marked || (m->over && m->status == 200)) && !m->chat->error &&
           !m->sent.failed && !m->lost;
}

bool plan_has_failed(const struct plan_member *m)
{
    return (m->over || m->marked) && !is_good(m);
}

struct reading {
    struct plan_member *m;
    void *state;
    bool bad;
};

static bool on_event(void *ctx, const struct sse_event *ev)
{
    struct reading *r = ctx;
    struct chunk_sink sink = gather_sink(&r->m->got.g);
    struct arena *work = &r->m->chat->worker->work;

    if (ev->data.len == 0)
        return true;
    if (!codec_openai.stream_read(
            r->state, &(struct framed){ev->name, ev->data}, work, &sink, NULL))
        r->bad = true;
    arena_reset(work);
    return !r->bad;
}

/* OpenAI's own bytes went through unread: they are read here. */
static bool read_stream(struct plan_member *m)
{
    struct chunk_sink sink = gather_sink(&m->got.g);
    struct reading r = {.m = m};
    struct err e = {0};
    struct sse sse;
    bool ok;

    r.state = arena_zalloc(&m->plan->arena, 1, codec_openai.reader_size);
    if (!r.state)
        return false;
    sse_init(&sse, m->sent.len + 1, on_event, &r);
    ok = sse_feed(&sse, buf_view(&m->sent), &e) && !r.bad &&
         codec_openai.stream_end(r.state, &sink, &e);
    sse_free(&sse);
    return ok;
}

static bool read_whole(struct plan_member *m)
{
    struct chunk_sink sink = gather_sink(&m->got.g);
    struct arena *work = &m->chat->worker->work;
    struct err e = {0};
    bool ok =
        codec_openai.answer_read(buf_view(&m->sent), 200, work, &sink, &e);

    arena_reset(work);
    return ok;
}

/* What is compared of an answer that is there. */
static void look(struct plan_member *m)
{
    struct chat *c = m->chat;

    m->looked = true;
    if (!c->from) {
        gather_init(&m->got.g, &m->plan->arena);
        m->lost =
            c->ask.request.params.stream ? !read_stream(m) : !read_whole(m);
    }
    m->got.g.usage = c->answer.usage;
    m->got.g.has_usage = true; /* estimated where it was not told */
    answered_look(&m->got, &c->ask.request, &m->plan->arena);
    c->flaws = m->got.flaws;
}

bool plan_is_whole(struct plan_member *m)
{
    if (!is_good(m))
        return false;
    if (!m->looked)
        look(m);
    return !m->lost;
}
