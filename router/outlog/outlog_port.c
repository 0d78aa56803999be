/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_queue.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

/*
 * Tickets are freed on the worker's loop after they were answered, or by
 * the writer when the port has been freed before; a port by the last of its
 * owner and its open tickets.
 */
struct outlog_ticket {
    struct outlog_port *port;
    struct outlog_ticket *next; /* in the port's answered ones */
    /* NULL: forgotten */
    void (*done)(void *ctx, enum outlog_label_end end,
                 const struct outlog_earlier *earlier);
    void *ctx;
    enum outlog_label_end end;
    struct outlog_earlier earlier;
};

struct outlog_port {
    struct outlog *log; /* (borrowed) */
    struct event *ev;   /* (owned) */
    pthread_mutex_t lock;
    int fd;                         /* eventfd; -1: the owner is gone */
    unsigned open;                  /* tickets that the writer has */
    struct outlog_ticket *answered; /* (owned) newest first */
};

const char *outlog_label_end_name(enum outlog_label_end end)
{
    static const char *const names[] = {
        [OUTLOG_LABEL_WRITTEN] = "written", [OUTLOG_LABEL_UNKNOWN] = "unknown",
        [OUTLOG_LABEL_LATER] = "later",     [OUTLOG_LABEL_LOST] = "lost",
        [OUTLOG_LABEL_AWAY] = "away",
    };

    return names[end];
}

static void port_release(struct outlog_port *p)
{
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void outlog_answer(struct outlog_ticket *t, enum outlog_label_end end,
                   const struct outlog_earlier *earlier)
{
    struct outlog_port *p = t->port;
    uint64_t one = 1;
    bool last;

    pthread_mutex_lock(&p->lock);
    p->open--;
    t->end = end;
    t->earlier = *earlier;
    last = p->fd < 0 && p->open == 0;
    if (p->fd >= 0) {
        ssize_t n;

        t->next = p->answered;
        p->answered = t;
        n = write(p->fd, &one, sizeof one);
        (void)n; /* full only after 2^64 - 1 answers */
    } else {
        free(t);
    }
    pthread_mutex_unlock(&p->lock);
    if (last)
        port_release(p);
}

static struct outlog_ticket *reverse(struct outlog_ticket *t)
{
    struct outlog_ticket *out = NULL;

    while (t) {
        struct outlog_ticket *next = t->next;

        t->next = out;
        out = t;
        t = next;
    }
    return out;
}

static void on_answers(evutil_socket_t fd, short what, void *arg)
{
    struct outlog_port *p = arg;
    struct outlog_ticket *t;
    uint64_t n;

    (void)what;
    if (read(fd, &n, sizeof n) != sizeof n)
        return;
    pthread_mutex_lock(&p->lock);
    t = reverse(p->answered);
    p->answered = NULL;
    pthread_mutex_unlock(&p->lock);
    while (t) {
        struct outlog_ticket *next = t->next;

        if (t->done)
            t->done(t->ctx, t->end, &t->earlier);
        free(t);
        t = next;
    }
}

struct outlog_port *outlog_port_new(struct outlog *log, struct event_base *base,
                                    struct err *e)
{
    struct outlog_port *p = calloc(1, sizeof *p);

    if (!p) {
        err_set(e, ERR_MEMORY, "no memory for a port of the log");
        return NULL;
    }
    p->log = log;
    pthread_mutex_init(&p->lock, NULL);
    p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p->fd < 0) {
        err_sys(e, "eventfd");
        port_release(p);
        return NULL;
    }
    p->ev = event_new(base, p->fd, EV_READ | EV_PERSIST, on_answers, p);
    if (p->ev && event_add(p->ev, NULL) == 0)
        return p;
    err_set(e, ERR_MEMORY, "no memory for a port of the log");
    outlog_port_free(p);
    return NULL;
}

void outlog_port_free(struct outlog_port *p)
{
    bool last;

    if (!p)
        return;
    if (p->ev)
        event_free(p->ev);
    pthread_mutex_lock(&p->lock);
    close(p->fd);
    p->fd = -1;
    while (p->answered) {
        struct outlog_ticket *t = p->answered;

        p->answered = t->next;
        free(t);
    }
    last = p->open == 0;
    pthread_mutex_unlock(&p->lock);
    if (last)
        port_release(p);
}

struct outlog_ticket *
outlog_label(struct outlog_port *port, const struct outlog_label *label,
             void (*done)(void *ctx, enum outlog_label_end end,
                          const struct outlog_earlier *earlier),
             void *ctx)
{
    struct outlog_ticket *t = malloc(sizeof *t);

    if (!t)
        return NULL;
    *t = (struct outlog_ticket){.port = port, .done = done, .ctx = ctx};
    pthread_mutex_lock(&port->lock);
    port->open++;
    pthread_mutex_unlock(&port->lock);
    if (outlog_submit(port->log, label, t))
        return t;
    pthread_mutex_lock(&port->lock);
    port->open--;
    pthread_mutex_unlock(&port->lock);
    free(t);
    return NULL;
}

void outlog_forget(struct outlog_ticket *t)
{
    t->done = NULL; /* only the loop's thread looks at it */
}
