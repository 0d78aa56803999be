/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/curl_call.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"

enum {
    SWEEP_MS = 20,      /* how late a timeout of ours may be */
    POOL_MAX = 512,     /* handles kept for use again */
    CONNECTS_MAX = 2048 /* connections kept open */
};

/*
 * A socket that libcurl watches.  When it stops watching one of its
 * connections (between two requests) the event stays set, so that the next
 * request costs no system call; curl_client_close() takes it out before
 * the descriptor is closed.  Sockets that libcurl opens behind our back (its
 * resolver's) are taken out at once.
 */
struct sock {
    struct curl_client *u; /* (borrowed) */
    struct event *ev;      /* (owned) */
    int fd;
    short armed; /* EV_READ | EV_WRITE that the event is set for */
    short want;  /* what libcurl wants; 0: it is not looking */
    bool ours;   /* opened by curl_client_open */
};

static uint64_t now_ms(void)
{
    return clock_ns() / 1000000;
}

static struct timeval in_ms(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* Has end_turn called, unless it runs. */
static void at_turn(struct curl_client *u)
{
    if (!u->in_turn)
        event_active(u->turn, 0, 0);
}

static void todo(struct curl_call *c)
{
    if (c->in_todo)
        return;
    c->in_todo = true;
    c->todo = c->u->todo;
    c->u->todo = c;
    at_turn(c->u);
}

static void live_add(struct curl_call *c)
{
    struct curl_client *u = c->u;

    c->prev = NULL;
    c->next = u->live;
    if (u->live)
        u->live->prev = c;
    u->live = c;
    u->n_live++;
}

/* Out of libcurl and the live list, into the pool. */
static void release(struct curl_call *c)
{
    struct curl_client *u = c->u;

    if (c->prev)
        c->prev->next = c->next;
    else
        u->live = c->next;
    if (c->next)
        c->next->prev = c->prev;
    u->n_live--;
    c->state = CALL_POOLED;
    if (u->n_pool >= POOL_MAX && !c->in_todo) {
        call_free(c);
        return;
    }
    c->next = u->pool;
    u->pool = c;
    u->n_pool++;
}

static void detach(struct curl_call *c)
{
    if (c->state == CALL_RUNNING || c->state == CALL_DROPPED)
        curl_multi_remove_handle(c->u->multi, c->easy);
}

/* Ends a call for its owner; libcurl is not on the stack. */
static void finish(struct curl_call *c, CURLcode code)
{
    struct upstream_result r;

    call_result(c, code, &r);
    detach(c);
    c->state = CALL_DROPPED; /* a cancel from on_done finds it so */
    if (c->ev.on_done)
        c->ev.on_done(c->ev.ctx, &r);
    release(c);
}

/* Hears from libcurl which calls have ended. */
static void reap(struct curl_client *u)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(u->multi, &left))) {
        struct curl_call *c = NULL;
        CURLcode code = m->data.result;

        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
        if (c && c->state == CALL_RUNNING)
            finish(c, code);
        /* A dropped one is in the turn's list, which takes it out. */
    }
}

static void run_curl(struct curl_client *u, curl_socket_t fd, int what)
{
    int running;

    u->in_curl = true;
    curl_multi_socket_action(u->multi, fd, what, &running);
    u->in_curl = false;
    reap(u);
}

static void begin(struct curl_call *c)
{
    CURLMcode rc = curl_multi_add_handle(c->u->multi, c->easy);

    if (rc == CURLM_OK) {
        c->state = CALL_RUNNING;
        return;
    }
    snprintf(c->error, sizeof c->error, "%s", curl_multi_strerror(rc));
    c->end = UPSTREAM_OTHER;
    finish(c, CURLE_FAILED_INIT);
}

static void resume(struct curl_call *c)
{
    c->resume = false;
    if (c->paused)
        return;
    c->held = false;
    c->last = clock_ns();
    c->u->in_curl = true;
    curl_easy_pause(c->easy, CURLPAUSE_CONT);
    c->u->in_curl = false;
    c->u->kick = true;
}

static void do_todo(struct curl_call *c)
{
    if (c->state == CALL_STARTING) {
        begin(c);
    } else if (c->state == CALL_RUNNING && c->resume) {
        resume(c);
    } else if (c->state == CALL_DROPPED) {
        detach(c);
        release(c);
    }
}

static void end_turn(evutil_socket_t fd, short what, void *arg)
{
    struct curl_client *u = arg;

    (void)fd;
    (void)what;
    u->in_turn = true;
    while (u->todo || u->kick) {
        struct curl_call *c = u->todo;

        while (c) {
            u->todo = c->todo;
            c->in_todo = false;
            do_todo(c);
            c = u->todo;
        }
        if (u->kick) {
            u->kick = false;
            run_curl(u, CURL_SOCKET_TIMEOUT, 0);
        }
    }
    u->in_turn = false;
}

