/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir bench load.  Open loop (--rate): requests are due at fixed times
 * whether or not earlier ones were answered, and a latency counts from the
 * moment a request was due: a server that stalls cannot hide the requests it
 * kept from being sent.  Closed loop (no --rate): each connection asks again
 * when it has its answer.
 */
#include "bench/modes.h"

#include "base/args.h"
#include "base/clock.h"
#include "bench/lane.h"
#include "bench/report.h"
#include "bench/words.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { LANES_MAX = 4096, EVENTS = 64, KINDS_MAX = 8, DRAIN_SECONDS = 10 };

struct options {
    const char *url, *model;
    double rate, seconds, warmup;
    uint64_t connections, requests, bytes, prompts, seed;
    bool json;
};

struct samples {
    double *at; /* (owned) seconds */
    size_t n, cap;
};

struct load {
    struct options o;
    struct target target;
    struct buf *request; /* (owned) [prompts] */
    struct lane *lane;   /* (owned) [connections] */
    unsigned *idle;      /* (owned) stack of lanes that wait for work */
    size_t n_idle;
    int epoll, timer;
    uint64_t t0, t_end; /* nanoseconds */
    uint64_t begun, answered, failed;
    struct samples ok, refused; /* 200; 503: told to come back */
    struct {
        char text[16];
        uint64_t n;
    } error[KINDS_MAX];
    unsigned n_errors;
};

/* ---- results ---- */

static void count_error(struct load *l, const char *kind)
{
    unsigned i = 0;

    while (i < l->n_errors && strcmp(l->error[i].text, kind) != 0)
        i++;
    if (i == KINDS_MAX)
        return;
    if (i == l->n_errors) {
        snprintf(l->error[i].text, sizeof l->error[i].text, "%s", kind);
        l->n_errors++;
    }
    l->error[i].n++;
}

static void keep_sample(struct samples *s, double seconds)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1 << 16;
        double *grown = realloc(s->at, cap * sizeof *grown);

        if (!grown)
            return;
        s->at = grown;
        s->cap = cap;
    }
    s->at[s->n++] = seconds;
}

static void settle(struct load *l, struct lane *lane, enum lane_end end)
{
    double took = (double)(clock_ns() - lane->due_ns) * 1e-9;
    bool counts = lane->due_ns >= l->t0;
    char kind[16];

    if (end == LANE_FAIL) {
        l->failed++;
        count_error(l, lane->failure);
    } else if (lane->status != 200) {
        l->failed++;
        snprintf(kind, sizeof kind, "status %d", lane->status);
        count_error(l, kind);
        if (counts && lane->status == 503)
            keep_sample(&l->refused, took);
    } else {
        l->answered++;
        if (counts)
            keep_sample(&l->ok, took);
    }
    l->idle[l->n_idle++] = (unsigned)(lane - l->lane);
}

/* ---- work ---- */

static uint64_t due_of(const struct load *l, uint64_t i, uint64_t start)
{
    return l->o.rate > 0 ? start + (uint64_t)((double)i * 1e9 / l->o.rate) : 0;
}

static void watch(struct load *l, struct lane *lane)
{
    struct epoll_event ev = {.events =
                                 EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
                             .data = {.u32 = (uint32_t)(lane - l->lane)}};

    epoll_ctl(l->epoll, EPOLL_CTL_ADD, lane->fd, &ev);
}

static void begin(struct load *l, uint64_t due)
{
    struct lane *lane = &l->lane[l->idle[--l->n_idle]];
    struct span request = buf_view(&l->request[l->begun % l->o.prompts]);
    bool opened;
    enum lane_end end;

    l->begun++;
    lane->due_ns = due ? due : clock_ns();
    end = lane_ask(lane, &l->target, request, &opened);
    if (opened && lane->fd >= 0)
        watch(l, lane);
    if (end != LANE_WAIT)
        settle(l, lane, end);
}

static bool wants_more(const struct load *l, uint64_t due, uint64_t now)
{
    if (l->o.requests && l->begun >= l->o.requests)
        return false;
    return (due ? due : now) < l->t_end;
}

static void arm(const struct load *l, uint64_t due, uint64_t now)
{
    uint64_t wait = due > now ? due - now : 1;
    struct itimerspec t = {
        .it_value = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)}};

    timerfd_settime(l->timer, 0, &t, NULL);
}

/* Begins what is due; false when nothing is left to begin. */
static bool begin_due(struct load *l, uint64_t start)
{
    /* A lane that fails at once is idle again: not more than one round. */
    size_t most = l->n_idle;

    for (size_t k = 0; l->n_idle && k < most; k++) {
        uint64_t due = due_of(l, l->begun, start), now = clock_ns();

        if (!wants_more(l, due, now))
            return false;
        if (due > now) {
            arm(l, due, now);
            return true;
        }
        begin(l, due);
    }
    return wants_more(l, due_of(l, l->begun, start), clock_ns());
}

