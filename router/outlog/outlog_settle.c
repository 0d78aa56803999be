/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_settle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

struct settle {
    char *path; /* (owned) */
    pthread_t thread;
    pthread_mutex_t lock; /* the wishes */
    pthread_cond_t work, idle;
    bool wanted, busy, stop;
    sqlite3 *h; /* (owned) the thread's own; NULL: not open */
};

/* A read makes the connection see that the database is in WAL mode. */
static bool have_db(struct settle *s)
{
    if (s->h)
        return true;
    if (sqlite3_open_v2(s->path, &s->h,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK &&
        sqlite3_exec(s->h, "SELECT count(*) FROM sqlite_schema", NULL, NULL,
                     NULL) == SQLITE_OK)
        return true;
    sqlite3_close(s->h);
    s->h = NULL;
    return false;
}

/* What fails here is tried again with the next rows; whether they can be
 * written is for their writer to find out. */
static void carry(struct settle *s)
{
    int rc;

    if (!have_db(s))
        return;
    rc = sqlite3_wal_checkpoint_v2(s->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                   NULL);
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return;
    sqlite3_close(s->h);
    s->h = NULL;
}

static bool wait_for_work(struct settle *s)
{
    bool stop;

    pthread_mutex_lock(&s->lock);
    s->busy = false;
    pthread_cond_signal(&s->idle);
    while (!s->wanted && !s->stop)
        pthread_cond_wait(&s->work, &s->lock);
    s->busy = s->wanted;
    s->wanted = false;
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return !stop;
}

static void *run(void *arg)
{
    struct settle *s = arg;

    while (wait_for_work(s))
        carry(s);
    return NULL;
}

static void release(struct settle *s)
{
    sqlite3_close(s->h);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

struct settle *settle_new(const char *path, struct err *e)
{
    struct settle *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(e, ERR_MEMORY, "no memory for the outcome log");
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->idle, NULL);
    s->path = strdup(path);
    if (s->path && pthread_create(&s->thread, NULL, run, s) == 0)
        return s;
    err_set(e, ERR_MEMORY, "cannot start the thread that settles the log");
    release(s);
    return NULL;
}

void settle_wake(struct settle *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->wanted) {
        s->wanted = true;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
}

void settle_wait(struct settle *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->wanted || s->busy)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void settle_free(struct settle *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    release(s);
}