/* libcurl says when it wants to be called.  The event may stand earlier than
 * that: on_timer looks again, which is cheaper than setting it each time. */
static int set_timer(CURLM *m, long ms, void *arg)
{
    struct curl_client *u = arg;
    struct timeval tv;

    (void)m;
    if (ms < 0) {
        u->timer_at = 0;
    } else if (ms == 0) {
        u->timer_at = 0;
        u->kick = true;
        at_turn(u);
    } else {
        u->timer_at = now_ms() + (uint64_t)ms;
        if (u->timer_set && u->timer_set <= u->timer_at)
            return 0;
        tv = in_ms((uint64_t)ms);
        event_add(u->timer, &tv);
        u->timer_set = u->timer_at;
    }
    return 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct curl_client *u = arg;
    uint64_t now = now_ms();

    (void)fd;
    (void)what;
    u->timer_set = 0;
    if (!u->timer_at)
        return;
    if (u->timer_at > now) {
        struct timeval tv = in_ms(u->timer_at - now);

        event_add(u->timer, &tv);
        u->timer_set = u->timer_at;
        return;
    }
    u->timer_at = 0;
    run_curl(u, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct sock *s = arg;
    int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) |
                (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

    if (s->want) {
        run_curl(s->u, fd, flags);
        return;
    }
    event_del(s->ev); /* an idle connection was closed or spoke */
    s->armed = 0;
}

static struct sock *sock_at(struct curl_client *u, int fd)
{
    return fd >= 0 && (size_t)fd < u->n_socks ? u->socks[fd] : NULL;
}

static struct sock *sock_new(struct curl_client *u, int fd, bool ours)
{
    struct sock *s;

    if ((size_t)fd >= u->n_socks) {
        size_t n = (size_t)fd + 64;
        struct sock **socks = realloc(u->socks, n * sizeof(struct sock *));

        if (!socks)
            return NULL;
        memset(socks + u->n_socks, 0, (n - u->n_socks) * sizeof(struct sock *));
        u->socks = socks;
        u->n_socks = n;
    }
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct sock){.u = u, .fd = fd, .ours = ours};
    s->ev = event_new(u->base, fd, EV_READ | EV_PERSIST, on_socket, s);
    if (!s->ev) {
        free(s);
        return NULL;
    }
    u->socks[fd] = s;
    return s;
}

static void sock_free(struct sock *s)
{
    if (!s)
        return;
    s->u->socks[s->fd] = NULL;
    event_free(s->ev);
    free(s);
}

static void sock_arm(struct sock *s, short want)
{
    s->want = want;
    if (s->armed == want)
        return;
    event_del(s->ev);
    event_assign(s->ev, s->u->base, s->fd, (short)(want | EV_PERSIST),
                 on_socket, s);
    event_add(s->ev, NULL);
    s->armed = want;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                        void *unused)
{
    struct curl_client *u = arg;
    struct sock *s = sock_at(u, fd);
    short want = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
                         (what & CURL_POLL_OUT ? EV_WRITE : 0));

    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        if (s && s->ours && s->want != EV_WRITE)
            s->want = 0;
        else /* libcurl closes one that never connected without a word */
            sock_free(s);
        return 0;
    }
    if (!s)
        s = sock_new(u, fd, false);
    if (!s)
        return -1;
    sock_arm(s, want);
    return 0;
}

curl_socket_t curl_client_open(void *arg, curlsocktype purpose,
                               struct curl_sockaddr *a)
{
    struct curl_client *u = arg;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    struct sock *s;

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    sock_free(sock_at(u, fd)); /* of an address that was given up just now */
    s = sock_new(u, fd, true);
    if (!s) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    /* For such a number libcurl takes this to be so already. */
    sock_arm(s, EV_WRITE);
    return fd;
}

int curl_client_close(void *arg, curl_socket_t fd)
{
    struct curl_client *u = arg;

    sock_free(sock_at(u, fd));
    return close(fd);
}

static bool over(uint64_t since, unsigned limit_ms, uint64_t now)
{
    return limit_ms && now > since &&
           now - since >= (uint64_t)limit_ms * 1000000;
}

/* Which of a call's limits has run out, in words; NULL: none. */
static const char *late(const struct curl_call *c, uint64_t now)
{
    if (over(c->began, c->total_ms, now))
        return "the answer took longer than the total timeout";
    if (!c->first && over(c->began, c->first_byte_ms, now))
        return "no first byte in time";
    if (c->first && !c->paused && over(c->last, c->stall_ms, now))
        return "the answer stalled";
    return NULL;
}