static void take_event(struct load *l, const struct epoll_event *ev)
{
    struct lane *lane;
    enum lane_end end;
    uint64_t ticks;

    if (ev->data.u32 == UINT32_MAX) {
        (void)!read(l->timer, &ticks, sizeof ticks);
        return;
    }
    lane = &l->lane[ev->data.u32];
    if (!lane->busy) {
        if (ev->events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
            lane_close(lane);
        return;
    }
    end = lane_go(lane);
    if (end != LANE_WAIT)
        settle(l, lane, end);
}

static void spin(struct load *l)
{
    uint64_t start = clock_ns(), drained = 0;
    struct epoll_event ev[EVENTS];

    l->t0 = start + (uint64_t)(l->o.warmup * 1e9);
    l->t_end = l->t0 + (uint64_t)(l->o.seconds * 1e9);
    for (;;) {
        bool more = begin_due(l, start);
        int n;

        if (!more && l->n_idle == l->o.connections)
            return;
        if (!more && !drained)
            drained = clock_ns() + DRAIN_SECONDS * 1000000000ULL;
        if (drained && clock_ns() > drained)
            return;
        n = epoll_wait(l->epoll, ev, EVENTS, 100);
        for (int i = 0; i < n; i++)
            take_event(l, &ev[i]);
    }
}

/* ---- making ready ---- */

static bool make_request(struct load *l, unsigned i)
{
    struct buf body, *out = &l->request[i];

    buf_init(&body, (size_t)l->o.bytes * 2 + 4096);
    buf_init(out, (size_t)l->o.bytes * 2 + 8192);
    buf_printf(&body,
               "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\","
               "\"content\":\"",
               l->o.model);
    words_write(&body, l->o.seed + i, (size_t)l->o.bytes - 2);
    buf_str(&body, "\"}]}");
    buf_printf(out,
               "POST %s HTTP/1.1\r\nhost: %s\r\ncontent-type: "
               "application/json\r\ncontent-length: %zu\r\n\r\n",
               l->target.path, l->target.host, body.len);
    buf_span(out, buf_view(&body));
    buf_free(&body);
    return !out->failed;
}

static bool make_ready(struct load *l, struct err *e)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = {.u32 = UINT32_MAX}};
    size_t n = (size_t)l->o.connections;

    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->epoll < 0 || l->timer < 0)
        return err_sys(e, "epoll");
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &ev);
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    l->request = calloc((size_t)l->o.prompts, sizeof *l->request);
    l->lane = calloc(n, sizeof *l->lane);
    l->idle = calloc(n, sizeof *l->idle);
    if (!l->request || !l->lane || !l->idle)
        return err_set(e, ERR_MEMORY, "no memory for %zu connections", n);
    for (size_t i = 0; i < n; i++) {
        l->lane[i].fd = -1;
        l->idle[l->n_idle++] = (unsigned)(n - 1 - i);
    }
    for (unsigned i = 0; i < l->o.prompts; i++) {
        if (!make_request(l, i))
            return err_set(e, ERR_MEMORY, "no memory for the requests");
    }
    return true;
}

static void load_free(struct load *l)
{
    for (uint64_t i = 0; l->lane && i < l->o.connections; i++) {
        if (l->lane[i].fd >= 0)
            close(l->lane[i].fd);
        buf_free(&l->lane[i].in);
    }
    for (uint64_t i = 0; l->request && i < l->o.prompts; i++)
        buf_free(&l->request[i]);
    if (l->epoll > 0)
        close(l->epoll);
    if (l->timer > 0)
        close(l->timer);
    free(l->request);
    free(l->lane);
    free(l->idle);
    free(l->ok.at);
    free(l->refused.at);
}

/* ---- showing ---- */

