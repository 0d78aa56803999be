/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/drift.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/page_hinkley.h"

/* Labels of one kind. */
struct stream {
    char arm[64]; /* "": of whatever served */
    bool shadow;
    struct page_hinkley test;
};

enum { STREAMS = 1 + 2 * CLASSIFIER_ARMS_MAX };

struct drift {
    struct drift *next; /* (owned) */
    char *route;        /* (owned) */
    char classifier[24];
    struct mix mix; /* of the card */
    _Atomic uint32_t n;
    _Atomic uint32_t count[MIX_KINDS][CLASSIFIER_TASKS_MAX];
    _Atomic double distance, unseen;
    _Atomic uint64_t unseen_sum;    /* millionths */
    struct stream streams[STREAMS]; /* of the thread that brings labels */
    unsigned n_streams;
    _Atomic double outcomes;
    _Atomic unsigned alarm; /* enum drift_cause */
};

struct drift_book {
    pthread_mutex_t lock;
    struct drift *first; /* (owned) under lock */
};

struct drift_book *drift_book_new(void)
{
    struct drift_book *b = calloc(1, sizeof *b);

    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void drift_book_free(struct drift_book *b)
{
    if (!b)
        return;
    while (b->first) {
        struct drift *next = b->first->next;

        free(b->first->route);
        free(b->first);
        b->first = next;
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct drift *add(struct drift_book *book, const char *route,
                         const char *classifier_id, const struct mix *mix)
{
    struct drift *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->route = strdup(route);
    if (!d->route) {
        free(d);
        return NULL;
    }
    snprintf(d->classifier, sizeof d->classifier, "%s", classifier_id);
    d->mix = *mix;
    d->next = book->first;
    book->first = d;
    return d;
}

struct drift *drift_find(struct drift_book *book, struct span route,
                         struct span classifier_id)
{
    struct drift *d;

    pthread_mutex_lock(&book->lock);
    for (d = book->first; d; d = d->next) {
        if (span_is(route, d->route) && span_is(classifier_id, d->classifier))
            break;
    }
    pthread_mutex_unlock(&book->lock);
    return d;
}

struct drift *drift_of(struct drift_book *book, const char *route,
                       const char *classifier_id, const struct mix *mix)
{
    struct drift *d;

    pthread_mutex_lock(&book->lock);
    for (d = book->first; d; d = d->next) {
        if (!strcmp(d->route, route) && !strcmp(d->classifier, classifier_id))
            break;
    }
    if (!d)
        d = add(book, route, classifier_id, mix);
    pthread_mutex_unlock(&book->lock);
    return d;
}

/* The first alarm stands; false: there is one already. */
static bool raise_alarm(struct drift *d, enum drift_cause cause)
{
    unsigned none = DRIFT_NONE;

    return atomic_compare_exchange_strong(&d->alarm, &none, cause);
}

/* The window is full: takes its counts out.  A request that is counted
 * meanwhile by another worker falls into this window or the next. */
static bool look(struct drift *d)
{
    struct mix now = {.n_tasks = d->mix.n_tasks};
    enum mix_kind most;
    double far;

    for (unsigned k = 0; k < MIX_KINDS; k++) {
        for (uint32_t i = 0; i < CLASSIFIER_TASKS_MAX; i++)
            now.count[k][i] = atomic_exchange_explicit(&d->count[k][i], 0,
                                                       memory_order_relaxed);
    }
    now.n = DRIFT_WINDOW;
    atomic_store(&d->unseen, (double)atomic_exchange(&d->unseen_sum, 0) /
                                 (1e6 * DRIFT_WINDOW));
    atomic_store(&d->n, 0);
    far = mix_distance(&d->mix, &now, &most);
    atomic_store(&d->distance, far);
    return far > MIX_MOST &&
           raise_alarm(d, (enum drift_cause)(DRIFT_TASK + (unsigned)most));
}

bool drift_note(struct drift *d, const struct prediction *p,
                double input_tokens)
{
    uint32_t bin[MIX_KINDS];

    mix_bins(p, input_tokens, bin);
    for (unsigned k = 0; k < MIX_KINDS; k++)
        atomic_fetch_add_explicit(&d->count[k][bin[k]], 1,
                                  memory_order_relaxed);
    atomic_fetch_add_explicit(&d->unseen_sum,
                              (uint64_t)((double)p->unseen * 1e6),
                              memory_order_relaxed);
    return atomic_fetch_add(&d->n, 1) + 1 == DRIFT_WINDOW && look(d);
}

enum drift_cause drift_alarm(const struct drift *d)
{
    if (!d)
        return DRIFT_NONE;
    return (enum drift_cause)atomic_load_explicit(&d->alarm,
                                                  memory_order_relaxed);
}

const char *drift_cause_name(enum drift_cause c)
{
    static const char *const names[DRIFT_CAUSES] = {
        "nothing", "task", "quality", "unseen", "length", "outcomes"};

    return names[c];
}

/* NULL: there are too many, or the name is too long. */
static struct stream *stream_of(struct drift *d, struct span arm, bool shadow)
{
    struct stream *s;
    unsigned i = 0;

    while (i < d->n_streams &&
           (d->streams[i].shadow != shadow || !span_is(arm, d->streams[i].arm)))
        i++;
    if (i == STREAMS)
        return NULL;
    s = &d->streams[i];
    if (i < d->n_streams)
        return s;
    if (!span_copy(s->arm, sizeof s->arm, arm))
        return NULL;
    s->shadow = shadow;
    page_hinkley_reset(&s->test, PAGE_HINKLEY_SLACK, PAGE_HINKLEY_LIMIT);
    d->n_streams++;
    return s;
}

bool drift_label(struct drift *d, const struct drift_answer *a)
{
    struct stream *const of[] = {
        a->shadow ? NULL : stream_of(d, (struct span){"", 0}, false),
        stream_of(d, a->arm, a->shadow)};
    bool fallen = false;
    double most = 0;

    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
        if (of[i] && page_hinkley_note(&of[i]->test, a->predicted - a->score))
            fallen = true;
    for (unsigned i = 0; i < d->n_streams; i++)
        most = fmax(most, d->streams[i].test.excess / d->streams[i].test.limit);
    atomic_store_explicit(&d->outcomes, most, memory_order_relaxed);
    return fallen && raise_alarm(d, DRIFT_OUTCOMES);
}

double drift_outcomes(const struct drift *d)
{
    return atomic_load_explicit(&d->outcomes, memory_order_relaxed);
}

void drift_restore(struct drift *d, struct span cause)
{
    for (unsigned c = DRIFT_NONE + 1; c < DRIFT_CAUSES; c++) {
        if (span_is(cause, drift_cause_name((enum drift_cause)c)))
            raise_alarm(d, (enum drift_cause)c);
    }
}

double drift_unseen(const struct drift *d)
{
    return atomic_load_explicit(&d->unseen, memory_order_relaxed);
}

double drift_distance(const struct drift *d)
{
    return atomic_load_explicit(&d->distance, memory_order_relaxed);
}
