/* SPDX-License-Identifier: Apache-2.0 */
#include "router/reload.h"

#include <event2/event.h>
#include <stdlib.h>

#include "router/admin.h"
#include "router/problem.h"

/* Main fills ok and e; everything else is the worker's. */
struct reload_job {
    struct reload_job *next;
    struct worker *worker;
    struct http_exchange *x; /* NULL: the client has gone */
    bool ok;
    struct err e;
};

static void on_gone(void *ctx)
{
    struct reload_job *job = ctx;

    job->x = NULL;
}

static struct reload_job *take(struct router *r, struct reload_job **list)
{
    struct reload_job *jobs;

    pthread_mutex_lock(&r->lock);
    jobs = *list;
    *list = NULL;
    pthread_mutex_unlock(&r->lock);
    return jobs;
}

static void put(struct router *r, struct reload_job **list,
                struct reload_job *job)
{
    pthread_mutex_lock(&r->lock);
    job->next = *list;
    *list = job;
    pthread_mutex_unlock(&r->lock);
}

void admin_reload(struct worker *w, struct http_exchange *x)
{
    struct reload_job *job = calloc(1, sizeof *job);
    struct problem p;

    if (!job) {
        problem_set(&p, PROBLEM_MEMORY, http_arena(x), "out of memory");
        problem_reply(x, &dialect_openai, &p);
        return;
    }
    job->worker = w;
    job->x = x;
    http_watch(x, (struct http_watch){.ctx = job, .on_gone = on_gone});
    put(w->router, &w->router->jobs, job);
    event_active(w->router->wake, EV_READ, 0);
}

void reload_do_jobs(struct router *r)
{
    struct reload_job *job = take(r, &r->jobs), *next;

    for (; job; job = next) {
        struct worker *w = job->worker;

        next = job->next;
        job->ok = router_reload(r, &job->e);
        put(r, &w->answers, job);
        event_active(w->wake, EV_READ, 0);
    }
}

static void answer(struct worker *w, struct reload_job *job)
{
    struct span result = job->ok ? SPAN("ok") : SPAN("refused");
    struct problem p;

    metrics_count(w->shard, METRIC_RELOADS, &result, 1);
    if (!job->x)
        return;
    if (job->ok) {
        http_reply(job->x, 200, "application/json",
                   SPAN("{\"status\":\"reloaded\"}"));
        return;
    }
    problem_set(&p, PROBLEM_RELOAD, http_arena(job->x), "%s", job->e.msg);
    problem_reply(job->x, &dialect_openai, &p);
}

void reload_answer(struct worker *w)
{
    struct reload_job *job = take(w->router, &w->answers), *next;

    for (; job; job = next) {
        next = job->next;
        answer(w, job);
        free(job);
    }
}

static void forget(struct reload_job *job)
{
    while (job) {
        struct reload_job *next = job->next;

        free(job);
        job = next;
    }
}

void reload_forget(struct router *r)
{
    forget(r->jobs);
    r->jobs = NULL;
    for (unsigned i = 0; i < r->n_workers; i++) {
        forget(r->workers[i].answers);
        r->workers[i].answers = NULL;
    }
}