static const struct {
    const char *name;
    double q;
} quantiles[] = {
    {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};

enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static void show_quantiles(const struct samples *s, bool json)
{
    for (unsigned i = 0; i < QUANTILES; i++) {
        double us = 1e6 * report_quantile(s->at, s->n, quantiles[i].q);

        us = isnan(us) ? 0 : us;
        if (json)
            printf("%s\"%s\":%.1f", i ? "," : "", quantiles[i].name, us);
        else
            printf(" %s %.1f us", quantiles[i].name, us);
    }
}

static void show_text(const struct load *l, double rate)
{
    printf("%llu answered, %llu failed, %.0f a second\nlatency  ",
           (unsigned long long)l->answered, (unsigned long long)l->failed,
           rate);
    show_quantiles(&l->ok, false);
    if (l->refused.n) {
        printf("\n%zu refused with 503", l->refused.n);
        show_quantiles(&l->refused, false);
    }
    putchar('\n');
    for (unsigned i = 0; i < l->n_errors; i++)
        printf("error    %s: %llu\n", l->error[i].text,
               (unsigned long long)l->error[i].n);
}

static void show_json(const struct load *l, double rate)
{
    printf("{\"answered\":%llu,\"failed\":%llu,\"rate\":%.1f,"
           "\"refused\":%zu,\"refused_us\":{",
           (unsigned long long)l->answered, (unsigned long long)l->failed, rate,
           l->refused.n);
    show_quantiles(&l->refused, true);
    fputs("},\"latency_us\":{", stdout);
    show_quantiles(&l->ok, true);
    fputs("},\"errors\":{", stdout);
    for (unsigned i = 0; i < l->n_errors; i++)
        printf("%s\"%s\":%llu", i ? "," : "", l->error[i].text,
               (unsigned long long)l->error[i].n);
    puts("}}");
}

static void show(const struct load *l, double seconds)
{
    double rate = (double)l->ok.n / seconds;

    (l->o.json ? show_json : show_text)(l, rate);
}

static bool check(const struct options *o, struct err *e)
{
    if (!o->url)
        return err_set(e, ERR_USAGE, "--url: wanted an address, found none");
    if (o->connections == 0 || o->connections > LANES_MAX)
        return err_set(e, ERR_USAGE,
                       "--connections: wanted 1 to %d, found "
                       "%llu",
                       LANES_MAX, (unsigned long long)o->connections);
    if (o->rate < 0 || o->rate > 1e6 || o->seconds <= 0 || o->seconds > 1e5 ||
        o->warmup < 0 || o->warmup > 1e4)
        return err_set(e, ERR_USAGE,
                       "wanted --rate 0 to 1000000 and --seconds "
                       "above 0, found %g and %g",
                       o->rate, o->seconds);
    if (o->bytes < 64 || o->bytes > (16 << 20) || o->prompts == 0 ||
        o->prompts > 100000)
        return err_set(e, ERR_USAGE,
                       "wanted --bytes 64 to 16777216 and "
                       "--prompts 1 to 100000, found %llu and "
                       "%llu",
                       (unsigned long long)o->bytes,
                       (unsigned long long)o->prompts);
    return true;
}

static enum args_end parse(int argc, char **argv, struct options *o,
                           struct err *e)
{
    const struct arg list[] = {
        {"url", ARG_TEXT, &o->url, "U", "http://HOST:PORT/v1/chat/completions"},
        {"rate", ARG_REAL, &o->rate, "R",
         "requests a second, open loop; 0: closed loop [0]"},
        {"seconds", ARG_REAL, &o->seconds, "S", "measured [10]"},
        {"warmup", ARG_REAL, &o->warmup, "S", "before that, not counted [1]"},
        {"requests", ARG_U64, &o->requests, "N", "stop after so many"},
        {"connections", ARG_U64, &o->connections, "N", "keep-alive [32]"},
        {"bytes", ARG_U64, &o->bytes, "N", "of each prompt [1024]"},
        {"prompts", ARG_U64, &o->prompts, "N", "different ones [1000]"},
        {"model", ARG_TEXT, &o->model, "M", "that is asked for [auto]"},
        {"seed", ARG_U64, &o->seed, "N", "of the prompts [1]"},
        {"json", ARG_FLAG, &o->json, NULL, "print JSON"},
    };
    const struct args a = {
        "bench load", "--url U [--rate R] [options]",
        "Sends chat requests over plain HTTP and prints rate and latency.  "
        "With --rate a latency\ncounts from when the request was due.",
        list, sizeof list / sizeof list[0]};
    int first = 0;

    return args_parse(&a, argc, argv, &first, e);
}

int bench_load(int argc, char **argv)
{
    struct load l = {.o = {.seconds = 10,
                           .warmup = 1,
                           .connections = 32,
                           .bytes = 1024,
                           .prompts = 1000,
                           .model = "auto",
                           .seed = 1}};
    struct err e;
    enum args_end end = parse(argc, argv, &l.o, &e);
    bool ok = end == ARGS_OK && check(&l.o, &e) &&
              target_parse(l.o.url, &l.target, &e) && make_ready(&l, &e);

    if (ok) {
        spin(&l);
        double seconds = (double)(clock_ns() - l.t0) * 1e-9;
        show(&l, seconds < l.o.seconds || l.o.requests ? seconds : l.o.seconds);
        ok = l.answered > 0 ||
             err_set(&e, ERR_IO, "%s: nothing was answered", l.o.url);
    }
    load_free(&l);
    if (end == ARGS_HELP || ok)
        return 0;
    fprintf(stderr, "weir bench load: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
