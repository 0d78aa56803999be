/* SPDX-License-Identifier: Apache-2.0 */
#include "router/retrain.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "models/journal.h"
#include "router/settings/settings.h"

extern char **environ;

enum { NICE = 10, PROGRAM_MAX = 4096, FOLLOW_MS = 100 };

bool retrain_init(struct retrain *r, const char *config)
{
    r->config = strdup(config);
    pthread_mutex_init(&r->lock, NULL);
    buf_init(&r->last, JOURNAL_TAIL);
    return r->config != NULL;
}

void retrain_note(struct retrain *r, const char *classifier)
{
    struct buf line;
    struct err e;

    buf_init(&line, JOURNAL_TAIL);
    if (!journal_last(classifier, NULL, &line, &e))
        buf_reset(&line);
    pthread_mutex_lock(&r->lock);
    buf_reset(&r->last);
    buf_span(&r->last, buf_view(&line));
    pthread_mutex_unlock(&r->lock);
    buf_free(&line);
}

void retrain_last(struct retrain *r, struct buf *out)
{
    pthread_mutex_lock(&r->lock);
    if (r->last.len)
        buf_span(out, buf_view(&r->last));
    else
        buf_str(out, "null");
    pthread_mutex_unlock(&r->lock);
}

/* ---- the child ---- */

/* In a group of its own, with the processes that it trains in. */
static bool spawn(struct retrain *r, struct err *e)
{
    char program[PROGRAM_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char cycle[] = "cycle", option[] = "--config";
    char *argv[] = {program, cycle, option, r->config, NULL};
    posix_spawn_file_actions_t acts;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid = 0;
    int rc;

    if (n <= 0)
        return err_sys(e, "/proc/self/exe");
    program[n] = '\0';
    sigemptyset(&none);
    posix_spawn_file_actions_init(&acts);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&acts, 1, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    rc = posix_spawn(&pid, program, &acts, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    posix_spawnattr_destroy(&attr);
    if (rc != 0)
        return err_set(e, ERR_IO, "%s: %s", program, strerror(rc));
    setpriority(PRIO_PROCESS, (id_t)pid, NICE);
    r->pid = pid;
    return true;
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
    struct retrain *r = ctx;
    struct err e;

    (void)fd;
    (void)what;
    if (r->pid)
        return;
    if (!spawn(r, &e))
        log_event(LOG_ERROR, "cycle", "reason=\"%s\"", e.msg);
    else
        event_add(r->follow, &(struct timeval){0, FOLLOW_MS * 1000});
}

/* A rollback does not wait until the next challenger is trained. */
static void on_follow(evutil_socket_t fd, short what, void *ctx)
{
    struct retrain *r = ctx;

    (void)fd;
    (void)what;
    r->look(r->ctx);
}

static void on_child(evutil_socket_t fd, short what, void *ctx)
{
    struct retrain *r = ctx;
    int status = 0;

    (void)fd;
    (void)what;
    if (!r->pid || waitpid(r->pid, &status, WNOHANG) != r->pid)
        return;
    r->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_event(LOG_ERROR, "cycle",
                  "status=%d effect=\"the classifier stays\"",
                  WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    event_del(r->follow);
    r->look(r->ctx);
}

bool retrain_start(struct retrain *r, struct event_base *base,
                   const struct settings *set, struct err *e)
{
    uint64_t ms = set->retrain.look_ms;
    struct timeval every = {(time_t)(ms / 1000),
                            (suseconds_t)(ms % 1000 * 1000)};

    retrain_note(r, set->classifier);
    if (!settings_retrain(set))
        return true;
    r->timer = event_new(base, -1, EV_PERSIST, on_look, r);
    r->child = evsignal_new(base, SIGCHLD, on_child, r);
    r->follow = event_new(base, -1, EV_PERSIST, on_follow, r);
    return (r->timer && r->child && r->follow &&
            event_add(r->timer, &every) == 0 &&
            event_add(r->child, NULL) == 0) ||
           err_set(e, ERR_MEMORY, "retrain: out of memory");
}

void retrain_stop(struct retrain *r)
{
    if (r->timer)
        event_free(r->timer);
    if (r->child)
        event_free(r->child);
    if (r->follow)
        event_free(r->follow);
    r->timer = r->child = r->follow = NULL;
    if (!r->pid)
        return;
    kill(-r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    r->pid = 0;
}

void retrain_free(struct retrain *r)
{
    retrain_stop(r);
    buf_free(&r->last);
    free(r->config);
    pthread_mutex_destroy(&r->lock);
}