static void sweep(evutil_socket_t fd, short what, void *arg)
{
    struct curl_client *u = arg;
    struct timeval tv = in_ms(SWEEP_MS);
    uint64_t now = clock_ns();
    struct curl_call *c = u->live, *next;

    (void)fd;
    (void)what;
    for (; c; c = next) {
        const char *why = c->state == CALL_RUNNING ? late(c, now) : NULL;

        next = c->next;
        if (!why)
            continue;
        span_copy(c->error, sizeof c->error, span_of(why));
        c->end = UPSTREAM_TIMEOUT;
        finish(c, CURLE_OPERATION_TIMEDOUT);
        next = u->live; /* on_done may have changed the list anywhere */
    }
    u->sweeping = u->n_live > 0;
    if (u->sweeping)
        event_add(u->sweep, &tv);
}

static bool set_multi(struct curl_client *u, unsigned per_host)
{
    CURLMcode bad = CURLM_OK;

    bad |= curl_multi_setopt(u->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    bad |= curl_multi_setopt(u->multi, CURLMOPT_SOCKETDATA, u);
    bad |= curl_multi_setopt(u->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    bad |= curl_multi_setopt(u->multi, CURLMOPT_TIMERDATA, u);
    bad |= curl_multi_setopt(u->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                             (long)per_host);
    bad |=
        curl_multi_setopt(u->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTS_MAX);
    return bad == CURLM_OK;
}

static void destroy(void *self)
{
    struct curl_client *u = self;

    if (!u)
        return;
    while (u->live) {
        detach(u->live);
        release(u->live);
    }
    while (u->pool) {
        struct curl_call *c = u->pool;

        u->pool = c->next;
        call_free(c);
    }
    curl_multi_cleanup(u->multi); /* closes through curl_client_close */
    for (size_t i = 0; i < u->n_socks; i++)
        sock_free(u->socks[i]);
    free(u->socks);
    for (size_t i = 0; i < 3; i++) {
        struct event *ev[] = {u->timer, u->sweep, u->turn};

        if (ev[i])
            event_free(ev[i]);
    }
    curl_global_cleanup();
    free(u);
}

static void *make(struct event_base *base, unsigned per_host, struct err *e)
{
    struct curl_client *u = calloc(1, sizeof *u);

    if (!u || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(u);
        err_set(e, ERR_MEMORY, "libcurl does not start");
        return NULL;
    }
    u->base = base;
    u->multi = curl_multi_init();
    u->timer = event_new(base, -1, 0, on_timer, u);
    u->sweep = event_new(base, -1, 0, sweep, u);
    u->turn = event_new(base, -1, 0, end_turn, u);
    if (u->multi && u->timer && u->sweep && u->turn && set_multi(u, per_host))
        return u;
    err_set(e, ERR_MEMORY, "no memory for upstream connections");
    destroy(u);
    return NULL;
}

static struct upstream_call *start(void *self, const struct upstream_request *r,
                                   const struct upstream_events *ev,
                                   struct err *e)
{
    struct curl_client *u = self;
    struct curl_call *c = u->pool;

    if (c) {
        u->pool = c->next;
        u->n_pool--;
    } else {
        c = call_new(u, e);
        if (!c)
            return NULL;
    }
    if (!call_prepare(c, r, e)) {
        c->next = u->pool;
        u->pool = c;
        u->n_pool++;
        return NULL;
    }
    c->ev = *ev;
    c->state = CALL_STARTING;
    live_add(c);
    todo(c);
    if (!u->sweeping) {
        struct timeval tv = in_ms(SWEEP_MS);

        event_add(u->sweep, &tv);
        u->sweeping = true;
    }
    return &c->base;
}

static bool connecting(const struct upstream_call *base)
{
    const struct curl_call *c = (const struct curl_call *)base;
    curl_off_t ready = 0;

    curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    return ready == 0;
}

static void hold(struct upstream_call *base)
{
    struct curl_call *c = (struct curl_call *)base;

    c->paused = true; /* on_bytes holds libcurl back at the next piece */
}

static void go_on(struct upstream_call *base)
{
    struct curl_call *c = (struct curl_call *)base;

    c->paused = false;
    if (!c->held)
        return;
    c->resume = true;
    todo(c);
}

static void cancel(struct upstream_call *base)
{
    struct curl_call *c = (struct curl_call *)base;

    if (c->state == CALL_DROPPED || c->state == CALL_POOLED)
        return;
    c->ev = (struct upstream_events){0};
    if (!c->u->in_curl)
        detach(c);
    c->state = CALL_DROPPED;
    if (c->u->in_curl || c->in_todo)
        todo(c);
    else
        release(c);
}

static bool takes(const struct upstream_request *r)
{
    (void)r;
    return true; /* and says what it does not speak */
}

const struct upstream_client upstream_curl = {
    .name = "libcurl",
    .takes = takes,
    .make = make,
    .destroy = destroy,
    .start = start,
    .header = call_header,
    .connecting = connecting,
    .pause = hold,
    .resume = go_on,
    .cancel = cancel,
};
