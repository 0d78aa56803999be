/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/log.h"
#include "router/listen.h"

extern char **environ;

enum { ARGS_MOST = 64, ENV_MAX = 16384 };

void upgrade_init(struct upgrade *u, char **argv)
{
    ssize_t n = readlink("/proc/self/exe", u->program, sizeof u->program - 1);

    u->program[n > 0 ? n : 0] = '\0';
    u->argv = argv;
    u->fd = -1;
}

static void over(struct upgrade *u)
{
    if (u->ev)
        event_free(u->ev);
    if (u->fd >= 0)
        close(u->fd);
    u->ev = NULL;
    u->fd = -1;
}

static void on_word(evutil_socket_t fd, short what, void *ctx)
{
    struct upgrade *u = ctx;
    int status = 0;
    char byte;
    bool up = read(fd, &byte, 1) == 1;

    (void)what;
    over(u);
    if (up) {
        log_event(LOG_WARN, "upgrade", "pid=%d effect=\"this one drains\"",
                  u->pid);
        u->up(u->ctx);
        return;
    }
    waitpid(u->pid, &status, 0);
    log_event(LOG_ERROR, "upgrade", "status=%d effect=\"this one goes on\"",
              WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

/* The descriptors keep their numbers and survive the exec. */
static void put_fds(const struct listeners *l, int ready,
                    posix_spawn_file_actions_t *acts, struct buf *fds)
{
    for (unsigned i = 0; i < l->n; i++) {
        posix_spawn_file_actions_adddup2(acts, l->fds[i], l->fds[i]);
        buf_printf(fds, "%s%d", i ? " " : "", l->fds[i]);
    }
    posix_spawn_file_actions_adddup2(acts, ready, ready);
}

static bool spawn(struct upgrade *u, const struct listeners *l, int ready,
                  struct err *e)
{
    posix_spawn_file_actions_t acts;
    char *argv[ARGS_MOST + 2] = {u->program};
    struct buf fds;
    char number[16];
    pid_t pid = 0;
    int rc;

    for (int i = 0; i < ARGS_MOST && u->argv[i]; i++)
        argv[i + 1] = u->argv[i];
    buf_init(&fds, ENV_MAX);
    posix_spawn_file_actions_init(&acts);
    put_fds(l, ready, &acts, &fds);
    snprintf(number, sizeof number, "%d", ready);
    setenv("WEIR_FDS", buf_cstr(&fds), 1);
    setenv("WEIR_READY_FD", number, 1);
    rc = posix_spawn(&pid, u->program, &acts, NULL, argv, environ);
    unsetenv("WEIR_FDS");
    unsetenv("WEIR_READY_FD");
    posix_spawn_file_actions_destroy(&acts);
    buf_free(&fds);
    u->pid = pid;
    return rc == 0 || err_set(e, ERR_IO, "%s: %s", u->program, strerror(rc));
}

bool upgrade_start(struct upgrade *u, struct event_base *base,
                   const struct listeners *l, struct err *e)
{
    int fds[2];
    bool ok;

    if (u->ev)
        return err_set(e, ERR_STATE, "one is starting already");
    if (!u->argv || !*u->program)
        return err_set(e, ERR_STATE, "this program does not know its file");
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    ok = spawn(u, l, fds[1], e);
    close(fds[1]);
    u->fd = fds[0];
    u->ev = ok ? event_new(base, fds[0], EV_READ, on_word, u) : NULL;
    if (u->ev && event_add(u->ev, NULL) == 0)
        return true;
    over(u);
    return ok ? err_set(e, ERR_MEMORY, "out of memory") : false;
}

void upgrade_free(struct upgrade *u)
{
    over(u);
}

void upgrade_ready(void)
{
    const char *text = getenv("WEIR_READY_FD");
    uint64_t fd;

    if (!text || !span_u64(span_of(text), &fd) || fd > 65535)
        return;
    (void)!write((int)fd, "1", 1);
    close((int)fd);
    unsetenv("WEIR_READY_FD");
}
