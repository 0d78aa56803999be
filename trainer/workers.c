/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 16, POLL_NS = 20 * 1000 * 1000 };

struct workers_board {
    atomic_uint steps;
    const struct workers *here; /* set when jobs run in this process */
    struct err failed[];        /* [n] of each job */
};

struct run {
    const struct workers *w;
    struct workers_board *board;
    pid_t pid[PROCESSES_MAX]; /* 0: free */
    unsigned job[PROCESSES_MAX];
    unsigned active, next, n;
};

void *workers_shared(size_t bytes)
{
    void *at = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

void workers_unshare(void *at, size_t bytes)
{
    if (at)
        munmap(at, bytes ? bytes : 1);
}

static void say(const struct workers *w, const struct workers_board *b)
{
    if (w->progress && w->steps)
        w->progress(w->progress_ctx, (double)b->steps / w->steps);
}

void workers_step(struct workers_board *b)
{
    atomic_fetch_add(&b->steps, 1);
    if (b->here)
        say(b->here, b);
}

static bool run_here(const struct workers *w, unsigned n,
                     struct workers_board *b, struct err *e)
{
    b->here = w;
    for (unsigned i = 0; i < n; i++)
        if (!w->job(w->ctx, i, b, e))
            return false;
    return true;
}

/* Starts the next job in the free place `at`. */
static bool start(struct run *r, unsigned at, struct err *e)
{
    unsigned i = r->next;
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "starting a worker process");
    if (pid == 0) {
        struct err mine = {0};
        bool ok = r->w->job(r->w->ctx, i, r->board, &mine);
        if (!ok)
            r->board->failed[i] = mine;
        _exit(ok ? 0 : 1); /* lint: the child, not the program */
    }
    r->pid[at] = pid;
    r->job[at] = i;
    r->active++;
    r->next++;
    return true;
}

/* Looks after the child in place `at`; false when its job failed. */
static bool look(struct run *r, unsigned at, struct err *e)
{
    int status;
    pid_t got;

    if (!r->pid[at])
        return true;
    got = waitpid(r->pid[at], &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return true;
    r->pid[at] = 0;
    r->active--;
    if (got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (got > 0 && WIFSIGNALED(status))
        return err_set(e, ERR_STATE, "a worker process ended by signal %d%s",
                       WTERMSIG(status),
                       WTERMSIG(status) == SIGKILL ? " (out of memory?)" : "");
    *e = r->board->failed[r->job[at]];
    if (e->kind == ERR_NONE)
        return err_set(e, ERR_STATE, "a worker process failed");
    return false;
}

static void stop_all(struct run *r)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        if (!r->pid[i])
            continue;
        kill(r->pid[i], SIGKILL);
        while (waitpid(r->pid[i], NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

static bool run_forked(struct run *r, unsigned places, struct err *e)
{
    const struct timespec pause = {0, POLL_NS};

    while (r->next < r->n || r->active) {
        for (unsigned i = 0; i < places; i++) {
            if (!look(r, i, e))
                return false;
            if (!r->pid[i] && r->next < r->n && !start(r, i, e))
                return false;
        }
        say(r->w, r->board);
        nanosleep(&pause, NULL);
    }
    return true;
}

bool workers_run(const struct workers *w, unsigned n, struct err *e)
{
    size_t size = sizeof(struct workers_board) + n * sizeof(struct err);
    struct run r = {.w = w, .board = workers_shared(size), .n = n};
    unsigned places =
        w->processes < PROCESSES_MAX ? w->processes : PROCESSES_MAX;
    struct err mine = {0};
    bool ok;

    if (!r.board)
        return err_set(e, ERR_MEMORY, "no memory for worker processes");
    if (places <= 1 || n <= 1)
        ok = run_here(w, n, r.board, &mine);
    else
        ok = run_forked(&r, places, &mine);
    if (!ok) {
        stop_all(&r);
        if (e)
            *e = mine;
    }
    workers_unshare(r.board, size);
    return ok;
}
