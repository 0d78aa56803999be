/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_settle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "router/outlog/sql.h"
#include "router/outlog/yielding_vfs.h"

struct settle {
    char *path; /* (owned) */
    pthread_t thread;
    pthread_mutex_t lock; /* the wishes */
    pthread_cond_t work, idle;
    bool wanted, busy, stop;
    struct yielder yielder;
    struct yielding_vfs *vfs; /* (owned) */
    struct sqlite3 *h;        /* (owned) the thread's own; NULL: not open */
};

/* A read makes the connection see that the database is in WAL mode. */
static bool have_db(struct settle *s)
{
    struct err ignored;

    if (s->h)
        return true;
    s->h = sql_open_by(s->path, yielding_vfs_name(s->vfs), &ignored);
    if (s->h && sql_run(s->h, "SELECT count(*) FROM sqlite_schema", &ignored))
        return true;
    sql_close(s->h);
    s->h = NULL;
    return false;
}

/* What fails here is tried again with the next rows; whether they can be
 * written is for their writer to find out. */
static void carry(struct settle *s)
{
    if (!have_db(s) || sql_carry(s->h))
        return;
    sql_close(s->h);
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

    pthread_setname_np(pthread_self(), "log-to-disk");
    while (wait_for_work(s))
        carry(s);
    return NULL;
}

static void release(struct settle *s)
{
    sql_close(s->h);
    yielding_vfs_free(s->vfs);
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
    s->yielder.early = true;
    s->vfs = yielding_vfs_new(&s->yielder, e);
    if (s->path && s->vfs && pthread_create(&s->thread, NULL, run, s) == 0)
        return s;
    err_set(e, ERR_MEMORY, "cannot start the thread that settles the log");
    release(s);
    return NULL;
}

void settle_wake(struct settle *s, bool hurry)
{
    atomic_store(&s->yielder.hurry, hurry);
    pthread_mutex_lock(&s->lock);
    if (!s->wanted) {
        s->wanted = true;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
}

void settle_wait(struct settle *s)
{
    atomic_store(&s->yielder.hurry, true);
    pthread_mutex_lock(&s->lock);
    while (s->wanted || s->busy)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void settle_free(struct settle *s)
{
    if (!s)
        return;
    atomic_store(&s->yielder.hurry, true);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    release(s);
}
